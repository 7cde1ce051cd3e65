"""reason: what told a leg that its call is over says why, as a test asks (Reason, RFC 3326)."""

from typing import Final

from agent.contract.call import Call
from agent.contract.expect import ExpectLeg
from agent.contract.outcome import EndedBy, ExpectReason
from agent.contract.steps import Steps
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Impossible, Row
from agent.judge.words import listed, spoken
from agent.sip.reasons import Why, reasons_of


def _asked(expect: ExpectLeg) -> str | None:
    return None if expect.reason is None else _told(expect.reason)


def _told(wanted: ExpectReason) -> str:
    cause = "" if wanted.cause is None else f";cause={wanted.cause}"
    return f"Reason: {wanted.protocol}{cause}" + ("" if wanted.text is None else f';text="{wanted.text}"')


def _impossible(call: Call, callee: Steps | None) -> Impossible | None:
    expect = call.expect
    if expect.caller.reason is not None and expect.is_answer and expect.ended_by is EndedBy.CALLER:
        fault = "the caller itself ends the call: with endedBy SUT, or where a refusal is expected, it is told why"
        return Impossible(field="expect.caller.reason", fault=fault)
    if expect.callee.reason is not None and (callee is None or not expect.is_answer):
        fault = "cannot be met: no callee of the test's has such a call to its end"
        return Impossible(field="expect.callee.reason", fault=fault)
    return None


def _leg(leg: CallLeg) -> list[Finding]:
    """By the final refusal of the INVITE, or the BYE that came."""
    wanted = leg.expect.reason
    if wanted is None:
        return []
    if not leg.answered:
        said, of = leg.leg.asked.why, spoken(leg.leg.final_code or 0, leg.leg.final_phrase)
    elif leg.bye is not None and leg.ended_by_peer:
        said, of = leg.bye.why, "BYE"
    else:
        note = "no BYE came to this leg"
        return [leg.finding(Check.REASON, Reason.NOT_MEASURED, expected=_told(wanted), note=note)]
    return _compared(leg, wanted, said, of)


def _compared(leg: CallLeg, wanted: ExpectReason, said: tuple[str, ...], of: str) -> list[Finding]:
    came = reasons_of(said)
    if any(_is(wanted, why) for why in came.values):
        return []
    if not came.whole:
        note = "its headers that say why are longer, or more, than are kept"
        return [leg.finding(Check.REASON, Reason.NOT_MEASURED, expected=_told(wanted), note=note)]
    if not any(why.protocol.lower() == wanted.protocol.lower() for why in came.values):
        others = f", but of {listed(why.protocol for why in came.values)}" if came.values else ""
        observed = f"{of} without Reason of {wanted.protocol}{others}"
        return [leg.finding(Check.REASON, Reason.REASON_MISSING, expected=_told(wanted), observed=observed)]
    observed = f"{of} with {listed(text for text in said if text.startswith('Reason:'))}"
    return [leg.finding(Check.REASON, Reason.REASON_MISMATCH, expected=_told(wanted), observed=observed)]


def _is(wanted: ExpectReason, why: Why) -> bool:
    return (
        why.protocol.lower() == wanted.protocol.lower()
        and wanted.cause in (None, why.cause)
        and wanted.text in (None, why.text)
    )


RULE: Final = CheckRule(
    check=Check.REASON,
    asked=_asked,
    impossible=_impossible,
    leg=_leg,
    outcome=True,
    rows=(
        Row(
            reason=Reason.REASON_MISSING,
            meaning="`reason` is asked, and the refusal or BYE that a leg got has no Reason of that protocol",
            seen="The Reason headers (RFC 3326; several, and several in one) of the final refusal that the caller got, "
            "or of the BYE that ended a leg.",
            usually="A B2BUA or gateway that does not map causes, or a proxy that made the response itself.",
            look="The same message before the hop that is nearest to the leg.",
        ),
        Row(
            reason=Reason.REASON_MISMATCH,
            meaning="`reason` is asked, and the Reason of that protocol has another cause or text",
            seen="As of ReasonMissing.",
            usually="Another cause than the test is about: the call failed, or ended, for another reason; or a mapping "
            "of causes (ITU-T Q.1912.5) other than expected.",
            look="What Q.850 says of the cause that came, and who sent it.",
        ),
    ),
    subject="reason",
    sentence="{leg} got {observed}, expected {expected}",
    on="each leg",
    asked_by="`reason`",
    holds="the refusal or BYE that tells the leg that the call is over has this Reason",
)
