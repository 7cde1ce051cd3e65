"""SIP messages as text: just enough of RFC 3261 §7 to say what was on the wire. Never raises, whatever a peer sent."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

MAX_HEADERS: Final = 256
MAX_VALUE: Final = 1024
"""Characters of a header's value. Like the count, more than anybody in good faith sends: the rest is not read."""

CHALLENGES: Final = {401: "www-authenticate", 407: "proxy-authenticate"}
"""Responses that ask for credentials, and the header that says which (RFC 3261 §22)."""
MAX_PHRASE: Final = 128
"""Characters of a reason phrase: it goes into findings, and these into a result of 4,000 bytes."""

_PLAIN: Final = re.compile(r"[\t\r\n\x20-\x7e]*")
_METHOD: Final = r"[A-Za-z0-9.!%*_+`'~-]{1,32}"
_STATUS_LINE: Final = re.compile(r"SIP/2\.0 +([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_REQUEST_LINE: Final = re.compile(rf"({_METHOD}) +(\S+) +SIP/2\.0", re.IGNORECASE)
_CSEQ: Final = re.compile(rf"([0-9]{{1,10}})\s+({_METHOD})")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_USER: Final = re.compile(r"\b(?:sips?:([^@:;>\s]+)(?::[^@>\s]*)?@|tel:([^;>\s]+))", re.IGNORECASE)
_ANGLED: Final = re.compile(r"<[^>]*>")
_TAG: Final = re.compile(r";\s*tag\s*=\s*([^;,\s>]+)", re.IGNORECASE)
_BRANCH: Final = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)
_CONTACT: Final = re.compile(r"<([^>]*)>|(?:^|,)\s*([^<>\s,;\"]+:[^<>\s,;\"]+)")
CALL_ID: Final = re.compile(r"^(?:call-id|i)[ \t]*:[ \t]*(\S{1,256})", re.IGNORECASE | re.MULTILINE)
"""Where a message as a whole cannot be read."""
MAX_CONTACTS: Final = 8
"""Of one message, as far as anybody tells of them."""
_FOLDED: Final = re.compile(r"\n[ \t]+")
COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""IANA's registry of SIP header fields."""
_CREDENTIALS: Final = re.compile(
    r"^((?:proxy-)?(?:authorization|authentication-info)[ \t]*:)(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE
)
_DIGEST: Final = re.compile(r'((?:response|rspauth)\s*=\s*)("[^"]*|[^,]*)', re.IGNORECASE)
_SCHEME: Final = re.compile(r"\s*\S*")
_KEYS: Final = re.compile(
    r"^(?:(a=crypto:.*)|(a=key-mgmt:\S*[ \t])(.*)|(k=[^:\r\n]*:)(.*))", re.IGNORECASE | re.MULTILINE
)
"""Lines of an SDP that carry a key: RFC 4568 §9.1, RFC 4567 §3.1, RFC 4566 §5.12."""
_INLINE: Final = re.compile(r"(inline:)([^|;\s]*)", re.IGNORECASE)


