"""RTP streams, batch by batch: which flow each packet belongs to, what its payload type means there and then."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.trace.kernel import Table
from agent.trace.streams.flows import MAX_UNCONFIRMED, Flows
from agent.trace.streams.formats import Meanings

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


class Streams:
    """All flows, and what they carry."""

    def __init__(self, meanings: Meanings) -> None:
        self.flows, self.meanings = Flows(), meanings
        self.calls: dict[int, tuple[str, bool]] = {}
        """By flow: Call-ID, and whether the SDP was that of the destination."""
        self._places: dict[int, Declaration] = {}
        self._begun = 0
        """Flows that had begun when it was last looked which to forget."""

    def add(self, packets: Table, declarations: Sequence[Declaration]) -> None:
        """One batch of what may be RTP (kernel.PACKET), and the SDPs among it, both in arrival order."""
        self._forget()
        at, rows = 0, np.ascontiguousarray(packets["row"])
        for said in declarations:
            end = int(np.searchsorted(rows, said.row))
            self._count(packets, at, end)
            self._declare(said)
            at = end
        self._count(packets, at, len(packets))

    def _count(self, packets: Table, at: int, end: int) -> None:
        while at < end:
            at = self.flows.add(packets, at, end, self.meanings.columns, tell_new=bool(self._places))
            if at < end:
                self._begin(int(packets["flow"][at]))

    def _forget(self) -> None:
        """Makes room, before a batch, where too much has not shown to be RTP."""
        if self.flows.begun - self._begun <= MAX_UNCONFIRMED // 4:
            return
        self._begun = self.flows.begun
        for flow in self.flows.forget().tolist():
            self.calls.pop(flow, None)

    def _begin(self, flow: int) -> None:
        row = self.flows.rows[flow]
        to, back = (self._places.get(int(row[name])) for name in ("destination", "source"))
        said = to or back
        if said is not None:
            row["meaning"], row["declared"] = said.meaning, True
            self.calls[flow] = (said.call_id, to is not None)

    def _declare(self, said: Declaration) -> None:
        """An SDP's word holds from now on."""
        rows = self.flows.used
        to = np.flatnonzero(rows["live"] & (rows["destination"] == said.place))
        # Who sends from there is the best guess for packets to an address that no SDP declared (or that NAT changed).
        back = np.flatnonzero(rows["live"] & (rows["source"] == said.place))
        back = back[[place not in self._places for place in rows["destination"][back].tolist()]] if len(back) else back
        self._places.pop(said.place, None)
        self._places[said.place] = said
        if len(self._places) > MAX_PLACES:
            del self._places[next(iter(self._places))]
        for which, direct in ((to, True), (back, False)):
            rows["meaning"][which], rows["declared"][which] = said.meaning, True
            for flow in which.tolist():
                known = self.calls.get(flow)
                if known is None or (direct and not known[1]):
                    self.calls[flow] = (said.call_id, direct)
