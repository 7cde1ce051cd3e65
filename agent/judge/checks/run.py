"""run: not one call's; and the reasons that any check may give, since they are not about what it checks."""

from collections.abc import Sequence
from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.checks.check import CheckRule, Row
from agent.judge.ends import CallEnds, Gone


def _unreported(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """Planned calls without a leg: each is accounted for, as its agent's loss or as not measured."""
    if ends.caller is not None or ends.registration:
        return []
    missing = []
    if not any(finding.leg is Role.CALLER for finding in findings):
        gone = ends.caller_gone or Gone(reason=Reason.NOT_MEASURED, note="no leg of this call was reported")
        missing.append(lost(ends, Role.CALLER, gone))
    if ends.declared and ends.callee_died is not None and not any(f.leg is Role.CALLEE for f in findings):
        missing.append(lost(ends, Role.CALLEE, ends.callee_died))
    return missing


def lost(ends: CallEnds, role: Role, gone: Gone) -> Finding:
    """A leg that its agent did not report."""
    return ends.call.finding(role, Check.COMPLETED, gone.reason, note=gone.note)


def _row(reason: Reason, meaning: str) -> Row:
    return Row(reason=reason, result=Result.INCONCLUSIVE, meaning=meaning)


BESIDE: Final = (Reason.ENDPOINT_REMOVED, Reason.ENDPOINT_RESTARTED)
"""Said beside another reason, never alone."""

RULE: Final = CheckRule(
    check=Check.RUN,
    ends=_unreported,
    # What a person must mend first, then our agents' own troubles, then what follows from those.
    rows=(
        _row(
            Reason.INVALID_TEST, "the test cannot be met by any SUT, or contradicts itself; the message names the field"
        ),
        _row(Reason.ACCESS_DENIED, "the operator lacks a permission that the run needs"),
        _row(Reason.TARGET_NOT_ALLOWED, "the operator's `--allow-target` does not permit the address"),
        _row(
            Reason.NUMBER_NOT_ALLOWED,
            "the operator's `--allow-dial` does not permit the number, or it is an emergency number",
        ),
        _row(Reason.LIMIT_EXCEEDED, "more calls or agents than the operator's caps"),
        _row(Reason.NAME_CONFLICT, "an object of somebody else has the name that the run needs"),
        _row(
            Reason.INPUT_MISSING,
            "a Secret, ConfigMap or PersistentVolumeClaim that the test names, or a key of it, is not there or cannot "
            "be used",
        ),
        _row(Reason.NO_ENDPOINTS, "the target has no ready endpoint by `startDeadlineSeconds`"),
        _row(Reason.TOO_FEW_ENDPOINTS, "fewer ready endpoints than `minEndpoints` by `startDeadlineSeconds`"),
        _row(
            Reason.NOT_SETTLED,
            "the replicas of the target were not all ready, or not the same for long enough, or ran several revisions, "
            "by `startDeadlineSeconds`",
        ),
        _row(Reason.AGENT_NOT_CREATED, "the API server refused an agent's pod"),
        _row(Reason.AGENT_UNSCHEDULABLE, "no node takes an agent's pod"),
        _row(Reason.AGENT_IMAGE_PULL_FAILED, "an agent's image cannot be pulled"),
        _row(Reason.AGENT_START_TIMEOUT, "an agent was not ready by `startDeadlineSeconds`"),
        _row(Reason.AGENT_LOST, "an agent died, or its result or log is incomplete"),
        _row(Reason.AGENT_ERROR, "an agent could not do its part"),
        _row(Reason.RESULT_REJECTED, "an agent's result is of another run, agent or plan, or malformed"),
        _row(
            Reason.AGENT_OVERLOADED,
            "an agent was throttled, late, or dropped packets itself; give agents more CPU or lower `concurrency`",
        ),
        _row(Reason.DEADLINE_EXCEEDED, "the run was not done by `activeDeadlineSeconds`"),
        _row(Reason.ABORTED, "the run was stopped, by its deletion or its user, or an agent was told to end (SIGTERM)"),
        _row(Reason.PEER_LOST, "the agent of the other leg was lost or overloaded"),
        _row(Reason.NOT_MEASURED, "a fact that a check needs is not known"),
        _row(Reason.ENDPOINT_REMOVED, "the endpoint was gone before the run was over"),
        _row(Reason.ENDPOINT_RESTARTED, "the endpoint was restarted during the run"),
    ),
    on="the run",
    holds="the run could be done",
)
