"""The packets of streams with their payloads: what a second pass over a capture is for."""

import itertools
from collections.abc import Iterator

import numpy as np

from agent.trace.file.records import Ints, Words
from agent.trace.flow_facts import endpoints, ssrc, start_s
from agent.trace.kernel import Table
from agent.trace.model import RtpPackets
from agent.trace.streams.analysis import Analysis
from agent.trace.wire.ip import Datagrams


class Payloads:
    """Takes the payloads out of each batch while its bytes are there."""

    def __init__(self, analysis: Analysis, streams: dict[tuple[str, str, str, float], int]) -> None:
        self._analysis, self._streams = analysis, streams
        self._known: dict[tuple[int, int, float], int | None] = {}
        self._timestamps: dict[int, int] = {}
        """Extended, of the last packet, by stream."""
        self._ready: list[RtpPackets] = []

    def taken(self) -> Iterator[RtpPackets]:
        """What was collected since the last time."""
        ready, self._ready = self._ready, []
        yield from ready

    def add(self, found: Datagrams) -> None:
        """One batch of the analysis."""
        order = np.argsort(found.packets["flow"], kind="stable")
        packets = found.packets[order]
        for part in np.split(packets, np.flatnonzero(np.diff(packets["flow"])) + 1):
            number = self._number(int(part["flow"][0]))
            if number is not None:
                timestamps = self._extended(number, part["timestamp"])
                cuts = [0, *(np.flatnonzero(np.diff(part["meaning"])) + 1).tolist(), len(part)]
                for rows in itertools.starmap(slice, itertools.pairwise(cuts)):
                    self._ready.append(self._packets(found, number, part[rows], timestamps[rows]))

    def _extended(self, number: int, timestamps: Words) -> Ints:
        """Counted on over wraps, from that of the stream's last packet."""
        last = self._timestamps.get(number, int(timestamps[0]))
        steps = np.diff(timestamps, prepend=np.uint32(last & 0xFFFFFFFF)).view(np.int32)
        extended: Ints = last + np.cumsum(steps, dtype=np.int64)
        self._timestamps[number] = int(extended[-1])
        return extended

    def _packets(self, found: Datagrams, number: int, packets: Table, timestamps: Ints) -> RtpPackets:
        return RtpPackets(
            stream=number,
            sequence=packets["sequence"].copy(),
            timestamp=timestamps,
            arrival_ns=packets["time_ns"].copy(),
            payload_type=packets["payload_type"].copy(),
            is_event=packets["event"].astype(bool),
            payloads=[
                found.payload(at, size)
                for at, size in zip(packets["offset"].tolist(), packets["captured"].tolist(), strict=True)
            ],
            formats=self._analysis.meanings.formats[int(packets["meaning"][0])],
        )

    def _number(self, flow: int) -> int | None:
        flows = self._analysis.streams.flows
        row = flows.rows[flow]
        hosts, rest, start = key = (int(row["hosts"]), int(row["rest"]), start_s(row))
        if key not in self._known:
            source, destination = endpoints(self._analysis, hosts, rest)
            self._known[key] = self._streams.get((source, destination, ssrc(rest), start))
        return self._known[key]
