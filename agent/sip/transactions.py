"""SIP messages → transactions (RFC 3261 §17): a retransmission is never a new request. Pure, and bounded."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from agent.sip.text import SipHead

MAX_TRANSACTIONS: Final = 4096
"""Of one Call-ID. Later ones are counted in `left_out`, but for those that can end a call."""
_ALWAYS: Final = frozenset({"BYE", "CANCEL"})
MAX_HEARD: Final = 16
MAX_ALWAYS: Final = 2 * MAX_TRANSACTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """A message that could be read, and how it crossed our socket."""

    at_s: float
    sent: bool
    head: SipHead
    connection: int | None = None
    text: str = ""
    """All of it, where its body is asked for."""
    peer: str = ""
    """`ip:port` at the other end of the wire."""


@dataclass(slots=True, kw_only=True)
class Times:
    """A request, or one of its responses: the first crossing, and how often and how late it came again."""

    first: Crossed
    count: int = 1
    last_s: float

    @property
    def at_s(self) -> float:
        """When it crossed first."""
        return self.first.at_s

    @property
    def code(self) -> int:
        """Of a response; 0: a request."""
        return self.first.head.code or 0

    @property
    def to_tag(self) -> str:
        """Which dialog a response makes, or belongs to."""
        return self.first.head.to_tag

    def again(self, crossed: Crossed) -> None:
        """It was sent again."""
        self.count += 1
        self.last_s = crossed.at_s


@dataclass(slots=True, kw_only=True)
class Transaction:
    """A request with all its responses (RFC 3261 §17), and an INVITE's ACKs."""

    request: Times
    responses: list[Times] = field(default_factory=list)
    """In the order of their first crossing; one for each code and To tag."""
    heard: list[int] = field(default_factory=list)
    """1xx codes as they came before the final response, MAX_HEARD at most: one that is the same again and nothing
    between is not told twice, nor what is only sent again (RFC 3262 §3: the RSeq tells)."""
    acks: list[Times] = field(default_factory=list)
    """One for each To tag: a forked INVITE has several 2xx."""

    @property
    def method(self) -> str:
        """Of the request."""
        return self.request.first.head.method

    @property
    def cseq(self) -> int:
        """Its number."""
        return self.request.first.head.cseq

    @property
    def branch(self) -> str:
        """Of the top Via."""
        return self.request.first.head.branch

    @property
    def sent(self) -> bool:
        """The request was ours."""
        return self.request.first.sent

    @property
    def at_s(self) -> float:
        """When the request crossed first."""
        return self.request.at_s

    @property
    def provisionals(self) -> list[Times]:
        """1xx before the first final response, of whatever early dialog.

        Later ones are of no transaction of the caller's: it is over (RFC 3261 §17.1.1.2), or passes on nothing but 2xx
        (RFC 6026 §7.2), which alone may still come of another branch (RFC 3261 §13.2.2.4).
        """
        return list(takewhile(lambda response: response.code < 200, self.responses))

    @property
    def finals(self) -> list[Times]:
        """Final responses; several where it was forked."""
        return [response for response in self.responses if response.code >= 200]

    @property
    def answers(self) -> list[Times]:
        """2xx."""
        return [response for response in self.responses if 200 <= response.code < 300]

    @property
    def dialog(self) -> "DialogId":
        """Which dialog the request names; without remote (ours) or local (theirs) tag where it begins one."""
        return dialog_of(self.request.first)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogId:
    """Which dialog of a Call-ID."""

    local_tag: str
    remote_tag: str


def dialog_of(crossed: Crossed) -> DialogId:
    """The dialog that a message belongs to, seen from here."""
    ends = crossed.head.from_tag, crossed.head.to_tag
    local, remote = ends if crossed.sent == (crossed.head.code is None) else reversed(ends)
    return DialogId(local_tag=local, remote_tag=remote)


class Conversation:
    """The messages of one Call-ID as transactions, taken one by one, in bounded memory."""

    def __init__(self, messages: Iterable[Crossed] = ()) -> None:
        """Takes these at once."""
        self.transactions: list[Transaction] = []
        """In the order of their requests."""
        self.strays: list[Times] = []
        """Responses and ACKs to no request that was seen: of another branch, or another's."""
        self.left_out = 0
        """Messages for which there was no room."""
        self._by_key: dict[tuple[object, ...], Transaction] = {}
        for message in messages:
            self.saw(message)

    def saw(self, crossed: Crossed) -> None:
        """Takes note of a message; retransmissions become counts."""
        head = crossed.head
        if head.method == "ACK" and head.code is None:
            self._ack(crossed)
        elif head.code is None:
            self._request(crossed)
        elif (found := self._by_key.get(_key(head, sent=not crossed.sent))) is not None:
            _hear(found, crossed)
            _count(found.responses, crossed)
        else:
            self._stray(crossed)

    def _request(self, crossed: Crossed) -> None:
        key = _key(crossed.head, sent=crossed.sent)
        known = self._by_key.get(key)
        room = MAX_ALWAYS if crossed.head.method in _ALWAYS else MAX_TRANSACTIONS
        if known is not None:
            known.request.again(crossed)
        elif len(self.transactions) < room:
            made = Transaction(request=Times(first=crossed, last_s=crossed.at_s))
            self.transactions.append(made)
            self._by_key[key] = made
        else:
            self.left_out += 1

    def _ack(self, crossed: Crossed) -> None:
        """To the INVITE of its number: of its branch (§17.1.1.3), or with a 2xx of its tag (§13.2.2.4)."""
        head = crossed.head
        invite = self._by_key.get(_key(head, sent=crossed.sent, method="INVITE"))
        if invite is None:
            invite = next((t for t in self.transactions if _is_acknowledged(t, crossed)), None)
        if invite is None:
            self._stray(crossed)
        else:
            _count(invite.acks, crossed)

    def _stray(self, crossed: Crossed) -> None:
        if len(self.strays) < MAX_TRANSACTIONS:
            _count(self.strays, crossed)
        else:
            self.left_out += 1


def _key(head: SipHead, *, sent: bool, method: str = "") -> tuple[object, ...]:
    """What a request and its responses have in common (§17.1.3, §17.2.3)."""
    return sent, method or head.method, head.cseq, head.branch, head.from_tag


def _is_acknowledged(invite: Transaction, ack: Crossed) -> bool:
    head = ack.head
    same = (invite.method, invite.sent, invite.cseq) == ("INVITE", ack.sent, head.cseq)
    return same and any(answer.to_tag == head.to_tag for answer in invite.answers)


def _hear(invite: Transaction, crossed: Crossed) -> None:
    code, sequence = crossed.head.code or 0, crossed.head.header("rseq")
    is_again = invite.heard[-1:] == [code] or (
        sequence is not None
        and any(
            (known.code, known.to_tag) == (code, crossed.head.to_tag) and known.first.head.header("rseq") == sequence
            for known in invite.responses
        )
    )
    if 100 <= code < 200 and not is_again and not invite.finals and len(invite.heard) < MAX_HEARD:
        invite.heard.append(code)


def _count(seen: list[Times], crossed: Crossed) -> None:
    head = crossed.head
    for times in seen:
        known = times.first.head
        if (known.code, known.to_tag, known.cseq, known.method) == (head.code, head.to_tag, head.cseq, head.method):
            times.again(crossed)
            return
    seen.append(Times(first=crossed, last_s=crossed.at_s))
