"""When a CallTest runs, and which of its runs are kept. Pure: the test and its runs, as they are now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from agent.contract.verdict import Result
from controller.api.parse import CallTest, CallTestRun

Raw = dict[str, Any]


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
    """The run that is under way or next."""
    last: RunSeen | None = None
    """The last one that was finished."""
    drop: tuple[RunSeen, ...] = ()
    """Finished runs that history has no room for."""
    is_acted_on: bool = True
    """The present generation was run, is being run, or must not be run."""
    conflict: str | None = None
    """Name of a run that stands in the way: it has the name of the next one, and is not ours."""


def run_name(test: str, generation: int) -> str:
    """A run's name says its cause, so that a restarted operator meets its own object."""
    return f"{test}-g{generation}"


def schedule(test: CallTest, runs: Sequence[RunSeen]) -> Schedule:
    """One run per generation of the spec, one at a time; a change during a run makes the next run after it."""
    ordered = sorted(runs, key=lambda seen: seen.order)
    active = next((seen for seen in ordered if not seen.finished), None)
    finished = sorted((seen for seen in ordered if seen.finished), key=_completed)
    wanted = run_name(test.name, test.generation)
    same_name = next((seen for seen in ordered if seen.run.name == wanted), None)
    is_due = active is None and not test.spec.suspend and same_name is None and not _was_run(test)
    return Schedule(
        start=wanted if is_due else None,
        active=active,
        last=finished[-1] if finished else None,
        drop=_surplus(test, finished),
        is_acted_on=is_due or test.spec.suspend or _was_run(test) or (same_name is not None and same_name.is_ours),
        conflict=wanted if same_name is not None and not same_name.is_ours else None,
    )


def is_next(run: CallTestRun, created: str, others: Sequence[RunSeen]) -> bool:
    """Whether a run may start: no other run of its test that is older is unfinished."""
    waiting = [seen for seen in others if not seen.finished and seen.run.name != run.name]
    return all(seen.order > (created, run.name) for seen in waiting)


def _was_run(test: CallTest) -> bool:
    """Its present generation was run, although that run is gone: dropped from history, or deleted by hand."""
    return test.status.observed_generation >= test.generation


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
    return tuple(seen for seen in finished if seen.run.name not in keep and seen.is_ours)
