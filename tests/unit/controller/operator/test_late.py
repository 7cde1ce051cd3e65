"""What the watches bring late, or never: nothing false is said of it, and nothing is done twice."""

from typing import Any

import pytest

from controller.kube.cluster import ENDPOINT_SLICES, EVENTS, PODS, RUNS, SERVICES, TESTS, ClusterError, Kind
from controller.kube.watch import Scope
from controller.operator.workqueue import Key
from tests.unit.controller.kube.test_agents import stamp
from tests.unit.controller.operator.test_reconcile import rolled
from tests.unit.controller.world import NS, World, condition, impatient

TEST, RUN = Key("CallTest", NS, "pin"), Key("CallTestRun", NS, "pin-g1")


def events(world: World) -> list[str]:
    return [event["reason"] for event in world.cluster.list(EVENTS, NS)]


def bring(world: World, *kinds: Kind) -> None:
    """What the watches of these kinds saw; those of the others are silent."""
    for scope in world.scopes:
        if scope.kind in kinds:
            world.bring(scope)


def deaf(world: World, *kinds: Kind) -> None:
    """The watches of these kinds bring nothing any more, and nobody knows it."""
    world.scopes = [scope for scope in world.scopes if scope.kind not in kinds]


def begun() -> World:
    """A run whose agents run."""
    world = World()
    world.apply()
    world.ticks(3)
    assert len(world.agents()) == 2
    return world


def test_a_run_whose_creation_was_not_answered_is_adopted_before_the_watch_has_it() -> None:
    world = World()
    real, lost = world.cluster.create, [RUNS]

    def create(kind: Kind, namespace: str, body: Any) -> Any:
        made = real(kind, namespace, body)
        if kind in lost:
            lost.clear()
            raise ClusterError("POST", kind.plural, 0, "no answer")
        return made

    world.cluster.create = create  # type: ignore[method-assign]
    world.apply()
    world.watch()
    with pytest.raises(ClusterError, match="no answer"):
        world.operator.reconcile(TEST)
    for _ in range(3):
        world.operator.reconcile(TEST)  # and nothing was heard meanwhile
    assert world.test_status()["running"]["name"] == "pin-g1"
    assert "RunDeleted" not in events(world)
    world.ticks(12)
    assert world.runs() == ["pin-g1"]


def test_a_run_that_another_operator_made_just_now_is_not_called_deleted() -> None:
    world = World()
    world.apply()
    world.watch()
    other = world.operator
    world.start_operator()
    other.reconcile(TEST)
    bring(world, TESTS)
    assert world.operator.reconcile(TEST) is not None, "it looks again soon"
    assert "RunDeleted" not in events(world)
    world.ticks(12)
    assert (world.runs(), world.run_status()["result"]) == (["pin-g1"], "Passed")
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.apply(trigger={"runToken": "again"})
    world.ticks(3)
    world.cluster.remove(RUNS, NS, "pin-g2")
    world.ticks(2)
    assert "RunDeleted" in events(world), "one that is deleted is"


