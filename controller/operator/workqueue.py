"""Which key to reconcile next: each once at a time, failed ones later and later. Pure; time is passed in."""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

FIRST_RETRY_S: Final = 0.5
LAST_RETRY_S: Final = 60.0


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One object to reconcile."""

    kind: Literal["CallTest", "CallTestRun"]
    namespace: str
    name: str


@dataclass(slots=True)
class _State:
    due_s: float | None = None
    """When it is wanted next; None: it is not."""
    is_running: bool = False
    failures: int = 0


@dataclass(slots=True)
class WorkQueue:
    """Keys and when they are due. One added while it is worked on is done again afterwards, never at the same time."""

    _states: dict[Key, _State] = field(default_factory=dict)
    _heap: list[tuple[float, int, Key]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)

    def add(self, key: Key, *, due_s: float) -> None:
        """Wants a key reconciled at a time; an earlier wish for it stands."""
        state = self._states.setdefault(key, _State())
        if state.due_s is not None and state.due_s <= due_s:
            return
        state.due_s = due_s
        heapq.heappush(self._heap, (due_s, next(self._order), key))

    def take(self, *, now_s: float) -> Key | None:
        """The key that is due longest and that nobody works on; the caller must call `done` for it."""
        postponed: list[tuple[float, int, Key]] = []
        found = None
        while self._heap and self._heap[0][0] <= now_s and found is None:
            entry = heapq.heappop(self._heap)
            state = self._states.get(entry[2])
            if state is None or state.due_s != entry[0]:
                continue  # An earlier wish replaced this one.
            if state.is_running:
                postponed.append(entry)
                continue
            state.is_running, state.due_s = True, None
            found = entry[2]
        for entry in postponed:
            heapq.heappush(self._heap, entry)
        return found

    def done(self, key: Key, *, now_s: float, again_s: float | None = None) -> None:
        """The work on a key is over and went well; `again_s`: seconds until it is wanted again anyway."""
        state = self._states[key]
        state.is_running, state.failures = False, 0
        if again_s is not None:
            self.add(key, due_s=now_s + again_s)
        elif state.due_s is None:
            del self._states[key]

    def failed(self, key: Key, *, now_s: float) -> float:
        """The work on a key failed: it is wanted again after the seconds returned, twice as many each time."""
        state = self._states[key]
        state.is_running = False
        state.failures += 1
        delay_s: float = min(FIRST_RETRY_S * 2 ** min(state.failures - 1, 10), LAST_RETRY_S)
        # A wish that came meanwhile must not defeat the delay: what failed would be tried in a tight loop.
        state.due_s = None
        self.add(key, due_s=now_s + delay_s)
        return delay_s

    def next_due_s(self) -> float | None:
        """When to call `take` again at the latest; None: nothing is wanted."""
        return self._heap[0][0] if self._heap else None

    def __len__(self) -> int:
        return sum(state.due_s is not None for state in self._states.values())
