"""A pod's log, read piece by piece with times, each line once. Pure."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from agent.contract.result import ProgressLine
from controller.run.collect import read_log

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of one pod; an agent writes at most 4 MiB of detail, and progress lines."""
OVERLAP_S: Final = 2
"""Read again each time: the kubelet counts in whole seconds, by its own clock."""


@dataclass(slots=True)
class PodLog:
    """What has been read of one pod's log so far."""

    lines: list[bytes] = field(default_factory=list)
    progress: ProgressLine | None = None
    """The last one."""
    is_whole: bool = False
    """It was read from start to end after the agent had ended."""
    _read_at: float | None = None
    _seen: set[int] = field(default_factory=set)
    _size: int = 0

    def since_s(self, now: float) -> int | None:
        """How far back to read now (Unix time), so that nothing is missed; None: from the start."""
        return None if self._read_at is None else int(now - self._read_at) + OVERLAP_S

    def add(self, raw: bytes, *, now: float, is_whole: bool = False) -> None:
        """Takes in a reading. Lines that were read before (same time, same text) are passed over."""
        if is_whole:
            self.lines, self._seen, self._size = [], set(), 0
        fresh = list(self._fresh(raw))
        self.lines += fresh
        self.progress = read_log(fresh).progress or self.progress
        self._read_at, self.is_whole = now, is_whole

    def _fresh(self, raw: bytes) -> Iterator[bytes]:
        for line in io.BytesIO(raw):
            mark = hash(line)
            # A last line without its newline is still being written: it comes again, whole.
            if not line.endswith(b"\n") or mark in self._seen or self._size > MAX_BYTES:
                continue
            self._seen.add(mark)
            self._size += len(line)
            yield line.partition(b" ")[2]
