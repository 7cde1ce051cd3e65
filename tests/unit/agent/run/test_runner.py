"""An agent walks its stages as the signal allows, and ends when told to."""

from dataclasses import replace

import pytest

from agent.contract.plan import DialRoute, Signal
from agent.contract.result import KeptLine, StopCause, TurnedAway
from agent.contract.steps import Answer
from agent.contract.verdict import Check, Reason, Role
from agent.phone.protocol import ConnectionSeen, PhoneError
from tests.unit.agent.judge.wire import carrier
from tests.unit.agent.world import all_at_once, group, plan, stages
from tests.unit.fake_phone import FakePhone, Peer


def test_stages_are_walked_as_the_signal_allows(world):
    steps = [
        (0.0, Signal()),
        (1.0, Signal(go=0)),
        (10.0, Signal(prepare=1, go=0)),
        (12.0, Signal(prepare=1, go=1)),
        (20.0, Signal(prepare=2, go=1)),
    ]
    it = world(plan(register=True, stages=stages(2)), steps=steps)
    it.run()
    assert it.times("call") == pytest.approx([1.0, 12.0], abs=0.1)
    assert it.times("add_account") == pytest.approx([0.0, 10.0], abs=0.1)
    assert [entry[2].proxy for entry in it.did("add_account")] == ["127.0.0.1:5060", "127.0.0.2:5060"]
    assert [entry[2].uri for entry in it.did("add_account")] == ["sip:alice0@example.com", "sip:alice1@example.com"]
    assert [leg.endpoint for leg in it.legs] == [0, 1]
    states = [(line.ready, line.done) for line in it.progress]
    assert list(dict.fromkeys(states)) == [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2)]
    assert it.clock.now_s - 1000 == pytest.approx(20.0, abs=0.2)


def test_a_stage_that_is_over_before_go_is_left_without_calls(world):
    it = world(plan(stages=stages(2)), steps=[(0.0, Signal(prepare=1)), (1.0, Signal(prepare=2))])
    it.run()
    assert it.did("call") == []
    assert it.result.legs == 0


def test_a_caller_that_is_called_and_cannot_even_refuse_goes_on(world):
    it = world(plan())
    real = it.phone.perform

    def perform(call, action):
        real(call, action)
        if isinstance(action, Answer):
            raise PhoneError("cannot answer 480")

    it.phone.perform = perform
    it.phone.invite(after_s=0.5)
    it.run()
    assert [entry[3] for entry in it.did("answer")] == [480]
    assert [leg.call for leg in it.legs] == ["pin"]


def test_a_plan_without_stages_is_done_at_once(world):
    it = world(plan(stages=()))
    assert it.run().legs == 0


def test_an_address_that_is_not_allowed_gets_no_packet(world):
    it = world(plan(register=True, allowed_targets=("10.0.0.0/8",)))
    final = it.run()
    assert it.did("add_account") == it.did("call") == []
    (finding,) = final.findings
    assert (finding.reason, finding.check, finding.observed) == (
        Reason.TARGET_NOT_ALLOWED,
        Check.RUN,
        "127.0.0.1:5060",
    )
    assert it.progress[-1].done == 1


def test_sip_goes_to_the_plans_targets_and_to_our_own_agents_alone(world):
    it = world(plan(), steps=[(0.5, Signal(prepare=0, go=0, peer_address="10.1.1.1:5090"))])
    it.run()
    assert it.phone.allowed == ("127.0.0.0/8", "127.0.0.1", "10.1.1.1")


def test_an_allowed_stage_after_one_that_is_not_is_walked(world):
    it = world(
        plan(stages=stages(2), allowed_targets=("127.0.0.2/32",)),
        steps=[*all_at_once(1), (30.0, Signal(prepare=2, go=1))],
    )
    it.run()
    assert [leg.endpoint for leg in it.legs] == [1]


