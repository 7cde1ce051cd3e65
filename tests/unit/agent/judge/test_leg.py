"""Which legs an agent can judge by itself."""

import pytest

from agent.contract.media import MAX_SECTIONS
from agent.contract.verdict import Check, Reason
from agent.judge.checks import asked
from agent.judge.leg import judge_leg
from tests.unit.agent.judge.judging import CALLEE, CALLER, said
from tests.unit.builders import SECTION, callee_leg, caller_leg, change, digits, plan


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


@pytest.mark.covers("calls[].name")
def test_findings_name_the_leg_they_are_about():
    [finding] = judge_leg(
        plan(CALLEE, endpoints=(3,), group__count=5), callee_leg(endpoint=3, number=4, dtmf_received=())
    )

    assert (finding.endpoint, finding.call, finding.number, finding.leg) == (3, "pin", 4, CALLEE)
    assert finding.call_id == "3-pin-4@10.0.0.9"


def test_packets_that_found_no_room_leave_nothing_that_seemed_to_hold():
    """Where they may be the leg's own."""
    many = {"left_out": 3, "sections": (SECTION,) * MAX_SECTIONS}
    assert judge_leg(plan(), caller_leg(left_out=3)) == (), "strangers': there was room for the peer"
    found = judge_leg(plan(), caller_leg(**many))
    assert said(found) == said(judge_leg(plan(), caller_leg(left_out=3, uncounted=3))), "the tap knows them"
    assert {(finding.check, finding.reason) for finding in found} == {
        (check, Reason.NOT_MEASURED) for check in asked(plan().calls[0].expect.caller)
    }
    assert "3 packets were of more sources" in (found[0].note or "")
    lost = judge_leg(plan(), caller_leg(**many, dtmf_received=()))
    assert (Check.DTMF, Reason.DTMF_MISMATCH) in said(lost), "what is broken stays so"
