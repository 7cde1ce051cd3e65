"""pcap files (draft-ietf-opsawg-pcap): µs and ns, both byte orders."""

import ctypes
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.file.records import MAX_ROWS, Records, Skipped, load_words
from agent.trace.file.source import Bytes, Source
from agent.trace.kernel import RECORD, PcapFormat, Walked, address, kernel

FILE_HEADER: Final = 24
HEADER: Final = 16
MAX_CAPTURED: Final = 262_144
"""Bytes of one packet: libpcap's own bound."""
_MAX_JUMP_S: Final = 86_400
"""A record found by searching was captured within a day of the last one read: kernel.h's PCAP_MAX_JUMP_S."""
_MAX_CARRY_S: Final = 4
"""In a fraction that its writer did not carry over: kernel.h's PCAP_MAX_CARRY_S."""

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
        link = int(header[20:24].view(self._order)[0]) & 0xFFFF
        self._format = PcapFormat(self._order == ">u4", self._unit_ns, MAX_CAPTURED, link)
        self._source, self._skipped = source, skipped
        self._last_s: int | None = None
        self._table, self._walked = np.empty(MAX_ROWS, RECORD), Walked()

    def batches(self) -> Iterator[Records]:
        """Until the end of the file; each is valid until the next."""
        used, lost, was_all = FILE_HEADER, False, False
        while True:
            grew = self._source.advance(used)
            data, end = self._source.readable, len(self._source.data)
            if end == 0:
                return
            if was_all and not (lost or used or grew):
                # It claims more than there is: cut off, or damaged, with others behind.
                used, lost = self._searched(data[1:], end - 1)
                if lost and used >= end - 1:
                    self._skipped["record cut at the end of the file"] += 1
                    return
                self._skipped["damaged record"] += 1
                used += 1
                continue
            was_all = self._source.ended
            if lost:
                used, lost = self._searched(data, end)
                if used or lost:
                    continue
            records = self._records(data, end)
            used, damaged = self._walked.used, self._walked.damaged
            if len(records):
                yield records
            if damaged:
                self._skipped["damaged record"] += 1
                used, lost = used + 1, True

    def _records(self, data: Bytes, end: int) -> Records:
        """The whole records from 0 on that cannot be damage, as many as make a batch."""
        known, walked = ctypes.byref(self._format), ctypes.byref(self._walked)
        ended = self._source.ended
        count = kernel().trace_pcap(address(data), end, ended, known, address(self._table), MAX_ROWS, walked)
        if count:
            self._last_s = int(self._table["time_ns"][count - 1]) // 1_000_000_000
        return Records(data=data, table=self._table[:count])

    def _plausible(self, headers: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """A header that chance would hardly make: near the last one it may be odd (walk.c), else it must be sound."""
        seconds, fraction, captured, wire = headers.T
        limit = 1_000_000_000 // self._unit_ns
        good: npt.NDArray[np.bool_] = (captured > 0) & (captured <= MAX_CAPTURED) & (wire <= MAX_CAPTURED)
        if self._last_s is None:
            good &= (fraction < limit) & (captured <= wire)
        else:
            good &= np.abs(seconds.astype(np.int64) - self._last_s) <= _MAX_JUMP_S
            good &= fraction < _MAX_CARRY_S * limit
        return good

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
