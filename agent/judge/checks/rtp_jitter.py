"""rtpJitter: mean interarrival jitter (RFC 3550 A.8)."""

from math import isfinite
from typing import Final

from agent.contract.call import ExpectLeg
from agent.contract.observation import Rtp
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import ANY_TROUBLE, CheckRule, Row
from agent.judge.checks.rtp_packets import no_packets


def _asked(expect: ExpectLeg) -> str | None:
    if expect.rtp is None or expect.rtp.max_jitter_milliseconds is None:
        return None
    return f"at most {expect.rtp.max_jitter_milliseconds} ms"


def _leg(leg: CallLeg) -> list[Finding]:
    """RFC 3550 A.8, mean over the call."""
    expect, rtp = leg.expect.rtp, leg.leg.rtp_received or Rtp()
    if expect is None or expect.max_jitter_milliseconds is None or no_packets(leg):
        return []
    if rtp.jitter_ms is None or not isfinite(rtp.jitter_ms):
        return [_failed(leg, Reason.NOT_MEASURED)]
    if rtp.jitter_ms > expect.max_jitter_milliseconds:
        return [_failed(leg, Reason.JITTER, f"{rtp.jitter_ms:.1f} ms")]
    return []


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None) -> Finding:
    return leg.finding(Check.RTP_JITTER, reason, expected=_asked(leg.expect), observed=observed)


RULE: Final = CheckRule(
    check=Check.RTP_JITTER,
    asked=_asked,
    leg=_leg,
    media=True,
    shared=True,
    rows=(Row(reason=Reason.JITTER, meaning="mean jitter above `maxJitterMilliseconds`", excused_by=ANY_TROUBLE),),
    sentence="{leg} saw {observed} of jitter, expected {expected}",
    on="that leg",
    asked_by="`rtp.maxJitterMilliseconds`",
    holds="mean interarrival jitter (RFC 3550 A.8)",
)
