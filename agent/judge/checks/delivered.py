"""delivered: a caller's 200 comes from our callee, and from the one of this endpoint (truth rule 5)."""

from collections.abc import Sequence
from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.answered import refused_by_agent, slow_callee
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.checks.run import lost
from agent.judge.ends import CallEnds
from agent.judge.words import spoken


def _delivered(ends: CallEnds, _: Sequence[Finding]) -> list[Finding]:
    """A caller's 200 comes from our callee, and from the one of this endpoint (truth rule 5)."""
    answered = ends.caller is not None and ends.caller.answered
    if not ends.declared or not ends.call.expects_answer or not answered:
        return []
    return _not_at_callee(ends) if ends.callee is None else _answered_by_callee(ends, ends.callee)


def _not_at_callee(ends: CallEnds) -> list[Finding]:
    if ends.misdelivered_to is not None:
        return [_elsewhere(ends, f"no INVITE: it reached {ends.misdelivered_to}, another endpoint's callee")]
    if ends.ambiguous is not None:
        return [_undelivered(ends, Reason.NOT_MEASURED, None, ends.ambiguous)]
    if ends.callee_gone is not None:
        return [lost(ends, Role.CALLEE, ends.callee_gone)]
    if any(finding.leg is Role.CALLEE for finding in ends.unbound):
        return []  # it says why nothing could be delivered
    return [_elsewhere(ends, "no INVITE")]


def _answered_by_callee(ends: CallEnds, callee: CallLeg) -> list[Finding]:
    code = callee.leg.final_code
    trouble = callee.trouble(LATE_OR_DROPPED, media=False)
    if callee.answered or refused_by_agent(callee) or slow_callee(callee) or trouble is not None:
        return []  # where it did not answer, its own finding says so: our doing
    answer = "sent no final response" if code is None else f"sent {spoken(code, callee.leg.final_phrase)}"
    return [_elsewhere(ends, f"an INVITE to which it {answer}")]


def _elsewhere(ends: CallEnds, observed: str) -> Finding:
    dialog = None if ends.caller is None else ends.caller.leg.dialog
    contact = "" if dialog is None or dialog.target is None else f", with Contact {dialog.target.uri}"
    return _undelivered(ends, Reason.ANSWERED_ELSEWHERE, observed, f"the caller was answered 200{contact}")


def _undelivered(ends: CallEnds, reason: Reason, observed: str | None, note: str) -> Finding:
    return ends.call.finding(
        Role.CALLEE,
        Check.DELIVERED,
        reason,
        expected="an INVITE that it answers",
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
            seen="The caller got a 200, and our callee of this endpoint got no INVITE of this call, or had not "
            "answered it. The note has the Contact of that 200.",
            usually="Somebody else is registered under the callee's user and won the fork, voicemail or an "
            "announcement answered, the dial plan sends the number elsewhere, or replicas share a location table and "
            "`endpointParallelism` is above 1.",
            look="Whose Contact that is; the registrar's bindings of the callee's user while the test runs; the "
            "Server header of the 200.",
        ),
    ),
    subject="call",
    sentence="{leg} got {observed}, expected {expected}",
    on="the callee",
    asked_by="always, with a callee",
    holds="the INVITE reaches our callee of this endpoint, which answers it",
)
