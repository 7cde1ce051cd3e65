"""The checks of what a leg received: RTP, audio, digits. Only what a test asks for is checked."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from math import isfinite
from typing import Final

from agent.contract.plan import Audio, DtmfMethod, ExpectLeg, ExpectRtp, Plan, identity_code
from agent.contract.result import Heard, Rtp
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg, joined, planned_calls

AUDIBLE_MS: Final = 200.0
"""Less than this above the silence threshold is a click, not audio."""
SILENT_MS: Final = 40.0
"""More than this (two packets, where a decoder starts) is not silence."""
IDENTITY_FRAME_MS: Final = 480
"""One frame of the identity signal (agent/identity.py)."""
MIN_IDENTITY_MS: Final = 1000.0
"""A shorter recording need not hold one whole frame, whoever plays."""
MAX_SILENT_SHARE: Final = 0.2
"""The identity signal has no gaps: where more of a call is silence, the path silenced it."""
SETUP_MS: Final = 1000.0
"""Until the sound is there, in a short call too: round trips, a relay that learns its addresses. At most half of it."""
MIN_OWN_SHARE: Final = 0.25
"""A good path decodes nearly all frames. Under a quarter, nobody knows what the rest of the call was."""
DIGIT_MS: Final = 200.0
"""How long a digit takes the audio's place where its duration is not known."""
DIGIT_PAUSE_MS: Final = 100.0
"""Between two digits: too short for a frame."""
CERTAIN_FRAMES: Final = 2
"""A code that no call of the plan plays, decoded once, may be an error of decoding; twice it is a signal."""

MEDIA_CHECKS: Final = frozenset({Check.DTMF, Check.AUDIO, Check.RTP_PACKETS, Check.RTP_LOSS, Check.RTP_JITTER})


def asked(expect: ExpectLeg) -> dict[Check, str]:
    """The media checks that a test asks of a leg, and what each expects. RTP expectations imply a packet at least."""
    checks: dict[Check, str] = {}
    if expect.rtp is not None:
        checks[Check.RTP_PACKETS] = f"at least {needed_packets(expect.rtp)} packets"
        if expect.rtp.max_loss_percent is not None:
            checks[Check.RTP_LOSS] = f"at most {expect.rtp.max_loss_percent} %"
        if expect.rtp.max_jitter_ms is not None:
            checks[Check.RTP_JITTER] = f"at most {expect.rtp.max_jitter_ms} ms"
    if expect.audio is not None:
        checks[Check.AUDIO] = expect.audio.value
    if expect.dtmf is not None:
        checks[Check.DTMF] = expect.dtmf.digits
    return checks


def media(leg: CallLeg) -> list[Finding]:
    """The asked checks of an answered leg's media that did not pass."""
    return [*_rtp(leg), *_audio(leg), *_dtmf(leg)]


def _failed(
    leg: CallLeg, check: Check, reason: Reason, observed: str | None = None, note: str | None = None
) -> Finding:
    return leg.finding(check, reason, expected=asked(leg.expect)[check], observed=observed, note=note)


def _no_packets(leg: CallLeg) -> bool:
    rtp = leg.leg.rtp_received
    return rtp is not None and rtp.packets == 0


# RTP


def needed_packets(expect: ExpectRtp) -> int:
    """The bound on packets; one, where the test sets none."""
    return max(1, expect.min_packets or 1)


def _rtp(leg: CallLeg) -> list[Finding]:
    expect = leg.expect.rtp
    if expect is None:
        return []
    if _no_packets(leg):
        # Neither loss nor jitter exists without packets; this one finding says why.
        return [_failed(leg, Check.RTP_PACKETS, Reason.NO_RTP, "none")]
    rtp = leg.leg.rtp_received or Rtp()
    return [*_packets(leg, rtp, needed_packets(expect)), *_loss(leg, rtp, expect), *_jitter(leg, rtp, expect)]


def _packets(leg: CallLeg, rtp: Rtp, needed: int) -> list[Finding]:
    if rtp.packets is None:
        return [_failed(leg, Check.RTP_PACKETS, Reason.NOT_MEASURED)]
    if rtp.packets < needed:
        return [_failed(leg, Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS, f"{rtp.packets} packets")]
    return []


def loss_bound(expect: ExpectRtp) -> Decimal | None:
    """The bound on loss in percent; None when the test's text is no finite decimal."""
    try:
        bound = Decimal(expect.max_loss_percent or "")
    except InvalidOperation:
        return None
    return bound if bound.is_finite() else None


