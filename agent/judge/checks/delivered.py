"""delivered: what the caller got comes from our callee, and from the one of this endpoint (truth rule 5)."""

from collections.abc import Sequence
from typing import Final

from agent.contract.observation import Side
from agent.contract.steps import Steps, final_code, takes_calls
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.answered import stopped_unanswered
from agent.judge.checks.check import LATE, LATE_OR_DROPPED, CheckRule, Row
from agent.judge.checks.run import lost
from agent.judge.ends import ENDED_LATER_MS, CallEnds
from agent.judge.own_answer import (
    REQUEST_TERMINATED,
    UNANSWERED,
    as_due,
    could_not,
    only_rings,
    outlasted,
    refused_by_agent,
    slow_callee,
    waited_ms,
)
from agent.judge.words import seconds, spoken

SOONER_MS: Final = 200.0
"""More than what two clocks drift apart in a call, and agents may be late to look at them."""


def _delivered(ends: CallEnds, _: Sequence[Finding]) -> list[Finding]:
    """A caller's 200 comes from our callee, and from the one of this endpoint; so does a refusal that is our callee's.

    Of a refusal behind a callee that would answer nothing is asked: the SUT is what refuses there.
    """
    caller, steps = ends.caller, ends.steps
    if caller is None or steps is None:
        return []
    if takes_calls(steps):
        if not ends.call.expects_answer or not caller.answered:
            return []
        return _not_at_callee(ends) if ends.callee is None else _answered_by_callee(ends, ends.callee)
    code = caller.leg.final_code
    if code is None or caller.leg.callee_shared or not (caller.answered or ends.call.group.expect.takes(code)):
        return []
    return _not_at_callee(ends) if ends.callee is None else _refused_by_callee(ends, caller, ends.callee)


def _not_at_callee(ends: CallEnds) -> list[Finding]:
    if ends.misdelivered_to is not None:
        return [_elsewhere(ends, f"no INVITE: it reached {ends.misdelivered_to}, another endpoint's callee")]
    if ends.ambiguous is not None:
        return [_undelivered(ends, Reason.NOT_MEASURED, None, ends.ambiguous)]
    if ends.callee_gone is not None:
        return [lost(ends, Role.CALLEE, ends.callee_gone)]
    if any(finding.leg is Role.CALLEE for finding in ends.unbound):
        return []  # it says why nothing could be delivered
    return [_elsewhere(ends, "no INVITE")]


def _answered_by_callee(ends: CallEnds, callee: CallLeg) -> list[Finding]:
    trouble = callee.trouble(LATE_OR_DROPPED, media=False) or could_not(callee)
    if callee.answered or refused_by_agent(callee) or slow_callee(callee) or trouble is not None:
        return []  # where it did not answer, its own finding says so: our doing
    return [_elsewhere(ends, _invite(callee))]


def _refused_by_callee(ends: CallEnds, caller: CallLeg, callee: CallLeg) -> list[Finding]:
    """It gave the refusal that is its own; one that only rings was told that this is over."""
    if as_due(callee) and not caller.answered:
        return _sooner(ends, caller, callee)
    if only_rings(callee) and _never_cancelled(caller, callee):
        return [_undelivered(ends, Reason.CANCEL_MISSING, _cancels(callee), _came(caller))]
    error = could_not(callee)
    if not as_due(callee) and (error or _otherwise(callee)):
        note = f"the callee agent {_sent(callee)}, and was to do otherwise" + (f" ({error})" if error else "")
        return [_undelivered(ends, Reason.NOT_MEASURED, None, note)]
    return [_elsewhere(ends, _invite(callee))]


def _otherwise(callee: CallLeg) -> bool:
    """It did of itself what it was not to do, or not in time what it was to; a CANCEL is nothing of its own.

    Nor is it that it was left alone before its answer was due.
    """
    if outlasted(callee):
        return only_rings(callee)  # its agent ended that too soon to tell
    return callee.leg.final_code != REQUEST_TERMINATED or slow_callee(callee) or stopped_unanswered(callee)


def _sooner(ends: CallEnds, caller: CallLeg, callee: CallLeg) -> list[Finding]:
    """The caller had the same code after its INVITE sooner than our callee gave it after its own, which is a later one.

    Of one that only rings that says nothing: a CANCEL goes hop by hop (RFC 3261 §9.2).
    """
    got_ms, gave_ms = waited_ms(caller), waited_ms(callee)
    if got_ms is None or gave_ms is None:
        return []
    if only_rings(callee):
        return _left_early(ends, caller, got_ms, gave_ms)
    if gave_ms <= got_ms + SOONER_MS:
        return []
    return [_elsewhere(ends, f"{_invite(callee)} after {seconds(gave_ms)}")]


def _left_early(ends: CallEnds, caller: CallLeg, waited_for_ms: float, rang_ms: float) -> list[Finding]:
    """It was cancelled well before the caller's call was over: by the SUT itself, or it was called late.

    By the caller's first 18x it had its INVITE, if that 18x was its own.
    """
    called_ms = caller.leg.progress.ringing_ms or 0.0
    if called_ms + rang_ms + ENDED_LATER_MS >= waited_for_ms:
        return []
    note = f"it was cancelled after {seconds(rang_ms)}, and {_came(caller)}: whose CANCEL that was is not known"
    return [_undelivered(ends, Reason.NOT_MEASURED, None, note)]


