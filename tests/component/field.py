"""What the tests named test_field_* are made of."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from agent.contract.verdict import Finding, Reason
from agent.judge.checks import RULES
from agent.judge.overload import Excuse
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
    settled(outcome, expected)
    return outcome


def settled(outcome: Outcome, expected: str) -> None:
    """`judged`, of a run that is over."""
    if outcome.verdict != expected and (trouble := busy(outcome)):
        pytest.skip(f"{BUSY} {trouble}: {outcome.verdict}: {outcome.run['status']['message']}")
    assert outcome.verdict == expected, outcome.why


def undisturbed(outcome: Outcome, expected: str) -> None:
    """`settled`, and the test is skipped too where a busy machine brought about what was found beside the verdict."""
    settled(outcome, expected)
    status = outcome.run["status"]
    found = [failure for failure in status.get("failures", ()) if failure["reason"] != status.get("reason")]
    if found and all(_excused(each, outcome.peer.trouble.kinds) or _excuses(each) for each in found):
        pytest.skip(f"{BUSY} for our agents, or for the peer ({outcome.peer.trouble}): {found[0]}")


def busy(outcome: Outcome) -> str | None:
    """For whom the machine was too busy, where that may be all that kept the run from its verdict; None: it is not."""
    failures = outcome.run["status"].get("failures", ())
    failed_ = [failure for failure in failures if failed(Reason(failure["reason"]))]
    if failed_:
        excused = all(_excused(each, outcome.peer.trouble.kinds) for each in failed_)
        return f"for the peer ({outcome.peer.trouble})" if excused else None
    return "for our agents" if overloaded(outcome.run["status"]) else None


def overloaded(status: Mapping[str, Any]) -> bool:
    """That it was for our agents is why a run is Inconclusive, and it may be: of what it looked at, that is excused."""
    said = [failure for failure in status.get("failures", ()) if _is_of_overload(failure)]
    excused = all(failure["check"] in _EXCUSABLE for failure in said)
    return bool(said) and excused and status.get("reason") in {failure["reason"] for failure in said}


def not_overloaded(status: Mapping[str, Any]) -> None:
    """Skips the test of a run that had no peer of ours where it was `overloaded`."""
    if overloaded(status):
        pytest.skip(f"{BUSY} for our agents: {status['message']}")


def not_hindered(found: Iterable[Finding], *expected: Reason) -> None:
    """Skips the test of agents that say of their legs, beside what is expected, that they were overloaded, and no more.

    As in a run (`judged`), that counts where such trouble excuses what is expected.
    """
    more = [_as_told(finding) for finding in found if finding.reason not in expected]
    if more and all(map(_excuses, more)) and all(ROW_OF[reason].excused_by for reason in expected):
        pytest.skip(f"{BUSY} for our agents: {more[0]}")


def _as_told(finding: Finding) -> dict[str, Any]:
    return {"check": finding.check, "reason": finding.reason, "note": finding.note}


def _excused(failure: Mapping[str, Any], kinds: frozenset[Excuse]) -> bool:
    return bool(ROW_OF[Reason(failure["reason"])].excused_by & kinds)


def _excuses(failure: Mapping[str, Any]) -> bool:
    return _is_of_overload(failure) and failure["check"] in _EXCUSABLE


def _is_of_overload(failure: Mapping[str, Any]) -> bool:
    """An agent said it of its own leg, or it is said of the other one's."""
    of_peer = failure["reason"] == Reason.PEER_LOST and "agent was overloaded" in (failure.get("note") or "")
    return of_peer or failure["reason"] == Reason.AGENT_OVERLOADED


_EXCUSABLE = {rule.check for rule in RULES if rule.media or any(row.excused_by for row in rule.rows)}
