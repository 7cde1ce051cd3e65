"""A watch whose API server does everything that one can do to it: what happened is always known in the end."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from controller.kube.cluster import TESTS, ClusterError, Page
from controller.kube.store import Store
from controller.kube.watch import LAST_DELAY_S, WATCH_S, Scope, Watch

SCOPE = Scope(kind=TESTS, namespace="voice")
Answer = list[Any] | Exception


def obj(name: str, version: int) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "voice",
            "uid": f"u-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
    }


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": obj(name, version)}


EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


class Server:
    """Answers lists and watches as told, and then ends the test."""

    def __init__(self, lists: list[Answer], watches: list[Answer]) -> None:
        self.lists, self.watches = iter(lists), iter(watches)
        self.asked: list[str] = []
        self.end: Callable[[], None] = lambda: None

    def pages(self, kind: Any, namespace: str, selector: str = "") -> Iterator[Page]:
        self.asked.append("list")
        answer = next(self.lists, None)
        if answer is None:
            self.end()
            return
        if isinstance(answer, Exception):
            raise answer
        yield from answer

    def watch(self, kind: Any, namespace: str, version: str, selector: str, timeout_s: int) -> Iterator[Any]:
        self.asked.append(f"watch {version}")
        answer = next(self.watches, None)
        if answer is None:
            self.end()
            return iter(())
        if isinstance(answer, ClusterError) and answer.status:
            raise answer
        return self.events(answer)

    def events(self, answer: Answer) -> Iterator[Any]:
        if isinstance(answer, Exception):
            raise answer
        for item in answer:
            if isinstance(item, Exception):
                raise item
            yield item


class Waits:
    """A stop event that waits for nothing, and tells how long it would have."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []
        self.stopped = False

    def is_set(self) -> bool:
        return self.stopped

    def set(self) -> None:
        self.stopped = True

    def wait(self, delay_s: float) -> None:
        if delay_s:
            self.delays_s.append(delay_s)


def watched(lists: list[Answer], watches: list[Answer]) -> tuple[Store, list[str], list[float]]:
    server, store, stop = Server(lists, watches), Store(), Waits()
    server.end = stop.set
    Watch(cluster=server, scope=SCOPE, sink=store, stop=stop, jitter=lambda: 1.0).run()  # type: ignore[arg-type]
    return store, server.asked, stop.delays_s


def page(version: int, *names: str) -> list[Page]:
    return [Page(items=[obj(name, version) for name in names], version=str(version))]


def names(store: Store) -> list[str]:
    return [name for _, name in store.names(TESTS)]


def test_what_is_there_and_what_happens_is_known() -> None:
    store, asked, _ = watched(
        [[*page(5, "a"), *page(5, "b")]],
        [[event("ADDED", "c", 6), event("DELETED", "a", 7), event("MODIFIED", "b", 9)]],
    )
    assert names(store) == ["b", "c"]
    assert asked == ["list", "watch 5", "watch 9"]


def test_a_watch_that_ends_goes_on_from_its_last_bookmark() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "40"}}}
    _, asked, delays_s = watched([page(5)], [[bookmark], [event("ADDED", "a", 41)]])
    assert asked == ["list", "watch 5", "watch 40", "watch 41"]
    assert len(delays_s) == 1, "only of the last one, that said nothing"


@pytest.mark.parametrize(
    "gone",
    [[EXPIRED], ClusterError("WATCH", "calltests", 410, "too old"), [ClusterError("WATCH", "calltests", 410, "gone")]],
    ids=["an event", "the answer", "later"],
)
def test_a_version_that_is_too_old_makes_it_list_again(gone: Answer) -> None:
    store, asked, delays_s = watched([page(5, "a"), page(100, "b")], [gone])
    assert names(store) == ["b"], "what went meanwhile is gone"
    assert asked == ["list", "watch 5", "list", "watch 100"]
    assert delays_s[0] <= 0.5


