"""Interarrival jitter (RFC 3550 A.8) of many streams at once, without a loop over packets."""

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.records import Ints

Floats = npt.NDArray[np.float64]

_KEEP: Final = 15 / 16
_BLOCK: Final = 128


def jitter(difference: Floats, starts: Ints, initial: Floats) -> Floats:
    """J after every packet: J += (|D| - J)/16, for segments that begin at `starts`, each from its `initial` value.

    `difference` is |D| of every packet to the one before it, in any unit, which is then the unit of the answer too;
    nan where the two cannot be compared: J stays as it is. A recurrence x = a·x + b with a = 15/16 (but 0 where a
    segment begins): blocks of 128 packets are done side by side as if each began at 0, then every block is given what
    the ones before it amount to.
    """
    count = len(difference)
    if not count:
        return difference
    columns = -(-count // _BLOCK)
    add, keep = np.zeros(columns * _BLOCK), np.full(columns * _BLOCK, _KEEP)
    add[:count] = difference / 16
    none = np.flatnonzero(np.isnan(difference))
    add[none], keep[none] = 0.0, 1.0
    add[starts] += initial * keep[starts]
    keep[starts] = 0.0
    value = np.ascontiguousarray(add.reshape(columns, _BLOCK).T)
    weight = np.ascontiguousarray(keep.reshape(columns, _BLOCK).T)
    for row in range(1, _BLOCK):
        value[row] += value[row - 1] * weight[row]
        weight[row] *= weight[row - 1]
    before, carried = np.zeros(columns), 0.0
    for column, (last, share) in enumerate(zip(value[-1].tolist(), weight[-1].tolist(), strict=True)):
        before[column] = carried
        carried = last + share * carried
    value += weight * before
    return value.T.reshape(-1)[:count]
