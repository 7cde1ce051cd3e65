"""Named events (RFC 4733, and 2833 before it): many packets, one digit."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.model import Digit, DigitMethod
from agent.trace.records import Ints

NAMES: Final = (*"0123456789*#ABCD", "flash")
"""RFC 4733 §3.2, by event code."""
SEGMENT_TICKS: Final = 0xFFFF
"""A longer event goes on under a timestamp that is later by this: §2.5.1.3."""
_OPEN: Final = 16
"""Digits of a flow whose packets may still come."""
MAX_DIGITS: Final = 1_000_000


@dataclass(slots=True, kw_only=True)
class Event:
    """One event of one flow."""

    code: int
    payload_type: int
    declared: bool
    """SDP says that the payload type carries events. Else the payloads look so."""
    start_ns: int
    last_segment: int
    """Timestamp of the segment that is on."""
    earlier_ticks: int = 0
    """Of its segments before that one."""
    ticks: int = 0
    """Of that one."""
    volume: int
    packets: int = 0
    ends: int = 0
    tick_ns: float
    """nan: not declared."""

    def digit(self, tick_ns: float) -> Digit:
        """As the document has it; `tick_ns` is taken where the event's own clock is not known."""
        tick = tick_ns if isnan(self.tick_ns) else self.tick_ns
        return Digit(
            digit=NAMES[self.code] if self.code < len(NAMES) else f"event {self.code}",
            method=DigitMethod.RFC4733,
            start=self.start_ns / 1e9,
            duration_ms=round((self.earlier_ticks + self.ticks) * tick / 1e6, 6),
            volume_dbm0=-self.volume,
            packets=self.packets,
            end_packets=self.ends,
            complete=self.ends > 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPackets:
    """Packets of events, sorted by flow, arrivals in order; columns of one length."""

    flow: Ints
    time_ns: Ints
    timestamp: npt.NDArray[np.uint32]
    payload_type: npt.NDArray[np.uint8]
    declared: npt.NDArray[np.bool_]
    tick_ns: npt.NDArray[np.float64]
    payload: npt.NDArray[np.uint32]
    """The four bytes, as a number: event, end and volume, duration."""


class Digits:
    """The events of all flows."""

    def __init__(self) -> None:
        self.events: dict[int, list[Event]] = {}
        self._open: dict[int, dict[tuple[int, int], Event]] = {}
        self._count = 0
        self.refused = 0
        """Packets of events beyond a million."""

    def forget(self, rows: Ints) -> None:
        """Flows that are no more."""
        for row in rows.tolist():
            self._count -= len(self.events.pop(row, ()))
            self._open.pop(row, None)

    def add(self, found: EventPackets) -> None:
        """A batch: the packets of one digit are mostly neighbours, and are taken together."""
        if not len(found.flow):
            return
        code = found.payload >> np.uint32(24)
        changed = found.flow[1:] != found.flow[:-1]
        changed |= (found.timestamp[1:] != found.timestamp[:-1]) | (code[1:] != code[:-1])
        starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(changed) + 1])
        ended = (found.payload >> np.uint32(23) & 1).astype(np.int64)
        ticks = np.maximum.reduceat(found.payload & np.uint32(0xFFFF), starts).tolist()
        packets = np.diff(starts, append=len(code)).tolist()
        ends = np.add.reduceat(ended, starts).tolist()
        firsts = [
            one[starts].tolist()
            for one in (found.flow, found.timestamp, found.payload, found.time_ns, found.payload_type, found.declared)
        ]
        for *first, tick_ns, run, most, end in zip(
            *firsts, found.tick_ns[starts].tolist(), packets, ticks, ends, strict=True
        ):
            event = self._event(first, tick_ns)
            if event is None:
                self.refused += run
                continue
            if first[1] == event.last_segment:
                event.ticks = max(event.ticks, most)
            event.packets += run
            event.ends += end

    def _event(self, first: Sequence[int], tick_ns: float) -> Event | None:
        """The event that a packet (flow, timestamp, payload, time, payload type, declared) is of; begun when new."""
        flow, timestamp, payload, time_ns, payload_type, declared = first
        code = payload >> 24
        known = self._open.setdefault(flow, {})
        event = known.get((timestamp, code))
        if event is not None:
            return event
        event = known.get(((timestamp - SEGMENT_TICKS) & 0xFFFFFFFF, code))
        if event is not None and event.ends == 0:
            event.earlier_ticks += SEGMENT_TICKS
            event.last_segment, event.ticks = timestamp, 0
        elif self._count >= MAX_DIGITS:
            return None
        else:
            event = Event(
                code=code,
                payload_type=payload_type,
                declared=bool(declared),
                start_ns=time_ns,
                last_segment=timestamp,
                volume=payload >> 16 & 0x3F,
                tick_ns=tick_ns,
            )
            self._count += 1
            self.events.setdefault(flow, []).append(event)
        known[timestamp, code] = event
        if len(known) > _OPEN:
            del known[next(iter(known))]
        return event
