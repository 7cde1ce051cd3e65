"""The identity signal: a 24-bit code as tones, so that whoever hears it knows whose audio it is.

One frame is 12 symbols of 40 ms (480 ms): two sync tones of their own, six data nibbles, four nibbles of CRC-16. Each
symbol is one of 18 sines, 500 to 3050 Hz, 150 Hz apart. Frames follow each other without a gap; each decodes by itself.

Why it survives a telephone path: every tone makes whole cycles in 20 ms, so either half of a symbol decides it when
the other half's packet was lost; only powers are compared, so neither gain nor concealment's phase jumps matter.
Why nothing else decodes: each of 12 symbols in a row must be mostly one sine of the grid, the sync tones never carry
data, and the CRC finds every error of up to four neighbouring nibbles (a concealed gap repeats a symbol).
"""

from binascii import crc_hqx
from collections.abc import Sequence
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
HOP: Final = 40  # samples: 5 ms
_HOPS_PER_HALF: Final = _WINDOW // HOP
_HOPS_PER_SYMBOL: Final = _SYMBOL // HOP
HOPS_PER_FRAME: Final = _SYMBOLS * _HOPS_PER_SYMBOL
_MIN_PURITY: Final = np.float32(0.35)
"""Share of a symbol's power that its tone must have. A 20 ms hole in its middle leaves half."""
_MIN_LEAD: Final = np.float32(1.25)
"""How much stronger it must be than the next strongest tone: an even mixture of two signals is no code."""
_FIRST_HALF: Final = np.float32(0.4)
_SECOND_HALF: Final = np.float32(0.6)
"""Concealment repeats the past: where the halves disagree, the second is right."""
_MIN_POWER: Final = 32768.0**2 * 10 ** (-50 / 10)  # mean square of a symbol: -50 dBFS
_OFTEN: Final = 3  # frames
_ENOUGH: Final = 10
"""Of a frame's 12 symbols, where its code is looked for: no code hits that many of another's but about one in 10^8."""
_SCORED_HOPS: Final = 2_000
"""At a time, against all codes."""
_MAX_PHASES: Final = 32
"""Of one code in one recording: each slip of a jitter buffer begins another."""
_BLOCK_HOPS: Final = 12_000
"""One minute at a time, so that an hour's recording needs no more memory."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """For each hop, what a symbol that began there would be."""

    tone: NDArray[np.intp]
    loud: NDArray[np.bool_]
    """Loud enough to be one."""
    clear: NDArray[np.bool_]
    """And pure enough."""


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


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a code, and the hop at which it begins."""

    code: int
    hop: int


def symbols(samples: Samples) -> Symbols:
    """What 8 kHz audio would be as symbols, at each hop; none where it is too short for one."""
    hops = (len(samples) - _WINDOW) // HOP + 1
    if hops <= _HOPS_PER_HALF:
        none = np.zeros(0, np.bool_)
        return Symbols(tone=np.zeros(0, np.intp), loud=none, clear=none)
    return _symbols(samples, hops)


def decode(samples: Samples) -> dict[int, int]:
    """Every code heard in 8 kHz audio, and in how many frames.

    The CRC lets one in 65,536 badly damaged frames pass: a code heard once, most of whose symbols are those of a code
    heard often, is a damaged copy of that one, and left out.
    """
    return decoded(symbols(samples))


def decoded(heard: Symbols) -> dict[int, int]:
    """As `decode`."""
    codes: dict[int, int] = {}
    free_from = 0
    for start in _candidates(heard):
        if start < free_from:
            continue
        code = _frame_code(heard.tone[start : start + HOPS_PER_FRAME : _HOPS_PER_SYMBOL])
        if code is not None:
            codes[code] = codes.get(code, 0) + 1
            free_from = start + HOPS_PER_FRAME - _HOPS_PER_HALF  # a path may have cut 20 ms
    often = [code for code, frames in codes.items() if frames >= _OFTEN]
    return {
        code: frames for code, frames in codes.items() if frames > 1 or not any(_alike(code, other) for other in often)
    }


def find(samples: Samples, codes: Sequence[int]) -> dict[int, int]:
    """Which of these codes are heard in 8 kHz audio, and in how many frames.

    Where `decode` reads, this looks for what it knows: it hears what a codec has blurred (GSM twice, loss beside it).
    """
    found: dict[int, int] = {}
    for frame in frames(symbols(samples), codes):
        found[frame.code] = found.get(frame.code, 0) + 1
    return found


