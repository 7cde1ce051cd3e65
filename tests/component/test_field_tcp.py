"""`calltest run` over TCP, against peers whose connections do what connections do in the field."""

import re
import socket
from typing import Any, Self

import pytest

from agent.contract.verdict import Reason
from tests.component.field import PASSED, UNMEASURED, case, cases, judged
from tests.component.peers.b2bua import B2bua, Far
from tests.component.peers.rtp import bound
from tests.component.peers.running import Case, Runs, both, echo
from tests.component.peers.sip import Message, response
from tests.component.peers.tcp import TcpUas
from tests.component.peers.uas import Address, Call

pytest.importorskip("pjsua2")
OVER_TCP = echo().replace("port: sip}", "port: sip, transport: TCP}")


class Closing(TcpUas):
    """Ends the connection once the call is up: the next request needs another."""

    def on_ack(self, request: Message, peer: Address) -> None:
        self.later(0.5, lambda: self.drop(peer))


class Slamming(TcpUas):
    """Takes the INVITE, and ends the connection without a word."""

    def on_invite(self, request: Message, peer: Address) -> None:
        self.drop(peer)


class Bytes(TcpUas):
    """Each byte is a segment."""

    def send(self, raw: bytes, to: Address) -> None:
        for byte in raw:
            super().send(bytes([byte]), to)


class Together(TcpUas):
    """A response waits for the next one, and both are one segment; keep-alives are before, between and behind them."""

    waiting = b""

    def send(self, raw: bytes, to: Address) -> None:
        if raw.startswith(b"SIP/2.0 1"):
            self.waiting += b"\r\n\r\n" + raw + b"\r\n"
        else:
            super().send(self.waiting + raw + b"\r\n", to)
            self.waiting = b""


class Hasty(TcpUas):
    """It ends the connection right behind each final response, and does not wait for an ACK."""

    def respond(self, request: Message, status: str, to: Address, **more: Any) -> None:
        super().respond(request, status, to, **more)
        if not status.startswith("1") and to in self.connections:
            self.drop(to)


class Resetting(TcpUas):
    """It resets the connection of a call that is up."""

    def on_ack(self, request: Message, peer: Address) -> None:
        self.later(1.0, lambda: self.drop(peer, reset=True))


class Vanishing(TcpUas):
    """And is gone then."""

    def on_ack(self, request: Message, peer: Address) -> None:
        self.later(1.0, lambda: (self.drop(peer, reset=True), self.deafen()))


class HalfClosing(TcpUas):
    """It says nothing more on the connection of a call that is up, and goes on reading it."""

    def on_ack(self, request: Message, peer: Address) -> None:
        self.later(1.0, lambda: self.connections[peer].shutdown(socket.SHUT_WR))


class Otherwise(TcpUas):
    """Its responses to the INVITE come by a connection of its own, to the port that our Via has."""

    ends_it = False

    def ring(self, call: Call) -> None:
        if self.ends_it:
            self.drop(call.peer)
        call.peer = self.dial(re.split(r"[ ;]", call.invite.get("via"))[1])
        super().ring(call)


class Reconnecting(Otherwise):
    """Because it has ended the one that the INVITE came by, as it may (RFC 3261 §18.2.2)."""

    ends_it = True


class DeafToBye(TcpUas):
    """It resets the connection that the BYE came by, later than a reset that crossed it would come."""

    def on_bye(self, request: Message, peer: Address) -> None:
        self.later(0.3, lambda: self.drop(peer, reset=True))


class Refusing(TcpUas):
    """Nobody listens."""

    def __enter__(self) -> Self:
        self.deafen()
        return super().__enter__()


class Lengths(TcpUas):
    """Its answer has a wrong Content-Length."""

    def length(self, right: int) -> str:
        """As its answer has it, the header and all."""
        raise NotImplementedError

    def send(self, raw: bytes, to: Address) -> None:
        if raw.startswith(b"SIP/2.0 200") and b"application/sdp" in raw:
            raw = re.sub(rb"Content-Length: (\d+)\r\n", lambda found: self.length(int(found[1])).encode(), raw)
        super().send(raw, to)


class NoLength(Lengths):
    """It has none, which must be there (RFC 3261 §20.14)."""

    def length(self, right: int) -> str:
        return ""


class TooLong(Lengths):
    """It says more than comes."""

    def length(self, right: int) -> str:
        return f"Content-Length: {right + 1000}\r\n"


class TooShort(Lengths):
    """It says less: the rest is the beginning of something else."""

    def length(self, right: int) -> str:
        return f"Content-Length: {right - 60}\r\n"


class Noise(TcpUas):
    """It says something that is no SIP before its answer."""

    def answer(self, call: Call) -> None:
        self.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", call.peer)
        self.later(0.3, lambda: super(Noise, self).answer(call))


class Full(TcpUas):
    """Its queue of connections is full, and nobody takes any: the kernel drops what else comes."""

    backlog = 0

    def __enter__(self) -> Self:
        self._selector.unregister(self.sip)
        self.fillers = [socket.socket() for _ in range(8)]
        for filler in self.fillers:
            filler.setblocking(False)
            filler.connect_ex(self.sip.getsockname())
        return super().__enter__()

    def __exit__(self, *args: object) -> None:
        for filler in self.fillers:
            filler.close()
        super().__exit__(*args)
        self.sip.close()


class Slow(TcpUas):
    """Its answer is in two halves, and between them is time enough to doubt."""

    def answer(self, call: Call) -> None:
        whole = response(call.invite, "200 OK", contact=self.contact, tag=call.tag, body=self.answer_sdp(call))
        self.send(whole[:300], call.peer)
        self.later(4.0, lambda: (self.send(whole[300:], call.peer), self.up(call)))


