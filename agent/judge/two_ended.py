"""A call judged from both its ends: what was sent against what was received, and every planned call accounted for."""

from decimal import Decimal
from typing import Final

from agent.contract.call import Audio, Behaviour
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.attribution import attribute, slow_callee
from agent.judge.call_leg import CallLeg
from agent.judge.digits import shortened
from agent.judge.ends import CallEnds, Gone
from agent.judge.leg import excused, inconclusive, leg_findings, unmeasurable
from agent.judge.media import exceeds, loss_bound
from agent.judge.rank import worst_first
from agent.judge.signalling import refused_by_agent
from agent.judge.verdicts import Flow

EDGE_PACKETS: Final = 15
"""0.3 s of 20 ms packets may be on their way, or come before the receiver counts, at the edges of a call."""


def call_findings(ends: CallEnds) -> tuple[Finding, ...]:
    """All that kept one call from passing, worst first; empty: every check was measured and held."""
    own = [*ends.registration, *ends.recorded]
    for leg in (ends.caller, ends.callee):
        own += [] if leg is None else leg_findings(leg)
    if ends.callee is None and not (ends.declared and ends.call.expects_answer):
        own += unmeasurable(ends.call, Role.CALLEE)
    findings = [attribute(ends, finding) for finding in own]
    findings = _with_losses(ends, findings)
    findings += _with_shortened(ends, findings)
    findings += _delivered(ends)
    findings += _absorbed(ends, findings)
    findings += _unreported(ends, findings)
    return worst_first(findings)


def flow(sender: CallLeg | None, receiver: CallLeg | None) -> Flow:
    """One direction's packets, as both ends counted them; copies made on the way make up for none that are lost."""
    sent = None if sender is None or sender.leg.rtp_sent is None else sender.leg.rtp_sent.packets
    received = None if receiver is None else receiver.leg.rtp_received
    return Flow(
        sent=sent,
        received=None if received is None else received.distinct,
        lost=None if received is None else received.lost,
    )


# Loss that sequence numbers cannot show: of a call's first or last packets, or behind a relay that numbers anew.


def _with_losses(ends: CallEnds, findings: list[Finding]) -> list[Finding]:
    """RTP_LOSS findings replaced or joined by what both ends' counts show, where that is the worse."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or not _comparable(caller, callee, findings):
        return findings
    for sender, receiver in ((caller, callee), (callee, caller)):
        counted = _counted_loss(sender, receiver)
        loss = None if counted is None else _whose(ends, receiver, counted)
        if loss is not None and not _has_reason(findings, loss.leg, _MAKES_COUNTS_MOOT):
            findings = [*(other for other in findings if (other.leg, other.check) != (loss.leg, loss.check)), loss]
    return findings


def _comparable(caller: CallLeg, callee: CallLeg, findings: list[Finding]) -> bool:
    """Both ends had the whole call, could count, and the packets are the same: no transcoding in between."""
    if any(finding.check in (Check.ANSWERED, Check.COMPLETED) for finding in findings):
        return False
    if caller.overload is not None or callee.overload is not None:
        return False
    codecs = [None if leg.leg.negotiated is None else leg.leg.negotiated.codec for leg in (caller, callee)]
    return codecs[0] is not None and codecs[0] == codecs[1]


_MAKES_COUNTS_MOOT: Final = (Reason.PACKET_LOSS, Reason.NO_RTP, Reason.WRONG_AUDIO)
"""Said already, or, with another call's audio, the packets that came are not those that were sent."""


def _has_reason(findings: list[Finding], role: Role, reasons: tuple[Reason, ...]) -> bool:
    return any(finding.leg is role and finding.reason in reasons for finding in findings)


def _whose(ends: CallEnds, receiver: CallLeg, found: Finding) -> Finding:
    """What two ends' counts show may be the doing of an agent that was late, on either side."""
    trouble = ends.peer_trouble(receiver.leg.role)
    return excused(receiver, found) if trouble is None else inconclusive(found, Reason.PEER_LOST, trouble)


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


