"""A run at the moments of its life, for tests of its status and of its CallTest's."""

from datetime import UTC, datetime, timedelta

from agent.contract.verdict import Reason, Result
from controller.api.run import CallCounts, CallTestRunStatus, LeftOut
from controller.plan.cause import Cause
from controller.plan.discovery import Discovery
from controller.run import status as statuses
from controller.run.conclude import Outcome
from controller.run.status import Clock
from tests.unit.controller.objects import endpoints

NEW = CallTestRunStatus()
STEPS = {"TargetsResolved", "AgentsReady", "ResultsCollected"}
FOUND = Discovery(endpoints=endpoints(2), left_out=(LeftOut(name="x", reason="NotReady", message="no"),), ready=2)
PROBLEM = Cause(reason=Reason.TOO_FEW_ENDPOINTS, message="1 endpoint is ready")
PASSED = Outcome(
    result=Result.PASSED,
    reason=None,
    message="20 of 20 calls passed",
    calls=CallCounts(planned=20, passed=20, summary="20/20"),
    endpoints=endpoints(2),
    is_complete=True,
    verdict=object(),
)
FAILED = Outcome(
    result=Result.FAILED,
    reason=Reason.DTMF_MISMATCH,
    message='callee received "124#"',
    calls=CallCounts(planned=20, passed=18, failed=2, summary="18/20"),
    endpoints=endpoints(2),
    verdict=object(),
)


def at(seconds: float, generation: int = 1) -> Clock:
    return Clock(now=datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(seconds=seconds), generation=generation)


def shown(status) -> dict[str, tuple[str, str]]:
    return {condition.type: (condition.status, condition.reason) for condition in status.conditions}


def kstatus(status) -> str:
    """What kstatus computes from the conditions of an object it has seen the generation of."""
    conditions = shown(status)
    if conditions["Stalled"][0] == "True":
        return "Failed"
    return "InProgress" if conditions["Reconciling"][0] == "True" else "Current"


def under_way() -> CallTestRunStatus:
    begun = statuses.begun(NEW, at(0))
    resolved = statuses.resolved(begun, FOUND, 20, at(1))
    return statuses.progressed(resolved, agents=2, ready=2, ended=7, failed=1, clock=at(5))
