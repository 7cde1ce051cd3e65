"""A stream's sound: how loud it was, and a WAV file small enough for a page (G.711 µ-law, 8 bits a sample)."""

import struct
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.audio.codecs import Samples, mulaw_table
from controller.page.model import Level, Span, SpanKind

MAX_STEPS: Final = 400
LEAST_STEP_S: Final = 0.05
FLOOR_DBFS: Final = -90.0
SILENT_DBFS: Final = -50.0
"""As agent/sound/hearing.py's ACTIVE_DBFS: the silence of G.711 is up to -66 dBFS."""
LEAST_SILENCE_S: Final = 0.5
_FULL_SCALE: Final = 32768.0
_MULAW: Final = 7
"""WAVE_FORMAT_MULAW."""


def level_of(samples: Samples, rate_hz: int, begin_s: float) -> Level | None:
    """RMS of equal steps; None: there are no samples for one."""
    step = max(round(LEAST_STEP_S * rate_hz), -(-len(samples) // MAX_STEPS))
    count = len(samples) // step
    if not count:
        return None
    parts = samples[: count * step].reshape(count, step).astype(np.float32)
    power = np.mean(parts**2, axis=1) / _FULL_SCALE**2
    dbfs = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DBFS / 10)))
    return Level(begin_s=begin_s, step_s=step / rate_hz, dbfs=tuple(np.round(dbfs, 1).tolist()))


def silences(level: Level) -> tuple[Span, ...]:
    """Stretches below SILENT_DBFS."""
    quiet = np.array([False, *(one < SILENT_DBFS for one in level.dbfs), False])
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8))).reshape(-1, 2)
    return tuple(
        Span(
            begin_s=level.begin_s + begin * level.step_s,
            end_s=level.begin_s + end * level.step_s,
            kind=SpanKind.SILENCE,
            label=f"silence for {(end - begin) * level.step_s:.1f} s",
        )
        for begin, end in edges.tolist()
        if (end - begin) * level.step_s >= LEAST_SILENCE_S
    )


@cache
def _encoder() -> npt.NDArray[np.uint8]:
    """The nearest code of each sample of 16 bits."""
    table = mulaw_table().astype(np.int32)
    order = np.argsort(table, kind="stable")
    bounds = (table[order][1:] + table[order][:-1]) / 2
    return order[np.searchsorted(bounds, np.arange(-32768, 32768))].astype(np.uint8)


def wav(samples: Samples, rate_hz: int) -> bytes:
    """Of one channel."""
    data = _encoder()[samples.astype(np.int32) + 32768].tobytes()
    form = struct.pack("<HHIIHHH", _MULAW, 1, rate_hz, rate_hz, 1, 8, 0)
    fact = struct.pack("<I", len(samples))
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
        for name, body in ((b"fmt ", form), (b"fact", fact), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
