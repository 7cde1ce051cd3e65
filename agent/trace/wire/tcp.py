"""What TCP connections carry that matters: SIP (RFC 3261 §18.3), plain or over WebSocket, and datagrams. Bounded.

A connection may begin anywhere in a capture: within a message, or with its keep-alives. What is passed over is counted.
RTP is where an SDP declared it; elsewhere only what nothing else could be.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from agent.trace.wire import framing, websocket
from agent.trace.wire.assembly import Assembly
from agent.trace.wire.ip import Segment

MAX_MESSAGE: Final = 65_535
MAX_CONNECTIONS: Final = 2048
MAX_DECLARED: Final = 4096
"""Addresses and ports; of those before, connections are looked at as if no SDP had named them."""
MAX_UNSURE_BYTES: Final = 4096
"""Kept of a connection of which nobody knows what it is: a start line may be in pieces."""
_MAX_BEGIN: Final = 64
_MARK: Final = b"SIP/2.0"
_LINE: Final = rb"(?:[A-Z]{3,12} [^ \t\r\n]+ SIP/2\.0|SIP/2\.0 \d{3}(?: [^\r\n]*)?)\r?\n"
_BEGINS: Final = re.compile(_LINE)
_MASKED_BEGINS: Final = re.compile(rb"[A-Z]{3,12} (?:sips?|tel):|SIP/2\.0 \d{3}")
_BLANK: Final = re.compile(rb"(?:\r\n|\n)+")
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,7})[ \t]*\r?\n", re.IGNORECASE)
_TYPED: Final = re.compile(rb"\n(?:content-type|c)[ \t]*:", re.IGNORECASE)
_MAY_BEGIN: Final = re.compile(rb"[A-Z]{1,12}(?: [^ \t\r\n]*(?: [A-Z]{0,3}/?2?\.?0?\r?)?)?|SIP/[^\r\n]{0,200}\r?|\r")

Direction = tuple[tuple[int, int], tuple[int, int]]


class Kind(Enum):
    """What a connection carries."""

    SIP = "SIP"
    WEBSOCKET = "SIP over WebSocket"
    DATAGRAMS = "datagrams"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What one segment completes."""

    messages: list[bytes]
    """SIP."""
    datagrams: list[bytes]
    """As UDP would carry them: RTP, TURN, HEP."""


@dataclass(slots=True)
class _Flow:
    assembly: Assembly
    buffer: bytearray = field(default_factory=bytearray)
    kind: Kind | None = None
    looked: int = 0
    """Bytes of the buffer in which what is looked for is not."""
    wanted: int = 0
    """Bytes that the message at the buffer's begin has."""
    skipping: bool = True
    """What is in the buffer is not the begin of a message, and that was told."""
    sure: bool = False
    """A message began with a segment, or right behind another."""
    fresh: bool = True
    """Nothing was taken off the buffer, and no SYN was seen: a segment that came late may be its begin."""
    whole: bool = False
    """All since its SYN is in the buffer."""
    framing: int = 0
    hit: int | None = None
    """Where frames may begin in the buffer of a connection of which nothing is known."""
    frames: websocket.Messages = field(default_factory=lambda: websocket.Messages(MAX_MESSAGE))

    def drop(self, count: int) -> None:
        """Takes bytes off the front."""
        del self.buffer[:count]
        self.looked = self.wanted = 0
        self.fresh = self.whole = False

    def forget(self) -> None:
        """What is next does not follow on the buffer."""
        self.drop(len(self.buffer))
        self.skipping, self.hit = True, None
        self.frames = websocket.Messages(MAX_MESSAGE)


