"""One watch: all objects of a kind in a namespace, as they are and as they change, whatever happens to the connection.

The API server ends each watch after WATCH_S by itself, with a bookmark before that: one that says nothing for longer is
dead, and is given up. Where the version that it would go on from is too old (410), or after anything odd, all is listed
again, so that what a watch missed is never missed for good.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from controller.kube.cluster import Cluster, ClusterError, Kind, Raw

LOG = logging.getLogger(__name__)
WATCH_S: Final = 50
"""How long a watch may last. An idle one costs a request so often, and a silent one is noticed so soon."""
FIRST_DELAY_S: Final = 0.5
LAST_DELAY_S: Final = 30.0
DENIED_DELAY_S: Final = 15.0
"""Until a namespace without permission is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one watch sees."""

    kind: Kind
    namespace: str
    """'' for all of them."""
    selector: str = ""
    """Of labels, as the API takes it."""

    def __str__(self) -> str:
        return f"{self.kind.plural} in {self.namespace or 'all namespaces'}"


class Sink(Protocol):
    """Who is told. Each call is of one scope, and they come one after the other."""

    def begin(self, scope: Scope) -> None:
        """All objects follow, by `listed`, until `end`."""
        ...

    def listed(self, scope: Scope, items: list[Raw]) -> None:
        """Some of them."""
        ...

    def end(self, scope: Scope, version: int) -> None:
        """That was all of them, as of a resource version: what was not among them is gone."""
        ...

    def changed(self, scope: Scope, kind: str, obj: Raw) -> None:
        """One was ADDED, MODIFIED or DELETED."""
        ...

    def opened(self, scope: Scope) -> None:
        """What happens from now on is heard."""
        ...

    def failed(self, scope: Scope, error: ClusterError) -> None:
        """For now nothing is heard of it."""
        ...


@dataclass(slots=True, kw_only=True)
class Watch:
    """One scope, watched in a thread of its own until `stop`."""

    cluster: Cluster
    scope: Scope
    sink: Sink
    stop: threading.Event = field(default_factory=threading.Event)
    jitter: Callable[[], float] = random.random
    """0 to 1."""
    now: Callable[[], float] = time.monotonic
    lasts_s: int = WATCH_S
    _thread: threading.Thread | None = None
    _version: str = ""
    """To go on from; '': all is to be listed."""
    _failures: int = 0
    _said: str = ""
    """The last failure, as logged: the same one is not logged again."""

    def start(self) -> None:
        """In the background; the process does not wait for it."""
        self._thread = threading.Thread(target=self.run, name=f"watch {self.scope}", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Also after `stop`, until the API server says something or ends it: up to WATCH_S, and some seconds."""
        return self._thread is not None and self._thread.is_alive()

    def run(self) -> None:
        """Until stopped."""
        while not self.stop.is_set():
            self.stop.wait(self.attempt())

    def attempt(self) -> float:
        """One turn, whatever comes of it; how long to wait before the next one."""
        try:
            # A server that ends each watch at once, and says nothing in it, must not be asked in a tight loop. One that
            # has nothing to say sends no bookmark either, where nothing of that kind happened since it started.
            return 0.0 if self.turn() else self._delay_s()
        except ClusterError as error:
            return self._after(error)
        except Exception as error:
            LOG.exception("watch of %s", self.scope)
            self.sink.failed(self.scope, ClusterError("WATCH", self.scope.kind.plural, 0, repr(error)))
        self._version = ""
        return self._delay_s()

    def turn(self) -> bool:
        """Lists where there is no version to go on from, then watches once; False where it ended at once."""
        scope = self.scope
        if not self._version:
            self._version = self._list()
        if self.stop.is_set():
            return True
        events = self.cluster.watch(scope.kind, scope.namespace, self._version, scope.selector, self.lasts_s)
        self.sink.opened(self.scope)
        count, begun_s = 0, self.now()
        for event in events:
            if self.stop.is_set():
                return True
            self._take(event)
            count += 1
        if was_open := count > 0 or self.now() > begun_s + self.lasts_s / 2:
            self._failures, self._said = 0, ""
        return was_open

    @property
    def is_going_on(self) -> bool:
        """Nothing needs to be listed."""
        return bool(self._version)

    def forget(self) -> None:
        """All is listed again in the next turn. Not while one goes on."""
        self._version = ""

    def _list(self) -> str:
        scope, version = self.scope, ""
        self.sink.begin(scope)
        for page in self.cluster.pages(scope.kind, scope.namespace, scope.selector):
            if self.stop.is_set():
                return ""
            self.sink.listed(scope, page.items)
            version = version or page.version
        if self.stop.is_set():
            return ""
        self.sink.end(scope, number(version))
        return version

    def _take(self, event: Raw) -> None:
        kind, obj = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            raise_status(obj, self.scope.kind)
        version = str((obj.get("metadata") or {}).get("resourceVersion") or "")
        if kind in {"ADDED", "MODIFIED", "DELETED"}:
            self.sink.changed(self.scope, str(kind), obj)
        self._version = version or self._version

    def _after(self, error: ClusterError) -> float:
        """How long to wait before it goes on."""
        self.sink.failed(self.scope, error)
        level = logging.INFO if error.status == 410 else logging.WARNING  # it was away for long: nothing is wrong
        LOG.log(logging.DEBUG if str(error) == self._said else level, "watch of %s: %s", self.scope, error)
        self._said = str(error)
        # Connections end, and servers restart: the next one goes on. Whether a silent one had missed something, only
        # a new list tells.
        if error.silent or error.status in {403, 410}:
            self._version = ""
        return DENIED_DELAY_S * (0.75 + self.jitter() / 2) if error.status == 403 else self._delay_s()

    def _delay_s(self) -> float:
        """Longer each time, half of it by chance: all operators of a cluster lose its API server at once."""
        self._failures += 1
        longest_s: float = min(FIRST_DELAY_S * 2 ** min(self._failures - 1, 10), LAST_DELAY_S)
        return longest_s * (0.5 + self.jitter() / 2)


def raise_status(status: Raw, kind: Kind) -> None:
    """What an ERROR event says; a 410 comes in a stream of status 200 too."""
    message = str(status.get("message") or "an error without a message")
    raise ClusterError("WATCH", kind.plural, int(status.get("code") or 0), message)


def number(version: object) -> int:
    """Resource versions of one API server grow (KEP-5504); one that is no number never wins."""
    text = str(version or "")
    return int(text) if text.isdecimal() else 0
