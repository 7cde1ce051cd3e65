"""What is believed of an agent's result and log."""

import msgspec
import pytest

from agent.contract.call import Call
from agent.contract.observation import LegObservation, SipMessage
from agent.contract.plan import Account, Plan, RunRef, Stage, plan_digest
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.result import (
    AgentResult,
    KeptLine,
    ProgressLine,
    StopCause,
    TurnedAway,
    detail_digest,
    encode_line,
    encode_result,
)
from agent.contract.verdict import Check, Finding, Reason, Role
from controller.plan.cause import Cause
from controller.run.collect import Log, collect, legs_of, read_log

PLAN = Plan(
    run=RunRef(uid="run-1", namespace="default", name="pin-g1", call_test="pin"),
    agent="caller-0",
    role=Role.CALLER,
    account=Account(uri="sip:alice@x", register=False),
    callee_declared=False,
    stages=(Stage(endpoint=3, address="127.0.0.1:5060", name="sut"),),
    calls=(Call(name="pin", to="sip:bob@x", hold_seconds=1, answer_timeout_seconds=5),),
    allowed_targets=("127.0.0.1/32",),
    max_calls_per_second=1,
    deadline_s=60,
)
RAW = PLAN.encode()
LOST = Cause(reason=Reason.AGENT_LOST, message="its node is gone")
LEG = LegObservation(
    role=Role.CALLER, endpoint=3, call="pin", number=0, call_key="k", sip_call_id="c", from_user="alice", started_at=1.0
)
REGISTRATION = RegistrationObservation(role=Role.CALLER, endpoint=3, outcome=RegistrationOutcome.REGISTERED, code=200)
PROGRESS = ProgressLine(run_uid="run-1", agent="caller-0", ready=1, done=0, active=1, ended=0, failed=0)
LINES = [encode_line(REGISTRATION), encode_line(LEG)]
LOG = Log(detail=(REGISTRATION, LEG), raw=tuple(LINES))
FINDING = Finding(call="pin", number=0, endpoint=3, leg=Role.CALLER, check=Check.DTMF, reason=Reason.DTMF_MISMATCH)


def result(**changes: object) -> bytes:
    whole = AgentResult(
        run_uid="run-1",
        agent="caller-0",
        plan_sha256=plan_digest(RAW),
        final=True,
        legs=1,
        detail=detail_digest(LINES),
        findings=(FINDING,),
    )
    return encode_result(msgspec.structs.replace(whole, **changes))


def test_our_lines_are_picked_from_a_mixed_log() -> None:
    log = read_log([b"a library prints\n", LINES[0], b"\n", encode_line(PROGRESS), b"\xff\n", LINES[1].rstrip()])
    assert log == Log(detail=(REGISTRATION, LEG), raw=tuple(LINES), progress=PROGRESS)


def test_final_result_with_all_its_lines_is_complete() -> None:
    report = collect(PLAN, RAW, result(), LOG, LOST)
    assert report.complete
    assert (report.legs, report.registrations, report.recorded) == ((LEG,), (REGISTRATION,), (FINDING,))
    assert (report.lost_reason, report.lost_message) == (None, "")


@pytest.mark.parametrize("nothing", [None, b"", b" " * 4000])
def test_agent_without_a_result_is_lost_as_its_host_says(nothing: bytes | None) -> None:
    report = collect(PLAN, RAW, nothing, LOG, LOST)
    assert not report.complete
    assert (report.lost_reason, report.lost_message) == (Reason.AGENT_LOST, "its node is gone")
    assert report.legs == (LEG,)


def test_result_that_is_not_final_leaves_its_recorded_findings() -> None:
    report = collect(PLAN, RAW, result(final=False), LOG, LOST)
    assert not report.complete
    assert report.recorded == (FINDING,)
    assert report.lost_message == "its node is gone"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run_uid": "run-2"}, "run_uid is 'run-2', expected 'run-1'"),
        ({"agent": "callee-0"}, "agent is 'callee-0'"),
        ({"plan_sha256": "0" * 64}, "plan_sha256"),
    ],
)
def test_nothing_of_a_stranger_s_result_counts(changes: dict[str, object], said: str) -> None:
    report = collect(PLAN, RAW, result(**changes), LOG, LOST)
    assert report.lost_reason is Reason.RESULT_REJECTED
    assert said in report.lost_message
    assert (report.legs, report.registrations, report.recorded) == ((), (), ())


def test_who_turned_away_is_told_with_it() -> None:
    away = TurnedAway(role=Role.CALLER, endpoint=3, peer="10.0.0.1:40001", alert="unknown_ca")
    log = Log(detail=(REGISTRATION, LEG, away), raw=tuple(LINES))
    assert collect(PLAN, RAW, result(), log, LOST).turned_away == (away,)


