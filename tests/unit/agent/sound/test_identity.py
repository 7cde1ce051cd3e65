"""The identity signal is heard through everything a telephone path does, and in nothing else."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sound.identity import FRAME_MS, SAMPLE_RATE, _alike, decode, encode, find
from tests.unit.agent import line

CODES = st.integers(0, (1 << 24) - 1)
SIX_SECONDS = 6000 // FRAME_MS + 1  # frames


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(CODES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_code_is_decoded_in_every_frame(code):
    assert decode(encode(code, frames=3)) == {code: 3}


@pytest.mark.parametrize("code", [-1, 1 << 24])
def test_a_code_of_more_than_24_bits_is_refused(code):
    with pytest.raises(ValueError, match="identity code"):
        encode(code)


def test_a_frame_is_whole_packets_so_that_a_loop_has_no_seam():
    assert len(encode(5)) == FRAME_MS * SAMPLE_RATE // 1000
    assert len(encode(5)) % 160 == 0
    assert np.array_equal(np.tile(encode(5), 2), encode(5, frames=2))


@given(CODES, st.sampled_from([line.mu_law, line.a_law]), st.floats(-20, 6), st.integers(0, 400))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_it_survives_g711_gain_band_and_any_offset(code, codec, decibel, offset):
    heard = codec(line.gain(line.telephone_band(codec(line.delay(encode(code, frames=4), offset))), decibel))
    assert decode(heard).get(code, 0) >= 3
    assert set(decode(heard)) == {code}


@given(CODES, st.integers(0, 1 << 32), st.integers(0, 319), st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_ten_percent_packet_loss_leaves_enough_frames_in_six_seconds(code, seed, offset, conceal):
    signal = line.delay(encode(code, frames=SIX_SECONDS), offset)
    codes = decode(line.a_law(line.lose(signal, rng(seed), share=0.1, conceal=conceal)))
    assert codes.get(code, 0) >= 3
    assert set(codes) == {code}


def damaged(code: int, other: int) -> np.ndarray:
    """One frame of `other`, for a test that has chosen it to be like `code`."""
    return np.concatenate([encode(code, frames=3), encode(other)])


def test_a_frame_heard_once_that_is_nearly_the_code_heard_often_is_a_damaged_copy():
    one, alike = 0x000000, 0x000001
    assert _alike(one, alike)
    assert decode(damaged(one, alike)) == {one: 3}
    assert decode(np.concatenate([damaged(one, alike), encode(alike)])) == {one: 3, alike: 2}
    assert decode(damaged(one, 0x987654)) == {one: 3, 0x987654: 1}


@given(CODES, st.integers(0, 1 << 32), st.integers(0, 319))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_parrot_behind_ten_percent_loss_each_way_is_still_heard(code, seed, offset):
    there = line.lose(line.delay(encode(code, frames=18), offset), rng(seed), share=0.1, conceal=True)
    back = line.lose(line.delay(there, 77), rng(seed + 1), share=0.1, conceal=True)
    assert decode(back).get(code, 0) >= 2


@given(CODES, st.integers(0, 1 << 32))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_jitter_buffer_slips_cost_a_frame_each_at_most_two(code, seed):
    codes = decode(line.slip(encode(code, frames=SIX_SECONDS), rng(seed), count=3))
    assert codes.get(code, 0) >= SIX_SECONDS - 6
    assert set(codes) == {code}


def test_noise_as_loud_as_a_tenth_of_the_signal_is_no_trouble():
    signal = encode(0x123456, frames=10)
    noisy = signal + line.noise(rng(1), len(signal) / SAMPLE_RATE, -25)
    assert decode(noisy.astype(np.int16)) == {0x123456: 10}


def test_gaps_where_digits_were_sent_cost_only_their_frames():
    signal = encode(0xC0FFEE, frames=18)
    signal[2 * 8000 : 3 * 8000] = 0
    signal[4 * 8000 : 5 * 8000] = line.dtmf(rng(3), 1)[:8000]
    codes = decode(signal)
    assert codes[0xC0FFEE] >= 8
    assert set(codes) == {0xC0FFEE}


def test_one_code_after_another_are_both_heard():
    assert decode(np.concatenate([encode(1, frames=3), encode(2, frames=3)])) == {1: 3, 2: 3}


@given(CODES, CODES, st.integers(0, 3839))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_two_signals_at_once_never_make_a_third(one, other, shift):
    mixed = (encode(one, frames=10).astype(int) + np.roll(encode(other, frames=10), shift)) // 2
    assert set(decode(mixed.astype(np.int16))) <= {one, other}


def test_a_frame_with_a_sync_tone_among_its_data_is_none():
    frame = encode(7).reshape(12, -1).copy()
    frame[5] = frame[0]
    assert decode(frame.ravel()) == {}


def test_every_error_within_four_neighbouring_symbols_is_found():
    choose = rng(4)
    for _ in range(150):
        frame = encode(int(choose.integers(1 << 24))).reshape(12, -1).copy()
        first, width = int(choose.integers(2, 9)), int(choose.integers(1, 5))
        wrong = frame.copy()
        for place in range(first, first + width):
            wrong[place] = encode(int(choose.integers(1 << 24))).reshape(12, -1)[int(choose.integers(2, 8))]
        if not np.array_equal(wrong, frame):
            assert decode(wrong.ravel()) == {}


@pytest.mark.parametrize("length", [0, 1, 159, 160, 3839])
def test_audio_shorter_than_a_frame_has_no_code(length):
    assert decode(encode(9)[:length]) == {}


@pytest.mark.parametrize(
    "audio", [line.speech_like, line.music, line.dtmf, line.sweep, lambda r, s: line.noise(r, s, -15)]
)
def test_nothing_else_decodes_in_two_minutes(audio):
    for seed in range(8):
        assert decode(audio(rng(seed), 15)) == {}


@pytest.mark.parametrize("hertz", [*range(500, 3100, 150), 350, 425, 440, 1004])
def test_no_steady_tone_decodes(hertz):
    samples = line.sine(hertz, 4).astype(np.int16)
    assert decode(samples) == {}


def test_silence_of_every_kind_has_no_code():
    silence = np.zeros(80000, np.int16)
    for samples in (silence, line.mu_law(silence), line.a_law(silence), silence + np.int16(8)):
        assert decode(samples) == {}


def test_random_tones_of_its_own_grid_hardly_ever_decode():
    codes = [decode(line.grid_tones(rng(seed), 30)) for seed in range(10)]
    assert sum(map(len, codes)) == 0


def test_eight_seconds_are_decoded_in_milliseconds():
    signal = encode(0xABCDEF, frames=18)
    decode(signal)
    fastest_s = float("inf")
    for _ in range(10):
        began = time.thread_time()
        decode(signal)
        fastest_s = min(fastest_s, time.thread_time() - began)
    assert fastest_s < 0.05  # a few ms; the bound allows for a busy machine


def test_a_long_recording_is_decoded_in_blocks():
    assert decode(encode(0xBEEF, frames=160)) == {0xBEEF: 160}


# what is looked for


@given(CODES, st.sampled_from([line.mu_law, line.a_law]), st.integers(0, 400))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_every_code_is_found_in_every_frame(code, codec, offset):
    heard = codec(line.delay(encode(code, frames=4), offset))
    assert find(heard, [code ^ 1, code]) == {code: 4}


def test_a_code_is_found_where_two_of_its_symbols_are_gone():
    frame = encode(0x123456)
    frame[5 * 320 : 7 * 320] = 0
    assert decode(frame) == {}
    assert find(frame, [0x123456]) == {0x123456: 1}
    frame[8 * 320 : 9 * 320] = 0
    assert find(frame, [0x123456]) == {}


@pytest.mark.parametrize(
    "audio", [line.speech_like, line.music, line.dtmf, line.sweep, line.grid_tones, lambda r, s: line.noise(r, s, -15)]
)
def test_two_hundred_codes_are_not_found_where_none_is(audio):
    for seed in range(3):
        codes = [int(code) for code in rng(100 + seed).integers(1 << 24, size=200)]
        assert find(audio(rng(seed), 15), codes) == {}


def test_two_hundred_codes_are_not_found_in_the_signals_of_others():
    choose = rng(9)
    for _ in range(20):
        one, *others = [int(code) for code in choose.integers(1 << 24, size=201)]
        damaged = line.lose(encode(one, frames=8), choose, share=0.1, conceal=True)
        assert find(damaged, others) == {}


def test_nothing_is_found_where_nothing_is_looked_for_or_heard():
    assert find(encode(1), []) == {}
    assert find(np.zeros(80000, np.int16), [0, 1]) == {}
    assert find(encode(1)[:3000], [1]) == {}
