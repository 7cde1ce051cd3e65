"""Which calls of a phone are SRTP, and how: told by what their INVITE says they are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.contract.plan import CALL_HEADER, Plan
from agent.contract.srtp import Srtp, SrtpUse
from agent.sip.text import SipHead
from agent.tap.model import TapSrtp


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Of the calls that a phone places and takes."""

    usual: Srtp = field(default_factory=Srtp)
    """Of those that do not say which they are: a SUT may take the header away."""
    calls: Mapping[str, Srtp] = field(default_factory=dict)
    """By the call's name, which is the last but one part of its CALL_HEADER."""

    def of(self, call_key: str | None) -> Srtp:
        """That of the call whose INVITE has this value as its CALL_HEADER."""
        *_, name, _ = ("", *(call_key or "").rsplit("/", 2))
        return self.calls.get(name, self.usual)

    def of_invite(self, head: SipHead | None) -> Srtp:
        """That of an INVITE."""
        return self.of(head.header(CALL_HEADER) if head else None)

    @property
    def use(self) -> SrtpUse:
        """Of an account: what all its calls share; Optional, which takes any, where they do not."""
        uses = {srtp.use for srtp in (self.usual, *self.calls.values())}
        return uses.pop() if len(uses) == 1 else SrtpUse.OPTIONAL


def planned(plan: Plan) -> Encryption:
    """Of a plan's agent: a call that names none is as all are, or, where they differ, as its account."""
    calls = {call.name: call.srtp(plan.role) for call in plan.calls}
    return Encryption(usual=plan.usual_srtp(plan.role) or plan.account.media.srtp, calls=calls)


def tap_srtp(srtp: Srtp) -> TapSrtp:
    """As the tap sets it."""
    return TapSrtp(use=srtp.use, keying=srtp.keying, suites=tuple(suite.value for suite in srtp.suites))
