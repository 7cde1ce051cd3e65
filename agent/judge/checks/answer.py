"""answer: the SDP of a 2xx is an answer to the offer (RFC 8866, RFC 3264 §6), and lets audio run where some is to."""

from typing import Final

from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row


def _leg(leg: CallLeg) -> list[Finding]:
    faults = leg.leg.answer_faults
    if faults:
        return [_invalid(leg, faults[0], "; ".join(faults[1:]) or None)]
    if leg.leg.no_media is None or _allowed_later(leg) or not _is_for_audio(leg):
        return []
    return [_invalid(leg, leg.leg.no_media, "audio was to run on this call")]


def _allowed_later(leg: CallLeg) -> bool:
    """A later offer and answer let some audio run: the first one said 'not yet'."""
    return any(section.begin_ms is not None and (section.receives or section.sends) for section in leg.leg.sections)


def _is_for_audio(leg: CallLeg) -> bool:
    """Something of media is asked of the leg, or a callee of ours was to hear it."""
    expect = leg.expect
    return leg.call.plan.callee_declared or any((expect.audio, expect.dtmf, expect.rtp))


def _invalid(leg: CallLeg, observed: str, note: str | None) -> Finding:
    expected = "an SDP answer to the offer"
    return leg.finding(Check.ANSWER, Reason.INVALID_ANSWER, expected=expected, observed=observed, note=note)


RULE: Final = CheckRule(
    check=Check.ANSWER,
    leg=_leg,
    rows=(
        Row(
            reason=Reason.INVALID_ANSWER,
            meaning=(
                "the SDP of a 2xx is malformed or answers what was not offered; or it lets no audio run (no SDP, "
                "`m=audio 0`, `a=inactive`) where audio, digits or RTP are asked or our callee was to hear"
            ),
        ),
    ),
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    holds="the SDP of a 2xx is well-formed (RFC 8866), answers the offer (RFC 3264 §6), and lets audio run",
)
