"""Facts out of what pjsua2 and the tap report: messages, digit events, stream counters. Pure."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.call import InfoType
from agent.contract.expect import DtmfMethod
from agent.contract.media import Rtp
from agent.phone.protocol import CallHandle, DigitEnded, DigitReceived, MessageSeen, NotSent, PutOff, Unparsed
from agent.sip.info import BARE, info_digit
from agent.sip.text import CHALLENGES, parse_head, printable
from agent.sip.transactions import Conversation
from agent.tap.model import WAITS, TapMessage, Undirected

MAX_CALL_IDS: Final = 20_000
UNDIRECTED: Final = {
    Undirected.NOT_ALLOWED: "no address that this agent may send to: the operator allows others by --allow-target",
    Undirected.NOT_FOUND: "no address was found for that name",
    Undirected.NO_ANSWER: "no name server answered within 2 s",
    Undirected.NO_TRANSPORT: "this agent has no transport that leads there",
}


class Epochs:
    """How many messages with an SDP each Call-ID has had: the tap counts packets by the same numbers."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def count(self, call_id: str, *, sdp: bool) -> int:
        """The number that a message has. Of MAX_CALL_IDS, the one unheard of for longest is forgotten."""
        epoch = self._counts.get(call_id, 0) + sdp
        if sdp:
            self._counts[call_id] = epoch
            self._counts.move_to_end(call_id)
        if len(self._counts) > MAX_CALL_IDS:
            self._counts.popitem(last=False)
        return epoch


def seen_message(
    message: TapMessage, epochs: Epochs, why: Callable[[int], str]
) -> MessageSeen | PutOff | NotSent | Unparsed:
    """The event that a message of the tap is. `why`: the stack's words for a status of its own."""
    text = printable(message.text.decode(errors="replace"))
    if not message.parsed:
        return Unparsed(at_s=message.at_s, peer=message.peer, local=message.local, protocol=message.protocol, text=text)
    head = parse_head(text)
    if message.unsent == WAITS:
        return PutOff(at_s=message.at_s, head=head, connection=message.connection)
    epoch = epochs.count(head.call_id if head else "", sdp=message.sdp)
    if message.target is not None:
        target = printable(message.target)
        reason = f"{target}: {UNDIRECTED[Undirected(message.unsent)]}"
        return NotSent(at_s=message.at_s, peer=message.peer, head=head, reason=reason, target=target)
    if message.unsent:
        return NotSent(
            at_s=message.at_s,
            peer=message.peer,
            head=head,
            reason=why(message.unsent),
            status=message.unsent,
            connection=message.connection,
        )
    return MessageSeen(
        at_s=message.at_s,
        sent=message.sent,
        peer=message.peer,
        local=message.local,
        protocol=message.protocol,
        connection=message.connection,
        text=text,
        head=head,
        epoch=epoch,
        unread_ms=0.0 if message.sent else round(1000 * (message.read_s - message.at_s), 1),
    )


# --- digits ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Digits:
    """Makes one digit of the packets of one RFC 4733 event (§2.5.1.2: the RTP timestamp identifies it)."""

    call: CallHandle
    _digit: str = ""
    _timestamp: int = -1
    _ended: bool = True

    def packet(
        self, *, at_s: float, digit: str, timestamp: int, duration_ms: int, update: bool, end: bool
    ) -> list[DigitReceived | DigitEnded]:
        """What this packet tells that the ones before did not. `update`: pjsip takes it for the same event."""
        same = (digit, timestamp) == (self._digit, self._timestamp) or (update and not self._ended)
        out: list[DigitReceived | DigitEnded] = []
        if not same:
            self._digit, self._timestamp, self._ended = digit, timestamp, False
            out.append(DigitReceived(at_s=at_s, call=self.call, digit=digit, method=DtmfMethod.RFC4733))
        if end and not self._ended:
            self._ended = True
            out.append(DigitEnded(at_s=at_s, call=self.call, digit=digit, duration_ms=duration_ms))
        return out


RETRY_S: Final = 0.2
"""A challenge that the stack has not answered by then it does not answer."""
TIMER_F_S: Final = 32.0
"""64 × T1: then the stack has given a request up (RFC 3261 §17.1.2.2)."""


