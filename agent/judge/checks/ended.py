"""ended: the SUT ended the call where a test asks that of it, and when it asks."""

from typing import Final

from agent.contract.call import Call
from agent.contract.expect import Expect
from agent.contract.observation import Side
from agent.contract.outcome import EndedBy
from agent.contract.steps import Steps
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg, own_words
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Impossible, Row
from agent.judge.words import joined, seconds


def _asked(expect: Expect) -> str | None:
    if expect.ended_by is not EndedBy.SUT:
        return None
    least_s, most_s = expect.min_call_seconds, expect.max_call_seconds
    if least_s is not None and most_s is not None:
        return f"the SUT's BYE after {least_s} to {most_s} s"
    if least_s is not None:
        return f"the SUT's BYE after {least_s} s or more"
    return "the SUT's BYE" if most_s is None else f"the SUT's BYE within {most_s} s"


def _impossible(call: Call, _: Steps | None) -> Impossible | None:
    expect = call.expect
    least_s, most_s = expect.min_call_seconds, expect.max_call_seconds
    field = "expect.maxCallSeconds" if least_s is None else "expect.minCallSeconds"
    if expect.ended_by is not EndedBy.SUT:
        bound_s = most_s if least_s is None else least_s
        return None if bound_s is None else Impossible(field=field, fault="is of endedBy: SUT")
    if not expect.is_answer:
        return Impossible(field="expect.endedBy", fault=f"expect.sipCode is {expect.sip_code}, and there is no call")
    if least_s is not None and most_s is not None and least_s > most_s:
        return Impossible(field=field, fault=f"is more than maxCallSeconds, {most_s}")
    if max(least_s or 0, most_s or 0) > call.hold_seconds:
        return Impossible(field=field, fault=f"is more than holdSeconds, {call.hold_seconds}: then the caller hangs up")
    return None


def _leg(leg: CallLeg) -> list[Finding]:
    """By the caller's clock, from the answer to the first BYE. BYEs that crossed are the SUT's too."""
    expect, bye, lasted_ms = leg.call.group.expect, leg.bye, leg.call_ms
    if expect.ended_by is not EndedBy.SUT or leg.leg.role is Role.CALLEE:
        return []
    if bye is None or lasted_ms is None:
        return [_unknown(leg, "who ended the call was not measured")]
    if bye.by is Side.LOCAL and not bye.crossed:
        return _left_to_us(leg, lasted_ms)
    observed = f"a BYE after {seconds(lasted_ms)}"
    if expect.min_call_seconds is not None and lasted_ms < 1000 * expect.min_call_seconds:
        return [_broken(leg, Reason.HUNG_UP_EARLY, observed)]
    if expect.max_call_seconds is not None and lasted_ms > 1000 * expect.max_call_seconds:
        return [_broken(leg, Reason.HUNG_UP_LATE, observed)]
    return []


def _left_to_us(leg: CallLeg, lasted_ms: float) -> list[Finding]:
    if not leg.held or leg.leg.detour:
        return [_unknown(leg, "this agent ended the call before its hold was over")]
    return [_broken(leg, Reason.NOT_HUNG_UP, f"no BYE in {seconds(lasted_ms)}")]


def _broken(leg: CallLeg, reason: Reason, observed: str) -> Finding:
    expected, said = _asked(leg.call.group.expect), () if leg.bye is None else leg.bye.why
    note = joined(*said) if leg.ended_by_peer else None
    return leg.finding(Check.ENDED, reason, expected=expected, observed=observed, note=note)


def _unknown(leg: CallLeg, note: str) -> Finding:
    expected = _asked(leg.call.group.expect)
    return leg.finding(Check.ENDED, Reason.NOT_MEASURED, expected=expected, note=own_words(leg, note))


RULE: Final = CheckRule(
    check=Check.ENDED,
    asked_of_call=_asked,
    impossible=_impossible,
    leg=_leg,
    shared=True,
    stoppable=True,
    rows=(
        Row(
            reason=Reason.NOT_HUNG_UP,
            meaning="`endedBy: SUT` is asked, and the SUT had not ended the call after `holdSeconds`",
            seen="No BYE reached the caller until `holdSeconds` were over and it hung up itself, nor within 1 s of its "
            "own.",
            usually="The IVR waits for input that did not come to it (look at digits and audio), an announcement that "
            "is played in a loop, a limit on the length of calls that is not in force.",
            look="What the SUT heard: whether the digits were sent and by which method it takes them; its log of the "
            "dialogue.",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.HUNG_UP_EARLY,
            meaning="the SUT ended the call sooner than `minCallSeconds` after the answer",
            seen="The time from the answer to the SUT's BYE, as both crossed the caller's socket. The note quotes the "
            "BYE's Reason header.",
            usually="An announcement that is missing or cut, a prompt that failed and led to the end, a media timeout, "
            "or input that was misheard.",
            look="The BYE's Reason, and what was to be heard by then; the SUT's log of the dialogue.",
            excused_by=LATE_OR_DROPPED,
        ),
        Row(
            reason=Reason.HUNG_UP_LATE,
            meaning="the SUT ended the call later than `maxCallSeconds` after the answer",
            seen="As of HungUpEarly.",
            usually="The dialogue took another turn (a prompt was repeated, a time-out waited for), or a limit on the "
            "length of calls is another one.",
            look="As of HungUpEarly.",
            excused_by=LATE_OR_DROPPED,
        ),
    ),
    subject="end of the call",
    sentence="{leg} got {observed}, expected {expected}",
    on="the caller",
    asked_by="`endedBy: SUT`",
    holds="the SUT sends the first BYE, not before `minCallSeconds` and not after `maxCallSeconds`",
)
