"""dtmf: exactly these digits, by this method; and, of any digits, each from its beginning to its end (RFC 4733)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from agent.contract.call import Call
from agent.contract.expect import DtmfMethod, ExpectDtmf, ExpectLeg
from agent.contract.steps import Steps, repeats
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, dialled
from agent.judge.checks.answer import offer_and_answer
from agent.judge.checks.check import ANY_TROUBLE, CheckRule, Impossible, Row
from agent.judge.checks.rtp_packets import WHOSE, both_ways, explain_strangers
from agent.judge.digits import (
    BY,
    before_keys,
    by_method,
    by_others,
    fate,
    is_within,
    length_ms,
    named,
    overtaken,
    under_way,
)
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive, noted
from agent.judge.media import nothing_came, since_answer, strangers
from agent.judge.overload import Excuse
from agent.judge.words import joined, quoted

SHORTEST_MS: Final = 40.0
"""What every receiver of DTMF must take for a digit (ITU-T Q.24); a shorter one may be lost by the next."""
GAP_MS: Final = 100
"""Silence that an agent leaves between two digits."""
PARROT_WAIT_MS: Final = 1000
"""A parrot waits for the last digit to be the last one before it sends them all back."""
PARROT_TONE_MS: Final = 100
"""Length of the digits that it sends."""


def _asked(expect: ExpectLeg) -> str | None:
    return None if expect.dtmf is None else _wanted(expect.dtmf)


def _wanted(expect: ExpectDtmf) -> str:
    return expect.digits if expect.by is DtmfMethod.RFC4733 else f"{quoted(expect.digits)} {BY[expect.by]}"


def _impossible(call: Call, callee: Steps | None) -> Impossible | None:
    expect, sent = call.expect, call.caller.dtmf
    if expect.caller.dtmf is not None and callee is not None and not repeats(callee):
        return Impossible(field="expect.caller.dtmf", fault="needs a Parrot: an Absorber sends no digits")
    if expect.callee.dtmf is not None and sent is None:
        return Impossible(field="expect.callee.dtmf", fault="needs caller.dtmf: the caller sends no digits")
    if expect.caller.dtmf is not None and callee is not None and sent is None:
        fault = "needs caller.dtmf: a Parrot re-sends only what it received"
        return Impossible(field="expect.caller.dtmf", fault=fault)
    return None


def sending_ms(call: Call) -> int:
    """From the answer to the end of the last digit that the caller sends."""
    dtmf = call.caller.dtmf
    if dtmf is None:
        return 0
    return dtmf.after_milliseconds + len(dtmf.digits) * (dtmf.tone_milliseconds + GAP_MS)


def _needs_ms(call: Call, callee: Steps | None) -> int:
    expect = call.expect.caller.dtmf
    if callee is None or expect is None or call.caller.dtmf is None:
        return sending_ms(call)
    return sending_ms(call) + PARROT_WAIT_MS + len(expect.digits) * (PARROT_TONE_MS + GAP_MS)


def _leg(leg: CallLeg) -> list[Finding]:
    """One finding at most: other digits than expected say more than how those that came were sent."""
    return _mismatch(leg) or _other_method(leg) or _never_ended(leg) or _cut_short(leg)


def _found(
    leg: CallLeg, reason: Reason, observed: str | None, *notes: str | None, expected: str | None = None
) -> Finding:
    """`expected` None: the digits that the test expects."""
    return leg.finding(
        Check.DTMF, reason, expected=expected or _asked(leg.expect), observed=observed, note=joined(*notes)
    )


def _mismatch(leg: CallLeg) -> list[Finding]:
    expect = leg.expect.dtmf
    if expect is None:
        return []
    received, by_rtp = dialled(leg.leg.dtmf_received, expect.by), expect.by is DtmfMethod.RFC4733
    if by_rtp and leg.leg.negotiated is None and not leg.leg.dtmf_received:
        return [_found(leg, Reason.NOT_MEASURED, None, "no media was negotiated")]
    if received == expect.digits or (not received and expect.digits in by_others(leg, expect.by).values()):
        return []  # they came; how is another question
    if by_rtp and not received and (elsewhere := strangers(leg)) is not None:
        return [_found(leg, Reason.NOT_MEASURED, elsewhere, WHOSE)]
    return _other_digits(leg, expect, received)


def _other_digits(leg: CallLeg, expect: ExpectDtmf, received: str) -> list[Finding]:
    observed = by_method(leg, expect.by)
    missing = len(received) < len(expect.digits)
    if _without_telephone_event(leg) and missing and expect.by is DtmfMethod.RFC4733:
        without = joined("this leg's SDP has no telephone-event", offer_and_answer(leg))
        return [_found(leg, Reason.DTMF_NOT_NEGOTIATED, observed, without, *_besides(leg))]
    return [_unsent(leg, _found(leg, Reason.DTMF_MISMATCH, observed, *_besides(leg)))]


def _besides(leg: CallLeg) -> list[str | None]:
    """What came in the place of digits."""
    by_rtp = leg.digits_come_by is DtmfMethod.RFC4733
    refused, tones = leg.leg.dtmf_refused, leg.leg.dtmf_tones if leg.leg.dtmf_received else None
    return [
        f"no RTP came{since_answer(leg) or ' at all'}" if by_rtp and nothing_came(leg) else None,
        f"{quoted(refused)} came by INFO, which this agent did not take" if refused else None,
        f"{quoted(tones)} came {BY[DtmfMethod.IN_BAND]}" if tones else None,
    ]


def _unsent(leg: CallLeg, finding: Finding) -> Finding:
    """A caller that never sent all its digits cannot get them back; others than those it sent are still wrong."""
    planned = leg.call.group.caller.dtmf
    if leg.leg.role is Role.CALLEE:
        return finding
    if planned is None or not planned.digits.startswith(leg.digits_received):
        return finding
    if leg.digits_sent == planned.digits:
        late = overtaken(leg, leg.digits_received, planned.digits)
        return finding if late is None else inconclusive(finding, Reason.NOT_MEASURED, late)
    note = f"this caller had sent only {quoted(leg.digits_sent)} of {quoted(planned.digits)} when the call ended"
    return inconclusive(finding, Reason.NOT_MEASURED, note)


def _sends_none(sender: CallLeg) -> bool:
    """It was to send events that its SDP does not have."""
    return sender.digits_go_by is DtmfMethod.RFC4733 and _without_telephone_event(sender)


def _without_telephone_event(leg: CallLeg) -> bool:
    """What was negotiated on this leg is known, and has no telephone-event (RFC 4733)."""
    negotiated = leg.leg.negotiated
    return negotiated is not None and negotiated.telephone_event_payload_type is None


def _other_method(leg: CallLeg) -> list[Finding]:
    """Digits that came by another method, instead of the expected one or beside it: who takes both has them twice."""
    expect = leg.expect.dtmf
    if expect is None or not by_others(leg, expect.by):
        return []
    none = expect.by is DtmfMethod.RFC4733 and _without_telephone_event(leg)
    without = "this leg's SDP has no telephone-event" if none else None
    observed, wanted = by_method(leg, expect.by), f"{quoted(expect.digits)} {BY[expect.by]} alone"
    return [_found(leg, Reason.DTMF_OTHER_METHOD, observed, without, expected=wanted)]


# Each digit, as the wire had it


def _never_ended(leg: CallLeg) -> list[Finding]:
    """No packet with the E bit came (RFC 4733 §2.3.2): a receiver does not know whether the key is still held."""
    open_ended = [digit for digit in leg.leg.dtmf_received if digit.end_packets == 0 and not under_way(leg, digit)]
    if not open_ended:
        return []
    observed, expected = f"{named(leg, open_ended)} without an end packet", "each digit to its end"
    return [_found(leg, Reason.DTMF_NOT_ENDED, observed, expected=expected)]


def _cut_short(leg: CallLeg) -> list[Finding]:
    short = [digit for digit in leg.leg.dtmf_received if digit.end_packets and length_ms(digit) < SHORTEST_MS]
    if not short:
        return []
    observed = f"{named(leg, short)} of {min(map(length_ms, short)):g} ms"
    expected = f"at least {SHORTEST_MS:g} ms of each digit (ITU-T Q.24)"
    return [_found(leg, Reason.DTMF_CUT_SHORT, observed, expected=expected)]


def _shortened(sender: CallLeg, receiver: CallLeg) -> Finding | None:
    """A digit that came at less than half the length it was sent with; None where they are not the same digits."""
    sent = [digit for digit in sender.leg.dtmf_sent if digit.method is DtmfMethod.RFC4733]
    came = [digit for digit in receiver.leg.dtmf_received if digit.method is DtmfMethod.RFC4733]
    if [digit.digit for digit in sent] != [digit.digit for digit in came]:
        return None
    for before, after in zip(sent, came, strict=True):
        if after.end_packets and length_ms(after) < length_ms(before) / 2:
            observed = f"{named(receiver, [after])} of {length_ms(after):g} ms"
            note = f"the {sender.name} sent it for {length_ms(before):g} ms"
            expected = "at least half the length that it was sent with"
            return _found(receiver, Reason.DTMF_CUT_SHORT, observed, note, expected=expected)
    return None


# As both ends have it


def _ends(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """Where nothing else is wrong with a leg's digits: those that lost most of their length, or that nobody sent."""
    more = []
    for sender, receiver in both_ways(ends):
        if not any(_says_more(finding, receiver) for finding in findings):
            found = _never_sent(ends, sender, receiver) or _shortened(sender, receiver)
            more += [] if found is None else [found]
    return more


