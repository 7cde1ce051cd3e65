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
from tests.unit.agent.trace.test_formats import SAME
from tests.unit.agent.trace.test_records import FRAMES, ODDITIES, PCAPS, written
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


def write(folder: Path, content: bytes) -> Path:
    path = folder / "call.pcap"
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
