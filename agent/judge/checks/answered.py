"""answered: the INVITE's final response has the expected code and came in time."""

from typing import Final

from agent.contract.observation import Side
from agent.contract.outcome import OnRedirect
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.call_leg import CallLeg, is_success, own_words
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.checks.redirected import came_to
from agent.judge.ends import CallEnds, Gone
from agent.judge.findings import inconclusive, noted
from agent.judge.keys import against_the_test
from agent.judge.own_answer import (
    REQUEST_TERMINATED,
    UNANSWERED,
    as_due,
    could_not,
    only_rings,
    outlasted,
    refused_by_agent,
    slow_callee,
    waited_ms,
)
from agent.judge.refusals import PATH_CODES, changed_on_the_way
from agent.judge.words import beyond_us, challenged, joined, listed, often, refused, seconds, spoken, unread

TIMER_B_MS: Final = 32_000.0
"""A UAC gives up on an INVITE without any response after 64 × T1 (RFC 3261 §17.1.1.2), whatever we would wait."""
WAIT_TOLERANCE_MS: Final = 500.0
"""A wait this much shorter still counts as the whole: our timer starts before the INVITE is on the wire."""
RINGING: Final = 180
MADE_500: Final = "of a 503 a proxy makes a 500 (RFC 3261 §16.7)"


def answered(leg: CallLeg) -> list[Finding]:
    """The INVITE's final response has the expected code and came in time."""
    if leg.leg.role is Role.CALLEE:
        return _callee_answered(leg)
    return [_stopped(leg, "before the SUT answered")] if stopped_unanswered(leg) else _caller_answered(leg)


def _caller_answered(leg: CallLeg) -> list[Finding]:
    code, answered_ms = leg.leg.final_code, leg.leg.progress.answered_ms
    if code is None or (code == REQUEST_TERMINATED and leg.leg.ended_by is Side.LOCAL):
        return [] if _cancelled_in_time(leg) else [_not_answered(leg)]
    observed = spoken(code, leg.leg.final_phrase)
    if leg.leg.callee_shared or not leg.call.group.expect.takes(code):
        return [_other_code(leg, observed)]
    if code == leg.call.group.expect.sip_code == REQUEST_TERMINATED:
        return [_found(leg, Reason.SIP_CODE_MISMATCH, f"{observed} without a CANCEL", within=" to its CANCEL")]
    if answered_ms is None:
        return [_found(leg, Reason.NOT_MEASURED, observed, "when that response came was not measured")]
    if answered_ms > _limit_ms(leg):
        return [_late(leg, f"{observed} after {seconds(answered_ms)}")]
    return []


def _cancelled_in_time(leg: CallLeg) -> bool:
    """487 is asked, and came to the CANCEL of a caller that had waited for as long as it was to (RFC 3261 §9.1)."""
    took_ms = leg.leg.progress.answered_ms
    asked = leg.leg.final_code == leg.call.group.expect.sip_code == REQUEST_TERMINATED
    return asked and took_ms is not None and took_ms >= _limit_ms(leg) - WAIT_TOLERANCE_MS


def _other_code(leg: CallLeg, observed: str) -> Finding:
    if leg.leg.asked.unanswerable is not None and leg.call.plan.account.credentials is not None:
        return _found(leg, Reason.NOT_MEASURED, observed, beyond_us(leg.leg.asked.unanswerable))
    if not leg.leg.callee_shared:
        return _found(leg, Reason.SIP_CODE_MISMATCH, observed, *_refusal(leg))
    note = "another run's callee refused the call: give each test a callee.uri of its own"
    return _found(leg, Reason.CALLEE_SHARED, observed, note)


def _found(leg: CallLeg, reason: Reason, observed: str | None, *notes: str | None, within: str = "") -> Finding:
    expected = f"{leg.call.group.expect.sip_code}{within}"
    return leg.finding(Check.ANSWERED, reason, expected=expected, observed=observed, note=joined(*notes))


def _refusal(leg: CallLeg) -> list[str | None]:
    """What else is known of a refusal: what it says of why, what was asked back, where it points, whether it rang."""
    to = () if leg.leg.dialog is None else leg.leg.dialog.redirects
    rang = not leg.answered and RINGING in leg.leg.asked.provisional
    return [
        *leg.leg.asked.why,
        challenged(leg.leg.final_code, leg.leg.asked),
        f"it redirects to {listed(to)}, where this agent does not follow" if to and not _follows(leg) else came_to(leg),
        f"it had rung ({RINGING})" if rang else None,
    ]


def _follows(leg: CallLeg) -> bool:
    return leg.call.group.caller.redirects is OnRedirect.FOLLOW


