"""Shorthand of the judge's tests: one call, judged from both ends, and findings as (check, reason)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.leg import judge_leg
from agent.judge.run import AgentReport, CallVerdict, judge_run
from tests.unit.builders import callee_leg, caller_leg, change, good_reports, plan

CALLER, CALLEE = Role.CALLER, Role.CALLEE


def said(findings: Iterable[Finding], leg: Role | None = None) -> list[tuple[Check, Reason]]:
    """What the findings say, of one leg if named; worst first as they come."""
    return [(finding.check, finding.reason) for finding in findings if leg in (None, finding.leg)]


def caller_alone(its_plan: dict[str, Any] | None = None, **changes: Any) -> list[tuple[Check, Reason]]:
    """What the caller's agent says of its leg alone."""
    return said(judge_leg(plan(CALLER, **(its_plan or {})), caller_leg(**changes)))


def callee_alone(its_plan: dict[str, Any] | None = None, **changes: Any) -> list[tuple[Check, Reason]]:
    """What the callee's agent says of its leg alone."""
    return said(judge_leg(plan(CALLEE, **(its_plan or {})), callee_leg(**changes)))


def reports_of(
    *, caller: dict[str, Any] | None = None, callee: dict[str, Any] | None = None, **its_plan: Any
) -> list[AgentReport]:
    """Both reports of one call, its good legs changed as said; a leg None was not reported."""
    reports = good_reports(**its_plan)
    for place, changes in enumerate((caller, callee)):
        if changes is not None:
            reports[place] = replace(reports[place], legs=tuple(change(leg, **changes) for leg in reports[place].legs))
    return reports


def both(*, caller: dict[str, Any] | None = None, callee: dict[str, Any] | None = None, **its_plan: Any) -> CallVerdict:
    """One call judged from both ends."""
    return judge_run(reports_of(caller=caller, callee=callee, **its_plan)).calls[0]


def note_of(verdict: CallVerdict, leg: Role, check: Check) -> str:
    return next(finding.note or "" for finding in verdict.findings if (finding.leg, finding.check) == (leg, check))
