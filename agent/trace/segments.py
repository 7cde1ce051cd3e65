"""A batch of packets sorted by flow, as segments of columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.trace.records import Ints
from agent.trace.rtp import Rtp


@dataclass(slots=True, kw_only=True)
class Segments:
    """Arrivals of each flow in order: segment i is rows starts[i] up to starts[i] + counts[i]."""

    order: Ints
    """Which row of the batch's Rtp each is."""
    starts: Ints
    counts: Ints
    flows: Ints
    """Which flow each segment is, by number in Flows; no flow twice."""
    time_ns: Ints
    sequence: npt.NDArray[np.uint16]
    timestamp: npt.NDArray[np.uint32]
    payload_type: npt.NDArray[np.uint8]

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """One value per segment, given to each of its rows."""
        return np.repeat(values, self.counts)


def segmented(rtp: Rtp, numbers: Ints) -> Segments:
    """The batch (one row at least) by flow; `numbers` is each row's."""
    small = int(numbers.max()) < 1 << 16  # numpy sorts 16-bit numbers by radix
    order = np.argsort(numbers.astype(np.uint16) if small else numbers, kind="stable")
    flow = numbers[order]
    starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(flow[1:] != flow[:-1]) + 1])
    return Segments(
        order=order,
        starts=starts,
        counts=np.diff(starts, append=len(order)),
        flows=flow[starts],
        time_ns=rtp.time_ns[order],
        sequence=rtp.sequence[order],
        timestamp=rtp.timestamp[order],
        payload_type=rtp.payload_type[order],
    )


def before(rows: npt.NDArray[Any], starts: Ints, earlier: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What each row's predecessor had; `earlier`, one per segment, for the first ones."""
    shifted = np.empty_like(rows)
    shifted[1:] = rows[:-1]
    shifted[starts] = earlier
    return shifted


def extended(delta: Ints, segments: Segments, base: Ints) -> Ints:
    """Sums of the steps `delta` along each segment, from `base` of its flow on."""
    sums = np.cumsum(delta)
    starts = segments.starts
    return sums + segments.spread(base - sums[starts] + delta[starts])  # type: ignore[no-any-return]
