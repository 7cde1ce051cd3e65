"""Whether the API server is still the one that we know: restored from a backup, its resource versions go back.

All that the watches tell is then older than what is known, and none of it would be taken in, until the versions come by
again.
"""

from dataclasses import dataclass, field
from typing import Final

from controller.kube.cluster import Cluster, Kind
from controller.kube.watch import number

NOBODY: Final = "calltest.dev/nobody=1"
"""A selector of no object: what is asked for is the version."""


class SetBackError(Exception):
    """It is not: what is known must be read anew."""


@dataclass(slots=True)
class History:
    """The highest version that was heard of each kind. Thread-safe: of two that race, the lower one may stay."""

    fault: str = ""
    """What happened; empty: nothing did."""
    _latest: dict[Kind, int] = field(default_factory=dict)

    def latest(self, kind: Kind) -> int:
        """What is asked for from now on is of this version, or of a later one."""
        return self._latest.get(kind, 0)

    def heard(self, kind: Kind, version: int) -> None:
        """Of an object, in whatever order."""
        self._latest[kind] = max(self.latest(kind), version)

    def listed(self, kind: Kind, version: int, *, since: int) -> None:
        """Of a list; `since`: what was the latest one as it was asked for."""
        if 0 < version < since and not self.fault:
            self.fault = (
                f"{kind.plural}: resource versions went back, from {since} to {version}: the API server's store was"
                " restored or replaced, and nothing of what was known of it counts"
            )
        self.heard(kind, version)

    def ask(self, cluster: Cluster, kind: Kind, namespace: str) -> None:
        """Where versions are behind, a watch tells nothing at all. ClusterError where it is refused."""
        since = self.latest(kind)
        for page in cluster.pages(kind, namespace, NOBODY):
            self.listed(kind, number(page.version), since=since)
