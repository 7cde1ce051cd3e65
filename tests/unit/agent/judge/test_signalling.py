"""registered, answered, completed: what one leg's SIP messages say."""

from dataclasses import replace

import pytest

from agent.contract.expect import Audio, Expect, ExpectDtmf, ExpectLeg, ExpectRtp
from agent.contract.media import Section
from agent.contract.observation import Asked, Fork, Refused, Side
from agent.contract.plan import Account, Credentials
from agent.contract.registration import RegistrationOutcome
from agent.contract.verdict import Check, Reason, Result
from agent.judge.leg import judge_leg
from agent.judge.registrations import registration_faults
from agent.judge.run import judge_run
from tests.unit.agent.judge.judging import CALLEE, CALLER, both, callee_alone, caller_alone, reports_of, said
from tests.unit.builders import callee_leg, caller_leg, good_reports, plan, registration, report

NO_FINAL = {"final_code": None, "final_phrase": None, "progress__answered_ms": None, "progress__bye_ms": None}
GAVE_UP = NO_FINAL | {"progress__ended_ms": 30_010.0, "dialog__bye": None}


def test_a_good_leg_has_no_finding():
    assert caller_alone() == []
    assert callee_alone() == []


# answered


@pytest.mark.covers("calls[].expect.sipCode")
def test_another_code_than_expected_is_a_mismatch():
    [finding] = judge_leg(plan(), caller_leg(final_code=503, final_phrase="Service Unavailable"))

    assert (finding.check, finding.reason) == (Check.ANSWERED, Reason.SIP_CODE_MISMATCH)
    assert (finding.expected, finding.observed) == ("200", "503 Service Unavailable")
    assert finding.call_id == caller_leg().sip_call_id


def test_a_challenge_that_our_stack_has_no_way_to_answer_is_no_fault_where_there_are_credentials():
    leg = {"final_code": 407, "asked__unanswerable": 'Digest qop="auth-int"'}
    given = {
        "account": Account(uri="sip:a@b", register=False, credentials=Credentials(directory="/c", secret_name="s"))
    }

    assert caller_alone(given, **leg) == [(Check.ANSWERED, Reason.NOT_MEASURED)]
    assert caller_alone(**leg) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]


def test_a_register_that_our_stack_has_no_way_to_answer_for_is_not_measured():
    refused = registration(CALLER, outcome=RegistrationOutcome.REJECTED, code=401, asked=Asked(unanswerable="Bearer x"))
    [(_, finding)] = registration_faults(plan(), [refused])
    assert finding.reason is Reason.NOT_MEASURED
    assert finding.note == "our SIP stack has no way to answer what it was asked: Bearer x"


def test_a_code_without_phrase_is_observed_as_it_is():
    [finding] = judge_leg(plan(), caller_leg(final_code=503, final_phrase=None))

    assert finding.observed == "503"


def test_no_response_at_all_is_no_response():
    assert caller_alone(**GAVE_UP, progress__first_response_ms=None) == [(Check.ANSWERED, Reason.NO_RESPONSE)]


def test_a_closed_port_is_no_response_however_soon_that_was_known():
    leg = GAVE_UP | {"progress__ended_ms": 6500.0, "asked__refused": Refused(times=6, over_ms=5000.0)}

    assert caller_alone(**leg, progress__first_response_ms=None) == [(Check.ANSWERED, Reason.NO_RESPONSE)]
    assert caller_alone(**leg) == [(Check.ANSWERED, Reason.NOT_MEASURED)]  # something had answered


def test_a_closed_port_is_the_cause_of_a_registration_timeout():
    silent = Asked(peer="10.0.0.1:5060", times=5, refused=Refused(times=6, over_ms=5000.0))
    seen = registration(CALLER, outcome=RegistrationOutcome.TIMEOUT, code=None, asked=silent)
    [(_, finding)] = registration_faults(plan(), [seen])
    assert finding.reason is Reason.REGISTRATION_TIMEOUT
    assert finding.note == (
        "sent 5 times to 10.0.0.1:5060; the port is closed: ICMP port unreachable came back to 6 keep-alives in 5.0 s"
    )


def test_the_stack_gives_up_after_timer_b_whatever_the_answer_timeout():
    leg = GAVE_UP | {"progress__first_response_ms": None, "progress__ended_ms": 32_000.0}

    assert caller_alone({"group__answer_timeout_seconds": 60}, **leg) == [(Check.ANSWERED, Reason.NO_RESPONSE)]