@pytest.mark.parametrize(
    ("to", "dialled"),
    [
        ("sip:bob@example.com", "sip:bob@10.1.1.1:5090"),
        ("sip:bob{endpoint}@example.com:5062;user=phone", "sip:bob0@10.1.1.1:5090"),
        ("sip:+123;phone-context=x@example.com", "sip:+123;phone-context=x@10.1.1.1:5090"),
        ("SIP:b%40b@example.com", "sip:b%40b@10.1.1.1:5090"),
        ("sip:example.com;lr", "sip:10.1.1.1:5090"),
        ("sips:bob@example.com", "sips:bob@10.1.1.1:5090"),
        ("SIPS:example.com", "sips:10.1.1.1:5090"),
    ],
)
def test_the_peers_address_is_called_where_the_plan_says_so(world, to, dialled):
    steps = [(0.0, Signal(go=0, peer_address="10.1.1.1:5090")), (60.0, Signal(prepare=1, go=0))]
    it = world(plan(dial=DialRoute.PEER, calls=(group(to=to),)), steps=steps)
    it.run()
    assert it.did("call")[0][2] == dialled


def test_without_the_peers_address_nothing_is_called(world):
    it = world(plan(dial=DialRoute.PEER))
    it.run()
    assert it.did("call") == []
    assert "peerAddress" in (it.legs[0].local_reason or "")


def test_who_hung_up_on_our_certificate_is_told_once(world):
    it = world(plan(Role.CALLEE))
    shunned = carrier(
        number=7, protocol="TLS", outgoing=False, remote="10.0.0.1:40001", up_s=None, closed_s=1.0, status=495_048
    )
    for changes in ({}, {"number": 8, "remote": "10.0.0.1:40002"}, {"outgoing": True}, {"up_s": 0.9}, {"status": 0}):
        it.phone.at(0.5, ConnectionSeen, connection=replace(shunned, **changes))
    it.step_until(2)
    (told,) = it.kinds(TurnedAway)
    assert (told.role, told.endpoint, told.peer, told.alert) == (Role.CALLEE, 0, "10.0.0.1:40001", "unknown_ca")


def test_progress_is_told_while_nothing_changes(world):
    it = world(plan())
    it.step_until(21)
    assert 9 <= len(it.progress) <= 20
    assert it.progress[-1].address == FakePhone.address


@pytest.mark.parametrize("how", ["SIGTERM", "signal", "deadline"])
def test_told_to_stop_it_hangs_up_and_tells(world, how):
    steps = [(0.0, Signal(go=0))] + ([(2.0, Signal(stop=True))] if how == "signal" else [])
    it = world(
        plan(register=True, deadline_s=2.0 if how == "deadline" else 600.0, calls=(group(count=5),)), steps=steps
    )
    if how == "SIGTERM":
        it.terminated_s = 2.0
    final = it.run()
    causes = {"SIGTERM": StopCause.TERMINATED, "signal": StopCause.SIGNAL, "deadline": StopCause.DEADLINE}
    assert final.stopped is causes[how]
    assert it.times("hang_up") == pytest.approx([2.0], abs=0.1)
    (leg,) = it.legs
    reasons = {"SIGTERM": "terminated", "signal": "the run was stopped", "deadline": "deadline of 2 s"}
    assert reasons[how] in (leg.local_reason or "")
    assert len(it.did("remove_account")) == 1
    assert it.clock.now_s - 1000 < 3


def test_told_to_stop_with_a_peer_that_does_not_answer_it_still_ends(world):
    it = world(plan(), Peer(answers_bye=False))
    it.terminated_s = 2.0
    final = it.run()
    assert it.clock.now_s - 1000 == pytest.approx(5.0, abs=0.2)
    assert (final.legs, final.stopped, it.legs[0].bye_answered) == (1, StopCause.TERMINATED, False)


def test_told_to_stop_a_callee_hangs_up(world):
    it = world(plan(Role.CALLEE, callee_declared=True))
    it.phone.invite()
    it.terminated_s = 2.0
    assert it.run().stopped
    assert it.legs[0].local_reason == "the agent was terminated"


