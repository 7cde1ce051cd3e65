"""Tests that could only fail, whatever the SUT does, are refused before they run."""

import pytest

from agent.contract.verdict import Reason
from controller.plan.cause import PlanningError
from controller.plan.expectations import check_expectations
from tests.unit.controller.objects import NO_CALLEE, spec

CALLEE = "calls.0.expect.callee"
CALLER = "calls.0.expect.caller"
NOTHING = {CALLEE: None, CALLER: None}
SUT_ENDS = {"calls.0.expect.endedBy": "SUT", "calls.0.expect.maxCallSeconds": 3}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"calls.0.holdSeconds": 7, f"{CALLEE}.rtp.minPackets": 350},
        # The SUT itself answers: it may echo audio, and send digits of its own.
        NO_CALLEE,
        {**NO_CALLEE, "calls.0.caller.dtmf": None},
        {f"{CALLER}.dtmf": None, f"{CALLER}.audio": None, "callee.behaviour": "Absorber"},
        {**NOTHING, "calls.0.expect.sipCode": 503},
        {
            **NOTHING,
            "calls.0.expect.sipCode": 503,
            CALLER: {"headers": [{"message": "Final", "name": "A", "count": 1}]},
        },
        {**NOTHING, "calls.0.expect.sipCode": "4xx"},
        {"calls.0.expect.phrase": {"matches": "^O+K$"}},
        {**SUT_ENDS, "calls.0.expect.minCallSeconds": 3, "calls.0.expect.maxCallSeconds": 3},
        {"calls.0.expect.endedBy": "SUT"},
        {"calls.0.expect.redirect": "Required", "calls.0.caller.redirects": "Follow"},
        {**NOTHING, "calls.0.expect": {"sipCode": "3xx", "redirectTo": "sip:carol{endpoint}@example.com"}},
        {"calls.0.expect.redirect": "Forbidden"},
        {**NOTHING, "calls.0.expect.sipCode": 486, CALLER: {"reason": {"protocol": "Q.850"}}},
        {**SUT_ENDS, f"{CALLER}.reason": {"protocol": "Q.850"}, f"{CALLEE}.reason": {"protocol": "SIP", "cause": 200}},
        {"calls.0.expect.sipCode": "2xx", "calls.0.expect.answeredWithinMilliseconds": 101},
        {**NOTHING, "calls.0.expect.sipCode": 486, "calls.0.expect.answeredWithinMilliseconds": 50},
        {**NOTHING, "calls.0.holdSeconds": 1, "calls.0.caller.dtmf": None},
        {f"{CALLEE}.audio": "Any", f"{CALLER}.audio": "Silence", "calls.0.caller.play": {"silence": {}}},
    ],
)
def test_what_can_come_true_is_accepted(changes):
    check_expectations(spec(changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"calls.0.expect.sipCode": 503}, "calls[0].expect.caller.dtmf"),
        ({"calls.0.expect.sipCode": "5xx"}, "calls[0].expect.caller.dtmf"),
        ({f"{CALLER}.reason": {"protocol": "Q.850"}}, "calls[0].expect.caller.reason"),
        (
            {**NOTHING, "calls.0.expect.sipCode": 486, CALLEE: {"reason": {"protocol": "SIP"}}},
            "calls[0].expect.callee.reason",
        ),
        ({"calls.0.expect.redirect": "Required"}, "calls[0].expect.redirect"),
        ({"calls.0.expect.redirectTo": "sip:carol@example.com"}, "calls[0].expect.redirectTo"),
        ({"calls.0.expect.redirectTo": "sip:carol@example.com?X=1"}, "calls[0].expect.redirectTo"),
        ({**NOTHING, "calls.0.expect": {"sipCode": "3xx", "redirect": "Forbidden"}}, "calls[0].expect.redirect"),
        (
            {"calls.0.expect.redirect": "Forbidden", "calls.0.expect.redirectTo": "sip:carol@example.com"},
            "calls[0].expect.redirect",
        ),
        ({"calls.0.expect.minCallSeconds": 3}, "calls[0].expect.minCallSeconds"),
        ({"calls.0.expect.maxCallSeconds": 3}, "calls[0].expect.maxCallSeconds"),
        ({**NOTHING, "calls.0.expect": {"sipCode": 486, "endedBy": "SUT"}}, "calls[0].expect.endedBy"),
        ({**SUT_ENDS, "calls.0.expect.minCallSeconds": 4}, "calls[0].expect.minCallSeconds"),
        ({**SUT_ENDS, "calls.0.expect.maxCallSeconds": 9}, "calls[0].expect.maxCallSeconds"),
        ({"calls.0.expect.phrase": {"matches": "(a"}}, "calls[0].expect.phrase.matches"),
        ({"calls.0.expect.answeredWithinMilliseconds": 100}, "calls[0].expect.answeredWithinMilliseconds"),
        (
            {
                **NOTHING,
                "calls.0.expect.sipCode": 486,
                "calls.0.answerTimeoutSeconds": 5,
                "calls.0.expect.answeredWithinMilliseconds": 5001,
            },
            "calls[0].expect.answeredWithinMilliseconds",
        ),
        ({**NOTHING, "calls.0.expect.sipCode": 302, CALLEE: {"audio": "Any"}}, "calls[0].expect.callee.audio"),
        ({**NOTHING, "calls.0.expect.sipCode": 486, CALLER: {"rtp": {}}}, "calls[0].expect.caller.rtp"),
        (
            {**NOTHING, "calls.0.expect.sipCode": 486, CALLER: {"maxForeignPercent": "5"}},
            "calls[0].expect.caller.maxForeignPercent",
        ),
        ({"callee": None}, "calls[0].expect.callee.dtmf"),
        ({"callee.behaviour": "Absorber"}, "calls[0].expect.caller.audio"),
        ({"callee.behaviour": "Absorber", f"{CALLER}.audio": "Any"}, "calls[0].expect.caller.dtmf"),
        ({"calls.0.caller.play": {"tone": {}}}, "calls[0].expect.caller.audio"),
        ({"calls.0.caller.play": {"tone": {}}, CALLER: None}, "calls[0].expect.callee.audio"),
        ({"calls.0.caller.dtmf": None}, "calls[0].expect.callee.dtmf"),
        ({"calls.0.caller.dtmf": None, f"{CALLEE}.dtmf": None}, "calls[0].expect.caller.dtmf"),
        ({CALLER: {"audio": "Any", "maxForeignPercent": "5"}}, "calls[0].expect.caller.maxForeignPercent"),
        (
            {f"{CALLEE}.headers": [{"message": "Final", "name": "A", "count": 1}]},
            "calls[0].expect.callee.headers[0].message",
        ),
        ({f"{CALLER}.requestUris": [{"equals": "a"}]}, "calls[0].expect.caller.requestUris[0].message"),
        ({**NO_CALLEE, CALLEE: {"requestUris": [{"equals": "a"}]}}, "calls[0].expect.callee.requestUris"),
        (
            {**NOTHING, "calls.0.expect.sipCode": "4xx", CALLEE: {"requestUris": [{"message": "BYE", "equals": "a"}]}},
            "calls[0].expect.callee.requestUris[0].message",
        ),
        ({f"{CALLEE}.rtp.minPackets": 801}, "calls[0].expect.callee.rtp.minPackets"),
        ({f"{CALLER}.rtp.minPackets": 801}, "calls[0].expect.caller.rtp.minPackets"),
    ],
)
def test_what_cannot_come_true_is_refused(changes, field):
    with pytest.raises(PlanningError) as error:
        check_expectations(spec(changes))
    assert error.value.cause.reason is Reason.INVALID_TEST
    assert error.value.cause.message.startswith(field + ": ")


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        # 500 ms, 5 × 200 ms, 1000 ms later the same again, and 500 ms to spare.
        ({f"{CALLER}.audio": None, f"{CALLEE}.audio": None}, 4),
        # One way only.
        ({f"{CALLER}": None, f"{CALLEE}.audio": None}, 2),
        # The digits, then undisturbed audio.
        ({f"{CALLER}": None}, 4),
        # Audio alone.
        ({f"{CALLER}": None, f"{CALLEE}.dtmf": None, "calls.0.caller.dtmf": None}, 3),
        # Digits that are sent, and expected by nobody, take their time as well.
        ({**NOTHING, "calls.0.caller.dtmf.afterMilliseconds": 6000}, 8),
    ],
)
def test_a_call_must_be_long_enough_for_what_happens_in_it(changes, seconds):
    bounds = {f"{leg}.rtp": None for leg in (CALLER, CALLEE) if leg not in changes}
    check_expectations(spec({**changes, **bounds, "calls.0.holdSeconds": seconds}))
    with pytest.raises(PlanningError, match=f"too short for its digits and audio: {seconds} at least") as error:
        check_expectations(spec({**changes, **bounds, "calls.0.holdSeconds": seconds - 1}))
    assert error.value.cause.message.startswith("calls[0].holdSeconds: ")


def test_each_call_is_looked_at():
    call = {"name": "second", "expect": {"callee": {"dtmf": {"digits": "1"}}}}
    test = spec()
    with pytest.raises(PlanningError, match=r"calls\[1\]"):
        check_expectations(spec({"calls": [{"name": "first"}, call], "callee.uri": test.callee.uri}))