def test_agents_that_the_watch_told_of_before_it_told_of_their_run_are_not_lost() -> None:
    world = begun()
    world.operator.wake(lambda _: None).sightings.forget(NS, "pin-g1")
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_an_agent_that_only_the_watch_has_as_lost_is_not() -> None:
    world = begun()
    pod = world.cluster.get(PODS, NS, "pin-g1-callee-0")
    assert pod is not None
    marked = {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": stamp(world.time_s - 60)}]}
    world.cluster.set_status(PODS, NS, "pin-g1-callee-0", pod["status"] | marked)
    bring(world, PODS)
    world.cluster.set_status(PODS, NS, "pin-g1-callee-0", pod["status"])
    world.operator.reconcile(RUN)  # and that it came back was not heard
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def heard(world: World, pod: str, held: Any) -> None:
    """What the watches say of this pod, always; None: nothing. Who asks for it by its name has it as it is."""

    def bring(scope: Scope) -> None:
        found = world.cluster.list(scope.kind, scope.namespace, scope.selector)
        others = [each for each in found if scope.kind != PODS or each["metadata"]["name"] != pod]
        store = world.operator.store
        store.begin(scope)
        store.listed(scope, [*others, *([held] if held is not None and scope.kind == PODS else [])])
        store.end(scope, world.cluster.version)

    world.bring = bring  # type: ignore[method-assign]


def test_an_agent_that_no_watch_ever_told_of_is_asked_for_before_it_is_called_lost() -> None:
    world = begun()
    heard(world, "pin-g1-callee-0", None)
    world.start_operator()
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_an_agent_that_is_lost_is_asked_for_once() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "deaf" if "caller" in name else ""
    world.apply(**impatient(), activeDeadlineSeconds=60)
    world.ticks(3)
    world.cluster.remove(PODS, NS, "pin-g1-callee-0")
    world.start_operator()
    world.cluster.asked.clear()
    world.ticks(10)
    assert world.cluster.asked.count("get pods pin-g1-callee-0") == 1
    world.ticks(100)
    assert world.cluster.asked.count("get pods pin-g1-callee-0") == 1
    assert world.run_status()["result"] == "Inconclusive"
    assert world.operator._agents._gone == set(), "what is over is not remembered"


def test_an_agent_that_started_though_no_watch_told_of_it_is_not_stopped_for_not_starting() -> None:
    world = World()
    world.apply(**impatient(20))
    world.ticks(1)
    before, bring = world.cluster.get(PODS, NS, "pin-g1-callee-0"), world.bring
    heard(world, "pin-g1-callee-0", before)
    world.ticks(22)
    world.bring = bring  # type: ignore[method-assign]
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_what_an_agent_has_to_say_that_only_the_watch_had_as_not_started_is_heard_before_it_is_stopped() -> None:
    world = World()
    world.apply(**impatient(20))
    world.ticks(1)
    before, bring = world.cluster.get(PODS, NS, "pin-g1-callee-0"), world.bring
    real, refused = world.cluster.pod_log, [0]

    def pod_log(namespace: str, name: str, since_s: int | None = None) -> bytes:
        if name == "pin-g1-callee-0" and not refused[0]:
            refused[0] += 1
            raise ClusterError("GET", "pods/log", 400, "its container has not started")
        return real(namespace, name, since_s)

    world.cluster.pod_log = pod_log  # type: ignore[method-assign]
    heard(world, "pin-g1-callee-0", before)
    world.ticks(22)
    assert refused == [1], "its log was asked for once, as the deadline was over"
    world.bring = bring  # type: ignore[method-assign]
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


@pytest.mark.parametrize("endpoints", [1, 2], ids=["one lane", "two lanes"])
def test_agents_are_stopped_in_time_though_one_is_gone_and_no_watch_tells_of_it(endpoints: int) -> None:
    world = World(endpoints=endpoints)
    world.kubelet.fault_of = lambda _: "slow"
    world.apply(
        caller={"uri": "sip:a{endpoint}@example.com"},
        callee={"uri": "sip:b{endpoint}@example.com", "route": "RequestURI"},
        target={"service": {"name": "sut"}, "port": "sip", "endpointParallelism": endpoints},
        readyDeadlineSeconds=10,
        activeDeadlineSeconds=20,
    )
    world.ticks(12)
    assert len(world.agents()) == 2 * endpoints
    deaf(world, PODS)
    world.cluster.remove(PODS, NS, "pin-g1-callee-0")
    world.ticks(12)
    callers = [world.cluster.get(PODS, NS, f"pin-g1-caller-{lane}") for lane in range(endpoints)]
    assert all(pod and "calltest.dev/stopped" in pod["metadata"]["annotations"] for pod in callers)
    assert world.run_status()["reason"] == "AgentLost"


def test_a_run_is_not_stopped_for_one_that_is_no_longer_there() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "slow" if name.startswith("pin-g1-") else ""
    world.apply(concurrencyPolicy="Replace")
    world.ticks(10)
    world.apply(concurrencyPolicy="Replace", activeDeadlineSeconds=500)
    world.watch()
    world.operator.reconcile(TEST)
    assert world.runs() == ["pin-g1", "pin-g2"]
    world.cluster.remove(RUNS, NS, "pin-g2")
    for _ in range(3):
        world.time_s += 3
        world.operator.reconcile(RUN)  # and that it was deleted was not heard
    for name in world.agents():
        pod = world.cluster.get(PODS, NS, name)
        assert pod is not None
        assert "calltest.dev/stopped" not in pod["metadata"]["annotations"]


def test_a_callee_is_free_whose_run_was_deleted_though_no_watch_told_of_it() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "slow" if name.startswith("pin-g1-") else ""
    world.apply()
    world.ticks(4)
    world.apply("other", readyDeadlineSeconds=60)
    world.ticks(4)
    assert condition(world.run_status("other-g1"), "Queued")[0] == "True"
    deaf(world, RUNS)
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.ticks(90)
    assert world.run_status("other-g1")["result"] == "Passed"


def test_a_callee_is_free_whose_run_was_made_anew_though_no_watch_told_of_it() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "slow" if name.startswith("pin-g1-") else ""
    world.apply()
    world.ticks(4)
    world.apply("other", readyDeadlineSeconds=60)
    world.ticks(4)
    deaf(world, RUNS)
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.run_by_hand("pin-g1", callee={"uri": "sip:carol@example.com"})
    world.time_s += 5
    world.operator.reconcile(Key("CallTestRun", NS, "other-g1"))
    assert len(world.run_status("other-g1")["endpoints"]) == 2


def test_endpoints_that_come_after_the_readiness_deadline_do_not_change_why_nothing_was_called() -> None:
    world = World(endpoints=0)
    world.apply(readyDeadlineSeconds=60)
    world.ticks(60)
    assert condition(world.run_status(), "TargetsResolved") == ("False", "NoEndpoints")
    for kind, name in ((SERVICES, "sut"), (ENDPOINT_SLICES, "sut-x")):
        world.cluster.remove(kind, NS, name)
    world.sut(2)
    world.tick(3)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "NoEndpoints")
    assert not [write for write in world.cluster.writes if "pods" in write]


