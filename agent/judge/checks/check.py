"""What a check is: its rules, and the reasons that only it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.contract.call import ExpectLeg
from agent.contract.verdict import Check, Finding, Reason, Result
from agent.judge.call_leg import CallLeg
from agent.judge.ends import CallEnds


class Excuse(StrEnum):
    """What an agent's trouble may bring about by itself (truth rule 11)."""

    LATE = "late"
    """It, or its own RTP, was late: it read, sent or answered at another time than it should have."""
    DROPPED = "dropped"
    """The kernel dropped datagrams at its own sockets: what came to it was not seen."""
    UNSENT = "unsent"
    """It sent less than was due."""


LATE_OR_DROPPED = frozenset({Excuse.LATE, Excuse.DROPPED})
ANY_TROUBLE = frozenset(Excuse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A reason, and all there is to know of it."""

    reason: Reason
    result: Result = Result.FAILED
    meaning: str
    """For docs/calltest.md."""
    excused_by: frozenset[Excuse] = frozenset()
    """Which troubles of an agent, at either end, may have brought it about."""
    behind: Reason | None = None
    """Said right behind this one rather than in its place: it is its consequence, or tells less."""


def never_asked(_: ExpectLeg) -> str | None:
    """A check that no expectation asks for: it is made of every call."""
    return None


def nothing_on_a_leg(_: CallLeg) -> list[Finding]:
    """A check that one leg alone cannot make."""
    return []


def nothing_more(_: CallEnds, __: Sequence[Finding]) -> list[Finding]:
    """A check to which comparing both ends adds nothing."""
    return []


def as_it_is(_: CallEnds, finding: Finding) -> Finding:
    """A finding that the other end does not change."""
    return finding


def always(_: CallLeg, __: Finding) -> bool:
    """Whatever was observed, its reason's excuses hold."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRule:
    """One check: when it is made, what its rules are, and every reason that it gives.

    Reasons of checks/run.py (NotMeasured, AgentError, …) may be any check's.
    """

    check: Check
    asked: Callable[[ExpectLeg], str | None] = never_asked
    """What a test expects of a leg, in words; None: it does not ask."""
    leg: Callable[[CallLeg], list[Finding]] = nothing_on_a_leg
    """What a leg alone tells. Asked of answered legs, but for the check `answered`."""
    ends: Callable[[CallEnds, Sequence[Finding]], list[Finding]] = nothing_more
    """What comparing both ends adds to the findings so far; where it is Failed, that leg's Inconclusive finding of the
    same check goes."""
    attribute: Callable[[CallEnds, Finding], Finding] = as_it_is
    """One of its Failed findings as both ends have it: the same, noted, or Inconclusive where it is not the SUT's."""
    explain: Callable[[CallEnds, Finding], Finding] = as_it_is
    """One of its Inconclusive findings: the same, or what the other end makes of it."""
    media: bool = False
    """It is of what a leg received: an overloaded agent measured none of it (truth rule 3)."""
    shared: bool = False
    """It takes two ends to go right: our other agent's trouble may be what broke it (truth rule 4)."""
    stoppable: bool = False
    """An agent that was told to stop may not have come to it."""
    excusable: Callable[[CallLeg, Finding], bool] = always
    """Whether its reason's excuses hold for what was observed; the leg is the finding's."""
    rows: tuple[Row, ...] = ()
    """In the order in which they are said: a cause before its consequences."""
    sentence: str = "{leg}: {observed}, expected {expected}"
    """For people."""
    on: str
    """Which legs, for docs/calltest.md; likewise what follows."""
    asked_by: str = "always"
    holds: str
    """What must be so."""
