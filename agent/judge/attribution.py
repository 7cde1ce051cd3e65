"""What a leg's own finding comes to when the other end is known: whose doing, and on which way (truth rules 3 to 5)."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from agent.contract.observation import Side
from agent.contract.plan import Audio, Behaviour, identity_code
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.call_leg import CallLeg
from agent.judge.digits import without_telephone_event
from agent.judge.ends import CallEnds, peer_of
from agent.judge.leg import inconclusive
from agent.judge.media import MEDIA_CHECKS, STOPPED_MS, needed_packets
from agent.judge.signalling import refused_by_agent

SLOW_CALLEE_MS: Final = 5000.0
"""Our callee answers at once. One that had an INVITE this long without answering it is what was slow."""


def attribute(ends: CallEnds, finding: Finding) -> Finding:
    """The finding as both ends together have it: the same, noted, or Inconclusive where the SUT is not to blame."""
    if finding.result is not Result.FAILED:
        return _bye_missing(ends, finding) or _cut_with_its_peer(ends, finding) or _told_to_stop(ends, finding)
    if finding.check is Check.ANSWERED:
        return _answered(ends, finding)
    if finding.check not in _SHARED:
        return finding
    trouble = ends.peer_trouble(finding.leg)
    if trouble is not None:
        return inconclusive(finding, Reason.PEER_LOST, trouble)
    rule = _RULES.get(finding.reason)
    return finding if rule is None else rule(ends, finding)


_SHARED: Final = MEDIA_CHECKS | {Check.COMPLETED}
"""What takes two ends to go right."""


def slow_callee(leg: CallLeg) -> bool:
    """It had the INVITE for long, or nobody knows how long, before it sent a final response."""
    times = leg.leg.progress
    waited_ms = times.ended_ms if times.answered_ms is None else times.answered_ms
    return waited_ms is None or waited_ms > SLOW_CALLEE_MS


def noted(finding: Finding, note: str) -> Finding:
    """The same finding with one more thing to know."""
    return msgspec.structs.replace(finding, note=note if finding.note is None else f"{finding.note}; {note}")


# Signalling


def _cut_with_its_peer(ends: CallEnds, finding: Finding) -> Finding | None:
    """What this end could not measure because the other agent died in the middle of the call (truth rule 4)."""
    other = peer_of(finding.leg)
    gone = ends.caller_gone if other is Role.CALLER else ends.callee_died
    if gone is None or ends.leg(other) is not None:
        return None
    if finding.reason is not Reason.NOT_MEASURED or finding.check not in _SHARED:
        return None
    return inconclusive(finding, Reason.PEER_LOST, gone.note)


def _told_to_stop(ends: CallEnds, finding: Finding) -> Finding:
    gone = ends.gone(finding.leg)
    if gone is None or finding.reason is not Reason.NOT_MEASURED or finding.check not in _STOPPABLE:
        return finding
    return inconclusive(finding, gone.reason, gone.note)


_STOPPABLE = frozenset({Check.REGISTERED, Check.ANSWERED, Check.COMPLETED})


def _bye_missing(ends: CallEnds, finding: Finding) -> Finding | None:
    """A callee that waited for the caller's BYE for the whole hold, and hung up itself when the caller was done."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or finding.leg is not Role.CALLEE or finding.check is not Check.COMPLETED:
        return None
    sent = not caller.cut_short and caller.leg.progress.bye_ms is not None and caller.leg.bye_answered is not None
    waited = callee.leg.ended_by is Side.LOCAL and callee.held
    if not sent or not waited or ends.callee_gone is not None or caller.excuse or callee.excuse:
        return None
    return msgspec.structs.replace(finding, reason=Reason.BYE_MISSING, observed="no BYE", note="the caller sent one")


def _answered(ends: CallEnds, finding: Finding) -> Finding:
    """A caller that did not get its answer: its own fault, our callee's, or the path's between them."""
    for registration in ends.registration:
        if registration.result is not Result.FAILED:
            note = f"the {registration.leg.value.lower()} may not be registered"
            return inconclusive(finding, registration.reason, note)
    if not ends.declared:
        return finding
    return _unreached(ends, finding) if ends.callee is None else _reached(ends.callee, finding)


def _reached(callee: CallLeg, finding: Finding) -> Finding:
    code = callee.leg.final_code
    if callee.excuse is not None:
        return inconclusive(finding, Reason.PEER_LOST, f"the callee agent was overloaded: {callee.excuse}")
    if refused_by_agent(callee):
        return inconclusive(finding, Reason.AGENT_ERROR, f"the callee agent itself answered {code}")
    if slow_callee(callee):
        return inconclusive(finding, Reason.AGENT_ERROR, "the callee agent had the INVITE and was slow to answer it")
    return noted(finding, "the callee had the INVITE" + ("" if code is None else f" and answered {code}"))


def _unreached(ends: CallEnds, finding: Finding) -> Finding:
    if ends.callee_died is not None:
        return inconclusive(finding, Reason.PEER_LOST, ends.callee_died.note)
    if ends.callee_gone is not None or ends.ambiguous is not None or ends.registration:
        return finding
    return noted(finding, "no INVITE reached the callee")


# Digits


def _digits(ends: CallEnds, finding: Finding) -> Finding:
    if finding.leg is Role.CALLEE:
        return _digits_to_callee(ends, finding)
    return _digits_to_caller(ends, finding)


def _short_of(received: str, sent: str, planned: str) -> bool:
    """Too little was sent to receive it all, and what came is what was sent, but for one digit still under way."""
    return sent != planned and planned.startswith(received) and len(received) >= len(sent) - 1


