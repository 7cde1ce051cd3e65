"""One CallTest: starts its runs, shows the last one, drops those that history has no room for."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from agent.contract.verdict import Reason, Result
from controller.api import API_VERSION
from controller.api.calltest_status import CallTestStatus, SutStatus
from controller.api.field import without_nulls
from controller.api.parse import REQUESTED_AT, CallTest, SpecError, parse_run, parse_test
from controller.api.run import CauseType, RunCause
from controller.kube.cluster import RUNS, TESTS, Cluster, ClusterError, Raw, is_owned
from controller.kube.events import Events
from controller.kube.labels import TEST_LABEL
from controller.kube.store import Store
from controller.kube.sut import Seen, Suts
from controller.operator.metrics import Metrics
from controller.operator.reading import read
from controller.operator.runs import runs_of
from controller.plan.cause import Cause
from controller.plan.discovery import Discovery
from controller.plan.revisions import of_pods, revision_hash, revisions
from controller.run import status as statuses
from controller.run.calltest_status import RUN_DELETED, RUN_UNREADABLE, Lost, NamedRun, Sut, of_test
from controller.run.rollouts import SutSeen
from controller.run.runs import RunSeen, Start, is_of, run_token, tested_hash
from controller.run.scheduling import Schedule, schedule
from controller.text import plain

LOOK_EVERY_S: Final = 10.0
"""At what the SUT of a test with onRollout runs."""
UNHEARD_S: Final = 0.5
"""Until a test is looked at again of which a run was not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is due, and what it follows from."""

    sut: SutSeen | None
    runs: tuple[RunSeen, ...]
    plan: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReconciler:
    """Everything a CallTest needs."""

    cluster: Cluster
    store: Store
    suts: Suts
    metrics: Metrics
    events: Events
    now: Callable[[], float]

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Does what is due now; returns the seconds to the next look. Others come with events.

        Where the store says that nothing is due, nothing is asked of the API server.
        """
        kept = self.store.test(namespace, name)
        if kept is None:
            self.metrics.forget((namespace, name))
            self.suts.forget_named(("CallTest", namespace, name))
            return None
        if kept.is_going:
            return None
        if kept.test is not None and (again_s := self._is_quiet(kept.test, kept.created)) is not None:
            return again_s or None
        raw = self.cluster.get(TESTS, namespace, name)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            return None  # the watch will say so
        try:
            test = read(parse_test, raw)
        except SpecError as error:
            self._stall(raw, Cause(reason=Reason.INVALID_TEST, message=str(error), is_final=True))
            return None
        return self._act(raw, test)

    def _act(self, raw: Raw, test: CallTest) -> float | None:
        seen = self._see(test)
        if seen.plan.skipped:  # for good: not for a run that is over, and only the watches do not know it yet
            seen = self._see(test, over=self._over(seen))
        if seen.plan.deleted and self._is_unheard_of(test, seen.plan.deleted):
            return UNHEARD_S
        plan, active = seen.plan, _named(seen.plan.active)
        if plan.start:
            active = self._start(raw, test, plan.start)
            if active is None:
                plan = changed(plan, start=None, is_acted_on=False, conflict=plan.start.name)
        after = self._show(raw, test, changed(seen, plan=plan), active)
        self._measure(test, after, seen, _created(raw))
        for each in plan.drop:
            self.cluster.delete(RUNS, test.namespace, each.run.name, each.run.uid)
        return self._again_s(test, seen)

    def _is_unheard_of(self, test: CallTest, run: str) -> bool:
        """Another operator made a run (one that ends while this one begins), and no watch has told of it yet.

        Or it could not be read: its own reconcile reads it again, or ends it.
        """
        kept = self.store.run(test.namespace, run)
        if kept is not None and (kept.run is not None or kept.is_finished):
            return False
        held = self.cluster.get(RUNS, test.namespace, run)
        if held is not None:
            self.store.wrote(RUNS, held)
        return held is not None

    def _over(self, seen: _Seen) -> set[str]:
        """UIDs of runs that are gone. Of those that are finished, the store has it from now on."""
        over = set()
        for run in (each.run for each in seen.runs if not each.finished):
            held = self.cluster.get(RUNS, run.namespace, run.name)
            if held is not None:
                self.store.wrote(RUNS, held)
            if held is None or held["metadata"]["uid"] != run.uid:
                over.add(run.uid)
        return over

    def _see(self, test: CallTest, *, over: Collection[str] = ()) -> _Seen:
        """What is due, by what the store has, without runs that are gone."""
        known = runs_of(self.store, test.namespace, test.name, owner_uid=test.uid)
        runs = [each for each in known if each.run.uid not in over]
        now = datetime.fromtimestamp(self.now(), UTC)
        sut = self._look(test, now)
        return _Seen(sut=sut, runs=tuple(runs), plan=schedule(test, runs, now, sut))

    def _is_quiet(self, test: CallTest, created: str) -> float | None:
        """Seconds to the next look where there is nothing to do (0: none is needed); None: there is something."""
        seen = self._see(test)
        plan = seen.plan
        if plan.start or plan.drop or plan.conflict or plan.skipped or plan.deleted:
            return None
        after = self._after(test, seen, _named(plan.active), problem=None)
        if after != test.status:
            return None
        self._measure(test, after, seen, datetime.fromisoformat(created))
        return self._again_s(test, seen) or 0.0

    def _again_s(self, test: CallTest, seen: _Seen) -> float | None:
        """A SUT that does not stand still, or that nobody tells us of, is looked at again."""
        waits = [seen.plan.again_s]
        if seen.sut is not None:
            is_awaited = seen.sut.unsettled or seen.plan.untested or not self.suts.is_told(test.spec, test.namespace)
            waits.append(LOOK_EVERY_S if is_awaited else None)
        return min((wait_s for wait_s in waits if wait_s is not None), default=None)

    def _look(self, test: CallTest, now: datetime) -> SutSeen | None:
        """What the SUT runs now; None: the test does not ask."""
        rollout = test.spec.trigger.on_rollout if test.spec.trigger is not None else None
        if rollout is None:
            self.suts.forget(test.uid)
            return None
        who = ("CallTest", test.namespace, test.name)
        try:
            seen = self.suts.look(test.spec, test.namespace, by=test.uid, who=who, settle_s=rollout.settle_seconds)
        except ClusterError as error:  # what was changed of the test is said all the same, and then looked again
            seen = Seen(discovery=Discovery(), unsettled=str(error))
        found, known = revision_hash(revisions(seen.present)), test.status.sut
        is_known = known is not UNSET and known.revision_hash == found
        since = known.since if is_known and known is not UNSET else now.replace(microsecond=0)
        problem = seen.discovery.problem
        why = problem.message if problem is not None and not seen.present else seen.unsettled
        return SutSeen(present=seen.present, unsettled=why, since=since)

    def _start(self, raw: Raw, test: CallTest, start: Start) -> NamedRun | None:
        """Creates the run; one of this name that is ours is it already. None: somebody else's has the name."""
        try:
            made = self.cluster.create(RUNS, test.namespace, run_of(raw, test, start))
        except ClusterError as error:
            held = self.cluster.get(RUNS, test.namespace, start.name) if error.conflict else None
            if held is None:
                raise
            if not is_owned(held, test.uid):
                return None
            made = held
            self.store.wrote(RUNS, held)  # the watch may not have been there yet
        self.events.normal(raw, "RunCreated", f"run {start.name}: {_why(start.cause)}", run=start.name)
        return NamedRun(name=start.name, status=parse_run(made).status)

    def _after(self, test: CallTest, seen: _Seen, active: NamedRun | None, *, problem: Cause | None) -> CallTestStatus:
        plan = seen.plan
        after = of_test(
            test.status,
            statuses.Clock(now=datetime.fromtimestamp(self.now(), UTC), generation=test.generation),
            spec_hash=tested_hash(test.spec),
            active=active,
            last=_named(plan.last),
            lost=self._lost(test.namespace, plan),
            suspended=test.spec.suspend,
            problem=problem,
            sut=_sut(seen.sut, test, plan) if seen.sut else None,
        )
        return _acted_on(after, test, plan)

    def _lost(self, namespace: str, plan: Schedule) -> Lost | None:
        if plan.deleted is None:
            return None
        kept = self.store.run(namespace, plan.deleted)
        is_unread = kept is not None and kept.run is None
        return Lost(name=plan.deleted, reason=RUN_UNREADABLE if is_unread else RUN_DELETED)

    def _show(self, raw: Raw, test: CallTest, seen: _Seen, active: NamedRun | None) -> CallTestStatus:
        after = self._after(test, seen, active, problem=self._say(raw, test, seen.plan))
        if after != test.status:
            self.cluster.replace_status(TESTS, raw | {"status": statuses.as_dict(after)})
        if seen.plan.last:
            self._tell(raw, test, seen.plan.last)
        return after

    def _measure(self, test: CallTest, after: CallTestStatus, seen: _Seen, created: datetime) -> None:
        """What /metrics shows of the test, also after a restart."""
        of, last = (test.namespace, test.name), seen.plan.last
        ended = [each for each in seen.runs if each.is_ours and each.finished and is_of(each.run, test)]
        self.metrics.show_test(of, test.spec, after, created=created, of=test.uid, runs=ended)
        self.metrics.skipped(of, test.status.schedule, after.schedule)
        if last is not None and last.run.status.endpoints is not UNSET:
            self.metrics.show_endpoints(of, last.run.status.endpoints)

    def _say(self, raw: Raw, test: CallTest, plan: Schedule) -> Cause | None:
        """The events of what was not run; the problem that stands in the way."""
        if plan.skipped:
            self.events.normal(raw, "RunSkipped", plan.skipped, run=plan.skipped)
        if lost := self._lost(test.namespace, plan):
            self.events.warning(raw, lost.reason, f"run {lost.message}", run=lost.name)
        if not plan.conflict:
            return None
        message = f"CallTestRun {plan.conflict} is there already, and is not of this CallTest; delete it"
        self.events.warning(raw, Reason.NAME_CONFLICT, message, run=plan.conflict)
        return Cause(reason=Reason.NAME_CONFLICT, message=message)

    def _tell(self, raw: Raw, test: CallTest, last: RunSeen) -> None:
        """The verdict as an event of the CallTest, also after a restart."""
        status = last.run.status
        if test.status.last_run is not UNSET and test.status.last_run.name == last.run.name:
            return
        tell = self.events.normal if status.result is Result.PASSED else self.events.warning
        message = status.message if status.message is not UNSET else ""
        tell(raw, f"Run{status.result}", f"{last.run.name}: {message}", run=last.run.name)

    def _stall(self, raw: Raw, problem: Cause) -> None:
        """A test that the API server took and we do not: its status says which field is at fault."""
        clock = statuses.Clock(
            now=datetime.fromtimestamp(self.now(), UTC), generation=int(raw["metadata"]["generation"])
        )
        status = of_test(CallTestStatus(), clock, spec_hash="", active=None, last=None, problem=problem)
        after = statuses.as_dict(status)
        if not _is_said(raw.get("status") or {}, after):
            self.cluster.replace_status(TESTS, raw | {"status": after})
            self.events.warning(raw, problem.reason, problem.message)
        of = (raw["metadata"]["namespace"], raw["metadata"]["name"])
        self.metrics.show_test(of, None, status, created=_created(raw))


