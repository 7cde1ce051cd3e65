"""rtpPackets: packets came, as many as asked; and, of any RTP, to the end and with payload types of the SDP."""

from typing import Final

from agent.contract.call import ExpectLeg, ExpectRtp
from agent.contract.observation import Rtp
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import ANY_TROUBLE, CheckRule, Row
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive, noted

STOPPED_MS: Final = 2000.0
"""Longer than any relay takes to learn a new address, or a sender to change what it plays."""


def _asked(expect: ExpectLeg) -> str | None:
    return None if expect.rtp is None else f"at least {needed_packets(expect.rtp)} packets"


def needed_packets(expect: ExpectRtp) -> int:
    """The bound on packets; one, where the test sets none."""
    return max(1, expect.min_packets or 1)


def no_packets(leg: CallLeg) -> bool:
    """It is known that not one came."""
    rtp = leg.leg.rtp_received
    return rtp is not None and rtp.packets == 0


def _leg(leg: CallLeg) -> list[Finding]:
    return _stream(leg) or _packets(leg)


def _stream(leg: CallLeg) -> list[Finding]:
    """What is wrong with any RTP that came, asked for or not: payload types nobody agreed on, or an early end."""
    rtp = leg.leg.rtp_received
    if leg.leg.received is None and leg.leg.negotiated is not None:
        note = "there was media, and what of it crossed the wire could not be counted"
        return [leg.finding(Check.RTP_PACKETS, Reason.NOT_MEASURED, expected="payload types of the SDP", note=note)]
    if rtp is None or not rtp.packets:
        return []
    end_ms = leg.media_end_ms
    if rtp.last_ms is not None and end_ms is not None and end_ms - rtp.last_ms > STOPPED_MS:
        observed = f"none in the last {(end_ms - rtp.last_ms) / 1000:.1f} of {end_ms / 1000:.1f} s"
        return [leg.finding(Check.RTP_PACKETS, Reason.MEDIA_STOPPED, expected="RTP until the end", observed=observed)]
    if rtp.unnegotiated:
        expected, observed = "payload types of the SDP", f"{rtp.unnegotiated} of {rtp.packets} packets with others"
        return [leg.finding(Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD, expected=expected, observed=observed)]
    return []


def _packets(leg: CallLeg) -> list[Finding]:
    expect = leg.expect.rtp
    if expect is None:
        return []
    if no_packets(leg):
        # Neither loss nor jitter exists without packets; this one finding says why.
        return [_failed(leg, Reason.NO_RTP, "none")]
    rtp = leg.leg.rtp_received or Rtp()
    if rtp.distinct is None:
        return [_failed(leg, Reason.NOT_MEASURED)]
    if rtp.distinct < needed_packets(expect):
        return [_failed(leg, Reason.TOO_FEW_PACKETS, f"{rtp.distinct} packets")]
    return []


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None) -> Finding:
    return leg.finding(Check.RTP_PACKETS, reason, expected=_asked(leg.expect), observed=observed)


# As both ends have it


def packets_sent(leg: CallLeg | None) -> int | None:
    """What an end sent, copies included; None: not measured."""
    return None if leg is None or leg.leg.rtp_sent is None else leg.leg.rtp_sent.packets


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    if finding.reason is Reason.MEDIA_STOPPED:
        return _stopped(ends, finding)
    return attribute_missing(ends, finding) if finding.reason is not Reason.UNNEGOTIATED_PAYLOAD else finding


def attribute_missing(ends: CallEnds, finding: Finding) -> Finding:
    """Packets that are missing are the path's doing only if they were sent."""
    peer = peer_of(finding.leg)
    if not ends.declared and packets_sent(ends.caller) == 0:
        return inconclusive(finding, Reason.NOT_MEASURED, "this caller itself sent no RTP that could come back")
    if ends.leg(peer) is None:
        return finding
    sent = packets_sent(ends.leg(peer))
    name = peer.value.lower()
    if sent is None:
        return inconclusive(finding, Reason.NOT_MEASURED, f"what the {name} sent was not measured")
    if sent == 0:
        return inconclusive(finding, Reason.PEER_LOST, f"the {name} agent sent no RTP")
    expect = ends.call.expected(finding.leg).rtp
    if finding.reason is Reason.TOO_FEW_PACKETS and expect is not None and sent < needed_packets(expect):
        return inconclusive(finding, Reason.NOT_MEASURED, f"the {name} itself sent only {sent} packets")
    return noted(finding, f"the {name} sent {sent} packets")


def _stopped(ends: CallEnds, finding: Finding) -> Finding:
    """Media that stopped on the way, or already at our own agent."""
    own, peer = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
    sent = None if peer is None else peer.leg.rtp_sent
    if own is None or own.leg.rtp_received is None or peer is None or sent is None or sent.last_ms is None:
        return finding
    name, last_ms = peer.leg.role.value.lower(), own.leg.rtp_received.last_ms
    if last_ms is None or sent.last_ms < last_ms + STOPPED_MS / 2:
        return inconclusive(
            finding, Reason.NOT_MEASURED, f"the {name} itself sent none after {sent.last_ms / 1000:.1f} s"
        )
    return noted(finding, f"the {name} sent RTP for {sent.last_ms / 1000:.1f} s")


RULE: Final = CheckRule(
    check=Check.RTP_PACKETS,
    asked=_asked,
    leg=_leg,
    attribute=_attribute,
    media=True,
    shared=True,
    rows=(
        Row(reason=Reason.NO_RTP, meaning="not one RTP packet arrived", excused_by=ANY_TROUBLE),
        Row(
            reason=Reason.MEDIA_STOPPED,
            meaning="RTP arrived, but none in the last 2 s or more of the call, asked for or not",
            excused_by=ANY_TROUBLE,
        ),
        Row(
            reason=Reason.UNNEGOTIATED_PAYLOAD,
            meaning="RTP arrived with payload types that offer and answer did not agree on, asked for or not",
            excused_by=ANY_TROUBLE,
        ),
        Row(
            reason=Reason.TOO_FEW_PACKETS,
            meaning="fewer RTP packets arrived than `minPackets`, copies not counted",
            excused_by=ANY_TROUBLE,
            behind=Reason.PACKET_LOSS,
        ),
    ),
    sentence="{leg} received {observed}, expected {expected}",
    on="that leg",
    asked_by="`rtp`",
    holds=(
        "at least `minPackets`, at least one; of any RTP, asked for or not, payload types of the SDP (that both sides "
        "named), and RTP until 2 s before the end"
    ),
)
