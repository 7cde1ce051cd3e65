"""All streams seen so far: the memory in which the kernel counts them."""

import ctypes
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.trace import kernel
from agent.trace.file.records import Ints
from agent.trace.kernel import EVENT, FLOW, HOLE, MAX_EVENTS, MAX_HOLES, OPEN, OPEN_EVENTS, TYPES, Counted, address

MAX_UNCONFIRMED: Final = 32_768
"""What may yet turn out to be RTP. Beyond it the longest silent half is forgotten."""
_ROOM: Final = 1024
"""Of each kind, at first."""


def place(host: int, port: int) -> int:
    """An address (as addresses.Addresses numbers it) and a port as one number."""
    return host << 16 | port >> 8 | (port & 0xFF) << 8


class Flows:
    """One row per (source, destination, SSRC) that may be an RTP stream. Rows keep their number while they live."""

    rows: kernel.Table
    """kernel.FLOW: struct flow in kernel.h says what is in it."""
    by_type: npt.NDArray[np.uint32]
    """Packets by payload type, shape (flows, 128)."""
    events: kernel.Table
    """kernel.EVENT, in the order in which they began; `event_count` of them."""

    def __init__(self) -> None:
        self.forgotten = 0
        """Flows that had not been confirmed when room was needed."""
        self.rows, self.by_type = np.zeros(0, FLOW), np.zeros((0, TYPES), np.uint32)
        self._open, self._holes = np.zeros((0, OPEN_EVENTS), OPEN), np.zeros(0, HOLE)
        self._slots, self.events = np.zeros(0, np.int32), np.zeros(0, EVENT)
        self._table = kernel.Flows(seed=kernel.seed(), free_flow=-1, max_holes=MAX_HOLES)
        self._table.holes.spare = -1
        self._grow_flows()
        self._grow_events()
        self._grow_holes()

    @property
    def count(self) -> int:
        """Rows that ever were in use."""
        return int(self._table.flow_count)

    @property
    def begun(self) -> int:
        """Flows, ever."""
        return int(self._table.order)

    @property
    def event_count(self) -> int:
        """Rows of `events` in use."""
        return int(self._table.event_count)

    @property
    def cut_events(self) -> int:
        """Packets of events whose payload was cut off."""
        return int(self._table.cut_events)

    @property
    def refused_events(self) -> int:
        """Packets of events beyond MAX_EVENTS."""
        return int(self._table.refused_events)

    @property
    def used(self) -> kernel.Table:
        """The rows that ever were in use; where `live` is false they are not now."""
        return self.rows[: self.count]

    def add(self, packets: kernel.Table, at: int, end: int, meanings: kernel.Meanings, *, tell_new: bool) -> int:
        """Counts packets (kernel.PACKET) from `at` up to before `end`, in arrival order; where it came to.

        With `tell_new` that may be a packet whose flow begins: its column `flow` has the row, and it is not counted
        yet. What was found out of each that is counted stands in its columns sequence, flow, meaning, event.
        """
        place = ctypes.c_int64(at)
        said, where = ctypes.byref(meanings), ctypes.byref(place)
        count = kernel.kernel().trace_count
        while True:
            stopped = count(ctypes.byref(self._table), said, address(packets), where, end, tell_new)
            if stopped != Counted.AS_FAR_AS_THERE_IS_ROOM:
                return place.value
            self._grow()

    def confirmed(self) -> npt.NDArray[np.bool_]:
        """RTP: SDP says so, or two packets followed one another (RFC 3550 A.1). A column of `used`."""
        rows = self.used
        return rows["live"] & ((rows["sequence"]["runs"] > 0) | rows["declared"])  # type: ignore[no-any-return]

    def unsure(self, limit: int = MAX_UNCONFIRMED) -> Ints:
        """The longest silent half of what was not confirmed, when that is more than `limit`: their rows."""
        rows = self.used
        unsure = np.flatnonzero(rows["live"] & ~self.confirmed())
        if len(unsure) <= limit:
            return unsure[:0]
        return unsure[np.argsort(rows["last_ns"][unsure], kind="stable")][: len(unsure) // 2]

    def forget(self, flows: Ints) -> None:
        """Drops these rows."""
        if not len(flows):
            return
        self._forget_events(flows)
        kernel.kernel().trace_forget(ctypes.byref(self._table), address(flows), len(flows))
        self.forgotten += len(flows)

    def _forget_events(self, rows: Ints) -> None:
        count = self.event_count
        kept = ~np.isin(self.events["owner"][:count], rows)
        if kept.all():
            return
        place = np.append(np.cumsum(kept) - 1, 0)  # those of forgotten flows are never looked at again
        self._open["event"] = place[np.minimum(self._open["event"], count)]
        left = int(np.count_nonzero(kept))
        self.events[:left] = self.events[:count][kept]
        self._table.event_count = left

    def _grow(self) -> None:
        """More of what is used up."""
        table, holes = self._table, self._table.holes
        if table.free_flow < 0 and table.flow_count == table.flow_room:
            self._grow_flows()
        if table.event_count == table.event_room and table.event_room < MAX_EVENTS:
            self._grow_events()
        if holes.used == holes.room and holes.room < MAX_HOLES:
            self._grow_holes()

    def _grow_flows(self) -> None:
        room = max(_ROOM, 2 * len(self.rows))
        self.rows, self.by_type, self._open = (_longer(one, room) for one in (self.rows, self.by_type, self._open))
        self._slots = np.empty(4 * room, np.int32)
        table = self._table
        table.flows, table.by_type, table.open = (address(one) for one in (self.rows, self.by_type, self._open))
        table.slots, table.slot_mask, table.flow_room = address(self._slots), len(self._slots) - 1, room
        table.slot_shift = 64 - table.slot_mask.bit_length()
        kernel.kernel().trace_enter(ctypes.byref(table))

    def _grow_events(self) -> None:
        self.events = _longer(self.events, min(MAX_EVENTS, max(_ROOM, 2 * len(self.events))))
        self._table.events, self._table.event_room = address(self.events), len(self.events)

    def _grow_holes(self) -> None:
        self._holes = _longer(self._holes, min(MAX_HOLES, max(_ROOM, 2 * len(self._holes))))
        self._table.holes.at, self._table.holes.room = address(self._holes), len(self._holes)


def _longer(array: npt.NDArray[Any], room: int) -> npt.NDArray[Any]:
    """With zeros behind it."""
    new = np.zeros((room, *array.shape[1:]), array.dtype)
    new[: len(array)] = array
    return new
