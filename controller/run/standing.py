"""What /metrics shows of a CallTest itself: how it is to be run, where it stands, what is in a row. Pure.

All of it comes from the objects, so that a restarted operator shows the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec import UNSET, UnsetType

from agent.contract.verdict import Result
from controller.api.calltest_status import CallTestStatus, LastRun, ScheduleStatus, SkipReason
from controller.api.run import Condition, Endpoint
from controller.api.test import CallTestSpec
from controller.api.trigger import Trigger
from controller.run.calltest_status import VERDICT_CURRENT
from controller.run.measurements import Sample
from controller.run.runs import RunSeen

MAX_IN_A_ROW = 100
STANDING: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "calltest_info": (
        "1 for a test that can be read; target_service is empty where the target is no Service.",
        ("schedule", "time_zone", "on_change", "on_rollout", "target_service"),
    ),
    "calltest_created_timestamp_seconds": ("When the test was created (Unix time).", ()),
    "calltest_spec_suspend": ("1 while suspend is true.", ()),
    "calltest_stalled": ("1 while the test cannot be run: its condition Stalled.", ()),
    "calltest_run_active": ("1 while a run is under way.", ()),
    "calltest_verdict_current": (
        "1 while the verdict is about what the SUT runs now, 0 while it is not: condition VerdictCurrent.",
        (),
    ),
    "calltest_next_schedule_timestamp_seconds": ("When the next run of the schedule starts (Unix time).", ()),
    "calltest_last_schedule_timestamp_seconds": ("The last slot that was run or skipped (Unix time).", ()),
    "calltest_last_skipped_timestamp_seconds": ("The last slot that was skipped (Unix time).", ()),
    "calltest_last_success_timestamp_seconds": ("When a run last passed (Unix time).", ()),
    "calltest_consecutive_failed_runs": (
        "Failed runs since the last that passed; Inconclusive ones between them neither count nor end it.",
        (),
    ),
    "calltest_consecutive_inconclusive_runs": ("Inconclusive runs since the last one with a verdict.", ()),
    "calltest_last_run_result": ("1 for the verdict of the last finished run, 0 for the others.", ("result",)),
    "calltest_last_run_reason": ("1 for the reason of its worst check.", ("reason",)),
    "calltest_last_run_timestamp_seconds": ("When the last run finished (Unix time).", ()),
    "calltest_last_run_duration_seconds": ("Start to finish of the last run.", ()),
    "calltest_last_run_calls": ("Calls of the last run, by verdict.", ("result",)),
    "calltest_last_run_endpoint_result": (
        "1 for the verdict on an endpoint, 0 for the others.",
        ("replica", "result"),
    ),
}
"""Help and labels (beside namespace and calltest) of every metric that is rebuilt from the objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A finished run."""

    name: str
    result: Result
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The runs of one spec of a test that are known: those that are kept, and those that this process saw."""

    of: str = ""
    """Says which test and which spec."""
    runs: tuple[Ended, ...] = ()
    """Oldest first."""


def known_runs(before: History, of: str, kept: Iterable[RunSeen]) -> History:
    """With the runs that are there now; those that history dropped meanwhile are remembered."""
    known = {run.name: run for run in (before.runs if before.of == of else ())}
    for seen in kept:
        result, at = seen.run.status.result, seen.run.status.completion_time
        if result is not UNSET and at is not UNSET:
            known[seen.run.name] = Ended(name=seen.run.name, result=result, at=at)
    runs = sorted(known.values(), key=lambda run: (run.at, run.name))
    return replace(before, of=of, runs=tuple(runs[-MAX_IN_A_ROW:]))


