"""Captures made byte by byte, so that what is in them is known."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, kw_only=True)
class Packet:
    """One UDP datagram."""

    payload: bytes
    time_ns: int = START_NS
    src: str = "10.0.0.1"
    sport: int = 4000
    dst: str = "10.0.0.2"
    dport: int = 4002

    def ip(self) -> bytes:
        udp = struct.pack(">HHHH", self.sport, self.dport, 8 + len(self.payload), 0) + self.payload
        return ip(self.src, self.dst, 17, udp)


def ip(src: str, dst: str, protocol: int, payload: bytes, *, fragment: int = 0, identification: int = 0) -> bytes:
    source, destination = ip_address(src).packed, ip_address(dst).packed
    if len(source) == 16:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source + destination + payload
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), identification, fragment, 64, protocol, 0)
    return header + source + destination + payload


def ethernet(packet: bytes, tags: Sequence[int] = ()) -> bytes:
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    vlans = b"".join(struct.pack(">HH", 0x8100 if n else 0x88A8, tag) for n, tag in enumerate(tags))
    return bytes(12) + vlans + kind + packet


def rtp(
    sequence: int,
    timestamp: int,
    *,
    payload_type: int = 0,
    ssrc: int = 0x1234ABCD,
    payload: bytes = bytes(160),
    marker: bool = False,
) -> bytes:
    return (
        struct.pack(">BBHII", 0x80, payload_type | marker << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        + payload
    )


def event(code: int, duration: int, *, end: bool = False, volume: int = 10) -> bytes:
    return struct.pack(">BBH", code, end << 7 | volume, duration)


Frame = tuple[int, bytes]
"""Nanoseconds since 1970, link-layer bytes."""


def frames(packets: Iterable[Packet]) -> list[Frame]:
    return [(packet.time_ns, ethernet(packet.ip())) for packet in packets]


def pcap(
    records: Iterable[Frame], *, link: int = 1, order: str = "<", nano: bool = False, snap: int = 262_144
) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for time_ns, frame in records:
        seconds, rest = divmod(time_ns, 1_000_000_000)
        kept = frame[:snap]
        parts.append(struct.pack(order + "IIII", seconds, rest if nano else rest // 1000, len(kept), len(frame)) + kept)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, order: str = "<", resolution: int | None = None, offset_s: int | None = None) -> bytes:
    options = b""
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    if offset_s is not None:
        options += struct.pack(order + "HHq", 14, 8, offset_s)
    if options:
        options += struct.pack(order + "HH", 0, 0)
    return block(1, struct.pack(order + "HHI", link, 0, 0) + options, order)


def enhanced(frame: bytes, ticks: int, order: str = "<", number: int = 0, wire: int | None = None) -> bytes:
    size = len(frame)
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, size, wire or size)
    return block(6, head + frame + bytes(-size % 4), order)


def pcapng(records: Iterable[Frame], *, link: int = 1, order: str = "<") -> bytes:
    blocks = [section(order), interface(link, order)]
    return b"".join([*blocks, *(enhanced(frame, time_ns // 1000, order) for time_ns, frame in records)])


def speech(
    count: int, *, first: int = 100, timestamp: int = 5000, start_ns: int = START_NS, **rtp_fields: int
) -> list[Packet]:
    """A stream without fault: 20 ms of PCMU each."""
    return [
        Packet(time_ns=start_ns + 20_000_000 * n, payload=rtp(first + n, timestamp + 160 * n, **rtp_fields))
        for n in range(count)
    ]


def sip(packet: Packet, text: str) -> Packet:
    """The packet, as SIP: lines of `text` end in CRLF."""
    return replace(packet, payload=text.strip().replace("\n", "\r\n").encode() + b"\r\n", sport=5060, dport=5060)


def invite(
    address: str,
    port: int,
    media: str,
    *,
    call_id: str = "call-1",
    cseq: int = 1,
    code: int | None = None,
    profile: str = "RTP/AVP",
) -> str:
    """An INVITE, or the response to one, that declares where its sender listens. `media`: "0 96=L16/8000"."""
    types = [one.partition("=") for one in media.split()]
    lines = [f"m=audio {port} {profile} {' '.join(number for number, _, _ in types)}"]
    lines += [f"a=rtpmap:{number} {name}" for number, _, name in types if name]
    body = "\n".join(
        ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", f"c=IN IP{6 if ':' in address else 4} {address}", "t=0 0", *lines]
    )
    first = f"SIP/2.0 {code} OK" if code else "INVITE sip:b@example.org SIP/2.0"
    length = len(body.replace("\n", "\r\n")) + 2
    head = f"Call-ID: {call_id}\nCSeq: {cseq} INVITE\nFrom: <sip:a@example.org>;tag=1\nContent-Type: application/sdp"
    return f"{first}\n{head}\nContent-Length: {length}\n\n{body}\n"
