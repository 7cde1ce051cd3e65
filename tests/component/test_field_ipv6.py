"""`calltest run` by IPv6, against peers on ::1: SIP, media, connections, what is told of them, and mixed families."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from agent.contract.verdict import Reason
from tests.component.certificates import Pair, certificate
from tests.component.field import PASSED, case, cases, judged, settled
from tests.component.peers.b2bua import B2bua, Far
from tests.component.peers.running import Case, Runs, both, echo, run
from tests.component.peers.sip import sdp
from tests.component.peers.tcp import TcpUas
from tests.component.peers.tls import TlsUas
from tests.component.peers.uas import Call, Uas
from tests.component.test_field_tls import over_tls

pytest.importorskip("pjsua2")
BY_IPV6 = echo().replace("port: sip}", "port: sip, ipFamily: IPv6}")
BETWEEN = both().replace("port: sip}", "port: sip, ipFamily: IPv6}")


def over(transport: str, test: str = BY_IPV6) -> str:
    return test.replace("port: sip,", f"port: sip, transport: {transport},")


class V6(Uas):
    host = "::1"


class TcpV6(TcpUas):
    host = "::1"


class TlsV6(TlsUas):
    """Its certificate is for its address, written at length."""

    host = "::1"

    def own(self) -> Pair:
        return certificate("IP:0:0:0:0:0:0:0:1")


class OtherTlsV6(TlsV6):
    """Its certificate is for another."""

    def own(self) -> Pair:
        return certificate("IP:::2")


class B2buaV6(B2bua):
    host = "::1"


class TcpB2buaV6(B2buaV6, TcpUas):
    pass


class AnswersV4(V6):
    """Its relay was not told to change the family."""

    def answer_sdp(self, call: Call) -> str:
        return self.sdp(call, host="127.0.0.1")


class OffersV4(B2buaV6):
    def far_sdp(self, far: Far) -> str:
        return sdp(far.port, host="127.0.0.1", event=far.call.event, formats=f"0 {far.call.event}")


class AnswersV6(Uas):
    """The other way round."""

    def answer_sdp(self, call: Call) -> str:
        return self.sdp(call, host="::1")


class RefusingV6(TcpV6):
    """Nobody listens."""

    def __enter__(self) -> Self:
        self.deafen()
        return super().__enter__()


class ClosedV6(V6):
    """Likewise, by UDP."""

    def __init__(self) -> None:
        super().__init__()
        self._selector.unregister(self.sip)
        self.sip.close()


V6_TLS = over_tls().replace("port: sip,", "port: sip, ipFamily: IPv6,")
PATIENT = BY_IPV6.replace("answerTimeoutSeconds: 10", "answerTimeoutSeconds: 12")
CASES = {
    PASSED: [
        case("UDP", V6, BY_IPV6),
        case("TCP", TcpV6, over("TCP")),
        case("TLS", TlsV6, V6_TLS),
        case("between two agents", B2buaV6, BETWEEN),
        case("between two agents, TCP", TcpB2buaV6, over("TCP", BETWEEN)),
    ],
    f"Failed/{Reason.ADDRESS_FAMILY_MISMATCH}": [
        case("answered with IPv4", AnswersV4, BY_IPV6),
        case("the callee is offered IPv4", OffersV4, BETWEEN),
        case("IPv4 answered with IPv6", AnswersV6, echo()),
    ],
    f"Failed/{Reason.CONNECTION_REFUSED}": [case("refused", RefusingV6, over("TCP"))],
    f"Failed/{Reason.NO_RESPONSE}": [case("the port is closed", ClosedV6, PATIENT)],
    f"Failed/{Reason.TLS_NAME_MISMATCH}": [case("a certificate for another address", OtherTlsV6, V6_TLS)],
}
VERDICTS = {each.name: verdict for verdict, made in CASES.items() for each in made}


@pytest.mark.covers("target.ipFamily")
@cases(*(each for made in CASES.values() for each in made))
def test_a_call_goes_by_the_family_of_its_test_alone(runs: Runs, case: Case) -> None:
    judged(runs, case, VERDICTS[case.name])


@cases(CASES[f"Failed/{Reason.NO_RESPONSE}"][0])
def test_a_closed_port_is_told_by_icmpv6(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, VERDICTS[case.name])
    assert "ICMP port unreachable" in outcome.text
    assert outcome.peer.address.startswith("[::1]:")
    assert f"to {outcome.peer.address}" in outcome.text


def test_what_is_kept_of_a_call_is_of_ipv6(tmp_path: Path) -> None:
    kept = BETWEEN.replace("spec:\n", "spec:\n  evidence: {keep: Always}\n")
    outcome = run(case("kept", B2buaV6, kept), "--evidence", str(tmp_path))
    settled(outcome, PASSED)
    (capture,) = tmp_path.rglob("Callee/capture.pcap")
    command = [sys.executable, "-m", "controller.cli", "trace", str(capture), "--json"]
    traced = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    places = {stream[end] for stream in traced["streams"] for end in ("src", "dst")}
    assert len(places) == 2
    assert all(place.startswith("[::1]:") for place in places)
    ladder = capture.with_name("sip.txt").read_text()
    assert f"received from {outcome.peer.address}  INVITE" in ladder
