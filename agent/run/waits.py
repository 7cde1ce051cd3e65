"""The agent's own troubles while its REGISTERs waited for a 2xx: facts of each wait, which agent/judge judges."""

from agent.observe.registration import Wait
from agent.run.health import HealthMonitor, Window


class Waits:
    """Of one account, from its making on."""

    def __init__(self, health: HealthMonitor, now_s: float) -> None:
        """The first REGISTER is waited for from now on: before it crosses there may be a connection to open."""
        self._health = health
        self._window: Window | None = health.begin(now_s)
        self._over: list[Wait] = []

    def begin(self, at_s: float) -> None:
        """A REGISTER crossed, or was to, shortly before now; another try of one that is waited for changes nothing."""
        if self._window is None:
            self._window = self._health.began(at_s)

    def end(self, now_s: float) -> None:
        """It was answered, or another one is to be waited for."""
        self._over = [*self.so_far(now_s)]
        self._window = None

    def so_far(self, now_s: float) -> tuple[Wait, ...]:
        """All of them, as they came; the last one may go on."""
        if self._window is None:
            return tuple(self._over)
        going_on = Wait(began_s=self._window.began_s, trouble=self._health.end(self._window, now_s))
        return *self._over, going_on
