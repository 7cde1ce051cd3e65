"""What the tap counts in media time, by epoch, and how it is bounded; the recordings. Packets are handed to the C."""

import struct
import wave
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.tap import Tap
from agent.tap.model import GapKind, TapStream, TapStreams
from tests.component.tap_counters import EVENT, G729, NOISE, OPUS, UNKNOWN, Call, Packet, a_call, counted, rows

SUMMED = (
    *("packets", "bytes", "expected", "lost", "duplicates", "reordered", "restarts", "unnegotiated", "empty", "noise"),
    *("event_ms", "jitter_samples", "gap_count"),
)
TIMES = ("media_ms", "lost_ms", "pause_ms", "span_ms")


def speech(count: int, *, sequence: int = 0, timestamp: int = 0, at_ms: float = 0, ms: int = 20) -> list[Packet]:
    """PCMU without fault."""
    size = 8 * ms
    return [
        Packet(sequence + n, timestamp + size * n, round(1e6 * (at_ms + ms * n)), payload=bytes(size))
        for n in range(count)
    ]


def press(sequence: int, timestamp: int, at_ms: float, *, packets: int = 8, ends: int = 3) -> list[Packet]:
    """A digit of 20 ms a packet; its end is sent three times."""
    ticks = [160 * min(n + 1, packets - ends + 1) for n in range(packets)]
    return [
        Packet(
            sequence + n,
            timestamp,
            round(1e6 * (at_ms + 20 * n)),
            EVENT,
            struct.pack(">BBH", 5, (n > packets - ends - 1) << 7 | 10, told),
            marker=n == 0,
        )
        for n, told in enumerate(ticks)
    ]


def times(stream: TapStream) -> tuple[float | None, ...]:
    """media, lost, pause, span, ms."""
    return stream.media_ms, stream.lost_ms, stream.pause_ms, stream.span_ms


def kinds(stream: TapStream) -> list[tuple[GapKind, float]]:
    return [(gap.kind, gap.missing_ms) for gap in stream.gaps]


@pytest.mark.parametrize("ms", [10, 20, 30, 40, 60])
def test_media_is_time_whatever_the_length_of_packets(ms: int) -> None:
    assert times(counted(speech(100, ms=ms))) == (100 * ms, 0, 0, 100 * ms)


def test_lost_packets_are_missing_time() -> None:
    packets = speech(100)
    stream = counted([p for p in packets if p.sequence % 10 != 5])
    assert (stream.lost, *times(stream)) == (10, 1800, 200, 0, 2000)
    assert kinds(stream) == [(GapKind.LOST, 20.0)] * 10


