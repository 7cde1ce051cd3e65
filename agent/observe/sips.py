"""What of a call to a `sips` URI is none any more, by the URIs that came (RFC 3261 §12.1.1, §26.2.2). Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from agent.contract.plan import Plan
from agent.sip.dialogs import Signalling
from agent.sip.transactions import Times

MAX_DOWNGRADES: Final = 4
MAX_TEXT: Final = 160
"""Characters of one: it goes into findings."""
_TARGETS: Final = ("INVITE", "UPDATE")
"""Whose Contact, and that of whose 2xx, is where later requests go (RFC 3261 §12.2.1.2, RFC 3311 §5.2)."""


def is_sips(uri: str) -> bool:
    """RFC 3261 §19.1: the scheme has no case."""
    return uri[:5].lower() == "sips:"


def asks_sips(plan: Plan) -> bool:
    """Some call of the plan is to a sips URI: a callee may not know which of them it has."""
    return any(is_sips(call.to or "") for call in plan.calls)


def downgraded(leg: Signalling) -> tuple[str, ...]:
    """Each URI of another scheme that a message of the leg's dialog brought, with what it is of."""
    found = [text[:MAX_TEXT] for one in _received(leg) for text in _of(one)]
    return tuple(dict.fromkeys(found))[:MAX_DOWNGRADES]


def _received(leg: Signalling) -> Iterator[Times]:
    """Requests that came, and 2xx to ours."""
    for one in (*leg.tries[-1:], *leg.requests):
        yield from one.answers if one.request.first.sent else [one.request]
    yield from _all(leg)


def _all(leg: Signalling) -> Sequence[Times]:
    """What ended it, and what acknowledged it."""
    acked = leg.acknowledgement.ack if leg.acknowledgement else None
    hung_up = leg.bye_received.requests if leg.bye_received else ()
    return [one for one in (acked, *hung_up) if one is not None and not one.first.sent]


def _of(one: Times) -> Iterator[str]:
    head = one.first.head
    if head.code is None and not is_sips(head.uri):
        yield f"{head.method} {head.uri}"
    if head.method in _TARGETS and head.contacts and not is_sips(head.contacts[0]):
        what = head.method if head.code is None else f"{head.code} to the {head.method}"
        yield f"Contact {head.contacts[0]} in its {what}"
