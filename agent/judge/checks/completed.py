"""completed: an answered call got its ACK, lasted until the side that should end it did, and the BYE was answered."""

from typing import Final

import msgspec

from agent.contract.observation import Bye, Side
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, is_success, own_words
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.checks.connection import crossed
from agent.judge.ends import ENDED_LATER_MS, CallEnds
from agent.judge.findings import inconclusive, noted
from agent.judge.words import destination, joined, often, seconds, spoken, unread

ACK_MS: Final = 2000.0
"""An ACK that takes longer has not come: by then the 200 was sent again at 0.5 and 1.5 s (RFC 3261 §13.3.1.4)."""
ANSWERS: Final = 3
"""How often our callee must have sent its 200: one that was lost on the way brings no ACK."""
REQUEST_TIMEOUT: Final = 408
"""What a proxy says of silence."""
AT_ONCE_MS: Final = 500.0
"""In a call as short as T1 the ACK may have been on its way; that it was so short is said anyway."""


def completed(leg: CallLeg) -> list[Finding]:
    """An answered call got its ACK, lasted until who is to end it did, and the caller's BYE was answered."""
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
        sent = f"its 200 was sent {often(dialog.answers)} in {seconds(leg.call_ms)}"
        return [_unfinished(leg, f"no ACK came, and {sent}: too little to tell that it is missing")]
    observed = f"no ACK in {seconds(leg.call_ms)} to its 200, sent {often(dialog.answers)}"
    return [leg.finding(Check.COMPLETED, Reason.ACK_MISSING, expected="an ACK", observed=observed)]


def _ended(leg: CallLeg) -> list[Finding]:
    if leg.bye is None:
        return [_unfinished(leg, "who ended the call was not measured")]
    if leg.bye.by is Side.REMOTE:
        return _ended_by_peer(leg)
    if leg.leg.role is Role.CALLEE:
        return [_unfinished(leg, "no BYE came before this callee hung up itself")]
    return _bye_answered(leg, leg.bye)


def _ended_by_peer(leg: CallLeg) -> list[Finding]:
    if leg.held or leg.call.sut_ends_it:
        return []  # whether it did, and when, is the check `ended`
    if leg.call_ms is None:
        return [_unfinished(leg, "how long the call lasted was not measured")]
    observed, said = f"a BYE after {seconds(leg.call_ms)}", () if leg.bye is None else leg.bye.why
    return [_broken(leg, Reason.CALL_DROPPED, _until(leg), observed, *said)]


def _bye_answered(leg: CallLeg, bye: Bye) -> list[Finding]:
    if not leg.held:
        return [_unfinished(leg, "this agent ended it before its hold was over")]
    if bye.crossed or (bye.code is not None and is_success(bye.code)):
        return []  # a dialog that both sides end is over, whatever is said to the second BYE
    if bye.code is not None:
        return [_bye_refused(leg, bye, f"{spoken(bye.code, bye.phrase)} to its BYE")]
    if crossed(leg.leg.connections, "BYE"):
        return [_unfinished(leg, "its BYE may have crossed the end of its connection, and was read by nobody then")]
    if (late := next((seen for seen in leg.leg.unparsed if seen.at_ms >= bye.at_ms), None)) is not None:
        return [leg.finding(Check.COMPLETED, Reason.NOT_MEASURED, expected="200 to its BYE", note=unread(late))]
    return [_broken(leg, Reason.BYE_UNANSWERED, "200", "no final response to its BYE", bye_sent(leg), leg.said)]


def _bye_refused(leg: CallLeg, bye: Bye, observed: str) -> Finding:
    if bye.answered_when_over:
        note = f"{observed} came after the SUT's own BYE, which did not cross it: the first ones were lost, or ignored"
        return leg.finding(Check.COMPLETED, Reason.NOT_MEASURED, expected="200 to its BYE", note=note)
    return _broken(leg, Reason.BYE_REJECTED, "200", observed, *bye.why, bye_sent(leg), leg.said)


