"""What the callee does in each call, and what of that contradicts itself."""

import pytest

from agent.contract.call import Acting, Behaviour
from agent.contract.verdict import Reason
from controller.plan.acting import acting_in, check_acting
from controller.plan.cause import PlanningError
from tests.unit.controller.objects import NO_CALLEE, spec

PARTY, CALL = "callee", "calls.0.callee"
REFUSED = {"calls.0.expect": {"sipCode": 486}}
DECLINES = {"behaviour": "Refuse", "refuse": {"code": 603}}


@pytest.mark.covers("calls[].callee.behaviour")
def test_what_a_call_says_stands_instead_of_what_the_callee_does_in_others():
    test = spec(REFUSED | {"callee.behaviour": "Absorber", "callee.answerAfterMilliseconds": 900})
    busy = spec({CALL: {"behaviour": "Busy"}}).calls[0]
    late = spec({CALL: {"answerAfterMilliseconds": 50}}).calls[0]
    assert acting_in(test.callee, test.calls[0]) == Acting(behaviour=Behaviour.ABSORBER, answer_after_milliseconds=900)
    assert acting_in(test.callee, busy) == Acting(behaviour=Behaviour.BUSY, answer_after_milliseconds=900)
    assert acting_in(test.callee, late).answer_after_milliseconds == 50
    rings = spec({CALL: {"behaviour": "RingOnly"}}).calls[0]
    assert acting_in(spec({"callee.refuse": {"code": 603}}).callee, rings) == Acting(behaviour=Behaviour.RING_ONLY)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        NO_CALLEE,
        REFUSED | {"callee.behaviour": "Busy"},
        REFUSED | {f"{PARTY}.{name}": value for name, value in DECLINES.items()},
        REFUSED | {CALL: DECLINES},
        REFUSED,
        {"calls.0.expect": {"sipCode": 487}, "callee.behaviour": "RingOnly"},
        {"calls.0.expect": {"sipCode": "4xx"}, CALL: {"behaviour": "RingOnly"}, "callee.answerAfterMilliseconds": 9},
    ],
)
def test_what_fits_together_is_accepted(changes):
    check_acting(spec(changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"callee.behaviour": "Busy"},
            "calls[0].expect.sipCode: is 200, and callee.behaviour is Busy, which answers",
        ),
        ({CALL: {"behaviour": "Busy"}}, "calls[0].expect.sipCode: is 200, and calls[0].callee.behaviour is Busy"),
        ({"callee.behaviour": "RingOnly"}, "calls[0].expect.sipCode: is 200, and callee.behaviour is RingOnly, which"),
        ({"calls.0.expect": {"sipCode": 487}}, "calls[0].expect.sipCode: is 487, of a caller that gives up"),
        (REFUSED | {"callee.behaviour": "Refuse"}, "callee.refuse: is needed"),
        (REFUSED | {CALL: {"behaviour": "Refuse"}}, "calls[0].callee.refuse: is needed"),
        (REFUSED | {"callee.refuse": {"code": 603}}, "callee.refuse: needs behaviour: Refuse, and it is Parrot"),
        (
            REFUSED | {"callee.behaviour": "Refuse", "callee.refuse": {"code": 488}},
            "callee.refuse.code: 488 is not for a callee",
        ),
        (
            REFUSED | {CALL: {"behaviour": "Refuse", "refuse": {"code": 407}}},
            "calls[0].callee.refuse.code: 407 is not for a callee",
        ),
        (
            REFUSED | {CALL: {"behaviour": "RingOnly", "answerAfterMilliseconds": 9}},
            "calls[0].callee.answerAfterMilliseconds: means nothing",
        ),
        (
            {"callee.answerAfterMilliseconds": 29_600, "calls.0.answerTimeoutSeconds": 30},
            "callee.answerAfterMilliseconds: 29600 is not 500 ms before calls[0].answerTimeoutSeconds, 30",
        ),
        (
            {CALL: {"answerAfterMilliseconds": 31_000}, "calls.0.answerTimeoutSeconds": 30},
            "calls[0].callee.answerAfterMilliseconds: 31000",
        ),
        (NO_CALLEE | {CALL: {"behaviour": "Parrot"}}, "calls[0].callee.behaviour: the test has no callee"),
        (
            NO_CALLEE | {CALL: {"answerAfterMilliseconds": 9}},
            "calls[0].callee.answerAfterMilliseconds: the test",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_and_both_fields_are_named(changes, said):
    with pytest.raises(PlanningError) as error:
        check_acting(spec(changes))
    assert error.value.cause.reason is Reason.INVALID_TEST
    assert error.value.cause.message.startswith(said)
