"""Who registers which URIs now: of two runs that would take each other's calls, the second waits."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import UNSET

from agent.contract.verdict import Reason
from controller.api.parse import CallTestRun
from controller.kube.cluster import PODS, RUNS, Cluster, Raw, is_owned
from controller.kube.labels import RUN_LABEL
from controller.kube.podfacts import pod_facts
from controller.kube.store import Store
from controller.kube.sut import ASKED_EVERY_S
from controller.plan.cause import Cause
from controller.plan.sharing import shared, uses
from controller.run.agent_state import AgentState
from controller.run.status import QUEUED


@dataclass(slots=True)
class Claims:
    """The runs under way, by what the API server has of them, and those that this process has just let go on."""

    cluster: Cluster
    store: Store
    max_active: int
    """Runs under way at once."""
    now: Callable[[], float]
    _taken: dict[str, CallTestRun] = field(default_factory=dict)
    """By UID: the status says it only a moment later, and agents may hang up for a while after their run is over."""
    _asked_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """When the API server was asked last, by namespace and name of who waits."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, run: CallTestRun, created: str, *, is_certain: bool = False) -> Cause | None:
        """Takes the URIs that a run registers, until its agents are over; the problem where another run is before it.

        `is_certain`: as the API server has that one, and not as the watches have it until now; so it is every 5 s, too.
        """
        me = (run.namespace, run.name)
        is_certain = is_certain or self.now() >= self._asked_s.get(me, float("-inf")) + ASKED_EVERY_S
        over: set[str] = set()
        while (held := self._try(run, created, over)) is not None:
            uri, other = held
            if is_certain:
                self._asked_s[me] = self.now()
            if not is_certain or self._is_unfinished(other) or self._has_agents(other):
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
            self._taken[run.uid] = run
        return None

    def _is_unfinished(self, run: CallTestRun) -> bool:
        held = self.cluster.get(RUNS, run.namespace, run.name)
        if held is not None:
            self.store.wrote(RUNS, held)
        return held is not None and held["metadata"]["uid"] == run.uid and "result" not in (held.get("status") or {})

    def _has_agents(self, run: CallTestRun) -> bool:
        return self._any_runs(self.cluster.list(PODS, run.namespace, f"{RUN_LABEL}={run.name}"), run)

    def _any_runs(self, pods: Iterable[Raw], run: CallTestRun) -> bool:
        states = {pod_facts(pod, now=self.now()).state for pod in pods if is_owned(pod, run.uid)}
        return not states <= {AgentState.ENDED, AgentState.LOST}

    def _before(self, run: CallTestRun, created: str) -> Iterator[CallTestRun]:
        """Runs whose agents register, let go on by this process or by the one before; and the older ones that wait."""
        taken = {uid: other for uid, other in self._taken.items() if uid != run.uid}
        for kept in self.store.unfinished():
            other = kept.run
            if other is None or other.uid == run.uid:
                continue
            is_older = (kept.created, other.namespace, other.name) < (created, run.namespace, run.name)
            is_under_way = taken.pop(other.uid, None) is not None or other.status.endpoints is not UNSET
            if is_under_way or (is_older and _waits(other)):
                yield other
        yield from taken.values()  # they are over, or cannot be read any more

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
        """The run is over, or gone: what it took is free once none of its agents hangs up any more."""
        pods = self.store.list(PODS, namespace, f"{RUN_LABEL}={name}")
        with self._lock:
            for uid, run in list(self._taken.items()):
                if (run.namespace, run.name) == (namespace, name) and not self._any_runs(pods, run):
                    del self._taken[uid]
            self._asked_s.pop((namespace, name), None)


def _waits(run: CallTestRun) -> bool:
    """Its turn has come, and another run has its callee."""
    said = {condition.type: condition for condition in run.status.conditions}
    queued = said.get(QUEUED)
    return queued is not None and (queued.status, queued.reason) == ("True", Reason.CALLEE_SHARED)
