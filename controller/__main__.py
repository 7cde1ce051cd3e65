"""The operator: settings, then /healthz and the preflight, then kopf, our own watches and the reconcile loop."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from controller.kube.cluster import PODS, TESTS, Cluster, ClusterError, Kind, Raw, connect
from controller.kube.history import SetBackError
from controller.kube.look import Look
from controller.kube.watch import Scope, Watch
from controller.operator import handlers, preflight, web
from controller.operator.metrics import Metrics
from controller.operator.reconcile import Reconciler
from controller.operator.settings import Settings, from_process
from controller.operator.wake import Wake
from controller.operator.worker import Worker
from controller.operator.workqueue import Key

LOG = logging.getLogger("controller")
PREFLIGHT_EVERY_S = 60.0
UNREACHABLE_EVERY_S = 5.0
SYNC_EVERY_S = 0.1
SET_BACK_EVERY_S = 1.0
READING = "reading what there is"


@dataclass(slots=True, kw_only=True)
class Operator:
    """The parts of the running operator."""

    settings: Settings
    cluster: Cluster
    metrics: Metrics
    reconciler: Reconciler
    worker: Worker
    lacking: str = "starting"
    """What the preflight found; '' when every permission is granted."""
    is_synced: bool = False
    """All was read once."""
    watches: list[Watch] = field(default_factory=list)
    kopf: handlers.Listening | None = None
    was_asked: bool = False
    """The API server answered the last preflight."""
    resynced_at: float | None = None
    """Unix time; None: not yet."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def not_ready(self) -> str:
        """For /readyz."""
        return self.lacking or ("" if self.is_synced else READING)

    async def run(self) -> None:
        """Until stopped."""
        stopped = asyncio.create_task(self.stop.wait())
        granted = asyncio.create_task(self._until_granted())
        await asyncio.wait([stopped, granted], return_when=asyncio.FIRST_COMPLETED)
        if self.stop.is_set():
            granted.cancel()
            return
        granted.result()
        background: list[asyncio.Task[None]] = [
            asyncio.create_task(self._work(), name="worker"),
            asyncio.create_task(self._preflight(), name="preflight"),
        ]
        # Whichever ends, the process ends: the kubelet starts a fresh one.
        done, _ = await asyncio.wait([stopped, *background], return_when=asyncio.FIRST_COMPLETED)
        self.stop.set()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        self._end_watches()
        for task in background:
            if task in done:
                task.result()

    async def _work(self) -> None:
        """Watches, and once all was read, reconciles: what is not known yet must not be taken for absent."""
        loop = asyncio.get_running_loop()
        wake = self.reconciler.wake(lambda key: _call(loop, self.worker.add, key))
        store = self.reconciler.store
        for scope in self.reconciler.scopes:
            # kopf tells of the other kinds.
            watching = Watch if scope.kind == PODS else Look
            watch = watching(cluster=self.cluster, scope=scope, sink=store)
            self.watches.append(watch)
            watch.start()
            # One after the other: pods of finished runs are none of ours.
            while not store.is_synced(scope):  # noqa: ASYNC110 - a thread fills it
                await asyncio.sleep(SYNC_EVERY_S)
        self.kopf = handlers.Listening(namespaces=self.settings.namespaces, heard=self._heard, ended=self._list_again)
        self.kopf.start()
        self.is_synced = True
        LOG.info("all was read")
        await _together(self.worker.run(), self._resync(wake), self._until_set_back())

    def _heard(self, kind: Kind, what: str, obj: Raw) -> None:
        """From kopf, in its thread."""
        namespace = str(obj["metadata"].get("namespace") or "") if self.settings.namespaces else ""
        self.reconciler.store.changed(Scope(kind=kind, namespace=namespace), what, obj)

    def _list_again(self) -> None:
        for watch in self.watches:
            if isinstance(watch, Look):
                watch.again()

    def _end_watches(self) -> None:
        for watch in self.watches:
            watch.stop.set()
        if self.kopf is not None:
            self.kopf.stop()

    async def _until_set_back(self) -> None:
        """SetBackError once the API server is not the one that was read: a fresh process reads what there is now."""
        history = self.reconciler.store.history
        while not history.fault:
            await asyncio.sleep(SET_BACK_EVERY_S)
            if history.is_in_doubt:
                await asyncio.to_thread(history.confirm, self.cluster)
        raise SetBackError(history.fault)

    async def _until_granted(self) -> None:
        while True:
            if await self._is_granted():
                return
            await asyncio.sleep(PREFLIGHT_EVERY_S if self.was_asked else UNREACHABLE_EVERY_S)

    async def _preflight(self) -> None:
        while True:
            await asyncio.sleep(PREFLIGHT_EVERY_S)
            await self._is_granted()
            with contextlib.suppress(ClusterError):  # its watch says so
                await asyncio.to_thread(self._ask_history)

    def _ask_history(self) -> None:
        namespace = (self.settings.namespaces or ("",))[0]
        self.reconciler.store.history.ask(self.cluster, TESTS, namespace)

    async def _is_granted(self) -> bool:
        """Asks for every permission; says what is missing, once here and on /readyz until it is granted."""
        try:
            lacking = await asyncio.to_thread(preflight.missing, self.cluster, self.settings.namespaces)
            fault = preflight.report(lacking)
            if not fault:
                fault = self._vanished() if self.is_synced else await self._uninstalled()
            self.was_asked = True
        except ClusterError as error:
            self.was_asked = False
            fault = f"cannot ask for our permissions: {error}"
        if fault:
            LOG.error("%s", fault)
        elif self.lacking:
            LOG.info("every permission is granted")
            if self.kopf is not None:  # it has given up on what did not exist
                self.kopf.restart()
        self.lacking = fault
        return not fault

    async def _uninstalled(self) -> str:
        return await asyncio.to_thread(preflight.uninstalled, self.cluster, self.settings.namespaces)

    def _vanished(self) -> str:
        """Kinds that are no longer there, as the looks say; asking would be two lists a minute."""
        errors = [self.reconciler.store.error(scope) for scope in self.reconciler.scopes]
        return "; ".join(sorted({str(error) for error in errors if error is not None and error.gone}))

    async def _resync(self, wake: Wake) -> None:
        """Everything again, every so often, by what the store has: time passes, and an event can be lost.

        One after the other over that time: a run under way must not wait each time until a thousand were looked at.
        """
        over_s = 0.0
        while True:
            deleted = self.metrics.tests - set(self.reconciler.store.names(TESTS))  # while nobody watched
            keys = [*wake.everything(), *(Key("CallTest", *test) for test in deleted)]
            for key in keys:
                self.worker.add(key)
                await asyncio.sleep(over_s / len(keys))
            await asyncio.sleep(0.0 if keys else over_s)
            self.reconciler.targets.forget_unused()
            self.resynced_at, over_s = time.time(), self.settings.resync_s


async def _together(*works: Coroutine[None, None, None]) -> None:
    """Until one fails: the others are ended, too, before that is said."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _call(loop: asyncio.AbstractEventLoop, add: Callable[[Key], None], key: Key) -> None:
    """From a watch's or worker's thread; the loop may have ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(add, key)


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
        except (ClusterError, SetBackError) as error:
            sys.exit(f"calltest: {error}")


if __name__ == "__main__":
    main()
