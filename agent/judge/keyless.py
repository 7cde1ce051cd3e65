"""What was sent to a leg, or was to be sent by it, before its DTLS handshake was over. Pure.

Nobody can encipher it: either side may send media once its own side of the handshake is complete, and the other may be
a flight behind (RFC 5763 §6.7). So it was not lost on the way. Nor did it come: a check that misses it is not measured.
"""

from typing import Final

from agent.contract.srtp import DtlsEnd, Keying
from agent.judge.call_leg import CallLeg
from agent.judge.media import received, sent
from agent.judge.spans import Span, length, union

FLIGHT_MS: Final = 300.0
"""By how much the other side may be behind, media under way included."""


def keyless(leg: CallLeg) -> list[Span]:
    """When it waited for keys, in ms since its answer. Of a handshake that did not end, srtp tells."""
    facts = {one.section: one for one in leg.leg.srtp or ()}
    spans: list[Span] = []
    for index, section in enumerate(leg.leg.sections):
        dtls = facts[index].dtls if index in facts else None
        by_dtls = section.keys is not None and section.keys.keying is Keying.DTLS
        if by_dtls and dtls is not None and dtls.end is DtlsEnd.DONE and section.begin_ms is not None:
            spans.append((max(0.0, section.begin_ms), section.begin_ms + (dtls.took_ms or 0.0)))
    return union(spans)


def keyless_ms(leg: CallLeg) -> float:
    """For how long."""
    return length(keyless(leg))


def waited(leg: CallLeg) -> str:
    """In words."""
    over = f"its DTLS handshake was over {keyless_ms(leg) / 1000:.2f} s after its answer"
    return f"the {leg.name} had no keys before: {over} (RFC 5763 §6.7)"


def came_when_keyed(sender: CallLeg, receiver: CallLeg) -> bool:
    """No more packets are missing than were sent while the receiver had no keys."""
    if not keyless(receiver):
        return False
    went, came = sent(sender), received(receiver)
    if went is None or came is None or went.first_ms is None or went.last_ms is None:
        return False
    early_ms = keyless_ms(receiver) + FLIGHT_MS
    return (went.packets - came.packets) * (went.last_ms - went.first_ms) <= went.packets * early_ms
