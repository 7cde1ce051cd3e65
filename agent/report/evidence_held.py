"""Legs that an agent found nothing wrong with, held until both ends together have said whether their calls passed.

What is held is bounded, and the oldest goes first: what a leg then lacks is said, should it be asked for.
"""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from agent.contract.kept import Span, is_kept
from agent.contract.observation import LegObservation

HELD_TEXT_BYTES: Final = 16 * 1024 * 1024
"""In memory: the figures and messages of more than a thousand legs."""
HELD_CAPTURE_BYTES: Final = 512 * 1024 * 1024
"""In the scratch directory, of calls that are over: more than six hours of G.711 with both its directions."""
MAX_LEGS: Final = 4096
"""More than any plan has, of which an agent could tell: only strays can be as many."""
DROPPED: Final = "this agent had no more room to hold it until its call was judged"

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLeg:
    """One leg, as it was when it was over."""

    index: int
    endpoint: int
    leg: LegObservation | None
    """With all its messages. None: there was no room for it."""
    capture: Path | None
    with_files: bool
    """It has no folder yet, and gets one if it is kept."""
    fault: str | None
    """Why something of it is missing."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    endpoint: int
    told: bytes | None
    """The leg as JSON: a tenth of what the object takes."""
    capture: Path | None
    capture_bytes: int
    with_files: bool
    fault: str | None = None


class Held:
    """By index. Used by one thread."""

    def __init__(self, *, text_bytes: int = HELD_TEXT_BYTES, capture_bytes: int = HELD_CAPTURE_BYTES) -> None:
        self._max_text, self._max_captures = text_bytes, capture_bytes
        self._entries: dict[int, _Entry] = {}
        self._with_text = deque[int]()
        self._with_capture = deque[int]()
        self._text = self._captures = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, leg: LegObservation, capture: Path | None, *, with_files: bool) -> None:
        """Holds it; the capture is this one's from now on."""
        size = capture.stat().st_size if capture is not None else 0
        told = msgspec.json.encode(leg)
        self._entries[leg.index] = _Entry(
            endpoint=leg.endpoint, told=told, capture=capture, capture_bytes=size, with_files=with_files
        )
        self._with_text.append(leg.index)
        self._text += len(told)
        if capture is not None:
            self._with_capture.append(leg.index)
            self._captures += size
        self._make_room()

    def let_go(self, kept: Sequence[Span]) -> Iterator[HeldLeg]:
        """Those of these legs that are held, one by one; the captures of all others are deleted first."""
        for index in [index for index in self._entries if not is_kept(kept, index)]:
            self._drop_capture(self._entries.pop(index))
        for index in list(self._entries):
            entry = self._entries.pop(index)
            yield HeldLeg(
                index=index,
                endpoint=entry.endpoint,
                leg=msgspec.json.decode(entry.told, type=LegObservation) if entry.told is not None else None,
                capture=entry.capture,
                with_files=entry.with_files,
                fault=entry.fault,
            )

    def _make_room(self) -> None:
        while self._captures > self._max_captures:
            entry = self._entries.get(self._with_capture.popleft())
            if entry is not None:
                self._drop_capture(entry)
                entry.fault = entry.fault or f"no capture: {DROPPED}"
        while self._text > self._max_text:
            entry = self._entries.get(self._with_text.popleft())
            if entry is not None:
                self._drop_text(entry)
                entry.fault = f"no evidence: {DROPPED}"
        if len(self._entries) > MAX_LEGS:
            index, entry = next(iter(self._entries.items()))
            LOG.warning("leg %d is held no longer: there are more than %d", index, MAX_LEGS)
            self._drop_text(entry)
            del self._entries[index]

    def _drop_capture(self, entry: _Entry) -> None:
        if entry.capture is not None:
            entry.capture.unlink(missing_ok=True)
            self._captures -= entry.capture_bytes
            entry.capture = None

    def _drop_text(self, entry: _Entry) -> None:
        self._drop_capture(entry)
        self._text -= len(entry.told or b"")
        entry.told = None