def run_of(raw: Raw, test: CallTest, start: Start) -> Raw:
    """A run of a CallTest's present spec, as the API server has it."""
    owner = {"apiVersion": API_VERSION, "kind": "CallTest", "name": test.name, "uid": test.uid, "controller": True}
    cause: Raw = msgspec.json.decode(msgspec.json.encode(start.cause))
    return {
        "apiVersion": API_VERSION,
        "kind": "CallTestRun",
        "metadata": {
            "name": start.name,
            "namespace": test.namespace,
            "labels": {TEST_LABEL: test.name},
            "ownerReferences": [owner],
        },
        "spec": {"callTestName": test.name, "cause": without_nulls(cause), "test": raw["spec"]},
    }


def _why(cause: RunCause) -> str:
    """As an event says it."""
    if cause.type is CauseType.GENERATION:
        return f"generation {cause.generation}"
    if cause.type is CauseType.ROLLOUT:
        return "the SUT runs something that was not tested"
    return f"slot of {cause.scheduled_time.isoformat()}" if cause.scheduled_time else f"asked for by {REQUESTED_AT}"


def _sut(seen: SutSeen, test: CallTest, plan: Schedule) -> Sut:
    known = test.status.sut
    started_for = known.started_for if known is not UNSET else ""
    if plan.start is not None:
        started_for = of_pods(seen.present, settled=not seen.unsettled)
    status = SutStatus(
        revision_hash=revision_hash(revisions(seen.present)),
        since=seen.since,
        started_for=started_for,
        settled=not seen.unsettled,
        message=plain(seen.unsettled, statuses.MAX_MESSAGE),
    )
    return Sut(status=status, untested=plan.untested)


