"""A party does what its legs' steps say, as things happen, and tells what it did and what it could not."""

import pytest

from agent.contract.call import Behaviour, CallCallee, SendDtmf
from agent.contract.observation import Side
from agent.contract.plan import call_key
from agent.contract.verdict import Role
from tests.unit.agent.world import UID, group, one_stage, plan
from tests.unit.fake_phone import Peer


def actions(leg) -> list[tuple]:
    return [(action.name, action.at_ms, action.error) for action in leg.actions]


def test_a_caller_tells_what_it_did_and_when(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="12")),)))
    it.run()
    assert actions(it.legs[0]) == [("Place", 0.0, None), ("SendDigits", 600.0, None), ("HangUp", 4100.0, None)]


def test_a_parrot_tells_what_it_did_and_when(world):
    it = world(plan(Role.CALLEE, callee_declared=True), steps=one_stage(20.0))
    call = it.phone.invite(after_s=1.0, key=call_key(UID, 0, "pin", 0))
    it.phone.receive_digits(call.handle, "7", after_s=2.0)
    it.step_until(5)
    it.phone.be_hung_up_on(call, after_s=1.0)
    it.run()
    assert actions(it.legs[0]) == [
        ("PlayBack", 0.0, None),
        ("Ring", 0.0, None),
        ("Answer", 100.0, None),
        ("SendDigits", pytest.approx(1800.0, abs=60), None),
    ]


def test_what_the_phone_refuses_is_told(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="12")),)))
    it.phone.refuses.add("send_digits")
    it.run()
    assert actions(it.legs[0])[1] == ("SendDigits", None, "send_digits refused")


def test_a_call_that_could_not_be_placed_tells_why(world):
    it = world(plan())
    it.phone.refuses.add("call")
    it.run()
    assert actions(it.legs[0]) == [("Place", None, "not placed: call refused")]


def test_what_was_still_to_be_done_when_the_call_ended_is_told(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="1", after_milliseconds=3000)),)))
    it.phone.peer.hangs_up_after_s = 1.0
    it.run()
    over = "the call was over"
    assert actions(it.legs[0]) == [("Place", 0.0, None), ("SendDigits", None, over), ("HangUp", None, over)]


def test_a_call_that_is_hung_up_early_does_no_more(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="1", after_milliseconds=3000)),)))
    it.terminated_s = 2.0
    it.run()
    assert [action.name for action in it.legs[0].actions] == ["Place", "HangUp", "SendDigits", "HangUp"]
    assert it.did("send_digits") == []
    assert len(it.did("hang_up")) == 1


@pytest.mark.parametrize("behaviour", [Behaviour.PARROT, Behaviour.ABSORBER])
def test_a_callee_that_gets_no_ack_hangs_up_after_64_t1(world, behaviour):
    """RFC 3261 §13.3.1.4, also where the call is to be held for longer."""
    it = world(
        plan(
            Role.CALLEE, callee_declared=True, calls=(group(hold_seconds=60, callee=CallCallee(behaviour=behaviour)),)
        ),
        Peer(acknowledges=False),
        one_stage(100.0),
    )
    it.phone.invite(key=call_key(UID, 0, "pin", 0))
    it.run()
    (leg,) = it.legs
    assert it.times("hang_up") == pytest.approx([32.1], abs=0.06)
    assert (leg.acknowledged, leg.ended_by) == (False, Side.LOCAL)
    assert "no ACK" in (leg.local_reason or "")


def test_a_callee_that_got_its_ack_does_not_hang_up(world):
    it = world(plan(Role.CALLEE, callee_declared=True), steps=one_stage(60.0))
    it.phone.invite(key=call_key(UID, 0, "pin", 0))
    it.run()
    assert it.times("hang_up") == pytest.approx([62.0], abs=0.1)


def test_timers_do_not_pile_up_while_digits_come(world):
    it = world(plan(Role.CALLEE, callee_declared=True), steps=one_stage(60.0))
    call = it.phone.invite(key=call_key(UID, 0, "pin", 0))
    it.phone.receive_digits(call.handle, "1" * 200, after_s=1.0)
    it.step_until(30.0)
    assert len(it.runner._timers._due) <= 10
    assert it.did("send_digits") == []
    it.run()
    assert [len(entry[3]) for entry in it.did("send_digits")] == [200]