def frames(heard: Symbols, codes: Sequence[int]) -> list[Frame]:
    """Where frames of these codes are, none over another: at least 10 of 12 symbols are the code's."""
    found: list[Frame] = []
    free_from = 0
    best, score = _scores(heard, codes)
    for start in np.flatnonzero(score >= _ENOUGH).tolist():
        if start < free_from:
            continue
        near = score[start : start + _HOPS_PER_SYMBOL]
        peaks = np.flatnonzero(near == near.max())
        hop = start + int(peaks[len(peaks) // 2])
        found.append(Frame(code=codes[int(best[hop])], hop=hop))
        free_from = hop + HOPS_PER_FRAME - _HOPS_PER_HALF
    return found


def _scores(heard: Symbols, codes: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """At each hop: which code has most of a frame's symbols there, and how many."""
    count = max(0, len(heard.tone) - (HOPS_PER_FRAME - _HOPS_PER_SYMBOL)) if codes else 0
    best, score = np.zeros(count, np.intp), np.zeros(count, np.uint8)
    words = np.array([[*_SYNC, *_codeword(code)] for code in codes], np.uint8)
    tones = np.where(heard.loud, heard.tone, len(_TONES_HZ)).astype(np.uint8)
    for begin in range(0, count, _SCORED_HOPS):
        block = min(_SCORED_HOPS, count - begin)
        scores = np.zeros((block, len(codes)), np.uint8)
        for place in range(_SYMBOLS):
            first = begin + place * _HOPS_PER_SYMBOL
            scores += tones[first : first + block, None] == words[None, :, place]
        best[begin : begin + block] = scores.argmax(axis=1)
        score[begin : begin + block] = scores.max(axis=1)
    return best, score


def explained(heard: Symbols, code: int, found: Sequence[Frame]) -> NDArray[np.bool_]:
    """Which hops are this code's signal: in step with one of its frames, two different symbols in a row at least.

    So what lost packets have left of a frame is told from what is somebody else's.
    """
    own = np.zeros(len(heard.tone) + _HOPS_PER_SYMBOL - 1, np.bool_)
    word = np.array([*_SYNC, *_codeword(code)])
    for phase in sorted({frame.hop % HOPS_PER_FRAME for frame in found})[:_MAX_PHASES]:
        begin = phase % _HOPS_PER_SYMBOL
        hops = np.arange(begin, len(heard.tone), _HOPS_PER_SYMBOL)
        places = (hops - phase) // _HOPS_PER_SYMBOL % _SYMBOLS
        right = heard.loud[hops] & (heard.tone[hops] == word[places])
        # All codes begin with the same two symbols, and a steady tone is like two that are equal.
        tells = right[:-1] & right[1:] & (places[:-1] != 0) & (word[places[:-1]] != word[places[1:]])
        run = np.cumsum(~right)
        right &= np.isin(run, run[:-1][tells])
        for hop in hops[right].tolist():
            own[hop : hop + _HOPS_PER_SYMBOL] = True
    return own


def remains(heard: Symbols, code: int) -> NDArray[np.bool_]:
    """Which hops may be pieces of this code's signal, in step with nothing: two of its symbols that differ, in a row.

    What digits leave of it, behind a jitter buffer that moves. By chance one pair in thirty of another code's is.
    """
    own = np.zeros(len(heard.tone) + _HOPS_PER_SYMBOL - 1, np.bool_)
    word = [*_SYNC, *_codeword(code)]
    follows = np.zeros((len(_TONES_HZ), len(_TONES_HZ)), np.bool_)
    for first, second in zip(word[1:], [*word[2:], word[0]], strict=True):  # all codes begin with the same two
        follows[first, second] = first != second
    pairs = follows[heard.tone[:-_HOPS_PER_SYMBOL], heard.tone[_HOPS_PER_SYMBOL:]]
    pairs &= heard.clear[:-_HOPS_PER_SYMBOL] & heard.clear[_HOPS_PER_SYMBOL:]
    for hop in np.flatnonzero(pairs).tolist():
        own[hop : hop + 2 * _HOPS_PER_SYMBOL] = True
    return own


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


def _candidates(heard: Symbols) -> list[int]:
    """Hops where a frame may begin: both sync tones, and nothing but clear symbols."""
    count = max(0, len(heard.tone) - (HOPS_PER_FRAME - _HOPS_PER_SYMBOL))
    begins = np.ones(count, dtype=np.bool_)
    for place in range(_SYMBOLS):
        begins &= heard.clear[place * _HOPS_PER_SYMBOL :][:count]
    for place, tone in enumerate(_SYNC):
        begins &= heard.tone[place * _HOPS_PER_SYMBOL :][:count] == tone
    return [int(hop) for hop in np.flatnonzero(begins)]


def _symbols(samples: Samples, hops: int) -> Symbols:
    """What would be heard from each hop on, one block at a time."""
    edges = [*range(0, hops, _BLOCK_HOPS), hops]
    blocks = [_powers(samples[begin * HOP : (end - 1) * HOP + _WINDOW]) for begin, end in pairwise(edges)]
    tone_power = np.concatenate([tones for tones, _ in blocks])
    power = np.concatenate([whole for _, whole in blocks])
    # A symbol is two windows; their powers are added, not their waves.
    tone_power = _FIRST_HALF * tone_power[:-_HOPS_PER_HALF] + _SECOND_HALF * tone_power[_HOPS_PER_HALF:]
    power = _FIRST_HALF * power[:-_HOPS_PER_HALF] + _SECOND_HALF * power[_HOPS_PER_HALF:]
    second, strongest = np.partition(tone_power, len(_TONES_HZ) - 2, axis=1)[:, -2:].T
    loud = power >= _MIN_POWER
    clear = (strongest >= _MIN_PURITY * power) & (strongest >= _MIN_LEAD * second) & loud
    return Symbols(tone=tone_power.argmax(axis=1), loud=loud, clear=clear)


def _powers(samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each window: the mean square within each tone, and of the whole (equal for a pure tone)."""
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), _WINDOW)[::HOP]
    phases = 2 * np.pi * np.outer(np.arange(_WINDOW), _TONES_HZ) / SAMPLE_RATE
    kernel = np.concatenate([np.cos(phases), np.sin(phases)], axis=1).astype(np.float32)
    parts = (windows @ kernel) ** 2
    tones = (parts[:, : len(_TONES_HZ)] + parts[:, len(_TONES_HZ) :]) * np.float32(2 / _WINDOW**2)
    return tones, np.einsum("ij,ij->i", windows, windows) / np.float32(_WINDOW)
