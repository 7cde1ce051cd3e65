"""The operator's life: nothing starts before access is granted, and whatever ends, the process ends."""

import asyncio

import pytest

from controller import __main__ as main
from controller.__main__ import Operator
from controller.api.calltest_status import CallTestStatus
from controller.kube.cluster import ClusterError
from controller.operator.metrics import Metrics
from controller.operator.reconcile import Reconciler
from controller.operator.worker import Worker
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.measured import CREATED, spec
from tests.unit.controller.world import settings


class Watches:
    """Stands for kopf: watches until it is told to stop."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.error: Exception | None = None

    async def watch(self, namespaces, handlers, stop, ready) -> None:
        self.started.set()
        if self.error:
            raise self.error
        await stop.wait()


def operator(cluster: FakeCluster) -> Operator:
    metrics = Metrics()
    reconciler = Reconciler(cluster=cluster, settings=settings(), metrics=metrics)
    worker = Worker(reconcile=reconciler.reconcile, observe=metrics.observe_reconcile)
    return Operator(settings=settings(), cluster=cluster, metrics=metrics, reconciler=reconciler, worker=worker)


@pytest.fixture
def watches(monkeypatch) -> Watches:
    made = Watches()
    monkeypatch.setattr(main.handlers, "watch", made.watch)
    monkeypatch.setattr(main, "PREFLIGHT_EVERY_S", 0.02)
    monkeypatch.setattr(main, "UNREACHABLE_EVERY_S", 0.01)
    return made


async def test_it_works_until_it_is_stopped(watches: Watches) -> None:
    made = operator(FakeCluster())
    task = asyncio.create_task(made.run())
    await asyncio.wait_for(watches.started.wait(), 5)
    assert made.not_ready == ""
    made.stop.set()
    await asyncio.wait_for(task, 5)


async def test_without_access_nothing_is_watched_until_it_is_granted(watches: Watches) -> None:
    cluster = FakeCluster()
    cluster.denied = {("get", "pods/log")}
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await asyncio.sleep(0.1)
    assert not watches.started.is_set()
    assert "get pods/log in namespace voice" in made.not_ready
    assert made.worker.stuck_for_s() == 0
    cluster.denied = set()
    await asyncio.wait_for(watches.started.wait(), 5)
    assert made.not_ready == ""
    cluster.denied = {("create", "pods")}
    await asyncio.sleep(0.1)
    assert "create pods" in made.not_ready, "access that is taken away later is said too"
    made.stop.set()
    await asyncio.wait_for(task, 5)


async def test_it_can_be_stopped_while_it_waits_for_access(watches: Watches) -> None:
    cluster = FakeCluster()
    cluster.denied = {("get", "pods/log")}
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await asyncio.sleep(0.05)
    made.stop.set()
    await asyncio.wait_for(task, 5)
    assert not watches.started.is_set()


async def test_an_api_server_that_does_not_answer_is_asked_again(watches: Watches, monkeypatch) -> None:
    cluster = FakeCluster()
    real, answers = cluster.allowed, iter([False])

    def allowed(*arguments) -> bool:
        if not next(answers, True):
            raise ClusterError("POST", "selfsubjectaccessreviews", 0, "connection refused")
        return real(*arguments)

    monkeypatch.setattr(cluster, "allowed", allowed)
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    await asyncio.wait_for(watches.started.wait(), 5)
    made.stop.set()
    await asyncio.wait_for(task, 5)


async def test_when_the_watches_fail_the_process_ends_with_their_error(watches: Watches) -> None:
    watches.error = RuntimeError("kopf gave up")
    with pytest.raises(RuntimeError, match="kopf gave up"):
        await asyncio.wait_for(operator(FakeCluster()).run(), 5)


async def test_everything_is_looked_at_again_even_if_no_event_comes(watches: Watches) -> None:
    cluster = FakeCluster()
    made = operator(cluster)
    seen: list[str] = []
    made.worker.reconcile = lambda key: seen.append(key.name)  # type: ignore[assignment, func-returns-value]
    for kind, name in ((main.TESTS, "a"), (main.RUNS, "b")):
        cluster.apply(kind, {"metadata": {"name": name, "namespace": "voice"}, "spec": {}})
    task = asyncio.create_task(made.run())
    for _ in range(100):
        await asyncio.sleep(0.02)
        if len(seen) == 2:
            break
    assert sorted(seen) == ["a", "b"]
    made.stop.set()
    await asyncio.wait_for(task, 5)


async def test_a_test_that_was_deleted_while_nobody_watched_leaves_no_series(watches: Watches) -> None:
    made = operator(FakeCluster())
    made.metrics.show_test(("voice", "gone"), spec(), CallTestStatus(), created=CREATED)
    task = asyncio.create_task(made.run())
    for _ in range(100):
        await asyncio.sleep(0.02)
        if not made.metrics.tests:
            break
    assert made.metrics.tests == set()
    assert made.resynced_at is not None
    made.stop.set()
    await asyncio.wait_for(task, 5)
