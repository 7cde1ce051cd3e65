"""Resource versions that go back, and stay so, are another history, and nothing else is."""

import itertools
from collections.abc import Callable

import pytest

from controller.kube.cluster import PODS, RUNS, TESTS, ClusterError, Raw
from controller.kube.history import CONFIRM_S, NOBODY, History
from controller.kube.labels import AGENT_SELECTOR
from controller.kube.store import Store
from controller.kube.watch import Scope
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.kube.test_store import pod, run
from tests.unit.controller.world import NS

HERE, OTHER = Scope(kind=PODS, namespace=NS), Scope(kind=PODS, namespace="other")


def bring(store: Store, scope: Scope, version: int, *objects: Raw) -> None:
    store.begin(scope)
    store.listed(scope, list(objects))
    store.end(scope, version)


def server(version: int, *pods: Raw) -> FakeCluster:
    """What an API server has."""
    cluster = FakeCluster()
    cluster.version = version
    cluster.objects = {(PODS, each["metadata"]["namespace"], each["metadata"]["name"]): each for each in pods}
    return cluster


def fault(store: Store, cluster: FakeCluster) -> str:
    """Once everything in doubt was asked for again."""
    clock = itertools.count(store.history.now() + CONFIRM_S)
    store.history.now = lambda: next(clock)
    while store.history.is_in_doubt and not store.history.fault:
        store.history.confirm(cluster)
    return store.history.fault


def test_a_list_that_is_older_than_the_one_before_is_of_another_history() -> None:
    store = Store()
    bring(store, HERE, 500)
    bring(store, HERE, 500)
    bring(store, HERE, 510)
    assert not store.history.is_in_doubt
    bring(store, HERE, 300)
    assert "pods: resource versions went back, from 510 to 301" in fault(store, server(301))
    bring(store, HERE, 600)
    assert "510" in store.history.fault, "what was said stands"


@pytest.mark.parametrize("scope", [OTHER, Scope(kind=PODS, namespace="", selector=AGENT_SELECTOR)])
def test_so_is_one_of_another_scope_of_that_kind_also_of_one_that_is_new(scope: Scope) -> None:
    store = Store()
    bring(store, HERE, 500)
    bring(store, Scope(kind=RUNS, namespace=NS), 100)
    assert not store.history.is_in_doubt, "kinds may be kept in several places"
    bring(store, scope, 300)
    assert fault(store, server(300))


TOLD: list[Callable[[Store], None]] = [
    lambda store: store.changed(HERE, "ADDED", pod("a", 500)),
    lambda store: store.changed(HERE, "DELETED", pod("a", 500)),
    lambda store: store.wrote(PODS, pod("a", 500)),
]


@pytest.mark.parametrize("tell", TOLD)
def test_so_is_one_that_is_older_than_what_happened_since_the_last_list(tell: Callable[[Store], None]) -> None:
    store = Store()
    bring(store, HERE, 100)
    tell(store)
    bring(store, HERE, 300)
    assert fault(store, server(300))


def test_a_list_that_began_before_something_else_was_heard_is_not() -> None:
    store = Store()
    bring(store, HERE, 100)
    store.begin(HERE)
    store.changed(HERE, "ADDED", pod("a", 120))
    bring(store, OTHER, 130)
    store.end(HERE, 110)
    assert not store.history.is_in_doubt


def test_nor_is_one_of_a_server_that_was_behind_for_a_moment() -> None:
    store, cluster = Store(), server(1041)
    bring(store, HERE, 1000)
    store.changed(HERE, "ADDED", pod("a", 1040))
    bring(store, OTHER, 1035)
    assert fault(store, cluster) == ""
    assert not store.history.is_in_doubt
    bring(store, OTHER, 1036)
    assert fault(store, server(1037)), "it is asked anew"


def test_nothing_is_asked_again_so_soon_that_the_server_may_still_be_behind() -> None:
    time_s = 0.0
    store, cluster = Store(history=History(now=lambda: time_s)), server(300)
    bring(store, HERE, 500)
    bring(store, HERE, 300)
    time_s = CONFIRM_S - 1
    bring(store, HERE, 300)
    time_s = 2 * CONFIRM_S - 1.1
    store.history.confirm(cluster)
    assert cluster.asked == [], "as of the last doubt"
    time_s = 2 * CONFIRM_S - 1
    store.history.confirm(cluster)
    assert store.history.fault


