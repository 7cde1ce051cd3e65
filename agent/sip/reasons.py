"""Reason headers (RFC 3326), as they are kept of a message: why a call was refused or ended. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_KEPT: Final = 160
"""Characters of a header, with its name (agent/observe/asking.py)."""
MAX_HEADERS: Final = 4
_HEADER: Final = re.compile(r"reason\s*:\s*", re.IGNORECASE)
_VALUE: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
_PARAMETER: Final = re.compile(r';\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')
_ESCAPED: Final = re.compile(r"\\(.)")
_PROTOCOL: Final = re.compile(r"\s*([^\s;,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """One reason."""

    protocol: str
    """`SIP`, `Q.850`."""
    cause: int | None
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """All of a message."""

    values: tuple[Why, ...]
    whole: bool
    """No more were there."""


def reasons_of(headers: Iterable[str]) -> Reasons:
    """Of headers as they are kept (`Reason: Q.850;cause=17`), those of other names among them."""
    kept = tuple(headers)
    values = [header[found.end() :] for header in kept if (found := _HEADER.match(header)) is not None]
    return Reasons(
        values=tuple(why for value in values for one in _VALUE.findall(value) if (why := _why(one)) is not None),
        whole=len(kept) < MAX_HEADERS and all(len(header) < MAX_KEPT for header in kept),
    )


def _why(value: str) -> Why | None:
    protocol = _PROTOCOL.match(value)
    if protocol is None:
        return None
    named: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        named.setdefault(name.lower(), _ESCAPED.sub(r"\1", quoted) or plain)
    cause = named.get("cause", "")
    return Why(
        protocol=protocol[1],
        cause=int(cause) if cause.isascii() and cause.isdigit() and len(cause) < 10 else None,
        text=named.get("text"),
    )
