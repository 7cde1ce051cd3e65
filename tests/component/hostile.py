"""A SIP and RTP peer that means harm, against our agents: no crash, no hang, bounded memory, never a Passed verdict.

usage: dev/uv run --no-sync python -m tests.component.hostile [--seconds N] [--seed N] [--transport UDP|TCP|TLS]
                                                              [--srtp SDES|DTLS]

`calltest run` calls it over and over (callers alone; caller and callee), and over UDP a parrot is flooded all the
while. Over connections it also sends half messages, and ends them where that hurts. It never sends a 200 to an INVITE
that could be taken for one, nor media that is any; with --srtp, over UDP, it answers, and nobody can take for SRTP what
it sends then. Everything random comes from the seed, but when it happens does not. Prints a table; exit 1 on a fault.
"""

import argparse
import contextlib
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from agent.contract.plan import Transport
from agent.contract.srtp import Keying
from tests.component.garbage import Packets, Texts
from tests.component.hostile_runs import MAX_MB, How, Tally, placed, watched_parrot
from tests.component.peers.rtp import bound
from tests.component.peers.sip import Message, branch, media_target, response, sdp, with_tag, written
from tests.component.peers.tcp import TcpUas
from tests.component.peers.tls import TlsUas
from tests.component.peers.uas import Address, Uas

BURST_S = 0.02
"""Between two bursts at everybody who was seen."""
AT_ONCE = 5
"""So many of them."""
REGISTERED = "callee"
"""The user whose registration is taken: somebody must be there to be called."""


