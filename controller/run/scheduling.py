"""When a CallTest runs, and which of its runs are kept. Pure: the test and its runs, as they are now."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET, UnsetType

from agent.contract.verdict import Result
from controller.api.calltest_status import ScheduleStatus
from controller.api.parse import CallTest, CallTestRun
from controller.api.revision import Revision
from controller.api.run import CauseType, RunCause
from controller.api.trigger import ConcurrencyPolicy
from controller.run.rollouts import SutSeen, is_replaced, not_tested, rollout_run
from controller.run.runs import RunSeen, Start, is_of, run_token, tested_hash
from controller.run.slots import at_slot, moved, skipped, slot_of, until

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is to be done for a CallTest."""

    start: Start | None = None
    active: RunSeen | None = None
    """Our run that is under way or next."""
    last: RunSeen | None = None
    """The last of ours, of the present spec, that was finished: the only one that says something of the test."""
    untested: tuple[Revision, ...] = ()
    """What the SUT runs now, and that run did not test."""
    deleted: str | None = None
    """Name of the run that was under way and is gone: somebody deleted it before it had a verdict."""
    drop: tuple[RunSeen, ...] = ()
    """Finished runs that history has no room for."""
    is_acted_on: bool = True
    """The present spec was run, is being run, or need not be."""
    is_request_acted_on: bool = True
    """The same of the annotation that asks for a run."""
    conflict: str | None = None
    """Name of a run that stands in the way: it has the name of the next one, and is not ours."""
    slots: ScheduleStatus | UnsetType = UNSET
    """What its schedule did, and what comes."""
    skipped: str | None = None
    """Of the slot that was skipped now: which, and why."""
    again_s: float | None = None
    """The next slot is so far away."""


def schedule(test: CallTest, runs: Sequence[RunSeen], now: datetime, sut: SutSeen | None = None) -> Schedule:
    """One run at a time, and one for all that asks for one now: it is of the present spec, whatever it is named for.

    A change, a request or a rollout that comes during a run makes the next one; a slot is skipped. `sut`: what the SUT
    runs now, where the test has `trigger.onRollout`.
    """
    ordered = sorted(runs, key=lambda seen: seen.order)
    ours = [seen for seen in ordered if seen.is_ours]
    finished = sorted((seen for seen in ours if seen.finished), key=_completed)
    active = next((seen for seen in ours if not seen.finished), None)
    unfinished = [seen for seen in ordered if not seen.finished]
    is_held = test.spec.suspend or bool(unfinished and not is_replaceable(test, unfinished, now))
    slot = slot_of(test, now)
    change, request = _change(test, ours), _request(test, ours)
    last = next((seen for seen in reversed(finished) if is_of(seen.run, test)), None)
    scheduled = at_slot(test, slot, ours) if slot else None
    new = not_tested(test, sut, last) if sut else ()
    rollout = _rollout(test, sut, active or last, ours, now) if sut else None
    wishes = [wish for wish in (request, change, rollout, scheduled) if wish is not None]
    wanted = wishes[0] if wishes and not is_held else None
    strangers = {seen.run.name for seen in ordered if not seen.is_ours}
    conflict = next((wish.name for wish in wishes[:1] if wish.name in strangers), None)
    start = None if conflict else wanted
    slots = moved(slot, test, is_held=is_held, now=now) if slot else None
    return Schedule(
        start=start,
        active=active,
        last=last,
        untested=new,
        deleted=_deleted(test, runs),
        drop=_surplus(test, finished),
        is_acted_on=change is None or start is not None,
        is_request_acted_on=request is None or start is not None,
        conflict=conflict,
        slots=slots or UNSET,
        skipped=skipped(slot.status, slots) if slot and slots else None,
        again_s=until(slots, now) if slots else None,
    )


def _change(test: CallTest, ours: Sequence[RunSeen]) -> Start | None:
    """The run that a change of what is tested, or of the run token, asks for."""
    status, tested, token = test.status, tested_hash(test.spec), run_token(test.spec)
    is_new = status.tested_hash != tested and (test.spec.trigger is None or test.spec.trigger.on_change)
    is_asked = token not in {"", status.run_token} and bool(status.tested_hash or is_new)
    if _was_made(test, ours) or not (is_new or is_asked):
        return None
    cause = RunCause(type=CauseType.GENERATION, generation=test.generation)
    return Start(name=f"{test.name}-g{test.generation}", cause=cause)


