"""The tap's running counters and its blanking of secrets, by themselves: packets are handed to the C as it is built."""

import ctypes
import random
import struct
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.component.tap_counters import AUDIO, CLOCK_HZ, EVENT, LIBRARY, UNKNOWN, Header, Packet, counted
from tests.unit.sip_messages import KEYED_LINES


def jitter_ms(packets: Sequence[Packet]) -> tuple[float | None, float | None]:
    """RFC 3550 A.8 and its maximum, in ms."""
    value = worst = None
    audio = [p for p in packets if p.payload_type == AUDIO]
    for before, now in pairwise(audio):
        moved_ms = (now.at_ns - before.at_ns) / 1e6 - 1000 * (now.timestamp - before.timestamp) / CLOCK_HZ
        value = (value or 0.0) + (abs(moved_ms) - (value or 0.0)) / 16
        worst = max(worst or 0.0, value)
    return value, worst


def late_ms(packets: Sequence[Packet]) -> float | None:
    """How far audio was behind the earliest so far, at worst."""
    behind = [p.at_ns / 1e6 - 1000 * p.timestamp / CLOCK_HZ for p in packets if p.payload_type == AUDIO]
    return max((at - min(behind[: i + 1]) for i, at in enumerate(behind)), default=None)


@st.composite
def streams(draw: st.DrawFn) -> list[Packet]:
    """A stream as a bad network delivers it: any start, lost, repeated and swapped, events in between."""
    first, stamp = draw(st.integers(0, 2**16 - 1)), draw(st.integers(0, 2**32 - 1))
    kinds = draw(st.lists(st.sampled_from([AUDIO] * 6 + [EVENT, UNKNOWN]), min_size=1, max_size=60))
    step = draw(st.sampled_from([1, 1, 1, 7, 400]))  # with 400, sixty packets go around more than once
    order = [
        (index * 20 * step + draw(st.integers(0, 90)), index)
        for index in range(len(kinds))
        for _ in range(draw(st.sampled_from([1, 1, 1, 1, 0, 2])))
    ]
    order = sorted(order) or [(0, 0)]
    begin_ns = draw(st.integers(0, 2**40))
    return [
        Packet(first + index * step, stamp + 160 * index * step, begin_ns + at_ms * 1_000_000, kinds[index])
        for at_ms, index in order
    ]


@given(streams())
def test_counters_are_those_of_the_definitions(packets: list[Packet]) -> None:
    stream = counted(packets)
    sequences = [p.sequence for p in packets]
    assert stream.packets == len(packets)
    assert stream.bytes == 172 * len(packets)
    assert stream.expected == max(sequences) - min(sequences) + 1
    assert stream.lost == stream.expected - len(set(sequences))
    assert stream.duplicates == len(sequences) - len(set(sequences))
    firsts = [(i, s) for i, s in enumerate(sequences) if s not in sequences[:i]]
    assert stream.reordered == sum(s < max(sequences[: i + 1]) for i, s in firsts)
    gaps_ms = [(b.at_ns - a.at_ns) / 1e6 for a, b in pairwise(packets)]
    assert stream.max_gap_ms == max(gaps_ms, default=None)
    assert stream.payload_types == Counter(p.payload_type for p in packets)


@given(streams())
def test_jitter_and_lateness_are_of_audio_alone_and_exact(packets: list[Packet]) -> None:
    stream = counted(packets)
    jitter, worst = jitter_ms(packets)
    assert stream.jitter_ms == pytest.approx(jitter, abs=1e-4)
    assert stream.max_jitter_ms == pytest.approx(worst, abs=1e-4)
    assert stream.max_late_ms == pytest.approx(late_ms(packets), abs=1e-3)


# --- digits --------------------------------------------------------------------------------------------------------

SEGMENT = 0xFFFF


def key_press(code: int, stamp: int, ticks: int) -> list[tuple[int, bytes, bool]]:
    """Timestamp, payload and marker of each packet of one event (RFC 4733 §2.5.1.2, §2.5.1.3), every 1600 ticks."""
    packets: list[tuple[int, bytes, bool]] = []
    for now in [*range(1600, ticks, 1600), ticks, ticks, ticks]:
        segment, within = divmod(now - 1, SEGMENT)
        end = now == ticks
        payload = struct.pack(">BBH", code, end << 7 | 10, within + 1)
        packets.append((stamp + segment * SEGMENT, payload, not packets))
    return packets


