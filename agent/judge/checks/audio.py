"""audio: what the received audio was; this call's own signal, anything but silence, or silence."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from agent.contract.call import Audio, Behaviour, ExpectLeg
from agent.contract.observation import Heard
from agent.contract.plan import Plan, identity_code
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, planned_calls
from agent.judge.checks.check import ANY_TROUBLE, CheckRule, Row
from agent.judge.checks.rtp_packets import attribute_missing, no_packets
from agent.judge.ends import CallEnds
from agent.judge.findings import inconclusive, noted

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


def _asked(expect: ExpectLeg) -> str | None:
    return None if expect.audio is None else expect.audio.value


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    return leg.finding(Check.AUDIO, reason, expected=_asked(leg.expect), observed=observed, note=note)


def _leg(leg: CallLeg) -> list[Finding]:
    expected, heard = leg.expect.audio, leg.leg.heard
    if expected is None:
        return []
    if no_packets(leg):
        # Silence that nobody sent is not silence that was heard.
        reason = Reason.NOT_MEASURED if expected is Audio.SILENCE else Reason.NO_RTP
        return [_failed(leg, reason, "no RTP")]
    if heard is None or heard.duration_ms <= 0:
        return [_failed(leg, Reason.NOT_MEASURED)]
    if expected is Audio.SILENCE:
        return _silence(leg, heard)
    if expected is Audio.ANY:
        return [] if _audible(heard) else [_failed(leg, Reason.NO_AUDIO, _loudness(heard))]
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
        return [_failed(leg, Reason.UNEXPECTED_AUDIO, observed)]
    if leg.leg.rtp_received is None or leg.leg.rtp_received.packets is None:
        return [_failed(leg, Reason.NOT_MEASURED, note="whether any RTP came was not measured")]
    return []


def _own(leg: CallLeg, heard: Heard) -> list[Finding]:
    """The call's own signal, for most of the call, and no other call's."""
    if leg.call.group.caller.play.signal is None:
        return [_failed(leg, Reason.NOT_MEASURED, note="the call does not play the identity signal")]
    codes = _codes(heard)
    own = codes.pop(str(identity_code(leg.call.key)), 0)
    if codes:
        return [_others(leg, codes, own)]
    if heard.duration_ms < MIN_IDENTITY_MS:
        note = f"{heard.duration_ms:.0f} ms of recording need not hold one frame of the signal"
        return [] if own else [_failed(leg, Reason.NOT_MEASURED, note=note)]
    return _enough(leg, heard, own)


def _enough(leg: CallLeg, heard: Heard, own: int) -> list[Finding]:
    """Only this call's signal was heard, if any; a path that lets a moment of it through is no good."""
    # A recording goes on for as long as a BYE is waited for; the caller plays until its hold is over.
    due_ms = max(0.0, min(heard.duration_ms, leg.call.hold_ms) - _digits_ms(leg))
    silence_ms = max(MAX_SILENT_SHARE * due_ms, min(SETUP_MS, due_ms / 2))
    if not _audible(heard) or heard.active_ms < due_ms - silence_ms:
        return [_failed(leg, Reason.NO_AUDIO, _loudness(heard))]
    if not own:
        return [_failed(leg, Reason.WRONG_AUDIO, "audio without any call's signal")]
    if own * IDENTITY_FRAME_MS < MIN_OWN_SHARE * (due_ms - _broken_frames_ms(leg)):
        observed = f"its own signal in {own} frames of {IDENTITY_FRAME_MS} ms, of {heard.duration_ms / 1000:.1f} s"
        return [_failed(leg, Reason.NOT_MEASURED, observed, "most of what was heard is unknown")]
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
        return _failed(leg, Reason.WRONG_AUDIO, observed)
    return _failed(leg, Reason.NOT_MEASURED, observed, "heard once: it may be an error of decoding")


@lru_cache(maxsize=4)  # where one call hears another, most do
def _owners(plan: Plan) -> Mapping[str, str]:
    """Which of the plan's calls plays an identity code, for people."""
    return {
        str(identity_code(call.key)): f"{call.group.name} {call.number} at endpoint {call.endpoint}"
        for call in planned_calls(plan)
    }


# As both ends have it


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    if finding.reason is Reason.NO_RTP:
        return attribute_missing(ends, finding)
    if finding.reason is Reason.NO_AUDIO:
        return _no_audio(ends, finding)
    return _echo(ends, finding) if finding.reason is Reason.WRONG_AUDIO else finding


def _no_audio(ends: CallEnds, finding: Finding) -> Finding:
    expected = ends.call.group.expect.caller.audio
    if finding.leg is Role.CALLER and ends.behaviour is Behaviour.ABSORBER and expected is not Audio.SILENCE:
        return inconclusive(finding, Reason.NOT_MEASURED, "the callee is an Absorber: it sends silence")
    return _echo(ends, attribute_missing(ends, finding))


def _echo(ends: CallEnds, finding: Finding) -> Finding:
    """A parrot plays back what it hears: what it heard tells which way is broken."""
    callee = ends.callee
    if finding.leg is Role.CALLEE or callee is None or callee.leg.heard is None:
        return finding
    if set(callee.leg.heard.codes) == {str(identity_code(ends.call.key))}:
        return noted(finding, "the callee heard this call's signal: broken on the way to the caller")
    return noted(finding, "the callee did not hear (only) this call's signal either: broken on the way to the callee")


def _absorbed(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """A caller cannot hear its own signal from an absorber: if it seems to, something else played it."""
    impossible = ends.behaviour is Behaviour.ABSORBER and ends.call.group.expect.caller.audio is Audio.OWN
    said = any(finding.leg is Role.CALLER for finding in findings if finding.check in (Check.AUDIO, Check.ANSWERED))
    if ends.caller is None or not impossible or said:
        return []
    note = "the callee is an Absorber: it does not play this call's signal back"
    return [ends.caller.finding(Check.AUDIO, Reason.NOT_MEASURED, expected=Audio.OWN.value, note=note)]


RULE: Final = CheckRule(
    check=Check.AUDIO,
    asked=_asked,
    leg=_leg,
    ends=_absorbed,
    attribute=_attribute,
    media=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.WRONG_AUDIO,
            meaning="audio was heard, but not this call's signal, or another call's beside it",
            excused_by=ANY_TROUBLE,
        ),
        Row(
            reason=Reason.NO_AUDIO,
            meaning="RTP may have arrived, but it carried silence",
            excused_by=ANY_TROUBLE,
        ),
        Row(reason=Reason.UNEXPECTED_AUDIO, meaning="silence was expected", excused_by=ANY_TROUBLE),
    ),
    sentence="{leg} heard {observed}, expected {expected}",
    on="that leg",
    asked_by="`audio`",
    holds=(
        "`Own`: this call's identity signal, through most of the call, and no other's; `Any`: not silence; `Silence`: "
        "packets came, and carried none"
    ),
)
