"""Counters of streams against the plain definitions, whatever the network did."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.model import Trace
from agent.trace.read import rtp_packets, trace
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.reference import truth
from tests.unit.agent.trace.wire import Packet, event, frames, pcap, pcapng, rtp, speech


def agree(found: Trace, packets: list[Packet]) -> None:
    expected = truth(packets)
    assert [(stream.src, stream.dst, stream.ssrc) for stream in found.streams] == list(expected)
    for stream, one in zip(found.streams, expected.values(), strict=True):
        assert stream.packets == one.packets
        assert (stream.expected, stream.lost) == (one.expected, one.lost)
        assert (stream.duplicates, stream.reordered) == (one.duplicates, one.reordered)
        assert stream.max_delta_ms == pytest.approx(one.max_delta_ms, abs=1e-6)
        if one.audio and stream.codec:
            assert stream.jitter_ms == pytest.approx(one.jitter_ms, abs=1e-6)
            assert stream.max_jitter_ms == pytest.approx(one.max_jitter_ms, abs=1e-6)


@st.composite
def networks(draw: st.DrawFn) -> list[Packet]:
    """Streams from any sequence number and timestamp on, with loss, copies, late packets and events."""
    packets: list[Packet] = []
    for ssrc in range(draw(st.integers(1, 3))):
        first, stamp = draw(st.integers(0, 0xFFFF)), draw(st.integers(0, 0xFFFFFFFF))
        size = draw(st.integers(3, 60))
        order = draw(st.lists(st.integers(0, size), max_size=size))
        late = draw(st.lists(st.integers(0, 80_000_000), min_size=size, max_size=size))
        # Two packets that follow each other make it a stream, wherever they come.
        for place, (number, wait_ns) in enumerate(zip([0, 1, *order], [0, 0, *late], strict=False)):
            if number % 7 == 5:
                payload = rtp(
                    first + number, stamp + 160 * 5, payload_type=101, ssrc=ssrc + 1, payload=event(3, 80 * number)
                )
            elif number % 7 == 3:
                payload = rtp(first + number, 0, payload_type=97, ssrc=ssrc + 1, payload=bytes(4 + 16 * (number % 2)))
            else:
                payload = rtp(first + number, stamp + 160 * number, ssrc=ssrc + 1)
            time_ns = 1_700_000_000_000_000_000 + place * 20_000_000 + wait_ns // 1000 * 1000
            packets.append(Packet(time_ns=time_ns, payload=payload, sport=4000 + ssrc))
    return sorted(packets, key=lambda packet: packet.time_ns) if draw(st.booleans()) else packets


@given(networks(), st.integers(64, 6000))
@settings(max_examples=25, deadline=None)
def test_any_loss_copies_order_wraps_and_chunk_size(packets: list[Packet], chunk_bytes: int) -> None:
    agree(read(pcap(frames(packets)), chunk_bytes=chunk_bytes), packets)


@given(networks(), st.lists(st.integers(0, 60), max_size=4), st.integers(64, 6000))
@settings(max_examples=20, deadline=None)
def test_several_files_are_one_capture(packets: list[Packet], cuts: list[int], chunk_bytes: int) -> None:
    records = frames(packets)
    bounds = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    parts = [records[a:b] for a, b in pairwise(bounds)]
    files = [pcap(part) if number % 2 else pcapng(part) for number, part in enumerate(parts)]
    whole = read(pcap(records))
    assert read(*files, chunk_bytes=chunk_bytes).streams == whole.streams
    agree(whole, packets)


def test_every_payload_is_there_in_the_second_pass(tmp_path: Path) -> None:
    packets = speech(500, first=65_400, timestamp=0xFFFFFFFF - 3000)
    path = tmp_path / "calls.pcap"
    path.write_bytes(pcap(frames(packets)))
    found = trace([path])
    parts = list(rtp_packets([path], found, chunk_bytes=1000))
    assert sum(len(part.payloads) for part in parts) == 500
    sequence = [int(number) for part in parts for number in part.sequence]
    assert sequence == list(range(sequence[0], sequence[0] + 500))
    stamps = [int(stamp) for part in parts for stamp in part.timestamp]
    assert stamps == list(range(stamps[0], stamps[0] + 160 * 500, 160))
    assert {part.formats[0].name for part in parts} == {"PCMU"}
    assert b"".join(b"".join(part.payloads) for part in parts) == bytes(160 * 500)
