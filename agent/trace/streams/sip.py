"""SIP in a capture: the calls it makes, and digits of INFO. Nothing raises, whatever is in it."""

from agent.sip.text import parse_head
from agent.trace.streams.calls import Calls, Event
from agent.trace.streams.formats import Meanings
from agent.trace.streams.infos import Infos
from agent.trace.streams.signalling import Captured
from agent.trace.wire.addresses import Addresses


class Sip:
    """All messages of a capture, in arrival order."""

    def __init__(self, addresses: Addresses, meanings: Meanings) -> None:
        self.calls, self.infos = Calls(addresses, meanings), Infos()
        self.unreadable = 0
        """What begins like SIP, and is none, or has no Call-ID or CSeq."""

    def message(self, captured: Captured) -> list[Event]:
        """What it changes; a digit is put aside."""
        text = captured.payload.decode("utf-8", "replace")
        head = parse_head(text)
        if head is None:
            self.unreadable += 1
            return []
        events = self.calls.message(head, text, captured)
        if head.method in ("INFO", "NOTIFY"):
            self.infos.message(head, captured, self.calls.side(head))
        return events
