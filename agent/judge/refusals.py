"""Why our own callee refused a call: what of the caller's INVITE was changed on the way (RFC 3261 §21.4, RFC 3264)."""

from collections.abc import Iterable
from typing import Final

from agent.contract.observation import LegObservation, SipMessage
from agent.sip.sdp import Medium, parse_sdp, sdp_of
from agent.sip.text import SipHead, parse_head

_HEADERS: Final = {415: ("Content-Type", "Content-Encoding"), 420: ("Require", "Proxy-Require"), 421: ("Supported",)}
"""The headers that a refusal is about: an unread body, an option that we lack, one that the other side lacks."""
REFUSALS: Final = frozenset({415, 488, 606})
"""Final responses that are about the session that was offered (RFC 3261 §21.4.13, §21.4.26, §21.6.4)."""
OFFER_CODES: Final = REFUSALS | {406}
"""Refusals of an SDP that we cannot use. Both agents offer the same: what is between changed it."""
_OF_SDP: Final = OFFER_CODES | {400}
"""And of one that cannot be read."""
PATH_CODES: Final = _OF_SDP | _HEADERS.keys()
"""What our SIP stack answers to an INVITE that no agent of ours sends so."""


def changed_on_the_way(caller: LegObservation, callee: LegObservation) -> str | None:
    """What of the INVITE explains the callee's final response; None: nothing that is known of it."""
    placed, came = _invite(caller.messages, sent=True), _invite(callee.messages, sent=False)
    if placed is None or came is None or callee.final_code is None:
        return None
    header = _header(placed[0], came[0], _HEADERS.get(callee.final_code, ()))
    return header or (_offer(sdp_of(*placed), sdp_of(*came)) if callee.final_code in _OF_SDP else None)


def _invite(messages: Iterable[SipMessage], *, sent: bool) -> tuple[SipHead, str] | None:
    """The first one that crossed so, read; None where there was none."""
    heads = ((parse_head(message.text), message.text) for message in messages if message.sent is sent)
    return next(((head, text) for head, text in heads if head and head.method == "INVITE" and head.code is None), None)


def _header(placed: SipHead, came: SipHead, names: Iterable[str]) -> str | None:
    """The header that came otherwise than it was sent."""
    for name in names:
        was, now = placed.header(name) or "", came.header(name) or ""
        if _words(was) != _words(now):
            return f"its INVITE had {name}: {now or 'none'}, the caller sent {was or 'none'}"
    return None


def _words(value: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in value.split(","))


def _offer(placed: str | None, came: str | None) -> str | None:
    """What of the offered audio is missing, or in another form."""
    before = None if placed is None else parse_sdp(placed).audio
    if before is None:
        return None
    if came is None:
        return "its INVITE had no SDP"
    seen = parse_sdp(came)
    return f"its INVITE's SDP, {seen.faults[0]}" if seen.faults else _medium(before, seen.audio)


def _medium(before: Medium, after: Medium | None) -> str | None:
    if after is None or not after.port:
        return "its INVITE offered no audio"
    if after.protocol != before.protocol:
        return f"its INVITE offered {after.protocol}, the caller {before.protocol}"
    codecs = list(after.codecs.values())
    lost = [codec for codec in before.codecs.values() if not any(codec.same(other) for other in codecs)]
    return f"its INVITE lacked {', '.join(map(str, lost))}, which the caller offered" if lost else None
