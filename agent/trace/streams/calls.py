"""SIP messages → calls: whose SDP said where it wants to receive, on which hop, from when on; when a call was over.

A call is a Call-ID. Its side A is the one whose From tag began what was captured of it, side B whoever else takes part.
A leg is what the two ends of one hop agreed on (RFC 3264): hops whose SDP names the same addresses are one leg, those
between which a relay puts its own are several. Bounded; nothing raises, whatever is in the messages.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeVar

from agent.sip.bodies import bodies
from agent.sip.sdp import NOWHERE, Medium, parse_sdp
from agent.sip.security import Security, agreed_security, offered_security
from agent.sip.text import SipHead
from agent.trace.model import Format, Side
from agent.trace.streams.flows import place
from agent.trace.streams.formats import Meanings, as_format
from agent.trace.streams.signalling import Captured, Endpoint
from agent.trace.wire.addresses import Addresses

MAX_CALLS: Final = 16_384
"""Whose messages are put together; the longest silent one is forgotten."""
MAX_OF_A_CALL: Final = 64
"""Requests that wait for responses, hops, dialogs, addresses of one side: each."""
MAX_LEGS: Final = 16
_OFFERING: Final = frozenset({"INVITE", "UPDATE", "PRACK"})
"""Requests whose SDP, or whose responses' SDP, is an offer or answer: RFC 3261, 3262, 3311. OPTIONS only asks."""
_ANSWERING: Final = frozenset({"ACK", "PRACK"})
"""Those that may answer what a response offered."""
_OF_A_CALL: Final = _OFFERING | _ANSWERING | {"BYE", "CANCEL", "INFO"}
_SDP_KINDS: Final = frozenset({"application/sdp", ""})
_STILL_THERE: Final = frozenset({401, 407})
"""A BYE that is sent again with credentials."""
_GONE: Final = frozenset({408, 481})
"""RFC 3261 §12.2.1.2: to these the dialog is over as well."""


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One Call-ID."""

    call_id: str
    a_tag: str
    began: int
    """The how manieth message of the capture it was."""
    answered: int | None = None
    """The same of its first 2xx."""
    legs: list["Leg"] = field(default_factory=list)
    hops: dict[frozenset[Endpoint], "Leg"] = field(default_factory=dict)
    dialogs: set[str] = field(default_factory=set)
    """Tags of side B that answered, and were not hung up."""
    requests: "OrderedDict[tuple[str, int, str], _Request]" = field(default_factory=OrderedDict)
    over: bool = False
    """As far as the packets have been counted: streams.py's word, as `flows`."""
    flows: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True, eq=False)
