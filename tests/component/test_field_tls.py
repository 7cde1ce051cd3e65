"""`calltest run` over TLS, against peers whose handshakes fail as they do in the field: each has its own reason."""

import re
import ssl
import textwrap
from pathlib import Path
from typing import Any

import pytest

from agent.contract.verdict import Reason
from tests.component.certificates import Pair, authority, certificate
from tests.component.field import PASSED, UNMEASURED, case, cases, judged
from tests.component.peers.b2bua import B2bua, Far
from tests.component.peers.running import Case, Runs, both, echo
from tests.component.peers.tcp import TcpUas
from tests.component.peers.tls import TlsUas
from tests.component.peers.uas import Address
from tests.component.test_field_tcp import Bytes, Closing, Full, Hasty, Reconnecting, Refusing
from tests.component.test_field_tcp import Slamming as InviteSlamming

pytest.importorskip("pjsua2")
NAME = "sip.example.com"


def secret(name: str, **files: Path) -> str:
    keys = {key.replace("_", "."): path for key, path in files.items()}
    written = "".join(f"  {key}: |\n{textwrap.indent(path.read_text(), '    ')}" for key, path in keys.items())
    return f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n{written}"


def over_tls(tls: str = "", client: Pair | None = None, test: str | None = None) -> str:
    """With the tests' CA, and with `client` as its certificate."""
    shown = "" if client is None else ", clientSecretName: agent-tls"
    test = (test or echo()).replace("port: sip}", f"port: sip, transport: TLS, tls: {{caSecretName: ca{shown}{tls}}}}}")
    pairs = secret("agent-tls", tls_crt=client.certificate, tls_key=client.key) if client is not None else ""
    return test + secret("ca", ca_crt=authority().certificate) + pairs


class Named(TlsUas):
    """Its certificate is for a name."""

    def own(self) -> Pair:
        return certificate(f"DNS:{NAME}")


class Old(TlsUas):
    """TLS 1.1 is all it has."""

    def configured(self) -> ssl.SSLContext:
        made = super().configured()
        made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
        return made


class Mutual(TlsUas):
    """It wants a certificate, by TLS 1.3."""

    version = ssl.TLSVersion.TLSv1_3

    def configured(self) -> ssl.SSLContext:
        made = super().configured()
        made.minimum_version = made.maximum_version = self.version
        made.verify_mode = ssl.CERT_REQUIRED
        return made


class Mutual12(Mutual):
    """By TLS 1.2."""

    version = ssl.TLSVersion.TLSv1_2


class Asking(TlsUas):
    """It asks for a certificate, takes none too, and no wrong one."""

    def configured(self) -> ssl.SSLContext:
        made = super().configured()
        made.verify_mode = ssl.CERT_OPTIONAL
        return made


class Expired(TlsUas):
    def own(self) -> Pair:
        return certificate(expired=True)


class Stranger(TlsUas):
    """Its certificate is of a CA that nobody knows."""

    def own(self) -> Pair:
        return certificate(by="another-ca")


