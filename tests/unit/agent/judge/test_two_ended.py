"""Truth rules 4 and 5: what one leg says, when the other end is known."""

from dataclasses import replace

import pytest

from agent.contract.call import Behaviour
from agent.contract.expect import ExpectLeg
from agent.contract.observation import Refused, Side
from agent.contract.plan import identity_code
from agent.contract.verdict import Check, Reason, Result
from agent.judge.run import judge_run
from tests.unit.agent.judge import wire
from tests.unit.agent.judge.judging import CALLEE, CALLER, both, note_of, reports_of, said
from tests.unit.builders import RUN_UID, SILENT, caller_leg, digits, good_reports, heard, plan, report

OTHER = heard({"99": 15})
NO_RTP = {"received": (), "heard": SILENT}
GAVE_UP = {"final_code": None, "progress__answered_ms": None, "progress__bye_ms": None, "progress__ended_ms": 30_000.0}
NOTHING = ExpectLeg()


def undeclared(**its_plan):
    """The caller's plan of a test where the SUT itself answers."""
    return plan(CALLER, callee_declared=False, group__expect__callee=NOTHING, **its_plan)


# delivered


def test_a_200_without_an_invite_at_the_callee_is_answered_elsewhere():
    caller, callee = good_reports()
    [call] = judge_run([caller, replace(callee, legs=())]).calls

    [finding] = call.findings
    assert (finding.leg, finding.check, finding.reason) == (CALLEE, Check.DELIVERED, Reason.ANSWERED_ELSEWHERE)
    assert (finding.observed, finding.call_id) == ("no INVITE", caller_leg().sip_call_id)


def test_answered_elsewhere_beats_the_audio_failures_that_follow_from_it():
    caller, callee = reports_of(caller={"heard": OTHER, "dtmf_received": ()})
    verdict = judge_run([caller, replace(callee, legs=())])

    assert verdict.reason is Reason.ANSWERED_ELSEWHERE
    assert {Reason.WRONG_AUDIO, Reason.DTMF_MISMATCH} < {finding.reason for finding in verdict.calls[0].findings}


@pytest.mark.parametrize("code", [487, 488])
def test_a_200_while_the_callee_did_not_answer_came_from_elsewhere(code):
    verdict = both(callee={"final_code": code})

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.ANSWERED_ELSEWHERE)
    assert verdict.findings[0].observed == f"an INVITE to which it sent {code} OK"


def test_a_200_while_the_callee_sent_no_final_response_came_from_elsewhere():
    assert both(callee={"final_code": None}).findings[0].observed == ("an INVITE to which it sent no final response")


@pytest.mark.parametrize("callee", [{"final_code": 500}, {"final_code": 487, "progress__answered_ms": 6000.0}])
def test_a_200_where_our_callee_refused_or_dawdled_is_our_doing(callee):
    verdict = both(callee=callee)

    assert verdict.result is Result.INCONCLUSIVE
    assert [finding.check for finding in verdict.findings] == [Check.ANSWERED]


def test_a_call_that_reaches_another_endpoints_callee_is_answered_elsewhere():
    reports = [
        *good_reports(endpoints=(0,)),
        report(plan(CALLER, lane=1, endpoints=(1,)), caller_leg(endpoint=1)),
        report(plan(CALLEE, lane=1, endpoints=(1,)), good_reports()[1].legs[0]),
    ]
    reports[1] = replace(reports[1], legs=())
    first, second = judge_run(reports).calls

    assert first.reason is Reason.ANSWERED_ELSEWHERE
    assert first.findings[0].observed == "no INVITE: it reached callee-1, another endpoint's callee"
    assert second.reason is Reason.ANSWERED_ELSEWHERE


def test_an_unanswered_call_that_reached_another_endpoints_callee_says_so():
    unanswered = {"final_code": None, "dialog": None, "progress__answered_ms": None, "progress__ended_ms": 30_050.0}
    reports = [
        report(plan(CALLER), caller_leg(**unanswered)),
        report(plan(CALLEE)),
        report(plan(CALLER, lane=1, endpoints=(1,)), caller_leg(endpoint=1)),
        report(plan(CALLEE, lane=1, endpoints=(1,)), good_reports()[1].legs[0]),
    ]
    first, _ = judge_run(reports).calls
    assert note_of(first, CALLER, Check.ANSWERED) == "its INVITE reached callee-1, another endpoint's callee"


