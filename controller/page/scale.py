"""From values to places in a drawing, and the round numbers at its axes."""

import math
from dataclasses import dataclass
from typing import Final

_ROUND: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A straight line from a range of values to a range of places."""

    begin: float
    end: float
    first: float
    """Where `begin` is drawn."""
    last: float

    def __call__(self, value: float) -> float:
        """Where a value is drawn, to a tenth; what is outside at the edge."""
        share = 0.0 if self.end <= self.begin else (value - self.begin) / (self.end - self.begin)
        return round(self.first + min(1.0, max(0.0, share)) * (self.last - self.first), 1)


def step_of(length: float, most: int) -> float:
    """A round step (1, 2, 2.5 or 5 times a power of ten) that takes at most `most` steps for a length above 0."""
    least = length / most
    power = 10.0 ** math.floor(math.log10(least))
    return next(one * power for one in _ROUND if one * power >= least * (1 - 1e-9))


def ticks(begin: float, end: float, most: int = 10) -> tuple[float, ...]:
    """Round values from `begin` to `end`."""
    if end <= begin:
        return (begin,)
    step = step_of(end - begin, most)
    first = math.ceil(begin / step - 1e-9)
    last = math.floor(end / step + 1e-9)
    return tuple(round(number * step, 9) for number in range(first, last + 1))


def top_of(value: float) -> float:
    """A round number that is not below a value, for the top of an axis; 1 for nothing."""
    return 1.0 if value <= 0 else step_of(value, 1)


def number(value: float) -> str:
    """As short as it can be said."""
    return f"{value:.10g}"
