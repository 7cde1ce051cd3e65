"""SIP messages, as little as a peer needs: values in, bytes out."""

import re
import secrets
from dataclasses import dataclass
from functools import cached_property

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO"


@dataclass(frozen=True)
class Message:
    """One that was received."""

    start: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in order."""
    body: str

    @classmethod
    def parse(cls, raw: bytes) -> "Message":
        head, _, body = raw.decode(errors="replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return cls(start, tuple((COMPACT.get(name, name), value) for name, value in pairs), body)

    @cached_property
    def code(self) -> int:
        """0: it is a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @cached_property
    def method(self) -> str:
        """Of the request, or of the one that this answers."""
        return self.cseq[1]

    @cached_property
    def cseq(self) -> tuple[int, str]:
        number, method = self.get("cseq").split()
        return int(number), method

    @cached_property
    def call_id(self) -> str:
        return self.get("call-id")

    @cached_property
    def user(self) -> str:
        """Of the request's URI."""
        return re.sub(r"^\S+ sips?:([^@;> ]*)@?.*", r"\1", self.start)

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def uri(self, name: str) -> str:
        """What stands in the header's angle brackets, or before its parameters."""
        found = re.search(r"<([^>]+)>|^([^;\s]+)", self.get(name))
        return (found[1] or found[2]) if found else ""

    def tag(self, name: str) -> str:
        """`from`, `to`; empty: there is none."""
        found = re.search(r";\s*tag=([^;\s]+)", self.get(name).rpartition(">")[2])
        return found[1] if found else ""

    def credentials(self) -> str:
        """All of them."""
        return " ".join(value for key, value in self.headers if key in {"authorization", "proxy-authorization"})


def with_tag(header: str, tag: str) -> str:
    return header if not tag or ";tag=" in header else f"{header};tag={tag}"


def branch() -> str:
    return f"z9hG4bK{secrets.token_hex(8)}"


def written(start: str, headers: list[str], body: str = "", kind: str = "application/sdp") -> bytes:
    lines = [start, *headers, *([f"Content-Type: {kind}"] if body else []), f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, "", body]).encode()


def response(
    request: Message,
    status: str,
    *,
    contact: str,
    tag: str = "",
    body: str = "",
    extra: tuple[str, ...] = (),
) -> bytes:
    """To that request: its Vias, its Record-Route, both ends of the dialog. `status`: `200 OK`."""
    copied = [f"{name}: {value}" for name in ("via", "record-route") for value in request.all(name)]
    headers = [
        *copied,
        f"From: {request.get('from')}",
        f"To: {with_tag(request.get('to'), tag)}",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.get('cseq')}",
        *([f"Contact: {contact}"] if contact else []),
        f"Allow: {ALLOW}",
        *extra,
    ]
    return written(f"SIP/2.0 {status}", headers, body)


def sdp(
    port: int,
    *,
    host: str = "127.0.0.1",
    formats: str = "0 101",
    event: int = 101,
    way: str = "sendrecv",
    version: int = 1,
    more: tuple[str, ...] = (),
) -> str:
    """One stream of audio: PCMU and events, or `formats`; `more`: further attributes."""
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- 77 {version} IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {formats}",
        "a=rtpmap:0 PCMU/8000",
        f"a=rtpmap:{event} telephone-event/8000",
        f"a=fmtp:{event} 0-15",
        *(f"a={attribute}" for attribute in more),
        f"a={way}",
    ]
    return "\r\n".join([*lines, ""])


def media_target(body: str) -> tuple[str, int] | None:
    """Where an SDP wants its audio; None: nowhere."""
    host, port = re.search(r"c=IN IP[46] (\S+)", body), re.search(r"m=audio (\d+)", body)
    return (host[1], int(port[1])) if host and port and port[1] != "0" else None


def event_type(body: str) -> int:
    """The payload type of RFC 4733 events in an SDP, 101 where it has none."""
    found = re.search(r"a=rtpmap:(\d+) telephone-event/8000", body)
    return int(found[1]) if found else 101