def exceeds(lost: int, expected: int, bound: Decimal) -> bool:
    """More than `bound` percent of the expected packets were lost; compared without rounding."""
    return Decimal(lost) * 100 > bound * Decimal(expected)


def _loss(leg: CallLeg, rtp: Rtp, expect: ExpectRtp) -> list[Finding]:
    """RFC 3550 A.3: lost ÷ expected, where expected is what the sequence numbers span."""
    if expect.max_loss_percent is None:
        return []
    bound = loss_bound(expect)
    if bound is None:
        return [_failed(leg, Check.RTP_LOSS, Reason.NOT_MEASURED, note="maxLossPercent is not a decimal")]
    if rtp.packets is None or rtp.lost is None:
        return [_failed(leg, Check.RTP_LOSS, Reason.NOT_MEASURED)]
    lost = max(rtp.lost, 0)  # duplicates make it negative (RFC 3550 A.3)
    if not exceeds(lost, rtp.packets + lost, bound):
        return []
    observed = f"{100 * lost / (rtp.packets + lost):.2f} % ({lost} of {rtp.packets + lost})"
    return [_failed(leg, Check.RTP_LOSS, Reason.PACKET_LOSS, observed)]


def _jitter(leg: CallLeg, rtp: Rtp, expect: ExpectRtp) -> list[Finding]:
    """RFC 3550 A.8, mean over the call."""
    if expect.max_jitter_ms is None:
        return []
    if rtp.jitter_ms is None or not isfinite(rtp.jitter_ms):
        return [_failed(leg, Check.RTP_JITTER, Reason.NOT_MEASURED)]
    if rtp.jitter_ms > expect.max_jitter_ms:
        return [_failed(leg, Check.RTP_JITTER, Reason.JITTER, f"{rtp.jitter_ms:.1f} ms")]
    return []


# Audio


def _audio(leg: CallLeg) -> list[Finding]:
    expected, heard = leg.expect.audio, leg.leg.heard
    if expected is None:
        return []
    if _no_packets(leg):
        # Silence that nobody sent is not silence that was heard.
        reason = Reason.NOT_MEASURED if expected is Audio.SILENCE else Reason.NO_RTP
        return [_failed(leg, Check.AUDIO, reason, "no RTP")]
    if heard is None or heard.duration_ms <= 0:
        return [_failed(leg, Check.AUDIO, Reason.NOT_MEASURED)]
    if expected is Audio.SILENCE:
        return _silence(leg, heard)
    if expected is Audio.ANY:
        return [] if _audible(heard) else [_failed(leg, Check.AUDIO, Reason.NO_AUDIO, _loudness(heard))]
    return _own(leg, heard)


def _codes(heard: Heard) -> dict[str, int]:
    return {code: frames for code, frames in heard.codes.items() if frames > 0}


def _audible(heard: Heard) -> bool:
    return bool(_codes(heard)) or heard.active_ms >= AUDIBLE_MS


def _loudness(heard: Heard) -> str:
    return f"{heard.active_ms / 1000:.1f} of {heard.duration_ms / 1000:.1f} s above silence"


def _silence(leg: CallLeg, heard: Heard) -> list[Finding]:
    if _codes(heard) or heard.active_ms > SILENT_MS:
        observed = f"{_loudness(heard)}, at {heard.level_dbfs:.0f} dBFS"
        return [_failed(leg, Check.AUDIO, Reason.UNEXPECTED_AUDIO, observed)]
    if leg.leg.rtp_received is None or leg.leg.rtp_received.packets is None:
        return [_failed(leg, Check.AUDIO, Reason.NOT_MEASURED, note="whether any RTP came was not measured")]
    return []


def _own(leg: CallLeg, heard: Heard) -> list[Finding]:
    """The call's own signal, for most of the call, and no other call's."""
    if not leg.call.group.play.identity:
        return [_failed(leg, Check.AUDIO, Reason.NOT_MEASURED, note="the call does not play the identity signal")]
    codes = _codes(heard)
    own = codes.pop(str(identity_code(leg.call.key)), 0)
    if codes:
        return [_others(leg, codes, own)]
    if heard.duration_ms < MIN_IDENTITY_MS:
        note = f"{heard.duration_ms:.0f} ms of recording need not hold one frame of the signal"
        return [] if own else [_failed(leg, Check.AUDIO, Reason.NOT_MEASURED, note=note)]
    return _enough(leg, heard, own)


