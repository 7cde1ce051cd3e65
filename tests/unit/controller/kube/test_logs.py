"""Logs are read side by side: a kubelet that is silent holds up no other agent's."""

import threading
from collections.abc import Iterator

import pytest

from controller.kube.cluster import ClusterError
from controller.kube.logs import RETRY_S, LogReader
from controller.kube.sightings import Sighting
from tests.unit.controller.fake_cluster import FakeCluster

LINE = b"2026-01-01T00:00:00.000000001Z said\n"


class Kubelets(FakeCluster):
    """Pods are named `node-number`; a node that is dead answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: set[str] = set()
        self.let_go = threading.Event()
        self.asked: list[str] = []
        self.fault: ClusterError | None = None

    def pod_log(self, namespace: str, name: str, since_s: int | None = None) -> bytes:
        self.asked.append(name)
        if name.partition("-")[0] in self.dead:
            self.let_go.wait(60)
        if self.fault:
            raise self.fault
        return LINE


@pytest.fixture
def kubelets() -> Iterator[Kubelets]:
    found = Kubelets()
    yield found
    found.let_go.set()


def seen(name: str) -> Sighting:
    meta = {"name": name, "namespace": "n", "uid": f"uid-{name}"}
    return Sighting({"metadata": meta, "spec": {"nodeName": name.partition("-")[0]}})


def pods(*names: str) -> list[tuple[Sighting, bool]]:
    return [(seen(name), False) for name in names]


def lines(of: list[tuple[Sighting, bool]]) -> list[int]:
    return [len(each.log.lines) for each, _ in of]


def test_a_dead_node_stalls_no_other_lane(kubelets: Kubelets) -> None:
    kubelets.dead = {"dead"}
    reader, all_pods = LogReader(kubelets, lambda: 0.0, deadline_s=2.0), pods("dead-0", "well-0", "dead-1", "well-1")
    faults = reader.follow(all_pods)
    assert lines(all_pods) == [0, 1, 0, 1]
    assert sorted(faults) == ["uid-dead-0", "uid-dead-1"]
    assert all(fault.status == 0 and "has not answered" in fault.message for fault in faults.values())


def test_a_silent_kubelet_is_asked_nothing_more_until_it_answers_and_then_heard(kubelets: Kubelets) -> None:
    kubelets.dead = {"dead"}
    reader, first, second = LogReader(kubelets, lambda: 0.0, deadline_s=1.0), pods("dead-0"), pods("dead-1")
    reader.follow(first)
    reader.deadline_s = 30.0  # nobody waits for what was late before
    reader.follow([*first, *second])
    assert kubelets.asked == ["dead-0"]
    kubelets.let_go.set()
    assert first[0][0].reading is not None
    first[0][0].reading.answer.result()
    reader.follow([*first, *second])
    assert (lines(first), lines(second)) == ([1], [1])


def test_a_log_that_was_refused_is_asked_for_again_later_or_where_it_must_be(kubelets: Kubelets) -> None:
    times = [0.0]
    reader, (one,) = LogReader(kubelets, lambda: times[0]), pods("well-0")
    kubelets.fault = ClusterError("GET", "pods/log", 502, "no route")
    assert reader.follow([one])["uid-well-0"].status == 502
    assert reader.follow([one]) == {}
    assert reader.follow([one], must_ask=True)["uid-well-0"].status == 502
    kubelets.fault, times[0] = None, RETRY_S
    assert reader.follow([one]) == {}
    assert (lines([one]), len(kubelets.asked)) == ([1], 3)


def test_a_container_that_has_not_started_is_asked_again_at_once(kubelets: Kubelets) -> None:
    reader, (one,) = LogReader(kubelets, lambda: 0.0), pods("well-0")
    kubelets.fault = ClusterError("GET", "pods/log", 400, "ContainerCreating")
    reader.follow([one])
    kubelets.fault = None
    reader.follow([one])
    assert lines([one]) == [1]


def test_a_whole_log_is_read_once(kubelets: Kubelets) -> None:
    reader, one = LogReader(kubelets, lambda: 0.0), seen("well-0")
    reader.follow([(one, True)])
    reader.follow([(one, True)], must_ask=True)
    assert (one.log.is_whole, kubelets.asked) == (True, ["well-0"])