def test_only_provisional_responses_is_no_answer():
    assert caller_alone(**GAVE_UP) == [(Check.ANSWERED, Reason.NO_ANSWER)]


def test_the_487_that_our_own_cancel_brings_is_no_answer_and_no_code():
    leg = {"final_code": 487, "ended_by": Side.LOCAL, "progress__answered_ms": 30_020.0}

    assert caller_alone(**leg) == [(Check.ANSWERED, Reason.NO_ANSWER)]
    assert caller_alone({"group__expect__sip_code": "4xx"}, **leg) == [(Check.ANSWERED, Reason.NO_ANSWER)]


def test_the_487_that_a_test_asks_for_is_that_of_the_callers_own_cancel_in_its_time():
    asked = {"group__expect": Expect(sip_code=487)}
    leg = {"final_code": 487, "ended_by": Side.LOCAL, "progress__answered_ms": 30_020.0}
    early = [(Check.ANSWERED, Reason.NOT_MEASURED)]

    assert caller_alone(asked, **leg) == []
    assert caller_alone(asked, **leg | {"progress__answered_ms": 20_000.0}) == early
    assert caller_alone(asked, **leg | {"progress__answered_ms": None}) == early
    assert caller_alone(asked, **leg | {"ended_by": None}) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]
    assert caller_alone(asked, **leg | {"final_code": None}) == [(Check.ANSWERED, Reason.NO_ANSWER)]


def test_a_487_that_nobody_asked_for_is_a_code():
    assert caller_alone(final_code=487, ended_by=None) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]


def test_a_local_reason_is_not_a_code_and_not_the_suts_fault():
    leg = NO_FINAL | {"progress__ended_ms": 12.0, "local_reason": "503 Service Unavailable"}
    [finding] = judge_leg(plan(), caller_leg(**leg))

    assert (finding.check, finding.reason) == (Check.ANSWERED, Reason.NOT_MEASURED)
    assert finding.note == "the agent gave up after 0.0 s (503 Service Unavailable)"


def test_an_invite_that_was_never_sent_is_the_agents_error():
    leg = NO_FINAL | {"progress__first_response_ms": None, "progress__ended_ms": None}

    assert caller_alone(**leg, local_reason="no route") == [(Check.ANSWERED, Reason.AGENT_ERROR)]
    assert caller_alone(**leg) == [(Check.ANSWERED, Reason.NOT_MEASURED)]


def test_an_answer_after_the_timeout_is_too_late():
    [finding] = judge_leg(plan(), caller_leg(progress__answered_ms=31_200.0))

    assert (finding.check, finding.reason) == (Check.ANSWERED, Reason.NO_ANSWER)
    assert (finding.expected, finding.observed) == ("200 within 30 s", "200 OK after 31.2 s")


def test_an_answer_at_an_unknown_time_is_not_known_to_be_in_time():
    assert caller_alone(progress__answered_ms=None) == [(Check.ANSWERED, Reason.NOT_MEASURED)]


def test_an_expected_refusal_passes_where_nothing_else_is_asked():
    its_plan = {
        "group__expect__sip_code": 486,
        "group__expect__caller__dtmf": None,
        "group__expect__caller__audio": None,
        "group__expect__caller__rtp": None,
    }

    assert caller_alone(its_plan, final_code=486) == []


def test_an_expected_refusal_does_not_pass_media_checks_by_vacuity():
    expected = {check for check, _ in caller_alone({"group__expect__sip_code": 486}, final_code=486)}
    reasons = {reason for _, reason in caller_alone({"group__expect__sip_code": 486}, final_code=486)}

    assert expected == {Check.RTP_PACKETS, Check.RTP_LOSS, Check.RTP_JITTER, Check.AUDIO, Check.DTMF}
    assert reasons == {Reason.NOT_MEASURED}


def test_a_200_where_a_refusal_is_expected_is_a_mismatch():
    assert caller_alone({"group__expect__sip_code": 486}) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]


def test_a_callee_that_did_not_answer_cannot_say_why():
    assert callee_alone(final_code=None) == [(Check.ANSWERED, Reason.NOT_MEASURED)]
    assert callee_alone(final_code=487) == [(Check.ANSWERED, Reason.NOT_MEASURED)]
    assert callee_alone(final_code=488) == [(Check.ANSWERED, Reason.NOT_MEASURED)]


def test_a_callee_that_refused_by_itself_says_so():
    assert callee_alone(final_code=500, local_reason="no port") == [(Check.ANSWERED, Reason.AGENT_ERROR)]


# answer


