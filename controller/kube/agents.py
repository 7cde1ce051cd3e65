"""The agents of a run on a cluster: their pods, signals, progress, and what they left behind."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from agent.contract.address import IpFamily
from agent.contract.plan import Plan, PlanError, Signal, decode_plan, decode_signal
from agent.contract.verdict import Reason
from agent.judge.verdicts import AgentReport
from controller.api.parse import CallTestRun
from controller.api.parties import Route
from controller.kube.cluster import PODS, RUNS, SERVICES, TESTS, Cluster, ClusterError, Raw, is_owned
from controller.kube.labels import (
    AGENT_LABEL,
    GO_ANNOTATION,
    PLAN_ANNOTATION,
    RUN_LABEL,
    STOPPED_ANNOTATION,
    TEST_LABEL,
)
from controller.kube.logs import LogReader
from controller.kube.manifests import Owner, agent_pod, callee_service, pod_name
from controller.kube.podfacts import PodFacts, pod_facts
from controller.kube.sightings import Sighting, Sightings
from controller.kube.store import Store
from controller.plan.cause import Cause
from controller.run.agent_state import AgentState
from controller.run.collect import Log, collect, read_log
from controller.run.lifecycle import AgentFacts, Order

LOG = logging.getLogger(__name__)
NOT_OURS: Final = "is there already, and is not ours"
OWNERS: Final = {"CallTest": TESTS, "CallTestRun": RUNS}
"""What our pods and Services belong to."""
LOG_PATIENCE_S: Final = 60.0
"""How long after an agent's end its log is worth waiting for, when its kubelet does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What one agent left behind."""

    report: AgentReport
    log: Log
    node: str = ""
    """Where its pod ran; empty: nobody knows."""


