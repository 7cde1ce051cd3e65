"""The same packets, in whatever capture and whatever they travelled in, are the same streams."""

import gzip
import struct
from pathlib import Path

import pytest
import zstandard

from agent.trace.model import Stream, UnusableCaptureError
from agent.trace.read import trace
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import (
    START_NS,
    Frame,
    Packet,
    block,
    enhanced,
    ethernet,
    frames,
    interface,
    invite,
    ip,
    pcap,
    pcapng,
    rtp,
    section,
    speech,
)

SPEECH = speech(40)
FRAMES = frames(SPEECH)
STREAMS = read(pcap(FRAMES)).streams


def bare(link: int, header: bytes) -> bytes:
    return pcap([(packet.time_ns, header + packet.ip()) for packet in SPEECH], link=link)


TICKS = [enhanced(frame, time_ns // 1000) for time_ns, frame in FRAMES]

SAME = {
    "µs": pcap(FRAMES),
    "ns": pcap(FRAMES, nano=True),
    "µs, other byte order": pcap(FRAMES, order=">"),
    "ns, other byte order": pcap(FRAMES, order=">", nano=True),
    "pcapng": pcapng(FRAMES),
    "pcapng, other byte order": pcapng(FRAMES, order=">"),
    "gzip": gzip.compress(pcap(FRAMES)),
    "gzip, two members": gzip.compress(pcap(FRAMES[:9])) + gzip.compress(pcap(FRAMES)[24 + 9 * 230 :]),
    "zstd": zstandard.compress(pcapng(FRAMES)),
    "zstd, two frames": zstandard.compress(pcap(FRAMES)[:1000]) + zstandard.compress(pcap(FRAMES)[1000:]),
    "VLAN": pcap([(packet.time_ns, ethernet(packet.ip(), [5])) for packet in SPEECH]),
    "QinQ": pcap([(packet.time_ns, ethernet(packet.ip(), [5, 6])) for packet in SPEECH]),
    "cooked v1": bare(113, bytes(14) + b"\x08\x00"),
    "cooked v2": bare(276, b"\x08\x00" + bytes(18)),
    "raw": bare(101, b""),
    "IPv4": bare(228, b""),
    "null": bare(0, b"\x02\x00\x00\x00"),
    "loopback": bare(108, b"\x00\x00\x00\x02"),
    "several sections": section()
    + interface()
    + b"".join(TICKS[:20])
    + section(">")
    + interface(order=">")
    + b"".join(enhanced(frame, time_ns // 1000, ">") for time_ns, frame in FRAMES[20:]),
    "mixed interfaces": section()
    + interface(101)
    + interface(1)
    + b"".join(
        enhanced(packet.ip() if n % 2 else frame, time_ns // 1000, number=1 - n % 2)
        for n, (packet, (time_ns, frame)) in enumerate(zip(SPEECH, FRAMES, strict=True))
    ),
    "an interface later": section()
    + interface()
    + b"".join(TICKS[:20])
    + interface(101)
    + b"".join(enhanced(packet.ip(), packet.time_ns // 1000, number=1) for packet in SPEECH[20:]),
    "nanoseconds and an offset": section()
    + interface(resolution=9, offset_s=1000)
    + b"".join(enhanced(frame, time_ns - 1000 * 10**9) for time_ns, frame in FRAMES),
    "other blocks between": section() + block(4, b"names") + interface() + block(5, bytes(20)).join(TICKS),
    "old packet blocks": section()
    + interface()
    + b"".join(
        block(2, struct.pack("<HHIIII", 0, 0, t // 1000 >> 32, t // 1000 & 0xFFFFFFFF, len(f), len(f)) + f)
        for t, f in FRAMES
    ),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("chunk_bytes", [100, 5000, 1 << 20])
def test_every_format_says_the_same(name: str, chunk_bytes: int) -> None:
    found = read(SAME[name], chunk_bytes=chunk_bytes)
    assert found.streams == STREAMS
    assert (found.files[0].packets, found.files[0].skipped, found.warnings) == (40, {}, [])


def test_a_clock_of_powers_of_two() -> None:
    ticks = [(time_ns - START_NS) * 2**20 // 10**9 + (START_NS // 10**9 << 20) for time_ns, _ in FRAMES]
    content = section() + interface(resolution=0x80 | 20)
    content += b"".join(enhanced(frame, tick) for tick, (_, frame) in zip(ticks, FRAMES, strict=True))
    [stream] = read(content).streams
    assert stream.max_delta_ms == pytest.approx(20, abs=0.002)


def test_ipv6_with_extension_headers() -> None:
    def packet(one: Packet) -> bytes:
        udp = struct.pack(">HHHH", 4000, 4002, 8 + len(one.payload), 0) + one.payload
        options = bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([17, 1]) + bytes(14)
        return ethernet(ip("2001:db8::1", "::1", 0, options + udp))

    plain = [Packet(time_ns=p.time_ns, payload=p.payload, src="2001:db8::1", dst="::1") for p in SPEECH]
    assert read(pcap(frames(plain))).streams == read(pcap([(p.time_ns, packet(p)) for p in SPEECH])).streams
    [stream] = read(pcap(frames(plain))).streams
    assert (stream.src, stream.dst, stream.packets) == ("[2001:db8::1]:4000", "[::1]:4002", 40)


def fragments(packet: Packet, size: int) -> list[bytes]:
    whole = packet.ip()[20:]
    parts = [(at, whole[at : at + size]) for at in range(0, len(whole), size)]
    return [
        ethernet(
            ip(packet.src, packet.dst, 17, part, fragment=at // 8 | (at + size < len(whole)) << 13, identification=9)
        )
        for at, part in parts
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_fragments_are_put_together_in_any_order(order: int) -> None:
    pieces = fragments(SPEECH[20], 80)[::order]
    records = [*FRAMES[:20], *((START_NS + 400_000_000, piece) for piece in pieces), *FRAMES[21:]]
    assert read(pcap(records)).streams == STREAMS


def test_a_missing_fragment_is_a_lost_packet_and_a_warning() -> None:
    records = [*FRAMES[:20], (START_NS + 400_000_000, fragments(SPEECH[20], 80)[0]), *FRAMES[21:]]
    found = read(pcap(records))
    assert found.streams[0].lost == 1
    assert [warning.code for warning in found.warnings] == ["FragmentsMissing"]


def tcp(payload: bytes, sequence: int) -> Frame:
    header = struct.pack(">HHIIBBHHH", 5060, 5060, sequence & 0xFFFFFFFF, 0, 0x50, 0x18, 1000, 0, 0)
    return START_NS - 1, ethernet(ip("10.0.0.2", "10.0.0.1", 6, header + payload))


@pytest.mark.parametrize("first", [1000, 0xFFFFFFFF - 100])
def test_sip_over_tcp_in_any_pieces_and_order(first: int) -> None:
    text = invite("10.0.0.2", 4002, "0 101=telephone-event/8000").replace("\n", "\r\n").encode()
    both = text + text.replace(b"call-1", b"call-2")
    pieces = [tcp(both[at : at + 90], first + at) for at in range(0, len(both), 90)]
    mixed = [pieces[0], *pieces[3:1:-1], pieces[1], pieces[1], *pieces[4:]]
    [stream] = read(pcap([*mixed, *FRAMES])).streams
    assert [one.call_id for one in stream.calls] == ["call-1", "call-2"]


def test_a_snap_length_leaves_the_counters_whole() -> None:
    [stream] = read(pcap(FRAMES, snap=54)).streams
    assert stream == STREAMS[0]


def without(stream: Stream) -> tuple[int, int, int]:
    return stream.packets, stream.expected, stream.lost


NOISE = {
    "one lonely packet": [Packet(payload=rtp(1, 2))],
    "DNS with ids like RTP": [Packet(payload=rtp(n, 7, payload=b"abc"), sport=53) for n in range(9)],
    "RTCP": [Packet(payload=bytes([0x80, 200 + n % 5]) + struct.pack(">HII", n, 7, 9)) for n in range(9)],
    "STUN": [Packet(payload=struct.pack(">HHI12s", 1, 0, 0x2112A442, bytes(12))) for n in range(9)],
    "DTLS": [Packet(payload=b"\x16\xfe\xfd" + bytes([0, 0, n]) * 20) for n in range(9)],
    "numbers that never follow each other": [Packet(payload=rtp(1000 * n, 7)) for n in range(9)],
}


@pytest.mark.parametrize("name", NOISE)
def test_what_is_not_rtp_is_no_stream(name: str) -> None:
    assert read(pcap(frames(NOISE[name]))).streams == []


def test_rtcp_on_the_media_port_is_not_counted() -> None:
    mixed = [packet for pair in zip(SPEECH, NOISE["RTCP"] * 5, strict=False) for packet in pair]
    assert [without(stream) for stream in read(pcap(frames(mixed))).streams] == [(40, 40, 0)]


def test_extension_csrc_and_padding_are_not_payload(tmp_path: Path) -> None:
    from agent.trace.read import rtp_packets  # noqa: PLC0415

    head = bytes([0x80 | 0x20 | 0x10 | 2])
    tail = bytes(8) + b"\xbe\xde\x00\x01" + bytes(4)
    packets = [Packet(payload=head + one.payload[1:12] + tail + b"x" * 160 + b"\0\0\0\4") for one in SPEECH]
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames(packets)))
    [part] = rtp_packets([path], trace([path]))
    assert set(part.payloads) == {b"x" * 160}


NO_CAPTURES = {"empty": b"", "text": b"hello", "empty gzip": gzip.compress(b""), "half a header": pcap([])[:20]}


@pytest.mark.parametrize("name", NO_CAPTURES)
def test_what_is_no_capture_is_refused_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(NO_CAPTURES[name])
    with pytest.raises(UnusableCaptureError, match=r"odd\.bin"):
        trace([path])


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnusableCaptureError, match=r"none\.pcap.*No such file"):
        trace([tmp_path / "none.pcap"])
