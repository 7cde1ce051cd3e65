"""Which of several findings is said first."""

from collections.abc import Iterable

from agent.contract.verdict import Finding, Result


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Failed before Inconclusive; then causes before their consequences; then endpoint, call, number, leg."""
    raise NotImplementedError


def result_of_findings(findings: Iterable[Finding]) -> Result:
    """Passed where there is none (truth rule 7)."""
    raise NotImplementedError
