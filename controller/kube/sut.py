"""The system under test as it is now: its endpoints, what its replicas run, and since when they stand still."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from agent.contract.verdict import Reason
from controller.api.target import RevisionsWanted, Target, Via
from controller.api.test import CallTestSpec
from controller.api.trigger import AlsoSut
from controller.kube.cluster import ENDPOINT_SLICES, PODS, SERVICES, Cluster, ClusterError, Kind, Raw
from controller.kube.names import Names
from controller.kube.snapshot import Reader, selector, snapshot
from controller.kube.targets import TargetWatches
from controller.plan.cause import Cause
from controller.plan.discovery import SERVICE_NAME, Discovery, Snapshot, discover, not_permitted
from controller.plan.limits import Limits
from controller.plan.revisions import Replica, Still, replicas, stands_still, unsettled

ASKED_EVERY_S: Final = 5.0
"""As long as the watches tell of a problem: a late or broken one must not make it stand, and asking costs requests."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interest:
    """What whoever looked last wants to hear of."""

    who: tuple[str, str, str]
    namespace: str
    service: str
    selectors: tuple[frozenset[tuple[str, str]], ...]

    def covers(self, kind: Kind, namespace: str, name: str, labels: frozenset[tuple[str, str]]) -> bool:
        if namespace != self.namespace:
            return False
        if kind == SERVICES:
            return name == self.service
        if kind == ENDPOINT_SLICES:
            return (SERVICE_NAME, self.service) in labels
        return any(wanted <= labels for wanted in self.selectors)