class Hostile(Uas):
    """Answers each request with something bad, and sends more of it to whoever has been seen."""

    def __init__(self, seed: int, tally: Counter[str]) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.texts, self.packets = Texts(self.dice), Packets(self.dice)
        self.tally = tally
        self.seen = dict[Address, float]()
        self.media_seen = dict[Address, float]()
        self.samples = [b"OPTIONS sip:x SIP/2.0\r\n\r\n"]
        """What is mutated: the last messages that came."""
        self.noise = bound()
        self.burst()

    # --- what it does unasked

    def burst(self) -> None:
        """To SIP and RTP sockets that were heard of in the last seconds."""
        now_s = time.monotonic()
        for places, make, sock in (
            (self.seen, self.unasked, self.sip),
            (self.media_seen, self.packets.any, self.noise),
        ):
            recent = [place for place, at_s in places.items() if now_s - at_s < 20]
            for place in self.dice.sample(recent, min(AT_ONCE, len(recent))):
                for _ in range(self.dice.randrange(4)):
                    with contextlib.suppress(OSError):  # longer than a datagram may be
                        self.emit(sock, make(), place)
                        self.tally["SIP" if sock is self.sip else "RTP"] += 1
        self.later(BURST_S, self.burst)

    def emit(self, sock: socket.socket, raw: bytes, place: Address) -> None:
        sock.sendto(raw, place)

    def unasked(self) -> bytes:
        return self.texts.any(self.dice.choice(self.samples))

    def _datagram(self, data: bytes, peer: Address) -> None:
        self.seen[peer] = time.monotonic()
        self.samples = [*self.samples[-20:], data]
        message = Message.parse(data)
        if (target := media_target(message.body)) is not None:
            self.media_seen[target] = time.monotonic()
        with contextlib.suppress(ValueError, IndexError, KeyError):  # its own garbage, thrown back
            super()._datagram(data, peer)

    def throw(self, raw: bytes, to: Address) -> None:
        with contextlib.suppress(OSError):
            self.send(raw, to)
            self.tally["SIP"] += 1

    # --- what it answers

    def on_register(self, request: Message, peer: Address) -> None:
        if REGISTERED in request.get("to"):
            super().on_register(request, peer)
        for _ in range(self.dice.randrange(3)):
            self.throw(self.texts.mutated(self.reply(request, "401 Unauthorized")), peer)

    def on_other(self, request: Message, peer: Address) -> None:
        self.throw(self.texts.mutated(self.reply(request, self.texts.status())), peer)

    def on_bye(self, request: Message, peer: Address) -> None:
        self.on_other(request, peer)

    def on_cancel(self, request: Message, peer: Address) -> None:
        self.on_other(request, peer)

    def on_response(self, message: Message, peer: Address) -> None:
        """Acknowledged or not, and now and then with another dialog's ends."""
        if message.method == "INVITE" and message.code >= 200 and self.dice.random() < 0.7:
            self.throw(self.in_dialog(message, "ACK"), peer)
            for method in self.dice.sample(["BYE", "INFO", "UPDATE", "INVITE", "REFER", "OPTIONS", "PRACK", "FOO"], 3):
                raw = self.in_dialog(message, method)
                self.later(self.dice.random() * 3, lambda raw=raw: self.throw(self.texts.mutated(raw), peer))
            self.later(5, lambda: self.throw(self.in_dialog(message, "BYE"), peer))

    def on_invite(self, request: Message, peer: Address) -> None:
        ways: list[Callable[[Message, Address], None]] = [
            self.storm, self.spoilt, self.early, self.refused, self.challenged, self.reflected, self.mutated,
            self.quiet,
        ]  # fmt: skip
        way = self.dice.choice(ways)
        self.tally[f"INVITE {way.__name__}"] += 1
        way(request, peer)

    def quiet(self, request: Message, peer: Address) -> None:
        """Nothing at all."""

    def storm(self, request: Message, peer: Address) -> None:
        """Provisional responses without end, each of a branch of its own."""
        for number in range(self.dice.choice((20, 200))):
            status = self.dice.choice(
                ("100 Trying", "180 Ringing", "183 Session Progress", "199 Early Dialog Terminated")
            )
            extra = ("Require: 100rel", f"RSeq: {self.dice.randrange(2**32)}") if self.dice.random() < 0.3 else ()
            raw = self.reply(request, status, tag=f"t{number}", extra=extra)
            self.later(self.dice.random() * 2, lambda raw=raw: self.throw(raw, peer))

    def spoilt(self, request: Message, peer: Address) -> None:
        """A 200 that cannot be one."""
        for _ in range(3):
            self.throw(self.texts.spoilt(self.reply(request, "200 OK", body=sdp(9))), peer)

    def early(self, request: Message, peer: Address) -> None:
        """Early media, of which nothing is media."""
        body = sdp(self.noise.getsockname()[1])
        raw = self.reply(
            request, "183 Session Progress", body=body if self.dice.random() < 0.5 else self.texts.sdp(body)
        )
        self.throw(raw, peer)
        for method in self.dice.sample(["BYE", "UPDATE", "INFO", "PRACK", "INVITE"], 2):
            self.later(self.dice.random(), lambda method=method: self.throw(self.to_caller(request, method), peer))

    def refused(self, request: Message, peer: Address) -> None:
        codes = (
            "300 Multiple Choices",
            "302 Moved",
            "422 Too Small",
            "491 Pending",
            "503 Busy",
            "699 Never",
            "380 Else",
        )
        extra = ("Min-SE: 4294967295", "Retry-After: -1", *(f"Contact: <sip:{n}@{self.address}>" for n in range(30)))
        self.throw(self.reply(request, self.dice.choice(codes), extra=extra), peer)

    def challenged(self, request: Message, peer: Address) -> None:
        """Again and again, and never twice alike."""
        kind, code = self.dice.choice((("WWW", "401 Unauthorized"), ("Proxy", "407 Proxy Authentication Required")))
        words = [
            'realm="r"',
            f'nonce="{self.dice.randrange(10**9)}"',
            "algorithm=MD5",
            "stale=true",
            'qop="auth"',
            '"',
            "=",
        ]
        count = self.dice.choice((1, 1, 40))
        extra = [f"{kind}-Authenticate: Digest {', '.join(self.dice.sample(words, 5))}" for _ in range(count)]
        self.throw(self.reply(request, code, extra=tuple(extra)), peer)

    def reflected(self, request: Message, peer: Address) -> None:
        """Its own INVITE comes back, and as somebody else's."""
        raw = self.samples[-1]
        self.throw(raw, peer)
        self.throw(raw.replace(request.call_id.encode(), b"another"), peer)

    def mutated(self, request: Message, peer: Address) -> None:
        for _ in range(self.dice.randrange(1, 8)):
            self.throw(self.texts.mutated(self.reply(request, self.texts.status())), peer)

    # --- what it makes of a message

    def reply(self, request: Message, status: str, **more: object) -> bytes:
        tag = f"h{self.dice.randrange(3)}"
        return response(request, status, **({"contact": self.contact, "tag": tag} | more))  # type: ignore[arg-type]

    def to_caller(self, invite: Message, method: str) -> bytes:
        """A request in the early dialog, from its called side."""
        ends = [f"From: {with_tag(invite.get('to'), 'h0')}", f"To: {invite.get('from')}"]
        return self._request(method, invite.uri("contact"), invite.call_id, ends, self.dice.randrange(2**33))

    def in_dialog(self, answer: Message, method: str) -> bytes:
        """A request from the side that called."""
        ends = [f"From: {answer.get('from')}", f"To: {answer.get('to')}"]
        number = answer.cseq[0] if method == "ACK" else self.dice.randrange(2**31)
        return self._request(method, answer.uri("contact") or "sip:x", answer.call_id, ends, number)

    def _request(self, method: str, uri: str, call_id: str, ends: list[str], cseq: int) -> bytes:
        via = f"Via: SIP/2.0/{self.protocol} {self.address};branch={branch()};rport"
        headers = [
            via,
            "Max-Forwards: 70",
            *ends,
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: {self.contact}",
        ]
        return written(f"{method} {uri} SIP/2.0", headers, sdp(9) if method in {"INVITE", "UPDATE"} else "")


