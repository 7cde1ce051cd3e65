"""Bad SIP and bad RTP, from good SIP and from nothing; all of it drawn from one seed."""

import random
import re
import struct
from collections.abc import Callable

FEARED = ("-1", "0", "4294967296", "99999999999999999999", "1e9", "0x10", "", " ", "\0", '"', "<", ">", ";", "=", "%00")
HEADERS = (
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Length", "Content-Type", "Record-Route", "Max-Forwards",
)  # fmt: skip
STATUSES = ("100 Trying", "180 Ringing", "183 X", "199 X", "202 Accepted", "301 X", "404 X", "487 X", "500 X", "603 X")
ODD = ("0 X", "099 X", "700 X", "999 X", "20 OK", "2000 OK", "-200 OK", "200", "abc", "", "404 " + "x" * 3000)


class Texts:
    """SIP."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.ways: tuple[Callable[[bytes], bytes], ...] = (
            self.flipped, self.cut, self.doubled, self.nulls, self.lied_about_length, self.without, self.huge,
            self.many, self.odd_header, self.multipart, self.odd_start, self.folded, self.other_tags, self.latin,
        )  # fmt: skip

    def status(self) -> str:
        """Never a 200."""
        return self.dice.choice(STATUSES if self.dice.random() < 0.7 else ODD)

    def any(self, sample: bytes) -> bytes:
        """Something of the sample's kind, or of none."""
        if self.dice.random() < 0.2:
            return self.binary()
        if sample.startswith(b"SIP/2.0 200"):
            return self.spoilt(sample)
        return self.mutated(sample)

    def binary(self) -> bytes:
        kind = self.dice.randrange(4)
        if kind == 0:
            return self.dice.randbytes(self.dice.randrange(1, 1500))
        if kind == 1:
            return b"\r\n" * self.dice.randrange(1, 700)
        if kind == 2:
            return struct.pack(">HHI12s", 1, 0, 0x2112A442, self.dice.randbytes(12))
        return b"A" * self.dice.randrange(60_000)

    def mutated(self, raw: bytes) -> bytes:
        """In one to three ways, and no longer a 200 to anything if it was one."""
        for way in self.dice.sample(self.ways, self.dice.randrange(1, 4)):
            raw = way(raw)
        return self.spoilt(raw) if re.match(rb"SIP/2.0 +2\d\d", raw) else raw

    def spoilt(self, raw: bytes) -> bytes:
        """A response that answers nothing: another branch, another number, no CSeq; or one whose SDP is none."""
        way = self.dice.randrange(4)
        if way == 0:
            return re.sub(rb"branch=", b"branch=z9hG4bKx", raw)
        if way == 1:
            return re.sub(rb"(?i)cseq: *\d+", lambda _: b"CSeq: %d" % self.dice.randrange(3 * 10**6, 10**7), raw)
        if way == 2:
            return re.sub(rb"(?i)cseq", b"Else", raw)
        head = raw.partition(b"\r\n\r\n")[0]
        body = b"v=0\r\n" + self.dice.randbytes(self.dice.randrange(60))
        head = re.sub(rb"(?i)content-length:.*", b"Content-Length: %d" % len(body), head)
        return head + b"\r\n\r\n" + body

    def sdp(self, body: str) -> str:
        """Some of its lines odd, missing or there again."""
        lines = body.split("\r\n")
        for _ in range(self.dice.randrange(1, 4)):
            at = self.dice.randrange(len(lines))
            odd = self.dice.choice(FEARED)
            lines[at : at + 1] = self.dice.choice(([], [lines[at]] * 60, [re.sub(r"\d+", odd, lines[at])], [odd]))
        return "\r\n".join(lines)

    def flipped(self, raw: bytes) -> bytes:
        out = bytearray(raw)
        for _ in range(self.dice.randrange(1, 9)):
            if out:
                out[self.dice.randrange(len(out))] = self.dice.randrange(256)
        return bytes(out)

    def cut(self, raw: bytes) -> bytes:
        return raw[: self.dice.randrange(len(raw) + 1)]

    def doubled(self, raw: bytes) -> bytes:
        begin, end = sorted(self.dice.randrange(len(raw) + 1) for _ in range(2))
        return raw[:end] + raw[begin:end] * self.dice.randrange(1, 5) + raw[end:]

    def nulls(self, raw: bytes) -> bytes:
        at = self.dice.randrange(len(raw) + 1)
        return raw[:at] + b"\0" * self.dice.randrange(1, 20) + raw[at:]

    def lied_about_length(self, raw: bytes) -> bytes:
        told = self.dice.choice((*FEARED, "65536", "3", "100000")).encode()
        return re.sub(rb"(?i)content-length: *\d+", lambda _: b"Content-Length: " + told, raw)

    def without(self, raw: bytes) -> bytes:
        return re.sub(rb"(?im)^%s:.*\r\n" % self.dice.choice(HEADERS).encode(), b"", raw)

    def huge(self, raw: bytes) -> bytes:
        value = self.dice.choice((b"x", b"<sip:", b'"', b";a=b", b"%41", b"[", b",")) * self.dice.choice(
            (500, 4000, 11_000)
        )
        return raw.replace(b"\r\n", b"\r\n%s: %s\r\n" % (self.dice.choice(HEADERS).encode(), value[:50_000]), 1)

    def many(self, raw: bytes) -> bytes:
        name = self.dice.choice(HEADERS).encode()
        return raw.replace(b"\r\n", b"\r\n" + b"%s: <sip:a@b>;x=1\r\n" % name * self.dice.choice((5, 100, 1500)), 1)

    def odd_header(self, raw: bytes) -> bytes:
        name, odd = self.dice.choice(HEADERS).encode(), self.dice.choice(FEARED).encode()
        return re.sub(rb"(?im)^(%s:).*$" % name, lambda found: found[1] + b" " + odd + b"\r", raw)

    def multipart(self, raw: bytes) -> bytes:
        head, _, body = raw.partition(b"\r\n\r\n")
        part = b"--b\r\nContent-Type: application/sdp\r\n\r\n" + body + b"\r\n"
        body = part * self.dice.randrange(1, 30) + self.dice.choice((b"--b--\r\n", b"--b", b""))
        head = re.sub(rb"(?i)content-type:.*", b'Content-Type: multipart/mixed;boundary="b"\r', head)
        return re.sub(rb"(?i)content-length:.*", b"Content-Length: %d" % len(body), head) + b"\r\n\r\n" + body

    def odd_start(self, raw: bytes) -> bytes:
        uri = self.dice.choice(("sip:", "sip:@", "sip:[::", "tel:+1", "sips:a@b", "sip:" + "%" * 40, "x" * 2000))
        start = self.dice.choice(
            (f"FOO {uri} SIP/2.0", f"INVITE {uri} SIP/2.0", "SIP/2.0 404", "SIP/3.0 404 X", "INVITE", "")
        )
        return start.encode() + b"\r\n" + raw.partition(b"\r\n")[2]

    def folded(self, raw: bytes) -> bytes:
        return raw.replace(b": ", b":\r\n \t", self.dice.randrange(1, 5))

    def other_tags(self, raw: bytes) -> bytes:
        return re.sub(rb"tag=[^;\r\n]*", lambda _: b"tag=%d" % self.dice.randrange(10**6), raw)

    def latin(self, raw: bytes) -> bytes:
        return re.sub(rb"sip:\w+", lambda _: b"sip:" + self.dice.randbytes(6), raw, count=2)


