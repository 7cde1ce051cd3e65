"""Whether the API server is still the one that we know: restored from a backup, its resource versions go back.

All that the watches tell is then older than what is known, and none of it would be taken in, until the versions come by
again. Where the restore raised the versions (etcdutl's --bump-revision), lists are newer, and what is in them older.

One answer proves nothing: of several API servers some may be behind (of k3s' each knows by itself how far the database
is, and tells that of an empty list). What is older than it can be is in doubt, and is asked for again.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from controller.kube.cluster import Cluster, ClusterError, Kind
from controller.kube.watch import number

NOBODY: Final = "calltest.dev/nobody=1"
"""A selector of no object: what is asked for is the version."""
CONFIRM_S: Final = 3.0
"""API servers of one store are not so far behind each other: k3s' ask their database each second."""


class SetBackError(Exception):
    """It is not: what is known must be read anew."""


@dataclass(slots=True, kw_only=True)
class _Doubt:
    """Of a kind in a namespace."""

    due_s: float = 0.0
    known: dict[str, int] = field(default_factory=dict)
    """Versions, by the object's name, '' for the list: what is asked for is of this one, or of a later one."""


@dataclass(slots=True, kw_only=True)
class History:
    """The highest version that was heard of each kind. Thread-safe: of two that race, the lower one may stay."""

    fault: str = ""
    """What happened; empty: nothing did."""
    now: Callable[[], float] = time.monotonic
    _latest: dict[Kind, int] = field(default_factory=dict)
    _doubts: dict[tuple[Kind, str], _Doubt] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def latest(self, kind: Kind) -> int:
        """What is asked for from now on is of this version, or of a later one."""
        return self._latest.get(kind, 0)

    def heard(self, kind: Kind, version: int) -> None:
        """Of an object, in whatever order."""
        self._latest[kind] = max(self.latest(kind), version)

    def listed(self, kind: Kind, namespace: str, version: int, *, since: int) -> None:
        """Of a list; `since`: what was the latest one as it was asked for."""
        if 0 < version < since:
            self.doubt(kind, namespace, "", since)
        self.heard(kind, version)

    def doubt(self, kind: Kind, namespace: str, name: str, known: int) -> None:
        """An object ('': the list) was older than a version that had been known before it was asked for."""
        with self._lock:
            doubt = self._doubts.setdefault((kind, namespace), _Doubt())
            doubt.known[name] = max(known, doubt.known.get(name, 0))
            doubt.due_s = self.now() + CONFIRM_S

    def ask(self, cluster: Cluster, kind: Kind, namespace: str) -> None:
        """Where versions are behind, a watch tells nothing at all. ClusterError where it is refused."""
        since = self.latest(kind)
        for page in cluster.pages(kind, namespace, NOBODY):
            self.listed(kind, namespace, number(page.version), since=since)

    @property
    def is_in_doubt(self) -> bool:
        """There is something to `confirm`, now or soon."""
        return bool(self._doubts)

    def confirm(self, cluster: Cluster) -> None:
        """Asks again for what has been in doubt for long enough, of one kind and namespace: no doubt, or `fault`."""
        with self._lock:
            due = next((key for key, doubt in self._doubts.items() if self.now() >= doubt.due_s), None)
            if due is None:
                return
            known = self._doubts.pop(due).known
        kind, namespace = due
        try:
            # Objects may be listed where they are watched; to get one is another permission.
            shown = _shown(cluster, kind, namespace, NOBODY if set(known) == {""} else "")
        except ClusterError as error:
            for name, version in known.items() if error.status != 403 else ():  # 403: nobody reads there any more
                self.doubt(kind, namespace, name, version)
            return
        for name, version in known.items():
            if 0 < shown.get(name, 0) < version:
                what = f"{kind.plural} {namespace}/{name}" if name else kind.plural
                self.fault = (
                    f"{what}: resource versions went back, from {version} to {shown[name]}: the API server's store was"
                    " restored or replaced, and nothing of what was known of it counts"
                )


def _shown(cluster: Cluster, kind: Kind, namespace: str, selector: str) -> dict[str, int]:
    """Versions, by the object's name, '' for the list."""
    shown: dict[str, int] = {}
    for page in cluster.pages(kind, namespace, selector):
        shown.setdefault("", number(page.version))
        shown |= {str(raw["metadata"]["name"]): number(raw["metadata"].get("resourceVersion")) for raw in page.items}
    return shown
