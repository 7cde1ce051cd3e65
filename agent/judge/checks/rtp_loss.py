"""rtpLoss: how much of the media that was due did not come, by what a leg saw and by what both ends counted.

Media is time: a path may pass it on in packets of another length, under other numbers, and lose nothing.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from math import isclose
from typing import Final

from agent.contract.expect import ExpectLeg
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row
from agent.judge.checks.rtp_packets import both_ways
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import noted
from agent.judge.keyless import keyless_ms, waited
from agent.judge.media import (
    Flowed,
    accepted,
    digits_stand_for_ms,
    formats,
    nothing_came,
    packet_ms,
    received,
    sent,
    unshared_ms,
)
from agent.judge.overload import Excuse
from agent.judge.words import many, seconds

EDGE_MS: Final = 300.0
"""Media on its way, or that came before the receiver counted, at the edges of a call: at most."""
PACKETS_MS: Final = 120.0
"""Two packets of 60 ms: what a path that packs anew may hold when the call ends, and what its timing may shift."""
ALIKE: Final = 0.2
"""By how much of it the mean length of packets may differ where no path packs anew: 20 and 30 ms are two lengths."""


def _asked(expect: ExpectLeg) -> str | None:
    if expect.rtp is None or expect.rtp.max_loss_percent is None:
        return None
    return f"at most {expect.rtp.max_loss_percent} %"


def percent(text: str | None) -> Decimal | None:
    """A bound in percent; None where there is none, or its text is no finite decimal."""
    try:
        bound = Decimal(text or "")
    except InvalidOperation:
        return None
    return bound if bound.is_finite() else None


def exceeds(part: float, whole: float, bound: Decimal) -> bool:
    """More than `bound` percent of the whole; compared without rounding."""
    return Decimal(part) * 100 > bound * Decimal(whole)


def _bound(leg: CallLeg) -> Decimal | None:
    return None if leg.expect.rtp is None else percent(leg.expect.rtp.max_loss_percent)


def _failed(leg: CallLeg, reason: Reason, observed: str | None = None, note: str | None = None) -> Finding:
    return leg.finding(Check.RTP_LOSS, reason, expected=_asked(leg.expect), observed=observed, note=note)


# What a leg alone tells


def _leg(leg: CallLeg) -> list[Finding]:
    """By media time: lost ÷ (received + lost). Without audio of a known clock by packets (RFC 3550 A.3)."""
    if _asked(leg.expect) is None or nothing_came(leg):
        return []
    bound, came = _bound(leg), received(leg)
    if bound is None or came is None:
        note = "maxLossPercent is not a decimal" if bound is None else "what came was not counted"
        return [_failed(leg, Reason.NOT_MEASURED, note=note)]
    return _lost(leg, came, bound)


def _lost(leg: CallLeg, came: Flowed, bound: Decimal) -> list[Finding]:
    by_number = exceeds(came.lost, came.packets + came.lost, bound)
    if came.media_ms is None:
        return [_failed(leg, Reason.PACKET_LOSS, _in_packets(came))] if by_number else []
    if exceeds(came.lost_ms, _due_ms(came), bound):
        observed = f"{_in_time(came.lost_ms, _due_ms(came))}, {_in_packets(came)}"
        stood_for_ms = digits_stand_for_ms(leg)
        if exceeds(came.lost_ms - stood_for_ms, _due_ms(came), bound):
            return [_failed(leg, Reason.PACKET_LOSS, observed)]
        note = (
            f"{seconds(stood_for_ms)} of it are where digits came, under numbers of their own: these may stand for it"
        )
        return [_failed(leg, Reason.NOT_MEASURED, observed, note)]
    if by_number:
        note = "sequence numbers are missing, and no time between the timestamps around them"
        return [_failed(leg, Reason.NOT_MEASURED, _in_packets(came), note)]
    return []


def _due_ms(came: Flowed) -> float:
    return (came.media_ms or 0.0) + came.event_ms + came.lost_ms


def _in_time(lost_ms: float, due_ms: float) -> str:
    return f"{100 * lost_ms / due_ms:.2f} % ({lost_ms / 1000:.2f} of {due_ms / 1000:.2f} s)"


def _in_packets(came: Flowed) -> str:
    return f"{came.lost} of {many(came.packets + came.lost, 'packet')} by sequence number"


# As both ends have it


def _attribute(ends: CallEnds, finding: Finding) -> Finding | None:
    """The same, with what the other end sent."""
    peer = ends.leg(peer_of(finding.leg))
    went = sent(peer)
    if peer is None or went is None:
        return finding
    believed = _believed(ends, finding)
    return None if believed is None else noted(believed, f"the {peer.name} sent {_amount(went)}")


def _believed(ends: CallEnds, finding: Finding) -> Finding | None:
    """What numbers say is missing, and both ends' media time does not, is not missing: None."""
    own, peer = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
    return None if own is not None and peer is not None and _contradicted(peer, own) else finding


def _contradicted(sender: CallLeg, receiver: CallLeg) -> bool:
    """Far less is missing between the ends than the receiver's numbers say; and the ends can be compared."""
    came, went = received(receiver), sent(sender)
    if came is None or went is None or came.media_ms is None or went.media_ms is None:
        return False
    if _formats(sender, receiver) is not None:
        return False
    claimed_ms = max(came.lost_ms, came.lost * (came.media_ms + came.event_ms) / max(1, came.packets))
    # Where more came than was sent, something else came too, and may stand in for what was lost. Pauses that a path
    # closes leave no gap: they are no excuse for what numbers say.
    return -EDGE_MS <= _missing_ms(went, came) < claimed_ms / 2


