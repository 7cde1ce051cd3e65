"""What a run says something of: the replicas that were called, and not those beside them."""

from controller.api.run import Endpoint
from controller.api.target import ServiceTarget, Target, Via
from controller.kube.sut import Seen
from controller.plan.discovery import Discovery
from controller.plan.revisions import Replica

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