def _with_shortened(ends: CallEnds, findings: list[Finding]) -> list[Finding]:
    """Digits that lost most of their length on the way, where nothing else is wrong with them."""
    if ends.caller is None or ends.callee is None:
        return []
    more = []
    for sender, receiver in ((ends.caller, ends.callee), (ends.callee, ends.caller)):
        said = any(f.leg is receiver.leg.role and f.check in (Check.DTMF, Check.ANSWERED) for f in findings)
        found = None if said else shortened(sender, receiver)
        more += [] if found is None else [_whose(ends, receiver, found)]
    return more


# Delivered


def _delivered(ends: CallEnds) -> list[Finding]:
    """A caller's 200 comes from our callee, and from the one of this endpoint (truth rule 5)."""
    answered = ends.caller is not None and ends.caller.answered
    if not ends.declared or not ends.call.expects_answer or not answered:
        return []
    return _not_at_callee(ends) if ends.callee is None else _answered_by_callee(ends, ends.callee)


def _not_at_callee(ends: CallEnds) -> list[Finding]:
    if ends.misdelivered_to is not None:
        return [_elsewhere(ends, f"an INVITE at {ends.misdelivered_to}, which is another endpoint's callee")]
    if ends.ambiguous is not None:
        return [_undelivered(ends, Reason.NOT_MEASURED, None, ends.ambiguous)]
    if ends.callee_gone is not None:
        return [_lost(ends, Role.CALLEE, ends.callee_gone)]
    if any(finding.leg is Role.CALLEE for finding in ends.registration):
        return []  # it says why nothing could be delivered
    return [_elsewhere(ends, "no INVITE")]


def _answered_by_callee(ends: CallEnds, callee: CallLeg) -> list[Finding]:
    code = callee.leg.final_code
    if callee.answered or refused_by_agent(callee) or slow_callee(callee) or callee.excuse is not None:
        return []  # where it did not answer, its own finding says so: our doing
    return [
        _elsewhere(ends, f"an INVITE that was not answered there ({'no final response' if code is None else code})")
    ]


def _elsewhere(ends: CallEnds, observed: str) -> Finding:
    return _undelivered(ends, Reason.ANSWERED_ELSEWHERE, observed, "the caller was answered 200")


def _undelivered(ends: CallEnds, reason: Reason, observed: str | None, note: str) -> Finding:
    return ends.call.finding(
        Role.CALLEE,
        Check.DELIVERED,
        reason,
        expected="an INVITE that the callee answers",
        observed=observed,
        note=note,
        sip_call_id=None if ends.caller is None else ends.caller.leg.sip_call_id,
    )


# What never passes unseen


def _absorbed(ends: CallEnds, findings: list[Finding]) -> list[Finding]:
    """A caller cannot hear its own signal from an absorber: if it seems to, something else played it."""
    impossible = ends.behaviour is Behaviour.ABSORBER and ends.call.group.expect.caller.audio is Audio.OWN
    said = any(finding.leg is Role.CALLER for finding in findings if finding.check in (Check.AUDIO, Check.ANSWERED))
    if ends.caller is None or not impossible or said:
        return []
    note = "the callee is an Absorber: it does not play this call's signal back"
    return [ends.caller.finding(Check.AUDIO, Reason.NOT_MEASURED, expected=Audio.OWN.value, note=note)]


def _unreported(ends: CallEnds, findings: list[Finding]) -> list[Finding]:
    """Planned calls without a leg: each is accounted for, as its agent's loss or as not measured."""
    if ends.caller is not None or ends.registration:
        return []
    missing = []
    if not any(finding.leg is Role.CALLER for finding in findings):
        gone = ends.caller_gone or Gone(reason=Reason.NOT_MEASURED, note="no leg of this call was reported")
        missing.append(_lost(ends, Role.CALLER, gone))
    if ends.declared and ends.callee_died is not None and not any(f.leg is Role.CALLEE for f in findings):
        missing.append(_lost(ends, Role.CALLEE, ends.callee_died))
    return missing


def _lost(ends: CallEnds, role: Role, gone: Gone) -> Finding:
    return ends.call.finding(role, Check.COMPLETED, gone.reason, note=gone.note)
