"""A Kubernetes API server in memory: as much of one as `kube.cluster.Cluster` can see, and it can be killed."""

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.kube.cluster import PODS, ClusterError, Kind, Page

Raw = dict[str, Any]


class KilledError(BaseException):
    """The operator died just after a write reached the API server; nothing in it may catch this."""


class FakeCluster:
    """Objects by kind, namespace and name. Writes bump resourceVersion; owners take their dependents with them."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind, str, str], Raw] = {}
        self.logs: dict[str, list[bytes]] = {}
        """By pod UID: lines with their times."""
        self.writes: list[str] = []
        self.kill_after: int | None = None
        """The operator dies after so many writes."""
        self.refuse: Callable[[str, Kind, Raw], ClusterError | None] = lambda *_: None
        self.denied: set[tuple[str, str]] = set()
        """(verb, resource) that an access review refuses."""
        self.version = 0
        """Of what was written last."""
        self.asked: list[str] = []
        """What was read."""
        self._clock = itertools.count()

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        self.asked.append(f"get {kind.plural} {name}")
        return copy.deepcopy(self.objects.get((kind, namespace, name)))

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        self.asked.append(f"list {kind.plural}")
        wanted = dict(part.split("=", 1) for part in selector.split(",") if part)
        return [
            copy.deepcopy(item)
            for (k, ns, _), item in sorted(self.objects.items(), key=lambda entry: entry[0][1:])
            if k == kind and namespace in {"", ns} and wanted.items() <= item["metadata"].get("labels", {}).items()
        ]

    def pages(self, kind: Kind, namespace: str, selector: str = "") -> Iterator[Page]:
        yield Page(items=self.list(kind, namespace, selector), version=str(self.version))

    def watch(self, kind: Kind, namespace: str, version: str, selector: str, timeout_s: int) -> Iterator[Raw]:
        """None: its tests list again."""
        return iter(())

    def create(self, kind: Kind, namespace: str, body: Raw) -> Raw:
        if error := self.refuse("create", kind, body):
            raise error
        name = body["metadata"]["name"]
        if (kind, namespace, name) in self.objects:
            raise ClusterError("POST", kind.plural, 409, f"{name} already exists")
        made = copy.deepcopy(body)
        number = next(self._clock)
        made.pop("status", None)
        made["metadata"] |= {
            "namespace": namespace,
            "uid": f"uid-{number}",
            "generation": 1,
            "creationTimestamp": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z",
        }
        self._store(kind, made)
        return self._wrote(f"create {kind.plural} {name}", made)

    def replace_status(self, kind: Kind, body: Raw) -> Raw:
        meta = body["metadata"]
        held = self._held(kind, meta["namespace"], meta["name"])
        if held["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise ClusterError("PUT", kind.plural, 409, "the object has been modified")
        held["status"] = copy.deepcopy(body["status"])
        self._store(kind, held)
        return self._wrote(f"status {kind.plural} {meta['name']}", held)

    def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> Raw:
        held = self._held(kind, namespace, name)
        held["metadata"].setdefault("annotations", {}).update(annotations)
        self._store(kind, held)
        return self._wrote(f"annotate {kind.plural} {name}", held)

    def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        held = self.objects.get((kind, namespace, name))
        if held is None or held["metadata"]["uid"] != uid:
            return
        self.remove(kind, namespace, name)
        self._wrote(f"delete {kind.plural} {name}", held)

    def pod_log(self, namespace: str, name: str, since_s: int | None = None) -> bytes:
        pod = self._held(PODS, namespace, name)
        return b"".join(self.logs.get(pod["metadata"]["uid"], []))

    def allowed(self, namespace: str, verb: str, group: str, resource: str) -> bool:
        return (verb, resource) not in self.denied

    # What others do to the cluster

    def apply(self, kind: Kind, body: Raw) -> Raw:
        """A user's kubectl apply: creates, or replaces the spec with a new generation."""
        meta = body["metadata"]
        held = self.objects.get((kind, meta["namespace"], meta["name"]))
        if held is None:
            kill_after, self.kill_after = self.kill_after, None
            made = self.create(kind, meta["namespace"], body)
            self.writes.pop()
            self.kill_after = kill_after
            return made
        if held["spec"] != body["spec"]:
            held["spec"] = copy.deepcopy(body["spec"])
            held["metadata"]["generation"] += 1
            self._store(kind, held)
        return copy.deepcopy(held)

    def set_status(self, kind: Kind, namespace: str, name: str, status: Raw) -> None:
        """The kubelet, or whoever owns the object's status."""
        held = self._held(kind, namespace, name)
        held["status"] = copy.deepcopy(status)
        self._store(kind, held)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Deletes an object and whatever it owns."""
        held = self.objects.pop((kind, namespace, name))
        uid = held["metadata"]["uid"]
        for (k, ns, n), item in list(self.objects.items()):
            if any(owner["uid"] == uid for owner in item["metadata"].get("ownerReferences", ())):
                self.remove(k, ns, n)

    def _held(self, kind: Kind, namespace: str, name: str) -> Raw:
        held = self.objects.get((kind, namespace, name))
        if held is None:
            raise ClusterError("GET", kind.plural, 404, f"{name} not found")
        return copy.deepcopy(held)

    def _store(self, kind: Kind, item: Raw) -> None:
        meta = item["metadata"]
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        self.objects[kind, meta["namespace"], meta["name"]] = copy.deepcopy(item)

    def _wrote(self, what: str, item: Raw) -> Raw:
        self.writes.append(what)
        if self.kill_after is not None and len(self.writes) > self.kill_after:
            self.kill_after = None
            raise KilledError(what)
        return copy.deepcopy(item)
