"""What a leg's own finding comes to when the other end is known: whose doing, and on which way (truth rules 3 to 5)."""

from collections.abc import Mapping
from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.checks import RULE_OF
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive
from agent.judge.leg import excuses
from agent.judge.reasons import ROW_OF, failed

OF_A_REFUSAL: Final = frozenset({
    Check.PHRASE, Check.PROVISIONAL, Check.RINGING, Check.ANSWER_TIME, Check.REASON, Check.REDIRECTED, Check.HEADERS,
})  # fmt: skip
"""What whoever refuses a call decides."""


def attribute(ends: CallEnds, finding: Finding) -> Finding | None:
    """The finding as both ends together have it: the same, noted, or Inconclusive where the SUT is not to blame.

    None where the other end shows that nothing is wrong.
    """
    rule = RULE_OF[finding.check]
    if not failed(finding.reason):
        explained = rule.explain(ends, finding)
        return explained if explained is not finding else _broken_off(ends, finding)
    trouble = peers_doing(ends, finding) or _refused_by_nobody(ends, finding)
    if trouble is not None:
        return inconclusive(finding, Reason.PEER_LOST, trouble)
    undone = _undone(ends, finding)
    return rule.attribute(ends, finding) if undone is None else inconclusive(finding, Reason.NOT_MEASURED, undone)


def peers_doing(ends: CallEnds, finding: Finding) -> str | None:
    """What our agent at the other end may have broken it with (truth rule 4); None: it cannot be its doing."""
    rule, own = RULE_OF[finding.check], ends.leg(finding.leg)
    kinds = excuses(own, finding)
    shared = rule.shared and ROW_OF[finding.reason].shared
    return ends.peer_trouble(finding.leg, kinds, media=rule.looks_at_media(own)) if shared and kinds else None


HANG_ON: Final[Mapping[Check, str]] = {
    Check.RINGING: "Ring", Check.PROVISIONAL: "Ring", Check.ANSWER_TIME: "Answer", Check.AUDIO: "PlayBack",
}  # fmt: skip
"""The step of our callee without which the caller has nothing to get."""


def _undone(ends: CallEnds, finding: Finding) -> str | None:
    """That step was due, and our callee could not do it."""
    step = HANG_ON.get(finding.check) if finding.leg is Role.CALLER else None
    error = None if step is None or ends.callee is None else ends.callee.failed_to(step)
    return None if error is None else f"the callee agent could not do its part: {error}"


def _refused_by_nobody(ends: CallEnds, finding: Finding) -> str | None:
    """The refusal that the test expects came while our callee was gone: with it there, it may have been another one."""
    asked = not ends.call.expects_answer and finding.leg is Role.CALLER and finding.check in OF_A_REFUSAL
    return ends.callee_died.note if asked and ends.callee_died is not None else None


def _broken_off(ends: CallEnds, finding: Finding) -> Finding:
    """What could not be measured because an agent died in the middle of the call, or was told to stop."""
    if finding.reason not in (Reason.NOT_MEASURED, Reason.ABORTED):
        return finding
    rule, other = RULE_OF[finding.check], peer_of(finding.leg)
    lost = ends.caller_gone if other is Role.CALLER else ends.callee_died
    unmeasured = finding.reason is Reason.NOT_MEASURED
    if unmeasured and rule.shared and lost is not None and ends.leg(other) is None:
        return inconclusive(finding, Reason.PEER_LOST, lost.note)
    own = ends.gone(finding.leg)
    return inconclusive(finding, own.reason, own.note) if rule.stoppable and own is not None else finding
