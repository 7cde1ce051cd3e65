"""Words that the sentences of several checks are made of. Values in, text out; pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from agent.contract.observation import Asked, SipMessage, Target
from agent.sip.bindings import MAX_BINDINGS


def often(count: int) -> str:
    """How often: `once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def many(count: int, one: str) -> str:
    """`1 packet`, `2 packets`."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    every = list(words)
    return f" {last} ".join(part for part in (", ".join(every[:-1]), *every[-1:]) if part)


def seconds(ms: float) -> str:
    """To a tenth."""
    return f"{ms / 1000:.1f} s"


def spoken(code: int, phrase: str | None) -> str:
    """A status line, as people say it."""
    return f"{code} {phrase}" if phrase else str(code)


def quoted(digits: str) -> str:
    """Digits as they are said."""
    return f'"{digits}"' if digits else "no digits"


def payload_type(number: int, name: str | None) -> str:
    """By number and name."""
    return str(number) if name is None else f"{number} ({name})"


def payload_types(types: Mapping[int, str], last: str = "and") -> str:
    """All of an SDP."""
    return listed((payload_type(number, name) for number, name in types.items()), last) or "none"


def destination(target: Target) -> str:
    """Where a request within a dialog went, and what sent it there (RFC 3261 §12.2.1.1)."""
    routes = f"Route {', '.join(target.routes)}, from Record-Route" if target.routes else "no Record-Route came"
    return f"to {target.peer} (Request-URI {target.uri}, from the Contact; {routes})"


def refused(asked: Asked) -> str | None:
    """Whose word it is that nobody listened where a request went; None where that is not known."""
    if asked.refused is None:
        return None
    probes = f"{many(asked.refused.times, 'keep-alive')} in {seconds(asked.refused.over_ms)}"
    return f"the port is closed: ICMP port unreachable came back to {probes}"


def unread(message: SipMessage) -> str:
    """What came and was not whole, or could not be read, by how it begins."""
    start = message.text.partition("\r\n")[0][:MAX_START]
    return f"our SIP stack could not read what came for it: '{start}'"


MAX_START: Final = 80
"""Characters of a message's first line, in a note."""
CHALLENGED: Final = (401, 407)
UNAUTHORIZED: Final = (*CHALLENGED, 403)
"""Refusals that credentials, or their lack, may have brought about."""


UNNAMED: Final = "its INVITE names no call, and calls differ in media: the agent could not know what this one asks"
MANY: Final = f"the 200 lists more than the {MAX_BINDINGS} bindings that are read of one"


def beyond_us(challenge: str) -> str:
    """Why a challenge was not answered though there were credentials."""
    return f"our SIP stack has no way to answer what it was asked: {challenge}"


def challenged(code: int | None, asked: Asked) -> str | None:
    """What was asked back, and whether credentials were sent; None where that is not what a final response is about.

    `code` None: there was no final response to the last try.
    """
    if not asked.challenges:
        return "it was not challenged, so no credentials were sent" if code in UNAUTHORIZED else None
    if code is not None and code not in UNAUTHORIZED:
        return None
    sent = f"credentials were sent {often(asked.credentials)}" if asked.credentials else "no credentials were sent"
    return joined(f"challenged by {listed(dict.fromkeys(asked.challenges))}, {sent}", _disbelieved(code, asked))


def _disbelieved(code: int | None, asked: Asked) -> str | None:
    """What a challenge to credentials says of them (RFC 7616 §3.3: `stale`)."""
    if code not in CHALLENGED:
        return None
    if asked.auth.refused:
        return "credentials refused"
    return f"their nonce was called stale {often(asked.auth.stale)}" if asked.auth.stale else None


def joined(*parts: str | None) -> str | None:
    """What there is to say beside a finding; None: nothing."""
    return "; ".join(part for part in parts if part) or None
