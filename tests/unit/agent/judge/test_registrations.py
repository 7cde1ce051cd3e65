"""What the course of a registration comes to: from the wire to the verdict."""

from dataclasses import replace
from typing import Any

import pytest

from agent.contract.plan import Stage
from agent.contract.registering import Algorithm, Auth, ExpectRegistration, Registration
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.registrations import is_of_registration, last_told, registration_faults
from agent.judge.run import AgentReport, RunVerdict, judge_run
from agent.observe.registration import Beside, observe_registration
from agent.phone.protocol import Unparsed
from tests.unit.agent.judge.judging import CALLEE, CALLER
from tests.unit.agent.judge.judging import said as found
from tests.unit.agent.judge.registrar import (
    FIRST,
    LEAVING,
    OTHERS,
    OURS,
    REFRESH,
    SOON,
    answers,
    asked,
    asks,
    registering,
    said,
    word,
)
from tests.unit.agent.judge.wire import caller, carrier, verdict
from tests.unit.builders import change, good_reports, plan, registration, report

UNMEASURED = Reason.NOT_MEASURED
SHA_1 = 'Digest realm="x", algorithm=SHA-1'


def faults(seen: RegistrationObservation, **expect: Any) -> list[tuple[Check, Reason]]:
    terms = Registration(expect=ExpectRegistration(**expect))
    its_plan = change(plan(), account__registration=terms)
    return [(check, fault.reason) for check, fault in registration_faults(its_plan, [seen])]


def fault(seen: RegistrationObservation, **expect: Any) -> Any:
    [(_, one)] = registration_faults(change(plan(), account__registration__expect=ExpectRegistration(**expect)), [seen])
    return one


def test_a_good_one_has_no_fault_whatever_is_asked():
    good = (asked(0.8, 1), said(0.9, 1, 401, asks("SHA-256"))), (asked(1.0, 2, answers("SHA-256")), said(1.1, 2)), SOON
    seen = registering(*good)
    wanted = {"auth": Auth.REQUIRED, "auth_algorithm": Algorithm.SHA_256, "max_bindings": 1}
    assert faults(seen, min_expires_seconds=300, max_expires_seconds=300, **wanted) == []


def test_of_a_refused_registration_only_that_is_said():
    refused = registering((asked(1.0, 1), said(1.1, 1, 403)), leaves=False)
    assert faults(refused, auth=Auth.REQUIRED, min_expires_seconds=1) == [
        (Check.REGISTERED, Reason.REGISTRATION_REJECTED)
    ]


# --- bindings, expiry


def listing(extra: str) -> RegistrationObservation:
    return registering((asked(1.0, 1), said(1.1, 1, extra=extra)), SOON, at_s=300.0)


@pytest.mark.parametrize(
    ("extra", "observed"), [("", "no binding"), (f"Contact: {OTHERS}\r\n", "only sip:alice@10.0.0.77:5060")]
)
def test_a_200_without_our_contact_has_not_registered_us(extra, observed):
    one = fault(listing(extra))
    assert (one.reason, one.observed) == (Reason.BINDING_MISSING, observed)


@pytest.mark.parametrize(("most", "is_fault"), [(1, True), (2, False), (None, False)])
def test_other_bindings_are_counted_where_that_is_asked(most, is_fault):
    seen = listing(f"Contact: {OURS};expires=300, {OTHERS}\r\n")
    assert faults(seen, max_bindings=most) == ([(Check.BINDING, Reason.STRAY_BINDING)] if is_fault else [])


def test_many_others_are_counted_and_a_few_are_named():
    many = ", ".join(f"<sip:alice@10.1.0.{n}>" for n in range(9))
    one = fault(listing(f"Contact: {OURS};expires=300, {many}\r\n"), max_bindings=1)
    assert one.observed.startswith("10 bindings, sip:alice@10.1.0.0, ")
    assert one.observed.endswith("and sip:alice@10.1.0.3 and 5 more beside the agent's")


def test_other_bindings_are_a_note():
    seen = listing(f"Contact: {OURS};expires=300, {OTHERS}\r\n")
    assert verdict(registrations=[seen]).notes == (
        "the caller's URI has other bindings too: sip:alice@10.0.0.77:5060",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"min_expires_seconds": 301}, "301 s at least"),
        ({"max_expires_seconds": 299}, "299 s at most"),
        ({"min_expires_seconds": 1, "max_expires_seconds": 2}, "1 s at least, 2 s at most"),
        ({"min_expires_seconds": 300, "max_expires_seconds": 300}, None),
    ],
)
def test_what_is_granted_is_within_bounds(bounds, expected):
    if expected is None:
        assert faults(registering(), **bounds) == []
        return
    one = fault(registering(), **bounds)
    assert (one.reason, one.expected, one.observed) == (Reason.REGISTRATION_EXPIRY_MISMATCH, expected, "300 s")


def test_a_200_that_does_not_say_for_how_long_is_outside_of_any():
    one = fault(listing(f"Contact: {OURS}\r\n"), max_expires_seconds=999)
    assert one.observed == "a time that it does not say"


