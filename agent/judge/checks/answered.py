"""answered: the INVITE's final response has the expected code and came in time."""

from typing import Final

from agent.contract.observation import Side
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.call_leg import CallLeg, is_success, own_words, spoken
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.ends import CallEnds, Gone
from agent.judge.findings import inconclusive, noted
from agent.judge.refusals import PATH_CODES, changed_on_the_way

TIMER_B_MS: Final = 32_000.0
"""A UAC gives up on an INVITE without any response after 64 × T1 (RFC 3261 §17.1.1.2), whatever we would wait."""
WAIT_TOLERANCE_MS: Final = 500.0
"""A wait this much shorter still counts as the whole: our timer starts before the INVITE is on the wire."""
REQUEST_TERMINATED: Final = 487
"""The response that a CANCEL brings about (RFC 3261 §9.2): it tells who gave up, not what the call came to."""
SLOW_CALLEE_MS: Final = 5000.0
"""Our callee answers at once. One that had an INVITE this long without answering it is what was slow."""
MAX_START: Final = 80
"""Characters of a message's first line, in a note."""


def answered(leg: CallLeg) -> list[Finding]:
    """The INVITE's final response has the expected code and came in time."""
    if leg.leg.role is Role.CALLEE:
        return _callee_answered(leg)
    return [_stopped(leg, "before the SUT answered")] if stopped_unanswered(leg) else _caller_answered(leg)


def _caller_answered(leg: CallLeg) -> list[Finding]:
    code, answered_ms = leg.leg.final_code, leg.leg.progress.answered_ms
    expected = str(leg.call.group.expect.sip_code)
    if code is None:
        return [_not_answered(leg, expected)]
    given_up = code == REQUEST_TERMINATED and leg.leg.ended_by is Side.LOCAL
    if given_up:
        return [_not_answered(leg, expected)]
    observed = spoken(code, leg.leg.final_phrase)
    if leg.leg.callee_shared or str(code) != expected:
        return [_other_code(leg, expected, observed)]
    if answered_ms is None:
        note = "when the response came was not measured"
        return [leg.finding(Check.ANSWERED, Reason.NOT_MEASURED, expected=expected, observed=observed, note=note)]
    if answered_ms > _limit_ms(leg):
        return [_late(leg, expected, f"{observed} after {answered_ms / 1000:.1f} s")]
    return []


def _other_code(leg: CallLeg, expected: str, observed: str) -> Finding:
    if not leg.leg.callee_shared:
        return leg.finding(Check.ANSWERED, Reason.SIP_CODE_MISMATCH, expected=expected, observed=observed)
    note = "another run's callee refused the call: give each test a callee.uri of its own"
    return leg.finding(Check.ANSWERED, Reason.CALLEE_SHARED, expected=expected, observed=observed, note=note)


def stopped_unanswered(leg: CallLeg) -> bool:
    """The agent was told to stop while the INVITE had no final response; one that came after its CANCEL is none."""
    own_end = leg.leg.final_code is None or leg.leg.ended_by is Side.LOCAL or leg.leg.role is Role.CALLEE
    return leg.leg.told_to_stop and not leg.answered and own_end


def _stopped(leg: CallLeg, when: str) -> Finding:
    note = own_words(leg, f"the agent was told to stop {when}")
    return leg.finding(Check.ANSWERED, Reason.ABORTED, expected=str(leg.call.group.expect.sip_code), note=note)


def _late(leg: CallLeg, expected: str, observed: str) -> Finding:
    limit = f"{expected} within {leg.call.group.answer_timeout_seconds:g} s"
    return leg.finding(Check.ANSWERED, Reason.NO_ANSWER, expected=limit, observed=observed)


def _not_answered(leg: CallLeg, expected: str) -> Finding:
    """No final response of the SUT's own accord: its fault where we waited for as long as we had to, else ours."""
    if leg.leg.detour:
        note = own_words(leg, "a message of ours went another way than the other side asked")
        return leg.finding(Check.ANSWERED, Reason.NOT_MEASURED, expected=expected, note=note)
    times = leg.leg.progress
    waited_ms = times.ended_ms if times.answered_ms is None else times.answered_ms
    if waited_ms is None:
        reason = Reason.AGENT_ERROR if leg.leg.local_reason else Reason.NOT_MEASURED
        return leg.finding(Check.ANSWERED, reason, expected=expected, note=own_words(leg, "the INVITE was not sent"))
    if leg.leg.unparsed:
        start = leg.leg.unparsed[0].text.partition("\r\n")[0][:MAX_START]
        note = f"what came for this call could not be read by our SIP stack: '{start}'"
        return leg.finding(Check.ANSWERED, Reason.NOT_MEASURED, expected=expected, note=note)
    silent = times.first_response_ms is None and leg.leg.final_code is None
    needed_ms = min(_limit_ms(leg), TIMER_B_MS) if silent else _limit_ms(leg)
    if waited_ms < needed_ms - WAIT_TOLERANCE_MS:
        note = own_words(leg, f"the agent gave up after {waited_ms / 1000:.1f} s")
        return leg.finding(Check.ANSWERED, Reason.NOT_MEASURED, expected=expected, note=note)
    observed = f"{'no response' if silent else 'no final response'} in {waited_ms / 1000:.1f} s"
    if not silent:
        return _late(leg, expected, observed)
    return leg.finding(Check.ANSWERED, Reason.NO_RESPONSE, expected=expected, observed=observed)


