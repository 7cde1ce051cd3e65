"""A leg's media, out of what crossed the wire (agent/tap): sources, digits, what this end sent of what was due. Pure.

`answered_s`: when the leg was answered, on the clock of the tap.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.expect import DtmfMethod
from agent.contract.media import Gap, Source, total
from agent.contract.observation import Digit
from agent.contract.srtp import SrtpSection
from agent.observe.encryption import encryption, keyed_s
from agent.observe.sections import Agreed
from agent.observe.sources import Placed, as_sources, gaps, place, since_answer
from agent.tap.model import TapDigit, TapGuard, TapStream

DIGITS: Final = "0123456789*#ABCD"
"""RFC 4733 §3.2, by event code; later codes are no digits."""
MIN_DUE_MS: Final = 1000.0
"""Shorter media says nothing of what was sent against what was due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What crossed the wire since the answer."""

    received: tuple[Source, ...] = ()
    sent: tuple[Source, ...] = ()
    left_out: int = 0
    gaps: tuple[Gap, ...] = ()
    gaps_left_out: int = 0
    digits_received: tuple[Digit, ...] = ()
    """By RFC 4733, of accepted sources."""
    digits_sent: tuple[Digit, ...] = ()
    sent_ms: float | None = None
    """Media time that this end sent, wherever it went; with its pauses: the ends of digits, sent three times (RFC 4733
    §2.5.1.4). What a late agent did not send is no pause: its timestamps stand still meanwhile."""
    lateness_ms: float | None = None
    """How late our own audio was at worst: by its timestamps, and when it began; None where none was sent."""
    srtp: tuple[SrtpSection, ...] = ()
    """Section by section; empty: there was nothing of SRTP."""


def media(
    rows: Iterable[TapStream],
    sections: Sequence[Agreed],
    *,
    outgoing: bool,
    answered_s: float | None,
    proven: Collection[str] = (),
    guards: Sequence[TapGuard] = (),
) -> Media:
    """What the tap's rows come to. `proven`: as of `place`. `guards`: of SRTP."""
    every = tuple(rows)
    placed = place(since_answer(every, outgoing=outgoing), sections, proven)
    received, sent = (as_sources(placed, answered_s, sent=sent) for sent in (False, True))
    missing, more = gaps(placed, answered_s)
    own = [one.row for one in placed if one.row.sent]
    late = [row.max_late_ms for row in own if row.max_late_ms is not None] + _began_late_ms(own, sections, guards)
    return Media(
        received=received.sources,
        sent=sent.sources,
        left_out=received.left_out + sent.left_out,
        gaps=missing,
        gaps_left_out=more,
        digits_received=digits((one for one in placed if one.accepted), answered_s, sent=False),
        digits_sent=digits(placed, answered_s, sent=True),
        sent_ms=total(value for row in own for value in (row.media_ms, row.event_ms, row.pause_ms)),
        lateness_ms=round(max(late), 1) if late else None,
        srtp=encryption((*placed, *_early(every, sections, outgoing=outgoing)), guards, sections),
    )


def _early(rows: Iterable[TapStream], sections: Sequence[Agreed], *, outgoing: bool) -> Iterator[Placed]:
    """What crossed before the answer, in sections that hold then alone."""
    for one in place((row for row in rows if outgoing and row.mark == 0), sections, ()):
        begin_ms = sections[one.section].section.begin_ms if one.section >= 0 else None
        if begin_ms is not None and begin_ms < 0:
            yield one


def _began_late_ms(own: Collection[TapStream], sections: Sequence[Agreed], guards: Sequence[TapGuard]) -> list[float]:
    """How long after its answer our own media began: of a late beginning that is made up for, timestamps tell nothing.

    They say how late a packet was against those before it; none where the answer, or a handshake that is not over, lets
    this end send nothing.
    """
    answer, begin_s = next(_since_the_answer(sections, guards), (None, None))
    if answer is None or begin_s is None or not answer.section.sends or not own:
        return []
    return [max(0.0, 1000 * (min(row.first_s for row in own) - begin_s))]


def _since_the_answer(sections: Sequence[Agreed], guards: Sequence[TapGuard]) -> Iterator[tuple[Agreed, float | None]]:
    """With the moment from which on each could send."""
    for one, begin_s in zip(sections, keyed_s(guards, sections), strict=True):
        if one.section.begin_ms is not None and one.section.begin_ms >= 0:
            yield one, begin_s


def digits(placed: Iterable[Placed], answered_s: float | None, *, sent: bool) -> tuple[Digit, ...]:
    """The RFC 4733 digits of one direction, in the order in which they began."""
    found = [digit for one in placed if one.row.sent is sent for digit in one.row.digits]
    found.sort(key=lambda digit: digit.first_s)
    return tuple(_digit(digit, answered_s) for digit in found if digit.code < len(DIGITS))


def _digit(seen: TapDigit, answered_s: float | None) -> Digit:
    return Digit(
        digit=DIGITS[seen.code],
        method=DtmfMethod.RFC4733,
        at_ms=_since(answered_s, seen.first_s),
        last_ms=_since(answered_s, seen.last_s),
        duration_ms=round(seen.duration_ms, 3),
        volume_dbm0=seen.volume_dbm0,
        marker=seen.marker,
        packets=seen.packets,
        end_packets=seen.end_packets,
    )


def sent_ratio(
    sent_ms: float | None, sections: Sequence[Agreed], end_s: float | None, guards: Sequence[TapGuard] = ()
) -> float | None:
    """Media time sent ÷ media time due: while a section since the answer let this end send, until `end_s`.

    Where its keys come of a handshake, from its end on.

    None where less than a second was due, or one of them was not measured.
    """
    if sent_ms is None or end_s is None:
        return None
    held = [*_since_the_answer(sections, guards)]
    ends_s = [*(agreed.begin_s for agreed, _ in held[1:]), end_s]
    spans = [
        until_s - begin_s
        for (one, begin_s), until_s in (zip(held, ends_s, strict=True) if held else ())
        if one.section.sends and begin_s is not None
    ]
    due_ms = sum(max(0.0, 1000 * span_s) for span_s in spans)
    return round(sent_ms / due_ms, 3) if due_ms >= MIN_DUE_MS else None


def _since(begin_s: float | None, at_s: float) -> float | None:
    return None if begin_s is None else round(1000 * (at_s - begin_s), 1)
