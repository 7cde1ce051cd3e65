"""rtpGap: how long a leg waited for its next packet, while the SDP let its peer send."""

from collections.abc import Iterator, Sequence
from typing import Final

from agent.contract.expect import ExpectLeg
from agent.contract.media import Source
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import BROKEN_MEDIA, CheckRule, Row
from agent.judge.media import accepted, receiving
from agent.judge.spans import Span, length, meet, minus, union

MOMENT_MS: Final = 0.001
"""How long one packet alone takes."""


def _asked(expect: ExpectLeg) -> str | None:
    if expect.rtp is None or expect.rtp.max_gap_milliseconds is None:
        return None
    return f"at most {expect.rtp.max_gap_milliseconds} ms"


def _leg(leg: CallLeg) -> list[Finding]:
    """From the first packet to the end of the call or of its hold, by the kernel's times of arrival."""
    expected = _asked(leg.expect)
    if expected is None or leg.expect.rtp is None:
        return []
    rows = [] if leg.leg.received is None else _timed(leg.leg.received)
    if not rows:
        return (
            []
            if leg.leg.received is not None
            else [_found(leg, Reason.NOT_MEASURED, None, "what came was not counted")]
        )
    limit_ms = float(leg.expect.rtp.max_gap_milliseconds or 0)
    longest = max((known for known, _ in _gaps(leg, rows)), default=0.0)
    if longest > limit_ms:
        return [_found(leg, Reason.MEDIA_GAP, longest)]
    possible = max((most for _, most in _gaps(leg, rows)), default=0.0)
    if possible > limit_ms:
        return [_found(leg, Reason.NOT_MEASURED, possible, "it is of one of two sources that sent at once")]
    return []


def _found(leg: CallLeg, reason: Reason, gap_ms: float | None, note: str | None = None) -> Finding:
    observed = None if gap_ms is None else f"{gap_ms:.0f} ms without a packet"
    return leg.finding(Check.RTP_GAP, reason, expected=_asked(leg.expect), observed=observed, note=note)


def _timed(sources: Sequence[Source]) -> list[Source]:
    return [source for source in accepted(sources) if source.first_ms is not None and source.last_ms is not None]


def _span(source: Source) -> Span:
    """From its first packet to its last; one packet alone is a moment."""
    begin_ms = source.first_ms or 0.0
    return begin_ms, max(begin_ms + MOMENT_MS, source.last_ms or 0.0)


def _gaps(leg: CallLeg, rows: list[Source]) -> Iterator[tuple[float, float]]:
    """Each gap: how long it was at least, and at most."""
    first_ms = min(begin for begin, _ in map(_span, rows))
    allowed = meet(receiving(leg), [(first_ms, float("inf"))])
    covered = union((begin, end) for begin, end in map(_span, rows))
    for begin, end in minus(allowed, covered):
        yield end - begin, end - begin
    for row in rows:
        others = [_span(other) for other in rows if other is not row]
        most = min(row.max_gap_ms or 0.0, length(meet(allowed, [_span(row)])))
        beside = meet([_span(row)], union(others))
        pieces = max(1, len(minus([_span(row)], beside)))  # where it was is not known: each of them may have cut it
        yield (most - length(beside)) / pieces, most


RULE: Final = CheckRule(
    check=Check.RTP_GAP,
    asked=_asked,
    leg=_leg,
    media=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.MEDIA_GAP,
            meaning="no packet for longer than `maxGapMilliseconds`, while the SDP let the peer send",
            seen="A time without a packet that is longer than `maxGapMilliseconds`, between the first packet and the "
            "end, while the SDP let the peer send.",
            usually="A failover or move of the media relay, a route that changed, a pause of the sender (silence "
            "suppression), or media that began anew after a re-INVITE.",
            look="Packet loss beside it: with loss it is the network or relay, without it the sender paused. What the "
            "signalling did at that time.",
            excused_by=BROKEN_MEDIA,
        ),
    ),
    subject="time between packets",
    sentence="{leg} was {observed}, expected {expected}",
    on="that leg",
    asked_by="`rtp.maxGapMilliseconds`",
    holds="longest time between two arrivals, from the first packet to the end, while the SDP lets the peer send",
)
