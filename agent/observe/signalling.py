"""A leg's signalling, out of the messages that crossed the wire: by its own dialog alone (agent/sip/dialogs). Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from agent.contract.expect import DtmfMethod
from agent.contract.observation import (
    Action,
    Asked,
    Bye,
    Dialog,
    Digit,
    Fork,
    Progress,
    Side,
    SipMessage,
    Target,
    UntakenDigit,
)
from agent.observe.asking import target, tries_told, why
from agent.phone.protocol import (
    CallConfirmed,
    CallEnded,
    Event,
    MessageSeen,
    NotFollowed,
    NotSent,
    PortClosed,
    StackRefused,
    Unparsed,
)
from agent.sip.dialogs import CROSSED_S, HangUp, Signalling, signalling
from agent.sip.info import info_digit
from agent.sip.text import blank_secrets
from agent.sip.transactions import Conversation, Crossed, Times, Transaction

MAX_MESSAGES: Final = 64
"""Of one leg; a peer that sends more has its first ones kept."""
MAX_MESSAGE_CHARS: Final = 4096
MAX_UNPARSED: Final = 4
MAX_FORKS: Final = 8
MAX_REDIRECTS: Final = 8
MAX_URI: Final = 255
"""Characters of a contact, or of why it was not called."""
MAX_ACTIONS: Final = 16
MAX_HOPS: Final = 8
MAX_UNTAKEN: Final = 8
NO_DIALOG: Final = (408, 481)
"""What a request in a dialog comes to that is over at the other side (RFC 3261 §12.2.1.2)."""
ANSWER_S: Final = 2.0
"""An INFO crosses three times by then, if it is not answered (RFC 3261 §17.1.2.2)."""
_VIA: Final = re.compile(r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z-]+)\s+([^\s;,]{1,64})", re.IGNORECASE)
SECURE: Final = frozenset({"TLS", "TLS-SCTP", "WSS"})
"""Transports of a Via header by which nobody on the way reads SDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegWire:
    """What the messages of a leg come to."""

    events: Sequence[Event]
    outgoing: bool
    leg: Signalling

    @property
    def began_s(self) -> float | None:
        """When its first message crossed."""
        return next((event.at_s for event in self.events if isinstance(event, MessageSeen)), None)

    @property
    def final(self) -> Times | None:
        """The final response to its INVITE."""
        return self.leg.final

    @property
    def answered_s(self) -> float | None:
        """The 2xx on the wire, or, where that could not be read, the stack's word."""
        if self.leg.acknowledgement is not None:
            return self.leg.acknowledgement.first_s
        confirmed = next((event for event in self.events if isinstance(event, CallConfirmed)), None)
        return confirmed.at_s if confirmed else None

    @property
    def from_user(self) -> str | None:
        """Who calls."""
        return self.leg.invite.request.first.head.from_user if self.leg.invite else None

    @property
    def plain_hops(self) -> tuple[str, ...]:
        """Of an INVITE that came by TLS: what its Via headers say of hops without it (RFC 3261 §18.1.1, §26.2.1)."""
        first = None if self.leg.invite is None or self.outgoing else self.leg.invite.request.first
        via = "" if first is None else ", ".join(value for name, value in first.head.headers if name == "via")
        hops = _VIA.findall(via)[:MAX_HOPS]
        if not hops or hops[0][0].upper() not in SECURE:
            return ()
        return tuple(f"{by.upper()} {sent_by}" for by, sent_by in hops if by.upper() not in SECURE)

    @property
    def ended_by(self) -> Side | None:
        """The sender of the first BYE of the leg's dialog; without one, of the first CANCEL."""
        if (first := self._first_bye()) is not None:
            return _side(sent=first is self.leg.bye_sent)
        return _side(sent=self.leg.cancel.sent) if self.leg.cancel else None

    @property
    def acknowledged(self) -> bool | None:
        """Callee: an ACK to its 2xx came. None: there was no 2xx, or it is a caller."""
        if self.outgoing or self.leg.acknowledgement is None:
            return None
        return self.leg.acknowledgement.ack_s is not None

    @property
    def bye_answered(self) -> bool | None:
        """A final response to the last try of our BYE came."""
        return None if self.leg.bye_sent is None else self.leg.bye_sent.code is not None

    @property
    def bye_code(self) -> int | None:
        """That response; None also where the BYEs crossed."""
        return self.leg.bye_sent.code if self.leg.bye_sent and not self.leg.crossed else None

    def progress(self, ended: CallEnded | None) -> Progress:
        """Since the first INVITE."""
        leg = self.leg
        if leg.invite is None:
            return Progress()
        began_s, bye = leg.invite.at_s, self._first_bye()
        return Progress(
            first_response_ms=ms(began_s, leg.first_response.at_s) if leg.first_response else None,
            ringing_ms=ms(began_s, leg.ringing.at_s) if leg.ringing else None,
            answered_ms=ms(began_s, leg.final.at_s) if leg.final else None,
            bye_ms=ms(began_s, bye.at_s) if bye else None,
            ended_ms=ms(began_s, ended.at_s) if ended else None,
        )

    def dialog(self) -> Dialog | None:
        """The leg's own dialog, and what was beside it; None where no INVITE was seen."""
        leg, began_s = self.leg, self.began_s
        if leg.invite is None or began_s is None:
            return None
        answer, bye = leg.acknowledgement, self._first_bye()
        return Dialog(
            local_tag=leg.dialog.local_tag if leg.dialog else None,
            remote_tag=leg.dialog.remote_tag if leg.dialog else None,
            answers=answer.answers if answer else 0,
            ack_ms=ms(answer.first_s, answer.ack_s) if answer and answer.ack_s is not None else None,
            acks=answer.ack.count if answer and answer.ack else 0,
            target=self._acks_target(),
            bye=self._bye(bye, began_s) if bye else None,
            forks=tuple(
                Fork(tag=fork.tag, codes=fork.codes, ended=fork.bye is not None or not fork.answered)
                for fork in sorted(leg.forks, key=lambda fork: not fork.answered)[:MAX_FORKS]
            ),
            merged=sum(any(final.code == 482 for final in invite.finals) for invite in leg.merged),
            redirects=tuple(map(_cut, self._redirects))[:MAX_REDIRECTS],
            redirects_cut=not self._redirects_are_whole,
            followed=tuple(_cut(uri) for uri in leg.followed)[:MAX_REDIRECTS],
            not_followed=next((_cut(event.reason) for event in self.events if isinstance(event, NotFollowed)), None),
        )

    def info_digits(self) -> tuple[Digit, ...]:
        """Digits that came by INFO in the leg's dialog and were taken (2xx): each once, however often it was sent."""
        return tuple(digit for digit, info in self._infos(sent=False) if info.answers)

    def info_digits_sent(self) -> tuple[Digit, ...]:
        """Likewise those that this end sent, however they were answered: each once, however often it was challenged."""
        return tuple(digit for digit, _ in self._infos(sent=True))

    def info_untaken(self) -> tuple[UntakenDigit, ...]:
        """Those of them that were not answered 2xx."""
        untaken = [
            _untaken(place, digit.digit, info, when_over=self._was_over(info))
            for place, (digit, info) in enumerate(self._infos(sent=True), 1)
            if not info.answers
        ]
        return tuple(untaken[:MAX_UNTAKEN])

    def _was_over(self, info: Transaction) -> bool:
        """The call was, or may have been by then for whoever was to answer it.

        A 481 may overtake the BYE of whoever hung up just before: that was lost, say, and is sent again. The BYE with
        which our stack answers a 481 comes between.
        """
        bye, theirs, final = self._first_bye(), self.leg.bye_received, next(iter(info.finals), None)
        over_s = bye.at_s if bye else self.events[-1].at_s
        if final is None:
            return info.at_s > over_s - ANSWER_S
        overtook = final.code in NO_DIALOG and theirs is not None and final.at_s >= theirs.at_s - CROSSED_S
        return overtook or final.at_s >= over_s

    def info_refused(self) -> str:
        """Those that were not taken."""
        return "".join(digit.digit for digit, info in self._infos(sent=False) if not info.answers)

    def _infos(self, *, sent: bool) -> Iterator[tuple[Digit, Transaction]]:
        """Each digit that went or came by INFO, and its last try: the one before was challenged."""
        numbered: dict[int, Transaction] = {}  # one that came by several ways is one request (RFC 3261 §12.2.2)
        for info in self.leg.requests:
            known = numbered.get(info.cseq)
            if info.method == "INFO" and info.sent is sent and not (known and known.answers):
                numbered[info.cseq] = info
        infos = list(numbered.values())
        for info, after in zip_longest(infos, infos[1:]):
            digit = info_digit(info.request.first.head, info.request.first.text)
            if digit is not None and not (after and _is_again(info, after)):
                at_ms = None if self.answered_s is None else ms(self.answered_s, info.at_s)
                told = Digit(digit=digit.digit, method=DtmfMethod.INFO, at_ms=at_ms, duration_ms=digit.duration_ms)
                yield told, info

    def undone(self) -> tuple[Action, ...]:
        """What the stack was asked for, or had to do, and did not: a refused REFER, a message that never left."""
        began_s = self.began_s
        refused = [
            Action(
                name="refer",
                at_ms=None if began_s is None else ms(began_s, t.at_s),
                error=f"REFER refused with {t.finals[0].code}: this agent follows none",
            )
            for t in self.leg.requests
            if t.method == "REFER" and not t.sent and t.finals and t.finals[0].code >= 300
        ]
        unsent = [
            Action(name=_name(event), at_ms=None, error=f"{_name(event)} {_unsent(event)}")
            for event in self.events
            if isinstance(event, NotSent)
        ]
        no_ack = self.no_ack()
        acks = [Action(name="ack", at_ms=None, error=no_ack)] if no_ack else []
        return (*refused, *acks, *unsent)[:MAX_ACTIONS]

    def detour(self) -> str | None:
        """What could not go where the other side has it go: the first of it, where to, and why not."""
        for event in self.events:
            if isinstance(event, NotSent) and event.target is not None:
                back = "it was sent to where the call had come from, if that was allowed"
                return f"{_name(event)} {_unsent(event)}; {back}"
        return None

    def no_ack(self) -> str | None:
        """The stack had an answer, and nothing of its ACK was on the wire: its Contact is where we cannot send."""
        answer = self.leg.acknowledgement
        if not self.outgoing or answer is None or answer.ack_s is not None:
            return None
        contacts = self.leg.tries[-1].answers[0].first.head.contacts
        return f"no ACK left this agent; the answer's Contact is {contacts[0] if contacts else 'missing'}"

    def unparsed(self) -> tuple[SipMessage, ...]:
        """What came for it and the stack could not read."""
        found = [event for event in self.events if isinstance(event, Unparsed)][:MAX_UNPARSED]
        began_s = found[0].at_s if found and self.began_s is None else self.began_s
        return tuple(kept_unparsed(event, began_s or 0.0) for event in found)

    def stack_reason(self) -> str | None:
        """What the stack did by itself, where it has said nothing better."""
        refused = next((event for event in self.events if isinstance(event, StackRefused)), None)
        return f"our SIP stack refused the INVITE with {refused.code}" if refused else None

    def asked(self) -> Asked:
        """Its INVITE, with all its tries."""
        closed = next((event for event in self.events if isinstance(event, PortClosed)), None)
        return tries_told(self.leg.tries, self.final, closed)

    def _bye(self, bye: HangUp, began_s: float) -> Bye:
        ours = bye is self.leg.bye_sent
        reasoned, went = bye.final if ours else bye.requests[0], target(bye.requests[0])
        return Bye(
            by=_side(sent=ours),
            at_ms=ms(began_s, bye.at_s),
            code=bye.code,
            crossed=self.leg.crossed,
            phrase=bye.final.first.head.phrase if bye.final else None,
            why=why(reasoned),
            times=sum(one.count for one in bye.requests),
            target=went if ours and went != self._acks_target() else None,
            answered_when_over=ours and self.leg.answered_when_over,
        )

    @property
    def _redirects(self) -> tuple[str, ...]:
        return tuple(uri for redirect in self.leg.redirects for uri in redirect.contacts)

    @property
    def _redirects_are_whole(self) -> bool:
        told, all_read = self._redirects, all(redirect.whole for redirect in self.leg.redirects)
        return all_read and len(told) <= MAX_REDIRECTS and all(len(uri) <= MAX_URI for uri in told)

    def _acks_target(self) -> Target | None:
        answer = self.leg.acknowledgement
        return target(answer.ack) if self.outgoing and answer and answer.ack else None

    def _first_bye(self) -> HangUp | None:
        byes = [bye for bye in (self.leg.bye_sent, self.leg.bye_received) if bye is not None]
        return min(byes, key=lambda bye: bye.at_s, default=None)


