"""An operator whose connections to the API server die without a word: nothing that happens meanwhile is lost."""

import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.e2e.calltests import Object, call_test
from tests.e2e.kube import CLUSTER, ROOT, Namespace, namespace, until

KNOWN_S = 90
"""kopf gives up a watch after 60 s, a look comes each 55 s and waits 15 s; and two cores are busy."""


class Relay:
    """Passes connections on to the API server; those that it lets die stay open, and say nothing more."""

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        self.age = 0
        """Those that were opened before it was raised are dead."""
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self.server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def let_die(self) -> None:
        """All that are open now."""
        self.age += 1

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(*pair, self.age), daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, age: int) -> None:
        try:
            while data := source.recv(65536):
                if age == self.age:
                    to.sendall(data)
            if age == self.age:
                to.shutdown(socket.SHUT_WR)
        except OSError:
            return


def kubeconfig(relay: Relay, original: Object, path: Path) -> Path:
    """The administrator's, by way of the relay."""
    (entry,) = original["clusters"]
    entry["cluster"] = {"server": f"https://127.0.0.1:{relay.port}", "insecure-skip-tls-verify": True}
    path.write_text(yaml.safe_dump(original))
    return path


@contextmanager
def operator(served: str, config: Path, log: Path) -> Iterator[str]:
    """The operator as a process on this machine; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    words = [sys.executable, "-m", "controller", "--namespace", served, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as file:
        environment = {**os.environ, "KUBECONFIG": str(config)}
        process = subprocess.Popen(words, env=environment, cwd=ROOT, stdout=file, stderr=file)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def shown(url: str, page: str) -> str:
    """A page of the operator's; '' while it does not say that all is well."""
    try:
        with urllib.request.urlopen(f"{url}/{page}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def of_tests(url: str) -> set[str]:
    """The CallTests of which /metrics shows something."""
    return set(re.findall(r'calltest="([^"]+)"', shown(url, "metrics")))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Namespace, Relay, str]]:
    """A namespace that an operator serves by way of a relay."""
    path = subprocess.run([CLUSTER, "kubeconfig"], capture_output=True, text=True, check=True).stdout.strip()
    original = yaml.safe_load(Path(path).read_text())
    server = urlsplit(original["clusters"][0]["cluster"]["server"])
    relay = Relay(str(server.hostname), int(server.port or 443))
    with namespace("e2e-watches") as made:
        made.kubectl("apply", "-k", str(ROOT / "deploy" / "crd"))
        config = kubeconfig(relay, original, tmp_path / "config")
        with operator(made.name, config, tmp_path / "operator.log") as url:
            until(lambda: shown(url, "readyz"), "the operator is ready")
            yield made, relay, url


def nowhere(name: str) -> Object:
    """A CallTest whose run waits for endpoints, and calls nobody."""
    return call_test(name, target={"service": {"name": "nobody"}, "port": "sip"})


def test_what_happens_while_all_connections_are_dead_is_known_soon(watched: tuple[Namespace, Relay, str]) -> None:
    space, relay, url = watched
    for name in ("stays", "goes"):
        space.apply(nowhere(name))
        until(partial(space.runs, name), f"the run of {name}", timeout_s=20)
    until(lambda: "goes" in of_tests(url), "the series of a test whose run was made", timeout_s=20)
    relay.let_die()
    space.apply(nowhere("new"))
    space.kubectl("delete", "calltest", "goes")
    until(lambda: space.runs("new"), "the run of a test that was made in the silence", timeout_s=KNOWN_S)
    until(lambda: of_tests(url) == {"stays", "new"}, "the series of one that was deleted go", timeout_s=KNOWN_S)
    assert shown(url, "healthz")
    assert [run["metadata"]["name"] for run in space.runs("stays")] == ["stays-g1"], "and nothing is done twice"
