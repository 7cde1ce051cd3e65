"""Digits that came by INFO (RFC 2976), also as a part of a multipart.

application/dtmf-relay (`Signal=5`, `Duration=160`), application/dtmf (`5`), audio/telephone-event (RFC 4733's payload),
application/vnd.nortelnetworks.digits (`d=Digits=5`).
"""

import re
from dataclasses import dataclass
from typing import Final

from agent.sip.bodies import Body, bodies
from agent.sip.text import SipHead

RELAY: Final = "application/dtmf-relay"
BARE: Final = "application/dtmf"
EVENT: Final = "audio/telephone-event"
NORTEL: Final = "application/vnd.nortelnetworks.digits"
DIGIT_KINDS: Final = frozenset({RELAY, BARE, EVENT, NORTEL})
_SIGNAL: Final = re.compile(r"^\s*Signal\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_NORTEL: Final = re.compile(r"^\s*d\s*=\s*(?:Digits\s*=\s*)?(\S+)", re.IGNORECASE | re.MULTILINE)
_DURATION: Final = re.compile(r"^\s*Duration\s*=\s*([0-9]{1,5})\s*$", re.IGNORECASE | re.MULTILINE)
_DIGITS: Final = "0123456789*#ABCD"
"""By RFC 4733 §3.2's code too: some send those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoDigit:
    """One digit, as the body of an INFO names it."""

    digit: str
    duration_ms: int | None
    kind: str
    """Of the body."""


def info_digit(head: SipHead, text: str) -> InfoDigit | None:
    """The digit in an INFO; None: it has none, or one that nobody could press."""
    if head.method != "INFO":
        return None
    named = (_digit(body) for body in bodies(head, text) if body.kind in DIGIT_KINDS)
    return next((digit for digit in named if digit is not None), None)


def info_body(kind: str, digit: str, duration_ms: int) -> str:
    """What such an INFO carries."""
    return digit if kind == BARE else f"Signal={digit}\r\nDuration={duration_ms}\r\n"


def _digit(body: Body) -> InfoDigit | None:
    if body.kind == EVENT and body.text[:1] and ord(body.text[0]) < len(_DIGITS):
        # Its length counts in a clock that nothing tells.
        return InfoDigit(digit=_DIGITS[ord(body.text[0])], duration_ms=None, kind=body.kind)
    text = body.text.replace("\r\n", "\n")
    signal = _signal(body.kind, text).upper()
    if signal.isascii() and signal.isdecimal() and len(signal) == 2 and int(signal) < len(_DIGITS):
        signal = _DIGITS[int(signal)]
    if len(signal) != 1 or signal not in _DIGITS:
        return None
    duration = _DURATION.search(text)
    return InfoDigit(digit=signal, duration_ms=int(duration[1]) if duration else None, kind=body.kind)


def _signal(kind: str, text: str) -> str:
    named = (_NORTEL if kind == NORTEL else _SIGNAL).search(text)
    if named is not None:
        return named[1]
    return text.strip() if kind in (BARE, EVENT) else ""
