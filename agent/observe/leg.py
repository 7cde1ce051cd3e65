"""From what the phone reported to an observation: pure, and from the messages on the wire wherever they say it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from agent.contract.call import DtmfMethod
from agent.contract.observation import (
    Digit,
    Health,
    Heard,
    LegObservation,
    Progress,
    RegistrationObservation,
    RegistrationOutcome,
    Rtp,
    Side,
    SipMessage,
    StackCount,
)
from agent.contract.plan import CALL_HEADER, CALLEE_SHARED, REFUSED_HEADER, Plan
from agent.contract.verdict import Role
from agent.observe import media as media_facts
from agent.phone.protocol import (
    CallConfirmed,
    CallEnded,
    DigitEnded,
    DigitReceived,
    DigitSent,
    Event,
    MediaActive,
    MessageSeen,
    RegistrationConcluded,
)
from agent.sip.text import SipHead, blank_digests, parse_head

MAX_MESSAGES: Final = 64
"""Of one leg; a peer that sends more has its first ones kept."""
MAX_MESSAGE_CHARS: Final = 4096
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


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteFacts:
    """Which call an INVITE says it is; None where it does not, or names none of this run."""

    call: str | None
    number: int | None
    call_key: str | None
    """As received, also when it is another run's."""


@dataclass(frozen=True, slots=True)
class _Crossed:
    """A message that could be read, and how it crossed the socket."""

    at_s: float
    sent: bool
    sip: SipHead


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
    wire = _read(events)
    outgoing = facts.role is Role.CALLER
    final = _final_response(wire, outgoing=outgoing)
    media = next((event for event in reversed(events) if isinstance(event, MediaActive)), None)
    ended = next((event for event in reversed(events) if isinstance(event, CallEnded)), None)
    crossed = _media(events, ended, _answered_at(events, final), outgoing=outgoing)
    first_invite = next((at for at in wire if at.sip.method == "INVITE" and at.sip.from_user), None)
    return LegObservation(
        role=facts.role,
        endpoint=facts.endpoint,
        call=facts.call,
        number=facts.number,
        call_key=facts.call_key,
        sip_call_id=facts.sip_call_id,
        from_user=first_invite.sip.from_user if first_invite else None,
        local_rtp=media.local_rtp if media else None,
        started_at=facts.started_at,
        began_s=next((event.at_s for event in events if isinstance(event, MessageSeen)), 0.0),
        progress=_progress(wire, final, ended, outgoing=outgoing),
        final_code=final.sip.code if final else None,
        final_phrase=final.sip.phrase if final else None,
        callee_shared=final is not None and final.sip.header(REFUSED_HEADER) == CALLEE_SHARED,
        local_reason=own_reason or (ended.local_reason if ended else None) or None,
        ended_by=_ended_by(wire),
        acknowledged=None if outgoing else _acknowledged(wire, final),
        bye_answered=_bye_answered(wire),
        bye_code=_bye_code(wire),
        negotiated=media.negotiated if media else None,
        dtmf_sent=crossed.dtmf_sent,
        dtmf_received=crossed.dtmf_received,
        rtp_sent=crossed.sent,
        rtp_received=crossed.received,
        rtt_ms=ended.rtt_ms if ended else None,
        stack_sent=_stack_count(ended.stack_sent if ended else None),
        stack_received=_stack_count(ended.stack_received if ended else None),
        disagreements=crossed.disagreements,
        heard=heard,
        health=_with_own_sending(health, crossed, ended),
        messages=kept_messages(events),
    )


def observe_registration(
    role: Role, endpoint: int, messages: Sequence[MessageSeen], concluded: RegistrationConcluded | None
) -> RegistrationObservation:
    """How a registration concluded, from its REGISTER messages and the stack's word (None: it never gave one)."""
    wire = [at for at in _read(messages) if at.sip.method == "REGISTER"]
    requests = [at for at in wire if at.sent and at.sip.code is None]
    finals = [at for at in wire if not at.sent and at.sip.code is not None and at.sip.code >= 200]
    last = finals[-1] if finals else None
    return RegistrationObservation(
        role=role,
        endpoint=endpoint,
        outcome=_registration_outcome(requests, last, concluded),
        code=last.sip.code if last else None,
        phrase=last.sip.phrase if last else None,
        local_reason=(concluded.local_reason or None) if concluded else "the SIP stack did not conclude it in time",
        duration_ms=_ms(requests[0].at_s, last.at_s) if requests and last else None,
        messages=kept_messages(messages),
    )


