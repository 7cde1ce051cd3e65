"""Who asks a cluster that cannot be asked is told what is wrong, and what to do: by every command that asks one."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.kube.cluster import ClusterError
from controller.page import clusters

COMMANDS = (("detail", "pin-g1"), ("report", "--run", "pin-g1", "-o", "-"))
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "SERVER"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], list[str]]:
    """What each command says where KUBECONFIG names a file with that in it; None: no such file."""

    def tell(kubeconfig: str | None) -> list[str]:
        file = tmp_path / "kubeconfig"
        if kubeconfig is not None:
            file.write_text(kubeconfig)
        monkeypatch.setenv("KUBECONFIG", str(file))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        done = [CliRunner().invoke(app, command) for command in COMMANDS]
        assert [(each.exit_code, each.stdout) for each in done] == [(2, "")] * len(COMMANDS)
        return [each.stderr.replace(str(file), "FILE") for each in done]

    return tell


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("kubeconfig", "said"),
    [
        (None, "No configuration found."),
        ("", "FILE file is empty"),
        ("a word", "what is in it is none (TypeError"),
        ("- a list", "what is in it is none (TypeError"),
        ("a: [", "while parsing a flow node"),
        (KUBECONFIG.replace("current-context: c", ""), "Expected key current-context"),
        (KUBECONFIG.replace("current-context: c", "current-context: other"), "Expected object with name other"),
    ],
    ids=["absent", "empty", "text", "list", "no YAML", "no context", "unknown context"],
)
def test_without_a_usable_kubeconfig_it_says_to_set_one(
    told: Callable[[str | None], list[str]], kubeconfig: str | None, said: str
) -> None:
    for text in told(kubeconfig):
        assert text.startswith("calltest: pin-g1: no cluster to ask: ")
        assert said in text
        assert text.endswith(": set KUBECONFIG to a file that kubectl works with (it is FILE)\n")
        assert text.count("\n") == 1


def test_without_any_word_of_where_it_names_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "absent"))
    done = CliRunner().invoke(app, COMMANDS[0])
    assert (done.exit_code, "(it is ~/.kube/config)" in done.stderr) == (2, True)


def test_a_cluster_that_does_not_answer_is_named(told: Callable[[str | None], list[str]]) -> None:
    port = closed_port()
    for text in told(KUBECONFIG.replace("SERVER", f"http://127.0.0.1:{port}")):
        assert text.startswith("calltest: pin-g1: the cluster does not answer: ")
        assert "127.0.0.1" in text
        assert str(port) in text
        assert "Connection refused: is it up, and is FILE its kubeconfig?" in text
        assert "Max retries" not in text


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "the cluster does not take the credentials in FILE: no: renew them, or set KUBECONFIG"),
        (403, "no: ask for a Role that may get calltestruns there, or name another namespace with -n"),
        (500, "GET calltestruns: 500: no"),
    ],
)
def test_a_cluster_that_refuses_says_what_to_ask_for(
    told: Callable[[str | None], list[str]], monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    def refuse(*_: Any) -> Any:
        raise ClusterError("GET", "calltestruns", status, "no")

    monkeypatch.setattr(clusters, "read_cluster", refuse)
    for text in told(KUBECONFIG.replace("SERVER", "http://127.0.0.1:1")):
        assert text == f"calltest: pin-g1: {said}\n"
