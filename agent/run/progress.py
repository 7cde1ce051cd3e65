"""Where the agent stands, told on each change and now and then."""

from typing import Final

from agent.clock import Clock
from agent.report.lines import Report

PROGRESS_S: Final = 2.0
PROGRESS_CHANGE_S: Final = 0.5
"""A change in how many calls are up is told this often at most; a change of stage at once."""
RARER: Final = 500
"""Both become rarer as time goes on: at least a 500th of it is between two lines. So their number grows with its
logarithm, and a run of a day fits into PROGRESS_BYTES; in its last hour there is a line every three minutes."""


class ProgressTeller:
    """Tells by the report's progress lines."""

    def __init__(self, *, report: Report, clock: Clock) -> None:
        self._report = report
        self._clock = clock
        self._stages = self._calls = (-1, -1)
        self._began_s = clock.monotonic_s()
        self._told_s = float("-inf")

    def tell(self, *, ready: int, done: int, active: int, address: str | None) -> None:
        """As it is now; a line where there is something new, or none was for long."""
        stages, calls = (ready, done), (active, self._report.ended)
        now_s = self._clock.monotonic_s()
        quiet_s, least_s = now_s - self._told_s, (now_s - self._began_s) / RARER
        changed = calls != self._calls and quiet_s >= max(PROGRESS_CHANGE_S, least_s)
        if stages != self._stages or changed or quiet_s >= max(PROGRESS_S, least_s):
            self._stages, self._calls, self._told_s = stages, calls, now_s
            self._report.progress(ready=ready, done=done, active=active, address=address)
