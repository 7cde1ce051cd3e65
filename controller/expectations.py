"""Expectations that cannot come true whatever the SUT does, and so would blame it for the test's own fault. Pure."""

from typing import Final

from agent.contract.call import Audio, Behaviour, Call, ExpectLeg, SendDtmf
from agent.contract.verdict import Reason
from controller.api.test import CallTestSpec
from controller.limits import PlanningError

PACKETS_PER_SECOND: Final = 50
"""RTP of PCMU and PCMA in packets of 20 ms."""
DIGIT_GAP_MS: Final = 100
"""Silence that the agent leaves between two digits."""
PARROT_WAIT_MS: Final = 1000
"""A parrot waits for the last digit to be the last one before it sends them all back."""
PARROT_TONE_MS: Final = 100
"""Length of the digits that it sends."""
MARGIN_MS: Final = 500
"""Round trips, and the start of media."""
IDENTITY_MS: Final = 2000
"""Of undisturbed identity signal, for a leg to be sure whose it is."""


def check_expectations(test: CallTestSpec) -> None:
    """PlanningError INVALID_TEST for the first expectation that cannot be met."""
    for index, call in enumerate(test.calls):
        field = f"calls[{index}]"
        if call.expect.sip_code >= 300:
            _check_refused_call(call, field)
        else:
            _check_sources(test, call, field)
            _check_hold(test, call, field)


def _check_refused_call(call: Call, field: str) -> None:
    """A call that is not answered has no media."""
    for name, leg in _legs(call):
        for what in _expected(leg):
            fault = f"cannot be met: expect.sipCode is {call.expect.sip_code}, and such a call has no media"
            raise _invalid(f"{field}.expect.{name}.{what}", fault)


def _check_sources(test: CallTestSpec, call: Call, field: str) -> None:
    """Something must send what a leg is to receive."""
    callee, caller = call.expect.callee, call.expect.caller
    has_identity = call.caller.play.signal is not None
    if test.callee is None:
        for what in _expected(callee):
            raise _invalid(f"{field}.expect.callee.{what}", "cannot be measured: the test has no callee")
    elif test.callee.behaviour is Behaviour.ABSORBER:
        if caller.audio is Audio.OWN:
            raise _invalid(f"{field}.expect.caller.audio", "Own needs a Parrot: an Absorber plays nothing back")
        if caller.dtmf is not None:
            raise _invalid(f"{field}.expect.caller.dtmf", "needs a Parrot: an Absorber sends no digits")
    for name, leg in _legs(call):
        if leg.audio is Audio.OWN and not has_identity:
            raise _invalid(f"{field}.expect.{name}.audio", "Own needs caller.play.signal: Identity")
    if callee.dtmf is not None and call.caller.dtmf is None:
        raise _invalid(f"{field}.expect.callee.dtmf", "needs caller.dtmf: the caller sends no digits")
    if caller.dtmf is not None and call.caller.dtmf is None and test.callee is not None:
        raise _invalid(f"{field}.expect.caller.dtmf", "needs caller.dtmf: a Parrot re-sends only what it received")


def _check_hold(test: CallTestSpec, call: Call, field: str) -> None:
    """The call must be long enough for all that is to happen in it."""
    hold_ms = call.hold_seconds * 1000
    sending_ms = _sending_ms(call.caller.dtmf) if call.caller.dtmf is not None else 0
    needed_ms = sending_ms
    if sending_ms and test.callee is not None and call.expect.caller.dtmf is not None:
        back_ms = len(call.expect.caller.dtmf.digits) * (PARROT_TONE_MS + DIGIT_GAP_MS)
        needed_ms += PARROT_WAIT_MS + back_ms
    if Audio.OWN in {call.expect.caller.audio, call.expect.callee.audio}:
        needed_ms = max(needed_ms, sending_ms + IDENTITY_MS)
    needed_ms += MARGIN_MS if needed_ms else 0
    if needed_ms > hold_ms:
        seconds = -(-needed_ms // 1000)
        raise _invalid(
            f"{field}.holdSeconds", f"{call.hold_seconds} is too short for its digits and audio: {seconds} at least"
        )
    for name, leg in _legs(call):
        if leg.rtp is None or leg.rtp.min_packets is None:
            continue
        at_most = call.hold_seconds * PACKETS_PER_SECOND
        if leg.rtp.min_packets > at_most:
            fault = f"{leg.rtp.min_packets} cannot arrive in {call.hold_seconds} s: at most {at_most}"
            raise _invalid(f"{field}.expect.{name}.rtp.minPackets", fault)


def _sending_ms(dtmf: SendDtmf) -> int:
    """From the answer to the end of the last digit."""
    return dtmf.after_milliseconds + len(dtmf.digits) * (dtmf.tone_milliseconds + DIGIT_GAP_MS)


def _legs(call: Call) -> tuple[tuple[str, ExpectLeg], ...]:
    return ("caller", call.expect.caller), ("callee", call.expect.callee)


def _expected(leg: ExpectLeg) -> list[str]:
    """The fields that ask for something, as people write them."""
    fields = zip(leg.__struct_encode_fields__, leg.__struct_fields__, strict=True)
    return [written for written, name in fields if getattr(leg, name) is not None]


def _invalid(field: str, fault: str) -> PlanningError:
    return PlanningError(Reason.INVALID_TEST, f"{field}: {fault}")