def test_a_lost_tenth_behind_a_repacketiser_is_missing_time_though_no_number_is() -> None:
    there = [p for p in speech(200, ms=10) if p.sequence // 2 % 10 != 5]  # 20 ms of 200 are gone, then it numbers anew
    stream = counted([replace(p, sequence=n) for n, p in enumerate(there)])
    assert (stream.lost, *times(stream)) == (0, 1800, 200, 0, 2000)


def test_a_repacketiser_that_loses_nothing_is_missing_nothing() -> None:
    assert times(counted(speech(50, ms=40))) == times(counted(speech(200, ms=10))) == (2000, 0, 0, 2000)


def test_what_comes_late_is_not_missing() -> None:
    packets = speech(100)
    late = [replace(p, at_ns=p.at_ns + 300_000_000) for p in packets[40:45]]
    stream = counted(sorted([*packets[:40], *late, *packets[45:]], key=lambda p: p.at_ns))
    assert (stream.reordered, *times(stream)) == (5, 2000, 0, 0, 2000)
    assert (stream.gaps, stream.gap_count) == ((), 0)


def test_a_copy_is_no_media() -> None:
    packets = speech(100)
    assert times(counted([*packets[:50], packets[49], packets[30], *packets[50:]])) == (2000, 0, 0, 2000)


def test_a_timestamp_that_goes_on_with_the_marker_bit_ends_a_pause() -> None:
    after = speech(50, sequence=50, timestamp=160 * 50 + 8 * 3000, at_ms=4000)
    after[0] = replace(after[0], marker=True)
    stream = counted([*speech(50), *after])
    assert times(stream) == (2000, 0, 3000, 5000)
    assert kinds(stream) == [(GapKind.PAUSE, 3000.0)]
    assert stream.gaps[0].at_s == 4.0


def test_without_the_marker_bit_that_time_was_lost() -> None:
    after = speech(50, sequence=50, timestamp=160 * 50 + 8 * 3000, at_ms=4000)
    assert times(counted([*speech(50), *after])) == (2000, 3000, 0, 5000)


@pytest.mark.parametrize(("payload_type", "payload"), [(NOISE, b"\x40"), (UNKNOWN, b""), (0, b"")])
def test_next_to_comfort_noise_or_a_keep_alive_it_is_a_pause(payload_type: int, payload: bytes) -> None:
    noise = [
        Packet(50 + n, 160 * 50 + 1600 * n, (1000 + 200 * n) * 1_000_000, payload_type, payload) for n in range(10)
    ]
    after = speech(50, sequence=60, timestamp=160 * 50 + 16_000, at_ms=3000)
    stream = counted([*speech(50), *noise, *after])
    assert times(stream) == (2000, 0, 2000, 4000)
    assert (stream.noise, stream.empty, stream.unnegotiated) == (10 * bool(payload), 10 * (not payload), 0)
    assert stream.payload_types == {0: 100 + 10 * (payload_type == 0)} | ({payload_type: 10} if payload_type else {})


def test_what_a_digit_covers_is_neither_audio_nor_missing() -> None:
    packets = [*speech(50), *press(50, 160 * 50, 1000), *speech(50, sequence=58, timestamp=160 * 58, at_ms=1160)]
    stream = counted(packets)
    assert stream.event_ms == 120
    assert times(stream) == (2000, 0, 40, 2160), "its end was sent twice more"


def test_audio_beside_a_digit_is_counted_once() -> None:
    beside = [replace(p, sequence=2 * p.sequence) for p in speech(100)]
    events = [replace(p, sequence=2 * n + 41) for n, p in enumerate(press(0, 160 * 20, 400))]
    stream = counted(sorted([*beside, *events], key=lambda p: p.sequence))
    assert stream.media_ms == 2000
    assert stream.event_ms <= 20


def test_a_source_that_begins_anew_is_missing_nothing() -> None:
    again = speech(100, sequence=30_000, timestamp=77, at_ms=4000)
    stream = counted([*speech(100), *again])
    assert (stream.restarts, stream.lost, *times(stream)) == (1, 0, 4000, 0, 0, 4000)
    assert [gap.kind for gap in stream.gaps] == [GapKind.RESTART]


def test_a_source_that_only_seemed_to_begin_anew_has_no_gap_of_it() -> None:
    """Two packets of another's in sequence, and the old line goes on within a second: not even a trace is left."""
    others = speech(2, sequence=30_000, timestamp=77, at_ms=1001)
    anew = speech(50, sequence=9000, timestamp=5, at_ms=4000)
    was = [*speech(50), *others, *speech(50, sequence=50, timestamp=8000, at_ms=1040)]
    stream = counted(was)
    assert (stream.restarts, stream.lost, stream.gaps, stream.gap_count) == (0, 0, (), 0)
    stream = counted([*was, *anew])
    assert (stream.restarts, [gap.kind for gap in stream.gaps]) == (1, [GapKind.RESTART])


def test_timestamps_that_only_seemed_to_begin_anew_have_no_gap_of_it() -> None:
    odd = [replace(p, timestamp=p.timestamp + 5_000_000) for p in speech(3, sequence=50, timestamp=8000, at_ms=1000)]
    stream = counted([*speech(50), *odd, *speech(50, sequence=53, timestamp=8480, at_ms=1060)])
    assert (stream.restarts, stream.lost) == (0, 0)
    assert GapKind.RESTART not in {gap.kind for gap in stream.gaps}


def test_one_odd_timestamp_is_missing_nothing() -> None:
    packets = speech(100)
    packets[50] = replace(packets[50], timestamp=5_000_000)
    assert times(counted(packets)) == (2000, 0, 0, 2000)


@pytest.mark.parametrize(("payload_type", "step", "size"), [(G729, 160, 20), (OPUS, 960, 77), (OPUS, 2880, 99)])
def test_other_codecs_are_timed_by_their_timestamps(payload_type: int, step: int, size: int) -> None:
    ms = step / (48 if payload_type == OPUS else 8)
    packets = [Packet(n, step * n, round(1e6 * ms * n), payload_type, bytes(size)) for n in range(100)]
    stream = counted([p for p in packets if p.sequence not in {30, 31, 60}])
    assert times(stream) == pytest.approx((97 * ms, 3 * ms, 0, 100 * ms))


def test_other_codecs_may_change_the_length_of_packets() -> None:
    short = [Packet(n, 160 * n, 20_000_000 * n, G729, bytes(20)) for n in range(50)]
    long = [Packet(50 + n, 8000 + 480 * n, (1000 + 60 * n) * 1_000_000, G729, bytes(60)) for n in range(50)]
    stream = counted([*short, *long, *[replace(p, sequence=100 + p.sequence, timestamp=32_000 + p.timestamp,
                                               at_ns=4_000_000_000 + p.at_ns) for p in short]])  # fmt: skip
    assert stream.lost_ms == 0
    assert stream.gap_count == 0
    assert stream.media_ms == stream.span_ms == pytest.approx(5000, abs=60)


def test_of_audio_without_a_known_clock_nothing_is_timed() -> None:
    stream = counted([replace(p, payload_type=UNKNOWN) for p in speech(50)])
    assert times(stream) == (None, None, None, None)
    assert stream.unnegotiated == 50


# --- epochs --------------------------------------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn) -> list[Packet]:
    """What a bad network and an odd sender make of one stream."""
    packets: list[Packet] = []
    sequence, timestamp, at_ms = draw(st.integers(0, 65_535)), draw(st.integers(0, 2**32 - 1)), 0
    for _ in range(draw(st.integers(1, 8))):
        match draw(st.sampled_from(["audio", "audio", "digit", "noise", "restart", "pause", "empty", "loss"])):
            case "digit":
                part = press(sequence, timestamp, at_ms)
            case "noise" | "empty" as kind:
                payload_type, payload = (NOISE, b"\x40") if kind == "noise" else (UNKNOWN, b"")
                part = [Packet(sequence, timestamp, at_ms * 1_000_000, payload_type, payload)]
            case _ as kind:
                if kind == "restart":
                    sequence, timestamp = sequence + 20_000, timestamp - 3_000_000
                if kind == "loss":
                    sequence, timestamp, at_ms = sequence + 3, timestamp + 480, at_ms + 60
                if kind == "pause":
                    timestamp, at_ms = timestamp + 8 * 700, at_ms + 700
                part = speech(draw(st.integers(1, 30)), sequence=sequence, timestamp=timestamp, at_ms=at_ms)
        packets += part
        sequence, timestamp, at_ms = sequence + len(part), timestamp + 160 * len(part), at_ms + 20 * len(part)
    fates = draw(st.lists(st.sampled_from(["sent"] * 10 + ["lost", "copied", "late"]), min_size=len(packets)))
    came: list[Packet] = []
    for packet, fate in zip(packets, fates, strict=False):
        late_ns = draw(st.integers(1, 200)) * 1_000_000
        came += [] if fate == "lost" else [replace(packet, at_ns=packet.at_ns + late_ns * (fate == "late"))]
        came += [replace(packet, at_ns=packet.at_ns + late_ns)] if fate == "copied" else []
    return sorted(came, key=lambda packet: packet.at_ns) or packets[:1]


@given(networks(), st.lists(st.integers(0, 300), max_size=6))
@example([*speech(1), *press(1, 160, 20), *press(9, 1440, 180)], [1])
@settings(max_examples=200, deadline=None)
def test_epochs_change_no_sum(packets: list[Packet], cuts: list[int]) -> None:
    whole = counted(packets)
    bounds = [0, *sorted(min(cut, len(packets)) for cut in cuts), len(packets)]
    parts = rows([packets[a:b] for a, b in pairwise(bounds)])
    for name in SUMMED:
        if name != "gap_count":
            assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole, name)), name
    for name in TIMES:
        total = sum(getattr(part, name) or 0 for part in parts)
        assert total == pytest.approx(getattr(whole, name) or 0), name
    codes = [digit.code for part in parts for digit in part.digits]
    assert codes == [digit.code for digit in whole.digits]
    for name in ("max_jitter_ms", "max_late_ms"):
        assert max(getattr(part, name) or 0 for part in parts) == pytest.approx(getattr(whole, name) or 0), name