def test_a_slot_is_not_skipped_for_a_run_that_is_no_longer_there() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "slow" if name.startswith("pin-g1-") else ""
    world.apply(trigger={"schedule": "*/2 * * * *"}, activeDeadlineSeconds=900)
    world.ticks(4)
    deaf(world, RUNS)
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.ticks(130)
    assert "RunSkipped" not in events(world)
    assert any("-s" in run for run in world.runs())


def stopped(*, is_silent: bool) -> World:
    """A run whose agents end only when they are told to, at its deadline; `is_silent`: and no watch tells of it."""
    world = World()
    world.kubelet.fault_of = lambda _: "slow"
    world.apply(**impatient(), activeDeadlineSeconds=20)
    world.ticks(19)
    if is_silent:
        world.scopes = [scope for scope in world.scopes if scope.kind != PODS]
    world.ticks(60)
    return world


def test_what_agents_left_behind_counts_though_the_watch_has_not_told_of_their_end() -> None:
    worlds = stopped(is_silent=False), stopped(is_silent=True)
    heard, silent = (world.run_status() for world in worlds)
    assert heard["reason"] == "DeadlineExceeded"
    assert heard["detail"]["complete"]
    for name in ("result", "reason", "message", "calls", "endpoints", "detail"):
        assert silent[name] == heard[name]
    left = [world.agents() for world in worlds]
    assert left[0] == left[1] != [], "they are kept: the run did not pass"


def test_a_replica_behind_the_service_may_answer_though_no_watch_has_told_of_it() -> None:
    world = World()
    world.cluster.objects[SERVICES, NS, "sut"]["spec"]["clusterIP"] = "10.96.0.9"
    world.apply(target={"service": {"name": "sut"}, "port": "sip", "via": "Service"})
    world.tick(0)  # who looks is told from now on
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.run_by_hand("mine", target={"service": {"name": "sut"}, "port": "sip", "via": "Service"})
    world.watch()
    world.cluster.remove(ENDPOINT_SLICES, NS, "sut-x")
    world.sut(3)
    world.cluster.objects[SERVICES, NS, "sut"]["spec"]["clusterIP"] = "10.96.0.9"
    world.operator.reconcile(Key("CallTestRun", NS, "mine"))
    pod = world.cluster.get(PODS, NS, "mine-caller-0")
    assert pod is not None
    assert "10.0.0.3" in pod["metadata"]["annotations"]["calltest.dev/plan"]


