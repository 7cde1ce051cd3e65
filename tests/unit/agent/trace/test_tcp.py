"""SIP, and datagrams, of TCP connections that begin anywhere and come in any pieces; what is passed over is counted."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.model import Trace
from agent.trace.wire.assembly import MAX_WAITING
from agent.trace.wire.ip import Segment
from agent.trace.wire.tcp import Tcp
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import START_NS, Frame, Packet, ethernet, frames, invite, ip, pcap, rtp, speech

TEXT = invite("10.0.0.2", 4002, "0 101=telephone-event/8000").replace("\n", "\r\n").encode()
BYE = b"BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
OK = b"SIP/2.0 200 OK\r\nCall-ID: x\r\nCSeq: 2 BYE\r\nContent-Length: 5\r\n\r\nhello"
A, B = (1, 5060), (2, 40_000)
WRAP = 1 << 32


class Line:
    """One direction of a connection."""

    def __init__(self, first: int = 1000) -> None:
        self.tcp, self.first, self.at_ns = Tcp(), first, START_NS

    def at(self, offset: int, payload: bytes, *, syn: bool = False, wire: int | None = None) -> list[bytes]:
        """The messages that a segment completes, `offset` bytes behind the first."""
        return self.tcp.add(
            Segment(
                row=0,
                time_ns=self.at_ns,
                source=A,
                destination=B,
                sequence=(self.first + offset) % WRAP,
                syn=syn,
                payload=payload,
                wire=len(payload) if wire is None else wire,
            )
        ).messages

    def all(self, content: bytes, size: int = 1460) -> list[bytes]:
        cuts = range(0, len(content), size)
        return [one for at in cuts for one in self.at(at, content[at : at + size])]


WHOLE = [TEXT, BYE, OK, TEXT]
CONTENT = b"".join(WHOLE)


@given(
    cuts=st.lists(st.integers(1, len(CONTENT) - 1), max_size=30).map(lambda cuts: sorted({0, *cuts, len(CONTENT)})),
    first=st.sampled_from([0, 1000, WRAP - 700]),
    order=st.randoms(use_true_random=False),
    copies=st.integers(0, 2),
)
@settings(max_examples=80, deadline=None)
def test_any_pieces_order_copies_and_overlaps_give_the_same_messages(cuts, first, order, copies) -> None:  # type: ignore[no-untyped-def]
    line = Line(first)
    segments = [(a, b) for a, b in pairwise(cuts)]
    segments += [(max(0, a - order.randint(0, 50)), b) for a, b in segments[:copies]]
    head, *rest = segments
    order.shuffle(rest)
    found = [one for a, b in [head, *rest] for one in line.at(a, CONTENT[a:b])]
    assert (found, line.tcp.lost, line.tcp.begun_within) == (WHOLE, 0, 0)


def test_segments_of_one_byte() -> None:
    line = Line()
    assert (line.all(CONTENT, 1), line.tcp.lost) == (WHOLE, 0)


@pytest.mark.parametrize("blank", [b"\r\n\r\n", b"\r\n", b"\n\n", b"\r\n" * 50])
@pytest.mark.parametrize("size", [1, 3, 1460])
def test_keep_alives_before_and_between_messages(blank: bytes, size: int) -> None:
    line = Line()
    assert line.all(blank + blank.join(WHOLE) + blank, size) == WHOLE
    assert (line.tcp.lost, line.tcp.begun_within) == (0, 0)


@pytest.mark.parametrize("at", range(1, len(TEXT) - 1, 7))
@pytest.mark.parametrize("size", [1, 50, 1460])
def test_a_capture_that_begins_within_a_message_has_the_next_one(at: int, size: int) -> None:
    line = Line()
    assert [one for one in line.all(TEXT[at:] + BYE + TEXT, size) if one[:4] in (b"BYE ", b"INVI")] == [BYE, TEXT]
    assert line.tcp.lost == 0


def test_that_it_began_within_one_is_told() -> None:
    line = Line()
    line.all(TEXT[40:] + BYE)
    assert (line.tcp.begun_within, line.tcp.lost) == (1, 0)


def test_the_first_segment_that_came_second() -> None:
    line = Line()
    assert line.at(30, TEXT[30:90]) + line.at(0, TEXT[:30]) + line.at(90, TEXT[90:]) == [TEXT]


def test_a_lost_segment_costs_its_message_and_is_said() -> None:
    line = Line()
    assert line.at(0, TEXT[:100]) == []
    assert line.at(200, TEXT[200:] + BYE) == []
    assert line.tcp.lost == 1
    line.at_ns += 2_000_000_000
    assert line.at(len(TEXT) + len(BYE), TEXT) == [BYE, TEXT]
    assert line.tcp.lost == 1


def test_a_lost_segment_is_not_waited_for_behind_many_others() -> None:
    line = Line()
    found = line.at(0, BYE)
    for n in range(MAX_WAITING + 2):
        found += line.at(len(BYE) * (n + 2), BYE)
    assert (len(found), line.tcp.lost) == (1 + MAX_WAITING + 1, 1) or (len(found), line.tcp.lost) == (
        MAX_WAITING + 3,
        1,
    )


def test_a_segment_that_the_capture_cut_is_a_gap() -> None:
    line = Line()
    assert line.at(0, TEXT[:60], wire=len(TEXT)) == []
    assert line.at(len(TEXT), BYE) == [BYE]
    assert line.tcp.lost == 1


def test_what_stands_between_messages_is_counted_once() -> None:
    line = Line()
    assert line.all(BYE + b"x" * 3000 + BYE + BYE, 100) == [BYE] * 3
    assert line.tcp.lost == 1


def test_connections_one_after_the_other_between_the_same_ports() -> None:
    line = Line()
    assert line.at(0, BYE[:20]) == []
    assert line.at(77_000_000, b"", syn=True) == []
    assert line.at(77_000_001, BYE) == [BYE]
    assert line.at(900_000_000, BYE) == [BYE]


def test_a_syn_that_comes_again_changes_nothing() -> None:
    line = Line()
    line.at(-1, b"", syn=True)
    line.at(0, BYE[:20])
    line.at(-1, b"", syn=True)
    assert line.at(20, BYE[20:]) == [BYE]


def test_a_keep_alive_of_tcp_is_no_content() -> None:
    line = Line()
    assert line.at(0, BYE[:20]) + line.at(19, b"\0") + line.at(20, BYE[20:]) == [BYE]


@pytest.mark.parametrize("size", [1, 1460])
def test_line_feeds_alone_end_lines_too(size: int) -> None:
    content = [one.replace(b"\r\n", b"\n").replace(b"Content-Length", b"l") for one in (BYE, BYE)]
    assert Line().all(b"".join(content), size) == content


def test_a_body_whose_length_is_not_said_ends_with_the_next_message() -> None:
    bare = TEXT.replace(b"Content-Length", b"Ignored")
    line = Line()
    head, _, body = bare.partition(b"\r\n\r\n")
    assert line.at(0, bare + BYE) == [bare, BYE]
    at = len(bare + BYE)
    assert line.at(at, head + b"\r\n\r\n") == []
    assert line.at(at + len(head) + 4, body) == [bare]
    assert line.tcp.lost == 0


def test_a_body_that_is_a_message_is_none() -> None:
    notify = b"NOTIFY sip:a@b SIP/2.0\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK
    assert Line().all(notify + BYE) == [notify, BYE]


def test_a_message_that_is_too_long_is_passed_over() -> None:
    line = Line()
    endless = BYE.replace(b"Length: 0", b"Length: 999999")
    assert line.all(BYE + endless + BYE) == [BYE, BYE]
    assert line.tcp.lost == 1


@pytest.mark.parametrize(
    "content", [b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x05\x00" + bytes(range(256)) * 5, b"\0" * 900]
)
def test_other_connections_carry_nothing(content: bytes) -> None:
    line = Line()
    assert line.all(content * 300) == []
    line.at(500 * len(content), content)
    assert (line.tcp.lost, line.tcp.begun_within) == (0, 0)


def websocket(message: bytes, *, mask: bytes = b"", opcode: int = 0x81) -> bytes:
    size = len(message)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size)
    length = bytes([length[0] | bool(mask) << 7]) + length[1:]
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(message)) if mask else message
    return bytes([opcode]) + length + mask + masked


UPGRADE = {
    b"": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
    b"mask": b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\nOrigin: b\r\n\r\n",
}


@pytest.mark.parametrize("mask", UPGRADE)
@pytest.mark.parametrize("size", [1, 7, 1460])
def test_sip_over_websocket(mask: bytes, size: int) -> None:
    line = Line()
    short = TEXT.replace(b"Content-Length", b"Ignored")
    content = UPGRADE[mask] + websocket(short, mask=mask) + websocket(b"\r\n\r\n", mask=mask)
    content += websocket(b"x", mask=mask, opcode=0x89)
    content += websocket(BYE[:9], mask=mask, opcode=1) + websocket(BYE[9:], mask=mask, opcode=0x80)
    assert (line.all(content, size), line.tcp.lost) == ([short, BYE], 0)


@pytest.mark.parametrize("mask", UPGRADE)
def test_sip_over_websocket_whose_begin_was_not_captured(mask: bytes) -> None:
    line = Line()
    first, second = websocket(TEXT, mask=mask), websocket(BYE, mask=mask)
    assert line.at(0, bytes(range(200, 255))) == []
    assert line.at(55, first) + line.at(55 + len(first), second) == [TEXT, BYE]
    assert line.tcp.lost == 0


def test_a_gap_in_a_websocket_is_said_and_what_is_behind_it_read() -> None:
    line = Line()
    begin = UPGRADE[b"mask"]
    line.at(0, begin)
    frame = websocket(BYE, mask=b"abcd")
    line.at(len(begin), frame[:9], wire=len(frame))
    assert line.at(len(begin + frame), frame) == [BYE]
    assert line.tcp.lost == 1


def carried(contents: list[bytes], *, first: int = 1000) -> list[Frame]:
    """Segments from a sender of RTP."""
    found, at = [], first
    for n, content in enumerate(contents):
        header = struct.pack(">HHIIBBHHH", 4000, 4002, at, 0, 0x50, 0x18, 1000, 0, 0)
        frame = ethernet(ip("10.0.0.1", "10.0.0.2", 6, header + content))
        found.append((START_NS + 20_000_000 * n, frame))
        at += len(content)
    return found


def channel(payload: bytes) -> bytes:
    return struct.pack(">HH", 0x4001, len(payload)) + payload + bytes(-len(payload) % 4)


STUN = struct.pack(">HHI12s", 0x0101, 0, 0x2112A442, bytes(12))
FRAMINGS = {
    "RFC 4571": lambda payload: struct.pack(">H", len(payload)) + payload,
    "ChannelData": channel,
}


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("size", [None, 1, 100, 700])
def test_rtp_in_a_connection_is_a_stream(name: str, size: int | None) -> None:
    payloads = [FRAMINGS[name](one.payload) for one in speech(40)]
    if size:
        whole = b"".join(payloads)
        payloads = [whole[at : at + size] for at in range(0, len(whole), size)]
    [stream] = read(pcap(carried(payloads))).streams
    assert (stream.packets, stream.lost, stream.src, stream.dst) == (40, 0, "10.0.0.1:4000", "10.0.0.2:4002")


def test_ice_tcp_begins_with_stun_and_a_capture_may_begin_within_a_frame() -> None:
    frame = FRAMINGS["RFC 4571"]
    payloads = [frame(one.payload) for one in speech(40)]
    assert read(pcap(carried([frame(STUN), *payloads]))).streams[0].packets == 40
    assert read(pcap(carried([payloads[0][99:], *payloads[1:]]))).streams[0].packets == 39


def test_a_lost_segment_of_rtp_is_lost_rtp() -> None:
    records = carried([FRAMINGS["RFC 4571"](one.payload) for one in speech(200)])
    [stream] = read(pcap(records[:50] + records[52:])).streams
    assert (stream.packets, stream.lost) == (198, 2)


def calls(found: Trace) -> list[str | None]:
    return [stream.call_id for stream in found.streams]


def test_what_a_capture_says_of_its_connections() -> None:
    def segment(sequence: int, payload: bytes, time_ns: int) -> Frame:
        header = struct.pack(">HHIIBBHHH", 5060, 5060, sequence, 0, 0x50, 0x18, 1000, 0, 0)
        return time_ns, ethernet(ip("10.0.0.2", "10.0.0.1", 6, header + payload))

    within = [segment(5, TEXT[99:] + TEXT, START_NS - 1), *frames(speech(9))]
    found = read(pcap(within))
    assert (calls(found), [one.code for one in found.warnings]) == (["call-1"], ["SipBeganWithin"])
    gap = [segment(5, BYE + TEXT[:50], START_NS - 1), segment(999, TEXT, START_NS + 1), *frames(speech(9))]
    found = read(pcap(gap))
    assert (calls(found), [one.code for one in found.warnings]) == ([None], ["SipOverTcpIncomplete"])


def test_sip_with_line_feeds_over_udp() -> None:
    text = TEXT.replace(b"\r\n", b"\n")
    for content in (text, b"\r\n\r\n" + TEXT):
        packets = [Packet(payload=content, sport=5060, dport=5060), *speech(9)]
        assert calls(read(pcap(frames(packets)))) == ["call-1"]


def test_what_begins_like_sip_and_is_none_is_said() -> None:
    found = read(pcap(frames([Packet(payload=b"INVITE me\r\n\r\n"), *speech(9)])))
    assert [one.code for one in found.warnings] == ["SipUnreadable"]


def test_a_message_that_the_capture_cut_is_said() -> None:
    found = read(pcap(frames([Packet(payload=TEXT)]), snap=200))
    assert found.files[0].skipped == {"SIP message cut by the snap length": 1}


def test_rtp_that_is_noise_is_no_frame() -> None:
    noise = [struct.pack(">H", 40) + rtp(n, 7, ssrc=n, payload=bytes(28)) for n in range(40)]
    assert read(pcap(carried(noise))).streams == []
