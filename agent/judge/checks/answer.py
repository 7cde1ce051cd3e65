"""answer: the SDP of a 2xx is an answer to the offer (RFC 8866, RFC 3264 §6), and lets audio run where some is to."""

from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row
from agent.judge.words import joined, payload_types


def _leg(leg: CallLeg) -> list[Finding]:
    faults = leg.leg.answer_faults
    if faults:
        return [_invalid(leg, "an SDP answer to the offer", faults[0], *faults[1:])]
    if leg.leg.no_media is None or _allowed_later(leg) or not _is_for_audio(leg):
        return []
    return [_invalid(leg, "an SDP answer that lets audio run", leg.leg.no_media)]


def _allowed_later(leg: CallLeg) -> bool:
    """A later offer and answer let some audio run: the first one said 'not yet'."""
    return any(section.begin_ms is not None and (section.receives or section.sends) for section in leg.leg.sections)


def _is_for_audio(leg: CallLeg) -> bool:
    """Something of media is asked of the leg, or a callee of ours was to hear it."""
    expect = leg.expect
    return leg.call.plan.callee_declared or any((expect.audio, expect.tone_hertz, expect.dtmf, expect.rtp))


def _invalid(leg: CallLeg, expected: str, observed: str, *more: str) -> Finding:
    note = joined(*more, offer_and_answer(leg))
    return leg.finding(Check.ANSWER, Reason.INVALID_ANSWER, expected=expected, observed=observed, note=note)


def offer_and_answer(leg: CallLeg) -> str | None:
    """The payload types of the last offer and answer; None where there was none."""
    if not leg.leg.sections:
        return None
    last = leg.leg.sections[-1]
    ours, theirs = payload_types(last.types), payload_types(last.theirs)
    offered, answered = (ours, theirs) if leg.leg.role is Role.CALLER else (theirs, ours)
    return f"offered {offered}, answered {answered}"


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
            seen="The SDP of the 200 is not well-formed (RFC 8866), does not answer the offer m-line by m-line with a "
            "codec of the offer (RFC 3264 §6), or lets no audio run. The note has the payload types that were offered "
            "and answered, by number and name.",
            usually="A proxy or gateway that rewrites SDP (rtpengine flags, codec filters, header manipulation) took "
            "codecs out or changed one side only; or the SUT could allocate no media port.",
            look="The line that is named, in the 200 of this call (detail or evidence); then the same body before and "
            "after each hop that touches SDP.",
        ),
    ),
    subject="SDP answer",
    sentence="{leg} did not get {expected}: {observed}",
    on="both legs",
    holds="the SDP of a 2xx is well-formed (RFC 8866), answers the offer (RFC 3264 §6), and lets audio run",
)
