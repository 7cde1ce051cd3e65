"""audio: what the received audio was; this call's own signal, anything but silence, or silence; and a tone in it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from agent.contract.call import Call
from agent.contract.expect import Audio, ExpectLeg
from agent.contract.media import Heard
from agent.contract.plan import Plan, identity_code
from agent.contract.steps import Steps, plays_back, sends_audio
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, planned_calls
from agent.judge.checks import tone
from agent.judge.checks.check import BROKEN_MEDIA, CheckRule, Impossible, Row
from agent.judge.checks.dtmf import sending_ms
from agent.judge.checks.rtp_loss import percent
from agent.judge.checks.rtp_packets import attribute_missing
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive, noted
from agent.judge.media import nothing_came, received, receiving, sending, since_answer
from agent.judge.overload import Excuse
from agent.judge.sound import AUDIBLE_MS, Signal, audible, digits_ms, loudness, signal
from agent.judge.spans import Span, length, meet
from agent.judge.words import listed, seconds

SILENT_MS: Final = 40.0
"""More than this (two packets, where a decoder starts) is not silence."""
MIN_IDENTITY_MS: Final = 1000.0
"""A shorter recording need not hold one whole frame, whoever plays."""
MIN_OWN_SHARE: Final = 0.5
"""Of the media time that is due: a path that lets less of the signal through is no good."""
MAX_FOREIGN_SHARE: Final = 0.1
WRONG_SHARE: Final = 0.5
"""Other sound in the midst of the call's own: up to the first share it may be the path's noise or ours; beyond the
second the call is another one. In between only a test can say what it allows (`maxForeignPercent`)."""
OWN_MS: Final = 2000
"""Of undisturbed identity signal, for a leg to be sure whose it is."""
CERTAIN_FRAMES: Final = 2
"""A code that was found once may be an error of finding; twice it is a signal."""
LOOPED_MS: Final = 2000.0
"""A callee that could receive for this long, and got nothing of a signal that came back to its caller."""
PIECES_SHARE: Final = 0.25
"""Of what is audible: so much of the call's signal in pieces, and it came, broken; of other sound a tenth is such."""


def _asked(expect: ExpectLeg) -> str | None:
    wanted = (None if expect.audio is None else _WORDS[expect.audio], tone.asked(expect))
    return " and ".join(filter(None, wanted)) or None


_WORDS: Final = {Audio.OWN: "this call's signal", Audio.ANY: "sound", Audio.SILENCE: "silence"}


def _impossible(call: Call, callee: Steps | None) -> Impossible | None:
    for name, leg in (("caller", call.expect.caller), ("callee", call.expect.callee)):
        field = f"expect.{name}.audio"
        if leg.audio is Audio.SILENCE and leg.tone_hertz is not None:
            return Impossible(field=f"expect.{name}.toneHertz", fault="needs sound, and audio is to be Silence")
        if leg.audio is not Audio.OWN and leg.max_foreign_percent is not None:
            fault = "needs audio: Own, beside which other sound is foreign"
            return Impossible(field=f"expect.{name}.maxForeignPercent", fault=fault)
        if leg.audio is not Audio.OWN:
            continue
        if name == "caller" and callee is not None and not plays_back(callee):
            return Impossible(field=field, fault="Own needs a Parrot: an Absorber plays nothing back")
        if call.caller.play.signal is None:
            return Impossible(field=field, fault="Own needs caller.play.signal: Identity")
    return None


def _needs_ms(call: Call, _: Steps | None) -> int:
    """Some of the signal that no digit disturbs."""
    own = Audio.OWN in (call.expect.caller.audio, call.expect.callee.audio)
    return sending_ms(call) + OWN_MS if own else 0


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    return leg.finding(Check.AUDIO, reason, expected=_asked(leg.expect), observed=observed, note=note)


def _leg(leg: CallLeg) -> list[Finding]:
    said = _audio(leg)
    told = {(finding.reason, finding.observed) for finding in said}  # of silence, both say the same
    return [*said, *(finding for finding in tone.leg(leg) if (finding.reason, finding.observed) not in told)]


def _audio(leg: CallLeg) -> list[Finding]:
    expected, heard = leg.expect.audio, leg.leg.heard
    if expected is None:
        return []
    if nothing_came(leg):  # where there was to be audio, rtpPackets says so
        note = f"no RTP came{since_answer(leg)}: that is no silence that was received"
        return [_failed(leg, Reason.NOT_MEASURED, note=note)] if expected is Audio.SILENCE else []
    if heard is None or heard.duration_ms <= 0:
        return [_failed(leg, Reason.NOT_MEASURED, note="nothing of what came could be decoded")]
    if expected is Audio.SILENCE:
        return _silence(leg, heard)
    if expected is Audio.ANY:
        return [] if audible(heard) else [_failed(leg, Reason.NO_AUDIO, loudness(heard))]
    return _own(leg, heard, receiving(leg))


