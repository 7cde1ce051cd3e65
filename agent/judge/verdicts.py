"""What goes into a verdict over a run, and what comes out of it."""

from dataclasses import dataclass
from enum import StrEnum

from agent.contract.observation import LegObservation
from agent.contract.plan import Plan
from agent.contract.registration import RegistrationObservation
from agent.contract.result import TurnedAway
from agent.contract.verdict import Finding, Reason, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """All that is known of what one agent did. Each plan of a run has one, also when its agent never started."""

    plan: Plan
    legs: tuple[LegObservation, ...] = ()
    registrations: tuple[RegistrationObservation, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()
    recorded: tuple[Finding, ...] = ()
    """Findings of the termination message: they stand for legs whose detail lines are missing."""
    complete: bool
    """The result was final, and the digest of the detail lines agrees: what is not in here did not happen, but for:"""
    legs_left_out: int = 0
    """Legs that were too many to be told: no planned call's first that said which it was."""
    lost_reason: Reason | None = None
    """Why the plan was not done to its end: AgentLost, AgentImagePullFailed … where not complete; Aborted,
    DeadlineExceeded or AgentLost (its node shut down) also on a complete report of an agent that was told to stop. None
    and not complete: AgentLost."""
    lost_message: str = ""
    """For people: the note of every finding that says lost_reason."""


class PairedBy(StrEnum):
    """What told that a callee leg belongs to a call (truth rule 6)."""

    HEADER = "Header"
    CALL_ID = "CallID"
    USER = "User"
    SIGNAL = "Signal"
    ORDER = "Order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One direction's RTP packets as both ends counted them; None: not counted."""

    sent: int | None
    received: int | None
    lost: int | None
    """By the receiver's sequence numbers (RFC 3550 A.3)."""

    @property
    def unseen(self) -> int | None:
        """Sent, but neither received nor missed by sequence number: lost or in flight at the call's edges.

        Negative where the receiver counted more than the peer sent (duplicates, another source).
        """
        if self.sent is None or self.received is None or self.lost is None:
            return None
        return self.sent - self.received - self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class CallVerdict:
    """One planned call. Passed exactly when there is no finding."""

    endpoint: int
    call: str
    number: int
    result: Result
    reason: Reason | None
    """Of the worst finding; None when Passed."""
    findings: tuple[Finding, ...]
    """Worst first."""
    caller: LegObservation | None
    callee: LegObservation | None
    paired_by: PairedBy | None
    """None: no callee leg is known to belong to this call."""
    to_callee: Flow
    to_caller: Flow
    notes: tuple[str, ...] = ()
    """What to know of it, whether it passed or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointVerdict:
    """All calls to one endpoint: planned = passed + failed + inconclusive."""

    endpoint: int
    name: str
    result: Result
    reason: Reason | None
    planned: int
    passed: int
    failed: int
    inconclusive: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A leg that is no planned call's for certain."""

    agent: str
    leg: LegObservation
    note: str
    """Why it was matched with none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """The whole run: planned = passed + failed + inconclusive, over all calls."""

    result: Result
    reason: Reason | None
    worst: Finding | None
    planned: int
    passed: int
    failed: int
    inconclusive: int
    calls: tuple[CallVerdict, ...]
    """By endpoint, then as in the plan, then by number."""
    endpoints: tuple[EndpointVerdict, ...]
    """By index."""
    strays: tuple[Stray, ...]
    registrations: tuple[CallVerdict, ...] = ()
    """Of a run without calls: what the registrations at each endpoint came to, as if they were one."""
    strays_left_out: int = 0
    """More of them than are told."""

    @property
    def items(self) -> tuple[CallVerdict, ...]:
        """All that the verdict is made of."""
        return self.calls or self.registrations
