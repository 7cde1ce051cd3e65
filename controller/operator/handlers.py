"""kopf watches CallTests and runs, and what it hears goes into the store. The only importer of kopf.

kopf keeps no state in our objects this way: no annotations, no finalizers, and nothing that a restart could lose.
"""

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import kopf

from controller.kube.cluster import RUNS, TESTS, Kind, Raw

LOG = logging.getLogger(__name__)
TOLD_BY_US: Final = ("kopf._core.reactor.orchestration", "kopf._core.reactor.running")
"""kopf's loggers with two tracebacks of what ended it, and a word each time that it leaves signals to us."""
Heard = Callable[[Kind, str, Raw], None]
"""Of a kind: ADDED, MODIFIED or DELETED, and the object."""
IDENTITY: Final = "calltest-operator"
REQUEST_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 5.0
FIRST_DELAY_S: Final = 1.0
LAST_DELAY_S: Final = 60.0
STEADY_S: Final = 300.0
"""After so long without a fault, the next one is a first one."""


def registry(heard: Heard) -> kopf.OperatorRegistry:
    """The watches: tests and runs."""
    handlers = kopf.OperatorRegistry()
    # The same credentials as `controller.kube.cluster` uses: a pod's ServiceAccount, else the kubeconfig.
    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.event(TESTS.group, TESTS.version, TESTS.plural, registry=handlers)
    async def test_changed(event: kopf.RawEvent, **_: Any) -> None:
        heard(TESTS, event["type"] or "ADDED", dict(event["object"]))

    @kopf.on.event(RUNS.group, RUNS.version, RUNS.plural, registry=handlers)
    async def run_changed(event: kopf.RawEvent, **_: Any) -> None:
        heard(RUNS, event["type"] or "ADDED", dict(event["object"]))

    return handlers


def settings() -> kopf.OperatorSettings:
    """Kopf with a namespaced Role, without peering; each value was tried on a real API server."""
    tuned = kopf.OperatorSettings()
    tuned.scanning.disabled = True
    tuned.peering.standalone = True
    tuned.networking.request_timeout = REQUEST_TIMEOUT_S
    tuned.networking.connect_timeout = CONNECT_TIMEOUT_S
    # A watch that says nothing for a minute is dead: the server ends a live one before that.
    tuned.watching.server_timeout = 50
    tuned.watching.client_timeout = 60
    tuned.watching.connect_timeout = 10
    tuned.watching.reconnect_backoff = 1
    # kopf lists everything as it starts, and its worker of each object holds the body for as long as it idles.
    tuned.watching.chunk_size = 100
    tuned.queueing.idle_timeout = 0.1
    tuned.posting.enabled = False
    return tuned


async def watch(namespaces: tuple[str, ...], handlers: kopf.OperatorRegistry, stop: asyncio.Event) -> None:
    """Watches until `stop`, or until kopf gives up; no namespaces given: all of them."""
    await kopf.operator(
        registry=handlers,
        settings=settings(),
        # Without peering nobody reads it; left out, kopf asks for the user's name, and a container may have none.
        identity=IDENTITY,  # type: ignore[arg-type]  # a NewType that kopf does not export
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )


@dataclass(slots=True, kw_only=True)
class Listening:
    """kopf, started again whenever it ends, in a thread and loop of its own.

    As it ends, it cancels whatever was started in its loop since it began; and an HTTP 410 to its watch ends it.
    """

    namespaces: tuple[str, ...]
    heard: Heard
    ended: Callable[[], None]
    """Told each time that kopf ended by itself: what happens until it is back, only a list tells."""
    jitter: Callable[[], float] = random.random
    """0 to 1."""
    stopped: threading.Event = field(default_factory=threading.Event)
    _running: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def start(self) -> None:
        """In the background; the process does not wait for it."""
        threading.Thread(target=self.run, name="kopf", daemon=True).start()

    def stop(self) -> None:
        """For good; from any thread."""
        self.stopped.set()
        self.restart()

    def restart(self) -> None:
        """What it watches is looked up anew, where that may have changed; from any thread."""
        if self._running is not None:
            loop, flag = self._running
            with contextlib.suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(flag.set)

    def run(self) -> None:
        """Until stopped."""
        for name in TOLD_BY_US:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        failures = 0
        while not self.stopped.is_set():
            begun_s = time.monotonic()
            fault = self._once()
            if self.stopped.is_set():
                return
            failures = 1 if time.monotonic() - begun_s > STEADY_S else failures + 1
            delay_s = delay(failures, self.jitter())
            LOG.warning("kopf ended: %s; all is listed again, and kopf started in %.1f s", fault, delay_s)
            self.ended()
            self.stopped.wait(delay_s)

    def _once(self) -> str:
        """Why it ended."""
        try:
            asyncio.run(self._watch())
        except Exception as error:
            LOG.debug("kopf ended", exc_info=True)
            return f"{type(error).__name__}: {error}"
        return "it was told to, or nobody knows why"

    async def _watch(self) -> None:
        flag = asyncio.Event()
        self._running = asyncio.get_running_loop(), flag
        if self.stopped.is_set():
            return
        await watch(self.namespaces, registry(self.heard), flag)


def delay(failures: int, jitter: float) -> float:
    """Seconds until the next start, longer each time, half of it by chance (`jitter`, 0 to 1)."""
    longest_s: float = min(FIRST_DELAY_S * 2 ** min(failures - 1, 10), LAST_DELAY_S)
    return longest_s * (0.5 + jitter / 2)