def test_each_refresh_is_within_bounds_too():
    shorter = (asked(296.1, 2), said(296.2, 2, extra=f"Contact: {OURS};expires=200\r\n"))
    assert fault(registering(FIRST, shorter, LEAVING), min_expires_seconds=250).observed == "300 s and 200 s"


# --- refreshes


def test_a_refused_refresh_is_a_lapse_of_the_registrars():
    later = (asked(591.0, 3), said(591.1, 3, 503, "Retry-After: 9\r\n", phrase="Service Unavailable"))
    one = fault(registering(FIRST, REFRESH, later, leaves=False))
    assert (one.reason, one.observed) == (Reason.REFRESH_FAILED, "503 Service Unavailable")
    assert one.note == "Retry-After: 9; once before it was refreshed in time"


def test_a_silent_registrar_at_a_refresh():
    one = fault(registering(FIRST, (asked(295.0, 2),), leaves=False))
    assert (one.reason, one.observed, one.note) == (
        Reason.REFRESH_FAILED,
        "no final response",
        "sent once to 127.0.0.1:5060",
    )


def test_a_late_answer_is_the_registrars_where_the_refresh_was_not():
    one = fault(
        registering(FIRST, (asked(296.0, 2), said(303.1, 2)), (asked(310.0, 3, expires=0), said(310.1, 3, extra="")))
    )
    assert (one.reason, one.observed) == (Reason.REFRESH_FAILED, "200 OK 2.0 s after that")


@pytest.mark.parametrize(
    ("parts", "changes", "note"),
    [
        (
            ((asked(299.5, 2), said(302.0, 2)), LEAVING),
            {},
            "our SIP stack sent the refresh 1.6 s before the binding ran out",
        ),
        ((LEAVING,), {}, "our SIP stack sent no refresh in time"),
        (
            ((asked(296.0, 2),),),
            {"unread": Unparsed(at_s=296.1, peer="p", local="l", protocol="UDP", text="SIP/2.0 200 OK\r\n")},
            "our SIP stack could not read what came for it: 'SIP/2.0 200 OK'",
        ),
        (
            ((asked(296.0, 2), said(296.1, 2, 401, f"WWW-Authenticate: {SHA_1}\r\n")),),
            {},
            f"our SIP stack has no way to answer what it was asked: {SHA_1}",
        ),
    ],
)  # fmt: skip
def test_what_is_our_own_doing_at_a_refresh_is_not_the_registrars(parts, changes, note):
    one = fault(registering(FIRST, *parts, leaves=False, **changes))
    assert (one.reason, one.note) == (UNMEASURED, note)


def test_a_refresh_that_was_sent_late_and_refused_was_refused():
    refused = (asked(300.5, 2), said(300.6, 2, 403))
    assert fault(registering(FIRST, refused, leaves=False)).reason is Reason.REFRESH_FAILED


# --- the end


@pytest.mark.parametrize(
    ("leaving", "observed", "note"),
    [
        ((asked(200.0, 3, expires=0), said(200.1, 3)), "200 OK that lists it still", None),
        ((asked(200.0, 3, expires=0),), "no final response", "sent once to 127.0.0.1:5060"),
        (
            (asked(200.0, 3, expires=0), said(200.1, 3, 423, "Min-Expires: 60\r\n", phrase="Interval Too Brief")),
            "423 Interval Too Brief",
            "Min-Expires: 60",
        ),
    ],
)
def test_a_binding_that_is_not_taken_back(leaving, observed, note):
    one = fault(registering(FIRST, leaving))
    assert (one.reason, one.observed, one.note) == (Reason.UNREGISTER_FAILED, observed, note)


@pytest.mark.parametrize(
    "leaving", [(), (asked(200.0, 3, expires=0), said(200.1, 3, 401, "WWW-Authenticate: Bearer x\r\n"))]
)
def test_what_our_stack_did_not_do_at_the_end_is_not_measured(leaving):
    assert faults(registering(FIRST, leaving, at_s=201.0)) == [(Check.UNREGISTERED, UNMEASURED)]


def test_an_end_that_was_not_waited_for_is_not_measured():
    leaving = (asked(200.0, 3, expires=0),)
    assert faults(registering(FIRST, leaving, hurried=True)) == [(Check.UNREGISTERED, UNMEASURED)]


@pytest.mark.parametrize(
    ("closed_s", "reason"), [(200.005, UNMEASURED), (201.0, Reason.UNREGISTER_FAILED)], ids=["crossing", "read"]
)
def test_a_connection_that_ends_as_the_binding_is_taken_back(closed_s, reason):
    leaving = (replace(asked(200.0, 3, expires=0), connection=1),)
    ended = carrier(opened_s=0.9, up_s=0.91, closed_s=closed_s, status=70_016)
    assert faults(registering(FIRST, leaving, carriers=(ended,))) == [(Check.UNREGISTERED, reason)]


# --- lines, and calls


