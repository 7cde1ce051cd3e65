"""DTMF tones in audio: ITU-T Q.24's limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.audio.tones import KEYS, detect
from tests.unit.agent.trace.keypad import dialled, digit, samples, silence, speech

ALL = "".join(KEYS)


def heard(sound, rate_hz=8000, block=1000):
    return list(detect((sound[at : at + block] for at in range(0, len(sound), block)), rate_hz))


def keys(sound, rate_hz=8000):
    return "".join(tone.digit for tone in heard(sound, rate_hz))


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 48000])
def test_every_key_is_heard_at_every_rate(rate_hz):
    assert keys(dialled(ALL, rate_hz=rate_hz), rate_hz) == ALL


def test_begin_length_and_level_are_told():
    first, second = heard(dialled("5#", ms=80, gap_ms=70))
    assert (first.start_s, second.start_s) == pytest.approx((0.100, 0.250), abs=0.006)
    assert (first.duration_ms, second.duration_ms) == pytest.approx((80, 80), abs=5)
    # Two sines of 4000: together 15.25 dB below one of full scale, which is +3.14 dBm0.
    assert first.level_dbm0 == pytest.approx(-12.1, abs=0.3)


@pytest.mark.parametrize("off", [-0.015, 0.0, 0.015])
@pytest.mark.parametrize("twist_db", [-8, 0, 4])
def test_forty_milliseconds_are_a_digit_within_the_limits_of_frequency_and_twist(off, twist_db):
    high = 3000 * 10 ** (twist_db / 20)
    assert keys(dialled(ALL, ms=40, gap_ms=40, off=off, low=3000, high=high)) == ALL


@pytest.mark.parametrize("off", [-0.05, -0.035, 0.035, 0.05])
def test_tones_beside_the_frequencies_are_no_digits(off):
    assert keys(dialled(ALL, ms=100, off=off)) == ""


@pytest.mark.parametrize("twist_db", [-14, 10])
def test_tones_of_very_different_strength_are_no_digits(twist_db):
    assert keys(dialled(ALL, ms=100, low=3000, high=3000 * 10 ** (twist_db / 20))) == ""


@pytest.mark.parametrize("off", [-0.015, 0.0, 0.015])
def test_twenty_three_milliseconds_are_no_digit(off):
    assert keys(dialled(ALL, ms=23, off=off)) == ""


def test_the_same_key_twice_is_two_digits_after_forty_milliseconds_and_one_over_an_interruption_of_ten():
    assert keys(dialled("5555", ms=40, gap_ms=40)) == "5555"
    assert keys(samples(np.concatenate([digit("5", ms=40), silence(10), digit("5", ms=40), silence(60)]))) == "5"


@pytest.mark.parametrize("start_ms", range(0, 200, 15))
def test_a_lost_packet_does_not_make_two_digits_of_one(start_ms):
    sound = dialled("5", ms=200, gap_ms=100)
    sound[8 * (100 + start_ms) :][:160] = 0
    assert keys(sound) == "5"


@pytest.mark.parametrize("lead", range(0, 40, 7))
def test_the_shortest_pause_separates_wherever_it_falls(lead):
    sound = np.concatenate([np.zeros(lead, np.int16), dialled("5555", ms=40, gap_ms=40)])
    assert keys(sound) == "5555"


def test_another_key_without_a_pause_is_another_digit():
    assert keys(dialled("1593", gap_ms=0)) == "1593"


@pytest.mark.parametrize(("level_dbm0", "expected"), [(-1, ALL), (-25, ALL), (-45, "")])
def test_level(level_dbm0, expected):
    amplitude = 32768 * 10 ** ((level_dbm0 - 3.14) / 20) / (1.3 if level_dbm0 > -10 else 1)
    assert keys(dialled(ALL, low=amplitude, high=amplitude)) == expected


def test_digits_are_heard_through_noise_15_db_below_them():
    sound = dialled(ALL, ms=50).astype(float)
    noise = 4000 * 10 ** (-15 / 20) * np.random.default_rng(3).standard_normal(len(sound))
    assert keys(samples(sound + noise)) == ALL


@pytest.mark.parametrize(
    "hertz", [(350, 440), (440, 480), (480, 620), (425,), (697,), (1209,), (1100,), (2100,), (700, 1100)]
)
def test_other_tones_of_the_telephone_network_are_no_digits(hertz):
    times = np.arange(8000) / 8000
    assert keys(samples(sum(6000 * np.sin(2 * np.pi * one * times) for one in hertz))) == ""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_neither_speech_nor_noise_is_a_digit(seed):
    rng = np.random.default_rng(seed)
    assert keys(speech(15, rng)) == ""
    assert keys(samples(6000 * rng.standard_normal(8000 * 15))) == ""


def test_silence_and_nothing_hold_no_digit():
    assert keys(np.zeros(80_000, np.int16)) == ""
    assert heard(np.zeros(0, np.int16)) == []


def test_a_rate_that_cannot_carry_the_tones_holds_none():
    assert heard(np.zeros(8000, np.int16), rate_hz=3000) == []


@settings(max_examples=10, deadline=None)
@given(block=st.integers(300, 3000), lead=st.integers(0, 200))
def test_blocks_of_any_size_give_the_same_digits(block, lead):
    sound = np.concatenate([np.zeros(lead, np.int16), dialled("19*D", ms=50)])
    assert heard(sound, block=block) == heard(sound, block=len(sound))
