"""What came of one RTP stream over time: the second pass over a capture, in slots of equal length.

The definitions are those of `calltest trace` (docs/trace.md): what a stream's figures say in all, its slots add up to.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.sip.sdp import EVENT_NAME
from agent.trace.model import RtpPackets
from controller.page.model import Slot, Span, SpanKind
from controller.page.scale import step_of

MAX_SLOTS: Final = 120
LEAST_SLOT_S: Final = 1.0
GAP_S: Final = 0.2
"""Longer than this between two arrivals is drawn as a gap: RFC 3551 §4.2 has no packet that is longer."""
ANOTHER_LIFE: Final = 32_768
"""A step of extended numbers as large as this is to another life of the source (RFC 3550 A.1): it loses nothing."""


@dataclass(slots=True)
class _Jitter:
    """RFC 3550 A.8."""

    value_ns: float = 0.0
    arrival_ns: int = 0
    timestamp: int = 0
    tick_ns: float | None = None

    def add(self, arrival_ns: int, timestamp: int, tick_ns: float) -> float:
        """The value after a packet of audio."""
        if self.tick_ns == tick_ns:
            moved_ns = (arrival_ns - self.arrival_ns) - (timestamp - self.timestamp) * tick_ns
            self.value_ns += (abs(moved_ns) - self.value_ns) / 16
        self.arrival_ns, self.timestamp, self.tick_ns = arrival_ns, timestamp, tick_ns
        return self.value_ns


class Course:
    """Takes a stream's packets in the order of their arrival."""

    def __init__(self) -> None:
        self._arrivals: list[npt.NDArray[np.int64]] = []
        self._sequences: list[npt.NDArray[np.int64]] = []
        self._jitters: list[float] = []
        self._jitter = _Jitter()
        self._highest: int | None = None
        self._has_payload = False

    def add(self, packets: RtpPackets) -> None:
        """Takes consecutive arrivals."""
        self._arrivals.append(packets.arrival_ns)
        self._sequences.append(packets.sequence)
        ticks_ns = {
            number: 1e9 / form.clock_rate_hz for number, form in packets.formats.items() if form.name != EVENT_NAME
        }
        columns = (packets.sequence, packets.timestamp, packets.arrival_ns, packets.payload_type, packets.is_event)
        rows = zip(*(column.tolist() for column in columns), packets.payloads, strict=True)
        for sequence, timestamp, arrival_ns, payload_type, is_event, payload in rows:
            self._restart(sequence)
            # RTP without payload (a keep-alive) is no audio; where a capture has no payloads at all, nobody knows.
            self._has_payload = self._has_payload or bool(payload)
            tick_ns = None if is_event or (self._has_payload and not payload) else ticks_ns.get(payload_type)
            self._jitters.append(
                math.nan if tick_ns is None else self._jitter.add(arrival_ns, timestamp, tick_ns) / 1e6
            )

    @property
    def jitter_ms(self) -> float | None:
        """After the last packet of audio."""
        return next((one for one in reversed(self._jitters) if not math.isnan(one)), None)

    @property
    def max_jitter_ms(self) -> float | None:
        """The largest value that it ever had."""
        return max((one for one in self._jitters if not math.isnan(one)), default=None)

    def slots(self, lost: int, origin_s: float) -> tuple[tuple[Slot, ...], int]:
        """Slots since `origin_s`, and what of `lost` (as the trace counts it) has no place in them."""
        if not self._arrivals:
            return (), lost
        arrivals = np.concatenate(self._arrivals)
        at_s = (arrivals - round(origin_s * 1e9)) / 1e9
        first = math.floor(float(at_s.min()) / LEAST_SLOT_S) * LEAST_SLOT_S
        length_s = float(at_s.max()) - first
        step_s = max(LEAST_SLOT_S, step_of(length_s, MAX_SLOTS)) if length_s > 0 else LEAST_SLOT_S
        index = np.floor((at_s - first) / step_s).astype(np.int64)
        count = int(index.max()) + 1
        missing = self._missing(lost)
        losses = np.bincount(index, missing, count).astype(np.int64)
        jitters = np.full(count, -1.0)
        known = np.array(self._jitters)
        measured = ~np.isnan(known)
        np.maximum.at(jitters, index[measured], known[measured])
        packets = np.bincount(index, minlength=count)
        slots = tuple(
            Slot(
                begin_s=first + place * step_s,
                end_s=first + (place + 1) * step_s,
                packets=int(packets[place]),
                lost=int(losses[place]),
                jitter_ms=float(jitters[place]) if jitters[place] >= 0 else None,
            )
            for place in range(count)
        )
        return slots, lost - int(losses.sum())

    def gaps(self, origin_s: float, least_s: float = GAP_S) -> tuple[Span, ...]:
        """Stretches without any packet."""
        if not self._arrivals:
            return ()
        at_s = (np.concatenate(self._arrivals) - round(origin_s * 1e9)) / 1e9
        waits = np.diff(at_s)
        return tuple(
            Span(
                begin_s=float(at_s[place]),
                end_s=float(at_s[place + 1]),
                kind=SpanKind.GAP,
                label=f"no packet for {waits[place]:.2f} s",
            )
            for place in np.flatnonzero(waits > least_s).tolist()
        )

    def _missing(self, lost: int) -> npt.NDArray[np.int64]:
        """For each arrival, how many numbers are missing right before its own; nothing where they are not `lost`."""
        sequences = np.concatenate(self._sequences)
        numbers, first = np.unique(sequences, return_index=True)
        steps = np.diff(numbers, prepend=numbers[0] - 1) - 1
        missing = np.zeros(len(sequences), np.int64)
        if int(steps.sum()) != lost:
            steps[steps >= ANOTHER_LIFE - 1] = 0
        if int(steps.sum()) <= lost:
            missing[first] = steps
        return missing

    def _restart(self, sequence: int) -> None:
        """Between two lives there is no difference of times."""
        if self._highest is not None and abs(sequence - self._highest) >= ANOTHER_LIFE:
            self._jitter = _Jitter()
            self._highest = sequence
        self._highest = sequence if self._highest is None else max(self._highest, sequence)
