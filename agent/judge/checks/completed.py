"""completed: an answered call got its ACK, lasted until the side that should end it did, and the BYE was answered."""

from typing import Final

import msgspec

from agent.contract.observation import Side
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.call_leg import CallLeg, is_success, own_words
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.ends import CallEnds

ACK_MS: Final = 500.0
"""An ACK that takes longer than the first retransmission of the 200 (RFC 3261 T1) has not come, if the call is over."""


def completed(leg: CallLeg) -> list[Finding]:
    """An answered call got its ACK, lasted until the caller's BYE at the end of its hold, and that was answered."""
    return [*_acknowledged(leg), *_ended(leg)]


def _acknowledged(leg: CallLeg) -> list[Finding]:
    if leg.leg.role is Role.CALLER or leg.leg.acknowledged:
        return []
    if leg.leg.acknowledged is None or leg.call_ms is None:
        return [_unfinished(leg, "whether the ACK came was not measured")]
    if leg.call_ms < ACK_MS:
        return []  # it may have been on its way; that the call was so short is said anyway
    return [leg.finding(Check.COMPLETED, Reason.ACK_MISSING, expected="an ACK to the 200", observed="none")]


def _ended(leg: CallLeg) -> list[Finding]:
    if leg.leg.ended_by is None:
        return [_unfinished(leg, "who ended the call was not measured")]
    if leg.leg.ended_by is Side.REMOTE:
        return _ended_by_peer(leg)
    if leg.leg.role is Role.CALLEE:
        return [_unfinished(leg, "no BYE came before this callee hung up itself")]
    return _bye_answered(leg)


def _ended_by_peer(leg: CallLeg) -> list[Finding]:
    if leg.leg.role is Role.CALLEE and leg.held:
        return []
    if leg.call_ms is None:
        return [_unfinished(leg, "how long the call lasted was not measured")]
    observed = f"the other side's BYE after {leg.call_ms / 1000:.1f} s"
    return [leg.finding(Check.COMPLETED, Reason.CALL_DROPPED, expected=_until(leg), observed=observed)]


def _bye_answered(leg: CallLeg) -> list[Finding]:
    if not leg.held or leg.leg.progress.bye_ms is None:
        return [_unfinished(leg, "the agent ended the call before its hold was over")]
    if leg.leg.bye_answered:
        return _bye_taken(leg)
    if leg.leg.bye_answered is None:
        return [_unfinished(leg, "whether the BYE was answered was not measured")]
    return [
        leg.finding(
            Check.COMPLETED,
            Reason.BYE_UNANSWERED,
            expected="a final response to the BYE",
            observed="none",
            note=leg.leg.local_reason,
        )
    ]


def _bye_taken(leg: CallLeg) -> list[Finding]:
    code = leg.leg.bye_code
    if code is None or is_success(code):
        return []
    return [leg.finding(Check.COMPLETED, Reason.BYE_REJECTED, expected="200 to the BYE", observed=str(code))]


def _unfinished(leg: CallLeg, note: str) -> Finding:
    return leg.finding(Check.COMPLETED, Reason.NOT_MEASURED, expected=_until(leg), note=own_words(leg, note))


def _until(leg: CallLeg) -> str:
    return f"the caller's BYE after {leg.call.group.hold_seconds:g} s"


# As both ends have it


def _bye_missing(ends: CallEnds, finding: Finding) -> Finding:
    """A callee that waited for the caller's BYE for the whole hold, and hung up itself when the caller was done."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or finding.leg is not Role.CALLEE:
        return finding
    sent = not caller.cut_short and caller.leg.progress.bye_ms is not None and caller.leg.bye_answered is not None
    waited = callee.leg.ended_by is Side.LOCAL and callee.held
    if not sent or not waited or ends.callee_gone is not None or caller.excuse or callee.excuse:
        return finding
    return msgspec.structs.replace(finding, reason=Reason.BYE_MISSING, observed="no BYE", note="the caller sent one")


RULE: Final = CheckRule(
    check=Check.COMPLETED,
    leg=completed,
    explain=_bye_missing,
    shared=True,
    stoppable=True,
    rows=(
        Row(
            reason=Reason.CALL_DROPPED,
            meaning="the call ended before the side that should end it did",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.BYE_UNANSWERED,
            meaning="no final response to the caller's BYE",
            excused_by=LATE_OR_DROPPED,
            behind=Reason.JITTER,
        ),
        Row(
            reason=Reason.BYE_MISSING,
            meaning="the caller hung up, and no BYE reached the callee",
            excused_by=LATE_OR_DROPPED,
            behind=Reason.JITTER,
        ),
        Row(
            reason=Reason.ACK_MISSING,
            result=Result.INCONCLUSIVE,
            meaning="the callee answered, and no ACK reached it: a real phone would drop the call after 32 s",
            excused_by=LATE_OR_DROPPED,
            behind=Reason.PEER_LOST,
        ),
        Row(
            reason=Reason.BYE_REJECTED,
            result=Result.INCONCLUSIVE,
            meaning="the caller's BYE got another response than 2xx: the other end was not told that the call is over",
            excused_by=LATE_OR_DROPPED,
            behind=Reason.PEER_LOST,
        ),
    ),
    on="both legs",
    holds=(
        "the ACK reaches the callee, the call lasts until the caller's BYE after `holdSeconds`, and that BYE is "
        "answered 2xx"
    ),
)
