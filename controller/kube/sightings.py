"""What we saw of agents' pods while a run went on: kept in memory, in case a pod is gone before it is collected.

Nothing depends on it: without it (after a restart) what is missing is AgentLost, never guessed.
"""

import threading
from collections import defaultdict
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from controller.kube.podlog import PodLog

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A log that was asked for (kube/logs.py)."""

    answer: Future[bytes]
    asked_at: float
    """Unix time."""
    is_whole: bool
    """All of it, of an agent that had ended."""


@dataclass(slots=True)
class Sighting:
    """One pod: as it was last seen, and its log."""

    pod: Raw
    log: PodLog = field(default_factory=PodLog)
    log_retry_at: float = 0.0
    """Unix time before which its log is not asked for again."""
    reading: Reading | None = None
    """What was asked of its log, and not taken in yet."""


class Sightings:
    """By run and pod UID. Told by the watch (event loop) and by reconcile (threads)."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], dict[str, Sighting]] = defaultdict(dict)
        self._lock = threading.Lock()

    def saw(self, namespace: str, run: str, pod: Raw) -> None:
        """A pod of a run, as it is now."""
        uid = str(pod["metadata"]["uid"])
        with self._lock:
            seen = self._pods[namespace, run].setdefault(uid, Sighting(pod))
            if _version(pod) >= _version(seen.pod):
                seen.pod = pod

    def of_run(self, namespace: str, run: str) -> list[Sighting]:
        """All pods that were seen of a run, gone or not."""
        with self._lock:
            return list(self._pods.get((namespace, run), {}).values())

    def forget(self, namespace: str, run: str) -> None:
        """The run is finished, or gone."""
        with self._lock:
            self._pods.pop((namespace, run), None)


def _version(pod: Raw) -> int:
    """Resource versions of one object grow, in etcd and (KEP-5504) by promise; one that is no number never wins."""
    text = str(pod["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdecimal() else 0
