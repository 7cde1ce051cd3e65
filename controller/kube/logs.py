"""The logs of a run's agents, read side by side: a kubelet that does not answer holds up nobody else's agents."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

from controller.kube.cluster import READERS, Cluster, ClusterError
from controller.kube.sightings import Reading, Sighting

LOG = logging.getLogger(__name__)
DEADLINE_S: Final = 1.0
"""So long a look at a run waits for logs; what comes later is taken in at a later look."""
RETRY_S: Final = 10.0
"""A kubelet that could not give a log is not asked for it again before."""


@dataclass(slots=True)
class LogReader:
    """Reads logs into sightings. A sighting belongs to one caller at a time; only the reading is in other threads."""

    cluster: Cluster
    now: Callable[[], float]
    deadline_s: float = DEADLINE_S
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(READERS, "log"))
    _late: dict[str, Future[bytes]] = field(default_factory=dict)
    """By node: what its kubelet did not answer in time. Until it does, nothing else is asked there."""

    def follow(self, wanted: Iterable[tuple[Sighting, bool]], *, must_ask: bool = False) -> dict[str, ClusterError]:
        """Reads what is new of each; all of it where its agent has ended (the second of each pair).

        Gives what went wrong now, by pod UID. `must_ask`: also what could not be read a moment ago.
        """
        wanted = [(seen, is_ended) for seen, is_ended in wanted if not seen.log.is_whole]
        fresh = [seen.reading for seen, is_ended in wanted if self._ask(seen, is_whole=is_ended, must_ask=must_ask)]
        wait([reading.answer for reading in fresh if reading is not None], timeout=self.deadline_s)
        faults = {str(seen.pod["metadata"]["uid"]): self._take(seen) for seen, _ in wanted if seen.reading is not None}
        return {uid: fault for uid, fault in faults.items() if fault is not None}

    def _ask(self, seen: Sighting, *, is_whole: bool, must_ask: bool) -> bool:
        """Whether it was asked for now."""
        now, late = self.now(), self._late.get(_node(seen))
        is_waiting = seen.reading is not None or (late is not None and not late.done())
        if is_waiting or (now < seen.log_retry_at and not must_ask):
            return False
        meta, since_s = seen.pod["metadata"], None if is_whole else seen.log.since_s(now)
        answer = self._pool.submit(self.cluster.pod_log, meta["namespace"], meta["name"], since_s)
        seen.reading = Reading(answer=answer, asked_at=now, is_whole=is_whole)
        return True

    def _take(self, seen: Sighting) -> ClusterError | None:
        """Takes in an answer that is there; what is wrong with it, or that there is none yet."""
        reading = seen.reading
        assert reading is not None  # `follow` asks for no others
        if not reading.answer.done():
            self._late[_node(seen)] = reading.answer
            return ClusterError("GET", "pods/log", 0, f"its kubelet has not answered in {self.deadline_s:g} s")
        seen.reading = None
        try:
            seen.log.add(reading.answer.result(), now=reading.asked_at, is_whole=reading.is_whole)
        except ClusterError as error:
            # 400: the container has not started yet, for the kubelet that is asked.
            seen.log_retry_at = self.now() + (0.0 if error.status == 400 else RETRY_S)
            LOG.debug("log of pod %s: %s", seen.pod["metadata"]["name"], error)
            return error
        return None


def _node(seen: Sighting) -> str:
    """Whose kubelet gives its log."""
    spec, uid = seen.pod.get("spec") or {}, seen.pod["metadata"]["uid"]
    return str(spec.get("nodeName") or uid)