def _silence(leg: CallLeg, heard: Heard) -> list[Finding]:
    if any(frames > 0 for frames in heard.codes.values()) or heard.active_ms > SILENT_MS:
        observed = f"{loudness(heard)}, at {heard.level_dbfs:.0f} dBFS"
        return [_failed(leg, Reason.UNEXPECTED_AUDIO, observed)]
    if received(leg) is None:
        return [_failed(leg, Reason.NOT_MEASURED, note="whether any RTP came was not measured")]
    return []


# The call's own signal


def _own(leg: CallLeg, heard: Heard, due: list[Span]) -> list[Finding]:
    """It, through most of the time that is due, no other call's, and little else between."""
    if leg.call.group.caller.play.signal is None:
        return [_failed(leg, Reason.NOT_MEASURED, note="the call does not play the identity signal")]
    if not audible(heard):
        return [_failed(leg, Reason.NO_AUDIO, loudness(heard))]
    seen = signal(leg, heard)
    if heard.duration_ms < MIN_IDENTITY_MS and not seen.codes:
        note = f"only {heard.duration_ms:.0f} ms were heard, which need not hold one frame of the signal"
        return [] if seen.own_ms else [_failed(leg, Reason.NOT_MEASURED, note=note)]
    return _others(leg, seen) or _foreign(leg, seen) or _enough(leg, heard, seen, due) or _untold(leg, heard)


def _untold(leg: CallLeg, heard: Heard) -> list[Finding]:
    """Other sound may be in what did not fit."""
    if not heard.stretches_left_out:
        return []
    note = f"{heard.stretches_left_out} more stretches of sound were heard than are told: a shorter call tells them all"
    return [_failed(leg, Reason.NOT_MEASURED, note=note)]


def _others(leg: CallLeg, seen: Signal) -> list[Finding]:
    """Another call's code, from its second frame on; a single one may be an error, unless there is nothing else."""
    if not seen.codes:
        return []
    owners = _owners(leg.call.plan)
    names = [owners.get(code, f"a call that is not this agent's (code {code})") for code in sorted(seen.codes)]
    own = "this call's signal and " if seen.own_ms else ""
    observed = f"{own}the signal of {listed(names)}"
    if not seen.own_ms or max(seen.codes.values()) >= CERTAIN_FRAMES:
        return [_failed(leg, Reason.WRONG_AUDIO, observed)]
    return [_failed(leg, Reason.NOT_MEASURED, observed, "it was heard once, which may be an error of decoding")]


@lru_cache(maxsize=4)  # where one call hears another, most do
def _owners(plan: Plan) -> Mapping[str, str]:
    """Which of the plan's calls plays an identity code, for people."""
    return {
        str(identity_code(call.key)): f"{call.group.name} {call.number} at endpoint {call.endpoint}"
        for call in planned_calls(plan)
    }


def _foreign(leg: CallLeg, seen: Signal) -> list[Finding]:
    """Other sound in the midst of its own."""
    if not seen.own_ms:
        return []  # there is no midst; that nothing of it came is said below
    bound = None if (asked_ := leg.expect.max_foreign_percent) is None else percent(asked_)
    if asked_ is not None and bound is None:
        return [_failed(leg, Reason.NOT_MEASURED, note="maxForeignPercent is not a decimal")]
    wrong, allowed, note = (
        (100 * WRONG_SHARE, 100 * MAX_FOREIGN_SHARE, None)
        if bound is None
        else (bound, bound, f"at most {bound} % of other sound is allowed")
    )
    least, most = (100 * share for share in seen.foreign_shares)
    if least > wrong:
        return [_failed(leg, Reason.WRONG_AUDIO, _foreign_words(seen), note)]
    if most > allowed:
        note = note or "only maxForeignPercent can say whether that is too much"
        return [_failed(leg, Reason.NOT_MEASURED, _foreign_words(seen), note)]
    return []


def _foreign_words(seen: Signal) -> str:
    """At least and at most, where that is known no better."""
    least, most = (f"{100 * share:.0f}" for share in seen.foreign_shares)
    share = least if least == most else f"{least} to {most}"
    return f"other sound in {share} % of the audible time ({seen.foreign_most_ms / 1000:.1f} s)"


