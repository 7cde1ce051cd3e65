"""Where records begin, when each only says how long it is: a chain that Python would walk one by one.

The bytes are cut into lanes; near each cut a plausible record is looked for, and all lanes are walked in lockstep,
one numpy step for all. A lane's records count only if the walk from the first byte lands on one of them: then the
chain from there is the same, whatever made the lane begin there. So a false start costs time and nothing else.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from agent.trace.records import Ints

LANES: Final = 512
MIN_LANE_BYTES: Final = 4096
"""Shorter lanes are not worth their search."""
_STEPS: Final = 8
"""Between two looks at whether all lanes are through."""

Length = Callable[[Ints], Ints]
"""Bytes from each position to the next record as its header says, sound or not; more than 0."""
Find = Callable[[Ints], Ints]
"""The first plausible record at or soon after each position; -1 where there is none."""


def walk(end: int, length: Length, find: Find) -> Ints:
    """The chain from position 0 up to `end`, ascending. The caller checks the headers and cuts it at the first bad.

    The last record may reach beyond `end`. Headers at `end` itself are read, their lengths not used.
    """
    cuts = np.linspace(0, end, max(1, min(LANES, end // MIN_LANE_BYTES)), endpoint=False).astype(np.int64)
    found = find(cuts[1:])
    starts = np.unique(np.concatenate([cuts[:1], found[(found > 0) & (found < end)]]))
    limits = np.append(starts[1:], end)
    trail = _lockstep(starts, limits, end, length)
    inside = trail < limits
    counts = inside.sum(axis=0)
    landed = trail[counts, np.arange(len(starts))]
    positions = trail.T[inside.T]
    if (landed == limits).all():
        return positions
    return _chain(positions, np.cumsum(counts), landed, end, length)


def _lockstep(starts: Ints, limits: Ints, end: int, length: Length) -> Ints:
    """Positions by step and lane. A lane that has passed its limit runs on, up to `end`: cheaper than to stop it."""
    at, trail = starts, [starts]
    while (at < limits).any():
        for _ in range(_STEPS):
            at = np.minimum(at + length(at), end)
            trail.append(at)
    return np.array(trail)


def _chain(positions: Ints, ends: Ints, landed: Ints, end: int, length: Length) -> Ints:
    """The lanes that hang together from the first on; single steps from where one misses the next until one is met.

    `positions` are those of all lanes, lane after lane; lane i has those up to ends[i] and then goes to landed[i].
    """
    pieces, at = [], 0
    while at < end:
        here = int(np.searchsorted(positions, at))
        if here < len(positions) and positions[here] == at:
            lane = int(np.searchsorted(ends, here, "right"))
            pieces.append(positions[here : ends[lane]])
            at = int(landed[lane])
        else:
            pieces.append(np.array([at]))
            at += int(length(pieces[-1])[0])
    return np.concatenate(pieces)