def _never_sent(ends: CallEnds, sender: CallLeg, receiver: CallLeg) -> Finding | None:
    """Digits at a caller that its parrot never sent back: the path plays the caller's own back to it."""
    if receiver.leg.role is Role.CALLEE or not repeats(ends.steps or ()) or not receiver.digits_sent:
        return None
    sent_back = "".join(digit.digit for digit in sender.leg.dtmf_sent)
    if is_within(receiver.digits_received, sent_back):
        return None
    note = f"the callee sent back {quoted(sent_back)}: not all of these came from it"
    expected = "no digits that the callee did not send"
    return _found(receiver, Reason.DTMF_MISMATCH, receiver.digits_received, note, expected=expected)


def _says_more(finding: Finding, receiver: CallLeg) -> bool:
    own = finding.leg is receiver.leg.role and finding.check is Check.DTMF
    return own and finding.reason is not Reason.NOT_MEASURED


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    if finding.reason is Reason.DTMF_NOT_ENDED:
        return _unended(ends, finding)
    if finding.reason not in (Reason.DTMF_MISMATCH, Reason.DTMF_NOT_NEGOTIATED):
        return finding
    return _to_callee(ends, finding) if finding.leg is Role.CALLEE else _to_caller(ends, finding)


def _short_of(received: str, sent: str, planned: str) -> bool:
    """Too little was sent to receive it all, and what came is what was sent, but for one digit still under way."""
    return sent != planned and planned.startswith(received) and len(received) >= len(sent) - 1


