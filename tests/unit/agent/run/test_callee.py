"""A callee takes what comes, and tells of it."""

import pytest

from agent.contract.call import Behaviour, CallCallee, InfoType
from agent.contract.expect import DtmfMethod
from agent.contract.headers import PlannedHeader, SentOn
from agent.contract.observation import Side
from agent.contract.plan import Account, Signal, call_key
from agent.contract.verdict import Role
from agent.phone.protocol import DigitReceived, StackRefused
from tests.unit.agent.world import UID, World, group, one_stage, plan, stages
from tests.unit.fake_phone import Peer
from tests.unit.sip_messages import request, response


def callee(world, *, peer=None, until_s=20.0, **fields) -> World:
    usual = {"callee_declared": True, "calls": (group(count=3),)}
    return world(plan(Role.CALLEE, **(usual | fields)), peer, one_stage(until_s))


def test_a_parrot_rings_answers_and_plays_back(world):
    it = callee(world)
    key = call_key(UID, 0, "pin", 1)
    call = it.phone.invite(after_s=1.0, key=key)
    it.step_until(2)
    it.phone.be_hung_up_on(call, after_s=4.0)
    it.run()
    assert (it.times("ring"), it.times("answer")) == ([1.0], [1.1])
    assert it.did("answer")[0][3:] == (200,)
    assert it.times("play_back") == [1.0]
    (leg,) = it.legs
    assert (leg.role, leg.call, leg.number, leg.call_key, leg.from_user) == (Role.CALLEE, "pin", 1, key, "alice")
    assert (leg.final_code, leg.ended_by, leg.bye_answered) == (200, Side.REMOTE, None)
    assert leg.progress.ringing_ms == 0
    assert it.did("call") == []


def test_an_absorber_listens_only(world):
    it = callee(world, calls=(group(callee=CallCallee(behaviour=Behaviour.ABSORBER)),))
    call = it.phone.invite()
    it.phone.receive_digits(call.handle, "12", after_s=1.0)
    it.run()
    assert it.did("answer")[0][3:] == (200,)
    assert it.did("play_back") == []
    assert it.did("send_digits") == []


def test_a_parrot_repeats_digits_once_after_the_last_one_ended(world):
    it = callee(world)
    call = it.phone.invite()
    it.phone.receive_digits(call.handle, "1234#", after_s=1.0)
    it.phone.receive_digits(call.handle, "99", after_s=6.0)
    it.run()
    assert [entry[3] for entry in it.did("send_digits")] == ["1234#", "99"]
    assert it.times("send_digits") == pytest.approx([1.0 + 0.8 + 0.1 + 0.7, 6.0 + 0.2 + 0.1 + 0.7], abs=0.06)


def test_a_parrot_repeats_digits_as_they_came(world):
    it = callee(world)
    call = it.phone.invite()
    usual = {"call": call.handle, "method": DtmfMethod.INFO}
    it.phone.receive_digits(call.handle, "1", after_s=1.0)
    for place, (digit, kind) in enumerate((("2", InfoType.RELAY), ("3", InfoType.RELAY), ("4", InfoType.BARE))):
        it.phone.at(1.4 + place / 10, DigitReceived, digit=digit, info_type=kind, **usual)
    it.run()
    told = [(entry[3], entry[5], entry[6]) for entry in it.did("send_digits")]
    assert told == [
        ("1", DtmfMethod.RFC4733, InfoType.RELAY),
        ("23", DtmfMethod.INFO, InfoType.RELAY),
        ("4", DtmfMethod.INFO, InfoType.BARE),
    ]
    assert it.times("send_digits") == pytest.approx([2.3] * 3, abs=0.06)


def test_a_digit_that_never_ends_is_repeated_all_the_same(world):
    it = callee(world)
    call = it.phone.invite()
    it.phone.receive_digits(call.handle, "7", after_s=1.0, ends=False)
    it.run()
    assert it.times("send_digits") == pytest.approx([3.7], abs=0.06)


def test_digits_are_not_repeated_into_a_call_that_is_over(world):
    it = callee(world)
    call = it.phone.invite()
    it.phone.receive_digits(call.handle, "7", after_s=1.0)
    it.step_until(1.2)
    it.phone.be_hung_up_on(call, after_s=0.1)
    it.run()
    assert it.did("send_digits") == []


def test_a_call_cancelled_while_it_rings_is_not_answered(world):
    it = callee(world)
    call = it.phone.invite(after_s=1.0)
    it.phone.end(call, after_s=1.05)
    it.run()
    assert it.did("answer") == []
    assert it.legs[0].final_code is None


def test_an_answer_that_the_phone_refuses_is_a_leg_without_a_code(world):
    it = callee(world)
    it.phone.refuses.add("answer")
    it.phone.invite()
    it.run()
    assert it.legs[0].final_code is None


def test_the_same_call_twice_is_two_legs(world):
    it = callee(world)
    for after_s in (1.0, 1.5):
        it.phone.invite(after_s=after_s, key=call_key(UID, 0, "pin", 0), call_id="forked")
    it.run()
    assert [(leg.call, leg.number, leg.sip_call_id) for leg in it.legs] == [("pin", 0, "forked")] * 2


