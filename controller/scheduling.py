"""When a CallTest runs, and which of its runs are kept. Pure: the test and its runs, as they are now."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from agent.contract.verdict import Result
from controller.api.parse import CallTest, CallTestRun
from controller.api.run import Cause, CauseType, ScheduleStatus, SkipReason
from controller.api.test import CallTestSpec
from controller.cron import Cron, read

Raw = dict[str, Any]
NOT_TESTED = ("trigger", "suspend", "successful_runs_history_limit", "failed_runs_history_limit")
"""Fields of a spec that say when it is run, not what: changing them starts nothing and leaves the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """A run of the test, with what only its metadata says."""

    run: CallTestRun
    created: str
    """creationTimestamp: RFC 3339 in UTC, so that text order is time order."""
    is_ours: bool
    """Owned by this very CallTest: not by one of the same name before it, not made by hand."""

    @property
    def finished(self) -> bool:
        """It has a verdict."""
        return self.run.status.result is not UNSET

    @property
    def order(self) -> tuple[str, str]:
        """By age."""
        return self.created, self.run.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A run to create now."""

    name: str
    """Says its cause, so that a restarted operator meets its own object."""
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is to be done for a CallTest."""

    start: Start | None = None
    active: RunSeen | None = None
    """Our run that is under way or next."""
    last: RunSeen | None = None
    """The last of ours, of the present spec, that was finished: the only one that says something of the test."""
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


def tested_hash(spec: CallTestSpec) -> str:
    """Of what is tested: a verdict on one spec is one on every spec of this hash."""
    left_out = {field.name: field.default for field in msgspec.structs.fields(CallTestSpec) if field.name in NOT_TESTED}
    bare = msgspec.structs.replace(spec, **left_out)
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()[:16]


def run_token(spec: CallTestSpec) -> str:
    """What the spec asks for a run by; empty: it does not."""
    return (spec.trigger and spec.trigger.run_token) or ""


def schedule(test: CallTest, runs: Sequence[RunSeen], now: datetime) -> Schedule:
    """One run at a time, and one for all that asks for one now: it is of the present spec, whatever it is named for.

    A change, or a request, that comes during a run makes the next one; a slot is skipped.
    """
    ordered = sorted(runs, key=lambda seen: seen.order)
    ours = [seen for seen in ordered if seen.is_ours]
    finished = sorted((seen for seen in ours if seen.finished), key=_completed)
    is_held = test.spec.suspend or any(not seen.finished for seen in ordered)
    slot = slot_of(test, now)
    change, request = _change(test, ours), _request(test, ours)
    at_slot = _at_slot(test, slot, ours) if slot else None
    wishes = [wish for wish in (request, change, at_slot) if wish is not None]
    wanted = wishes[0] if wishes and not is_held else None
    strangers = {seen.run.name for seen in ordered if not seen.is_ours}
    conflict = next((wish.name for wish in wishes[:1] if wish.name in strangers), None)
    start = None if conflict else wanted
    slots = _moved(slot, test, is_held=is_held, now=now) if slot else None
    return Schedule(
        start=start,
        active=next((seen for seen in ours if not seen.finished), None),
        last=next((seen for seen in reversed(finished) if _is_of(seen.run, test)), None),
        deleted=_deleted(test, runs),
        drop=_surplus(test, finished),
        is_acted_on=change is None or start is not None,
        is_request_acted_on=request is None or start is not None,
        conflict=conflict,
        slots=slots or UNSET,
        skipped=_skipped(slot.status, slots) if slot and slots else None,
        again_s=_until(slots, now) if slots else None,
    )


def _is_of(run: CallTestRun, test: CallTest) -> bool:
    return tested_hash(run.spec.test) == tested_hash(test.spec)


def _change(test: CallTest, ours: Sequence[RunSeen]) -> Start | None:
    """The run that a change of what is tested, or of the run token, asks for."""
    status, tested, token = test.status, tested_hash(test.spec), run_token(test.spec)
    is_new = status.tested_hash != tested and (test.spec.trigger is None or test.spec.trigger.on_change)
    is_asked = token not in {"", status.run_token} and bool(status.tested_hash or is_new)
    if _was_made(test, ours) or not (is_new or is_asked):
        return None
    cause = Cause(type=CauseType.GENERATION, generation=test.generation)
    return Start(name=f"{test.name}-g{test.generation}", cause=cause)


