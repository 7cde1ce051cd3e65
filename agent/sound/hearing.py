"""What a recording held: how loud, whose signal, and what else. 8 kHz, 16 bit, mono. Pure."""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.contract.media import MAX_STRETCHES, Heard, Stretch
from agent.sound.identity import (
    FRAME_MS,
    HOP,
    HOPS_PER_FRAME,
    SAMPLE_RATE,
    Frame,
    Samples,
    Symbols,
    decoded,
    explained,
    frames,
    remains,
    symbols,
)
from agent.sound.stretches import in_few
from agent.sound.tones import tones

DIGITAL_SILENCE_DBFS: Final = -120.0
ACTIVE_DBFS: Final = -50.0
"""A 20 ms part is active above this. G.711 silence is up to -66 dBFS; the identity signal, 20 dB weaker, is -35."""
AUDIBLE_DBFS: Final = -45.0
"""20 ms above this are somebody's sound, if not a known signal: comfort noise is weaker."""
MIN_UNKNOWN_MS: Final = 60.0
"""Less of an unknown sound is the rest of a symbol that a lost packet or a digit broke, or a click."""
MIN_SILENT_MS: Final = 40.0
"""A shorter silence within a signal is a packet that was lost."""

_PART: Final = SAMPLE_RATE // 50
_FULL_SCALE: Final = 32768.0
_HOP_MS: Final = 1000 * HOP / SAMPLE_RATE
_HOPS_PER_PART: Final = _PART // HOP
_SILENT, _UNKNOWN = -2, -1
"""Owners that are no index of a code."""


def overlay(tracks: Collection[Samples]) -> Samples:
    """Recordings on one time base as one: where one is silent, the other is heard."""
    mixed = np.zeros(max(map(len, tracks), default=0), np.int32)
    for track in tracks:
        mixed[: len(track)] += track
    return np.clip(mixed, -32768, 32767).astype(np.int16)


