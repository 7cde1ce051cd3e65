"""Truth rules 1, 4 and 7: lost agents, every planned call accounted for, roll-up."""

from dataclasses import replace

import pytest

from agent.contract.observation import Side
from agent.contract.verdict import Check, Finding, Reason, Result
from agent.judge.run import judge_run
from tests.unit.agent.judge.judging import CALLEE, CALLER, said
from tests.unit.builders import callee_leg, caller_leg, change, digits, good_reports, plan, registration, report

DROPPED = {"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 4000.0, "dtmf_received": ()}


def recorded(reason: Reason, check: Check, leg=CALLER, number: int = 0) -> Finding:
    return Finding(call="pin", number=number, endpoint=0, leg=leg, check=check, reason=reason, observed="recorded")


# an agent is lost


def test_a_caller_lost_mid_call_leaves_its_calls_as_agent_lost():
    caller, callee = good_reports(group__count=3)
    lost = replace(caller, legs=caller.legs[:1], complete=False, lost_message="OOMKilled")
    cut = change(callee.legs[1], dialog__bye__by=Side.LOCAL, progress__bye_ms=12_000.0, dtmf_received=())
    verdict = judge_run([lost, replace(callee, legs=(callee.legs[0], cut))])

    first, second, third = verdict.calls
    assert first.result is Result.PASSED
    assert said(second.findings, CALLER) == [(Check.COMPLETED, Reason.AGENT_LOST)]
    assert set(said(second.findings, CALLEE)) == {(Check.COMPLETED, Reason.PEER_LOST), (Check.DTMF, Reason.PEER_LOST)}
    assert said(third.findings) == [(Check.COMPLETED, Reason.AGENT_LOST)]
    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, Reason.AGENT_LOST)
    assert verdict.worst.note == "caller-0: OOMKilled"


def test_an_endpoint_that_an_agent_may_not_send_to_says_so():
    caller, callee = good_reports(endpoints=(0, 1))
    refusal = change(recorded(Reason.TARGET_NOT_ALLOWED, Check.RUN), call="", endpoint=1, note="nothing was sent there")
    legs, registrations = caller.legs[:1], caller.registrations[:1]
    kept = replace(caller, legs=legs, registrations=registrations, recorded=(refusal,))
    verdict = judge_run([kept, replace(callee, legs=callee.legs[:1])])

    assert [call.reason for call in verdict.calls] == [None, Reason.TARGET_NOT_ALLOWED]
    assert verdict.worst.note.startswith("caller-0: nothing was sent there")


def test_a_callee_lost_mid_call_leaves_the_callers_leg_as_peer_lost():
    caller, callee = good_reports(group__count=3)
    legs = (caller.legs[0], change(caller.legs[1], **DROPPED), change(caller.legs[2], final_code=480))
    verdict = judge_run([replace(caller, legs=legs), replace(callee, legs=callee.legs[:1], complete=False)])

    first, second, third = verdict.calls
    assert first.result is Result.PASSED
    assert said(second.findings, CALLEE) == [(Check.COMPLETED, Reason.AGENT_LOST)]
    assert set(said(second.findings, CALLER)) == {(Check.COMPLETED, Reason.PEER_LOST), (Check.DTMF, Reason.PEER_LOST)}
    assert said(third.findings) == [(Check.ANSWERED, Reason.PEER_LOST)]
    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, Reason.AGENT_LOST)


def test_a_call_that_failed_before_the_callee_was_lost_keeps_its_verdict():
    caller, callee = good_reports(group__count=3)
    legs = (change(caller.legs[0], final_code=503), *caller.legs[1:])
    verdict = judge_run([replace(caller, legs=legs), replace(callee, legs=callee.legs[1:2], complete=False)])

    assert [call.reason for call in verdict.calls] == [Reason.SIP_CODE_MISMATCH, None, Reason.AGENT_LOST]


def test_a_call_that_broke_before_the_callee_was_lost_keeps_its_verdict_without_its_callee_leg():
    caller, callee = good_reports(group__count=2)
    legs = (change(caller.legs[0], dtmf_received=digits("9")), caller.legs[1])
    verdict = judge_run([replace(caller, legs=legs), replace(callee, legs=callee.legs[1:], complete=False)])

    assert said(verdict.calls[0].findings) == [(Check.DTMF, Reason.DTMF_MISMATCH), (Check.COMPLETED, Reason.AGENT_LOST)]


@pytest.mark.parametrize("first", [{"progress__ended_ms": None}, {"progress__ended_ms": 12_000.0}])
def test_a_call_not_known_to_have_ended_before_the_next_is_no_proof_of_life(first):
    caller, callee = good_reports(group__count=2)
    legs = (change(caller.legs[0], final_code=503, **first), caller.legs[1])
    verdict = judge_run([replace(caller, legs=legs), replace(callee, legs=callee.legs[1:], complete=False)])

    assert verdict.calls[0].reason is Reason.PEER_LOST


