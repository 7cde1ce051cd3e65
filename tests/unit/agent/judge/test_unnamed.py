"""Whether a leg is broken that nothing names, behind a path that strips our header."""

import pytest

from agent.judge.unnamed import is_broken_unnamed
from tests.unit.agent.judge.judging import CALLEE, CALLER
from tests.unit.builders import SILENT, callee_leg, caller_leg, change, digits, heard, plan

UNNAMED = {"call": None, "number": None, "call_key": None}


def unnamed(**fields):
    return change(callee_leg(), **UNNAMED, **fields)


STRICT = plan().calls[0]
LAX = change(STRICT, name="lax", expect__callee__dtmf=None)


@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({}, False),
        ({"dtmf_received": digits("1")}, True),
        ({"final_code": 603}, True),
        ({"heard": SILENT}, True),
    ],
)
def test_it_is_judged_as_what_it_must_be(fields, broken):
    assert is_broken_unnamed(plan(CALLEE), unnamed(**fields)) is broken


@pytest.mark.parametrize("leg", [callee_leg(dtmf_received=()), change(caller_leg(), dtmf_received=(), **UNNAMED)])
def test_a_leg_that_is_named_or_a_callers_is_not_judged_again(leg):
    assert not is_broken_unnamed(plan(leg.role), leg)


@pytest.mark.parametrize("key", ["another-run/0/pin/0", "0f5b3c4e-run/0/nothing/0"])
def test_a_leg_that_names_what_is_not_in_the_plan_is_nobodys(key):
    leg = change(callee_leg(), call=None, number=None, call_key=key, dtmf_received=())
    assert not is_broken_unnamed(plan(CALLEE), leg)


def test_it_is_broken_only_where_no_call_of_the_plan_would_hold():
    mute = unnamed(dtmf_received=(), heard=None)
    strict = change(STRICT, expect__callee__audio=None)
    lax = change(LAX, expect__callee__audio=None)
    assert is_broken_unnamed(plan(CALLEE, calls=(strict,)), mute)
    assert not is_broken_unnamed(plan(CALLEE, calls=(strict, lax)), mute)


def test_the_signal_that_it_heard_says_which_call_it_is():
    """The fourth strict call, whose digits never came: no lax call excuses it."""
    its_plan = plan(CALLEE, calls=(change(STRICT, count=5), change(LAX, count=5)))
    leg = callee_leg(number=3)
    assert not is_broken_unnamed(its_plan, change(leg, **UNNAMED))
    assert is_broken_unnamed(its_plan, change(leg, dtmf_received=(), **UNNAMED))


def test_a_signal_of_nobodys_says_nothing():
    assert is_broken_unnamed(plan(CALLEE), unnamed(heard=heard({"99": 15})))


def test_without_planned_calls_nothing_is_expected():
    assert not is_broken_unnamed(plan(CALLEE, calls=()), unnamed(dtmf_received=()))


def test_a_caller_has_no_unnamed_legs():
    assert not is_broken_unnamed(plan(CALLER), change(caller_leg(), final_code=503, **UNNAMED))
