"""RTP streams, batch by batch: which flow each packet belongs to, what its payload type means there and then."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.trace.counters import Counters
from agent.trace.digits import Digits, EventPackets
from agent.trace.flows import Flows
from agent.trace.formats import AUDIO, EVENT, UNKNOWN, Meanings
from agent.trace.records import Ints, load_words
from agent.trace.rtp import Rtp
from agent.trace.segments import Segments, segmented

EVENT_BYTES: Final = 4
_DYNAMIC: Final = 96
MAX_PLACES: Final = 262_144
"""Addresses and ports that SDP declared; the oldest are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What an SDP says of one address and port: from the record `row` of the batch on."""

    row: int
    place: int
    """flows.place: where its sender wants to receive."""
    meaning: int
    """Row of Meanings."""
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was made of one batch, for who wants its payloads."""

    rtp: Rtp
    segments: Segments
    sequence: Ints
    """Extended, by row of `segments`."""
    meaning: Ints
    event: npt.NDArray[np.bool_]


class Streams:
    """All flows, and what they carry."""

    def __init__(self, meanings: Meanings) -> None:
        self.flows, self.meanings, self.digits = Flows(), meanings, Digits()
        self.counters = Counters(self.flows)
        self.calls: dict[int, tuple[str, bool]] = {}
        """By flow: Call-ID, and whether the SDP was that of the destination."""
        self._places: dict[int, Declaration] = {}
        self._order = 0
        self._begun: dict[int, int] = {}
        """Flows that began in this batch, and with which of its records."""
        self.cut_events = 0
        """Packets of events whose payload was cut off."""

    def add(self, rtp: Rtp, declarations: Sequence[Declaration]) -> Batch | None:
        """One batch of what may be RTP, and the SDPs among it, both in arrival order."""
        if not len(rtp):
            for one in declarations:
                self._declare(one, frozenset())
            return None
        self._forget()
        numbers = self._numbers(rtp)
        segments = segmented(rtp, numbers)
        meaning = self._meanings(rtp, segments, declarations)
        flat = meaning * 128 + segments.payload_type
        kind = self.meanings.kind.reshape(-1)[flat]
        event, declared = self._events(rtp, segments, kind)
        sequence = self.counters.add(segments)
        tick_ns = self.meanings.tick_ns.reshape(-1)[flat]
        # A type without a known clock says nothing, whether it is audio or, as may show later, events.
        self.counters.add_jitter(segments, kind == AUDIO, tick_ns)
        self.flows.heard[segments.flows] = meaning[segments.starts + segments.counts - 1]
        rows = np.flatnonzero(event)
        rows = rows[~self.meanings.encrypted[meaning[rows]]]
        if len(rows):
            self._digits(rtp, segments, rows, declared[rows], tick_ns[rows])
        return Batch(rtp=rtp, segments=segments, sequence=sequence, meaning=meaning, event=event)

    def _forget(self) -> None:
        """Makes room, before a batch, where too much has not shown to be RTP."""
        forgotten = self.flows.forget()
        self.counters.forget(forgotten)
        self.digits.forget(forgotten)
        for flow in forgotten.tolist():
            self.calls.pop(flow, None)

    def _numbers(self, rtp: Rtp) -> Ints:
        """Each packet's flow; new ones are begun."""
        numbers = self.flows.find(rtp.hosts, rtp.rest)
        missing = np.flatnonzero(numbers < 0)
        self._begun = {}
        if not len(missing):
            return numbers
        keys = np.stack([rtp.hosts[missing], rtp.rest[missing]], axis=1).view("V16").ravel()
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        by_arrival = np.argsort(first)
        rows = missing[first[by_arrival]]
        flows = self.flows
        new = flows.add(rtp.hosts[rows], rtp.rest[rows])
        place = np.empty(len(new), np.int64)
        place[by_arrival] = np.arange(len(new))
        numbers[missing] = new[place[which.ravel()]]
        sequence = rtp.sequence[rows].astype(np.int64)
        flows.sequence[new], flows.highest[new], flows.lowest[new] = sequence, sequence - 1, sequence
        flows.first_ns[new] = flows.last_ns[new] = rtp.time_ns[rows]
        flows.timestamp[new] = rtp.timestamp[rows]
        flows.order[new] = self._order + np.arange(len(new))
        self._order += len(new)
        self._begun = dict(zip(new.tolist(), rtp.row[rows].tolist(), strict=True))
        if self._places:
            for flow, source, destination in zip(
                new.tolist(), flows.source[new].tolist(), flows.destination[new].tolist(), strict=True
            ):
                self._begin(flow, self._places.get(destination), self._places.get(source))
        return numbers

    def _begin(self, flow: int, to: Declaration | None, back: Declaration | None) -> None:
        said = to or back
        if said is not None:
            self.flows.meaning[flow], self.flows.declared[flow] = said.meaning, True
            self.calls[flow] = (said.call_id, to is not None)

    def _declare(self, said: Declaration, coming: Collection[int]) -> Ints:
        """An SDP's word holds from now on; the flows it changes. Those that are `coming` begin after it."""
        flows = self.flows
        to = np.flatnonzero(flows.live & (flows.destination == said.place))
        # Who sends from there is the best guess for packets to an address that no SDP declared (or that NAT changed).
        back = np.flatnonzero(flows.live & (flows.source == said.place))
        back = back[[place not in self._places for place in flows.destination[back].tolist()]] if len(back) else back
        self._places.pop(said.place, None)
        self._places[said.place] = said
        if len(self._places) > MAX_PLACES:
            del self._places[next(iter(self._places))]
        for rows, direct in ((to, True), (back, False)):
            flows.meaning[rows], flows.declared[rows] = said.meaning, True
            for flow in rows.tolist():
                known = self.calls.get(flow)
                if known is None or (direct and not known[1]) or (flow in coming and direct == known[1]):
                    self.calls[flow] = (said.call_id, direct)
        return np.concatenate([to, back])

    def _meanings(self, rtp: Rtp, segments: Segments, declarations: Sequence[Declaration]) -> Ints:
        """The row of Meanings in force at each packet."""
        meaning: Ints = segments.spread(self.flows.meaning[segments.flows])
        if not declarations:
            return meaning
        here = {flow: index for index, flow in enumerate(segments.flows.tolist())}
        for said in declarations:
            coming = {flow for flow, row in self._begun.items() if row > said.row}
            for flow in self._declare(said, coming).tolist():
                if flow in here:
                    start = int(segments.starts[here[flow]])
                    end = start + int(segments.counts[here[flow]])
                    begin = start + int(np.searchsorted(rtp.row[segments.order[start:end]], said.row))
                    meaning[begin:end] = said.meaning
        return meaning

    def _events(
        self, rtp: Rtp, segments: Segments, kind: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which rows are events, and which of them by SDP: others have four bytes, and never had more."""
        declared = kind == EVENT
        unknown = np.flatnonzero((kind == UNKNOWN) & (segments.payload_type >= _DYNAMIC))
        if not len(unknown):
            return declared, declared
        event = declared.copy()
        flow = segments.flows[np.searchsorted(segments.starts, unknown, "right") - 1]
        payload_type, length = segments.payload_type[unknown], rtp.wire[segments.order[unknown]]
        longer = length != EVENT_BYTES
        self.flows.not_event[flow[longer], payload_type[longer]] = True
        event[unknown[~self.flows.not_event[flow, payload_type]]] = True
        return event, declared

    def _digits(
        self, rtp: Rtp, segments: Segments, rows: Ints, declared: npt.NDArray[Any], tick_ns: npt.NDArray[Any]
    ) -> None:
        where = segments.order[rows]
        there = rtp.captured[where] >= EVENT_BYTES
        if not there.all():
            self.cut_events += int((~there).sum())
            rows, where, declared, tick_ns = rows[there], where[there], declared[there], tick_ns[there]
        self.digits.add(
            EventPackets(
                flow=segments.flows[np.searchsorted(segments.starts, rows, "right") - 1],
                time_ns=segments.time_ns[rows],
                timestamp=segments.timestamp[rows],
                payload_type=segments.payload_type[rows],
                declared=declared,
                tick_ns=np.where(declared, tick_ns, np.nan),
                payload=load_words(rtp.data, rtp.offset[where], 1)[:, 0].byteswap(),
            )
        )