class Plain(TcpUas):
    """It speaks SIP over TCP, and answers what it cannot read."""

    def _stream(self, data: bytes, peer: Address) -> None:
        self.send(b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n", peer)


class Silent(TcpUas):
    """It waits for the end of a message that never comes."""

    def _stream(self, data: bytes, peer: Address) -> None:
        return


class Slamming(TcpUas):
    """It resets what it takes."""

    def _stream(self, data: bytes, peer: Address) -> None:
        self.drop(peer, reset=True)


class Between(B2bua, TlsUas):
    """It calls the callee by the connection that registered."""


class Anew(Between):
    """By connections of its own, one for each request."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        far.peer = self.dial(re.split(r"[@;]", far.target)[1])
        super().far_request(far, method, cseq, **more)


class Distrustful(Anew):
    """It looks at whom it calls, and says 503 where it does not believe them."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        try:
            super().far_request(far, method, cseq, **more)
        except ssl.SSLError:
            self.respond(far.call.invite, "503 Service Unavailable", far.call.peer, tag=far.call.tag)

    def outgoing(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority().certificate)
        return context


class ExpiredRegistrar(Expired, Between):
    pass


class SecureClosing(Closing, TlsUas):
    """Without a word of TLS, as many do."""


class SecureHasty(Hasty, TlsUas):
    pass


class SecureReconnecting(Reconnecting, TlsUas):
    pass


class SecureBytes(Bytes, TlsUas):
    """Each byte is a record."""


class SecureSlamming(InviteSlamming, TlsUas):
    pass


BETWEEN = over_tls(test=both())
NOBODY = certificate(by="another-ca", common_name="agent")
CASES = {
    PASSED: [
        case("its address", TlsUas, over_tls()),
        case("its name", Named, over_tls(f", serverName: {NAME}")),
        case("no verification", Stranger, over_tls(", verify: false")),
        case("mutual, 1.2", Mutual12, over_tls(client=certificate(common_name="agent"))),
        case("mutual, 1.3", Mutual, over_tls(client=certificate(common_name="agent"))),
        case("asked, and has none", Asking, over_tls()),
        case("closed between two transactions", SecureClosing, over_tls()),
        case("closed behind each response", SecureHasty, over_tls()),
        case("closed, and answered by another one", SecureReconnecting, over_tls()),
        case("byte by byte", SecureBytes, over_tls()),
        case("called by the connection that registered", Between, BETWEEN),
        case("called by new ones", Anew, BETWEEN),
    ],
    f"Failed/{Reason.CONNECTION_REFUSED}": [case("refused", Refusing, over_tls())],
    f"Failed/{Reason.CONNECTION_RESET}": [case("reset", Slamming, over_tls())],
    f"Failed/{Reason.CONNECTION_TIMEOUT}": [case("not answered", Full, over_tls())],
    f"Failed/{Reason.CONNECTION_LOST}": [case("closed on the INVITE", SecureSlamming, over_tls())],
    f"Failed/{Reason.TLS_TIMEOUT}": [case("silent", Silent, over_tls())],
    f"Failed/{Reason.TLS_NOT_SPOKEN}": [case("plain", Plain, over_tls())],
    f"Failed/{Reason.TLS_HANDSHAKE_FAILED}": [case("no common version", Old, over_tls())],
    f"Failed/{Reason.TLS_CERTIFICATE_EXPIRED}": [case("expired", Expired, over_tls())],
    f"Failed/{Reason.TLS_CERTIFICATE_UNTRUSTED}": [case("unknown CA", Stranger, over_tls())],
    f"Failed/{Reason.TLS_NAME_MISMATCH}": [
        case("another name", Named, over_tls(", serverName: other.example.com")),
        case("a name and no address", Named, over_tls()),
    ],
    f"Failed/{Reason.TLS_CLIENT_REFUSED}": [
        case("no certificate, 1.2", Mutual12, over_tls()),
        case("no certificate, 1.3", Mutual, over_tls()),
        case("a wrong certificate, 1.2", Mutual12, over_tls(client=NOBODY)),
        case("a wrong certificate, 1.3", Mutual, over_tls(client=NOBODY)),
    ],
}
VERDICTS = {each.name: verdict for verdict, made in CASES.items() for each in made}


@pytest.mark.covers("target.tls.serverName", "target.tls.verify")
@pytest.mark.covers("target.tls.caSecretName", "target.tls.clientSecretName")
@cases(*(each for made in CASES.values() for each in made))
def test_what_becomes_of_a_handshake_is_told_by_its_reason(runs: Runs, case: Case) -> None:
    judged(runs, case, VERDICTS[case.name])


@cases(case("a registrar whose certificate is out of date", ExpiredRegistrar, BETWEEN))
def test_a_registration_says_it_too_and_is_no_timeout(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, f"Failed/{Reason.TLS_CERTIFICATE_EXPIRED}")
    assert {failure["leg"] for failure in outcome.run["status"]["failures"]} >= {"Callee"}
    assert Reason.REGISTRATION_TIMEOUT not in outcome.text
    assert outcome.peer.requests == []


OURS = case("it does not believe a certificate of our own making", Distrustful, BETWEEN)
NAMED = case("nor one that the test names", Distrustful, over_tls(client=NOBODY, test=both()))


@cases(OURS, NAMED)
def test_a_sut_that_does_not_believe_the_callee_is_to_blame_for_named_certificates_alone(
    runs: Runs, case: Case
) -> None:
    outcome = judged(runs, case, UNMEASURED if case is OURS else f"Failed/{Reason.SIP_CODE_MISMATCH}")
    assert "hung up with the alert unknown_ca" in outcome.text
    assert "target.tls.clientSecretName" in outcome.text


NO_PEM = over_tls().partition("---")[0] + secret("ca", ca_crt=Path(__file__).with_name("__init__.py"))


@cases(case("a CA that is no PEM", TlsUas, NO_PEM))
def test_what_cannot_be_used_is_named_before_the_first_connection(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, f"Inconclusive/{Reason.INPUT_MISSING}")
    assert "Secret ca, key ca.crt: is no PEM certificate" in outcome.text
    assert isinstance(outcome.peer, TlsUas)
    assert (outcome.peer.taken, outcome.peer.failures) == (0, [])
