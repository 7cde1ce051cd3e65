"""A SIP user agent server that answers and plays back what it gets. Subclasses override the hook where they are odd."""

import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from agent.contract.address import place
from tests.component.peers.rtp import Rtp, Source, bound
from tests.component.peers.sip import Message, branch, event_type, media_target, response, sdp, with_tag, written
from tests.component.peers.trouble import Trouble, watch

Address = tuple[str, int]
"""As its family has it: of IPv6 with two numbers more."""
LOOPBACK = "127.0.0.1"
POLL_S = 0.004


class Call:
    """One dialog that a caller began, and its media."""

    def __init__(self, invite: Message, peer: Address, host: str = LOOPBACK) -> None:
        self.invite, self.peer = invite, peer
        self.tag = secrets.token_hex(5)
        self.cseq = 0
        self.rtp = bound(host)
        self.source = Source(self.rtp)
        self.source.target = media_target(invite.body)
        self.event = event_type(invite.body)
        self.got = list[Rtp]()
        self.answered_s: float | None = None
        """On the monotonic clock."""
        self.over = False
        self.noted = dict[str, Any]()
        """What a subclass remembers of it."""

    @property
    def port(self) -> int:
        return int(self.rtp.getsockname()[1])

    @property
    def age_s(self) -> float:
        """Since the answer; 0: it has none."""
        return 0.0 if self.answered_s is None else time.monotonic() - self.answered_s


