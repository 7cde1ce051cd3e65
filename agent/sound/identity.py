"""The identity signal: a 24-bit code as tones, so that whoever hears it knows whose audio it is.

One frame is 12 symbols of 40 ms (480 ms): two sync tones of their own, six data nibbles, four nibbles of CRC-16. Each
symbol is one of 18 sines, 500 to 3050 Hz, 150 Hz apart. Frames follow each other without a gap; each decodes by itself.

Why it survives a telephone path: every tone makes whole cycles in 20 ms, so either half of a symbol decides it when
the other half's packet was lost; only powers are compared, so neither gain nor concealment's phase jumps matter.
Why nothing else decodes: each of 12 symbols in a row must be mostly one sine of the grid, the sync tones never carry
data, and the CRC finds every error of up to four neighbouring nibbles (a concealed gap repeats a symbol).
"""

from binascii import crc_hqx
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

SAMPLE_RATE: Final = 8000
FRAME_MS: Final = 480
CODE_BITS: Final = 24

_SYMBOL: Final = 320  # samples: 40 ms
_DATA_NIBBLES: Final = CODE_BITS // 4
_CRC_NIBBLES: Final = 4
_SYNC: Final = (16, 17)
_SYMBOLS: Final = len(_SYNC) + _DATA_NIBBLES + _CRC_NIBBLES
_TONES_HZ: Final = 500.0 + 150.0 * np.arange(18)
_AMPLITUDE: Final = 8192  # -15 dBFS: room for 6 dB of gain

_WINDOW: Final = 160  # samples: 20 ms, half a symbol
_HOP: Final = 40  # samples: 5 ms
_HOPS_PER_HALF: Final = _WINDOW // _HOP
_HOPS_PER_SYMBOL: Final = _SYMBOL // _HOP
_HOPS_PER_FRAME: Final = _SYMBOLS * _HOPS_PER_SYMBOL
_MIN_PURITY: Final = np.float32(0.35)
"""Share of a symbol's power that its tone must have. A 20 ms hole in its middle leaves half."""
_MIN_LEAD: Final = np.float32(1.25)
"""How much stronger it must be than the next strongest tone: an even mixture of two signals is no code."""
_FIRST_HALF: Final = np.float32(0.4)
_SECOND_HALF: Final = np.float32(0.6)
"""Concealment repeats the past: where the halves disagree, the second is right."""
_MIN_POWER: Final = 32768.0**2 * 10 ** (-50 / 10)  # mean square of a symbol: -50 dBFS
_OFTEN: Final = 3  # frames
_BLOCK_HOPS: Final = 12_000
"""One minute at a time, so that an hour's recording needs no more memory."""


@dataclass(frozen=True, slots=True)
class _Symbols:
    """For each hop, what a symbol that began there would be."""

    tone: NDArray[np.intp]
    clear: NDArray[np.bool_]
    """Loud and pure enough to be one."""


def encode(code: int, *, frames: int = 1) -> Samples:
    """The signal of a code, 8 kHz 16-bit, repeated without a gap; playing it in a loop is seamless.

    ValueError when the code is not 24 bits.
    """
    if not 0 <= code < 1 << CODE_BITS:
        raise ValueError(f"identity code {code}: not within 0 and {(1 << CODE_BITS) - 1}")
    time_s = np.arange(_SYMBOL) / SAMPLE_RATE
    sines = np.sin(2 * np.pi * np.outer(_TONES_HZ, time_s))
    tones = [*_SYNC, *_codeword(code)]
    frame: Samples = np.rint(_AMPLITUDE * sines[tones]).astype(np.int16).ravel()
    return np.tile(frame, frames)


def decode(samples: Samples) -> dict[int, int]:
    """Every code heard in 8 kHz audio, and in how many frames.

    The CRC lets one in 65,536 badly damaged frames pass: a code heard once, most of whose symbols are those of a code
    heard often, is a damaged copy of that one, and left out.
    """
    hops = (len(samples) - _WINDOW) // _HOP + 1
    symbols = _symbols(samples, hops) if hops > 0 else None
    codes: dict[int, int] = {}
    if symbols is None or len(symbols.tone) < _HOPS_PER_FRAME - _HOPS_PER_SYMBOL + 1:
        return codes
    free_from = 0
    for start in _candidates(symbols):
        if start < free_from:
            continue
        code = _frame_code(symbols.tone[start : start + _HOPS_PER_FRAME : _HOPS_PER_SYMBOL])
        if code is not None:
            codes[code] = codes.get(code, 0) + 1
            free_from = start + _HOPS_PER_FRAME - _HOPS_PER_HALF  # a path may have cut 20 ms
    often = [code for code, frames in codes.items() if frames >= _OFTEN]
    return {
        code: frames for code, frames in codes.items() if frames > 1 or not any(_alike(code, other) for other in often)
    }


