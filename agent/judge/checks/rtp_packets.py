"""rtpPackets: packets came, as many as asked; and, of any RTP, what the SDP and a peer that sends entitle a leg to."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from agent.contract.call import Call
from agent.contract.expect import DtmfMethod, ExpectLeg, ExpectRtp
from agent.contract.media import Origin
from agent.contract.steps import Steps, sends_audio
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.answer import offer_and_answer
from agent.judge.checks.check import BROKEN_MEDIA, CheckRule, Impossible, Row
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive, noted
from agent.judge.keyless import came_when_keyed, keyless_ms, waited
from agent.judge.media import (
    Flowed,
    accepted,
    destinations,
    flow_ms,
    nothing_came,
    received,
    receiving,
    sending,
    sent,
    since_answer,
    strange_types,
    stranger_packets,
    strangers,
)
from agent.judge.overload import Excuse
from agent.judge.spans import length, meet
from agent.judge.words import joined, listed, many, often, payload_type, payload_types, seconds

MOST_PACKETS_PER_SECOND: Final = 100
"""In packets of 10 ms, the shortest that phones use; how long its packets are is a sender's choice (RFC 3551 §4.2)."""
STOPPED_MS: Final = 2000.0
"""Longer than any relay takes to learn a new address, or a sender to change what it plays."""
TOGETHER_MS: Final = 2000.0
"""Where the SDP at both ends lets media flow for this long, some must come."""
WHOSE: Final = "whose those are is not known"
FEW_PACKETS: Final = 50
FEW_SHARE: Final = 0.01
"""Fewer packets than both of a type that nobody agreed on, beside all the others, are worth a note."""


def _asked(expect: ExpectLeg) -> str | None:
    return None if expect.rtp is None else f"at least {many(needed_packets(expect.rtp), 'packet')}"


def _expected(expect: ExpectLeg) -> str | None:
    """What a leg is to receive; None: nothing that takes RTP."""
    if expect.rtp is None and expect.hears:
        return "RTP that carries audio"
    if expect.rtp is None and expect.dtmf is not None and expect.dtmf.by is DtmfMethod.RFC4733:
        return "RTP that carries digits"
    return _asked(expect)


def _impossible(call: Call, _: Steps | None) -> Impossible | None:
    at_most = call.hold_seconds * MOST_PACKETS_PER_SECOND
    for name, leg in (("caller", call.expect.caller), ("callee", call.expect.callee)):
        least = leg.rtp and leg.rtp.min_packets
        if least and least > at_most:
            fault = f"{least} cannot arrive in {call.hold_seconds} s: at most {at_most}"
            return Impossible(field=f"expect.{name}.rtp.minPackets", fault=fault)
    return None


def needed_packets(expect: ExpectRtp) -> int:
    """The bound on packets; one, where the test sets none."""
    return max(1, expect.min_packets or 1)


def _leg(leg: CallLeg) -> list[Finding]:
    return _uncounted(leg) or _unnegotiated(leg) or _packets(leg)


def _uncounted(leg: CallLeg) -> list[Finding]:
    if leg.leg.received is not None or not leg.leg.sections:
        return []
    note = "there was media, and what of it crossed the wire was not counted"
    return [leg.finding(Check.RTP_PACKETS, Reason.NOT_MEASURED, expected="payload types of the SDP", note=note)]


def _unnegotiated(leg: CallLeg) -> list[Finding]:
    """RFC 3264 §6.1: media of the types that were agreed on. Empty packets and comfort noise are not among these."""
    came = received(leg)
    if came is None or not came.unnegotiated or _are_few(came.unnegotiated, came.packets):
        return []
    observed = _strange(leg, came)
    agreed = payload_types(leg.leg.sections[-1].types, "or") if leg.leg.sections else "one of the SDP"
    return [
        leg.finding(
            Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD, expected=f"{agreed}, as its SDP says", observed=observed,
            note=offer_and_answer(leg),
        )
    ]  # fmt: skip