class Huge(Lengths):
    """Its answer has more bytes than a message may have."""

    def length(self, right: int) -> str:
        return f"X-Padding: {'x' * 80_000}\r\nContent-Length: {right}\r\n"


class HalfBye(TcpUas):
    """It never ends its answer to the BYE."""

    def on_bye(self, request: Message, peer: Address) -> None:
        self.send(response(request, "200 OK", contact=self.contact)[:-2], peer)


class Between(B2bua, TcpUas):
    """It calls the callee by the connection that registered."""


class ByUdp(Between):
    """It calls the callee by UDP, where that does not listen, and says in the end that nobody answers."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        host, _, port = re.split(r"[@;]", far.target)[1].rpartition(":")
        with bound() as sock:
            sock.sendto(f"{method} {far.target} SIP/2.0\r\n\r\n".encode(), (host, int(port)))
        gone = (far.call.invite, "480 Temporarily Unavailable", far.call.peer)
        self.later(1.0, lambda: self.respond(*gone, tag=far.call.tag))


class AnsweringByUdp(TcpUas):
    """Its responses go by UDP to the port that our Via has: they must not (RFC 3261 §18.2.2)."""

    def send(self, raw: bytes, to: Address) -> None:
        host, _, port = re.split(rb"[ ;]", raw.lower().partition(b"via: ")[2])[1].rpartition(b":")
        with bound() as sock:
            sock.sendto(raw, (host.decode(), int(port)))


class Unreadable(Between):
    """Its answer to a REGISTER has no Content-Length."""

    def on_register(self, request: Message, peer: Address) -> None:
        raw = response(request, "200 OK", tag="r", contact=f"{request.get('contact')};expires=300")
        self.send(raw.replace(b"Content-Length: 0\r\n", b""), peer)


class Anew(Between):
    """By a connection of its own, for each request."""

    ends_it = False

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        far.peer = self.dial(re.split(r"[@;]", far.target)[1])
        super().far_request(far, method, cseq, **more)
        if self.ends_it:
            self.drop(far.peer)


class Forgetful(Anew):
    """It ends that right behind the request: what is to be answered, is by another one (RFC 3261 §18.2.2)."""

    ends_it = True


class Amnesiac(Forgetful, Hasty):
    """And those of others, behind each response."""


BETWEEN = both().replace("port: sip}", "port: sip, transport: TCP}")
CASES = {
    PASSED: [
        case("a call", TcpUas, OVER_TCP),
        case("closed between two transactions", Closing, OVER_TCP),
        case("byte by byte", Bytes, OVER_TCP),
        case("several in one segment", Together, OVER_TCP),
        case("closed behind each response", Hasty, OVER_TCP),
        case("reset while the call is up", Resetting, OVER_TCP),
        case("half closed", HalfClosing, OVER_TCP),
        case("answered by another one", Otherwise, OVER_TCP),
        case("closed, and answered by another one", Reconnecting, OVER_TCP),
        case("noise before the answer", Noise, OVER_TCP),
        case("half an answer, and later the rest", Slow, OVER_TCP),
        case("called by the connection that registered", Between, BETWEEN),
        case("called by new ones", Anew, BETWEEN),
        case("called by new ones that end at once", Forgetful, BETWEEN),
        case("called so, and all others end too", Amnesiac, BETWEEN),
    ],
    f"Failed/{Reason.CONNECTION_REFUSED}": [
        case("refused", Refusing, OVER_TCP),
        case("gone while the call is up", Vanishing, OVER_TCP),
    ],
    f"Failed/{Reason.CONNECTION_LOST}": [
        case("closed on the INVITE", Slamming, OVER_TCP),
        case("reset on the BYE", DeafToBye, OVER_TCP),
    ],
    f"Failed/{Reason.CONNECTION_TIMEOUT}": [case("not answered", Full, OVER_TCP)],
    UNMEASURED: [
        case("no Content-Length", NoLength, OVER_TCP),
        case("Content-Length too long", TooLong, OVER_TCP),
        case("too long to be read", Huge, OVER_TCP),
        case("half an answer to the BYE", HalfBye, OVER_TCP),
        case("an unreadable answer to a REGISTER", Unreadable, BETWEEN),
    ],
    f"Failed/{Reason.SIP_CODE_MISMATCH}": [case("the callee is called by UDP", ByUdp, BETWEEN)],
    f"Failed/{Reason.NO_RESPONSE}": [case("answered by UDP", AnsweringByUdp, OVER_TCP)],
    f"Failed/{Reason.INVALID_ANSWER}": [case("Content-Length too short", TooShort, OVER_TCP)],
}
VERDICTS = {each.name: verdict for verdict, made in CASES.items() for each in made}


@cases(*(each for made in CASES.values() for each in made))
def test_what_becomes_of_a_connection_is_told_by_its_reason(runs: Runs, case: Case) -> None:
    judged(runs, case, VERDICTS[case.name])


@pytest.mark.covers("target.transport")
@cases(CASES[PASSED][0])
def test_a_call_takes_one_connection(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert isinstance(outcome.peer, TcpUas)
    assert outcome.peer.taken == 1
    (leg,) = [line for line in outcome.told if line.get("kind") == "leg"]
    (connection,) = leg["connections"]
    assert (connection["protocol"], connection["peer"], connection["outgoing"]) == ("TCP", outcome.peer.address, True)
    assert connection["upMs"] <= 0
