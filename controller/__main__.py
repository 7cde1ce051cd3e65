"""The operator: settings, then /healthz and the preflight, then kopf's watches and the reconcile loop."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from dataclasses import dataclass, field

from controller.kube.cluster import RUNS, TESTS, Cluster, ClusterError, connect
from controller.operator import handlers, preflight, web
from controller.operator.metrics import Metrics
from controller.operator.reconcile import Reconciler
from controller.operator.settings import Settings, from_process
from controller.operator.worker import Worker
from controller.operator.workqueue import Key

LOG = logging.getLogger("controller")
PREFLIGHT_EVERY_S = 60.0
UNREACHABLE_EVERY_S = 5.0


@dataclass(slots=True, kw_only=True)
class Operator:
    """The parts of the running operator."""

    settings: Settings
    cluster: Cluster
    metrics: Metrics
    reconciler: Reconciler
    worker: Worker
    not_ready: str = "starting"
    was_asked: bool = False
    """The API server answered the last preflight."""
    resynced_at: float | None = None
    """Unix time; None: not yet."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until stopped."""
        stopped = asyncio.create_task(self.stop.wait())
        granted = asyncio.create_task(self._until_granted())
        await asyncio.wait([stopped, granted], return_when=asyncio.FIRST_COMPLETED)
        if self.stop.is_set():
            granted.cancel()
            return
        granted.result()
        ready = asyncio.Event()
        background = [
            asyncio.create_task(self.worker.run(), name="worker"),
            asyncio.create_task(self._resync(), name="resync"),
            asyncio.create_task(self._preflight(), name="preflight"),
        ]
        watches = handlers.registry(self.worker.add, self.reconciler.saw_pod)
        watching = asyncio.create_task(handlers.watch(self.settings.namespaces, watches, self.stop, ready))
        # Whichever ends, the process ends: the kubelet starts a fresh one.
        done, _ = await asyncio.wait([watching, *background], return_when=asyncio.FIRST_COMPLETED)
        self.stop.set()
        for task in background:
            task.cancel()
        await asyncio.gather(watching, *background, return_exceptions=True)
        for task in done:
            task.result()

    async def _until_granted(self) -> None:
        while True:
            if await self._is_granted():
                return
            await asyncio.sleep(PREFLIGHT_EVERY_S if self.was_asked else UNREACHABLE_EVERY_S)

    async def _preflight(self) -> None:
        while True:
            await asyncio.sleep(PREFLIGHT_EVERY_S)
            await self._is_granted()

    async def _is_granted(self) -> bool:
        """Asks for every permission; says what is missing, once here and on /readyz until it is granted."""
        try:
            lacking = await asyncio.to_thread(preflight.missing, self.cluster, self.settings.namespaces)
            fault = preflight.report(lacking)
            if not fault:
                fault = await asyncio.to_thread(preflight.uninstalled, self.cluster, self.settings.namespaces)
            self.was_asked = True
        except ClusterError as error:
            self.was_asked = False
            fault = f"cannot ask for our permissions: {error}"
        if fault:
            LOG.error("%s", fault)
        elif self.not_ready:
            LOG.info("every permission is granted")
        self.not_ready = fault
        return not fault

    async def _resync(self) -> None:
        """Everything again, every so often: an event can be lost, and deletions during a restart always are."""
        while True:
            try:
                shown = self.metrics.tests
                for namespace in self.settings.namespaces or ("",):
                    for item in await asyncio.to_thread(self.cluster.list, TESTS, namespace):
                        test = (item["metadata"]["namespace"], item["metadata"]["name"])
                        shown.discard(test)
                        self.worker.add(Key("CallTest", *test))
                    for item in await asyncio.to_thread(self.cluster.list, RUNS, namespace):
                        self.worker.add(Key("CallTestRun", item["metadata"]["namespace"], item["metadata"]["name"]))
                for test in shown:  # deleted while nobody watched
                    self.worker.add(Key("CallTest", *test))
                self.resynced_at = time.time()
            except ClusterError as error:
                LOG.warning("resync: %s", error)
            await asyncio.sleep(self.settings.resync_s)


def _health(worker: Worker) -> str:
    stuck_s = worker.stuck_for_s()
    return f"the reconcile loop has been stuck for {stuck_s:.0f} s" if stuck_s else ""


async def operate(settings: Settings) -> None:
    """Runs the operator until SIGTERM or SIGINT."""
    metrics = Metrics()
    cluster = connect()
    reconciler = Reconciler(cluster=cluster, settings=settings, metrics=metrics)
    worker = Worker(reconcile=reconciler.reconcile, observe=metrics.observe_reconcile)
    operator = Operator(settings=settings, cluster=cluster, metrics=metrics, reconciler=reconciler, worker=worker)
    metrics.show(
        "calltest_operator_last_resync_timestamp_seconds",
        "When everything was last looked at (Unix time).",
        lambda: operator.resynced_at,
    )
    metrics.show("calltest_operator_queue_length", "Objects that wait to be reconciled.", lambda: len(worker.queue))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, operator.stop.set)
    checks: dict[str, web.Check] = {"/healthz": lambda: _health(worker), "/readyz": lambda: operator.not_ready}
    server = web.serve(web.application(metrics.registry, checks), settings.host, settings.port)
    LOG.info("serving %s", ", ".join(settings.namespaces) or "all namespaces")
    try:
        await operator.run()
    finally:
        server.shutdown()


def main() -> None:
    """`python -m controller`."""
    settings = from_process(sys.argv[1:])
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("kopf").setLevel(logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(operate(settings))
        except ClusterError as error:
            sys.exit(f"calltest: {error}")


if __name__ == "__main__":
    main()
