"""Starts what a SUT is made of, by the entry points of its image, in its root folder."""

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from agent.contract.address import place
from tests.sut.base import EXAMPLES, KAMAILIO, Base
from tests.sut.rootfs import sut_rootfs

UID: Final = 10001
START_S: Final = 60
STOP_S: Final = 5
SIP_PORT: Final = 5060
TLS_PORT: Final = 5061
NAMESPACES: Final = Path("/run/netns")
PREFIX: Final = "calltest-sut-"
BOTH_FAMILIES: Final = {"SUT_ADDRESS": "127.0.0.1,::1", "SUT_MEDIA": "", "SUT_RTPENGINE": "127.0.0.1:2223"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSut:
    """A running SUT."""

    base: Base
    host: str
    media_towards_caller: str
    media_towards_callee: str
    port: int
    namespace: str
    """Path of the network namespace that it is in: the agents belong there too."""
    logs: Path
    """A folder with a log of each part (kamailio.log, rtpengine.log …); gone when the SUT is."""

    @property
    def address(self) -> str:
        """`ip:port` of SIP, over TLS where it has that."""
        return place(self.host, self.port)

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in the SUT's network namespace."""
        return entering(self.namespace)

    def log(self, part: str) -> str:
        """What a part has said so far."""
        return (self.logs / f"{part}.log").read_text(errors="replace")


def entering(namespace: str) -> tuple[str, ...]:
    """What to put before a command so that it runs in this network namespace."""
    return ("nsenter", f"--net={namespace}", "--")


@contextmanager
def local_sut(
    features: Sequence[str] = (),
    *,
    base: Base = KAMAILIO,
    phone: str | None = None,
    namespace: str | None = None,
    replica: int = 0,
    settings: Mapping[str, str] | None = None,
    ipv6: bool = False,
) -> Iterator[LocalSut]:
    """The SUT with these features (words that its entry program knows), ready: its OPTIONS are answered. Needs root.

    `phone`: "ring" or "announce" starts phone.py. `namespace`: a network namespace of ours (`network_namespace`), as
    faults of the path need, where replicas are told apart by their number; without one it is on this machine's
    loopback, at addresses of 127/8 that nothing else uses. `ipv6`: in a namespace, at ::1 beside 127.0.0.1.
    """
    if os.geteuid():
        raise RuntimeError("the local SUT needs root (it runs in a root folder of its own)")
    rootfs = sut_rootfs(base)
    hosts = _free_hosts() if namespace is None else [f"127.0.{replica + 1}.{last}" for last in (10, 11, 12)]
    if ipv6:
        hosts = ["::1"] * 3
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
        run = stack.enter_context(_run_folder(rootfs, base))
        sut = LocalSut(
            base=base,
            host=hosts[0],
            media_towards_caller=hosts[1],
            media_towards_callee=hosts[2],
            port=TLS_PORT if "TLS" in features else SIP_PORT,
            namespace=namespace or "/proc/self/ns/net",
            logs=logs,
        )
        inside = Path("/") / run.relative_to(rootfs)
        given = BOTH_FAMILIES if ipv6 else {}
        environment = _environment(sut, inside, features, phone) | given | dict(settings or {})
        running = {
            part: stack.enter_context(_part(part, sut, rootfs, inside, environment))
            for part in base.parts(features, phone)
        }
        _await_ready(sut, _command("probe", sut, rootfs, inside), environment, running)
        yield sut


def _environment(sut: LocalSut, inside: Path, features: Sequence[str], phone: str | None) -> dict[str, str]:
    """What the entry program is told."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "SUT_ADDRESS": sut.host,
        "SUT_PORT": str(SIP_PORT),
        "SUT_FEATURES": " ".join(features),
        "SUT_MEDIA": f"{sut.media_towards_caller} {sut.media_towards_callee}",
        "SUT_RTPENGINE": f"{sut.host}:2223",
        "SUT_USERS": str(inside / "users"),
        "SUT_CERTIFICATES": str(inside / "sut-tls"),
        "SUT_RUN": str(inside / "run"),
        "SUT_PHONE_DOES": phone or "",
    }


@contextmanager
def _part(
    part: str, sut: LocalSut, rootfs: Path, inside: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """One process, in a session of its own; it also ends when the one that started it does."""
    with (sut.logs / f"{part}.log").open("wb") as log:
        process = subprocess.Popen(
            _command(part, sut, rootfs, inside, ["setpriv", "--pdeathsig", "TERM"]),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _command(part: str, sut: LocalSut, rootfs: Path, inside: Path, before: Sequence[str] = ()) -> list[str]:
    entry = ["python3", "-B", str(inside / Path(sut.base.files[0]).name), part]
    return [*sut.enter, "chroot", f"--userspec={UID}:{UID}", str(rootfs), *before, *entry]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever it left of its own session
    process.wait(STOP_S)


def _await_ready(
    sut: LocalSut, probe: Sequence[str], environment: Mapping[str, str], running: Mapping[str, subprocess.Popen[bytes]]
) -> None:
    end = time.monotonic() + START_S
    while True:
        asked = subprocess.run(
            probe, env=dict(environment), capture_output=True, text=True, timeout=START_S, check=False
        )
        if asked.returncode == 0:
            return
        ended = [part for part, process in running.items() if process.poll() is not None]
        if ended or time.monotonic() > end:
            why = f"{ended[0]} ended" if ended else f"not in {START_S} s: {asked.stderr.strip()}"
            said = "\n".join(f"{part}: " + "\n".join(sut.log(part).splitlines()[-8:]) for part in running)
            raise RuntimeError(f"the local SUT did not come up, {why}\n{said}")
        time.sleep(0.1)


@contextmanager
def _run_folder(rootfs: Path, base: Base) -> Iterator[Path]:
    """A folder in the root folder with the image's files, the users, and the one place that may be written to."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=rootfs / "run"))
    try:
        for name in base.files:
            shutil.copy(EXAMPLES / name, folder)
        for secret in _documents("sut/users/secrets.yaml"):
            _write_keys(secret, folder / "users" / secret["metadata"]["name"])
        for secret in _documents("sut/certificates/secrets.yaml"):
            _write_keys(secret, folder / secret["metadata"]["name"])
        (folder / "run").mkdir()
        os.chown(folder / "run", UID, UID)
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _documents(name: str) -> Iterator[dict[str, Any]]:
    return yaml.safe_load_all((EXAMPLES / name).read_text())


def _write_keys(secret: dict[str, Any], folder: Path) -> None:
    """As it would be mounted."""
    folder.mkdir(parents=True)
    for key, value in secret["stringData"].items():
        (folder / key).write_text(value)


@contextmanager
def network_namespace() -> Iterator[str]:
    """A network namespace with nothing but loopback; those of harnesses that are no more are removed first."""
    for left in NAMESPACES.glob(f"{PREFIX}*"):
        if not Path(f"/proc/{left.name.removeprefix(PREFIX).partition('-')[0]}").exists():
            subprocess.run(["ip", "netns", "delete", left.name], check=False, timeout=30)
    name = f"{PREFIX}{os.getpid()}-{random.getrandbits(16):04x}"
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=30)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True, timeout=30)
        yield str(NAMESPACES / name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, timeout=30)


def _free_hosts() -> list[str]:
    """Three loopback addresses that no other local SUT has: whoever binds one's SIP port has all three."""
    seed = hashlib.sha256(f"{os.getpid()} {time.monotonic_ns()}".encode()).digest()
    for a, b in zip(seed[::2], seed[1::2], strict=True):
        hosts = [f"127.{64 + a % 128}.{b}.{last}" for last in (10, 11, 12)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind((hosts[0], SIP_PORT))
            except OSError:
                continue
            return hosts
    raise RuntimeError("no free loopback address for the local SUT")
