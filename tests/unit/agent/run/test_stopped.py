"""An agent that is told to stop while a call has no answer yet: nobody knows what it would have come to."""

import pytest

from agent.contract.plan import Signal, call_key
from agent.contract.verdict import Reason, Result, Role
from agent.judge.run import judge_run
from agent.judge.verdicts import AgentReport
from tests.unit.agent.world import UID, World, group, plan
from tests.unit.fake_phone import Peer
from tests.unit.sip_messages import response

STOP_AT_S = 2.0
SILENT = Peer(rings=False, answers_after_s=None, answers_cancel=False)
RINGING = Peer(answers_after_s=None)
DEAF = Peer(answers_after_s=None, answers_cancel=False)


def stopped(world, how: str, peer: Peer | None = None, role: Role = Role.CALLER, **fields) -> World:
    """A world whose agent is told to stop after two seconds."""
    steps = [(0.0, Signal(go=0))] + ([(STOP_AT_S, Signal(go=0, stop=True))] if how == "signal" else [])
    deadline_s = STOP_AT_S if how == "deadline" else 600.0
    fields = {"callee_declared": True, "deadline_s": deadline_s, **fields}
    it = world(plan(role, **fields), peer, steps)
    if how == "SIGTERM":
        it.terminated_s = STOP_AT_S
    return it


@pytest.mark.parametrize("how", ["SIGTERM", "signal", "deadline"])
@pytest.mark.parametrize("peer", [SILENT, RINGING, DEAF], ids=["silent", "ringing", "deaf"])
def test_a_caller_stopped_before_the_answer_blames_nobody(world, how, peer):
    it = stopped(world, how, peer)
    it.run()
    (leg,) = it.legs
    assert [finding.reason for finding in leg.findings] == [Reason.ABORTED]
    assert leg.progress.ended_ms is not None


def test_a_timeout_that_was_over_before_the_stop_stays_the_suts(world):
    it = stopped(world, "SIGTERM", DEAF, calls=(group(answer_timeout_seconds=1),))
    it.run()
    assert [finding.reason for finding in it.legs[0].findings] == [Reason.NO_ANSWER]


def test_a_refusal_that_came_before_the_stop_stays_the_suts(world):
    it = stopped(world, "SIGTERM", Peer(code=486, answers_after_s=STOP_AT_S - 0.01))
    it.run()
    assert [finding.reason for finding in it.legs[0].findings] == [Reason.SIP_CODE_MISMATCH]


@pytest.mark.parametrize("code", [408, 480, 503, 603])
def test_a_final_response_that_a_cancel_brought_about_is_no_code_of_the_suts(world, code):
    it = stopped(world, "SIGTERM", DEAF)
    it.step_until(STOP_AT_S + 0.06)
    (call,) = it.phone.calls.values()
    it.phone.received(response(code, call.call_id), 0.1)
    it.run()
    assert it.legs[0].final_code == code
    assert [finding.reason for finding in it.legs[0].findings] == [Reason.ABORTED]


@pytest.mark.parametrize("reason", [Reason.ABORTED, Reason.DEADLINE_EXCEEDED, Reason.PEER_LOST])
def test_the_run_says_why_it_was_stopped(world, reason):
    it = stopped(world, "signal", SILENT, calls=(group(count=3),), callee_declared=False)
    it.run()
    found = judge_run([AgentReport(plan=it.plan, legs=tuple(it.legs), complete=True, lost_reason=reason)])
    assert (found.result, found.reason, found.inconclusive) == (Result.INCONCLUSIVE, reason, 3)


def callee_stopped_while_it_rang(world) -> World:
    it = stopped(world, "SIGTERM", role=Role.CALLEE)
    it.phone.invite(after_s=STOP_AT_S - 0.05, key=call_key(UID, 0, "pin", 0))
    it.run()
    return it


def test_a_callee_stopped_before_it_answered_blames_nobody(world):
    it = callee_stopped_while_it_rang(world)
    assert [finding.reason for finding in it.legs[0].findings] == [Reason.ABORTED]


@pytest.mark.parametrize("code", [480, 503])
def test_the_refusal_of_a_callee_that_was_stopped_is_not_the_suts(world, code):
    callee = callee_stopped_while_it_rang(world)
    caller = world(plan(callee_declared=True), Peer(code=code), [(0.0, Signal(go=0)), (9.0, Signal(prepare=1, go=0))])
    caller.run()
    end = AgentReport(plan=callee.plan, legs=tuple(callee.legs), complete=True, lost_reason=Reason.ABORTED)
    found = judge_run([AgentReport(plan=caller.plan, legs=tuple(caller.legs), complete=True), end])
    assert (found.result, found.reason) == (Result.INCONCLUSIVE, Reason.ABORTED)


def test_a_callee_that_was_stopped_takes_no_more_calls(world):
    it = stopped(world, "SIGTERM", Peer(answers_bye=False), role=Role.CALLEE)
    it.phone.invite(after_s=1.0, key=call_key(UID, 0, "pin", 0))
    it.phone.invite(after_s=STOP_AT_S + 1, key=call_key(UID, 0, "pin", 1))
    it.run()
    assert [entry[3] for entry in it.did("answer")] == [200, 480]
    assert [leg.told_to_stop for leg in it.legs] == [True, True]


def test_a_callee_that_was_stopped_before_the_call_came_is_no_fault_of_the_suts(world):
    caller = world(plan(callee_declared=True), Peer(code=404), [(0.0, Signal(go=0)), (9.0, Signal(prepare=1, go=0))])
    caller.run()
    end = AgentReport(plan=plan(Role.CALLEE, callee_declared=True), complete=True, lost_reason=Reason.ABORTED)
    found = judge_run([AgentReport(plan=caller.plan, legs=tuple(caller.legs), complete=True), end])
    assert (found.result, found.reason) == (Result.INCONCLUSIVE, Reason.ABORTED)