@pytest.mark.parametrize("leg", [caller_alone, callee_alone])
def test_an_answer_that_is_none_is_invalid(leg):
    assert leg(answer_faults=("line 5: m=audio: no `media port protocol formats`",)) == [
        (Check.ANSWER, Reason.INVALID_ANSWER)
    ]


def test_an_invalid_answer_names_its_line_first():
    [finding] = judge_leg(plan(), caller_leg(answer_faults=("line 5: x", "line 7: y")))

    types = "0 (PCMU/8000) and 120 (telephone-event/8000)"
    assert finding.observed == "line 5: x"
    assert finding.note == f"line 7: y; offered {types}, answered {types}"


NOTHING = {"callee_declared": False} | {f"group__expect__caller__{what}": None for what in ("rtp", "audio", "dtmf")}


@pytest.mark.parametrize(
    "asked",
    [
        {"group__expect__caller__audio": Audio.ANY},
        {"group__expect__caller__rtp": ExpectRtp()},
        {"group__expect__caller__dtmf": ExpectDtmf(digits="1")},
        {"callee_declared": True},
    ],
)
def test_an_answer_without_audio_is_invalid_where_some_is_to_run(asked):
    said_no = {"no_media": "line 4: m=audio 0 (refused)", "sections": ()}

    assert (Check.ANSWER, Reason.INVALID_ANSWER) in caller_alone(NOTHING | asked, **said_no)
    assert caller_alone(NOTHING, **said_no) == []


def test_an_answer_that_lets_audio_run_later_is_one():
    """A B2BUA that answers inactive, and invites anew once the other side has answered."""
    later = Section(
        begin_ms=40.0, local=None, remote=None, receives=True, sends=False, codec="PCMU", clock_hz=8000, ptime_ms=None,
        telephone_event_payload_type=None, protocol="RTP/AVP", types={}, theirs={},
    )  # fmt: skip

    assert caller_alone(no_media="line 9: a=inactive", sections=(later,)) == []


# completed


@pytest.mark.parametrize("seconds", [2.1, 7.4])
def test_a_remote_bye_drops_the_callers_call(seconds):
    findings = judge_leg(plan(), caller_leg(dialog__bye__by=Side.REMOTE, progress__bye_ms=50 + seconds * 1000))

    assert (Check.COMPLETED, Reason.CALL_DROPPED) in said(findings)
    assert findings[0].expected == "to hang up itself after 8 s"
    assert findings[0].observed == f"a BYE after {seconds} s"


@pytest.mark.parametrize("seconds", [7.5, 7.99, 8.2])
def test_a_sut_that_hangs_up_when_the_hold_is_as_good_as_over_is_noted(seconds):
    """An announcement as long as holdSeconds: whose timer is first is nobody's fault."""
    at = {"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 50 + seconds * 1000}
    verdict = both(caller=at, callee={"progress__bye_ms": 30 + seconds * 1000})

    assert verdict.result is Result.PASSED
    assert verdict.notes == (f"the other side hung up after {seconds:.1f} s, when the hold was as good as over",)


def test_a_bye_before_the_hold_is_over_drops_the_callees_call():
    assert (Check.COMPLETED, Reason.CALL_DROPPED) in callee_alone(progress__bye_ms=3000.0)


def test_a_hold_may_be_a_little_shorter_by_the_callees_clock():
    assert callee_alone(progress__bye_ms=7900.0) == []


def test_a_call_of_unknown_length_is_not_known_to_be_complete():
    unknown = {"progress__bye_ms": None, "progress__ended_ms": None}

    assert callee_alone(**unknown) == [(Check.COMPLETED, Reason.NOT_MEASURED)]
    assert caller_alone(**unknown) == [(Check.COMPLETED, Reason.NOT_MEASURED)]


def test_a_call_that_nobody_is_known_to_have_ended_is_not_measured():
    assert caller_alone(dialog__bye=None) == [(Check.COMPLETED, Reason.NOT_MEASURED)]


def test_an_agent_that_hangs_up_early_fails_nothing():
    leg = {"progress__bye_ms": 2000.0, "dtmf_received": (), "received__packets": 100, "local_reason": "stopped"}

    assert set(caller_alone(**leg, heard=None)) == {
        (Check.COMPLETED, Reason.NOT_MEASURED),
        (Check.AUDIO, Reason.NOT_MEASURED),
        (Check.RTP_PACKETS, Reason.NOT_MEASURED),
        (Check.DTMF, Reason.NOT_MEASURED),
    }


def test_a_bye_without_a_response_is_unanswered():
    assert caller_alone(dialog__bye__code=None) == [(Check.COMPLETED, Reason.BYE_UNANSWERED)]


NO_ACK = {"dialog__ack_ms": None, "dialog__answers": 5}


def test_a_200_that_nobody_acknowledged_is_ack_missing():
    [finding] = judge_leg(plan(CALLEE), callee_leg(**NO_ACK))

    assert (finding.check, finding.reason) == (Check.COMPLETED, Reason.ACK_MISSING)
    assert finding.observed == "no ACK in 8.0 s to its 200, sent 5 times"
    verdict = both(callee=NO_ACK)
    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.ACK_MISSING)
    assert verdict.findings[0].note == "the caller sent its ACK"


