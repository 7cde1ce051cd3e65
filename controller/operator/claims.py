"""Who registers which URIs now: of two runs that would take each other's calls, the second waits."""

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from msgspec import UNSET

from agent.contract.verdict import Reason
from controller.api.parse import CallTestRun
from controller.kube.cluster import RUNS, Cluster
from controller.kube.store import Store
from controller.plan.cause import Cause
from controller.plan.sharing import shared, uses
from controller.run.status import QUEUED


@dataclass(slots=True)
class Claims:
    """The runs under way, by what the API server has of them, and those that this process has just let go on."""

    cluster: Cluster
    store: Store
    max_active: int
    """Runs under way at once."""
    _taken: set[tuple[str, str]] = field(default_factory=set)
    """By namespace and name: the status says it only a moment later."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, run: CallTestRun, created: str, *, is_certain: bool = False) -> Cause | None:
        """Takes the URIs that a run registers, until it is finished; the problem where another run is before it.

        `is_certain`: as the API server has that one, and not as the watches have it until now.
        """
        over: set[str] = set()
        while (held := self._try(run, created, over)) is not None:
            uri, other = held
            if not is_certain or self._is_unfinished(other):
                has = "is waited for by the older" if _waits(other) else "is in use by"
                message = f"{uri} {has} run {other.namespace}/{other.name}: give each test a callee of its own"
                return Cause(reason=Reason.CALLEE_SHARED, message=message)
            over.add(other.uid)
        return None

    def _try(self, run: CallTestRun, created: str, over: Collection[str]) -> tuple[str, CallTestRun] | None:
        """Takes them; or one of them, and who is before it. `over`: UIDs of runs that have none any more."""
        wanted = uses(run.spec.test)
        with self._lock:
            for other in self._before(run, created):
                if other.uid not in over and (uri := shared(wanted, uses(other.spec.test))):
                    return uri, other
            self._taken.add((run.namespace, run.name))
        return None

    def _is_unfinished(self, run: CallTestRun) -> bool:
        held = self.cluster.get(RUNS, run.namespace, run.name)
        if held is not None:
            self.store.wrote(RUNS, held)
        return held is not None and held["metadata"]["uid"] == run.uid and "result" not in (held.get("status") or {})

    def _before(self, run: CallTestRun, created: str) -> Iterator[CallTestRun]:
        """Runs whose agents register, let go on by this process or by the one before; and the older ones that wait."""
        for kept in self.store.unfinished():
            other = kept.run
            if other is None or other.uid == run.uid:
                continue
            is_older = (kept.created, other.namespace, other.name) < (created, run.namespace, run.name)
            is_under_way = other.status.endpoints is not UNSET or (other.namespace, other.name) in self._taken
            if is_under_way or (is_older and _waits(other)):
                yield other

    def turn(self, run: CallTestRun, created: str) -> Cause | None:
        """Whether a run may begin; the problem where as many as there may be are under way, or were there before it."""
        before = 0
        for kept in self.store.unfinished():
            other = kept.run
            if other is None or other.uid == run.uid:
                continue
            is_older = (kept.created, other.namespace, other.name) < (created, run.namespace, run.name)
            before += other.status.start_time is not UNSET or is_older
        if before < self.max_active:
            return None
        message = f"{before} runs are before it, and the operator's --max-active-runs is {self.max_active}"
        return Cause(reason=Reason.LIMIT_EXCEEDED, message=message)

    def release(self, namespace: str, name: str) -> None:
        """The run is over, or gone."""
        self._taken.discard((namespace, name))


def _waits(run: CallTestRun) -> bool:
    """Its turn has come, and another run has its callee."""
    said = {condition.type: condition for condition in run.status.conditions}
    queued = said.get(QUEUED)
    return queued is not None and (queued.status, queued.reason) == ("True", Reason.CALLEE_SHARED)
