"""ringing: the first 18x came as soon as a test asks (the caller's INVITE to it, as RFC 6076 §4.3.1 has it)."""

from typing import Final

from agent.contract.expect import Expect
from agent.contract.steps import rings
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Row
from agent.judge.ends import CallEnds
from agent.judge.findings import inconclusive
from agent.judge.overload import Excuse
from agent.judge.words import listed, unread


def _asked(expect: Expect) -> str | None:
    bound_ms = expect.ringing_within_milliseconds
    return None if bound_ms is None else f"18x within {bound_ms} ms"


def _leg(leg: CallLeg) -> list[Finding]:
    bound_ms, took_ms = leg.call.group.expect.ringing_within_milliseconds, leg.leg.progress.ringing_ms
    if bound_ms is None or leg.leg.role is Role.CALLEE or (took_ms is not None and took_ms <= bound_ms):
        return []
    expected = _asked(leg.call.group.expect)
    if took_ms is not None:
        return [leg.finding(Check.RINGING, Reason.RINGING_LATE, expected=expected, observed=f"it after {took_ms} ms")]
    came = listed(map(str, dict.fromkeys(leg.leg.asked.provisional)))
    observed = f"only {came} before its {leg.leg.final_code}" if came else f"its {leg.leg.final_code} at once"
    cut = untold(leg)
    reason = Reason.RINGING_MISSING if cut is None else Reason.NOT_MEASURED
    return [leg.finding(Check.RINGING, reason, expected=expected, observed=observed, note=cut)]


def untold(leg: CallLeg) -> str | None:
    """Why not all that came for a leg is known; None: it is."""
    if leg.leg.unparsed:
        return unread(leg.leg.unparsed[0])
    if leg.leg.events_left_out:
        return f"{leg.leg.events_left_out} messages and events more than can be kept came"
    return None


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """What rings behind the SUT is our callee: what it took beyond what it is to take is its own doing."""
    if ends.caller is None or ends.callee is None:
        return finding
    own_ms = ends.callee.leg.progress.ringing_ms
    if own_ms is None:
        return no_ringing(finding, ends.callee)
    return blamed_on_callee(finding, ends.caller.leg.progress.ringing_ms, _bound_ms(ends), own_ms)


def no_ringing(finding: Finding, callee: CallLeg) -> Finding:
    """Our callee sent no 180: then nothing is known of what the SUT makes of one."""
    if not rings(callee.steps):
        return inconclusive(finding, Reason.NOT_MEASURED, "the callee does not ring, as its behaviour says")
    return inconclusive(finding, Reason.AGENT_ERROR, "the callee agent itself sent no 180")


def _bound_ms(ends: CallEnds) -> float:
    return float(ends.call.group.expect.ringing_within_milliseconds or 0)


def blamed_on_callee(finding: Finding, took_ms: float | None, bound_ms: float, own_ms: float) -> Finding:
    """A delay that would have been within its bound without what our own callee took too long: `own_ms`."""
    if took_ms is None or took_ms - own_ms > bound_ms:
        return finding
    return inconclusive(finding, Reason.AGENT_ERROR, f"the callee agent itself took {own_ms:g} ms of them")


RULE: Final = CheckRule(
    check=Check.RINGING,
    asked_of_call=_asked,
    leg=_leg,
    attribute=_attribute,
    outcome=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.RINGING_MISSING,
            meaning="`expect.ringingWithinMilliseconds` is set, and no 18x came before the final response",
            seen="The responses to the caller's INVITE: a final one, and none of 180 to 189 before it.",
            usually="The SUT answers by itself (an IVR, voicemail), or a B2BUA keeps the 180 to itself. No standard "
            "asks for ringing before an answer: the test does.",
            look="Whether the INVITE reached the callee, and what the SUT did with its 180.",
            excused_by=frozenset({Excuse.DROPPED}),
        ),
        Row(
            reason=Reason.RINGING_LATE,
            meaning="the first 18x came later than `expect.ringingWithinMilliseconds`",
            seen="The time from the caller's first INVITE, as it left, to the first 18x, as it came to its socket "
            "(RFC 6076 §4.3.1).",
            usually="A slow look-up before the call is routed (DNS, ENUM, a database, an HTTP query), a next hop that "
            "is tried first and does not answer, or INVITEs that had to be sent again.",
            look="When the SUT sent the INVITE on; how often the caller sent it; what was tried before.",
            excused_by=LATE_OR_DROPPED,
        ),
    ),
    subject="ringing",
    sentence="{leg} got {observed}, expected {expected}",
    on="the caller",
    asked_by="`ringingWithinMilliseconds`",
    holds="the first 18x comes so soon after the INVITE",
)
