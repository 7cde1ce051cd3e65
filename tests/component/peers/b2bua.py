"""A back-to-back user agent between our two agents: registrar, two dialogs, and its own RTP on both sides."""

import re
import secrets
from typing import Any

from tests.component.peers.rtp import PCMU, Rtp, Source, bound
from tests.component.peers.sip import Message, branch, media_target, sdp, with_tag, written
from tests.component.peers.uas import Address, Call, Uas


class Far:
    """Its own call to the callee."""

    def __init__(self, call: Call, peer: Address, target: str, host: str) -> None:
        self.call, self.peer, self.target = call, peer, target
        self.call_id = f"{secrets.token_hex(8)}@sut"
        self.tag, self.remote_tag = secrets.token_hex(5), ""
        self.rtp = bound(host)
        self.source = Source(self.rtp)
        self.answered = False
        self.cseq = 1
        """Of its last request."""
        self.branch = branch()
        """Of its INVITE, and of the ACK to a refusal of that (RFC 3261 §17.1.1.3)."""

    @property
    def port(self) -> int:
        return int(self.rtp.getsockname()[1])


class Leg:
    """One direction of the media: from the caller, or to it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.taken = 0
        """Packets of audio."""
        self.audio, self.at = b"", 0
        """What is to be sent, and its timestamp."""
        self.hidden = 0
        """Ticks that were lost and that its timestamps do not show."""


class B2bua(Uas):
    """Passes on what comes, packet by packet, with sequence numbers and a source of its own."""

    kept: tuple[str, ...] = ("x-calltest-call",)
    """Headers that it takes over."""

    def __init__(self) -> None:
        super().__init__()
        self.contacts = dict[str, tuple[Address, str]]()
        self.far = dict[str, Far]()
        """By our Call-ID."""

    def on_register(self, request: Message, peer: Address) -> None:
        self.contacts[re.sub("^sips?:", "", request.uri("to")).partition("@")[0]] = (peer, request.uri("contact"))
        super().on_register(request, peer)

    # --- the caller's side

    def ring(self, call: Call) -> None:
        """It does not answer before the callee has."""
        if call.invite.user not in self.contacts:
            self.respond(call.invite, "404 Not Found", call.peer, tag=call.tag)
            return
        far = call.noted["far"] = Far(call, *self.contacts[call.invite.user], self.host)
        self.far[far.call_id] = far
        call.noted["ab"], call.noted["ba"] = Leg(far.source), Leg(call.source)
        self.listen(far.rtp, lambda data, _peer: self._from_callee(call, data))
        self.invite(far)

    def on_bye(self, request: Message, peer: Address) -> None:
        if request.call_id in self.far:  # the callee's
            self.respond(request, "200 OK", peer)
            return
        super().on_bye(request, peer)
        if far := self.calls[request.call_id].noted.get("far"):
            self.far_ask(far, "BYE")

    # --- the callee's side

    def invite(self, far: Far) -> None:
        self.far_request(far, "INVITE", 1, body=self.far_sdp(far), branch=far.branch)

    def far_sdp(self, far: Far) -> str:
        return sdp(far.port, host=self.host, event=far.call.event, formats=f"0 {far.call.event}")

    def far_ask(self, far: Far, method: str, **more: Any) -> None:
        """The next request in its dialog."""
        far.cseq += 1
        self.far_request(far, method, far.cseq, **more)

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        invite = far.call.invite
        headers = [
            f"Via: SIP/2.0/{self.protocol} {self.address};branch={more.get('branch') or branch()};rport",
            "Max-Forwards: 70",
            f"From: <{invite.uri('from')}>;tag={far.tag}",
            f"To: {with_tag(f'<{far.target}>', more.get('remote_tag', far.remote_tag))}",
            f"Call-ID: {far.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: {self.contact}",
            *(f"{name}: {value}" for name, value in invite.headers if name in self.kept),
            *more.get("extra", ()),
        ]
        kind = more.get("kind", "application/sdp")
        self.send(written(f"{method} {far.target} SIP/2.0", headers, more.get("body", ""), kind), far.peer)

    def on_response(self, message: Message, peer: Address) -> None:
        far = self.far.get(message.call_id)
        if far is None:
            super().on_response(message, peer)
        elif message.method == "INVITE" and message.code >= 300 and not far.answered:
            self.far_request(far, "ACK", 1, branch=far.branch, remote_tag=message.tag("to"))
            self.refused(far, message)
        elif message.method == "INVITE" and 180 <= message.code < 200:
            self.ringing(far)
        elif message.method == "INVITE" and 200 <= message.code < 300:
            self.far_answered(far, message)

    def refused(self, far: Far, message: Message) -> None:
        self.respond(far.call.invite, message.start.partition(" ")[2], far.call.peer, tag=far.call.tag)

    def ringing(self, far: Far) -> None:
        self.respond(far.call.invite, "180 Ringing", far.call.peer, tag=far.call.tag)

    def far_answered(self, far: Far, message: Message) -> None:
        far.remote_tag = message.tag("to")
        self.far_acknowledge(far)
        if not far.answered:
            far.answered = True
            far.source.target = media_target(message.body)
            self.answer(far.call)

    def far_acknowledge(self, far: Far) -> None:
        self.far_request(far, "ACK", 1)

    # --- media

    def media(self, call: Call, packet: Rtp) -> None:
        self._pass(call, "ab", packet)

    def _from_callee(self, call: Call, data: bytes) -> None:
        packet = Rtp.parse(data)
        if packet is not None and not call.over:
            self._pass(call, "ba", packet)

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        leg = call.noted[way]
        leg.taken += packet.payload_type == PCMU
        self.forward(leg, packet)

    def forward(self, leg: Leg, packet: Rtp) -> None:
        """As it came."""
        leg.source.send(packet.payload_type, packet.timestamp, packet.payload, marker=packet.marker)


class OutOfIt(B2bua):
    """Direct media: each end gets the other's SDP."""

    def far_sdp(self, far: Far) -> str:
        return far.call.invite.body

    def far_answered(self, far: Far, message: Message) -> None:
        far.call.noted["answer"] = message.body
        super().far_answered(far, message)

    def answer_sdp(self, call: Call) -> str:
        return str(call.noted["answer"])


