"""A hostile peer of SRTP: answers of which keys are odd, handshakes that are spoilt on their way, packets of no key."""

import random
import re
import secrets
import socket
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from agent.contract.srtp import Keying
from tests.component.garbage import FEARED, Texts
from tests.component.hostile import Hostile
from tests.component.peers.rtp import bound
from tests.component.peers.sip import Message, media_target, sdp
from tests.component.peers.srtp import Handshake
from tests.component.peers.uas import Address

SUITES = (
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "AES_256_CM_HMAC_SHA1_80",
    "AEAD_AES_128_GCM",
    "NULL",
    "F8_128_HMAC_SHA1_80",
    "x" * 400,
)
KEYS = (30, 46, 29, 0, 128, 129, 500)
"""Bytes: of the two lengths that there are, and others."""
HEAD = bytes((22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0))
"""Of a record of DTLS, up to its length."""


class Keys:
    """What an SDP says of keys, and datagrams of handshakes; all drawn from one seed."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.texts = dice, Texts(dice)
        self.ways: tuple[Callable[[bytes], bytes], ...] = (
            self.texts.flipped, self.texts.cut, self.texts.doubled, self.texts.nulls, self.lied, self.long, self.alert,
            self.fragment, self.epoch, self.many, lambda raw: raw, lambda raw: raw,
        )  # fmt: skip

    def crypto(self) -> str:
        tag = self.dice.choice(("1", "1", "2", "99", *FEARED))
        key = b64encode(self.dice.randbytes(self.dice.choice(KEYS))).decode()
        more = self.dice.choice(
            ("", "", "|2^31", "|2^31|1:4", "|1:128", "|" + "9" * 40, ";inline:" + key, " UNENCRYPTED_SRTP")
        )
        return f"crypto:{tag} {self.dice.choice(SUITES)} inline:{key}{more}"

    def sdes(self) -> list[str]:
        return [self.crypto() for _ in range(self.dice.choice((0, 1, 1, 2, 70)))]

    def dtls(self, fingerprint: str) -> list[str]:
        wrong = self.dice.choice((fingerprint, fingerprint[:-1] + "0", "AA", "", "AA:" * 400, "sha-256"))
        digest = self.dice.choice(("sha-256", "sha-256", "sha-1", "md5", "SHA-512", *FEARED))
        setup = self.dice.choice(("active", "active", "passive", "actpass", "holdconn", *FEARED))
        good = [f"fingerprint:sha-256 {fingerprint}", f"setup:{self.dice.choice(('active', 'passive'))}"]
        return good if self.dice.random() < 0.6 else [f"fingerprint:{digest} {wrong}", f"setup:{setup}"]

    def datagram(self, raw: bytes) -> bytes:
        return self.dice.choice(self.ways)(raw)

    def record(self, body: bytes, kind: int = 22) -> bytes:
        return bytes((kind,)) + HEAD[1:] + len(body).to_bytes(2, "big") + body

    def lied(self, raw: bytes) -> bytes:
        """Longer than it is, or shorter."""
        return raw[:11] + self.dice.randrange(2**16).to_bytes(2, "big") + raw[13:]

    def long(self, raw: bytes) -> bytes:
        """A certificate message that fills a datagram, and more than what there is room for."""
        length = self.dice.choice((1400, 1990, 2010, 8990, 9010, 20_000))
        size = length.to_bytes(3, "big")
        return raw + self.record(b"\x0b" + size + b"\0\1\0\0\0" + size + self.dice.randbytes(length))

    def alert(self, _raw: bytes) -> bytes:
        return self.record(bytes((self.dice.choice((1, 2, 3)), self.dice.choice((0, 20, 40, 50, 255)))), kind=21)

    def fragment(self, _raw: bytes) -> bytes:
        """Of a message that says it is of 16 MB."""
        kind = self.dice.choice((0, 1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 20, 255))
        numbers = self.dice.choice((b"\xff\xff\xff", b"\0\0\1", b"\0\x10\0")) + self.dice.randbytes(2)
        body = self.dice.randbytes(self.dice.randrange(300))
        return self.record(bytes((kind,)) + numbers + self.dice.randbytes(3) + len(body).to_bytes(3, "big") + body)

    def epoch(self, raw: bytes) -> bytes:
        return raw[:3] + self.dice.randbytes(2) + raw[5:]

    def many(self, raw: bytes) -> bytes:
        return raw * self.dice.choice((2, 30))


class HostileKeys(Hostile):
    """Answers calls, with media lines that are to be SRTP; what it sends there nobody can take for any."""

    keying = Keying.SDES

    def __init__(self, seed: int, tally: Counter[str]) -> None:
        super().__init__(seed, tally)
        self.keys = Keys(self.dice)

    def on_invite(self, request: Message, peer: Address) -> None:
        if self.dice.random() < 0.7 and (target := media_target(request.body)) is not None:
            self.tally[f"INVITE answered with {self.keying}"] += 1
            self.answered(request, peer, target)
        else:
            super().on_invite(request, peer)

    def answered(self, invite: Message, peer: Address, target: Address) -> None:
        sock = self.listen(bound(), lambda data, source: self.media(sock, data, source))
        said = self.said(invite, sock, target)
        body = said if self.dice.random() < 0.7 else self.texts.sdp(said)
        self.throw(self.reply(invite, "200 OK", body=body, tag="h0"), peer)
        for _ in range(self.dice.randrange(40)):
            self.later(self.dice.random() * 3, lambda: self.media_thrown(sock, self.packets.any(), target))
        for _ in range(self.dice.randrange(4)):  # with other keys, while it lasts
            again = self.said(invite, sock, target).replace("o=- 77 1", f"o=- 77 {self.dice.randrange(2, 99)}")
            asked = self.to_caller(invite, "INVITE").partition(b"\r\n\r\n")[0]
            head = re.sub(rb"(?i)content-length:.*", b"Content-Length: %d" % len(again), asked)
            raw = head + b"\r\n\r\n" + again.encode()
            self.later(self.dice.random() * 3, lambda raw=raw: self.throw(raw, peer))
        self.later(3, lambda: self.throw(self.to_caller(invite, "BYE"), peer))

    def said(self, invite: Message, sock: socket.socket, _target: Address) -> str:
        profile = self.dice.choice(("RTP/SAVP", "RTP/SAVP", "RTP/AVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP"))
        offered = re.findall(r"a=(crypto:\d+ \S+) inline:", invite.body)
        good = [f"{self.dice.choice(offered)} inline:{b64encode(secrets.token_bytes(46)).decode()}"] if offered else []
        lines = good if good and self.dice.random() < 0.5 else self.keys.sdes()
        return sdp(sock.getsockname()[1], more=tuple(lines)).replace("RTP/AVP", profile)

    def media(self, sock: socket.socket, data: bytes, source: Address) -> None:
        """Thrown back: their own packets, once more, spoilt, or with another key stream on them."""
        if self.dice.random() < 0.1:
            self.media_thrown(sock, self.dice.choice((data, self.texts.flipped(data), self.texts.cut(data))), source)

    def media_thrown(self, sock: socket.socket, raw: bytes, to: Address) -> None:
        try:
            sock.sendto(raw, to)
            self.tally["media"] += 1
        except OSError:  # longer than a datagram may be
            self.tally["media not sent"] += 1


class HostileHandshakes(HostileKeys):
    """Half of what it says in a handshake comes as it should, half is spoilt; and after it, packets of no key."""

    keying = Keying.DTLS

    def said(self, invite: Message, sock: socket.socket, target: Address) -> str:
        handshakes: dict[socket.socket, Any] = self.__dict__.setdefault("handshakes", {})
        if sock not in handshakes:
            handshakes[sock] = made = Spoilt(sock, target, self)
            for wait_s in (0.0, 0.05, 1.0):
                self.later(wait_s, made.advance_if_active)
        lines = tuple(self.keys.dtls(handshakes[sock].fingerprint))
        return sdp(sock.getsockname()[1], more=lines).replace("RTP/AVP", "UDP/TLS/RTP/SAVP")

    def media(self, sock: socket.socket, data: bytes, source: Address) -> None:
        if data and 20 <= data[0] <= 63 and self.dice.random() < 0.8:
            self.__dict__["handshakes"][sock].took(data)
        else:
            super().media(sock, data, source)


class Spoilt(Handshake):
    """A handshake whose datagrams are spoilt on their way out, now and then."""

    def __init__(self, sock: socket.socket, target: Address, peer: HostileHandshakes) -> None:
        super().__init__(sock, target, active=peer.dice.random() < 0.5)
        self.peer, self.spoils = peer, peer.dice.choice((0.0, 0.2, 0.9))

    def advance_if_active(self) -> None:
        if self.active and not self.done:
            self.took(b"")

    def took(self, data: bytes) -> None:  # type: ignore[override]
        try:
            if data:
                self.connection.bio_write(data)
            self.connection.do_handshake()
        except SSL.Error:
            pass
        self.flush()

    def flush(self) -> None:
        try:
            while True:
                raw = self.connection.bio_read(1500)
                spoilt = self.peer.dice.random() < self.spoils
                self.peer.media_thrown(self.socket, self.peer.keys.datagram(raw) if spoilt else raw, self.target)  # type: ignore[arg-type]
        except SSL.Error:
            return


SEALED = {Keying.SDES: HostileKeys, Keying.DTLS: HostileHandshakes}