def _enough(leg: CallLeg, heard: Heard, own: int) -> list[Finding]:
    """Only this call's signal was heard, if any; a path that lets a moment of it through is no good."""
    # A recording goes on for as long as a BYE is waited for; the caller plays until its hold is over.
    due_ms = max(0.0, min(heard.duration_ms, leg.call.hold_ms) - _digits_ms(leg))
    silence_ms = max(MAX_SILENT_SHARE * due_ms, min(SETUP_MS, due_ms / 2))
    if not _audible(heard) or heard.active_ms < due_ms - silence_ms:
        return [_failed(leg, Check.AUDIO, Reason.NO_AUDIO, _loudness(heard))]
    if not own:
        return [_failed(leg, Check.AUDIO, Reason.WRONG_AUDIO, "audio without any call's signal")]
    if own * IDENTITY_FRAME_MS < MIN_OWN_SHARE * (due_ms - _broken_frames_ms(leg)):
        observed = f"its own signal in {own} frames of {IDENTITY_FRAME_MS} ms, of {heard.duration_ms / 1000:.1f} s"
        return [_failed(leg, Check.AUDIO, Reason.NOT_MEASURED, observed, "most of what was heard is unknown")]
    return []


def _digits_ms(leg: CallLeg) -> float:
    """For how long digits took the signal's place (RFC 4733 §2.5).

    Both ways, since a caller that hears a parrot also hears the gaps that its own digits made.
    """
    return sum(
        (DIGIT_MS if digit.duration_ms is None else digit.duration_ms) + DIGIT_PAUSE_MS
        for digit in (*leg.leg.dtmf_sent, *leg.leg.dtmf_received)
    )


def _broken_frames_ms(leg: CallLeg) -> float:
    """A frame before and one after each sequence of digits: sound, of which nothing can be decoded."""
    sequences = [digits for digits in (leg.leg.dtmf_sent, leg.leg.dtmf_received) if digits]
    return 2.0 * IDENTITY_FRAME_MS * len(sequences)


def _others(leg: CallLeg, codes: dict[str, int], own: int) -> Finding:
    owners = _owners(leg.call.plan)
    certain = not own or any(code in owners or frames >= CERTAIN_FRAMES for code, frames in codes.items())
    names = [owners.get(code, f"no call of this agent (code {code})") for code in sorted(codes)]
    observed = f"{'its own signal and ' if own else ''}the signal of {', '.join(names)}"
    if certain:
        return _failed(leg, Check.AUDIO, Reason.WRONG_AUDIO, observed)
    return _failed(leg, Check.AUDIO, Reason.NOT_MEASURED, observed, "heard once: it may be an error of decoding")


@lru_cache(maxsize=4)  # where one call hears another, most do
def _owners(plan: Plan) -> Mapping[str, str]:
    """Which of the plan's calls plays an identity code, for people."""
    return {
        str(identity_code(call.key)): f"{call.group.name} {call.number} at endpoint {call.endpoint}"
        for call in planned_calls(plan)
    }


# Digits


def _dtmf(leg: CallLeg) -> list[Finding]:
    expect = leg.expect.dtmf
    if expect is None:
        return []
    received = joined(leg.leg.dtmf_received, expect.method)
    if leg.leg.negotiated is None and not leg.leg.dtmf_received:
        return [_failed(leg, Check.DTMF, Reason.NOT_MEASURED, note="no media was negotiated")]
    if received == expect.digits:
        return []
    observed = ", ".join(_by_method(leg)) or "none"
    missing = len(received) < len(expect.digits)
    if without_telephone_event(leg) and missing and expect.method is DtmfMethod.RFC4733:
        return [_failed(leg, Check.DTMF, Reason.DTMF_NOT_NEGOTIATED, observed, "no telephone-event in this leg's SDP")]
    return [_failed(leg, Check.DTMF, Reason.DTMF_MISMATCH, observed)]


def without_telephone_event(leg: CallLeg) -> bool:
    """What was negotiated on this leg is known, and has no telephone-event (RFC 4733)."""
    negotiated = leg.leg.negotiated
    return negotiated is not None and negotiated.telephone_event_payload_type is None


def _by_method(leg: CallLeg) -> list[str]:
    """What came, naming the method where it is not the expected one."""
    expected = leg.expect.dtmf
    methods = dict.fromkeys(digit.method for digit in leg.leg.dtmf_received)
    return [
        joined(leg.leg.dtmf_received, method)
        + ("" if expected is not None and method is expected.method else f" by {method.value}")
        for method in methods
    ]