def hear(samples: Samples, own: int | None = None, others: Sequence[int] = (), *, with_tones: bool = False) -> Heard:
    """Level, activity, and whose signal was heard when.

    `own`: the code of the call; `others`: of those that may have been up then. Any code is decoded; these are found
    also where a codec has blurred them. `with_tones`: single ones are looked for, too.
    """
    parts = samples[: len(samples) // _PART * _PART].reshape(-1, _PART).astype(np.float32)
    powers = np.mean(parts**2, axis=1)
    active = powers >= _power(ACTIVE_DBFS)
    chosen = powers[active] if active.any() else powers
    seen = symbols(samples)
    codes, owner = _owners(samples, seen, own, others)
    stretches = in_few(_stretches(codes, owner), MAX_STRETCHES)
    counts = {str(code): len(found) for code, found in codes.items()}
    single, left_out = tones(samples, owner >= 0) if with_tones else (None, 0)
    return Heard(
        duration_ms=1000 * len(samples) / SAMPLE_RATE,
        level_dbfs=_dbfs(float(chosen.mean())) if len(chosen) else DIGITAL_SILENCE_DBFS,
        active_ms=float(1000 * _PART / SAMPLE_RATE * active.sum()),
        codes=counts,
        stretches=stretches[:MAX_STRETCHES],
        stretches_left_out=len(stretches[MAX_STRETCHES:]),
        pieces_ms=0.0 if own is None or own in codes else _pieces_ms(seen, own, owner),
        tones=single,
        tones_left_out=left_out,
    )


def _pieces_ms(heard: Symbols, code: int, owner: NDArray[np.intp]) -> float:
    """How much of the unknown sound may be pieces of that code's signal."""
    pieces = np.flatnonzero(remains(heard, code)[: len(owner)])
    return float(_HOP_MS * np.count_nonzero(owner[pieces] == _UNKNOWN))


def _owners(
    samples: Samples, heard: Symbols, own: int | None, others: Sequence[int]
) -> tuple[dict[int, list[Frame]], NDArray[np.intp]]:
    """The codes that were heard, and for each hop the index of its code; or that it is silent, or of unknown sound."""
    owner = np.where(_loud(samples, AUDIBLE_DBFS), _UNKNOWN, _SILENT)
    quiet = ~_filled(_loud(samples, ACTIVE_DBFS))
    first = list(dict.fromkeys([*([] if own is None else [own]), *decoded(heard)]))
    codes = _found(heard, first, owner)
    if _HOP_MS * np.count_nonzero(owner == _UNKNOWN) >= FRAME_MS / 2:
        free = Symbols(tone=heard.tone, loud=heard.loud & (owner[: len(heard.tone)] < 0), clear=heard.clear)
        codes |= _found(free, [code for code in dict.fromkeys(others) if code not in first], owner, len(codes))
    # Whole frames are sure; what is left is first a code's whose frames it is in step with.
    for place, (code, found) in enumerate(codes.items()):
        _claim(owner, explained(heard, code, found), place)
    for place, code in enumerate(codes):
        _claim(owner, remains(heard, code), place)
    owner[quiet] = _SILENT
    return codes, _without_remains(owner)


def _found(heard: Symbols, wanted: Sequence[int], owner: NDArray[np.intp], known: int = 0) -> dict[int, list[Frame]]:
    """The wanted codes that were found, in their order, with their frames, which are theirs from now on.

    `known`: how many codes were found before.
    """
    found: dict[int, list[Frame]] = {}
    for frame in frames(heard, wanted):
        found.setdefault(frame.code, []).append(frame)
    codes = {code: found[code] for code in wanted if code in found}
    for place, its_frames in enumerate(codes.values(), known):
        for frame in its_frames:
            owner[frame.hop : frame.hop + HOPS_PER_FRAME] = place
    return codes


def _claim(owner: NDArray[np.intp], mine: NDArray[np.bool_], place: int) -> None:
    """Gives what is nobody's to a code."""
    owner[: len(mine)][mine & (owner[: len(mine)] < 0)] = place


def _loud(samples: Samples, dbfs: float) -> NDArray[np.bool_]:
    """For each hop, whether the 20 ms around it are above a level."""
    hops = samples[: len(samples) // HOP * HOP].reshape(-1, HOP).astype(np.float32)
    around = np.pad(np.mean(hops**2, axis=1), (_HOPS_PER_PART // 2 - 1, _HOPS_PER_PART // 2))
    power = sum(around[first : first + len(hops)] for first in range(_HOPS_PER_PART)) / _HOPS_PER_PART
    return np.asarray(power >= _power(dbfs))


def _filled(loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes of a lost packet or two are none."""
    for begin, end in _runs(loud):
        if not loud[begin] and (end - begin) * _HOP_MS < MIN_SILENT_MS:
            loud[begin:end] = True
    return loud


def _without_remains(owner: NDArray[np.intp]) -> NDArray[np.intp]:
    for begin, end in _runs(owner):
        if owner[begin] == _UNKNOWN and (end - begin) * _HOP_MS < MIN_UNKNOWN_MS:
            owner[begin:end] = _SILENT
    return owner


def _runs(owner: NDArray[np.generic]) -> list[tuple[int, int]]:
    if not len(owner):
        return []
    edges = [0, *(np.flatnonzero(owner[1:] != owner[:-1]) + 1).tolist(), len(owner)]
    return list(pairwise(edges))


def _stretches(codes: Collection[int], owner: NDArray[np.intp]) -> tuple[Stretch, ...]:
    known = list(codes)
    return tuple(
        Stretch(
            begin_ms=begin * _HOP_MS,
            end_ms=end * _HOP_MS,
            code=None if owner[begin] == _UNKNOWN else known[int(owner[begin])],
        )
        for begin, end in _runs(owner)
        if owner[begin] != _SILENT
    )


def _power(dbfs: float) -> float:
    return _FULL_SCALE**2 * math.pow(10.0, dbfs / 10)


def _dbfs(power: float) -> float:
    if power <= 0:
        return DIGITAL_SILENCE_DBFS
    return round(max(10 * math.log10(power / _FULL_SCALE**2), DIGITAL_SILENCE_DBFS), 1)
