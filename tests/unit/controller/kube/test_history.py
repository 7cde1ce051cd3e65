"""Resource versions that go back are another history, and nothing else is."""

import pytest

from controller.kube.cluster import PODS, RUNS, TESTS
from controller.kube.history import History
from controller.kube.labels import AGENT_SELECTOR
from controller.kube.store import Store
from controller.kube.watch import Scope
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.kube.test_store import pod, run
from tests.unit.controller.world import NS

HERE, OTHER = Scope(kind=PODS, namespace=NS), Scope(kind=PODS, namespace="other")


def bring(store: Store, scope: Scope, version: int) -> None:
    store.begin(scope)
    store.listed(scope, [])
    store.end(scope, version)


def test_a_list_that_is_older_than_the_one_before_is_of_another_history() -> None:
    store = Store()
    bring(store, HERE, 500)
    bring(store, HERE, 500)
    bring(store, HERE, 510)
    assert store.history.fault == ""
    bring(store, HERE, 300)
    assert "pods: resource versions went back, from 510 to 300" in store.history.fault
    bring(store, HERE, 600)
    assert "510" in store.history.fault, "what was said stands"


@pytest.mark.parametrize("scope", [OTHER, Scope(kind=PODS, namespace="", selector=AGENT_SELECTOR)])
def test_so_is_one_of_another_scope_of_that_kind_also_of_one_that_is_new(scope: Scope) -> None:
    store = Store()
    bring(store, HERE, 500)
    bring(store, Scope(kind=RUNS, namespace=NS), 100)
    assert store.history.fault == "", "kinds may be kept in several places"
    bring(store, scope, 300)
    assert store.history.fault


def test_so_is_one_that_is_older_than_what_happened_since_the_last_list() -> None:
    for tell in (
        lambda store: store.changed(HERE, "ADDED", pod("a", 500)),
        lambda store: store.changed(HERE, "DELETED", pod("a", 500)),
        lambda store: store.wrote(PODS, pod("a", 500)),
    ):
        store = Store()
        bring(store, HERE, 100)
        tell(store)
        bring(store, HERE, 300)
        assert store.history.fault


def test_a_list_that_began_before_something_else_was_heard_is_not() -> None:
    store = Store()
    bring(store, HERE, 100)
    store.begin(HERE)
    store.changed(HERE, "ADDED", pod("a", 120))
    bring(store, OTHER, 130)
    store.end(HERE, 110)
    assert store.history.fault == ""


def test_what_is_no_number_says_nothing() -> None:
    store = Store()
    bring(store, HERE, 500)
    bring(store, HERE, 0)
    assert store.history.fault == ""


def test_where_nothing_is_listed_it_is_asked_for() -> None:
    cluster, history = FakeCluster(), History()
    cluster.apply(RUNS, run("one", 0))
    cluster.version = 500
    history.ask(cluster, TESTS, NS)
    cluster.version = 501
    history.ask(cluster, TESTS, NS)
    assert history.fault == ""
    cluster.version = 300
    history.ask(cluster, TESTS, NS)
    assert "calltests" in history.fault
