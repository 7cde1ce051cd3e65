"""pcapng files (draft-ietf-opsawg-pcapng): sections, interfaces and their link types, clocks and byte orders."""

import struct
from collections.abc import Iterator
from functools import lru_cache
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
_SEARCH: Final = (1 << 10, 1 << 16)
"""Bytes searched at once after damage; few first, as a file of small damaged blocks has the next one near."""
_TSRESOL, _TSOFFSET = 9, 14
MAX_INTERFACES: Final = 65_536
"""Of one section."""
MAX_OPTIONS: Final = 256
"""Of one block."""
MAX_TURNS: Final = 1000
"""Changes of byte order within a file: each begins a batch, which costs more than its bytes."""
_NO_LINK: Final = 0xFFFF


_INTERFACE: Final = np.dtype([("link", "<u4"), ("ticks_per_s", "<u8"), ("offset_ns", "<i8")])
"""What an interface of a section makes of its packets."""
Interfaces = npt.NDArray[np.void]


class Pcapng:
    """One file's records."""

    name = "pcapng"

    def __init__(self, source: Source, skipped: Skipped) -> None:
        self._source, self._skipped = source, skipped
        self._order, self._turns = "<u4", 0
        self._interfaces: Interfaces = np.empty(0, _INTERFACE)
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
            if end >= _MIN_BLOCK and data[:4].tobytes() == MAGIC and not self._begins(data):
                return
            positions, lengths = self._blocks(data, end)
            used = 0
            if len(positions):
                yield from self._records(data, positions, lengths)
                used = int(positions[-1] + lengths[-1])
            if end - used >= _MIN_BLOCK and self._bad(data, used, end):
                self._skipped["damaged block"] += 1
                used, lost = used + 1, True

    def _begins(self, data: Bytes) -> bool:
        """A section: its byte order. False: it has changed too often to read on."""
        order = _ORDERS.get(data[8:12].tobytes(), self._order)
        self._turns += order != self._order
        self._order = order
        if self._turns > MAX_TURNS:
            self._skipped[f"what follows {MAX_TURNS:,} changes of byte order"] += 1
        return self._turns <= MAX_TURNS

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
        """The packets among these blocks, as one batch however many sections and interfaces stand between them."""
        types = self._words(data)[positions]
        packets = (types == ENHANCED) | (types == OLD_PACKET)
        sections, described = types == SECTION, types == INTERFACE
        others = types[~packets & ~sections & ~described & (types != SIMPLE)]
        if len(others) and (unknown := int((~np.isin(others, _SILENT)).sum())):
            self._skipped["block of an unknown type"] += unknown  # it may be a packet whose type was damaged
        if timeless := int((types == SIMPLE).sum()):
            # Without a time nothing about a stream can be measured.
            self._skipped["packet without a time (Simple Packet Block)"] += timeless
        # Interfaces by their place among those of this window's blocks; those that were known before it come first.
        before = len(self._interfaces)
        ordinal = before + np.cumsum(described)
        firsts = np.concatenate([[0], ordinal[sections]])
        first = firsts[np.cumsum(sections)]
        found = self._described(data, positions[described], lengths[described])
        if packets.any():
            known = ordinal[packets] - first[packets]
            numbers = self._numbers(data, positions[packets], types[packets])
            where = np.where(numbers < np.minimum(known, MAX_INTERFACES), first[packets] + numbers, -1)
            yield from self._packets(data, positions[packets], lengths[packets], found, where)
        self._interfaces = found[int(first[-1]) :][:MAX_INTERFACES]

    def _described(self, data: Bytes, positions: Ints, lengths: Ints) -> Interfaces:
        """The interfaces known so far, and those of these blocks."""
        whole = lengths >= 20
        if damaged := int((~whole).sum()):
            self._skipped["damaged interface description"] += damaged
        table = np.zeros(len(positions), _INTERFACE)
        words = load_words(data, positions + 8, 1).view(self._order)[:, 0]
        table["link"] = np.where(whole, words & 0xFFFF if self._order == "<u4" else words >> 16, _NO_LINK)
        table["ticks_per_s"] = 1_000_000
        for index in np.flatnonzero(lengths > 20).tolist():
            at = int(positions[index])
            options = data[at + 16 : at + int(lengths[index]) - 4].tobytes()
            clock = _known_clock if len(options) <= 256 else _clock
            table["ticks_per_s"][index], table["offset_ns"][index] = clock(options, self._order[0])
        return np.concatenate([self._interfaces, table])

    def _numbers(self, data: Bytes, positions: Ints, types: npt.NDArray[np.uint32]) -> Ints:
        """Of the interfaces of packets: 32 bits, 16 in the old Packet Block, which is laid out alike."""
        words = load_words(data, positions + 8, 1).view(self._order)[:, 0].astype(np.int64)
        old = words & 0xFFFF if self._order == "<u4" else words >> 16
        return np.where(types == OLD_PACKET, old, words)

    def _packets(
        self, data: Bytes, positions: Ints, lengths: Ints, interfaces: Interfaces, where: Ints
    ) -> Iterator[Records]:
        """`where`: each packet's row of `interfaces`, -1 for one that was not described."""
        words = load_words(data, positions + 12, 4).view(self._order)
        known, fits = where >= 0, (lengths >= 32) & (words[:, 2] <= lengths - 32)
        for reason, wrong in (("packet of an unknown interface", ~known), ("damaged packet block", known & ~fits)):
            if wrong.any():
                self._skipped[reason] += int(wrong.sum())
        good = known & fits
        if not good.any():
            return
        words, where = words[good], where[good]
        rows = interfaces[where[:1] if (where == where[0]).all() else where]
        table = np.zeros(len(where), RECORD)
        table["offset"], table["link"] = positions[good] + 28, rows["link"]
        ticks = (words[:, 0].astype(np.uint64) << np.uint64(32)) | words[:, 1].astype(np.uint64)
        table["time_ns"] = _nanoseconds(ticks, rows)
        # Some writers put nothing, or less than they captured, for the length on the wire.
        table["captured"], table["wire"] = words[:, 2], np.maximum(words[:, 2], words[:, 3])
        yield Records(data=data, table=table)

    def _words(self, data: Bytes) -> npt.NDArray[np.uint32]:
        """The 32 bits that begin at each byte."""
        return np.ndarray((len(data) - 3,), self._order, data, strides=(1,))

    def _packets_like(self, data: Bytes, near: int) -> Ints:
        return np.flatnonzero(self._words(data)[: max(0, near - _MIN_BLOCK + 1)] == ENHANCED)

    def _plausible(self, data: Bytes, at: Ints, end: int) -> npt.NDArray[np.bool_]:
        every = self._words(data)
        lengths = every[at + 4].astype(np.int64)
        good = (lengths >= 32) & (lengths % 4 == 0) & (lengths <= MAX_RECORD) & (at + lengths <= end)
        same: npt.NDArray[np.bool_] = every[np.where(good, at + lengths - 4, 0)] == lengths
        both: npt.NDArray[np.bool_] = good & same
        return both

    def _searched(self, data: Bytes, end: int) -> tuple[int, bool]:
        """After damage: bytes to drop up to the next plausible packet or section, and whether still lost."""
        for size in _SEARCH:
            near = min(end, size)
            at = self._packets_like(data, near)
            places = [*at[self._plausible(data, at, end)][:1].tolist(), *_sections(data[:near].tobytes())]
            if places:
                return min(places), False
            if near == end:
                break
        if near < end:
            return near - _MIN_BLOCK + 1, True
        if self._source.ended:
            return end, True
        # A block longer than what is left of the window is looked at again with the next.
        lengths = self._words(data)[at + 4].astype(np.int64)
        open_ = at[(lengths >= 32) & (lengths % 4 == 0) & (lengths <= MAX_RECORD) & (at + lengths > end)]
        return (int(open_[0]) if len(open_) else max(1, end - _MIN_BLOCK + 1)), True


