"""From records to datagrams and segments: what may be RTP as packets; fragments put together; SIP and TCP handed on.

The kernel walks through the headers of each packet (headers.c, tunnels.c). What it puts aside is read here, and what
was in it given back, round by round: a fragment may be a tunnel's, which carries TCP, which carries TURN, which carries
RTP.
"""

import ctypes
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.file.records import Records, Skipped, load
from agent.trace.file.source import Bytes
from agent.trace.kernel import ODD, PACKET, Found, GivenKind, OddKind, Table, address, kernel
from agent.trace.wire import hep, unread
from agent.trace.wire.addresses import UNKNOWN, Addresses
from agent.trace.wire.packet import TCP, UDP, Fragments, parse_ip
from agent.trace.wire.turn import Turn

MAX_ROUNDS: Final = 8
"""What is in a packet that was put aside may be put aside again."""
_TCP_HEADER: Final = 20
_SYN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagrams:
    """A batch's UDP, in arrival order. Valid until the next batch."""

    packets: Table
    """kernel.PACKET: what may be RTP."""
    odds: Table
    """kernel.ODD, of the kinds SIP and DTLS: addresses as addresses.Addresses numbers them, ports as loaded."""
    data: Bytes
    tail: Bytes
    """Behind `data`: payloads that had been in pieces."""

    def payload(self, begin: int, size: int) -> bytes:
        """Some bytes, of `data` or of `tail`."""
        behind = begin - len(self.data)
        return (self.data[begin : begin + size] if behind < 0 else self.tail[behind : behind + size]).tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One TCP segment with data."""

    row: int
    time_ns: int
    source: tuple[int, int]
    destination: tuple[int, int]
    sequence: int
    syn: bool
    payload: bytes
    wire: int


Carry = Callable[[Segment], Iterable[bytes]]
"""Takes a segment; the datagrams that it completes, as UDP would carry them (agent/trace/wire/tcp.py)."""


Listen = Callable[[bytes], None]
"""Takes a SIP message over UDP before the TCP of its batch is read: that may be what it declares."""

_Piece = tuple[bytes, int, int, int, GivenKind]
"""What is to be read on: bytes, row, hosts, ports (or protocol), and what it is."""


_When = tuple[int, int]
"""A record's row, and its time in ns."""


class _Room:
    """Where the kernel puts what it finds."""

    def __init__(self) -> None:
        self.packets, self.odds, self.found = np.empty(0, PACKET), np.empty(0, ODD), Found()
        self._where = ctypes.addressof(self.found)

    def clear(self, rows: int) -> int:
        """Makes room for so many; where the kernel's struct found is."""
        found = self.found
        if rows > len(self.packets):
            self.packets, self.odds = np.empty(rows, PACKET), np.empty(rows, ODD)
            found.packets, found.odds = address(self.packets), address(self.odds)
        found.packet_count = found.odd_count = found.unread_count = 0
        found.cut = found.cut_sip = found.cut_tunnels = found.odd_rtp = found.damaged_udp = 0
        return self._where


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What the kernel found in some bytes."""

    data: Bytes
    base: int
    """What is added to where things are said to be."""
    packets: Table
    odds: Table
    """Within `data`."""


class _Batch:
    """One batch of records, and what is read behind their bytes."""

    def __init__(self, records: Records) -> None:
        self.records, self.size = records, len(records.data)
        self._pieces: list[bytes] = []
        self.parts: list[tuple[Table, Table]] = []

    def time_ns(self, row: int) -> int:
        """Of a record."""
        return int(self.records.table["time_ns"][row])

    def behind(self, pieces: list[bytes]) -> tuple[Bytes, int]:
        """Puts bytes behind those that are there; those, and where they are."""
        base, content = self.size, b"".join(pieces)
        self.size += len(content)
        self._pieces.append(content)
        return np.frombuffer(content, np.uint8), base

    def take(self, part: _Part) -> None:
        """Keeps a part's packets, and of its odds those that are for others."""
        known = part.odds[part.odds["kind"] >= OddKind.SIP]
        known["begin"] += part.base
        known["end"] += part.base
        self.parts.append((part.packets, known))

    def datagrams(self) -> Datagrams:
        """All that was taken, in arrival order."""
        return Datagrams(
            packets=_merged([packets for packets, _ in self.parts]),
            odds=_merged([odds for _, odds in self.parts]),
            data=self.records.data,
            tail=np.frombuffer(b"".join(self._pieces), np.uint8),
        )


