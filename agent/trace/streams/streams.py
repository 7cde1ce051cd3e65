"""RTP streams, batch by batch: which flow each packet belongs to, whose it is, what its payload type means."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import numpy as np

from agent.trace.kernel import FlowState, Table
from agent.trace.model import Side
from agent.trace.streams.calls import Call, Declaration, Ended, Event, Leg, other
from agent.trace.streams.flows import MAX_UNCONFIRMED, Flows
from agent.trace.streams.formats import Meanings

MAX_PLACES: Final = 262_144
"""Addresses and ports that SDP declared; the oldest are forgotten."""
MAX_CLAIMS: Final = 64
"""Of one address and port: where all calls of a server go to one port, the oldest are forgotten."""
MAX_LOOKED_AT: Final = 64
"""Streams of one address and port, the youngest, that an SDP changes."""
BUSY_NS: Final = 500_000_000
"""A call whose media is younger than this has not left its address to another."""

Member = tuple[Leg, Side]


class Streams:
    """All flows, what they carry, and whose they are."""

    def __init__(self, meanings: Meanings) -> None:
        self.flows, self.meanings = Flows(), meanings
        self.members: dict[int, tuple[Member, ...]] = {}
        """Who sends a flow, by its row; those without any are left out."""
        self.lines: dict[int, int] = {}
        """For which m= line (from 1), by its row."""
        self._places: OrderedDict[int, dict[Member, Declaration]] = OrderedDict()
        """Where sides of calls want to receive."""
        self._to: dict[int, dict[int, None]] = {}
        self._from: dict[int, dict[int, None]] = {}
        """Flows that may yet go on, by destination and source, in the order of their begin."""
        self.beyond = 0
        """Times that there were more addresses, calls of one address, or streams of one, than are looked at."""
        self._begun = 0
        """Flows that had begun when it was last looked which to forget."""

    def add(self, packets: Table, events: Sequence[Event]) -> None:
        """One batch of what may be RTP (kernel.PACKET), and what SIP says among it, both in arrival order."""
        self._forget()
        at, rows = 0, np.ascontiguousarray(packets["row"])
        for said in events:
            end = int(np.searchsorted(rows, said.row))
            self._count(packets, at, end)
            if isinstance(said, Declaration):
                self._declare(said)
            else:
                self._end(said)
            at = end
        self._count(packets, at, len(packets))

    def _count(self, packets: Table, at: int, end: int) -> None:
        while at < end:
            at = self.flows.add(packets, at, end, self.meanings.columns, tell_new=True)
            if at < end:
                self._begin(int(packets["flow"][at]))

    def _forget(self) -> None:
        """Makes room, before a batch, where too much has not shown to be RTP."""
        if self.flows.begun - self._begun <= MAX_UNCONFIRMED // 4:
            return
        self._begun = self.flows.begun
        rows = self.flows.rows
        unsure = self.flows.unsure()
        places = rows["destination"][unsure].tolist(), rows["source"][unsure].tolist()
        for flow, to, back in zip(unsure.tolist(), *places, strict=True):
            self._leave(flow, to, back)
        self.flows.forget(unsure)

    # --- whose a flow is

    def _begin(self, flow: int) -> None:
        row = self.flows.rows[flow]
        before, to, back = int(row["before"]), int(row["destination"]), int(row["source"])
        if before >= 0:
            self._leave(before, to, back)
        self._to.setdefault(to, {})[flow] = None
        self._from.setdefault(back, {})[flow] = None
        if self._places:
            self._join(flow, to, back)

    def _leave(self, flow: int, to: int, back: int) -> None:
        """Nothing that SIP says changes it any more."""
        for index, where in ((self._to, to), (self._from, back)):
            if (flows := index.get(where)) is not None:
                flows.pop(flow, None)
                if not flows:
                    del index[where]

    def _join(self, flow: int, to: int, back: int) -> None:
        """Makes a flow that of whoever sends it, by what SDP says now."""
        there, here = self._places.get(to, {}), self._places.get(back, {})
        # Of all who want to receive there, those who talk to its sender; behind NAT, whoever does.
        both = [(leg, side) for leg, side in here if (leg, other(side)) in there]
        known = self.members.get(flow, ())
        members = both or known or [(leg, other(side)) for leg, side in there] or list(here)
        if not members:
            return
        leg, side = members[-1]
        rows = self.flows.rows
        if said := there.get((leg, other(side))):
            rows["meaning"][flow], self.lines[flow] = said.meaning, said.line
        elif said := here.get((leg, side)):
            rows["meaning"][flow], self.lines[flow] = said.back, said.line
        rows["declared"][flow], rows["state"][flow] = True, FlowState.IN_CALL
        self.members[flow] = (*known, *(one for one in members if one not in known))
        for leg, _ in members:
            leg.call.flows.add(flow)

    # --- what SIP says

    def _declare(self, said: Declaration) -> None:
        """An SDP's word holds from now on."""
        call, claims = said.leg.call, self._places.setdefault(said.place, {})
        call.over = False
        for member, before in list(claims.items()):
            same = _is_same_pair(before, said)
            if same or self._is_succeeded(before, said):
                del claims[member]
                self._release(said.place, before.leg.call, FlowState.CLOSED if same else FlowState.OVER)
        claims.pop((said.leg, said.side), None)
        claims[said.leg, said.side] = said
        if len(claims) > MAX_CLAIMS:
            del claims[next(iter(claims))]
            self.beyond += 1
        self._places.move_to_end(said.place)
        if len(self._places) > MAX_PLACES:
            self._places.popitem(last=False)
            self.beyond += 1
        rows = self.flows.rows
        there = [index.get(said.place, {}) for index in (self._to, self._from)]
        self.beyond += any(len(some) > MAX_LOOKED_AT for some in there)
        flows = [flow for some in there for flow in _youngest(some)]
        for flow in dict.fromkeys(flows):
            to, back = int(rows["destination"][flow]), int(rows["source"][flow])
            members = self.members.get(flow, ())
            if members and call not in (leg.call for leg, _ in members):
                if all(leg.call.over for leg, _ in members):
                    rows["state"][flow] = FlowState.CLOSED
                    self._leave(flow, to, back)
                    continue
                if rows["state"][flow] == FlowState.OVER:
                    continue
            self._join(flow, to, back)

    def _is_succeeded(self, before: Declaration, said: Declaration) -> bool:
        """A later call has an address where the media of the one before is silent again."""
        flows = self._of(said.place, before.leg.call)
        last_ns = self.flows.rows["last_ns"][flows]
        return _is_later(said, before) and len(last_ns) > 0 and said.time_ns - int(last_ns.max()) > BUSY_NS

    def _of(self, place: int, call: Call) -> list[int]:
        """Flows of a call to and from an address."""
        flows = (flow for index in (self._to, self._from) for flow in _youngest(index.get(place, {})))
        return [flow for flow in flows if flow in call.flows]

    def _release(self, place: int, call: Call, state: FlowState) -> None:
        """What a call has had there is not another's."""
        rows = self.flows.rows
        for flow in self._of(place, call):
            rows["state"][flow] = state
            if state == FlowState.CLOSED:
                self._leave(flow, int(rows["destination"][flow]), int(rows["source"][flow]))

    def _end(self, said: Ended) -> None:
        """Its addresses are free, and what goes on is only what was under way."""
        call = said.call
        call.over = True
        for leg in call.legs:
            for side, places in leg.places.items():
                for where in places:
                    self._places.get(where, {}).pop((leg, side), None)
        self._over(flow for flow in call.flows if all(leg.call.over for leg, _ in self.members[flow]))

    def _over(self, flows: Iterable[int]) -> None:
        states = self.flows.rows["state"]
        for flow in flows:
            if states[flow] == FlowState.IN_CALL:
                states[flow] = FlowState.OVER

    def senders(self, flow: int) -> tuple[Member, ...]:
        """Who sends it; nobody that is known."""
        return self.members.get(flow, ())


def _is_later(said: Declaration, before: Declaration) -> bool:
    """A call that began once another had been answered: no B2BUA's other leg, which begins before that."""
    old, new = before.leg.call, said.leg.call
    return old is not new and old.answered is not None and new.began > old.answered


def _is_same_pair(before: Declaration, said: Declaration) -> bool:
    """A later call between the same two addresses and ports."""
    theirs, others = said.leg.places[other(said.side)], before.leg.places[other(before.side)]
    return _is_later(said, before) and not theirs.isdisjoint(others)


def _youngest(flows: dict[int, None]) -> list[int]:
    return list(islice(reversed(flows), MAX_LOOKED_AT))[::-1]
