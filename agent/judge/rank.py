"""Which of several findings is said first."""

from collections.abc import Iterable
from typing import Final

from agent.contract.verdict import Finding, Result
from agent.judge.checks import RULES
from agent.judge.reasons import CAUSES_FIRST, failed, result_of

_RANK: Final = {row.reason: rank for rank, row in enumerate(CAUSES_FIRST)}
_CHECK_RANK: Final = {rule.check: rank for rank, rule in enumerate(RULES)}


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Failed before Inconclusive; then causes before their consequences; then endpoint, call, number, leg."""
    return tuple(sorted(findings, key=_order))


def result_of_findings(findings: Iterable[Finding]) -> Result:
    """Passed where there is none (truth rule 7)."""
    results = {result_of(finding.reason) for finding in findings}
    if Result.FAILED in results:
        return Result.FAILED
    return Result.INCONCLUSIVE if results else Result.PASSED


def _order(finding: Finding) -> tuple[bool, int, int, int, str, int, str, str]:
    # The Caller sorts behind the Callee: its observation is often the echo of what the callee received.
    return (
        not failed(finding.reason),
        _RANK[finding.reason],
        _CHECK_RANK[finding.check],
        finding.endpoint,
        finding.call,
        finding.number,
        finding.leg.value,
        f"{finding.observed} {finding.note}",
    )
