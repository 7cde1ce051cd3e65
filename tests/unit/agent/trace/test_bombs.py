"""Small files that ask for much: time and memory are bounded, what was not read is said."""

import bz2
import gzip
import lzma
import re
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard

from agent.trace.file import pcapng, source
from agent.trace.model import Trace, UnusableCaptureError
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import block, enhanced, frames, interface, pcap, section, speech

FRAMES = frames(speech(40))
FRAME = FRAMES[0][1][:60]
TICKS = 1_700_000_000_000_000
GROWS = f"compressed data that grows more than {source.MAX_GROWTH} times: not read on"
MAX_CPU_S = 20
"""Of a slow machine: each of these takes one second or two."""
MAX_BYTES = 150_000_000


def bounded(content: bytes) -> Trace:
    tracemalloc.start()
    begun = time.process_time()
    found = read(content)
    took_s, (_, peak_bytes) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took_s < MAX_CPU_S
    assert peak_bytes < MAX_BYTES
    return found


def zstd(begin: bytes, unit: bytes, count: int) -> bytes:
    """Compressed, without what it is of ever being there as a whole."""
    packer = zstandard.ZstdCompressor().compressobj()
    piece = unit * 1000
    return b"".join([packer.compress(begin), *(packer.compress(piece) for _ in range(count // 1000)), packer.flush()])


def test_an_interface_for_each_packet_costs_no_more_than_the_packet() -> None:
    packets = [interface() + enhanced(FRAME, TICKS + 20_000 * n, number=n) for n in range(30_000)]
    found = bounded(section() + b"".join(packets))
    assert (found.files[0].packets, found.files[0].skipped) == (30_000, {})


def test_a_section_for_each_packet_costs_no_more_than_the_packet() -> None:
    packets = [section() + interface() + enhanced(FRAME, TICKS + 20_000 * n) for n in range(20_000)]
    found = bounded(b"".join(packets))
    assert (found.files[0].packets, found.files[0].skipped) == (20_000, {})


def test_old_packet_blocks_cost_no_more_than_others() -> None:
    one = block(2, struct.pack("<HHIIII", 0, 0, TICKS >> 32, TICKS & 0xFFFFFFFF, 60, 60) + FRAME)
    found = bounded(section() + interface() + one * 30_000)
    assert (found.files[0].packets, found.files[0].skipped) == (30_000, {})


def test_interfaces_beyond_what_a_section_may_have_are_not_remembered() -> None:
    many = section() + interface() * 65_536 + interface(link=101)
    found = bounded(many + enhanced(FRAME, TICKS, number=65_535) + enhanced(FRAME, TICKS, number=65_536))
    assert (found.files[0].packets, found.files[0].skipped) == (1, {"packet of an unknown interface": 1})


def test_byte_orders_that_change_without_end_are_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcapng, "MAX_TURNS", 50)
    turn = b"".join(section(o) + interface(order=o) + enhanced(FRAME, TICKS, o) for o in "<>")
    found = bounded(turn * 300)
    assert (found.files[0].packets, found.files[0].skipped) == (51, {"what follows 50 changes of byte order": 1})


def test_options_without_end_are_skipped() -> None:
    options = struct.pack("<HH", 1, 0) * 200_000 + struct.pack("<HHB3x", 9, 1, 9)
    found = bounded(section() + block(1, struct.pack("<HHI", 1, 0, 0) + options) + enhanced(FRAME, TICKS))
    assert found.files[0].packets == 1


BOMBS: dict[str, Callable[[], bytes]] = {
    "interfaces": lambda: zstd(section(), interface(), 300_000),
    "sections": lambda: zstd(b"", section() + interface() + enhanced(FRAME, TICKS), 100_000),
    "packets": lambda: zstd(section() + interface(), enhanced(FRAME, TICKS), 100_000),
    "zeros": lambda: zstd(pcap(FRAMES), bytes(1000), 10_000),
    "zeros of gzip": lambda: gzip.compress(pcap(FRAMES) + bytes(4_000_000), 1),
    "no capture": lambda: zstd(b"", bytes(1000), 10_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_beyond_any_capture_is_read_no_further_and_that_is_said(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "FREE_BYTES", 1 << 20)
    bomb = BOMBS[name]()
    if name == "no capture":
        with pytest.raises(UnusableCaptureError, match="neither pcap nor pcapng"):
            bounded(bomb)
        return
    found = bounded(bomb)
    assert found.files[0].skipped[GROWS] == 1
    assert found.files[0].bytes <= source.FREE_BYTES + source.MAX_GROWTH * len(bomb) + (1 << 20)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_captures_compress_less_than_what_is_refused(pack: Callable[[bytes], bytes]) -> None:
    """Silence of 20,000 packets, each like the one before: the most even thing that RTP can be."""
    content = pcap(frames(speech(20_000)))
    assert len(content) / len(pack(content)) < source.MAX_GROWTH / 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(gzip.compress(pcap(FRAMES))), "gzip data within gzip: unpack it first"),
        (zstandard.compress(gzip.compress(pcap(FRAMES))), "gzip data within zstd: unpack it first"),
        (gzip.compress(zstandard.compress(pcap(FRAMES))), "zstd data within gzip: unpack it first"),
        (bz2.compress(pcap(FRAMES)), "bzip2 data: unpack it first"),
        (lzma.compress(pcap(FRAMES)), "xz data: unpack it first"),
        (zstandard.compress(pcap(FRAMES))[:9], "damaged zstd data: no capture"),
        (b"", "empty: no capture"),
    ],
)
def test_what_is_not_unpacked_is_said_with_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(UnusableCaptureError, match=re.escape(said)):
        read(content)


def test_a_window_that_is_too_large_is_said_with_what_to_do() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(UnusableCaptureError, match=r"window above 128 MB: unpack it first \(zstd -d --long=31\)"):
        read(packer.compress(pcap(FRAMES)) + packer.flush())


def test_what_is_searched_after_damage_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each small damaged block of many was followed by a search through 64 KiB: a hundred times the file."""
    searched = 0

    def counted(window: bytes, sections=pcapng._sections):
        nonlocal searched
        searched += len(window)
        return sections(window)

    monkeypatch.setattr(pcapng, "_sections", counted)
    damaged = struct.pack("<III", 6, 7, 0)  # a length that is none
    unit = damaged + enhanced(FRAME, TICKS)
    content = section() + interface() + unit * 5000
    assert bounded(content).files[0].skipped == {"damaged block": 5000}
    assert searched < 12 * len(content)
