"""What ends an agent before its plan is done: its controller, whoever ends its process, its own deadline."""

from collections.abc import Callable
from dataclasses import dataclass

from agent.clock import Clock
from agent.contract.plan import Signal
from agent.contract.result import StopCause


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why the agent ends before its plan is done."""

    cause: StopCause
    words: str


class Stopping:
    """Knows whether to stop. The deadline counts from when this was made."""

    def __init__(self, *, clock: Clock, stop_asked: Callable[[], bool], deadline_s: float) -> None:
        """`stop_asked`: whether SIGTERM came."""
        self._clock = clock
        self._stop_asked = stop_asked
        self._allowed_s = deadline_s
        self._until_s = clock.monotonic_s() + deadline_s

    def why(self, signal: Signal) -> Stop | None:
        """None: nothing says so."""
        if signal.stop:
            return Stop(cause=StopCause.SIGNAL, words="the run was stopped")
        if self._stop_asked():
            return Stop(cause=StopCause.TERMINATED, words="the agent was terminated")
        if self._clock.monotonic_s() >= self._until_s:
            words = f"the agent's deadline of {self._allowed_s:g} s was over"
            return Stop(cause=StopCause.DEADLINE, words=words)
        return None
