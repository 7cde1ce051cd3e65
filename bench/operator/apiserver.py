"""A real API server with its etcd, on loopback: nothing that would run pods, and nothing that leaves the machine."""

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dev"))

from devkit import gotools  # noqa: E402 - the dev scripts are no package

START_S = 60
USERS = ("filler", "operator")
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["ResponseStarted", "ResponseComplete", "Panic"],
    "rules": [{"level": "Metadata", "users": ["operator"]}, {"level": "None"}],
}
"""Each request of the operator once, as it comes."""


@dataclass(frozen=True, kw_only=True)
class ApiServer:
    """One that runs."""

    folder: Path
    port: int
    tokens: dict[str, str]

    def kubeconfig(self, user: str, port: int | None = None) -> Path:
        """For one of USERS; `port`: of something in between."""
        path = self.folder / f"kubeconfig-{user}"
        authority = str(self.folder / "certs" / "apiserver.crt")
        cluster = {"server": f"https://127.0.0.1:{port or self.port}", "certificate-authority": authority}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "bench",
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": user}}],
            "clusters": [{"name": "bench", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
        }
        path.write_text(yaml.safe_dump(body))
        return path

    def requests(self) -> Counter[str]:
        """What the operator has asked for until now, by verb and resource."""
        counts: Counter[str] = Counter()
        with (self.folder / "audit.log").open() as lines:
            for line in lines:
                if not line.endswith("\n"):
                    break  # it is being written
                event = json.loads(line)
                of = event.get("objectRef", {})
                counts[f"{event['verb']} {'/'.join(filter(None, (of.get('resource'), of.get('subresource'))))}"] += 1
        return counts


@contextlib.contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Starts both; ends them by their ids."""
    server = ApiServer(folder=folder, port=free_port(), tokens={user: secrets.token_hex(16) for user in USERS})
    etcd = free_port()
    (folder / "tokens").write_text("".join(f'{server.tokens[u]},{u},{u},"system:masters"\n' for u in USERS))
    (folder / "audit.yaml").write_text(yaml.safe_dump(AUDIT))
    (folder / "audit.log").touch()
    subprocess.run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True, capture_output=True)
    with contextlib.ExitStack() as stack:
        for name, words in (("etcd", _etcd(folder, etcd)), ("kube-apiserver", _apiserver(server, etcd))):
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen([str(gotools.binaries()[name]), *words], stdout=log, stderr=log)
            stack.callback(_end, process)
        _await(server)
        yield server


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def connect(path: Path) -> client.ApiClient:
    """A client of one kubeconfig, beside what is the process's default."""
    return config.new_client_from_config(str(path))


def _etcd(folder: Path, port: int) -> list[str]:
    url, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    listen = [f"--listen-client-urls={url}", f"--advertise-client-urls={url}", f"--listen-peer-urls={peer}"]
    peers = [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
    return [f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn", *listen, *peers]


def _apiserver(server: ApiServer, etcd: int) -> list[str]:
    folder = server.folder
    flags = {
        "etcd-servers": f"http://127.0.0.1:{etcd}",
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": str(server.port),
        "cert-dir": str(folder / "certs"),
        "token-auth-file": str(folder / "tokens"),
        "authorization-mode": "RBAC",
        "disable-admission-plugins": "ServiceAccount",
        "service-account-issuer": "https://bench",
        "service-account-signing-key-file": str(folder / "sa.key"),
        "service-account-key-file": str(folder / "sa.key"),
        "service-cluster-ip-range": "10.250.0.0/16",
        "endpoint-reconciler-type": "none",
        "audit-policy-file": str(folder / "audit.yaml"),
        "audit-log-path": str(folder / "audit.log"),
        "audit-log-mode": "blocking",
        "max-requests-inflight": "400",
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def _await(server: ApiServer) -> None:
    until_s = time.monotonic() + START_S
    while True:
        try:
            client.CoreV1Api(connect(server.kubeconfig("filler"))).list_namespace(_request_timeout=2)
        except (OSError, HTTPError, client.ApiException, config.ConfigException):  # it is starting
            if time.monotonic() > until_s:
                sys.exit(f"the API server did not start; see {server.folder}/kube-apiserver.log")
            time.sleep(0.2)
        else:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