@given(networks())
@settings(max_examples=200, deadline=None)
def test_what_a_span_is_made_of(packets: list[Packet]) -> None:
    """Only audio that lies over a digit, or over other audio, is in the media and not in the span."""
    stream = counted(packets)
    if stream.media_ms is None or stream.lost_ms is None or stream.pause_ms is None or stream.span_ms is None:
        return
    assert stream.lost_ms >= 0
    assert stream.pause_ms >= 0
    assert stream.media_ms + stream.event_ms + stream.lost_ms + stream.pause_ms >= stream.span_ms - 1e-6


@st.composite
def garbage(draw: st.DrawFn) -> list[Packet]:
    """Packets that have little to do with each other."""
    near = st.integers(-3, 3)
    numbers = draw(st.lists(st.one_of(near, near, st.integers(-70_000, 70_000)), min_size=1, max_size=80))
    sequence, timestamp, at_ns, packets = 0, 0, 0, list[Packet]()
    for step in numbers:
        sequence += step
        timestamp += draw(st.sampled_from([0, 160 * step, 160, -160, 8000, 2**31, 2**32 - 160]))
        at_ns += draw(st.sampled_from([0, 20_000_000, 1_500_000_000, -40_000_000, 2**62]))
        kind = draw(st.sampled_from([0, 0, 0, 8, NOISE, G729, OPUS, EVENT, UNKNOWN]))
        payload = draw(st.binary(max_size=6)) + bytes(draw(st.sampled_from([0, 0, 160, 1400])))
        marker = kind != UNKNOWN and draw(st.booleans())  # else it would be RTCP
        packets.append(Packet(sequence, timestamp, at_ns % 2**63, kind, payload, marker=marker))
    return packets


