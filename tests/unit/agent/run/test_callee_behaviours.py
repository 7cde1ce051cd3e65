"""What a callee agent does in each of its calls."""

import pytest

from agent.contract.call import Behaviour, CallCallee, Refusal
from agent.contract.headers import Header
from agent.contract.plan import call_key
from agent.contract.verdict import Role
from tests.unit.agent.world import UID, World, group, one_stage, plan


def callee(world, *groups, **fields) -> World:
    return world(plan(Role.CALLEE, callee_declared=True, calls=groups, **fields), None, one_stage(20.0))


BUSY, RINGS = (CallCallee(behaviour=behaviour) for behaviour in (Behaviour.BUSY, Behaviour.RING_ONLY))


@pytest.mark.covers("callee.behaviour")
def test_a_callee_does_in_each_call_what_that_one_says(world):
    it = callee(world, group(callee=BUSY), group(name="taken"), group(name="rung", callee=RINGS))
    named = [call_key(UID, 0, name, 0) for name in ("pin", "taken", "rung")]
    for after_s, key in enumerate((*named, None)):
        it.phone.invite(after_s=float(after_s), key=key)
    it.run()
    assert [entry[3] for entry in it.did("answer")] == [486, 200, 200]
    assert it.times("answer") == pytest.approx([0.0, 1.1, 3.1])
    assert it.times("ring") == pytest.approx([1.0, 2.0, 3.0])
    assert sorted(code or 0 for code in (leg.final_code for leg in it.legs)) == [0, 200, 200, 486]


def test_a_callee_of_one_kind_of_calls_needs_no_name_for_them(world):
    it = callee(world, group(callee=BUSY))
    it.phone.invite()
    it.run()
    assert [entry[3] for entry in it.did("answer")] == [486]


@pytest.mark.covers(
    "callee.refuse.code",
    "callee.refuse.headers[].name",
    "callee.refuse.headers[].value",
    "calls[].callee.refuse.code",
    "calls[].callee.refuse.headers[].name",
    "calls[].callee.refuse.headers[].value",
)
def test_a_callee_refuses_with_its_code_and_headers_alone(world):
    why = Header(name="Reason", value="Q.850;cause={endpoint}")
    it = callee(world, group(callee=CallCallee(behaviour=Behaviour.REFUSE, refuse=Refusal(code=603, headers=(why,)))))
    call = it.phone.invite()
    it.run()
    assert it.phone.headers[call.handle] == [("Answer", {"Reason": "Q.850;cause=0"})]
    assert [entry[3] for entry in it.did("answer")] == [603]
    assert it.did("ring") == []


@pytest.mark.covers("callee.answerAfterMilliseconds", "calls[].callee.answerAfterMilliseconds")
@pytest.mark.parametrize("behaviour", [Behaviour.PARROT, Behaviour.BUSY])
def test_a_callee_rings_for_as_long_as_it_is_to(world, behaviour):
    it = callee(world, group(callee=CallCallee(behaviour=behaviour, answer_after_milliseconds=1500)))
    it.phone.invite(after_s=1.0)
    it.run()
    assert it.times("ring") + it.times("answer") == pytest.approx([1.0, 2.5])
