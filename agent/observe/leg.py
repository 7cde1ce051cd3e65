"""From what the phone reported to an observation: pure, and from the messages on the wire wherever they say it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from agent.contract.expect import DtmfMethod
from agent.contract.media import MAX_SECTIONS
from agent.contract.observation import Digit, Health, LegObservation
from agent.contract.plan import CALL_HEADER, CALLEE_SHARED, REFUSED_HEADER, Plan
from agent.contract.verdict import Role
from agent.observe.connections import connections
from agent.observe.families import other_family
from agent.observe.media import Media, media, sent_ratio
from agent.observe.messages import Asked, looked_at, not_on_the_wire
from agent.observe.sections import MAX_CODECS, Agreed, Agreement, agree
from agent.observe.signalling import LegWire, kept_messages, ms, read_leg
from agent.observe.sound import Sought, Sound, listen
from agent.phone.protocol import (
    CallEnded,
    DigitEnded,
    DigitReceived,
    DigitSent,
    Event,
    MessageSeen,
)
from agent.sip.text import parse_head
from agent.sound.identity import Samples
from agent.tap.model import TapConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFacts:
    """What the agent knows of a leg before any event; fields as in LegObservation."""

    role: Role
    endpoint: int
    call: str | None
    number: int | None
    call_key: str | None
    sip_call_id: str | None
    started_at: float
    branch: str | None = None
    """Of the INVITE that began it, where it came in: others of the same Call-ID may be beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteFacts:
    """Which call an INVITE says it is; None where it does not, or names none of this run."""

    call: str | None
    number: int | None
    call_key: str | None
    """As received, also when it is another run's."""


def read_invite(plan: Plan, invite: str) -> InviteFacts:
    """The planned call that the INVITE's X-Calltest-Call names."""
    sip = parse_head(invite)
    key = sip.header(CALL_HEADER) if sip else None
    if not key:
        return InviteFacts(call=None, number=None, call_key=None)
    match key.split("/"):
        case [uid, endpoint, call, number] if uid == plan.run.uid and _is_index(endpoint) and _is_index(number):
            if any(group.name == call and int(number) < group.count for group in plan.calls):
                return InviteFacts(call=call, number=int(number), call_key=key)
    return InviteFacts(call=None, number=None, call_key=key)


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def observe_leg(
    facts: LegFacts,
    events: Sequence[Event],
    *,
    own_reason: str | None,
    health: Health,
    tracks: Mapping[str, Samples] | None = None,
    sought: Sought | None = None,
    carriers: Sequence[TapConnection] = (),
    asked: Asked | None = None,
) -> LegObservation:
    """One leg, from all its events in order.

    `own_reason`: why the agent itself ended the call or could not place it; it stands before the stack's words.
    `tracks`, `sought`: as of `listen`. `carriers`: the connections of its messages. `asked`: what these are looked at
    for. `health` gets what media tells.
    """
    wire = read_leg(events, outgoing=facts.role is Role.CALLER, branch=facts.branch)
    ended = next((event for event in reversed(events) if isinstance(event, CallEnded)), None)
    messages = [event for event in events if isinstance(event, MessageSeen)]
    agreement = agree(messages, wire.leg, answered_s=wire.answered_s)
    sound = _sound(ended, agreement.sections, wire, tracks or {}, sought or Sought())
    crossed = _media(ended, agreement.sections, wire, sound)
    told = crossed or Media()
    ratio = sent_ratio(told.sent_ms, agreement.sections, _end_s(wire, ended), ended.guards if ended else ())
    return msgspec.structs.replace(
        _counted(
            _agreed(_looked(_signalled(facts, wire, ended, own_reason, carriers), wire, asked), agreement),
            crossed,
            ended,
        ),
        dtmf_sent=_digits_sent(crossed, wire),
        dtmf_received=_digits_received(crossed, wire),
        other_family=other_family(events, wire.leg, [agreed.section for agreed in agreement.sections]),
        heard=sound.heard,
        health=msgspec.structs.replace(health, rtp_lateness_ms=told.lateness_ms, sent_ratio=ratio),
    )


def _counted(leg: LegObservation, crossed: Media | None, ended: CallEnded | None) -> LegObservation:
    """With what was counted of its media."""
    told = crossed or Media()
    return msgspec.structs.replace(
        leg,
        received=crossed.received if crossed else None,
        sent=crossed.sent if crossed else None,
        srtp=(crossed.srtp or None) if crossed else None,
        left_out=told.left_out + (ended.uncounted + ended.strangers if ended else 0),
        uncounted=ended.uncounted if ended else 0,
        gaps=told.gaps,
        gaps_left_out=told.gaps_left_out,
    )


def _agreed(leg: LegObservation, agreement: Agreement) -> LegObservation:
    return msgspec.structs.replace(
        leg,
        sections=tuple(agreed.section for agreed in agreement.sections[:MAX_SECTIONS]),
        answer_faults=agreement.faults,
        no_media=agreement.no_media,
        offered=agreement.offered,
        codecs_offered=agreement.codecs_offered[:MAX_CODECS],
        codecs_left_out=len(agreement.codecs_offered[MAX_CODECS:]),
    )