def test_a_call_that_is_not_answered_is_not_called_delivered_elsewhere():
    caller, callee = reports_of(caller={"final_code": 503})
    [call] = judge_run([caller, replace(callee, legs=())]).calls

    assert said(call.findings) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]
    assert note_of(call, CALLER, Check.ANSWERED) == "no INVITE reached the callee"


def test_nothing_is_delivered_where_no_callee_is_declared():
    verdict = judge_run([report(undeclared(), caller_leg())])

    assert (verdict.result, verdict.calls[0].findings) == (Result.PASSED, ())


# answered


def test_an_answer_that_the_path_lost_is_the_paths_failure():
    verdict = both(caller=GAVE_UP)

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.NO_ANSWER)
    assert note_of(verdict, CALLER, Check.ANSWERED) == "the INVITE reached the callee, which answered 200 OK"


def test_a_port_that_was_closed_for_a_while_is_not_failed_for_a_call_that_came_through_after_it():
    """The caller had given it up; its stack sent the INVITE on."""
    closed = {"progress__ended_ms": 6500.0, "progress__first_response_ms": None}
    verdict = both(caller=GAVE_UP | closed | {"asked__refused": Refused(times=6, over_ms=5000.0)})

    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, Reason.NOT_MEASURED)
    assert "reached the callee all the same" in note_of(verdict, CALLER, Check.ANSWERED)


def test_an_invite_that_the_path_cancelled_at_once_is_the_paths_failure():
    callee = {"final_code": 487, "progress__answered_ms": 100.0, "progress__bye_ms": None, "progress__ended_ms": 100.0}
    verdict = both(caller={"final_code": 408}, callee=callee)

    assert verdict.reason is Reason.SIP_CODE_MISMATCH
    assert "the INVITE reached the callee, which answered 487" in (note_of(verdict, CALLER, Check.ANSWERED) or "")


@pytest.mark.parametrize("caller", [GAVE_UP, {"final_code": 408}])
def test_a_callee_that_gave_an_invite_up_by_itself_is_our_failure(caller):
    verdict = both(caller=caller, callee=GAVE_UP | {"progress__ended_ms": 100.0, "local_reason": "End of file"})

    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR)
    assert "ended the call before it answered (End of file)" in (note_of(verdict, CALLER, Check.ANSWERED) or "")


def test_a_refusal_by_our_own_callee_is_not_the_suts():
    verdict = both(caller={"final_code": 500}, callee={"final_code": 500})

    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR)
    assert note_of(verdict, CALLER, Check.ANSWERED) == "the callee agent itself answered 500 OK"


@pytest.mark.parametrize(
    "callee",
    [
        {"progress__answered_ms": 5101.0},
        {"final_code": 487, "progress__answered_ms": None, "progress__ended_ms": 30_000.0},
        {"final_code": None, "progress__answered_ms": None, "progress__ended_ms": None},
    ],
)
def test_a_callee_agent_that_is_slow_to_answer_is_not_the_suts_failure(callee):
    assert said(both(caller=GAVE_UP, callee=callee).findings, CALLER) == [(Check.ANSWERED, Reason.AGENT_ERROR)]


def test_an_unanswered_call_without_a_declared_callee_is_the_suts_failure():
    assert judge_run([report(undeclared(), caller_leg(**GAVE_UP))]).reason is Reason.NO_ANSWER


def test_media_asked_of_an_undeclared_callee_never_passes():
    verdict = judge_run([report(plan(CALLER, callee_declared=False), caller_leg())])

    assert verdict.result is Result.INCONCLUSIVE
    assert {reason for _, reason in said(verdict.calls[0].findings, CALLEE)} == {Reason.NOT_MEASURED}


def test_media_asked_of_a_call_that_is_to_be_refused_never_passes():
    caller, callee = reports_of(caller={"final_code": 486}, group__expect__sip_code=486, group__expect__caller=NOTHING)
    verdict = judge_run([caller, replace(callee, legs=())])

    assert verdict.result is Result.INCONCLUSIVE
    assert len(said(verdict.calls[0].findings, CALLEE)) == 5


def test_a_refusal_that_was_expected_passes_without_the_callee():
    its_plan = {"group__expect__sip_code": 486, "group__expect__caller": NOTHING, "group__expect__callee": NOTHING}
    caller, callee = reports_of(caller={"final_code": 486}, **its_plan)

    assert judge_run([caller, replace(callee, legs=())]).result is Result.PASSED


def test_a_refusal_that_our_own_callee_made_is_not_the_expected_one():
    its_plan = {"group__expect__sip_code": 486, "group__expect__caller": NOTHING, "group__expect__callee": NOTHING}
    verdict = both(caller={"final_code": 486}, callee={"final_code": 486}, **its_plan)

    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR)