def test_of_several_lines_the_one_that_has_all_is_judged():
    first = observe_registration(Role.CALLER, 0, FIRST, word(1.2, active=True), Beside(at_s=2.0))
    whole = registering(FIRST, REFRESH, (asked(400.0, 3, expires=0), said(400.1, 3)))
    for told in ([first, whole], [whole, first]):
        assert last_told(told) is whole
        assert [one.reason for _, one in registration_faults(plan(), told)] == [Reason.UNREGISTER_FAILED]
    assert last_told([]) is None


def test_a_call_that_was_not_delivered_to_who_was_bound_is_still_elsewhere():
    """What went wrong at the end of a registration explains no call."""
    caller_report, callee_report = good_reports()
    late = change(registration(CALLEE), leaving=registering(FIRST, (asked(200.0, 3, expires=0),)).leaving)
    told = judge_run([caller_report, report(callee_report.plan, registrations=(late,))])
    assert found(told.calls[0].findings, CALLER) == []
    assert {reason for _, reason in found(told.calls[0].findings)} == {
        Reason.ANSWERED_ELSEWHERE,
        Reason.UNREGISTER_FAILED,
    }


def test_a_lost_caller_is_said_beside_what_its_registration_lacked():
    seen = registering(FIRST, (asked(200.0, 3, expires=0),))
    lost = judge_run([report(plan(), registrations=(seen,)), good_reports()[1]]).calls[0]
    assert {reason for _, reason in found(lost.findings)} == {Reason.UNREGISTER_FAILED, UNMEASURED}


def test_a_call_without_an_answer_of_a_callee_that_may_be_unbound_is_not_the_suts():
    seen = registering(FIRST, LEAVING)
    told = verdict(caller(code=404), None, registrations=[seen])
    assert [finding.reason for finding in told.findings] == [UNMEASURED, UNMEASURED]


def test_findings_of_legs_have_a_call_id():
    leg = verdict(caller(code=486), None).findings[0]
    one = verdict(registrations=[registering((asked(1.0, 1), said(1.1, 1, extra="")), leaves=False)]).findings[0]
    assert (is_of_registration(leg), is_of_registration(one)) == (False, True)


# --- without calls

WHOLE = registering()


def alone(*reports: AgentReport) -> RunVerdict:
    return judge_run(reports)


def only(role: Role, *told: RegistrationObservation, **changes: Any) -> AgentReport:
    as_its_role = tuple(change(one, role=role) for one in told)
    return report(change(plan(role), calls=(), **changes), registrations=as_its_role)


def test_registrations_alone_pass_where_each_was_whole():
    told = alone(only(CALLER, WHOLE), only(CALLEE, WHOLE))
    assert (told.result, told.reason, told.planned, told.calls) == (Result.PASSED, None, 0, ())
    assert [item.result for item in told.endpoints] == [Result.PASSED]
    [item] = told.items
    assert (item.call, item.number, item.result, item.findings) == ("registration", 0, Result.PASSED, ())


def test_a_fault_of_one_of_them_fails_the_endpoint():
    refused = registering((asked(1.0, 1), said(1.1, 1, 403, phrase="Forbidden")), leaves=False)
    told = alone(only(CALLER, WHOLE), only(CALLEE, refused))
    assert (told.result, told.reason, told.endpoints[0].reason) == (Result.FAILED, *[Reason.REGISTRATION_REJECTED] * 2)
    assert (told.worst.call, told.worst.leg) == ("registration", CALLEE)


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ((), {}),
        ((observe_registration(Role.CALLER, 0, FIRST, word(1.2, active=True), Beside(at_s=2.0)),), {}),
        ((WHOLE,), {"account__register": False}),
    ],
    ids=["nothing told", "its end not told", "nobody registers"],
)
def test_what_was_not_measured_does_not_pass(told, changes):
    verdict = alone(only(CALLER, *told, **changes))
    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, UNMEASURED)


def test_an_agent_that_was_lost_is_said():
    lost = replace(only(CALLEE), complete=False)
    told = alone(only(CALLER, WHOLE), lost)
    assert (told.result, told.reason) == (Result.INCONCLUSIVE, Reason.AGENT_LOST)


def test_what_was_told_stands_though_the_agent_was_lost_then():
    refused = registering((asked(1.0, 1), said(1.1, 1, 403, phrase="Forbidden")), leaves=False)
    told = alone(only(CALLER, WHOLE), replace(only(CALLEE, refused), complete=False))
    assert (told.result, told.reason) == (Result.FAILED, Reason.REGISTRATION_REJECTED)
    assert [finding.reason for finding in told.items[0].findings] == [
        Reason.REGISTRATION_REJECTED,
        Reason.AGENT_LOST,
    ]


def test_an_agent_that_does_not_register_is_no_part_of_it():
    told = alone(only(CALLER, account__register=False), only(CALLEE, WHOLE))
    assert told.result is Result.PASSED


def test_where_it_was_registered_is_said_where_it_is_not_where_it_is_called():
    elsewhere = change(plan(), stages=(Stage(endpoint=0, address="10.0.0.2:5060", name="a", registrar="kamailio-1"),))
    refused = registering((asked(1.0, 1), said(1.1, 1, 503, phrase="No")), leaves=False)
    [(_, one)] = registration_faults(elsewhere, [refused])
    assert one.note == "registered at kamailio-1"
