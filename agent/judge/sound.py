"""What a leg heard, against the call's own signal: how much of it, and how much of anything else. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.expect import DtmfMethod
from agent.contract.media import GapKind, Heard, Stretch
from agent.contract.observation import Digit
from agent.contract.plan import identity_code
from agent.contract.verdict import Role
from agent.judge.call_leg import CallLeg
from agent.judge.spans import Span, length, minus, union
from agent.judge.words import seconds

FRAME_MS: Final = 480
"""One frame of the identity signal (agent/sound/identity.py)."""
AUDIBLE_MS: Final = 200.0
"""Less than this above the silence threshold is a click, not audio."""
AROUND_LOST_MS: Final = 200.0
"""What is heard so close to lost packets or comfort noise is what a decoder, or a path, made of them."""
DIGIT_MS: Final = 200.0
"""How long a digit takes the audio's place where its duration is not known."""
DIGIT_PAUSE_MS: Final = 100.0
"""Between two digits: too short for a frame."""
ECHO_MS: Final = 500.0
"""Until what our own digits cut out comes back from the other end."""


def audible(heard: Heard) -> bool:
    """Anything but silence."""
    return any(frames > 0 for frames in heard.codes.values()) or heard.active_ms >= AUDIBLE_MS


def loudness(heard: Heard) -> str:
    """How much sound there was, in words."""
    if not heard.active_ms:
        return f"nothing but silence for {seconds(heard.duration_ms)}"
    return f"sound for {heard.active_ms / 1000:.1f} of {seconds(heard.duration_ms)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What was heard of a call's own signal, and beside it."""

    own_ms: float
    """Of its frames."""
    foreign_ms: float
    """Of any other sound between its first and its last frame, without what digits and lost packets left: at least,
    and `foreign_most_ms` at most, where a recording had so many stretches, or gaps, that not each is told."""
    foreign_most_ms: float
    other_ms: float
    """Of any other sound, wherever."""
    codes: dict[str, int]
    """Other calls' codes, and how often each was heard."""
    before_ms: float
    """Of other sound before its first frame."""

    @property
    def foreign_shares(self) -> tuple[float, float]:
        """Of the audible time between the first and the last own frame, at least and at most; 0 where there is none."""
        return _share(self.foreign_ms, self.own_ms), _share(self.foreign_most_ms, self.own_ms)


def _share(foreign_ms: float, own_ms: float) -> float:
    return foreign_ms / (own_ms + foreign_ms) if foreign_ms else 0.0


