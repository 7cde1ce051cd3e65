"""The store is never behind ourselves, keeps little, and finds it by name, label and test."""

from typing import Any

import pytest

from controller.api import API_VERSION
from controller.kube import store as kept
from controller.kube.cluster import ENDPOINT_SLICES, PODS, RUNS, TESTS, ClusterError, Raw
from controller.kube.labels import AGENT_SELECTOR
from controller.kube.store import Change, Known, Store
from controller.kube.watch import Scope
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.world import NS, spec

SCOPE = Scope(kind=PODS, namespace=NS)


def pod(name: str, version: int, **labels: str) -> Raw:
    meta = {"name": name, "namespace": NS, "uid": f"u-{name}", "resourceVersion": str(version), "labels": labels}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": meta | {"managedFields": ["x" * 1000]}, "spec": {"nodeName": "n0"}, "status": {}}


def synced(*pods: Raw, version: int = 10) -> Store:
    store = Store()
    bring(store, *pods, version=version)
    return store


def bring(store: Store, *pods: Raw, version: int) -> None:
    store.begin(SCOPE)
    store.listed(SCOPE, list(pods))
    store.end(SCOPE, version)


def found(store: Store, selector: str = "") -> list[str]:
    return [each["metadata"]["name"] for each in store.list(PODS, NS, selector)]


def run(name: str, version: int, **status: Any) -> Raw:
    meta = {"name": name, "namespace": NS, "uid": name, "resourceVersion": str(version), "generation": 1}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    body = {"callTestName": "pin", "cause": {"type": "Manual"}, "test": spec()}
    return {"apiVersion": API_VERSION, "kind": "CallTestRun", "metadata": meta, "spec": body, "status": status}


def test_what_discovery_reads_is_kept_and_nothing_else() -> None:
    store = synced(pod("a", 1, app="sut"))
    held = store.get(PODS, NS, "a")
    assert held is not None
    assert held["spec"]["nodeName"] == "n0"
    assert "managedFields" not in held["metadata"]
    assert store.get(PODS, NS, "b") is None


def test_objects_are_found_by_all_of_their_labels() -> None:
    store = synced(pod("a", 1, app="sut", zone="x"), pod("b", 2, app="sut"), pod("c", 3, app="other"))
    assert found(store, "app=sut") == ["a", "b"]
    assert found(store, "app=sut,zone=x") == ["a"]
    assert found(store, "app=none") == []
    assert found(store) == ["a", "b", "c"]
    store.changed(SCOPE, "MODIFIED", pod("a", 11, app="other"))
    assert found(store, "app=sut") == ["b"]


def test_an_old_event_changes_nothing_and_an_object_that_is_not_listed_is_gone() -> None:
    store = synced(pod("a", 5, app="new"), pod("b", 6))
    store.changed(SCOPE, "MODIFIED", pod("a", 4, app="old"))
    assert found(store, "app=new") == ["a"]
    bring(store, pod("b", 6), version=20)
    assert found(store) == ["b"]


def test_what_we_wrote_is_seen_at_once_and_survives_a_list_made_before() -> None:
    store = synced(version=10)
    store.wrote(PODS, pod("mine", 15))
    assert found(store) == ["mine"]
    bring(store, version=12)
    assert found(store) == ["mine"]
    bring(store, version=16)
    assert found(store) == []


def test_a_late_answer_does_not_bring_back_what_the_watch_saw_going() -> None:
    store = synced(version=10)
    store.changed(SCOPE, "ADDED", pod("mine", 15))
    store.changed(SCOPE, "DELETED", pod("mine", 17))
    store.wrote(PODS, pod("mine", 15))
    assert found(store) == []


def test_of_two_that_tell_of_an_object_the_late_one_brings_nothing_back() -> None:
    store = synced(pod("a", 5), version=10)
    store.changed(SCOPE, "DELETED", pod("a", 17))
    store.changed(SCOPE, "MODIFIED", pod("a", 15))
    store.changed(SCOPE, "ADDED", pod("never seen", 12))
    bring(store, pod("a", 15), version=16)
    assert found(store) == []
    store.changed(SCOPE, "ADDED", pod("a", 18))
    store.changed(SCOPE, "DELETED", pod("a", 17))
    assert found(store) == ["a"]


