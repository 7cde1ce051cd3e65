"""The operator's life: nothing starts before access is granted, and whatever ends, the process ends."""

import asyncio
import threading
import time

import pytest

from controller import __main__ as main
from controller.__main__ import Operator
from controller.api.calltest_status import CallTestStatus
from controller.kube import history
from controller.kube.cluster import RUNS, TESTS, ClusterError
from controller.kube.history import SetBackError
from controller.operator.metrics import Metrics
from controller.operator.reconcile import Reconciler
from controller.operator.worker import Worker
from controller.operator.workqueue import Key
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.measured import CREATED, spec
from tests.unit.controller.world import settings


def operator(cluster: FakeCluster, *flags: str) -> Operator:
    metrics, made = Metrics(), settings(*flags)
    reconciler = Reconciler(cluster=cluster, settings=made, metrics=metrics)
    worker = Worker(reconcile=reconciler.reconcile, observe=metrics.observe_reconcile)
    return Operator(settings=made, cluster=cluster, metrics=metrics, reconciler=reconciler, worker=worker)


async def watch(namespaces, registry, stop) -> None:
    """Stands for kopf: hears nothing until it is told to stop."""
    await stop.wait()


@pytest.fixture(autouse=True)
def soon(monkeypatch) -> None:
    monkeypatch.setattr(main, "PREFLIGHT_EVERY_S", 0.02)
    monkeypatch.setattr(main, "UNREACHABLE_EVERY_S", 0.01)
    monkeypatch.setattr(main, "SYNC_EVERY_S", 0.01)
    monkeypatch.setattr(main.handlers, "watch", watch)


PATIENCE_S = 60
"""For what comes about in a few hundredths: the machine may be busy with something else."""


async def until(what) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - it is what another task does
            await asyncio.sleep(0.01)


async def test_it_works_until_it_is_stopped() -> None:
    made = operator(FakeCluster())
    task = asyncio.create_task(made.run())
    await until(lambda: made.not_ready == "")
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)
    assert all(watch.stop.is_set() for watch in made.watches)
    assert made.kopf is not None
    assert made.kopf.stopped.is_set()


async def test_what_kopf_hears_is_in_the_store_and_wakes_who_is_concerned() -> None:
    made = operator(FakeCluster())
    seen: list[str] = []
    made.worker.reconcile = lambda key: seen.append(key.name)  # type: ignore[assignment, func-returns-value]
    task = asyncio.create_task(made.run())
    await until(lambda: made.kopf is not None)
    meta = {"name": "new", "namespace": "voice", "uid": "u", "resourceVersion": "7"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert made.kopf is not None
    made.kopf.heard(TESTS, "ADDED", {"metadata": meta, "spec": {}})
    await until(lambda: "new" in seen)
    assert made.reconciler.store.names(TESTS) == [("voice", "new")]
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_when_kopf_ended_tests_and_runs_are_listed_again(monkeypatch) -> None:
    monkeypatch.setattr(main.handlers, "FIRST_DELAY_S", 0.01)
    cluster, ends = FakeCluster(), iter([RuntimeError("410")])

    async def ending(namespaces, registry, stop) -> None:
        for error in ends:
            cluster.asked.clear()
            raise error
        await stop.wait()

    monkeypatch.setattr(main.handlers, "watch", ending)
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await until(lambda: made.kopf is not None)
    await until(lambda: {"list calltests", "list calltestruns"} <= set(cluster.asked))
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_kinds_that_vanish_are_said_and_kopf_is_started_anew_when_they_are_back(monkeypatch) -> None:
    made = operator(FakeCluster())
    task = asyncio.create_task(made.run())
    await until(lambda: made.not_ready == "")
    restarts: list[int] = []
    monkeypatch.setattr(main.handlers.Listening, "restart", lambda _: restarts.append(1))
    scope = made.reconciler.scopes[0]
    made.reconciler.store.failed(scope, ClusterError("GET", "calltests", 404, "not found"))
    await until(lambda: "calltests" in made.not_ready)
    made.reconciler.store.opened(scope)
    await until(lambda: made.not_ready == "" and restarts)
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_when_the_api_server_was_set_back_the_process_ends_and_says_why(monkeypatch) -> None:
    monkeypatch.setattr(main, "SET_BACK_EVERY_S", 0.01)
    monkeypatch.setattr(history, "CONFIRM_S", 0.01)
    cluster = FakeCluster()
    cluster.version = 500
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await until(lambda: made.not_ready == "" and made.reconciler.store.history.latest(TESTS) == 500)
    cluster.version = 300
    with pytest.raises(SetBackError, match="from 500 to 300"):
        await asyncio.wait_for(task, PATIENCE_S)


async def test_once_the_api_server_was_set_back_nothing_is_reconciled_any_more(monkeypatch) -> None:
    monkeypatch.setattr(main, "SET_BACK_EVERY_S", 0.01)
    made = operator(FakeCluster())
    seen: list[str] = []
    made.worker.reconcile = lambda key: seen.append(key.name)  # type: ignore[assignment, func-returns-value]
    task = asyncio.create_task(made.run())
    await until(lambda: made.not_ready == "")
    made.worker.add(Key("CallTest", "voice", "before"))
    await until(lambda: seen == ["before"])
    made.reconciler.store.history.fault = "it was"
    with pytest.raises(SetBackError):
        await asyncio.wait_for(task, PATIENCE_S)
    made.worker.add(Key("CallTest", "voice", "after"))
    await asyncio.sleep(0.05)
    assert seen == ["before"]
    assert len(asyncio.all_tasks()) == 1, "this one"


async def test_it_is_not_ready_before_it_has_read_everything() -> None:
    cluster = FakeCluster()
    real, may = cluster.pages, threading.Event()

    def pages(*arguments):
        may.wait(PATIENCE_S)
        return real(*arguments)

    cluster.pages = pages  # type: ignore[method-assign]
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await until(lambda: made.not_ready == main.READING)
    assert len(made.worker.queue) == 0
    may.set()
    await until(lambda: made.not_ready == "")
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_without_access_nothing_is_watched_until_it_is_granted() -> None:
    cluster = FakeCluster()
    cluster.denied = {("get", "pods/log")}
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await until(lambda: "get pods/log in namespace voice" in made.not_ready)
    await asyncio.sleep(0.1)
    assert not made.watches
    assert made.worker.stuck_for_s() == 0
    cluster.denied = set()
    await until(lambda: made.not_ready == "")
    cluster.denied = {("create", "pods")}
    await until(lambda: "create pods" in made.not_ready)  # access that is taken away later is said too
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_it_can_be_stopped_while_it_waits_for_access() -> None:
    cluster = FakeCluster()
    cluster.denied = {("get", "pods/log")}
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await asyncio.sleep(0.05)
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)
    assert not made.watches


