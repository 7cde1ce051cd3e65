"""Captures that are broken, cut or hostile: what is left is right, what was lost is said, nothing raises."""

import gzip
import random
import time
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.model import Trace, UnusableCaptureError
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import Frame, Packet, block, event, frames, invite, pcap, pcapng, rtp, sip, speech

PACKETS = [
    sip(Packet(payload=b""), invite("10.0.0.2", 4002, "0 101=telephone-event/8000")),
    *speech(60),
    *(Packet(payload=rtp(160 + n, 99, payload_type=101, payload=event(1, 160 * n, end=n > 6))) for n in range(9)),
]
FRAMES = frames(PACKETS)
WHOLE = {"pcap": pcap(FRAMES), "pcapng": pcapng(FRAMES)}
HEADERS = {"pcap": 24, "pcapng": 48}


def heard(found: Trace) -> int:
    return sum(stream.packets for stream in found.streams)


@pytest.mark.parametrize("name", WHOLE)
@given(share=st.floats(0, 1), chunk_bytes=st.integers(64, 20_000))
@settings(max_examples=12, deadline=None)
def test_a_cut_anywhere_leaves_all_before_it(name: str, share: float, chunk_bytes: int) -> None:
    content = WHOLE[name]
    size = HEADERS[name] + int(share * (len(content) - HEADERS[name]))
    found = read(content[:size], chunk_bytes=chunk_bytes)
    makers = {"pcap": pcap, "pcapng": pcapng}
    whole = max(n for n in range(len(FRAMES) + 1) if len(makers[name](FRAMES[:n])) <= size)
    assert found.files[0].packets == whole
    assert bool(found.files[0].skipped) == (len(makers[name](FRAMES[:whole])) != size)
    assert found.streams == read(makers[name](FRAMES[:whole])).streams


@pytest.mark.parametrize("name", WHOLE)
@given(share=st.floats(0.2, 0.8), size=st.integers(1, 600), chunk_bytes=st.integers(64, 20_000))
@settings(max_examples=12, deadline=None)
def test_damage_costs_what_it_hit_and_is_counted(name: str, share: float, size: int, chunk_bytes: int) -> None:
    """Bytes that are no record, between or instead of records."""
    content = WHOLE[name]
    at = int(share * len(content))
    found = read(content[:at] + b"\xff" * size + content[at + size :], chunk_bytes=chunk_bytes)
    hit = 3 + size // 70
    assert len(FRAMES) - hit <= found.files[0].packets <= len(FRAMES)
    assert heard(found) >= 69 - hit
    if found.files[0].packets < len(FRAMES):
        assert found.files[0].skipped


@pytest.mark.parametrize("name", WHOLE)
def test_bytes_that_are_missing_are_damage_too(name: str) -> None:
    content = WHOLE[name]
    found = read(content[:5000] + content[5100:])
    assert heard(found) >= 67
    assert sum(found.files[0].skipped.values()) >= 1


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_much_damage_costs_each_record_it_hit_and_no_more_time_than_that(make: Callable[[list[Frame]], bytes]) -> None:
    """Every tenth header is broken: what stands between is read, however large the window."""
    records = frames(speech(1200))
    content = bytearray(make(records))
    broken = range(100, 1200, 10)
    for number in broken:
        at = len(make(records[:number]))
        content[at : at + 16] = b"\xff" * 16
    begun = time.process_time()
    found = read(bytes(content), chunk_bytes=1 << 24)
    assert time.process_time() - begun < 20
    assert found.files[0].packets == 1200 - len(broken)
    assert sum(found.files[0].skipped.values()) == len(broken)
    assert found.streams[0].lost == len(broken)


@pytest.mark.parametrize(("make", "at"), [(pcap, 9), (pcap, 13), (pcapng, 5)])
def test_a_length_that_reaches_beyond_the_end_hides_nothing_behind_it(
    make: Callable[[list[Frame]], bytes], at: int
) -> None:
    records = frames(speech(50))
    content = bytearray(make(records))
    begin = len(make(records[:20]))
    content[begin + at] = 0xFF
    if make is pcap:
        content[begin + 9] = 0xFF
    found = read(bytes(content))
    assert (found.files[0].packets, found.streams[0].lost) == (49, 1)
    assert list(found.files[0].skipped.values()) == [1]


def test_zeros_at_the_end_are_no_packets() -> None:
    found = read(WHOLE["pcap"] + bytes(100_000))
    assert (found.files[0].packets, found.files[0].skipped) == (len(FRAMES), {"damaged record": 1})


def test_records_inside_payloads_are_payload() -> None:
    """Captures of captures: the walk must not take an inner record for one of the file."""
    inner = pcap(frames(speech(3)))[24:]
    packets = [Packet(time_ns=one.time_ns, payload=one.payload + inner) for one in speech(3000)]
    found = read(pcap(frames(packets)), chunk_bytes=1 << 20)
    assert [(stream.packets, stream.lost) for stream in found.streams] == [(3000, 0)]
    assert found.files[0].packets == 3000


COMPRESSED = {"gzip": lambda content: gzip.compress(content, 1), "zstd": zstandard.compress}


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_cut_compressed_file_says_so_and_gives_what_it_has(name: str) -> None:
    noisy = [
        Packet(time_ns=one.time_ns, payload=one.payload[:12] + random.Random(1).randbytes(160)) for one in speech(999)
    ]
    whole = pcap(frames(noisy))
    found = read(COMPRESSED[name](whole[:100_000]) + COMPRESSED[name](whole[100_000:])[:-200])
    assert found.files[0].skipped[f"damaged {name} data"] == 1
    assert found.files[0].packets > 400


def mutated(dice: random.Random) -> bytes:
    content = bytearray(WHOLE[dice.choice(["pcap", "pcapng"])])
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(content))
        match dice.randrange(4):
            case 0:
                content[at] = dice.randrange(256)
            case 1:
                content[at : at + 4] = dice.choice(
                    [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\0\0"]
                )
            case 2:
                del content[at : at + dice.randrange(300)]
            case _:
                content[at:at] = content[dice.randrange(len(content)) :][: dice.randrange(300)]
    return bytes(content)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_changed_nothing_raises(seed: int) -> None:
    """A short run; bench/trace/fuzz does a million."""
    dice = random.Random(seed)
    for _ in range(12):
        try:
            found = read(mutated(dice), chunk_bytes=dice.choice([64, 1000, 1 << 16]))
        except UnusableCaptureError:
            continue
        assert all(stream.packets >= 1 and stream.lost >= 0 for stream in found.streams)


@pytest.mark.parametrize(("kind", "skipped"), [(0xFF000006, 1), (77, 1), (5, 0), (0x80000001, 0)])
def test_a_block_that_nobody_knows_may_be_a_packet_whose_type_was_damaged(kind: int, skipped: int) -> None:
    before = pcapng(FRAMES[:30])
    found = read(before + block(kind, bytes(40)) + pcapng(FRAMES[30:])[48:])
    assert found.files[0].packets == len(FRAMES)
    assert found.files[0].skipped == ({"block of an unknown type": 1} if skipped else {})
