"""What a leg heard, against the call's own signal: how much of it, and how much of anything else. Pure."""

from dataclasses import dataclass
from typing import Final

from agent.contract.media import GapKind, Heard
from agent.contract.plan import identity_code
from agent.contract.verdict import Role
from agent.judge.call_leg import CallLeg
from agent.judge.spans import Span, length, meet, minus, union

FRAME_MS: Final = 480
"""One frame of the identity signal (agent/sound/identity.py)."""
AROUND_LOST_MS: Final = 200.0
"""What is heard so close to lost packets or comfort noise is what a decoder, or a path, made of them."""
DIGIT_MS: Final = 200.0
"""How long a digit takes the audio's place where its duration is not known."""
DIGIT_PAUSE_MS: Final = 100.0
"""Between two digits: too short for a frame."""
ECHO_MS: Final = 500.0
"""Until what our own digits cut out comes back from the other end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What was heard of a call's own signal, and beside it."""

    own_ms: float
    """Of its frames."""
    foreign_ms: float
    """Of any other sound between its first and its last frame, without what digits and lost packets left."""
    other_ms: float
    """Of any other sound, wherever."""
    codes: dict[str, int]
    """Other calls' codes, and how often each was heard."""
    before_ms: float
    """Of other sound before its first frame."""

    @property
    def foreign_share(self) -> float:
        """Of the audible time between the first and the last own frame; 0 where nothing was heard."""
        audible_ms = self.own_ms + self.foreign_ms
        return self.foreign_ms / audible_ms if audible_ms else 0.0


def signal(leg: CallLeg, heard: Heard) -> Signal:
    """What was heard of the leg's call."""
    own_code = identity_code(leg.call.key)
    own = union((part.begin_ms, part.end_ms) for part in heard.stretches if part.code == own_code)
    other = union((part.begin_ms, part.end_ms) for part in heard.stretches if part.code != own_code)
    frames = heard.codes.get(str(own_code), 0)
    between = [(own[0][0], own[-1][1])] if own else []
    return Signal(
        own_ms=max(length(own), float(frames * FRAME_MS)),
        foreign_ms=length(minus(meet(other, between), _excluded(leg))),
        other_ms=length(other),
        codes={code: count for code, count in heard.codes.items() if count > 0 and code != str(own_code)},
        before_ms=length(meet(other, [(0.0, own[0][0])])) if own else 0.0,
    )


def _excluded(leg: CallLeg) -> list[Span]:
    """Around digits, which cut frames in two, and around what was lost or left out."""
    return union([*_digits(leg), *_gaps(leg)])


def _digits(leg: CallLeg) -> list[Span]:
    """A caller also hears, later, the holes that its own digits made in what comes back."""
    came = [(digit.at_ms, digit.duration_ms, 0.0) for digit in leg.leg.dtmf_received]
    went = [(digit.at_ms, digit.duration_ms, ECHO_MS) for digit in leg.leg.dtmf_sent]
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
    took = sum(
        (DIGIT_MS if digit.duration_ms is None else digit.duration_ms) + DIGIT_PAUSE_MS
        for digit in (*leg.leg.dtmf_sent, *leg.leg.dtmf_received)
    )
    return took + 2.0 * FRAME_MS * sum(1 for digits in (leg.leg.dtmf_sent, leg.leg.dtmf_received) if digits)
