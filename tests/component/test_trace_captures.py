"""agent.trace on captures that nobody here made, and beside tshark."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agent.trace.model import Stream
from agent.trace.read import trace
from tests.unit.agent.trace.wire import START_NS, Packet, event, frames, pcap, rtp, speech

SIPP = Path("/usr/share/sip-tester")
KEYS = {**{str(n): str(n) for n in range(10)}, "star": "*", "pound": "#"}
ROW = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(0x\w+)\s+.*?(\d+)\s+(-?\d+) \(.*?\)\s+(.*)$")

needs_sipp = pytest.mark.skipif(not SIPP.is_dir(), reason="Debian's sip-tester is not installed")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@needs_sipp
@pytest.mark.parametrize("name", KEYS)
def test_the_digits_of_sipp(name: str) -> None:
    """Their end packets repeat one sequence number: copies, not loss (tshark 4.0 says -25 %)."""
    [stream] = trace([SIPP / f"dtmf_2833_{name}.pcap"]).streams
    [digit] = stream.digits
    assert (digit.digit, digit.packets, digit.end_packets, digit.complete) == (KEYS[name], 10, 3, True)
    assert (stream.packets, stream.expected, stream.lost, stream.duplicates) == (10, 8, 0, 2)


@needs_sipp
def test_the_speech_of_sipp() -> None:
    """30 ms a packet; 0.829 ms is tshark's largest jitter too, and 34.829 ms its largest delta."""
    [stream] = trace([SIPP / "g711a.pcap"]).streams
    assert (stream.codec, stream.packets, stream.lost) == ("PCMA", 236, 0)
    assert stream.max_jitter_ms == pytest.approx(0.829, abs=0.0005)
    assert stream.max_delta_ms == pytest.approx(34.829, abs=0.0005)


def tshark(path: Path) -> dict[tuple[str, str, str], tuple[int, int, list[float]]]:
    """Packets, lost, and the six times of `-z rtp,streams`, by source, destination and SSRC."""
    command = ["tshark", "-n", "-q", "-r", str(path), "--enable-heuristic", "rtp_udp", "-z", "rtp,streams"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    rows = [found for line in lines if (found := ROW.match(line))]
    return {
        (f"{r[1]}:{r[2]}", f"{r[3]}:{r[4]}", r[5].lower()): (int(r[6]), int(r[7]), [float(v) for v in r[8].split()[:6]])
        for r in rows
    }


def ours(path: Path) -> dict[tuple[str, str, str], Stream]:
    return {(stream.src, stream.dst, stream.ssrc): stream for stream in trace([path]).streams}


def shaken(packets: list[Packet]) -> list[Packet]:
    """Arrival times that differ from the sender's by up to 7 ms."""
    return [replace(packet, time_ns=packet.time_ns + n * n % 7 * 1_000_000) for n, packet in enumerate(packets)]


@needs_tshark
def test_packets_loss_largest_delta_and_jitter_are_those_of_tshark(tmp_path: Path) -> None:
    """Where both mean the same: no copies, no events, nothing late."""
    packets = [one for n, one in enumerate(shaken(speech(400, first=65_300))) if n % 50 != 7]
    packets += [replace(one, sport=5000) for one in shaken(speech(300, ssrc=77, start_ns=START_NS + 1_000_000))]
    path = tmp_path / "calls.pcap"
    path.write_bytes(pcap(frames(sorted(packets, key=lambda one: one.time_ns))))
    theirs, mine = tshark(path), ours(path)
    assert theirs.keys() == mine.keys()
    for key, (count, lost, times) in theirs.items():
        assert (mine[key].packets, mine[key].lost) == (count, lost)
        assert mine[key].max_delta_ms == pytest.approx(times[2], abs=0.001)
        assert mine[key].max_jitter_ms == pytest.approx(times[5], abs=0.001)


@needs_tshark
def test_copies_are_duplicates_where_tshark_subtracts_them_from_the_loss(tmp_path: Path) -> None:
    packets = speech(100)
    del packets[50]
    path = tmp_path / "calls.pcap"
    path.write_bytes(pcap(frames(sorted([*packets, *packets[10:13]], key=lambda one: one.time_ns))))
    [(count, lost, _)] = tshark(path).values()
    [stream] = ours(path).values()
    assert (stream.packets, stream.lost, stream.duplicates) == (count, 1, 3)
    assert lost == 1 - 3


@needs_tshark
def test_events_do_not_shake_the_jitter_as_they_do_in_tshark(tmp_path: Path) -> None:
    """A digit of 200 ms in perfectly even packets: tshark's clock goes on with the events, its timestamp does not."""
    digit = [
        Packet(
            time_ns=START_NS + 20_000_000 * n,
            payload=rtp(100 + n, 5000 + 160 * 50, payload_type=101, payload=event(5, 160 * (n - 49))),
        )
        for n in range(50, 60)
    ]
    after = speech(50, first=160, timestamp=5000 + 160 * 60, start_ns=START_NS + 20_000_000 * 60)
    path = tmp_path / "calls.pcap"
    path.write_bytes(pcap(frames([*speech(50), *digit, *after])))
    [stream] = ours(path).values()
    assert stream.max_jitter_ms == 0.0
    assert [one.digit for one in stream.digits] == ["5"]
    [(count, lost, times)] = tshark(path).values()
    assert (stream.packets, stream.lost) == (count, lost)
    assert times[5] > 5
