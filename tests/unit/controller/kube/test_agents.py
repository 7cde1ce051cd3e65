"""Agents as pods: what happens when logs, annotations, Services or nodes are not as they should be."""

from datetime import UTC, datetime

import pytest

from controller.kube.cluster import CONFIG_MAPS, PODS, RUNS, SERVICES, ClusterError
from controller.operator.workqueue import Key
from tests.unit.controller.world import EPOCH, NS, World, condition, impatient

CALLEE = {"uri": "sip:bob@example.com", "route": "CalleeService"}


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def failing_log(world: World, *, status: int = 502) -> list[str]:
    asked: list[str] = []

    def pod_log(_: str, name: str, since_s: int | None = None) -> bytes:
        asked.append(name)
        raise ClusterError("GET", "pods/log", status, "the kubelet does not answer")

    world.cluster.pod_log = pod_log  # type: ignore[method-assign]
    return asked


def test_the_callee_service_is_made_for_the_test_and_kept_from_run_to_run() -> None:
    world = World()
    world.apply(callee=CALLEE)
    world.ticks(12)
    service = world.cluster.get(SERVICES, NS, "pin-callee")
    assert service is not None
    assert service["metadata"]["ownerReferences"][0]["kind"] == "CallTest"
    world.apply(callee=CALLEE, trigger={"runToken": "again"})
    world.ticks(12)
    assert world.run_status("pin-g2")["result"] == "Passed"


def test_the_callee_service_of_a_run_by_hand_belongs_to_the_run() -> None:
    world = World()
    world.run_by_hand("mine", test="none", callee=CALLEE)
    world.ticks(12)
    service = world.cluster.get(SERVICES, NS, "none-callee")
    assert service is not None
    assert service["metadata"]["ownerReferences"][0]["kind"] == "CallTestRun"


def test_a_callee_service_of_the_other_family_leads_nobody_to_the_callee() -> None:
    world = World()
    meta = {"name": "pin-callee", "namespace": NS, "labels": {"calltest.dev/test": "pin"}}
    before = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ipFamilies": ["IPv6"]}}
    world.cluster.apply(SERVICES, before)
    world.apply(callee=CALLEE)
    world.ticks(4)
    status = world.run_status()
    assert (status["result"], status["reason"]) == ("Inconclusive", "NameConflict")
    assert "pin-callee: is there from before, of IPv6: delete it" in status["message"]


def test_somebody_elses_service_of_that_name_is_left_alone() -> None:
    world = World()
    meta = {"name": "pin-callee", "namespace": NS}
    world.cluster.apply(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {}})
    world.apply(callee=CALLEE)
    world.ticks(4)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "NameConflict")
    assert world.agents() == []


@pytest.mark.parametrize(
    "target",
    [
        {"service": {"name": "sut"}, "port": "sip", "via": "Service"},
        {"podSelector": {"matchLabels": {"app": "sut"}}, "port": 5060},
    ],
)
def test_other_targets_are_called(target: dict) -> None:
    world = World()
    service = world.cluster.objects[SERVICES, NS, "sut"]
    service["spec"]["clusterIP"] = "10.96.0.9"
    world.apply(target=target)
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_an_address_needs_the_administrators_permission() -> None:
    target = {"address": {"host": "127.0.0.1"}, "port": 5060}
    world = World()
    world.apply(target=target, **impatient(5))
    world.ticks(8)
    assert world.run_status()["reason"] == "TargetNotAllowed"
    world = World(flags=("--allow-target", "127.0.0.0/8"))
    world.apply(target=target)
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_an_address_without_a_name_has_no_endpoints() -> None:
    world = World(flags=("--allow-target", "127.0.0.0/8"))
    world.apply(target={"address": {"host": "no-such-host.invalid"}, "port": 5060}, **impatient(5))
    world.ticks(8)
    assert world.run_status()["reason"] == "NoEndpoints"


def test_a_kubelet_that_gives_no_logs_is_not_asked_all_the_time() -> None:
    world = World()
    asked = failing_log(world)
    world.apply(readyDeadlineSeconds=45)
    world.ticks(9)
    assert len(asked) == 2
    world.ticks(45)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "AgentLost")


def test_a_result_is_not_given_up_because_its_log_comes_late() -> None:
    world = World()
    world.apply()
    world.ticks(4)
    real = type(world.cluster).pod_log
    failing_log(world)
    for pod in agent_pods(world):
        ended(world, pod, at_s=world.time_s)
    world.start_operator()
    for _ in range(5):
        with pytest.raises(ClusterError):
            world.tick()
    assert "result" not in world.run_status()
    world.cluster.pod_log = lambda *arguments: real(world.cluster, *arguments)  # type: ignore[method-assign]
    world.ticks(3)
    assert world.run_status()["detail"] == {"configMaps": ["pin-g1-0"], "lines": 3, "complete": True}


def test_a_log_that_never_comes_is_done_without() -> None:
    world = World()
    world.apply()
    world.ticks(4)
    failing_log(world)
    for pod in agent_pods(world):
        ended(world, pod, at_s=EPOCH)
    world.start_operator()
    world.tick(120)
    world.ticks(3)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "AgentLost")


