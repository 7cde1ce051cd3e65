"""Of which replicas a run says something: of those that were called, and not of others. Since when they stand still."""

import msgspec

from agent.contract.verdict import Reason
from controller.api.run import Endpoint
from controller.api.target import ServiceTarget, Target, Via
from controller.api.test import CallTestSpec
from controller.kube.cluster import PODS, ClusterError, Raw
from controller.kube.sut import Seen
from controller.plan.discovery import Discovery
from controller.plan.revisions import Replica
from tests.unit.controller import world as worlds
from tests.unit.controller.operator.test_reconcile import rolled
from tests.unit.controller.world import NS, World

EACH = Target(service=ServiceTarget(name="sut"), port="sip")
THROUGH = Target(service=ServiceTarget(name="sut"), port="sip", via=Via.SERVICE)


def replica(uid: str, revision: str = "a", *, is_ready: bool = True) -> Replica:
    return Replica(uid=uid, name=uid, workload="ReplicaSet/sut", revision=revision, containers=(), is_ready=is_ready)


def uids_tested(target: Target, *present: Replica, called: str = "", beside: str = "") -> str:
    endpoints = tuple(Endpoint(index=n, address=f"10.0.0.{n}:5060", pod_uid=uid) for n, uid in enumerate(called))
    seen = Seen(discovery=Discovery(endpoints=endpoints), present=present, beside=frozenset(beside))
    return "".join(each.uid for each in seen.tested(target))


def test_of_each_endpoint_only_the_pods_that_are_called_are_tested() -> None:
    pods = (replica("1"), replica("2", "b"), replica("3", "b", is_ready=False), replica("r", "c"))
    assert uids_tested(EACH, *pods, called="1", beside="r") == "1r"
    assert uids_tested(EACH, *pods, called="13", beside="r") == "1r"


def test_through_a_service_the_ready_ones_are_where_they_run_one_revision() -> None:
    assert uids_tested(THROUGH, replica("1"), replica("2"), replica("3", is_ready=False)) == "12"
    assert uids_tested(THROUGH, replica("1"), replica("2", "b"), replica("r", "c"), beside="r") == "r"


SETTLING: Raw = {"target": {"service": {"name": "sut"}, "port": "sip", "settleSeconds": 30}}
WHO = ("CallTestRun", NS, "pin-g1")


def surge(world: World) -> None:
    """A replica more, of none of the Service's endpoints."""
    pod = world.cluster.get(PODS, NS, "sut-a-0")
    assert pod is not None
    world.cluster.apply(PODS, pod | {"metadata": pod["metadata"] | {"name": "surge"}})
    world.cluster.set_status(PODS, NS, "surge", pod["status"])


def test_a_replica_that_comes_and_goes_between_two_certain_looks_is_not_overlooked() -> None:
    world, begins = World(), 0
    rolled(world, "a")
    world.apply(**SETTLING, readyDeadlineSeconds=300, activeDeadlineSeconds=600)
    while not world.agents() and begins < 80:
        begins += 1
        if begins == 23:
            surge(world)
        if begins == 25:
            world.cluster.remove(PODS, NS, "surge")
        world.tick()
    assert 55 <= begins <= 60, "30 s after it went"


def still_at(certain: str, heard: str, begin_s: int = 0) -> list[bool]:
    """Second by second: do they stand still, by a certain look? `+`: the API server, the watches have one more."""
    world, found = World(), []
    rolled(world, "a")
    surge(world)
    key = (PODS, NS, "surge")
    more, start_s = world.cluster.objects[key], world.time_s
    suts, spec = world.operator.wake(lambda _: None).suts, msgspec.convert(worlds.spec(**SETTLING), CallTestSpec)
    suts.look(spec, NS, by="u", who=WHO)  # begins to watch
    for second, there in enumerate(zip(heard, certain, strict=True)):
        world.time_s = start_s + second
        for each, is_certain in zip(there, (False, True), strict=True):
            world.cluster.objects.pop(key, None)
            world.cluster.objects |= {key: more} if each == "+" else {}
            if not is_certain:
                world.watch()
                suts.look(spec, NS, by="u", who=WHO)
            elif second >= begin_s:
                found.append(not suts.look(spec, NS, by="u", who=WHO, is_certain=True).unsettled)
    return found


def test_what_the_watches_saw_before_somebody_asked_counts() -> None:
    assert still_at("-" * 40, "-" * 40, begin_s=25) == [False] * 5 + [True] * 10


def test_where_the_watches_have_other_replicas_those_of_the_api_server_count() -> None:
    assert still_at("+" * 40, "-" * 40, begin_s=5) == [False] * 30 + [True] * 5


def test_of_what_the_watches_did_not_see_what_was_seen_by_asking_counts() -> None:
    assert still_at("-" * 10 + "+" * 5 + "-" * 35, "-" * 50) == [False] * 45 + [True] * 5


def test_of_a_run_that_is_gone_nothing_is_remembered_though_its_target_was_denied() -> None:
    world = World()
    suts, spec = world.operator.wake(lambda _: None).suts, msgspec.convert(worlds.spec(), CallTestSpec)

    def denied(*_: object) -> list[Raw]:
        raise ClusterError("GET", "pods", 403, "forbidden")

    world.cluster.list = denied  # type: ignore[method-assign, assignment]
    seen = suts.look(spec, NS, by="u", who=WHO, is_certain=True)
    assert seen.discovery.problem is not None
    assert seen.discovery.problem.reason == Reason.ACCESS_DENIED
    assert not suts.is_to_ask("u")
    suts.forget_named(("CallTestRun", NS, "another"))
    assert not suts.is_to_ask("u")
    suts.forget_named(WHO)
    assert suts.is_to_ask("u")
