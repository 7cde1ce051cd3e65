"""Records to streams: one pass over captures, in order, with all state that is carried from batch to batch."""

from collections.abc import Callable
from typing import Final

from agent.trace.file.records import Records
from agent.trace.kernel import OddKind
from agent.trace.streams.formats import Meanings
from agent.trace.streams.signalling import Wire
from agent.trace.streams.sip import Sip
from agent.trace.streams.streams import Streams
from agent.trace.wire.ip import Datagrams

MAX_DTLS: Final = 65_536


class Analysis:
    """What is known after the batches so far."""

    def __init__(self, *, decrypted: bool = False) -> None:
        self.wire, self.meanings = Wire(), Meanings(decrypted=decrypted)
        self.streams = Streams(self.meanings)
        self.sip = Sip(self.wire.addresses, self.meanings)
        self.dtls: set[tuple[int, int]] = set()
        """Addresses and ports (as Datagrams has them), both ways, between which a DTLS handshake was seen."""
        self.dtls_left_out = 0
        """Packets of handshakes for which there was no room."""

    def add(self, records: Records, listener: Callable[[Datagrams], None] | None = None) -> None:
        """One batch; `listener` is told of its packets once they are counted, and must take what it wants at once."""
        found, messages = self.wire.read(records)
        events = [event for one in messages for event in self.sip.message(one)]
        self._dtls(found)
        self.streams.add(found.packets, events)
        if listener and len(found.packets):
            listener(found)

    def _dtls(self, found: Datagrams) -> None:
        """Handshakes."""
        odds = found.odds[found.odds["kind"] == OddKind.DTLS]
        for hosts, ports in zip(odds["hosts"].tolist(), odds["ports"].tolist(), strict=True):
            if (hosts, ports) in self.dtls:
                continue
            if len(self.dtls) >= MAX_DTLS:
                self.dtls_left_out += 1
                continue
            self.dtls.add((hosts, ports))
            self.dtls.add(((hosts & 0xFFFFFFFF) << 32 | hosts >> 32, (ports & 0xFFFF) << 16 | ports >> 16))
