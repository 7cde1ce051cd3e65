"""Counters of streams, batch by batch; the definitions are those of model.Stream."""

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.flows import Flows
from agent.trace.jitter import jitter
from agent.trace.records import Ints
from agent.trace.seen import Holes
from agent.trace.segments import Segments, before, extended

MAX_DROPOUT: Final = 3000
"""RFC 3550 A.1: a larger step is a source that began anew rather than loss."""
_APART: Final = 1 << 36
"""More than the sequence numbers of one batch can span: keeps the segments' running maxima apart."""


class Counters:
    """The columns of `flows` that count."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows
        self._holes: dict[int, Holes] = {}
        self.jumps: dict[int, int] = {}
        """Steps larger than MAX_DROPOUT, by flow."""

    def forget(self, rows: Ints) -> None:
        """Flows that are no more."""
        for row in rows.tolist():
            self._holes.pop(row, None)
            self.jumps.pop(row, None)

    def forgotten_holes(self, flow: int) -> int:
        """Gaps of the flow that were too many to remember."""
        holes = self._holes.get(flow)
        return holes.forgotten if holes else 0

    def add(self, segments: Segments) -> Ints:
        """Sequence numbers and arrival times of a batch; its extended sequence numbers."""
        flows, rows, starts = self._flows, segments.flows, segments.starts
        last = (flows.sequence[rows] & 0xFFFF).astype(np.uint16)
        delta = (segments.sequence - before(segments.sequence, starts, last)).view(np.int16).astype(np.int64)
        sequence = extended(delta, segments, flows.sequence[rows])
        flows.runs[rows] += np.add.reduceat(delta == 1, starts, dtype=np.int64)
        self._order(segments, sequence)
        flows.sequence[rows] = sequence[starts + segments.counts - 1]
        flows.packets[rows] += segments.counts

        waited = segments.time_ns - before(segments.time_ns, starts, flows.last_ns[rows])
        flows.max_delta_ns[rows] = np.maximum(flows.max_delta_ns[rows], np.maximum.reduceat(waited, starts))
        flows.last_ns[rows] = segments.time_ns[starts + segments.counts - 1]

        self._types(segments)
        return sequence

    def _types(self, segments: Segments) -> None:
        """Packets by payload type: by runs of one type, of which there are few."""
        changed = segments.payload_type[1:] != segments.payload_type[:-1]
        changed[segments.starts[1:] - 1] = True
        runs = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(changed) + 1])
        flow = segments.flows[np.searchsorted(segments.starts, runs, "right") - 1]
        flat = flow * 128 + segments.payload_type[runs]
        np.add.at(self._flows.by_type.reshape(-1), flat, np.diff(runs, append=len(segments.payload_type)))

    def _order(self, segments: Segments, sequence: Ints) -> None:
        """Highest and lowest number, gaps, late packets and copies."""
        flows, rows, starts = self._flows, segments.flows, segments.starts
        floor = np.arange(len(rows)) * _APART
        apart = sequence + segments.spread(floor - flows.highest[rows])
        floors = segments.spread(floor)
        top = np.maximum(np.maximum.accumulate(apart), floors)
        step = apart - before(top, starts, floor)
        flows.reordered[rows] += np.add.reduceat(step < 0, starts, dtype=np.int64)
        odd = np.flatnonzero(step != 1)
        if len(odd):
            flow = rows[np.searchsorted(starts, odd, "right") - 1]
            self._odd(flow.tolist(), sequence[odd].tolist(), step[odd].tolist())
            jump = odd[np.abs(step[odd]) > MAX_DROPOUT]
            for number in rows[np.searchsorted(starts, jump, "right") - 1].tolist():
                self.jumps[number] = self.jumps.get(number, 0) + 1
        flows.highest[rows] += top[starts + segments.counts - 1] - floor

    def _odd(self, flows: list[int], numbers: list[int], steps: list[int]) -> None:
        """Packets that do not follow on the highest so far: above it (step > 1), or not above it."""
        before_flow, holes = -1, Holes()
        for flow, number, step in zip(flows, numbers, steps, strict=True):
            if flow != before_flow:
                before_flow = flow
                known = self._holes.get(flow)
                holes = self._holes[flow] = Holes() if known is None else known
            if step > 1:
                holes.above(number - step + 1, number)
            elif not holes.fill(number):
                lowest = int(self._flows.lowest[flow])
                if number >= lowest:
                    self._flows.duplicates[flow] += 1
                    continue
                self._flows.lowest[flow] = number
                if number + 1 < lowest:
                    holes.below(number + 1, lowest)

    def add_jitter(self, segments: Segments, audio: npt.NDArray[np.bool_], tick_ns: npt.NDArray[np.float64]) -> None:
        """Jitter of the rows that are `audio`; `tick_ns` is each row's clock."""
        flows, times, stamps = self._flows, segments.time_ns, segments.timestamp
        rows, starts, ends = segments.flows, segments.starts, segments.starts + segments.counts
        if not audio.all():
            counts = np.add.reduceat(audio, starts, dtype=np.int64)
            times, stamps, tick_ns, rows = times[audio], stamps[audio], tick_ns[audio], rows[counts > 0]
            ends = np.cumsum(counts[counts > 0])
            starts = ends - counts[counts > 0]
        if not len(rows):
            return
        ticks = (stamps - before(stamps, starts, flows.audio_timestamp[rows])).view(np.int32)
        waited = times - before(times, starts, flows.audio_ns[rows])
        difference = np.abs(waited - ticks * tick_ns)
        # No difference between two clocks, nor before the first packet (nan differs from all).
        difference[tick_ns != before(tick_ns, starts, flows.audio_tick_ns[rows])] = np.nan
        values = jitter(difference, starts, flows.jitter_ns[rows])
        flows.jitter_ns[rows] = values[ends - 1]
        flows.max_jitter_ns[rows] = np.maximum(flows.max_jitter_ns[rows], np.maximum.reduceat(values, starts))
        flows.audio_ns[rows], flows.audio_timestamp[rows] = times[ends - 1], stamps[ends - 1]
        flows.audio_tick_ns[rows] = tick_ns[ends - 1]