@pytest.mark.parametrize(
    "trouble", [EXPIRED, {"type": "ADDED", "object": {"metadata": {}}}], ids=["too old", "nonsense"]
)
def test_until_all_is_listed_again_what_is_known_is_not_taken_for_what_is_there(trouble: dict[str, Any]) -> None:
    server, store = Server([page(5, "a")], [[trouble]]), Store()
    watch = Watch(cluster=server, scope=SCOPE, sink=store)  # type: ignore[arg-type]
    assert watch.attempt() > 0
    assert not watch.is_going_on
    assert not store.is_synced(SCOPE)


def test_a_silent_watch_is_given_up_and_all_is_listed_again() -> None:
    silent = ClusterError("WATCH", "calltests", 0, "silent for 60 s", silent=True)
    store, asked, _ = watched([page(5), page(9, "a")], [silent])
    assert names(store) == ["a"]
    assert asked == ["list", "watch 5", "list", "watch 9"]


@pytest.mark.parametrize("status", [0, 429, 500])
def test_an_api_server_in_trouble_is_asked_less_and_less_often(status: int) -> None:
    trouble = ClusterError("GET", "calltests", status, "trouble")
    store, _, delays_s = watched([trouble] * 12, [])
    assert delays_s[:7] == [0.5, 1, 2, 4, 8, 16, LAST_DELAY_S]
    assert max(delays_s) == LAST_DELAY_S
    assert not store.is_synced(SCOPE)


def test_a_connection_that_breaks_is_gone_on_with_and_nothing_is_listed() -> None:
    broken = ClusterError("WATCH", "calltests", 0, "connection reset")
    store, asked, _ = watched([page(5)], [[event("ADDED", "a", 6), broken], [event("ADDED", "b", 7)]])
    assert names(store) == ["a", "b"]
    assert asked == ["list", "watch 5", "watch 6", "watch 7"]
    assert store.is_synced(SCOPE)


def test_a_server_that_ends_each_watch_at_once_is_not_asked_in_a_tight_loop() -> None:
    _, _, delays_s = watched([page(5)], [[], [], [], [event("ADDED", "a", 6)], []])
    assert delays_s[:3] == [0.5, 1, 2]
    assert delays_s[3] == 0.5, "and it is forgotten once the server says something"


def test_a_watch_in_which_nothing_happened_is_gone_on_with_at_once() -> None:
    server, stop, clock = Server([page(5)], [[], [], []]), Waits(), itertools.count(0, WATCH_S)
    server.end = stop.set
    Watch(cluster=server, scope=SCOPE, sink=Store(), stop=stop, now=lambda: next(clock)).run()  # type: ignore[arg-type]
    assert server.asked == ["list", *["watch 5"] * 4]
    assert stop.delays_s == []


def test_a_namespace_without_permission_is_said_once_and_asked_slowly(caplog: pytest.LogCaptureFixture) -> None:
    denied = ClusterError("GET", "calltests", 403, "forbidden")
    store, _, delays_s = watched([denied, denied, denied, page(5, "a")], [])
    assert delays_s[:3] == [18.75] * 3
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert names(store) == ["a"]


def test_an_event_that_makes_no_sense_ends_nothing() -> None:
    store, asked, _ = watched([page(5), page(7, "a")], [[{"type": "ADDED", "object": {"metadata": {}}}]])
    assert asked[:3] == ["list", "watch 5", "list"]
    assert names(store) == ["a"]


def test_a_watch_that_was_told_to_end_runs_until_its_api_server_lets_it() -> None:
    ended, begun = threading.Event(), threading.Event()
    server = Server([[Page(items=[], version="1")]], [])

    def silent(*_: Any) -> Iterator[Any]:
        begun.set()
        ended.wait(60)
        yield from ()

    server.watch = silent  # type: ignore[method-assign, assignment]
    watch = Watch(cluster=server, scope=SCOPE, sink=Store())  # type: ignore[arg-type]
    seen = [watch.is_running]
    watch.start()
    assert begun.wait(60)
    watch.stop.set()
    seen.append(watch.is_running)
    ended.set()
    assert watch._thread is not None
    watch._thread.join(60)
    assert [*seen, watch.is_running] == [False, True, False]
