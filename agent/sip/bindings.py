"""The Contacts of a message: a registrar's bindings of an address of record, and where a 3xx points. Pure.

RFC 3261 §10.3: the 2xx to REGISTER lists all current bindings, each with its `expires`. §8.1.3.4: a 3xx its targets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final
from urllib.parse import unquote

from agent.sip.text import header_values

MAX_BINDINGS: Final = 256
"""Of one message: more than a registrar has for anybody in good faith."""
_ITEM: Final = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,"<])+)')
"""One of a list: commas in quotes and in angle brackets part nothing."""
_QUOTED: Final = re.compile(r'^\s*"(?:[^"\\]|\\.)*"')
_ANGLED: Final = re.compile(r"<([^>]*)>(.*)", re.DOTALL)
_EXPIRES: Final = re.compile(r';\s*expires\s*=\s*"?([0-9]{1,10})', re.IGNORECASE)
_URI: Final = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^@:;>\s]*)(?::[^@>\s]*)?@)?(?P<host>\[[^\]]*\]|[^:;>?\s]+)(?::(?P<port>[0-9]+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A Contact, of a REGISTER, of its 2xx, of a 3xx."""

    uri: str
    expires_s: int | None
    """Its `expires` parameter; None: it has none."""


def bindings(text: str) -> tuple[Binding, ...]:
    """All Contacts of a message, but for `*`; MAX_BINDINGS at most."""
    return tuple(_binding(item) for item in islice(_items(text), MAX_BINDINGS) if item != "*")


def has_more(text: str) -> bool:
    """The message has more Contacts than are read of one."""
    return next(islice(_items(text), MAX_BINDINGS, None), None) is not None


def _items(text: str) -> Iterator[str]:
    return (item[1].strip() for value in header_values(text, "contact") for item in _ITEM.finditer(value))


def _binding(item: str) -> Binding:
    """Without brackets, what follows the URI is the header's (RFC 3261 §20)."""
    angled = _ANGLED.search(_QUOTED.sub("", item))
    uri, parameters = (angled[1], angled[2]) if angled else (item.partition(";")[0], item)
    expires = _EXPIRES.search(parameters)
    return Binding(uri=uri.strip(), expires_s=int(expires[1]) if expires else None)


def kept(text: str) -> tuple[Binding, ...]:
    """Those of a message that hold on: for as long as their `expires`, else its Expires, says (RFC 3261 §10.2.4).

    What is said to last 0 s is none; `expires_s` of the others None: neither says.
    """
    whole_s = expires_s(text)
    each = (one if one.expires_s is not None else replace(one, expires_s=whole_s) for one in bindings(text))
    return tuple(one for one in each if one.expires_s != 0)


def expires_s(text: str) -> int | None:
    """The message's Expires; None: it has none that is a number."""
    found = next((value for value in header_values(text, "expires") if re.fullmatch(r"[0-9]{1,10}", value)), None)
    return None if found is None else int(found)


def same_place(one: str, other: str) -> bool:
    """Two contacts are one binding: user, host and port are alike.

    RFC 3261 §19.1.4 has more parameters count; registrars and what is before them add and drop those.
    """
    first, second = _place(one), _place(other)
    return first is not None and first == second


def _place(uri: str) -> tuple[str, str, int] | None:
    found = _URI.match(uri)
    if found is None:
        return None
    secure = found["scheme"].lower() == "sips" or re.search(r";\s*transport=tls", uri, re.IGNORECASE) is not None
    port = int(found["port"]) if found["port"] else 5061 if secure else 5060
    return unquote(found["user"] or ""), found["host"].lower(), port
