"""audio, of a tone that is asked for: it, or what was heard instead. A part of checks/audio.py."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from agent.contract.expect import ExpectLeg
from agent.contract.media import Gap, GapKind, Heard, alike_hz
from agent.contract.steps import plays_back
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import BROKEN_MEDIA, Row
from agent.judge.checks.rtp_packets import attribute_missing
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive, noted
from agent.judge.media import accepted, formats, nothing_came, receiving
from agent.judge.sound import audible, loudness
from agent.judge.spans import length, meet
from agent.judge.words import joined, listed, many, seconds

MIN_MS: Final = 170.0
"""In all: one beep of 200 ms, less its edges, which are not told; more than a click."""
CARRIED_HZ: Final[Mapping[str, tuple[int, int]]] = {
    "pcmu": (50, 3900), "pcma": (50, 3900), "l16": (50, 3900), "g722": (50, 3650), "opus": (100, 3900),
    "gsm": (150, 1500), "speex": (100, 2500), "g729": (100, 3150),
}  # fmt: skip
"""Between what frequencies a tone is still one behind a codec, or two and their way back: python -m
tests.component.tone_codecs. GSM's noise stands at two thirds of 4 kHz less the tone's frequency."""
NOTHING_HZ: Final = (1, 0)
"""Of a codec that is not known."""
EXACT: Final = frozenset({"pcmu", "pcma", "l16"})
WEAK_DBFS: Final = -24.0
"""Of what was heard: below, other codecs make a noise of a tone."""
FAINT_DBFS: Final = -40.0
"""Likewise, and of any codec: it is no silence, and may be too weak for a tone to be told."""
UNTOLD_MS: Final = 80.0
"""Of a tone, at a hole: it is looked at for 64 ms at a time (agent/sound/tones.py)."""
DEAF_MS: Final = 2000.0
"""An end that could receive for so long, and heard nothing, got nothing."""
MAX_SAID: Final = 4
"""Tones in one sentence."""


def asked(expect: ExpectLeg) -> str | None:
    """In words."""
    return None if expect.tone_hertz is None else f"a tone of {expect.tone_hertz} Hz"


def leg(leg: CallLeg) -> list[Finding]:
    """What one leg tells of it."""
    wanted, heard = leg.expect.tone_hertz, leg.leg.heard
    if wanted is None:
        return []
    if nothing_came(leg):
        return [_failed(leg, Reason.NOT_MEASURED, note="no RTP came that could carry it")]
    if heard is None or heard.tones is None or heard.duration_ms <= 0:
        return [_failed(leg, Reason.NOT_MEASURED, note="nothing of what came could be decoded")]
    tone_ms = heard_ms(heard, wanted)
    if tone_ms >= MIN_MS:
        return []
    unsure = joined(_uncarried(_codecs(leg), wanted), _weak(leg, heard), _untold(heard), _lost(leg, heard, tone_ms))
    if not audible(heard):
        reason, observed = Reason.NO_AUDIO, loudness(heard)
    else:
        reason, observed = Reason.WRONG_TONE, _words(heard)
    return [_failed(leg, Reason.NOT_MEASURED if unsure else reason, observed, unsure)]


def heard_ms(heard: Heard, wanted: int) -> float:
    """For how long a tone of that frequency was heard."""
    return sum(tone.ms for tone in heard.tones or () if abs(tone.hertz - wanted) <= alike_hz(wanted))


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    return leg.finding(Check.AUDIO, reason, expected=asked(leg.expect), observed=observed, note=note)


def _words(heard: Heard) -> str:
    """The tones that were heard, and how much else."""
    told = (heard.tones or ())[:MAX_SAID]
    tones = [f"a tone of {tone.hertz:.0f} Hz for {seconds(tone.ms)}" for tone in told]
    other_ms = max(0.0, heard.active_ms - sum(tone.ms for tone in told))
    if not tones:
        return f"{loudness(heard)} and no tone in it"
    return listed([*tones, *([f"other sound for {seconds(other_ms)}"] if other_ms >= MIN_MS else [])])


# Where it may have been there all the same


def _uncarried(codecs: Collection[str], wanted: int) -> str | None:
    """Codecs on the way make something else of it, or nothing."""
    weak = [name for name in codecs if not _within(wanted, CARRIED_HZ.get(name.lower(), NOTHING_HZ))]
    return f"a tone of {wanted} Hz may not come through {listed(sorted(weak))}" if weak else None


def _within(hertz: int, bounds_hz: tuple[int, int]) -> bool:
    return bounds_hz[0] <= hertz <= bounds_hz[1]


def _codecs(leg: CallLeg) -> list[str]:
    """Those of what came; where that is not known, those that were agreed on."""
    came = formats(leg, accepted(leg.leg.received or ()))
    agreed = {section.codec for section in leg.leg.sections if section.codec is not None}
    return sorted({name.partition("/")[0] for name in came or agreed})


def _weak(leg: CallLeg, heard: Heard) -> str | None:
    if not audible(heard):
        return None
    bound_dbfs = FAINT_DBFS if EXACT.issuperset(map(str.lower, _codecs(leg))) else WEAK_DBFS
    return f"at {heard.level_dbfs:.0f} dBFS a tone may not be told" if heard.level_dbfs < bound_dbfs else None


def _untold(heard: Heard) -> str | None:
    left_out = heard.tones_left_out
    return f"{many(left_out, 'more tone')} were heard than are told" if left_out else None


def _lost(leg: CallLeg, heard: Heard, tone_ms: float) -> str | None:
    """What is lacking of it, or all of it, may have been in packets that were lost, or around them."""
    gaps = [gap for gap in leg.leg.gaps if gap.kind is GapKind.LOST]
    lost = [gap.missing_ms for gap in gaps]
    hidden_ms = sum(lost) if tone_ms else max(lost, default=0.0)
    if not leg.leg.gaps_left_out and tone_ms + hidden_ms + _broken_ms(heard, gaps) < MIN_MS:
        return None
    return f"{seconds(sum(lost))} was lost on the way, or not sent: the tone may have been there, or broken by it"


def _broken_ms(heard: Heard, gaps: Sequence[Gap]) -> float:
    """Sound so near to lost packets that a tone in it would not be told: a beep of 250 ms without its middle, say.

    Of other tones all is told but their edges.
    """
    unknown = [(part.begin_ms, part.end_ms) for part in heard.stretches if part.code is None]
    near = [(gap.at_ms - gap.missing_ms - MIN_MS, gap.at_ms + MIN_MS) for gap in gaps if gap.at_ms is not None]
    told_ms = sum(tone.ms for tone in heard.tones or ())
    if told_ms:
        told_ms += UNTOLD_MS * (len(unknown) + len(gaps))
    return max(0.0, min(length(meet(unknown, near)), length(unknown) - told_ms))


# As both ends have it


def attribute(ends: CallEnds, finding: Finding, wanted: int) -> Finding:
    """Silence or another sound in its place: what the other end's codec makes of it, or what it sent."""
    codecs = {name for end in (ends.leg(peer_of(finding.leg)), ends.leg(finding.leg)) if end for name in _codecs(end)}
    if (weak := _uncarried(codecs, wanted)) is not None:
        return inconclusive(finding, Reason.NOT_MEASURED, f"{weak}: codecs of this leg and of the other")
    return _echo(ends, attribute_missing(ends, finding), wanted) if _is_played(ends, wanted) else finding


