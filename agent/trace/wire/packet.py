"""One IP packet (RFC 791, 8200), where columns do not do: options, extension headers, fragments, TCP segments."""

import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

TCP, UDP = 6, 17
_FRAGMENT, _AUTHENTICATION = 44, 51
_OPTIONS: Final = (0, 43, 60, 135, 139, 140)
"""IPv6 extension headers whose second byte is their length in 8 bytes, less one."""
_MAX_HEADERS: Final = 8
_MAX_PACKETS: Final = 256
_MAX_WHOLE: Final = 1024
_MAX_AGE_NS: Final = 30_000_000_000
"""RFC 791 and 8200 give fragments 15 to 60 s."""
_MAX_BYTES: Final = 65_535
_MAX_PIECES: Final = 128

FragmentKey = tuple[bytes, bytes, int, int]
"""Source, destination, protocol, identification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IpPacket:
    """What an IP header says."""

    source: bytes
    destination: bytes
    protocol: int
    payload: bytes
    """As captured."""
    wire: int
    """Bytes the payload had."""
    identification: int = 0
    fragment_offset: int = 0
    more_fragments: bool = False

    @property
    def fragment(self) -> bool:
        """Only a part."""
        return self.more_fragments or self.fragment_offset > 0


def parse_ip(packet: bytes) -> IpPacket | None:
    """The packet behind a link layer's header; None when it is no sound IP."""
    if len(packet) < 20:
        return None
    version = packet[0] >> 4
    if version == 4:
        return _ipv4(packet)
    return _ipv6(packet) if version == 6 and len(packet) >= 40 else None


def _ipv4(packet: bytes) -> IpPacket | None:
    header = (packet[0] & 15) * 4
    total, identification, place = struct.unpack_from(">HHH", packet, 2)
    if header < 20 or len(packet) < header or (total and total < header):
        return None
    # 0: segmentation was left to the network card.
    total = total or len(packet)
    return IpPacket(
        source=packet[12:16],
        destination=packet[16:20],
        protocol=packet[9],
        payload=packet[header:total],
        wire=total - header,
        identification=identification,
        fragment_offset=(place & 0x1FFF) * 8,
        more_fragments=bool(place & 0x2000),
    )


def _ipv6(packet: bytes) -> IpPacket | None:
    length, following = struct.unpack_from(">HB", packet, 4)
    end = 40 + length if length else len(packet)
    at, identification, place, more = 40, 0, 0, False
    for _ in range(_MAX_HEADERS):
        if following not in (*_OPTIONS, _FRAGMENT, _AUTHENTICATION):
            break
        if at + 8 > min(end, len(packet)) or place:
            return None
        kind, (following, size) = following, packet[at : at + 2]
        if kind == _FRAGMENT:
            place, identification = struct.unpack_from(">HI", packet, at + 2)
            place, more, size = place & 0xFFF8, bool(place & 1), 0
        at += (size + 2) * 4 if kind == _AUTHENTICATION else (size + 1) * 8
        if place:
            break
    if at > end:
        return None
    return IpPacket(
        source=packet[8:24],
        destination=packet[24:40],
        protocol=following,
        payload=packet[at:end],
        wire=end - at,
        identification=identification,
        fragment_offset=place,
        more_fragments=more,
    )


@dataclass(slots=True)
class _Pieces:
    begun_ns: int
    parts: dict[int, bytes] = field(default_factory=dict)
    total: int | None = None

    def whole(self) -> bytes | None:
        """Once there is no hole; an overlap's first bytes win (what attacks make of it is not our business)."""
        if self.total is None:
            return None
        payload = bytearray()
        for offset in sorted(self.parts):
            if offset > len(payload):
                return None
            payload += self.parts[offset][len(payload) - offset :]
        return bytes(payload[: self.total]) if len(payload) >= self.total else None


class Fragments:
    """Packets in pieces: at most 256 at once, 30 s each."""

    def __init__(self) -> None:
        self._packets: OrderedDict[FragmentKey, _Pieces] = OrderedDict()
        self._whole: OrderedDict[FragmentKey, None] = OrderedDict()
        """The last that were completed: where a capture has all twice, pieces of the copy may come late for it."""
        self.lost = 0
        """Packets of which some piece never came."""

    def add(self, packet: IpPacket, time_ns: int) -> bytes | None:
        """The payload of the packet that this piece completes."""
        key = (packet.source, packet.destination, packet.protocol, packet.identification)
        pieces = self._packets.get(key)
        if pieces is None or abs(time_ns - pieces.begun_ns) > _MAX_AGE_NS:
            self.lost += pieces is not None and key not in self._whole
            pieces = self._packets[key] = _Pieces(time_ns)
        end = packet.fragment_offset + packet.wire
        if len(packet.payload) < packet.wire or end > _MAX_BYTES or len(pieces.parts) >= _MAX_PIECES:
            del self._packets[key]
            self.lost += key not in self._whole
            return None
        pieces.parts.setdefault(packet.fragment_offset, packet.payload)
        if not packet.more_fragments:
            pieces.total = end
        payload = pieces.whole()
        if payload is not None:
            del self._packets[key]
            self._whole[key] = None
            if len(self._whole) > _MAX_WHOLE:
                self._whole.popitem(last=False)
        elif len(self._packets) > _MAX_PACKETS:
            oldest, _ = self._packets.popitem(last=False)
            self.lost += oldest not in self._whole
        return payload

    @property
    def open(self) -> int:
        """Packets in pieces now."""
        return sum(key not in self._whole for key in self._packets)
