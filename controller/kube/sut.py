"""The system under test as it is now: its endpoints, what its replicas run, and since when they stand still."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.contract.verdict import Reason
from controller.api.target import RevisionsWanted, Target, Via
from controller.api.test import CallTestSpec
from controller.api.trigger import AlsoSut
from controller.kube.cluster import PODS, Cluster, ClusterError, Raw
from controller.kube.names import Names
from controller.kube.snapshot import selector, snapshot
from controller.plan.cause import Cause
from controller.plan.discovery import Discovery, Snapshot, discover, not_permitted
from controller.plan.limits import Limits
from controller.plan.revisions import Replica, Still, replicas, stands_still, unsettled


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look."""

    discovery: Discovery
    present: tuple[Replica, ...] = ()
    """The target's pods, and those that are also the system."""
    beside: frozenset[str] = frozenset()
    """UIDs of the latter."""
    unsettled: str = ""
    """Why these do not stand still; empty: they do."""

    def tested(self, target: Target) -> tuple[Replica, ...]:
        """What a run that is fixed to what was found says something of: a pod that is not called is not tested.

        Through a ClusterIP nobody knows which replica took a call: of several revisions, none is known to be tested.
        """
        ready = tuple(replica for replica in self.present if replica.is_ready)
        if target.via is Via.SERVICE:
            called = {replica.uid for replica in ready} - self.beside
            if len({(replica.workload, replica.revision) for replica in ready if replica.uid in called}) > 1:
                called = set()
        else:
            called = {str(endpoint.pod_uid) for endpoint in self.discovery.endpoints}
        return tuple(replica for replica in ready if replica.uid in called | self.beside)


@dataclass(slots=True)
class Suts:
    """Looks at targets. Holds only since when their pods are the same: a restart makes that begin anew."""

    cluster: Cluster
    limits: Limits
    now: Callable[[], float]
    names: Names = field(default_factory=Names)
    _still: dict[str, Still] = field(default_factory=dict)
    """By who looks."""

    def look(self, test: CallTestSpec, namespace: str, *, by: str, settle_s: int = 0) -> Seen:
        """The target, now, and what else is the system.

        That we may not look is a problem of the run, not ours to retry forever. `by` names who looks, again and
        again. `settle_s`: how long all must stand still, if the target says no more.
        """
        target, rollout = test.target, test.trigger.on_rollout if test.trigger is not None else None
        if refusal := not_permitted(target, namespace, self.limits.target_namespaces):
            return Seen(discovery=Discovery(problem=refusal))
        if target.address is not None and not self.limits.allow_targets:
            return Seen(discovery=discover(target, Snapshot(namespace=namespace)))  # refused, and not looked up
        try:
            seen = snapshot(self.cluster, self.names, target, namespace)
            also = [pod for each in (rollout.also if rollout else ()) for pod in self._pods(seen.namespace, each)]
        except ClusterError as error:
            if error.status != 403:
                raise
            message = f"{error}; the target's namespace needs the Role of deploy/target-access, bound to the operator's"
            message += " ServiceAccount (docs/operator.md, Install)"
            return Seen(discovery=Discovery(problem=Cause(reason=Reason.ACCESS_DENIED, message=message)))
        present = replicas([*seen.pods, *also])
        return Seen(
            discovery=discover(target, seen, self.limits.allow_targets),
            present=present,
            beside=frozenset(replica.uid for replica in replicas(also)),
            unsettled=self._unsettled(target, present, by, max(target.settle_seconds, settle_s)),
        )

    def _pods(self, namespace: str, of: AlsoSut) -> list[Raw]:
        return self.cluster.list(PODS, namespace, selector(of.pod_selector.match_labels))

    def _unsettled(self, target: Target, present: tuple[Replica, ...], by: str, settle_s: int) -> str:
        single = target.revisions is RevisionsWanted.SINGLE
        if target.address is not None or not (settle_s or single):
            return ""
        self._still[by] = still = stands_still(self._still.get(by), present, self.now())
        if not settle_s:  # those that are not ready are left out, as without settling
            return unsettled([replica for replica in present if replica.is_ready], minimum=0, single=single)
        if why := unsettled(present, minimum=target.min_endpoints, single=single):
            return why
        waited_s = self.now() - still.since
        return "" if waited_s >= settle_s else f"its replicas are the same for {waited_s:.0f} of {settle_s} s"

    def forget(self, by: str) -> None:
        """Whoever looked is gone."""
        self._still.pop(by, None)
