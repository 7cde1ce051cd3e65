"""What a change of the software of a CallTest's SUT asks for. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import UNSET

from controller.api.parse import CallTest
from controller.api.revision import Revision
from controller.api.run import CauseType, RunCause
from controller.api.trigger import Replaced
from controller.plan.revisions import Replica, of_pods, replaced, revision_hash, revisions, untested
from controller.run.runs import RunSeen, Start, tested_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class SutSeen:
    """What the SUT runs now."""

    present: tuple[Replica, ...]
    unsettled: str
    """Why its replicas do not stand still; empty: they do."""
    since: datetime
    """Since when it runs these revisions."""


def not_tested(test: CallTest, sut: SutSeen, last: RunSeen | None) -> tuple[Revision, ...]:
    """What the last run of the present spec did not test."""
    present = revisions(sut.present)
    if last is not None:
        return untested(present, last.run.status.revisions or ())
    known = test.status.last_run  # of a run that history dropped
    is_known = known is not UNSET and known.spec_hash == tested_hash(test.spec)
    return () if is_known and known.revision_hash == revision_hash(present) else present  # type: ignore[union-attr]


def is_replaced(test: CallTest, sut: SutSeen, last: RunSeen | None) -> bool:
    """Where new pods of a tested revision count too: some are in the place of those of the last run.

    Of what history keeps no run nobody knows the pods: there it needs a new revision.
    """
    rollout = test.spec.trigger.on_rollout if test.spec.trigger else None
    if rollout is None or rollout.change is not Replaced.REPLACEMENT or last is None:
        return False
    return replaced(revisions(sut.present), last.run.status.revisions or ())


def rollout_run(
    test: CallTest, sut: SutSeen, last: RunSeen | None, ours: Sequence[RunSeen], now: datetime
) -> Start | None:
    """The run that something untested asks for, once it has settled or has had its time to."""
    assert test.spec.trigger is not None
    assert test.spec.trigger.on_rollout is not None
    deadline = timedelta(seconds=test.spec.trigger.on_rollout.deadline_seconds)
    done = last.run.status.completion_time if last is not None and not last.run.status.revisions else UNSET
    # A run that tested nothing (no endpoints, not settled) is not repeated at every look.
    waits_since = max(sut.since, done) if done is not UNSET else sut.since
    if (sut.unsettled or done is not UNSET) and now < waits_since + deadline:
        return None
    pods, known = of_pods(sut.present, settled=not sut.unsettled), test.status.sut
    name = f"{test.name}-r{pods}"
    # For these very pods a run was started, and history may have dropped it.
    if any(seen.run.name == name for seen in ours) or (known is not UNSET and known.started_for == pods):
        return None
    return Start(name=name, cause=RunCause(type=CauseType.ROLLOUT))
