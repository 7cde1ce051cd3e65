"""Takes keys off the queue and reconciles them, in threads; knows whether it is stuck."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from controller.kube.cluster import ClusterError
from controller.operator.workqueue import Key, WorkQueue

LOG = logging.getLogger(__name__)
PARALLEL: Final = 10
"""Reconciles at the same time, each with at most one API request under way."""
STUCK_S: Final = 300.0
"""A reconcile makes some dozen requests of at most 35 s each; one that takes longer hangs."""
IDLE_S: Final = 1.0
"""The loop turns at least this often, so that its stillness can be told from having nothing to do."""

Reconcile = Callable[[Key], float | None]
"""Does what is to be done for a key; returns the seconds until it wants to be called again, if it does."""
Observe = Callable[[Key, float, bool], None]
"""Told of each reconcile: its key, how long it took in seconds, whether it went well."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """The reconcile loop. `add` and `run` belong to the event loop's thread; `stuck_for_s` to any."""

    reconcile: Reconcile
    observe: Observe
    queue: WorkQueue = field(default_factory=WorkQueue)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: dict[Key, asyncio.Task[None]] = field(default_factory=dict)
    _started_s: dict[Key, float] = field(default_factory=dict)
    _turned_s: float | None = None
    """When the loop turned last; None: it has not begun (the preflight may keep it waiting for long)."""

    def add(self, key: Key) -> None:
        """Wants a key reconciled now."""
        self.queue.add(key, due_s=time.monotonic())
        self._wake.set()

    async def run(self) -> None:
        """Reconciles until cancelled; then waits for what is under way, so that nothing is half done without need."""
        try:
            while True:
                self._turned_s = time.monotonic()
                self._start_due()
                await self._sleep()
        finally:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def stuck_for_s(self) -> float:
        """How long the loop or a reconcile has been hanging; 0 while all is well."""
        now_s = time.monotonic()
        oldest_s = max((now_s - started_s for started_s in list(self._started_s.values())), default=0.0)
        stillness_s = 0.0 if self._turned_s is None else now_s - self._turned_s
        return max(oldest_s if oldest_s > STUCK_S else 0.0, stillness_s if stillness_s > 30 * IDLE_S else 0.0)

    def _start_due(self) -> None:
        while len(self._tasks) < PARALLEL and (key := self.queue.take(now_s=time.monotonic())) is not None:
            self._started_s[key] = time.monotonic()
            self._tasks[key] = asyncio.create_task(self._work(key), name=str(key))

    async def _sleep(self) -> None:
        """Until something is added or done, or the next key is due."""
        due_s = self.queue.next_due_s()
        wait_s = IDLE_S if due_s is None or len(self._tasks) >= PARALLEL else due_s - time.monotonic()
        self._wake.clear()
        # A key that is due but still worked on must not turn the loop at full speed. Not asyncio.wait_for: before
        # Python 3.12 it can swallow a cancellation, and the operator would not end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(wait_s, 0.01), IDLE_S)):
                await self._wake.wait()

    async def _work(self, key: Key) -> None:
        succeeded = False
        try:
            again_s = await asyncio.to_thread(self.reconcile, key)
            self.queue.done(key, now_s=time.monotonic(), again_s=again_s)
            succeeded = True
        except ClusterError as error:
            delay_s = self.queue.failed(key, now_s=time.monotonic())
            # A conflict means that something changed since it was read: normal, and read again at once.
            level = logging.DEBUG if error.conflict else logging.WARNING
            LOG.log(level, "%s %s/%s: %s; again in %g s", key.kind, key.namespace, key.name, error, delay_s)
        except Exception:
            delay_s = self.queue.failed(key, now_s=time.monotonic())
            LOG.exception("%s %s/%s: again in %g s", key.kind, key.namespace, key.name, delay_s)
        finally:
            self.observe(key, time.monotonic() - self._started_s.pop(key), succeeded)
            del self._tasks[key]
            self._wake.set()