@st.composite
def dialled(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[Packet]]:
    """Keys (code, ticks), and their packets."""
    keys = draw(st.lists(st.tuples(st.integers(0, 16), st.integers(1, 150_000)), min_size=1, max_size=4))
    stamp, sent = draw(st.integers(0, 2**32 - 1)), []
    for code, ticks in keys:
        sent += key_press(code, stamp, ticks)
        stamp += ticks + 800
    packets = [
        Packet(n, at, 20_000_000 * n, EVENT, payload, marker=marker) for n, (at, payload, marker) in enumerate(sent)
    ]
    return keys, packets


@given(dialled())
def test_the_packets_of_a_key_are_one_digit_however_long_it_was_held(
    pressed: tuple[list[tuple[int, int]], list[Packet]],
) -> None:
    keys, packets = pressed
    digits = counted(packets).digits
    assert [(d.code, d.end_packets, d.marker, d.volume_dbm0) for d in digits] == [(c, 3, True, -10) for c, _ in keys]
    assert [d.duration_ms for d in digits] == pytest.approx([ticks / 8 for _, ticks in keys])
    assert sum(d.packets for d in digits) == len(packets)
    assert digits[0].first_s == packets[0].at_ns / 1e9


@given(dialled(), st.randoms(use_true_random=False))
def test_copies_and_swapped_neighbours_make_no_digit(
    pressed: tuple[list[tuple[int, int]], list[Packet]], random: random.Random
) -> None:
    keys, packets = pressed
    came = [copy for packet in packets for copy in [packet] * random.choice([1, 1, 2])]
    for place in range(1, len(came)):
        if random.random() < 0.2:
            came[place - 1], came[place] = came[place], came[place - 1]
    digits = counted(came).digits
    assert sorted(d.code for d in digits) == sorted(code for code, _ in keys)
    assert sum(d.packets for d in digits) == len(came)


def test_a_digit_without_its_end_packets_has_none_and_one_without_its_first_is_a_digit() -> None:
    packets = [
        Packet(n, stamp, 20_000_000 * n, EVENT, payload, marker=marker)
        for n, (stamp, payload, marker) in enumerate(key_press(5, 1000, 8000)[1:-3])
    ]
    (digit,) = counted(packets).digits
    assert (digit.code, digit.packets, digit.end_packets, digit.marker) == (5, 3, 0, False)
    assert digit.duration_ms == 800.0


@pytest.mark.parametrize(
    ("first_byte", "before", "after"),
    [(0x82, bytes(8), b""), (0x90, b"\xbe\xde\0\1abcd", b""), (0xA0, b"", b"\0\0\0\4"), (0xB1, bytes(8), b"\0\2")],
    ids=["CSRCs", "extension", "padding", "all of it"],
)
def test_an_event_is_found_behind_whatever_a_header_may_have(first_byte: int, before: bytes, after: bytes) -> None:
    event = struct.pack(">BBH", 7, 0x8A, 800)
    (digit,) = counted([Packet(1, 0, 0, EVENT, before + event + after, first_byte)]).digits
    assert (digit.code, digit.duration_ms, digit.end_packets) == (7, 100.0, 1)


@given(st.integers(0, 255), st.binary(max_size=24))
def test_whatever_an_event_packet_holds_is_read_within_its_bounds(first_byte: int, payload: bytes) -> None:
    packet = Packet(1, 0, 0, EVENT, payload, first_byte & 0x3F | 0x80)
    if is_rtp(packet.encoded()):
        stream = counted([packet])
        assert stream.packets == 1
        assert len(stream.digits) <= 1


def test_more_digits_than_there_is_room_for_are_not_written_past_it() -> None:
    packets = [Packet(n, 8000 * n, 20_000_000 * n, EVENT, struct.pack(">BBH", 1, 0x8A, 800)) for n in range(400)]
    stream = counted(packets)
    assert (len(stream.digits), stream.uncounted_digits) == (256, 144)


def test_packets_of_other_payload_types_are_counted_apart() -> None:
    stream = counted([Packet(n, 160 * n, 20_000_000 * n, UNKNOWN if n in {3, 4} else AUDIO) for n in range(10)])
    assert (stream.packets, stream.unnegotiated, stream.digits) == (10, 2, ())


