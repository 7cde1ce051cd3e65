"""`calltest run` of calls to sips URIs, against peers that keep them so, and peers that do not."""

import re
from typing import Any

import pytest

from agent.contract.verdict import Reason
from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.b2bua import B2bua, Far
from tests.component.peers.running import Case, Runs, both, echo
from tests.component.peers.sip import Message
from tests.component.peers.tls import TlsUas
from tests.component.test_field_tls import over_tls

pytest.importorskip("pjsua2")


def secured(test: str) -> str:
    return over_tls(test=re.sub(r'"sip:(\w+@)', r'"sips:\1', test))


class Sips(TlsUas):
    """It says that all is secure."""

    def __init__(self) -> None:
        super().__init__()
        self.contact = f"<sips:sut@{self.address}>"


class SipContact(TlsUas):
    """Its Contact is a sip URI, whatever it was asked for."""


class Between(B2bua, Sips):
    """As it is asked to be called, it calls, and goes on to where the answer is from."""

    def far_answered(self, far: Far, message: Message) -> None:
        far.target = message.uri("contact")
        super().far_answered(far, message)


class Rewriting(Between):
    """It rewrites the Request-URI."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        far.target = re.sub("^sips:([^;]*).*", r"sip:\1;transport=tls", far.target)
        super().far_request(far, method, cseq, **more)


class SipContactBetween(B2bua, SipContact):
    """It calls the callee with a Contact that is none, and answers the caller so."""


PLAIN = over_tls(test=echo())
CASES = {
    PASSED: [
        case("answered", Sips, secured(echo())),
        case("between two agents", Between, secured(both())),
        case("a sip call over TLS is no sips call", SipContact, PLAIN),
    ],
    f"Failed/{Reason.SIPS_DOWNGRADED}": [
        case("a Contact that is none", SipContact, secured(echo())),
        case("the callee is called by a sip URI", Rewriting, secured(both())),
        case("the callee is called with a sip Contact", SipContactBetween, secured(both())),
    ],
}
VERDICTS = {each.name: verdict for verdict, made in CASES.items() for each in made}


@pytest.mark.covers("<party>.uri", "calls[].to")
@cases(*(each for made in CASES.values() for each in made))
def test_a_sips_call_is_one_on_every_hop_that_is_seen(runs: Runs, case: Case) -> None:
    judged(runs, case, VERDICTS[case.name])


@cases(CASES[PASSED][1])
def test_our_own_agents_say_sips_wherever_they_name_themselves(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert isinstance(outcome.peer, Between)
    for message in (*outcome.peer.requests, *outcome.peer.answers):
        if message.get("contact"):
            assert message.uri("contact").startswith("sips:"), message.start
        if not message.code:
            assert re.match(r"[A-Z]+ sips:", message.start), message.start