def test_another_runs_call_is_left_to_its_own_callee(world):
    """Two tests with one callee URI: the SUT forks each call to both callees, and the first to answer gets it."""
    it = callee(world)
    call = it.phone.invite(after_s=1.0, key=call_key("another-run", 0, "pin", 1))
    it.run()
    assert it.did("ring") == []
    assert [entry[3] for entry in it.did("answer")] == [480]
    assert [(leg.call, leg.final_code) for leg in it.legs] == [(None, 480)]
    assert call.headers == {"X-Calltest-Refused": "CalleeShared"}


def test_a_call_of_nobodys_is_a_stray_and_still_told(world):
    it = callee(world)
    it.phone.invite(key="other-run/0/pin/0")
    it.phone.invite()
    it.run()
    assert [(leg.call, leg.number, leg.findings) for leg in it.legs] == [(None, None, ())] * 2


def test_a_flood_of_calls_is_refused(world):
    it = callee(world, calls=(group(concurrency=2),))
    for _ in range(40):
        it.phone.invite()
    it.run()
    codes = [entry[3] for entry in it.did("answer")]
    assert (codes.count(486), codes.count(200)) == (18, 22)


def test_calls_still_up_when_their_stage_is_over_are_hung_up(world):
    it = callee(world, until_s=5.0)
    it.phone.invite()
    it.run()
    assert it.times("hang_up") == pytest.approx([7.0], abs=0.1)
    (leg,) = it.legs
    assert (leg.ended_by, leg.local_reason) == (Side.LOCAL, "the stage was over")


def test_a_call_between_two_stages_belongs_to_the_one_before(world):
    """The new stage's registration hangs for 32 s: nobody can have been told to call there yet."""
    steps = [(0.0, Signal(go=0)), (5.0, Signal(prepare=1, go=0)), (60.0, Signal(prepare=2, go=1))]
    it = world(plan(Role.CALLEE, register=True, stages=stages(2)), steps=steps)
    it.phone.invite(after_s=0.5)
    it.step_until(4.0)
    it.phone.peer.register_code = None
    it.phone.invite(after_s=10.0)  # while it registers
    it.step_until(59.0)
    it.phone.invite(after_s=0.5)  # registered, or known not to be
    it.run()
    assert [(leg.endpoint, round(leg.started_at - it.legs[0].started_at)) for leg in it.legs] == [
        (0, 0),
        (0, 14),
        (1, 59),
    ]


def test_calls_that_end_soon_after_their_stage_are_not_touched(world):
    it = callee(world, until_s=5.0)
    call = it.phone.invite()
    it.step_until(4.0)
    it.phone.be_hung_up_on(call, after_s=2.0)
    it.run()
    assert it.did("hang_up") == []
    assert it.clock.now_s - 1000 == pytest.approx(6.1, abs=0.3)


def test_a_call_that_the_stack_never_ends_does_not_hold_the_callee(world):
    it = callee(world, peer=Peer(ends_calls=False), until_s=5.0)
    it.phone.invite()
    it.run()
    assert it.clock.now_s - 1000 < 60
    assert len(it.legs) == 1


def test_a_call_to_the_caller_is_refused_and_no_leg(world):
    it = world(plan())
    it.phone.invite(after_s=2.0)
    it.run()
    assert it.did("answer")[0][3] == 480
    assert len(it.legs) == 1


def test_an_invite_that_the_stack_refuses_by_itself_is_a_leg_all_the_same(world):
    it = callee(world)
    key = call_key(UID, 0, "pin", 1)
    it.phone.received(request("INVITE", "odd", key=key, branch="b"), 1.0)
    it.phone.sent(response(488, "odd", branch="b"), 1.0)
    it.phone.at(1.0, StackRefused, sip_call_id="odd", code=488)
    it.run()
    (leg,) = it.legs
    assert (leg.call, leg.number, leg.final_code) == ("pin", 1, 488)
    assert leg.local_reason == "our SIP stack refused the INVITE with 488"
    assert it.did("answer") == []


def test_a_callee_sends_its_headers_in_calls_that_it_takes(world):
    own = (
        PlannedHeader(name="X-A", value="at {endpoint}", messages=(SentOn.RESPONSES,)),
        PlannedHeader(name="X-B", value="b", messages=(SentOn.ANSWER, SentOn.BYE)),
    )
    its_plan = plan(Role.CALLEE, account=Account(uri="sip:bob@example.com", register=False, headers=own))
    it = world(its_plan)
    taken = it.phone.invite(key=call_key(UID, 0, "pin", 0))
    refused = it.phone.invite(after_s=1.0, key=call_key("another-run", 0, "pin", 1))
    it.run()
    assert it.phone.headers[taken.handle] == [
        ("Ring", {"X-A": "at 0"}),
        ("Answer", {"X-A": "at 0", "X-B": "b"}),
        ("HangUp", {"X-B": "b"}),  # as its time is over
    ]
    assert it.phone.headers[refused.handle] == [("Answer", {"X-Calltest-Refused": "CalleeShared"})]
