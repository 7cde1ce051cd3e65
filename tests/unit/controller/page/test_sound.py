"""Levels, silences, and WAV files that players read."""

import struct

import numpy as np
import pytest

from agent.trace.audio.codecs import mulaw_table
from controller.page.model import Level
from controller.page.sound import FLOOR_DBFS, MAX_STEPS, level_of, silences, wav


def tone(seconds, amplitude=16384, rate_hz=8000):
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.int16)


def test_the_level_of_half_of_full_scale_is_minus_nine():
    level = level_of(tone(1), 8000, 2.5)
    assert level is not None
    assert (level.begin_s, level.step_s, len(level.dbfs)) == (2.5, 0.05, 20)
    assert level.dbfs[3] == pytest.approx(-9.0, abs=0.1)


def test_digital_silence_is_the_floor():
    level = level_of(np.zeros(800, np.int16), 8000, 0.0)
    assert level is not None
    assert set(level.dbfs) == {FLOOR_DBFS}


def test_a_long_sound_has_longer_steps():
    level = level_of(tone(60), 8000, 0.0)
    assert level is not None
    assert (len(level.dbfs), level.step_s) == (MAX_STEPS, 0.15)


def test_less_than_a_step_has_no_level():
    assert level_of(tone(0.01), 8000, 0.0) is None


def test_silences_are_half_a_second_or_more():
    quiet, loud = -80.0, -20.0
    level = Level(begin_s=1.0, step_s=0.1, dbfs=(*[quiet] * 5, loud, *[quiet] * 4, loud, *[quiet] * 6))
    assert [(one.begin_s, round(one.end_s, 1), one.label) for one in silences(level)] == [
        (1.0, 1.5, "silence for 0.5 s"),
        (2.1, 2.7, "silence for 0.6 s"),
    ]


def test_what_was_pcmu_is_the_same_as_wav():
    table = mulaw_table()
    made = wav(table, 8000)
    assert (made[:4], made[8:12], struct.unpack("<I", made[4:8])[0]) == (b"RIFF", b"WAVE", len(made) - 8)
    assert struct.unpack_from("<HHIIHH", made, 20) == (7, 1, 8000, 8000, 1, 8)
    data = np.frombuffer(made[made.index(b"data") + 8 :], np.uint8)
    assert (table[data] == table).all()


def test_an_odd_number_of_samples_is_padded():
    made = wav(tone(1)[:3], 8000)
    assert len(made) % 2 == 0
    assert struct.unpack_from("<I", made, made.index(b"data") + 4) == (3,)
