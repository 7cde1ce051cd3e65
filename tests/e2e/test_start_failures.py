"""A run that cannot start ends Inconclusive with the reason, by readyDeadlineSeconds, and leaves no pod running."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.calltests import call_test, deleted
from tests.e2e.kube import ROOT, Namespace, namespace, until
from tests.sut.base import EXAMPLES

START_S = 8
LATE_S = 46
"""Where an agent registers; a run that fails before an agent starts does not use it up."""
UNREGISTERED: dict[str, Any] = {
    "caller": {"uri": "sip:alice@example.com"},
    "callee": {"uri": "sip:bob@example.com", "route": "RequestURI"},
}
"""A readiness deadline may be short where nobody registers."""
SLACK_S = 6
"""Whole seconds in the times, the operator's poll, and stopping an agent that does run."""
SUT = {"podSelector": {"matchLabels": {"app": "quiet"}}, "port": 5060}
QUIET = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "quiet", "labels": {"app": "quiet"}},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "quiet", "image": "calltest-agent:dev", "command": ["sleep", "3600"]}],
    },
}
"""A pod that would be called, if a run got that far."""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    with namespace("e2e-start") as made:
        made.apply_folder(ROOT / "deploy", tmp_path_factory.mktemp("start"))
        made.kubectl("apply", "-f", str(EXAMPLES / "sut" / "users" / "secrets.yaml"))
        made.apply(QUIET)
        made.rolled_out("calltest-operator")
        made.kubectl("wait", "--for=condition=Ready", "pod/quiet", "--timeout=60s", timeout_s=70)
        yield made


def concluded(space: Namespace, name: str, **spec: Any) -> dict[str, Any]:
    """The status of a run that could not start; it took no longer than it may, and left no pod that runs."""
    usual = {"target": SUT, "readyDeadlineSeconds": START_S, "activeDeadlineSeconds": 60, **UNREGISTERED}
    spec = usual | spec
    by_s = spec["readyDeadlineSeconds"] + SLACK_S
    space.apply(call_test(name, **spec))
    space.finished(name, timeout_s=by_s + 30)
    run = space.run_of(name)
    status: dict[str, Any] = run["status"]
    took_s = (when(status["completionTime"]) - when(status["startTime"])).total_seconds()
    assert took_s <= by_s, f"{took_s} s: {status}"
    assert status["result"] == "Inconclusive"
    until(lambda: not alive(space, run["metadata"]["name"]), "no agent is left", timeout_s=30)
    deleted(space, name)
    return status


def when(stamp: str) -> datetime:
    """A metav1.Time."""
    return datetime.fromisoformat(stamp)


def alive(space: Namespace, run: str) -> list[str]:
    """Agents that run, or still might."""
    return [agent for agent, pod in space.agents(run).items() if pod["status"]["phase"] not in {"Failed", "Succeeded"}]


def test_no_endpoints(space: Namespace) -> None:
    status = concluded(space, "nobody", target={"podSelector": {"matchLabels": {"app": "nobody"}}})
    assert status["reason"] == "NoEndpoints"
    assert status["calls"]["summary"] == "0/0" or status["calls"]["passed"] == 0


def test_a_service_that_is_not_there(space: Namespace) -> None:
    status = concluded(space, "no-service", target={"service": {"name": "nowhere"}, "port": "sip"})
    assert status["reason"] == "NoEndpoints"
    assert "nowhere" in status["message"]


def test_too_few_endpoints(space: Namespace) -> None:
    status = concluded(space, "too-few", target=SUT | {"minEndpoints": 3})
    assert status["reason"] == "TooFewEndpoints"
    assert "1" in status["message"]
    assert "3" in status["message"]


def test_no_node_will_have_the_agents(space: Namespace) -> None:
    status = concluded(space, "homeless", agents={"nodeSelector": {"e2e": "no-such-node"}})
    assert status["reason"] == "AgentUnschedulable"
    assert status["calls"]["inconclusive"] == 1


def test_a_quota_refuses_the_agents(space: Namespace) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "2"}}}
    space.apply(quota)
    until(lambda: space.get("resourcequota", "full")["status"].get("used", {}).get("pods") == "2", "quota counted")
    try:
        status = concluded(space, "refused")
    finally:
        space.kubectl("delete", "resourcequota", "full")
    assert status["reason"] == "AgentNotCreated"
    assert "quota" in status["message"]


def test_a_secret_that_is_not_there(space: Namespace) -> None:
    caller = {"uri": "sip:alice@example.com", "credentials": {"secretName": "nobodys"}}
    status = concluded(space, "no-secret", caller=caller, readyDeadlineSeconds=LATE_S)
    assert status["reason"] == "InputMissing"
    assert "nobodys" in status["message"]


@pytest.mark.parametrize(("config_map", "key"), [("nobodys", "a.wav"), ("kube-root-ca.crt", "b.wav")])
def test_a_wav_file_that_is_not_there(space: Namespace, config_map: str, key: str) -> None:
    """A ConfigMap that does not exist, and one that does, without the key."""
    call = {"caller": {"play": {"wav": {"configMapName": config_map, "key": key}}}, "expect": {}}
    status = concluded(space, f"no-{key[0]}-wav", call=call, readyDeadlineSeconds=30)
    assert status["reason"] == "InputMissing"
    assert f"ConfigMap {config_map} has no key {key}" in status["message"]


def test_an_image_that_cannot_be_pulled(space: Namespace) -> None:
    with agent_image(space, "registry.invalid/calltest-agent:none"):
        status = concluded(space, "imageless", readyDeadlineSeconds=15)
    assert status["reason"] == "AgentImagePullFailed"


@contextmanager
def agent_image(space: Namespace, image: str) -> Iterator[None]:
    """Only the operator's administrator sets the agents' image."""
    space.kubectl("set", "env", "deployment/calltest-operator", f"CALLTEST_AGENT_IMAGE={image}")
    space.rolled_out("calltest-operator")
    yield
    space.kubectl("set", "env", "deployment/calltest-operator", "CALLTEST_AGENT_IMAGE=calltest-agent:dev")
    space.rolled_out("calltest-operator")
