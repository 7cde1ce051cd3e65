"""One stream's audio on its true timeline."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.audio import track as audio_track
from agent.trace.audio.codecs import alaw_table
from agent.trace.audio.track import MAX_SILENCE_S, stretched
from agent.trace.model import Format
from tests.unit.agent.trace.packets import FORMATS, START_NS, arrivals, rows
from tests.unit.agent.trace.sounds import NOISE, RNG, SOUND, encoded, filled, whole


def test_a_stream_is_the_samples_of_its_packets(tmp_path):
    track = filled(tmp_path, arrivals(NOISE))
    assert (track.sample_rate_hz, track.start_ns) == (8000, START_NS)
    assert np.array_equal(whole(track), SOUND)


def test_lost_packets_are_silence_of_their_length(tmp_path):
    track = filled(tmp_path, rows(arrivals(NOISE), [*range(50), *range(60, 200)]))
    expected = SOUND.copy()
    expected[50 * 160 : 60 * 160] = 0
    assert np.array_equal(whole(track), expected)


def test_digits_are_silence(tmp_path):
    speech, after = (
        arrivals(NOISE[:50]),
        arrivals(NOISE[55:], first=1055, timestamp=5000 + 55 * 160, start_ns=START_NS + 1_100_000_000),
    )
    event = arrivals([b"\x05\x0a\x01\x40"] * 5, first=1050, timestamp=13000, step=0, payload_type=101, event=True)
    track = filled(tmp_path, speech, event, after)
    expected = SOUND.copy()
    expected[50 * 160 : 55 * 160] = 0
    assert np.array_equal(whole(track), expected)
    assert not track.faults.undecoded


@settings(max_examples=15, deadline=None)
@given(
    st.data(),
    st.integers(-(2**40), 2**40),
    st.integers(-(2**40), 2**40),
    st.lists(st.integers(1, 199), max_size=6, unique=True),
)
def test_order_copies_chunks_and_starts_of_the_numbers_change_nothing(tmp_path_factory, data, first, timestamp, cuts):
    order = list(range(200))
    for row in data.draw(st.lists(st.integers(1, 198), max_size=20)):
        order.insert(min(row + data.draw(st.integers(0, 40)), len(order)), order[row])  # a copy, or late
    moved = data.draw(st.integers(1, 150))
    order.insert(moved + 30, order.pop(moved))
    packets = arrivals(NOISE, first=first, timestamp=timestamp)
    chunks = [rows(packets, order[a:b]) for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(order)], strict=True)]
    track = filled(tmp_path_factory.mktemp("track"), *chunks)
    assert np.array_equal(whole(track), SOUND)
    assert not track.faults.late


def test_a_decoder_with_a_memory_gets_each_packet_once_and_in_order(tmp_path):
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)).astype(np.int16)
    formats = {9: Format(name="G722", clock_rate_hz=8000)}
    packets = arrivals(encoded("g722", tone, 16000), payload_type=9, formats=formats)
    (tmp_path / "a").mkdir()
    mixed = [1, 0, 2, 2, 5, 4, 3, 3, *range(6, 100), 40]
    assert np.array_equal(whole(filled(tmp_path, rows(packets, mixed))), whole(filled(tmp_path / "a", packets)))


def test_a_packet_that_comes_far_too_late_is_left_out_and_counted(tmp_path):
    packets = arrivals(NOISE)
    track = filled(tmp_path, rows(packets, [*range(5), *range(6, 150)]), rows(packets, [5, *range(150, 200)]))
    assert track.faults.late == 1
    assert not whole(track)[5 * 160 : 6 * 160].any()


@pytest.mark.parametrize("jump", [2**31, -(2**31), 2**40, -(2**40)])
def test_timestamps_that_jump_are_overruled_by_the_arrival_times(tmp_path, jump):
    before = arrivals(NOISE[:100])
    after = arrivals(NOISE[100:], first=1100, timestamp=5000 + 16000 + jump, start_ns=START_NS + 2_500_000_000)
    track = filled(tmp_path, before, after)
    assert np.array_equal(whole(track), np.concatenate([SOUND[:16000], np.zeros(4000, np.int16), SOUND[16000:]]))


def test_every_packet_with_a_wild_timestamp_and_a_wild_arrival_time_makes_a_file_of_bounded_size(tmp_path):
    packets = arrivals(NOISE[:20], step=2**33, every_ns=10**18 // 40)
    track = filled(tmp_path, packets)
    assert track.faults.shortened == 19
    assert track.samples <= 20 * (MAX_SILENCE_S * 8000 + 160)
    assert track.path.stat().st_blocks * 512 < 1_000_000


def test_arrival_times_that_go_back_do_not_overwrite_what_is_there(tmp_path):
    track = filled(tmp_path, arrivals(NOISE[:100]), arrivals(NOISE[100:], first=1100, timestamp=21000, start_ns=0))
    assert np.array_equal(whole(track), SOUND)


def test_what_a_wav_file_cannot_hold_is_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(audio_track, "MAX_SAMPLES", 160 * 150)
    track = filled(tmp_path, arrivals(NOISE))
    assert (track.samples, track.faults.beyond) == (160 * 150, 50)


def test_a_sender_that_begins_anew_is_heard_from_its_first_packet(tmp_path):
    before = arrivals(NOISE[:100], first=40_000)
    after = arrivals(NOISE[100:], first=20_000, timestamp=77, start_ns=START_NS + 2_000_000_000)
    assert np.array_equal(whole(filled(tmp_path, before, after)), SOUND)


def test_a_change_of_codec_is_followed(tmp_path):
    after = arrivals(NOISE[100:], first=1100, timestamp=21000, start_ns=START_NS + 2_000_000_000, payload_type=8)
    expected = np.concatenate([SOUND[:16000], alaw_table()[np.frombuffer(b"".join(NOISE[100:]), np.uint8)]])
    assert np.array_equal(whole(filled(tmp_path, arrivals(NOISE[:100]), after)), expected)


def test_a_change_to_another_rate_keeps_the_file_s(tmp_path):
    after = arrivals([bytes(160)] * 50, first=1100, timestamp=21000, start_ns=START_NS + 2_000_000_000, payload_type=9,
                     formats={9: Format(name="G722", clock_rate_hz=8000)})  # fmt: skip
    track = filled(tmp_path, arrivals(NOISE[:100]), after)
    assert (track.sample_rate_hz, track.samples) == (8000, 150 * 160)


@pytest.mark.parametrize("tag", [4, 10, 14, 16])
@pytest.mark.parametrize("kind", [(0, 160, 160), (18, 20, 160), (9, 160, 160)])
def test_srtp_is_never_decoded_as_noise(tmp_path, tag, kind):
    payload_type, size, step = kind
    formats = {**FORMATS, 18: Format(name="G729", clock_rate_hz=8000), 9: Format(name="G722", clock_rate_hz=8000)}
    secret = [RNG.bytes(size + tag) for _ in range(100)]
    track = filled(tmp_path, arrivals(secret, payload_type=payload_type, step=step, formats=formats))
    assert (track.faults.looks_encrypted, track.samples) == (True, 0)


@pytest.mark.parametrize("step", [160, 240, 80])
def test_plain_audio_whose_timestamps_are_wrong_is_still_decoded(tmp_path, step):
    assert filled(tmp_path, arrivals(NOISE, step=step)).samples


def test_a_rate_is_changed_along_straight_lines():
    assert stretched(np.array([0, 100, 200, 300], np.int16), 8000, 16000).tolist() == [
        0,
        50,
        100,
        150,
        200,
        250,
        300,
        300,
    ]


CN = {**FORMATS, 13: Format(name="CN", clock_rate_hz=8000)}


def noises(payloads, number, **options):
    """Comfort noise as the packets of these numbers."""
    at = {"first": 1000 + number, "timestamp": 5000 + 160 * number, "start_ns": START_NS + 20_000_000 * number}
    return arrivals(payloads, payload_type=13, formats=CN, **{**at, **options})


def after(count, number):
    """Speech that goes on at this packet time."""
    at = {"first": 1000 + count, "timestamp": 5000 + 160 * number, "start_ns": START_NS + 20_000_000 * number}
    return arrivals(NOISE[:50], **at)


@pytest.mark.parametrize("level", [20, 40, 78])
def test_comfort_noise_is_heard_at_its_level_until_sound_follows(tmp_path, level):
    """RFC 3389: -dBov, the root mean square of a square wave of ±8031 in mu-law's 14 bits being 0."""
    track = filled(tmp_path, arrivals(NOISE[:100]), noises([bytes([level, 9, 9])], 100), after(101, 200))
    sound = whole(track).astype(float)
    assert np.array_equal(whole(track)[:16_000], SOUND[:16_000])
    assert np.array_equal(whole(track)[32_000:], SOUND[: 50 * 160])
    heard_dbov = 20 * np.log10(np.sqrt(np.mean(sound[16_000:32_000] ** 2)) / 32_124)
    assert heard_dbov == pytest.approx(-level, abs=0.5)
    assert (track.faults.damaged, track.faults.undecoded) == (0, {})


