"""Kubernetes Events: what happened, beside the object that it happened to, once per reason and run."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from controller.kube.cluster import EVENTS, Cluster, ClusterError, Raw

LOG = logging.getLogger(__name__)
COMPONENT: Final = "calltest-operator"
MAX_MESSAGE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Writes events. Its name says reason and object: a repeated one is refused by the API server, and that is fine."""

    cluster: Cluster
    now: Callable[[], float]

    def normal(self, obj: Raw, reason: str, message: str, *, run: str = "") -> None:
        """All is as it should be."""
        self._write("Normal", obj, reason, message, run)

    def warning(self, obj: Raw, reason: str, message: str, *, run: str = "") -> None:
        """Somebody should look."""
        self._write("Warning", obj, reason, message, run)

    def _write(self, kind: str, obj: Raw, reason: str, message: str, run: str) -> None:
        meta = obj["metadata"]
        mark = hashlib.sha256(f"{meta['uid']}/{run}/{reason}".encode()).hexdigest()[:16]
        stamp = datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{mark}", "namespace": meta["namespace"]},
            "type": kind,
            "reason": reason,
            "message": message[:MAX_MESSAGE],
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "resourceVersion": meta["resourceVersion"],
            },
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": COMPONENT,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }
        try:
            self.cluster.create(EVENTS, meta["namespace"], event)
        except ClusterError as error:
            # An event tells people what the status says too: no reason to fail, or to try again.
            LOG.log(logging.DEBUG if error.conflict else logging.WARNING, "event %s: %s", reason, error)