def _strange(leg: CallLeg, came: Flowed) -> str:
    """Packets of payload types that the SDP does not have, and which those are."""
    types = strange_types(leg)
    which = listed(payload_type(number, name) for number, name in sorted(types.items()))
    named = f"payload type{'s' if len(types) > 1 else ''} {which}" if types else "other payload types"
    return f"{came.unnegotiated} of {many(came.packets, 'packet')} with {named}"


def _are_few(unnegotiated: int, packets: int) -> bool:
    return unnegotiated < FEW_PACKETS and unnegotiated < FEW_SHARE * packets


def _packets(leg: CallLeg) -> list[Finding]:
    if _expected(leg.expect) is None:
        return []
    if (elsewhere := strangers(leg)) is not None:
        return [_failed(leg, Reason.NOT_MEASURED, elsewhere, WHOSE)]
    if nothing_came(leg):
        # Neither loss nor jitter nor sound exists without packets; this one finding says why.
        return [_failed(leg, Reason.NO_RTP, f"no RTP{since_answer(leg)}", _asked_for(leg))]
    return [] if leg.expect.rtp is None else _few(leg, needed_packets(leg.expect.rtp))


def _few(leg: CallLeg, needed: int) -> list[Finding]:
    came = received(leg)
    if came is None:
        return [_failed(leg, Reason.NOT_MEASURED, note="what came was not counted")]
    if came.packets >= needed:
        return []
    return [_failed(leg, Reason.TOO_FEW_PACKETS, many(came.packets, "packet"))]


def _asked_for(leg: CallLeg) -> str | None:
    """Where the leg's SDP wants its media."""
    return None if leg.leg.local_rtp is None else f"its SDP asks for it at {leg.leg.local_rtp}"


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    return leg.finding(Check.RTP_PACKETS, reason, expected=_expected(leg.expect), observed=observed, note=note)


# As both ends have it


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    return finding if finding.reason is Reason.UNNEGOTIATED_PAYLOAD else attribute_missing(ends, finding)


def attribute_missing(ends: CallEnds, finding: Finding) -> Finding:
    """Packets that are missing are the path's doing only if they were sent."""
    peer = peer_of(finding.leg)
    if not ends.declared and packets_sent(ends.caller) == 0:
        return inconclusive(finding, Reason.NOT_MEASURED, "this caller itself sent no RTP that could come back")
    sender, name = ends.leg(peer), peer.lower()
    if sender is None:
        return finding
    count = packets_sent(sender)
    if count is None:
        return inconclusive(finding, Reason.NOT_MEASURED, f"what the {name} sent was not measured")
    if count == 0:
        return inconclusive(finding, Reason.PEER_LOST, f"the {name} agent sent no RTP")
    why = _not_to_come(ends, finding, sender)
    return noted(finding, _sent_by(sender)) if why is None else inconclusive(finding, Reason.NOT_MEASURED, why)


def _not_to_come(ends: CallEnds, finding: Finding, sender: CallLeg) -> str | None:
    """Why no more than what came was to come."""
    own, expect, count = ends.leg(finding.leg), ends.call.expected(finding.leg).rtp, packets_sent(sender) or 0
    if finding.reason is Reason.TOO_FEW_PACKETS and expect is not None and count < needed_packets(expect):
        return f"the {sender.name} itself sent only {many(count, 'packet')}"
    if own is not None and finding.reason in (Reason.TOO_FEW_PACKETS, Reason.NO_RTP) and came_when_keyed(sender, own):
        return f"{_sent_by(sender)}; {waited(own)}"
    return None


def _sent_by(sender: CallLeg) -> str:
    return f"the {sender.name} sent {many(packets_sent(sender) or 0, 'packet')} to {destinations(sender)}"


def packets_sent(leg: CallLeg | None) -> int | None:
    """What an end sent; None: not measured."""
    went = sent(leg)
    return None if went is None else went.packets


def explain_strangers(reason: Reason) -> Callable[[CallEnds, Finding], Finding]:
    """Where the only media was a stranger's, and our other agent sent: its own never came, which is `reason`."""

    def explain(ends: CallEnds, finding: Finding) -> Finding:
        own, peer = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
        if finding.reason is not Reason.NOT_MEASURED or own is None or peer is None or strangers(own) is None:
            return finding
        if not packets_sent(peer) or ends.peer_trouble(finding.leg, frozenset(Excuse), media=True):
            return finding
        note = f"{_sent_by(peer)}, and none of its media came"
        observed = finding.observed or strangers(own)
        return msgspec.structs.replace(finding, reason=reason, observed=observed, note=note)

    return explain