class Internet:
    """Everything from the link layer up to RTP's header, with what must be remembered between batches."""

    def __init__(self, addresses: Addresses, skipped: Skipped) -> None:
        self._addresses, self.skipped = addresses, skipped
        self.fragments, self.turn = Fragments(), Turn(addresses)
        self._rooms: list[_Room] = []
        self._taken = 0
        """Rooms, by this batch."""

    def datagrams(self, records: Records, carry: Carry, listen: Listen) -> Datagrams:
        """The batch's UDP; its TCP goes to `carry`, one by one, once `listen` had the SIP."""
        data, table, batch = records.data, records.table, _Batch(records)
        self._taken = 0
        room = self._room()
        kernel().trace_packets(address(data), len(data), address(table), len(table), room.clear(len(table)))
        parts = [self._part(room, data, 0)]
        for _ in range(MAX_ROUNDS):
            for part in parts:
                batch.take(part)
                for _, begin, end in _places(part.odds[part.odds["kind"] == OddKind.SIP]):
                    listen(part.data[begin:end].tobytes())
            parts = [inner for part in parts if len(part.odds) for inner in self._inside(batch, part, carry)]
            if not parts:
                break
        for part in parts:
            batch.take(part)
            if left := int(np.count_nonzero(part.odds["kind"] < OddKind.SIP)):
                self.skipped[unread.TOO_DEEP] += left
        return batch.datagrams()

    def _room(self) -> _Room:
        self._taken += 1
        if self._taken > len(self._rooms):
            self._rooms.append(_Room())
        return self._rooms[self._taken - 1]

    def _part(self, room: _Room, data: Bytes, base: int) -> _Part:
        found = room.found
        unread.count(found, self.skipped)
        packets, odds = room.packets[: found.packet_count], room.odds[: found.odd_count]
        return _Part(data=data, base=base, packets=packets, odds=odds)

    def _inside(self, batch: _Batch, part: _Part, carry: Carry) -> Iterator[_Part]:
        """What was in a part's packets that the kernel put aside."""
        of_kind = {kind: part.odds[part.odds["kind"] == kind] for kind in OddKind if kind < OddKind.SIP}
        carried, unreadable = hep.payloads(part.data, of_kind[OddKind.HEP], self._addresses)
        if unreadable:
            self.skipped[unread.ODD_HEP] += unreadable
        given = [
            self._six(part.data, of_kind[OddKind.UDP6]),
            self.turn.messages(part.data, of_kind[OddKind.STUN]),
            self.turn.channels(part.data, of_kind[OddKind.CHANNEL]),
            carried,
        ]
        yield from self._read(batch, part.data, part.base, np.concatenate(given))
        pieces: list[_Piece] = []
        for row, begin, end in _places(of_kind[OddKind.IP]):
            pieces += self._packet(part.data[begin:end].tobytes(), row, batch.time_ns(row), carry)
        segments = of_kind[OddKind.TCP]
        for (row, begin, end), hosts, wire in zip(
            _places(segments), segments["hosts"].tolist(), segments["ports"].tolist(), strict=True
        ):
            pieces += self._segment(part.data[begin:end].tobytes(), hosts, wire, (row, batch.time_ns(row)), carry)
        if pieces:
            data, base = batch.behind([content for content, *_ in pieces])
            yield from self._read(batch, data, base, _given(pieces))

    def _read(self, batch: _Batch, data: Bytes, base: int, given: Table) -> Iterator[_Part]:
        """Parts of packets in `data` (kernel.ODD, GivenKind); `base` is added to where they are said to be."""
        given = given[_are_known(given["hosts"])]
        if len(given):
            room, rows = self._room(), address(batch.records.table)
            into = room.clear(len(given))
            kernel().trace_datagrams(address(data), len(data), base, rows, address(given), len(given), into)
            yield self._part(room, data, base)

    def _six(self, data: Bytes, six: Table) -> Table:
        """IPv6 packets as their UDP datagrams."""
        if len(six):
            distinct, index = np.unique(load(data, six["begin"] + 8, 32), return_inverse=True)
            numbers = [self._pair(pair[:16], pair[16:]) for pair in (bytes(one) for one in distinct)]
            six["hosts"] = np.array(numbers, np.uint64)[index.ravel()]
            six["begin"] += 40
            six["ports"], six["kind"] = UDP, GivenKind.PROTOCOL
        return six

    def _pair(self, source: bytes, destination: bytes) -> int:
        return self._addresses.number(source) | self._addresses.number(destination) << 32

    def _packet(self, content: bytes, row: int, time_ns: int, carry: Carry) -> list[_Piece]:
        """Of an IP packet what is to be read on: nothing where it is damaged, or pieces of it are missing yet."""
        packet = parse_ip(content)
        if packet is None:
            self.skipped[unread.DAMAGED_IP] += 1
            return []
        if packet.fragment:
            payload = self.fragments.add(packet, time_ns)
            if payload is None:
                return []
            packet = replace(packet, payload=payload, wire=len(payload))
        hosts = self._pair(packet.source, packet.destination)
        if UNKNOWN in (hosts & 0xFFFFFFFF, hosts >> 32):
            return []
        if packet.protocol == TCP:
            return self._segment(packet.payload, hosts, packet.wire, (row, time_ns), carry)
        if not packet.payload:
            self.skipped[unread.CUT] += packet.protocol == UDP
            return []
        return [(packet.payload, row, hosts, packet.protocol, GivenKind.PROTOCOL)]

    @staticmethod
    def _segment(content: bytes, hosts: int, wire: int, when: _When, carry: Carry) -> list[_Piece]:
        """Of a TCP segment, `wire` bytes long, the datagrams that it completes."""
        if len(content) < _TCP_HEADER:
            return []
        source, destination, sequence, _, lengths, flags = struct.unpack_from(">HHIIBB", content)
        header = (lengths >> 4) * 4
        if header < _TCP_HEADER or wire < header or not (wire > header or flags & _SYN):
            return []
        segment = Segment(
            row=when[0],
            time_ns=when[1],
            source=(hosts & 0xFFFFFFFF, source),
            destination=(hosts >> 32, destination),
            sequence=sequence,
            syn=bool(flags & _SYN),
            payload=content[header:wire],
            wire=wire - header,
        )
        ports = int.from_bytes(content[:4], "little")
        return [(datagram, when[0], hosts, ports, GivenKind.PAYLOAD) for datagram in carry(segment)]


def _are_known(hosts: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which pairs have no address for which there was no number."""
    low, high = hosts & np.uint64(0xFFFFFFFF), hosts >> np.uint64(32)
    known: npt.NDArray[np.bool_] = (low != UNKNOWN) & (high != UNKNOWN)
    return known


def _places(odds: Table) -> Iterator[tuple[int, int, int]]:
    return zip(*(odds[name].tolist() for name in ("row", "begin", "end")), strict=True)


def _given(pieces: list[_Piece]) -> Table:
    """Pieces that are one behind the other."""
    ends = np.cumsum([len(content) for content, *_ in pieces])
    given = np.empty(len(pieces), ODD)
    given["begin"], given["end"] = [0, *ends[:-1]], ends
    for name, column in zip(("row", "hosts", "ports", "kind"), list(zip(*pieces, strict=True))[1:], strict=True):
        given[name] = np.array(column, ODD[name])
    return given


def _merged(parts: list[Table]) -> Table:
    """In arrival order."""
    filled = [part for part in parts if len(part)]
    if len(filled) <= 1:
        return filled[0] if filled else parts[0]
    both = np.concatenate(filled)
    return both[np.argsort(both["row"], kind="stable")]
