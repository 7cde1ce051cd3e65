"""kopf only watches: two kinds, its own settings, nothing written; and it is started again whatever ends it."""

import asyncio
import threading
from typing import Any

import pytest

from controller.kube.cluster import RUNS, TESTS
from controller.operator import handlers
from controller.operator.handlers import LAST_DELAY_S, Listening, delay


def test_kopf_needs_no_more_than_the_role_and_writes_nothing() -> None:
    tuned = handlers.settings()
    assert tuned.scanning.disabled
    assert tuned.peering.standalone
    assert not tuned.posting.enabled
    assert tuned.queueing.worker_limit is None, "a limit below the number of objects is a silent deadlock"


def test_a_silent_watch_is_given_up_within_a_minute_and_a_live_one_never() -> None:
    watching = handlers.settings().watching
    assert watching.server_timeout is not None
    assert watching.client_timeout is not None
    assert watching.server_timeout < watching.client_timeout <= 60
    assert watching.inactivity_timeout > watching.client_timeout


def test_few_bodies_are_held_at_a_time() -> None:
    tuned = handlers.settings()
    assert tuned.watching.chunk_size == 100
    assert 0 < tuned.queueing.idle_timeout <= 0.1, "0 is a busy loop"


def test_only_events_are_handled() -> None:
    registry = handlers.registry(lambda *_: None)
    watched = [handler.selector for handler in registry._watching.get_all_handlers()]
    assert sorted(str(selector.any_name or selector.plural) for selector in watched if selector) == [
        "calltestruns",
        "calltests",
    ]
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()


async def test_what_kopf_hears_is_told_with_its_kind_and_as_it_came() -> None:
    told: list[Any] = []
    registry = handlers.registry(lambda *what: told.append(what))
    by_kind = {
        str(each.selector.any_name or each.selector.plural): each for each in registry._watching.get_all_handlers()
    }
    one = {"metadata": {"name": "pin"}}
    await by_kind["calltests"].fn(event={"type": None, "object": one})  # type: ignore[misc]
    await by_kind["calltestruns"].fn(event={"type": "DELETED", "object": one})  # type: ignore[misc]
    assert told == [(TESTS, "ADDED", one), (RUNS, "DELETED", one)]


class Kopf:
    """Stands for kopf: ends as told, then watches until it is told to stop."""

    def __init__(self, *ends: Exception | None) -> None:
        self.ends = iter(ends)
        self.starts = 0
        self.watching = threading.Event()

    async def watch(self, namespaces, registry, stop) -> None:
        self.starts += 1
        for end in self.ends:
            if end is not None:
                raise end
            return
        self.watching.set()
        await stop.wait()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "FIRST_DELAY_S", 0.001)


@pytest.mark.usefixtures("soon")
def test_kopf_that_ends_is_said_and_started_again_and_all_is_listed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kopf, listed = Kopf(RuntimeError("410: too old"), None), []
    monkeypatch.setattr(handlers, "watch", kopf.watch)
    listening = Listening(namespaces=("voice",), heard=lambda *_: None, ended=lambda: listed.append(1))
    thread = threading.Thread(target=listening.run)
    thread.start()
    assert kopf.watching.wait(60)
    listening.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert (kopf.starts, len(listed)) == (3, 2)
    assert "410: too old" in caplog.text


@pytest.mark.usefixtures("soon")
def test_kopf_is_started_anew_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    kopf = Kopf()
    monkeypatch.setattr(handlers, "watch", kopf.watch)
    listening = Listening(namespaces=("voice",), heard=lambda *_: None, ended=kopf.watching.clear)
    listening.start()
    assert kopf.watching.wait(60)
    listening.restart()
    while kopf.starts < 2:
        assert not threading.Event().wait(0.01)
    listening.stop()


def test_stopped_before_it_began_it_never_starts() -> None:
    listening = Listening(namespaces=(), heard=lambda *_: None, ended=lambda: None)
    listening.stop()
    listening.run()
    asyncio.run(listening._watch())


def test_it_is_started_less_and_less_often_and_never_at_the_same_moment_as_others() -> None:
    assert [delay(failures, 1.0) for failures in (1, 2, 3, 7)] == [1, 2, 4, LAST_DELAY_S]
    assert delay(3, 0.0) == 2
