"""phrase: the final response has the reason phrase that a test asks for (RFC 3261 §7.2: it is for people)."""

from typing import Final

from agent.contract.expect import Expect
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row


def _asked(expect: Expect) -> str | None:
    return None if expect.phrase is None else f'"{expect.phrase.equals}"'


def _leg(leg: CallLeg) -> list[Finding]:
    wanted = leg.call.group.expect.phrase
    if wanted is None or leg.leg.role is Role.CALLEE or leg.leg.final_phrase == wanted.equals:
        return []
    observed = f'{leg.leg.final_code} "{leg.leg.final_phrase or ""}"'
    return [leg.finding(Check.PHRASE, Reason.PHRASE_MISMATCH, expected=f'"{wanted.equals}"', observed=observed)]


RULE: Final = CheckRule(
    check=Check.PHRASE,
    asked_of_call=_asked,
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