def test_what_we_wrote_counts_though_later_things_of_others_were_heard() -> None:
    store = synced(version=10)
    store.changed(SCOPE, "ADDED", pod("other", 20))
    store.wrote(PODS, pod("mine", 15))
    assert found(store) == ["mine", "other"]


def test_those_that_are_gone_are_remembered_for_as_long_as_somebody_may_speak_of_them(monkeypatch) -> None:
    monkeypatch.setattr(kept, "REMEMBERED", 1)
    store = synced(pod("a", 5), pod("b", 5), version=10)
    for name in ("a", "b"):
        store.changed(SCOPE, "DELETED", pod(name, 17))
    assert list(store._gone) == [(PODS, NS, "b")]


def test_what_no_watch_covers_is_not_kept() -> None:
    store = synced()
    other = pod("a", 50)
    other["metadata"]["namespace"] = "elsewhere"
    store.wrote(PODS, other)
    store.wrote(ENDPOINT_SLICES, pod("a", 51))
    assert store.names(PODS) == store.names(ENDPOINT_SLICES) == []


def test_writes_through_a_known_cluster_are_in_the_store() -> None:
    cluster, store = FakeCluster(), synced(version=0)
    known = Known(cluster, store)
    made = known.create(PODS, NS, {"metadata": {"name": "a"}, "spec": {}})
    assert found(store) == ["a"]
    known.annotate(PODS, NS, "a", {"x": "y"})
    known.replace_status(PODS, known.get(PODS, NS, "a") | {"status": {"phase": "Running"}})  # type: ignore[operator]
    held = store.get(PODS, NS, "a")
    assert held is not None
    assert held["status"]["phase"] == "Running"
    known.delete(PODS, NS, "a", made["metadata"]["uid"])
    assert known.list(PODS, NS) == []


def test_a_dropped_scope_takes_what_no_other_one_sees() -> None:
    labels = dict(part.split("=") for part in AGENT_SELECTOR.split(","))
    agents = Scope(kind=PODS, namespace="", selector=AGENT_SELECTOR)
    store = synced(pod("sut", 1), pod("agent", 2, **labels))
    store.begin(agents)
    store.listed(agents, [pod("agent", 2, **labels)])
    store.end(agents, 10)
    store.drop(SCOPE)
    assert found(store) == ["agent"]
    assert not store.is_synced(SCOPE)


def test_of_a_scope_that_was_dropped_while_it_was_listed_nothing_is_here() -> None:
    store = Store()
    store.begin(SCOPE)
    store.drop(SCOPE)
    store.listed(SCOPE, [pod("a", 1)])
    store.end(SCOPE, 10)
    assert not store.is_synced(SCOPE), "nobody watches it: it would be read for ever as it was then"
    assert found(store) == []


def test_late_words_of_a_scope_that_was_dropped_do_not_bring_it_back() -> None:
    reset = ClusterError("WATCH", "pods", 0, "connection reset")
    for say in (lambda store: store.opened(SCOPE), lambda store: store.failed(SCOPE, reset)):
        store = synced(pod("a", 1))
        store.drop(SCOPE)
        say(store)
        store.wrote(PODS, pod("ghost", 9))
        assert store.error(SCOPE) is None
        assert found(store) == [], "nobody would say that it is gone"


