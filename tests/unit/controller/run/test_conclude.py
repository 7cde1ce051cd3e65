"""From the agents' reports to the outcome of a run."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from msgspec import UNSET

from agent.contract.registration import RegistrationOutcome
from agent.contract.verdict import Reason, Result, Role
from controller.api.run import MAX_FAILURES, Endpoint, MediaPath, NodePath
from controller.plan.cause import Cause
from controller.run import conclude as module
from controller.run.conclude import conclude, refused
from tests.unit.agent.judge import registrar
from tests.unit.builders import callee_leg, change, digits, good_reports, plan, registration, report
from tests.unit.controller.objects import spec

ENDPOINTS = tuple(
    Endpoint(index=index, address=f"10.0.0.{index + 1}:5060", pod=f"sut-{index}", pod_uid=f"u{index}")
    for index in (0, 1)
)


def reports(*, count: int = 2, wrong: tuple[tuple[int, int], ...] = (), media: str | None = None, **callee):
    """Good calls to both endpoints, but for the callee's legs of (endpoint, number) in `wrong`."""
    caller, its_callee = good_reports(endpoints=(0, 1), group__count=count)
    legs = [change(leg, **callee) if (leg.endpoint, leg.number) in wrong else leg for leg in its_callee.legs]
    if media is not None:
        legs = [change(leg, sections__local=media) for leg in legs]
    return [caller, replace(its_callee, legs=tuple(legs))]


def test_a_run_where_all_is_well_has_passed():
    outcome = conclude(reports(), ENDPOINTS)
    assert (outcome.result, outcome.reason) == (Result.PASSED, None)
    assert outcome.message == "4 of 4 calls passed, through 2 endpoints"
    assert (outcome.calls.planned, outcome.calls.passed, outcome.calls.summary) == (4, 4, "4/4")
    assert [(item.result, item.reason, item.summary) for item in outcome.endpoints] == [
        (Result.PASSED, UNSET, "2/2")
    ] * 2
    assert (outcome.failures, outcome.stray_calls, outcome.is_complete) == ((), 0, True)
    assert outcome.verdict.planned == 4


def test_the_way_to_an_endpoint_is_told_where_both_nodes_are_known():
    endpoints = tuple(change(item, node=node) for item, node in zip(ENDPOINTS, ("n0", "n1"), strict=True))
    told = reports()
    names = [report.plan.agent for report in told]
    outcome = conclude(told, endpoints, nodes=dict(zip(names, ("n0", "n1"), strict=True)))
    assert [item.path for item in outcome.endpoints] == [NodePath.SAME_NODE, NodePath.OTHER_NODE]
    assert [item.path for item in conclude(told, endpoints, nodes={names[1]: "n0"}).endpoints] == [UNSET, UNSET]
    assert [item.path for item in conclude(told, ENDPOINTS, nodes={names[0]: "n0"}).endpoints] == [UNSET, UNSET]


def test_the_message_names_endpoint_call_expected_observed_and_how_many():
    outcome = conclude(reports(wrong=((1, 0), (1, 1)), dtmf_received=digits("124#")), ENDPOINTS)
    assert (outcome.result, outcome.reason) == (Result.FAILED, Reason.DTMF_MISMATCH)
    assert outcome.message.startswith('pin via sut-1 (10.0.0.2:5060): callee received "124#", expected "1234#"')
    assert outcome.message.endswith("(2 of 4 calls passed, 2 failed)")
    assert [(item.result, item.reason, item.summary) for item in outcome.endpoints] == [
        (Result.PASSED, UNSET, "2/2"),
        (Result.FAILED, "DtmfMismatch", "0/2"),
    ]
    failure = outcome.failures[0]
    assert (failure.call, failure.number, failure.endpoint, failure.leg, failure.check) == (
        "pin",
        0,
        1,
        Role.CALLEE,
        "dtmf",
    )
    assert (failure.result, failure.reason) == (Result.FAILED, "DtmfMismatch")
    assert (failure.expected, failure.observed, failure.call_id) == ("1234#", "124#", "1-pin-0@10.0.0.9")


@pytest.mark.parametrize(
    ("caller", "callee", "shown", "peers"),
    [
        (None, "run/ep1/pin-0/Callee", "run/ep1/pin-0/Callee", UNSET),
        ("run/ep1/pin-0/Caller", "run/ep1/leg-0-a/Callee", "run/ep1/leg-0-a/Callee", "run/ep1/pin-0/Caller"),
        ("run/ep1/pin-0/Caller", None, "run/ep1/pin-0/Caller", UNSET),
        (None, None, UNSET, UNSET),
    ],
)
def test_a_failure_names_the_evidence_of_its_leg_then_of_the_other(caller, callee, shown, peers):
    told = reports(wrong=((1, 0),), dtmf_received=digits("124#"), evidence=callee)
    legs = tuple(change(leg, evidence=caller) if leg.number == 0 and leg.endpoint == 1 else leg for leg in told[0].legs)
    outcome = conclude([replace(told[0], legs=legs), told[1]], ENDPOINTS)
    named = {(item.evidence, item.peer_evidence) for item in outcome.failures if item.leg is Role.CALLEE}
    assert named == {(shown, peers)}


