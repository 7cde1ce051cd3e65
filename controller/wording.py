"""Sentences about findings, for status, events and people. Text that came from the network is made safe here."""

from collections.abc import Mapping

from agent.contract.verdict import Check, Finding
from controller.api.run import Endpoint

_SENTENCES: Mapping[Check, str] = {
    Check.REGISTERED: "{leg}'s REGISTER was answered {observed}, expected {expected}",
    Check.ANSWERED: "{leg} got {observed}, expected {expected}",
    Check.DELIVERED: "the call did not reach our callee: {observed}, expected {expected}",
    Check.COMPLETED: "{leg}'s call did not end in order: {observed}, expected {expected}",
    Check.DTMF: '{leg} received "{observed}", expected "{expected}"',
    Check.AUDIO: "{leg} heard {observed}, expected {expected}",
    Check.RTP_PACKETS: "{leg} received {observed} RTP packets, expected at least {expected}",
    Check.RTP_LOSS: "{leg} lost {observed} % of the RTP packets, expected at most {expected} %",
    Check.RTP_JITTER: "{leg} saw {observed} ms of jitter, expected at most {expected} ms",
}


def plain(text: str, limit: int) -> str:
    """Text in one printable line of at most `limit` characters."""
    safe = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def sentence(finding: Finding) -> str:
    """What a finding says: who saw what, and what was expected."""
    leg = finding.leg.lower()
    if finding.observed is not None and finding.expected is not None and finding.check in _SENTENCES:
        text = _SENTENCES[finding.check].format(leg=leg, observed=finding.observed, expected=finding.expected)
        # Nothing but the note tells what an inconclusive check lacks.
        return f"{text} ({finding.note})" if finding.note else text
    parts = [finding.reason.value, finding.note or finding.observed or ""]
    return f"{leg}'s check {finding.check}: " + ", ".join(part for part in parts if part)


def located(finding: Finding, endpoint: Endpoint | None) -> str:
    """The finding's sentence with its call and endpoint before it."""
    where = f"endpoint {finding.endpoint}"
    if endpoint is not None:
        where = f"{endpoint.name} ({endpoint.address})" if endpoint.name != endpoint.address else endpoint.address
    return f"{finding.call} via {where}: {sentence(finding)}"
