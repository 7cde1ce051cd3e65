"""The check `connection`: what came of TCP connections, at calls and at registrations."""

import pytest

from agent.contract.connection import Connection, Ending
from agent.contract.plan import Files, Tls, Transport
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.result import TurnedAway
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.verdicts import CallVerdict
from agent.tap.model import TapSecure
from tests.unit.agent.judge.wire import (
    CERTIFICATE,
    SUT,
    callee,
    caller,
    carrier,
    troubled,
    unbelieved,
    unconnected,
    unsecured,
    verdict,
)


def found(*args, **changes):
    return [(finding.check, finding.reason) for finding in verdict(*args, **changes).findings]


def cut(**changes):
    """A caller whose INVITE was never answered, over a connection that ended."""
    return caller(code=None, ringing=False, ended_s=10.6, carriers=(carrier(**changes),))


def test_a_connection_that_ends_between_two_transactions_is_no_fault():
    assert verdict(caller(carriers=(carrier(closed_s=12.0, status=70_016),))).result is Result.PASSED


def test_a_bye_that_its_connection_cut_is_said_with_it():
    lost = caller(bye_code=None, ended_s=46.1, carriers=(carrier(closed_s=14.2, status=120_104),))
    assert found(lost) == [(Check.CONNECTION, Reason.CONNECTION_LOST), (Check.COMPLETED, Reason.BYE_UNANSWERED)]


@pytest.mark.parametrize(
    ("closed_s", "up_s", "reason"),
    [
        (14.108, 9.99, Reason.NOT_MEASURED),
        (14.112, 9.99, Reason.CONNECTION_LOST),
        (14.108, 9.981, Reason.CONNECTION_LOST),
    ],
)
def test_a_bye_that_came_as_its_connection_was_ended_may_have_been_read_by_nobody(closed_s, up_s, reason):
    crossing = carrier(closed_s=closed_s, up_s=up_s, status=70_016)
    lost = found(caller(bye_code=None, ended_s=46.1, carriers=(crossing,)))
    completed = Reason.NOT_MEASURED if reason is Reason.NOT_MEASURED else Reason.BYE_UNANSWERED
    assert lost == [(Check.CONNECTION, reason), (Check.COMPLETED, completed)]


def silent(**changes):
    """A caller whose INVITE went by a connection of an earlier call, and was not answered in 32 s."""
    carriers = (carrier(opened_s=4.98, up_s=4.99, **changes),)
    return caller(code=None, ringing=False, ended_s=42.2, carriers=carriers)


@pytest.mark.parametrize(
    ("status", "closed_s", "reason"),
    [
        (120_104, 10.009, Reason.NOT_MEASURED),
        (120_104, 10.5, Reason.CONNECTION_LOST),
        (120_110, 10.009, Reason.CONNECTION_LOST),
    ],
)
def test_so_may_an_invite_by_a_connection_that_had_served(status, closed_s, reason):
    assert found(silent(status=status, closed_s=closed_s), None) == [(Check.CONNECTION, reason)]


@pytest.mark.parametrize("status", [120_110, 120_113])
def test_a_connection_that_died_with_a_request_of_ours_was_lost(status):
    assert found(cut(closed_s=10.5, status=status), None)[0] == (Check.CONNECTION, Reason.CONNECTION_LOST)


def test_one_that_we_closed_is_not_the_suts_doing():
    assert found(cut(closed_s=10.5, ours=True), None) == [(Check.ANSWERED, Reason.NOT_MEASURED)]


def test_one_that_the_sut_opened_is_not_judged():
    theirs = caller(carriers=(carrier(), carrier(number=2, outgoing=False, up_s=None, closed_s=12.0, status=120_104)))
    assert verdict(theirs).result is Result.PASSED


def test_what_the_stack_has_no_name_for_is_not_measured():
    (finding,) = verdict(unconnected(120_024), None).findings
    assert (finding.check, finding.reason, finding.note) == (Check.CONNECTION, Reason.NOT_MEASURED, "the stack's words")


def test_silence_is_only_known_after_four_tries():
    (finding,) = verdict(unconnected(ended_s=13.0), None).findings
    assert (finding.check, finding.reason) == (Check.CONNECTION, Reason.NOT_MEASURED)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (unconnected(120_113), Reason.CONNECTION_TIMEOUT),
        (unconnected(120_110), Reason.CONNECTION_TIMEOUT),
        (unconnected(70_016), Reason.CONNECTION_RESET),
    ],
)
def test_each_way_of_not_coming_up_has_its_reason(end, reason):
    assert found(end, None) == [(Check.CONNECTION, reason)]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (unconnected(ended_s=42.0, health=troubled(lateness_ms=5000.0)), Reason.AGENT_OVERLOADED),
        (unconnected(120_111, health=troubled(lateness_ms=5000.0)), Reason.CONNECTION_REFUSED),
    ],
)
def test_a_late_agent_may_have_missed_an_answer_and_no_refusal(end, reason):
    assert found(end, None) == [(Check.CONNECTION, reason)]


def test_an_answered_call_over_tcp_whose_connection_is_not_known_is_not_measured():
    unknown = found(transport=Transport.TCP)
    assert unknown == [(Check.CONNECTION, Reason.NOT_MEASURED)] * 2
    carried = {"carriers": (carrier(),)}
    assert verdict(caller(**carried), callee(**carried), transport=Transport.TCP).result is Result.PASSED


def registering(*carriers: Connection, code: int | None = None) -> RegistrationObservation:
    outcome = RegistrationOutcome.ERROR if code is None else RegistrationOutcome.REJECTED
    return RegistrationObservation(role=Role.CALLER, endpoint=0, outcome=outcome, code=code, connections=carriers)


