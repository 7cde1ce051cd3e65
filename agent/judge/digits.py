"""The check of the digits a leg received: which, by what method, and each from its beginning to its end."""

from typing import Final

from agent.contract.observation import Digit
from agent.contract.plan import DtmfMethod
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg, joined

SHORTEST_MS: Final = 40.0
"""What every receiver of DTMF must take for a digit (ITU-T Q.24); a shorter one may be lost by the next."""
UNDER_WAY_MS: Final = 200.0
"""A digit whose last packet is this close to the end of the call was cut by that, not by the path."""


def dtmf(leg: CallLeg) -> list[Finding]:
    """One finding at most: other digits than expected say more than how those that came were sent."""
    return _mismatch(leg) or _other_method(leg) or _never_ended(leg) or _cut_short(leg)


def _found(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    expect = leg.expect.dtmf
    expected = "digits from beginning to end" if expect is None else expect.digits
    return leg.finding(Check.DTMF, reason, expected=expected, observed=observed, note=note)


def _mismatch(leg: CallLeg) -> list[Finding]:
    expect = leg.expect.dtmf
    if expect is None:
        return []
    received = joined(leg.leg.dtmf_received, expect.method)
    if leg.leg.negotiated is None and not leg.leg.dtmf_received:
        return [_found(leg, Reason.NOT_MEASURED, note="no media was negotiated")]
    if received == expect.digits:
        return []
    if not received and expect.digits in _by_others(leg).values():
        return []  # they came, and only how is wrong
    observed = ", ".join(_by_method(leg)) or "none"
    missing = len(received) < len(expect.digits)
    if without_telephone_event(leg) and missing and expect.method is DtmfMethod.RFC4733:
        return [_found(leg, Reason.DTMF_NOT_NEGOTIATED, observed, "no telephone-event in this leg's SDP")]
    return [_found(leg, Reason.DTMF_MISMATCH, observed)]


def without_telephone_event(leg: CallLeg) -> bool:
    """What was negotiated on this leg is known, and has no telephone-event (RFC 4733)."""
    negotiated = leg.leg.negotiated
    return negotiated is not None and negotiated.telephone_event_payload_type is None


def _other_method(leg: CallLeg) -> list[Finding]:
    """Digits that came by another method, instead of the expected one or beside it: who takes both has them twice."""
    expect = leg.expect.dtmf
    if expect is None or not _by_others(leg):
        return []
    observed = ", ".join(_by_method(leg))
    return [_found(leg, Reason.DTMF_OTHER_METHOD, observed, f"by {expect.method.value} they were expected")]


def _by_others(leg: CallLeg) -> dict[DtmfMethod, str]:
    expect = leg.expect.dtmf
    methods = {digit.method for digit in leg.leg.dtmf_received}
    return {
        method: joined(leg.leg.dtmf_received, method)
        for method in methods
        if expect is not None and method is not expect.method
    }


def _by_method(leg: CallLeg) -> list[str]:
    """What came, naming the method where it is not the expected one."""
    expected = leg.expect.dtmf
    methods = dict.fromkeys(digit.method for digit in leg.leg.dtmf_received)
    return [
        joined(leg.leg.dtmf_received, method)
        + ("" if expected is not None and method is expected.method else f" by {method.value}")
        for method in methods
    ]


# Each digit, as the wire had it


def _never_ended(leg: CallLeg) -> list[Finding]:
    """No packet with the E bit came (RFC 4733 §2.3.2): a receiver does not know whether the key is still held."""
    open_ended = [digit for digit in leg.leg.dtmf_received if digit.end_packets == 0 and not _under_way(leg, digit)]
    if not open_ended:
        return []
    return [_found(leg, Reason.DTMF_NOT_ENDED, f"{_named(leg, open_ended)} without an end packet")]


def _cut_short(leg: CallLeg) -> list[Finding]:
    short = [digit for digit in leg.leg.dtmf_received if digit.end_packets and _ms(digit) < SHORTEST_MS]
    if not short:
        return []
    observed = f"{_named(leg, short)} of {min(map(_ms, short)):g} ms"
    return [_found(leg, Reason.DTMF_CUT_SHORT, observed, f"at least {SHORTEST_MS:g} ms are a digit (ITU-T Q.24)")]


def shortened(sender: CallLeg, receiver: CallLeg) -> Finding | None:
    """A digit that came at less than half the length it was sent with; None where they are not the same digits."""
    sent = [digit for digit in sender.leg.dtmf_sent if digit.method is DtmfMethod.RFC4733]
    came = [digit for digit in receiver.leg.dtmf_received if digit.method is DtmfMethod.RFC4733]
    if [digit.digit for digit in sent] != [digit.digit for digit in came]:
        return None
    for before, after in zip(sent, came, strict=True):
        if after.end_packets and _ms(after) < _ms(before) / 2:
            observed = f"{_named(receiver, [after])} of {_ms(after):g} ms"
            note = f"the {sender.leg.role.value.lower()} sent it for {_ms(before):g} ms"
            return _found(receiver, Reason.DTMF_CUT_SHORT, observed, note)
    return None


def _under_way(leg: CallLeg, digit: Digit) -> bool:
    ends_ms = leg.media_end_ms
    return ends_ms is None or digit.last_ms is None or digit.last_ms > ends_ms - UNDER_WAY_MS


def _ms(digit: Digit) -> float:
    return digit.duration_ms or 0.0


def _named(leg: CallLeg, digits: list[Digit]) -> str:
    """The digits, each with its place among all that came."""
    places = {id(digit): place for place, digit in enumerate(leg.leg.dtmf_received, 1)}
    return ", ".join(f"digit {places[id(digit)]} ({digit.digit})" for digit in digits)
