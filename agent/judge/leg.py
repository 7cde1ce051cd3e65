"""What one agent can say of one of its legs, without its peer."""

from collections.abc import Iterable
from typing import Final

from agent.contract.observation import LegObservation
from agent.contract.plan import Plan, call_key
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, PlannedCall
from agent.judge.checks import MEDIA_RULES, OUTCOME_RULES, RULE_OF, RULES, SIGNALLING_RULES, asked
from agent.judge.checks.check import CheckRule
from agent.judge.findings import inconclusive
from agent.judge.media import may_be_uncounted
from agent.judge.overload import Excuse
from agent.judge.rank import worst_first
from agent.judge.reasons import ROW_OF, failed

CAUSES: Final = (Check.CONNECTION, Check.ADDRESS_FAMILY, Check.SIPS, Check.SRTP, Check.CODEC)
"""What is asked of a leg that was not answered: they say more than that."""


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
    unanswered = RULE_OF[Check.ANSWERED].leg(leg)
    if unanswered:
        return [excused(leg, finding) for finding in _earlier(leg, unanswered[0].reason) or unanswered]
    if not leg.call.expects_answer:
        told = [finding for rule in OUTCOME_RULES for finding in rule.leg(leg)]
        return [*(excused(leg, finding) for finding in told), *unmeasurable(leg.call, leg.leg.role, MEDIA_RULES)]
    told = [finding for rule in SIGNALLING_RULES for finding in rule.leg(leg)]
    received = [finding for rule in MEDIA_RULES for finding in rule.leg(leg)]
    if leg.cut_short:
        received = [_not_the_paths(leg, finding) for finding in received]
    if may_be_uncounted(leg):
        received += _held(leg, received, f"{leg.leg.left_out} packets were of more sources than can be counted")
    if leg.overload is not None:
        received = _overloaded(leg, received, leg.overload)
    return [excused(leg, finding) for finding in (*told, *received)]


def _earlier(leg: CallLeg, reason: Reason) -> list[Finding]:
    """What was wrong before the final response, or its absence: that came of it."""
    if found := [finding for check in CAUSES for finding in RULE_OF[check].leg(leg)]:
        return found
    return RULE_OF[Check.REDIRECTED].leg(leg) if reason is Reason.SIP_CODE_MISMATCH else []


def unmeasurable(call: PlannedCall, role: Role, rules: Iterable[CheckRule] = RULES) -> list[Finding]:
    """What is asked of a leg that is not there, or has no media to measure: no such check ever passes."""
    return [
        call.finding(role, check, Reason.NOT_MEASURED, expected=expected, note="there is no answered leg to measure")
        for check, expected in asked(call.expected(role), rules).items()
    ]


def _overloaded(leg: CallLeg, findings: list[Finding], trouble: str) -> list[Finding]:
    """Truth rule 3: no media check of an overloaded agent holds; what its trouble cannot have broken is broken."""
    note = f"the agent was overloaded: {trouble}"
    return [
        finding if failed(finding.reason) else inconclusive(finding, Reason.AGENT_OVERLOADED, note)
        for finding in (*findings, *_held(leg, findings, None))
    ]


def _held(leg: CallLeg, findings: list[Finding], note: str | None) -> list[Finding]:
    """What is asked of its media and no finding is of, as not measured: what seemed to hold may not have."""
    found = {finding.check for finding in findings}
    return [
        leg.finding(check, Reason.NOT_MEASURED, expected=expected, note=note)
        for check, expected in asked(leg.expect, MEDIA_RULES).items()
        if check not in found and RULE_OF[check].looks_at_media(leg)
    ]


def excuses(leg: CallLeg | None, finding: Finding) -> frozenset[Excuse]:
    """What of an agent's troubles can have brought the finding about (truth rule 11)."""
    excusable = leg is None or RULE_OF[finding.check].excusable(leg, finding)
    return ROW_OF[finding.reason].excused_by if excusable else frozenset()


def excused(leg: CallLeg, finding: Finding) -> Finding:
    """What broke may be the doing of the agent itself (truth rule 3)."""
    trouble = leg.trouble(excuses(leg, finding), media=RULE_OF[finding.check].looks_at_media(leg))
    if trouble is None:
        return finding
    return inconclusive(finding, Reason.AGENT_OVERLOADED, f"the agent was overloaded: {trouble}")


def _not_the_paths(leg: CallLeg, finding: Finding) -> Finding:
    if failed(finding.reason):
        return inconclusive(finding, Reason.NOT_MEASURED, leg.leg.detour or "the agent itself ended the call early")
    return finding
