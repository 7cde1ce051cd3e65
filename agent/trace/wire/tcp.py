"""SIP over TCP (RFC 3261 §18.3): segments in order, messages cut out by Content-Length. Bounded, and SIP only."""

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from agent.trace.wire.ip import Segment

MAX_MESSAGE: Final = 65_535
MAX_CONNECTIONS: Final = 4096
MAX_WAITING: Final = 64
"""Segments that wait for an earlier one, per connection and direction."""
_WRAP: Final = 1 << 32
_BEGINS: Final = re.compile(rb"(?:[A-Z]{3,12} \S+ SIP/2\.0|SIP/2\.0 \d{3})[^\r\n]*\r?\n")
_LENGTH: Final = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,7})[ \t]*\r\n", re.IGNORECASE)

Direction = tuple[tuple[int, int], tuple[int, int]]


@dataclass(slots=True)
class _Flow:
    following: int
    """Sequence number of the next byte."""
    buffer: bytearray = field(default_factory=bytearray)
    waiting: dict[int, bytes] = field(default_factory=dict)


class Tcp:
    """Connections that were seen to carry SIP, one direction each."""

    def __init__(self) -> None:
        self._flows: OrderedDict[Direction, _Flow] = OrderedDict()
        self.lost = 0
        """Times that a missing or cut segment made us wait for the next message."""

    def add(self, segment: Segment) -> list[bytes]:
        """The messages that this segment completes."""
        key = (segment.source, segment.destination)
        flow = self._flows.get(key)
        if flow is None or segment.syn:
            if not _BEGINS.match(segment.payload):
                return []
            flow = self._flows[key] = _Flow(segment.sequence)
            if len(self._flows) > MAX_CONNECTIONS:
                self._flows.popitem(last=False)
        self._take(flow, segment)
        return list(_messages(flow.buffer))

    def _take(self, flow: _Flow, segment: Segment) -> None:
        """Appends what is next in order; keeps what is ahead; after too long a gap begins anew with a message."""
        ahead = (segment.sequence - flow.following) % _WRAP
        if len(segment.payload) < segment.wire:
            self._again(flow, segment.sequence + segment.wire)
            return
        if 0 < ahead < _WRAP // 2:
            flow.waiting[segment.sequence] = segment.payload
            if len(flow.waiting) > MAX_WAITING:
                begins = [at for at, payload in flow.waiting.items() if _BEGINS.match(payload)]
                self._again(flow, begins[0] if begins else segment.sequence + segment.wire)
        else:
            self._append(flow, segment.sequence, segment.payload)
        while (payload := flow.waiting.pop(flow.following, None)) is not None:
            self._append(flow, flow.following, payload)

    def _append(self, flow: _Flow, sequence: int, payload: bytes) -> None:
        known = (flow.following - sequence) % _WRAP
        fresh = payload[known:]
        flow.buffer += fresh
        flow.following = (flow.following + len(fresh)) % _WRAP
        if len(flow.buffer) > 4 * MAX_MESSAGE:
            self._again(flow, flow.following)

    def _again(self, flow: _Flow, following: int) -> None:
        self.lost += 1
        flow.buffer.clear()
        flow.waiting = {at: payload for at, payload in flow.waiting.items() if (at - following) % _WRAP < _WRAP // 2}
        flow.following = following % _WRAP


def _messages(buffer: bytearray) -> Iterator[bytes]:
    """Cuts whole messages off the front; bytes before a message (keep-alives, rests of a lost one) are dropped."""
    while True:
        begin = _BEGINS.search(buffer)
        if begin is None:
            del buffer[: max(0, len(buffer) - MAX_MESSAGE)]
            return
        head = buffer.find(b"\r\n\r\n", begin.start())
        if head < 0:
            return
        length = _LENGTH.search(buffer, begin.start(), head + 2)
        end = head + 4 + (int(length[1]) if length else 0)
        if end - begin.start() > MAX_MESSAGE:
            del buffer[: begin.end()]
            continue
        if end > len(buffer):
            return
        yield bytes(buffer[begin.start() : end])
        del buffer[:end]