def printable(text: str) -> str:
    """The text with everything that could steer a terminal or a page replaced; CR, LF and TAB stay."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(c if c.isprintable() or c in "\t\r\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def blank_secrets(text: str) -> str:
    """The message as captures have it too (agent/tap), with x over what nobody else is to know.

    That is what a password could be guessed from (RFC 3261 §22), and the keys of SRTP in an SDP.
    """
    return _KEYS.sub(_blank_key, _CREDENTIALS.sub(_blank_credentials, text))


def _blank_key(line: re.Match[str]) -> str:
    crypto, *named = line.groups(default="")
    if crypto:
        return _INLINE.sub(lambda found: found[1] + _blanked(found[2]), crypto)
    method, managed, kind, plain = named
    return method + _blanked(managed) + kind + _blanked(plain)


def _blank_credentials(header: re.Match[str]) -> str:
    """Of another scheme than Digest all is blanked; an Authentication-Info has no scheme."""
    name, value = header.groups()
    scheme = _SCHEME.match(value)[0]  # type: ignore[index]  # it matches anything
    if scheme.strip().lower() == "digest" or name.lower().rstrip(": \t").endswith("info"):
        return name + _DIGEST.sub(lambda found: found[1] + _blanked(found[2]), value)
    return name + scheme + _blanked(value[len(scheme) :])


def _blanked(text: str) -> str:
    return "".join(c if c.isspace() or c == '"' else "x" for c in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SipHead:
    """The start line and the headers of one message."""

    method: str
    """Of the request, or of the request that this is a response to (from CSeq)."""
    cseq: int
    call_id: str
    code: int | None
    """None: a request."""
    phrase: str
    uri: str
    """Request-URI; empty for a response."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case and long form, in the order they came; folded lines joined."""

    def header(self, name: str) -> str | None:
        """The first header of this name, any case; None when absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)

    @property
    def from_user(self) -> str | None:
        """The user part of From, unescaped; None where it has none."""
        found = _USER.search(_QUOTED.sub("", self.header("from") or ""))
        return unquote(found[1] or found[2]) if found else None

    @property
    def in_dialog(self) -> bool:
        """To has a tag: not a request that begins a dialog."""
        return bool(self.to_tag)

    @property
    def from_tag(self) -> str:
        """Lower case, as tags are compared (RFC 3261 §7.3.1, §19.3); empty where there is none."""
        return self._tag("from")

    @property
    def to_tag(self) -> str:
        """As `from_tag`."""
        return self._tag("to")

    def _tag(self, name: str) -> str:
        """Outside the URI's brackets: what is within is the URI's own parameter."""
        found = _TAG.search(_ANGLED.sub("", _QUOTED.sub("", self.header(name) or "")))
        return found[1].lower() if found else ""

    @property
    def branch(self) -> str:
        """Of the top Via, lower case: which transaction this is (RFC 3261 §17.1.3); empty where there is none."""
        found = _BRANCH.search((self.header("via") or "").partition(",")[0])
        return found[1].lower() if found else ""

    @property
    def contacts(self) -> tuple[str, ...]:
        """The URIs of all Contact headers, MAX_CONTACTS at most."""
        lists = (_QUOTED.sub("", value) for key, value in self.headers if key == "contact")
        found = [uri[1] or uri[2] for values in lists for uri in _CONTACT.finditer(values)]
        return tuple(found[:MAX_CONTACTS])


def parse_head(text: str) -> SipHead | None:
    """Reads a message's head (RFC 3261 §7); None when it is not one, or has no Call-ID or CSeq."""
    start, *lines = text.lstrip("\r\n").replace("\r\n", "\n").split("\n")
    status, request = _STATUS_LINE.fullmatch(start.rstrip()), _REQUEST_LINE.fullmatch(start.rstrip())
    if not (status or request):
        return None
    headers = _headers(lines)
    named = dict(reversed(headers))
    cseq = _CSEQ.fullmatch(named.get("cseq", ""))
    if cseq is None or not named.get("call-id"):
        return None
    return SipHead(
        method=request[1] if request else cseq[2],
        cseq=int(cseq[1]),
        call_id=named["call-id"],
        code=int(status[1]) if status else None,
        phrase=(status[2] or "").strip()[:MAX_PHRASE] if status else "",
        uri=request[2] if request else "",
        headers=headers,
    )


def header_values(text: str, name: str) -> tuple[str, ...]:
    """The values of all headers of that name, in lower case and long form, however long they are."""
    # A CR alone ends a line, too: our SIP stack takes it so, whatever RFC 3261 §7 says.
    head = text.lstrip("\r\n").replace("\r\n", "\n").replace("\r", "\n").partition("\n\n")[0]
    _, *lines = _FOLDED.sub(" ", head).split("\n")
    named = (line.partition(":") for line in lines)
    return tuple(value.strip() for key, _, value in named if _long_name(key) == name)


def _long_name(name: str) -> str:
    key = name.strip().lower()
    return COMPACT.get(key, key)


def _headers(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """Name and value of each header line up to the empty line; lines without a colon are skipped."""
    headers: list[tuple[str, str]] = []
    for line in lines:
        if not line.strip() or len(headers) == MAX_HEADERS:
            break
        if line[0] in " \t":
            if headers:
                name, value = headers[-1]
                headers[-1] = (name, f"{value} {line.strip()}".strip()[:MAX_VALUE])
            continue
        name, colon, value = line.partition(":")
        if colon:
            headers.append((_long_name(name), value.strip()[:MAX_VALUE]))
    return tuple(headers)