class Tcp:
    """Connections, one direction each; the longest silent are forgotten when there are too many."""

    def __init__(self) -> None:
        self._flows: OrderedDict[Direction, _Flow] = OrderedDict()
        self._declared: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._lost = 0
        self.begun_within = 0
        """Connections with SIP of which the capture's first bytes are within a message."""

    @property
    def lost(self) -> int:
        """Times that SIP was passed over: a segment is missing, or cut, or there is what is no message."""
        return self._lost + sum(flow.assembly.waiting and _has_sip(flow) for flow in self._flows.values())

    def declare(self, place: tuple[int, int]) -> None:
        """An SDP wants RTP over TCP there (RFC 4571): connections from and to it carry it, whoever opens them."""
        self._declared[place] = None
        self._declared.move_to_end(place)
        if len(self._declared) > MAX_DECLARED:
            self._declared.popitem(last=False)

    def add(self, segment: Segment) -> Carried:
        """Messages and datagrams that this segment completes."""
        declared = segment.source in self._declared or segment.destination in self._declared
        flow = self._flow(segment)
        carried = Carried(messages=[], datagrams=[])
        sequence = (segment.sequence + segment.syn) % (1 << 32)
        if flow.fresh and (sequence + segment.wire) % (1 << 32) == flow.assembly.begun and segment.wire:
            self._before(flow, segment, sequence)
            return carried
        for piece in flow.assembly.add(sequence, segment.payload, segment.wire, segment.time_ns):
            if piece is None:
                self._lost += _has_sip(flow)
                flow.forget()
                if flow.kind in (Kind.DATAGRAMS, Kind.WEBSOCKET):
                    flow.kind = None
            else:
                self._take(flow, piece, carried, declared=declared)
        return carried

    def _flow(self, segment: Segment) -> _Flow:
        key = (segment.source, segment.destination)
        flow = self._flows.get(key)
        first = (segment.sequence + segment.syn) % (1 << 32)
        if flow is not None and not (segment.syn and flow.assembly.begun != first):
            self._flows.move_to_end(key)
            return flow
        flow = self._flows[key] = _Flow(Assembly(first), fresh=not segment.syn, whole=segment.syn)
        self._flows.move_to_end(key)
        if len(self._flows) > MAX_CONNECTIONS:
            _, old = self._flows.popitem(last=False)
            self._lost += _has_sip(old) and (old.assembly.waiting or bool(old.buffer))
        return flow

    def _before(self, flow: _Flow, segment: Segment, sequence: int) -> None:
        """Puts a segment before the first that was seen."""
        if len(segment.payload) == segment.wire and flow.kind is None and len(flow.buffer) < MAX_UNSURE_BYTES:
            flow.buffer[:0] = segment.payload
            flow.assembly.begun, flow.looked, flow.hit = sequence, 0, None

    def _take(self, flow: _Flow, piece: bytes, carried: Carried, *, declared: bool) -> None:
        if not piece:
            return
        at = len(flow.buffer)
        flow.buffer += piece
        if flow.kind is None:
            flow.kind = self._kind(flow, at, declared=declared)
        if flow.kind is Kind.SIP:
            flow.sure = flow.sure or bool(_BEGINS.match(piece.lstrip(b"\r\n")))
            carried.messages.extend(self._messages(flow))
        elif flow.kind is not None:
            try:
                if flow.kind is Kind.WEBSOCKET:
                    whole = flow.frames.cut(flow.buffer)
                    carried.messages.extend(one for one in whole if _BEGINS.match(one.lstrip(b"\r\n")))
                else:
                    carried.datagrams.extend(framing.cut(flow.buffer, flow.framing))
            except (websocket.FrameError, framing.FrameError):
                self._lost += flow.kind is Kind.WEBSOCKET
                flow.kind = None
                flow.forget()

    def _kind(self, flow: _Flow, at: int, *, declared: bool) -> Kind | None:
        """What a connection carries, once that shows; `at` is where in the buffer its newest segment begins."""
        buffer, since = flow.buffer, max(0, flow.looked - 64)
        flow.looked = len(buffer)
        if declared and flow.whole and framing.begins_framed(buffer):
            flow.framing = framing.FRAMED
            return Kind.DATAGRAMS
        if self._framing(flow, at, framing.SURE - declared):
            return Kind.DATAGRAMS
        if buffer[0] in b"GH" and (end := websocket.upgraded(buffer)) is not None:
            flow.drop(end)
            return Kind.WEBSOCKET
        if buffer[at] in websocket.TEXT and _MASKED_BEGINS.match(websocket.unmasked_start(bytes(buffer[at : at + 64]))):
            flow.drop(at)
            return Kind.WEBSOCKET
        if buffer.find(_MARK, since) >= 0:
            return self._sip(flow)
        kept = len(buffer) - MAX_UNSURE_BYTES
        if kept > 0 and (flow.hit is None or kept > MAX_MESSAGE):
            flow.drop(kept)
            flow.looked, flow.hit = len(buffer), None
        return None

    def _framing(self, flow: _Flow, at: int, sure: int) -> bool:
        if flow.hit is None:
            if len(flow.buffer) <= _MAX_BEGIN:
                at = 0  # a length may be a segment of its own
            looks = framing.looks_framed(flow.buffer, at)
            if looks is None:
                return False
            flow.hit, flow.framing = at, looks
        known = framing.is_framed(flow.buffer, flow.hit, flow.framing, sure)
        if known:
            flow.drop(flow.hit)
            flow.hit = None
            return True
        if known is False:
            flow.hit = None
        return False

    def _sip(self, flow: _Flow) -> Kind:
        flow.looked = 0
        found = _BEGINS.search(flow.buffer)
        if found and (begin := websocket.begin(flow.buffer, found.start())) is not None:
            flow.drop(begin)
            return Kind.WEBSOCKET
        rest = flow.buffer.lstrip(b"\r\n")
        self.begun_within += not (_BEGINS.match(rest) or _may_begin(rest))
        return Kind.SIP

    def _messages(self, flow: _Flow) -> Iterator[bytes]:
        """Cuts whole messages off the front; keep-alives and what is no message are dropped."""
        buffer = flow.buffer
        while len(buffer) >= flow.wanted:
            if blank := _BLANK.match(buffer):
                flow.drop(blank.end())
            if not _BEGINS.match(buffer):
                if not self._sought(flow):
                    return
                continue
            flow.skipping = False
            end = self._end(flow)
            if end is None:
                return
            if end:
                yield bytes(buffer[:end])
                flow.drop(end)
                flow.sure = flow.sure or bool(_BEGINS.match(buffer))

    def _sought(self, flow: _Flow) -> bool:
        """Whether a message begins behind what the buffer begins with; that is dropped, and told once."""
        buffer = flow.buffer
        found = None
        if buffer.find(_MARK, max(0, flow.looked - 300)) >= 0:
            found = _BEGINS.search(buffer)
        if found is None and (not buffer or (not flow.skipping and _may_begin(buffer))):
            return False
        if not flow.skipping:
            self._lost += flow.sure
        flow.skipping = found is None
        if found:
            flow.drop(found.start())
            return True
        flow.looked = len(buffer)
        if len(buffer) > 2 * MAX_UNSURE_BYTES:
            flow.drop(len(buffer) - MAX_UNSURE_BYTES)
            flow.looked = len(buffer)
        return False

    def _end(self, flow: _Flow) -> int | None:
        """Where the message at the buffer's begin ends; None: not yet; 0: it was too long, and is dropped."""
        buffer = flow.buffer
        head = _HEAD_END.search(buffer, max(0, flow.looked - 3))
        if head is None:
            flow.looked = len(buffer)
            return None if len(buffer) <= MAX_MESSAGE else self._too_long(flow)
        length = _LENGTH.search(buffer, 0, head.end())
        if length:
            end = head.end() + int(length[1])
        else:
            end = self._unsaid(buffer, head.end())
            if not end:
                return None
        if end > MAX_MESSAGE:
            return self._too_long(flow)
        flow.wanted = end
        return end if end <= len(buffer) else None

    @staticmethod
    def _unsaid(buffer: bytearray, head: int) -> int:
        """Of a message that does not say its length (RFC 3261 §20.14 has it must): up to the next, or what there is.

        0: a body is announced, and nothing of it is there.
        """
        if not _TYPED.search(buffer, 0, head):
            return head
        following = _BEGINS.search(buffer, head)
        return following.start() if following else len(buffer) * (len(buffer) > head)

    def _too_long(self, flow: _Flow) -> int:
        self._lost += 1
        flow.drop(1)
        flow.skipping = True
        return 0


def _may_begin(buffer: bytearray) -> bool:
    """Whether it is a start line of which some is missing yet."""
    return len(buffer) <= MAX_UNSURE_BYTES and bool(_MAY_BEGIN.fullmatch(buffer))


def _has_sip(flow: _Flow) -> bool:
    return flow.kind in (Kind.SIP, Kind.WEBSOCKET)