@given(garbage(), st.lists(st.integers(0, 80), max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_nothing_is_counted_below_nothing(packets: list[Packet], cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(packets)) for cut in cuts), len(packets)]
    parts = rows([packets[a:b] for a, b in pairwise(bounds)])
    for name in (*SUMMED, *TIMES):
        assert sum(getattr(part, name) or 0 for part in parts) >= (-1e-6 if name.endswith("_ms") else 0), name
    assert sum(part.packets for part in parts) == len(packets)


def test_a_digit_is_of_the_row_in_which_it_began() -> None:
    packets = press(0, 0, 0)
    first, second = rows([packets[:4], [*packets[4:], *press(8, 1600, 500)]])
    assert [len(row.digits) for row in (first, second)] == [1, 1]
    assert (first.digits[0].end_packets, first.digits[0].duration_ms) == (3, 120)


def test_what_a_row_lost_may_come_in_the_next() -> None:
    packets = speech(20)
    first, second = rows([[*packets[:5], *packets[6:10]], [packets[5], *packets[10:]]])
    assert (first.lost, first.lost_ms) == (1, 20)
    assert (second.lost, second.lost_ms) == (-1, -20)
    assert (first.gaps, first.gap_count) == ((), 0)


# --- a call --------------------------------------------------------------------------------------------------------


def of(call: Call) -> TapStreams:
    return Tap().streams(call.name)


