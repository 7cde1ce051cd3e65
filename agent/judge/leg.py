"""What one agent can say of one of its legs, without its peer."""

import msgspec

from agent.contract.observation import LegObservation
from agent.contract.plan import Plan, call_key
from agent.contract.verdict import Finding, Reason, Result, Role
from agent.judge.call_leg import CallLeg, PlannedCall
from agent.judge.media import MEDIA_CHECKS, asked, media
from agent.judge.rank import worst_first
from agent.judge.signalling import answered, completed


def judge_leg(plan: Plan, leg: LegObservation) -> tuple[Finding, ...]:
    """The checks of one leg that did not pass, worst first.

    A callee leg that is not known to be a planned call has none: nothing is expected of it.
    """
    known = known_leg(plan, leg)
    return () if known is None else worst_first(leg_findings(known))


def known_leg(plan: Plan, leg: LegObservation) -> CallLeg | None:
    """The leg with the planned call that it says it is one of."""
    if leg.call is None or leg.number is None:
        return None
    for group in plan.calls:
        if group.name == leg.call and 0 <= leg.number < group.count:
            call = PlannedCall(plan=plan, endpoint=leg.endpoint, group=group, number=leg.number)
            named = call_key(plan.run.uid, leg.endpoint, leg.call, leg.number)
            return CallLeg(call=call, leg=leg) if leg.call_key in (None, named) else None
    return None


def leg_findings(leg: CallLeg) -> list[Finding]:
    """All checks of one leg. What an answer brings is not asked of a leg that was not answered: that says it all."""
    unanswered = answered(leg)
    if unanswered:
        return [excused(leg, finding) for finding in unanswered]
    if not leg.call.expects_answer:
        return unmeasurable(leg.call, leg.leg.role)
    ended = completed(leg)
    received = [_unsent(leg, finding) for finding in media(leg)]
    if leg.cut_short:
        received = [_not_the_paths(finding) for finding in received]
    if leg.overload is not None:
        received = _overloaded(leg, received, leg.overload)
    return [excused(leg, finding) for finding in (*ended, *received)]


def unmeasurable(call: PlannedCall, role: Role) -> list[Finding]:
    """Media asked of a leg that has none to measure: no such check ever passes."""
    return [
        call.finding(role, check, Reason.NOT_MEASURED, expected=expected, note="there is no answered leg to measure")
        for check, expected in asked(call.expected(role)).items()
    ]


def inconclusive(finding: Finding, reason: Reason, note: str) -> Finding:
    """The finding with another reason, and why; what was expected and observed stays."""
    said = note if finding.note is None else f"{note}; {finding.note}"
    return msgspec.structs.replace(finding, reason=reason, note=said)


def _overloaded(leg: CallLeg, findings: list[Finding], trouble: str) -> list[Finding]:
    """Truth rule 3: none of an overloaded agent's media checks means anything, not even one that held."""
    found = {finding.check: finding for finding in findings}
    held = {
        check: leg.finding(check, Reason.NOT_MEASURED, expected=expected)
        for check, expected in asked(leg.expect).items()
        if check not in found
    }
    note = f"the agent was overloaded: {trouble}"
    return [inconclusive(finding, Reason.AGENT_OVERLOADED, note) for finding in (*found.values(), *held.values())]


_EXCUSABLE = frozenset(
    {
        Reason.NO_RESPONSE,
        Reason.NO_ANSWER,
        Reason.CALL_DROPPED,
        Reason.ACK_MISSING,
        Reason.BYE_REJECTED,
        Reason.BYE_UNANSWERED,
    }
)
"""What an agent that sees, sends or answers late can bring about itself."""


def excused(leg: CallLeg, finding: Finding) -> Finding:
    """What broke may be the doing of an agent that was late (truth rule 3); a code from the wire stands."""
    media_failed = finding.check in MEDIA_CHECKS and finding.result is Result.FAILED
    if leg.excuse is not None and (media_failed or finding.reason in _EXCUSABLE):
        return inconclusive(finding, Reason.AGENT_OVERLOADED, f"the agent was overloaded: {leg.excuse}")
    return finding


def _not_the_paths(finding: Finding) -> Finding:
    if finding.result is Result.FAILED:
        return inconclusive(finding, Reason.NOT_MEASURED, "the agent itself ended the call early")
    return finding


def _unsent(leg: CallLeg, finding: Finding) -> Finding:
    """A caller that never sent all its digits cannot get them back; others than those it sent are still wrong."""
    planned = leg.call.group.dtmf
    if leg.leg.role is Role.CALLEE or finding.reason is not Reason.DTMF_MISMATCH:
        return finding
    if planned is None or leg.digits_sent == planned.digits or not planned.digits.startswith(leg.digits_received):
        return finding
    note = f"this caller had sent only {leg.digits_sent or 'none'} of {planned.digits} when the call ended"
    return inconclusive(finding, Reason.NOT_MEASURED, note)