def _sections(window: bytes) -> Iterator[int]:
    """Where the first section begins, if one does."""
    at = window.find(MAGIC)
    while at >= 0 and window[at + 8 : at + 12] not in _ORDERS:
        at = window.find(MAGIC, at + 1)
    if at >= 0:
        yield at


def _clock(options: bytes, order: str) -> tuple[int, int]:
    """What an interface's options say of its times: ticks in a second, and nanoseconds to add."""
    ticks, offset_s, place = 1_000_000, 0, 0
    for _ in range(MAX_OPTIONS):
        if place + 4 > len(options):
            break
        code, size = struct.unpack_from(order + "HH", options, place)
        value = options[place + 4 : place + 4 + size]
        if code == 0 or len(value) < size:
            break
        if code == _TSRESOL and size == 1:
            ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        if code == _TSOFFSET and size == 8:
            offset_s = struct.unpack(order + "q", value)[0]
        place += 4 + (size + 3) // 4 * 4
    return min(ticks, 1 << 63), (offset_s * 1_000_000_000 + (1 << 63)) % (1 << 64) - (1 << 63)


_known_clock: Final = lru_cache(maxsize=1024)(_clock)


def _nanoseconds(ticks: npt.NDArray[np.uint64], interfaces: Interfaces) -> Ints:
    """Since 1970, exact where the clock's ticks divide a second into whole nanoseconds."""
    rate, second_ns = interfaces["ticks_per_s"], np.uint64(1_000_000_000)
    seconds, rest = ticks // rate, ticks % rate
    # Nonsense times wrap around; they do not raise.
    with np.errstate(over="ignore"):
        exact = rest * (second_ns // rate)
        rough = (rest.astype(np.float64) * (1e9 / rate.astype(np.float64))).astype(np.uint64)
        fraction = np.where(second_ns % rate == 0, exact, rough)
        total = seconds * second_ns + fraction
        since: Ints = total.view(np.int64) + interfaces["offset_ns"]
        return since