class Packets:
    """RTP that is none, or nobody's."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.ways = (
            self.short,
            self.version,
            self.extended,
            self.padded,
            self.sources,
            self.events,
            self.control,
            self.noise,
        )

    def any(self) -> bytes:
        return self.dice.choice(self.ways)()

    def head(self, first: int = 0x80, second: int = 0) -> bytes:
        numbers = (self.dice.randrange(2**16), self.dice.randrange(2**32), self.dice.randrange(2**32))
        return struct.pack(">BBHII", first, second, *numbers)

    def short(self) -> bytes:
        return self.head()[: self.dice.randrange(12)]

    def version(self) -> bytes:
        return self.head(self.dice.choice((0x00, 0x40, 0xC0))) + self.dice.randbytes(160)

    def extended(self) -> bytes:
        """Its extension is longer than the packet, its CSRCs too."""
        return self.head(0x90 | self.dice.randrange(16)) + struct.pack(
            ">HH", 0xBEDE, self.dice.choice((0, 1, 300, 65_535))
        )

    def padded(self) -> bytes:
        return self.head(0xA0) + b"\x80" * self.dice.randrange(20) + bytes([self.dice.choice((0, 1, 30, 255))])

    def sources(self) -> bytes:
        """Each of an SSRC of its own, of a type that is nobody's."""
        return self.head(second=self.dice.choice((77, 96, 127))) + self.dice.randbytes(160)

    def events(self) -> bytes:
        """Never ended, of codes that are no digits, too short or too long."""
        second = self.dice.choice((101, 120, 101 | 128))
        return self.head(second=second) + self.dice.choice(
            (b"", b"\x01", struct.pack(">BBH", 200, 10, 160), b"\x05\x0a" * 700)
        )

    def control(self) -> bytes:
        return struct.pack(
            ">BBH", 0x80 | self.dice.randrange(32), self.dice.randrange(192, 224), self.dice.randrange(2**16)
        )

    def noise(self) -> bytes:
        return self.dice.randbytes(self.dice.choice((0, 1, 11, 12, 13, 500, 9000)))
