"""What tshark says of the captures that our tests read: the same wherever both mean the same, else a test says why.

tshark subtracts copies from the loss, knows no restart of a source (RFC 3550 A.1), stops at the first damaged record.
"""

import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agent.trace.model import Stream
from agent.trace.read import trace
from tests.component.test_trace_captures import ours, tshark
from tests.unit.agent.trace.dialogue import ALICE_RTP, BOB_RTP, Hop, Place, media, sdp
from tests.unit.agent.trace.test_formats import SAME
from tests.unit.agent.trace.test_records import FRAMES, ODDITIES, PCAPS, written
from tests.unit.agent.trace.tunnels import LINKS, TUNNELS
from tests.unit.agent.trace.wire import START_NS, Packet, ethernet, event, frames, invite, ip, pcap, rtp, sip, speech

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: dev/setup does")

MS = 1_000_000
CALLER, CALLEE = "10.0.0.1", "10.0.0.2"
KEYS = "0123456789*#ABCD"


def fields(path: Path, shown: str, *names: str) -> list[tuple[str, ...]]:
    """Of each packet that the display filter lets through."""
    command = ["tshark", "-n", "-r", str(path), "--enable-heuristic", "rtp_udp", "-Y", shown, "-T", "fields"]
    command += [word for name in names for word in ("-e", name)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    return [tuple(line.split("\t")) for line in lines]


def signalled(call_id: str, *, media: str = "0 101=telephone-event/8000", more: str = "") -> list[Packet]:
    """INVITE and 200."""
    asked, said = invite(CALLER, 4000, media, call_id=call_id), invite(CALLEE, 4002, media, call_id=call_id, code=200)
    size = len(more.replace("\n", "\r\n"))
    texts = [text.replace("t=0 0\n", f"t=0 0\n{more}") if more else text for text in (asked, said)]
    texts = [text.replace(f"Content-Length: {have}", f"Content-Length: {have + size}") for text in texts
             for have in [int(text.split("Content-Length: ")[1].split("\n")[0])]]  # fmt: skip
    there, back = Packet(payload=b""), Packet(payload=b"", src=CALLEE, dst=CALLER)
    return [sip(there, texts[0]), sip(replace(back, time_ns=START_NS + 5 * MS), texts[1])]


def dialled(keys: str, *, first: int, at_ns: int, timestamp: int) -> list[Packet]:
    """Each key 100 ms, its end said three times."""
    found = []
    for number, key in enumerate(keys):
        for n in range(8):
            payload = event(KEYS.index(key), 160 * min(n + 1, 6), end=n > 5)
            one = rtp(
                first + 8 * number + n, timestamp + 1600 * number, payload_type=101, payload=payload, marker=n == 0
            )
            found.append(Packet(time_ns=at_ns + 20 * MS * (8 * number + n), payload=one))
    return found


def call(keys: str = "1234#") -> list[Packet]:
    start_ns = START_NS + 20 * MS
    there = speech(50, start_ns=start_ns)
    digits = dialled(keys, first=150, at_ns=start_ns + 50 * 20 * MS, timestamp=5000 + 50 * 160)
    after = speech(50, first=150 + 8 * len(keys), timestamp=20_000, start_ns=digits[-1].time_ns + 20 * MS)
    way = {"src": CALLEE, "dst": CALLER, "sport": 4002, "dport": 4000}
    back = [replace(one, **way) for one in speech(120, ssrc=9, start_ns=start_ns + MS)]
    return sorted([*signalled("call-1"), *there, *digits, *after, *back], key=lambda one: one.time_ns)


def write(folder: Path, content: bytes, name: str = "call.pcap") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def counted(streams: dict[tuple[str, str, str], Stream]) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {key: (stream.packets, stream.lost) for key, stream in streams.items()}


def theirs(path: Path) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {key: (packets, lost) for key, (packets, lost, _) in tshark(path).items()}


@pytest.mark.parametrize("name", sorted(SAME.keys() - {"other blocks between"}))  # its name resolution holds no names
def test_streams_of_every_format_and_link_layer_are_those_of_tshark(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, SAME[name])
    assert counted(ours(path)) == theirs(path) != {}


@pytest.mark.parametrize("form", PCAPS)
@pytest.mark.parametrize("name", ODDITIES)
def test_odd_records_are_those_of_tshark(tmp_path: Path, form: str, name: str) -> None:
    path = write(tmp_path, written([name] * len(FRAMES), *PCAPS[form]))
    assert counted(ours(path)) == theirs(path)
    [stream] = ours(path).values()
    assert stream.packets == len(FRAMES)


def test_packets_loss_digits_and_calls_of_a_call_are_those_of_tshark(tmp_path: Path) -> None:
    packets = [one for number, one in enumerate(call("19*#AD")) if number not in (30, 31, 77)]
    path = write(tmp_path, pcap(frames(packets)))
    assert counted(ours(path)) == theirs(path)
    found = trace([path])
    rows = fields(path, "rtpevent", "rtp.ssrc", "rtp.timestamp", "rtpevent.event_id", "rtpevent.duration")
    last = {(ssrc, timestamp, code): int(duration) for ssrc, timestamp, code, duration in rows}
    assert [(one.digit, one.duration_ms) for stream in found.streams for one in stream.digits] == [
        (KEYS[int(code)], duration / 8) for (_, _, code), duration in last.items()
    ]
    assert {stream.call_id for stream in found.streams} == {row[0] for row in fields(path, "sip", "sip.Call-ID")}


def test_sip_over_tcp_is_that_of_tshark(tmp_path: Path) -> None:
    text = signalled("over-tcp")[0].payload
    segments = [text[at : at + 90] for at in range(0, len(text), 90)]
    packets, sent = [], 1
    for segment in segments:
        tcp = struct.pack(">HHIIHHHH", 5060, 5060, sent, 1, 5 << 12 | 0x18, 65_535, 0, 0) + segment
        packets.append((START_NS, ethernet(ip(CALLER, CALLEE, 6, tcp))))
        sent += len(segment)
    way = {"src": CALLEE, "dst": CALLER, "sport": 4002, "dport": 4000}
    packets += frames(replace(one, **way) for one in speech(50, start_ns=START_NS + MS))
    path = write(tmp_path, pcap(packets))
    assert [row[0] for row in fields(path, "sip", "sip.Call-ID")] == ["over-tcp"]
    assert [stream.call_id for stream in trace([path]).streams] == ["over-tcp"]
    assert counted(ours(path)) == theirs(path)


@pytest.mark.parametrize("again", [41_000, 7])
def test_a_source_that_begins_anew_lost_nothing_though_tshark_says_thousands(tmp_path: Path, again: int) -> None:
    """RFC 3550 A.1: two numbers in a row far from the last ones are a restart; tshark counts what lies between."""
    later = speech(300, first=again, timestamp=900_000, start_ns=START_NS + 300 * 20 * MS + 2000 * MS)
    path = write(tmp_path, pcap(frames([*speech(300, first=1000), *later])))
    [stream] = ours(path).values()
    assert (stream.packets, stream.lost, stream.restarts) == (600, 0, 1)
    [(packets, lost)] = theirs(path).values()
    assert packets == 600
    assert abs(lost) > 500


def test_behind_a_damaged_record_is_read_where_tshark_stops(tmp_path: Path) -> None:
    content = bytearray(pcap(FRAMES))
    at = len(pcap(FRAMES[:20]))
    content[at : at + 16] = b"\xff" * 16
    path = write(tmp_path, bytes(content))
    [stream] = ours(path).values()
    assert (stream.packets, stream.lost) == (len(FRAMES) - 1, 1)
    done = subprocess.run(["tshark", "-n", "-r", str(path)], check=False, capture_output=True, text=True, timeout=60)
    assert len(done.stdout.splitlines()) == 20


def test_optional_srtp_is_no_digits_though_tshark_reads_events_out_of_the_ciphertext(tmp_path: Path) -> None:
    """RFC 8643: keys under RTP/AVP that both sides name are SRTP. tshark goes by the profile of the m= line alone."""
    hop = Hop()
    keys = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"]
    hop.set_up(offer=sdp(ALICE_RTP, extra=keys), answer=sdp(BOB_RTP, extra=keys))
    sealed = media(1, ALICE_RTP, BOB_RTP, "12", seal=bytes(10))
    path = write(tmp_path, pcap(frames([*hop.packets, *sealed])))
    [stream] = trace([path]).streams
    assert (stream.encrypted, stream.digits) == (True, [])
    assert len(fields(path, "rtpevent", "rtpevent.event_id")) == 10
    # Packets are packets, whatever is in them.
    assert counted(ours(path)) == theirs(path)


def test_sdp_that_refuses_the_keys_leaves_digits_that_tshark_reads_too(tmp_path: Path) -> None:
    hop = Hop()
    hop.set_up(offer=sdp(ALICE_RTP, extra=["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNf"]), answer=sdp(BOB_RTP))
    path = write(tmp_path, pcap(frames([*hop.packets, *media(1, ALICE_RTP, BOB_RTP, "1#")])))
    [stream] = trace([path]).streams
    assert [one.digit for one in stream.digits] == ["1", "#"]
    assert list(dict.fromkeys(row[0] for row in fields(path, "rtpevent", "rtpevent.event_id"))) == ["1", "11"]


ELSEWHERE: Place = ("10.0.0.7", 6000)


def moves(offer: str, answer: str) -> list[Packet]:
    hop = Hop()
    hop.set_up()
    hop.again(2, 2, offer=offer, answer=answer)
    hop.hang_up(5)
    return hop.packets


def reliably() -> list[Packet]:
    hop = Hop()
    hop.request(0, "INVITE", 1, body=sdp(ALICE_RTP), begins=True, extra="Require: 100rel")
    hop.response(0.1, 183, 1, body=sdp(BOB_RTP), phrase="Session Progress")
    hop.request(0.15, "PRACK", 2)
    hop.response(0.17, 200, 2, "PRACK")
    hop.response(0.2, 200, 1)
    hop.request(0.3, "ACK", 1)
    return hop.packets


FIELD = {
    "another port after a re-INVITE": [
        *moves(sdp((ALICE_RTP[0], 4400)), sdp(BOB_RTP)),
        *media(0.5, ALICE_RTP, BOB_RTP, "1", lose=[5, 6]),
        *media(2.5, (ALICE_RTP[0], 4400), BOB_RTP, "2", first=400, timestamp=90_000, lose=[3]),
    ],
    "direct media": [
        *moves(sdp(ELSEWHERE), sdp(BOB_RTP)),
        *media(0.5, ALICE_RTP, BOB_RTP, lose=[9]),
        *media(2.5, ELSEWHERE, BOB_RTP, "9", ssrc=77, lose=[2]),
    ],
    "a port that no SDP names": [*moves(sdp(ALICE_RTP), sdp(BOB_RTP)), *media(1, ELSEWHERE, BOB_RTP, "0", lose=[1])],
    "an answer in a reliable 183": [*reliably(), *media(0.4, BOB_RTP, ALICE_RTP, "5", lose=[4])],
}


@pytest.mark.parametrize("name", FIELD)
def test_streams_and_digits_of_calls_that_move_are_those_of_tshark(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, pcap(frames(sorted(FIELD[name], key=lambda one: one.time_ns))))
    assert counted(ours(path)) == theirs(path) != {}
    codes = list(dict.fromkeys(fields(path, "rtpevent", "rtp.ssrc", "rtp.timestamp", "rtpevent.event_id")))
    mine = [one.digit for stream in trace([path]).streams for one in stream.digits]
    assert mine == [KEYS[int(code)] for _, _, code in codes]


@pytest.mark.parametrize("clock_hz", [8000, 16_000, 48_000])
def test_the_length_of_a_digit_longer_than_a_segment_is_the_sum_of_those_of_tshark(
    tmp_path: Path, clock_hz: int
) -> None:
    """RFC 4733 §2.5.1.3: a duration of 65535, and a new timestamp for what follows."""
    hop = Hop()
    texts = [sdp(place, media="0 102", extra=[f"a=rtpmap:102 telephone-event/{clock_hz}"]) for place in
             (ALICE_RTP, BOB_RTP)]  # fmt: skip
    hop.set_up(offer=texts[0], answer=texts[1])
    step, packets = clock_hz // 50, []
    ticks = [min(step * n, 65_535) for n in range(1, 65_535 // step + 2)]
    rest = [step * n for n in range(1, 11)]
    for number, (stamp, duration, end) in enumerate(
        [*((1000, one, False) for one in ticks), *((1000 + 65_535, one, one == rest[-1]) for one in rest)]
    ):
        content = rtp(number, stamp, payload_type=102, payload=event(5, duration, end=end), marker=number == 0)
        packets.append(Packet(time_ns=START_NS + 400 * MS + 20 * MS * number, payload=content,
                              src=ALICE_RTP[0], sport=ALICE_RTP[1], dst=BOB_RTP[0], dport=BOB_RTP[1]))  # fmt: skip
    path = write(tmp_path, pcap(frames([*hop.packets, *packets])))
    last = dict(fields(path, "rtpevent", "rtp.timestamp", "rtpevent.duration"))
    [digit] = trace([path]).streams[0].digits
    assert digit.duration_ms == pytest.approx(1000 * sum(map(int, last.values())) / clock_hz)


UNREAD_BY_TSHARK = {
    "five tags": "it knows no EtherType 0x9200",
    "pseudowire with a control word": "it takes the word for the begin of an address",
    "pseudowire to an address that begins like IPv4": "it looks at the first half byte alone",
    "pseudowire to an address that begins like IPv6": "it looks at the first half byte alone",
    "ERSPAN III of IP": "it takes every frame type for Ethernet",
    "VXLAN of Linux": "port 8472 is another protocol's to it (OTV)",
}
"""What tshark 4 reads wrongly, or not at all, and why: seen."""


@pytest.mark.parametrize("name", [*LINKS, *TUNNELS])
def test_streams_in_tunnels_are_those_of_tshark_where_it_reads_them(tmp_path: Path, name: str) -> None:
    packets = [one for number, one in enumerate(call("19")) if number not in (30, 31)]
    build = LINKS[name] if name in LINKS else lambda packet: ethernet(TUNNELS[name](packet))
    path = write(tmp_path, pcap([(one.time_ns, build(one.ip())) for one in packets], snap=4000))
    assert counted(ours(path)) == counted(ours(write(tmp_path, pcap(frames(packets)), "plain.pcap")))
    if name in UNREAD_BY_TSHARK:
        assert theirs(path) == {}, UNREAD_BY_TSHARK[name]
    else:
        assert theirs(path) == counted(ours(path))