class Streaming(Hostile, TcpUas):
    """Over connections: whole messages, halves, several at once, and an end or a reset where it hurts."""

    def emit(self, sock: socket.socket, raw: bytes, place: Address) -> None:
        if sock is self.sip:
            self.send(raw, place)
        else:
            super().emit(sock, raw, place)

    def send(self, raw: bytes, to: Address) -> None:
        if to not in self.connections:
            return
        fate = self.dice.random()
        cut = self.dice.randrange(len(raw) + 1)
        if fate < 0.1:  # the rest never comes; or much later, behind other messages
            super().send(raw[:cut], to)
            self.later(self.dice.random() * 3, lambda: self.throw(raw[cut:], to) if fate < 0.03 else None)
        elif fate < 0.2:
            for piece in (b"\r\n\r\n", raw[:cut], raw[cut:]):
                super().send(piece, to)
        else:
            super().send(raw, to)
        if self.dice.random() < 0.02 and to in self.connections:
            self.tally["ends of connections"] += 1
            self.drop(to, reset=self.dice.random() < 0.5)


class SecureStreaming(Streaming, TlsUas):
    """Over TLS; now and then what follows is no TLS any more."""

    def send(self, raw: bytes, to: Address) -> None:
        if self.dice.random() < 0.01 and to in self.connections:
            self.tally["no TLS"] += 1
            with contextlib.suppress(OSError):
                os.write(self.connections[to].fileno(), self.dice.randbytes(50))
        super().send(raw, to)


PEERS: Final = {Transport.UDP: Hostile, Transport.TCP: Streaming, Transport.TLS: SecureStreaming}


class Flooder(Hostile):
    """Calls somebody, as fast as it may and as badly as it can; some of the calls are good until they are up."""

    def __init__(self, seed: int, tally: Counter[str], victim: Address) -> None:
        self.victim = victim
        super().__init__(seed, tally)

    def burst(self) -> None:
        self.seen[self.victim] = time.monotonic()
        if self.dice.random() < 0.3:
            good = self.invite()
            self.samples = [*self.samples[-20:], good]
            self.throw(good if self.dice.random() < 0.7 else self.texts.mutated(good), self.victim)
            self.tally["INVITE to a parrot"] += 1
        super().burst()

    def invite(self) -> bytes:
        headers = [
            f"Via: SIP/2.0/UDP {self.address};branch={branch()};rport",
            "Max-Forwards: 70",
            f"From: <sip:mallory@example.com>;tag=f{self.dice.randrange(10**9)}",
            "To: <sip:parrot@example.com>",
            f"Call-ID: {self.dice.randrange(10**12)}",
            f"CSeq: {self.dice.randrange(1, 2**31)} INVITE",
            f"Contact: {self.contact}",
        ]
        body = sdp(self.noise.getsockname()[1])
        start = f"INVITE sip:parrot@{self.victim[0]}:{self.victim[1]} SIP/2.0"
        return written(start, headers, body if self.dice.random() < 0.8 else self.texts.sdp(body))


def attack(seconds: float, seed: int, how: How) -> Tally:
    """Until the time is over; the last run is let come to its end."""
    tally, until_s, number = Tally(), time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory(prefix="calltest-hostile-") as folder, contextlib.ExitStack() as stack:
        if how.transport is Transport.UDP:
            parrot = stack.enter_context(watched_parrot(Path(folder), tally))
            stack.enter_context(Flooder(seed, tally.sent, parrot))
        while number == 0 or time.monotonic() < until_s:
            with both_at_once(seed + number, tally, how) as peers:
                threads = [
                    threading.Thread(target=placed, args=(Path(folder), kind, number, peer, how, tally))
                    for kind, peer in zip(("callers", "ends"), peers, strict=True)
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            number += 1
    return tally


@contextlib.contextmanager
def both_at_once(seed: int, tally: Tally, how: How) -> Iterator[tuple[str, str]]:
    """Addresses of two peers."""
    from tests.component.hostile_srtp import SEALED  # noqa: PLC0415  # they are made of these here

    peer: type[Hostile] = SEALED[how.keying] if how.keying else PEERS[how.transport]
    with peer(2 * seed, tally.sent) as one, peer(2 * seed + 1, tally.sent) as other:
        yield one.address, other.address


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--transport", type=Transport, choices=Transport, default=Transport.UDP)
    parser.add_argument("--srtp", type=Keying, choices=Keying)
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    tally = attack(asked.seconds, asked.seed, How(transport=asked.transport, keying=asked.srtp))
    for title, counts in (("sent", tally.sent), ("verdicts of runs", tally.verdicts), ("reasons", tally.reasons)):
        print(f"\n| {title} | |\n|---|---|")
        print("\n".join(f"| {name} | {count:,} |" for name, count in counts.most_common()))
    peaks = ", ".join(f"{kind} {mb:.0f} MB" for kind, mb in tally.peak_mb.items())
    print(f"\n{tally.runs} runs, {tally.calls} calls; most memory: {peaks}, of {MAX_MB} MB")
    print("\n".join(tally.faults) or "no crash, no hang, no Passed")
    return int(bool(tally.faults))


if __name__ == "__main__":
    sys.exit(main())