def test_a_further_packet_of_comfort_noise_changes_its_level(tmp_path):
    track = filled(
        tmp_path, arrivals(NOISE[:100]), noises([b"\x14"], 100), noises([b"\x3c"], 150, first=1101), after(102, 200)
    )
    loud, quiet = (
        np.abs(part.astype(int)).mean() for part in (whole(track)[16_000:24_000], whole(track)[24_000:32_000])
    )
    assert loud == pytest.approx(100 * quiet, rel=0.1)


def test_comfort_noise_does_not_last_beyond_its_bound(tmp_path):
    track = filled(tmp_path, arrivals(NOISE[:100]), noises([b"\x14"], 100), after(101, 3000))
    sound = whole(track)
    assert sound[16_000 + 19 * 8000 : 16_000 + 20 * 8000].any()
    assert not sound[16_000 + 20 * 8000 : 160 * 3000].any()


def test_comfort_noise_before_any_sound_and_at_the_end_is_not_heard(tmp_path):
    assert filled(tmp_path, noises([b"\x14"], 0)).samples == 0
    track = filled(tmp_path, arrivals(NOISE[:100]), noises([b"\x14"], 100))
    assert np.array_equal(whole(track)[:16_000], SOUND[:16_000])


def test_comfort_noise_without_a_level_is_damage(tmp_path):
    assert filled(tmp_path, arrivals(NOISE[:100]), noises([b""], 100)).faults.damaged == 1