@dataclass(slots=True)
class Agents:
    """All agents that we know of. In memory are only things that can be read, or tried, again."""

    cluster: Cluster
    store: Store
    image: str
    now: Callable[[], float]
    sightings: Sightings = field(default_factory=Sightings)
    logs: LogReader = field(init=False)
    _refusals: dict[tuple[str, str, str, str], Cause] = field(default_factory=dict)
    """By namespace, name and UID of the run, and agent."""
    _gone: set[tuple[str, str, str, str]] = field(default_factory=set)
    """Agents, as above, that the API server says are not there: none is created twice."""

    def __post_init__(self) -> None:
        """Reads logs by the same cluster and clock."""
        self.logs = LogReader(self.cluster, self.now)

    def pods(self, run: CallTestRun, *, is_certain: bool = False) -> list[Raw]:
        """The agents' pods of a run under way that exist now, by name: what they say is stored in this order.

        One that by the watches is gone or lost is asked for by its name: a run may end for it. So is one that they
        told of before they told of its run; and, to be certain, each that has not ended.
        """
        here = {str(pod["metadata"]["uid"]): pod for pod in self.left(run.namespace, run.name, run.uid)}
        seen = {
            str(each.pod["metadata"]["uid"]): each.pod
            for each in self.sightings.of_run(run.namespace, run.name)
            if _is_agent(each.pod, run.uid)
        }
        known = [
            pod if uid in here and self._is_believed(pod, is_certain=is_certain) else self._again(pod)
            for uid, pod in seen.items()
        ]
        missed = [self._again(pod) for uid, pod in here.items() if uid not in seen]
        found = [pod for pod in (*known, *missed) if pod is not None]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def _is_believed(self, pod: Raw, *, is_certain: bool) -> bool:
        state = pod_facts(pod, now=self.now()).state
        return state is AgentState.ENDED or not (is_certain or state is AgentState.LOST)

    def left(self, namespace: str, run: str, uid: str) -> list[Raw]:
        """Those of a run that the watches have; without plans, signals and results."""
        found = self.store.list(PODS, namespace, f"{RUN_LABEL}={run}")
        return [pod for pod in found if _is_agent(pod, uid)]

    def unheard_of(self, run: CallTestRun, plans: Sequence[Plan], pods: Sequence[Raw]) -> list[Raw]:
        """Pods of agents that were created, and of which no watch ever told: asked for once, before they are lost."""
        seen = self._seen(run, pods)
        missing = [plan.agent for plan in plans if plan.agent not in seen and _key(run, plan.agent) not in self._gone]
        found = []
        for agent in missing:
            pod = self.cluster.get(PODS, run.namespace, pod_name(run.name, agent))
            if pod is None or not _is_agent(pod, run.uid):
                self._gone.add(_key(run, agent))
                continue
            self.store.wrote(PODS, pod)
            found.append(pod)
        return found

    def _again(self, pod: Raw) -> Raw | None:
        meta = pod["metadata"]
        found = self.cluster.get(PODS, meta["namespace"], meta["name"])
        if found is not None:
            self.store.wrote(PODS, found)
        return found if found is not None and found["metadata"]["uid"] == meta["uid"] else None

    def forget(self, namespace: str, name: str) -> None:
        """The run is finished, or gone."""
        self.sightings.forget(namespace, name)
        for key in [key for key in list(self._refusals) if key[:2] == (namespace, name)]:
            del self._refusals[key]
        self._gone -= {key for key in list(self._gone) if key[:2] == (namespace, name)}

    def facts(self, run: CallTestRun, plans: Sequence[Plan], pods: Sequence[Raw]) -> tuple[AgentFacts, ...]:
        """How the agents of these plans are now."""
        seen = self._seen(run, pods)
        known = {plan.agent: self._known(seen.get(plan.agent), pods) for plan in plans}
        self.logs.follow(
            (seen[agent], facts.state is AgentState.ENDED)
            for agent, facts in known.items()
            if facts is not None and facts.state in {AgentState.RUNNING, AgentState.ENDED}
        )
        return tuple(self._facts(run, plan, seen.get(plan.agent), known[plan.agent]) for plan in plans)

    def _known(self, seen: Sighting | None, pods: Sequence[Raw]) -> PodFacts | None:
        """How a pod is; None: there is none, and what was seen of one says no more than that."""
        if seen is None:
            return None
        facts = pod_facts(seen.pod, now=self.now())
        is_here = any(pod["metadata"]["uid"] == seen.pod["metadata"]["uid"] for pod in pods)
        return facts if is_here or facts.state is AgentState.ENDED else None

    def plans(self, pods: Sequence[Raw]) -> dict[str, Plan]:
        """The plans that pods carry, by agent."""
        found: dict[str, Plan] = {}
        for pod in pods:
            try:
                plan = decode_plan(_annotation(pod, PLAN_ANNOTATION).encode())
            except PlanError as error:
                LOG.warning("pod %s: %s", pod["metadata"]["name"], error)
                continue
            found[plan.agent] = plan
        return found

    def create(self, run: CallTestRun, raw: Raw, plans: Sequence[Plan]) -> list[Cause]:
        """Creates the agents of these plans; the refusals, if any. A pod of ours that is there already is adopted."""
        test = run.spec.test
        refusals = []
        if test.callee is not None and test.callee.route is Route.CALLEE_SERVICE:
            family = test.target.ip_family
            service = callee_service(run.namespace, run.spec.call_test_name, _service_owner(raw), family)
            refusals += self._create(run, service, "", lambda held: _unfit(held, family))
        if refusals:
            for plan in plans:
                self._refusals[_key(run, plan.agent)] = refusals[0]
            return refusals
        for plan in plans:
            pod = agent_pod(plan, test, self.image)
            refusals += self._create(run, pod, plan.agent, lambda held: None if is_owned(held, run.uid) else NOT_OURS)
        return refusals

    def _create(self, run: CallTestRun, body: Raw, agent: str, unfit: Callable[[Raw], str | None]) -> list[Cause]:
        """`unfit`: why one of that name that is there already will not do; None: it is taken for this one."""
        kind = PODS if body["kind"] == "Pod" else SERVICES
        what = f"{body['kind']} {body['metadata']['name']}"
        self._refusals.pop(_key(run, agent), None)
        try:
            self.cluster.create(kind, run.namespace, body)
        except ClusterError as error:
            if error.is_passing:
                raise
            held = self.cluster.get(kind, run.namespace, body["metadata"]["name"]) if error.conflict else None
            reason, text, is_final = Reason.AGENT_NOT_CREATED, error.message, error.final
            if held is not None and self._is_going(held):
                text, is_final = "one from before is about to be deleted; waiting until it is gone", False
            elif held is not None and (fault := unfit(held)) is not None:
                reason, text, is_final = Reason.NAME_CONFLICT, fault, True
            elif held is not None:
                if agent:  # the watch may not have been there yet, and who was created and is absent is lost
                    self.sightings.saw(run.namespace, run.name, held)
                return []
            refusal = Cause(reason=reason, message=f"{what}: {text}", is_final=is_final)
            self._refusals[_key(run, agent)] = refusal
            return [refusal]
        return []

    def _is_going(self, held: Raw) -> bool:
        """It is being deleted, or will be in a moment, as its CallTest or run is gone (and maybe made anew)."""
        meta = held["metadata"]
        owners = [owner for owner in meta.get("ownerReferences") or () if owner["kind"] in OWNERS]
        if meta.get("deletionTimestamp") or not owners:
            return bool(meta.get("deletionTimestamp"))
        found = [self.cluster.get(OWNERS[owner["kind"]], meta["namespace"], owner["name"]) for owner in owners]
        return not any(
            owner is not None and owner["metadata"]["uid"] == reference["uid"]
            for owner, reference in zip(found, owners, strict=True)
        )

    def send(self, run: CallTestRun, orders: Mapping[str, Order]) -> None:
        """Gives agents their new signals. One whose pod is gone meanwhile needs none."""
        for agent, order in orders.items():
            annotations = {GO_ANNOTATION: order.signal.encode().decode()}
            if order.stopped:
                annotations[STOPPED_ANNOTATION] = msgspec.json.encode(order.stopped).decode()
            try:
                self.cluster.annotate(PODS, run.namespace, pod_name(run.name, agent), annotations)
            except ClusterError as error:
                if not error.gone:
                    raise

    def collect(self, run: CallTestRun, plans: Sequence[Plan], endings: Mapping[str, Cause]) -> list[Left]:
        """What the agents of these plans left behind; `endings` say why something is missing, should it be."""
        pods = self.pods(run)
        seen = self._seen(run, pods)
        self._read_to_the_end(seen.values(), pods)
        left = []
        for plan in plans:
            sighting, node = seen.get(plan.agent), ""
            if sighting is None:
                log, result, raw_plan = Log(), None, plan.encode()
            else:
                facts = pod_facts(sighting.pod, now=self.now())
                log, result = read_log(sighting.log.lines), facts.result
                raw_plan = _annotation(sighting.pod, PLAN_ANNOTATION).encode()
                node = str((sighting.pod.get("spec") or {}).get("nodeName") or "")
            report = collect(plan, raw_plan, result, log, endings[plan.agent])
            left.append(Left(report=report, log=log, node=node))
        return left

    def _seen(self, run: CallTestRun, pods: Sequence[Raw]) -> dict[str, Sighting]:
        """Each agent's pod, as it is or was last seen."""
        for pod in pods:
            self.sightings.saw(run.namespace, run.name, pod)
        found = self.sightings.of_run(run.namespace, run.name)
        return {
            str(seen.pod["metadata"]["labels"][AGENT_LABEL]): seen for seen in found if _is_agent(seen.pod, run.uid)
        }

    def _facts(self, run: CallTestRun, plan: Plan, seen: Sighting | None, facts: PodFacts | None) -> AgentFacts:
        if seen is None or facts is None:
            return self._absent(run, plan)
        progress = seen.log.progress
        if progress and (progress.run_uid, progress.agent) != (run.uid, plan.agent):
            progress = None
        return AgentFacts(
            plan=plan,
            state=facts.state,
            ending=facts.ending,
            signal=_signal(seen.pod),
            progress=progress,
            stopped=_stop_note(seen.pod),
            lines=seen.log.lines,
        )

    def _absent(self, run: CallTestRun, plan: Plan) -> AgentFacts:
        message = f"Pod {pod_name(run.name, plan.agent)}: was not created in time"
        late = Cause(reason=Reason.AGENT_NOT_CREATED, message=message)
        return AgentFacts(plan=plan, state=AgentState.ABSENT, ending=self._refusals.get(_key(run, plan.agent), late))

    def _read_to_the_end(self, seen: Iterable[Sighting], pods: Sequence[Raw]) -> None:
        """Reads all lines of pods that are over; of one that cannot be read any more stays what was read before."""
        here = {str(pod["metadata"]["uid"]) for pod in pods}
        over = {uid: each for each in seen if (uid := str(each.pod["metadata"]["uid"])) in here}
        facts = {uid: pod_facts(each.pod, now=self.now()) for uid, each in over.items()}
        ended = [(over[uid], True) for uid, known in facts.items() if known.state is AgentState.ENDED]
        for uid, error in self.logs.follow(ended, must_ask=True).items():
            if not error.gone and self.now() < (facts[uid].ended_at or 0.0) + LOG_PATIENCE_S:
                raise error
            LOG.warning("log of pod %s: %s; going on without", over[uid].pod["metadata"]["name"], error)