def signal(leg: CallLeg, heard: Heard) -> Signal:
    """What was heard of the leg's call."""
    own_code = identity_code(leg.call.key)
    own = [part for part in heard.stretches if part.code == own_code]
    other = [part for part in heard.stretches if part.code != own_code]
    frames = heard.codes.get(str(own_code), 0)
    begin_ms, end_ms = (own[0].begin_ms, own[-1].end_ms) if own else (0.0, 0.0)
    sounds = [*(_Sound.of(part, begin_ms, end_ms) for part in other), *map(_Sound.within, own)]
    excluded, unknown = _excluded(leg), _unknown(leg)
    return Signal(
        own_ms=max(sum(part.own_ms for part in own), float(frames * FRAME_MS)),
        foreign_ms=_least_ms(sounds, union([*excluded, *unknown])),
        foreign_most_ms=_most_ms(sounds, excluded),
        other_ms=sum(part.sound_ms for part in other) + sum(part.other_ms for part in own),
        codes={code: count for code, count in heard.codes.items() if count > 0 and code != str(own_code)},
        before_ms=sum(part.sound_ms for part in other if own and part.end_ms <= begin_ms),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sound:
    """So much sound somewhere in a span."""

    span: Span
    ms: float

    @classmethod
    def of(cls, part: Stretch, begin_ms: float, end_ms: float) -> "_Sound":
        """A stretch of other sound, between two times: stretches do not overlap, so that it is there or not."""
        there = part.begin_ms >= begin_ms and part.end_ms <= end_ms
        return cls(span=(part.begin_ms, part.end_ms), ms=part.sound_ms if there else 0.0)

    @classmethod
    def within(cls, part: Stretch) -> "_Sound":
        """The other sound in a stretch of the own signal."""
        return cls(span=(part.begin_ms, part.end_ms), ms=part.other_ms)

    def free_ms(self, excluded: list[Span]) -> float:
        """Of its span."""
        return length(minus([self.span], excluded))


def _least_ms(sounds: Iterable[_Sound], excluded: list[Span]) -> float:
    """Of those sounds outside: each may be as far inside as there is room."""
    return sum(
        max(0.0, sound.ms - (sound.span[1] - sound.span[0] - sound.free_ms(excluded))) for sound in sounds if sound.ms
    )


def _most_ms(sounds: Iterable[_Sound], excluded: list[Span]) -> float:
    return sum(min(sound.ms, sound.free_ms(excluded)) for sound in sounds if sound.ms)


def _excluded(leg: CallLeg) -> list[Span]:
    """Around digits, which cut frames in two, and around what was lost or left out."""
    return union([*_digits(leg), *_gaps(leg)])


def _unknown(leg: CallLeg) -> list[Span]:
    """Where there were gaps that are not told: behind the last that is."""
    if not leg.leg.gaps_left_out:
        return []
    told = [gap.at_ms for gap in leg.leg.gaps if gap.at_ms is not None]
    return [(max(told, default=float("-inf")), float("inf"))]


def _digits(leg: CallLeg) -> list[Span]:
    """A caller also hears, later, the holes that its own digits made in what comes back."""
    came = [(digit.at_ms, digit.duration_ms, 0.0) for digit in _in_the_audio(leg, leg.leg.dtmf_received)]
    went = [(digit.at_ms, digit.duration_ms, ECHO_MS) for digit in _in_the_audio(leg, leg.leg.dtmf_sent)]
    return [
        (at_ms - FRAME_MS, at_ms + (duration_ms or DIGIT_MS) + FRAME_MS + later_ms)
        for at_ms, duration_ms, later_ms in (came if leg.leg.role is Role.CALLEE else [*came, *went])
        if at_ms is not None
    ]


def _gaps(leg: CallLeg) -> list[Span]:
    return [
        (
            gap.at_ms - (0.0 if gap.kind is GapKind.RESTART else gap.missing_ms) - AROUND_LOST_MS,
            gap.at_ms + AROUND_LOST_MS,
        )
        for gap in leg.leg.gaps
        if gap.at_ms is not None
    ]


def digits_ms(leg: CallLeg) -> float:
    """For how long digits took the signal's place (RFC 4733 §2.5), and a frame before and after each sequence of them.

    Both ways, since a caller that hears a parrot also hears the gaps that its own digits made.
    """
    ways = [_in_the_audio(leg, digits) for digits in (leg.leg.dtmf_sent, leg.leg.dtmf_received)]
    took = sum(
        (DIGIT_MS if digit.duration_ms is None else digit.duration_ms) + DIGIT_PAUSE_MS
        for digits in ways
        for digit in digits
    )
    return took + 2.0 * FRAME_MS * sum(1 for digits in ways if digits)


def _in_the_audio(leg: CallLeg, digits: Sequence[Digit]) -> list[Digit]:
    """Those that took the place of audio: an INFO did where the SUT made it of an event, or may have made one of it."""
    planned, asked = leg.call.group.caller.dtmf, leg.call.group.expect.callee.dtmf
    stays = leg.leg.role is Role.CALLEE or (asked is not None and asked.by is DtmfMethod.INFO)
    converts = planned is not None and not (planned.by is DtmfMethod.INFO and stays)
    return [digit for digit in digits if converts or digit.method is DtmfMethod.RFC4733]
