"""What a SIP message carries behind its head: one body, or the parts of a multipart (RFC 5621). Pure; never raises."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.sip.text import SipHead

MAX_PARTS: Final = 16
_BOUNDARY: Final = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_HEAD_ENDS: Final = re.compile(r"\r?\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One of them."""

    kind: str
    """Content-Type without parameters, lower case; empty where nothing tells."""
    text: str


def bodies(head: SipHead, text: str) -> tuple[Body, ...]:
    """Those of a message (`text`: all of it) with that head; of a multipart its parts, but not itself."""
    content_type = head.header("content-type") or ""
    end = _HEAD_ENDS.search(text := text.lstrip("\r\n"))
    body = text[end.end() :] if end else ""
    if not body:
        return ()
    kind = _kind(content_type)
    boundary = _BOUNDARY.search(content_type) if kind.startswith("multipart/") else None
    if boundary is None:
        return (Body(kind=kind, text=body),)
    return tuple(_parts(body.replace("\r\n", "\n"), boundary[1] or boundary[2]))


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _parts(body: str, boundary: str) -> Iterator[Body]:
    for part in ("\n" + body).split(f"\n--{boundary}", MAX_PARTS)[1:]:
        if part.startswith("--"):
            return
        head, _, inner = part.partition("\n\n")
        fields = (line.partition(":") for line in head.split("\n"))
        kinds = (value for name, _, value in fields if name.strip().lower() in ("content-type", "c"))
        yield Body(kind=_kind(next(kinds, "")), text=inner)