def _not_negotiated(finding: Finding, sender: CallLeg) -> Finding:
    """Our agents always offer telephone-event: a sender that could not use it was answered without, by the path."""
    note = f"no telephone-event in the SDP of the {sender.leg.role.value.lower()}, who was to send the digits"
    return noted(msgspec.structs.replace(finding, reason=Reason.DTMF_NOT_NEGOTIATED), note)


def _digits_to_callee(ends: CallEnds, finding: Finding) -> Finding:
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None:
        return finding
    planned = ends.call.group.dtmf.digits if ends.call.group.dtmf else ""
    sent = caller.digits_sent
    if not planned and not callee.digits_received:
        return inconclusive(finding, Reason.NOT_MEASURED, "this call sends no digits")
    if finding.reason is Reason.DTMF_NOT_NEGOTIATED:
        return finding
    if sent != planned and without_telephone_event(caller):
        return _not_negotiated(finding, caller)
    if _short_of(callee.digits_received, sent, planned):
        return inconclusive(finding, Reason.NOT_MEASURED, f"the caller had sent only {_digits_text(sent)}")
    return noted(finding, f"the caller sent {_digits_text(sent)}: changed on the way to the callee")


def _digits_to_caller(ends: CallEnds, finding: Finding) -> Finding:
    """A parrot can only send back what it got: what is wrong here may have gone wrong on the way there."""
    caller, callee = ends.caller, ends.callee
    if callee is None or caller is None:
        return finding
    nobody_sends = ends.behaviour is Behaviour.ABSORBER or ends.call.group.dtmf is None
    if nobody_sends and not caller.digits_received:
        return inconclusive(finding, Reason.NOT_MEASURED, "nobody sends this caller any digits")
    if finding.reason is Reason.DTMF_NOT_NEGOTIATED:
        return finding
    if callee.digits_received != caller.digits_sent:
        got = _digits_text(callee.digits_received)
        return noted(finding, f"the callee had received {got}: changed on the way to the callee")
    return _digits_sent_back(finding, caller, callee)


def _digits_sent_back(finding: Finding, caller: CallLeg, callee: CallLeg) -> Finding:
    got, sent_back, received = callee.digits_received, callee.digits_sent, caller.digits_received
    if sent_back != got and without_telephone_event(callee):
        return _not_negotiated(finding, callee)
    if _short_of(received, sent_back, got):
        return inconclusive(finding, Reason.NOT_MEASURED, f"the callee had sent back only {_digits_text(sent_back)}")
    return noted(finding, f"the callee sent back {_digits_text(sent_back)}: changed on the way to the caller")


def _unended(ends: CallEnds, finding: Finding) -> Finding:
    """A digit without its end is the path's doing only where our own agent ended it."""
    own, sender = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
    if own is None or sender is None:
        return finding
    name, sent = sender.leg.role.value.lower(), sender.digits_sent
    if sent != own.digits_received:
        return inconclusive(
            finding, Reason.NOT_MEASURED, f"the {name} itself sent only {_digits_text(sent)} to their end"
        )
    return noted(finding, f"the {name} sent {_digits_text(sent)} to their end")


def _digits_text(digits: str) -> str:
    return digits or "none"


# RTP and audio


def _packets_sent(leg: CallLeg | None) -> int | None:
    return None if leg is None or leg.leg.rtp_sent is None else leg.leg.rtp_sent.packets


def _packets(ends: CallEnds, finding: Finding) -> Finding:
    """Packets that are missing are the path's doing only if they were sent."""
    peer = peer_of(finding.leg)
    if not ends.declared and _packets_sent(ends.caller) == 0:
        return inconclusive(finding, Reason.NOT_MEASURED, "this caller itself sent no RTP that could come back")
    if ends.leg(peer) is None:
        return finding
    sent = _packets_sent(ends.leg(peer))
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


def _loss(ends: CallEnds, finding: Finding) -> Finding:
    """Sequence numbers tell of loss whatever the peer says; its count is for people."""
    peer = peer_of(finding.leg)
    sent = _packets_sent(ends.leg(peer))
    return finding if sent is None else noted(finding, f"the {peer.value.lower()} sent {sent} packets")


def _no_audio(ends: CallEnds, finding: Finding) -> Finding:
    expected = ends.call.group.expect.caller.audio
    if finding.leg is Role.CALLER and ends.behaviour is Behaviour.ABSORBER and expected is not Audio.SILENCE:
        return inconclusive(finding, Reason.NOT_MEASURED, "the callee is an Absorber: it sends silence")
    return _echo(ends, _packets(ends, finding))


def _echo(ends: CallEnds, finding: Finding) -> Finding:
    """A parrot plays back what it hears: what it heard tells which way is broken."""
    callee = ends.callee
    if finding.leg is Role.CALLEE or callee is None or callee.leg.heard is None:
        return finding
    if set(callee.leg.heard.codes) == {str(identity_code(ends.call.key))}:
        return noted(finding, "the callee heard this call's signal: broken on the way to the caller")
    return noted(finding, "the callee did not hear (only) this call's signal either: broken on the way to the callee")


_RULES: Mapping[Reason, Callable[[CallEnds, Finding], Finding]] = {
    Reason.DTMF_MISMATCH: _digits,
    Reason.DTMF_NOT_NEGOTIATED: _digits,
    Reason.DTMF_NOT_ENDED: _unended,
    Reason.NO_RTP: _packets,
    Reason.MEDIA_STOPPED: _stopped,
    Reason.TOO_FEW_PACKETS: _packets,
    Reason.PACKET_LOSS: _loss,
    Reason.NO_AUDIO: _no_audio,
    Reason.WRONG_AUDIO: _echo,
}