def _due_ms(leg: CallLeg, heard: Heard, due: list[Span]) -> float:
    """A recording goes on for as long as a BYE is waited for; digits take the signal's place."""
    return max(0.0, min(heard.duration_ms, length(due)) - digits_ms(leg))


def _enough(leg: CallLeg, heard: Heard, seen: Signal, due: list[Span]) -> list[Finding]:
    """Of this call's signal; where it is not, what was there instead tells the reason."""
    due_ms = _due_ms(leg, heard, due)
    if not seen.own_ms:
        return [_failed(leg, Reason.WRONG_AUDIO, f"{loudness(heard)} and no call's signal in it")]
    if seen.own_ms >= MIN_OWN_SHARE * due_ms:
        return []
    own = f"this call's signal for only {seen.own_ms / 1000:.1f} of the {seconds(due_ms)} that were due"
    observed = f"{own}, other sound for {seconds(seen.other_ms)}" if seen.other_ms else own
    wrong = seen.other_ms >= (due_ms - seen.own_ms) / 2
    return [_failed(leg, Reason.WRONG_AUDIO if wrong else Reason.NO_AUDIO, observed)]


# As both ends have it


def _attribute(ends: CallEnds, finding: Finding) -> Finding | None:
    if finding.reason in (Reason.NO_AUDIO, Reason.WRONG_AUDIO) and _was_all_due(ends, finding):
        return None
    expect = ends.call.expected(finding.leg)
    if expect.tone_hertz is not None and finding.expected == tone.asked(expect):
        finding = tone.attribute(ends, finding, expect.tone_hertz)
    if finding.reason is Reason.NO_AUDIO:
        return _no_audio(ends, finding)
    return _echo(ends, finding) if finding.reason is Reason.WRONG_AUDIO else finding


def _was_all_due(ends: CallEnds, finding: Finding) -> bool:
    """The other end's SDP kept it from sending for the rest of the time: what came is enough."""
    own, peer = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
    if own is None or peer is None or own.leg.heard is None or own.expect.audio is not Audio.OWN:
        return False
    return not _own(own, own.leg.heard, meet(receiving(own), sending(peer)))


def _no_audio(ends: CallEnds, finding: Finding) -> Finding:
    expected = ends.call.group.expect.caller.audio
    silent = ends.steps is not None and not sends_audio(ends.steps)
    if finding.leg is Role.CALLER and silent and expected is not Audio.SILENCE:
        return inconclusive(finding, Reason.NOT_MEASURED, "the callee is an Absorber: it sends silence")
    return _echo(ends, attribute_missing(ends, finding))


def _echo(ends: CallEnds, finding: Finding) -> Finding:
    """A parrot plays back what it hears: what it heard tells which way is broken."""
    callee = ends.callee
    if finding.leg is Role.CALLEE or callee is None or callee.leg.heard is None:
        return finding
    if set(callee.leg.heard.codes) == {str(identity_code(ends.call.key))}:
        return noted(finding, "the callee heard this call's signal: broken on the way to the caller")
    heard = "heard another call's signal" if callee.leg.heard.codes else "did not hear this call's signal either"
    return noted(finding, f"the callee {heard}: broken on the way to the callee")