def _acted_on(status: CallTestStatus, test: CallTest, plan: Schedule) -> CallTestStatus:
    """With what was acted on: what waits for a run under way must not be taken for something that was run."""
    before = test.status
    is_observed = plan.is_acted_on or test.spec.suspend
    last = plan.last.run.status if plan.last else None
    passed = last.completion_time if last is not None and last.result is Result.PASSED else before.last_successful_time
    return replace(
        status,
        observed_generation=test.generation if is_observed else before.observed_generation,
        tested_hash=tested_hash(test.spec) if plan.is_acted_on else before.tested_hash,
        run_token=run_token(test.spec) if plan.is_acted_on else before.run_token,
        requested_at=test.requested_at if plan.is_request_acted_on else before.requested_at,
        schedule=plan.slots,
        last_successful_time=passed,
    )


def _is_said(held: Raw, after: Raw) -> bool:
    """That a test is stalled, and why; not by the times. One that could be read before has a verdict there."""
    if held.get("observedGeneration") != after["observedGeneration"]:
        return False
    said, wanted = (
        {(each["type"], each["status"], each["reason"], each["message"]) for each in status.get("conditions") or ()}
        for status in (held, after)
    )
    return said == wanted


def _created(raw: Raw) -> datetime:
    return datetime.fromisoformat(raw["metadata"]["creationTimestamp"])


def _named(seen: RunSeen | None) -> NamedRun | None:
    return NamedRun(name=seen.run.name, status=seen.run.status) if seen else None