def test_malformed_result_is_rejected() -> None:
    assert collect(PLAN, RAW, b'{"version": 1}', LOG, LOST).lost_reason is Reason.RESULT_REJECTED
    assert collect(PLAN, RAW, result() + b"{", LOG, LOST).lost_reason is Reason.RESULT_REJECTED


@pytest.mark.parametrize("leg", [{"endpoint": 4}, {"role": Role.CALLEE}])
def test_lines_that_the_plan_does_not_know_are_rejected(leg: dict[str, object]) -> None:
    log = Log(detail=(msgspec.structs.replace(LEG, **leg),), raw=(b"",))
    report = collect(PLAN, RAW, result(), log, LOST)
    assert report.lost_reason is Reason.RESULT_REJECTED
    assert "is not in the plan" in report.lost_message


def test_missing_lines_are_counted() -> None:
    report = collect(PLAN, RAW, result(), Log(detail=(LEG,), raw=(LINES[1],)), LOST)
    assert not report.complete
    assert (report.lost_reason, report.lost_message) == (
        Reason.AGENT_LOST,
        "1 of 2 detail lines are in the log",
    )
    assert report.recorded == (FINDING,)


def test_lines_that_were_changed_are_noticed() -> None:
    report = collect(PLAN, RAW, result(), Log(detail=(LEG, LEG), raw=(LINES[1], LINES[1])), LOST)
    assert "sha256 differs" in report.lost_message


def test_agent_that_was_stopped_is_complete_and_says_why() -> None:
    aborted = Cause(reason=Reason.ABORTED, message="by its user")
    report = collect(PLAN, RAW, result(stopped=StopCause.SIGNAL), LOG, aborted)
    assert report.complete
    assert (report.lost_reason, report.lost_message) == (Reason.ABORTED, "by its user")


def test_agent_that_its_node_stopped_is_lost_and_its_calls_count() -> None:
    shutdown = Cause(reason=Reason.AGENT_LOST, message="Terminated: node shutdown", explains_stop=True)
    report = collect(PLAN, RAW, result(stopped=StopCause.SIGNAL), LOG, shutdown)
    assert report.complete
    assert report.legs == (LEG,)
    assert (report.lost_reason, report.lost_message) == (Reason.AGENT_LOST, "Terminated: node shutdown")


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (StopCause.DEADLINE, Reason.DEADLINE_EXCEEDED),
        (StopCause.TERMINATED, Reason.ABORTED),
        (StopCause.SIGNAL, Reason.ABORTED),
    ],
)
def test_agent_that_its_host_did_not_stop_says_what_did(cause: StopCause, reason: Reason) -> None:
    report = collect(PLAN, RAW, result(stopped=cause), LOG, LOST)
    assert report.complete
    assert report.lost_reason is reason


@pytest.mark.parametrize(
    ("texts", "said"), [({"note": "port in use"}, "port in use"), ({"observed": "x"}, "x"), ({}, "no more is known")]
)
def test_error_of_the_agent_is_what_is_said(texts: dict[str, str], said: str) -> None:
    error = Finding(call="", number=0, endpoint=0, leg=Role.CALLER, check=Check.RUN, reason=Reason.AGENT_ERROR, **texts)
    report = collect(PLAN, RAW, result(error=error), LOG, LOST)
    assert not report.complete
    assert (report.lost_reason, report.lost_message) == (Reason.AGENT_ERROR, said)


MESSAGE = SipMessage(at_ms=0.0, sent=True, peer="p", text="INVITE")


def kept(**fields: object) -> KeptLine:
    return KeptLine(role=Role.CALLER, endpoint=3, **fields)  # type: ignore[arg-type]


def test_what_was_kept_of_a_leg_later_is_told_with_the_leg() -> None:
    other = msgspec.structs.replace(LEG, index=1, number=1)
    line = kept(index=0, messages=(MESSAGE,), evidence="a/b", evidence_fault="no capture")
    found = legs_of([LEG, other, line])
    assert found == (
        msgspec.structs.replace(LEG, messages=(MESSAGE,), evidence="a/b", evidence_fault="no capture"),
        other,
    )


def test_what_a_leg_said_itself_stands() -> None:
    leg = msgspec.structs.replace(LEG, messages=(MESSAGE,), evidence="a/b", evidence_fault="full")
    assert legs_of([kept(index=0), leg]) == (leg,)


def test_a_line_of_another_role_is_refused_whatever_it_tells() -> None:
    line = msgspec.structs.replace(kept(index=0), role=Role.CALLEE)
    lines = [*LINES, encode_line(line)]
    log = read_log(lines)
    assert collect(PLAN, RAW, result(detail=detail_digest(lines)), log, LOST).lost_reason is Reason.RESULT_REJECTED