# completed


def test_a_call_that_the_sut_drops_fails_on_both_legs():
    dropped = {"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 3000.0}
    verdict = both(caller=dropped, callee=dropped)

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.CALL_DROPPED)
    assert (Check.COMPLETED, Reason.CALL_DROPPED) in said(verdict.findings, CALLER)
    assert (Check.COMPLETED, Reason.CALL_DROPPED) in said(verdict.findings, CALLEE)


def test_a_call_that_the_sut_drops_at_the_callee_alone_fails_there():
    verdict = both(callee={"progress__bye_ms": 3000.0})

    assert said(verdict.findings) == [(Check.COMPLETED, Reason.CALL_DROPPED)]


def test_a_call_that_our_callee_ends_itself_was_not_dropped_by_the_sut():
    verdict = both(
        caller={"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 3000.0, "received__packets": 150},
        callee={"dialog__bye__by": Side.LOCAL, "progress__bye_ms": 3000.0},
    )

    assert verdict.result is Result.INCONCLUSIVE
    assert (Check.COMPLETED, Reason.PEER_LOST) in said(verdict.findings, CALLER)
    assert (Check.RTP_PACKETS, Reason.PEER_LOST) in said(verdict.findings, CALLER)


def test_a_callee_that_hangs_up_long_after_the_drop_did_not_cause_it():
    verdict = both(
        caller={"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 3000.0},
        callee={"dialog__bye__by": Side.LOCAL, "progress__bye_ms": 5000.0},
    )

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.CALL_DROPPED)


def test_where_it_is_not_known_who_ended_first_our_callee_may_have():
    verdict = both(
        caller={
            "progress__bye_ms": None,
            "progress__ended_ms": None,
            "dialog__bye__by": Side.REMOTE,
            "dtmf_received": (),
        },
        callee={"dialog__bye__by": Side.LOCAL, "progress__bye_ms": 5000.0},
    )

    assert verdict.result is Result.INCONCLUSIVE


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_whose_trouble_it_is_that_a_bye_may_not_have_come_by_is_said(who):
    """It said that no BYE had come, and of the late agent nothing."""
    ends = {"caller": {}, "callee": {"dialog__bye__by": Side.LOCAL, "progress__bye_ms": 11_000.0}}
    ends[who] = ends[who] | {"health__media__socket_drops": 1}
    [found] = [finding for finding in both(**ends).findings if finding.check is Check.COMPLETED]
    assert found.reason is Reason.AGENT_OVERLOADED
    assert f"the {who} agent was overloaded" in (found.note or "")


def test_a_call_that_our_caller_ends_early_was_not_dropped_by_the_sut():
    verdict = both(
        caller={"progress__bye_ms": 3000.0}, callee={"progress__bye_ms": 3000.0, "dtmf_received": digits("12")}
    )

    assert verdict.result is Result.INCONCLUSIVE
    assert (Check.COMPLETED, Reason.PEER_LOST) in said(verdict.findings, CALLEE)


def test_a_bye_that_never_reaches_the_callee_is_missing():
    verdict = both(callee={"dialog__bye__by": Side.LOCAL, "progress__bye_ms": 11_000.0})

    [finding] = verdict.findings
    assert (finding.leg, finding.check, finding.reason) == (CALLEE, Check.COMPLETED, Reason.BYE_MISSING)
    assert finding.observed == "no BYE"


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ({"dialog__bye": None}, {}),
        ({"progress__bye_ms": 3000.0}, {}),
        ({}, {"progress__bye_ms": 3000.0}),
        ({}, {"health__media__socket_drops": 1}),
        ({"health__media__socket_drops": 1}, {}),
    ],
)
def test_a_bye_is_only_missing_where_it_was_sent_and_waited_for(caller, callee):
    verdict = both(caller=caller, callee={"dialog__bye__by": Side.LOCAL, "progress__bye_ms": 11_000.0} | callee)

    assert verdict.result is Result.INCONCLUSIVE


def test_a_bye_unanswered_by_the_path_fails():
    assert both(caller={"dialog__bye__code": None}).reason is Reason.BYE_UNANSWERED
    refused = {"dialog__bye__code": 481}
    assert both(caller={"dialog__bye__code": None}, callee=refused).reason is Reason.BYE_UNANSWERED


