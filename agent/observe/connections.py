"""The TCP and TLS connections of a leg, or of a registration: how each began and ended, what it left undone. Pure."""

import errno
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from agent.contract.connection import Connection, Ending
from agent.observe.secured import ending_of_tls, is_of_the_handshake, secured
from agent.observe.signalling import crossings, ms
from agent.phone.protocol import ConnectionSeen, Event, MessageSeen, NotSent, PutOff
from agent.sip.transactions import Conversation, Transaction
from agent.tap.model import TapConnection, TapSecure

MAX_CONNECTIONS: Final = 16
"""Of one leg."""
MAX_KNOWN: Final = 1024
PJ_EEOF, PJ_ETIMEDOUT, PJ_ECANCELLED, OF_SYSTEM = 70_016, 70_009, 70_014, 120_000
"""pj_status_t: the last, and an errno (PJ_STATUS_FROM_OS)."""
BROKEN_PIPE: Final = OF_SYSTEM + errno.EPIPE
_ENDINGS: Final = {
    PJ_EEOF: Ending.PEER_CLOSED,
    OF_SYSTEM + errno.ECONNRESET: Ending.PEER_RESET,
    BROKEN_PIPE: Ending.PEER_RESET,
    OF_SYSTEM + errno.ECONNREFUSED: Ending.REFUSED,
    OF_SYSTEM + errno.ETIMEDOUT: Ending.TIMEOUT,
    PJ_ETIMEDOUT: Ending.TIMEOUT,
    OF_SYSTEM + errno.EHOSTUNREACH: Ending.UNREACHABLE,
    PJ_ECANCELLED: Ending.WE_CLOSED,
}


class Carriers:
    """Connections as they stand, by their number; of very many the first are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, TapConnection] = OrderedDict()

    def saw(self, event: ConnectionSeen) -> None:
        """It has changed."""
        self._known[event.connection.number] = event.connection
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def of(self, events: Iterable[Event]) -> tuple[TapConnection, ...]:
        """Those that carried these messages, or were to, in the order in which they did first."""
        numbers = dict.fromkeys(
            event.connection
            for event in events
            if isinstance(event, (MessageSeen, PutOff, NotSent)) and event.connection is not None
        )
        return tuple(self._known[number] for number in numbers if number in self._known)


def connections(
    events: Sequence[Event], carriers: Sequence[TapConnection], *, began_s: float | None, over_s: float | None
) -> tuple[Connection, ...]:
    """What each came to. `began_s`, `over_s`: of what they are told for; None: it has no message, or goes on."""
    return tuple(_told(one, events, began_s, over_s) for one in carriers[:MAX_CONNECTIONS])


def ending(status: int, *, ours: bool, secure: TapSecure | None = None) -> Ending:
    """What the stack's status of an end says."""
    if (of_tls := ending_of_tls(status, secure)) is not None:
        return of_tls
    if status == PJ_ETIMEDOUT and secure is not None and secure.begun:
        return Ending.SILENT
    return Ending.WE_CLOSED if ours else _ENDINGS.get(status, Ending.FAILED)


def _told(one: TapConnection, events: Sequence[Event], began_s: float | None, over_s: float | None) -> Connection:
    """The stack may have said that a message could not be sent before it said why its connection was not there."""
    unsent = [e for e in events if isinstance(e, NotSent) and e.connection == one.number and e.status]
    closed_s, status = one.closed_s, one.status
    up_s = None if is_of_the_handshake(one) or one.up_s is None else min([one.up_s, *_carried_s(events, one.number)])
    if closed_s is None and up_s is None and unsent:
        closed_s, status = unsent[0].at_s, unsent[0].status
    cut = None if closed_s is None else _cut(events, one.number, closed_s)
    is_after = closed_s is not None and over_s is not None and up_s is not None and closed_s > over_s
    if is_after and (cut is None or cut.at_s < (over_s or 0.0)):  # it served; what came after is another's
        closed_s = cut = None
    zero_s = one.opened_s if began_s is None else began_s
    end = None if closed_s is None else ending(status, ours=one.ours, secure=one.secure)
    if end is Ending.PEER_RESET and up_s is None and status == BROKEN_PIPE:
        end = Ending.FAILED  # it was not there to be written to: why, nobody said
    is_opening = up_s is None and closed_s is None and over_s is not None
    return Connection(
        protocol=one.protocol,
        peer=one.remote,
        outgoing=one.outgoing,
        opened_ms=ms(zero_s, one.opened_s),
        up_ms=None if up_s is None else ms(zero_s, up_s),
        closed_ms=None if closed_s is None else ms(zero_s, closed_s),
        end=end,
        said=unsent[0].reason if unsent and end in (Ending.FAILED, Ending.TLS_FAILED) else None,
        waited_ms=ms(one.opened_s, over_s) if is_opening and over_s is not None else None,
        secured=secured(one),
        cut=None if cut is None else cut.method,
        cut_ms=None if cut is None else ms(zero_s, cut.request.last_s),
    )


def _carried_s(events: Sequence[Event], number: int) -> list[float]:
    """When its messages crossed: the first may, from another thread, before the stack has told that it is up."""
    return [event.at_s for event in events if isinstance(event, MessageSeen) and event.connection == number]


def _cut(events: Sequence[Event], number: int, closed_s: float) -> Transaction | None:
    """The first request of ours that it carried, and that had no final response by its end, nor later.

    A BYE of ours crosses when its call is over.
    """
    for transaction in Conversation(crossings(events)).transactions:
        request = transaction.request.first
        on_it = request.sent and request.connection == number and request.at_s <= closed_s
        if on_it and not transaction.finals:
            return transaction
    return None