def _ends(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """What no leg can know alone: its peer sent, and nothing came, or no more of it."""
    return [
        found
        for sender, receiver in both_ways(ends)
        for found in (_unheard(sender, receiver) or _stopped(ends, sender, receiver))
        if not any(f.leg is found.leg and f.check is found.check and f.reason is found.reason for f in findings)
    ]


def both_ways(ends: CallEnds) -> Iterator[tuple[CallLeg, CallLeg]]:
    """Sender and receiver, each way, where both legs are known, were answered, and had their messages sent right."""
    caller, callee = ends.caller, ends.callee
    if any(leg is not None and leg.leg.detour for leg in (caller, callee)):
        return
    if caller is not None and callee is not None and caller.answered and callee.answered:
        yield caller, callee
        yield callee, caller


def _unheard(sender: CallLeg, receiver: CallLeg) -> list[Finding]:
    """The SDP at both ends lets media flow, our other agent sent it, and nothing came."""
    together_ms = flow_ms(sender, receiver) - keyless_ms(receiver)
    if not nothing_came(receiver) or not packets_sent(sender) or together_ms < TOGETHER_MS:
        return []
    return [
        receiver.finding(
            Check.RTP_PACKETS,
            Reason.NO_RTP,
            expected=_expected(receiver.expect) or "RTP, as the SDP at both ends lets it through",
            observed=strangers(receiver) or f"no RTP{since_answer(receiver)}",
            note=joined(_asked_for(receiver), _sent_by(sender)),
        )
    ]


def _stopped(ends: CallEnds, sender: CallLeg, receiver: CallLeg) -> list[Finding]:
    """RTP came, and no more of it though both SDPs let it flow and our other agent went on sending."""
    came, went = received(receiver), sent(sender)
    if came is None or went is None or came.last_ms is None or went.last_ms is None:
        return []
    after = [(came.last_ms, float("inf"))]
    quiet_ms = length(meet(receiving(receiver), after))
    sent_ms = length(meet(meet(sending(sender), after), [(0.0, went.last_ms)]))
    if quiet_ms <= STOPPED_MS or sent_ms < STOPPED_MS / 2 or _may_be_silent(ends, sender, came):
        return []
    end_ms = receiver.media_end_ms or 0.0
    return [
        receiver.finding(
            Check.RTP_PACKETS,
            Reason.MEDIA_STOPPED,
            expected="RTP until the end",
            observed=f"no RTP in the last {quiet_ms / 1000:.1f} of {seconds(end_ms)}",
            note=f"the {sender.name} sent RTP to {destinations(sender)} until {seconds(went.last_ms)}",
        )
    ]


def _may_be_silent(ends: CallEnds, sender: CallLeg, came: Flowed) -> bool:
    """The sender plays silence, and the path is seen to leave silence out (RFC 3551 §4.1)."""
    if not came.noise and not came.pause_ms:
        return False
    if sender.leg.role is Role.CALLEE:
        return ends.steps is not None and not sends_audio(ends.steps)
    return ends.call.group.caller.play.silence is not None


def _notes(ends: CallEnds) -> list[str]:
    """What was odd about the packets that came, and is no fault."""
    return [f"{leg.name}: {note}" for leg in (ends.caller, ends.callee) if leg is not None for note in _oddities(leg)]


def _oddities(leg: CallLeg) -> Iterator[str]:
    came = received(leg)
    if came is None:
        return
    if came.unnegotiated and _are_few(came.unnegotiated, came.packets):
        yield f"{_strange(leg, came)}, which the SDP does not have"
    if came.restarts:
        yield f"sequence numbers began anew {often(came.restarts)}"
    if came.pause_ms:
        yield f"pauses of {came.pause_ms / 1000:.1f} s in all (RFC 3551 §4.1)"
    if came.quiet_ms:
        yield f"{came.quiet_ms / 1000:.1f} s without media, in silence: numbers go on"
    for source in accepted(leg.leg.received or ()):
        if source.origin is not Origin.SIGNALLED:
            how = "by the SDP's host and another port" if source.origin is Origin.SAME_HOST else "by its signal"
            yield f"{many(source.packets, 'packet')} from {source.remote}, known {how}"
    for remote, packets in (stranger_packets(leg) if came.packets else {}).items():
        yield f"{many(packets, 'packet')} from {remote}, a stranger, not counted"


RULE: Final = CheckRule(
    check=Check.RTP_PACKETS,
    asked=_asked,
    impossible=_impossible,
    leg=_leg,
    ends=_ends,
    attribute=_attribute,
    explain=explain_strangers(Reason.NO_RTP),
    notes=_notes,
    media=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.NO_RTP,
            meaning=(
                "not one RTP packet came from the peer; also where nothing was asked, if a callee is declared, the SDP "
                "at both ends let media flow for 2 s, and our other agent sent"
            ),
            seen="Not one RTP packet from the peer crossed the leg's socket. The note says where its SDP asks for "
            "media, and how much the other agent sent, and where to.",
            usually="One-way audio: a relay that is not there or has its ports closed, SDP with an address that "
            "cannot be reached from the other side (NAT, a missing advertised address), or a NetworkPolicy that does "
            "not let UDP through.",
            look="Whether the packets arrive at the address that the other agent sent to; the c= and m= lines of both "
            "SDPs as each end got them; the relay's log and port range.",
            excused_by=frozenset({Excuse.DROPPED, Excuse.UNSENT}),
        ),
        Row(
            reason=Reason.MEDIA_STOPPED,
            meaning=(
                "RTP came, but none in the last 2 s or more of the time that the SDP allowed it, while our other agent "
                "sent; asked for or not"
            ),
            seen="RTP came, and for the last 2 s or more of the call none, though the SDP of both ends let it through "
            "and the other agent went on sending.",
            usually="The relay dropped or moved the session (a timeout, a re-INVITE that it did not follow, a "
            "restart), or a NAT binding ran out.",
            look="What happened in the signalling when it stopped: a re-INVITE or UPDATE, a session refresh; the "
            "relay's log at that time.",
            excused_by=frozenset({Excuse.DROPPED, Excuse.UNSENT}),
        ),
        Row(
            reason=Reason.UNNEGOTIATED_PAYLOAD,
            meaning=(
                "1 % or more of the RTP packets, or 50 of them, had payload types that offer and answer did not agree "
                "on (RFC 3264 §6.1), asked for or not; packets without payload and comfort noise are not meant"
            ),
            seen="RTP of a payload type that the leg's SDP does not have. The sentence has the types that came and "
            "those that were offered and answered, by number and name.",
            usually="A gateway that answers one codec and sends another; telephone-event under another number than "
            "the SDP's; a relay that transcodes one way only.",
            look="The m= and a=rtpmap lines of offer and answer at both legs; a phone discards such packets, so the "
            "far end hears nothing.",
        ),
        Row(
            reason=Reason.TOO_FEW_PACKETS,
            meaning="fewer RTP packets came than `minPackets`, copies not counted",
            seen="Fewer packets than `minPackets`, of whatever length. The note says how many the other agent sent.",
            usually="Loss; media that began late or stopped early; silence suppression; or a packet time longer than "
            "the bound was made for: 50 packets a second of 20 ms, 25 of 40 ms.",
            look="Packet loss beside it, if any; a=ptime; `maxLossPercent` says more than a number of packets does.",
            excused_by=BROKEN_MEDIA,
            behind=Reason.PACKET_LOSS,
        ),
    ),
    subject="received RTP",
    sentence="{leg} received {observed}, expected {expected}",
    on="that leg",
    asked_by="`rtp`",
    holds=(
        "at least `minPackets`, at least one, from an accepted source; of any RTP, asked for or not, payload types of "
        "the SDP, and RTP to the end while the SDP lets our other agent's through"
    ),
)
