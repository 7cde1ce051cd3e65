"""SIP messages as a ladder shows them, and what they say of a call. Never raises, whatever a peer sent."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.sip.sdp import Medium, parse_sdp
from agent.sip.text import CHALLENGES, SipHead, blank_secrets, parse_head, printable
from controller.page.model import Message, Span, SpanKind, Tone

MAX_TEXT: Final = 4096
"""Characters of a message."""
MAX_TITLE: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A SIP message, where and when it crossed."""

    at_s: float
    """Since 1970, by the clock of whoever saw it."""
    source: str
    """`ip:port`."""
    target: str
    text: str

    @property
    def head(self) -> SipHead | None:
        """None: it is none that can be read."""
        return parse_head(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Messages with their heads read once."""

    crossings: tuple[Crossing, ...]
    heads: tuple[SipHead | None, ...]

    @classmethod
    def of(cls, crossings: Iterable[Crossing]) -> "Heads":
        """Reads them."""
        taken = tuple(crossings)
        return cls(crossings=taken, heads=tuple(one.head for one in taken))

    def pairs(self) -> Iterator[tuple[Crossing, SipHead]]:
        """Those that could be read."""
        yield from ((one, head) for one, head in zip(self.crossings, self.heads, strict=True) if head is not None)


def drawn(crossing: Crossing, *, at_s: float, source: int, target: int, again: bool) -> Message:
    """A message between two lanes."""
    head = crossing.head
    text = blank_secrets(printable(crossing.text)).replace("\r\n", "\n").strip("\n")
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}\n… and {len(text) - MAX_TEXT} characters more"
    return Message(
        at_s=at_s,
        source=source,
        target=target,
        title=title_of(crossing.text, head),
        tone=_tone(head),
        has_sdp="v=0" in crossing.text,
        text=text,
        again=again,
    )


def title_of(text: str, head: SipHead | None) -> str:
    """Method, or code and phrase; of what cannot be read the first line."""
    if head is None:
        title = printable(text).strip().partition("\n")[0].strip() or "empty"
    else:
        title = head.method if head.code is None else f"{head.code} {printable(head.phrase)}".strip()
    return title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"


def _tone(head: SipHead | None) -> Tone:
    if head is None:
        return Tone.FAILURE
    if head.code is None:
        return Tone.REQUEST
    if head.code < 200 or head.code in CHALLENGES:  # part of how calls are set up: no failures
        return Tone.PROVISIONAL
    return Tone.SUCCESS if head.code < 300 else Tone.FAILURE


def repeated(crossings: Sequence[Crossing]) -> list[bool]:
    """Which of them had crossed there before: the same bytes between the same two."""
    seen: set[tuple[str, str, str]] = set()
    found = []
    for one in crossings:
        key = (one.source, one.target, one.text)
        found.append(key in seen)
        seen.add(key)
    return found


def final_code(messages: Heads) -> str | None:
    """The final response to the INVITE that began the call: a 2xx where there is one, else that to its last try."""
    finals = [head for _, head in messages.pairs() if head.method == "INVITE" and head.code and head.code >= 200]
    tries = {head.cseq for _, head in messages.pairs() if head.method == "INVITE" and not head.code and not head.to_tag}
    first = [head for head in finals if head.cseq in tries]
    chosen = next((head for head in first if head.code and head.code < 300), first[-1] if first else None)
    return None if chosen is None else title_of("", chosen)


def media_of(crossing: Crossing, head: SipHead) -> Medium | None:
    """The audio of a message's SDP; None where there is none."""
    begin = crossing.text.find("v=0")
    if begin < 0 or head.method not in {"INVITE", "ACK", "PRACK", "UPDATE"}:
        return None
    return next((one for one in parse_sdp(crossing.text[begin:]).media if one.kind == "audio"), None)


def places_of(messages: Heads, source: str | None = None) -> frozenset[str]:
    """`ip:port` that SDPs name as where their senders receive audio; of one sender where it is given."""
    found = set()
    for crossing, head in messages.pairs():
        medium = media_of(crossing, head)
        if medium is not None and medium.port and source in (None, crossing.source):
            host = f"[{medium.address}]" if ":" in medium.address else medium.address
            found.add(f"{host}:{medium.port}")
    return frozenset(found)


def sections_of(messages: Heads, end_s: float) -> tuple[Span, ...]:
    """From each answer (the SDP after another one's offer) to the next, in the messages' own time."""
    begins: list[tuple[float, str]] = []
    offered: str | None = None
    for crossing, head in messages.pairs():
        medium = media_of(crossing, head)
        if medium is None:
            continue
        if offered is not None and offered != crossing.source and head.code is not None:
            label = _section_label(medium)
            if not begins or begins[-1][1] != label:
                begins.append((crossing.at_s, label))
            offered = None
        elif head.code is None:
            offered = crossing.source
    ends = [*(at_s for at_s, _ in begins[1:]), end_s][: len(begins)]
    return tuple(
        Span(begin_s=begin_s, end_s=max(begin_s, until_s), kind=SpanKind.SECTION, label=label)
        for (begin_s, label), until_s in zip(begins, ends, strict=True)
    )


def _section_label(medium: Medium) -> str:
    if not medium.port:
        return "refused (port 0)"
    codec = next((one.name for one in medium.encodings.values()), "?")
    return f"{codec} {medium.protocol} {medium.direction.value}"
