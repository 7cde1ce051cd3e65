"""What was expected of a capture, held against what is in it. Pure.

An expectation that nothing was measured for does not hold.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.expect import DtmfMethod
from agent.trace.model import CallSide, Digit, Stream, Trace
from agent.trace.wire.unread import CUT_SIP, DAMAGED_IP, DAMAGED_UDP, may_hide_calls
from controller.cli.trace.conversations import Conversation, conversations
from controller.cli.trace.keys import KEYS, METHODS

NO_DAMAGE: Final = frozenset(
    {"record cut at the end of the file", "block cut at the end of the file", DAMAGED_IP, DAMAGED_UDP}
)
"""Reasons of `File.skipped` that hide no digits: the capture was stopped, the packet was like this on the wire."""
HIDING_PACKETS: Final = frozenset({"TooManyAddresses", "TooManyFlows", "FragmentsMissing", "TooManyChannels"})
"""Codes of `Trace.warnings` that tell of packets, whole streams maybe, that are not in it."""
HIDING_DIGITS: Final = HIDING_PACKETS | {
    "EventsCut", "TooManyEvents", "TooManyPayloadMaps", "RedundantAudio", "SipOverTcpIncomplete", "TooManyInfos",
    "TooManyCalls", "CallsCut", "TooManyAtAnAddress", "TooManyHandshakes",
}  # fmt: skip
"""Those, and of digits that are not in it."""
VIDEO_CLOCK_HZ: Final = 90_000
"""Of every video format, and of no audio (RFC 3551 §5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One expectation."""

    expected: str
    broken: tuple[str, ...]
    """What was observed instead; empty: it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """The digits that one side of a conversation sent by one method, over all its streams, in order."""

    where: str
    method: DtmfMethod
    digits: tuple[Digit, ...]

    @property
    def keys(self) -> str:
        """As they are dialled."""
        return "".join(digit.digit for digit in self.digits)

    def __str__(self) -> str:
        return f"{self.where} carried {self.keys} ({METHODS[self.method]})"


def dialled(trace: Trace, talks: Sequence[Conversation]) -> list[Dialled]:
    """All digits: by conversation, side and method; those of INFO by call, its side, however many relays there are."""
    found: dict[tuple[object, ...], Dialled] = {}
    for talk in talks:
        for side, streams in talk.sides.items():
            for method in METHODS:
                whose = talk.call_id if method is DtmfMethod.INFO and talk.call_id else talk
                key = (whose, side, method)
                sent = [(one, _keys(one, method, talk.call_id)) for one in streams]
                where = _where([one for one, keys in sent if keys], talk, talks)
                _add(found, key, where, [digit for _, keys in sent for digit in keys])
    for digit in trace.digits:
        where = (
            f"call {digit.call_id}, whose media was not captured,"
            if digit.call_id
            else "a call whose media was not captured"
        )
        _add(found, (where, digit.method), where, [digit] if digit.digit in KEYS else [])
    return list(found.values())


def _keys(stream: Stream, method: DtmfMethod, call_id: str | None) -> list[Digit]:
    """Of an INFO, only those of the call."""
    mine = (None, call_id)
    return [one for one in stream.digits if one.digit in KEYS and one.method is method and one.call_id in mine]


def _add(
    found: dict[tuple[object, ...], Dialled], key: tuple[object, ...], where: str, digits: Sequence[Digit]
) -> None:
    if not digits:
        return
    known = found.get(key)
    every = sorted([*(known.digits if known else ()), *digits], key=lambda digit: digit.start)
    method = every[0].method
    found[key] = Dialled(where=known.where if known else where, method=method, digits=tuple(every))


def _where(streams: Sequence[Stream], talk: Conversation, talks: Sequence[Conversation]) -> str:
    """`10.0.0.1:4000 → 10.0.0.2:5000`; all of them where it moved, and its call where others are told of too."""
    paths = ", then ".join(dict.fromkeys(f"{one.src} → {one.dst}" for one in streams))
    return paths + _call(talk, talks)


def _call(talk: Conversation, talks: Sequence[Conversation]) -> str:
    return "" if talk.call_id is None or len(talks) == 1 else f" (call {talk.call_id})"


def judge_digits(trace: Trace, expected: str, unheard: Collection[int] = ()) -> Outcome:
    """Holds where each conversation carried digits, and whoever dialled dialled exactly these, each digit to its end.

    A conversation is a leg of a call, by its SDP, else what two addresses and ports send each other: digits that were
    swallowed on the way must not be made up for by those of the other leg. Video is none.
    `unheard` are the streams (indices) in which in-band digits were looked for and could not be.
    """
    talks = conversations(trace.streams)
    groups = dialled(trace, talks)
    broken = [*_unread(trace, unheard), *(str(group) for group in groups if group.keys != expected)]
    for group in groups:
        open_ended = [number for number, digit in enumerate(group.digits, 1) if not digit.complete]
        if group.keys == expected and open_ended:
            numbers = ", ".join(map(str, open_ended))
            broken.append(f"{group}, but the end of digit {numbers} was not seen")
    broken += _mute(talks) if groups else ["no digits"]
    return Outcome(expected=f"digits {expected}", broken=tuple(broken))


def _mute(talks: Sequence[Conversation]) -> Iterator[str]:
    """Conversations that could have carried digits and did not."""
    by_info = {digit.call_id for talk in talks for stream in talk.streams for digit in stream.digits if digit.call_id}
    for talk in talks:
        streams = talk.streams
        if talk.call_id in by_info or any(
            stream.encrypted is not False or any(_keys(stream, method, talk.call_id) for method in METHODS)
            for stream in streams
        ):
            continue
        if any(stream.clock_rate_hz != VIDEO_CLOCK_HZ for stream in streams):
            paths = ", then ".join(dict.fromkeys(_both_ways(stream, streams[0]) for stream in streams))
            yield f"{paths}{_call(talk, talks)} carried none"


def _both_ways(stream: Stream, first: Stream) -> str:
    """One way of writing two directions: that of the side that is told first."""
    forward = stream.src == first.src or stream.dst == first.dst
    return f"{stream.src} ↔ {stream.dst}" if forward else f"{stream.dst} ↔ {stream.src}"


def judge_loss(trace: Trace, max_percent: float) -> Outcome:
    """Holds where there are streams, no side of a call lost more of what it sent (RFC 3550 A.3), and none is hidden.

    Each m= line by itself, over all its streams; each stream by itself where no SDP tells whose it is.
    """
    streams = trace.streams
    broken = [
        f"{name} lost {100 * lost / expected:.3g} % ({lost} of {expected})"
        for name, lost, expected in _losses(streams)
        if 100 * lost > max_percent * expected
    ]
    broken += _hidden(trace, HIDING_PACKETS, "packets")
    return Outcome(
        expected=f"at most {max_percent:g} % of the packets lost",
        broken=tuple(broken if streams else ["no RTP stream"]),
    )


def _losses(streams: Sequence[Stream]) -> Iterator[tuple[str, int, int]]:
    """Name, packets lost, packets expected: of each side's medium."""
    sides: dict[CallSide, list[Stream]] = {}
    for stream in streams:
        for one in stream.calls:
            sides.setdefault(one, []).append(stream)
        if not stream.calls:
            yield _loss([stream])
    told = set[tuple[str, ...]]()
    for some in sides.values():
        # A stream that is two calls' is told once.
        if (names := tuple(f"{one.src} {one.dst} {one.ssrc} {one.start}" for one in some)) not in told:
            told.add(names)
            yield _loss(some)


def _loss(streams: Sequence[Stream]) -> tuple[str, int, int]:
    name = ", then ".join(dict.fromkeys(f"{one.src} → {one.dst} {one.ssrc}" for one in streams))
    return name, sum(one.lost for one in streams), sum(one.expected for one in streams)


def _hidden(trace: Trace, codes: Collection[str], what: str) -> Iterator[str]:
    """Where the capture may have held others than those that are known."""
    harmless = NO_DAMAGE if codes is HIDING_DIGITS else NO_DAMAGE | {CUT_SIP}
    for file in trace.files:
        if damage := [reason for reason in file.skipped if reason not in harmless and may_hide_calls(reason)]:
            yield f"{file.path} could not be read wholly ({', '.join(damage)}): it may hold other {what}"
    yield from (f"{each.message}: other {what} may be missing" for each in trace.warnings if each.code in codes)


def _unread(trace: Trace, unheard: Collection[int]) -> Iterator[str]:
    """Where there may have been other digits than those that are known."""
    yield from _hidden(trace, HIDING_DIGITS, "digits")
    for index, stream in enumerate(trace.streams):
        if stream.encrypted is not False:
            how = "is encrypted" if stream.encrypted else "may be encrypted"
            yield f"{stream.src} → {stream.dst} {how}: its digits cannot be read"
        elif index in unheard:
            yield f"{stream.src} → {stream.dst} was not decoded wholly: not all its in-band digits could be heard"
