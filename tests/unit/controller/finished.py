"""A finished run, as the tests of the command line and of rendering need it."""

import dataclasses
from datetime import UTC, datetime

from msgspec import UNSET

from agent.contract.call import Call
from agent.contract.plan import RunRef
from agent.contract.verdict import Result, Role
from agent.judge.verdicts import CallVerdict, EndpointVerdict, Flow, RunVerdict
from controller.api.calltest_status import CallTestStatus
from controller.api.parse import CallTest
from controller.api.parties import Callee, Caller
from controller.api.run import CallCounts, CallTestRunStatus, Endpoint, Failure
from controller.api.target import ServiceTarget, Target
from controller.api.test import CallTestSpec
from controller.cli.run.render import FinishedRun

SPEC = CallTestSpec(
    target=Target(service=ServiceTarget(name="sut")),
    caller=Caller(uri="sip:alice@x"),
    callee=Callee(uri="sip:bob@x"),
    calls=(Call(name="pin"),),
)
CALL = CallVerdict(
    endpoint=0,
    call="pin",
    number=0,
    result=Result.PASSED,
    reason=None,
    findings=(),
    caller=None,
    callee=None,
    paired_by=None,
    to_callee=Flow(sent=250, received=249, lost=1),
    to_caller=Flow(sent=None, received=250, lost=0),
)
ENDPOINT = EndpointVerdict(
    endpoint=0, name="127.0.0.1:5060", result=Result.PASSED, reason=None, planned=3, passed=3, failed=0, inconclusive=0
)
FAILURE = Failure(
    call="pin",
    number=0,
    endpoint=0,
    leg=Role.CALLEE,
    check="dtmf",
    result=Result.FAILED,
    reason="DtmfMismatch",
    expected="1234#",
    observed="[red]124#",
)


def finished_run(result: Result, *calls: CallVerdict) -> FinishedRun:
    """A run of one endpoint; of one call unless others are given."""
    calls = calls or (CALL,)
    passed = result is Result.PASSED
    status = CallTestRunStatus(
        observed_generation=1,
        result=result,
        reason=UNSET if passed else "DtmfMismatch",
        message="3 of 3 calls passed" if passed else 'callee received "[red]124#", expected "1234#"',
        start_time=datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC),
        completion_time=datetime(2026, 1, 31, 12, 0, 9, tzinfo=UTC),
        calls=CallCounts(planned=3, passed=3 if passed else 1, failed=0 if passed else 2, summary="1/3"),
        endpoints=(Endpoint(index=0, address="127.0.0.1:5060", result=result, summary="1/3"),),
        failures=() if passed else (FAILURE,),
    )
    verdict = RunVerdict(
        result=result,
        reason=None,
        worst=None,
        planned=3,
        passed=3,
        failed=0,
        inconclusive=0,
        calls=calls,
        endpoints=(ENDPOINT,),
        strays=(),
    )
    test = CallTest(name="pin", namespace="default", uid="", generation=1, spec=SPEC, status=CallTestStatus())
    run = RunRef(uid="run-1", namespace="default", name="pin-1", call_test="pin")
    return FinishedRun(run=run, test=test, status=status, verdict=verdict)


def call(**changes: object) -> CallVerdict:
    """CALL with some fields changed."""
    return dataclasses.replace(CALL, **changes)
