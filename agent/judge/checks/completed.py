"""completed: an answered call got its ACK, lasted until the side that should end it did, and the BYE was answered."""

from typing import Final

import msgspec

from agent.contract.observation import Bye, Side
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, is_success, own_words
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.ends import CallEnds
from agent.judge.findings import inconclusive, noted

ACK_MS: Final = 2000.0
"""An ACK that takes longer has not come: by then the 200 was sent again at 0.5 and 1.5 s (RFC 3261 §13.3.1.4)."""
ANSWERS: Final = 3
"""How often our callee must have sent its 200: one that was lost on the way brings no ACK."""
AT_ONCE_MS: Final = 500.0
"""In a call as short as T1 the ACK may have been on its way; that it was so short is said anyway."""


def completed(leg: CallLeg) -> list[Finding]:
    """An answered call got its ACK, lasted until the caller's BYE at the end of its hold, and that was answered."""
    if leg.leg.detour:
        return [_unfinished(leg, "a message of ours went another way than the other side asked")]
    unacknowledged = _acknowledged(leg)
    if any(finding.reason is Reason.ACK_MISSING for finding in unacknowledged) and not leg.ended_by_peer:
        return unacknowledged  # after 32 s our callee must hang up itself: no more is to be said of the end
    return [*unacknowledged, *_ended(leg)]


def _acknowledged(leg: CallLeg) -> list[Finding]:
    dialog = leg.leg.dialog
    if leg.leg.role is Role.CALLER or (dialog is not None and dialog.ack_ms is not None):
        return []
    if dialog is None or leg.call_ms is None:
        return [_unfinished(leg, "whether the ACK came was not measured")]
    if leg.call_ms < AT_ONCE_MS:
        return []
    if leg.call_ms < ACK_MS or dialog.answers < ANSWERS:
        return [_unfinished(leg, f"no ACK to {dialog.answers} 200s in {leg.call_ms / 1000:.1f} s")]
    observed = f"none in {leg.call_ms / 1000:.1f} s, to {dialog.answers} 200s"
    return [leg.finding(Check.COMPLETED, Reason.ACK_MISSING, expected="an ACK to the 200", observed=observed)]


def _ended(leg: CallLeg) -> list[Finding]:
    if leg.bye is None:
        return [_unfinished(leg, "who ended the call was not measured")]
    if leg.bye.by is Side.REMOTE:
        return _ended_by_peer(leg)
    if leg.leg.role is Role.CALLEE:
        return [_unfinished(leg, "no BYE came before this callee hung up itself")]
    return _bye_answered(leg, leg.bye)


def _ended_by_peer(leg: CallLeg) -> list[Finding]:
    if leg.held:
        return []
    if leg.call_ms is None:
        return [_unfinished(leg, "how long the call lasted was not measured")]
    observed = f"the other side's BYE after {leg.call_ms / 1000:.1f} s"
    return [leg.finding(Check.COMPLETED, Reason.CALL_DROPPED, expected=_until(leg), observed=observed)]


def _bye_answered(leg: CallLeg, bye: Bye) -> list[Finding]:
    if not leg.held:
        return [_unfinished(leg, "the agent ended the call before its hold was over")]
    if bye.crossed or (bye.code is not None and is_success(bye.code)):
        return []  # a dialog that both sides end is over, whatever is said to the second BYE
    if bye.code is not None:
        return [_broken(leg, Reason.BYE_REJECTED, "200 to the BYE", str(bye.code))]
    return [_broken(leg, Reason.BYE_UNANSWERED, "a final response to the BYE", "none")]


def _broken(leg: CallLeg, reason: Reason, expected: str, observed: str) -> Finding:
    note = leg.leg.local_reason
    return leg.finding(Check.COMPLETED, reason, expected=expected, observed=observed, note=note)


def _unfinished(leg: CallLeg, note: str) -> Finding:
    return leg.finding(Check.COMPLETED, Reason.NOT_MEASURED, expected=_until(leg), note=own_words(leg, note))


