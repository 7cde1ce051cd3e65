"""refreshed: each refresh of a registration was answered 200 before the binding ran out."""

from typing import Final

from agent.contract.plan import Plan
from agent.contract.registration import Lapse, RegistrationObservation
from agent.contract.verdict import Check, Reason
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Fault, Row
from agent.judge.checks.connection import broken
from agent.judge.words import beyond_us, challenged, joined, often, seconds, spoken, unread

EXPECTED: Final = "200 before its binding ran out"
IN_TIME_MS: Final = 2000.0
"""A refresh that was sent less than this before its binding ran out was sent too late to blame anybody else."""


def _refreshed(plan: Plan, seen: RegistrationObservation) -> list[Fault]:
    """RFC 3261 §10.2.4, §10.3. Where it had no connection, that says all."""
    lapse = seen.lapse
    if lapse is None or (lapse.code is None and broken(seen.connections, plan)):
        return []
    ours = _ours(lapse) or (unread(seen.unparsed) if lapse.code is None and seen.unparsed is not None else None)
    if ours is not None:
        return [Fault(reason=Reason.NOT_MEASURED, expected=EXPECTED, note=ours)]
    asked, count = lapse.asked, seen.refreshes
    note = joined(
        f"sent {often(asked.times)} to {asked.peer}" if lapse.code is None and asked.peer is not None else None,
        challenged(lapse.code, asked),
        *asked.why,
        f"{often(count)} before it was refreshed in time" if count else None,
    )
    trouble = None if _is_refused(lapse) else lapse.trouble  # whoever was late: that came
    failed = Reason.REFRESH_FAILED
    return [Fault(reason=failed, expected=EXPECTED, observed=_observed(lapse), note=note, trouble=trouble)]


def _ours(lapse: Lapse) -> str | None:
    """What is not the registrar's doing."""
    if lapse.unsent is not None:
        return f"our SIP stack could not send the refresh: {lapse.unsent}"
    if lapse.sent_ms is None:
        return "our SIP stack sent no refresh in time"
    if lapse.asked.unanswerable is not None:
        return beyond_us(lapse.asked.unanswerable)
    left_ms = lapse.due_ms - lapse.sent_ms
    if left_ms < IN_TIME_MS and not _is_refused(lapse):
        return f"our SIP stack sent the refresh {seconds(left_ms)} before the binding ran out"
    return None


def _is_refused(lapse: Lapse) -> bool:
    return lapse.code is not None and lapse.code >= 300


def _observed(lapse: Lapse) -> str:
    if lapse.code is None or lapse.answered_ms is None:
        return "no final response"
    said = spoken(lapse.code, lapse.phrase)
    return said if lapse.code >= 300 else f"{said} {seconds(lapse.answered_ms - lapse.due_ms)} after that"


RULE: Final = CheckRule(
    check=Check.REFRESHED,
    registration=_refreshed,
    rows=(
        Row(
            reason=Reason.REFRESH_FAILED,
            meaning="a registration was taken at first, and its refresh was refused, late or not answered",
            seen="A REGISTER of the same Call-ID, sent 5 s before the binding runs out (of a short one, later), got a "
            "final response other than 2xx, or none, or a 2xx after the binding had run out: by what the last 2xx "
            "granted, from when it came. Where the agent had no connection for it, or lost that, this is said instead.",
            usually="A registrar that was restarted or lost its database in between, a nonce or a CSeq that it does "
            "not take twice, or a replica that does not know what another one granted.",
            look="The registrar's log at that time; whether replicas share their bindings and nonces.",
            excused_by=LATE_OR_DROPPED,
        ),
    ),
    subject="refresh",
    sentence="the refresh of the {leg}'s registration got {observed}, expected {expected}",
    on="an agent that registers",
    holds="each refresh is answered 200 before the binding runs out, as long as the calls of the endpoint take",
)
