"""SIP messages of calls, as captures have them, and the media between their ends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from tests.unit.agent.trace.wire import START_NS, Packet, event, rtp

Place = tuple[str, int]
ALICE, BOB = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
ALICE_RTP, BOB_RTP = ("10.0.0.1", 4000), ("10.0.0.2", 5000)


def sdp(
    place: Place, *, media: str = "0 101", profile: str = "RTP/AVP", extra: Sequence[str] = (), more: Sequence[str] = ()
) -> str:
    """One audio line; `extra` below it, `more` below that: other m= lines."""
    host, port = place
    head = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines = [*head, f"m=audio {port} {profile} {media}", "a=rtpmap:101 telephone-event/8000", *extra, *more]
    return "\r\n".join(lines) + "\r\n"


@dataclass(kw_only=True)
class Hop:
    """One call between two ends, or on one of its hops: what it sends is in `packets`."""

    call_id: str = "c1"
    a: Place = ALICE
    b: Place = BOB
    tags: tuple[str, str] = ("a", "b")
    packets: list[Packet] = field(default_factory=list)

    def request(
        self,
        at_s: float,
        method: str,
        cseq: int,
        *,
        body: str = "",
        kind: str = "application/sdp",
        by_b: bool = False,
        begins: bool = False,
        extra: str = "",
        transaction: str = "",
    ) -> None:
        """`begins`: To has no tag yet."""
        mine, yours = reversed(self.tags) if by_b else self.tags
        to = "" if begins else f";tag={yours}"
        self._send(at_s, f"{method} sip:x@example.org SIP/2.0", cseq, method, mine, to, body, kind, extra, transaction,
                   back=by_b)  # fmt: skip

    def response(
        self,
        at_s: float,
        code: int,
        cseq: int,
        method: str = "INVITE",
        *,
        body: str = "",
        by_a: bool = False,
        phrase: str = "OK",
        transaction: str = "",
    ) -> None:
        """To a request of A; with `by_a` to one of B."""
        mine, yours = reversed(self.tags) if by_a else self.tags
        self._send(at_s, f"SIP/2.0 {code} {phrase}", cseq, method, mine, f";tag={yours}", body, "application/sdp", "",
                   transaction, back=not by_a)  # fmt: skip

    def _send(
        self,
        at_s: float,
        start: str,
        cseq: int,
        method: str,
        from_tag: str,
        to: str,
        body: str,
        kind: str,
        extra: str,
        transaction: str,
        *,
        back: bool,
    ) -> None:
        source, destination = (self.b, self.a) if back else (self.a, self.b)
        key = f"{self.call_id} {self.a} {self.b} {cseq} {method if method != 'ACK' else 'INVITE'} {transaction}"
        lines = [
            start,
            f"Via: SIP/2.0/UDP x;branch=z9hG4bK{blake2b(key.encode(), digest_size=6).hexdigest()}",
            f"From: <sip:a@example.org>;tag={from_tag}",
            f"To: <sip:b@example.org>{to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            *([extra] if extra else []),
            *([f"Content-Type: {kind}"] if body else []),
            f"Content-Length: {len(body.encode())}",
        ]
        text = "\r\n".join(lines) + "\r\n\r\n" + body
        self.packets.append(packet(at_s, source, destination, text.encode("latin-1")))

    def set_up(self, at_s: float = 0.0, *, offer: str | None = None, answer: str | None = None) -> None:
        """INVITE, 200 and ACK, within 0.3 s."""
        self.request(at_s, "INVITE", 1, body=sdp(ALICE_RTP) if offer is None else offer, begins=True)
        self.response(at_s + 0.2, 200, 1, body=sdp(BOB_RTP) if answer is None else answer)
        self.request(at_s + 0.3, "ACK", 1)

    def again(self, at_s: float, cseq: int, *, offer: str, answer: str, by_b: bool = False) -> None:
        """A re-INVITE."""
        self.request(at_s, "INVITE", cseq, body=offer, by_b=by_b)
        self.response(at_s + 0.02, 200, cseq, body=answer, by_a=by_b)
        self.request(at_s + 0.04, "ACK", cseq, by_b=by_b)

    def hang_up(self, at_s: float, cseq: int = 9, *, answered: int | None = 200) -> None:
        """By A."""
        self.request(at_s, "BYE", cseq)
        if answered is not None:
            self.response(at_s + 0.01, answered, cseq, "BYE")


def packet(at_s: float, source: Place, destination: Place, payload: bytes) -> Packet:
    return Packet(
        payload=payload,
        time_ns=START_NS + round(at_s * 1e9),
        src=source[0],
        sport=source[1],
        dst=destination[0],
        dport=destination[1],
    )


def media(
    at_s: float,
    source: Place,
    destination: Place,
    keys: str = "",
    *,
    count: int = 20,
    first: int = 100,
    timestamp: int = 16_000,
    ssrc: int = 1,
    seal: bytes = b"",
    lose: Sequence[int] = (),
    events: int = 101,
) -> list[Packet]:
    """`count` packets of 20 ms, then digits of 100 ms with 100 ms of audio behind each.

    `seal` ends each payload, and then the codes of events are 0x80 higher, as of ciphertext.
    """
    packets: list[Packet] = []
    number = first

    def send(payload_type: int, stamp: int, payload: bytes, *, marker: bool = False) -> None:
        nonlocal number
        when = at_s + 0.02 * (number - first)
        if number - first not in lose:
            content = rtp(number, stamp, payload_type=payload_type, ssrc=ssrc, payload=payload + seal, marker=marker)
            packets.append(packet(when, source, destination, content))
        number += 1

    def speak(length: int) -> None:
        for _ in range(length):
            send(0, timestamp + 160 * (number - first), b"\xff" * 160)

    speak(count)
    for key in keys:
        begun = timestamp + 160 * (number - first)
        for step in range(1, 6):
            code = "0123456789*#ABCD".index(key) | (0x80 if seal else 0)
            send(events, begun, event(code, 160 * step, end=step == 5), marker=step == 1)
        speak(5)
    return packets