def _registration_outcome(
    requests: Sequence[_Crossed], last: _Crossed | None, concluded: RegistrationConcluded | None
) -> RegistrationOutcome:
    """Registered needs both the stack's word and a 2xx on the wire."""
    if not requests:
        return RegistrationOutcome.ERROR
    if last is None:
        return RegistrationOutcome.TIMEOUT
    if (last.sip.code or 0) >= 300:
        return RegistrationOutcome.REJECTED
    return RegistrationOutcome.REGISTERED if concluded and concluded.active else RegistrationOutcome.ERROR


def kept_messages(events: Iterable[Event]) -> tuple[SipMessage, ...]:
    """The SIP messages among the events, timed from the first, within bounds that a flood cannot exceed; no digests."""
    seen = [event for event in events if isinstance(event, MessageSeen)]
    return tuple(
        SipMessage(
            at_ms=_ms(seen[0].at_s, message.at_s),
            sent=message.sent,
            peer=message.peer,
            text=blank_digests(message.text)[:MAX_MESSAGE_CHARS],
        )
        for message in seen[:MAX_MESSAGES]
    )


def _read(events: Iterable[Event]) -> list[_Crossed]:
    return [
        _Crossed(event.at_s, event.sent, sip)
        for event in events
        if isinstance(event, MessageSeen) and (sip := parse_head(event.text))
    ]


def _initial_invites(wire: Sequence[_Crossed], *, outgoing: bool) -> list[_Crossed]:
    """The INVITEs that began the call, each time it was tried (401 and 407 ask for another try); no re-INVITEs."""
    return [
        at
        for at in wire
        if at.sip.method == "INVITE" and at.sip.code is None and at.sent == outgoing and not at.sip.in_dialog
    ]


def _responses(wire: Sequence[_Crossed], *, outgoing: bool) -> list[_Crossed]:
    """The responses to the INVITEs that began the call."""
    sequences = {at.sip.cseq for at in _initial_invites(wire, outgoing=outgoing)}
    return [
        at
        for at in wire
        if at.sip.method == "INVITE" and at.sip.code is not None and at.sent != outgoing and at.sip.cseq in sequences
    ]


def _final_response(wire: Sequence[_Crossed], *, outgoing: bool) -> _Crossed | None:
    """The first final response to the last try."""
    invites = _initial_invites(wire, outgoing=outgoing)
    if not invites:
        return None
    return next(
        (
            at
            for at in _responses(wire, outgoing=outgoing)
            if (at.sip.code or 0) >= 200 and at.sip.cseq == invites[-1].sip.cseq
        ),
        None,
    )


def _progress(wire: Sequence[_Crossed], final: _Crossed | None, ended: CallEnded | None, *, outgoing: bool) -> Progress:
    invites = _initial_invites(wire, outgoing=outgoing)
    if not invites:
        return Progress()
    began_s = invites[0].at_s
    responses = _responses(wire, outgoing=outgoing)
    ringing = next((at for at in responses if 180 <= (at.sip.code or 0) < 190), None)
    bye = next(iter(_requests(wire, "BYE")), None)
    return Progress(
        first_response_ms=_ms(began_s, responses[0].at_s) if responses else None,
        ringing_ms=_ms(began_s, ringing.at_s) if ringing else None,
        answered_ms=_ms(began_s, final.at_s) if final else None,
        bye_ms=_ms(began_s, bye.at_s) if bye else None,
        ended_ms=_ms(began_s, ended.at_s) if ended else None,
    )


