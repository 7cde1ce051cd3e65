"""Time, passed in, so that a test's clock can stand still."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for durations, the same as the phone's; one for people."""

    def monotonic_s(self) -> float:
        """Seconds; never goes backwards."""

    def unix_s(self) -> float:
        """Seconds since 1970."""


class SystemClock:
    """The real ones."""

    def monotonic_s(self) -> float:
        """As Clock."""
        return time.monotonic()

    def unix_s(self) -> float:
        """As Clock."""
        return time.time()
