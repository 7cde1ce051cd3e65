"""Actions that are due later, run by whoever has the clock."""

import heapq
import itertools
from collections.abc import Callable


class Timers:
    """A heap of actions; equal times run in the order they were added."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, due_s: float, action: Callable[[], None]) -> None:
        """Runs `action` once, at `due_s` or later."""
        heapq.heappush(self._due, (due_s, next(self._order), action))

    def run(self, now_s: float) -> None:
        """Runs what is due."""
        while self._due and self._due[0][0] <= now_s:
            heapq.heappop(self._due)[2]()

    def next_s(self, otherwise_s: float) -> float:
        """When the next action is due, at the latest `otherwise_s`."""
        return min(self._due[0][0], otherwise_s) if self._due else otherwise_s

    def clear(self) -> None:
        """Forgets all of them."""
        self._due.clear()
