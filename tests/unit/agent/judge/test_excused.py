"""Our agents' troubles are not blamed on the system, check by check; and what they cannot have done, on nobody else."""

import pytest

from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.checks import RULES
from agent.judge.ends import peer_of
from agent.judge.overload import Excuse
from agent.judge.run import CallVerdict
from tests.unit.agent.judge.excused import CASES, TROUBLES, UNTOUCHED, excusable, opposite, rows, standing
from tests.unit.agent.judge.wire import trouble


def name(value: str | None) -> str:
    return "Lost" if value is None else str(value)


def failing(reason: Reason) -> Role:
    """The leg that the case fails on, without any trouble."""
    well = CASES[reason]()
    assert (well.result, well.reason) == (Result.FAILED, reason)
    return well.findings[0].leg


def reasons(verdict: CallVerdict, check: Check, leg: Role) -> set[Reason]:
    return {finding.reason for finding in verdict.findings if (finding.check, finding.leg) == (check, leg)}


@pytest.mark.parametrize(("check", "reason", "excuse"), excusable(), ids=name)
def test_trouble_excuses(check: Check, reason: Reason, excuse: Excuse) -> None:
    leg = failing(reason)
    for health in TROUBLES[excuse]:
        with trouble(leg, health):
            verdict = CASES[reason]()
        assert verdict.result is Result.INCONCLUSIVE
        assert reasons(verdict, check, leg) & {Reason.AGENT_OVERLOADED, Reason.NOT_MEASURED}


@pytest.mark.parametrize(("check", "reason", "excuse"), opposite(), ids=name)
def test_trouble_of_the_other_agent_excuses(check: Check, reason: Reason, excuse: Excuse | None) -> None:
    leg = failing(reason)
    for health in (None,) if excuse is None else TROUBLES[excuse]:
        with trouble(peer_of(leg), health):
            verdict = CASES[reason]()
        assert verdict.result is Result.INCONCLUSIVE
        assert reason not in reasons(verdict, check, leg)


@pytest.mark.parametrize(("check", "reason"), standing(), ids=name)
def test_what_no_trouble_brings_about_stands(check: Check, reason: Reason) -> None:
    leg = failing(reason)
    for health in (health for kind in TROUBLES.values() for health in kind):
        with trouble(leg, health):
            assert reason in reasons(CASES[reason](), check, leg)


def test_every_check_has_such_a_case_or_says_why_there_is_none() -> None:
    touched = {check for check, _, _ in excusable()}
    assert touched | set(UNTOUCHED) == {rule.check for rule, _ in rows()}
    assert touched & set(UNTOUCHED) == set()
    assert {rule.check for rule in RULES} - {rule.check for rule, _ in rows()} == {Check.RUN}
