"""DTMF as tones in decoded audio, by the receiver's limits of ITU-T Q.24. Pure: samples in, digits out.

A bank of eight Goertzel filters (each the DFT at one DTMF frequency, as one matrix product) looks at 20 ms every 5 ms.
A part of the sound is a digit while the strongest low and the strongest high tone hold most of its power; their
frequencies are measured from how the phases advance, far finer than the filters are wide.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LOW_HZ: Final = (697, 770, 852, 941)
HIGH_HZ: Final = (1209, 1336, 1477, 1633)
KEYS: Final = ("123A", "456B", "789C", "*0#D")
"""Rows are low, columns high frequencies (ITU-T Q.23)."""

MIN_TONE_MS: Final = 30.0
"""Q.24: 40 ms is a digit everywhere, 23 ms nowhere."""
BRIDGED_MS: Final = 35.0
"""Q.24: an interruption of 10 ms is none, a pause of 40 ms is one. Between them: a lost packet is none either."""
MAX_OFFSET: Final = 0.018
"""Q.24: 1.5 % off the nominal frequency is taken, 3.5 % is not."""
MAX_SPREAD: Final = 0.01
"""Between the 20th and the 80th percentile of a digit's offsets: a voice glides, a keypad doesn't."""
MAX_HIGH_DB, MAX_LOW_DB = 6.0, 10.0
"""Q.24: the high tone may be 4 dB stronger, the low one 8 dB; 2 dB are what the filters add at 1.5 % off."""
MIN_LEVEL_DBM0: Final = -35.0
"""Of each tone. Q.24: -25 is taken everywhere, -55 nowhere."""
MIN_SHARE: Final = 0.5
"""Of the two tones in the power of a part: half, where the window's centre is on the tone's edge."""
MIN_MEDIAN_SHARE: Final = 0.9
"""Of a digit, once the filters' response at the measured frequencies is allowed for: noise 15 dB below leaves 0.95."""

FULL_SCALE_DBM0: Final = 3.14
"""A sine of full scale (ITU-T G.711, A-law)."""

_WINDOW_S, _HOP_S = 0.020, 0.005
_FRAMES: Final = 2000
"""Looked at together: 10 s."""
_KEPT: Final = 1000
"""Parts of one digit that are remembered: of a tone that lasts for hours, the first 5 s say what it is."""
_FULL_POWER: Final = 32768.0**2 / 2

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """One digit as a pair of tones."""

    digit: str
    start_s: float
    """From the first sample."""
    duration_ms: float
    """To 5 ms."""
    level_dbm0: float
    """Power of both tones together, mean over the digit."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """Parts that show the same pair one after another."""

    low: int
    high: int
    first: int
    last: int
    shares: list[list[float]] = field(default_factory=list)
    powers: list[float] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the filters say of consecutive parts, one row each."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    share: NDArray[np.floating[Any]]
    """Of the low and of the high tone in the part's power."""
    power: NDArray[np.floating[Any]]
    """Of both tones, 1 is a sine of full scale."""
    offset: NDArray[np.floating[Any]]
    """Measured ÷ nominal frequency - 1, of the low and of the high tone, from this part to the next; NaN at the end."""
    alike: NDArray[np.bool_]
    """It may belong to a digit."""