def _not_negotiated(finding: Finding, sender: CallLeg) -> Finding:
    """Our agents always offer telephone-event: a sender that could not use it was answered without, by the path."""
    note = f"the SDP of the {sender.name}, which was to send the digits, has no telephone-event"
    told = noted(msgspec.structs.replace(finding, reason=Reason.DTMF_NOT_NEGOTIATED), note)
    agreed = offer_and_answer(sender)
    return told if agreed is None else noted(told, agreed)


def _to_callee(ends: CallEnds, finding: Finding) -> Finding:
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None:
        return finding
    planned = ends.call.group.caller.dtmf.digits if ends.call.group.caller.dtmf else ""
    sent = caller.digits_sent
    if not planned and not callee.digits_received:
        return inconclusive(finding, Reason.NOT_MEASURED, "this call sends no digits")
    if finding.reason is Reason.DTMF_NOT_NEGOTIATED:
        return finding
    if sent != planned and _sends_none(caller):
        return _not_negotiated(finding, caller)
    if (missing := _never_came(caller, callee, planned)) is not None:
        return inconclusive(finding, Reason.NOT_MEASURED, missing)
    return noted(finding, f"the caller sent {quoted(sent)}: {fate(sent, callee.digits_received, 'callee')}")


def _never_came(caller: CallLeg, callee: CallLeg, planned: str) -> str | None:
    """Why digits that the callee lacks may not have been on the way to it at all, or too late; None: they were."""
    if _short_of(callee.digits_received, caller.digits_sent, planned):
        return f"the caller had sent only {quoted(caller.digits_sent)}"
    came = callee.digits_received
    return overtaken(caller, came, planned, callee) or before_keys(caller, callee, came, planned)


