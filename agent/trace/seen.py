"""Which sequence numbers of a stream have been seen: all from the lowest to the highest, but for its holes."""

from bisect import bisect_right
from typing import Final

MAX_HOLES: Final = 1024
"""Remembered per stream: the oldest are lost for good when there are more."""


class Holes:
    """Runs of missing numbers. A copy is what is in none of them; no distance is too long for that."""

    __slots__ = ("_begins", "_ends", "forgotten")

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        self.forgotten = 0
        """Holes that were too many: what fills one of them counts as a copy."""

    def above(self, begin: int, end: int) -> None:
        """Numbers from `begin` up to before `end` were skipped, above all so far."""
        self._begins.append(begin)
        self._ends.append(end)
        if len(self._begins) > MAX_HOLES:
            del self._begins[0], self._ends[0]
            self.forgotten += 1

    def below(self, begin: int, end: int) -> None:
        """The same, below all so far."""
        if len(self._begins) < MAX_HOLES:
            self._begins.insert(0, begin)
            self._ends.insert(0, end)
        else:
            self.forgotten += 1

    def fill(self, number: int) -> bool:
        """Whether the number was missing; it no longer is."""
        where = bisect_right(self._begins, number) - 1
        if where < 0 or number >= self._ends[where]:
            return False
        begin, end = self._begins[where], self._ends[where]
        left, right = [begin] * (begin < number), [number + 1] * (number + 1 < end)
        self._begins[where : where + 1] = left + right
        self._ends[where : where + 1] = [number] * len(left) + [end] * len(right)
        return True
