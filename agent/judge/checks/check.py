"""What a check is: its rules, and the reasons that only it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.contract.call import Call
from agent.contract.expect import Expect, ExpectLeg
from agent.contract.observation import Trouble
from agent.contract.plan import Plan
from agent.contract.registration import RegistrationObservation
from agent.contract.steps import Steps
from agent.contract.verdict import Check, Finding, Reason, Result
from agent.judge.call_leg import CallLeg
from agent.judge.ends import CallEnds
from agent.judge.overload import Excuse

LATE = frozenset({Excuse.LATE})
LATE_OR_DROPPED = frozenset({Excuse.LATE, Excuse.DROPPED})
BROKEN_MEDIA = frozenset({Excuse.LATE_MEDIA, Excuse.DROPPED, Excuse.UNSENT})
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
    shared: bool = True
    """As its check is; False: nothing that our other agent did or left undone excuses it in general."""
    seen: str
    """For docs/reasons.md: what was seen; what that usually is; what to look at next."""
    usually: str
    look: str
    behind: Reason | None = None
    """Said right behind this one rather than in its place: it is its consequence, or tells less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """Something asked of a call that cannot come true whatever the SUT does, and so would blame it for the test."""

    field: str
    """Below the call: `expect.caller.audio`."""
    fault: str


def possible(_: Call, __: Steps | None) -> Impossible | None:
    """A check of which all that can be asked can come true."""
    return None


def no_time(_: Call, __: Steps | None) -> int:
    """A check that needs no time."""
    return 0


def never_asked(_: ExpectLeg) -> str | None:
    """A check that no expectation asks for: it is made of every call."""
    return None


def nothing_of_a_call(_: Expect) -> str | None:
    """A check that is not asked of a call as a whole."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a registration. Every call at its endpoint has it."""

    reason: Reason
    expected: str | None = None
    observed: str | None = None
    note: str | None = None
    trouble: Trouble | None = None
    """Of the agent while what it is about was under way; None: of no such thing can it come."""


def nothing_of_a_registration(_: Plan, __: RegistrationObservation) -> list[Fault]:
    """A check that is not of registrations."""
    return []


def nothing_to_note(_: RegistrationObservation) -> list[str]:
    """A check that only says what is wrong with them."""
    return []


def never(_: CallLeg) -> bool:
    """What it looks at on no leg."""
    return False


def no_notes(_: CallEnds) -> list[str]:
    """A check that only says what is wrong."""
    return []


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
    asked_of_call: Callable[[Expect], str | None] = nothing_of_a_call
    """Likewise of the call, whichever leg it is that tells."""
    impossible: Callable[[Call, Steps | None], Impossible | None] = possible
    """What is asked and cannot come true; asked of media only where the call is to be answered. The steps: the
    callee's in that call, None where there is none."""
    needs_ms: Callable[[Call, Steps | None], int] = no_time
    """How long the call must last at least for what is asked."""
    leg: Callable[[CallLeg], list[Finding]] = nothing_on_a_leg
    """What a leg alone tells. Asked of legs whose INVITE got the final response that is expected, but for `answered`;
    of refused ones where it is of the outcome."""
    registration: Callable[[Plan, RegistrationObservation], list[Fault]] = nothing_of_a_registration
    """What an agent's registration tells, as far as it has come."""
    registration_notes: Callable[[RegistrationObservation], list[str]] = nothing_to_note
    """What to know of it, whether it is as it should be or not."""
    ends: Callable[[CallEnds, Sequence[Finding]], list[Finding]] = nothing_more
    """What comparing both ends adds to the findings so far; where it is Failed, that leg's Inconclusive finding of the
    same check goes."""
    attribute: Callable[[CallEnds, Finding], Finding | None] = as_it_is
    """One of its Failed findings as both ends have it: the same, noted, or Inconclusive where it is not the SUT's.
    None: the other end shows that nothing is wrong."""
    explain: Callable[[CallEnds, Finding], Finding | None] = as_it_is
    """One of its Inconclusive findings, likewise: the same, or what the other end makes of it."""
    outcome: bool = False
    """It is of what the INVITE came to: made of a call that is refused as expected, too."""
    media: bool = False
    """It is of what a leg received: an overloaded agent measured none of it (truth rule 3)."""
    signalled: Callable[[CallLeg], bool] = never
    """Of media, and yet of messages on that leg: what breaks media breaks nothing of it there."""
    shared: bool = False
    """It takes two ends to go right: our other agent's trouble may be what broke it (truth rule 4)."""
    stoppable: bool = False
    """An agent that was told to stop may not have come to it."""
    excusable: Callable[[CallLeg, Finding], bool] = always
    """Whether its reason's excuses hold for what was observed; the leg is the finding's."""
    notes: Callable[[CallEnds], list[str]] = no_notes
    """What to know of a call, whether it passed or not."""
    rows: tuple[Row, ...] = ()
    """In the order in which they are said: a cause before its consequences."""
    subject: str
    """What the check is about, for what could not be judged: `the caller's {subject}`."""
    sentence: str
    """Of what was observed, with {leg}, {observed} and {expected}."""
    on: str
    """Which legs, for docs/calltest.md; likewise what follows."""
    asked_by: str = "always"
    holds: str
    """What must be so."""

    def looks_at_media(self, leg: CallLeg | None) -> bool:
        """It is broken there by what breaks media, and not by what breaks signalling."""
        return self.media and (leg is None or not self.signalled(leg))