def _until(leg: CallLeg) -> str:
    return f"the caller's BYE after {leg.call.group.hold_seconds:g} s"


# As both ends have it


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    if finding.reason is Reason.ACK_MISSING:
        return _unacknowledged(ends, finding)
    if finding.reason is Reason.BYE_REJECTED:
        return _rejected(ends, finding)
    return finding


def _unacknowledged(ends: CallEnds, finding: Finding) -> Finding:
    """An ACK is missing on the way only where our caller sent one."""
    caller = ends.caller
    if caller is None or caller.leg.dialog is None:
        return inconclusive(finding, Reason.NOT_MEASURED, "whether the caller sent its ACK is not known")
    trouble = caller.trouble(LATE_OR_DROPPED, media=False)
    if trouble is not None:
        return inconclusive(finding, Reason.AGENT_OVERLOADED, f"the caller agent was overloaded: {trouble}")
    if not caller.answered:
        return inconclusive(finding, Reason.NOT_MEASURED, "the caller itself had no 200 to acknowledge")
    if caller.leg.dialog.ack_ms is None or caller.leg.detour:
        note = own_words(caller, "the caller agent itself sent no ACK to where it should go")
        return inconclusive(finding, Reason.AGENT_ERROR, note)
    return noted(finding, "the caller sent its ACK")


def _rejected(ends: CallEnds, finding: Finding) -> Finding:
    """The response to the BYE may be our own callee's."""
    callee = ends.callee
    theirs = None if callee is None else callee.bye
    if theirs is None or theirs.by is Side.LOCAL or theirs.code is None or is_success(theirs.code):
        return finding
    return inconclusive(finding, Reason.AGENT_ERROR, f"the callee agent itself answered the BYE with {theirs.code}")


def _bye_missing(ends: CallEnds, finding: Finding) -> Finding:
    """A callee that waited for the caller's BYE for the whole hold, and hung up itself when the caller was done."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or finding.leg is not Role.CALLEE or finding.reason is not Reason.NOT_MEASURED:
        return finding
    sent = caller.bye is not None and caller.bye.by is Side.LOCAL and caller.held
    waited = callee.bye is not None and callee.bye.by is Side.LOCAL and callee.held
    if not sent or not waited or caller.leg.detour or ends.callee_gone is not None:
        return finding
    if caller.trouble(LATE_OR_DROPPED, media=False) or callee.trouble(LATE_OR_DROPPED, media=False):
        return finding
    return msgspec.structs.replace(finding, reason=Reason.BYE_MISSING, observed="no BYE", note="the caller sent one")


def _notes(ends: CallEnds) -> list[str]:
    caller = ends.caller
    if caller is None or caller.call_ms is None or not caller.ended_by_peer or not caller.held:
        return []
    return [f"the other side hung up after {caller.call_ms / 1000:.1f} s, when the hold was as good as over"]


RULE: Final = CheckRule(
    check=Check.COMPLETED,
    leg=completed,
    attribute=_attribute,
    explain=_bye_missing,
    notes=_notes,
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
            meaning=(
                "the caller sent its ACK, and none reached the callee, which sent its 200 three times in 2 s or more: "
                "a phone must drop such a call after 32 s (RFC 3261 §13.3.1.4)"
            ),
            excused_by=LATE_OR_DROPPED,
            shared=False,
            behind=Reason.JITTER,
        ),
        Row(
            reason=Reason.BYE_REJECTED,
            meaning=(
                "the caller's BYE in a live dialog got another response than 2xx (RFC 3261 §15): the other end was not "
                "told that the call is over"
            ),
            excused_by=LATE_OR_DROPPED,
            behind=Reason.JITTER,
        ),
    ),
    on="both legs",
    holds=(
        "the ACK reaches the callee, the call lasts until the caller's BYE after `holdSeconds`, and that BYE is "
        "answered 2xx"
    ),
)
