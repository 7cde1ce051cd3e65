"""What a CallTest's schedule asks for now, and what becomes of its slots. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET

from controller.api.calltest_status import ScheduleStatus, SkipReason
from controller.api.cron import Cron, read
from controller.api.parse import CallTest
from controller.api.run import CauseType, RunCause
from controller.run.runs import RunSeen, Start


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


def at_slot(test: CallTest, slot: Slot, ours: Sequence[RunSeen]) -> Start | None:
    """The run that the slot asks for."""
    if slot.due is None:
        return None
    name = f"{test.name}-s{int(slot.due.timestamp()) // 60}"
    if any(seen.run.name == name for seen in ours):
        return None
    return Start(name=name, cause=RunCause(type=CauseType.SCHEDULE, scheduled_time=slot.due))


def moved(slot: Slot, test: CallTest, *, is_held: bool, now: datetime) -> ScheduleStatus:
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


def skipped(before: ScheduleStatus, after: ScheduleStatus) -> str | None:
    """Of the slot that was skipped now: which, and why."""
    if after.skipped == before.skipped or after.last_skipped_time is UNSET:
        return None
    return f"the slot of {after.last_skipped_time.isoformat()} was skipped: {after.last_skip_reason}"


def until(status: ScheduleStatus, now: datetime) -> float | None:
    """Seconds to the next start; None: there is none."""
    following = status.next_schedule_time
    return max(0.0, (following - now).total_seconds()) if following is not UNSET else None
