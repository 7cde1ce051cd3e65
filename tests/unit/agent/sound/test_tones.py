"""Single tones: what is one, for how long, and what is none."""

import tracemalloc

import numpy as np
import pytest

from agent.contract.media import MAX_TONES, Tone, alike_hz
from agent.sound.hearing import hear
from agent.sound.identity import SAMPLE_RATE, Samples, encode
from agent.sound.tones import MIN_RUN_MS, tones
from tests.unit.agent.line import dtmf, grid_tones, music, noise, sine, speech_like

NOTHING_KNOWN = np.zeros(0, np.bool_)
SECONDS = 60


def made(*waves: np.ndarray) -> Samples:
    return np.rint(sum(waves)).astype(np.int16)


def bursts(hertz: float, on_ms: int, off_ms: int, seconds: float = 3.0) -> Samples:
    wave = sine(hertz, seconds)
    on = np.arange(len(wave)) % (8 * (on_ms + off_ms)) < 8 * on_ms
    return made(wave * on)


def found(samples: Samples) -> list[tuple[int, int]]:
    return [(round(tone.hertz), round(tone.ms)) for tone in tones(samples, NOTHING_KNOWN)[0]]


@pytest.mark.parametrize("hertz", [50, 60, 100, 350, 425, 440, 950, 1004, 1100, 2100, 3400, 3900])
@pytest.mark.parametrize("amplitude", [32000, 8000, 400])
def test_a_tone_is_told_to_a_hertz(hertz, amplitude):
    [tone] = tones(made(sine(hertz, 2.0, amplitude)), NOTHING_KNOWN)[0]
    assert tone.hertz == pytest.approx(hertz, abs=1)
    assert tone.ms == pytest.approx(2000, abs=30)


@pytest.mark.parametrize(("on_ms", "off_ms"), [(200, 200), (250, 250), (330, 30), (500, 500), (1000, 4000)])
def test_bursts_are_added(on_ms, off_ms):
    count = 3000 / (on_ms + off_ms)
    [(hertz, ms)] = found(bursts(425, on_ms, off_ms))
    assert hertz == 425
    assert max(1, int(count)) * (on_ms - 30) <= ms <= max(1, count) * on_ms


def test_a_click_is_none():
    assert found(bursts(1000, 120, 400)) == []
    assert MIN_RUN_MS < 170


def test_holes_of_lost_packets_are_taken_out_of_it():
    wave = made(sine(1000, 4.0))
    for at in range(0, len(wave), 4000):
        wave[at : at + 160] = 0
    [(hertz, ms)] = found(wave)
    assert hertz == 1000
    assert 3200 <= ms <= 3840


@pytest.mark.parametrize("weaker_db", [0, 2, 4, 8])
@pytest.mark.parametrize("pair", [(440, 480), (350, 440), (480, 620), (697, 1209), (941, 1633), (1400, 2060)])
def test_two_tones_at_once_are_none(pair, weaker_db):
    """Tones of North America, digits, and a receiver off the hook."""
    weak = 8000 * 10 ** (-weaker_db / 20)
    for first, second in (pair, pair[::-1]):
        if weaker_db < 4 or abs(first - second) > 60:  # nearer ones cannot be told within 64 ms
            assert found(made(sine(first, 2.0), sine(second, 2.0, weak))) == []


@pytest.mark.parametrize("seed", range(3))
def test_speech_has_hardly_any(seed):
    """A vowel whose harmonic stands alone for 150 ms."""
    assert sum(ms for _, ms in found(speech_like(np.random.default_rng(seed), SECONDS))) <= 0.01 * 1000 * SECONDS


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sound", [dtmf, lambda rng, s: noise(rng, s, -15)])
def test_digits_and_noise_have_none(sound, seed):
    assert found(sound(np.random.default_rng(seed), SECONDS)) == []


@pytest.mark.parametrize("seed", range(3))
def test_notes_that_fade_are_none(seed):
    assert found(music(np.random.default_rng(seed), SECONDS)) == []


def test_symbols_of_a_signal_that_nobody_knows_are_none_but_five_in_a_row():
    assert sum(ms for _, ms in found(grid_tones(np.random.default_rng(1), SECONDS))) <= 200


@pytest.mark.parametrize("code", [0, 5, 0x111111, 0xABCCCC, 0x123456])
def test_a_signal_that_is_known_has_none_whatever_its_code(code):
    assert hear(encode(code, frames=10), own=code, with_tones=True).tones == ()
    assert hear(encode(code, frames=10), with_tones=True).tones == (), "any code is read"


def test_a_beep_beside_the_calls_own_signal_is_one():
    sound = np.concatenate([encode(7, frames=4), made(sine(1000, 0.4)), encode(7, frames=4)])
    [tone] = hear(sound, own=7, with_tones=True).tones
    assert tone.hertz == pytest.approx(1000, abs=1)
    assert 350 <= tone.ms <= 400


def test_tones_that_differ_by_less_than_the_tolerance_are_one():
    assert found(np.concatenate([made(sine(hertz, 1.0)) for hertz in (424, 426)]))[0][1] > 1900
    assert [hertz for hertz, _ in found(np.concatenate([made(sine(hertz, 1.0)) for hertz in (400, 425)]))] == [400, 425]
    assert (alike_hz(425), alike_hz(2000)) == (10.0, 30.0)


def test_so_many_are_told_and_the_rest_is_counted():
    melody = np.concatenate([made(sine(500 + 100 * step, 0.3 + 0.02 * step)) for step in range(MAX_TONES + 2)])
    told, left_out = tones(melody, NOTHING_KNOWN)
    assert (len(told), left_out) == (MAX_TONES, 2)
    assert told[0] == Tone(hertz=pytest.approx(500 + 100 * (MAX_TONES + 1), abs=1), ms=told[0].ms)
    assert [tone.ms for tone in told] == sorted((tone.ms for tone in told), reverse=True)


@pytest.mark.parametrize("samples", [0, 1, 79, 80, 500])
def test_too_little_sound_has_none(samples):
    assert found(made(sine(1000, 1.0))[:samples]) == []


@pytest.mark.parametrize("offset", [-12_000, 500, 3000, 20_000])
@pytest.mark.parametrize("hertz", [50, 425, 3900])
def test_an_offset_is_no_sound_beside_it(hertz, offset):
    assert found(made(sine(hertz, 2.0) + offset)) == [(hertz, pytest.approx(1980, abs=30))]
    assert found(made(np.zeros(16_000) + offset)) == []


def test_what_is_too_weak_is_none():
    assert found(made(sine(1000, 2.0, 150))) == []


def test_a_long_recording_is_looked_at_in_pieces():
    [(hertz, ms)] = found(np.tile(made(sine(1000, 1.0)), 130))
    assert (hertz, ms) == (1000, pytest.approx(130 * 1000, abs=30))


def test_a_long_recording_takes_little_more_room_than_itself():
    """An agent with a limit of 256 MiB ends calls at once."""
    sound = noise(np.random.default_rng(1), 120, -15)
    tracemalloc.start()
    tones(sound, NOTHING_KNOWN)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16e6 + 8 * sound.nbytes


def test_the_rate_is_that_of_recordings():
    assert SAMPLE_RATE == 8000
