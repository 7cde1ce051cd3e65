"""What became of digits on their way, and whether what was lost are they."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.media import Gap, GapKind
from agent.contract.verdict import Check, Reason
from agent.judge.digits import fate, is_within
from tests.unit.agent.judge.judging import CALLEE, both, said
from tests.unit.builders import digits

KEYS = st.text("123", max_size=6)


@pytest.mark.parametrize(
    ("sent", "came", "what"),
    [
        ("1234#", "", "lost on the way to the callee"),
        ("1234#", "124#", 'digit 3 ("3") lost on the way to the callee'),
        ("1234#", "14", 'digits 2 ("2"), 3 ("3") and 5 ("#") lost on the way to the callee'),
        ("1234#", "11234#", 'digit 2 ("1") added on the way to the callee'),
        ("1234#", "1284#", 'digit 3 changed from "3" to "8" on the way to the callee'),
        ("1234#", "4321", "changed on the way to the callee"),
        ("12", "12", "these came as they were sent, and the test expects others"),
    ],
)
def test_lost_added_and_changed_are_told_apart(sent, came, what):
    assert fate(sent, came, "callee") == what


@given(KEYS, KEYS)
def test_what_is_lost_is_within_what_was_sent_and_nothing_else_is(sent, came):
    if sent != came and came:
        assert (" lost " in fate(sent, came, "caller")) is is_within(came, sent)


LOSS = {"received__lost": 20, "received__lost_ms": 400.0, "received__media_ms": 7100.0, "dtmf_received": digits("124#")}
FIRST_OF_ALL = (Check.DTMF, Reason.DTMF_MISMATCH)


def gap(at_ms, missing_ms=400.0, kind=GapKind.LOST):
    return Gap(at_ms=at_ms, missing_ms=missing_ms, packets=20, kind=kind)


def test_digits_come_first_where_the_lost_packets_are_theirs():
    verdict = both(callee=LOSS | {"gaps": (gap(1200.0),)})
    assert (verdict.reason, said(verdict.findings, CALLEE)[0]) == (Reason.DTMF_MISMATCH, FIRST_OF_ALL)
    assert (Check.RTP_LOSS, Reason.PACKET_LOSS) in said(verdict.findings, CALLEE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"gaps": (gap(6000.0),)},
        {"gaps": ()},
        {"gaps": (gap(None),)},
        {"gaps": (gap(1200.0, kind=GapKind.PAUSE),)},
        {"gaps": (gap(1200.0), gap(4000.0, 1000.0))},
        {"gaps": (gap(1200.0),), "gaps_left_out": 1},
    ],
    ids=["later", "nowhere", "at a time that is not known", "a pause", "mostly elsewhere", "not all are told"],
)
def test_loss_comes_first_where_the_lost_packets_are_others(elsewhere):
    assert both(callee=LOSS | elsewhere).reason is Reason.PACKET_LOSS


def test_loss_comes_first_where_it_is_not_known_what_was_sent_when():
    assert both(callee=LOSS | {"gaps": (gap(1200.0),)}, caller={"dtmf_sent": ()}).reason is Reason.PACKET_LOSS
