"""SIP in a capture: the SDP it carries, and digits of INFO. Only what RTP needs; nothing raises, whatever is in it."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from agent.contract.call import DtmfMethod
from agent.sip.sdp import parse_sdp
from agent.sip.text import SipHead, parse_head
from agent.trace.model import Digit, Format
from agent.trace.streams.flows import place
from agent.trace.streams.formats import Meanings, as_format
from agent.trace.streams.streams import Declaration
from agent.trace.wire.addresses import Addresses

NEGOTIATING: Final = ("INVITE", "ACK", "PRACK", "UPDATE")
"""Requests whose SDP, or whose responses' SDP, is an offer or answer: RFC 3261, 3262, 3311. OPTIONS only asks."""
MAX_MESSAGE: Final = 65_535
MAX_REMEMBERED: Final = 8192
MAX_INFO_DIGITS: Final = 100_000
_SIGNAL: Final = re.compile(r"^\s*Signal\s*=\s*([0-9A-D*#]|1[0-6])\s*$", re.IGNORECASE | re.MULTILINE)
_DURATION: Final = re.compile(r"^\s*Duration\s*=\s*(\d{1,6})\s*$", re.IGNORECASE | re.MULTILINE)
_BARE: Final = re.compile(r"\s*([0-9A-D*#]|1[0-6])\s*(?:\n|$)", re.IGNORECASE)
_CODES: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D", "16": "flash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoDigit:
    """A digit of a SIP INFO, and whose it is."""

    call_id: str
    source: int
    """Address it came from."""
    digit: Digit


class Sip:
    """All messages of a capture, in arrival order."""

    def __init__(self, addresses: Addresses, meanings: Meanings) -> None:
        self._addresses, self._meanings = addresses, meanings
        self._infos: OrderedDict[tuple[str, int, str], None] = OrderedDict()
        self.digits: list[InfoDigit] = []
        self.messages = 0

    def message(self, payload: bytes, *, row: int, time_ns: int, source: int) -> list[Declaration]:
        """What an SDP in this message declares; a digit is put aside."""
        head_bytes, _, body_bytes = payload[:MAX_MESSAGE].partition(b"\r\n\r\n")
        head = parse_head(head_bytes.decode("utf-8", "replace") + "\r\n\r\n")
        if head is None:
            return []
        self.messages += 1
        body = body_bytes.decode("utf-8", "replace")
        if head.method == "INFO" and head.code is None:
            self._info(head, body, time_ns, source)
        found = body.find("v=0")
        if found < 0 or head.method not in NEGOTIATING:
            return []
        media: dict[int, tuple[dict[int, Format], bool]] = {}
        for medium in parse_sdp(body[found:]).media:
            address = self._addresses.parse(medium.address)
            if medium.rtp and medium.port and address is not None:
                declared = {number: as_format(one) for number, one in medium.declared.items()}
                # Media that share a port (RFC 8843) share its payload types.
                formats, encrypted = media.get(place(address, medium.port), ({}, False))
                media[place(address, medium.port)] = {**formats, **declared}, encrypted or medium.encrypted
        return [
            Declaration(
                row=row,
                place=where,
                meaning=self._meanings.number(formats, encrypted=encrypted),
                call_id=head.call_id,
            )
            for where, (formats, encrypted) in media.items()
        ]

    def _info(self, head: SipHead, body: str, time_ns: int, source: int) -> None:
        kind = (head.header("content-type") or "").partition(";")[0].strip().lower()
        if kind == "application/dtmf-relay":
            found = _SIGNAL.search(body)
        elif kind == "application/dtmf":
            found = _SIGNAL.search(body) or _BARE.match(body)
        else:
            return
        # A retransmission, or the same request on the next hop.
        key = (head.call_id, head.cseq, head.header("from") or "")
        if found is None or key in self._infos or len(self.digits) >= MAX_INFO_DIGITS:
            return
        self._infos[key] = None
        if len(self._infos) > MAX_REMEMBERED:
            self._infos.popitem(last=False)
        duration = _DURATION.search(body)
        digit = Digit(
            digit=_CODES.get(found[1], found[1].upper()),
            method=DtmfMethod.INFO,
            start=time_ns / 1e9,
            duration_ms=float(duration[1]) if duration else None,
            volume_dbm0=None,
            packets=1,
            end_packets=0,
            complete=True,
        )
        self.digits.append(InfoDigit(call_id=head.call_id, source=source, digit=digit))
