"""IPv4 and IPv6 (RFC 791, 8200): what may be RTP as packets; fragments put together; SIP and TCP handed on."""

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from agent.trace.file.records import Records, Skipped, load
from agent.trace.file.source import Bytes
from agent.trace.kernel import ODD, PACKET, Found, OddKind, Table, address, kernel
from agent.trace.wire.addresses import Addresses
from agent.trace.wire.packet import TCP, UDP, Fragments, IpPacket, parse_ip

CUT: Final = "packet cut before the end of its RTP header"
DAMAGED_UDP: Final = "damaged UDP header"


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


_NO_BYTES: Final = np.zeros(0, np.uint8)


class _Room:
    """Where the kernel puts what it finds."""

    def __init__(self) -> None:
        self.packets, self.odds, self.found = np.empty(0, PACKET), np.empty(0, ODD), Found()
        self._where = ctypes.addressof(self.found)

    def clear(self, rows: int) -> int:
        """Makes room for so many; where the kernel's struct found is."""
        if rows > len(self.packets):
            self.packets, self.odds = np.empty(rows, PACKET), np.empty(rows, ODD)
            self.found.packets, self.found.odds = address(self.packets), address(self.odds)
        self.found.packet_count = self.found.odd_count = self.found.cut = self.found.damaged_udp = 0
        return self._where


class Internet:
    """Everything above the link layer up to RTP's header, with what must be remembered between batches."""

    def __init__(self, addresses: Addresses, skipped: Skipped) -> None:
        self._addresses, self.skipped = addresses, skipped
        self.fragments = Fragments()
        self._usual, self._six, self._slow = _Room(), _Room(), _Room()

    def datagrams(self, records: Records, segment: Callable[[Segment], None]) -> Datagrams:
        """The batch's UDP; its TCP goes to `segment`, one by one."""
        data, table = records.data, records.table
        kernel().trace_packets(address(data), len(data), address(table), len(table), self._usual.clear(len(table)))
        packets, odds = self._taken(self._usual)
        if not len(odds):
            return Datagrams(packets=packets, odds=odds, data=data, tail=_NO_BYTES)
        kind = odds["kind"]
        for link, count in zip(*np.unique(odds["ports"][kind == OddKind.LINK], return_counts=True), strict=True):
            self.skipped[f"link type {link}"] += int(count)
        tail, whole = self._one_by_one(records, odds[kind == OddKind.IP], segment)
        parts = [
            (packets, odds[kind >= OddKind.SIP]),
            self._read(self._six, records, data, 0, self._six_hosts(data, odds[kind == OddKind.UDP6])),
            self._read(self._slow, records, tail, len(data), whole),
        ]
        return Datagrams(
            packets=_merged([part for part, _ in parts]),
            odds=_merged([part for _, part in parts]),
            data=data,
            tail=tail,
        )

    def _read(self, room: _Room, records: Records, data: Bytes, base: int, given: Table) -> tuple[Table, Table]:
        """UDP datagrams in `data` (kernel.ODD, hosts known); `base` is added to where they are said to be."""
        if not len(given):
            return room.packets[:0], room.odds[:0]
        where, rows = address(data), address(records.table)
        kernel().trace_datagrams(where, len(data), base, rows, address(given), len(given), room.clear(len(given)))
        packets, odds = self._taken(room)
        odds["begin"] += base
        odds["end"] += base
        return packets, odds

    def _taken(self, room: _Room) -> tuple[Table, Table]:
        for reason, count in ((CUT, room.found.cut), (DAMAGED_UDP, room.found.damaged_udp)):
            if count:
                self.skipped[reason] += count
        return room.packets[: room.found.packet_count], room.odds[: room.found.odd_count]

    def _six_hosts(self, data: Bytes, six: Table) -> Table:
        """IPv6 packets as their UDP datagrams."""
        if len(six):
            distinct, index = np.unique(load(data, six["begin"] + 8, 32), return_inverse=True)
            numbers = [self._pair(pair[:16], pair[16:]) for pair in (bytes(one) for one in distinct)]
            six["hosts"] = np.array(numbers, np.uint64)[index.ravel()]
            six["begin"] += 40
        return six

    def _pair(self, source: bytes, destination: bytes) -> int:
        return self._addresses.number(source) | self._addresses.number(destination) << 32

    def _one_by_one(self, records: Records, odds: Table, segment: Callable[[Segment], None]) -> tuple[Bytes, Table]:
        """Options, extension headers, fragments, TCP: UDP payloads' bytes, and where in them each datagram is."""
        payloads, whole = list[bytes](), list[tuple[int, int, int, int, int, int]]()
        at = 0
        for row, begin, end in zip(*(odds[name].tolist() for name in ("row", "begin", "end")), strict=True):
            packet = self._packet(records.data[begin:end].tobytes(), int(records.table["time_ns"][row]))
            if packet is None:
                continue
            if packet.protocol == TCP:
                self._segment(packet, row, int(records.table["time_ns"][row]), segment)
            elif packet.protocol == UDP and len(packet.payload) >= 8:
                payloads.append(packet.payload)
                pair = self._pair(packet.source, packet.destination)
                whole.append((row, at, at + len(packet.payload), pair, 0, OddKind.IP))
                at += len(packet.payload)
            elif packet.protocol == UDP:
                self.skipped[CUT] += 1
        return np.frombuffer(b"".join(payloads), np.uint8), np.array(whole, ODD)

    def _packet(self, content: bytes, time_ns: int) -> IpPacket | None:
        """Whole; None: damaged, or pieces of it are missing yet."""
        packet = parse_ip(content)
        if packet is None:
            self.skipped["damaged IP packet"] += 1
            return None
        if not packet.fragment:
            return packet
        payload = self.fragments.add(packet, time_ns)
        return None if payload is None else replace(packet, payload=payload, wire=len(payload))

    def _segment(self, packet: IpPacket, row: int, time_ns: int, segment: Callable[[Segment], None]) -> None:
        if len(packet.payload) < 20:
            return
        source, destination, sequence, _, lengths, flags = struct.unpack_from(">HHIIBB", packet.payload)
        header = (lengths >> 4) * 4
        if header < 20 or packet.wire < header:
            return
        segment(
            Segment(
                row=row,
                time_ns=time_ns,
                source=(self._addresses.number(packet.source), source),
                destination=(self._addresses.number(packet.destination), destination),
                sequence=sequence,
                syn=bool(flags & 2),
                payload=packet.payload[header:],
                wire=packet.wire - header,
            )
        )


def _merged(parts: list[Table]) -> Table:
    """In arrival order."""
    filled = [part for part in parts if len(part)]
    if len(filled) <= 1:
        return filled[0] if filled else parts[0]
    both = np.concatenate(filled)
    return both[np.argsort(both["row"], kind="stable")]
