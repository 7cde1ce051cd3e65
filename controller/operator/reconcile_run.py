"""One run, from its creation to its verdict: reads the objects, takes the next step; can be repeated at any point."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from msgspec import UNSET

from agent.contract.plan import Plan, RunRef
from agent.contract.verdict import Reason, Result
from controller.api.parse import CallTestRun, SpecError, parse_run
from controller.api.run import CallCounts, CallTestRunStatus, CauseType, Detail, Endpoint
from controller.api.target import Via
from controller.kube.agents import Agents
from controller.kube.cluster import PODS, RUNS, Cluster, ClusterError, Raw
from controller.kube.events import Events
from controller.kube.podfacts import pod_facts
from controller.kube.snapshot import snapshot
from controller.kube.store import Store
from controller.kube.sut import Seen, Suts
from controller.operator.claims import Claims
from controller.operator.details import Details
from controller.operator.metrics import Metrics
from controller.operator.reading import read
from controller.operator.replacing import Replacements
from controller.operator.runs import runs_of, write_status
from controller.operator.settings import Settings
from controller.plan.cause import Cause, PlanningError
from controller.plan.discovery import Discovery, changes
from controller.plan.limits import UNLIMITED
from controller.plan.planning import check_test, plan_run
from controller.plan.revisions import revisions
from controller.run import status as statuses
from controller.run.agent_state import AgentState
from controller.run.conclude import Outcome, conclude, refused
from controller.run.lifecycle import Collect, Create, GiveUp, Resolve, RunFacts, Send, Step, Wait, next_step
from controller.run.scheduling import is_next

LOG = logging.getLogger(__name__)
POLL_S: Final = 0.3
"""While agents run: their progress is in their logs, which nothing announces."""
WAIT_S: Final = 1.0
"""While endpoints or pods are waited for, beside the events that announce them."""
PROGRESS_EVERY_S: Final = 2.0
MAX_STEPS: Final = 8
"""In one reconcile: a run has fewer kinds of steps."""


@dataclass(slots=True)
class RunReconciler:
    """Everything a run needs; holds nothing that a restart must not lose."""

    cluster: Cluster
    store: Store
    settings: Settings
    metrics: Metrics
    events: Events
    agents: Agents
    now: Callable[[], float]
    suts: Suts
    claims: Claims
    replacements: Replacements
    details: Details
    _said: dict[str, float] = field(default_factory=dict)
    """When progress was last written, by run UID."""
    _made: dict[tuple[str, str], tuple[str, tuple[Plan, ...]]] = field(default_factory=dict)
    """By namespace and name of runs whose agents were created: UID and plans, to know who is absent."""

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Takes all steps that can be taken now; returns the seconds until it should look again, if it should."""
        kept = self.store.run(namespace, name)
        if kept is None or kept.is_going:
            self._forget(namespace, name)
        elif kept.is_finished and kept.run is not None:
            self._tidy(kept.run)
        elif kept.run is not None and kept.run.status.start_time is UNSET and not self._is_next(kept.run, kept.created):
            return WAIT_S
        else:
            return self._under_way(namespace, name)
        return None

    def _under_way(self, namespace: str, name: str) -> float | None:
        raw = self.cluster.get(RUNS, namespace, name)  # what is written builds on what the API server has
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._forget(namespace, name)
            return None
        try:
            run = read(parse_run, raw)
        except SpecError as error:
            self._delete_pods(namespace, name, str(raw["metadata"]["uid"]))
            self._forget(namespace, name)
            if "result" not in (raw.get("status") or {}):  # else it was said, and its times must not move
                self._write(raw, CallTestRunStatus(), self._unreadable(error))
            return None
        if run.status.result is not UNSET:
            self._tidy(run)
            return None
        created = str(raw["metadata"]["creationTimestamp"])
        if run.status.start_time is UNSET and (busy := self.claims.turn(run, created)):
            self._write(raw, run.status, statuses.queued(run.status, busy, self.clock(run.generation)))
            return WAIT_S
        return _OneRun(self, raw, run).advance()

    def _forget(self, namespace: str, name: str) -> None:
        self.agents.forget(namespace, name)
        self._made.pop((namespace, name), None)
        self.claims.release(namespace, name)
        self.suts.forget_named(("CallTestRun", namespace, name))

    def _is_next(self, run: CallTestRun, created: str) -> bool:
        others = runs_of(self.store, run.namespace, run.spec.call_test_name, owner_uid="")
        return is_next(run, created, others)

    def _unreadable(self, error: SpecError) -> CallTestRunStatus:
        outcome = Outcome(
            result=Result.INCONCLUSIVE,
            reason=Reason.INVALID_TEST,
            message=str(error),
            calls=CallCounts(planned=0, summary="0/0"),
        )
        return statuses.concluded(CallTestRunStatus(), outcome, self.clock(1))

    def _tidy(self, run: CallTestRun) -> None:
        """It has its verdict."""
        self._delete_pods(run.namespace, run.name, run.uid, is_passed=run.status.result is Result.PASSED)
        self.agents.forget(run.namespace, run.name)
        self._said.pop(run.uid, None)
        self._made.pop((run.namespace, run.name), None)
        self.claims.release(run.namespace, run.name)
        self.replacements.forget(run.uid)
        self.suts.forget(run.uid)

    def _delete_pods(self, namespace: str, name: str, uid: str, *, is_passed: bool = False) -> None:
        """Pods of a Passed run go; of another run they stay for whoever looks into it, unless they still run."""
        for pod in self.agents.left(namespace, name, uid):
            state = pod_facts(pod, now=self.now()).state
            if not pod["metadata"].get("deletionTimestamp") and (is_passed or state is not AgentState.ENDED):
                self.cluster.delete(PODS, namespace, pod["metadata"]["name"], pod["metadata"]["uid"])

    def clock(self, generation: int) -> statuses.Clock:
        """Now."""
        return statuses.Clock(now=datetime.fromtimestamp(self.now(), UTC), generation=generation)

    def _write(self, raw: Raw, before: CallTestRunStatus, after: CallTestRunStatus) -> Raw:
        return raw if after == before else write_status(self.cluster, raw, after)


