"""A target's namespace is read from its watches as soon as they have all of it, and directly until then."""

import pytest

from controller.kube.cluster import ENDPOINT_SLICES, PODS, SERVICES, ClusterError
from controller.kube.store import Store
from controller.kube.targets import KEPT_S, KINDS, MOST, RETRY_S, TargetWatches
from controller.kube.watch import Scope, Watch
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.kube.test_store import pod

VOICE = [Scope(kind=kind, namespace="voice") for kind in KINDS]


class Targets:
    """Watches that bring what they are told to."""

    def __init__(self, *always: Scope) -> None:
        self.cluster, self.store = FakeCluster(), Store()
        self.started: list[Watch] = []
        self.time_s = 0.0
        self.watches = TargetWatches(
            cluster=self.cluster,
            store=self.store,
            always=frozenset(always),
            now=lambda: self.time_s,
            start=self.started.append,
        )

    def bring(self, *scopes: Scope) -> None:
        for scope in scopes:
            self.store.begin(scope)
            self.store.listed(scope, [])
            self.store.end(scope, 1)

    def fail(self, scope: Scope, error: ClusterError) -> None:
        """It was asked for, and that came of it."""
        self.store.begin(scope)
        self.store.failed(scope, error)

    @property
    def scopes(self) -> set[Scope]:
        return {watch.scope for watch in self.started}


def test_it_is_read_directly_until_all_of_it_was_heard_of() -> None:
    targets = Targets()
    assert targets.watches.reader("voice") is targets.cluster
    targets.bring(*VOICE[:2])
    assert targets.watches.reader("voice") is targets.cluster
    assert not targets.watches.is_watched("voice")
    targets.bring(VOICE[2])
    assert targets.watches.reader("voice") is targets.store
    assert targets.watches.is_watched("voice")
    assert targets.scopes == set(VOICE)
    assert len(targets.started) == 3, "each once"


def test_while_one_watch_is_broken_it_is_read_directly() -> None:
    targets = Targets()
    targets.bring(*VOICE)
    targets.fail(VOICE[0], ClusterError("WATCH", "pods", 0, "connection reset"))
    assert targets.watches.reader("voice") is targets.cluster
    targets.store.opened(VOICE[0])
    assert targets.watches.reader("voice") is targets.store


def test_where_lists_are_permitted_and_watches_are_not_it_is_read_directly() -> None:
    targets = Targets()
    targets.bring(*VOICE)
    targets.fail(VOICE[1], ClusterError("WATCH", "services", 403, "forbidden"))
    assert targets.watches.reader("voice") is targets.cluster
    assert not targets.watches.is_watched("voice")


def test_what_may_not_be_read_is_not_asked_for_by_each_look() -> None:
    targets = Targets()
    targets.bring(*VOICE)
    targets.fail(VOICE[2], ClusterError("GET", "endpointslices", 403, "forbidden"))
    reader = targets.watches.reader("voice")
    with pytest.raises(ClusterError, match="forbidden"):
        reader.list(ENDPOINT_SLICES, "voice")
    targets.fail(VOICE[0], ClusterError("GET", "pods", 403, "forbidden"))
    with pytest.raises(ClusterError, match="forbidden"):
        targets.watches.reader("voice")
    assert targets.cluster.asked == []


def test_what_may_be_read_is_though_a_watch_of_something_else_may_not() -> None:
    targets = Targets()
    targets.bring(*VOICE[:1])
    targets.fail(VOICE[1], ClusterError("GET", "services", 403, "forbidden"))
    reader = targets.watches.reader("voice")
    assert reader.get(SERVICES, "voice", "sut") is None, "to get one by its name is another permission"
    assert reader.list(PODS, "voice", "app=sut") == reader.list(ENDPOINT_SLICES, "voice") == []
    assert targets.cluster.asked == ["get services sut", "list pods", "list endpointslices"]


def test_what_is_watched_anyway_is_not_watched_twice() -> None:
    targets = Targets(Scope(kind=PODS, namespace="voice"))
    targets.watches.reader("voice")
    assert targets.scopes == {Scope(kind=kind, namespace="voice") for kind in (SERVICES, ENDPOINT_SLICES)}


def test_watches_that_nobody_needs_end_and_others_go_on() -> None:
    targets = Targets()
    targets.watches.reader("voice")
    targets.watches.reader("other")
    targets.bring(*VOICE)
    targets.time_s = KEPT_S
    targets.watches.reader("other")
    targets.time_s = KEPT_S + 1
    targets.watches.forget_unused()
    assert {watch.scope.namespace for watch in targets.started if watch.stop.is_set()} == {"voice"}
    assert not targets.store.is_synced(VOICE[0])
    assert targets.watches.reader("voice") is targets.cluster
    assert len(targets.started) == 9, "it is watched anew"


