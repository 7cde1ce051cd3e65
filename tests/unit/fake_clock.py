"""A clock that moves only when a test moves it."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    now_s: float = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def unix_s(self) -> float:
        return 1_700_000_000.0 + self.now_s
