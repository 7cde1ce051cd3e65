"""rtpJitter: mean interarrival jitter (RFC 3550 A.8)."""

from typing import Final

from agent.contract.expect import ExpectLeg
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row
from agent.judge.media import nothing_came, received
from agent.judge.overload import Excuse


def _asked(expect: ExpectLeg) -> str | None:
    if expect.rtp is None or expect.rtp.max_jitter_milliseconds is None:
        return None
    return f"at most {expect.rtp.max_jitter_milliseconds} ms"


def _leg(leg: CallLeg) -> list[Finding]:
    """RFC 3550 A.8, mean over the call, each source by its own clock."""
    expect, came = leg.expect.rtp, received(leg)
    if expect is None or expect.max_jitter_milliseconds is None or nothing_came(leg):
        return []
    if came is None or came.jitter_ms is None:
        return [
            _failed(leg, Reason.NOT_MEASURED, note="too few packets came of a known clock, or they were not counted")
        ]
    if came.jitter_ms > expect.max_jitter_milliseconds:
        return [_failed(leg, Reason.JITTER, f"{came.jitter_ms:.1f} ms")]
    return []


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    return leg.finding(Check.RTP_JITTER, reason, expected=_asked(leg.expect), observed=observed, note=note)


RULE: Final = CheckRule(
    check=Check.RTP_JITTER,
    asked=_asked,
    leg=_leg,
    media=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.JITTER,
            meaning="mean jitter above `maxJitterMilliseconds`",
            seen="The mean interarrival jitter (RFC 3550 A.8) of what came is above the bound, by the kernel's times "
            "of arrival.",
            usually="A loaded node, a relay in user space that is short of CPU, a congested link, or a sender that "
            "sends in bursts.",
            look="CPU and throttling of the relay and of its node; whether both directions and all endpoints have it.",
            excused_by=frozenset({Excuse.LATE_MEDIA}),
        ),
    ),
    subject="jitter",
    sentence="{leg} received RTP with a mean jitter of {observed}, expected {expected}",
    on="that leg",
    asked_by="`rtp.maxJitterMilliseconds`",
    holds="mean interarrival jitter (RFC 3550 A.8) over all accepted sources",
)
