"""What was expected of a capture, held against what is in it. Pure.

An expectation that nothing was measured for does not hold.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.call import DtmfMethod
from agent.trace.model import Digit, Stream, Trace

KEYS: Final = frozenset("0123456789*#ABCD")
"""Other events (flash, fax tones) are shown, and no part of what a person dials."""
NO_DAMAGE: Final = frozenset(
    {"record cut at the end of the file", "block cut at the end of the file", "damaged IP packet", "damaged UDP header"}
)
"""Reasons of `File.skipped` that hide no digits: the capture was stopped, the packet was like this on the wire."""
HIDING_PACKETS: Final = frozenset({"TooManyAddresses", "TooManyFlows", "FragmentsMissing"})
"""Codes of `Trace.warnings` that tell of packets, whole streams maybe, that are not in it."""
HIDING_DIGITS: Final = HIDING_PACKETS | {
    "EventsCut", "TooManyEvents", "TooManyPayloadMaps", "RedundantAudio", "SipOverTcpIncomplete",
}  # fmt: skip
"""Those, and of digits that are not in it."""
VIDEO_CLOCK_HZ: Final = 90_000
"""Of every video format, and of no audio (RFC 3551 §5)."""
METHODS: Final = {
    DtmfMethod.RFC4733: "RFC 4733",
    DtmfMethod.INFO: "SIP INFO",
    DtmfMethod.IN_BAND: "in band",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One expectation."""

    expected: str
    broken: tuple[str, ...]
    """What was observed instead; empty: it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """The digits that one direction of a call carried by one method, over all its SSRCs, in order."""

    where: str
    method: DtmfMethod
    digits: tuple[Digit, ...]

    @property
    def keys(self) -> str:
        """As they are dialled."""
        return "".join(digit.digit for digit in self.digits)

    def __str__(self) -> str:
        return f"{self.where} carried {self.keys} ({METHODS[self.method]})"


def dialled(trace: Trace) -> list[Dialled]:
    """All digits, by direction, call and method."""
    found: dict[tuple[str, str | None, DtmfMethod], list[Digit]] = {}
    for stream in trace.streams:
        for digit in stream.digits:
            found.setdefault((f"{stream.src} → {stream.dst}", stream.call_id, digit.method), []).append(digit)
    for digit in trace.digits:
        found.setdefault(("a call whose media was not captured", None, digit.method), []).append(digit)
    groups = (
        Dialled(
            where=where,
            method=method,
            digits=tuple(sorted((d for d in digits if d.digit in KEYS), key=lambda digit: digit.start)),
        )
        for (where, _, method), digits in found.items()
    )
    return [group for group in groups if group.digits]


def judge_digits(trace: Trace, expected: str, unheard: Collection[int] = ()) -> Outcome:
    """Holds where each conversation carried digits, and whoever dialled dialled exactly these, each digit to its end.

    A conversation is what two addresses and ports send each other in one call: digits that were swallowed on the way
    must not be made up for by those of the other leg. Video is none.
    `unheard` are the streams (indices) in which in-band digits were looked for and could not be.
    """
    groups = dialled(trace)
    broken = [*_unread(trace, unheard), *(str(group) for group in groups if group.keys != expected)]
    for group in groups:
        open_ended = [number for number, digit in enumerate(group.digits, 1) if not digit.complete]
        if group.keys == expected and open_ended:
            numbers = ", ".join(map(str, open_ended))
            broken.append(f"{group}, but the end of digit {numbers} was not seen")
    broken += _mute(trace.streams) if groups else ["no digits"]
    return Outcome(expected=f"digits {expected}", broken=tuple(broken))


def _mute(streams: Sequence[Stream]) -> Iterator[str]:
    """Conversations that could have carried digits and did not."""
    call_ids = {frozenset((s.src, s.dst)): s.call_id for s in streams if s.call_id is not None}
    conversations: dict[tuple[frozenset[str], str | None], list[Stream]] = {}
    for stream in streams:
        pair = frozenset((stream.src, stream.dst))
        # Only one side's SDP may have been seen.
        conversations.setdefault((pair, stream.call_id or call_ids.get(pair)), []).append(stream)
    for both in conversations.values():
        if any(stream.encrypted or any(digit.digit in KEYS for digit in stream.digits) for stream in both):
            continue
        if any(stream.clock_rate_hz != VIDEO_CLOCK_HZ for stream in both):
            yield f"{both[0].src} ↔ {both[0].dst} carried none"


def judge_loss(trace: Trace, max_percent: float) -> Outcome:
    """Holds where there are streams, each lost at most this share of its packets (RFC 3550 A.3), and none is hidden."""
    streams = trace.streams
    broken = [
        f"{stream.src} → {stream.dst} {stream.ssrc} lost {100 * stream.lost / stream.expected:.3g} %"
        f" ({stream.lost} of {stream.expected})"
        for stream in streams
        if 100 * stream.lost > max_percent * stream.expected
    ]
    broken += _hidden(trace, HIDING_PACKETS, "packets")
    return Outcome(
        expected=f"at most {max_percent:g} % of the packets lost",
        broken=tuple(broken if streams else ["no RTP stream"]),
    )


def _hidden(trace: Trace, codes: Collection[str], what: str) -> Iterator[str]:
    """Where the capture may have held others than those that are known."""
    for file in trace.files:
        if damage := [reason for reason in file.skipped if reason not in NO_DAMAGE]:
            yield f"{file.path} could not be read wholly ({', '.join(damage)}): it may hold other {what}"
    yield from (f"{each.message}: other {what} may be missing" for each in trace.warnings if each.code in codes)


def _unread(trace: Trace, unheard: Collection[int]) -> Iterator[str]:
    """Where there may have been other digits than those that are known."""
    yield from _hidden(trace, HIDING_DIGITS, "digits")
    for index, stream in enumerate(trace.streams):
        if stream.encrypted:
            yield f"{stream.src} → {stream.dst} is encrypted: its digits cannot be read"
        elif index in unheard:
            yield f"{stream.src} → {stream.dst} was not decoded wholly: not all its in-band digits could be heard"