def test_what_is_in_doubt_stays_so_until_it_was_answered_or_may_no_longer_be_read(monkeypatch) -> None:
    store, cluster = Store(), server(300)
    bring(store, HERE, 500)
    bring(store, HERE, 300)
    real, errors = cluster.pages, iter([0, 500])

    def pages(*arguments):
        for status in errors:
            raise ClusterError("GET", "pods", status, "no")
        return real(*arguments)

    monkeypatch.setattr(cluster, "pages", pages)
    assert fault(store, cluster)
    store, errors = Store(), iter([403])
    bring(store, HERE, 500)
    bring(store, HERE, 300)
    assert fault(store, cluster) == ""


def test_what_is_no_number_says_nothing() -> None:
    store = Store()
    bring(store, HERE, 500)
    bring(store, HERE, 0)
    assert not store.history.is_in_doubt
    bring(store, HERE, 300)
    assert fault(store, server(0)) == ""


def test_where_nothing_is_listed_it_is_asked_for() -> None:
    cluster, store = FakeCluster(), Store()
    cluster.apply(RUNS, run("one", 0))
    for version in (500, 501):
        cluster.version = version
        store.history.ask(cluster, TESTS, NS)
    assert not store.history.is_in_doubt
    cluster.version = 300
    store.history.ask(cluster, TESTS, NS)
    assert "calltests" in fault(store, cluster)


# A restore that raises the revisions: lists are newer, and what is in them is older


def test_an_object_that_is_older_than_it_was_is_of_another_history() -> None:
    store, back = Store(), pod("a", 300)
    bring(store, HERE, 500, pod("a", 490), pod("b", 10))
    bring(store, HERE, 1_000_000_000, back, pod("b", 10))
    assert "pods voice/a: resource versions went back, from 490 to 300" in fault(store, server(1_000_000_001, back))


def test_so_is_one_that_was_gone() -> None:
    store, back = Store(), pod("a", 300)
    bring(store, HERE, 500, pod("a", 300))
    store.changed(HERE, "DELETED", pod("a", 510))
    bring(store, HERE, 1_000_000_000, back)
    assert fault(store, server(1_000_000_001, back))


def test_one_that_was_older_for_a_moment_is_not_nor_one_that_is_gone_or_changed_meanwhile() -> None:
    for meanwhile in ([pod("a", 490)], [], [pod("a", 1_000_000_002)]):
        store = Store()
        bring(store, HERE, 500, pod("a", 490))
        bring(store, HERE, 501, pod("a", 300))
        assert store.history.is_in_doubt
        assert fault(store, server(1_000_000_002, *meanwhile)) == ""
        assert not store.history.is_in_doubt


def test_of_several_one_that_is_older_is_enough() -> None:
    store = Store()
    bring(store, HERE, 500, pod("a", 490), pod("b", 480))
    bring(store, HERE, 1_000_000_000, pod("a", 300), pod("b", 200))
    assert fault(store, server(1_000_000_002, pod("a", 1_000_000_001), pod("b", 200)))


def test_what_was_heard_after_a_list_began_may_be_newer_than_what_is_in_it() -> None:
    store = Store()
    bring(store, HERE, 100, pod("a", 90))
    store.begin(HERE)
    store.changed(HERE, "MODIFIED", pod("a", 120))
    store.listed(HERE, [pod("a", 90)])
    store.end(HERE, 110)
    assert not store.history.is_in_doubt


def test_where_only_the_version_is_in_doubt_no_object_is_asked_for(monkeypatch) -> None:
    store, cluster = Store(), server(300)
    bring(store, HERE, 500)
    bring(store, HERE, 300)
    real, selectors = cluster.pages, []
    monkeypatch.setattr(cluster, "pages", lambda *asked: (selectors.append(asked[2]), real(*asked))[1])
    assert fault(store, cluster)
    assert selectors == [NOBODY]
