"""Where a run stands → its status, with conditions (metav1.Condition, kstatus). Pure.

Each function takes the status before and gives the one after; saying the same again changes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from agent.contract.verdict import Reason, Result
from controller.api.calltest_status import CallTestStatus
from controller.api.revision import MAX_REVISIONS, Revision
from controller.api.run import MAX_CONFIG_MAPS, MAX_LEFT_OUT, CallCounts, CallTestRunStatus, Condition, Detail, LeftOut
from controller.plan.cause import Cause
from controller.plan.discovery import Discovery
from controller.plan.revisions import revision_hash
from controller.run.conclude import Outcome
from controller.run.wording import ended_of
from controller.text import plain

Truth = Literal["True", "False", "Unknown"]
MAX_MESSAGE = 1024

STALLING = frozenset(
    {
        Reason.INVALID_TEST,
        Reason.TARGET_NOT_ALLOWED,
        Reason.NUMBER_NOT_ALLOWED,
        Reason.LIMIT_EXCEEDED,
        Reason.ACCESS_DENIED,
        Reason.NAME_CONFLICT,
        Reason.INPUT_MISSING,
    }
)
"""Somebody must change the test, the operator's settings or the cluster: running again would end the same (kstatus)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """What a condition is to be."""

    type: str
    status: Truth
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """When something is said, and of which generation of the object."""

    now: datetime
    generation: int


QUEUED = "Queued"
"""The condition of a run that waits for another one."""


def as_dict(status: CallTestRunStatus | CallTestStatus) -> dict[str, Any]:
    """The status as the API server takes it: plain lists, dicts, texts; nothing that is unset."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(status))
    return found


def begun(before: CallTestRunStatus, clock: Clock) -> CallTestRunStatus:
    """The run was taken up: endpoints are looked for. Keeps the time at which it was first taken up."""
    if before.start_time is not UNSET:
        return before
    says = (
        *under_way("the run has begun"),
        *_no_longer_queued(before, "it has its turn"),
        Say(type="TargetsResolved", status="Unknown", reason="Resolving", message="looking for endpoints"),
        Say(type="AgentsReady", status="Unknown", reason="Waiting", message="agents start once endpoints are known"),
        Say(type="ResultsCollected", status="Unknown", reason="Waiting", message="the calls have not ended"),
    )
    return _with(replace(before, start_time=clock.now.replace(microsecond=0)), says, clock)


def unresolved(before: CallTestRunStatus, problem: Cause, found: Discovery, clock: Clock) -> CallTestRunStatus:
    """Endpoints are missing, and are looked for again."""
    says = (
        *under_way("waiting for endpoints"),
        Say(type="TargetsResolved", status="False", reason=problem.reason, message=problem.message),
        *_no_longer_queued(before, "it waits for endpoints"),  # and those behind it do not wait for it
    )
    return _with(replace(before, left_out=_left_out(found.left_out)), says, clock)


def queued(before: CallTestRunStatus, problem: Cause, clock: Clock) -> CallTestRunStatus:
    """Another run has what this one needs, and is waited for."""
    says = (
        *under_way(f"waiting: {problem.message}"),
        Say(type=QUEUED, status="True", reason=problem.reason, message=problem.message),
        Say(type="TargetsResolved", status="Unknown", reason=QUEUED, message=problem.message),
    )
    return _with(before, says, clock)


def _no_longer_queued(before: CallTestRunStatus, message: str) -> Iterator[Say]:
    if any(condition.type == QUEUED and condition.status == "True" for condition in before.conditions):
        yield Say(type=QUEUED, status="False", reason="Over", message=message)


def stood(status: CallTestRunStatus, ready_deadline_s: float) -> Cause:
    """What a run waited for until its readiness deadline, as it was said last."""
    said = {(condition.type, condition.status): condition for condition in status.conditions}
    held = said.get((QUEUED, "True")) or said.get(("TargetsResolved", "False"))
    if held is not None and held.reason in set(Reason):  # of what another version said, only that it waited is known
        return Cause(reason=Reason(held.reason), message=held.message)
    message = f"nobody created its agents within {ready_deadline_s:g} s (readyDeadlineSeconds)"
    return Cause(reason=Reason.AGENT_NOT_CREATED, message=message)


def resolved(before: CallTestRunStatus, found: Discovery, planned: int, clock: Clock) -> CallTestRunStatus:
    """The endpoints are fixed, and `planned` calls will be made to them."""
    count = len(found.endpoints)
    says = (
        *under_way(f"starting agents for {count} endpoints"),
        Say(type="TargetsResolved", status="True", reason="Resolved", message=_found(found)),
        *_no_longer_queued(before, "it has its turn"),
        Say(type="AgentsReady", status="False", reason="Creating", message="the agents are being created"),
    )
    after = replace(
        before,
        endpoints=found.endpoints,
        left_out=_left_out(found.left_out),
        calls=CallCounts(planned=planned, ended=0, progress=f"0/{planned}"),
    )
    return _with(after, says, clock)


def running(before: CallTestRunStatus, found: Sequence[Revision]) -> CallTestRunStatus:
    """What the SUT runs, as its endpoints are fixed."""
    return replace(before, revisions=tuple(found[:MAX_REVISIONS]), revision_hash=revision_hash(found))


def created(before: CallTestRunStatus, agents: int, clock: Clock) -> CallTestRunStatus:
    """Every agent was created once: one that is absent from now on was lost, and never gets a second pod."""
    return progressed(replace(before, agents=agents), agents=agents, ready=0, ended=0, failed=0, clock=clock)


def is_created(status: CallTestRunStatus) -> bool:
    """Every agent was created once."""
    return status.agents is not UNSET


def progressed(
    before: CallTestRunStatus, *, agents: int, ready: int, ended: int, failed: int, clock: Clock
) -> CallTestRunStatus:
    """Where the agents are: how many are ready, and how many calls ended, `failed` of them with a fault seen."""
    planned = before.calls.planned if before.calls is not UNSET else 0
    is_ready = ready >= agents
    text = ended_of(planned, ended=ended, failed=failed)
    says = (
        *under_way(text if is_ready else f"{ready} of {agents} agents are ready"),
        Say(
            type="AgentsReady",
            status="True" if is_ready else "False",
            reason="Ready" if is_ready else "Starting",
            message=f"{ready} of {agents} agents are ready",
        ),
    )
    counts = CallCounts(planned=planned, ended=ended, progress=f"{ended}/{planned}")
    return _with(replace(before, calls=counts), says, clock)


def concluded(
    before: CallTestRunStatus, outcome: Outcome, clock: Clock, detail: Detail | None = None
) -> CallTestRunStatus:
    """The run is finished. `detail`: where the agents' lines are stored."""
    message = plain(outcome.message, MAX_MESSAGE)
    says = [
        *done(outcome.result, _reason(outcome.result, outcome.reason), message),
        _collected(outcome),
        *_not_reached(before, outcome),
        *_no_longer_queued(before, "the run is finished"),
    ]
    after = replace(
        before,
        result=outcome.result,
        reason=outcome.reason.value if outcome.reason else UNSET,
        message=message,
        completion_time=clock.now.replace(microsecond=0),
        calls=outcome.calls,
        endpoints=outcome.endpoints or before.endpoints,
        failures=outcome.failures,
        stray_calls=outcome.stray_calls,
        detail=_bounded(detail) if detail else UNSET,
    )
    return _with(after, says, clock)