def test_an_ack_that_came_late_is_no_missing_one():
    assert callee_alone(dialog__ack_ms=3600.0, dialog__answers=4) == []


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        ({"dialog__ack_ms": None, "local_reason": "Unsupported transport"}, Reason.AGENT_ERROR),
        ({"dialog": None}, Reason.NOT_MEASURED),
        ({"final_code": 408, "dialog": None}, Reason.NOT_MEASURED),
        ({"health__setup__lateness_ms": 250.0}, Reason.AGENT_OVERLOADED),
        ({"health__media__socket_drops": 1}, Reason.AGENT_OVERLOADED),
    ],
)
def test_an_ack_that_our_own_caller_may_not_have_sent_is_not_the_suts(caller, reason):
    verdict = both(caller=caller, callee=NO_ACK)

    assert said(verdict.findings, CALLEE)[0] == (Check.COMPLETED, reason)


DETOUR = {
    "detour": "ack could not be sent to 192.0.2.9: why",
    "local_reason": "ack could not be sent to 192.0.2.9: why",
}


def test_a_leg_whose_messages_went_another_way_than_it_was_asked_never_passes():
    """Truth rule 10: what our own stack or the operator's rules decided."""
    [finding] = judge_leg(plan(), caller_leg(**DETOUR))
    assert (finding.check, finding.reason) == (Check.COMPLETED, Reason.NOT_MEASURED)
    assert "192.0.2.9: why" in (finding.note or "")
    early = {"progress__bye_ms": 900.0, "dialog__bye__by": Side.REMOTE}
    assert caller_alone(**DETOUR, **early) == [(Check.COMPLETED, Reason.NOT_MEASURED)]
    unheard = both(caller=DETOUR | {"heard": None}, callee={"received": ()})
    assert {reason for _, reason in said(unheard.findings)} <= {Reason.NOT_MEASURED, Reason.PEER_LOST}


def test_an_ack_that_went_another_way_is_not_known_to_be_missing():
    verdict = both(caller=DETOUR, callee=NO_ACK)
    assert said(verdict.findings, CALLEE)[0] == (Check.COMPLETED, Reason.AGENT_ERROR)
    waited = both(caller=DETOUR, callee={"dialog__bye__by": Side.LOCAL})
    assert Reason.BYE_MISSING not in {reason for _, reason in said(waited.findings)}


def test_no_answer_to_what_went_another_way_is_not_measured():
    """A PRACK, say."""
    assert caller_alone(**GAVE_UP, **DETOUR) == [(Check.ANSWERED, Reason.NOT_MEASURED)]


def test_a_200_that_the_caller_never_had_needs_no_ack():
    verdict = both(caller=GAVE_UP, callee=NO_ACK)

    assert said(verdict.findings, CALLEE) == [(Check.COMPLETED, Reason.NOT_MEASURED)]
    assert verdict.reason is Reason.NO_ANSWER


def test_an_ack_is_not_known_to_be_missing_where_the_callers_leg_is_not_reported():
    caller, callee = reports_of(callee=NO_ACK)
    verdict = judge_run([replace(caller, legs=(), complete=False), callee]).calls[0]

    assert (Check.COMPLETED, Reason.NOT_MEASURED) in said(verdict.findings, CALLEE)
    assert (Check.COMPLETED, Reason.ACK_MISSING) not in said(verdict.findings)


@pytest.mark.parametrize("health", [{"health__setup__socket_drops": 2}, {"health__media__stack_ms": 300.0}])
def test_an_agent_in_trouble_may_have_missed_the_ack(health):
    assert (Check.COMPLETED, Reason.AGENT_OVERLOADED) in callee_alone(**NO_ACK, **health)