def bye_sent(leg: CallLeg) -> str | None:
    """Where a leg's own BYE went, and how often; None where that was not seen."""
    target = None if leg.leg.dialog is None or leg.bye is None else leg.bye.target or leg.leg.dialog.target
    return None if target is None or leg.bye is None else f"sent {often(leg.bye.times)} {destination(target)}"


def _broken(leg: CallLeg, reason: Reason, expected: str, observed: str, *notes: str | None) -> Finding:
    return leg.finding(Check.COMPLETED, reason, expected=expected, observed=observed, note=joined(*notes))


def _unfinished(leg: CallLeg, note: str) -> Finding:
    return leg.finding(Check.COMPLETED, Reason.NOT_MEASURED, expected=_until(leg), note=own_words(leg, note))


def _until(leg: CallLeg) -> str:
    if leg.call.sut_ends_it:
        return "a BYE, of the SUT's or the caller's"
    after = f"after {leg.call.group.hold_seconds:g} s"
    return f"to hang up itself {after}" if leg.leg.role is Role.CALLER else f"the caller's BYE {after}"


# As both ends have it


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    if finding.reason is Reason.ACK_MISSING:
        return _unacknowledged(ends, finding)
    if finding.reason in (Reason.BYE_REJECTED, Reason.BYE_UNANSWERED):
        return _by_callee(ends, finding)
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
    target = caller.leg.dialog.target
    where = "" if target is None else f" {often(caller.leg.dialog.acks)} {destination(target)}"
    return noted(finding, f"the caller sent its ACK{where}")


def _by_callee(ends: CallEnds, finding: Finding) -> Finding:
    """The response to the BYE may be our own callee's, or be missing because it gave none."""
    ours = None if ends.caller is None else ends.caller.bye
    theirs = None if ends.callee is None else ends.callee.bye
    if ours is None or theirs is None or theirs.by is Side.LOCAL:
        return finding
    if theirs.code is None:
        was_silent = ours.code in (None, REQUEST_TIMEOUT)
        note = "the callee agent had the BYE, and itself did not answer it"
        return inconclusive(finding, Reason.AGENT_ERROR, note) if was_silent else finding
    if finding.reason is Reason.BYE_UNANSWERED or is_success(theirs.code):
        return finding
    answer = spoken(theirs.code, theirs.phrase)
    return inconclusive(finding, Reason.AGENT_ERROR, f"the callee agent itself answered {answer} to the BYE")


def _bye_missing(ends: CallEnds, finding: Finding) -> Finding:
    """A callee that waited for the caller's BYE for the whole hold, and hung up itself when the caller was done."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or finding.leg is not Role.CALLEE or finding.reason is not Reason.NOT_MEASURED:
        return finding
    if caller.bye is None or callee.bye is None or caller.leg.detour or ends.callee_gone is not None:
        return finding
    if ends.call.sut_ends_it and caller.ended_by_peer:
        return _bye_missing_of_sut(caller, callee, finding)
    both_hung_up = caller.bye.by is callee.bye.by is Side.LOCAL
    if not both_hung_up or not caller.held or not callee.held:
        return finding
    if (unsure := _unsure(finding, callee, caller)) is not None:
        return unsure
    code = caller.bye.code
    answer = "it got no response" if code is None else f"it got {spoken(code, caller.bye.phrase)}"
    note = joined(f"the caller's BYE was {bye_sent(caller) or 'sent'}", answer)
    return msgspec.structs.replace(finding, reason=Reason.BYE_MISSING, observed="no BYE", note=note)


def _unsure(finding: Finding, *legs: CallLeg) -> Finding | None:
    """One of these agents was late, or lost datagrams: the BYE may have come, or gone, all the same."""
    for leg in legs:
        if (trouble := leg.trouble(LATE_OR_DROPPED, media=False)) is not None:
            return inconclusive(finding, Reason.AGENT_OVERLOADED, f"the {leg.name} agent was overloaded: {trouble}")
    return None


def _bye_missing_of_sut(caller: CallLeg, callee: CallLeg, finding: Finding) -> Finding:
    """The SUT ended the caller's end as it was to, and not the other one, which hung up itself well after that."""
    if caller.call_ms is None or callee.call_ms is None or callee.call_ms < caller.call_ms + ENDED_LATER_MS:
        return finding
    if callee.bye is None or callee.bye.by is Side.REMOTE:
        return finding
    if (unsure := _unsure(finding, callee)) is not None:
        return unsure
    note = f"the SUT ended the caller's end after {seconds(caller.call_ms)}"
    return msgspec.structs.replace(finding, reason=Reason.BYE_MISSING, observed="no BYE", note=note)


