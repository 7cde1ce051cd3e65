"""Sound as files: what a call plays, and what was recorded. 8 kHz, 16 bit, mono."""

import wave
from pathlib import Path
from typing import Final

import numpy as np

from agent.contract.call import Play, PlaySignal
from agent.sound.identity import SAMPLE_RATE, Samples, encode

PLAYABLE_RATES: Final = (8000, 16000)
IDENTITY_FRAMES: Final = 5  # 2.4 s in the file, whole 20 ms packets; it is played in a loop

_TONE_AMPLITUDE: Final = 8192


class SoundError(Exception):
    """A WAV file that cannot be used; the text names the file and the fault."""


def read_wav(path: Path) -> Samples:
    """The samples of an 8 kHz 16-bit mono WAV file; SoundError when it is none."""
    rate, samples = _read(path)
    if rate != SAMPLE_RATE:
        raise SoundError(f"{path.name}: {rate} Hz, expected {SAMPLE_RATE}")
    return samples


def check_playable(path: Path) -> None:
    """SoundError unless it is a 16-bit mono PCM WAV file of 8 or 16 kHz and at least 20 ms."""
    rate, samples = _read(path)
    if rate not in PLAYABLE_RATES:
        raise SoundError(f"{path.name}: {rate} Hz, expected 8000 or 16000")
    if len(samples) * 50 < rate:
        raise SoundError(f"{path.name}: {len(samples)} samples, expected at least {rate // 50} (20 ms)")


def _read(path: Path) -> tuple[int, Samples]:
    try:
        with wave.open(str(path), "rb") as file:
            channels, bits = file.getnchannels(), 8 * file.getsampwidth()
            if (channels, bits) != (1, 16):
                raise SoundError(f"{path.name}: {channels} channels of {bits} bits, expected 1 of 16")
            return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    except (wave.Error, EOFError, OSError, ValueError) as error:
        raise SoundError(f"{path.name}: not a readable WAV file: {error}") from error


def write_wav(path: Path, samples: Samples) -> None:
    """Writes an 8 kHz 16-bit mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def tone(frequency_hertz: int) -> Samples:
    """One second of a sine at -15 dBFS: whole cycles, so that a loop has no click."""
    phases = 2 * np.pi * frequency_hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE
    samples: Samples = np.rint(_TONE_AMPLITUDE * np.sin(phases)).astype(np.int16)
    return samples


def samples_to_play(play: Play, code: int) -> Samples | None:
    """What a call with this identity code plays; None for silence and for a WAV file (played as it is)."""
    if play.signal is PlaySignal.IDENTITY:
        return encode(code, frames=IDENTITY_FRAMES)
    return tone(play.tone.frequency_hertz) if play.tone else None
