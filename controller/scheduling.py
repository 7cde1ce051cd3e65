"""When a CallTest runs, and which of its runs are kept. Pure: the test and its runs, as they are now."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from agent.contract.verdict import Result
from controller.api.parse import CallTest, CallTestRun
from controller.api.run import CauseType
from controller.api.test import CallTestSpec

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
class Schedule:
    """What is to be done for a CallTest."""

    start: str | None = None
    """Name of the run to create now."""
    active: RunSeen | None = None
    """Our run that is under way or next."""
    last: RunSeen | None = None
    """The last of ours, of the present spec, that was finished: the only one that says something of the test."""
    deleted: str | None = None
    """Name of the run that was under way and is gone: somebody deleted it before it had a verdict."""
    drop: tuple[RunSeen, ...] = ()
    """Finished runs that history has no room for."""
    is_acted_on: bool = True
    """The present generation was run, is being run, or must not be run."""
    conflict: str | None = None
    """Name of a run that stands in the way: it has the name of the next one, and is not ours."""


def run_name(test: str, generation: int) -> str:
    """A run's name says its cause, so that a restarted operator meets its own object."""
    return f"{test}-g{generation}"


def tested_hash(spec: CallTestSpec) -> str:
    """Of what is tested: a verdict on one spec is one on every spec of this hash."""
    left_out = {field.name: field.default for field in msgspec.structs.fields(CallTestSpec) if field.name in NOT_TESTED}
    bare = msgspec.structs.replace(spec, **left_out)
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()[:16]


def asked_hash(spec: CallTestSpec) -> str:
    """Of what is tested, and of the token that asks for it again."""
    token = (spec.trigger and spec.trigger.run_token) or ""
    return hashlib.sha256(f"{tested_hash(spec)} {token}".encode()).hexdigest()[:16]


def schedule(test: CallTest, runs: Sequence[RunSeen]) -> Schedule:
    """A run for each change of what is tested, one at a time; a change during a run makes the next run after it."""
    ordered = sorted(runs, key=lambda seen: seen.order)
    ours = [seen for seen in ordered if seen.is_ours]
    wanted = run_name(test.name, test.generation)
    stranger = next((seen for seen in ordered if seen.run.name == wanted and not seen.is_ours), None)
    was_acted_on = _was_acted_on(test, ours)
    is_busy = any(not seen.finished for seen in ordered)
    is_due = not (was_acted_on or is_busy or test.spec.suspend or stranger)
    finished = sorted((seen for seen in ours if seen.finished), key=_completed)
    tested = tested_hash(test.spec)
    return Schedule(
        start=wanted if is_due else None,
        active=next((seen for seen in ours if not seen.finished), None),
        last=next((seen for seen in reversed(finished) if tested_hash(seen.run.spec.test) == tested), None),
        deleted=_deleted(test, runs),
        drop=_surplus(test, finished),
        is_acted_on=was_acted_on or is_due,
        conflict=wanted if stranger is not None and not was_acted_on else None,
    )


def _was_acted_on(test: CallTest, ours: Sequence[RunSeen]) -> bool:
    """The present spec was run, is being run, or was run and that run is gone: dropped from history, or deleted."""
    asked = asked_hash(test.spec)
    made = [seen for seen in ours if seen.run.spec.cause.type is CauseType.GENERATION]
    # The status says it, or, where the operator died before it could write that, the run itself.
    return test.status.asked_hash == asked or (bool(made) and asked_hash(made[-1].run.spec.test) == asked)


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
