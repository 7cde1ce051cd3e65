"""What the registration of an agent at one endpoint came to, by all that was told of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agent.contract.plan import Plan
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.checks import RULE_OF, RULES
from agent.judge.checks.check import Fault, nothing_of_a_registration
from agent.judge.ends import Gone
from agent.judge.overload import register_troubles
from agent.judge.reasons import ROW_OF
from agent.judge.words import joined

REGISTRATION: Final = "registration"
"""What stands in the place of a call's name where there are none."""
Faults = Sequence[tuple[Check, Fault]]


def registration_faults(plan: Plan, told: Sequence[RegistrationObservation]) -> Faults:
    """All that is wrong with it. Without anything told, it was not measured."""
    seen = last_told(told)
    if seen is None:
        note = "no REGISTER was reported"
        return [(Check.REGISTERED, Fault(reason=Reason.NOT_MEASURED, expected="200", note=note))]
    where = next((stage.registrar for stage in plan.stages if stage.endpoint == seen.endpoint), None)
    faults = [(rule.check, _excused(fault)) for rule in RULES for fault in rule.registration(plan, seen)]
    return [(check, fault if where is None else _at(fault, where)) for check, fault in faults]


def _excused(fault: Fault) -> Fault:
    """What broke may be the doing of the agent itself (truth rules 3, 11)."""
    kinds = ROW_OF[fault.reason].excused_by
    troubles = {} if fault.trouble is None else register_troubles(fault.trouble)
    trouble = [text for kind, text in troubles.items() if kind in kinds]
    if not trouble:
        return fault
    return replace(fault, reason=Reason.AGENT_OVERLOADED, note=f"the agent was overloaded: {'; '.join(trouble)}")


def _at(fault: Fault, where: str) -> Fault:
    """It is not the endpoint's that is called."""
    return replace(fault, note=joined(f"registered at {where}", fault.note))


def registration_notes(told: Sequence[RegistrationObservation]) -> list[str]:
    """What to know of it, whatever it came to."""
    seen = last_told(told)
    return [] if seen is None else [note for rule in RULES for note in rule.registration_notes(seen)]


def alone(plan: Plan, endpoint: int, told: Sequence[RegistrationObservation], gone: Gone | None) -> list[Finding]:
    """What an agent's registration at an endpoint came to where nothing else is tested there.

    `gone`: why the agent did not do its plan to the end.
    """
    seen = last_told(told)
    faults = [*registration_faults(plan, told)] if plan.account.register else []
    if gone is not None:  # it is why the rest was not measured; what was, stands
        lost = Fault(reason=gone.reason, note=gone.note)
        measured = [(check, fault) for check, fault in faults if fault.reason is not Reason.NOT_MEASURED]
        faults = [(Check.REGISTERED, lost), *measured]
    elif plan.account.register and not faults and (seen is None or seen.leaving is None):
        faults = [(Check.UNREGISTERED, Fault(reason=Reason.NOT_MEASURED, note="how it ended was not told"))]
    return [_finding(endpoint, plan.role, check, fault) for check, fault in faults]


def nobody(endpoint: int) -> Finding:
    """Nothing was to be done there."""
    fault = Fault(reason=Reason.NOT_MEASURED, note="no agent registers, and no call is placed")
    return _finding(endpoint, Role.CALLER, Check.REGISTERED, fault)


def _finding(endpoint: int, role: Role, check: Check, fault: Fault) -> Finding:
    return Finding(
        call=REGISTRATION,
        number=0,
        endpoint=endpoint,
        leg=role,
        check=check,
        reason=fault.reason,
        expected=fault.expected,
        observed=fault.observed,
        note=fault.note,
    )


def is_of_registration(finding: Finding) -> bool:
    """Not of a leg: those have a Call-ID."""
    is_any = RULE_OF[finding.check].registration is not nothing_of_a_registration
    return is_any and finding.call_id is None


def last_told(told: Sequence[RegistrationObservation]) -> RegistrationObservation | None:
    """Of the lines of one registration, the one that has all the others have."""
    return max(told, key=_progress, default=None)


def _progress(seen: RegistrationObservation) -> tuple[bool, bool, int, bool]:
    is_over = seen.leaving is not None
    return is_over, seen.lapse is not None, seen.refreshes, seen.outcome is not RegistrationOutcome.REGISTERED