def agent_pods(world: World) -> list[dict]:
    return world.cluster.list(PODS, NS, "app.kubernetes.io/name=calltest-agent")


def ended(world: World, pod: dict, *, at_s: float) -> None:
    state = {"terminated": {"exitCode": 0, "message": pod_result(world, pod), "finishedAt": stamp(at_s)}}
    status = {"phase": "Succeeded", "containerStatuses": [{"name": "agent", "state": state}]}
    world.cluster.set_status(PODS, NS, pod["metadata"]["name"], status)


def pod_result(world: World, pod: dict) -> str:
    agent = world.kubelet.agents[pod["metadata"]["uid"]]
    agent.finish()
    return agent.result.decode()


def test_a_lost_node_ends_the_run_soon() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    pod = world.cluster.get(PODS, NS, "pin-g1-callee-0")
    assert pod is not None
    status = pod["status"] | {
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": stamp(world.time_s)}]
    }
    world.cluster.set_status(PODS, NS, "pin-g1-callee-0", status)
    world.kubelet.agents[pod["metadata"]["uid"]].fault = "deaf"
    world.ticks(30)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "AgentLost")
    assert "stopped reporting" in world.run_status()["message"]
    assert "pin-g1-callee-0" not in world.agents()


@pytest.mark.parametrize("annotation", ["calltest.dev/go", "calltest.dev/stopped", "calltest.dev/plan"])
def test_nonsense_in_an_annotation_does_not_stop_the_operator(annotation: str) -> None:
    world = World()
    world.apply(**impatient(), activeDeadlineSeconds=30)
    world.ticks(2)
    for agent in world.agents():
        world.cluster.annotate(PODS, NS, agent, {annotation: "{nonsense"})
    world.kubelet.tick = lambda: None  # type: ignore[method-assign]
    world.ticks(70)
    assert world.run_status()["result"] == "Inconclusive"


def test_a_configmap_of_the_same_name_is_left_alone_and_the_detail_is_incomplete() -> None:
    world = World()
    meta = {"name": "pin-g1-0", "namespace": NS}
    world.cluster.apply(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "spec": {}})
    world.apply()
    world.ticks(12)
    status = world.run_status()
    assert status["result"] == "Passed"
    assert status["detail"]["complete"] is False
    assert status["detail"].get("configMaps", []) == []


def test_a_run_that_cannot_be_read_is_finished_as_an_invalid_test() -> None:
    world = World()
    world.run_by_hand("mine")
    world.cluster.objects[RUNS, NS, "mine"]["spec"]["test"]["caller"]["uri"] = "sip:a\r\nb@example.com"
    world.ticks(2)
    assert world.run_status("mine")["reason"] == "InvalidTest"
    assert condition(world.run_status("mine"), "Stalled")[0] == "True"


def test_a_run_that_is_being_deleted_is_left_alone() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    world.cluster.objects[RUNS, NS, "pin-g1"]["metadata"]["deletionTimestamp"] = stamp(world.time_s)
    writes = len(world.cluster.writes)
    world.ticks(3)
    assert not [write for write in world.cluster.writes[writes:] if "pin-g1" in write]


def test_endpoints_that_cannot_be_read_again_do_not_spoil_the_verdict() -> None:
    world = World()
    world.apply()
    world.ticks(4)
    real = world.cluster.get

    def get(kind, namespace, name):
        if kind == SERVICES:
            raise ClusterError("GET", "services", 500, "etcd is slow")
        return real(kind, namespace, name)

    world.cluster.get = get  # type: ignore[method-assign]
    world.ticks(10)
    assert world.run_status()["result"] == "Passed"


def test_a_run_says_which_endpoints_were_on_the_callers_node() -> None:
    world = World()
    world.cluster.objects[PODS, NS, "sut-1"]["spec"]["nodeName"] = "n2"
    world.apply()
    world.ticks(3)
    for (kind, _, name), pod in world.cluster.objects.items():
        if kind == PODS and name.startswith("pin-g1-"):
            pod["spec"]["nodeName"] = "n0" if "caller" in name else "n1"
    world.ticks(12)
    assert [item["path"] for item in world.run_status()["endpoints"]] == ["SameNode", "OtherNode"]


def test_an_operator_with_tighter_limits_does_not_end_a_run_that_began() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    world.flags = ("--max-calls", "1")
    world.start_operator()
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_a_pod_whose_creation_was_not_answered_is_adopted_before_the_watch_has_it() -> None:
    world = World()
    real, lost = world.cluster.create, ["pin-g1-callee-0"]

    def create(kind, namespace, body):
        made = real(kind, namespace, body)
        if body["metadata"]["name"] in lost:
            lost.clear()
            raise ClusterError("POST", kind.plural, 0, "no answer")
        return made

    world.cluster.create = create  # type: ignore[method-assign]
    world.apply()
    world.watch()
    world.operator.reconcile(Key("CallTest", NS, "pin"))
    world.watch()
    with pytest.raises(ClusterError, match="no answer"):
        world.operator.reconcile(Key("CallTestRun", NS, "pin-g1"))
    world.operator.reconcile(Key("CallTestRun", NS, "pin-g1"))  # and nothing was heard meanwhile
    assert "result" not in world.run_status()
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"
