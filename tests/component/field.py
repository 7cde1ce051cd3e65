"""What the tests named test_field_* are made of."""

from collections.abc import Callable
from typing import Any

import pytest

from agent.contract.verdict import Reason
from agent.judge.checks import RULES
from agent.judge.reasons import ROW_OF, failed
from tests.component.peers.running import Case, Outcome, Runs, echo
from tests.component.peers.uas import Uas

PASSED = "Passed"
UNMEASURED = "Inconclusive/NotMeasured"
BUSY = "the machine was too busy"
"""Of each test that was skipped for that."""


def cases(*made: Case) -> pytest.MarkDecorator:
    """The test is made once for each."""
    return pytest.mark.parametrize("case", made, ids=lambda case: case.name)


def case(name: str, peer: Callable[[], Uas], test: str | None = None, *options: str) -> Case:
    """`options`: of the command."""
    return Case(name=name, peer=peer, test=echo() if test is None else test, options=options)


def judged(runs: Runs, case: Case, expected: str) -> Outcome:
    """Ran to that verdict.

    Where the machine was too busy for our agents, the run says so instead, of checks that such trouble excuses and of
    no other; where it was for the peer, what that measured of itself may have broken what failed, reason by reason.
    Then nothing is known of this case, and the test is skipped for that. How many may be is bounded
    (`pytest_sessionfinish` in conftest.py).
    """
    outcome = runs.of(case)
    if outcome.verdict != expected and (trouble := busy(outcome)):
        pytest.skip(f"{BUSY} {trouble}: {outcome.verdict}: {outcome.run['status']['message']}")
    assert outcome.verdict == expected, outcome.why
    return outcome


def busy(outcome: Outcome) -> str | None:
    """For whom the machine was too busy, where that may be all that kept the run from its verdict; None: it is not."""
    failures = outcome.run["status"].get("failures", ())
    failed_ = [failure for failure in failures if failed(Reason(failure["reason"]))]
    if failed_:
        excused = all(ROW_OF[Reason(each["reason"])].excused_by & outcome.peer.trouble.kinds for each in failed_)
        return f"for the peer ({outcome.peer.trouble})" if excused else None
    overloaded = [failure for failure in failures if _is_of_overload(failure)]
    excused = all(failure["check"] in _EXCUSABLE for failure in overloaded)
    worst = overloaded and outcome.verdict.rpartition("/")[2] in {failure["reason"] for failure in overloaded}
    return "for our agents" if worst and excused else None


def _is_of_overload(failure: dict[str, Any]) -> bool:
    """An agent said it of its own leg, or it is said of the other one's."""
    of_peer = failure["reason"] == Reason.PEER_LOST and "agent was overloaded" in (failure.get("note") or "")
    return of_peer or failure["reason"] == Reason.AGENT_OVERLOADED


_EXCUSABLE = {rule.check for rule in RULES if rule.media or any(row.excused_by for row in rule.rows)}
