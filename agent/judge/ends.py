"""One call as both ends saw it, and what is known of the agents at them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from agent.contract.steps import Steps, steps_of
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, PlannedCall
from agent.judge.overload import Excuse

ENDED_LATER_MS: Final = 1000.0
"""Two ends of a call last equally long, but for how long its 200 and its BYE travelled. An end that lasted this much
longer than the other was not what ended it."""

_UNBOUND: Final = (Check.REGISTERED, Check.CONNECTION, Check.REFRESHED, Check.BINDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Why an agent did not do its plan to the end."""

    reason: Reason
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnds:
    """A planned call with all that both agents reported of it."""

    call: PlannedCall
    caller: CallLeg | None
    callee: CallLeg | None
    misdelivered_to: str | None = None
    """The agent that the INVITE reached, where that is not the callee of this endpoint."""
    answers_at_callee: int = 0
    """INVITEs of the call that our callees answered, where they are more than one."""
    ambiguous: str | None = None
    """Why it is not known which callee leg is this call's."""
    caller_gone: Gone | None = None
    callee_gone: Gone | None = None
    turned_away: str | None = None
    """The alert of TLS with which somebody at this endpoint did not take the callee's certificate."""
    callee_outlived: bool = False
    """The callee took a call that was placed after this one had ended: it was not gone before."""
    registration: tuple[Finding, ...] = ()
    """What was wrong with either agent's registration at this endpoint."""
    recorded: tuple[Finding, ...] = ()
    """What agents said of their own legs whose detail lines are missing."""

    @property
    def declared(self) -> bool:
        """One of our agents is at the other end."""
        return self.call.plan.callee_declared

    @property
    def steps(self) -> Steps | None:
        """What our callee does in this call; None where none is declared."""
        return steps_of(self.call.group, Role.CALLEE) if self.declared else None

    def leg(self, role: Role) -> CallLeg | None:
        """That end's leg."""
        return self.caller if role is Role.CALLER else self.callee

    def gone(self, role: Role) -> Gone | None:
        """That end's agent, where it did not do its plan to the end."""
        return self.caller_gone if role is Role.CALLER else self.callee_gone

    @property
    def unbound(self) -> tuple[Finding, ...]:
        """Of these, what says that an agent was not registered, or may not have been."""
        return tuple(f for f in self.registration if f.check in _UNBOUND and f.reason is not Reason.STRAY_BINDING)

    @property
    def callee_died(self) -> Gone | None:
        """The callee's agent was gone and its leg is missing, and nothing shows that it was there during this call."""
        return self.callee_gone if self.callee is None and not self.callee_outlived else None

    def peer_trouble(self, role: Role, kinds: Collection[Excuse], *, media: bool) -> str | None:
        """What may have broken this end's media or teardown that was our other agent's doing (truth rule 4)."""
        if not self.declared:
            return None
        other = peer_of(role)
        peer = self.leg(other)
        if peer is None:
            return self._absence(other)
        trouble = peer.trouble(kinds, media=media)
        if trouble is not None:
            return f"the {other.value.lower()} agent was overloaded: {trouble}"
        if peer.cut_short and not _ended_later(peer, self.leg(role)):
            return f"the {other.value.lower()} agent itself ended the call early"
        return None

    def _absence(self, role: Role) -> str | None:
        if role is Role.CALLER:
            return "the caller's leg of this call was not reported"
        return None if self.callee_died is None else self.callee_died.note


def peer_of(role: Role) -> Role:
    """The other end."""
    return Role.CALLEE if role is Role.CALLER else Role.CALLER


def _ended_later(peer: CallLeg, own: CallLeg | None) -> bool:
    if own is None or own.call_ms is None or peer.call_ms is None:
        return False
    return peer.call_ms > own.call_ms + ENDED_LATER_MS