@pytest.mark.parametrize(
    ("code", "reason"), [(None, Reason.AGENT_ERROR), (408, Reason.AGENT_ERROR), (481, Reason.BYE_REJECTED)]
)
def test_a_bye_that_our_own_callee_left_unanswered_is_not_the_suts(code, reason):
    """Its stack takes a request for another's sent again where both have one branch (RFC 3261 §8.1.1.7)."""
    verdict = wire.verdict(wire.caller(bye_code=code, ended_s=46.1), wire.callee(bye_code=None, ended_s=46.1))

    assert said(verdict.findings, CALLER)[0] == (Check.COMPLETED, reason)


# digits


def test_digits_lost_towards_the_callee_say_so():
    verdict = both(callee={"dtmf_received": digits("124#")})

    assert verdict.reason is Reason.DTMF_MISMATCH
    assert (
        note_of(verdict, CALLEE, Check.DTMF) == 'the caller sent "1234#": digit 3 ("3") lost on the way to the callee'
    )


def test_a_parrot_that_got_wrong_digits_sends_wrong_digits_back():
    verdict = both(
        caller={"dtmf_received": digits("124#")},
        callee={"dtmf_received": digits("124#"), "dtmf_sent": digits("124#")},
    )

    assert [finding.leg for finding in verdict.findings] == [CALLEE, CALLER]
    assert note_of(verdict, CALLER, Check.DTMF) == (
        'the callee had received "124#" of "1234#": digit 3 ("3") lost on the way to the callee'
    )


def test_digits_lost_towards_the_caller_say_so():
    verdict = both(caller={"dtmf_received": digits("124#")})

    assert said(verdict.findings) == [(Check.DTMF, Reason.DTMF_MISMATCH)]
    assert (
        note_of(verdict, CALLER, Check.DTMF)
        == 'the callee sent back "1234#": digit 3 ("3") lost on the way to the caller'
    )


def test_all_digits_dropped_on_the_path_are_a_mismatch_at_both_ends():
    verdict = both(caller={"dtmf_received": ()}, callee={"dtmf_received": (), "dtmf_sent": ()})

    assert said(verdict.findings) == [(Check.DTMF, Reason.DTMF_MISMATCH), (Check.DTMF, Reason.DTMF_MISMATCH)]
    assert (
        note_of(verdict, CALLER, Check.DTMF)
        == 'the callee had received no digits of "1234#": lost on the way to the callee'
    )


def test_telephone_event_stripped_from_the_sdp_was_not_negotiated_at_either_end():
    stripped = {"sections__telephone_event_payload_type": None, "dtmf_received": (), "dtmf_sent": ()}
    verdict = both(caller=stripped, callee=stripped)

    assert verdict.result is Result.FAILED
    assert {reason for _, reason in said(verdict.findings)} == {Reason.DTMF_NOT_NEGOTIATED}


def test_telephone_event_stripped_towards_the_caller_alone_kept_it_from_sending():
    stripped = {"sections__telephone_event_payload_type": None, "dtmf_received": (), "dtmf_sent": ()}
    verdict = both(caller=stripped, callee={"dtmf_received": (), "dtmf_sent": ()})

    assert verdict.result is Result.FAILED
    assert (Check.DTMF, Reason.DTMF_NOT_NEGOTIATED) in said(verdict.findings, CALLEE)
    assert "SDP of the caller" in note_of(verdict, CALLEE, Check.DTMF)


def test_telephone_event_stripped_towards_the_callee_alone_kept_it_from_sending_back():
    stripped = {"sections__telephone_event_payload_type": None, "dtmf_sent": ()}
    verdict = both(caller={"dtmf_received": ()}, callee=stripped)

    assert said(verdict.findings) == [(Check.DTMF, Reason.DTMF_NOT_NEGOTIATED)]
    assert "SDP of the callee" in note_of(verdict, CALLER, Check.DTMF)


@pytest.mark.parametrize("received", ["12", "123", "1234"])
def test_digits_that_the_caller_never_sent_are_not_lost(received):
    verdict = both(caller={"dtmf_sent": digits("123")}, callee={"dtmf_received": digits(received)})

    assert said(verdict.findings) == [(Check.DTMF, Reason.NOT_MEASURED)]
    assert note_of(verdict, CALLEE, Check.DTMF) == 'the caller had sent only "123"'


@pytest.mark.parametrize("received", ["", "1", "13", "12345"])
def test_digits_that_contradict_what_the_caller_sent_fail_however_little_that_was(received):
    verdict = both(caller={"dtmf_sent": digits("123")}, callee={"dtmf_received": digits(received)})

    assert verdict.reason is Reason.DTMF_MISMATCH


