"""IPv4 and IPv6 (RFC 791, 8200): UDP datagrams as columns; fragments put together; TCP segments handed on."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.addresses import Addresses
from agent.trace.link import ip_offsets
from agent.trace.packet import TCP, UDP, Fragments, IpPacket, parse_ip
from agent.trace.records import Bytes, Ints, Records, Skipped, joined, load, load_words

_HEADS: Final = 10
"""Words of an IPv4 header without options, a UDP header, and the 12 bytes behind: one gather for all three."""
CUT: Final = "packet cut before the end of its RTP header"
_NOT_FIRST_OR_MORE: Final = 0xFF3F0000
"""Fragment offset and More Fragments, in the second word of an IPv4 header as loaded."""


@dataclass(slots=True, kw_only=True)
class Datagrams:
    """UDP datagrams in arrival order, as columns. Ports and addresses as addresses.Addresses numbers them."""

    data: Bytes
    row: Ints
    """Which record of the batch it was (the last one, of fragments)."""
    time_ns: Ints
    hosts: npt.NDArray[np.uint64]
    """Source in the lower half, destination in the upper."""
    ports: npt.NDArray[np.uint32]
    """As they stand in the header, loaded little-endian: bytes swapped, source in the lower half."""
    offset: Ints
    """Of the payload."""
    captured: Ints
    """Bytes of it in `data`."""
    wire: Ints
    """Bytes it had."""

    head: npt.NDArray[np.uint32]
    """Its first 12 bytes as little-endian words, shape (n, 3); what lies behind `captured` means nothing."""

    def __len__(self) -> int:
        return len(self.row)

    def at(self, index: int) -> bytes:
        """One payload."""
        start = int(self.offset[index])
        return self.data[start : start + int(self.captured[index])].tobytes()


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


class Internet:
    """Everything above the link layer up to the transport's payload, with what must be remembered between batches."""

    def __init__(self, addresses: Addresses, skipped: Skipped) -> None:
        self._addresses, self.skipped = addresses, skipped
        self.fragments = Fragments()

    def datagrams(self, records: Records, segment: Callable[[Segment], None]) -> Datagrams:
        """The batch's UDP; its TCP goes to `segment`, one by one."""
        begin = ip_offsets(records, self.skipped)
        words = load_words(records.data, np.maximum(begin, 0), _HEADS)
        end = records.offset + records.captured
        usual = (begin >= 0) & (words[:, 0] & 0xFF == 0x45) & (words[:, 2] & 0xFF00 == UDP << 8)
        usual &= (words[:, 1] & _NOT_FIRST_OR_MORE == 0) & (end - begin >= 28) & (words[:, 3] & 0xFF != 0xFF)
        usual &= words[:, 4] & 0xFF != 0xFF
        if usual.all():
            return self._udp(records, np.arange(len(begin)), begin + 20, end, words)
        rows = np.flatnonzero(usual)
        plain = self._udp(records, rows, begin[rows] + 20, end[rows], words[rows])
        v6 = np.flatnonzero(~usual & (begin >= 0) & (end - begin >= 48) & (words[:, 0] & 0xF0 == 0x60))
        v6 = v6[(words[v6, 1] >> np.uint32(16)) & 0xFF == UDP]
        parts = [plain, self._udp6(records, v6, begin[v6], end[v6])]
        rest = (begin >= 0) & ~usual
        rest[v6] = False
        parts.append(self._slow(records, np.flatnonzero(rest), begin, segment))
        return _merged(parts)

    def _udp(self, records: Records, rows: Ints, at: Ints, end: Ints, words: npt.NDArray[np.uint32]) -> Datagrams:
        """Of IPv4 headers without options, loaded with the UDP header behind them."""
        hosts = words[:, 3].astype(np.uint64) | words[:, 4].astype(np.uint64) << np.uint64(32)
        return self._checked(records, rows, hosts=hosts, udp=words[:, 5:], at=at, end=end)

    def _udp6(self, records: Records, rows: Ints, begin: Ints, end: Ints) -> Datagrams:
        pairs = load(records.data, begin + 8, 32)
        udp = load_words(records.data, begin + 40, 5)
        distinct, index = np.unique(pairs, return_inverse=True)
        numbers = [self._pair(pair[:16], pair[16:]) for pair in (bytes(one) for one in distinct)]
        hosts = np.array(numbers, np.uint64)[index.ravel()] if len(rows) else np.zeros(0, np.uint64)
        return self._checked(records, rows, hosts=hosts, udp=udp, at=begin + 40, end=end)

    def _checked(
        self,
        records: Records,
        rows: Ints,
        *,
        hosts: npt.NDArray[np.uint64],
        udp: npt.NDArray[np.uint32],
        at: Ints,
        end: Ints,
    ) -> Datagrams:
        """Datagrams of UDP headers at `at`, loaded with 12 bytes more; their packets end, as captured, at `end`."""
        low = udp[:, 1] & np.uint32(0xFFFF)
        wire = ((low >> np.uint32(8)) | (low & np.uint32(0xFF)) << np.uint32(8)).astype(np.int64) - 8
        whole = len(rows) == len(records)
        found = Datagrams(
            data=records.data,
            row=rows,
            time_ns=records.time_ns if whole else records.time_ns[rows],
            hosts=hosts,
            ports=udp[:, 0],
            head=udp[:, 2:5],
            offset=at + 8,
            captured=np.minimum(wire, end - at - 8),
            wire=wire,
        )
        bad = wire < 0
        if bad.any():
            self.skipped["damaged UDP header"] += int(bad.sum())
            return chosen(found, ~bad)
        return found

    def _pair(self, source: bytes, destination: bytes) -> int:
        return self._addresses.number(source) | self._addresses.number(destination) << 32

    def _slow(self, records: Records, rows: Ints, begin: Ints, segment: Callable[[Segment], None]) -> Datagrams:
        """Options, extension headers, fragments, TCP: one by one."""
        found: list[tuple[int, IpPacket]] = []
        for row in rows.tolist():
            end = int(records.offset[row] + records.captured[row])
            packet = parse_ip(records.data[int(begin[row]) : end].tobytes())
            if packet is None:
                self.skipped["damaged IP packet"] += 1
                continue
            if packet.fragment:
                whole = self.fragments.add(packet, int(records.time_ns[row]))
                if whole is None:
                    continue
                packet = replace(packet, payload=whole, wire=len(whole))
            if packet.protocol == TCP:
                self._segment(packet, row, int(records.time_ns[row]), segment)
            elif packet.protocol == UDP and len(packet.payload) >= 8:
                found.append((row, packet))
            elif packet.protocol == UDP:
                self.skipped[CUT] += 1
        return self._collected(records, found)

    def _collected(self, records: Records, found: list[tuple[int, IpPacket]]) -> Datagrams:
        """The same columns for packets one by one; their payloads behind the batch's data."""
        data, starts = joined(records.data, [packet.payload for _, packet in found]) if found else (records.data, [])
        at, rows = np.array(starts, np.int64), np.array([row for row, _ in found], np.int64)
        udp = load_words(data, at, 5)
        return self._checked(
            replace(records, data=data),
            rows,
            hosts=np.array([self._pair(packet.source, packet.destination) for _, packet in found], np.uint64),
            udp=udp,
            at=at,
            end=at + np.array([len(packet.payload) for _, packet in found], np.int64),
        )

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


def chosen(found: Datagrams, which: Ints | npt.NDArray[np.bool_]) -> Datagrams:
    """Some of the rows."""
    return Datagrams(
        data=found.data,
        row=found.row[which],
        time_ns=found.time_ns[which],
        hosts=found.hosts[which],
        ports=found.ports[which],
        offset=found.offset[which],
        captured=found.captured[which],
        wire=found.wire[which],
        head=found.head[which],
    )


def _merged(parts: list[Datagrams]) -> Datagrams:
    """In arrival order. The last part's data begins with the others'."""
    filled = [part for part in parts if len(part)]
    if len(filled) == 1:
        return filled[0]
    both = Datagrams(
        data=parts[-1].data,
        row=np.concatenate([part.row for part in parts]),
        time_ns=np.concatenate([part.time_ns for part in parts]),
        hosts=np.concatenate([part.hosts for part in parts]),
        ports=np.concatenate([part.ports for part in parts]),
        offset=np.concatenate([part.offset for part in parts]),
        captured=np.concatenate([part.captured for part in parts]),
        wire=np.concatenate([part.wire for part in parts]),
        head=np.concatenate([part.head for part in parts]),
    )
    return chosen(both, np.argsort(both.row, kind="stable"))