def _rang(leg: CallLeg) -> str | None:
    """Whether it rang, by the provisional responses; None where there was none."""
    codes = tuple(dict.fromkeys(leg.leg.asked.provisional))
    if not codes:
        return None
    if RINGING in codes:
        return f"it rang ({listed(map(str, codes))} came)"
    return f"it never rang ({'only ' if len(codes) == 1 else ''}{listed(map(str, codes))} came)"


def stopped_unanswered(leg: CallLeg) -> bool:
    """The agent was told to stop while the INVITE had no final response; one that came after its CANCEL is none."""
    own_end = leg.leg.final_code is None or leg.leg.ended_by is Side.LOCAL or leg.leg.role is Role.CALLEE
    return leg.leg.told_to_stop and not leg.answered and own_end


def _stopped(leg: CallLeg, when: str) -> Finding:
    return _found(leg, Reason.ABORTED, None, own_words(leg, f"the agent was told to stop {when}"))


def _late(leg: CallLeg, observed: str) -> Finding:
    within = f" within {leg.call.group.answer_timeout_seconds:g} s"
    asked_back = challenged(leg.leg.final_code, leg.leg.asked)
    return _found(leg, Reason.NO_ANSWER, observed, _rang(leg), asked_back, within=within)


def _not_answered(leg: CallLeg) -> Finding:
    """No final response of the SUT's own accord: its fault where we waited for as long as we had to, else ours."""
    if leg.leg.detour:
        note = own_words(leg, "a message of ours went another way than the other side asked")
        return _found(leg, Reason.NOT_MEASURED, None, note)
    times, took_ms = leg.leg.progress, waited_ms(leg)
    if took_ms is None:
        reason = Reason.AGENT_ERROR if leg.leg.local_reason else Reason.NOT_MEASURED
        return _found(leg, reason, None, own_words(leg, "the INVITE was not sent"))
    if leg.leg.unparsed:
        return _found(leg, Reason.NOT_MEASURED, None, unread(leg.leg.unparsed[0]))
    silent = times.first_response_ms is None and leg.leg.final_code is None
    needed_ms = min(_limit_ms(leg), TIMER_B_MS) if silent else _limit_ms(leg)
    nobody = refused(leg.leg.asked) if silent else None  # which is as good as a 503 (RFC 3261 §8.1.3.1)
    if nobody is None and took_ms < needed_ms - WAIT_TOLERANCE_MS:
        gave_up = own_words(leg, f"the agent gave up after {seconds(took_ms)}")
        return _found(leg, Reason.NOT_MEASURED, None, gave_up, _rang(leg))
    if not silent:
        return _late(leg, f"no final response in {seconds(took_ms)}")
    asked = leg.leg.asked
    sent = None if asked.peer is None else f"the INVITE was sent {often(asked.times)} to {asked.peer}"
    return _found(leg, Reason.NO_RESPONSE, f"no response in {seconds(took_ms)}, not even 100", sent, nobody)


def _callee_answered(leg: CallLeg) -> list[Finding]:
    """A callee alone cannot tell why it did not get to answer 200: the caller's own leg says what that came to."""
    own_doing = refused_by_agent(leg)
    # Who expects 488 by its number may mean our stack's; who expects a class means the SUT's.
    by_stack = leg.leg.final_code in PATH_CODES and isinstance(leg.call.group.expect.sip_code, str)
    if leg.answered or as_due(leg) or not (leg.call.expects_answer or own_doing or by_stack):
        return []
    if stopped_unanswered(leg):
        return [_stopped(leg, "before it answered")]
    if own_doing:
        said = own_words(leg, f"this agent answered {spoken(leg.leg.final_code or 0, leg.leg.final_phrase)} itself")
        return [_found(leg, Reason.AGENT_ERROR, None, said, *leg.leg.asked.why)]
    code = leg.leg.final_code
    if code in PATH_CODES:
        said = f"this agent's SIP stack answered {spoken(code, leg.leg.final_phrase)}"
        return [_found(leg, Reason.NOT_MEASURED, None, said, *leg.leg.asked.why)]
    return [_found(leg, Reason.NOT_MEASURED, None, own_words(leg, "the call ended before this agent answered it"))]


def _limit_ms(leg: CallLeg) -> float:
    return leg.call.group.answer_timeout_seconds * 1000


# As both ends have it


_UNTOLD: Final = (Reason.NOT_MEASURED, Reason.AGENT_ERROR, Reason.AGENT_OVERLOADED)
"""Of a registration: whether the agent had one is not known."""