def test_no_more_namespaces_are_watched_than_there_may_be_and_the_longest_unused_makes_room() -> None:
    targets = Targets()
    for number in range(MOST):
        targets.time_s = float(number)
        targets.watches.reader(f"n{number}")
    targets.watches.reader("n0")
    targets.watches.reader("new")
    alive = {watch.scope.namespace for watch in targets.started if not watch.stop.is_set()}
    assert alive == {"new", *(f"n{number}" for number in range(MOST))} - {"n1"}
    assert len(targets.started) == 3 * (MOST + 1)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Namespaces whose watches' threads are there, whether told to end or not."""
    there: set[str] = set()
    monkeypatch.setattr(Watch, "is_running", property(lambda watch: watch.scope.namespace in there), raising=False)
    return there


def test_watches_take_room_until_their_threads_are_gone(running: set[str]) -> None:
    targets, names = Targets(), [f"n{number}" for number in range(MOST)]
    running |= set(names)
    for name in names:
        targets.watches.reader(name)
    for name in ("new", "another", "new", "n0"):
        assert targets.watches.reader(name) is targets.cluster
    assert targets.scopes == {Scope(kind=kind, namespace=name) for kind in KINDS for name in names}
    assert len(targets.started) == 3 * MOST
    assert {watch.scope.namespace for watch in targets.started if watch.stop.is_set()} == {"n0"}, "one at a time"
    running.remove("n0")
    targets.watches.reader("new")
    assert {watch.scope.namespace for watch in targets.started[3 * MOST :]} == {"new"}
    assert {watch.scope.namespace for watch in targets.started if watch.stop.is_set()} == {"n0"}


def test_a_namespace_is_watched_anew_once_its_old_threads_can_say_nothing_more(running: set[str]) -> None:
    targets = Targets()
    running.add("voice")
    targets.watches.reader("voice")
    targets.bring(*VOICE)
    targets.time_s = KEPT_S + 1
    targets.watches.forget_unused()
    assert targets.watches.reader("voice") is targets.cluster
    assert len(targets.started) == 3, "a late end of its old list would be taken for that of the new one"
    targets.store.begin(VOICE[0])  # it was about to
    running.clear()
    assert targets.watches.reader("voice") is targets.cluster
    assert len(targets.started) == 6
    targets.store.begin(VOICE[0])
    targets.bring(*VOICE[1:])
    assert targets.watches.reader("voice") is targets.cluster
    targets.bring(VOICE[0])
    assert targets.watches.reader("voice") is targets.store


def test_what_an_old_thread_began_is_dropped_with_it(running: set[str]) -> None:
    targets = Targets()
    running.add("voice")
    targets.watches.reader("voice")
    targets.bring(*VOICE)
    targets.time_s = KEPT_S + 1
    targets.watches.forget_unused()
    targets.store.begin(VOICE[0])
    running.clear()
    targets.watches.forget_unused()
    targets.store.wrote(PODS, pod("ghost", 9) | {"metadata": pod("ghost", 9)["metadata"] | {"namespace": "voice"}})
    assert targets.store.names(PODS) == []


def test_what_somebody_wants_makes_no_room_and_the_others_are_read_directly() -> None:
    targets = Targets()
    targets.watches.wanted = lambda: {f"n{number}" for number in range(MOST)}
    for number in range(MOST):
        targets.watches.reader(f"n{number}")
    for _ in range(3):
        assert targets.watches.reader("new") is targets.cluster
    assert not targets.watches.is_watched("new")
    assert len(targets.started) == 3 * MOST
    assert not any(watch.stop.is_set() for watch in targets.started)


def test_what_somebody_wants_is_watched_however_long_nobody_looked() -> None:
    targets = Targets()
    targets.watches.reader("voice")
    targets.bring(*VOICE)
    targets.watches.wanted = lambda: {"voice"}
    targets.time_s = 10 * KEPT_S
    targets.watches.forget_unused()
    assert targets.watches.is_watched("voice")
    targets.watches.wanted = set
    targets.watches.forget_unused()
    assert not targets.watches.is_watched("voice")


def test_where_no_thread_can_be_started_it_is_read_directly_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    targets = Targets()

    def start(watch: Watch) -> None:
        if targets.started:
            raise RuntimeError("can't start new thread")
        targets.started.append(watch)

    targets.watches.start = start
    for _ in range(3):
        assert targets.watches.reader("voice") is targets.cluster
    assert [watch.stop.is_set() for watch in targets.started] == [True], "half of them would be none"
    assert caplog.text.count("can't start new thread") == 1
    targets.watches.start = targets.started.append
    assert targets.watches.reader("voice") is targets.cluster
    assert len(targets.started) == 1
    targets.time_s = RETRY_S
    targets.watches.reader("voice")
    assert len(targets.started) == 4
    targets.bring(*VOICE)
    assert targets.watches.reader("voice") is targets.store