def _never_cancelled(caller: CallLeg, callee: CallLeg) -> bool:
    """It rang on until well after the caller's call was over, and its agent ended that."""
    over_ms, rang_ms = waited_ms(caller), waited_ms(callee)
    told = callee.leg.unparsed or not outlasted(callee)
    return not told and over_ms is not None and rang_ms is not None and rang_ms > over_ms + ENDED_LATER_MS


def _cancels(callee: CallLeg) -> str:
    came = callee.leg.ended_by is Side.REMOTE
    return "a CANCEL of no INVITE that it has" if came else "no CANCEL"


def _invite(callee: CallLeg) -> str:
    """What it got, and made of it."""
    left = outlasted(callee) and not only_rings(callee)
    return f"an INVITE that it {UNANSWERED}" if left else f"an INVITE to which it {_sent(callee)}"


def _sent(callee: CallLeg) -> str:
    code = callee.leg.final_code
    return "sent no final response" if code is None else f"sent {spoken(code, callee.leg.final_phrase)}"


def _came(caller: CallLeg) -> str:
    """What the caller got."""
    if caller.answered:
        dialog = caller.leg.dialog
        contact = "" if dialog is None or dialog.target is None else f", with Contact {dialog.target.uri}"
        return f"the caller was answered 200{contact}"
    got, took_ms = spoken(caller.leg.final_code or 0, caller.leg.final_phrase), waited_ms(caller)
    return f"the caller got {got}" + ("" if took_ms is None else f" after {seconds(took_ms)}")


def _elsewhere(ends: CallEnds, observed: str) -> Finding:
    assert ends.caller is not None  # who asks has seen what it got
    reason = Reason.ANSWERED_ELSEWHERE if ends.caller.answered else Reason.REFUSED_ELSEWHERE
    return _undelivered(ends, reason, observed, _came(ends.caller))


def _due(steps: Steps) -> str:
    """What our callee is to get, and makes of it."""
    code = final_code(steps)
    if code is None:
        return "an INVITE and its CANCEL"
    return "an INVITE that it answers" if code < 300 else f"an INVITE that it refuses with {code}"


def _undelivered(ends: CallEnds, reason: Reason, observed: str | None, note: str) -> Finding:
    return ends.call.finding(
        Role.CALLEE,
        Check.DELIVERED,
        reason,
        expected=_due(ends.steps or ()),
        observed=observed,
        note=note,
        sip_call_id=None if ends.caller is None else ends.caller.leg.sip_call_id,
    )


RULE: Final = CheckRule(
    check=Check.DELIVERED,
    ends=_delivered,
    shared=True,
    rows=(
        Row(
            reason=Reason.ANSWERED_ELSEWHERE,
            excused_by=LATE,
            shared=False,
            meaning="the caller was answered, and not by our callee at this endpoint",
            seen="The caller got a 200, and our callee of this endpoint got no INVITE of this call, or had not "
            "answered it. The note has the Contact of that 200.",
            usually="Somebody else is registered under the callee's user and won the fork, voicemail or an "
            "announcement answered, the dial plan sends the number elsewhere, or replicas share a location table and "
            "`endpointParallelism` is above 1.",
            look="Whose Contact that is; the registrar's bindings of the callee's user while the test runs; the "
            "Server header of the 200.",
        ),
        Row(
            reason=Reason.REFUSED_ELSEWHERE,
            excused_by=LATE,
            shared=False,
            meaning="the refusal that is expected came, and not from our callee, which was to refuse the call",
            seen="The callee's behaviour is Busy, Refuse or RingOnly, the caller got a code that `expect.sipCode` "
            "takes, and our callee of this endpoint got no INVITE of this call, or it was cancelled before the callee "
            "had refused it, or the callee refused it, or was to, only after the caller had that code.",
            usually="The SUT itself refuses: a limit of calls, a policy, a callee that it does not know or holds for "
            "busy; or it gives up before the callee has answered.",
            look="Whether the SUT sent the INVITE on; its Server or To tag in the refusal; its timers.",
        ),
        Row(
            reason=Reason.CANCEL_MISSING,
            excused_by=LATE_OR_DROPPED,
            shared=False,
            meaning="the caller's call was over, and our callee, which only rings, was not told so",
            seen="The callee's behaviour is RingOnly; the caller gave up with a CANCEL, or got a final response, and "
            "no CANCEL of its INVITE came to the callee, which rang on until its agent ended that (RFC 3261 §9.1, "
            "§16.7, §16.10).",
            usually="A B2BUA that answers the CANCEL and forgets its other side, a CANCEL that goes elsewhere than its "
            "INVITE went, or a timer of the SUT's that leaves the far end ringing.",
            look="What the SUT sent to the callee after the CANCEL, or after its timer: same Request-URI, branch and "
            "hop as its INVITE (RFC 3261 §9.1)?",
        ),
    ),
    subject="call",
    sentence="{leg} got {observed}, expected {expected}",
    on="the callee",
    asked_by="always, with a callee",
    holds="the INVITE reaches our callee of this endpoint, which answers it, or refuses it where that is its behaviour",
)
