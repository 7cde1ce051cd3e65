"""The reconcile loop: parallel, at most once per key, with retries, and it knows when it is stuck."""

import asyncio
import threading
from collections import defaultdict

import pytest

from controller.kube.cluster import ClusterError
from controller.operator import worker as worker_module
from controller.operator.worker import STUCK_S, Worker
from controller.operator.workqueue import Key

A, B = Key("CallTest", "ns", "a"), Key("CallTestRun", "ns", "b")


class Recorder:
    def __init__(self) -> None:
        self.calls: dict[Key, int] = defaultdict(int)
        self.observed: list[tuple[Key, bool]] = []
        self.done = threading.Event()
        self.enough = 1

    def reconcile(self, key: Key) -> float | None:
        self.calls[key] += 1
        if sum(self.calls.values()) >= self.enough:
            self.done.set()
        return None

    def observe(self, key: Key, duration_s: float, succeeded: bool) -> None:  # noqa: FBT001
        assert duration_s >= 0
        self.observed.append((key, succeeded))


async def run_until(worker: Worker, done: threading.Event) -> None:
    task = asyncio.create_task(worker.run())
    assert await asyncio.to_thread(done.wait, 10)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_added_is_reconciled_once() -> None:
    recorder = Recorder()
    recorder.enough = 2
    worker = Worker(reconcile=recorder.reconcile, observe=recorder.observe)
    for key in (A, B, A, B):
        worker.add(key)
    await run_until(worker, recorder.done)
    assert recorder.calls == {A: 1, B: 1}
    assert sorted(recorder.observed) == [(A, True), (B, True)]
    assert worker.stuck_for_s() == 0


@pytest.mark.parametrize(
    "error", [ClusterError("GET", "pods", 500, "x"), ClusterError("PUT", "x", 409, "y"), ValueError()]
)
async def test_what_fails_is_tried_again(error: Exception, monkeypatch) -> None:
    monkeypatch.setattr("controller.operator.workqueue.FIRST_RETRY_S", 0.01)
    recorder = Recorder()
    recorder.enough = 2

    def fails_once(key: Key) -> float | None:
        recorder.reconcile(key)
        if recorder.calls[key] == 1:
            raise error
        return None

    worker = Worker(reconcile=fails_once, observe=recorder.observe)
    worker.add(A)
    await run_until(worker, recorder.done)
    assert recorder.observed == [(A, False), (A, True)]


async def test_a_key_that_asks_to_come_again_does() -> None:
    recorder = Recorder()
    recorder.enough = 3

    def again(key: Key) -> float:
        recorder.reconcile(key)
        return 0.01

    worker = Worker(reconcile=again, observe=recorder.observe)
    worker.add(A)
    await run_until(worker, recorder.done)
    assert recorder.calls[A] >= 3


async def test_a_reconcile_that_hangs_is_noticed(monkeypatch) -> None:
    release, entered = threading.Event(), threading.Event()

    def hangs(_: Key) -> None:
        entered.set()
        release.wait(10)

    worker = Worker(reconcile=hangs, observe=lambda *_: None)
    worker.add(A)
    task = asyncio.create_task(worker.run())
    await asyncio.to_thread(entered.wait, 10)
    now_s = worker_module.time.monotonic()
    assert worker.stuck_for_s() == 0
    monkeypatch.setattr(worker_module.time, "monotonic", lambda: now_s + STUCK_S + 1)
    assert worker.stuck_for_s() > STUCK_S
    monkeypatch.undo()
    release.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_loop_that_does_not_turn_is_noticed(monkeypatch) -> None:
    worker = Worker(reconcile=lambda _: None, observe=lambda *_: None)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    now_s = worker_module.time.monotonic()
    monkeypatch.setattr(worker_module.time, "monotonic", lambda: now_s + 100)
    assert worker.stuck_for_s() > 90
    monkeypatch.undo()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_loop_that_has_not_begun_is_not_stuck(monkeypatch) -> None:
    worker = Worker(reconcile=lambda _: None, observe=lambda *_: None)
    now_s = worker_module.time.monotonic()
    monkeypatch.setattr(worker_module.time, "monotonic", lambda: now_s + 1000)
    assert worker.stuck_for_s() == 0
