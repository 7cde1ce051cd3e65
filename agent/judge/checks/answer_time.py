"""answerTime: the final response came as soon as a test asks."""

from typing import Final

from agent.contract.call import Call
from agent.contract.expect import Expect
from agent.contract.steps import Steps, final_after_ms, takes_calls
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Impossible, Row
from agent.judge.checks.ringing import blamed_on_callee
from agent.judge.ends import CallEnds

_FIELD: Final = "expect.answeredWithinMilliseconds"


def _asked(expect: Expect) -> str | None:
    bound_ms = expect.answered_within_milliseconds
    return None if bound_ms is None else f"it within {bound_ms} ms"


def _impossible(call: Call, callee: Steps | None) -> Impossible | None:
    bound_ms = call.expect.answered_within_milliseconds
    if bound_ms is None:
        return None
    if bound_ms > 1000 * call.answer_timeout_seconds:
        return Impossible(field=_FIELD, fault="is more than answerTimeoutSeconds, when the call is given up")
    own_ms = None if callee is None else final_after_ms(callee)
    decides = callee is not None and (call.expect.is_answer or not takes_calls(callee))
    if own_ms and decides and bound_ms <= own_ms:
        return Impossible(field=_FIELD, fault=f"cannot be met: the callee answers {own_ms} ms after its INVITE")
    return None


def _leg(leg: CallLeg) -> list[Finding]:
    """That there is one, and when it came, is the check `answered`."""
    bound_ms, took_ms = leg.call.group.expect.answered_within_milliseconds, leg.leg.progress.answered_ms
    if bound_ms is None or leg.leg.role is Role.CALLEE or took_ms is None or took_ms <= bound_ms:
        return []
    observed = f"{leg.leg.final_code} after {took_ms} ms"
    expected = _asked(leg.call.group.expect)
    return [leg.finding(Check.ANSWER_TIME, Reason.ANSWERED_LATE, expected=expected, observed=observed)]


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """Our callee answers so long after its INVITE as it is to; what it took beyond that is its own doing."""
    if ends.caller is None or ends.callee is None or ends.callee.leg.progress.answered_ms is None:
        return finding
    due_ms = final_after_ms(ends.callee.steps)
    if due_ms is None:
        return finding  # how long it rings is the SUT's, or the caller's
    own_ms = max(0.0, ends.callee.leg.progress.answered_ms - due_ms)
    bound_ms = float(ends.call.group.expect.answered_within_milliseconds or 0)
    return blamed_on_callee(finding, ends.caller.leg.progress.answered_ms, bound_ms, own_ms)


RULE: Final = CheckRule(
    check=Check.ANSWER_TIME,
    asked_of_call=_asked,
    impossible=_impossible,
    leg=_leg,
    attribute=_attribute,
    outcome=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.ANSWERED_LATE,
            meaning="the final response came later than `expect.answeredWithinMilliseconds`",
            seen="The time from the caller's first INVITE, as it left, to the final response, as it came to its "
            "socket. Challenges and redirects that were followed are part of it.",
            usually="As of RingingLate; and the time that the far end took to answer.",
            look="The time to the first 18x beside it: what comes after that is the far end's.",
            excused_by=LATE_OR_DROPPED,
        ),
    ),
    subject="answer",
    sentence="{leg} got {observed}, expected {expected}",
    on="the caller",
    asked_by="`answeredWithinMilliseconds`",
    holds="the final response comes so soon after the INVITE",
)