def _requests(wire: Sequence[_Crossed], method: str) -> list[_Crossed]:
    return [at for at in wire if at.sip.method == method and at.sip.code is None]


def _ended_by(wire: Sequence[_Crossed]) -> Side | None:
    """The sender of the first BYE; without one, of the first CANCEL."""
    ending = _requests(wire, "BYE") or _requests(wire, "CANCEL")
    if not ending:
        return None
    return Side.LOCAL if ending[0].sent else Side.REMOTE


def _acknowledged(wire: Sequence[_Crossed], final: _Crossed | None) -> bool | None:
    if final is None or not 200 <= (final.sip.code or 0) < 300:
        return None
    return any(not at.sent and at.sip.cseq == final.sip.cseq for at in _requests(wire, "ACK"))


def _bye_answered(wire: Sequence[_Crossed]) -> bool | None:
    if not any(at.sent for at in _requests(wire, "BYE")):
        return None
    return bool(_bye_codes(wire))


def _bye_code(wire: Sequence[_Crossed]) -> int | None:
    if not all(at.sent for at in _requests(wire, "BYE")):
        return None
    return next(iter(_bye_codes(wire)), None)


def _bye_codes(wire: Sequence[_Crossed]) -> list[int]:
    """The final responses to the last BYE that we sent."""
    tries = [at.sip.cseq for at in _requests(wire, "BYE") if at.sent]
    return [
        at.sip.code
        for at in wire
        if at.sip.method == "BYE" and at.sip.code is not None and at.sip.code >= 200 and not at.sent
        if at.sip.cseq in tries[-1:]
    ]


def _answered_at(events: Sequence[Event], final: _Crossed | None) -> float | None:
    """When the call was answered: the 2xx on the wire, or, where that could not be read, the stack's word."""
    if final and 200 <= (final.sip.code or 0) < 300:
        return final.at_s
    confirmed = next((event for event in events if isinstance(event, CallConfirmed)), None)
    return confirmed.at_s if confirmed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Media:
    """A leg's media as it crossed the wire."""

    sent: Rtp | None = None
    received: Rtp | None = None
    dtmf_sent: tuple[Digit, ...] = ()
    dtmf_received: tuple[Digit, ...] = ()
    rtp_lateness_ms: float | None = None
    disagreements: tuple[str, ...] = ()


def _media(events: Sequence[Event], ended: CallEnded | None, answered_s: float | None, *, outgoing: bool) -> _Media:
    """By the tap. Where that saw nothing, RTP is not measured, and digits are those that the stack told of."""
    told_sent, told_received = _digits_sent(events, answered_s), _digits_received(events, answered_s)
    if ended is None or ended.tapped is None or ended.stack_sent is None or ended.stack_received is None:
        return _Media(dtmf_sent=told_sent, dtmf_received=told_received)
    streams = media_facts.since_answer(ended.tapped, outgoing=outgoing)
    sent = media_facts.sent(streams, answered_s, ended.stack_sent)
    received = media_facts.received(streams, answered_s)
    by_rtp = media_facts.digits(streams, answered_s, sent=False)
    info = [digit for digit in told_received if digit.method is not DtmfMethod.RFC4733]
    heard = [digit for digit in told_received if digit not in info and (digit.at_ms or 0.0) >= 0]
    return _Media(
        sent=sent,
        received=received,
        dtmf_sent=tuple(digit for digit in media_facts.digits(streams, answered_s, sent=True) if digit.end_packets),
        dtmf_received=tuple(sorted((*by_rtp, *info), key=lambda digit: digit.at_ms or 0.0)),
        rtp_lateness_ms=media_facts.lateness_ms(streams),
        disagreements=(
            *media_facts.disagreements(sent, ended.stack_sent, direction="sent"),
            *media_facts.disagreements(received, ended.stack_received, direction="received"),
            *media_facts.digit_disagreement(by_rtp, heard),
        ),
    )


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
    return None if begin_s is None else _ms(begin_s, at_s)


def _ms(begin_s: float, at_s: float) -> float:
    return round(1000 * (at_s - begin_s), 1)
