"""What the course of a registration comes to: from the wire to the verdict."""

from dataclasses import replace
from typing import Any

import pytest

from agent.contract.observation import Trouble
from agent.contract.plan import Stage
from agent.contract.registering import Algorithm, Auth, ExpectRegistration, Registration
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.registrations import is_of_registration, last_told, registration_faults
from agent.judge.run import AgentReport, RunVerdict, judge_run
from agent.observe.registration import Beside, Wait, observe_registration
from agent.phone.protocol import NotSent, Unparsed
from agent.sip.text import parse_head
from agent.tap.model import TapSecure
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
    waiting,
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


# --- our own agent's trouble

LATE, DEAF = waiting(loop_ms=900.0, over_ms=32_000.0), waiting(socket_drops=2)
QUIET = waiting(loop_ms=150.0, lateness_ms=150.0, stack_ms=150.0, throttled_ms=0.0, socket_drops=0)
UNANSWERED = {
    "registered": ((asked(1.0, 1),),),
    "refreshed": (FIRST, (asked(295.0, 2),)),
    "unregistered": (FIRST, (asked(200.0, 3, expires=0),)),
}
STARVED = waiting(throttled_ms=1601.0, over_ms=32_000.0)


@pytest.mark.parametrize("check", UNANSWERED)
@pytest.mark.parametrize(
    ("trouble", "note"),
    [
        (LATE, "the agent was overloaded: up to 900 ms late, where 200 are allowed"),
        (DEAF, "the agent was overloaded: 2 datagrams dropped at its own sockets"),
        (STARVED, "the agent was overloaded: CPU-throttled for 1601 of 32000 ms"),
    ],
    ids=["late", "deaf", "starved"],
)
def test_a_register_without_an_answer_is_not_the_registrars_where_the_agent_was_late_or_deaf(check, trouble, note):
    seen = registering(*UNANSWERED[check], leaves=check == "unregistered", **trouble)
    [(which, one)] = registration_faults(plan(), [seen])
    assert (which, one.reason, one.note) == (check, Reason.AGENT_OVERLOADED, note)


@pytest.mark.parametrize("trouble", [{}, QUIET], ids=["not measured", "well"])
@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("registered", Reason.REGISTRATION_TIMEOUT),
        ("refreshed", Reason.REFRESH_FAILED),
        ("unregistered", Reason.UNREGISTER_FAILED),
    ],
)
def test_of_an_agent_that_was_well_it_is(check, reason, trouble):
    seen = registering(*UNANSWERED[check], leaves=check == "unregistered", **trouble)
    assert faults(seen) == [(check, reason)]


def test_an_answer_that_a_late_agent_read_too_late():
    late = FIRST, (asked(296.0, 2), said(303.1, 2)), (asked(310.0, 3, expires=0), said(310.1, 3, extra=""))
    assert faults(registering(*late)) == [(Check.REFRESHED, Reason.REFRESH_FAILED)]
    assert faults(registering(*late, **LATE)) == [(Check.REFRESHED, Reason.AGENT_OVERLOADED)]


@pytest.mark.parametrize("trouble", [LATE, DEAF], ids=["late", "deaf"])
@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (((asked(1.0, 1), said(1.1, 1, 403)),), Reason.REGISTRATION_REJECTED),
        ((FIRST, (asked(296.0, 2), said(296.1, 2, 403))), Reason.REFRESH_FAILED),
        ((FIRST, (asked(200.0, 3, expires=0), said(200.1, 3, 403))), Reason.UNREGISTER_FAILED),
        ((FIRST, (asked(200.0, 3, expires=0), said(200.1, 3))), Reason.UNREGISTER_FAILED),
    ],
    ids=["refused", "refresh refused", "end refused", "bound still"],
)
def test_what_came_stands_whoever_was_late(parts, reason, trouble):
    seen = registering(*parts, leaves=reason is Reason.UNREGISTER_FAILED, **trouble)
    assert [one for _, one in faults(seen)] == [reason]


def test_trouble_excuses_the_register_that_waited_then_and_no_other():
    """It was deaf while the first was answered, and as it took its binding back; not at its refresh."""
    well, deaf = Trouble(socket_drops=0), Trouble(socket_drops=2)
    at = {
        "waits": [Wait(began_s=0.9, trouble=deaf), Wait(began_s=295.0, trouble=well), Wait(began_s=330.0, trouble=deaf)]
    }
    assert faults(registering(FIRST, (asked(295.0, 2),), leaves=False, **at)) == [
        (Check.REFRESHED, Reason.REFRESH_FAILED)
    ]
    seen = registering(FIRST, REFRESH, (asked(400.0, 3, expires=0),), **at)
    assert (seen.trouble, seen.leaving.trouble) == (deaf, deaf)
    assert faults(seen) == [(Check.UNREGISTERED, Reason.AGENT_OVERLOADED)]


