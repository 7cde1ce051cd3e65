"""The real phone over TLS: whom it believes, what it shows, and what it tells of both."""

import socket
import ssl
from collections.abc import Callable

import pytest

from agent.observe.secured import alert_of
from tests.component.certificates import Pair, authority, certificate
from tests.component.peers.tls import TlsUas
from tests.component.phones import Fields, Make
from tests.component.test_phone_connections import dial, ending, talked

NAME = "sip.example.com"
NOT_BELIEVED = 171173
"""PJSIP_TLS_ECERTVERIF."""
OF_THE_NAME = 0x4000_0000
"""PJ_SSL_CERT_EIDENTITY_NOT_MATCH."""


def files(shown: Pair | None = None, **changes: object) -> Fields:
    """For a phone; `shown` None: the certificate is for those who connect to it alone."""
    pair = shown or certificate(common_name="phone")
    usual = {"authorities": str(authority().certificate), "certificate": str(pair.certificate), "key": str(pair.key)}
    return usual | {"anonymous": shown is None} | changes


def showing(pair: Pair, *, asks: bool = False, version: ssl.TLSVersion | None = None) -> Callable[[], TlsUas]:
    class Showing(TlsUas):
        def own(self) -> Pair:
            return pair

        def configured(self) -> ssl.SSLContext:
            made = super().configured()
            made.verify_mode = ssl.CERT_OPTIONAL if asks else ssl.CERT_NONE
            if version is not None:
                made.minimum_version = made.maximum_version = version
            return made

    return Showing


@pytest.mark.parametrize(
    ("names", "common_name", "asked", "believed"),
    [
        (f"DNS:{NAME}", "sut", NAME, True),
        (f"DNS:{NAME}", "sut", "other.example.com", False),
        (f"DNS:{NAME}", "sut", "", False),
        ("DNS:other.example.com", NAME, NAME, False),
        ("", NAME, NAME, True),
        ("DNS:*.example.com", "sut", NAME, False),
        ("IP:127.0.0.1", "sut", "", True),
        (f"URI:sip:{NAME}", "sut", NAME, True),
        (f"DNS:other.example.com,DNS:{NAME},IP:10.0.0.7", "sut", NAME, True),
        ("IP:10.0.0.7,IP:127.0.0.1", "sut", "", True),
        ("DNS:Sip.EXAMPLE.com", "sut", NAME, True),
        ("DNS:xn--bcher-kva.example", "sut", "xn--bcher-kva.example", True),
        (f"email:sut@{NAME}", NAME, NAME, False),
    ],
)
def test_a_certificate_is_looked_at_by_the_name_that_was_asked_for(
    phone: Make, names: str, common_name: str, asked: str, *, believed: bool
) -> None:
    """RFC 5922 §7.1 and §7.2: any name that it is for, its common name only without one, and no wildcard."""
    with showing(certificate(names, common_name=common_name))() as peer:
        caller = phone(transport="TLS", tls=files(server_name=asked), settle_s=0.2)
        dial(caller, peer.address)
        if believed:
            caller.wait("CallConfirmed")
            secure = caller.all("ConnectionSeen")[-1]["connection"]["secure"]
            assert (secure["faults"], peer.requests != []) == (0, True)
        else:
            seen = ending(caller)
            assert (seen["status"], seen["up_s"], seen["secure"]["faults"]) == (NOT_BELIEVED, None, OF_THE_NAME)
            assert peer.requests == []
        assert peer.asked_for == [asked or None]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_was_agreed_and_what_was_shown_are_told(phone: Make, version: ssl.TLSVersion) -> None:
    with showing(certificate(), version=version)() as peer:
        caller = phone(transport="TLS", tls=files())
        dial(caller, peer.address)
        caller.wait("CallConfirmed")
        seen = caller.all("ConnectionSeen")[-1]["connection"]
        assert (seen["protocol"], seen["heard"], seen["remote"]) == ("TLS", False, peer.address) or seen["heard"]
        told = seen["secure"]
        assert told["version"] == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        assert "AES" in told["cipher"] or "CHACHA" in told["cipher"]
        assert (told["subject"], told["issuer"], told["names"]) == ("/CN=sut", "/CN=ca", ["127.0.0.1"])
        assert told["not_after_s"] - told["not_before_s"] == 2 * 86_400


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_agent_without_a_certificate_shows_none(phone: Make, version: ssl.TLSVersion) -> None:
    with showing(certificate(), asks=True, version=version)() as peer:
        for shown in (None, certificate(common_name="agent")):
            caller = phone(transport="TLS", tls=files(shown))
            dial(caller, peer.address)
            caller.wait("CallConfirmed")
        assert [one is None for one in peer.shown] == [True, False]


def test_whom_it_is_not_to_look_at_is_taken_and_what_is_wrong_is_told(phone: Make) -> None:
    with showing(certificate(f"DNS:{NAME}", by="another-ca", expired=True))() as peer:
        caller = phone(transport="TLS", tls=files(verify=False))
        dial(caller, peer.address)
        caller.wait("CallConfirmed")
        faults = caller.all("ConnectionSeen")[-1]["connection"]["secure"]["faults"]
        assert faults & (OF_THE_NAME | 0x4 | 0x23) > OF_THE_NAME + 0x4


def test_two_phones_talk_over_tls(phone: Make) -> None:
    """The one that is called shows its certificate to who connects to it."""
    caller, callee = phone(transport="TLS", tls=files()), phone(transport="TLS", tls=files())
    taken = talked(caller, callee, "TLS")
    assert (taken["outgoing"], taken["secure"]["version"]) == (False, "TLSv1.3")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_handshake_that_fails_at_the_phone_is_told(phone: Make, version: ssl.TLSVersion) -> None:
    """Whoever connects to it does not believe its certificate."""
    called = phone(transport="TLS", tls=files(certificate(by="another-ca", common_name="phone")))
    host, _, port = called.address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority().certificate)
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((host, int(port)), 5) as connection, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(connection, server_hostname=host)
    told = ending(called)
    assert (told["outgoing"], told["up_s"], told["protocol"]) == (False, None, "TLS")
    assert alert_of(told["status"]) == "unknown_ca"
