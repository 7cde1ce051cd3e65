"""The checks of what a leg received: what a test asks of RTP, audio and digits; and what no call may do."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from math import isfinite
from typing import Final

from agent.contract.observation import Heard, Rtp
from agent.contract.plan import Audio, ExpectLeg, ExpectRtp, Plan, identity_code
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg, planned_calls
from agent.judge.digits import dtmf

AUDIBLE_MS: Final = 200.0
"""Less than this above the silence threshold is a click, not audio."""
SILENT_MS: Final = 40.0
"""More than this (two packets, where a decoder starts) is not silence."""
IDENTITY_FRAME_MS: Final = 480
"""One frame of the identity signal (agent/sound/identity.py)."""
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

STOPPED_MS: Final = 2000.0
"""Longer than any relay takes to learn a new address, or a sender to change what it plays."""

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
    """The checks of an answered leg's media that did not pass: the asked ones, and those of any media there is."""
    stream = _stream(leg)
    said = {finding.check for finding in stream}
    return [*stream, *(f for f in _rtp(leg) if f.check not in said), *_audio(leg), *dtmf(leg)]


def _failed(
    leg: CallLeg, check: Check, reason: Reason, observed: str | None = None, note: str | None = None
) -> Finding:
    return leg.finding(check, reason, expected=asked(leg.expect)[check], observed=observed, note=note)


def _no_packets(leg: CallLeg) -> bool:
    rtp = leg.leg.rtp_received
    return rtp is not None and rtp.packets == 0


# RTP


def _stream(leg: CallLeg) -> list[Finding]:
    """What is wrong with any RTP that came, asked for or not: payload types nobody agreed on, or an early end."""
    rtp = leg.leg.rtp_received
    if rtp is None and leg.leg.stack_received is not None:
        note = "there was media, and what of it crossed the wire could not be counted"
        return [leg.finding(Check.RTP_PACKETS, Reason.NOT_MEASURED, expected="payload types of the SDP", note=note)]
    if rtp is None or not rtp.packets:
        return []
    end_ms = leg.media_end_ms
    if rtp.last_ms is not None and end_ms is not None and end_ms - rtp.last_ms > STOPPED_MS:
        observed = f"none in the last {(end_ms - rtp.last_ms) / 1000:.1f} of {end_ms / 1000:.1f} s"
        return [leg.finding(Check.RTP_PACKETS, Reason.MEDIA_STOPPED, expected="RTP until the end", observed=observed)]
    if rtp.unnegotiated:
        expected, observed = "payload types of the SDP", f"{rtp.unnegotiated} of {rtp.packets} packets with others"
        return [leg.finding(Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD, expected=expected, observed=observed)]
    return []


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
    if rtp.distinct is None:
        return [_failed(leg, Check.RTP_PACKETS, Reason.NOT_MEASURED)]
    if rtp.distinct < needed:
        return [_failed(leg, Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS, f"{rtp.distinct} packets")]
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
    if rtp.distinct is None or rtp.lost is None:
        return [_failed(leg, Check.RTP_LOSS, Reason.NOT_MEASURED)]
    due = rtp.distinct + rtp.lost
    if not exceeds(rtp.lost, due, bound):
        return []
    observed = f"{100 * rtp.lost / due:.2f} % ({rtp.lost} of {due})"
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