def unsent_at(at_s: float, cseq: int) -> NotSent:
    head = parse_head(asked(at_s, cseq).text)
    return NotSent(at_s=at_s, peer="p", head=head, reason="timed out", status=70_009, connection=1)


OPENING = {
    "TCP": (carrier(opened_s=0.9, up_s=None, closed_s=34.0, status=70_009), Reason.CONNECTION_TIMEOUT),
    "TLS": (
        carrier(protocol="TLS", opened_s=0.9, up_s=None, closed_s=8.0, status=70_009, secure=TapSecure(begun=True)),
        Reason.TLS_TIMEOUT,
    ),
    "refused": (carrier(opened_s=0.9, up_s=None, closed_s=0.9, status=120_111), Reason.CONNECTION_REFUSED),
}


@pytest.mark.parametrize("kind", OPENING)
def test_the_connection_of_a_register_that_was_not_opened_in_time(kind):
    opening, reason = OPENING[kind]
    its = {"carriers": (opening,), "unsent": unsent_at(34.0, 1), "leaves": False, "last_word": None}
    excused = reason if kind == "refused" else Reason.AGENT_OVERLOADED
    first = observe_registration(Role.CALLER, 0, [], word(34.0, active=False), Beside(**its))
    assert faults(first) == [(Check.CONNECTION, reason)]
    late = observe_registration(Role.CALLER, 0, [], word(34.0, active=False), Beside(**its, **LATE))
    assert faults(late) == [(Check.CONNECTION, excused)]


def test_the_connection_of_a_refresh_is_excused_by_what_was_when_that_waited():
    its = {"carriers": (carrier(opened_s=289.0, up_s=None, closed_s=297.0, status=70_009),), "leaves": False}
    its |= {"unsent": unsent_at(297.0, 2), "last_word": word(297.0, active=False)}
    waits = [Wait(began_s=0.0, trouble=Trouble()), Wait(began_s=250.0, trouble=Trouble(stack_ms=900.0))]
    assert faults(registering(FIRST, (asked(260.0, 2),), **its, waits=waits))[0] == (
        Check.CONNECTION,
        Reason.AGENT_OVERLOADED,
    )


def test_a_call_to_a_callee_that_may_be_unbound_for_our_own_trouble_is_not_the_suts():
    seen = registering((asked(1.0, 1),), leaves=False, **DEAF)
    told = verdict(caller(code=404), None, registrations=[seen])
    assert told.result is Result.INCONCLUSIVE
    assert Reason.AGENT_OVERLOADED in {finding.reason for finding in told.findings}


# --- more bindings than are read of a 200


def crowd(count: int, *, own: bool, expires: int = 300) -> str:
    others = "".join(f"Contact: <sip:alice@10.1.{n // 256}.{n % 256}>;expires={expires}\r\n" for n in range(count))
    return others + (f"Contact: {OURS};expires=300\r\n" if own else "")


def test_our_binding_behind_all_that_are_read_is_not_missing():
    seen = listing(crowd(300, own=True))
    assert (seen.bindings.own, seen.bindings.whole, seen.bindings.granted_s) == (None, False, ())
    assert faults(seen) == [(Check.BINDING, UNMEASURED)]
    assert faults(listing(crowd(200, own=False))) == [(Check.BINDING, Reason.BINDING_MISSING)]
    assert faults(listing(crowd(200, own=True))) == []


def test_others_that_are_read_are_too_many_whatever_is_behind_them():
    assert (Check.BINDING, Reason.STRAY_BINDING) in faults(listing(crowd(300, own=True)), max_bindings=100)


def test_others_that_are_not_read_may_be_too_many():
    seen = listing(crowd(300, own=True, expires=0))
    assert faults(seen, max_bindings=1) == [(Check.BINDING, UNMEASURED)] * 2


def test_how_long_a_binding_behind_all_that_are_read_was_granted_for_is_not_measured():
    assert (Check.EXPIRY, UNMEASURED) in faults(listing(crowd(300, own=True)), max_expires_seconds=100)


def test_a_binding_that_may_be_listed_still_behind_all_that_are_read():
    leaving = (asked(200.0, 3, expires=0), said(200.1, 3, extra=crowd(300, own=False)))
    assert faults(registering(FIRST, leaving)) == [(Check.UNREGISTERED, UNMEASURED)]


def test_a_call_to_a_callee_that_may_not_be_listed_is_not_the_suts():
    told = verdict(caller(code=404), None, registrations=[listing(crowd(300, own=True))])
    assert told.result is Result.INCONCLUSIVE


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
