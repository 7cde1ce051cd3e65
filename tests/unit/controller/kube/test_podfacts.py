"""What a pod's state means: every way in which a pod can fail to be an agent."""

from typing import Any

import pytest

from agent.contract.verdict import Reason
from controller.kube.podfacts import pod_facts, unix_time
from controller.run.agent_state import AgentState

NOW = unix_time("2026-01-01T00:10:00Z") or 0.0
LONG_AGO = "2026-01-01T00:00:00Z"
JUST_NOW = "2026-01-01T00:09:58Z"


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", **metadata}, "status": status}


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "agent", "state": state, **more}]}


RUNNING = container({"running": {}}, ready=True)


@pytest.mark.parametrize(
    ("given", "state", "reason", "is_final"),
    [
        (pod({}), AgentState.PENDING, Reason.AGENT_START_TIMEOUT, False),
        (pod({"phase": "Pending"}), AgentState.PENDING, Reason.AGENT_START_TIMEOUT, False),
        (
            pod(container({"waiting": {"reason": "ContainerCreating"}})),
            AgentState.PENDING,
            Reason.AGENT_START_TIMEOUT,
            False,
        ),
        (
            pod(container({"waiting": {"reason": "ImagePullBackOff"}})),
            AgentState.PENDING,
            Reason.AGENT_IMAGE_PULL_FAILED,
            False,
        ),
        (
            pod(container({"waiting": {"reason": "ErrImagePull"}})),
            AgentState.PENDING,
            Reason.AGENT_IMAGE_PULL_FAILED,
            False,
        ),
        (
            pod(container({"waiting": {"reason": "InvalidImageName"}})),
            AgentState.PENDING,
            Reason.AGENT_IMAGE_PULL_FAILED,
            True,
        ),
        (
            pod(container({"waiting": {"reason": "ErrImageNeverPull"}})),
            AgentState.PENDING,
            Reason.AGENT_IMAGE_PULL_FAILED,
            True,
        ),
        (
            pod({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]}),
            AgentState.PENDING,
            Reason.AGENT_UNSCHEDULABLE,
            False,
        ),
        (pod(RUNNING), AgentState.RUNNING, Reason.AGENT_LOST, False),
        (pod(container({"terminated": {"exitCode": 0}})), AgentState.ENDED, Reason.AGENT_LOST, False),
        (
            pod(container({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})),
            AgentState.ENDED,
            Reason.AGENT_LOST,
            False,
        ),
        (
            pod(container({"terminated": {"exitCode": 0}}), deletionTimestamp=JUST_NOW),
            AgentState.ENDED,
            Reason.ABORTED,
            False,
        ),
        (
            pod(container({"terminated": {"exitCode": 137}}), deletionTimestamp=JUST_NOW),
            AgentState.ENDED,
            Reason.AGENT_LOST,
            False,
        ),
        (pod({"phase": "Failed", "reason": "Evicted"}), AgentState.LOST, Reason.AGENT_LOST, False),
        (pod({"phase": "Unknown"}), AgentState.LOST, Reason.AGENT_LOST, False),
        (pod(RUNNING, deletionTimestamp=JUST_NOW), AgentState.RUNNING, Reason.AGENT_LOST, False),
        (pod(RUNNING, deletionTimestamp=LONG_AGO), AgentState.LOST, Reason.AGENT_LOST, False),
        (
            pod(RUNNING | {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": LONG_AGO}]}),
            AgentState.LOST,
            Reason.AGENT_LOST,
            False,
        ),
        (
            pod(RUNNING | {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": JUST_NOW}]}),
            AgentState.RUNNING,
            Reason.AGENT_LOST,
            False,
        ),
    ],
)
def test_a_pod_is_understood(given: dict[str, Any], state: AgentState, reason: Reason, is_final: bool) -> None:  # noqa: FBT001
    facts = pod_facts(given, now=NOW)
    assert (facts.state, facts.ending.reason, facts.ending.is_final) == (state, reason, is_final)
    assert "pod p" in facts.ending.message


NO_CLAIM = '0/2 nodes are available: persistentvolumeclaim "kept" not found. preemption: 0/2 nodes are available'


@pytest.mark.parametrize(("created_at", "is_final"), [(JUST_NOW, False), (LONG_AGO, True)])
def test_a_claim_that_is_not_there_is_named_and_waited_for_a_moment(created_at: str, is_final: bool) -> None:  # noqa: FBT001
    unscheduled = {"conditions": [{"type": "PodScheduled", "status": "False", "message": NO_CLAIM}]}
    facts = pod_facts(pod(unscheduled, creationTimestamp=created_at), now=NOW)
    assert (facts.state, facts.ending.reason, facts.ending.is_final) == (
        AgentState.PENDING,
        Reason.INPUT_MISSING,
        is_final,
    )
    assert facts.ending.message == "pod p: PersistentVolumeClaim kept (evidence.claimName) is not there"


def test_a_claim_that_came_later_is_not_held_against_a_pod_that_is_scheduled() -> None:
    scheduled = {"conditions": [{"type": "PodScheduled", "status": "True", "message": NO_CLAIM}]}
    assert pod_facts(pod(scheduled), now=NOW).ending.reason is Reason.AGENT_START_TIMEOUT


def test_the_termination_message_is_the_result() -> None:
    facts = pod_facts(pod(container({"terminated": {"exitCode": 0, "message": "{}  "}})), now=NOW)
    assert facts.result == b"{}  "


def test_the_message_says_what_kubernetes_says() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    assert "ErrImagePull: no such image" in pod_facts(pod(container(waiting)), now=NOW).ending.message
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert "OOMKilled, exit code 137" in pod_facts(pod(container(killed)), now=NOW).ending.message


SHUTDOWN = {"reason": "Terminated", "message": "Pod was terminated in response to imminent node shutdown."}


def disrupted(reason: str, status: str = "True") -> dict[str, Any]:
    return {"conditions": [{"type": "DisruptionTarget", "status": status, "reason": reason, "message": "moved"}]}


@pytest.mark.parametrize("code", [0, 137])
@pytest.mark.parametrize(
    ("status", "metadata", "said"),
    [
        (SHUTDOWN, {}, "Terminated: Pod was terminated in response to imminent node shutdown."),
        (SHUTDOWN | disrupted("TerminationByKubelet"), {}, "imminent node shutdown"),
        ({"reason": "NodeShutdown"}, {}, "NodeShutdown: the node gave no more words"),
        ({"reason": "Preempting", "message": "critical pod"}, {}, "Preempting: critical pod"),
        (disrupted("EvictionByEvictionAPI"), {"deletionTimestamp": JUST_NOW}, "EvictionByEvictionAPI: moved"),
    ],
)
def test_an_agent_that_the_cluster_ended_is_lost_for_that_reason(
    status: dict[str, Any], metadata: dict[str, Any], said: str, code: int
) -> None:
    """Whether it had the time to end in good order or not: nobody asked the run to stop."""
    facts = pod_facts(pod(container({"terminated": {"exitCode": code}}) | status, **metadata), now=NOW)
    assert (facts.state, facts.ending.reason) == (AgentState.ENDED, Reason.AGENT_LOST)
    assert facts.ending.explains_stop
    assert said in facts.ending.message


@pytest.mark.parametrize("status", [{}, {"reason": "DeadlineExceeded"}, disrupted("PreemptionByScheduler", "False")])
def test_an_agent_that_ended_undisturbed_may_have_met_its_own_deadline(status: dict[str, Any]) -> None:
    facts = pod_facts(pod(container({"terminated": {"exitCode": 0}}) | status), now=NOW)
    assert not facts.ending.explains_stop


def test_a_pod_whose_time_was_over_says_so() -> None:
    terminated = container({"terminated": {"exitCode": 0}})
    facts = pod_facts(pod(terminated | {"reason": "DeadlineExceeded"}), now=NOW)
    assert facts.ending.reason is Reason.DEADLINE_EXCEEDED
    assert "activeDeadlineSeconds" in facts.ending.message


def test_there_is_no_time_where_none_is_given() -> None:
    assert unix_time(None) is None


def beside(name: str, *, ready: bool, condition: dict[str, Any] | None = None, **agent: Any) -> dict[str, Any]:
    """An agent that runs, with a container that a webhook added; statuses come sorted by name."""
    mine = {"name": "agent", "state": {"running": {}}, "ready": True} | agent
    theirs = {"name": name, "state": {"running": {}}, "ready": ready}
    said = {"type": "Ready", "status": "False", "lastTransitionTime": LONG_AGO} | (condition or {})
    return pod({"containerStatuses": sorted([mine, theirs], key=lambda item: str(item["name"])), "conditions": [said]})


@pytest.mark.parametrize("name", ["aad-proxy", "istio-proxy"])
def test_a_neighbour_that_is_not_ready_is_no_lost_node(name: str) -> None:
    assert pod_facts(beside(name, ready=False), now=NOW).state is AgentState.RUNNING
    assert pod_facts(beside(name, ready=True), now=NOW).state is AgentState.LOST


def test_a_closed_readiness_gate_is_no_lost_node() -> None:
    gated = beside("proxy", ready=True, condition={"reason": "ReadinessGatesNotReady"})
    assert pod_facts(gated, now=NOW).state is AgentState.RUNNING


@pytest.mark.parametrize("name", ["aad-proxy", "istio-proxy"])
def test_an_agent_that_ended_beside_a_container_that_goes_on_has_ended(name: str) -> None:
    ended = {"terminated": {"exitCode": 0, "message": "{}"}}
    facts = pod_facts(beside(name, ready=True, state=ended), now=NOW)
    assert (facts.state, facts.result) == (AgentState.ENDED, b"{}")


def test_a_neighbour_alone_is_no_agent() -> None:
    status = {"containerStatuses": [{"name": "proxy", "state": {"running": {}}, "ready": True}]}
    assert pod_facts(pod(status), now=NOW).state is AgentState.PENDING