def _is_agent(pod: Raw, run_uid: str) -> bool:
    return is_owned(pod, run_uid) and AGENT_LABEL in (pod["metadata"].get("labels") or {})


def _key(run: CallTestRun, agent: str) -> tuple[str, str, str, str]:
    return run.namespace, run.name, run.uid, agent


def _annotation(pod: Raw, name: str) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(name, ""))


def _signal(pod: Raw) -> Signal:
    """What an agent was told last; somebody else's nonsense counts as nothing told."""
    try:
        return decode_signal(_annotation(pod, GO_ANNOTATION).encode())
    except PlanError as error:
        LOG.warning("pod %s: %s", pod["metadata"]["name"], error)
        return Signal()


def _stop_note(pod: Raw) -> Cause | None:
    text = _annotation(pod, STOPPED_ANNOTATION)
    try:
        return msgspec.json.decode(text, type=Cause) if text else None
    except msgspec.MsgspecError as error:
        LOG.warning("pod %s: %s: %s", pod["metadata"]["name"], STOPPED_ANNOTATION, error)
        return None


def _service_owner(run: Raw) -> Owner:
    """The callee's Service belongs to the CallTest, and to the run where that was made by hand."""
    owners = run["metadata"].get("ownerReferences") or ()
    test = next((owner for owner in owners if owner.get("kind") == "CallTest"), None)
    if test:
        return Owner(kind="CallTest", name=str(test["name"]), uid=str(test["uid"]))
    return Owner(kind="CallTestRun", name=str(run["metadata"]["name"]), uid=str(run["metadata"]["uid"]))


def _unfit(service: Raw, family: IpFamily) -> str | None:
    """Why a callee's Service from before cannot be this one. What Kubernetes gives its names is not changed later."""
    if TEST_LABEL not in service["metadata"].get("labels", {}):
        return NOT_OURS
    families = (service.get("spec") or {}).get("ipFamilies") or [family]
    return None if families == [family] else f"is there from before, of {' and '.join(families)}: delete it"