class Detector:
    """Finds digits in sound that comes in blocks of any size."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._hop = max(round(_HOP_S * sample_rate_hz), 1)
        self._width = 4 * self._hop
        times_s = np.arange(self._width) / sample_rate_hz
        self._window = np.hanning(self._width + 1)[:-1].astype(np.float32)
        waves = np.exp(-2j * np.pi * np.outer(times_s, LOW_HZ + HIGH_HZ))
        self._bank = (self._window[:, None] * waves * (2 / self._window.sum())).astype(np.complex64)
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)
        self._at = 0
        self._run: _Run | None = None

    def find(self, blocks: Iterable[Samples]) -> Iterator[Tone]:
        """The digits of a whole sound, in order."""
        for block in blocks:
            yield from self._feed(block)
        # One hop of silence lets the last part have a next one.
        yield from self._feed(np.zeros(self._width, np.int16))
        yield from self._end()

    def _feed(self, block: Samples) -> Iterator[Tone]:
        sound = np.concatenate([self._rest, block.astype(np.float32)])
        # The last part of what is here is looked at again with the next block: its phases need a next one.
        while (parts := min((len(sound) - self._width) // self._hop, _FRAMES)) > 0:
            if sound[: parts * self._hop + self._width].any():
                yield from self._take(self._measure(sound, parts))
            sound = sound[parts * self._hop :]
            self._at += parts
        self._rest = sound

    def _measure(self, sound: NDArray[np.float32], parts: int) -> _Parts:
        """Of the first parts of the sound; one more is there."""
        frames = np.lib.stride_tricks.sliding_window_view(sound, self._width)[:: self._hop][: parts + 1]
        tones = frames @ self._bank  # amplitude and phase
        low = np.argmax(np.abs(tones[:-1, :4]), axis=1)
        high = np.argmax(np.abs(tones[:-1, 4:]), axis=1) + 4
        rows = np.arange(parts)
        pair = np.stack([low, high], axis=1)
        here, after = tones[rows[:, None], pair], tones[rows[:, None] + 1, pair]
        powers = np.abs(here) ** 2 / 2
        whole = (frames[:-1] ** 2) @ (self._window**2) / np.square(self._window).sum()
        nominal_hz = np.array(LOW_HZ + HIGH_HZ)[pair]
        turn = after * np.conj(here) * np.exp(-2j * np.pi * nominal_hz * self._hop / self._rate_hz)
        offset = np.angle(turn) * self._rate_hz / (2 * np.pi * self._hop * nominal_hz)
        share = powers / np.maximum(whole, 1e-9)[:, None]
        floor = _FULL_POWER * _ratio(MIN_LEVEL_DBM0 - FULL_SCALE_DBM0)
        alike = (
            (share.sum(axis=1) >= MIN_SHARE)
            & (powers.min(axis=1) >= floor)
            & (powers[:, 1] <= powers[:, 0] * _ratio(MAX_HIGH_DB))
            & (powers[:, 0] <= powers[:, 1] * _ratio(MAX_LOW_DB))
        )
        return _Parts(
            low=low, high=high - 4, share=share, power=powers.sum(axis=1) / _FULL_POWER, offset=offset, alike=alike
        )

    def _take(self, parts: _Parts) -> Iterator[Tone]:
        bridged = math.ceil(BRIDGED_MS / 1000 * self._rate_hz / self._hop)
        for row in np.flatnonzero(parts.alike):
            at, low, high = self._at + int(row), int(parts.low[row]), int(parts.high[row])
            run = self._run
            if run is None or (run.low, run.high) != (low, high) or at - run.last > bridged:
                yield from self._end()
                run = self._run = _Run(low=low, high=high, first=at, last=at)
            run.last = at
            if len(run.shares) < _KEPT:
                run.shares.append(parts.share[row].tolist())
                run.powers.append(float(parts.power[row]))
                run.offsets.append(parts.offset[row].tolist())

    def _is_digit(self, run: _Run) -> bool:
        if 1000 * (run.last - run.first + 1) * self._hop / self._rate_hz < MIN_TONE_MS:
            return False
        # From the last part to the next, the tone's end is heard, not the tone.
        offsets = np.array(run.offsets[:-1] or run.offsets)
        offset = np.median(offsets, axis=0)
        low, high = np.percentile(offsets, [20, 80], axis=0)
        if (np.abs(offset) > MAX_OFFSET).any() or (high - low > MAX_SPREAD).any():
            return False
        nominal_hz = np.array([LOW_HZ[run.low], HIGH_HZ[run.high]])
        bins = offset * nominal_hz * self._width / self._rate_hz
        response = np.sinc(bins) / (1 - bins**2)  # of a Hann window; below one bin here
        return float((np.median(run.shares, axis=0) / response**2).sum()) >= MIN_MEDIAN_SHARE

    def _end(self) -> Iterator[Tone]:
        """The run as a digit, if it was one."""
        run, self._run = self._run, None
        if run is None or not self._is_digit(run):
            return
        hop_s = self._hop / self._rate_hz
        yield Tone(
            digit=KEYS[run.low][run.high],
            # The window's centre is on the tone's edge in the first part that shows it: half a window after its start.
            start_s=run.first * hop_s + self._width / self._rate_hz / 2,
            duration_ms=round(1000 * hop_s * (run.last - run.first + 1), 3),
            level_dbm0=round(10 * math.log10(float(np.median(run.powers))) + FULL_SCALE_DBM0, 1),
        )


def detect(blocks: Iterable[Samples], sample_rate_hz: int) -> Iterator[Tone]:
    """The DTMF digits in a sound that comes in blocks of any size, in order; rates below 4 kHz hold none."""
    if sample_rate_hz < 2 * max(HIGH_HZ):
        return iter(())
    return Detector(sample_rate_hz).find(blocks)


def _ratio(decibels: float) -> float:
    return math.pow(10, decibels / 10)