def attribute(ends: CallEnds, finding: Finding) -> Finding:
    """A caller that did not get its answer: its own fault, our callee's, or the path's between them."""
    for registration in ends.unbound:
        if registration.reason in _UNTOLD:
            note = f"the {registration.leg.value.lower()} may not be registered"
            return inconclusive(finding, registration.reason, note)
    if not ends.declared:
        return finding
    if ends.callee is None:
        return _unreached(ends, finding)
    closed = None if ends.caller is None else refused(ends.caller.leg.asked)
    if closed is not None and finding.reason is Reason.NO_RESPONSE:
        note = f"the INVITE reached the callee all the same, after the caller had given it up: {closed}"
        return inconclusive(finding, Reason.NOT_MEASURED, note)
    return _reached(ends, ends.callee, finding)


def _reached(ends: CallEnds, callee: CallLeg, finding: Finding) -> Finding:
    code = callee.leg.final_code
    if stopped_unanswered(callee):
        gone = ends.callee_gone or Gone(reason=Reason.ABORTED, note="the callee agent was told to stop")
        return inconclusive(finding, gone.reason, gone.note)
    trouble = callee.trouble(LATE_OR_DROPPED, media=False)
    if trouble is not None:
        return inconclusive(finding, Reason.PEER_LOST, f"the callee agent was overloaded: {trouble}")
    if code is not None and code in PATH_CODES:
        return _refused(ends, callee, finding)
    if own_doing := _own_doing(callee):
        return inconclusive(finding, Reason.AGENT_ERROR, own_doing)
    did = UNANSWERED if outlasted(callee) else f"answered {spoken(code or 0, callee.leg.final_phrase)}"
    told = noted(finding, f"the INVITE reached the callee, which {did}")
    got = None if ends.caller is None else ends.caller.leg.final_code
    return noted(told, MADE_500) if (code, got) == (503, 500) else told


def _own_doing(callee: CallLeg) -> str | None:
    """What our own agent did of itself, rather than what its steps are, or 487 to a CANCEL; None where it did that."""
    if refused_by_agent(callee):
        return _itself(callee)
    if error := could_not(callee):
        return f"the callee agent could not do its part: {error}"
    if callee.leg.final_code is None:
        return own_words(callee, "the callee agent had the INVITE, and ended the call before it answered")
    slow = slow_callee(callee) and not only_rings(callee)
    return "the callee agent had the INVITE and was slow to answer it" if slow else None


def _itself(callee: CallLeg) -> str:
    """What our own agent, or its SIP stack, answered."""
    said = f"the callee agent itself answered {spoken(callee.leg.final_code or 0, callee.leg.final_phrase)}"
    return f"{said} ({'; '.join(callee.leg.asked.why)})" if callee.leg.asked.why else said


def _refused(ends: CallEnds, callee: CallLeg, finding: Finding) -> Finding:
    """Our callee's SIP stack could not take the INVITE: the path's doing where that had made another of it."""
    asked = against_the_test(callee)
    if asked is not None:
        return noted(finding, f"{_itself(callee)}: {asked}")
    changed = None if ends.caller is None else changed_on_the_way(ends.caller.leg, callee.leg)
    if changed is None:
        note = f"{_itself(callee)}, to an INVITE that is not known to be changed"
        return inconclusive(finding, Reason.AGENT_ERROR, note)
    return noted(finding, f"{_itself(callee)}: {changed}")


def _unreached(ends: CallEnds, finding: Finding) -> Finding:
    if ends.callee_died is not None:
        was_stopped = ends.callee_died.reason in (Reason.ABORTED, Reason.DEADLINE_EXCEEDED)
        reason = ends.callee_died.reason if was_stopped else Reason.PEER_LOST
        return inconclusive(finding, reason, ends.callee_died.note)
    if ends.callee_gone is not None or ends.unbound:
        return finding
    if ends.ambiguous is not None:
        return noted(finding, ends.ambiguous)
    if ends.misdelivered_to is not None:
        return noted(finding, f"its INVITE reached {ends.misdelivered_to}, another endpoint's callee")
    if ends.turned_away is not None:
        return _not_believed(ends, finding, ends.turned_away)
    return noted(finding, "no INVITE reached the callee")


def _not_believed(ends: CallEnds, finding: Finding, alert: str) -> Finding:
    """The SUT connected to the callee, and hung up on its certificate: ours, where the test names none."""
    said = f"no INVITE reached the callee, on whose certificate the SUT hung up with the alert {alert}"
    tls = ends.call.plan.tls
    if tls is not None and tls.client is not None:
        return noted(finding, f"{said}; it is the one of target.tls.clientSecretName")
    note = f"{said}: this agent made it itself; a SUT that looks at it needs target.tls.clientSecretName"
    return inconclusive(finding, Reason.NOT_MEASURED, note)


