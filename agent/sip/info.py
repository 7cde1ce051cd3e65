"""Digits that came by INFO (RFC 2976): application/dtmf-relay (`Signal=5`, `Duration=160`), application/dtmf (`5`)."""

import re
from dataclasses import dataclass
from typing import Final

from agent.sip.text import SipHead

_SIGNAL: Final = re.compile(r"^\s*Signal\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_DURATION: Final = re.compile(r"^\s*Duration\s*=\s*([0-9]{1,5})\s*$", re.IGNORECASE | re.MULTILINE)
_DIGITS: Final = "0123456789*#ABCD"
"""By RFC 4733 §3.2's code too: some send those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoDigit:
    """One digit, as the body of an INFO names it."""

    digit: str
    duration_ms: int | None


def info_digit(head: SipHead, text: str) -> InfoDigit | None:
    """The digit in an INFO; None: it has none, or one that nobody could press."""
    kind = (head.header("content-type") or "").partition(";")[0].strip().lower()
    if head.method != "INFO" or kind not in ("application/dtmf", "application/dtmf-relay"):
        return None
    body = text.replace("\r\n", "\n").partition("\n\n")[2]
    named = _SIGNAL.search(body)
    signal = (named[1] if named else body.strip() if kind == "application/dtmf" else "").upper()
    if signal.isascii() and signal.isdecimal() and len(signal) == 2 and int(signal) < len(_DIGITS):
        signal = _DIGITS[int(signal)]
    if len(signal) != 1 or signal not in _DIGITS:
        return None
    duration = _DURATION.search(body)
    return InfoDigit(digit=signal, duration_ms=int(duration[1]) if duration else None)
