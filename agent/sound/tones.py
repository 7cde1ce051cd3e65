"""Single tones in a recording: which frequencies, and for how long each. 8 kHz, 16 bit, mono. Pure.

Each 10 ms is judged by the 64 ms around it: a tone is there while one sine has nearly all of their power and keeps its
frequency and its power. So two tones at once (a ringback of 440 and 480 Hz, a digit) are none, nor is a voice, which
glides and has harmonics, nor a note that fades; an organ's single note is one.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.contract.media import MAX_TONES, Tone, alike_hz
from agent.sound.identity import HOP, SAMPLE_RATE, Samples

MIN_PURITY: Final = 0.7
"""Of one sine in the power of a part. Two equal ones have half each, a voice less; GSM's noise takes a fifth."""
MAX_SECOND: Final = 0.15
"""Of the next strongest sine, beside the strongest: a key's low tone may be 8 dB weaker (ITU-T Q.24), noise is wide."""
MIN_RUN_MS: Final = 150.0
"""A shorter one is none: three symbols of an identity signal last 120 ms, and may be alike. A burst of 170 ms has so
much between its edges, which are 10 ms each."""
MAX_DRIFT: Final = 0.01
"""Of its frequency, from its first part on; or `MAX_DRIFT_HZ`, where that is more."""
MAX_DRIFT_HZ: Final = 6.0
MAX_DECAY: Final = 0.5
"""Of its power, below its greatest: a generator keeps it, a string does not."""
AUDIBLE_DBFS: Final = -45.0
"""Of the 10 ms in the middle: what is weaker is no tone that somebody plays (see agent/sound/hearing.py)."""
LOWEST_HZ, HIGHEST_HZ = 30.0, 3970.0

Figures = NDArray[np.float64]

_STEP: Final = 2 * HOP  # samples: 10 ms
_STEP_MS: Final = 1000 * _STEP / SAMPLE_RATE
_WINDOW: Final = 512  # samples: 64 ms
_POINTS: Final = 2048
_HZ: Final = SAMPLE_RATE / _POINTS
_LOBE: Final = 2 * _POINTS // _WINDOW
"""Points from a peak of the window's spectrum to where it is nothing."""
_BLOCK: Final = 200
"""Looked at together: 2 s, which need 5 MB and stay near the processor; a minute needs 190, and half as long again."""
_HANN: Final = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
_PURE: Final = float(2 * np.square(_HANN).sum() / np.square(_HANN.sum()))


def tones(samples: Samples, known: NDArray[np.bool_]) -> tuple[tuple[Tone, ...], int]:
    """The tones of a recording, the longest first, and how many did not fit.

    `known`: of each hop of 5 ms, that it is of a signal that was recognised, whose symbols are no tones.
    """
    lengths: dict[float, float] = {}
    for hertz, ms in _runs(*_parts(samples, known)):
        near = min(lengths, key=lambda known_hz: abs(known_hz - hertz), default=None)
        if near is None or abs(near - hertz) > alike_hz(near) / 2:
            lengths[hertz] = ms
            continue
        before = lengths.pop(near)
        lengths[round((near * before + hertz * ms) / (before + ms), 1)] = before + ms
    longest = sorted(lengths.items(), key=lambda item: -item[1])
    told = tuple(Tone(hertz=hertz, ms=ms) for hertz, ms in longest[:MAX_TONES])
    return told, len(longest) - len(told)


def _parts(samples: Samples, known: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Figures, Figures]:
    """The parts of 10 ms within which there is one sine, its frequency in each, and its power."""
    count = len(samples) // _STEP
    half = (_WINDOW - _STEP) // 2
    sound = np.pad(samples[: count * _STEP], half).astype(np.float32)
    middles = samples[: count * _STEP].reshape(-1, _STEP).astype(np.float32)
    loud = np.mean(middles**2, axis=1) >= 32768.0**2 * 10 ** (AUDIBLE_DBFS / 10)
    loud &= ~np.pad(known, (0, max(0, 2 * count - len(known))))[: 2 * count].reshape(-1, 2).any(axis=1)
    if not loud.any():
        return np.zeros(0, np.intp), np.zeros(0), np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_STEP]
    places = np.flatnonzero(loud)
    found = [_measured(windows[places[begin : begin + _BLOCK]]) for begin in range(0, len(places), _BLOCK)]
    hertz, power, pure = (np.concatenate(each) for each in zip(*found, strict=True))
    return places[pure], hertz[pure], power[pure]


def _measured(windows: NDArray[np.float32]) -> tuple[Figures, Figures, NDArray[np.bool_]]:
    """Of each, frequency and power of its strongest sine, and whether that is all there is.

    The peak is between two points of the spectrum: a parabola through the logarithms of three finds it. What all of a
    window stands off zero by (an offset of a converter, say) is no sound.
    """
    weighed = (windows - (windows @ _HANN / _HANN.sum())[:, None]) * _HANN
    power = np.square(np.abs(np.fft.rfft(weighed, _POINTS))) + 1e-9
    low, high = round(LOWEST_HZ / _HZ), round(HIGHEST_HZ / _HZ)
    peak = power[:, low:high].argmax(axis=1) + low
    rows = np.arange(len(peak))
    before, at, after = (np.log(power[rows, peak + step]) for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * at + after, -1e-9)
    shift = np.clip((before - after) / (2 * bend), -0.5, 0.5)
    strength = np.exp(at - (before - after) * shift / 4)
    around = np.clip(peak[:, None] + np.arange(-_LOBE, _LOBE + 1), 0, power.shape[1] - 1)
    power[rows[:, None], around] = 0.0
    pure = _PURE * strength >= MIN_PURITY * np.square(weighed).sum(axis=1)
    return (peak + shift) * _HZ, strength, pure & (power.max(axis=1) <= MAX_SECOND * strength)


def _runs(places: NDArray[np.intp], hertz: Figures, power: Figures) -> Iterator[tuple[float, float]]:
    """Frequency and length of each stretch of one tone."""
    begin, greatest = 0, 0.0
    for end in range(1, len(places) + 1):
        greatest = max(greatest, power[end - 1])
        goes_on = end < len(places) and places[end] == places[end - 1] + 1 and power[end] >= MAX_DECAY * greatest
        if goes_on and abs(hertz[end] - hertz[begin]) <= max(MAX_DRIFT * hertz[begin], MAX_DRIFT_HZ):
            continue
        if (end - begin) * _STEP_MS >= MIN_RUN_MS:
            yield round(float(np.median(hertz[begin:end])), 1), (end - begin) * _STEP_MS
        begin, greatest = end, 0.0