class Repacketiser(B2bua):
    """Sends audio in packets of another length than it gets; a packet of another kind ends what it had begun."""

    packet_ms = 40
    lost_each: int | None = None
    """Of that many packets of audio that it gets it loses one, and its sequence numbers do not show it."""
    renumbers = False
    """Nor do its timestamps."""

    def forward(self, leg: Leg, packet: Rtp) -> None:
        timestamp = packet.timestamp - leg.hidden
        if packet.payload_type != PCMU:
            self._flush(leg)
            leg.source.send(packet.payload_type, timestamp, packet.payload, marker=packet.marker)
        elif self.lost_each and leg.taken % self.lost_each == 0:
            leg.hidden += len(packet.payload) if self.renumbers else 0
        else:
            self._add(leg, timestamp, packet.payload)

    def _add(self, leg: Leg, timestamp: int, payload: bytes) -> None:
        if timestamp != leg.at + len(leg.audio):
            self._flush(leg)
            leg.at = timestamp
        leg.audio += payload
        size = self.packet_ms * 8
        while len(leg.audio) >= size:
            leg.source.send(PCMU, leg.at, leg.audio[:size])
            leg.audio, leg.at = leg.audio[size:], leg.at + size

    def _flush(self, leg: Leg) -> None:
        if leg.audio:
            leg.source.send(PCMU, leg.at, leg.audio)
        leg.at, leg.audio = leg.at + len(leg.audio), b""


class Relays(B2bua):
    """Passes on whatever codec, by ports of its own."""

    lost_each = 0
    """Of that many packets of audio each way it loses one; 0: none."""

    def far_sdp(self, far: Far) -> str:
        return moved(far.call.invite.body, self.host, far.port)

    def far_answered(self, far: Far, message: Message) -> None:
        far.call.noted["answer"] = message.body
        super().far_answered(far, message)

    def answer_sdp(self, call: Call) -> str:
        return moved(str(call.noted["answer"]), self.host, call.port)

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        leg = call.noted[way]
        leg.taken += 1
        if not self.lost_each or leg.taken % self.lost_each:
            self.forward(leg, packet)


def moved(body: str, host: str, port: int) -> str:
    """The SDP with another place."""
    return re.sub(r"(?<=m=audio )\d+", str(port), re.sub(r"(?<=c=IN IP4 )\S+", host, body))


class Loses(Relays):
    """3 % each way."""

    lost_each = 33