def standing(
    spec: CallTestSpec | None, status: CallTestStatus, created: datetime, runs: Iterable[Ended] = ()
) -> Iterator[Sample]:
    """All of a test but its endpoints; `spec` None: it cannot be read. `runs`: of the present spec, oldest first."""
    if spec is not None:
        yield Sample("calltest_info", _info(spec), 1)
        yield Sample("calltest_spec_suspend", (), spec.suspend)
    yield Sample("calltest_created_timestamp_seconds", (), created.timestamp())
    yield Sample("calltest_stalled", (), _is(status, "Stalled") == "True")
    yield Sample("calltest_run_active", (), status.running is not UNSET)
    if (current := _is(status, VERDICT_CURRENT)) in {"True", "False"}:
        yield Sample("calltest_verdict_current", (), current == "True")
    if status.schedule is not UNSET:
        yield from _schedule(status.schedule)
    yield from _time("calltest_last_success_timestamp_seconds", status.last_successful_time)
    yield from _in_a_row(tuple(runs), status.last_successful_time)
    if status.last_run is not UNSET:
        yield from _last_run(status.last_run)


def endpoint_results(endpoints: Iterable[Endpoint]) -> Iterator[Sample]:
    """The verdicts on the endpoints of a test's last run."""
    for endpoint in endpoints:
        for result in Result if endpoint.result is not UNSET else ():
            labels = (endpoint.name, result.value)
            yield Sample("calltest_last_run_endpoint_result", labels, endpoint.result is result)


def skips(before: ScheduleStatus | UnsetType, after: ScheduleStatus | UnsetType) -> Iterator[SkipReason]:
    """Why slots were skipped, one for each that `after` counts and `before` does not.

    Two at once are one that came too late, and one that may not be run now.
    """
    if after is UNSET or after.last_skip_reason is UNSET:
        return
    is_same = before is not UNSET and before.expression == after.expression
    new = after.skipped - (before.skipped if is_same and before is not UNSET else 0)
    for number in range(new):
        yield after.last_skip_reason if number == new - 1 else SkipReason.DEADLINE


def _info(spec: CallTestSpec) -> tuple[str, ...]:
    trigger = spec.trigger or Trigger()
    service = spec.target.service
    return (
        trigger.schedule or "",
        trigger.time_zone if trigger.schedule else "",
        "true" if trigger.on_change else "false",
        "true" if trigger.on_rollout else "false",
        service.name if service else "",
    )


def _is(status: CallTestStatus, name: str) -> str:
    """The status of a condition; Unknown where there is none."""
    found: Condition | None = next((item for item in status.conditions if item.type == name), None)
    return found.status if found else "Unknown"


def _schedule(status: ScheduleStatus) -> Iterator[Sample]:
    yield from _time("calltest_next_schedule_timestamp_seconds", status.next_schedule_time)
    yield from _time("calltest_last_schedule_timestamp_seconds", status.last_schedule_time)
    yield from _time("calltest_last_skipped_timestamp_seconds", status.last_skipped_time)


def _time(metric: str, at: datetime | UnsetType) -> Iterator[Sample]:
    if at is not UNSET:
        yield Sample(metric, (), at.timestamp())


def _in_a_row(runs: tuple[Ended, ...], last_success: datetime | UnsetType) -> Iterator[Sample]:
    """A run that passed may be one that history has no room for: only the status still tells of it."""
    since = [run for run in runs if last_success is UNSET or run.at > last_success]
    passed = max((number for number, run in enumerate(since, 1) if run.result is Result.PASSED), default=0)
    failed = [number for number, run in enumerate(since, 1) if number > passed and run.result is Result.FAILED]
    told = failed[-1] if failed else passed
    yield Sample("calltest_consecutive_failed_runs", (), len(failed))
    yield Sample("calltest_consecutive_inconclusive_runs", (), len(since) - told)


def _last_run(last: LastRun) -> Iterator[Sample]:
    for result in Result:
        yield Sample("calltest_last_run_result", (result.value,), last.result is result)
    if last.reason is not UNSET:
        yield Sample("calltest_last_run_reason", (last.reason,), 1)
    yield Sample("calltest_last_run_timestamp_seconds", (), last.completion_time.timestamp())
    if last.start_time is not UNSET:
        duration = last.completion_time - last.start_time
        yield Sample("calltest_last_run_duration_seconds", (), duration.total_seconds())
    if last.calls is not UNSET:
        for result in Result:
            yield Sample("calltest_last_run_calls", (result.value,), getattr(last.calls, result.value.lower()))