REFUSED = Connection(protocol="TCP", peer=SUT, outgoing=True, opened_ms=0.0, closed_ms=1.0, end=Ending.REFUSED)
UP = Connection(protocol="TCP", peer=SUT, outgoing=True, opened_ms=0.0, up_ms=1.0)


def test_a_registration_that_had_no_connection_says_so():
    refused = found(caller(code=486), None, registrations=[registering(REFUSED)])
    assert refused[0] == (Check.CONNECTION, Reason.CONNECTION_REFUSED)
    assert Reason.REGISTRATION_TIMEOUT not in [reason for _, reason in refused]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (registering(UP, code=403), Reason.REGISTRATION_REJECTED),
        (registering(REFUSED, UP, code=403), Reason.REGISTRATION_REJECTED),
        (registering(UP), Reason.AGENT_ERROR),
    ],
)
def test_else_it_is_judged_by_what_was_answered(seen, reason):
    findings = found(caller(code=486), None, registrations=[seen])
    assert (Check.REGISTERED, reason) in findings
    assert Check.CONNECTION not in [check for check, _ in findings]


# TLS


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (unsecured(495_040), Reason.TLS_HANDSHAKE_FAILED),
        (unsecured(495_040, secure={"asked": True}), Reason.TLS_CLIENT_REFUSED),
        (unsecured(495_048), Reason.TLS_CLIENT_REFUSED),
        (unsecured(495_112), Reason.TLS_HANDSHAKE_FAILED),
        (unsecured(494_258), Reason.TLS_HANDSHAKE_FAILED),
        (unsecured(120_111, secure={"begun": False}), Reason.CONNECTION_REFUSED),
        (unsecured(120_104), Reason.CONNECTION_RESET),
        (unsecured(70_009, secure={"begun": False}), Reason.CONNECTION_TIMEOUT),
        (unbelieved(0x4000_0026), Reason.TLS_CERTIFICATE_UNTRUSTED),
        (unbelieved(0x4000_0004), Reason.TLS_CERTIFICATE_EXPIRED),
        (unbelieved(0x10), Reason.TLS_CERTIFICATE_UNTRUSTED),
        (unbelieved(0), Reason.NOT_MEASURED),
        (unsecured(171_173), Reason.NOT_MEASURED),
    ],
)
def test_each_way_in_which_a_handshake_fails_has_its_reason(end, reason):
    assert found(end, None) == [(Check.CONNECTION, reason)]


def test_a_certificate_is_said_with_all_that_is_wrong_with_it():
    (finding,) = verdict(unbelieved(0x4000_0036), None, tls=Tls(server_name="other.example.com")).findings
    assert finding.observed == (
        "hung up on by this agent: its certificate is signed by nobody that is believed (issuer CN=ca), is not one for"
        " this (its purpose, form or chain), is valid from 2023-11-14T22:13:20Z to 2023-11-15T22:13:20Z and is for"
        " sip.example.com and 10.0.0.7, and not for other.example.com"
    )


def test_without_a_server_name_the_address_is_what_it_is_to_be_for():
    (finding,) = verdict(unbelieved(0x4000_0000), None).findings
    assert (finding.observed or "").endswith(f"and not for {SUT.partition(':')[0]}")


def late_alert(status: int, *, heard: bool, **secure) -> list[tuple[Check, Reason]]:
    """A connection that was up, and then ended by an alert, with the INVITE on it."""
    told = TapSecure(**(CERTIFICATE | {"begun": True} | secure))
    ended = carrier(protocol="TLS", closed_s=10.2, status=status, heard=heard, secure=told)
    return found(caller(code=None, ringing=False, ended_s=10.6, carriers=(ended,)), None)


def test_in_tls_1_3_a_certificate_is_refused_once_the_connection_is_up():
    assert late_alert(495_116, heard=False)[0] == (Check.CONNECTION, Reason.TLS_CLIENT_REFUSED)
    assert late_alert(495_040, heard=False)[0] == (Check.CONNECTION, Reason.TLS_CLIENT_REFUSED)
    assert late_alert(495_080, heard=False)[0] == (Check.CONNECTION, Reason.TLS_HANDSHAKE_FAILED)


@pytest.mark.parametrize("status", [495_080, 494_267])
def test_what_ends_tls_after_something_was_said_is_a_connection_that_was_lost(status):
    assert late_alert(status, heard=True)[0] == (Check.CONNECTION, Reason.CONNECTION_LOST)


def test_a_late_agent_may_have_missed_the_answer_to_its_handshake():
    late = unsecured(70_009, health=troubled(lateness_ms=5000.0))
    assert found(late, None) == [(Check.CONNECTION, Reason.AGENT_OVERLOADED)]


# Those who connect to us


def shunned(alert: str = "unknown_ca", *, endpoint: int = 0, **plan_changes) -> CallVerdict:
    """The SUT refused the call, and somebody hung up on the callee's certificate before."""
    away = TurnedAway(role=Role.CALLEE, endpoint=endpoint, peer="10.0.0.1:40001", alert=alert)
    return verdict(caller(code=503), None, turned_away=(away,), transport=Transport.TLS, **plan_changes)


def test_a_sut_that_does_not_believe_our_own_certificate_is_not_to_blame():
    (finding,) = shunned().findings
    assert (finding.check, finding.reason) == (Check.ANSWERED, Reason.NOT_MEASURED)
    assert "alert unknown_ca: this agent made it itself" in (finding.note or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"alert": "protocol_version"},
        {"endpoint": 1},
        {"tls": Tls(client=Files(directory="/x", secret_name="agent-tls"))},
    ],
)
def test_else_it_is(changes):
    (finding,) = shunned(**changes).findings
    assert finding.reason is Reason.SIP_CODE_MISMATCH
    assert ("clientSecretName" in (finding.note or "")) is ("tls" in changes)
