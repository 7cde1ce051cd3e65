"""A pod's log, read piece by piece with times, each line once. Pure."""

import io
from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of one pod; an agent writes at most 4 MiB of detail, and progress lines."""
OVERLAP_S: Final = 2


def without_times(raw: bytes) -> list[bytes]:
    """The complete lines of a log that was read with timestamps, newlines included."""
    return [line.partition(b" ")[2] for line in _complete(raw)]


@dataclass(slots=True)
class PodLog:
    """What has been read of one pod's log so far."""

    lines: list[bytes] = field(default_factory=list)
    read_at: float | None = None
    """Unix time of the last reading."""
    _seen: set[int] = field(default_factory=set)
    _size: int = 0

    def since_s(self, now: float) -> int | None:
        """How far back to read now, so that nothing is missed; None: from the start."""
        return None if self.read_at is None else int(now - self.read_at) + OVERLAP_S

    def add(self, raw: bytes, *, now: float) -> None:
        """Takes in a reading. Lines that were read before (same time, same text) are passed over."""
        self.read_at = now
        for line in _complete(raw):
            mark = hash(line)
            if mark in self._seen or self._size > MAX_BYTES:
                continue
            self._seen.add(mark)
            self._size += len(line)
            self.lines.append(line.partition(b" ")[2])


def _complete(raw: bytes) -> list[bytes]:
    """A last line without its newline is still being written: it comes again, whole."""
    return [line for line in io.BytesIO(raw) if line.endswith(b"\n")]
