"""rtpLoss: how much of what was sent did not arrive, by sequence numbers and by both ends' counts."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from agent.contract.call import ExpectLeg, ExpectRtp
from agent.contract.observation import Rtp
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import ANY_TROUBLE, CheckRule, Row
from agent.judge.checks.rtp_packets import no_packets, packets_sent
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import noted
from agent.judge.flow import flow
from agent.judge.verdicts import Flow

EDGE_PACKETS: Final = 15
"""0.3 s of 20 ms packets may be on their way, or come before the receiver counts, at the edges of a call."""


def _asked(expect: ExpectLeg) -> str | None:
    if expect.rtp is None or expect.rtp.max_loss_percent is None:
        return None
    return f"at most {expect.rtp.max_loss_percent} %"


def loss_bound(expect: ExpectRtp) -> Decimal | None:
    """The bound on loss in percent; None when the test's text is no finite decimal."""
    try:
        bound = Decimal(expect.max_loss_percent or "")
    except InvalidOperation:
        return None
    return bound if bound.is_finite() else None


def exceeds(lost: int, expected: int, bound: Decimal) -> bool:
    """More than `bound` percent of the expected packets were lost; compared without rounding."""
    return Decimal(lost) * 100 > bound * Decimal(expected)


def _leg(leg: CallLeg) -> list[Finding]:
    """RFC 3550 A.3: lost ÷ expected, where expected is what the sequence numbers span."""
    expect, rtp = leg.expect.rtp, leg.leg.rtp_received or Rtp()
    if expect is None or expect.max_loss_percent is None or no_packets(leg):
        return []
    bound = loss_bound(expect)
    if bound is None:
        return [_failed(leg, Reason.NOT_MEASURED, note="maxLossPercent is not a decimal")]
    if rtp.distinct is None or rtp.lost is None:
        return [_failed(leg, Reason.NOT_MEASURED)]
    due = rtp.distinct + rtp.lost
    if not exceeds(rtp.lost, due, bound):
        return []
    observed = f"{100 * rtp.lost / due:.2f} % ({rtp.lost} of {due})"
    return [_failed(leg, Reason.PACKET_LOSS, observed)]


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    return leg.finding(Check.RTP_LOSS, reason, expected=_asked(leg.expect), observed=observed, note=note)


# As both ends have it


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """Sequence numbers tell of loss whatever the peer says; its count is for people."""
    peer = peer_of(finding.leg)
    sent = packets_sent(ends.leg(peer))
    return finding if sent is None else noted(finding, f"the {peer.value.lower()} sent {sent} packets")


# Loss that sequence numbers cannot show: of a call's first or last packets, or behind a relay that numbers anew.


def _ends(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """What both ends' counts show, where that is worse than what a leg alone tells."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or not _comparable(caller, callee, findings):
        return []
    counted = [_counted_loss(caller, callee), _counted_loss(callee, caller)]
    return [loss for loss in counted if loss is not None and not _has_reason(findings, loss.leg, _MAKES_COUNTS_MOOT)]


def _comparable(caller: CallLeg, callee: CallLeg, findings: Sequence[Finding]) -> bool:
    """Both ends had the whole call, could count, and the packets are the same: no transcoding in between."""
    if any(finding.check in (Check.ANSWERED, Check.COMPLETED) for finding in findings):
        return False
    if caller.overload is not None or callee.overload is not None:
        return False
    codecs = [None if leg.leg.negotiated is None else leg.leg.negotiated.codec for leg in (caller, callee)]
    return codecs[0] is not None and codecs[0] == codecs[1]


_MAKES_COUNTS_MOOT: Final = (Reason.PACKET_LOSS, Reason.NO_RTP, Reason.WRONG_AUDIO)
"""Said already, or, with another call's audio, the packets that came are not those that were sent."""


def _has_reason(findings: Sequence[Finding], role: Role, reasons: tuple[Reason, ...]) -> bool:
    return any(finding.leg is role and finding.reason in reasons for finding in findings)


def _counted_loss(sender: CallLeg, receiver: CallLeg) -> Finding | None:
    """Loss by both ends' counts, where more is missing than can be on its way at the edges of the call."""
    expect = receiver.expect.rtp
    bound = None if expect is None or expect.max_loss_percent is None else loss_bound(expect)
    counted = flow(sender, receiver)
    if bound is None or counted.sent is None or counted.received is None:
        return None
    missing = counted.sent - counted.received
    beyond = missing - max(counted.lost or 0, 0)
    if beyond <= _edge_packets(sender, receiver, counted.sent) or not exceeds(missing, counted.sent, bound):
        return None
    name = sender.leg.role.value.lower()
    return receiver.finding(
        Check.RTP_LOSS,
        Reason.PACKET_LOSS,
        expected=f"at most {bound} %",
        observed=f"{100 * missing / counted.sent:.2f} % ({missing} of {counted.sent})",
        note=f"the {name} sent {counted.sent} packets, {counted.received} were received; {_by_numbers(counted)}",
    )


def _by_numbers(counted: Flow) -> str:
    return "sequence numbers tell nothing" if counted.lost is None else f"sequence numbers show {counted.lost} lost"


def _edge_packets(sender: CallLeg, receiver: CallLeg, sent: int) -> Decimal:
    """Packets sent while the other end was not in the call yet, or no more: each end's length by its own clock."""
    if sender.call_ms is None or receiver.call_ms is None or sender.call_ms <= 0:
        return Decimal(EDGE_PACKETS)
    alone_ms = max(0.0, sender.call_ms - receiver.call_ms)
    return EDGE_PACKETS + Decimal(sent) * Decimal(alone_ms) / Decimal(sender.call_ms)


RULE: Final = CheckRule(
    check=Check.RTP_LOSS,
    asked=_asked,
    leg=_leg,
    ends=_ends,
    attribute=_attribute,
    media=True,
    shared=True,
    rows=(Row(reason=Reason.PACKET_LOSS, meaning="more was lost than `maxLossPercent`", excused_by=ANY_TROUBLE),),
    sentence="{leg} lost {observed}, expected {expected}",
    on="that leg",
    asked_by="`rtp.maxLossPercent`",
    holds="lost ÷ expected (RFC 3550 A.3), and what one end sent against what the other received",
)