class Uas:
    """One thread, one SIP socket, one RTP socket per call."""

    ring_s = 0.2
    protocol = "UDP"
    host = LOOPBACK

    def __init__(self) -> None:
        self.sip = bound(self.host)
        self.address = place(self.host, self.sip.getsockname()[1])
        self.contact = f"<sip:sut@{self.address}>"
        self.calls = dict[str, Call]()
        self.answers = list[Message]()
        """Responses to our requests."""
        self.requests = list[Message]()
        self.fault: BaseException | None = None
        """Of the peer itself: a mistake of its test."""
        self.trouble = Trouble()
        self._timers = list[tuple[float, Callable[[], object]]]()
        self._selector = selectors.DefaultSelector()
        self.listen(self.sip, self._datagram)
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join(5)
        sockets: list[socket.socket] = [key.fileobj for key in self._selector.get_map().values()]  # type: ignore[misc]
        self.trouble.closing(sockets)
        for sock in sockets:
            sock.close()
        if self.fault is not None:
            raise self.fault

    # --- the loop

    def listen(self, sock: socket.socket, take: Callable[[bytes, Address], object]) -> socket.socket:
        """Gives what comes to that socket to `take`, on the peer's thread."""
        sock.setblocking(False)
        watch(sock)
        self._selector.register(sock, selectors.EVENT_READ, take)
        return sock

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        self._timers.append((time.monotonic() + seconds, what))

    def _run(self) -> None:
        try:
            while self._open:
                self._turn()
        except BaseException as fault:  # noqa: BLE001  # it is raised where the test ends
            self.fault = fault

    def _turn(self) -> None:
        now_s = time.monotonic()
        due = [timer for timer in self._timers if timer[0] <= now_s]
        self._timers = [timer for timer in self._timers if timer[0] > now_s]
        for due_s, what in sorted(due, key=lambda timer: timer[0]):
            self.trouble.was_due(due_s)
            what()
        for key, _ in self._selector.select(POLL_S):
            for _ in range(50):
                try:
                    data, peer = self.trouble.receive(key.fileobj)  # type: ignore[arg-type]
                except BlockingIOError:
                    break
                except OSError:  # an ICMP error of what was sent before
                    continue
                key.data(data, peer)
        for call in list(self.calls.values()):
            if call.answered_s is not None and not call.over:
                self.tick(call)

    # --- SIP

    def send(self, raw: bytes, to: Address) -> None:
        self.sip.sendto(raw, to)

    def respond(self, request: Message, status: str, to: Address, **more: Any) -> None:
        self.send(response(request, status, **({"contact": self.contact} | more)), to)

    def request(self, call: Call, method: str, **more: Any) -> None:
        """In the call's dialog, from us to the caller. `cseq`, `tag` (ours), `body`, `kind`, `extra`."""
        if "cseq" not in more:
            call.cseq += 1
        cseq, tag = more.get("cseq", call.cseq), more.get("tag", call.tag)
        headers = [
            f"Via: SIP/2.0/{self.protocol} {self.address};branch={branch()};rport",
            "Max-Forwards: 70",
            f"From: {with_tag(call.invite.get('to'), tag)}",
            f"To: {call.invite.get('from')}",
            f"Call-ID: {call.invite.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: {self.contact}",
            *more.get("extra", ()),
        ]
        start = f"{method} {call.invite.uri('contact')} SIP/2.0"
        self.send(written(start, headers, more.get("body", ""), more.get("kind", "application/sdp")), call.peer)

    def _datagram(self, data: bytes, peer: Address) -> None:
        if not data[:1].isalpha():  # a keep-alive
            return
        message = Message.parse(data)
        if message.code:
            self.answers.append(message)
            self.on_response(message, peer)
        else:
            self.requests.append(message)
            getattr(self, f"on_{message.start.split()[0].lower()}", self.on_other)(message, peer)

    def on_other(self, request: Message, peer: Address) -> None:
        self.respond(request, "200 OK", peer)

    def on_ack(self, request: Message, peer: Address) -> None:
        """Nothing is to be said to it."""

    def on_register(self, request: Message, peer: Address) -> None:
        """Its binding alone, or, once it is taken back, none."""
        kept = () if request.get("expires") == "0" else (f"Contact: {request.get('contact')};expires=300",)
        self.respond(request, "200 OK", peer, tag="r", contact="", extra=kept)

    def on_invite(self, request: Message, peer: Address) -> None:
        if request.tag("to"):
            call = self.calls[request.call_id]
            self.respond(request, "200 OK", peer, body=self.answer_sdp(call))
        elif request.call_id not in self.calls or self.calls[request.call_id].invite.cseq != request.cseq:
            call = self.calls[request.call_id] = Call(request, peer, self.host)
            self.listen(call.rtp, lambda data, _peer: self._media(call, data))
            self.respond(request, "100 Trying", peer)
            self.ring(call)

    def ring(self, call: Call) -> None:
        self.respond(call.invite, "180 Ringing", call.peer, tag=call.tag)
        self.later(self.ring_s, lambda: self.answer(call))

    def answer(self, call: Call) -> None:
        self.respond(call.invite, "200 OK", call.peer, tag=call.tag, body=self.answer_sdp(call))
        self.up(call)

    def up(self, call: Call) -> None:
        """From here on its media is played back."""
        call.answered_s = time.monotonic()
        self.answered(call)

    def answer_sdp(self, call: Call) -> str:
        return self.sdp(call)

    def sdp(self, call: Call, **more: Any) -> str:
        return sdp(call.port, **({"host": self.host, "event": call.event, "formats": f"0 {call.event}"} | more))

    def answered(self, call: Call) -> None:
        """What it does in the call."""

    def on_response(self, message: Message, peer: Address) -> None:
        """To a request of ours: an INVITE's 200 is acknowledged."""
        call = self.calls.get(message.call_id)
        if call is not None and message.method == "INVITE" and 200 <= message.code < 300:
            self.request(call, "ACK", cseq=message.cseq[0], body=self.ack_sdp(call))

    def ack_sdp(self, call: Call) -> str:
        """Where our INVITE had none."""
        return ""

    def on_bye(self, request: Message, peer: Address) -> None:
        if request.call_id in self.calls:
            self.calls[request.call_id].over = True
        self.respond(request, "200 OK", peer)

    def on_cancel(self, request: Message, peer: Address) -> None:
        self.respond(request, "200 OK", peer)
        if call := self.calls.get(request.call_id):
            self.respond(call.invite, "487 Request Terminated", peer, tag=call.tag)

    # --- media

    def _media(self, call: Call, data: bytes) -> None:
        packet = Rtp.parse(data)
        if packet is not None and not call.over:
            call.got.append(packet)
            if call.answered_s is not None:
                self.media(call, packet)

    def media(self, call: Call, packet: Rtp) -> None:
        """Played back at once, from a source of ours."""
        call.source.send(packet.payload_type, packet.timestamp, packet.payload, marker=packet.marker)

    def tick(self, call: Call) -> None:
        """Every few ms from the answer on."""

    def every(self, call: Call, name: str, step_s: float, begin_s: float, end_s: float) -> int:
        """How many times something is due now that happens each `step_s` between two ages of the call."""
        if call.age_s < begin_s:
            return 0
        due = int((min(call.age_s, end_s) - begin_s) / step_s)
        before = call.noted.get(name, 0)
        call.noted[name] = max(due, before)
        return max(0, due - before)
