"""What the source of a kind's events may have missed: a list before it starts, and a short watch every so often.

kopf tells at once what happens to CallTests and runs, but not whether its watch is dead, nor what was deleted while it
was restarted. A look goes on from the version where the one before ended, so it sees what kopf missed, and costs next
to nothing where that is nothing.
"""

import threading
from dataclasses import dataclass, field
from typing import Final

from controller.kube.watch import Watch

LOOK_S: Final = 5
"""What happened since the version before is told at once; an API server that says nothing for longer is dead."""
EVERY_S: Final = 55.0
"""Between two looks: what a silent watch of kopf's misses is known in a minute."""
RELIST_S: Final = 3600.0
"""What neither events nor looks explain is put right so soon; 6,000 runs are some 60 MB."""
POLL_S: Final = 0.5


@dataclass(slots=True, kw_only=True)
class Look(Watch):
    """At one scope, in a thread of its own until `stop`."""

    lasts_s: int = LOOK_S
    _again: threading.Event = field(default_factory=threading.Event)
    _listed_s: float = 0.0

    def again(self) -> None:
        """All is to be listed, soon."""
        self._again.set()

    def turn(self) -> bool:
        """Looks once, and waits for the next time; not where something went wrong."""
        if self._again.is_set() or self.now() > self._listed_s + RELIST_S:
            self._again.clear()
            self.forget()
        if not self.is_going_on:
            self._listed_s = self.now()
        Watch.turn(self)
        self._wait(EVERY_S)
        return True

    def _wait(self, delay_s: float) -> None:
        until_s = self.now() + delay_s
        while self.now() < until_s and not self.stop.is_set() and not self._again.is_set():
            self.stop.wait(min(POLL_S, delay_s))