def _was_made(test: CallTest, ours: Sequence[RunSeen]) -> bool:
    """An operator that died before it could write the status left the run itself."""
    token, seen_generation = run_token(test.spec), test.status.observed_generation
    return any(
        (seen.run.spec.cause.generation or 0) > seen_generation
        and _is_of(seen.run, test)
        and run_token(seen.run.spec.test) == token
        for seen in ours
    )


def _request(test: CallTest, ours: Sequence[RunSeen]) -> Start | None:
    """The run that the annotation asks for."""
    if test.requested_at in {"", test.status.requested_at}:
        return None
    name = f"{test.name}-m{hashlib.sha256(test.requested_at.encode()).hexdigest()[:8]}"
    if any(seen.run.name == name for seen in ours):
        return None
    return Start(name=name, cause=Cause(type=CauseType.MANUAL))


# Slots of a schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a test's schedule stands."""

    cron: Cron
    status: ScheduleStatus
    """As it was left, and when it is another schedule than that: as new."""
    due: datetime | None
    """The slot whose time has come, and is not too long ago."""
    missed: datetime | None
    """The one that was next, and whose time is over."""


def slot_of(test: CallTest, now: datetime) -> Slot | None:
    """The slot that is due at a time, if any; None: the test has no schedule."""
    trigger = test.spec.trigger
    if trigger is None or trigger.schedule is None:
        return None
    jitter_s, of = trigger.jitter_seconds, f"{test.namespace}/{test.name}"
    cron = read(trigger.schedule, trigger.time_zone, jitter_s=jitter_s, of=of)
    expression, status = f"{trigger.schedule} {trigger.time_zone}", test.status.schedule
    if status is UNSET or status.expression != expression:
        status = ScheduleStatus(expression=expression, since=now.replace(microsecond=0))
    earliest = now - timedelta(seconds=trigger.starting_deadline_seconds)
    start = status.next_schedule_time
    missed = start - cron.jitter if start is not UNSET and start < earliest else None
    return Slot(
        cron=cron,
        status=status,
        due=cron.latest(max(_done(status), earliest - cron.jitter), now),
        missed=missed,
    )


def _at_slot(test: CallTest, slot: Slot, ours: Sequence[RunSeen]) -> Start | None:
    if slot.due is None:
        return None
    name = f"{test.name}-s{int(slot.due.timestamp()) // 60}"
    if any(seen.run.name == name for seen in ours):
        return None
    return Start(name=name, cause=Cause(type=CauseType.SCHEDULE, scheduled_time=slot.due))


def _moved(slot: Slot, test: CallTest, *, is_held: bool, now: datetime) -> ScheduleStatus:
    """The schedule's status after what is done now: a slot that is not run now never is."""
    status = slot.status
    if slot.missed is not None:
        status = _skip(status, slot.missed, SkipReason.DEADLINE)
    if slot.due is not None and is_held:
        status = _skip(status, slot.due, SkipReason.SUSPENDED if test.spec.suspend else SkipReason.CONCURRENCY)
    elif slot.due is not None:
        status = msgspec.structs.replace(status, last_schedule_time=slot.due)
    following = slot.cron.next_start(max(_done(status), now - slot.cron.jitter))
    return msgspec.structs.replace(status, next_schedule_time=following if following is not None else UNSET)


def _skip(status: ScheduleStatus, slot: datetime, why: SkipReason) -> ScheduleStatus:
    return msgspec.structs.replace(
        status, last_schedule_time=slot, skipped=status.skipped + 1, last_skipped_time=slot, last_skip_reason=why
    )


def _done(status: ScheduleStatus) -> datetime:
    """Slots until then are done with."""
    return status.last_schedule_time if status.last_schedule_time is not UNSET else status.since


def _skipped(before: ScheduleStatus, after: ScheduleStatus) -> str | None:
    if after.skipped == before.skipped or after.last_skipped_time is UNSET:
        return None
    return f"the slot of {after.last_skipped_time.isoformat()} was skipped: {after.last_skip_reason}"


def _until(status: ScheduleStatus, now: datetime) -> float | None:
    following = status.next_schedule_time
    return max(0.0, (following - now).total_seconds()) if following is not UNSET else None


# Which runs there are


def _deleted(test: CallTest, runs: Sequence[RunSeen]) -> str | None:
    running = test.status.running
    gone = running is not UNSET and all(seen.run.name != running.name for seen in runs)
    return running.name if running is not UNSET and gone else None


def is_next(run: CallTestRun, created: str, others: Sequence[RunSeen]) -> bool:
    """Whether a run may start: no other run of its test that is older is unfinished."""
    waiting = [seen for seen in others if not seen.finished and seen.run.name != run.name]
    return all(seen.order > (created, run.name) for seen in waiting)


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
