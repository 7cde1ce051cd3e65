"""forking: one answer to the INVITE, where a test asks that. Forks as such are no fault (RFC 3261 §13.2.2.4)."""

from collections.abc import Sequence
from typing import Final

from agent.contract.expect import Expect
from agent.contract.outcome import Forking
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, is_success
from agent.judge.checks.check import CheckRule, Row
from agent.judge.ends import CallEnds
from agent.judge.words import listed

_EXPECTED: Final = "one answer"


def _asked(expect: Expect) -> str | None:
    return _EXPECTED if expect.forking is Forking.FORBIDDEN else None


def _leg(leg: CallLeg) -> list[Finding]:
    """A second 2xx that came to the caller is of another dialog."""
    if leg.call.group.expect.forking is Forking.ALLOWED or leg.leg.role is Role.CALLEE or leg.leg.dialog is None:
        return []
    others = [fork.tag for fork in leg.leg.dialog.forks if any(is_success(code) for code in fork.codes)]
    if not others:
        return []
    note = f"beside the call's own (To tag {leg.leg.dialog.remote_tag}), those with tag {listed(others)}"
    observed = f"{1 + len(others)} answers"
    return [leg.finding(Check.FORKING, Reason.ANSWERED_TWICE, expected=_EXPECTED, observed=observed, note=note)]


def _ends(ends: CallEnds, so_far: Sequence[Finding]) -> list[Finding]:
    """What is between may have kept a second answer to itself: our callee gave it."""
    if ends.call.group.expect.forking is Forking.ALLOWED or ends.answers_at_callee < 2:
        return []
    if any(finding.reason is Reason.ANSWERED_TWICE for finding in so_far):
        return []
    note = f"the callee answered {ends.answers_at_callee} INVITEs of this call"
    observed = f"{ends.answers_at_callee} answers, by the callee"
    return [
        ends.call.finding(
            Role.CALLEE, Check.FORKING, Reason.ANSWERED_TWICE, expected=_EXPECTED, observed=observed, note=note
        )
    ]


RULE: Final = CheckRule(
    check=Check.FORKING,
    asked_of_call=_asked,
    leg=_leg,
    ends=_ends,
    rows=(
        Row(
            reason=Reason.ANSWERED_TWICE,
            meaning="`forking: Forbidden` is asked, and one INVITE was answered twice",
            seen="2xx with different To tags to the caller's INVITE, or INVITEs of one call that our callee answered "
            "more than once. The caller acknowledged and ended the later ones (RFC 3261 §13.2.2.4).",
            usually="More than one binding of the callee's user (another test, a phone, a replica with the same "
            "location table), and a proxy that did not cancel the other branches at the first 2xx, or too late "
            "(RFC 3261 §16.7).",
            look="The registrar's bindings of the callee's user; Contact and Server of both answers; when the proxy "
            "sent its CANCEL.",
        ),
    ),
    subject="fork",
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    asked_by="`forking: Forbidden`",
    holds="one 2xx comes to the INVITE, and our callee gives one",
)
