"""How often a call's own signal is heard in sound that has none: speech, music and noise, plain and by each codec.

usage: dev/uv run --no-sync python -m tests.component.foreign_sound [--frames N] [--seed N]

Of each path there are N frames' time (480 ms) of sound, of all kinds together. Looked for are the call's own code and
255 others (`find`), and any code at all (`decode`). Prints a table; exit 1 where the own one was heard.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.contract.codecs import Codec
from agent.contract.plan import identity_code
from agent.sound.identity import FRAME_MS, SAMPLE_RATE, Samples, decode, find
from tests.component.coding import begin, through
from tests.unit.agent import line

Wave = NDArray[np.float64]
Counts = NDArray[np.int64]
PIECE_S: Final = 60.0
ROW: Final = "| {:17} | {:8} | {:>6} | {:>9} | {:>11} | {:>11} |"
OWN, *OTHERS = (identity_code(f"run/0/call/{number}") for number in range(256))


def _scaled(wave: Wave, peak: float = 12000.0) -> Samples:
    scaled: Samples = np.rint(wave / (np.abs(wave).max() + 1e-9) * peak).astype(np.int16)
    return scaled


def _coloured(rng: np.random.Generator, seconds: float, slope: float) -> Samples:
    """Noise whose amplitude falls with a power of the frequency: 0.5 is pink, 1 brown."""
    count = int(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 20.0)
    return _scaled(np.fft.irfft(spectrum / hertz**slope, count))


def babble(rng: np.random.Generator, seconds: float) -> Samples:
    """Six voices at once."""
    count = int(seconds * SAMPLE_RATE)
    return _scaled(np.sum([line.speech_like(rng, seconds)[:count].astype(float) for _ in range(6)], axis=0))


def vowels(rng: np.random.Generator, seconds: float) -> Samples:
    """A voice whose pitch and formants glide from one vowel to the next."""
    count = int(seconds * SAMPLE_RATE)
    knots = np.arange(0, count + 1600, 1600)

    def glide(low: float, high: float) -> Wave:
        return np.interp(np.arange(count), knots, rng.uniform(low, high, len(knots)))

    phase = 2 * np.pi * np.cumsum(glide(90, 260)) / SAMPLE_RATE
    pitch = np.gradient(phase) * SAMPLE_RATE / (2 * np.pi)
    formants = [(glide(low, high), width) for low, high, width in FORMANTS]
    wave = np.zeros(count)
    for harmonic in range(1, 30):
        hertz = harmonic * pitch
        gain = sum(1 / (1 + ((hertz - middle) / width) ** 2) for middle, width in formants)
        wave += np.where(hertz < 3900, gain, 0) * np.sin(harmonic * phase)
    return _scaled(wave * glide(0, 1))


FORMANTS: Final = ((250, 900, 70), (800, 2400, 100), (2200, 3400, 150))


def arpeggio(rng: np.random.Generator, seconds: float) -> Samples:
    """Pure notes one after the other, of 40 ms and more: the nearest music to the signal's own symbols."""
    parts: list[Wave] = []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        length_s, root = float(rng.choice([0.04, 0.08, 0.12, 0.16])), 220 * 2 ** (rng.integers(0, 24) / 12)
        parts += [line.sine(root * step, length_s) for step in rng.permutation([1.0, 1.25, 1.5, 2.0, 2.5, 3.0])]
    return _scaled(np.concatenate(parts))


def beat(rng: np.random.Generator, seconds: float) -> Samples:
    """Drums over a bass."""
    wave = 3000 * np.sin(2 * np.pi * rng.uniform(50, 120) * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    for place in range(0, len(wave) - 2000, int(rng.uniform(0.1, 0.3) * SAMPLE_RATE)):
        wave[place : place + 2000] += rng.normal(0, 6000, 2000) * np.exp(-np.arange(2000) / rng.uniform(100, 600))
    return _scaled(wave)


KINDS: Final[dict[str, Callable[[np.random.Generator, float], Samples]]] = {
    "speech": line.speech_like,
    "vowels": vowels,
    "babble": babble,
    "chords": line.music,
    "arpeggios": arpeggio,
    "sweeps": line.sweep,
    "beat": beat,
    "white noise": lambda rng, seconds: line.noise(rng, seconds, -15),
    "pink noise": lambda rng, seconds: _coloured(rng, seconds, 0.5),
    "brown noise": lambda rng, seconds: _coloured(rng, seconds, 1.0),
}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(given)
    print(ROW.format("sound", "codec", "frames", "own found", "other found", "any decoded"))
    print("|" + "|".join("-" * (width + 2) for width in (17, 8, 6, 9, 11, 11)) + "|")
    totals: dict[Codec | None, Counts] = dict.fromkeys([None, *Codec], np.zeros(4, np.int64))
    for kind in KINDS:
        each_s = asked.frames / len(KINDS) * FRAME_MS / 1000
        for codec, before in totals.items():
            counted = np.sum([_counted(sound, codec) for sound in _pieces(kind, each_s, asked.seed)], axis=0)
            totals[codec] = before + counted
            _told(kind, codec, counted)
    for codec, counted in totals.items():
        _told("all", codec, counted)
    return 1 if any(counted[1] for counted in totals.values()) else 0


def _told(kind: str, codec: Codec | None, counted: Counts) -> None:
    print(ROW.format(kind, codec or "none", *counted), flush=True)


def _pieces(kind: str, seconds: float, seed: int) -> Iterator[Samples]:
    """The same sound for each codec."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    while seconds > 0:
        piece_s = min(PIECE_S, seconds)
        yield KINDS[kind](rng, piece_s)
        seconds -= piece_s


def _counted(sound: Samples, codec: Codec | None) -> Counts:
    """Frames' time, frames of the own code, of others, and of any that was read."""
    heard = sound if codec is None else through((codec,), sound)
    found = find(heard, (OWN, *OTHERS))
    own = found.get(OWN, 0) + decode(heard).get(OWN, 0)
    others = sum(count for code, count in found.items() if code != OWN)
    return np.array([round(len(heard) * 1000 / SAMPLE_RATE / FRAME_MS), own, others, sum(decode(heard).values())])


if __name__ == "__main__":
    endpoint = begin()
    code = main()
    sys.stdout.flush()
    os._exit(code)  # pjsip's end is not what is looked at
