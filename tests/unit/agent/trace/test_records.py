"""Records that their writer described oddly: the chain of lengths is whole, so nothing of the file is lost."""

import struct
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.model import Trace
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import Frame, block, event, frames, interface, pcap, rtp, section, speech
from tests.unit.agent.trace.wire import Packet as Datagram

PACKETS = [
    *speech(40),
    *(
        Datagram(
            time_ns=speech(41)[-1].time_ns + 20_000_000 * n,
            payload=rtp(140 + n, 5000 + 160 * 40, payload_type=101, payload=event(1, 160 * (n + 1), end=n > 6)),
        )
        for n in range(9)
    ),
]
FRAMES = frames(PACKETS)

Header = tuple[int, int, int, int]
"""Seconds, fraction, captured, wire."""
ODDITIES: dict[str, Callable[[Header, int], Header]] = {
    "captured above the length on the wire": lambda h, _: (h[0], h[1], h[2], h[2] - 4),
    "one byte on the wire": lambda h, _: (h[0], h[1], h[2], 1),
    "nothing on the wire": lambda h, _: (h[0], h[1], h[2], 0),
    "a fraction without carry": lambda h, limit: (h[0] - 1, h[1] + limit, h[2], h[3]),
    "two seconds without carry": lambda h, limit: (h[0] - 2, h[1] + 2 * limit, h[2], h[3]),
    "all at once": lambda h, limit: (h[0] - 1, h[1] + limit, h[2], 0),
}
PCAPS = {"µs": ("<", False), "ns": ("<", True), "µs, other order": (">", False), "ns, other order": (">", True)}


def written(odd: Sequence[str | None], order: str, nano: bool, records: Sequence[Frame] = FRAMES) -> bytes:  # noqa: FBT001
    """A pcap whose records have the oddities of these names."""
    parts = [pcap([], order=order, nano=nano)]
    limit = 1_000_000_000 if nano else 1_000_000
    for (time_ns, frame), name in zip(records, odd, strict=True):
        seconds, rest = divmod(time_ns, 1_000_000_000)
        header = (seconds, rest if nano else rest // 1000, len(frame), len(frame))
        parts.append(struct.pack(order + "IIII", *(ODDITIES[name](header, limit) if name else header)) + frame)
    return b"".join(parts)


PLAIN = read(pcap(FRAMES))
some = st.lists(st.sampled_from([None, *ODDITIES]), min_size=len(FRAMES), max_size=len(FRAMES))


def answer(found: Trace) -> tuple[object, ...]:
    return (found.files[0].packets, found.files[0].skipped, found.streams)


@pytest.mark.parametrize("form", PCAPS)
@pytest.mark.parametrize("name", ODDITIES)
def test_a_file_whose_every_record_is_odd_is_read_wholly(form: str, name: str) -> None:
    assert answer(read(written([name] * len(FRAMES), *PCAPS[form]))) == answer(PLAIN)


@pytest.mark.parametrize("form", PCAPS)
@given(odd=some, chunk_bytes=st.integers(64, 20_000))
@settings(max_examples=10, deadline=None)
def test_oddities_of_any_records_lose_nothing(form: str, odd: list[str | None], chunk_bytes: int) -> None:
    assert answer(read(written(odd, *PCAPS[form]), chunk_bytes=chunk_bytes)) == answer(PLAIN)


@given(odd=some, number=st.integers(5, len(FRAMES) - 5), chunk_bytes=st.integers(64, 20_000))
@settings(max_examples=10, deadline=None)
def test_a_damaged_record_among_them_costs_itself_and_an_odd_one_that_only_it_could_vouch_for(
    odd: list[str | None], number: int, chunk_bytes: int
) -> None:
    content = bytearray(written(odd, "<", nano=False))
    at = len(pcap(FRAMES[:number]))
    content[at : at + 16] = b"\xff" * 16
    found = read(bytes(content), chunk_bytes=chunk_bytes)
    assert found.files[0].packets == len(FRAMES) - (2 if odd[number - 1] else 1)
    assert found.files[0].skipped == {"damaged record": 1}


@given(odd=some, share=st.floats(0, 1), chunk_bytes=st.integers(64, 20_000))
@settings(max_examples=10, deadline=None)
def test_a_cut_leaves_all_before_it(odd: list[str | None], share: float, chunk_bytes: int) -> None:
    content = written(odd, "<", nano=False)
    size = 24 + int(share * (len(content) - 24))
    whole = max(n for n in range(len(FRAMES) + 1) if len(pcap(FRAMES[:n])) <= size)
    found = read(content[:size], chunk_bytes=chunk_bytes)
    assert found.files[0].packets == whole
    assert bool(found.files[0].skipped) == (len(pcap(FRAMES[:whole])) != size)


@pytest.mark.parametrize("name", ODDITIES)
def test_zeros_behind_odd_records_are_no_packets(name: str) -> None:
    found = read(written([name] * len(FRAMES), "<", nano=False) + bytes(50_000))
    assert (found.files[0].packets, found.files[0].skipped) == (len(FRAMES), {"damaged record": 1})


def test_an_empty_record_is_one_and_hides_nothing() -> None:
    records = [*FRAMES[:20], (FRAMES[20][0], b""), *FRAMES[20:]]
    found = read(written([None] * len(records), "<", nano=False, records=records))
    assert (found.files[0].packets, found.files[0].skipped) == (len(FRAMES) + 1, {})
    assert found.streams == PLAIN.streams


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_is_set_within_an_odd_file_hides_nothing(days: int) -> None:
    records = [*FRAMES[:20], *((time_ns + days * 86_400_000_000_000, frame) for time_ns, frame in FRAMES[20:])]
    odd = [None] * 19 + ["nothing on the wire"] + [None] * (len(records) - 20)
    found = read(written(odd, "<", nano=False, records=records))
    assert (found.files[0].packets, found.files[0].skipped) == (len(FRAMES), {})


def test_a_length_that_leads_nowhere_is_damage_however_odd_the_rest() -> None:
    content = bytearray(written([None] * len(FRAMES), "<", nano=False))
    at = len(pcap(FRAMES[:10]))
    struct.pack_into("<II", content, at + 8, len(FRAMES[10][1]) + 3, 0)
    found = read(bytes(content))
    assert (found.files[0].packets, found.files[0].skipped) == (len(FRAMES) - 1, {"damaged record": 1})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wire", [0, 1, 100])
@pytest.mark.parametrize("kind", [6, 2])
def test_odd_lengths_in_pcapng_lose_nothing(order: str, wire: int, kind: int) -> None:
    parts = [section(order), interface(order=order)]
    for time_ns, frame in FRAMES:
        ticks, size = time_ns // 1000, len(frame)
        head = struct.pack(order + ("IIIII" if kind == 6 else "HHIIII"), *(0,) * (1 if kind == 6 else 2),
                           ticks >> 32, ticks & 0xFFFFFFFF, size, wire)  # fmt: skip
        parts.append(block(kind, head + frame + bytes(-size % 4), order))
    assert answer(read(b"".join(parts))) == answer(PLAIN)
