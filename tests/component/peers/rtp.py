"""RTP packets (RFC 3550 §5.1) and a source of them."""

import secrets
import socket
import struct
from dataclasses import dataclass

PCMU, COMFORT_NOISE = 0, 13
TICKS_PER_S = 8000


@dataclass(frozen=True, kw_only=True)
class Rtp:
    """One packet, without header extension."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, raw: bytes) -> "Rtp | None":
        """None: it is another thing (RTCP, STUN, too short)."""
        if len(raw) < 12 or raw[0] >> 6 != 2 or 192 <= raw[1] <= 223:
            return None
        _, second, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", raw)
        return cls(
            payload_type=second & 127,
            marker=bool(second & 128),
            sequence=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=raw[12 + 4 * (raw[0] & 15) :],
        )

    def encode(self) -> bytes:
        second = self.payload_type | 128 * self.marker
        head = struct.pack(">BBHII", 0x80, second, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        return head + self.payload


class Source:
    """Numbers what it sends itself; timestamps are those of what it is given, moved by a step of its own."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.target: tuple[str, int] | None = None
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbelow(1000)
        self.shift = secrets.randbits(31)
        """Added to each timestamp."""
        self.sent = 0

    def send(self, payload_type: int, timestamp: int, payload: bytes, *, marker: bool = False) -> None:
        packet = Rtp(
            payload_type=payload_type,
            marker=marker,
            sequence=self.sequence,
            timestamp=timestamp + self.shift,
            ssrc=self.ssrc,
            payload=payload,
        )
        self.sequence += 1
        self.sent += 1
        self.raw(packet.encode())

    def raw(self, datagram: bytes) -> None:
        """Whatever it is."""
        if self.target is not None:
            self.socket.sendto(datagram, self.target)


def noise(ticks: int = 160) -> bytes:
    """Of PCMU: loud, and nobody's signal."""
    return bytes(secrets.choice((0x80, 0x90, 0xA0, 0x00, 0x10, 0x20)) | secrets.randbelow(16) for _ in range(ticks))


def bound(host: str = "127.0.0.1") -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    return made
