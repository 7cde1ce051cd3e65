"""From what the phone reported to an observation: pure, and from the messages on the wire wherever they say it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from agent.contract.call import DtmfMethod
from agent.contract.observation import Digit, Health, Heard, LegObservation, Rtp, StackCount
from agent.contract.plan import CALL_HEADER, CALLEE_SHARED, REFUSED_HEADER, Plan
from agent.contract.verdict import Role
from agent.observe import media as media_facts
from agent.observe.signalling import LegWire, kept_messages, ms, read_leg
from agent.phone.protocol import (
    CallEnded,
    DigitEnded,
    DigitReceived,
    DigitSent,
    Event,
    MediaActive,
)
from agent.sip.text import parse_head

PACKETS_PER_S: Final = 50
"""RTP packets due per second of media: 20 ms each."""
MIN_RATIO_S: Final = 1.0
"""Shorter media says nothing of packets sent against packets due."""


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
    facts: LegFacts, events: Sequence[Event], *, own_reason: str | None, heard: Heard | None, health: Health
) -> LegObservation:
    """One leg, from all its events in order.

    `own_reason`: why the agent itself ended the call or could not place it; it stands before the stack's words.
    `health.sent_ratio` and `health.rtp_lateness_ms` are filled in here.
    """
    outgoing = facts.role is Role.CALLER
    wire = read_leg(events, outgoing=outgoing, branch=facts.branch)
    media = next((event for event in reversed(events) if isinstance(event, MediaActive)), None)
    ended = next((event for event in reversed(events) if isinstance(event, CallEnded)), None)
    crossed = _media(events, ended, wire, outgoing=outgoing)
    return LegObservation(
        role=facts.role,
        endpoint=facts.endpoint,
        call=facts.call,
        number=facts.number,
        call_key=facts.call_key,
        sip_call_id=facts.sip_call_id,
        from_user=wire.from_user,
        local_rtp=media.local_rtp if media else None,
        started_at=facts.started_at,
        progress=wire.progress(ended),
        final_code=wire.final.code if wire.final else None,
        final_phrase=wire.final.first.head.phrase if wire.final else None,
        callee_shared=wire.final is not None and wire.final.first.head.header(REFUSED_HEADER) == CALLEE_SHARED,
        local_reason=own_reason or wire.stack_reason() or (ended.local_reason if ended else None) or None,
        ended_by=wire.ended_by,
        acknowledged=wire.acknowledged,
        bye_answered=wire.bye_answered,
        bye_code=wire.bye_code,
        negotiated=media.negotiated if media else None,
        dtmf_sent=crossed.dtmf_sent,
        dtmf_received=crossed.dtmf_received,
        rtp_sent=crossed.sent,
        rtp_received=crossed.received,
        rtt_ms=ended.rtt_ms if ended else None,
        stack_sent=_stack_count(ended.stack_sent if ended else None),
        stack_received=_stack_count(ended.stack_received if ended else None),
        disagreements=crossed.disagreements,
        dialog=wire.dialog(),
        actions=wire.undone(),
        unparsed=wire.unparsed(),
        heard=heard,
        health=_with_own_sending(health, crossed, ended),
        messages=kept_messages(events),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Media:
    """A leg's media as it crossed the wire."""

    sent: Rtp | None = None
    received: Rtp | None = None
    dtmf_sent: tuple[Digit, ...] = ()
    dtmf_received: tuple[Digit, ...] = ()
    rtp_lateness_ms: float | None = None
    disagreements: tuple[str, ...] = ()


def _media(events: Sequence[Event], ended: CallEnded | None, wire: LegWire, *, outgoing: bool) -> _Media:
    """By the tap. Where that saw nothing, RTP is not measured, and digits are those that the stack told of."""
    answered_s, info = wire.answered_s, wire.info_digits()
    told_sent, told_received = _digits_sent(events, answered_s), _digits_received(events, answered_s)
    if ended is None or ended.tapped is None or ended.stack_sent is None or ended.stack_received is None:
        return _Media(dtmf_sent=told_sent, dtmf_received=_in_order(told_received, info))
    streams = media_facts.since_answer(ended.tapped, outgoing=outgoing)
    sent = media_facts.sent(streams, answered_s, ended.stack_sent)
    received = media_facts.received(streams, answered_s)
    by_rtp = media_facts.digits(streams, answered_s, sent=False)
    heard = [digit for digit in told_received if (digit.at_ms or 0.0) >= 0]
    return _Media(
        sent=sent,
        received=received,
        dtmf_sent=tuple(digit for digit in media_facts.digits(streams, answered_s, sent=True) if digit.end_packets),
        dtmf_received=_in_order(by_rtp, info),
        rtp_lateness_ms=media_facts.lateness_ms(streams),
        disagreements=(
            *media_facts.disagreements(sent, ended.stack_sent, direction="sent"),
            *media_facts.disagreements(received, ended.stack_received, direction="received"),
            *media_facts.digit_disagreement(by_rtp, heard),
        ),
    )


def _in_order(*digits: Iterable[Digit]) -> tuple[Digit, ...]:
    return tuple(sorted((digit for some in digits for digit in some), key=lambda digit: digit.at_ms or 0.0))


def _digits_sent(events: Sequence[Event], answered_s: float | None) -> tuple[Digit, ...]:
    return tuple(
        Digit(
            digit=event.digit,
            method=DtmfMethod.RFC4733,
            at_ms=_since(answered_s, event.at_s),
            duration_ms=event.duration_ms,
        )
        for event in events
        if isinstance(event, DigitSent)
    )


def _digits_received(events: Sequence[Event], answered_s: float | None) -> tuple[Digit, ...]:
    """One per digit that began; its duration from the end that follows it, None where none came."""
    digits: list[Digit] = []
    for event in events:
        match event:
            case DigitReceived():
                digits.append(Digit(digit=event.digit, method=event.method, at_ms=_since(answered_s, event.at_s)))
            case DigitEnded() if digits and digits[-1].digit == event.digit and digits[-1].duration_ms is None:
                last = digits[-1]
                digits[-1] = Digit(
                    digit=last.digit, method=last.method, at_ms=last.at_ms, duration_ms=event.duration_ms
                )
    return tuple(digits)


def _stack_count(counted: Rtp | None) -> StackCount | None:
    if counted is None or counted.packets is None:
        return None
    return StackCount(packets=counted.packets, lost=counted.lost, jitter_ms=counted.jitter_ms)


def _with_own_sending(health: Health, crossed: _Media, ended: CallEnded | None) -> Health:
    """Adds how late our own RTP was, and packets sent ÷ packets due, where media ran long enough."""
    ratio, sent = None, crossed.sent
    media_s = (ended.media_s if ended else None) or 0.0
    if sent and sent.packets is not None and media_s >= MIN_RATIO_S:
        ratio = round(sent.packets / (media_s * PACKETS_PER_S), 3)
    return msgspec.structs.replace(health, rtp_lateness_ms=crossed.rtp_lateness_ms, sent_ratio=ratio)


def _since(begin_s: float | None, at_s: float) -> float | None:
    return None if begin_s is None else ms(begin_s, at_s)
