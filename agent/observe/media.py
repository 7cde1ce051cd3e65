"""A leg's media, out of what crossed the wire (agent/tap); and where the SIP stack counted otherwise. Pure.

`streams`: of one call; `answered_s`: when it was answered, on the clock of the streams.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from agent.contract.call import DtmfMethod
from agent.contract.observation import Digit, Rtp
from agent.tap.model import TapDigit, TapStream

DIGITS: Final = "0123456789*#ABCD"
"""RFC 4733 §3.2, by event code; later codes are no digits."""
EDGE_PACKETS: Final = 5
"""The tap and the stack do not begin to count at the same moment where a call is answered."""


def since_answer(streams: Iterable[TapStream], *, outgoing: bool) -> tuple[TapStream, ...]:
    """Without early media: an outgoing call is marked when it is answered, an incoming one has none before."""
    return tuple(stream for stream in streams if stream.mark > 0 or not outgoing)


def received(streams: Sequence[TapStream], answered_s: float | None) -> Rtp:
    """All that came, as one; only the packets where there were none."""
    return _as_one([stream for stream in streams if not stream.sent], answered_s)


def sent(streams: Sequence[TapStream], answered_s: float | None, reported: Rtp) -> Rtp:
    """All that was sent, as one; loss and jitter as the peer's RTCP reported them."""
    own = _as_one([stream for stream in streams if stream.sent], answered_s)
    return Rtp(
        packets=own.packets,
        lost=reported.lost,
        jitter_ms=reported.jitter_ms,
        max_jitter_ms=reported.max_jitter_ms,
        first_ms=own.first_ms,
        last_ms=own.last_ms,
        max_gap_ms=own.max_gap_ms,
    )


def _as_one(streams: Sequence[TapStream], answered_s: float | None) -> Rtp:
    if not streams:
        return Rtp(packets=0)
    samples = sum(stream.jitter_samples for stream in streams)
    jitters = [(s.mean_jitter_ms, s.max_jitter_ms, s.jitter_samples) for s in streams]
    known = [(mean, peak, count) for mean, peak, count in jitters if mean is not None and peak is not None]
    return Rtp(
        packets=sum(stream.packets for stream in streams),
        lost=sum(stream.lost for stream in streams),
        duplicates=sum(stream.duplicates for stream in streams),
        reordered=sum(stream.reordered for stream in streams),
        unnegotiated=sum(stream.unnegotiated for stream in streams),
        jitter_ms=round(sum(mean * count for mean, _, count in known) / samples, 3) if known else None,
        max_jitter_ms=round(max(peak for _, peak, _ in known), 3) if known else None,
        first_ms=_since(answered_s, min(stream.first_s for stream in streams)),
        last_ms=_since(answered_s, max(stream.last_s for stream in streams)),
        max_gap_ms=max((round(s.max_gap_ms, 1) for s in streams if s.max_gap_ms is not None), default=None),
    )


def lateness_ms(streams: Iterable[TapStream]) -> float | None:
    """How late our own audio was at worst, by its timestamps; None where none was sent."""
    late = [stream.max_late_ms for stream in streams if stream.sent and stream.max_late_ms is not None]
    return round(max(late), 1) if late else None


def digits(streams: Iterable[TapStream], answered_s: float | None, *, sent: bool) -> tuple[Digit, ...]:
    """The RFC 4733 digits of one direction, in the order in which they began."""
    found = [digit for stream in streams if stream.sent is sent for digit in stream.digits]
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


def disagreements(wire: Rtp, stack: Rtp, *, direction: str) -> tuple[str, ...]:
    """Where the SIP stack counted otherwise than what crossed the wire, beyond what both cannot share.

    The stack leaves out packets of payload types that it does not know, and copies and stragglers upset its numbers.
    """
    if wire.packets is None or stack.packets is None:
        return ()
    odd = (wire.unnegotiated or 0) + (wire.duplicates or 0) + (wire.reordered or 0)
    said = []
    if abs(wire.packets - stack.packets) > EDGE_PACKETS + odd:
        said.append(f"{wire.packets} packets {direction} on the wire, {stack.packets} by the SIP stack")
    loss_known = direction == "received" and wire.lost is not None and stack.lost is not None
    if loss_known and abs((wire.lost or 0) - (stack.lost or 0)) > EDGE_PACKETS + odd:
        said.append(f"{wire.lost} packets lost on the wire, {stack.lost} by the SIP stack")
    return tuple(said)


def digit_disagreement(wire: Sequence[Digit], stack: Sequence[Digit]) -> tuple[str, ...]:
    """Where the SIP stack heard other digits than those that came."""
    came, heard = ("".join(digit.digit for digit in found) for found in (wire, stack))
    return () if came == heard else (f"digits {came or 'none'} on the wire, {heard or 'none'} by the SIP stack",)


def _since(begin_s: float | None, at_s: float) -> float | None:
    return None if begin_s is None else round(1000 * (at_s - begin_s), 1)
