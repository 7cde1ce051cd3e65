"""Which of several findings is said first."""

from collections.abc import Iterable
from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Result

CAUSES_FIRST: Final = (
    # Failed. Signalling before media, since a call that is not there has none; what stops packets before what packets
    # carry: lost packets take audio and digits along, lost digits take nothing along. Teardown breaks no media.
    Reason.REGISTRATION_REJECTED,
    Reason.REGISTRATION_TIMEOUT,
    Reason.NO_RESPONSE,
    Reason.NO_ANSWER,
    Reason.SIP_CODE_MISMATCH,
    Reason.ANSWERED_ELSEWHERE,
    Reason.CALL_DROPPED,
    Reason.NO_RTP,
    Reason.MEDIA_STOPPED,
    Reason.UNNEGOTIATED_PAYLOAD,
    Reason.PACKET_LOSS,
    Reason.TOO_FEW_PACKETS,
    Reason.WRONG_AUDIO,
    Reason.NO_AUDIO,
    Reason.UNEXPECTED_AUDIO,
    Reason.DTMF_NOT_NEGOTIATED,
    Reason.DTMF_OTHER_METHOD,
    Reason.DTMF_MISMATCH,
    Reason.DTMF_NOT_ENDED,
    Reason.DTMF_CUT_SHORT,
    Reason.JITTER,
    Reason.BYE_UNANSWERED,
    Reason.BYE_MISSING,
    # Inconclusive. What a person must mend first, then our agents' own troubles, then what follows from those.
    Reason.INVALID_TEST,
    Reason.ACCESS_DENIED,
    Reason.TARGET_NOT_ALLOWED,
    Reason.NUMBER_NOT_ALLOWED,
    Reason.LIMIT_EXCEEDED,
    Reason.NAME_CONFLICT,
    Reason.INPUT_MISSING,
    Reason.NO_ENDPOINTS,
    Reason.TOO_FEW_ENDPOINTS,
    Reason.AGENT_NOT_CREATED,
    Reason.AGENT_UNSCHEDULABLE,
    Reason.AGENT_IMAGE_PULL_FAILED,
    Reason.AGENT_START_TIMEOUT,
    Reason.AGENT_LOST,
    Reason.AGENT_ERROR,
    Reason.RESULT_REJECTED,
    Reason.AGENT_OVERLOADED,
    Reason.DEADLINE_EXCEEDED,
    Reason.ABORTED,
    Reason.CALLEE_SHARED,
    Reason.PEER_LOST,
    Reason.ACK_MISSING,
    Reason.BYE_REJECTED,
    Reason.NOT_MEASURED,
    # Said beside another reason.
    Reason.ENDPOINT_REMOVED,
    Reason.ENDPOINT_RESTARTED,
)
"""Every reason once, the most explanatory first."""

_CHECKS: Final = (
    Check.RUN,
    Check.REGISTERED,
    Check.ANSWERED,
    Check.DELIVERED,
    Check.COMPLETED,
    Check.RTP_PACKETS,
    Check.RTP_LOSS,
    Check.RTP_JITTER,
    Check.AUDIO,
    Check.DTMF,
)
"""Likewise: the check that is about the reason before those that only suffer from it."""

_RANK = {reason: rank for rank, reason in enumerate(CAUSES_FIRST)}
_CHECK_RANK = {check: rank for rank, check in enumerate(_CHECKS)}


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Failed before Inconclusive; then causes before their consequences; then endpoint, call, number, leg."""
    return tuple(sorted(findings, key=_order))


def result_of_findings(findings: Iterable[Finding]) -> Result:
    """Passed where there is none (truth rule 7)."""
    results = {finding.result for finding in findings}
    if Result.FAILED in results:
        return Result.FAILED
    return Result.INCONCLUSIVE if results else Result.PASSED


def _order(finding: Finding) -> tuple[bool, int, int, int, str, int, str, str]:
    # The Caller sorts behind the Callee: its observation is often the echo of what the callee received.
    return (
        finding.result is not Result.FAILED,
        _RANK[finding.reason],
        _CHECK_RANK[finding.check],
        finding.endpoint,
        finding.call,
        finding.number,
        finding.leg.value,
        f"{finding.observed} {finding.note}",
    )
