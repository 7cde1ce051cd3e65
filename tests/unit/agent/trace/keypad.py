"""Audio with DTMF tones in it, and audio that only looks like them."""

import numpy as np

from agent.trace.audio.tones import HIGH_HZ, KEYS, LOW_HZ


def digit(key, *, ms=60.0, rate_hz=8000, low=4000.0, high=4000.0, off=0.0):
    """One digit as two sines; `off` is how far both are from their nominal frequencies, as a share of them."""
    row = next(row for row in range(4) if key in KEYS[row])
    times = np.arange(round(rate_hz * ms / 1000)) / rate_hz
    tones = ((low, LOW_HZ[row]), (high, HIGH_HZ[KEYS[row].index(key)]))
    return sum(level * np.sin(2 * np.pi * hertz * (1 + off) * times) for level, hertz in tones)


def silence(ms, *, rate_hz=8000):
    return np.zeros(round(rate_hz * ms / 1000))


def dialled(keys, *, gap_ms=50.0, rate_hz=8000, **options):
    """Digits after 100 ms of silence, a pause after each."""
    parts = [silence(100, rate_hz=rate_hz)]
    for key in keys:
        parts += [digit(key, rate_hz=rate_hz, **options), silence(gap_ms, rate_hz=rate_hz)]
    return samples(np.concatenate(parts))


def samples(values):
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)


def speech(seconds, rng, *, rate_hz=8000):
    """Vowels: harmonics of a voice that glides, weighted by two formants that wander, in syllables."""
    times = np.arange(seconds * rate_hz) / rate_hz

    def wander(low, high):
        return np.interp(times, np.arange(seconds * 10 + 2) / 10, rng.uniform(low, high, seconds * 10 + 2))

    pitch_hz = wander(90, 240)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    first, second = wander(300, 900), wander(900, 2200)
    sound = np.zeros(len(times))
    for harmonic in range(1, 40):
        hertz = harmonic * pitch_hz
        weight = np.exp(-(((hertz - first) / 120) ** 2)) + 0.5 * np.exp(-(((hertz - second) / 150) ** 2)) + 0.02
        sound += np.where(hertz < 3400, weight, 0) * np.sin(harmonic * phase)
    return samples(5000 * sound * np.clip(np.sin(2 * np.pi * 4 * times), 0, 1) + 30 * rng.standard_normal(len(times)))
