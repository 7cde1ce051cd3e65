"""Whether a leg is broken where nothing names its call: a path that is a B2BUA may pass on none of our headers."""

from agent.contract.observation import LegObservation
from agent.contract.plan import Plan, identity_code
from agent.contract.verdict import Role
from agent.judge.call_leg import CallLeg, PlannedCall, calls_at
from agent.judge.leg import known_leg, leg_findings


def is_broken_unnamed(plan: Plan, leg: LegObservation) -> bool:
    """Whether a callee's leg that names no call breaks a check of the leg alone, whichever of the plan's calls it is.

    False for a leg that names one, be it another run's: `judge_leg` says all that there is to say of it.
    """
    is_named = leg.role is Role.CALLER or leg.call_key is not None or known_leg(plan, leg) is not None
    if is_named or not plan.calls:
        return False
    return all(leg_findings(CallLeg(call=call, leg=leg)) for call in _candidates(plan, leg))


def _candidates(plan: Plan, leg: LegObservation) -> list[PlannedCall]:
    """The calls whose signal it heard; else one of each kind: those of a kind differ in nothing but their signal."""
    codes = leg.heard.codes if leg.heard is not None else {}
    heard = [call for call in calls_at(plan, leg.endpoint) if codes and codes.get(str(identity_code(call.key)))]
    return heard or [PlannedCall(plan=plan, endpoint=leg.endpoint, group=group, number=0) for group in plan.calls]
