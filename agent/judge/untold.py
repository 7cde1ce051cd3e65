"""A call that our callee did not know: what it did in it may not have been what the test says of that call."""

from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.checks import RULE_OF
from agent.judge.ends import CallEnds
from agent.judge.findings import inconclusive
from agent.judge.reasons import failed

_ITS_OUTCOME: Final = (Check.ANSWERED, Check.DELIVERED, Check.COMPLETED, Check.ENDED)
_NOTE: Final = (
    "the callee could not tell which call this is, since its INVITE came without its own X-Calltest-Call, and may have"
    " done otherwise than the call's callee.behaviour says"
)


def as_told(ends: CallEnds, findings: list[Finding]) -> list[Finding]:
    """All that hangs on what the callee did is not measured then, whether it seemed to hold or not.

    A SIP code that is another one than a callee which refuses can bring about says so once: by where the call went.
    """
    if _knew(ends):
        elsewhere = any(found.reason in _ELSEWHERE for found in findings)
        return [found for found in findings if not (elsewhere and found.reason is Reason.SIP_CODE_MISMATCH)]
    told = [inconclusive(found, Reason.NOT_MEASURED, _NOTE) if _hangs_on(found) else found for found in findings]
    return [*told, ends.call.finding(Role.CALLEE, Check.DELIVERED, Reason.NOT_MEASURED, note=_NOTE)]


def _knew(ends: CallEnds) -> bool:
    """Also where none of its legs is known to be this call's, and one of them may be."""
    if ends.callee is not None:
        return ends.callee.knew_its_steps
    nobodys = ends.ambiguous is not None and not ends.answers_at_callee
    return ends.call.is_acted_unnamed or not nobodys


_ELSEWHERE: Final = (Reason.ANSWERED_ELSEWHERE, Reason.REFUSED_ELSEWHERE)


def _hangs_on(finding: Finding) -> bool:
    rule = RULE_OF[finding.check]
    return failed(finding.reason) and (rule.shared or rule.outcome or rule.media or finding.check in _ITS_OUTCOME)
