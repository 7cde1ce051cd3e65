"""A call judged from both its ends: what was sent against what was received, and every planned call accounted for."""

from typing import Final

from agent.contract.verdict import Finding, Reason, Role
from agent.judge.attribution import attribute, peers_doing
from agent.judge.checks import RULES
from agent.judge.checks.check import CheckRule
from agent.judge.digits import are_what_was_lost
from agent.judge.ends import CallEnds
from agent.judge.findings import inconclusive
from agent.judge.leg import excused, leg_findings, unmeasurable
from agent.judge.rank import worst_first
from agent.judge.reasons import failed
from agent.judge.unopened import as_opened
from agent.judge.untold import as_told

MAX_NOTES: Final = 8
"""Of one call."""


def call_findings(ends: CallEnds) -> tuple[Finding, ...]:
    """All that kept one call from passing, worst first; empty: every check was measured and held."""
    own = [*ends.registration, *ends.recorded]
    for leg in (ends.caller, ends.callee):
        own += [] if leg is None else leg_findings(leg)
    if ends.callee is None and not (ends.declared and ends.call.expects_answer):
        own += unmeasurable(ends.call, Role.CALLEE)
    findings = [found for finding in own if (found := attribute(ends, finding)) is not None]
    for rule in (*RULES[1:], RULES[0]):  # whether a leg is accounted for at all is seen when all else was said
        for found in rule.ends(ends, findings):
            findings = [*_others(findings, found), _whose(ends, rule, found)]
    findings = [as_opened(ends, finding) for finding in as_told(ends, findings)]
    return _digits_first(ends, worst_first(_unless_unkeyed(findings)))


UNKEYED: Final = frozenset({
    Reason.SRTP_DOWNGRADED, Reason.SRTP_KEYING_MISMATCH, Reason.SRTP_ANSWER_INVALID, Reason.DTLS_ROLE_CONFLICT,
    Reason.DTLS_FINGERPRINT_MISMATCH, Reason.DTLS_FAILED, Reason.DTLS_TIMEOUT,
})  # fmt: skip
"""For these our stack ends a call at once, or has no media in it: what of the rest was not measured says no more."""


def _unless_unkeyed(findings: list[Finding]) -> list[Finding]:
    unkeyed = any(finding.reason in UNKEYED for finding in findings)
    return [finding for finding in findings if failed(finding.reason)] if unkeyed else findings


def call_notes(ends: CallEnds) -> tuple[str, ...]:
    """What to know of one call, whether it passed or not."""
    return tuple(dict.fromkeys(note for rule in RULES for note in rule.notes(ends)))[:MAX_NOTES]


def _others(findings: list[Finding], found: Finding) -> list[Finding]:
    """What stands beside a finding of both ends: not what one of them could not tell of the same check."""
    if not failed(found.reason):
        return findings
    return [other for other in findings if (other.leg, other.check) != (found.leg, found.check) or failed(other.reason)]


_OF_LOSS: Final = (Reason.PACKET_LOSS, Reason.TOO_FEW_PACKETS)


def _digits_first(ends: CallEnds, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Loss comes before what it takes along; but where the lost packets are the digits', these are what is missing."""
    digits = [
        finding
        for finding in findings
        if finding.reason is Reason.DTMF_MISMATCH
        if any(other.leg is finding.leg and other.reason in _OF_LOSS for other in findings)
        if are_what_was_lost(ends, finding.leg)
    ]
    rest = [finding for finding in findings if finding not in digits]
    place = next((place for place, finding in enumerate(rest) if finding.reason in _OF_LOSS), 0)
    return (*rest[:place], *digits, *rest[place:])


def _whose(ends: CallEnds, rule: CheckRule, found: Finding) -> Finding:
    """What two ends show together may be the doing of an agent that was in trouble, on either side."""
    receiver = ends.leg(found.leg)
    if receiver is None or not rule.shared or not failed(found.reason):
        return found
    trouble = peers_doing(ends, found)
    return excused(receiver, found) if trouble is None else inconclusive(found, Reason.PEER_LOST, trouble)
