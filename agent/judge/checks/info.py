"""info: each digit that was sent by INFO was taken, where the test has digits sent so."""

from collections.abc import Sequence
from typing import Final

from agent.contract.expect import DtmfMethod
from agent.contract.observation import UntakenDigit
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, own_words
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.checks.connection import crossed
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive
from agent.judge.words import listed, often, quoted, spoken, unread

EXPECTED: Final = "a 2xx to each digit sent by INFO"


def _leg(leg: CallLeg) -> list[Finding]:
    """The worst of them alone: who refuses one digit refuses all, mostly."""
    untaken = leg.leg.dtmf_untaken if _asked(leg) else ()
    live = [digit for digit in untaken if not digit.when_over]
    refused = [digit for digit in live if digit.code is not None]
    if live and (ours := _own_doing(leg, refused)):
        return [_found(leg, Reason.NOT_MEASURED, listed(map(_told, refused or live)), ours)]
    if live:
        reason = Reason.INFO_REFUSED if refused else Reason.INFO_UNANSWERED
        return [_found(leg, reason, listed(map(_told, refused or live)))]
    note = "the call was over before, or less than 2 s after it was sent"
    return [_found(leg, Reason.NOT_MEASURED, listed(map(_told, untaken)), note)] if untaken else []


def _own_doing(leg: CallLeg, refused: Sequence[UntakenDigit]) -> str | None:
    """Why the SUT may have taken them all the same, or never had them (truth rule 10); None: nothing says so."""
    if leg.leg.detour:
        return own_words(leg, "a message of ours went another way than the other side asked")
    if refused:
        return None
    if crossed(leg.leg.connections, "INFO"):
        return "it may have crossed the end of its connection, and was read by nobody then"
    return unread(leg.leg.unparsed[0]) if leg.leg.unparsed else None


def _asked(leg: CallLeg) -> bool:
    """A caller is to send its digits so; a parrot does it as they came so, and only where they are to come back."""
    if leg.leg.role is Role.CALLER:
        return leg.digits_go_by is DtmfMethod.INFO
    return leg.call.expected(Role.CALLER).dtmf is not None


def _found(leg: CallLeg, reason: Reason, observed: str, note: str | None = None) -> Finding:
    return leg.finding(Check.INFO, reason, expected=EXPECTED, observed=observed, note=note)


def _told(digit: UntakenDigit) -> str:
    which = f"digit {digit.place} ({quoted(digit.digit)})"
    if digit.code is None:
        return f"no final response to {which}, sent {often(digit.times)}"
    return f"{spoken(digit.code, digit.phrase)} to {which}"


def _excusable(leg: CallLeg, finding: Finding) -> bool:
    """Who is late, or hears nothing, loses its dialog perhaps; it makes nobody refuse a body."""
    codes = [digit.code for digit in leg.leg.dtmf_untaken if digit.code is not None and not digit.when_over]
    return finding.reason is not Reason.INFO_REFUSED or all(code in (408, 481) or 500 <= code < 600 for code in codes)


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """Our other agent may be who did not take them."""
    peer = ends.leg(peer_of(finding.leg))
    if peer is None or not peer.leg.dtmf_refused:
        return finding
    note = f"the {peer.name} agent itself did not take {quoted(peer.leg.dtmf_refused)} by INFO"
    return inconclusive(finding, Reason.AGENT_ERROR, note)


RULE: Final = CheckRule(
    check=Check.INFO,
    leg=_leg,
    attribute=_attribute,
    shared=True,
    excusable=_excusable,
    rows=(
        Row(
            reason=Reason.INFO_REFUSED,
            meaning="a digit that was sent by INFO, as the test has it, got another final response than 2xx",
            seen="The SUT refused an INFO with a digit, in a dialog that was up. The note says which, and with what.",
            usually="415: it does not take that body (`infoType`). 469: it wants an Info-Package (RFC 6086), and "
            "digits have none. 405, 501: no INFO at all. 401, 407: requests in a dialog are challenged, and the "
            "caller has no credentials for that. 481: whoever answered does not know the dialog.",
            look="The DTMF mode of the peer or trunk (`dtmf_mode=info` of Asterisk's PJSIP); its Allow and Accept.",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.INFO_UNANSWERED,
            meaning=(
                "a digit that was sent by INFO, as the test has it, got no final response, and the call was up for 2 s "
                "after it or more (RFC 3261 §8.2)"
            ),
            seen="An INFO with a digit got no final response, however often it was sent; those after it were not sent.",
            usually="Requests in the dialog go astray: a proxy without Record-Route, a Contact that cannot be reached. "
            "Or the SUT drops what it does not know.",
            look="Contact and Record-Route of the 200; the SUT's log for this Call-ID.",
            excused_by=LATE_OR_DROPPED,
        ),
    ),
    subject="digits by INFO",
    sentence="{leg} got {observed}, expected {expected}",
    on="who sends digits by INFO",
    asked_by="`caller.dtmf.method: INFO`; of a parrot that repeats them, `expect.caller.dtmf` as well",
    holds="each of them is answered 2xx",
)
