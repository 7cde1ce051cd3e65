"""Records to streams: one pass over captures, in order, with all state that is carried from batch to batch."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.addresses import Addresses
from agent.trace.formats import Meanings
from agent.trace.ip import CUT, Datagrams, Internet, Segment
from agent.trace.records import Records, Skipped, load
from agent.trace.rtp import RTP_HEADER, rtp
from agent.trace.sip import METHODS, Sip
from agent.trace.streams import Batch, Declaration, Streams
from agent.trace.tcp import Tcp

MAX_ROWS: Final = 65_536
"""Packets worked on at once: what is loaded of them stays in a processor's cache."""
MAX_DTLS: Final = 65_536
_METHODS: Final = np.array([int.from_bytes(method, "little") for method in METHODS], np.uint32)
_DTLS_HANDSHAKE: Final = 22
_DTLS_VERSIONS: Final = (0xFEFF, 0xFEFD, 0xFEFC)
"""1.0, 1.2 and 1.3: RFC 6347 §4.1."""


class Analysis:
    """What is known after the batches so far."""

    def __init__(self) -> None:
        self.addresses, self.meanings, self.tcp = Addresses(), Meanings(), Tcp()
        self.streams = Streams(self.meanings)
        self.sip = Sip(self.addresses, self.meanings)
        self.skipped = Skipped()
        """Of the file that is being read."""
        self.internet = Internet(self.addresses, self.skipped)
        self.dtls: set[tuple[int, int]] = set()
        """Addresses and ports (as Datagrams has them), both ways, between which a DTLS handshake was seen."""

    def add(self, records: Records, listener: Callable[[Batch], None] | None = None) -> None:
        """One batch, worked on in pieces; `listener` is told of each, and must take what it wants at once."""
        for begin in range(0, len(records), MAX_ROWS):
            part = slice(begin, begin + MAX_ROWS)
            batch = self._add(
                Records(
                    data=records.data,
                    offset=records.offset[part],
                    captured=records.captured[part],
                    wire=records.wire[part],
                    time_ns=records.time_ns[part],
                    link=records.link[part],
                )
            )
            if listener and batch:
                listener(batch)

    def _add(self, records: Records) -> Batch | None:
        declarations: list[Declaration] = []

        def segment(one: Segment) -> None:
            for message in self.tcp.add(one):
                declarations.extend(self.sip.message(message, row=one.row, time_ns=one.time_ns, source=one.source[0]))

        found = self.internet.datagrams(records, segment)
        if len(found):
            cut = int(np.count_nonzero(found.captured < np.minimum(found.wire, RTP_HEADER)))
            if cut:
                self.skipped[CUT] += cut
            first = found.head[:, 0]
            self._sip(found, first, declarations)
            self._dtls(found, first)
        declarations.sort(key=lambda one: one.row)
        return self.streams.add(rtp(found), declarations)

    def _sip(self, found: Datagrams, first: npt.NDArray[np.uint32], declarations: list[Declaration]) -> None:
        text = np.flatnonzero((first & np.uint32(0x80) == 0) & (found.captured >= 4))
        for index in text[np.isin(first[text], _METHODS)].tolist():
            declarations += self.sip.message(
                found.at(index),
                row=int(found.row[index]),
                time_ns=int(found.time_ns[index]),
                source=int(found.hosts[index]) & 0xFFFFFFFF,
            )

    def _dtls(self, found: Datagrams, first: npt.NDArray[np.uint32]) -> None:
        rows = np.flatnonzero((first & np.uint32(0xFF) == _DTLS_HANDSHAKE) & (found.captured >= 13))
        if not len(rows):
            return
        version = load(found.data, found.offset[rows] + 1, 2).view(">u2")
        rows = rows[np.isin(version, _DTLS_VERSIONS)]
        for hosts, ports in set(zip(found.hosts[rows].tolist(), found.ports[rows].tolist(), strict=True)):
            if len(self.dtls) < MAX_DTLS:
                self.dtls.add((hosts, ports))
                self.dtls.add(((hosts & 0xFFFFFFFF) << 32 | hosts >> 32, (ports & 0xFFFF) << 16 | ports >> 16))
