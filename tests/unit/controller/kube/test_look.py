"""A look sees what happened since the one before, and lists only where it must."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.kube.cluster import ClusterError
from controller.kube.look import EVERY_S, RELIST_S, Look
from controller.kube.store import Store
from tests.unit.controller.kube.test_watch import EXPIRED, SCOPE, Server, Waits, event, names, page

BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "40"}}}


class Time(Waits):
    """Waiting takes no time, but the clock goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def wait(self, delay_s: float) -> None:
        super().wait(delay_s)
        self.now_s += delay_s


def looked(
    lists: list[Any], watches: list[Any], meanwhile: Callable[[Look, Time], None] = lambda *_: None
) -> tuple[Store, list[str], Time]:
    server, store, time = Server(lists, watches), Store(), Time()
    server.end = time.set
    look = Look(cluster=server, scope=SCOPE, sink=store, stop=time, now=lambda: time.now_s, jitter=lambda: 1.0)  # type: ignore[arg-type]
    while not time.is_set():
        time.wait(look.attempt())
        meanwhile(look, time)
    return store, server.asked, time


def test_it_goes_on_from_where_the_one_before_ended_and_lists_once() -> None:
    store, asked, time = looked([page(5, "a")], [[BOOKMARK], [event("ADDED", "b", 41), event("DELETED", "a", 42)], []])
    assert names(store) == ["b"]
    assert asked == ["list", "watch 5", "watch 40", "watch 42", "watch 42"]
    assert time.now_s >= 3 * EVERY_S


@pytest.mark.parametrize(
    "trouble",
    [[EXPIRED], ClusterError("WATCH", "calltests", 410, "too old"), [ClusterError("WATCH", "x", 0, "", silent=True)]],
    ids=["an event", "the answer", "silence"],
)
def test_where_it_cannot_go_on_it_lists_again_soon(trouble: Any) -> None:
    store, asked, time = looked([page(5, "a"), page(100, "b")], [trouble])
    assert names(store) == ["b"]
    assert asked == ["list", "watch 5", "list", "watch 100"]
    assert time.delays_s[0] <= 0.5


def test_it_lists_again_when_it_is_asked_to() -> None:
    asked_for = iter([True])

    def meanwhile(look: Look, _: Time) -> None:
        if next(asked_for, False):
            look.again()

    store, asked, _ = looked([page(5, "a"), page(9, "b")], [[BOOKMARK]], meanwhile)
    assert names(store) == ["b"]
    assert asked == ["list", "watch 5", "list", "watch 9"]


def test_it_lists_again_every_so_often() -> None:
    def meanwhile(_: Look, time: Time) -> None:
        time.now_s += RELIST_S

    _, asked, _ = looked([page(5), page(9)], [[BOOKMARK]], meanwhile)
    assert asked == ["list", "watch 5", "list", "watch 9"]