def test_a_call_without_ack_that_our_callee_must_end_after_32_s_is_ack_missing():
    """RFC 3261 §13.3.1.4: the BYE is our callee's, and right; nothing of it is the caller's or the agent's fault."""
    hold = {"group__hold_seconds": 60, "group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg()}
    ended = {"progress__bye_ms": 32_030.0, "progress__ended_ms": 32_040.0}
    verdict = both(
        caller=ended | {"dialog__bye__by": Side.REMOTE},
        callee=ended | NO_ACK | {"dialog__answers": 11, "dialog__bye__by": Side.LOCAL},
        **hold,
    )

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.ACK_MISSING)
    assert said(verdict.findings, CALLEE) == [(Check.COMPLETED, Reason.ACK_MISSING)]


def test_an_ack_may_be_on_its_way_when_a_call_ends_at_once():
    at_once = {"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 400.0, **NO_ACK}

    assert (Check.COMPLETED, Reason.ACK_MISSING) not in callee_alone(**at_once)
    assert (Check.COMPLETED, Reason.CALL_DROPPED) in callee_alone(**at_once)


@pytest.mark.parametrize("short", [{"progress__bye_ms": 2020.0}, {"dialog__answers": 2}])
def test_in_a_short_call_or_where_the_200_was_hardly_sent_again_an_ack_is_not_known_to_be_missing(short):
    found = callee_alone(**NO_ACK | short)

    assert (Check.COMPLETED, Reason.NOT_MEASURED) in found
    assert (Check.COMPLETED, Reason.ACK_MISSING) not in found


def test_a_bye_that_was_refused_is_rejected():
    """A proxy that has lost the route, or a restarted SUT: nobody was told that the call is over."""
    [finding] = judge_leg(plan(), caller_leg(dialog__bye__code=404))

    assert (finding.check, finding.reason) == (Check.COMPLETED, Reason.BYE_REJECTED)
    assert (finding.expected, finding.observed) == ("200", "404 to its BYE")
    assert both(caller={"dialog__bye__code": 481}).result is Result.FAILED


@pytest.mark.parametrize("code", [None, 404, 481])
def test_when_both_sides_hang_up_at_once_nothing_is_to_be_said_of_the_second_bye(code):
    assert caller_alone(dialog__bye__code=code, dialog__bye__crossed=True) == []


def test_a_bye_that_our_own_callee_refused_is_not_the_suts():
    verdict = both(caller={"dialog__bye__code": 481}, callee={"dialog__bye__code": 481})

    assert said(verdict.findings) == [(Check.COMPLETED, Reason.AGENT_ERROR)]


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_refused_bye_of_agents_in_trouble_is_inconclusive(who):
    ends = {"caller": {"dialog__bye__code": 481}, "callee": {}}
    ends[who] |= {"health__media__loop_ms": 400.0}

    assert both(**ends).result is Result.INCONCLUSIVE


def test_two_answers_are_a_note():
    """RFC 3261 §13.2.2.4: the leg is the first dialog, and the other one was ended beside it."""
    forks = (Fork(tag="x", codes=(180, 200), ended=True), Fork(tag="y", codes=(180,), ended=True))
    verdict = both(caller={"dialog__forks": forks}, callee={"dialog__merged": 1})

    assert verdict.result is Result.PASSED
    assert verdict.notes == (
        "2 answers: the INVITE was forked, and tag x answered too",
        "the callee had the INVITE twice, by several ways (RFC 3261 §8.2.2.2)",
    )


def test_a_callee_alone_does_not_know_that_a_bye_is_missing():
    assert callee_alone(dialog__bye__by=Side.LOCAL, progress__bye_ms=12_000.0) == [
        (Check.COMPLETED, Reason.NOT_MEASURED)
    ]


# registered


@pytest.mark.parametrize(
    ("role", "changes", "reason", "observed"),
    [
        (CALLER, {"outcome": "Rejected", "code": 403, "phrase": "No"}, Reason.REGISTRATION_REJECTED, "403 No"),
        (CALLEE, {"outcome": "Rejected", "code": 403, "phrase": None}, Reason.REGISTRATION_REJECTED, "403"),
        (CALLEE, {"outcome": "Timeout", "code": None}, Reason.REGISTRATION_TIMEOUT, "no final response"),
        (CALLER, {"outcome": "Error", "code": None}, Reason.AGENT_ERROR, None),
        (CALLER, {"outcome": "Rejected", "code": None}, Reason.AGENT_ERROR, None),
    ],
)
def test_all_calls_of_an_endpoint_share_its_registration(role, changes, reason, observed):
    changes = {**changes, "outcome": RegistrationOutcome(changes["outcome"])}
    reports = []
    for who in (CALLER, CALLEE):
        at_first = registration(who, endpoint=0, **(changes if who is role else {}))
        its_plan = plan(who, endpoints=(0, 1), group__count=2)
        reports.append(report(its_plan, registrations=(at_first, registration(who, endpoint=1))))
    first, second, *others = judge_run(reports).calls

    for call in (first, second):
        [found] = call.findings
        assert (found.leg, found.check, found.reason, found.observed) == (role, Check.REGISTERED, reason, observed)
    assert {call.reason for call in others} == {Reason.NOT_MEASURED}


def test_a_registration_that_was_not_reported_was_not_measured():
    caller, callee = good_reports()
    verdict = judge_run([report(caller.plan, *caller.legs, registrations=()), callee])

    assert verdict.result is Result.INCONCLUSIVE
    assert said(verdict.calls[0].findings) == [(Check.REGISTERED, Reason.NOT_MEASURED)]


def test_an_agent_that_does_not_register_is_not_asked_to():
    its_plan = plan(account__register=False)
    verdict = judge_run([report(its_plan, caller_leg(), registrations=()), good_reports()[1]])

    assert verdict.result is Result.PASSED


def test_a_caller_whose_account_could_not_be_made_says_so_although_it_does_not_register():
    """No call was placed: the stack's words say why, where there is no leg that could."""
    its_plan = plan(account__register=False)
    refused = registration(CALLER, outcome=RegistrationOutcome.ERROR, code=None, local_reason="account x: Invalid URI")
    verdict = judge_run([report(its_plan, registrations=(refused,)), report(good_reports()[1].plan)])

    assert said(verdict.calls[0].findings, CALLER) == [(Check.REGISTERED, Reason.AGENT_ERROR)]
    assert "Invalid URI" in (verdict.calls[0].findings[0].note or "")


def test_a_callee_without_an_account_still_takes_calls():
    """Nothing was to be registered; what arrives at its socket is answered, and measured as ever."""
    caller, callee = good_reports()
    refused = registration(CALLEE, outcome=RegistrationOutcome.ERROR, code=None)
    its_plan = plan(CALLEE, account__register=False)
    verdict = judge_run([caller, report(its_plan, *callee.legs, registrations=(refused,))])

    assert verdict.result is Result.PASSED


def test_one_refused_refresh_among_good_registrations_is_a_refusal():
    caller, callee = good_reports()
    refused = registration(CALLER, outcome=RegistrationOutcome.REJECTED, code=401)
    verdict = judge_run([report(caller.plan, *caller.legs, registrations=(registration(CALLER), refused)), callee])

    assert verdict.reason is Reason.REGISTRATION_REJECTED


def test_our_own_failure_to_register_is_not_the_refusal_that_follows():
    caller, callee = good_reports()
    error = registration(CALLEE, outcome=RegistrationOutcome.ERROR, code=None)
    verdict = judge_run(
        [
            report(caller.plan, caller_leg(final_code=404, final_phrase="Not Found")),
            report(callee.plan, registrations=(error,)),
        ]
    )

    assert verdict.result is Result.INCONCLUSIVE
    assert {reason for _, reason in said(verdict.calls[0].findings)} == {Reason.AGENT_ERROR}


def test_a_refused_registration_explains_the_refused_call():
    caller, callee = good_reports()
    refused = registration(CALLEE, outcome=RegistrationOutcome.REJECTED, code=403)
    verdict = judge_run(
        [report(caller.plan, caller_leg(final_code=404)), report(callee.plan, registrations=(refused,))]
    )

    assert said(verdict.calls[0].findings) == [
        (Check.REGISTERED, Reason.REGISTRATION_REJECTED),
        (Check.ANSWERED, Reason.SIP_CODE_MISMATCH),
    ]


def test_a_200_at_an_endpoint_where_the_callee_is_not_registered_is_not_called_elsewhere():
    caller, callee = good_reports()
    refused = registration(CALLEE, outcome=RegistrationOutcome.REJECTED, code=403)
    verdict = judge_run([caller, report(callee.plan, registrations=(refused,))])

    assert said(verdict.calls[0].findings) == [(Check.REGISTERED, Reason.REGISTRATION_REJECTED)]


def test_a_good_call_passes_from_both_ends():
    verdict = both()

    assert (verdict.result, verdict.reason, verdict.findings) == (Result.PASSED, None, ())