def _looked(leg: LegObservation, wire: LegWire, asked: Asked | None) -> LegObservation:
    if asked is None:
        return leg
    return msgspec.structs.replace(
        leg,
        looked=looked_at(asked, wire.leg, outgoing=wire.outgoing),
        unsent=not_on_the_wire(asked, wire.leg, outgoing=wire.outgoing),
    )


def _signalled(
    facts: LegFacts,
    wire: LegWire,
    ended: CallEnded | None,
    own_reason: str | None,
    carriers: Sequence[TapConnection],
) -> LegObservation:
    """All but the media."""
    return LegObservation(
        role=facts.role,
        endpoint=facts.endpoint,
        call=facts.call,
        number=facts.number,
        call_key=facts.call_key,
        sip_call_id=facts.sip_call_id,
        from_user=wire.from_user,
        started_at=facts.started_at,
        began_s=wire.began_s or 0.0,
        progress=wire.progress(ended),
        final_code=wire.final.code if wire.final else None,
        final_phrase=wire.final.first.head.phrase if wire.final else None,
        asked=wire.asked(),
        callee_shared=wire.final is not None and wire.final.first.head.header(REFUSED_HEADER) == CALLEE_SHARED,
        local_reason=_local_reason(wire, own_reason, ended),
        ended_by=wire.ended_by,
        acknowledged=wire.acknowledged,
        bye_answered=wire.bye_answered,
        bye_code=wire.bye_code,
        rtt_ms=ended.rtt_ms if ended else None,
        dtmf_refused=wire.info_refused(),
        dtmf_untaken=wire.info_untaken(),
        dialog=wire.dialog(),
        connections=connections(wire.events, carriers, began_s=wire.began_s, over_s=ended.at_s if ended else None),
        actions=wire.undone(),
        detour=wire.detour(),
        plain_hops=wire.plain_hops,
        unparsed=wire.unparsed(),
        messages=kept_messages(wire.events),
    )


def _local_reason(wire: LegWire, own_reason: str | None, ended: CallEnded | None) -> str | None:
    """Without an ACK the call never came about for our stack, whatever else it, or the agent, had to say then."""
    stack = wire.stack_reason() or (ended.local_reason if ended else None) or None
    return wire.detour() or wire.no_ack() or own_reason or stack


def _sound(
    ended: CallEnded | None, sections: Sequence[Agreed], wire: LegWire, tracks: Mapping[str, Samples], sought: Sought
) -> Sound:
    if ended is None or ended.tapped is None:
        return Sound()
    return listen(tracks, ended.tapped, sections, sought, outgoing=wire.outgoing)


def _media(ended: CallEnded | None, sections: Sequence[Agreed], wire: LegWire, sound: Sound) -> Media | None:
    """By the tap; None where that saw nothing."""
    if ended is None or ended.tapped is None:
        return None
    return media(
        ended.tapped,
        sections,
        outgoing=wire.outgoing,
        answered_s=wire.answered_s,
        proven=sound.proven,
        guards=ended.guards,
    )


def _end_s(wire: LegWire, ended: CallEnded | None) -> float | None:
    """Until when media was due: the first BYE, else the end."""
    byes = [bye.at_s for bye in (wire.leg.bye_sent, wire.leg.bye_received) if bye is not None]
    return min(byes) if byes else ended.at_s if ended else None


def _digits_sent(crossed: Media | None, wire: LegWire) -> tuple[Digit, ...]:
    """RFC 4733 by the tap, those that were sent to their end; without it, the stack's; INFO by messages. In order."""
    by_rtp = _digits_ended(wire) if crossed is None else [digit for digit in crossed.digits_sent if digit.end_packets]
    return _in_order((*by_rtp, *wire.info_digits_sent()))


def _digits_ended(wire: LegWire) -> tuple[Digit, ...]:
    return tuple(
        Digit(
            digit=event.digit,
            method=DtmfMethod.RFC4733,
            at_ms=_since(wire.answered_s, event.at_s),
            duration_ms=event.duration_ms,
        )
        for event in wire.events
        if isinstance(event, DigitSent)
    )


def _digits_received(crossed: Media | None, wire: LegWire) -> tuple[Digit, ...]:
    """RFC 4733 by the tap, and without it those that the stack told of; INFO by its messages. In order."""
    by_rtp = _digits_told(wire.events, wire.answered_s) if crossed is None else crossed.digits_received
    return _in_order((*by_rtp, *wire.info_digits()))


def _in_order(digits: Iterable[Digit]) -> tuple[Digit, ...]:
    return tuple(sorted(digits, key=lambda digit: digit.at_ms or 0.0))


def _digits_told(events: Iterable[Event], answered_s: float | None) -> tuple[Digit, ...]:
    """One per digit that began; its duration from the end that follows it, None where none came."""
    digits: list[Digit] = []
    for event in events:
        match event:
            case DigitReceived(method=DtmfMethod.RFC4733):
                digits.append(Digit(digit=event.digit, method=event.method, at_ms=_since(answered_s, event.at_s)))
            case DigitEnded() if digits and digits[-1].digit == event.digit and digits[-1].duration_ms is None:
                digits[-1] = msgspec.structs.replace(digits[-1], duration_ms=event.duration_ms)
    return tuple(digits)


def _since(answered_s: float | None, at_s: float) -> float | None:
    return None if answered_s is None else ms(answered_s, at_s)
