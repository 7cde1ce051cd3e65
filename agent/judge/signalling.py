"""The implicit checks of a leg that SIP messages decide: registered, answered, completed."""

from typing import Final

from agent.contract.observation import RegistrationObservation, RegistrationOutcome, Side
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, PlannedCall, is_success

TIMER_B_MS: Final = 32_000.0
"""A UAC gives up on an INVITE without any response after 64 × T1 (RFC 3261 §17.1.1.2), whatever we would wait."""
WAIT_TOLERANCE_MS: Final = 500.0
"""A wait this much shorter still counts as the whole: our timer starts before the INVITE is on the wire."""
REQUEST_TERMINATED: Final = 487
"""The response that a CANCEL brings about (RFC 3261 §9.2): it tells who gave up, not what the call came to."""
ACK_MS: Final = 500.0
"""An ACK that takes longer than the first retransmission of the 200 (RFC 3261 T1) has not come, if the call is over."""
OFFER_REFUSED: Final = frozenset({415, 488, 606})
"""What an agent answers to an SDP it cannot use. Both agents offer the same codecs: what is between changed it."""


def registered(call: PlannedCall, role: Role, observations: list[RegistrationObservation]) -> list[Finding]:
    """Every REGISTER of one agent at the call's endpoint was accepted; without any, that was not measured."""
    if not observations:
        return [call.finding(role, Check.REGISTERED, Reason.NOT_MEASURED, expected="200", note="no REGISTER reported")]
    return [
        call.finding(
            role,
            Check.REGISTERED,
            _REGISTRATION_REASON[seen.outcome] if _is_on_the_wire(seen) else Reason.AGENT_ERROR,
            expected="200",
            observed=_spoken(seen.code, seen.phrase) if seen.code is not None else seen.outcome.value,
            note=seen.local_reason if seen.code is None else None,
        )
        for seen in observations
        if seen.outcome is not RegistrationOutcome.REGISTERED
    ]


_REGISTRATION_REASON: Final = {
    RegistrationOutcome.REJECTED: Reason.REGISTRATION_REJECTED,
    RegistrationOutcome.TIMEOUT: Reason.REGISTRATION_TIMEOUT,
    RegistrationOutcome.ERROR: Reason.AGENT_ERROR,
}


def _is_on_the_wire(seen: RegistrationObservation) -> bool:
    """A refusal needs a code that was received: the stack makes up codes of its own (truth rule 2)."""
    return seen.outcome is not RegistrationOutcome.REJECTED or seen.code is not None


def answered(leg: CallLeg) -> list[Finding]:
    """The INVITE's final response has the expected code and came in time."""
    return _callee_answered(leg) if leg.leg.role is Role.CALLEE else _caller_answered(leg)


def _caller_answered(leg: CallLeg) -> list[Finding]:
    code, answered_ms = leg.leg.final_code, leg.leg.progress.answered_ms
    expected = str(leg.call.group.expect.sip_code)
    if code is None:
        return [_not_answered(leg, expected)]
    given_up = code == REQUEST_TERMINATED and leg.leg.ended_by is Side.LOCAL
    if given_up:
        return [_not_answered(leg, expected)]
    observed = _spoken(code, leg.leg.final_phrase)
    if str(code) != expected:
        return [leg.finding(Check.ANSWERED, Reason.SIP_CODE_MISMATCH, expected=expected, observed=observed)]
    if answered_ms is None:
        note = "when the response came was not measured"
        return [leg.finding(Check.ANSWERED, Reason.NOT_MEASURED, expected=expected, observed=observed, note=note)]
    if answered_ms > _limit_ms(leg):
        return [_late(leg, expected, f"{observed} after {answered_ms / 1000:.1f} s")]
    return []


def _late(leg: CallLeg, expected: str, observed: str) -> Finding:
    limit = f"{expected} within {leg.call.group.answer_timeout_s:g} s"
    return leg.finding(Check.ANSWERED, Reason.NO_ANSWER, expected=limit, observed=observed)


def _not_answered(leg: CallLeg, expected: str) -> Finding:
    """No final response of the SUT's own accord: its fault where we waited for as long as we had to, else ours."""
    times = leg.leg.progress
    waited_ms = times.ended_ms if times.answered_ms is None else times.answered_ms
    if waited_ms is None:
        reason = Reason.AGENT_ERROR if leg.leg.local_reason else Reason.NOT_MEASURED
        return leg.finding(Check.ANSWERED, reason, expected=expected, note=_own_words(leg, "the INVITE was not sent"))
    silent = times.first_response_ms is None and leg.leg.final_code is None
    needed_ms = min(_limit_ms(leg), TIMER_B_MS) if silent else _limit_ms(leg)
    if waited_ms < needed_ms - WAIT_TOLERANCE_MS:
        note = _own_words(leg, f"the agent gave up after {waited_ms / 1000:.1f} s")
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
    code = leg.leg.final_code
    observed = "no final response" if code is None else _spoken(code, leg.leg.final_phrase)
    note = "this callee refused the call itself" if own_doing else "the call ended before this callee answered it"
    reason = Reason.AGENT_ERROR if own_doing else Reason.NOT_MEASURED
    return [
        leg.finding(
            Check.ANSWERED,
            reason,
            expected=str(leg.call.group.expect.sip_code),
            observed=observed,
            note=_own_words(leg, note),
        )
    ]


def refused_by_agent(leg: CallLeg) -> bool:
    """A callee answered with a code that nothing on the path asked for: it answers 200 to whatever it can."""
    code = leg.leg.final_code
    return code is not None and code >= 300 and code != REQUEST_TERMINATED and code not in OFFER_REFUSED


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
    return leg.finding(Check.COMPLETED, Reason.NOT_MEASURED, expected=_until(leg), note=_own_words(leg, note))


def _until(leg: CallLeg) -> str:
    return f"the caller's BYE after {leg.call.group.hold_s:g} s"


def _limit_ms(leg: CallLeg) -> float:
    return leg.call.group.answer_timeout_s * 1000


def _own_words(leg: CallLeg, note: str) -> str:
    return f"{note} ({leg.leg.local_reason})" if leg.leg.local_reason else note


def _spoken(code: int, phrase: str | None) -> str:
    return f"{code} {phrase}" if phrase else str(code)