def _ends(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """Loss that numbers cannot show: of a call's first or last media, or behind a relay that numbers anew."""
    return [
        found
        for sender, receiver in both_ways(ends)
        for found in _between(sender, receiver)
        if not _is_moot(findings, found)
    ]


_SAID = (Reason.PACKET_LOSS, Reason.NO_RTP, Reason.WRONG_AUDIO)
"""Said already, or, with another call's audio, the media that came is not what was sent."""


def _is_moot(findings: Sequence[Finding], found: Finding) -> bool:
    beside = [other for other in findings if other.leg is found.leg]
    if found.reason is Reason.NOT_MEASURED and any(other.check is Check.RTP_LOSS for other in beside):
        return True
    return any(other.reason in _SAID for other in beside)


def _between(sender: CallLeg, receiver: CallLeg) -> list[Finding]:
    """What one end sent against what the other received, where more is missing than at a call's edges."""
    bound, came, went = _bound(receiver), received(receiver), sent(sender)
    if bound is None or came is None or went is None or not came.packets or went.media_ms is None:
        return []
    changed = _formats(sender, receiver)
    if changed is not None:
        return [_failed(receiver, Reason.NOT_MEASURED, note=changed)]
    missing_ms = _missing_ms(went, came) - _closed_ms(sender, receiver, went, came)
    edge_ms = _edge_ms(sender, receiver, went, came)
    if missing_ms - came.lost_ms <= edge_ms or not exceeds(missing_ms, went.media_ms, bound):
        return []
    if missing_ms - came.lost_ms <= edge_ms + keyless_ms(receiver):
        note = f"the {sender.name} sent {_amount(went)}, {_amount(came)} came; {waited(receiver)}"
        return [_failed(receiver, Reason.NOT_MEASURED, note=note)]
    missed = f"{_in_packets(came)} are missing: the rest was lost where numbers do not show it"
    note = f"the {sender.name} sent {_amount(went)}, {_amount(came)} came; {missed}"
    return [_failed(receiver, Reason.PACKET_LOSS, _in_time(missing_ms, went.media_ms), note)]


def _missing_ms(went: Flowed, came: Flowed) -> float:
    """What the one's media and pauses cover and the other's do not: a pause of the sender's own is in both.

    A path that makes digits anew may make them longer, in the place of audio.
    """
    longer_ms = max(0.0, came.event_ms - went.event_ms)
    return (went.media_ms or 0.0) + went.pause_ms - (came.media_ms or 0.0) - came.pause_ms - longer_ms


def _closed_ms(sender: CallLeg, receiver: CallLeg, went: Flowed, came: Flowed) -> float:
    """The sender's own pauses, beside digits, that a path which packs anew closes: its timestamps are the audio's."""
    sent_ms = packet_ms(sender, accepted(sender.leg.sent or ()))
    came_ms = packet_ms(receiver, accepted(receiver.leg.received or ()))
    if sent_ms is None or came_ms is None or isclose(sent_ms, came_ms, rel_tol=ALIKE):
        return 0.0
    return max(0.0, went.pause_ms - came.pause_ms)


def _amount(flowed: Flowed) -> str:
    if flowed.media_ms is None:
        return many(flowed.packets, "packet")
    return f"{flowed.media_ms / 1000:.2f} s of audio in {many(flowed.packets, 'packet')}"


def _formats(sender: CallLeg, receiver: CallLeg) -> str | None:
    """Why the ends cannot be compared: a path that decodes and encodes anew hides what it lost. None: they can."""
    went, came = (
        formats(sender, accepted(sender.leg.sent or ())),
        formats(receiver, accepted(receiver.leg.received or ())),
    )
    if went == came or not came:
        return None
    return (
        f"{', '.join(sorted(went)) or 'nothing known'} was sent and {', '.join(sorted(came))} came: "
        "what the path lost before it made the one of the other does not show"
    )


def _edge_ms(sender: CallLeg, receiver: CallLeg, went: Flowed, came: Flowed) -> float:
    """Media sent while the other end was not in the call yet, or no more, or its SDP was not to receive it.

    What is missing there makes the time from the first packet to the last shorter; what is lost between does not.
    """
    edges_ms = EDGE_MS
    if (
        went.first_ms is not None
        and went.last_ms is not None
        and came.first_ms is not None
        and came.last_ms is not None
    ):
        shorter_ms = went.last_ms - went.first_ms - (came.last_ms - came.first_ms)
        edges_ms = min(EDGE_MS, max(0.0, shorter_ms) + PACKETS_MS)
    return edges_ms + unshared_ms(sender, receiver)


RULE: Final = CheckRule(
    check=Check.RTP_LOSS,
    asked=_asked,
    leg=_leg,
    ends=_ends,
    attribute=_attribute,
    explain=_believed,
    media=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.PACKET_LOSS,
            meaning="more media time was lost than `maxLossPercent`",
            seen="More of the media time that was due did not come than `maxLossPercent` allows: by sequence numbers "
            "and timestamps at the leg, or by what one agent sent against what the other received.",
            usually="A congested or lossy link, a relay short of CPU or with full socket buffers, a rate limit. Loss "
            "that no sequence number shows happened before a relay that numbers anew.",
            look="Which direction, and whether all endpoints have it; drops of the relay's sockets (/proc/net/udp) "
            "and of its node; the gaps of the leg in the detail: spread out or in one piece.",
            excused_by=frozenset({Excuse.LATE_MEDIA, Excuse.DROPPED}),
        ),
    ),
    subject="packet loss",
    sentence="{leg} lost {observed}, expected {expected}",
    on="that leg",
    asked_by="`rtp.maxLossPercent`",
    holds="media time lost ÷ due, by numbers and timestamps, and by what one end sent against what the other received",
)
