"""What the tests named test_field_* are made of."""

from collections.abc import Callable

import pytest

from tests.component.peers.running import Case, Outcome, Runs, echo
from tests.component.peers.uas import Uas

PASSED = "Passed"
UNMEASURED = "Inconclusive/NotMeasured"


def cases(*made: Case) -> pytest.MarkDecorator:
    """The test is made once for each."""
    return pytest.mark.parametrize("case", made, ids=lambda case: case.name)


def case(name: str, peer: Callable[[], Uas], test: str | None = None, *options: str) -> Case:
    """`options`: of the command."""
    return Case(name=name, peer=peer, test=echo() if test is None else test, options=options)


def judged(runs: Runs, case: Case, expected: str) -> Outcome:
    """Ran to that verdict."""
    outcome = runs.of(case)
    assert outcome.verdict == expected, outcome.why
    return outcome
