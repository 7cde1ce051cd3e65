"""What the tests named test_field_* are made of."""

from collections.abc import Callable

import pytest

from agent.contract.verdict import Reason
from agent.judge.checks import RULES
from tests.component.peers.running import Case, Outcome, Runs, echo
from tests.component.peers.uas import Uas

PASSED = "Passed"
UNMEASURED = "Inconclusive/NotMeasured"
OVERLOADED = "Inconclusive/AgentOverloaded"


def cases(*made: Case) -> pytest.MarkDecorator:
    """The test is made once for each."""
    return pytest.mark.parametrize("case", made, ids=lambda case: case.name)


def case(name: str, peer: Callable[[], Uas], test: str | None = None, *options: str) -> Case:
    """`options`: of the command."""
    return Case(name=name, peer=peer, test=echo() if test is None else test, options=options)


def judged(runs: Runs, case: Case, expected: str) -> Outcome:
    """Ran to that verdict.

    Where the machine was too busy for our agents, the run says so instead, of checks that such trouble excuses and of
    no other: then nothing is known of this case, and the test is skipped with that reason. How many may be is bounded
    (`pytest_sessionfinish` in conftest.py).
    """
    outcome = runs.of(case)
    if outcome.verdict == OVERLOADED != expected and not _not_excused(outcome):
        pytest.skip(f"{OVERLOADED}: {outcome.run['status']['message']}")
    assert outcome.verdict == expected, outcome.why
    return outcome


def _not_excused(outcome: Outcome) -> list[str]:
    """Checks that came out overloaded although no reason of theirs is excused by an agent's trouble."""
    excusable = {rule.check for rule in RULES if rule.media or any(row.excused_by for row in rule.rows)}
    overloaded = [each for each in outcome.run["status"]["failures"] if each["reason"] == Reason.AGENT_OVERLOADED]
    return [each["check"] for each in overloaded if each["check"] not in excusable]
