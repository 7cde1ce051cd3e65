"""What TLS came to, in words."""

import pytest

from agent.contract.connection import Certificate, CertificateFault, Ending, Secured
from agent.observe.secured import MAX_NAMES, alert_of, ending_of_tls, is_of_the_handshake, secured, turned_away
from agent.tap.model import TapSecure
from tests.unit.agent.judge.wire import CERTIFICATE, carrier

AGREED = TapSecure(**CERTIFICATE)


@pytest.mark.parametrize(
    ("status", "secure", "end"),
    [
        (171_173, AGREED, Ending.UNVERIFIED),
        (495_070, None, Ending.ALERT),
        (494_267, TapSecure(begun=True), Ending.NO_TLS),
        (494_156, None, Ending.NO_TLS),
        (494_267, AGREED, Ending.TLS_FAILED),
        (494_258, TapSecure(begun=True), Ending.TLS_FAILED),
        (470_005, None, Ending.TLS_FAILED),
        (70_016, AGREED, None),
        (120_104, None, None),
    ],
)
def test_a_status_of_tls_says_how_it_ended(status, secure, end):
    assert ending_of_tls(status, secure) is end


@pytest.mark.parametrize(
    ("status", "alert"),
    [(495_116, "certificate_required"), (495_040, "handshake_failure"), (495_099, "alert 99"), (494_267, None),
     (470_005, None), (70_016, None)],
)  # fmt: skip
def test_an_alert_is_named(status, alert):
    assert alert_of(status) == alert


@pytest.mark.parametrize(
    ("changes", "is_so"),
    [({}, True), ({"heard": True}, False), ({"ours": True}, False), ({"closed_s": None}, False),
     ({"status": 70_016}, False)],
)  # fmt: skip
def test_an_alert_before_anything_else_came_belongs_to_the_handshake(changes, is_so):
    assert is_of_the_handshake(carrier(**({"closed_s": 10.1, "status": 495_116} | changes))) is is_so


def test_tcp_has_none():
    assert secured(carrier()) is None


def test_what_was_agreed_and_shown_is_told():
    told = secured(carrier(secure=TapSecure(**CERTIFICATE, faults=0x4000_0006, asked=True)))
    faults = (CertificateFault.UNTRUSTED, CertificateFault.EXPIRED, CertificateFault.WRONG_NAME)
    assert told == Secured(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        asked=True,
        certificate=Certificate(
            subject="CN=sut",
            issuer="CN=ca",
            names=("sip.example.com", "10.0.0.7"),
            not_before="2023-11-14T22:13:20Z",
            not_after="2023-11-15T22:13:20Z",
            faults=faults,
        ),
    )


def test_a_fault_without_a_name_is_another_one():
    told = secured(carrier(secure=TapSecure(**CERTIFICATE, faults=0x100)))
    assert told is not None
    assert told.certificate is not None
    assert told.certificate.faults == (CertificateFault.OTHER,)


def test_names_are_bounded_and_times_that_no_calendar_has_are_left_out():
    many = tuple(f"n{number}.example" for number in range(2 * MAX_NAMES))
    told = secured(carrier(secure=TapSecure(subject="CN=sut", names=many, not_before_s=10**15)))
    assert told is not None
    assert told.certificate is not None
    assert (len(told.certificate.names), told.certificate.not_before) == (MAX_NAMES, None)


@pytest.mark.parametrize(("ours", "alert"), [(False, "unknown_ca"), (True, None)])
def test_the_alert_that_ended_it_is_told_where_it_was_the_peers(ours, alert):
    told = secured(carrier(secure=TapSecure(begun=True), closed_s=10.1, status=495_048, ours=ours))
    assert told == Secured(alert=alert)


@pytest.mark.parametrize(
    ("changes", "alert"),
    [
        ({}, "unknown_ca"),
        ({"outgoing": True}, None),
        ({"up_s": 9.99}, None),
        ({"closed_s": None}, None),
        ({"ours": True}, None),
        ({"status": 70_016}, None),
    ],
)
def test_who_ends_a_handshake_that_it_began_turns_away(changes, alert):
    usual = {"protocol": "TLS", "outgoing": False, "up_s": None, "closed_s": 10.0, "status": 495_048}
    assert turned_away(carrier(**usual | changes)) == alert
