"""What a capture format yields: records, a batch at a time, as columns."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.trace.source import SPARE

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]


@dataclass(slots=True, kw_only=True)
class Records:
    """Packets in file order; all columns of one length. Valid until the next batch is asked for."""

    data: Bytes
    """The bytes that `offset` points into; source.SPARE more may be read behind the last packet."""
    offset: Ints
    captured: Ints
    """Bytes in `data`."""
    wire: Ints
    """Bytes the packet had; more than `captured` where the capture's snap length cut it."""
    time_ns: Ints
    """Since 1970."""
    link: Ints
    """LINKTYPE_ of www.tcpdump.org/linktypes.html."""

    def __len__(self) -> int:
        return len(self.offset)


class Skipped(Counter[str]):
    """Why records, or parts of a file, were not used."""


def load(data: Bytes, at: Ints, width: int) -> npt.NDArray[np.void]:
    """`width` bytes from each position, in one gather (several fields' gathers cost several times as much).

    Positions up to SPARE - width behind the last byte of interest are fine; `data` must reach that far.
    """
    every = np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
    # Not np.take: that copies an overlapping view as a whole first.
    return every[at]


def load_words(data: Bytes, at: Ints, count: int) -> Words:
    """`count` little-endian 32-bit words from each position: shape (n, count)."""
    return load(data, at, 4 * count).view("<u4").reshape(len(at), count)


def load_u16(data: Bytes, at: Ints) -> Ints:
    """A big-endian 16-bit field at each position."""
    return np.ndarray((len(data) - 1,), ">u2", data, strides=(1,))[at].astype(np.int64)


def swap32(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """From the byte order as loaded to the network's, or back."""
    return words.byteswap()


def joined(data: Bytes, more: list[bytes]) -> tuple[Bytes, list[int]]:
    """`data` with pieces behind it, and where each began."""
    starts = np.cumsum([len(data), *(len(piece) for piece in more)]).tolist()
    tail = np.frombuffer(b"".join(more) + bytes(SPARE), np.uint8)
    return np.concatenate([data, tail]), starts[:-1]