def test_a_refused_registration_names_its_own_evidence():
    caller, callee = reports()
    refused_there = registration(
        Role.CALLEE, endpoint=1, outcome=RegistrationOutcome.REJECTED, code=403, evidence="run/ep1/registration/Callee"
    )
    there = (callee.registrations[0], refused_there)
    outcome = conclude([replace(caller, legs=()), replace(callee, legs=(), registrations=there)], ENDPOINTS)
    named = {(item.endpoint, item.leg): item.evidence for item in outcome.failures if item.check == "registered"}
    assert named[1, Role.CALLEE] == "run/ep1/registration/Callee"


def test_a_failure_says_why_there_is_no_evidence():
    told = reports(wrong=((1, 0),), dtmf_received=digits("124#"), evidence_fault="No space left on device")
    failure = conclude(told, ENDPOINTS).failures[0]
    assert failure.evidence is UNSET
    assert failure.note.endswith("; no evidence: No space left on device")


def test_a_failure_says_what_of_its_evidence_is_missing():
    told = reports(wrong=((1, 0),), dtmf_received=digits("124#"), evidence="a/b", evidence_fault="no capture: no room")
    failure = conclude(told, ENDPOINTS).failures[0]
    assert failure.evidence == "a/b"
    assert failure.note.endswith("; evidence: no capture: no room")


def test_failures_are_bounded_and_show_each_call_before_a_second_fault_of_one():
    wrong = tuple((endpoint, number) for endpoint in (0, 1) for number in range(8))
    silent = change(callee_leg().heard, codes={}, active_ms=0.0, level_dbfs=-120.0)
    outcome = conclude(reports(count=8, wrong=wrong, dtmf_received=digits("1"), heard=silent), ENDPOINTS)
    assert len(outcome.failures) == MAX_FAILURES
    assert {(item.endpoint, item.number) for item in outcome.failures[:16]} == set(wrong)
    assert outcome.calls.failed == 16


def test_text_of_the_network_in_a_failure_is_made_safe():
    caller, callee = reports()
    legs = tuple(
        change(leg, final_code=486, final_phrase="Busy\r\n\x1b[31m" + "y" * 900, progress__bye_ms=None)
        for leg in caller.legs
    )
    outcome = conclude([replace(caller, legs=legs), callee], ENDPOINTS)
    for failure in outcome.failures:
        for text in (failure.expected, failure.observed, failure.call_id, failure.note):
            assert text is UNSET or (text.isprintable() and len(text) <= 512)
    assert outcome.message.isprintable()
    assert len(outcome.message) <= 1024


def test_a_lost_agent_is_inconclusive_and_said():
    caller, callee = reports()
    lost = replace(
        callee, legs=(), registrations=(), complete=False, lost_reason=Reason.AGENT_LOST, lost_message="OOMKilled"
    )
    outcome = conclude([caller, lost], ENDPOINTS)
    assert outcome.result is Result.INCONCLUSIVE
    assert outcome.message.endswith("(0 of 4 calls passed, 4 inconclusive)")
    assert not outcome.is_complete


@pytest.mark.parametrize(
    ("change_of", "words"),
    [
        (Reason.ENDPOINT_RESTARTED, "EndpointRestarted: the endpoint restarted during the run"),
        (Reason.ENDPOINT_REMOVED, "EndpointRemoved: the endpoint was removed during the run"),
    ],
)
def test_an_endpoint_that_changed_is_named_beside_its_failures(change_of, words):
    outcome = conclude(reports(wrong=((1, 0),), dtmf_received=digits("124#")), ENDPOINTS, {1: change_of})
    assert words in outcome.message
    assert outcome.failures[0].note.startswith(words)
    assert outcome.failures[0].reason == "DtmfMismatch"
    assert [item.change for item in outcome.endpoints] == [UNSET, change_of.value]


def test_a_changed_endpoint_does_not_excuse_another_ones_failure():
    outcome = conclude(reports(wrong=((1, 0),), dtmf_received=digits("124#")), ENDPOINTS, {0: Reason.ENDPOINT_REMOVED})
    assert "EndpointRemoved" not in outcome.message
    assert "EndpointRemoved" not in outcome.failures[0].note


def test_an_endpoint_that_nobody_reported_on_has_not_passed():
    third = Endpoint(index=2, address="10.0.0.3:5060")
    outcome = conclude(reports(), (*ENDPOINTS, third))
    assert (outcome.result, outcome.reason) == (Result.INCONCLUSIVE, Reason.NOT_MEASURED)
    assert "endpoint 2, 10.0.0.3:5060" in outcome.message
    assert outcome.endpoints[2].result is UNSET
    failed = conclude(reports(wrong=((1, 0),), dtmf_received=()), (*ENDPOINTS, third))
    assert failed.result is Result.FAILED


