"""Reads what the tap writes: pcap of raw IPv4, ns. Strict, so that a malformed file fails the test."""

import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Datagram:
    at_ns: int
    source: str
    target: str
    payload: bytes

    @property
    def is_sip(self) -> bool:
        return self.payload[:1].isalpha()

    # What keeps alive may have one byte, or none.

    @property
    def is_rtcp(self) -> bool:
        return not self.is_sip and len(self.payload) > 1 and 192 <= self.payload[1] <= 223

    @property
    def is_dtls(self) -> bool:
        """RFC 7983 §7."""
        return len(self.payload) > 0 and 20 <= self.payload[0] <= 63


@dataclass(frozen=True)
class Rtp:
    at_ns: int
    source: str
    target: str
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


RAW, ETHERNET = 101, 1


def read(path: str | Path, link: int = RAW) -> list[Datagram]:
    raw = Path(path).read_bytes()
    magic, version, _, _, snaplen, found = struct.unpack_from("<6I", raw)
    assert (magic, version, found) == (0xA1B23C4D, 0x00040002, link)
    assert link != RAW or snaplen == 262144, "ours has datagrams whole"
    before_ip = 14 if link == ETHERNET else 0
    at, out = 24, []
    while at < len(raw):
        seconds, nanoseconds, kept, length = struct.unpack_from("<4I", raw, at)
        datagram = raw[at + 16 + before_ip : at + 16 + kept]
        at += 16 + kept
        if link == ETHERNET and kept < length:
            continue  # of other tests, whose datagrams a dump has as well: longer than its -s, as none of a call is
        assert kept == length == len(datagram) + before_ip
        length -= before_ip
        assert datagram[0] == 0x45
        assert struct.unpack(">H", datagram[2:4]) == (length,)
        assert checksum(datagram[:20]) == 0
        source, target, size = struct.unpack_from(">HHH", datagram, 20)
        assert size == length - 20
        hosts = [".".join(map(str, datagram[i : i + 4])) for i in (12, 16)]
        stamp = seconds * 1_000_000_000 + nanoseconds
        out.append(Datagram(stamp, f"{hosts[0]}:{source}", f"{hosts[1]}:{target}", datagram[28:]))
    return out


def checksum(header: bytes) -> int:
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def rtp(path: str | Path, *, source: str | None = None, target: str | None = None, link: int = RAW) -> list[Rtp]:
    """The RTP packets from, or to, an address."""
    out = []
    for seen in read(path, link):
        if source not in {None, seen.source} or target not in {None, seen.target}:
            continue  # a dump has the datagrams of other tests as well
        if seen.is_sip or seen.is_rtcp or seen.is_dtls:
            continue
        first, second, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", seen.payload)
        assert first == 0x80
        marker, kind = bool(second & 128), second & 127
        out.append(
            Rtp(seen.at_ns, seen.source, seen.target, kind, marker, sequence, timestamp, ssrc, seen.payload[12:])
        )
    return out