def test_a_missing_callee_leg_of_an_incomplete_report_is_not_called_elsewhere():
    caller, callee = good_reports(group__count=2)
    verdict = judge_run([caller, replace(callee, legs=callee.legs[1:], complete=False)])

    assert said(verdict.calls[0].findings) == [(Check.COMPLETED, Reason.AGENT_LOST)]


def test_agents_that_never_ran_leave_every_call_with_their_reason():
    its_plan = {"complete": False, "registrations": ()}
    reports = [
        report(plan(CALLER, group__count=2), lost_reason=Reason.ABORTED, **its_plan),
        report(
            plan(CALLEE, group__count=2),
            lost_reason=Reason.AGENT_IMAGE_PULL_FAILED,
            lost_message="no such image",
            **its_plan,
        ),
    ]
    verdict = judge_run(reports)

    assert (verdict.planned, verdict.inconclusive) == (2, 2)
    assert verdict.reason is Reason.AGENT_IMAGE_PULL_FAILED
    assert verdict.worst.note.startswith("callee-0: no such image")


def test_agents_without_registration_that_never_ran_leave_every_call_with_their_reason():
    its_plan = {"complete": False}
    reports = [
        report(plan(CALLER, account__register=False), lost_reason=Reason.ABORTED, **its_plan),
        report(plan(CALLEE, account__register=False), lost_reason=Reason.AGENT_UNSCHEDULABLE, **its_plan),
    ]
    verdict = judge_run(reports)

    assert said(verdict.calls[0].findings) == [
        (Check.COMPLETED, Reason.AGENT_UNSCHEDULABLE),
        (Check.COMPLETED, Reason.ABORTED),
    ]


def test_a_declared_callee_without_a_report_is_lost():
    verdict = judge_run(good_reports()[:1])

    assert said(verdict.calls[0].findings) == [(Check.COMPLETED, Reason.AGENT_LOST)]


def test_a_planned_call_that_a_complete_report_lacks_was_not_measured():
    caller, callee = good_reports(group__count=2)
    verdict = judge_run([replace(caller, legs=caller.legs[:1]), replace(callee, legs=callee.legs[:1])])

    assert said(verdict.calls[1].findings) == [(Check.COMPLETED, Reason.NOT_MEASURED)]
    assert verdict.calls[1].findings[0].note == "no leg of this call was reported"


def test_an_agent_told_to_stop_gives_its_reason_to_the_calls_that_it_cut():
    caller, callee = good_reports(group__count=3)
    legs = (
        caller.legs[0],
        change(caller.legs[1], progress__bye_ms=2000.0, progress__ended_ms=2010.0),
    )
    stopped = replace(caller, legs=legs, lost_reason=Reason.ABORTED, lost_message="the run was deleted")
    there = (callee.legs[0], change(callee.legs[1], progress__bye_ms=2000.0))
    verdict = judge_run([stopped, replace(callee, legs=there)])

    assert [call.reason for call in verdict.calls] == [None, Reason.ABORTED, Reason.ABORTED]
    assert said(verdict.calls[1].findings, CALLEE) == [(Check.COMPLETED, Reason.PEER_LOST)]


def test_an_agent_told_to_stop_while_it_rang_gives_its_reason():
    caller, callee = good_reports()
    ringing = caller_leg(final_code=None, progress__answered_ms=None, progress__bye_ms=None, progress__ended_ms=500.0)
    verdict = judge_run([replace(caller, legs=(ringing,), lost_reason=Reason.DEADLINE_EXCEEDED), callee])

    assert verdict.reason is Reason.DEADLINE_EXCEEDED


# recorded findings


def test_recorded_failures_stand_where_their_lines_are_missing():
    caller, callee = good_reports(group__count=2)
    said_so = recorded(Reason.SIP_CODE_MISMATCH, Check.ANSWERED)
    lost = replace(caller, legs=(), complete=False, recorded=(said_so,))
    verdict = judge_run([lost, replace(callee, legs=())])

    assert [call.reason for call in verdict.calls] == [Reason.SIP_CODE_MISMATCH, Reason.AGENT_LOST]


def test_recorded_failures_at_the_callee_stand_where_the_caller_confirms_what_it_sent():
    caller, callee = good_reports()
    said_so = recorded(Reason.DTMF_MISMATCH, Check.DTMF, CALLEE)
    verdict = judge_run([caller, replace(callee, legs=(), complete=False, recorded=(said_so,))])

    assert verdict.reason is Reason.DTMF_MISMATCH


def test_recorded_failures_are_judged_anew_where_their_lines_are_there():
    caller, callee = good_reports()
    said_so = recorded(Reason.DTMF_MISMATCH, Check.DTMF)

    assert judge_run([replace(caller, complete=False, recorded=(said_so,)), callee]).result is Result.PASSED


def test_recorded_failures_obey_rule_4():
    caller, callee = good_reports()
    said_so = recorded(Reason.DTMF_MISMATCH, Check.DTMF)
    lost = {"legs": (), "complete": False}
    verdict = judge_run([replace(caller, **lost, recorded=(said_so,)), replace(callee, **lost)])

    assert verdict.result is Result.INCONCLUSIVE
    assert (Check.DTMF, Reason.PEER_LOST) in said(verdict.calls[0].findings)