def taken_digit(messages: Conversation, answer: MessageSeen, call: CallHandle) -> DigitReceived | None:
    """The digit of an INFO that this answer of ours takes, and no answer before did."""
    head = answer.head
    if head is None or not answer.sent or head.method != "INFO" or (head.code or 0) // 100 != 2:
        return None
    same = [t for t in messages.transactions if t.method == "INFO" and not t.sent and t.cseq == head.cseq]
    info = next((t for t in same if t.branch == head.branch), None)
    taken = sum(said.count for t in same for said in t.answers)  # one by several ways is one (RFC 3261 §12.2.2)
    if info is None or taken != 1:
        return None
    digit = info_digit(info.request.first.head, info.request.first.text)
    if digit is None:
        return None
    kind = InfoType.BARE if digit.kind == BARE else InfoType.RELAY
    return DigitReceived(at_s=answer.at_s, call=call, digit=digit.digit, method=DtmfMethod.INFO, info_type=kind)


def awaits_answer(messages: Conversation, now_s: float) -> bool:
    """The last INFO of ours has none, or only a challenge that the stack is about to answer."""
    info = next((t for t in reversed(messages.transactions) if t.method == "INFO" and t.sent), None)
    if info is None or now_s - info.at_s > TIMER_F_S:
        return False
    final = next(iter(info.finals), None)
    return final is None or (final.code in CHALLENGES and now_s - final.at_s < RETRY_S)


# --- RTP counters ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Samples of a value: how many, their mean and maximum, in µs."""

    samples: int
    mean_us: float
    max_us: float

    def since(self, past: "Spread") -> "Spread":
        """Without the samples that were there at `past`; the maximum stays, as nobody knows when it was."""
        samples = self.samples - past.samples
        if samples <= 0:
            return Spread(samples=0, mean_us=0.0, max_us=0.0)
        mean_us = max(0.0, (self.mean_us * self.samples - past.mean_us * past.samples) / samples)
        return Spread(samples=samples, mean_us=mean_us, max_us=self.max_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCount:
    """What pjsip counted on one RTP stream. A call has more than one when its media was negotiated again."""

    sending_s: float
    """How long it was meant to send; 0 when its direction was receive only."""
    sent: int
    received: int
    lost: int
    """RFC 3550 A.3, of what was received."""
    jitter: Spread
    reports: int
    """RTCP reports that came about what we sent."""
    reported_lost: int
    reported_jitter: Spread
    rtt: Spread

    def since(self, past: "StreamCount") -> "StreamCount":
        """Without what had been counted at `past`. `sending_s` is this one's: it is not of pjsip's counting."""
        return StreamCount(
            sending_s=self.sending_s,
            sent=self.sent - past.sent,
            received=self.received - past.received,
            lost=max(0, self.lost - past.lost),  # a packet that was late has made it smaller
            jitter=self.jitter.since(past.jitter),
            reports=self.reports - past.reports,
            reported_lost=max(0, self.reported_lost - past.reported_lost),
            reported_jitter=self.reported_jitter.since(past.reported_jitter),
            rtt=self.rtt.since(past.rtt),
        )


def rtp_received(streams: Sequence[StreamCount]) -> Rtp | None:
    """All streams' reception as one; None without a stream, all but the packets None without packets."""
    if not streams:
        return None
    packets = sum(s.received for s in streams)
    if not packets:
        return Rtp(packets=0)
    mean, peak = _milliseconds(s.jitter for s in streams)
    return Rtp(
        packets=packets,
        lost=sum(s.lost for s in streams),
        jitter_ms=mean,
        max_jitter_ms=peak,
    )


def rtp_sent(streams: Sequence[StreamCount]) -> Rtp | None:
    """All streams' sending as one; loss and jitter as the peer's RTCP last reported them, None where none came."""
    if not streams:
        return None
    reported = [s for s in streams if s.reports]
    mean, peak = _milliseconds(s.reported_jitter for s in reported)
    lost = sum(s.reported_lost for s in reported) if reported else None
    return Rtp(packets=sum(s.sent for s in streams), lost=lost, jitter_ms=mean, max_jitter_ms=peak)


def rtt_ms(streams: Sequence[StreamCount]) -> float | None:
    """Mean round trip time of RTCP (RFC 3550 §6.4.1), None where no report allowed to tell."""
    return _milliseconds(s.rtt for s in streams)[0]


def media_s(streams: Sequence[StreamCount]) -> float | None:
    """How long media was meant to be sent."""
    return sum(s.sending_s for s in streams) or None


def _milliseconds(spreads: Iterable[Spread]) -> tuple[float | None, float | None]:
    """Mean over all samples, and maximum."""
    with_samples = [s for s in spreads if s.samples]
    if not with_samples:
        return None, None
    mean = sum(s.mean_us * s.samples for s in with_samples) / sum(s.samples for s in with_samples)
    return round(mean / 1e3, 3), round(max(s.max_us for s in with_samples) / 1e3, 3)