def test_of_runs_of_one_spec_that_is_kept_once_and_of_finished_ones_no_failures() -> None:
    store, scope = Store(), Scope(kind=RUNS, namespace=NS)
    done = {"result": "Failed", "completionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    failure = {"call": "pin", "endpoint": 0, "leg": "Callee", "check": "dtmf", "result": "Failed", "number": 0}
    failure |= {"reason": "DtmfMismatch", "expected": "1", "observed": "2"}
    store.begin(scope)
    store.listed(scope, [run("one", 1, **done, failures=[failure]), run("two", 2, **done), run("three", 3)])
    store.end(scope, 3)
    kept = {each.run.name: each for each in store.runs_of(NS, "pin") if each.run}
    assert sorted(kept) == ["one", "three", "two"]
    one, two = kept["one"].run, kept["two"].run
    assert one is not None
    assert two is not None
    assert one.spec.test is two.spec.test
    assert not one.status.failures
    assert [each.run.name for each in store.unfinished() if each.run] == ["three"]
    store.changed(scope, "MODIFIED", run("three", 4, **done))
    assert store.unfinished() == []


def test_a_run_or_test_that_cannot_be_read_is_there_all_the_same() -> None:
    store = Store()
    for kind in (RUNS, TESTS):
        scope = Scope(kind=kind, namespace=NS)
        store.begin(scope)
        store.listed(scope, [pod("odd", 1)])
        store.end(scope, 1)
    run_, test = store.run(NS, "odd"), store.test(NS, "odd")
    assert run_ is not None
    assert run_.run is None
    assert test is not None
    assert test.test is None


def test_an_object_that_nobody_foresaw_is_said_kept_whole_and_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    odd = pod("odd", 1, app="sut") | {"spec": {"containers": [3]}}
    store = synced(odd, pod("good", 2))
    assert found(store) == ["good", "odd"]
    assert "pods voice/odd" in caplog.text
    assert store.list(PODS, NS, "app=sut") == [odd], "as the API server has it: who reads it reads no other"


def test_of_a_replica_that_nobody_foresaw_no_old_address_is_called() -> None:
    store = synced(pod("a", 1, app="sut") | {"status": {"podIP": "10.0.0.1"}})
    store.changed(SCOPE, "MODIFIED", pod("a", 11) | {"spec": {"containers": [3]}, "status": {"podIP": "10.0.0.2"}})
    held = store.get(PODS, NS, "a")
    assert held is not None
    assert held["status"]["podIP"] == "10.0.0.2"
    assert found(store, "app=sut") == []


def test_of_a_test_that_nobody_foresaw_no_old_spec_stands(caplog: pytest.LogCaptureFixture) -> None:
    store, scope = Store(), Scope(kind=TESTS, namespace=NS)
    good = run("pin", 1) | {"kind": "CallTest", "spec": spec()}
    store.changed(scope, "ADDED", good)
    held = store.test(NS, "pin")
    assert held is not None
    assert held.test is not None
    odd = good["metadata"] | {"resourceVersion": "2", "annotations": "nonsense", "deletionTimestamp": "now"}
    store.changed(scope, "MODIFIED", good | {"metadata": odd})
    held = store.test(NS, "pin")
    assert held is not None
    assert (held.test, held.is_going) == (None, True)
    assert "calltests voice/pin" in caplog.text
    store.changed(scope, "MODIFIED", good)
    assert store.test(NS, "pin") == held, "and what is older does not come back"


def test_of_a_run_that_nobody_foresaw_no_old_status_stands() -> None:
    store, scope = Store(), Scope(kind=RUNS, namespace=NS)
    good = run("one", 1)
    store.changed(scope, "ADDED", good)
    store.changed(
        scope, "MODIFIED", good | {"metadata": good["metadata"] | {"resourceVersion": "2", "generation": "x"}}
    )
    held = store.run(NS, "one")
    assert held is not None
    assert (held.run, held.is_finished, held.created) == (None, False, "2026-01-01T00:00:00Z")
    assert store.unfinished() == [held], "its reconcile is to end it"


def test_each_change_is_told_once() -> None:
    told: list[Change] = []
    store = Store(tell=told.append)
    bring(store, pod("a", 1), version=1)
    bring(store, pod("a", 1), version=2)
    store.changed(SCOPE, "MODIFIED", pod("a", 3))
    store.changed(SCOPE, "DELETED", pod("a", 4))
    assert [(each.before is None, each.after is None) for each in told] == [
        (True, False),
        (False, False),
        (False, True),
    ]