@pytest.mark.parametrize(
    "finding",
    [
        recorded(Reason.SIP_CODE_MISMATCH, Check.ANSWERED, CALLEE),
        recorded(Reason.SIP_CODE_MISMATCH, Check.ANSWERED, number=9),
    ],
)
def test_recorded_findings_on_legs_that_were_not_the_agents_are_ignored(finding):
    caller, callee = good_reports()
    verdict = judge_run([replace(caller, legs=(), complete=False, recorded=(finding,)), callee])

    assert verdict.result is Result.INCONCLUSIVE


def test_a_complete_report_has_no_findings_without_legs():
    caller, callee = good_reports()
    verdict = judge_run([replace(caller, legs=(), recorded=(recorded(Reason.NO_ANSWER, Check.ANSWERED),)), callee])

    assert verdict.result is Result.INCONCLUSIVE


# roll-up


def test_failed_beats_inconclusive_beats_passed():
    caller, callee = good_reports(endpoints=(0, 1, 2))
    legs = (caller.legs[0], change(caller.legs[1], dialog__bye=None), change(caller.legs[2], final_code=503))
    verdict = judge_run([replace(caller, legs=legs), callee])

    assert [endpoint.result for endpoint in verdict.endpoints] == [Result.PASSED, Result.INCONCLUSIVE, Result.FAILED]
    assert [endpoint.reason for endpoint in verdict.endpoints] == [None, Reason.NOT_MEASURED, Reason.SIP_CODE_MISMATCH]
    assert [endpoint.name for endpoint in verdict.endpoints] == ["sut-0", "sut-1", "sut-2"]
    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.SIP_CODE_MISMATCH)
    assert (verdict.planned, verdict.passed, verdict.failed, verdict.inconclusive) == (3, 1, 1, 1)
    assert verdict.worst == verdict.calls[2].findings[0]


def test_a_run_that_passed_has_no_reason():
    verdict = judge_run(good_reports(endpoints=(0, 1), group__count=3))

    assert (verdict.result, verdict.reason, verdict.worst) == (Result.PASSED, None, None)
    assert (verdict.planned, verdict.passed) == (6, 6)


def test_calls_come_by_endpoint_then_as_planned_then_by_number():
    first, second = plan().calls[0], change(plan().calls[0], name="a-later", count=2)
    its_plan = {"calls": (first, second)}
    verdict = judge_run(
        [report(plan(CALLER, endpoints=(1, 0), **its_plan)), report(plan(CALLEE, endpoints=(1, 0), **its_plan))]
    )

    assert [(call.endpoint, call.call, call.number) for call in verdict.calls] == [
        (0, "pin", 0), (0, "a-later", 0), (0, "a-later", 1), (1, "pin", 0), (1, "a-later", 0), (1, "a-later", 1),
    ]  # fmt: skip


def test_lanes_are_judged_together():
    lanes = [
        report(plan(CALLER, lane=0, endpoints=(0,)), caller_leg()),
        report(plan(CALLEE, lane=0, endpoints=(0,)), callee_leg()),
        report(plan(CALLER, lane=1, endpoints=(1,)), caller_leg(endpoint=1)),
        report(plan(CALLEE, lane=1, endpoints=(1,)), callee_leg(endpoint=1, dtmf_received=())),
    ]
    verdict = judge_run(lanes)

    assert [endpoint.result for endpoint in verdict.endpoints] == [Result.PASSED, Result.FAILED]


def test_nothing_at_all_is_not_passed():
    assert (judge_run([]).result, judge_run([]).reason) == (Result.INCONCLUSIVE, Reason.NOT_MEASURED)


def test_an_endpoint_without_calls_is_not_passed():
    verdict = judge_run([report(plan(calls=()))])

    assert [(e.result, e.reason, e.planned) for e in verdict.endpoints] == [
        (Result.INCONCLUSIVE, Reason.NOT_MEASURED, 0)
    ]


def test_one_endpoint_in_two_plans_of_a_role_is_refused():
    with pytest.raises(ValueError, match="endpoint 0 is in two Caller plans"):
        judge_run([report(plan(lane=0)), report(plan(lane=1))])


def test_a_callee_registration_elsewhere_matters_not():
    caller, callee = good_reports()
    other = registration(CALLEE, endpoint=5, outcome="Rejected", code=403)

    assert judge_run([caller, replace(callee, registrations=(*callee.registrations, other))]).result is Result.PASSED


def test_a_caller_told_to_stop_says_so_where_the_sut_itself_answers():
    caller = good_reports()[0]
    alone = plan(CALLER, callee_declared=False, account__register=False)
    leg = change(caller.legs[0], progress__bye_ms=2000.0, progress__ended_ms=2010.0)
    verdict = judge_run([report(alone, leg, lost_reason=Reason.ABORTED, lost_message="the run was deleted")])

    assert verdict.reason is Reason.ABORTED