class _OneRun:
    """One reconcile of one run: the object as last written, and the steps."""

    def __init__(self, parent: RunReconciler, raw: Raw, run: CallTestRun) -> None:
        self.parent, self.raw, self.run = parent, raw, run
        self.test = run.spec.test
        self.limits = parent.settings.limits
        self.ref = RunRef(uid=run.uid, namespace=run.namespace, name=run.name, call_test=run.spec.call_test_name)

    def advance(self) -> float | None:
        """Steps until there is nothing to do now."""
        self.write(statuses.begun(self.run.status, self.clock()))
        try:
            if not statuses.is_created(self.run.status):  # what began under other limits goes on
                check_test(self.test, self.limits)
            for _ in range(MAX_STEPS):
                again_s, is_done = self.step()
                if is_done:
                    return again_s
        except PlanningError as error:
            self.finish(refused(error.cause, self.test, self.endpoints))
            return None
        return POLL_S

    def step(self) -> tuple[float | None, bool]:
        """One step; the seconds until the next look, and whether there is nothing more to do now."""
        facts = self.facts()
        step = next_step(facts)
        if _is_final(step, facts):
            before, facts = facts, self.facts(is_certain=True)  # of the watches alone, nothing is concluded
            step = next_step(facts)
            if isinstance(step, Send) and _is_news(before, facts):
                step = Wait()  # what one that is not as it was thought to be has to say, is heard first
        match step:
            case Resolve():
                return WAIT_S, self.resolve(is_last_try=step.is_last_try)
            case Create():
                return WAIT_S, self.create(step, facts)
            case Send():
                self.parent.agents.send(self.run, step.orders)
                self.say("%s", {agent: order.signal.encode().decode() for agent, order in step.orders.items()})
                if any(order.signal.go == 0 for order in step.orders.values()):
                    self.parent.events.normal(self.raw, "AgentsReady", f"{len(facts.agents)} agents are ready")
                return POLL_S, False
            case GiveUp():
                self.finish(refused(step.ending, self.test))
                return None, True
            case Collect():
                self.collect(step, facts)
                return None, True
        self.tell_progress(facts)
        is_running = any(agent.state is AgentState.RUNNING for agent in facts.agents)
        return (POLL_S if is_running else WAIT_S), True

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints that the run is fixed to; none before they are."""
        found = self.run.status.endpoints
        return found if found is not UNSET else ()

    def say(self, text: str, *values: object) -> None:
        """To the operator's log, with the run's name."""
        LOG.info("run %s/%s: " + text, self.run.namespace, self.run.name, *values)  # noqa: G003 - text is ours

    def clock(self) -> statuses.Clock:
        """Now, and which generation is spoken of."""
        return self.parent.clock(self.run.generation)

    def write(self, after: CallTestRunStatus) -> None:
        """Writes the status, where it differs; what follows builds on what the API server answered."""
        self.raw = self.parent._write(self.raw, self.run.status, after)  # noqa: SLF001 - two halves of one thing
        self.run = parse_run(self.raw)

    def facts(self, *, is_certain: bool = False) -> RunFacts:
        """What is known of the run now; `is_certain`: as the API server has it, and not only the watches."""
        started = self.run.status.start_time
        assert started is not UNSET  # `begun` was written
        is_resolved = self.run.status.endpoints is not UNSET
        is_created = statuses.is_created(self.run.status)
        pods = self.parent.agents.pods(self.run, is_certain=is_certain) if is_resolved else []
        plans = self.plans(pods, is_created=is_created) if is_resolved else ()
        if is_created and (unheard := self.parent.agents.unheard_of(self.run, plans, pods)):
            pods = [*pods, *unheard]
            plans = self.plans(pods, is_created=True)
        return RunFacts(
            waited_s=self.parent.now() - started.timestamp(),
            ready_deadline_s=self.test.ready_deadline_s,
            active_deadline_s=self.test.active_deadline_seconds,
            resolved=is_resolved,
            created=is_created,
            agents=self.parent.agents.facts(self.run, plans, pods),
            replaced=self.parent.replacements.of(self.run, self.raw),
        )

    def plans(self, pods: Sequence[Raw], *, is_created: bool) -> tuple[Plan, ...]:
        """The plans as the pods have them; those of absent pods as made from what was written down, once.

        An operator with other limits than the one that began a run does not end it: what was created stands.
        """
        held = self.parent.agents.plans(pods)
        of_run = (self.run.namespace, self.run.name)
        uid, made = self.parent._made.get(of_run, ("", ()))  # noqa: SLF001 - two halves of one thing
        if uid != self.run.uid:
            limits = UNLIMITED if is_created else self.limits
            made = plan_run(self.ref, self.test, self.endpoints, limits, also_allowed=self.also_allowed(held))
            if is_created:  # before that, what may send SIP beside the endpoints is still looked at
                self.parent._made[of_run] = self.run.uid, made  # noqa: SLF001
        return tuple((held | {plan.agent: plan for plan in made if plan.agent not in held}).values())

    def also_allowed(self, held: Mapping[str, Plan]) -> tuple[str, ...]:
        """The replicas behind a ClusterIP: they are not endpoints, and may send SIP all the same."""
        if held or self.test.target.via is not Via.SERVICE:
            return ()
        return self.look(is_certain=True).discovery.addresses

    def look(self, *, is_certain: bool = False) -> Seen:
        """The target, now; certain where something is concluded from it."""
        rollout = self.test.trigger.on_rollout if self.test.trigger is not None else None
        settle_s = rollout.settle_seconds if rollout and self.run.spec.cause.type is CauseType.ROLLOUT else 0
        who = ("CallTestRun", self.run.namespace, self.run.name)
        return self.parent.suts.look(
            self.test, self.run.namespace, by=self.run.uid, who=who, settle_s=settle_s, is_certain=is_certain
        )

    def resolve(self, *, is_last_try: bool) -> bool:
        """Writes the endpoints down; True: there are not enough of them yet, or the run is over for lack of them."""
        seen = self.look()
        problem = seen.discovery.problem
        is_over = is_last_try or (problem is not None and problem.is_final)
        is_found = problem is None and not seen.unsettled
        if is_over or is_found or self.parent.suts.is_to_ask(self.run.uid):
            seen = self.look(is_certain=True)  # these are called, or the run ends for lack of them
        found = seen.discovery
        if found.problem is None and seen.unsettled:
            found = Discovery(problem=Cause(reason=Reason.NOT_SETTLED, message=seen.unsettled))
        busy = None
        if found.problem is None:
            created = str(self.raw["metadata"]["creationTimestamp"])
            busy = self.parent.claims.take(self.run, created, is_certain=is_last_try)
        if found.problem is None and is_last_try:  # agents that begin now would not be ready in time
            found = Discovery(problem=busy or statuses.stood(self.run.status, self.test.ready_deadline_s))
        elif busy is not None:
            self.write(statuses.queued(self.run.status, busy, self.clock()))
            self.parent.events.warning(self.raw, statuses.QUEUED, busy.message)
            return True
        if found.problem is None:
            self.fix(found, seen)
            return False
        if found.problem.is_final or is_last_try:
            self.finish(refused(found.problem, self.test))
            return True
        self.write(statuses.unresolved(self.run.status, found.problem, found, self.clock()))
        self.parent.events.warning(self.raw, found.problem.reason, found.problem.message)
        return True

    def fix(self, found: Discovery, seen: Seen) -> None:
        """Writes down what the run is about."""
        plans = plan_run(self.ref, self.test, found.endpoints, self.limits, also_allowed=found.addresses)
        planned = len(found.endpoints) * sum(call.count for call in plans[0].calls)
        status = statuses.resolved(self.run.status, found, planned, self.clock())
        self.write(statuses.running(status, revisions(seen.tested(self.test.target))))
        self.say("%d endpoints", len(found.endpoints))
        self.parent.events.normal(self.raw, "TargetsResolved", f"{len(found.endpoints)} endpoints")

    def create(self, step: Create, facts: RunFacts) -> bool:
        """Creates what is absent; True: something was refused that may be granted later."""
        refusals = self.parent.agents.create(self.run, self.raw, step.absent)
        self.say("%d agents created, %d refused", len(step.absent) - len(refusals), len(refusals))
        if not refusals:
            self.write(statuses.created(self.run.status, len(facts.agents), self.clock()))
            return False
        for refusal in refusals:
            self.parent.events.warning(self.raw, refusal.reason, refusal.message)
        return not any(refusal.is_final for refusal in refusals)

    def tell_progress(self, facts: RunFacts) -> None:
        """The live status, every few seconds at most."""
        now = self.parent.now()
        if not facts.created or now - self.parent._said.get(self.run.uid, 0.0) < PROGRESS_EVERY_S:  # noqa: SLF001
            return
        self.parent._said[self.run.uid] = now  # noqa: SLF001
        callers = [agent.progress for agent in facts.agents if agent.progress and agent.plan.role == "Caller"]
        self.write(
            statuses.progressed(
                self.run.status,
                agents=len(facts.agents),
                ready=sum(agent.ready > 0 or agent.over for agent in facts.agents),
                ended=sum(line.ended for line in callers),
                failed=sum(line.failed for line in callers),
                clock=self.clock(),
            )
        )

    def collect(self, step: Collect, facts: RunFacts) -> None:
        """Reads what the agents left behind, stores the detail, and concludes."""
        plans = [agent.plan for agent in facts.agents]
        left = self.parent.agents.collect(self.run, plans, step.endings)
        nodes = {plan.agent: item.node for plan, item in zip(plans, left, strict=True)}
        outcome = conclude([item.report for item in left], self.endpoints, self.changes(), nodes)
        lines = [line for item in left for line in item.log.raw]
        detail = self.parent.details.store(self.run, self.raw, lines, is_complete=outcome.is_complete)
        self.finish(outcome, detail)

    def changes(self) -> dict[int, Reason]:
        """What became of the endpoints meanwhile; nothing, where we cannot look."""
        try:
            suts = self.parent.suts
            seen = snapshot(suts.cluster, suts.names, self.test.target, self.run.namespace)
        except ClusterError as error:
            LOG.warning(
                "run %s/%s: the endpoints could not be read again: %s", self.run.namespace, self.run.name, error
            )
            return {}
        return changes(self.endpoints, seen.pods)

    def finish(self, outcome: Outcome, detail: Detail | None = None) -> None:
        """Writes the verdict: the last write of a run's status."""
        self.write(statuses.concluded(self.run.status, outcome, self.clock(), detail))
        self.say("%s: %s", outcome.result, outcome.message)
        tell = self.parent.events.normal if outcome.result is Result.PASSED else self.parent.events.warning
        tell(self.raw, f"Run{outcome.result}", outcome.message)
        if self.is_of_a_test:
            test, verdict = (self.run.namespace, self.run.spec.call_test_name), outcome.verdict
            self.parent.metrics.finished(test, self.run.name, outcome.result, reason=outcome.reason, verdict=verdict)
        self.parent._tidy(self.run)  # noqa: SLF001

    @property
    def is_of_a_test(self) -> bool:
        """The operator made it for a CallTest: one by hand shows for itself, and is no part of the test's metrics."""
        owners = self.raw["metadata"].get("ownerReferences") or ()
        return any(owner["kind"] == "CallTest" and owner.get("controller") for owner in owners)


def _is_final(step: Step, facts: RunFacts) -> bool:
    """It cannot be taken back: the run ends, or agents are stopped."""
    if isinstance(step, Collect):
        return not all(agent.state is AgentState.ENDED for agent in facts.agents)
    return isinstance(step, Send) and any(order.stopped is not None for order in step.orders.values())


def _is_news(before: RunFacts, after: RunFacts) -> bool:
    """An agent came to a state in which it may have something to say; one that is not there never will."""
    was = {agent.plan.agent: agent.state for agent in before.agents}
    here = [agent for agent in after.agents if agent.state not in {AgentState.ABSENT, AgentState.LOST}]
    return any(agent.state is not was.get(agent.plan.agent) for agent in here)
