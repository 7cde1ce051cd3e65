"""delivered: a caller's 200 comes from our callee, and from the one of this endpoint (truth rule 5)."""

from collections.abc import Sequence
from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.answered import refused_by_agent, slow_callee
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.checks.run import lost
from agent.judge.ends import CallEnds


def _delivered(ends: CallEnds, _: Sequence[Finding]) -> list[Finding]:
    """A caller's 200 comes from our callee, and from the one of this endpoint (truth rule 5)."""
    answered = ends.caller is not None and ends.caller.answered
    if not ends.declared or not ends.call.expects_answer or not answered:
        return []
    return _not_at_callee(ends) if ends.callee is None else _answered_by_callee(ends, ends.callee)


def _not_at_callee(ends: CallEnds) -> list[Finding]:
    if ends.misdelivered_to is not None:
        return [_elsewhere(ends, f"an INVITE at {ends.misdelivered_to}, which is another endpoint's callee")]
    if ends.ambiguous is not None:
        return [_undelivered(ends, Reason.NOT_MEASURED, None, ends.ambiguous)]
    if ends.callee_gone is not None:
        return [lost(ends, Role.CALLEE, ends.callee_gone)]
    if any(finding.leg is Role.CALLEE for finding in ends.registration):
        return []  # it says why nothing could be delivered
    return [_elsewhere(ends, "no INVITE")]


def _answered_by_callee(ends: CallEnds, callee: CallLeg) -> list[Finding]:
    code = callee.leg.final_code
    trouble = callee.trouble(LATE_OR_DROPPED, media=False)
    if callee.answered or refused_by_agent(callee) or slow_callee(callee) or trouble is not None:
        return []  # where it did not answer, its own finding says so: our doing
    return [
        _elsewhere(ends, f"an INVITE that was not answered there ({'no final response' if code is None else code})")
    ]


def _elsewhere(ends: CallEnds, observed: str) -> Finding:
    return _undelivered(ends, Reason.ANSWERED_ELSEWHERE, observed, "the caller was answered 200")


def _undelivered(ends: CallEnds, reason: Reason, observed: str | None, note: str) -> Finding:
    return ends.call.finding(
        Role.CALLEE,
        Check.DELIVERED,
        reason,
        expected="an INVITE that the callee answers",
        observed=observed,
        note=note,
        sip_call_id=None if ends.caller is None else ends.caller.leg.sip_call_id,
    )


RULE: Final = CheckRule(
    check=Check.DELIVERED,
    ends=_delivered,
    rows=(
        Row(
            reason=Reason.ANSWERED_ELSEWHERE,
            meaning="the caller was answered, and not by our callee at this endpoint",
        ),
    ),
    on="the callee",
    asked_by="always, with a callee",
    holds="the INVITE reaches our callee of this endpoint, which answers it",
)