def test_endpoints_that_no_watch_tells_of_are_found_long_before_the_deadline_at_a_bounded_cost() -> None:
    world = World(endpoints=0)
    world.apply(readyDeadlineSeconds=120)
    world.ticks(3)
    deaf(world, SERVICES, ENDPOINT_SLICES)
    world.cluster.asked.clear()
    world.ticks(20)
    assert world.run_status()["conditions"]
    assert 3 <= world.cluster.asked.count("list endpointslices") <= 5, "about once in 5 s"
    for kind, name in ((SERVICES, "sut"), (ENDPOINT_SLICES, "sut-x")):
        world.cluster.remove(kind, NS, name)
    world.sut(2)
    world.ticks(6)
    assert len(world.agents()) == 2
    world.ticks(20)
    assert world.run_status()["result"] == "Passed"


def test_a_role_that_only_permits_to_get_services_is_enough_for_runs_and_rollouts() -> None:
    world = World()
    real = world.cluster.list

    def list_(kind: Kind, namespace: str, selector: str = "") -> Any:
        if kind == SERVICES:
            raise ClusterError("GET", kind.plural, 403, "forbidden")
        return real(kind, namespace, selector)

    world.cluster.list = list_  # type: ignore[method-assign]
    rolled(world, "a")
    world.apply(trigger={"onChange": False, "onRollout": {}})
    world.ticks(60)
    assert [world.run_status(run)["result"] for run in world.runs()] == ["Passed"]


def test_replicas_that_no_watch_tells_of_have_stood_still_for_as_long_as_they_are_there() -> None:
    world = World()
    rolled(world, "a")
    world.operator.targets.reader(NS)
    world.watch()
    deaf(world, PODS, ENDPOINT_SLICES)
    rolled(world, "bb")
    world.apply(target={"service": {"name": "sut"}, "port": "sip", "settleSeconds": 12}, readyDeadlineSeconds=120)
    world.ticks(12)
    assert world.agents() == []
    assert condition(world.run_status(), "TargetsResolved") == ("False", "NotSettled")
    world.ticks(8)
    assert len(world.agents()) == 2
    assert {endpoint["pod"] for endpoint in world.run_status()["endpoints"]} == {"sut-bb-0", "sut-bb-1"}


def test_who_is_gone_hears_of_nothing_any_more() -> None:
    world = World()
    world.apply(trigger={"onRollout": {}})
    world.ticks(2)
    suts, labels = world.operator.wake(lambda _: None).suts, frozenset({("app", "sut")})
    assert suts.interested(PODS, NS, "sut-0", labels) == {("CallTest", NS, "pin"), ("CallTestRun", NS, "pin-g1")}
    for kind, name in ((RUNS, "pin-g1"), (TESTS, "pin")):
        world.cluster.remove(kind, NS, name)
    world.watch()
    for key in (TEST, RUN):
        world.operator.reconcile(key)
    assert suts.interested(PODS, NS, "sut-0", labels) == set()


def test_who_cannot_be_read_any_more_hears_of_nothing_either() -> None:
    world = World()
    world.apply()
    world.ticks(2)
    suts, labels = world.operator.wake(lambda _: None).suts, frozenset({("app", "sut")})
    assert suts.interested(PODS, NS, "sut-0", labels) == {("CallTestRun", NS, "pin-g1")}
    world.cluster.objects[RUNS, NS, "pin-g1"]["metadata"]["generation"] = "many"
    world.operator.reconcile(RUN)
    assert world.run_status()["reason"] == "InvalidTest"
    assert suts.interested(PODS, NS, "sut-0", labels) == set()