def _is_played(ends: CallEnds, wanted: int) -> bool:
    """By our caller, and back by a parrot; what the SUT makes itself is not to come from the other end."""
    played = ends.call.group.caller.play.tone
    return played is not None and abs(played.frequency_hertz - wanted) <= alike_hz(wanted)


def _echo(ends: CallEnds, finding: Finding, wanted: int) -> Finding:
    """What a parrot heard tells which way is broken."""
    callee = ends.callee
    if finding.leg is Role.CALLEE or callee is None or callee.leg.heard is None:
        return finding
    if heard_ms(callee.leg.heard, wanted) >= MIN_MS:
        return noted(finding, "the callee heard it: broken on the way to the caller")
    return noted(finding, "the callee did not hear it either: broken on the way to the callee")


def unplayed(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """The caller's own tone at the caller, whose parrot had nothing to play back: a loop, or the SUT's tone."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or not caller.answered or not callee.answered:
        return []
    wanted, heard = caller.expect.tone_hertz, caller.leg.heard
    if wanted is None or heard is None or heard_ms(heard, wanted) < MIN_MS or not _is_played(ends, wanted):
        return []
    said = any(finding.leg is Role.CALLER for finding in findings if finding.check is Check.AUDIO)
    if said or ends.steps is None or not plays_back(ends.steps) or not _heard_nothing(callee):
        return []
    note = "the callee, which plays back what it hears, heard nothing: whose tone the caller heard is not known"
    return [_failed(caller, Reason.NOT_MEASURED, _words(heard), note)]


def _heard_nothing(callee: CallLeg) -> bool:
    """Known, not merely not heard, though its SDP lets it receive."""
    heard = callee.leg.heard
    silent = nothing_came(callee) or (heard is not None and heard.duration_ms > 0 and not audible(heard))
    return silent and length(receiving(callee)) >= DEAF_MS


ROW: Final = Row(
    reason=Reason.WRONG_TONE,
    meaning="sound was heard, and a tone of `toneHertz` for less than 200 ms of it",
    seen="The leg heard something, and no single tone of `expect.<leg>.toneHertz` (within 1.5 %, or 10 Hz where that "
    "is more) for 200 ms in all. `observed` has the tones that were heard, and how much other sound.",
    usually="Another announcement or tone than the test is for (busy, reorder, an error tone after a PIN), tones of "
    "another country, ringback or music on hold in its place, or a tone of two frequencies (440 and 480 Hz), which is "
    "none of either.",
    look="`received.wav`; the SUT's tone settings (`indications.conf`, `tone_zone`) and what its dialplan plays there.",
    excused_by=BROKEN_MEDIA,
)
HOLDS: Final = "`toneHertz`: a single tone of that frequency, within 1.5 % or 10 Hz, for 200 ms in all"
