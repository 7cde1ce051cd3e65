"""A run that measured everything, and an operator that shows everything."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from agent.contract.observation import LegObservation, Progress
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.verdicts import CallVerdict, EndpointVerdict, Flow, RunVerdict
from controller.api.calltest_status import CallTestStatus, LastRun, ScheduleStatus, SkipReason
from controller.api.parse import CallTestRun
from controller.api.run import CallCounts, CallTestRunSpec, CallTestRunStatus, Condition, Endpoint
from controller.api.test import CallTestSpec
from controller.operator.metrics import Metrics
from controller.operator.workqueue import Key
from controller.run.runs import RunSeen
from tests.unit.builders import SECTION, SOURCE, change
from tests.unit.controller.world import spec as raw_spec

NO_FLOW = Flow(sent=None, received=None, lost=None)
CREATED = datetime(2025, 12, 31, tzinfo=UTC)
TEST = ("voice", "pin")


def leg(role: Role, *, final_code: int | None = 200, **more: Any) -> LegObservation:
    fixed = {"endpoint": 0, "call": "pin", "number": 0, "call_key": None, "sip_call_id": None, "from_user": None}
    return LegObservation(role=role, started_at=0, final_code=final_code, **(fixed | more))


def media(*, sent: int | None = None, **received: object) -> dict[str, object]:
    """One section of it."""
    sources = None if sent is None else (change(SOURCE, packets=sent),)
    return {"sections": (SECTION,), "sent": sources, "received": (change(SOURCE, **received),)}


def verdict(
    *calls: tuple[LegObservation | None, LegObservation | None],
    result: Result = Result.PASSED,
    findings: tuple[Finding, ...] = (),
) -> RunVerdict:
    judged = tuple(
        CallVerdict(
            endpoint=0,
            call="pin",
            number=number,
            result=result,
            reason=None,
            findings=findings,
            caller=caller,
            callee=callee,
            paired_by=None,
            to_callee=NO_FLOW,
            to_caller=NO_FLOW,
        )
        for number, (caller, callee) in enumerate(calls)
    )
    count = len(judged)
    endpoint = EndpointVerdict(
        endpoint=0, name="sut-0", result=result, reason=None, planned=count, passed=count, failed=0, inconclusive=0
    )
    return RunVerdict(
        result=result,
        reason=None,
        worst=None,
        planned=count,
        passed=count,
        failed=0,
        inconclusive=0,
        calls=judged,
        endpoints=(endpoint,),
        strays=(),
    )


CALLER = leg(
    Role.CALLER,
    progress=Progress(answered_ms=40, ringing_ms=20),
    **media(sent=400, packets=300, lost=100, jitter_ms=2.0),
    rtt_ms=8,
)
CALLEE = leg(Role.CALLEE, **media(packets=400, jitter_ms=1.0))
MEASURED = verdict(
    (CALLER, CALLEE),
    (leg(Role.CALLER, progress=Progress(answered_ms=60, ringing_ms=40), **media(packets=400, jitter_ms=4.0)), None),
)
BROKEN = Finding(call="pin", number=0, endpoint=0, leg=Role.CALLEE, check=Check.DTMF, reason=Reason.DTMF_MISMATCH)
FAILED = verdict((CALLER, CALLEE), result=Result.FAILED, findings=(BROKEN,))


def spec(**more: Any) -> CallTestSpec:
    return msgspec.convert(raw_spec(**more), CallTestSpec)


def at(minute: int) -> datetime:
    return datetime(2026, 1, 1, 0, minute, tzinfo=UTC)


def ended(name: str, result: Result, minute: int, *, ours: bool = True) -> RunSeen:
    run = CallTestRun(
        name=name,
        namespace="voice",
        uid=name,
        generation=1,
        spec=CallTestRunSpec(call_test_name="pin", test=spec()),
        status=CallTestRunStatus(result=result, completion_time=at(minute)),
    )
    return RunSeen(run=run, created="", is_ours=ours)


def condition(name: str, status: Any) -> Condition:
    return Condition(
        type=name, status=status, reason="X", message="", last_transition_time=at(0), observed_generation=1
    )


SCHEDULE = ScheduleStatus(
    expression="*/15 * * * * Etc/UTC",
    since=at(0),
    last_schedule_time=at(15),
    next_schedule_time=at(30),
    skipped=1,
    last_skipped_time=at(15),
    last_skip_reason=SkipReason.CONCURRENCY,
)


def status(run: str = "pin-g1", result: Result = Result.FAILED, **more: Any) -> CallTestStatus:
    last = LastRun(
        name=run,
        result=result,
        reason="DtmfMismatch" if result is Result.FAILED else msgspec.UNSET,
        start_time=at(1),
        completion_time=datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC),
        calls=CallCounts(planned=3, passed=2, failed=1, summary="2/3"),
    )
    return CallTestStatus(last_run=last, **more)


FULL = {
    "schedule": SCHEDULE,
    "last_successful_time": at(0),
    "conditions": (condition("VerdictCurrent", "True"), condition("Stalled", "False")),
}
SCHEDULED = {"trigger": {"schedule": "*/15 * * * *", "onRollout": {}}}


def run_once(metrics: Metrics, name: str, verdict: RunVerdict, result: Result, test: tuple[str, str] = TEST) -> None:
    """As when a run of the test finishes."""
    metrics.finished(test, name, result, verdict=verdict)
    runs = [ended(name, result, 1)]
    metrics.show_test(test, spec(**SCHEDULED), status(name, result, **FULL), created=CREATED, of="u", runs=runs)
    metrics.show_endpoints(test, [Endpoint(index=0, address="10.0.0.1:5060", pod="sut-0", result=result)])


def filled() -> Metrics:
    """Every metric that the operator has, with a value."""
    metrics = Metrics()
    metrics.show("calltest_operator_last_resync_timestamp_seconds", "x", lambda: at(2).timestamp())
    metrics.show("calltest_operator_queue_length", "x", lambda: 0.0)
    run_once(metrics, "pin-g1", FAILED, Result.FAILED)
    metrics.observe_reconcile(Key("CallTest", *TEST), 0.1, True)
    return metrics