@dataclass(slots=True)
class Suts:
    """Looks at targets. Holds only since when their pods are the same, and who looks: both begin anew at a restart."""

    cluster: Cluster
    targets: TargetWatches
    limits: Limits
    now: Callable[[], float]
    names: Names = field(default_factory=Names)
    _still: dict[tuple[str, bool], Still] = field(default_factory=dict)
    """By who looks, and whether the API server was asked: where a watch is broken, it has other pods than that."""
    _asked_s: dict[str, float] = field(default_factory=dict)
    """When the API server was asked last, by who looks."""
    _who: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Kind, namespace and name of who looks, also of who may not look."""
    _interests: dict[str, _Interest] = field(default_factory=dict)
    """By who looks."""

    def look(
        self,
        test: CallTestSpec,
        namespace: str,
        *,
        by: str,
        who: tuple[str, str, str],
        settle_s: int = 0,
        is_certain: bool = False,
    ) -> Seen:
        """The target, now, and what else is the system.

        That we may not look is a problem of the run, not ours to retry. `by`: the UID of who looks, `who`: its kind,
        namespace and name. `settle_s`: how long all must stand still at least. `is_certain`: as the API server has it.
        """
        target, rollout = test.target, test.trigger.on_rollout if test.trigger is not None else None
        self._who[by] = who
        if is_certain:
            self._asked_s[by] = self.now()
        if refusal := not_permitted(target, namespace, self.limits.target_namespaces):
            return Seen(discovery=Discovery(problem=refusal))
        if target.address is not None and not self.limits.allow_targets:
            return Seen(discovery=discover(target, Snapshot(namespace=namespace)))  # refused, and not looked up
        try:
            reader = self._reader(target, namespace, is_certain=is_certain)
            seen = snapshot(reader, self.names, target, namespace)
            others = tuple(rollout.also if rollout else ())
            also = [pod for each in others for pod in _pods(reader, seen.namespace, each)]
        except ClusterError as error:
            if error.status != 403:
                raise
            return _denied(error)
        self._interests[by] = _interest(target, seen, others, who)
        present = replicas([*seen.pods, *also])
        return Seen(
            discovery=discover(target, seen, self.limits.allow_targets),
            present=present,
            beside=frozenset(replica.uid for replica in replicas(also)),
            unsettled=self._unsettled(target, present, (by, is_certain), max(target.settle_seconds, settle_s)),
        )

    def is_to_ask(self, by: str) -> bool:
        """Whoever looks has not asked the API server for a while."""
        return self.now() >= self._asked_s.get(by, float("-inf")) + ASKED_EVERY_S

    def _reader(self, target: Target, namespace: str, *, is_certain: bool) -> Reader:
        if is_certain or target.address is not None:
            return self.cluster
        return self.targets.reader(target.namespace if target.namespace is not None else namespace)

    def is_told(self, test: CallTestSpec, namespace: str) -> bool:
        """Whoever looks at this target is told of its changes."""
        target = test.target
        return self.targets.is_watched(target.namespace if target.namespace is not None else namespace)

    def interested(
        self, kind: Kind, namespace: str, name: str, labels: frozenset[tuple[str, str]]
    ) -> set[tuple[str, str, str]]:
        """Who looked at something that this object is a part of."""
        interests = list(self._interests.values())
        return {each.who for each in interests if each.covers(kind, namespace, name, labels)}

    def _unsettled(self, target: Target, present: tuple[Replica, ...], by: tuple[str, bool], settle_s: int) -> str:
        single = target.revisions is RevisionsWanted.SINGLE
        if target.address is not None or not (settle_s or single):
            return ""
        still = self._since(present, by)
        if not settle_s:  # those that are not ready are left out, as without settling
            return unsettled([replica for replica in present if replica.is_ready], minimum=0, single=single)
        if why := unsettled(present, minimum=target.min_endpoints, single=single):
            return why
        waited_s = self.now() - still.since
        # No counting: each second would be a write of the status.
        return "" if waited_s >= settle_s else f"its replicas have not been the same for {settle_s} s yet"

    def _since(self, present: tuple[Replica, ...], by: tuple[str, bool]) -> Still:
        """Since when they are there; the watches, which see all the time, know it better than who asks now and then.

        Where they have other pods than the API server, or it was seen to have others meanwhile, that counts.
        """
        who, is_certain = by
        before, heard = self._still.get(by), self._still.get((who, False)) if is_certain else None
        still = stands_still(before or heard, present, self.now())
        if heard is not None and heard.uids == still.uids:
            still = max(heard, still, key=lambda each: each.since)
        self._still[by] = still
        return still

    def namespaces(self) -> set[str]:
        """Where somebody wants to hear of a change."""
        return {each.namespace for each in list(self._interests.values())}

    def forget(self, by: str) -> None:
        """Whoever looked is gone."""
        for is_certain in (False, True):
            self._still.pop((by, is_certain), None)
        for held in (self._who, self._asked_s, self._interests):
            held.pop(by, None)

    def forget_named(self, who: tuple[str, str, str]) -> None:
        """The same, where it is gone with its UID."""
        for by in [by for by, each in list(self._who.items()) if each == who]:
            self.forget(by)


def _denied(error: ClusterError) -> Seen:
    message = f"{error}; the target's namespace needs the Role of deploy/target-access, bound to the operator's"
    message += " ServiceAccount (docs/operator.md, Install)"
    return Seen(discovery=Discovery(problem=Cause(reason=Reason.ACCESS_DENIED, message=message)))


def _pods(reader: Reader, namespace: str, of: AlsoSut) -> list[Raw]:
    return reader.list(PODS, namespace, selector(of.pod_selector.match_labels))


def _interest(target: Target, seen: Snapshot, also: tuple[AlsoSut, ...], who: tuple[str, str, str]) -> _Interest:
    selected = [target.pod_selector.match_labels] if target.pod_selector is not None else []
    behind = [(service.get("spec") or {}).get("selector") or {} for service in seen.services]
    labels = [*selected, *(each for each in behind if each), *(each.pod_selector.match_labels for each in also)]
    return _Interest(
        who=who,
        namespace=seen.namespace,
        service=target.service.name if target.service is not None else "",
        selectors=tuple(frozenset(each.items()) for each in labels),
    )
