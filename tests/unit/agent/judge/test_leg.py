"""Which legs an agent can judge by itself."""

import pytest

from agent.contract.verdict import Check, Reason
from agent.judge.leg import judge_leg
from tests.unit.agent.judge.judging import CALLEE, CALLER, said
from tests.unit.builders import callee_leg, caller_leg, change, digits, plan


@pytest.mark.parametrize(
    "changes",
    [
        {"call": None, "number": None, "call_key": None},
        {"number": None},
        {"call": "other"},
        {"number": 1},
        {"number": -1},
        {"call_key": "another-run/0/pin/0"},
    ],
)
def test_nothing_is_expected_of_a_leg_that_is_no_planned_call(changes):
    assert judge_leg(plan(CALLEE), change(callee_leg(final_code=503, dtmf_received=()), **changes)) == ()


def test_a_callee_leg_without_our_header_but_known_is_judged():
    leg = callee_leg(call_key=None, dtmf_received=())

    assert said(judge_leg(plan(CALLEE), leg)) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_a_leg_is_judged_by_its_own_groups_expectations():
    strict, lax = plan().calls[0], change(plan().calls[0], name="lax", expect__caller__dtmf=None)
    its_plan = plan(CALLER, calls=(strict, lax))
    leg = {"dtmf_received": digits("1")}

    assert judge_leg(its_plan, caller_leg(call="lax", **leg)) == ()
    assert said(judge_leg(its_plan, caller_leg(**leg))) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_findings_name_the_leg_they_are_about():
    [finding] = judge_leg(
        plan(CALLEE, endpoints=(3,), group__count=5), callee_leg(endpoint=3, number=4, dtmf_received=())
    )

    assert (finding.endpoint, finding.call, finding.number, finding.leg) == (3, "pin", 4, CALLEE)
    assert finding.call_id == "3-pin-4@10.0.0.9"
