"""The SIP messages of a batch of records, whatever carried them, in arrival order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from agent.sip.sdp import parse_sdp, sdp_of
from agent.sip.text import blank_secrets, parse_head
from agent.trace.file.records import Records, Skipped
from agent.trace.kernel import OddKind
from agent.trace.model import CapturedMessage
from agent.trace.wire.addresses import Addresses
from agent.trace.wire.ip import Datagrams, Internet, Segment
from agent.trace.wire.tcp import Tcp

Endpoint = tuple[int, int]
"""An address as Addresses numbers it, and a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One message, whole."""

    row: int
    """Which record of the batch it was, or ended with."""
    time_ns: int
    source: Endpoint
    destination: Endpoint
    transport: Literal["UDP", "TCP"]
    payload: bytes


class Wire:
    """From records to packets and SIP messages, with what must be remembered between batches."""

    def __init__(self) -> None:
        self.addresses, self.tcp = Addresses(), Tcp()
        self.skipped = Skipped()
        """Of the file that is being read."""
        self.internet = Internet(self.addresses, self.skipped)

    def read(self, records: Records) -> tuple[Datagrams, list[Captured]]:
        """One batch: what may be RTP or DTLS, and its messages."""
        messages: list[Captured] = []

        def segment(one: Segment) -> list[bytes]:
            carried = self.tcp.add(one)
            for payload in carried.messages:
                self._listen(payload)
            messages.extend(
                Captured(
                    row=one.row,
                    time_ns=one.time_ns,
                    source=one.source,
                    destination=one.destination,
                    transport="TCP",
                    payload=payload,
                )
                for payload in carried.messages
            )
            return carried.datagrams

        found = self.internet.datagrams(records, segment, self._listen)
        by_udp = len(messages)
        for row, begin, end, hosts, ports, kind in found.odds.tolist():
            if kind == OddKind.SIP:
                messages.append(
                    Captured(
                        row=row,
                        time_ns=int(records.table["time_ns"][row]),
                        source=(hosts & 0xFFFFFFFF, port(ports)),
                        destination=(hosts >> 32, port(ports >> 16)),
                        transport="UDP",
                        payload=found.payload(begin, end - begin),
                    )
                )
        if by_udp:
            messages.sort(key=lambda one: one.row)
        return found, messages

    def _listen(self, message: bytes) -> None:
        """Where its SDP wants RTP over TCP."""
        if b" TCP/" not in message:
            return
        text = message.decode("utf-8", "replace")
        head = parse_head(text)
        sdp = sdp_of(head, text) if head else None
        for medium in parse_sdp(sdp).media if sdp else ():
            address = self.addresses.parse(medium.address) if medium.framed and medium.listens else None
            if address is not None:
                self.tcp.declare((address, medium.port))


def port(loaded: int) -> int:
    """Of 16 bits in network order that were loaded little-endian."""
    return (loaded & 0xFF) << 8 | loaded >> 8 & 0xFF


def captured_messages(batches: Iterable[Records], wire: Wire) -> Iterator[CapturedMessage]:
    """All messages of a capture, one by one."""
    for records in batches:
        for one in wire.read(records)[1]:
            text = blank_secrets(one.payload.decode("utf-8", "replace"))
            head = parse_head(text)
            yield CapturedMessage(
                time_ns=one.time_ns,
                src=wire.addresses.endpoint(*one.source),
                dst=wire.addresses.endpoint(*one.destination),
                transport=one.transport,
                call_id=head.call_id if head else None,
                start_line=text.lstrip("\r\n").partition("\n")[0].rstrip("\r"),
                text=text,
            )
