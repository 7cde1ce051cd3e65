"""Findings made of findings: the same with another reason, or with one more thing to know."""

import msgspec

from agent.contract.verdict import Finding, Reason


def inconclusive(finding: Finding, reason: Reason, note: str) -> Finding:
    """The finding with another reason, and why; what was expected and observed stays."""
    said = note if finding.note is None else f"{note}; {finding.note}"
    return msgspec.structs.replace(finding, reason=reason, note=said)


def noted(finding: Finding, note: str) -> Finding:
    """The same finding with one more thing to know."""
    return msgspec.structs.replace(finding, note=note if finding.note is None else f"{finding.note}; {note}")