class Leg:
    """What one hop agreed on."""

    call: Call
    number: int
    """From 1."""
    places: dict[Side, set[int]] = field(default_factory=lambda: {side: set() for side in Side})
    """Where each side ever wanted to receive."""
    waiting: "_Offer | None" = None
    """An offer of a response: its answer comes in an ACK or PRACK."""
    agreed: tuple["_Offer", "_Offer"] | None = None
    """The last offer, and its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """An SDP, or an answer, and whose it is."""

    side: Side
    media: tuple[Medium, ...]


@dataclass(slots=True, kw_only=True)
class _Request:
    """One that was seen on one hop."""

    hop: frozenset[Endpoint]
    began: bool
    """Its To had no tag."""
    leg: Leg | None = None
    offer: _Offer | None = None
    hung_up: str | None = None
    """The tag of side B whose dialog this BYE ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What an SDP says of one address and port: from the record `row` of the batch on."""

    row: int
    time_ns: int
    place: int
    """flows.place: where its sender wants to receive."""
    leg: Leg
    side: Side
    line: int
    """Which of its m= lines, from 1."""
    meaning: int
    """Row of Meanings: of what comes there."""
    back: int
    """The same of what its sender sends to an address that nobody declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call is over: from the record `row` of the batch on."""

    row: int
    call: Call


Event = Declaration | Ended
_One = TypeVar("_One")
Media = tuple[Medium, ...]


def other(side: Side) -> Side:
    """The one that it talks to."""
    return Side.B if side is Side.A else Side.A


class Calls:
    """Those of a capture, message by message."""

    def __init__(self, addresses: Addresses, meanings: Meanings) -> None:
        self._addresses, self._meanings = addresses, meanings
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._messages = count()
        self.forgotten = 0
        """Calls that were not over when room was needed."""
        self.cut = 0
        """Times that a call had more requests, dialogs, hops, addresses or legs than are remembered."""

    def side(self, head: SipHead) -> Side:
        """Whose request it is, or to whose request it is the response."""
        call = self._calls.get(head.call_id)
        return Side.A if call is None or call.a_tag == head.from_tag else Side.B

    def message(self, head: SipHead, text: str, captured: Captured) -> list[Event]:
        """What it changes."""
        number = next(self._messages)
        if head.method not in _OF_A_CALL:
            return []
        call = self._calls.get(head.call_id)
        if call is None:
            if head.method in ("BYE", "CANCEL"):
                return []
            call = self._calls[head.call_id] = Call(call_id=head.call_id, a_tag=head.from_tag, began=number)
            if len(self._calls) > MAX_CALLS:
                self.forgotten += not self._calls.popitem(last=False)[1].over
        self._calls.move_to_end(head.call_id)
        said = _media(head, text)
        if head.code is None:
            return list(self._request(call, head, said, captured))
        return list(self._response(call, head, said, captured, number))

    # --- requests

    def _request(self, call: Call, head: SipHead, said: Media, captured: Captured) -> Iterator[Event]:
        side, key = self.side(head), (head.branch, head.cseq, head.method)
        before = call.requests.get(key)
        if before is not None and (not said or (before.offer and before.offer.media == said)):
            return  # sent again
        request = _Request(hop=_hop(captured), began=not head.in_dialog)
        if head.method in _OFFERING or head.method == "BYE":
            call.requests[key] = request
            if len(call.requests) > MAX_OF_A_CALL:
                call.requests.popitem(last=False)
                self.cut += 1
        if head.method in ("BYE", "CANCEL"):
            tag = head.to_tag if side is Side.A else head.from_tag
            if head.method == "BYE" and tag in call.dialogs:
                call.dialogs.discard(tag)
                request.hung_up = tag
            if not call.dialogs:
                yield Ended(row=captured.row, call=call)
        elif said or head.method in _OFFERING:
            leg = request.leg = self._leg(call, captured, _Offer(side=side, media=said), in_dialog=head.in_dialog)
            if head.method in _ANSWERING and leg.waiting is not None and leg.waiting.side is not side and said:
                yield from self._agree(leg, leg.waiting, _Offer(side=side, media=said), captured)
            elif said and head.method in _OFFERING:
                request.offer = _Offer(side=side, media=said)
                yield from self._offered(leg, request.offer, captured)

    # --- responses

    def _response(self, call: Call, head: SipHead, said: Media, captured: Captured, number: int) -> Iterator[Event]:
        asked, code = self.side(head), head.code or 0
        request = _asked(call, head, captured)
        if head.method == "INVITE" and 200 <= code < 300:
            self._add(call.dialogs, head.to_tag if asked is Side.A else head.from_tag)
            call.answered = number if call.answered is None else call.answered
        if code >= 300:
            yield from self._refused(call, head, request, captured)
        elif said and code > 100 and head.method in _OFFERING:
            answer = _Offer(side=other(asked), media=said)
            leg = self._leg(call, captured, answer, known=request.leg if request else None, in_dialog=request is None)
            if request is not None:
                request.leg = leg
            offer = request.offer if request else None
            if offer is not None:
                yield from self._agree(leg, offer, answer, captured)
            elif leg.agreed is None or answer not in leg.agreed:
                leg.waiting = answer
                yield from self._offered(leg, answer, captured)

    def _refused(self, call: Call, head: SipHead, request: _Request | None, captured: Captured) -> Iterator[Event]:
        """The dialog that a refused BYE did not end goes on, and what a refused offer would have changed."""
        if request is None:
            return
        if request.hung_up is not None and head.code not in _STILL_THERE | _GONE:
            call.dialogs.add(request.hung_up)
            for leg in call.legs:
                yield from self._agreed(leg, captured)
        elif head.method == "INVITE" and request.began:
            if not call.dialogs:
                yield Ended(row=captured.row, call=call)
        elif request.offer is not None and request.leg is not None:
            yield from self._agreed(request.leg, captured)

    # --- legs

    def _leg(self, call: Call, captured: Captured, said: _Offer, *, known: Leg | None = None, in_dialog: bool) -> Leg:
        """Of the hop that a message crossed."""
        hop = _hop(captured)
        leg = known or call.hops.get(hop)
        if leg is None or not any(leg.places.values()):
            places = {where for one in said.media if (where := self._place(one)) is not None}
            same = next((one for one in call.legs if one.places[said.side] & places), None)
            leg = same or leg or (_likely(call, hop) if in_dialog else None) or self._new_leg(call)
        if len(call.hops) < MAX_OF_A_CALL or hop in call.hops:
            call.hops[hop] = leg
        else:
            self.cut += 1
        return leg

    def _new_leg(self, call: Call) -> Leg:
        if len(call.legs) < MAX_LEGS:
            call.legs.append(Leg(call=call, number=len(call.legs) + 1))
        else:
            self.cut += 1
        return call.legs[-1]

    def _add(self, some: set[_One], one: _One) -> None:
        """Where there is room."""
        if len(some) < MAX_OF_A_CALL:
            some.add(one)
        elif one not in some:
            self.cut += 1

    def _place(self, medium: Medium) -> int | None:
        """None: it is not of RTP, refused, or on hold as RFC 2543 wrote it."""
        if not medium.rtp or not medium.listens or medium.address in NOWHERE:
            return None
        address = self._addresses.parse(medium.address)
        return None if address is None else place(address, medium.port)

    def _agree(self, leg: Leg, offer: _Offer, answer: _Offer, captured: Captured) -> Iterator[Event]:
        leg.waiting, leg.agreed = None, (offer, answer)
        yield from self._agreed(leg, captured)

    def _agreed(self, leg: Leg, captured: Captured) -> Iterator[Event]:
        if leg.agreed is None:
            return
        offer, answer = leg.agreed
        pairs = [(asked, said) for asked, said in zip(offer.media, answer.media, strict=False) if said.port]
        secured = [(asked, said, agreed_security(asked, said)) for asked, said in pairs]
        yield from self._declare(leg, offer.side, [(asked, said, how) for asked, said, how in secured], captured)
        yield from self._declare(leg, answer.side, [(said, asked, how) for asked, said, how in secured], captured)

    def _offered(self, leg: Leg, offer: _Offer, captured: Captured) -> Iterator[Event]:
        lines = [(medium, medium, offered_security(medium)) for medium in offer.media]
        yield from self._declare(leg, offer.side, lines, captured)

    def _declare(
        self, leg: Leg, side: Side, lines: Sequence[tuple[Medium, Medium, Security]], captured: Captured
    ) -> Iterator[Declaration]:
        """Lines with those of the other side. Media that share a port (RFC 8843) share its payload types."""
        shared: dict[int, list[tuple[Medium, Medium, Security]]] = {}
        for line in lines:
            if (where := self._place(line[0])) is not None:
                shared.setdefault(where, []).append(line)
        for where, same in shared.items():
            how = {security for _, _, security in same}
            security = how.pop() if len(how) == 1 else Security.UNSURE
            self._add(leg.places[side], where)
            yield Declaration(
                row=captured.row,
                time_ns=captured.time_ns,
                place=where,
                leg=leg,
                side=side,
                line=same[0][0].number,
                meaning=self._meanings.number(_formats(mine for mine, _, _ in same), security),
                back=self._meanings.number(_formats(theirs for _, theirs, _ in same), security),
            )


def _hop(captured: Captured) -> frozenset[Endpoint]:
    return frozenset((captured.source, captured.destination))


def _asked(call: Call, head: SipHead, captured: Captured) -> _Request | None:
    """What a response answers: by its branch (RFC 3261 §17.1.3); where somebody changed that, by its number and hop."""
    request = call.requests.get((head.branch, head.cseq, head.method))
    if request is not None:
        return request
    same = [one for (_, *rest), one in call.requests.items() if rest == [head.cseq, head.method]]
    return next((one for one in reversed(same) if one.hop == _hop(captured)), None)


def _media(head: SipHead, text: str) -> Media:
    """Those of its SDP."""
    sdp = next((one.text for one in bodies(head, text) if one.kind in _SDP_KINDS and one.text.startswith("v=0")), "")
    return parse_sdp(sdp).media if sdp else ()


def _formats(media: Iterable[Medium]) -> dict[int, Format]:
    return {number: as_format(one) for medium in media for number, one in medium.declared.items()}


def _likely(call: Call, hop: frozenset[Endpoint]) -> Leg | None:
    """The leg of a request in the dialog that comes another way than those before: the only one, else by its hosts."""
    legs = [leg for leg in call.legs if any(leg.places.values())]
    hosts = {host for host, _ in hop}
    same = (leg for known, leg in call.hops.items() if {host for host, _ in known} == hosts)
    return legs[0] if len(legs) == 1 else next(same, None)
