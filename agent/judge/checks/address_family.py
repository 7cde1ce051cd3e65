"""addressFamily: the peer's SDP has its media where the call's own IP family leads."""

from typing import Final

from agent.contract.address import IpFamily, family_of, host_of
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row


def _leg(leg: CallLeg) -> list[Finding]:
    if (at := leg.leg.other_family) is None:
        return []
    own = IpFamily.IPV4 if family_of(host_of(at)) is IpFamily.IPV6 else IpFamily.IPV6
    return [
        leg.finding(Check.ADDRESS_FAMILY, Reason.ADDRESS_FAMILY_MISMATCH, expected=f"an {own} address", observed=at)
    ]


RULE: Final = CheckRule(
    check=Check.ADDRESS_FAMILY,
    leg=_leg,
    rows=(
        Row(
            reason=Reason.ADDRESS_FAMILY_MISMATCH,
            meaning="the SDP that came has its media at an address of the other IP family than was offered",
            seen="The c= line of the SDP that an agent was offered, or was answered, names an address of the other "
            "family than `target.ipFamily`. The agent has offered, and has, addresses of that family alone: no media "
            "can run. What its SIP stack answers to such an SDP, or that it hangs up, follows from that.",
            usually="The relay beside the SUT was not told to change the family (`address-family=IP6` of rtpengine), "
            "or has no address of it; or the SUT passes on what another side said.",
            look="The c= line in the INVITE or 200 of this call; the relay's interfaces and flags.",
        ),
    ),
    subject="media address",
    sentence="{leg} was told to send its media to {observed}, expected {expected}",
    on="both legs",
    holds="the audio of an SDP that came is at an address of `target.ipFamily`",
)
