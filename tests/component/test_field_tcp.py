"""`calltest run` over TCP, against peers whose connections do what connections do in the field."""

import socket
from typing import Self

import pytest

from agent.contract.verdict import Reason
from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.running import Case, Runs, echo
from tests.component.peers.sip import Message
from tests.component.peers.tcp import TcpUas
from tests.component.peers.uas import Address

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


class Refusing(TcpUas):
    """Nobody listens."""

    def __enter__(self) -> Self:
        self._selector.unregister(self.sip)
        self.sip.close()
        return super().__enter__()


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


CASES = {
    PASSED: [case("a call", TcpUas, OVER_TCP), case("closed between two transactions", Closing, OVER_TCP)],
    f"Failed/{Reason.CONNECTION_REFUSED}": [case("refused", Refusing, OVER_TCP)],
    f"Failed/{Reason.CONNECTION_LOST}": [case("closed on the INVITE", Slamming, OVER_TCP)],
    f"Failed/{Reason.CONNECTION_TIMEOUT}": [case("not answered", Full, OVER_TCP)],
}
VERDICTS = {each.name: verdict for verdict, made in CASES.items() for each in made}


@cases(*(each for made in CASES.values() for each in made))
def test_what_becomes_of_a_connection_is_told_by_its_reason(runs: Runs, case: Case) -> None:
    judged(runs, case, VERDICTS[case.name])


@cases(CASES[PASSED][0])
def test_a_call_takes_one_connection(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert isinstance(outcome.peer, TcpUas)
    assert outcome.peer.taken == 1
    (leg,) = [line for line in outcome.told if line.get("kind") == "leg"]
    (connection,) = leg["connections"]
    assert (connection["protocol"], connection["peer"], connection["outgoing"]) == ("TCP", outcome.peer.address, True)
    assert connection["upMs"] <= 0