async def test_an_api_server_that_does_not_answer_is_asked_again(monkeypatch) -> None:
    cluster = FakeCluster()
    real, answers = cluster.allowed, iter([False])

    def allowed(*arguments) -> bool:
        if not next(answers, True):
            raise ClusterError("POST", "selfsubjectaccessreviews", 0, "connection refused")
        return real(*arguments)

    monkeypatch.setattr(cluster, "allowed", allowed)
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await until(lambda: made.watches)
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_when_the_worker_fails_the_process_ends_with_its_error(monkeypatch) -> None:
    async def failing(_: Worker) -> None:
        raise RuntimeError("gave up")

    monkeypatch.setattr(Worker, "run", failing)
    made = operator(FakeCluster())
    with pytest.raises(RuntimeError, match="gave up"):
        await asyncio.wait_for(made.run(), PATIENCE_S)


async def test_everything_is_looked_at_again_even_if_no_event_comes() -> None:
    cluster = FakeCluster()
    made = operator(cluster)
    seen: list[str] = []
    made.worker.reconcile = lambda key: seen.append(key.name)  # type: ignore[assignment, func-returns-value]
    for kind, name in ((TESTS, "a"), (RUNS, "b")):
        cluster.apply(kind, {"metadata": {"name": name, "namespace": "voice"}, "spec": {}})
    task = asyncio.create_task(made.run())
    await until(lambda: {"a", "b"} <= set(seen))
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_everything_is_not_looked_at_all_at_once_but_at_the_start(monkeypatch) -> None:
    cluster = FakeCluster()
    made = operator(cluster, "--resync-seconds", "0.4")
    added: list[tuple[str, float]] = []
    monkeypatch.setattr(Worker, "add", lambda _, key: added.append((key.name, time.monotonic())))
    for name in "abcd":
        cluster.apply(TESTS, {"metadata": {"name": name, "namespace": "voice"}, "spec": {}})
    task = asyncio.create_task(made.run())
    await until(lambda: len(added) >= 16)
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)
    first, *_, last = added[-4:]
    assert {name for name, _ in added[-4:]} == set("abcd")
    # From when each was put on the queue, and not from when a thread had time for it: a pause is never shorter.
    assert last[1] - first[1] >= 0.299


async def test_a_test_that_was_deleted_while_nobody_watched_leaves_no_series() -> None:
    made = operator(FakeCluster())
    made.metrics.show_test(("voice", "gone"), spec(), CallTestStatus(), created=CREATED)
    task = asyncio.create_task(made.run())
    await until(lambda: made.metrics.tests == set() and made.resynced_at is not None)
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)
