"""How digits came, where they are the right ones: by which method, ended, and long enough."""

from typing import Any

import pytest

from agent.contract.call import DtmfMethod, ExpectLeg
from agent.contract.observation import Digit
from agent.contract.verdict import Check, Reason, Result
from agent.judge.leg import judge_leg
from agent.judge.run import judge_run
from tests.unit.agent.judge.judging import CALLEE, CALLER, both, callee_alone, caller_alone, note_of, said
from tests.unit.builders import callee_leg, caller_leg, change, digits, plan, report

NOTHING_ASKED = {"group__expect__callee__dtmf": None}
BY_INFO = digits("1234#", DtmfMethod.INFO)


def crossed(text: str = "1234#", **changed: Any) -> tuple[Digit, ...]:
    """Digits as the wire has them; `changed` of the third one."""
    whole = [
        change(digit, last_ms=(digit.at_ms or 0.0) + 140, packets=7, end_packets=3, marker=True, volume_dbm0=-10)
        for digit in digits(text)
    ]
    return tuple(change(digit, **changed) if place == 2 else digit for place, digit in enumerate(whole))


def test_digits_by_another_method_are_right_and_come_the_wrong_way():
    [finding] = judge_leg(plan(), callee_leg(dtmf_received=BY_INFO))
    assert (finding.reason, finding.observed) == (Reason.DTMF_OTHER_METHOD, "1234# by INFO")
    assert finding.note == "by RFC4733 they were expected"


def test_digits_by_both_methods_are_there_twice():
    assert callee_alone(dtmf_received=crossed() + BY_INFO) == [(Check.DTMF, Reason.DTMF_OTHER_METHOD)]
    assert callee_alone({"group__expect__callee__dtmf__digits": ""}, dtmf_received=BY_INFO) == [
        (Check.DTMF, Reason.DTMF_OTHER_METHOD)
    ]


def test_other_digits_by_another_method_are_other_digits():
    assert callee_alone(dtmf_received=digits("99", DtmfMethod.INFO)) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


@pytest.mark.parametrize("its_plan", [{}, NOTHING_ASKED])
def test_a_digit_that_was_never_ended_fails_whether_or_not_digits_were_asked_for(its_plan):
    assert callee_alone(its_plan, dtmf_received=crossed()) == []
    [finding] = judge_leg(plan(**its_plan), callee_leg(dtmf_received=crossed(end_packets=0)))
    assert (finding.check, finding.reason) == (Check.DTMF, Reason.DTMF_NOT_ENDED)
    assert finding.observed == "digit 3 (3) without an end packet"


def test_a_digit_that_the_end_of_the_call_cut_is_not_the_paths_doing():
    """The call is 8 s long."""
    assert callee_alone(dtmf_received=crossed(end_packets=0, last_ms=7900.0)) == []
    assert callee_alone(dtmf_received=crossed(end_packets=0, last_ms=7700.0)) == [(Check.DTMF, Reason.DTMF_NOT_ENDED)]


def test_a_digit_shorter_than_any_receiver_must_take_fails():
    assert callee_alone(dtmf_received=crossed(duration_ms=40.0)) == []
    [finding] = judge_leg(plan(), callee_leg(dtmf_received=crossed(duration_ms=30.0)))
    assert (finding.reason, finding.observed) == (Reason.DTMF_CUT_SHORT, "digit 3 (3) of 30 ms")


def test_what_digits_are_wrong_stands_before_how_they_came():
    assert callee_alone(dtmf_received=crossed("12345", end_packets=0)) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_a_digit_that_lost_most_of_its_length_on_the_way_fails_at_the_end_that_received_it():
    fine = both(callee={"dtmf_received": crossed(duration_ms=50.0)})
    assert fine.result is Result.PASSED
    short = both(callee={"dtmf_received": crossed(duration_ms=45.0)})
    assert said(short.findings) == [(Check.DTMF, Reason.DTMF_CUT_SHORT)]
    assert note_of(short, CALLEE, Check.DTMF) == "the caller sent it for 100 ms"


def test_a_short_digit_opposite_a_late_agent_may_be_its_doing():
    late = both(caller={"health__rtp_lateness_ms": 300.0}, callee={"dtmf_received": crossed(duration_ms=45.0)})
    assert said(late.findings) == [(Check.DTMF, Reason.PEER_LOST)]


@pytest.mark.parametrize(
    ("sent", "reason"), [("1234#", Reason.DTMF_NOT_ENDED), ("124#", Reason.NOT_MEASURED), ("", Reason.NOT_MEASURED)]
)
def test_a_digit_without_its_end_is_the_paths_doing_only_where_it_was_sent_to_its_end(sent, reason):
    seen = both(caller={"dtmf_sent": crossed(sent)}, callee={"dtmf_received": crossed(end_packets=0)})
    assert (Check.DTMF, reason) in said(seen.findings, CALLEE)


def test_the_echo_of_a_parrot_is_held_against_what_the_parrot_sent():
    seen = both(callee={"dtmf_sent": crossed()}, caller={"dtmf_received": crossed(end_packets=0)})
    assert said(seen.findings) == [(Check.DTMF, Reason.DTMF_NOT_ENDED)]
    assert note_of(seen, CALLER, Check.DTMF) == "the callee sent 1234# to their end"
    assert caller_alone(dtmf_received=crossed()) == []


def test_a_digit_without_its_end_fails_where_the_sut_itself_sent_it():
    its_plan = plan(CALLER, callee_declared=False, group__expect__callee=ExpectLeg())
    [call] = judge_run([report(its_plan, caller_leg(dtmf_received=crossed(end_packets=0)))]).calls
    assert said(call.findings) == [(Check.DTMF, Reason.DTMF_NOT_ENDED)]
