"""Digits of INFO, and what else INFO and NOTIFY carry: as it was sent, and as it was answered."""

import re
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.contract.expect import DtmfMethod
from agent.sip.bodies import bodies
from agent.sip.info import DIGIT_KINDS, info_digit
from agent.sip.text import SipHead
from agent.trace.model import Digit, Side
from agent.trace.streams.signalling import Captured

MAX_INFOS: Final = 100_000
"""That carry digits."""
MAX_REMEMBERED: Final = 8192
"""Requests whose copies are known for such."""
MAX_KINDS: Final = 64
OTHER_KINDS: Final = "other types"
_KPML: Final = "application/kpml-response+xml"
_KPML_DIGITS: Final = re.compile(r"""<kpml-response\b[^>]*\bdigits\s*=\s*["']([0-9A-D*#]{1,64})["']""", re.IGNORECASE)
_AGAIN: Final = frozenset({401, 407})
"""The same request is sent again, with credentials (RFC 3261 §22)."""
Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoDigit:
    """A digit of a SIP INFO, and whose it is."""

    call_id: str
    side: Side
    source: int
    """Address it came from."""
    digit: Digit


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Digits that nobody took."""

    call_id: str
    code: int
    phrase: str
    digits: str


@dataclass(slots=True, kw_only=True)
class _Info:
    digit: InfoDigit
    code: int | None = None
    """Of its final response, a 2xx if there was one on any hop."""
    phrase: str = ""


class Infos:
    """Those of a capture, message by message."""

    def __init__(self) -> None:
        self._infos: OrderedDict[Key, _Info] = OrderedDict()
        self._seen: OrderedDict[Key, None] = OrderedDict()
        self.unread: Counter[tuple[str, str]] = Counter()
        """Bodies that no digit was found in, by method and Content-Type."""
        self.kpml = 0
        """KPML reports (RFC 4730), and the digits they told."""
        self.kpml_digits = ""
        self.left_out = 0
        """INFOs with digits beyond MAX_INFOS."""

    def message(self, head: SipHead, captured: Captured, side: Side) -> None:
        """One INFO or NOTIFY, or a response to one; `side` sent the request."""
        # A request's, whatever hop it crosses, and however often.
        key = (head.method, head.call_id, head.cseq, head.header("from") or "")
        if head.code is not None:
            self._response(key, head)
        elif key not in self._seen:
            self._seen[key] = None
            if len(self._seen) > MAX_REMEMBERED:
                self._seen.popitem(last=False)
            self._request(key, head, captured, side)

    def _request(self, key: Key, head: SipHead, captured: Captured, side: Side) -> None:
        text = captured.payload.decode("latin-1")  # a telephone-event's body is bytes
        found = info_digit(head, text)
        if found is None:
            self._other(head, text)
        elif len(self._infos) >= MAX_INFOS:
            self.left_out += 1
        else:
            digit = Digit(
                digit=found.digit,
                method=DtmfMethod.INFO,
                start=captured.time_ns / 1e9,
                duration_ms=None if found.duration_ms is None else float(found.duration_ms),
                volume_dbm0=None,
                packets=1,
                end_packets=0,
                complete=True,
                call_id=head.call_id,
            )
            whose = InfoDigit(call_id=head.call_id, side=side, source=captured.source[0], digit=digit)
            self._infos[key] = _Info(digit=whose)

    def _other(self, head: SipHead, text: str) -> None:
        for body in bodies(head, text):
            if body.kind == _KPML:
                self.kpml += 1
                told = _KPML_DIGITS.search(body.text)
                self.kpml_digits += told[1] if told and len(self.kpml_digits) < MAX_KINDS else ""
            elif head.method == "INFO" or body.kind in DIGIT_KINDS:
                kind = (head.method, body.kind)
                known = kind in self.unread or len(self.unread) < MAX_KINDS
                self.unread[kind if known else (head.method, OTHER_KINDS)] += 1

    def _response(self, key: Key, head: SipHead) -> None:
        info, code = self._infos.get(key), head.code or 0
        if info is not None and code >= 200 and (info.code is None or info.code >= 300):
            info.code, info.phrase = code, head.phrase

    def digits(self) -> Iterator[InfoDigit]:
        """Those that were taken, or whose answer is not in the capture."""
        return (info.digit for info in self._infos.values() if info.code is None or info.code < 300)

    def refused(self) -> list[Refused]:
        """Those that were not, by call and answer."""
        found: dict[tuple[str, int, str], str] = {}
        for (method, call_id, cseq, sender), info in self._infos.items():
            again = info.code in _AGAIN and (method, call_id, cseq + 1, sender) in self._infos
            if info.code is not None and info.code >= 300 and not again:
                key = (info.digit.call_id, info.code, info.phrase)
                found[key] = found.get(key, "") + info.digit.digit.digit
        return [
            Refused(call_id=call_id, code=code, phrase=phrase, digits=digits)
            for (call_id, code, phrase), digits in found.items()
        ]