def _notes(ends: CallEnds) -> list[str]:
    """Other dialogs of its INVITE (RFC 3261 §13.2.2.4): a second answer is no fault, and worth to know."""
    dialog = None if ends.caller is None else ends.caller.leg.dialog
    if dialog is None:
        return []
    answers = [fork.tag for fork in dialog.forks if any(is_success(code) for code in fork.codes)]
    forked = [f"{1 + len(answers)} answers: the INVITE was forked, and tag {', '.join(answers)} answered too"]
    callee = None if ends.callee is None else ends.callee.leg.dialog
    merged = 0 if callee is None else callee.merged
    twice = [f"the callee had the INVITE {often(1 + merged)}, by several ways (RFC 3261 §8.2.2.2)"]
    return [*(forked if answers else ()), *(twice if merged else ()), *_answered_behind(ends)]


def _answered_behind(ends: CallEnds) -> list[str]:
    """Our callee's 200 became the refusal that the test expects: no proxy may do that (RFC 3261 §16.7), a B2BUA may."""
    if ends.caller is None or ends.callee is None or not ends.callee.answered or ends.call.expects_answer:
        return []
    code = ends.caller.leg.final_code
    if code is None or is_success(code):
        return []
    theirs = spoken(ends.callee.leg.final_code or 0, ends.callee.leg.final_phrase)
    return [f"the callee answered {theirs}, and the caller got {spoken(code, ends.caller.leg.final_phrase)}"]


RULE: Final = CheckRule(
    check=Check.ANSWERED,
    leg=answered,
    attribute=attribute,
    notes=_notes,
    stoppable=True,
    rows=(
        Row(
            reason=Reason.NO_RESPONSE,
            meaning="not one response to the INVITE within the answer timeout",
            seen="The INVITE crossed the agent's socket, again and again, and not one response came, not even 100 "
            "Trying, for the answer timeout or 32 s (RFC 3261 §17.1.1.2). The note says where it went and how often. "
            "Where it says that the port is closed, the call was ended early: from the first retransmission on a "
            "keep-alive (CRLF CRLF) went to the same port each second, and for 5 s ICMP port unreachable came back to "
            "every one (RFC 3261 §8.1.3.1, §18.4). A port that is closed for a shorter time is waited for.",
            usually="Nothing listens at that address or port (ICMP says so, or a firewall does in its name; a Service "
            "without ready endpoints as well), a policy or firewall drops UDP there or on the way "
            "back, or the SUT drops the INVITE without a word (an ACL, a filter of User-Agents, an overloaded "
            "process).",
            look="A capture at the SUT's pod: does the INVITE arrive? If so, its log for this Call-ID; if not, "
            "policies, and the port of the Service.",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.NO_ANSWER,
            meaning="provisional responses at most: no final one within the answer timeout, or too late",
            seen="No final response within `answerTimeoutSeconds`, or one that came later. The note says whether it "
            "rang (180), or what else came, and whether the INVITE reached our callee.",
            usually="Only 100: the SUT waits for something of its own (DNS, a database, a dead next hop). 180 or 183: "
            "the far end rings and nobody takes the call, or the 200 is lost between it and the SUT.",
            look="Whether the INVITE reached the callee; if not, the SUT's routing of this number, and the state of "
            "its next hop; if it did, what became of the callee's response.",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.SIP_CODE_MISMATCH,
            meaning="the INVITE's final response has another code than expected",
            seen="Another final response to the INVITE than `expect.sipCode`. The note quotes what it says of why "
            "(Reason, Warning, Retry-After, Unsupported), whether it was challenged and credentials were sent, "
            "whether it had rung, and whether the INVITE reached our callee.",
            usually="401 or 407: credentials or realm. 403: the source address or caller is not allowed. 404: no such "
            "user, or the callee is not registered there. 408, 480, 504: the next hop did not answer. 483: a routing "
            "loop. 488: SDP that one side cannot use. 500, 503: the SUT's own trouble, or no gateway left.",
            look="The header that is quoted; who sent the response (its Server or To tag, in the detail): the SUT or "
            "what is behind it; the SUT's log for this Call-ID.",
        ),
        Row(
            reason=Reason.CALLEE_SHARED,
            result=Result.INCONCLUSIVE,
            meaning="another run's callee of the same URI refused the call; give each test a `callee.uri` of its own",
            seen="A callee agent of another run refused this call, and its response said so.",
            usually="Two tests that run at the same time have the same `callee.uri`: the SUT forks to the callees of "
            "both.",
            look="`callee.uri` of the tests in this namespace and of others that use the same SUT.",
            behind=Reason.ABORTED,
        ),
    ),
    subject="INVITE",
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    holds="the final response to the INVITE has `expect.sipCode`, within `answerTimeoutSeconds`",
)
