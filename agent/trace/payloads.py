"""The packets of streams with their payloads: what a second pass over a capture is for."""

from collections.abc import Iterator

import numpy as np

from agent.trace.analysis import Analysis
from agent.trace.model import RtpPackets
from agent.trace.records import Ints
from agent.trace.results import endpoints, ssrc
from agent.trace.segments import before, extended
from agent.trace.streams import Batch


class Payloads:
    """Takes the payloads out of each batch while its bytes are there."""

    def __init__(self, analysis: Analysis, streams: dict[tuple[str, str, str], int]) -> None:
        self._analysis, self._streams = analysis, streams
        self._known: dict[tuple[int, int], int | None] = {}
        self._timestamps: dict[int, int] = {}
        """Extended, of the last packet, by stream."""
        self._ready: list[RtpPackets] = []

    def taken(self) -> Iterator[RtpPackets]:
        """What was collected since the last time."""
        ready, self._ready = self._ready, []
        yield from ready

    def add(self, batch: Batch) -> None:
        """One batch of the analysis."""
        segments = batch.segments
        numbers = [self._number(flow) for flow in segments.flows.tolist()]
        first = segments.timestamp[segments.starts].astype(np.int64).tolist()
        last = [
            first[at] if number is None else self._timestamps.get(number, first[at])
            for at, number in enumerate(numbers)
        ]
        bases = np.array(last)
        steps = segments.timestamp - before(segments.timestamp, segments.starts, (bases & 0xFFFFFFFF).astype(np.uint32))
        timestamps = extended(steps.view(np.int32).astype(np.int64), segments, bases)
        for at, number in enumerate(numbers):
            if number is None:
                continue
            begin = int(segments.starts[at])
            end = begin + int(segments.counts[at])
            self._timestamps[number] = int(timestamps[end - 1])
            cuts = (np.flatnonzero(np.diff(batch.meaning[begin:end])) + begin + 1).tolist()
            for start, stop in zip([begin, *cuts], [*cuts, end], strict=True):
                self._ready.append(self._packets(batch, number, timestamps, start, stop))

    def _packets(self, batch: Batch, number: int, timestamps: Ints, start: int, stop: int) -> RtpPackets:
        segments, rtp = batch.segments, batch.rtp
        rows = segments.order[start:stop]
        return RtpPackets(
            stream=number,
            sequence=batch.sequence[start:stop].copy(),
            timestamp=timestamps[start:stop].copy(),
            arrival_ns=segments.time_ns[start:stop].copy(),
            payload_type=segments.payload_type[start:stop].copy(),
            is_event=batch.event[start:stop].copy(),
            payloads=[
                rtp.data[at : at + size].tobytes()
                for at, size in zip(rtp.offset[rows].tolist(), rtp.captured[rows].tolist(), strict=True)
            ],
            formats=self._analysis.meanings.formats[int(batch.meaning[start])],
        )

    def _number(self, flow: int) -> int | None:
        flows = self._analysis.streams.flows
        key = (int(flows.hosts[flow]), int(flows.rest[flow]))
        if key not in self._known:
            source, destination = endpoints(self._analysis, *key)
            self._known[key] = self._streams.get((source, destination, ssrc(key[1])))
        return self._known[key]
