"""Digits that came as tones are heard where those that a leg was to receive are missing, and only there."""

import numpy as np
import pytest

from agent.contract.expect import DtmfMethod
from agent.contract.media import Origin
from agent.contract.verdict import Role
from agent.run.tones import MAX_S, tones_heard
from agent.sound.identity import encode
from tests.unit.agent.trace.keypad import dialled
from tests.unit.builders import callee_leg, change, digits, plan

PEER = "10.0.0.1:30000"
DIALLED = {PEER: dialled("1234#", ms=100.0)}
CALLEE = plan(Role.CALLEE)


def test_tones_in_the_place_of_the_digits_are_heard():
    assert tones_heard(CALLEE, callee_leg(dtmf_received=()), DIALLED) == "1234#"


def test_digits_by_info_are_none_of_rfc_4733():
    leg = callee_leg(dtmf_received=digits("1234#", DtmfMethod.INFO))
    assert tones_heard(CALLEE, leg, DIALLED) == "1234#"


@pytest.mark.parametrize("code", [0, 0x123456, 0xFFFFFF, 0x5A5A5A])
def test_this_calls_signal_is_no_digit(code):
    assert tones_heard(CALLEE, callee_leg(dtmf_received=()), {PEER: encode(code, frames=8)}) == ""


@pytest.mark.parametrize(
    ("leg", "tracks"),
    [
        (callee_leg(), DIALLED),
        (callee_leg(dtmf_received=()), {}),
        (callee_leg(dtmf_received=(), received=None), DIALLED),
        (callee_leg(dtmf_received=(), call=None), DIALLED),
        (change(callee_leg(dtmf_received=()), received__origin=Origin.STRANGER), DIALLED),
    ],
    ids=["the digits came", "nothing was recorded", "nothing was counted", "of no planned call", "of a stranger"],
)
def test_nobody_listens_where_nothing_is_missing_or_there_is_nothing_to_hear(leg, tracks):
    assert tones_heard(CALLEE, leg, tracks) is None


def test_nobody_listens_for_digits_that_no_test_asks_for():
    assert tones_heard(plan(Role.CALLEE, group__expect__callee__dtmf=None), callee_leg(), DIALLED) is None


def test_a_callers_own_expectation_counts():
    silent = plan(Role.CALLER, group__expect__caller__dtmf=None)
    assert tones_heard(silent, callee_leg(dtmf_received=()), DIALLED) == "1234#"


def test_of_a_long_call_the_beginning_is_heard():
    late = np.concatenate([np.zeros(MAX_S * 8000, np.int16), DIALLED[PEER]])
    assert tones_heard(CALLEE, callee_leg(dtmf_received=()), {PEER: late}) == ""
