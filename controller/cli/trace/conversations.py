"""Which streams of a trace are one conversation, and which side sent each. Pure.

By the SDP: a leg of a call, over re-INVITEs, ports and SSRCs. Without: what two addresses and ports send each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.trace.model import Side, Stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conversation:
    """What two ends sent each other."""

    call_id: str | None
    """None: no SDP tells."""
    sides: Mapping[Side | str, tuple[Stream, ...]]
    """What each sent, in the order of its begin; by its address where no SDP tells."""

    @property
    def streams(self) -> list[Stream]:
        """Those of both."""
        return [stream for streams in self.sides.values() for stream in streams]


def conversations(streams: Sequence[Stream]) -> list[Conversation]:
    """All, in the order of their first streams. A stream is in several where calls were joined."""
    of_calls: dict[tuple[str, int], list[tuple[Side, Stream]]] = {}
    for stream in streams:
        for one in stream.calls:
            of_calls.setdefault((one.call_id, one.leg), []).append((one.side, stream))
    by_pair: dict[frozenset[str], list[tuple[str, int]]] = {}
    for key, sent in of_calls.items():
        for pair in {_pair(stream) for _, stream in sent}:
            by_pair.setdefault(pair, []).append(key)
    lone: list[Stream] = []
    for stream in (stream for stream in streams if not stream.calls):
        # Only one side's SDP may have been seen.
        same = [key for key in by_pair.get(_pair(stream), []) if _overlaps(stream, [one for _, one in of_calls[key]])]
        if len(same) == 1:
            side = _side(stream, of_calls[same[0]])
            of_calls[same[0]].append((side, stream))
        else:
            lone.append(stream)
    found = [_conversation(call_id, sent) for (call_id, _), sent in of_calls.items()]
    found += [_conversation(None, [(one.src, one) for one in some]) for some in _by_addresses(lone)]
    return sorted(found, key=lambda one: min(stream.start for stream in one.streams))


def _conversation(call_id: str | None, sent: Sequence[tuple[Side | str, Stream]]) -> Conversation:
    sides: dict[Side | str, list[Stream]] = {}
    for side, stream in sorted(sent, key=lambda one: one[1].start):
        sides.setdefault(side, []).append(stream)
    return Conversation(call_id=call_id, sides={side: tuple(some) for side, some in sides.items()})


def _pair(stream: Stream) -> frozenset[str]:
    return frozenset((stream.src, stream.dst))


def _overlaps(stream: Stream, others: Sequence[Stream]) -> bool:
    return stream.start <= max(one.end for one in others) and stream.end >= min(one.start for one in others)


def _side(stream: Stream, sent: Sequence[tuple[Side, Stream]]) -> Side:
    """That which sends from where it comes from; else the one that what came from the other way is not of."""
    same = next((side for side, one in sent if one.src == stream.src), None)
    back = next((side for side, one in sent if one.src == stream.dst), Side.B)
    return same or (Side.B if back is Side.A else Side.A)


def _by_addresses(streams: Sequence[Stream]) -> list[list[Stream]]:
    """What two addresses and ports send each other; a source that plays again (its SSRC begins anew) begins another."""
    found: list[list[Stream]] = []
    last: dict[frozenset[str], tuple[list[Stream], set[tuple[str, str]]]] = {}
    for stream in sorted(streams, key=lambda one: one.start):
        source = (stream.src, stream.ssrc)
        some, sources = last.get(_pair(stream), ([], {source}))
        if source in sources:
            some, sources = [], set()
            found.append(some)
            last[_pair(stream)] = some, sources
        some.append(stream)
        sources.add(source)
    return found