def _to_caller(ends: CallEnds, finding: Finding) -> Finding:
    """A parrot can only send back what it got: what is wrong here may have gone wrong on the way there."""
    caller, callee = ends.caller, ends.callee
    if callee is None or caller is None:
        return finding
    silent = ends.steps is not None and not repeats(ends.steps)
    nobody_sends = silent or ends.call.group.caller.dtmf is None
    if nobody_sends and not caller.digits_received:
        return inconclusive(finding, Reason.NOT_MEASURED, "nobody sends this caller any digits")
    if finding.reason is Reason.DTMF_NOT_NEGOTIATED:
        return finding
    got, sent = callee.digits_received, caller.digits_sent
    if (why := _never_to_be_sent_back(ends, caller, callee)) is not None:
        return inconclusive(finding, Reason.NOT_MEASURED, why)
    if got != sent:
        return noted(finding, f"the callee had received {quoted(got)} of {quoted(sent)}: {fate(sent, got, 'callee')}")
    return _digits_sent_back(finding, caller, callee)


def _never_to_be_sent_back(ends: CallEnds, caller: CallLeg, callee: CallLeg) -> str | None:
    """Why digits that never came to the parrot may not have been lost on the way to it; None: they were."""
    got, sent, planned = callee.digits_received, caller.digits_sent, ends.call.group.caller.dtmf
    if got != sent and (late := overtaken(caller, got, sent, callee)) is not None:
        return late
    if not is_within(caller.digits_received, got):
        return None
    return before_keys(caller, callee, got, sent if planned is None else planned.digits)


def _digits_sent_back(finding: Finding, caller: CallLeg, callee: CallLeg) -> Finding:
    got, sent_back, received = callee.digits_received, callee.digits_sent, caller.digits_received
    if sent_back != got and _sends_none(callee):
        return _not_negotiated(finding, callee)
    if _short_of(received, sent_back, got):
        return inconclusive(finding, Reason.NOT_MEASURED, f"the callee had sent back only {quoted(sent_back)}")
    late = overtaken(callee, received, got, caller) or before_keys(callee, caller, received, got)
    if late is not None:
        return inconclusive(finding, Reason.NOT_MEASURED, late)
    return noted(finding, f"the callee sent back {quoted(sent_back)}: {fate(sent_back, received, 'caller')}")


def _unended(ends: CallEnds, finding: Finding) -> Finding:
    """A digit without its end is the path's doing only where our own agent ended it."""
    own, sender = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
    if own is None or sender is None:
        return finding
    sent = quoted(sender.digits_sent)
    if sender.digits_sent != own.digits_received:
        return inconclusive(finding, Reason.NOT_MEASURED, f"the {sender.name} itself sent only {sent} to their end")
    return noted(finding, f"the {sender.name} sent {sent} to their end")


def _excusable(leg: CallLeg, finding: Finding) -> bool:
    """What an agent drops is missing; no trouble of its makes a digit, another one of it, or an INFO."""
    if finding.reason is Reason.DTMF_OTHER_METHOD:
        return not leg.leg.dtmf_received
    if finding.reason is not Reason.DTMF_MISMATCH:
        return True
    expect = leg.expect.dtmf
    return expect is not None and is_within(dialled(leg.leg.dtmf_received, expect.by), expect.digits)


