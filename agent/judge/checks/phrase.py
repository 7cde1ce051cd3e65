"""phrase: the final response has the reason phrase that a test asks for (RFC 3261 §7.2: it is for people)."""

from typing import Final

from agent.contract.call import Call
from agent.contract.expect import Expect
from agent.contract.pattern import fault_of, found_in
from agent.contract.steps import Steps
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Impossible, Row
from agent.sip.text import MAX_PHRASE


def _asked(expect: Expect) -> str | None:
    if expect.phrase is None:
        return None
    wanted = expect.phrase
    return f'"{wanted.equals}"' if wanted.matches is None else f"a phrase that matches {wanted.matches!r}"


def _impossible(call: Call, _: Steps | None) -> Impossible | None:
    pattern = None if call.expect.phrase is None else call.expect.phrase.matches
    fault = None if pattern is None else fault_of(pattern)
    return None if fault is None else Impossible(field="expect.phrase.matches", fault=f"is no RE2 expression: {fault}")


def _leg(leg: CallLeg) -> list[Finding]:
    wanted, came = leg.call.group.expect.phrase, leg.leg.final_phrase or ""
    if wanted is None or leg.leg.role is Role.CALLEE:
        return []
    holds = came == wanted.equals if wanted.matches is None else found_in(wanted.matches, came)
    expected, observed = _asked(leg.call.group.expect), f'{leg.leg.final_code} "{came}"'
    if wanted.matches is not None and len(came) >= MAX_PHRASE:
        note = f"only its first {MAX_PHRASE} characters are kept"
        return [leg.finding(Check.PHRASE, Reason.NOT_MEASURED, expected=expected, observed=observed, note=note)]
    if holds:
        return []
    return [leg.finding(Check.PHRASE, Reason.PHRASE_MISMATCH, expected=expected, observed=observed)]


RULE: Final = CheckRule(
    check=Check.PHRASE,
    asked_of_call=_asked,
    impossible=_impossible,
    leg=_leg,
    outcome=True,
    rows=(
        Row(
            reason=Reason.PHRASE_MISMATCH,
            meaning="the final response has the expected code and another reason phrase than `expect.phrase`",
            seen="The status line of the final response that the caller got, to the letter.",
            usually="A proxy or B2BUA that writes phrases of its own, or translates a cause (ISUP, Q.850) in another "
            "way than expected; another version of the SUT. To programs it means nothing (RFC 3261 §7.2).",
            look="Which hop makes the response (Server, To tag); the Reason header, which is for programs.",
        ),
    ),
    subject="reason phrase",
    sentence="{leg} got {observed}, expected {expected}",
    on="the caller",
    asked_by="`phrase`",
    holds="the final response has this reason phrase",
)