def _alike(one: int, other: int) -> bool:
    """Whether more than half of their data and CRC symbols are the same: of random pairs, about one in 80,000."""
    pairs = zip(_codeword(one), _codeword(other), strict=True)
    return 2 * sum(mine == theirs for mine, theirs in pairs) > _DATA_NIBBLES + _CRC_NIBBLES


def _codeword(code: int) -> list[int]:
    return [*_nibbles(code, _DATA_NIBBLES), *_nibbles(_crc(code), _CRC_NIBBLES)]


def _nibbles(value: int, count: int) -> list[int]:
    return [value >> 4 * place & 0xF for place in reversed(range(count))]


def _crc(code: int) -> int:
    """CRC-16-CCITT over the code; it starts from all ones, so that code 0 is not all zeros."""
    return crc_hqx(code.to_bytes(CODE_BITS // 8), 0xFFFF)


def _frame_code(tones: NDArray[np.intp]) -> int | None:
    """The code of a frame's tones; None when a sync tone stands where data should, or the CRC says no."""
    nibbles = [int(tone) for tone in tones[len(_SYNC) :]]
    if max(nibbles) > 0xF:
        return None
    value = 0
    for nibble in nibbles:
        value = value << 4 | nibble
    code, crc = value >> 4 * _CRC_NIBBLES, value & 0xFFFF
    return code if crc == _crc(code) else None


def _candidates(symbols: _Symbols) -> list[int]:
    """Hops where a frame may begin: both sync tones, and nothing but clear symbols."""
    count = len(symbols.tone) - (_HOPS_PER_FRAME - _HOPS_PER_SYMBOL)
    begins = np.ones(count, dtype=np.bool_)
    for place in range(_SYMBOLS):
        begins &= symbols.clear[place * _HOPS_PER_SYMBOL :][:count]
    for place, tone in enumerate(_SYNC):
        begins &= symbols.tone[place * _HOPS_PER_SYMBOL :][:count] == tone
    return [int(hop) for hop in np.flatnonzero(begins)]


def _symbols(samples: Samples, hops: int) -> _Symbols:
    """What would be heard from each hop on, one block at a time."""
    edges = [*range(0, hops, _BLOCK_HOPS), hops]
    blocks = [_powers(samples[begin * _HOP : (end - 1) * _HOP + _WINDOW]) for begin, end in pairwise(edges)]
    tone_power = np.concatenate([tones for tones, _ in blocks])
    power = np.concatenate([whole for _, whole in blocks])
    # A symbol is two windows; their powers are added, not their waves.
    tone_power = _FIRST_HALF * tone_power[:-_HOPS_PER_HALF] + _SECOND_HALF * tone_power[_HOPS_PER_HALF:]
    power = _FIRST_HALF * power[:-_HOPS_PER_HALF] + _SECOND_HALF * power[_HOPS_PER_HALF:]
    second, strongest = np.partition(tone_power, len(_TONES_HZ) - 2, axis=1)[:, -2:].T
    clear = (strongest >= _MIN_PURITY * power) & (strongest >= _MIN_LEAD * second) & (power >= _MIN_POWER)
    return _Symbols(tone=tone_power.argmax(axis=1), clear=clear)


def _powers(samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each window: the mean square within each tone, and of the whole (equal for a pure tone)."""
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), _WINDOW)[::_HOP]
    phases = 2 * np.pi * np.outer(np.arange(_WINDOW), _TONES_HZ) / SAMPLE_RATE
    kernel = np.concatenate([np.cos(phases), np.sin(phases)], axis=1).astype(np.float32)
    parts = (windows @ kernel) ** 2
    tones = (parts[:, : len(_TONES_HZ)] + parts[:, len(_TONES_HZ) :]) * np.float32(2 / _WINDOW**2)
    return tones, np.einsum("ij,ij->i", windows, windows) / np.float32(_WINDOW)
