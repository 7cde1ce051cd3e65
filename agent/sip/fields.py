"""All that one message says in a header, in whichever of its legal forms (RFC 3261 §7.3). Never raises. Pure, bounded.

`SipHead` has what the dialogs need, each value cut where nobody in good faith writes more; here what is cut is said.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.sip.text import COMPACT

MAX_LINES: Final = 1024
"""Of a head: after that the rest is not read."""
MAX_CHARS: Final = 8192
"""Of a line, folded ones joined."""
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_HEAD: Final = re.compile(r"\r?\n\r?\n")
LISTS: Final = frozenset(
    {
        "accept", "accept-contact", "accept-encoding", "accept-language", "accept-resource-priority", "alert-info",
        "allow", "allow-events", "call-info", "contact", "content-encoding", "content-language", "diversion",
        "error-info", "feature-caps", "geolocation", "history-info", "identity", "in-reply-to",
        "p-access-network-info", "p-asserted-identity", "p-associated-uri", "p-preferred-identity",
        "p-visited-network-id", "path", "proxy-require", "reason", "record-route", "recv-info", "reject-contact",
        "request-disposition", "require", "resource-priority", "route", "security-client", "security-server",
        "security-verify", "service-route", "supported", "unsupported", "user-to-user", "via", "warning",
    }
)  # fmt: skip
"""Whose grammar is a list, so that one line with commas is as good as several lines (§7.3.1). Of others a comma is
text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A header of one message, as all its lines together have it."""

    name: str
    """Lower case, long form."""
    lines: tuple[str, ...]
    """Folded ones joined."""
    cut: tuple[str, ...] = ()
    """Lines of which only the begin is kept; they are not among `lines`."""
    whole: bool = True
    """All of the message's head was read: there are no more lines of it."""

    @property
    def values(self) -> tuple[str, ...]:
        """Of a list each of its values, of another header each line."""
        if self.name not in LISTS:
            return self.lines
        return tuple(value for line in self.lines for value in split_list(line))

    @property
    def readings(self) -> tuple[str, ...]:
        """All ways to read it: each line, each value, all values as one line."""
        return tuple(dict.fromkeys((*self.lines, *self.values, ", ".join(self.values))))


def field_of(text: str, name: str) -> Field:
    """What the message says in the header of that name, in any case, long or compact."""
    wanted = long_name(name)
    head, end = _head(text)
    _, *lines = head.split("\n")
    found = [value for key, value in _unfolded(lines[:MAX_LINES]) if key == wanted]
    return Field(
        name=wanted,
        lines=tuple(value for value in found if len(value) <= MAX_CHARS),
        cut=tuple(value[:MAX_CHARS] for value in found if len(value) > MAX_CHARS),
        whole=end and len(lines) <= MAX_LINES,
    )


def long_name(name: str) -> str:
    """Lower case, and no compact form."""
    low = name.strip().lower()
    return COMPACT.get(low, low)


def one_spaced(text: str) -> str:
    """With one space wherever there is white space (§7.3.1)."""
    return _SPACE.sub(" ", text).strip()


def _head(text: str) -> tuple[str, bool]:
    """Start line and headers, and whether the empty line after them is there."""
    text = text.lstrip("\r\n")
    end = _HEAD.search(text)
    return (text if end is None else text[: end.start()]).replace("\r\n", "\n"), end is not None


def _unfolded(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Name and value of each header line."""
    name, parts = "", list[str]()
    for line in lines:
        if line[:1] in (" ", "\t"):
            parts.append(line.strip())
            continue
        if name:
            yield name, " ".join(parts).strip()
        key, colon, value = line.partition(":")
        name, parts = (long_name(key), [value.strip()]) if colon else ("", [])
    if name:
        yield name, " ".join(parts).strip()


def split_list(line: str) -> list[str]:
    """At commas outside quoted strings and angle brackets; what is left empty is no value."""
    values, begin = list[str](), 0
    quoted = angled = escaped = False
    for at, char in enumerate(line):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"' and not angled:
            quoted = True
        elif char in "<>":
            angled = char == "<"
        elif char == "," and not angled:
            values.append(line[begin:at])
            begin = at + 1
    values.append(line[begin:])
    return [value.strip() for value in values if value.strip()]


_URI: Final = re.compile(
    r"(?P<scheme>[A-Za-z][-+.A-Za-z0-9]*:)(?P<user>[^@]*@)?(?P<host>[^;?]*)(?P<rest>.*)", re.DOTALL
)


def written_alike(one: str, other: str) -> bool:
    """Two URIs are the same text, but for the case of scheme and host, which does not count (RFC 3261 §19.1.4)."""
    return _folded(one) == _folded(other)


def _folded(uri: str) -> str:
    found = _URI.fullmatch(uri)
    if found is None:
        return uri
    return found["scheme"].lower() + (found["user"] or "") + found["host"].lower() + found["rest"]
