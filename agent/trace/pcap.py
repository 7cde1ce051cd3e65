"""pcap files (draft-ietf-opsawg-pcap): µs and ns, both byte orders."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.lanes import walk
from agent.trace.records import Bytes, Ints, Records, Skipped, load_words
from agent.trace.source import Source

FILE_HEADER: Final = 24
HEADER: Final = 16
MAX_CAPTURED: Final = 262_144
"""Bytes of one packet: libpcap's own bound."""
_MAX_JUMP_S: Final = 86_400
"""A record found by searching was captured within a day of the last one read."""
_SEARCH: Final = 320
"""Bytes after a cut in which a lane's first record is looked for: an RTP packet's record is shorter."""

NEAR, FULL = 1 << 16, 1 << 30
"""Bytes walked at once after damage, for more may follow, and else. Each sound walk goes eight times as far."""

MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": ("<u4", 1000),
    b"\xa1\xb2\xc3\xd4": (">u4", 1000),
    b"\x4d\x3c\xb2\xa1": ("<u4", 1),
    b"\xa1\xb2\x3c\x4d": (">u4", 1),
}
"""First four bytes: byte order, nanoseconds per unit of the fraction."""


class Pcap:
    """One file's records. Its header is read from the source's window, which must hold its 24 bytes."""

    name = "pcap"

    def __init__(self, source: Source, skipped: Skipped) -> None:
        header = source.data[:FILE_HEADER]
        self._order, self._unit_ns = MAGICS[header[:4].tobytes()]
        self._link = int(header[20:24].view(self._order)[0]) & 0xFFFF
        self._source, self._skipped = source, skipped
        self._last_s: int | None = None

    def batches(self) -> Iterator[Records]:
        """Until the end of the file; each is valid until the next."""
        used, lost, looked, limit = FILE_HEADER, False, False, FULL
        while True:
            grew = self._source.advance(used)
            data, end = self._source.readable, len(self._source.data)
            if end == 0:
                return
            if looked and not (lost or used or grew) and self._source.ended:
                # It claims more than there is: cut off, or damaged, with others behind.
                used, lost = self._searched(data[1:], end - 1)
                if lost and used >= end - 1:
                    self._skipped["record cut at the end of the file"] += 1
                    return
                self._skipped["damaged record"] += 1
                used += 1
                continue
            looked = True
            if lost:
                used, lost = self._searched(data, end)
                if used or lost:
                    continue
            looked, end = end <= limit, min(end, limit)
            headers, positions = self._headers(data, end)
            if len(positions):
                yield self._records(data, headers, positions)
            used = int(positions[-1] + HEADER + headers[-1, 2]) if len(positions) else 0
            if end - used >= HEADER and not self._sound(load_words(data, np.array([used]), 4).view(self._order))[0]:
                self._skipped["damaged record"] += 1
                used, lost, limit = used + 1, True, NEAR
            else:
                limit = min(8 * limit, FULL) if used else FULL

    def _headers(self, data: Bytes, end: int) -> tuple[Ints, Ints]:
        """The headers (seconds, fraction, captured, wire) of the sound and whole records from 0 on; their positions."""
        captured = np.ndarray((len(data) - HEADER,), self._order, data, offset=8, strides=(1,))
        positions = walk(end, lambda at: captured[at] + np.int64(HEADER), lambda cuts: self._find(data, cuts, end))
        headers = load_words(data, positions, 4).view(self._order)
        good = self._sound(headers) & (positions + HEADER + headers[:, 2].astype(np.int64) <= end)
        if not good.all():
            count = int(np.argmin(good))
            headers, positions = headers[:count], positions[:count]
        return headers.astype(np.int64), positions

    def _records(self, data: Bytes, headers: Ints, positions: Ints) -> Records:
        self._last_s = int(headers[-1, 0])
        return Records(
            data=data,
            offset=positions + HEADER,
            captured=headers[:, 2],
            wire=headers[:, 3],
            time_ns=headers[:, 0] * 1_000_000_000 + headers[:, 1] * self._unit_ns,
            link=np.full(len(positions), self._link),
        )

    def _sound(self, headers: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Nothing in the header is impossible. A preallocated file's zeros are: no packet has 0 bytes."""
        limit = 1_000_000_000 // self._unit_ns
        good = (headers[:, 1] < limit) & (headers[:, 2] <= MAX_CAPTURED)
        return good & (headers[:, 2] <= headers[:, 3]) & (headers[:, 3] > 0)

    def _plausible(self, headers: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """A header that chance would hardly make."""
        good = self._sound(headers) & (headers[:, 2] > 0)
        good &= headers[:, 3] <= MAX_CAPTURED
        if self._last_s is not None:
            good &= np.abs(headers[:, 0].astype(np.int64) - self._last_s) <= _MAX_JUMP_S
        return good

    def _find(self, data: Bytes, cuts: Ints, end: int) -> Ints:
        """Find of lanes.walk."""
        found = np.full(len(cuts), -1)
        if self._last_s is None:
            self._last_s = int(data[:4].view(self._order)[0])
        places = cuts[:, None] + np.arange(_SEARCH)
        seconds = np.ndarray((len(data) - HEADER,), self._order, data, strides=(1,))
        near = seconds[np.minimum(places, end)] - np.uint32(max(0, self._last_s - _MAX_JUMP_S // 2)) < _MAX_JUMP_S
        lane, column = np.nonzero(near & (places + HEADER <= end))
        at = places[lane, column]
        good = self._plausible(load_words(data, at, 4).view(self._order))
        lane, at = lane[good][::-1], at[good][::-1]
        found[lane] = at  # reversed: the first of each lane is written last, and stays
        return found

    def _searched(self, data: Bytes, end: int) -> tuple[int, bool]:
        """After damage: bytes to drop up to the next plausible record that is followed by one, and if still lost."""
        step = 1 << 12
        for begin in range(0, max(0, end - HEADER + 1), step):
            at = np.arange(begin, min(begin + step, end - HEADER + 1))
            at = at[self._plausible(load_words(data, at, 4).view(self._order))]
            for here in at.tolist():
                after = here + HEADER + int(data[here + 8 : here + 12].view(self._order)[0])
                if after + HEADER <= end:
                    if self._plausible(load_words(data, np.array([after]), 4).view(self._order))[0]:
                        return here, False
                elif not self._source.ended:
                    return here, True  # its successor is not there yet
                elif after == end:
                    return here, False
        return (end if self._source.ended else max(1, end - HEADER + 1)), True