def test_a_copy_is_known_after_the_numbers_have_gone_around() -> None:
    """Two hours of numbers: what was seen a cycle ago is no copy, what was seen half a minute ago is."""
    numbers = [*range(65_000, 65_000 + 3 * 65_536), *range(261_000, 261_010)]
    stream = counted([Packet(n, 160 * n, 20_000_000 * i) for i, n in enumerate(numbers)])
    assert (stream.expected, stream.lost, stream.duplicates) == (3 * 65_536, 0, 10)
    assert stream.reordered == 0


def is_rtp(packet: bytes) -> bool:
    return bool(LIBRARY.tap_rtp(packet, ctypes.c_size_t(len(packet)), ctypes.byref(Header())))


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x82\x00" + bytes(11), id="CSRCs that are not there"),
        pytest.param(b"\x90\x00" + bytes(12), id="extension that is not there"),
        pytest.param(b"\xa0\x00" + bytes(10) + b"\x05", id="padding that is not there"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x00short", id="short"),
        pytest.param(b"\x00\x01\x00\x00" + bytes(16), id="STUN"),
        pytest.param(b"\x80\xc8" + bytes(26), id="RTCP SR"),
        pytest.param(b"\x80\xdf" + bytes(26), id="RTCP, last type"),
    ],
)
def test_what_is_no_rtp_is_not_counted(packet: bytes) -> None:
    assert not is_rtp(packet)


# --- secrets -------------------------------------------------------------------------------------------------------


def blanked(message: bytes) -> bytes:
    buffer = ctypes.create_string_buffer(message, len(message) + 1)
    LIBRARY.tap_blank_secrets(buffer, ctypes.c_size_t(len(message)))
    assert buffer.raw[-1:] == b"\0"
    return buffer.raw[:-1]


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (
            b'Authorization: Digest username="a", response="0123abcd", nonce="n"',
            b'Authorization: Digest username="a", response="xxxxxxxx", nonce="n"',
        ),
        (
            b"PROXY-authorization : digest RESPONSE = 01ab,qop=auth",
            b"PROXY-authorization : digest RESPONSE = xxxx,qop=auth",
        ),
        (
            b'Authorization: Digest a="b",\r\n\tresponse="01\r\n 23"',
            b'Authorization: Digest a="b",\r\n\tresponse="xx\r\n xx"',
        ),
        (b"Authorization: Basic YTpi", b"Authorization: Basic xxxx"),
        (b'Authentication-Info: qop=auth, rspauth="0a1b"', b'Authentication-Info: qop=auth, rspauth="xxxx"'),
        (b"Authorization: Digest response", b"Authorization: Digest response"),
        (b'Authorization: Digest response="01', b'Authorization: Digest response="xx'),
        (b"Authorization:", b"Authorization:"),
        (b'WWW-Authenticate: Digest nonce="response=1"', b'WWW-Authenticate: Digest nonce="response=1"'),
        (b'X-Authorization: Digest response="01"', b'X-Authorization: Digest response="01"'),
    ],
)
def test_digests_are_blanked_and_nothing_else(header: bytes, kept: bytes) -> None:
    body = b"\r\n\r\nAuthorization: Digest response=body"
    around = b"REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\n%s\r\nContact: <sip:a>" + body
    assert blanked(around % header) == around % kept


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize(("line", "kept"), KEYED_LINES)
def test_the_keys_of_srtp_are_blanked_and_nothing_else(line: str, kept: str, end: bytes) -> None:
    around = end.join([b"INVITE sip:a SIP/2.0", b"X: a=crypto:1 x inline:abc", b"", b"v=0", b"%s", b"a=sendrecv", b""])
    assert blanked(around % line.encode()) == around % kept.encode()


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_whatever_comes_is_blanked_within_its_bounds(head: bytes, value: bytes) -> None:
    message = head + b"\nAuthorization: Digest response=" + value + b"\r\n\r\na=crypto:1 inline:" + value
    assert len(blanked(message)) == len(message)


@given(st.text("0123456789abcdef", min_size=32, max_size=64))
def test_no_digest_survives(digest: str) -> None:
    message = f'OPTIONS sip:a SIP/2.0\r\nAuthorization: Digest uri="sip:a",response="{digest}"\r\n\r\n'.encode()
    assert digest.encode() not in blanked(message)