def test_digits_that_the_parrot_had_no_time_to_send_back_are_not_lost():
    verdict = both(caller={"dtmf_received": digits("12")}, callee={"dtmf_sent": digits("12")})

    assert said(verdict.findings) == [(Check.DTMF, Reason.NOT_MEASURED)]
    assert note_of(verdict, CALLER, Check.DTMF) == 'the callee had sent back only "12"'


def test_digits_from_an_absorber_cannot_be_missed():
    callee = {"dtmf_sent": ()}
    verdict = both(
        caller={"dtmf_received": ()},
        callee=callee,
        group__callee__behaviour=Behaviour.ABSORBER,
        group__expect__caller__audio=None,
    )

    assert said(verdict.findings) == [(Check.DTMF, Reason.NOT_MEASURED)]


def test_digits_in_a_call_that_sends_none_cannot_be_missed():
    silent = {"dtmf_sent": (), "dtmf_received": ()}
    verdict = both(caller=silent, callee=silent, group__caller__dtmf=None)

    assert {reason for _, reason in said(verdict.findings)} == {Reason.NOT_MEASURED}


def test_digits_that_nobody_sent_are_a_mismatch():
    verdict = both(
        caller={"dtmf_sent": ()},
        callee={"dtmf_received": digits("9")},
        group__caller__dtmf=None,
        group__expect__caller=NOTHING,
    )

    assert verdict.reason is Reason.DTMF_MISMATCH


def test_digits_from_a_sut_that_answers_itself_are_judged_at_the_caller_alone():
    verdict = judge_run([report(undeclared(), caller_leg(dtmf_received=digits("12")))])

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.DTMF_MISMATCH)


# rtp


def test_no_rtp_one_way_is_no_rtp_whatever_follows():
    verdict = both(caller=NO_RTP | {"dtmf_received": ()})

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.NO_RTP)
    assert (
        note_of(verdict, CALLER, Check.RTP_PACKETS)
        == "its SDP asks for it at 10.0.0.9:4000; the callee sent 400 packets to 10.0.0.1:30000"
    )


def test_one_way_audio_to_the_callee_is_no_rtp_there():
    verdict = both(
        caller={"heard": SILENT, "dtmf_received": ()}, callee=NO_RTP | {"dtmf_received": (), "dtmf_sent": ()}
    )

    assert verdict.reason is Reason.NO_RTP
    assert verdict.findings[0].leg is CALLEE
    assert "broken on the way to the callee" in note_of(verdict, CALLER, Check.AUDIO)


@pytest.mark.parametrize(
    ("callee", "reason"),
    [
        ({"sent": ()}, Reason.PEER_LOST),
        ({"sent": None}, Reason.NOT_MEASURED),
    ],
)
def test_packets_are_only_lost_where_they_were_sent(callee, reason):
    assert said(both(caller=NO_RTP, callee=callee, group__expect__caller__audio=None).findings) == [
        (Check.RTP_PACKETS, reason)
    ]


def test_too_few_packets_is_not_the_paths_doing_where_the_peer_sent_too_few():
    verdict = both(caller={"received__packets": 300}, callee={"sent__packets": 310}, group__expect__caller__audio=None)

    assert said(verdict.findings) == [(Check.RTP_PACKETS, Reason.NOT_MEASURED)]
    assert note_of(verdict, CALLER, Check.RTP_PACKETS) == "the callee itself sent only 310 packets"


def test_ten_percent_loss_is_packet_loss_also_where_digits_are_hit():
    lost = {"received__packets": 360, "received__lost": 40, "received__lost_ms": 800.0, "received__media_ms": 6700.0}
    verdict = both(callee=lost | {"dtmf_received": digits("124#")})

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.PACKET_LOSS)
    assert note_of(verdict, CALLEE, Check.RTP_LOSS) == "the caller sent 7.50 s of audio in 400 packets"


def test_both_directions_packets_are_data():
    verdict = both(caller={"sent__packets": 401}, callee={"received__packets": 390, "received__lost": 3})

    assert (verdict.to_callee.sent, verdict.to_callee.received, verdict.to_callee.lost) == (401, 390, 3)
    assert verdict.to_callee.unseen == 8
    assert (verdict.to_caller.sent, verdict.to_caller.received, verdict.to_caller.lost) == (400, 400, 0)
    assert both(caller={"sent": None}, callee={"received": None}).to_callee.unseen is None


def test_the_signal_is_the_calls_own_at_each_endpoint():
    assert identity_code(f"{RUN_UID}/0/pin/0") != identity_code(f"{RUN_UID}/1/pin/0")
    assert judge_run(good_reports(endpoints=(0, 1))).result is Result.PASSED
