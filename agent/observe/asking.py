"""What became of a request: where it went and how often, what was asked back, and what a refusal says of why. Pure."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from agent.contract.observation import Asked, Refused, Target
from agent.observe.digest import (
    ALGORITHMS,
    algorithm,
    auth,
    challenges_of,
    credentials_of,
    is_digest,
    parameter,
)
from agent.phone.protocol import PortClosed
from agent.sip.reasons import MAX_HEADERS, MAX_KEPT
from agent.sip.text import CHALLENGES
from agent.sip.transactions import MAX_HEARD, Times, Transaction

MAX_ROUTES: Final = 4
MAX_TEXT: Final = 160
"""Characters of one: it goes into findings."""
REASONS: Final = {
    name.lower(): name
    for name in (
        "Reason",  # RFC 3326
        "Warning",  # RFC 3261 §20.43
        "Retry-After",
        "Unsupported",
        "Error-Info",
        "Min-Expires",
        "Min-SE",
    )
}
"""Headers that say why."""
_REALM: Final = re.compile(r'\brealm\s*=\s*("[^"]*"|[^,\s]+)', re.IGNORECASE)


def tries_told(tries: Sequence[Transaction], final: Times | None, closed: PortClosed | None = None) -> Asked:
    """A request with all its tries, and what its final response, if any, says of why.

    `closed`: what a closed port told of it; a response tells more.
    """
    responses = [response for t in tries for response in t.responses]
    return Asked(
        peer=tries[-1].request.first.peer if tries and tries[-1].sent else None,
        times=tries[-1].request.count if tries else 0,
        provisional=tuple(code for code, _ in groupby(code for t in tries for code in t.heard))[:MAX_HEARD],
        challenges=tuple(_challenge(response) for response in responses if response.code in CHALLENGES),
        credentials=sum(1 for t in tries if credentials_of(t)),
        auth=auth(tries),
        unanswerable=None if final is None else _unanswerable(final),
        why=why(final),
        refused=None if closed is None or responses else _refused(closed),
    )


def _refused(closed: PortClosed) -> Refused:
    return Refused(times=closed.times, over_ms=round(1000 * closed.over_s, 1))


def target(request: Times) -> Target:
    """Where a request of ours went."""
    head = request.first.head
    routes = [value[:MAX_TEXT] for name, value in head.headers if name == "route"]
    return Target(peer=request.first.peer, uri=head.uri[:MAX_TEXT], routes=tuple(routes[:MAX_ROUTES]))


def why(message: Times | None) -> tuple[str, ...]:
    """Its headers that say why, as they were: `Warning: 399 pbx "no route"`."""
    if message is None:
        return ()
    said = [f"{REASONS[name]}: {value}" for name, value in message.first.head.headers if name in REASONS]
    return tuple(text[:MAX_KEPT] for text in said[:MAX_HEADERS])


def _unanswerable(final: Times) -> str | None:
    challenges = challenges_of(final)
    return None if not challenges or any(map(_can_answer, challenges)) else challenges[0][:MAX_TEXT]


def _can_answer(challenge: str) -> bool:
    """RFC 7616 §3.3: a digest by an algorithm that we have, with `auth` among its qop values, if it has any."""
    qop = parameter(challenge, "qop")
    has_qop = qop is None or "auth" in [value.strip().lower() for value in qop.split(",")]
    return is_digest(challenge) and algorithm(challenge) in ALGORITHMS and has_qop


def _challenge(response: Times) -> str:
    header = response.first.head.header(CHALLENGES[response.code]) or ""
    realm = _REALM.search(header)
    return f"{response.code} for realm {realm[1][:MAX_TEXT]}" if realm else f"{response.code}"