def _callee_answered(leg: CallLeg) -> list[Finding]:
    """A callee alone cannot tell why it did not get to answer 200: the caller's own leg says what that came to."""
    own_doing = refused_by_agent(leg)
    if leg.answered or not (leg.call.expects_answer or own_doing):
        return []
    if stopped_unanswered(leg):
        return [_stopped(leg, "before it answered")]
    code = leg.leg.final_code
    observed = "no final response" if code is None else spoken(code, leg.leg.final_phrase)
    note = "this callee refused the call itself" if own_doing else "the call ended before this callee answered it"
    reason = Reason.AGENT_ERROR if own_doing else Reason.NOT_MEASURED
    return [
        leg.finding(
            Check.ANSWERED,
            reason,
            expected=str(leg.call.group.expect.sip_code),
            observed=observed,
            note=own_words(leg, note),
        )
    ]


def refused_by_agent(leg: CallLeg) -> bool:
    """A callee answered with a code that nothing on the path asked for: it answers 200 to whatever it can."""
    code = leg.leg.final_code
    return code is not None and code >= 300 and code != REQUEST_TERMINATED and code not in PATH_CODES


def _limit_ms(leg: CallLeg) -> float:
    return leg.call.group.answer_timeout_seconds * 1000


def slow_callee(leg: CallLeg) -> bool:
    """It had the INVITE for long, or nobody knows how long, before it sent a final response."""
    times = leg.leg.progress
    waited_ms = times.ended_ms if times.answered_ms is None else times.answered_ms
    return waited_ms is None or waited_ms > SLOW_CALLEE_MS


# As both ends have it


_REGISTRATION_FAILED: Final = (Reason.REGISTRATION_REJECTED, Reason.REGISTRATION_TIMEOUT)


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """A caller that did not get its answer: its own fault, our callee's, or the path's between them."""
    for registration in ends.registration:
        if registration.reason not in _REGISTRATION_FAILED:
            note = f"the {registration.leg.value.lower()} may not be registered"
            return inconclusive(finding, registration.reason, note)
    if not ends.declared:
        return finding
    return _unreached(ends, finding) if ends.callee is None else _reached(ends, ends.callee, finding)


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
    if refused_by_agent(callee):
        return inconclusive(finding, Reason.AGENT_ERROR, f"the callee agent itself answered {code}")
    if slow_callee(callee):
        return inconclusive(finding, Reason.AGENT_ERROR, "the callee agent had the INVITE and was slow to answer it")
    return noted(finding, "the callee had the INVITE" + ("" if code is None else f" and answered {code}"))


def _refused(ends: CallEnds, callee: CallLeg, finding: Finding) -> Finding:
    """Our callee's SIP stack could not take the INVITE: the path's doing where that had made another of it."""
    changed = None if ends.caller is None else changed_on_the_way(ends.caller.leg, callee.leg)
    said = f"the callee agent itself answered {callee.leg.final_code}"
    if changed is None:
        return inconclusive(finding, Reason.AGENT_ERROR, f"{said}, to an INVITE that is not known to be changed")
    return noted(finding, f"{said}: {changed}")


def _unreached(ends: CallEnds, finding: Finding) -> Finding:
    if ends.callee_died is not None:
        was_stopped = ends.callee_died.reason in (Reason.ABORTED, Reason.DEADLINE_EXCEEDED)
        reason = ends.callee_died.reason if was_stopped else Reason.PEER_LOST
        return inconclusive(finding, reason, ends.callee_died.note)
    if ends.callee_gone is not None or ends.ambiguous is not None or ends.registration:
        return finding
    return noted(finding, "no INVITE reached the callee")


def _notes(ends: CallEnds) -> list[str]:
    """Other dialogs of its INVITE (RFC 3261 §13.2.2.4): a second answer is no fault, and worth to know."""
    dialog = None if ends.caller is None else ends.caller.leg.dialog
    if dialog is None:
        return []
    answers = [fork.tag for fork in dialog.forks if any(is_success(code) for code in fork.codes)]
    forked = [f"{1 + len(answers)} answers: the INVITE was forked, and tag {', '.join(answers)} answered too"]
    callee = None if ends.callee is None else ends.callee.leg.dialog
    merged = 0 if callee is None else callee.merged
    twice = [f"the callee had the INVITE {1 + merged} times, by several ways (RFC 3261 §8.2.2.2)"]
    return [*(forked if answers else ()), *(twice if merged else ())]


RULE: Final = CheckRule(
    check=Check.ANSWERED,
    leg=answered,
    attribute=_attribute,
    notes=_notes,
    stoppable=True,
    rows=(
        Row(
            reason=Reason.NO_RESPONSE,
            meaning="not one response to the INVITE within the answer timeout",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.NO_ANSWER,
            meaning="provisional responses at most: no final one within the answer timeout, or too late",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.SIP_CODE_MISMATCH,
            meaning="the INVITE's final response has another code than expected",
        ),
        Row(
            reason=Reason.CALLEE_SHARED,
            result=Result.INCONCLUSIVE,
            meaning="another run's callee of the same URI refused the call; give each test a `callee.uri` of its own",
            behind=Reason.ABORTED,
        ),
    ),
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    holds="the final response to the INVITE has `expect.sipCode`, within `answerTimeoutSeconds`",
)
