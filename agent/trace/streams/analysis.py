"""Records to streams: one pass over captures, in order, with all state that is carried from batch to batch."""

from collections.abc import Callable
from typing import Final

from agent.trace.file.records import Records, Skipped
from agent.trace.kernel import OddKind
from agent.trace.streams.formats import Meanings
from agent.trace.streams.sip import Sip
from agent.trace.streams.streams import Declaration, Streams
from agent.trace.wire.addresses import Addresses
from agent.trace.wire.ip import Datagrams, Internet, Segment
from agent.trace.wire.tcp import Tcp

MAX_DTLS: Final = 65_536


class Analysis:
    """What is known after the batches so far."""

    def __init__(self, *, decrypted: bool = False) -> None:
        self.addresses, self.meanings, self.tcp = Addresses(), Meanings(decrypted=decrypted), Tcp()
        self.streams = Streams(self.meanings)
        self.sip = Sip(self.addresses, self.meanings)
        self.skipped = Skipped()
        """Of the file that is being read."""
        self.internet = Internet(self.addresses, self.skipped)
        self.dtls: set[tuple[int, int]] = set()
        """Addresses and ports (as Datagrams has them), both ways, between which a DTLS handshake was seen."""

    def add(self, records: Records, listener: Callable[[Datagrams], None] | None = None) -> None:
        """One batch; `listener` is told of its packets once they are counted, and must take what it wants at once."""
        declarations: list[Declaration] = []

        def segment(one: Segment) -> None:
            for message in self.tcp.add(one):
                declarations.extend(self.sip.message(message, row=one.row, time_ns=one.time_ns, source=one.source[0]))

        found = self.internet.datagrams(records, segment)
        if len(found.odds):
            self._odd(records, found, declarations)
            declarations.sort(key=lambda one: one.row)
        self.streams.add(found.packets, declarations)
        if listener and len(found.packets):
            listener(found)

    def _odd(self, records: Records, found: Datagrams, declarations: list[Declaration]) -> None:
        """SIP messages and DTLS handshakes."""
        for row, begin, end, hosts, ports, kind in found.odds.tolist():
            if kind == OddKind.SIP:
                time_ns = int(records.table["time_ns"][row])
                payload = found.payload(begin, end - begin)
                declarations += self.sip.message(payload, row=row, time_ns=time_ns, source=hosts & 0xFFFFFFFF)
            elif len(self.dtls) < MAX_DTLS:
                self.dtls.add((hosts, ports))
                self.dtls.add(((hosts & 0xFFFFFFFF) << 32 | hosts >> 32, (ports & 0xFFFF) << 16 | ports >> 16))