def read_leg(events: Sequence[Event], *, outgoing: bool, branch: str | None = None) -> LegWire:
    """A leg's messages, read. `branch`: of the INVITE that it began with, where others of its Call-ID are beside it."""
    return LegWire(
        events=events,
        outgoing=outgoing,
        leg=signalling(Conversation(crossings(events)), outgoing=outgoing, branch=branch),
    )


def crossings(events: Iterable[Event]) -> list[Crossed]:
    """The messages among the events that can be read."""
    return [
        Crossed(
            at_s=event.at_s, sent=event.sent, head=event.head, connection=event.connection, text=event.text,
            peer=event.peer,
        )
        for event in events
        if isinstance(event, MessageSeen) and event.head is not None
    ]  # fmt: skip


def kept_messages(events: Iterable[Event]) -> tuple[SipMessage, ...]:
    """The SIP messages among the events, timed from the first, within bounds that a flood cannot exceed; no digests."""
    seen = [event for event in events if isinstance(event, MessageSeen)]
    return tuple(
        SipMessage(
            at_ms=ms(seen[0].at_s, message.at_s),
            sent=message.sent,
            peer=message.peer,
            text=blank_secrets(message.text)[:MAX_MESSAGE_CHARS],
        )
        for message in seen[:MAX_MESSAGES]
    )


