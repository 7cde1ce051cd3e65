"""pcapng files (draft-ietf-opsawg-pcapng): sections, interfaces and their link types, clocks and byte orders."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.file.records import MAX_ROWS, Ints, Records, Skipped, load_words
from agent.trace.file.source import MAX_RECORD, Bytes, Source
from agent.trace.kernel import RECORD, address, kernel

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
SECTION, INTERFACE, OLD_PACKET, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_SILENT: Final = (4, 5, 7, 8, 9, 10, 0xBAD, 0x40000BAD, 0x80000001)
"""Name resolution, statistics, clocks, journals, secrets, custom blocks, Apple's processes: nothing to hear in them."""
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<u4", b"\x1a\x2b\x3c\x4d": ">u4"}
_MIN_BLOCK: Final = 12
_SEARCH: Final = 1 << 16
"""Bytes searched at once after damage."""
_TSRESOL, _TSOFFSET = 9, 14
MAX_INTERFACES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Where packets of a section came from."""

    link: int
    snap: int
    """0: no limit."""
    ticks_per_s: int
    offset_s: int


class Pcapng:
    """One file's records."""

    name = "pcapng"

    def __init__(self, source: Source, skipped: Skipped) -> None:
        self._source, self._skipped = source, skipped
        self._order = "<u4"
        self._interfaces: list[Interface] = []
        self._positions = np.empty((2, MAX_ROWS), np.int64)

    def batches(self) -> Iterator[Records]:
        """Until the end of the file; each is valid until the next."""
        used, lost, looked = 0, False, False
        while True:
            grew = self._source.advance(used)
            data, end = self._source.readable, len(self._source.data)
            if end == 0:
                return
            if looked and not (lost or used or grew) and self._source.ended:
                # It claims more than there is: cut off, or damaged, with others behind.
                used, lost = self._searched(data[1:], end - 1)
                if lost and used >= end - 1:
                    self._skipped["block cut at the end of the file"] += 1
                    return
                self._skipped["damaged block"] += 1
                used += 1
                continue
            looked = True
            if lost:
                used, lost = self._searched(data, end)
                if used or lost:
                    continue
            if end >= _MIN_BLOCK and data[:4].tobytes() == MAGIC:
                self._order = _ORDERS.get(data[8:12].tobytes(), self._order)
            positions, lengths = self._blocks(data, end)
            used = 0
            if len(positions):
                yield from self._records(data, positions, lengths)
                used = int(positions[-1] + lengths[-1])
            if end - used >= _MIN_BLOCK and self._bad(data, used, end):
                self._skipped["damaged block"] += 1
                used, lost = used + 1, True

    def _field(self, data: Bytes, at: int) -> int:
        return int(data[at : at + 4].view(self._order)[0])

    def _bad(self, data: Bytes, at: int, end: int) -> bool:
        """The block here can never be read, however much more of the file comes."""
        if data[at : at + 4].tobytes() == MAGIC:
            order = _ORDERS.get(data[at + 8 : at + 12].tobytes())
            if order != self._order:
                # Another byte order begins with the next window, unless it is none at all.
                return order is None or at == 0
        length = self._field(data, at + 4)
        if length < _MIN_BLOCK or length % 4 or length > MAX_RECORD:
            return True
        return at + length <= end and self._field(data, at + length - 4) != length

    def _blocks(self, data: Bytes, end: int) -> tuple[Ints, Ints]:
        """The sound and whole blocks from 0 on, as far as their byte order is the same; positions and lengths."""
        swapped, found = self._order == ">u4", self._positions
        where = (address(row) for row in found)
        count = kernel().trace_pcapng(address(data), end, swapped, MAX_RECORD, *where, MAX_ROWS)
        return found[0, :count], found[1, :count]

    def _records(self, data: Bytes, positions: Ints, lengths: Ints) -> Iterator[Records]:
        """Packets between two blocks that say what they mean are one batch."""
        types = np.ndarray((len(data) - 3,), self._order, data, strides=(1,))[positions]
        packets = types == ENHANCED
        marks = np.isin(types, (SIMPLE, OLD_PACKET, SECTION, INTERFACE))
        if unknown := int((~packets & ~marks & ~np.isin(types, _SILENT)).sum()):
            self._skipped["block of an unknown type"] += unknown  # it may be a packet whose type was damaged
        begin = 0
        for index in np.flatnonzero(marks).tolist():
            between = begin + np.flatnonzero(packets[begin:index])
            yield from self._enhanced(data, positions[between], lengths[between])
            begin = index + 1
            kind, at, length = int(types[index]), int(positions[index]), int(lengths[index])
            if kind == SECTION:
                self._interfaces = []
            elif kind == INTERFACE:
                self._interface(data, at, length)
            else:
                yield from self._other_packet(data, kind, at, length)
        between = begin + np.flatnonzero(packets[begin:])
        yield from self._enhanced(data, positions[between], lengths[between])

    def _interface(self, data: Bytes, at: int, length: int) -> None:
        if length < 20 or len(self._interfaces) >= MAX_INTERFACES:
            self._skipped["damaged interface description"] += 1
            length = 20
        half = self._order.replace("4", "2")
        ticks, offset = 1_000_000, 0
        place, stop = at + 16, at + length - 4
        while place + 4 <= stop:
            code, size = (int(value) for value in data[place : place + 4].view(half))
            value = data[place + 4 : place + 4 + size]
            if code == 0 or place + 4 + size > stop:
                break
            if code == _TSRESOL and size == 1:
                ticks = 2 ** (int(value[0]) & 0x7F) if value[0] & 0x80 else 10 ** int(value[0])
            if code == _TSOFFSET and size == 8:
                offset = int(value.view(self._order.replace("4", "8").replace("u", "i"))[0])
            place += 4 + (size + 3) // 4 * 4
        link = int(data[at + 8 : at + 10].view(half)[0])
        self._interfaces.append(
            Interface(link=link, snap=self._field(data, at + 12), ticks_per_s=ticks, offset_s=offset)
        )

    def _enhanced(self, data: Bytes, positions: Ints, lengths: Ints) -> Iterator[Records]:
        if not len(positions):
            return
        words = load_words(data, positions + 8, 5).view(self._order)
        fits = (lengths >= 32) & (words[:, 3] <= lengths - 32)
        yield from self._packets(
            data,
            words[:, 0].astype(np.int64),
            stamps=words[:, 1:3],
            sizes=words[:, 3:5],
            offset=positions + 28,
            fits=fits,
        )

    def _packets(
        self,
        data: Bytes,
        interface: Ints,
        *,
        stamps: npt.NDArray[np.uint32],
        sizes: npt.NDArray[np.uint32],
        offset: Ints,
        fits: npt.NDArray[np.bool_],
    ) -> Iterator[Records]:
        known = interface < len(self._interfaces)
        for reason, wrong in (("packet of an unknown interface", ~known), ("damaged packet block", known & ~fits)):
            if wrong.any():
                self._skipped[reason] += int(wrong.sum())
        good = known & fits
        if not good.any():
            return
        interface, stamps, sizes, offset = interface[good], stamps[good], sizes[good], offset[good]
        ticks = (stamps[:, 0].astype(np.uint64) << np.uint64(32)) | stamps[:, 1].astype(np.uint64)
        time_ns = np.zeros(len(ticks), np.int64)
        for number in np.unique(interface).tolist():
            where = interface == number
            time_ns[where] = _nanoseconds(ticks[where], self._interfaces[number])
        links = np.array([one.link for one in self._interfaces])
        table = np.zeros(len(offset), RECORD)
        table["offset"], table["time_ns"], table["link"] = offset, time_ns, links[interface]
        table["captured"], table["wire"] = sizes[:, 0], sizes[:, 1]
        yield Records(data=data, table=table)

    def _other_packet(self, data: Bytes, kind: int, at: int, length: int) -> Iterator[Records]:
        """A Simple Packet Block has no time: nothing about a stream can be measured. The old Packet Block is whole."""
        if kind == SIMPLE:
            self._skipped["packet without a time (Simple Packet Block)"] += 1
            return
        if length < 32:
            self._skipped["damaged packet block"] += 1
            return
        half = self._order.replace("4", "2")
        words = data[at + 12 : at + 28].view(self._order).reshape(1, 4)
        interface = np.array([int(data[at + 8 : at + 10].view(half)[0])])
        fits = np.array([int(words[0, 2]) <= length - 32])
        yield from self._packets(
            data, interface, stamps=words[:, :2], sizes=words[:, 2:], offset=np.array([at + 28]), fits=fits
        )

    def _plausible(self, data: Bytes, at: Ints, end: int) -> npt.NDArray[np.bool_]:
        every = np.ndarray((len(data) - 3,), self._order, data, strides=(1,))
        lengths = every[at + 4].astype(np.int64)
        good = (lengths >= 32) & (lengths % 4 == 0) & (lengths <= MAX_RECORD) & (at + lengths <= end)
        same: npt.NDArray[np.bool_] = every[np.where(good, at + lengths - 4, 0)] == lengths
        both: npt.NDArray[np.bool_] = good & same
        return both

    def _searched(self, data: Bytes, end: int) -> tuple[int, bool]:
        """After damage: bytes to drop up to the next plausible packet or section, and whether still lost."""
        every = np.ndarray((len(data) - 3,), self._order, data, strides=(1,))
        near = min(end, _SEARCH)
        at = np.flatnonzero(every[: max(0, near - _MIN_BLOCK + 1)] == ENHANCED)
        whole = at[self._plausible(data, at, end)]
        window = data[:near].tobytes()
        section = window.find(MAGIC)
        while section >= 0 and window[section + 8 : section + 12] not in _ORDERS:
            section = window.find(MAGIC, section + 1)
        places = [int(place) for place in (whole[:1].tolist() + [section] * (section >= 0))]
        if places:
            return min(places), False
        if near < end:
            return near - _MIN_BLOCK + 1, True
        if self._source.ended:
            return end, True
        # A block longer than what is left of the window is looked at again with the next.
        lengths = every[at + 4].astype(np.int64)
        open_ = at[(lengths >= 32) & (lengths % 4 == 0) & (lengths <= MAX_RECORD) & (at + lengths > end)]
        return (int(open_[0]) if len(open_) else max(1, end - _MIN_BLOCK + 1)), True


def _nanoseconds(ticks: npt.NDArray[np.uint64], interface: Interface) -> Ints:
    """Since 1970, exact where the clock's ticks divide a second into whole nanoseconds."""
    rate = np.uint64(min(interface.ticks_per_s, 1 << 63))
    seconds, rest = ticks // rate, ticks % rate
    if 1_000_000_000 % int(rate) == 0:
        fraction = rest * np.uint64(1_000_000_000 // int(rate))
    else:
        fraction = (rest.astype(np.float64) * (1e9 / float(rate))).astype(np.uint64)
    # Nonsense times wrap around; they do not raise.
    with np.errstate(over="ignore"):
        total = seconds * np.uint64(1_000_000_000) + fraction
        return total.view(np.int64) + np.int64((interface.offset_s * 1_000_000_000 + (1 << 63)) % (1 << 64) - (1 << 63))