def test_stopped_while_it_waits_to_unregister_it_does_not_leave_twice(world):
    it = world(plan(register=True), Peer(answers_unregister=False), [(0.0, Signal(prepare=1))])
    it.terminated_s = 1.0
    it.run()
    assert len(it.did("remove_account")) == 1


def test_a_stop_after_all_is_done_changes_nothing(world):
    it = world(plan(), steps=[(0.0, Signal(go=0)), (30.0, Signal(prepare=1, go=0, stop=True))])
    it.step_until(29)
    assert it.progress[-1].done == 1
    assert not it.run().stopped


@pytest.mark.parametrize("how", ["SIGTERM", "signal", "deadline"])
def test_told_to_stop_after_its_last_stage_it_ends_at_once_with_its_plan_done(world, how):
    steps = [(0.0, Signal(go=0))] + ([(20.0, Signal(go=0, stop=True))] if how == "signal" else [])
    it = world(plan(register=True, deadline_s=20.0 if how == "deadline" else 600.0), steps=steps)
    if how == "SIGTERM":
        it.terminated_s = 20.0
    it.step_until(19.0)
    assert it.progress[-1].done == 1
    final = it.run()
    assert it.clock.now_s - 1000 == pytest.approx(20.0, abs=0.1)
    assert (final.legs, final.stopped, final.findings) == (1, None, it.legs[0].findings)


def test_an_agent_that_dies_leaves_what_it_knew(world):
    it = world(plan(calls=(group(count=2), group(name="later"))), Peer(code=503))
    it.step_until(0.5)
    result = it.result
    assert not result.final
    assert result.legs == 2
    assert [finding.reason for finding in result.findings] == [Reason.SIP_CODE_MISMATCH] * 2


KEPT_AT_S = 90.0
TOLD_TO_GO = [(0.0, Signal(go=0)), (60.0, Signal(prepare=1, go=0))]


def test_an_agent_that_is_done_waits_to_be_told_what_to_keep(world):
    steps = [*TOLD_TO_GO, (KEPT_AT_S, Signal(prepare=1, go=0, keep=((0, 0),)))]
    it = world(plan(callee_declared=True), steps=steps)
    result = it.run()
    assert it.clock.now_s - 1000 == pytest.approx(KEPT_AT_S, abs=0.2)
    assert (result.stopped, it.progress[-1].done) == (None, 1)
    (leg,), (kept,) = it.legs, it.kinds(KeptLine)
    assert (leg.messages, leg.findings) == ((), ())
    assert (kept.role, kept.index) == (leg.role, leg.index)
    assert kept.messages[0].text.startswith("INVITE ")


def test_an_agent_without_a_peer_waits_for_nobody(world):
    it = world(plan(), steps=TOLD_TO_GO)
    it.run()
    assert it.clock.now_s - 1000 == pytest.approx(60.0, abs=0.2)


def test_an_agent_that_is_never_told_ends_at_its_deadline_and_its_plan_is_done(world):
    it = world(plan(callee_declared=True, deadline_s=100.0), steps=TOLD_TO_GO)
    result = it.run()
    assert it.clock.now_s - 1000 == pytest.approx(100.0, abs=0.2)
    assert (result.stopped, it.kinds(KeptLine)) == (None, [])


def test_an_agent_that_is_stopped_keeps_what_it_is_told_with_that(world):
    stop = Signal(prepare=1, go=0, stop=True, keep=((0, 0),))
    it = world(plan(callee_declared=True), steps=[*TOLD_TO_GO, (70.0, stop)])
    it.run()
    assert [line.index for line in it.kinds(KeptLine)] == [0]


def test_each_leg_has_an_index_of_its_own(world):
    it = world(plan(calls=(group(count=3),)))
    it.run()
    assert [leg.index for leg in it.legs] == [0, 1, 2]