def _notes(ends: CallEnds) -> list[str]:
    caller = ends.caller
    if ends.call.sut_ends_it or caller is None or caller.call_ms is None or not caller.ended_by_peer or not caller.held:
        return []
    return [f"the other side hung up after {seconds(caller.call_ms)}, when the hold was as good as over"]


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
            seen="A BYE that neither of our agents sent reached a leg more than 0.5 s before the hold was over. The "
            "note quotes its Reason header.",
            usually="A session timer that nobody refreshed (RFC 4028), a media timeout of the relay or PBX (it saw no "
            "RTP from one side), a maximum call length, or a SUT that restarted.",
            look="How long the call lasted: the same at each call means a timer. The BYE's Reason, From tag and "
            "User-Agent in the detail; the SUT's log at that time.",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.BYE_UNANSWERED,
            meaning="no final response to the caller's BYE",
            seen="The caller's BYE got no final response until our stack gave up. The note says where it went and "
            "what sent it there.",
            usually="The BYE went around the SUT, or to an address that cannot be reached: no Record-Route, or a "
            "Contact with a private or wrong address (NAT, a missing `advertise`).",
            look="Contact and Record-Route of the 200 against the address that the BYE was sent to.",
            excused_by=LATE_OR_DROPPED,
            behind=Reason.JITTER,
        ),
        Row(
            reason=Reason.BYE_MISSING,
            meaning="the caller hung up, or the SUT ended the caller's end as asked, and no BYE reached the callee",
            seen="The caller sent its BYE, and the callee had none when it hung up itself, well after the hold. The "
            "note says where the BYE went and what it got.",
            usually="The SUT took the BYE and does not know the dialog any more (a restart, another replica, a lost "
            "dialog table), or it went to somebody else: Contact or Record-Route is wrong.",
            look="Who answered the BYE; the SUT's log for this Call-ID at that time; whether in-dialog requests reach "
            "the replica that has the dialog.",
            excused_by=LATE_OR_DROPPED,
            behind=Reason.JITTER,
        ),
        Row(
            reason=Reason.ACK_MISSING,
            meaning=(
                "the caller sent its ACK, and none reached the callee, which sent its 200 three times in 2 s or more: "
                "a phone must drop such a call after 32 s (RFC 3261 §13.3.1.4)"
            ),
            seen="The callee sent its 200 again and again for 2 s or more and got no ACK, though the caller's ACK was "
            "on the wire. The note says where that went and what sent it there.",
            usually="The ACK to a 2xx is routed like a new request: by Contact and Record-Route. One of them names an "
            "address that the caller cannot reach, or the proxy does not route ACKs in a dialog (loose routing).",
            look="Contact and Record-Route of the 200 as the caller got it; the proxy's handling of requests with a "
            "Route header and a To tag.",
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
            seen="A final response other than 2xx to the last try of the caller's BYE, in a dialog that was up. The "
            "note quotes what it says of why, and where the BYE went.",
            usually="481: whoever answered does not know the dialog (a restart, another replica, changed tags). 401, "
            "407: requests in a dialog are challenged. 403, 404: the BYE is routed as if it began a call.",
            look="Who sent that response, and whether the BYE carried the Route that the 200's Record-Route asks for.",
            excused_by=LATE_OR_DROPPED,
            behind=Reason.JITTER,
        ),
    ),
    subject="call",
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    holds=(
        "the ACK reaches the callee, the call lasts until the caller's BYE after `holdSeconds` (or the SUT's, with "
        "`endedBy: SUT`), and the caller's BYE is answered 2xx"
    ),
)
