"""What a capture format yields: records, a batch at a time."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.trace.file.source import SPARE, Bytes
from agent.trace.kernel import Table

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]

MAX_ROWS = 16_384
"""Records of one batch: what is loaded of them stays in a processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Packets in file order. Valid until the next batch is asked for."""

    data: Bytes
    """The bytes that `offset` points into."""
    table: Table
    """kernel.RECORD."""

    def __len__(self) -> int:
        return len(self.table)


class Skipped(Counter[str]):
    """Why records, or parts of a file, were not used."""


def load(data: Bytes, at: Ints, width: int) -> npt.NDArray[np.void]:
    """`width` bytes from each position, in one gather.

    Positions up to SPARE - width behind the last byte of interest are fine; `data` must reach that far.
    """
    assert width <= SPARE
    every = np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
    # Not np.take: that copies an overlapping view as a whole first.
    return every[at]


def load_words(data: Bytes, at: Ints, count: int) -> Words:
    """`count` little-endian 32-bit words from each position: shape (n, count)."""
    return load(data, at, 4 * count).view("<u4").reshape(len(at), count)
