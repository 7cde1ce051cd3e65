"""Sentences about findings, for status, events and people."""

import re

from agent.contract.verdict import Check, Finding
from agent.judge.checks import RULE_OF
from agent.judge.reasons import ROW_OF, failed
from controller.api.run import Endpoint

_DIGITS = re.compile(r"[0-9A-D*#]+")


def sentence(finding: Finding) -> str:
    """What a finding says: who saw what, what was expected, and what else is known of it."""
    leg, rule = finding.leg.lower(), RULE_OF[finding.check]
    if finding.observed is None or finding.expected is None:
        why = finding.note or finding.observed or ROW_OF[finding.reason].meaning
        return f"{leg} agent: {why}" if finding.check is Check.RUN else f"{leg}'s {rule.subject} not judged: {why}"
    observed, expected = finding.observed, finding.expected
    if finding.check is Check.DTMF:
        observed, expected = _quoted(observed), _quoted(expected)
    text = rule.sentence.format(leg=leg, observed=observed, expected=expected)
    if failed(finding.reason):
        return f"{text}; {finding.note}" if finding.note else text
    return f"{text}; inconclusive: {finding.note or ROW_OF[finding.reason].meaning}"


def ended_of(planned: int, *, ended: int, failed: int) -> str:
    """How far a run is; `failed` of the ended calls had a fault at one end alone."""
    if not planned:
        return "no calls"
    return f"{ended} of {planned} calls ended" + (f", {failed} with a fault" if failed else "")


def passed_of(planned: int, *, passed: int, failed: int, inconclusive: int) -> str:
    """What the calls of a finished run, or of one of its endpoints, came to."""
    if not planned:
        return "no calls"
    rest = ((failed, "failed"), (inconclusive, "inconclusive"))
    return ", ".join([f"{passed} of {planned} calls passed", *(f"{count} {word}" for count, word in rest if count)])


def reference(reason: str) -> str:
    """Where it stands what a reason usually is, and what to look at next."""
    return f"docs/reasons.md#{reason.lower()}"


def _quoted(digits: str) -> str:
    """Digits in quotes; words about them ("no digits") without."""
    return f'"{digits}"' if _DIGITS.fullmatch(digits) else digits


def located(finding: Finding, endpoint: Endpoint | None) -> str:
    """The finding's sentence with its call and endpoint before it."""
    where = f"endpoint {finding.endpoint}"
    if endpoint is not None:
        where = f"{endpoint.name} ({endpoint.address})" if endpoint.name != endpoint.address else endpoint.address
    return f"{finding.call} via {where}: {sentence(finding)}"