def test_a_call_has_a_row_for_each_epoch_in_which_a_stream_had_packets() -> None:
    with a_call("epochs@test") as call:
        packets = [packet.encoded() for packet in speech(30)]
        for place, packet in enumerate(packets):
            if place in {10, 11, 12, 20}:
                call.sdp()
            call.media(packet)
        found = of(call)
    assert [(row.epoch, row.packets) for row in found.rows] == [(0, 10), (1, 1), (2, 1), (3, 8), (4, 10)]
    assert (found.epoch, found.uncounted) == (4, 0)
    assert sum(row.lost for row in found.rows) == 0


def test_a_flood_of_strangers_leaves_room_for_the_peer_and_is_counted() -> None:
    with a_call("flood@test") as call:
        for number in range(1000):
            call.media(replace(speech(1)[0], ssrc=number).encoded(), host=77, port=9000 + number)
        for packet in speech(50):
            call.media(packet.encoded())
            call.media(packet.encoded(), sent=True)
        call.sdp()
        call.media(speech(51)[50].encoded())
        found = of(call)
    assert (found.uncounted, found.strangers) == (0, 1000 - 48)
    mine = [row for row in found.rows if row.remote == "192.0.2.1:4000"]
    assert [(row.sent, row.epoch, row.packets) for row in mine] == [(False, 0, 50), (True, 0, 50), (False, 1, 1)]


def test_a_flood_of_the_peers_own_sources_is_told_from_that_of_strangers() -> None:
    with a_call("own-flood@test") as call:
        for number in range(100):
            call.media(replace(speech(1)[0], ssrc=number).encoded())
        call.media(replace(speech(1)[0], ssrc=7000).encoded(), host=77)
        found = of(call)
    assert (len(found.rows), found.uncounted, found.strangers) == (64, 36, 1)


def test_a_call_id_that_comes_again_goes_on_with_its_epochs() -> None:
    """As the phone counts them, whose messages are of a Call-ID too."""
    for epoch in (2, 4):
        with a_call("again@test") as call:
            call.sdp()
            call.sdp()
            assert of(call).epoch == epoch


def test_a_stream_without_room_for_another_row_goes_on_in_its_last_one() -> None:
    with a_call("rows@test") as call:
        packets = speech(100)
        for packet in packets:
            call.sdp()
            call.media(packet.encoded())
        found = of(call)
    assert len(found.rows) == 64
    assert sum(row.packets for row in found.rows) == 100
    assert (found.rows[-1].epoch, found.rows[-1].last_epoch, found.rows[-1].packets) == (64, 100, 37)
    assert found.uncounted == 0


def test_what_is_no_rtp_is_no_stream() -> None:
    with a_call("other@test") as call:
        for packet in (b"\0\1\0\0!\x12\xa4\x42" + bytes(12), b"\x80\xc8" + bytes(26), b"\0" * 20, b"\x80\0abc"):
            call.media(packet)
        found = of(call)
    assert (found.rows, found.other) == ((), 4)


def samples(path: Path) -> int:
    with wave.open(str(path)) as file:
        return file.getnframes()


def test_each_address_is_recorded_by_itself_and_the_peer_has_a_place(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with a_call("audio@test") as call:
        tap = Tap()
        tap.record(call.name, path)
        call.media(speech(1)[0].encoded(), host=55)  # early media
        tap.mark(call.name)
        for host in (70, 71, 72, 73, 74, 1):
            call.media(speech(1)[0].encoded(), host=host)
        found = of(call)
        remotes = tap.record_end(call.name, found.rows[0].last_s + 0.5)
    hosts = [f"192.0.2.{host}:4000" for host in (70, 71, 72, 1)]
    assert remotes == tuple(hosts)
    assert {row.remote: row.audio for row in found.rows if row.audio is not None} == dict(
        zip(hosts, range(4), strict=True)
    )
    files = [path, *(tmp_path / f"call.wav.{number}" for number in (1, 2, 3))]
    assert sorted(tmp_path.iterdir()) == files
    assert len({samples(file) for file in files}) == 1, "all end at one moment, and began at one"