def kept_unparsed(event: Unparsed, began_s: float) -> SipMessage:
    """What could not be read, as it is told."""
    text = blank_secrets(event.text)[:MAX_MESSAGE_CHARS]
    return SipMessage(at_ms=ms(began_s, event.at_s), sent=False, peer=event.peer, text=text)


def _is_again(info: Transaction, after: Transaction) -> bool:
    """It was challenged, and sent again with credentials (RFC 3261 §22.2)."""
    challenged = any(final.code in (401, 407) for final in info.finals)
    head, text = after.request.first.head, after.request.first.text
    with_them = head.header("authorization") or head.header("proxy-authorization")
    same = info_digit(info.request.first.head, info.request.first.text) == info_digit(head, text)
    return challenged and with_them is not None and same


def _untaken(place: int, digit: str, info: Transaction, *, when_over: bool) -> UntakenDigit:
    final = next(iter(info.finals), None)
    return UntakenDigit(
        place=place,
        digit=digit,
        code=final.code if final else None,
        phrase=final.first.head.phrase if final else None,
        times=info.request.count,
        when_over=when_over,
    )


def _cut(text: str) -> str:
    return text[:MAX_URI]


def _name(event: NotSent) -> str:
    if event.head is None:
        return "message"
    return event.head.method.lower() if event.head.code is None else f"{event.head.code} to {event.head.method}"


def _unsent(event: NotSent) -> str:
    return f"not sent: {event.reason}" if event.target is None else f"could not be sent to {event.reason}"


def _side(*, sent: bool) -> Side:
    return Side.LOCAL if sent else Side.REMOTE


def ms(begin_s: float, at_s: float) -> float:
    """From one time to the other, in ms, to a tenth."""
    return round(1000 * (at_s - begin_s), 1)