# Where the media went


def media_of(caller_remote, callee_local, callee_remote="10.0.0.1:30002", caller_local="10.0.0.8:4000"):
    caller, callee = good_reports()
    return (
        conclude(
            [
                replace(
                    caller,
                    legs=tuple(
                        change(leg, sections__local=caller_local, sections__remote=caller_remote) for leg in caller.legs
                    ),
                ),
                replace(
                    callee,
                    legs=tuple(
                        change(leg, sections__local=callee_local, sections__remote=callee_remote) for leg in callee.legs
                    ),
                ),
            ],
            ENDPOINTS[:1],
        )
        .endpoints[0]
        .media
    )


@pytest.mark.parametrize(
    ("addresses", "path"),
    [
        (("10.0.0.1:30000", "10.0.0.9:4000"), MediaPath.RELAYED),
        (("10.0.0.9:4000", "10.0.0.9:4000", "10.0.0.8:4000"), MediaPath.DIRECT),
        (("10.0.0.9:4000", "10.0.0.9:4000"), MediaPath.MIXED),
        ((None, "10.0.0.9:4000", "10.0.0.8:4000"), MediaPath.DIRECT),
        ((None, None, None, None), UNSET),
    ],
)
def test_the_status_says_where_the_media_went(addresses, path):
    assert media_of(*addresses) is path


def test_a_call_without_a_callee_leg_or_sdp_says_nothing_of_the_media():
    caller, callee = good_reports()
    outcome = conclude([caller, replace(callee, legs=())], ENDPOINTS[:1])
    assert outcome.endpoints[0].media is UNSET
    legs = tuple(change(leg, sections=()) for leg in caller.legs)
    outcome = conclude([replace(caller, legs=legs), replace(callee, legs=())], ENDPOINTS[:1])
    assert outcome.endpoints[0].media is UNSET


# Runs without agents


def test_a_refused_run_is_inconclusive_with_all_its_calls():
    outcome = refused(Cause(reason=Reason.LIMIT_EXCEEDED, message="too\nmany"), spec(), ENDPOINTS)
    assert (outcome.result, outcome.reason, outcome.message) == (Result.INCONCLUSIVE, Reason.LIMIT_EXCEEDED, "too many")
    assert (outcome.calls.planned, outcome.calls.inconclusive, outcome.calls.summary) == (20, 20, "0/20")
    assert outcome.endpoints == ENDPOINTS
    assert outcome.verdict is None
    assert refused(Cause(reason=Reason.NO_ENDPOINTS, message="none"), spec()).calls.summary == "0/0"


def test_a_run_is_not_refused_for_something_measured():
    with pytest.raises(ValueError, match="DtmfMismatch"):
        refused(Cause(reason=Reason.DTMF_MISMATCH, message=""), spec())


def test_a_verdict_is_the_judges_alone(monkeypatch):
    judged = SimpleNamespace(
        result=Result.INCONCLUSIVE, reason=Reason.ABORTED, worst=None, planned=0, passed=0, failed=0, inconclusive=0,
        calls=(), items=(), endpoints=(), strays=(1, 2), strays_left_out=3,
    )  # fmt: skip
    monkeypatch.setattr(module, "judge_run", lambda _: judged)
    outcome = conclude([], ())
    assert (outcome.result, outcome.reason, outcome.stray_calls) == (Result.INCONCLUSIVE, Reason.ABORTED, 5)


def alone(role: Role, *told, **changes):
    return report(change(plan(role, endpoints=(0, 1)), calls=(), **changes), registrations=told)


def test_of_registrations_alone_that_is_said():
    good = registrar.registering()
    outcome = conclude([alone(Role.CALLER, good, change(good, endpoint=1))], ENDPOINTS)
    assert (outcome.result, outcome.message) == (Result.PASSED, "the registrations passed, through 2 endpoints")
    assert (outcome.calls.planned, outcome.calls.summary, outcome.failures) == (0, "0/0", ())
    assert [(item.result, item.summary) for item in outcome.endpoints] == [(Result.PASSED, "0/0")] * 2


def test_what_is_wrong_with_registrations_alone_is_said_of_them():
    good, bad = registrar.registering(), registrar.registering(registrar.FIRST, registrar.REFRESH, registrar.FIRST[:0])
    refused = change(bad, endpoint=1, leaving__sent=True, leaving__code=500, evidence="run/ep1/registration/Caller")
    outcome = conclude([alone(Role.CALLER, good, refused)], ENDPOINTS)
    assert (outcome.result, outcome.reason) == (Result.FAILED, Reason.UNREGISTER_FAILED)
    assert outcome.message == (
        "registration via sut-1 (10.0.0.2:5060): the caller's REGISTER with Expires: 0 got 500, expected 200 without"
        " its binding"
    )
    [failure] = outcome.failures
    assert (failure.call, failure.number, failure.endpoint, failure.evidence) == (
        "registration", 0, 1, "run/ep1/registration/Caller",
    )  # fmt: skip
