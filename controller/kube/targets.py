"""The namespaces of targets, watched while somebody looks at them; read directly as long as they cannot be watched."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.kube.cluster import ENDPOINT_SLICES, PODS, SERVICES, Cluster, ClusterError, Kind, Raw
from controller.kube.snapshot import Reader
from controller.kube.store import Store
from controller.kube.watch import Scope, Watch

LOG = logging.getLogger(__name__)
KEPT_S: Final = 600.0
"""How long a namespace is watched after the last look at it."""
MOST: Final = 64
"""Namespaces that are watched at a time: each costs three threads and connections, and memory for all that is in it."""
RETRY_S: Final = 15.0
"""After a thread could not be started."""
KINDS: Final = (PODS, SERVICES, ENDPOINT_SLICES)


@dataclass(slots=True)
class _Watched:
    wanted_s: float
    watches: tuple[Watch, ...]


@dataclass(frozen=True, slots=True)
class _Permitted:
    """The API server, but for the lists that it refused to a watch. To get one object is another permission."""

    cluster: Cluster
    refused: Mapping[Kind, ClusterError]

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """See Reader."""
        return self.cluster.get(kind, namespace, name)

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        """See Reader."""
        if kind in self.refused:
            raise self.refused[kind]
        return self.cluster.list(kind, namespace, selector)


@dataclass(slots=True, kw_only=True)
class TargetWatches:
    """By namespace. Thread-safe."""

    cluster: Cluster
    store: Store
    always: frozenset[Scope] = frozenset()
    """Those that are watched anyway."""
    now: Callable[[], float] = time.monotonic
    start: Callable[[Watch], None] = Watch.start
    wanted: Callable[[], Collection[str]] = frozenset
    """Namespaces that somebody wants to hear of, however long ago he looked."""
    _held: dict[str, _Watched] = field(default_factory=dict)
    _ending: dict[str, tuple[Watch, ...]] = field(default_factory=dict)
    """They were told to end, and some thread of them is still there; none of these namespaces is held."""
    _retry_s: float = 0.0
    """No watch is started before."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reader(self, namespace: str) -> Reader:
        """Where to read what is in a namespace now: the store, or the API server until all of it is there.

        ClusterError, now or as it is read, where a watch was refused: it asks again, now and then, and not each look.
        """
        self._want(namespace)
        scopes = [Scope(kind=kind, namespace=namespace) for kind in KINDS]
        if all(self.store.is_synced(scope) for scope in scopes):
            return self.store
        errors = {scope.kind: self.store.error(scope) for scope in scopes}
        refused = {kind: each for kind, each in errors.items() if each and each.status == 403 and each.verb == "GET"}
        if PODS in refused:  # without them there is no target
            raise refused[PODS]
        return _Permitted(self.cluster, refused) if refused else self.cluster

    def is_watched(self, namespace: str) -> bool:
        """What changes there is heard of."""
        return all(self.store.is_synced(Scope(kind=kind, namespace=namespace)) for kind in KINDS)

    def forget_unused(self) -> None:
        """Ends watches that nobody needs any more."""
        with self._lock:
            self._forget_ended()
            for name in self._spare():
                if self.now() > self._held[name].wanted_s + KEPT_S:
                    self._end(name)

    def _want(self, namespace: str) -> None:
        with self._lock:
            if held := self._held.get(namespace):
                held.wanted_s = self.now()
                return
            if self.now() < self._retry_s or not self._has_room(namespace):
                return
            scopes = {Scope(kind=kind, namespace=namespace) for kind in KINDS} - self.always
            watches = tuple(Watch(cluster=self.cluster, scope=scope, sink=self.store) for scope in scopes)
            self._held[namespace] = _Watched(self.now(), watches)
            try:
                for watch in watches:
                    self.start(watch)
            except RuntimeError as error:  # there may be no more threads
                LOG.warning("namespace %s is read, and not watched: %s", namespace, error)
                self._retry_s = self.now() + RETRY_S
                self._end(namespace)

    def _has_room(self, namespace: str) -> bool:
        """For this one more. If need be, the one that was not used for longest ends: there is room once it has.

        One at a time: where ever more are wanted in turn, all would be ending, and none watched.
        """
        self._forget_ended()
        spare = self._spare()
        if len(self._held) >= MOST and spare and not self._ending:
            self._end(spare[0])
            self._forget_ended()
        # The old threads of a namespace may still speak, and would be taken for its new ones.
        return namespace not in self._ending and len(self._held) + len(self._ending) < MOST

    def _spare(self) -> list[str]:
        """Those that nobody waits to hear of, the longest unused first."""
        wanted = self.wanted()
        return sorted((name for name in self._held if name not in wanted), key=lambda name: self._held[name].wanted_s)

    def _end(self, namespace: str) -> None:
        self._ending[namespace] = self._held.pop(namespace).watches
        for watch in self._ending[namespace]:
            watch.stop.set()
            self.store.drop(watch.scope)

    def _forget_ended(self) -> None:
        for namespace, watches in list(self._ending.items()):
            if not any(watch.is_running for watch in watches):
                del self._ending[namespace]
                for watch in watches:  # it may have begun a list after it was dropped
                    self.store.drop(watch.scope)
