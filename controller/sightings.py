"""What we saw of agents' pods while a run went on: kept in memory, in case a pod is gone before it is collected.

Nothing depends on it: without it (after a restart) what is missing is AgentLost, never guessed.
"""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from controller.podlog import PodLog

Raw = dict[str, Any]


@dataclass(slots=True)
class Sighting:
    """One pod: as it was last seen, and its log."""

    pod: Raw
    log: PodLog = field(default_factory=PodLog)


class Sightings:
    """By run UID and pod UID. Told by the watch (event loop) and by reconcile (threads)."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, Sighting]] = defaultdict(dict)
        self._lock = threading.Lock()

    def saw(self, run_uid: str, pod: Raw) -> Sighting:
        """A pod of a run, as it is now."""
        uid = str(pod["metadata"]["uid"])
        with self._lock:
            seen = self._pods[run_uid].setdefault(uid, Sighting(pod))
            if _version(pod) >= _version(seen.pod):
                seen.pod = pod
            return seen

    def of_run(self, run_uid: str) -> list[Sighting]:
        """All pods that were seen of a run, gone or not."""
        with self._lock:
            return list(self._pods.get(run_uid, {}).values())

    def forget(self, run_uid: str) -> None:
        """The run is finished, or gone."""
        with self._lock:
            self._pods.pop(run_uid, None)


def _version(pod: Raw) -> int:
    """Resource versions of one object grow (Kubernetes ≥ 1.35 promises that they compare)."""
    try:
        return int(pod["metadata"].get("resourceVersion", 0))
    except ValueError:
        return 0