def _ends(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    return [*_looped(ends), *_absorbed(ends, findings), *tone.unplayed(ends, findings)]


def _looped(ends: CallEnds) -> list[Finding]:
    """The caller's signal came back, and nothing of it reached the callee: what it hears is itself."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or not caller.answered or not callee.answered:
        return []
    code = str(identity_code(ends.call.key))
    back = 0 if caller.leg.heard is None else caller.leg.heard.codes.get(code, 0)
    if ends.call.group.caller.play.signal is None or back < CERTAIN_FRAMES:
        return []
    if length(receiving(callee)) < LOOPED_MS or not _heard_no_call(callee):
        return []
    note = "the path sends it back: the callee, whose SDP lets it receive, heard nothing of it"
    return [
        caller.finding(
            Check.AUDIO, Reason.LOOPED, expected="nothing back that the callee did not get",
            observed=f"its own signal in {back} frames", note=note,
        )
    ]  # fmt: skip


def _heard_no_call(callee: CallLeg) -> bool:
    """Known, not merely not heard: a codec that we cannot decode tells nothing.

    One that heard another call is in a path that crosses calls, and its own signal may go round by the other's parrot.
    One that heard its own in pieces got it, from a path that loses some of it: a parrot's jitter buffer may mend what
    it plays back.
    """
    if nothing_came(callee):
        return True
    heard = callee.leg.heard
    if heard is None or heard.duration_ms <= 0 or any(heard.codes.values()):
        return False
    return heard.pieces_ms < PIECES_SHARE * heard.active_ms or not heard.active_ms


def _absorbed(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """A caller cannot hear its own signal from an absorber: if it seems to, something else played it."""
    silent = ends.steps is not None and not plays_back(ends.steps)
    impossible = silent and ends.call.group.expect.caller.audio is Audio.OWN
    said = any(finding.leg is Role.CALLER for finding in findings if finding.check in (Check.AUDIO, Check.ANSWERED))
    if ends.caller is None or not impossible or said:
        return []
    note = "the callee is an Absorber: it does not play this call's signal back"
    return [ends.caller.finding(Check.AUDIO, Reason.NOT_MEASURED, expected=_WORDS[Audio.OWN], note=note)]


def _excusable(leg: CallLeg, finding: Finding) -> bool:
    """No trouble of an agent makes another call's signal."""
    if finding.reason is not Reason.WRONG_AUDIO or leg.leg.heard is None:
        return True
    return not signal(leg, leg.leg.heard).codes


def _notes(ends: CallEnds) -> list[str]:
    said = []
    for leg in (ends.caller, ends.callee):
        if leg is None or leg.leg.heard is None or leg.expect.audio is not Audio.OWN:
            continue
        before_ms = signal(leg, leg.leg.heard).before_ms
        if before_ms >= AUDIBLE_MS:
            said.append(f"{leg.name}: other sound for {seconds(before_ms)} before this call's signal")
    return said


RULE: Final = CheckRule(
    check=Check.AUDIO,
    asked=_asked,
    impossible=_impossible,
    needs_ms=_needs_ms,
    leg=_leg,
    ends=_ends,
    attribute=_attribute,
    notes=_notes,
    media=True,
    shared=True,
    excusable=_excusable,
    rows=(
        Row(
            reason=Reason.LOOPED,
            meaning=(
                "the caller's own signal came back to it, and nothing of it reached the callee, which could receive "
                "for 2 s or more; asked for or not"
            ),
            seen="The caller heard the signal that it played itself, and the callee got none of it, though its SDP "
            "let it receive for 2 s or more.",
            usually="The relay, PBX or trunk sends a leg's media back to that leg: crossed ports, an echo service, a "
            "hairpin that never reached the other leg.",
            look="Where the caller's media goes: the relay's session with its ports, and the SDP of both legs.",
            excused_by=frozenset({Excuse.DROPPED}),
            behind=Reason.CALL_DROPPED,  # and before NoRtp, which it explains
        ),
        Row(
            reason=Reason.WRONG_AUDIO,
            meaning=(
                "another call's signal was heard twice or more, or other sound than this call's signal for more than "
                "half of the time (or `maxForeignPercent`)"
            ),
            seen="Another call's identity signal was heard, or other sound than this call's signal in more of the "
            "time than is allowed. The note says on which way it went wrong.",
            usually="Crossed calls: ports of a relay that were used again too soon, a conference or music on hold, an "
            "announcement instead of the callee, or a codec that mangles the signal.",
            look="`received.wav` of both legs; whose signal it was, where the sentence names a call; the relay's "
            "ports of both calls.",
            excused_by=BROKEN_MEDIA,
        ),
        tone.ROW,
        Row(
            reason=Reason.NO_AUDIO,
            meaning="RTP may have come, but it carried silence, or this call's signal for less than half of the time",
            seen="Packets came, and the sound in them was silence, or this call's signal for less than half of the "
            "media time that was due.",
            usually="A mute or a wrong codec in a transcoder, SRTP that is not decrypted, comfort noise in the place "
            "of media, media that began late, or loss that a relay hides by numbering anew.",
            look="`received.wav`; whether the other end heard the signal, which the note says; codec and keys at each "
            "hop.",
            excused_by=BROKEN_MEDIA,
        ),
        Row(
            reason=Reason.UNEXPECTED_AUDIO,
            meaning="silence was expected",
            seen="Sound above -45 dBFS was heard where the test expects silence.",
            usually="Music on hold, an announcement, comfort noise that is loud, or another call's audio.",
            look="`received.wav`, and who sent it: the sources of the leg in the detail.",
        ),
    ),
    subject="received audio",
    sentence="{leg} heard {observed}, expected {expected}",
    on="that leg",
    asked_by="`audio`, `toneHertz`",
    holds=(
        "`Own`: this call's identity signal in half of the media time that is due, no other call's, and other sound "
        "between in at most 10 % (or `maxForeignPercent`) of the audible time; `Any`: not silence; `Silence`: packets "
        f"came, and carried none; {tone.HOLDS}"
    ),
)
