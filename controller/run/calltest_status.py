"""Where a CallTest stands → its status: its last run in brief, the one under way, what the SUT runs. Pure."""

from dataclasses import dataclass

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from controller.api.calltest_status import CallTestStatus, LastRun, Running, SutStatus
from controller.api.revision import Revision
from controller.api.run import CallTestRunStatus
from controller.plan.cause import Cause
from controller.run.status import QUEUED, Clock, Say, done, told, under_way

RUN_DELETED = "RunDeleted"
"""A run was deleted before it had a verdict: nothing is known until the next one."""
RUN_UNREADABLE = "RunUnreadable"
"""The same of a run that is there, and cannot be read: it was edited, or another version of the operator made it."""
LOST = {RUN_DELETED: "was deleted before it had a verdict", RUN_UNREADABLE: "cannot be read: its own status says why"}
"""What became of a run, by reason."""
VERDICT_CURRENT = "VerdictCurrent"
"""A CallTest's condition: its verdict is about what the SUT runs now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sut:
    """What the SUT of a test runs now, and what of it the last run did not test."""

    status: SutStatus
    untested: tuple[Revision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRun:
    """A run's name and status."""

    name: str
    status: CallTestRunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A run that was under way, and will have no verdict."""

    name: str
    reason: str

    @property
    def message(self) -> str:
        """What became of it."""
        return f"{self.name} {LOST[self.reason]}"


def of_test(
    before: CallTestStatus,
    clock: Clock,
    *,
    spec_hash: str,
    active: NamedRun | None,
    last: NamedRun | None,
    lost: Lost | None = None,
    suspended: bool = False,
    problem: Cause | None = None,
    sut: Sut | None = None,
) -> CallTestStatus:
    """A CallTest's status: the last finished run of its present spec in brief, and the one under way.

    `spec_hash`: of the present spec. `last`: its last run that is still there. `lost`: the one that was under way,
    where nothing will come of it. `problem`: why the test cannot run.
    """
    last_run = _brief(last, spec_hash) if last else before.last_run
    if last_run is not UNSET and last_run.spec_hash != spec_hash:
        last_run = UNSET
    lost = lost or (_lost(before) if last_run == before.last_run else None)
    says = _says(active, problem, last_run, lost=lost, suspended=suspended)
    kept = before.conditions
    if sut is None:  # nobody looks, and what was seen once is no longer known
        kept = tuple(condition for condition in kept if condition.type != VERDICT_CURRENT)
    else:
        says = (*says, _current(sut, last_run))
    return replace(
        before,
        observed_generation=clock.generation,
        last_run=last_run,
        reason=_reason(last_run, problem, lost if active is None else None),
        running=_running(active) if active else UNSET,
        sut=sut.status if sut else UNSET,
        conditions=told(kept, says, clock),
    )


def _says(
    active: NamedRun | None,
    problem: Cause | None,
    last_run: LastRun | UnsetType,
    *,
    lost: Lost | None,
    suspended: bool,
) -> tuple[Say, ...]:
    """The first of these: a run is under way, none can be, one was lost, there is a verdict, or none yet."""
    if active is not None:
        return under_way(_doing(active))
    if problem is not None:
        return _stuck(problem)
    if lost is not None:
        return _gone(lost)
    return _finished(last_run) if last_run is not UNSET else _waiting(suspended=suspended)


def _reason(last_run: LastRun | UnsetType, problem: Cause | None, lost: Lost | None) -> str | UnsetType:
    """Of the verdict that is shown, or why there is none to show."""
    if last_run is not UNSET:
        return last_run.reason
    if problem is not None:
        return problem.reason
    return lost.reason if lost is not None else UNSET


def _doing(run: NamedRun) -> str:
    """That a run is under way, or what it waits for."""
    said = {condition.type: condition for condition in run.status.conditions}
    targets, queued = said.get("TargetsResolved"), said.get(QUEUED)
    if queued is not None and queued.status == "True":
        return f"{run.name} waits: {queued.reason}: {queued.message}"
    if targets is not None and targets.status == "False":
        return f"{run.name} waits for endpoints: {targets.reason}: {targets.message}"
    return f"{run.name} is under way"


def _current(sut: Sut, last_run: LastRun | UnsetType) -> Say:
    """Whether the verdict is about what the SUT runs now."""
    if sut.status.revision_hash == "":
        message = sut.status.message or "no replica of the SUT is there"
        return Say(type=VERDICT_CURRENT, status="Unknown", reason="NothingRuns", message=message)
    if last_run is UNSET:
        return Say(type=VERDICT_CURRENT, status="False", reason="NoVerdict", message="the present spec has no verdict")
    if sut.untested:
        seen = ", ".join(f"{item.workload} {item.revision}" for item in sut.untested)
        message = f"{last_run.name} did not test {seen}, which runs now"
        return Say(type=VERDICT_CURRENT, status="False", reason="NewRevision", message=message)
    message = f"{last_run.name} tested what runs now"
    return Say(type=VERDICT_CURRENT, status="True", reason="Tested", message=message)


def _lost(status: CallTestStatus) -> Lost | None:
    said = (item.reason for item in status.conditions if item.type == "Succeeded" and item.reason in LOST)
    return next((Lost(name="the run", reason=reason) for reason in said), None)


def _brief(run: NamedRun, spec_hash: str) -> LastRun:
    status = run.status
    assert status.result is not UNSET
    assert status.completion_time is not UNSET
    return LastRun(
        name=run.name,
        result=status.result,
        reason=status.reason,
        message=status.message,
        start_time=status.start_time,
        completion_time=status.completion_time,
        calls=status.calls,
        endpoints=len(status.endpoints) if status.endpoints is not UNSET else 0,
        spec_hash=spec_hash,
        revision_hash=status.revision_hash,
    )


def _running(run: NamedRun) -> Running:
    counts = run.status.calls
    return Running(
        name=run.name,
        start_time=run.status.start_time,
        progress=counts.progress if counts is not UNSET and counts.progress is not UNSET else "starting",
    )


def _stuck(problem: Cause) -> tuple[Say, ...]:
    message = problem.message
    return (
        Say(type="Finished", status="False", reason=problem.reason, message=message),
        Say(type="Succeeded", status="Unknown", reason=problem.reason, message=message),
        Say(type="Reconciling", status="False", reason=problem.reason, message=message),
        Say(type="Stalled", status="True", reason=problem.reason, message=message),
    )


def _gone(lost: Lost) -> tuple[Say, ...]:
    message = f"{lost.message}: to run again change spec.trigger.runToken, or the annotation calltest.dev/requested-at"
    return (
        Say(type="Finished", status="False", reason=lost.reason, message=message),
        Say(type="Succeeded", status="Unknown", reason=lost.reason, message=message),
        Say(type="Reconciling", status="False", reason=lost.reason, message=message),
        Say(type="Stalled", status="False", reason=lost.reason, message="nothing stands in the way"),
    )


def _waiting(*, suspended: bool) -> tuple[Say, ...]:
    reason, message = ("Suspended", "suspend is true") if suspended else ("Pending", "its run is about to begin")
    return (
        Say(type="Finished", status="False", reason=reason, message=message),
        Say(type="Succeeded", status="Unknown", reason=reason, message=message),
        Say(type="Reconciling", status="False" if suspended else "True", reason=reason, message=message),
        Say(type="Stalled", status="False", reason=reason, message="nothing stands in the way"),
    )


def _finished(run: LastRun) -> tuple[Say, ...]:
    reason = run.reason if run.reason is not UNSET else run.result.value
    message = f"{run.name}: {run.message}" if run.message is not UNSET else run.name
    return done(run.result, reason, message)
