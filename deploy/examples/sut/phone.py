"""A phone that is not our callee: it rings and is never picked up, or it answers and plays an announcement.

    phone.py ADDRESS:PORT ring|announce

One UDP socket for SIP, one for each call's RTP. Standard library only; G.711 u-law, 20 ms packets.
"""

import asyncio
import math
import random
import re
import signal
import sys
from dataclasses import dataclass
from typing import Any

RING_TO_ANSWER_S = 0.3
MAX_CALLS = 200
MAX_CALL_S = 120
RATE = 8000
FRAME = RATE // 50
Address = tuple[str, int]


def ulaw(sample: int) -> int:
    """One 16-bit sample as G.711 u-law."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    biased = min(magnitude, 32635) + 132
    exponent = biased.bit_length() - 8
    return ~(sign | exponent << 4 | (biased >> exponent + 3) & 0x0F) & 0xFF


def announcement() -> bytes:
    """One second of the three tones that announce an unreachable number (ITU-T E.180), then one of quiet; u-law."""
    tones = [950] * (RATE // 3) + [1400] * (RATE // 3) + [1800] * (RATE // 3)
    sound = [round(6000 * math.sin(2 * math.pi * f * n / RATE)) for n, f in enumerate(tones)]
    sound += [0] * (2 * RATE - len(sound))
    return bytes(ulaw(s) for s in sound)


def header(text: str, name: str) -> str:
    """A header's first value, or an empty text."""
    found = re.search(rf"^{name}\s*:\s*(.*?)\s*$", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""


def response(request: str, code: int, phrase: str, tag: str, *, contact: str = "", body: str = "") -> bytes:
    """A response with the headers that it must copy (RFC 3261 8.2.6.2)."""
    copied = [m[0].rstrip() for m in re.finditer(r"^(Via|Record-Route)\s*:.*$", request, re.IGNORECASE | re.MULTILINE)]
    to = header(request, "To")
    return "\r\n".join(
        (
            f"SIP/2.0 {code} {phrase}",
            *copied,
            f"From: {header(request, 'From')}",
            f"To: {to}" + ("" if ";tag=" in to.lower() else f";tag={tag}"),
            f"Call-ID: {header(request, 'Call-ID')}",
            f"CSeq: {header(request, 'CSeq')}",
            *((f"Contact: {contact}",) if contact else ()),
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
            "",
            body,
        )
    ).encode()


@dataclass(eq=False)
class Call:
    """One INVITE and what became of it."""

    invite: str
    tag: str
    answer: bytes | None = None
    acknowledged: bool = False
    task: "asyncio.Task[None] | None" = None


class Phone(asyncio.DatagramProtocol):
    """Answers requests; never sends one of its own."""

    def __init__(self, address: Address, *, answers: bool) -> None:
        self._address = address
        self._answers = answers
        self._sound = announcement()
        self._calls: dict[str, Call] = {}

    def connection_made(self, transport: Any) -> None:
        """The SIP socket is open."""
        self._transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        """One request; anything else is ignored."""
        text = data.decode(errors="replace")
        method = text.split(" ", 1)[0]
        call_id = header(text, "Call-ID")
        if not call_id or method == "SIP/2.0":
            return
        call = self._calls.get(call_id)
        if method == "INVITE":
            self._invited(call_id, text, peer)
        elif method == "ACK":
            if call:
                call.acknowledged = True
        elif method == "OPTIONS":
            self._transport.sendto(response(text, 200, "OK", "options"), peer)
        elif call is None:
            self._transport.sendto(response(text, 481, "Call Does Not Exist", "none"), peer)
        else:
            self._transport.sendto(response(text, 200, "OK", call.tag), peer)
            if method == "CANCEL" and call.answer is None:
                self._transport.sendto(response(call.invite, 487, "Request Terminated", call.tag), peer)
            if method in ("CANCEL", "BYE") and call.task:
                call.task.cancel()

    def _invited(self, call_id: str, text: str, peer: Address) -> None:
        known = self._calls.get(call_id)
        if known is not None:
            self._transport.sendto(known.answer or response(known.invite, 180, "Ringing", known.tag), peer)
        elif len(self._calls) >= MAX_CALLS:
            self._transport.sendto(response(text, 486, "Busy Here", "busy"), peer)
        else:
            call = self._calls[call_id] = Call(text, f"{random.getrandbits(32):08x}")
            call.task = asyncio.get_running_loop().create_task(self._take(call, peer))
            call.task.add_done_callback(lambda _: self._calls.pop(call_id, None))

    async def _take(self, call: Call, peer: Address) -> None:
        self._transport.sendto(response(call.invite, 180, "Ringing", call.tag), peer)
        if not self._answers:
            await asyncio.sleep(MAX_CALL_S)
            return
        await asyncio.sleep(RING_TO_ANSWER_S)
        port = re.search(r"^m=audio (\d+) ", call.invite, re.MULTILINE)
        host = re.search(r"^c=IN IP4 (\S+)", call.invite, re.MULTILINE)
        if not port or not host:
            self._transport.sendto(response(call.invite, 488, "Not Acceptable Here", call.tag), peer)
            return
        loop = asyncio.get_running_loop()
        rtp, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, (self._address[0], 0))
        try:
            call.answer = self._answer(call, rtp.get_extra_info("sockname")[1])
            self._transport.sendto(call.answer, peer)
            await self._play(call, rtp, (host[1], int(port[1])), peer)
        finally:
            rtp.close()

    def _answer(self, call: Call, port: int) -> bytes:
        host, sip_port = self._address
        body = (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=announcement\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        )
        contact = f"<sip:announcement@{host}:{sip_port}>"
        return response(call.invite, 200, "OK", call.tag, contact=contact, body=body)

    async def _play(self, call: Call, rtp: Any, to: Address, peer: Address) -> None:
        """One packet each 20 ms by the clock, and the 200 again each half second until its ACK (RFC 3261 13.3.1.4)."""
        loop, ssrc = asyncio.get_running_loop(), random.getrandbits(32)
        begin = loop.time()
        for n in range(MAX_CALL_S * 50):
            if n % 25 == 24 and not call.acknowledged and call.answer and n < 32 * 50:
                self._transport.sendto(call.answer, peer)
            at = n * FRAME % len(self._sound)
            first = 0x80 if n == 0 else 0
            head = bytes((0x80, first)) + n.to_bytes(2) + (n * FRAME).to_bytes(4) + ssrc.to_bytes(4)
            rtp.sendto(head + self._sound[at : at + FRAME], to)
            await asyncio.sleep(max(0.0, begin + (n + 1) / 50 - loop.time()))


async def main() -> None:
    """Runs until SIGTERM."""
    host, _, port = sys.argv[1].rpartition(":") if len(sys.argv) == 3 else ("", "", "")
    if not port.isdigit() or sys.argv[2] not in ("ring", "announce"):
        sys.exit("usage: phone.py ADDRESS:PORT ring|announce")
    address = (host, int(port))
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await loop.create_datagram_endpoint(lambda: Phone(address, answers=sys.argv[2] == "announce"), address)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
