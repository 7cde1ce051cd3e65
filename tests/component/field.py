"""What the tests named test_field_* are made of."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.component.peers.running import Case, Outcome, Runs, echo
from tests.component.peers.uas import Uas

PASSED = "Passed"
UNMEASURED = "Inconclusive/NotMeasured"


def cases(*made: "Case | Any") -> pytest.MarkDecorator:
    """The test is made once for each; those that wait for a mend are wrapped by `waits`."""
    ids = [(each.values[0] if hasattr(each, "values") else each).name for each in made]
    return pytest.mark.parametrize("case", made, ids=ids)


def waits(case: Case) -> Any:
    """Right once issue 8 is done."""
    return pytest.param(case, marks=pytest.mark.xfail(strict=False, reason="issue 8"))


def case(name: str, peer: Callable[[], Uas], test: str | None = None) -> Case:
    return Case(name=name, peer=peer, test=echo() if test is None else test)


def judged(runs: Runs, case: Case, expected: str) -> Outcome:
    """Ran to that verdict."""
    outcome = runs.of(case)
    assert outcome.verdict == expected, outcome.why
    return outcome