def _was_made(test: CallTest, ours: Sequence[RunSeen]) -> bool:
    """An operator that died before it could write the status left the run itself."""
    token, seen_generation = run_token(test.spec), test.status.observed_generation
    return any(
        (seen.run.spec.cause.generation or 0) > seen_generation
        and is_of(seen.run, test)
        and run_token(seen.run.spec.test) == token
        for seen in ours
    )


def _rollout(
    test: CallTest, sut: SutSeen, latest: RunSeen | None, ours: Sequence[RunSeen], now: datetime
) -> Start | None:
    """The run that a rollout asks for, beside the latest one: what is being tested needs no other run."""
    if latest is not None and not latest.finished and latest.run.status.endpoints is UNSET:
        return None  # it will test what is there then
    is_new = not_tested(test, sut, latest) or is_replaced(test, sut, latest)
    return rollout_run(test, sut, latest, ours, now) if is_new else None


def is_replaceable(test: CallTest, unfinished: Sequence[RunSeen], now: datetime) -> bool:
    """Whether what is unfinished makes way for a new run: one run of ours, that has begun.

    One that waits is not replaced, and all that comes meanwhile waits with it. Not within the second in which it was
    made: the runs' order is that of their names then.
    """
    if test.spec.concurrency_policy is not ConcurrencyPolicy.REPLACE or len(unfinished) > 1:
        return False
    (only,) = unfinished
    made_at = datetime.fromisoformat(only.created)
    return only.is_ours and only.begun and now >= made_at + timedelta(seconds=2)


def replacing(run: CallTestRun, created: str, others: Sequence[RunSeen]) -> RunSeen | None:
    """The run that a run makes way for: the operator's own of the same CallTest, later, and of a test that says so."""
    return next(
        (
            seen
            for seen in sorted(others, key=lambda seen: seen.order)
            if seen.is_ours
            and not seen.finished
            and seen.order > (created, run.name)
            and seen.run.spec.test.concurrency_policy is ConcurrencyPolicy.REPLACE
        ),
        None,
    )


def _request(test: CallTest, ours: Sequence[RunSeen]) -> Start | None:
    """The run that the annotation asks for."""
    if test.requested_at in {"", test.status.requested_at}:
        return None
    name = f"{test.name}-m{hashlib.sha256(test.requested_at.encode()).hexdigest()[:8]}"
    if any(seen.run.name == name for seen in ours):
        return None
    return Start(name=name, cause=RunCause(type=CauseType.MANUAL))


def _deleted(test: CallTest, runs: Sequence[RunSeen]) -> str | None:
    running = test.status.running
    gone = running is not UNSET and all(seen.run.name != running.name for seen in runs)
    return running.name if running is not UNSET and gone else None


def is_next(run: CallTestRun, created: str, others: Sequence[RunSeen]) -> bool:
    """Whether a run may start: no other run of its test that is older is unfinished, and none has begun."""
    waiting = [seen for seen in others if not seen.finished and seen.run.name != run.name]
    return all(seen.order > (created, run.name) and not seen.begun for seen in waiting)


def _completed(seen: RunSeen) -> tuple[str, str]:
    done = seen.run.status.completion_time
    return (done.isoformat() if done is not UNSET else "", seen.run.name)


def _surplus(test: CallTest, finished: Sequence[RunSeen]) -> tuple[RunSeen, ...]:
    passed = [seen for seen in finished if seen.run.status.result is Result.PASSED]
    others = [seen for seen in finished if seen.run.status.result is not Result.PASSED]
    keep = {
        seen.run.name
        for group, limit in (
            (passed, test.spec.successful_runs_history_limit),
            (others, test.spec.failed_runs_history_limit),
        )
        for seen in (group[-limit:] if limit else ())
    }
    return tuple(seen for seen in finished if seen.run.name not in keep)