def _signalled(leg: CallLeg) -> bool:
    """What is asked of it comes in messages."""
    return leg.expect.dtmf is not None and leg.expect.dtmf.by is DtmfMethod.INFO


RULE: Final = CheckRule(
    check=Check.DTMF,
    asked=_asked,
    impossible=_impossible,
    needs_ms=_needs_ms,
    leg=_leg,
    ends=_ends,
    attribute=_attribute,
    explain=explain_strangers(Reason.DTMF_MISMATCH),
    media=True,
    shared=True,
    excusable=_excusable,
    signalled=_signalled,
    rows=(
        Row(
            reason=Reason.DTMF_NOT_NEGOTIATED,
            meaning="digits were missing, and the SDP of that leg had no telephone-event",
            seen="Digits are missing, and offer and answer of the leg that was to send or receive them have no "
            "telephone-event (RFC 4733). The note has what was offered and answered.",
            usually="A codec filter or gateway that takes telephone-event out of the SDP, or a far end that takes "
            "DTMF by INFO or as tones only. Our agents always offer telephone-event.",
            look="Which hop removed it: the SDP of both legs; the gateway's or trunk's DTMF setting.",
        ),
        Row(
            reason=Reason.DTMF_OTHER_METHOD,
            meaning="the digits came by another method than expected, or by another one as well",
            excused_by=frozenset({Excuse.DROPPED, Excuse.UNSENT}),
            seen="The digits came by SIP INFO, by RFC 4733 events, or as tones in the audio: not as the test expects, "
            "or in another way as well.",
            usually="A gateway or PBX that converts DTMF (its DTMF mode is `info`, `inband` or `auto`); beside the "
            "events: a far end that takes both has each digit twice.",
            look="The DTMF mode of the trunk or peer that converts; whether telephone-event is in the SDP of the leg.",
        ),
        Row(
            reason=Reason.DTMF_MISMATCH,
            meaning=(
                "other digits arrived than expected: missing, changed, doubled, too many, out of order; or, asked for "
                "or not, a caller got digits back that its parrot did not send"
            ),
            seen="Other digits than expected came by the expected method. The note says which were lost, added or "
            "changed, on which way, and whether no RTP came at all or something else came in their place.",
            usually="Lost: a relay that does not pass the payload type of events, or packet loss. Added: a digit that "
            "a gateway makes anew when its events have a pause or new timestamps, or tones beside events. Changed: "
            "two digits that ran into one, a duration without a pause.",
            look="`calltest trace --digits` on the evidence of both legs: each digit's start, length, packets and end "
            "packets, at the sender and at the receiver.",
            excused_by=frozenset({Excuse.DROPPED, Excuse.UNSENT}),
        ),
        Row(
            reason=Reason.DTMF_NOT_ENDED,
            meaning="no end packet of a digit came (RFC 4733), asked for or not",
            seen="Events of a digit came, and none with the end bit, long before the call was over (RFC 4733 §2.3.2).",
            usually="Loss of its three end packets, a relay that drops packets of one timestamp as copies, or a "
            "gateway that does not end events. A receiver may take the key as held for long.",
            look="Packet loss beside it; `calltest trace --digits` at both ends.",
            excused_by=frozenset({Excuse.DROPPED, Excuse.UNSENT}),
        ),
        Row(
            reason=Reason.DTMF_CUT_SHORT,
            meaning="a digit of less than 40 ms came (ITU-T Q.24), or of less than half the length it was sent with",
            seen="A digit was shorter than 40 ms, which a receiver may miss, or shorter than half of what was sent.",
            usually="A gateway that makes events anew at a fixed length, or tones that it cut while it detected them.",
            look="The gateway's tone length; whether it detects tones and makes events of them.",
            excused_by=ANY_TROUBLE,
        ),
    ),
    subject="received digits",
    sentence="{leg} received {observed}, expected {expected}",
    on="that leg",
    asked_by="`dtmf`",
    holds=(
        "exactly these digits, in this order, by this method, and none by another; each digit, asked for or not, has "
        "an end packet (RFC 4733 §2.3.2), lasts 40 ms (ITU-T Q.24), and half as long as our other agent sent it"
    ),
)
