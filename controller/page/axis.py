"""One time axis for messages and media: to scale, but stretched where messages crowd.

A burst of thirty messages within 0.1 s and the 30 s of media behind it are on the same line, and both can be read.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from controller.page.scale import ticks

APART: Final = 15.0
"""Between two messages at least: the height of a line of text, which stands upright there."""
MAX_STRETCHED: Final = 0.6
"""Share of the width that stretched time may have: the drawing gets wider rather than its media narrower."""
TICK_APART: Final = 58.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stretch of time that is drawn wider than the rest."""

    begin_s: float
    end_s: float
    first: float
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Times (ascending) and where each is drawn; between two of them it is a straight line."""

    times_s: tuple[float, ...]
    places: tuple[float, ...]
    moments: tuple[float, ...]
    """Where each message is drawn, in their order: never two at one place."""
    bands: tuple[Band, ...]

    def __call__(self, at_s: float) -> float:
        """Where a time is drawn, to a tenth; what is outside at the edge."""
        after = bisect_right(self.times_s, at_s)
        if after == 0:
            return round(self.places[0], 1)
        if after == len(self.times_s):
            return round(self.places[-1], 1)
        begin_s, end_s = self.times_s[after - 1 : after + 1]
        first, last = self.places[after - 1 : after + 1]
        return round(first + (at_s - begin_s) / (end_s - begin_s) * (last - first), 1)

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.places[-1]

    def ticks(self) -> tuple[float, ...]:
        """Round times, as many as have room for their numbers."""
        found: list[float] = []
        free = self.places[0]
        for at_s in ticks(self.times_s[0], self.times_s[-1]):
            if self(at_s) >= free:
                found.append(at_s)
                free = self(at_s) + TICK_APART
        return tuple(found)


def axis_of(begin_s: float, end_s: float, moments_s: Sequence[float], first: float, last: float) -> Axis:
    """From `first` to `last`, or further where there are many moments (messages; ascending, of that time)."""
    times = [begin_s, *moments_s, end_s]
    lengths = [after - before for before, after in pairwise(times)]
    least = [0.0, *[APART] * (len(moments_s) - 1), 0.0] if moments_s else [0.0]
    width = max(last - first, sum(least) / MAX_STRETCHED)
    widths = _widths(lengths, least, width)
    places = [first]
    for one in widths:
        places.append(places[-1] + one)
    stretched = [one > 0 and wide <= one for one, wide in zip(least, widths, strict=True)]
    return Axis(
        times_s=tuple(times),
        places=tuple(places),
        moments=tuple(round(one, 1) for one in places[1:-1]),
        bands=tuple(_bands(times, places, stretched)),
    )


def _widths(lengths: Sequence[float], least: Sequence[float], width: float) -> list[float]:
    """By length, but none below its least; together `width`, which is more than all that is least."""
    narrow: set[int] = set()
    while True:
        room = width - sum(least[one] for one in narrow)
        length = sum(one for number, one in enumerate(lengths) if number not in narrow)
        rate = room / length if length > 0 else 0.0
        found = [least[number] if number in narrow else one * rate for number, one in enumerate(lengths)]
        more = {number for number, one in enumerate(found) if number not in narrow and one < least[number]}
        if not more:
            return found
        narrow |= more


def _bands(times: Sequence[float], places: Sequence[float], stretched: Sequence[bool]) -> list[Band]:
    found: list[Band] = []
    for number in (number for number, one in enumerate(stretched) if one):
        begin_s, first = times[number], places[number]
        if found and found[-1].last == first:
            begin_s, first = found[-1].begin_s, found.pop().first
        found.append(Band(begin_s=begin_s, end_s=times[number + 1], first=first, last=places[number + 1]))
    return found