def shorter(status: CallTestRunStatus, why: str) -> Iterator[CallTestRunStatus]:
    """What to write where the API server takes the status for too long or invalid (`why`), the fullest first.

    A verdict is never lost for a list that has no room; endpoints are only given up with one.
    """
    note = f"the status was cut: {why}"
    message = plain(f"{status.message}; {note}" if status.message is not UNSET else note, MAX_MESSAGE)
    cut = replace(status, message=message, left_out=UNSET, failures=UNSET)
    yield cut
    if status.result is not UNSET:
        yield replace(cut, endpoints=UNSET, detail=UNSET, calls=UNSET)


def under_way(message: str) -> tuple[Say, ...]:
    """The conditions of what is being done."""
    return (
        Say(type="Finished", status="False", reason="Running", message=message),
        Say(type="Succeeded", status="Unknown", reason="Running", message="the verdict comes at the end"),
        Say(type="Reconciling", status="True", reason="Running", message=message),
        Say(type="Stalled", status="False", reason="Running", message="nothing stands in the way"),
    )


def done(result: Result, reason: str, message: str) -> tuple[Say, ...]:
    """The conditions of a verdict."""
    is_stalled = reason in STALLING
    return (
        Say(type="Finished", status="True", reason=result, message=message),
        Say(type="Succeeded", status="True" if result is Result.PASSED else "False", reason=reason, message=message),
        Say(type="Reconciling", status="False", reason="Finished", message="the run is finished"),
        Say(
            type="Stalled",
            status="True" if is_stalled else "False",
            reason=reason if is_stalled else "Finished",
            message=message if is_stalled else "nothing stands in the way",
        ),
    )


def _collected(outcome: Outcome) -> Say:
    if outcome.verdict is None:
        return Say(type="ResultsCollected", status="False", reason="NoAgents", message="no agent has run")
    if outcome.is_complete:
        return Say(
            type="ResultsCollected", status="True", reason="Complete", message="every agent told everything it did"
        )
    message = "at least one agent did not tell everything it did"
    return Say(type="ResultsCollected", status="False", reason="Incomplete", message=message)


def _not_reached(before: CallTestRunStatus, outcome: Outcome) -> Iterable[Say]:
    """Steps that the run did not come to: their conditions may not stay Unknown once it is finished."""
    for condition in before.conditions:
        if condition.type in {"TargetsResolved", "AgentsReady"} and condition.status == "Unknown":
            reason = _reason(outcome.result, outcome.reason)
            yield Say(type=condition.type, status="False", reason=reason, message=outcome.message)


def _reason(result: Result, reason: Reason | None) -> str:
    """One word for a result; a condition must have one."""
    return reason.value if reason else result.value


def _found(found: Discovery) -> str:
    text = f"{len(found.endpoints)} endpoints"
    return f"{text}, {len(found.left_out)} left out" if found.left_out else text


def _left_out(items: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    return tuple(items[:MAX_LEFT_OUT])


def _bounded(detail: Detail) -> Detail:
    names = detail.config_maps[:MAX_CONFIG_MAPS]
    return replace(detail, config_maps=names, complete=detail.complete and len(names) == len(detail.config_maps))


def _with(status: CallTestRunStatus, says: Iterable[Say], clock: Clock) -> CallTestRunStatus:
    return replace(status, observed_generation=clock.generation, conditions=told(status.conditions, says, clock))


def told(before: Sequence[Condition], says: Iterable[Say], clock: Clock) -> tuple[Condition, ...]:
    """The conditions after something was said; lastTransitionTime moves with the status alone."""
    conditions = {condition.type: condition for condition in before}
    for say in says:
        old = conditions.get(say.type)
        same = old is not None and old.status == say.status
        conditions[say.type] = Condition(
            type=say.type,
            status=say.status,
            reason=say.reason,
            message=plain(say.message, MAX_MESSAGE),
            last_transition_time=old.last_transition_time if old and same else clock.now.replace(microsecond=0),
            observed_generation=clock.generation,
        )
    return tuple(conditions.values())
