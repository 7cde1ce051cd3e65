"""What the watches saw, as small values with indexes: a reconcile asks here, and costs the same however much there is.

It may lag behind the API server, but never behind ourselves: what we write is taken in with the answer (`Known`). What
it says is gone was gone. Who concludes from what is there asks the API server for that one object.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from controller.api.test import CallTestSpec
from controller.kube.cluster import (
    ENDPOINT_SLICES,
    PODS,
    RUNS,
    SERVICES,
    TESTS,
    Cluster,
    ClusterError,
    Kind,
    Page,
    Raw,
)
from controller.kube.history import History
from controller.kube.projection import (
    OF_TEST,
    Found,
    KeptRun,
    KeptTest,
    kept_pod,
    kept_run,
    kept_service,
    kept_slice,
    kept_test,
    labels_of,
    unread_run,
    unread_test,
)
from controller.kube.watch import Scope, number

LOG = logging.getLogger(__name__)
Name = tuple[str, str]
"""Namespace and name."""
OBJECTS: Final[Mapping[Kind, Callable[[Raw], bytes]]] = {
    PODS: kept_pod,
    ENDPOINT_SLICES: kept_slice,
    SERVICES: kept_service,
}
UNREAD: Final[Mapping[Kind, Callable[[Raw], Any]]] = {TESTS: unread_test, RUNS: unread_run}
UNFINISHED: Final = ("unfinished run", "")
REMEMBERED: Final = 10_000
"""Objects that are known to be gone: many more than go in the time that a late word of one can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object."""

    version: int
    uid: str
    found: Found
    value: Any
    """KeptTest, KeptRun, or JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of an object."""

    kind: Kind
    name: Name
    before: Item | None
    after: Item | None
    raw: Raw | None
    """As the API server sent it last; None where it was only found missing."""


@dataclass(slots=True)
class _Heard:
    """Of one scope."""

    position: int = 0
    """Of its last list."""
    begun: int = 0
    """The latest version of its kind as that list began."""
    is_synced: bool = False
    error: ClusterError | None = None
    listing: set[Name] = field(default_factory=set)


@dataclass(slots=True)
class Store:
    """Thread-safe. `tell` is told of each change, outside the lock, by the thread that brought it."""

    tell: Callable[[Change], None] = lambda _: None
    history: History = field(default_factory=History)
    _items: dict[Kind, dict[Name, Item]] = field(default_factory=lambda: defaultdict(dict))
    _index: dict[tuple[Kind, str, str, str], set[Name]] = field(default_factory=lambda: defaultdict(set))
    _gone: dict[tuple[Kind, str, str], int] = field(default_factory=dict)
    """The version as of which an object was gone: several tell us of one, and not in order."""
    _heard: dict[Scope, _Heard] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # What is there

    def test(self, namespace: str, name: str) -> KeptTest | None:
        """A CallTest; None: there is none."""
        found: KeptTest | None = self._value(TESTS, (namespace, name))
        return found

    def run(self, namespace: str, name: str) -> KeptRun | None:
        """A run; None: there is none."""
        found: KeptRun | None = self._value(RUNS, (namespace, name))
        return found

    def runs_of(self, namespace: str, test: str) -> list[KeptRun]:
        """The runs that name this CallTest."""
        with self._lock:
            names = sorted(self._index.get((RUNS, namespace, OF_TEST, test), ()))
            return [self._items[RUNS][name].value for name in names]

    def unfinished(self) -> list[KeptRun]:
        """All runs without a verdict."""
        with self._lock:
            return [self._items[RUNS][name].value for name in sorted(self._index.get((RUNS, "", *UNFINISHED), ()))]

    def names(self, kind: Kind) -> list[Name]:
        """Of all objects of a kind."""
        with self._lock:
            return sorted(self._items[kind])

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """As Cluster.get, of a pod, an EndpointSlice or a Service; only what discovery reads is in it."""
        held = self._value(kind, (namespace, name))
        return msgspec.json.decode(held) if held is not None else None

    def selected(self, kind: Kind, namespace: str, selector: str) -> list[Item]:
        """The objects of a namespace with these labels, by name."""
        wanted = [part.partition("=") for part in selector.split(",") if part]
        with self._lock:
            held = self._items[kind]
            if not wanted:
                return [held[name] for name in sorted(held) if name[0] == namespace]
            sets = [self._index.get((kind, namespace, key, value), set()) for key, _, value in wanted]
            return [held[name] for name in sorted(set.intersection(*sets))]

    def error(self, scope: Scope) -> ClusterError | None:
        """Why a scope is not heard of now."""
        heard = self._heard.get(scope)
        return heard.error if heard is not None else None

    def is_synced(self, scope: Scope) -> bool:
        """All of it is here."""
        heard = self._heard.get(scope)
        return heard is not None and heard.is_synced and heard.error is None

    # What the watches say

    def begin(self, scope: Scope) -> None:
        """See watch.Sink."""
        heard = self._heard.setdefault(scope, _Heard())
        heard.listing, heard.begun = set(), self.history.latest(scope.kind)

    def listed(self, scope: Scope, items: list[Raw]) -> None:
        """See watch.Sink."""
        heard = self._heard.get(scope)
        if heard is None:  # dropped meanwhile
            return
        heard.listing |= {_name(raw) for raw in items}
        for raw in items:
            name, version = _name(raw), _version(raw)
            # What was there before the list was asked for may be in it as it is now, and not as it was before.
            if 0 < version < (known := self._known(scope.kind, name)) <= heard.begun:
                self.history.doubt(scope.kind, *name, known)
            self._put(scope.kind, raw)

    def end(self, scope: Scope, version: int) -> None:
        """See watch.Sink. What was written after the list was made stays."""
        heard = self._heard.get(scope)
        if heard is None:
            return
        self.history.listed(scope.kind, scope.namespace, version, since=heard.begun)
        with self._lock:
            old = [name for name, item in self._items[scope.kind].items() if _covers(scope, name, item)]
        for name in old:
            if name not in heard.listing:
                self._remove(scope.kind, name, None, version)
        heard.listing, heard.position, heard.is_synced, heard.error = set(), version, True, None

    def opened(self, scope: Scope) -> None:
        """See watch.Sink."""
        if heard := self._heard.get(scope):
            heard.error = None

    def changed(self, scope: Scope, kind: str, obj: Raw) -> None:
        """See watch.Sink."""
        version = _version(obj)
        self.history.heard(scope.kind, version)
        if kind == "DELETED":
            self._remove(scope.kind, _name(obj), obj, version)
        else:
            self._put(scope.kind, obj)

    def failed(self, scope: Scope, error: ClusterError) -> None:
        """See watch.Sink."""
        if heard := self._heard.get(scope):
            heard.error = error

    def drop(self, scope: Scope) -> None:
        """It is no longer watched; nobody is told."""
        with self._lock:
            self._heard.pop(scope, None)
            for name, item in list(self._items[scope.kind].items()):
                if _covers(scope, name, item) and not any(_covers(other, name, item) for other in self._others(scope)):
                    self._forget(scope.kind, name)

    # What we wrote

    def wrote(self, kind: Kind, raw: Raw) -> None:
        """Takes in what the API server answered us, where a watch covers it and has not been there yet."""
        if "metadata" not in raw or (kind not in OBJECTS and kind not in {TESTS, RUNS}):
            return
        name, version, found = _name(raw), _version(raw), labels_of(raw)
        self.history.heard(kind, version)
        hears = [heard for scope, heard in list(self._heard.items()) if _sees(scope, kind, name, found)]
        if hears and all(version > heard.position for heard in hears):
            self._put(kind, raw)

    # Within

    def _value(self, kind: Kind, name: Name) -> Any:
        with self._lock:
            item = self._items[kind].get(name)
        return item.value if item is not None else None

    def _known(self, kind: Kind, name: Name) -> int:
        """The version of an object, or as of which it was gone; below 0: nothing is known of it."""
        with self._lock:
            item = self._items[kind].get(name)
            return item.version if item is not None else self._gone.get((kind, *name), -1)

    def _put(self, kind: Kind, raw: Raw) -> None:
        name, version = _name(raw), _version(raw)
        with self._lock:
            if self._known(kind, name) >= version:
                return
            before = self._items[kind].get(name)
            after = self._item(kind, name, version, raw)
            if before is not None and before.value == after.value:
                after = Item(version=version, uid=after.uid, found=before.found, value=before.value)
            self._forget(kind, name)
            self._items[kind][name] = after
            for key in _keys(kind, name, after):
                self._index[key].add(name)
        self.tell(Change(kind=kind, name=name, before=before, after=after, raw=raw))

    def _item(self, kind: Kind, name: Name, version: int, raw: Raw) -> Item:
        try:
            value, found = self._projected(kind, name, raw)
        except Exception:  # what nobody foresaw in one object must not keep all others unheard of
            LOG.exception("%s %s/%s", kind.plural, *name)
            # Nor may what it was before stand for it: who reads it asks the API server, or has it as that has it.
            value, found = UNREAD[kind](raw) if kind in UNREAD else msgspec.json.encode(raw), labels_of(raw)
        return Item(version=version, uid=str(raw["metadata"].get("uid") or ""), found=found, value=value)

    def _projected(self, kind: Kind, name: Name, raw: Raw) -> tuple[Any, Found]:
        if kind == TESTS:
            return kept_test(raw), labels_of(raw)
        if kind == RUNS:
            test = str((raw.get("spec") or {}).get("callTestName") or "")
            return kept_run(raw, self._specs((name[0], test))), ((OF_TEST, test),)
        return OBJECTS[kind](raw), labels_of(raw)

    def _specs(self, test: Name) -> Iterator[CallTestSpec]:
        """Of a CallTest and its runs: most of them are one and the same."""
        held = self._items[TESTS].get(test)
        if held is not None and held.value.test is not None:
            yield held.value.test.spec
        for run in self.runs_of(*test):
            if run.run is not None:
                yield run.run.spec.test

    def _remove(self, kind: Kind, name: Name, raw: Raw | None, version: int) -> None:
        with self._lock:
            before = self._items[kind].get(name)
            if before is not None and before.version > version:
                return
            self._forget(kind, name)
            self._bury((kind, *name), version)
        if before is not None:
            self.tell(Change(kind=kind, name=name, before=before, after=None, raw=raw))

    def _forget(self, kind: Kind, name: Name) -> None:
        item = self._items[kind].pop(name, None)
        for key in _keys(kind, name, item) if item is not None else ():
            self._index[key].discard(name)
            if not self._index[key]:
                del self._index[key]

    def _bury(self, key: tuple[Kind, str, str], version: int) -> None:
        self._gone[key] = max(version, self._gone.pop(key, 0))
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _others(self, scope: Scope) -> list[Scope]:
        return [other for other in list(self._heard) if other != scope and other.kind == scope.kind]

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        """As Cluster.list, of these."""
        return [msgspec.json.decode(item.value) for item in self.selected(kind, namespace, selector)]


class Known:
    """A Cluster whose answers to our writes are taken into the store: the next reconcile sees them."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster, self._store = cluster, store

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """See Cluster."""
        return self._cluster.get(kind, namespace, name)

    def pages(self, kind: Kind, namespace: str, selector: str = "") -> Iterator[Page]:
        """See Cluster."""
        return self._cluster.pages(kind, namespace, selector)

    def watch(self, kind: Kind, namespace: str, version: str, selector: str, timeout_s: int) -> Iterator[Raw]:
        """See Cluster."""
        return self._cluster.watch(kind, namespace, version, selector, timeout_s)

    def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """See Cluster."""
        self._cluster.delete(kind, namespace, name, uid)

    def pod_log(self, namespace: str, name: str, since_s: int | None = None) -> bytes:
        """See Cluster."""
        return self._cluster.pod_log(namespace, name, since_s)

    def allowed(self, namespace: str, verb: str, group: str, resource: str) -> bool:
        """See Cluster."""
        return self._cluster.allowed(namespace, verb, group, resource)

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        """See Cluster."""
        return self._cluster.list(kind, namespace, selector)

    def create(self, kind: Kind, namespace: str, body: Raw) -> Raw:
        """See Cluster."""
        return self._wrote(kind, self._cluster.create(kind, namespace, body))

    def replace_status(self, kind: Kind, body: Raw) -> Raw:
        """See Cluster."""
        return self._wrote(kind, self._cluster.replace_status(kind, body))

    def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> Raw:
        """See Cluster."""
        return self._wrote(kind, self._cluster.annotate(kind, namespace, name, annotations))

    def _wrote(self, kind: Kind, raw: Raw) -> Raw:
        self._store.wrote(kind, raw)
        return raw


def _name(raw: Raw) -> Name:
    return str(raw["metadata"].get("namespace") or ""), str(raw["metadata"]["name"])


def _version(raw: Raw) -> int:
    return number(raw["metadata"].get("resourceVersion"))


def _keys(kind: Kind, name: Name, item: Item) -> Iterator[tuple[Kind, str, str, str]]:
    for key, value in item.found:
        yield kind, name[0], key, value
    if isinstance(item.value, KeptRun) and not item.value.is_finished:
        yield kind, "", *UNFINISHED


def _covers(scope: Scope, name: Name, item: Item) -> bool:
    return _matches(scope, name, item.found)


def _sees(scope: Scope, kind: Kind, name: Name, found: Found) -> bool:
    return scope.kind == kind and _matches(scope, name, found)


def _matches(scope: Scope, name: Name, found: Found) -> bool:
    wanted = {tuple(part.split("=", 1)) for part in scope.selector.split(",") if part}
    return scope.namespace in {"", name[0]} and wanted <= set(found)
