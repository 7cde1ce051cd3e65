"""SDP (RFC 8866) as far as media needs it. Pure, and never raises."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from agent.sip.bodies import bodies
from agent.sip.keys import Keys
from agent.sip.text import SipHead

MAX_LINES: Final = 512
MAX_MEDIA: Final = 32
MAX_FAULTS: Final = 4
MAX_FAULT: Final = 160
"""Characters of one: it goes into a finding."""
EVENT_NAME: Final = "telephone-event"
FIRST_DYNAMIC: Final = 96
"""RFC 3551 §6: payload types that mean nothing without an rtpmap."""
_RTPMAP: Final = re.compile(r"rtpmap:(\d{1,3}) +([A-Za-z0-9._+-]{1,64})/(\d{1,7})(?:/(\d{1,2}))?")
_FMTP: Final = re.compile(r"fmtp:(\d{1,3}) +(.{1,512})")
_PTIME: Final = re.compile(r"ptime:\s*(\d{1,4})(?:\.\d+)?\s*")
_MEDIUM: Final = re.compile(r"([\w.+-]+) +(\d{1,5})(?:/\d+)? +([\w.+-]+(?:/[\w.+-]+)*)((?: +\S+)+) *")
_CONNECTION: Final = re.compile(r"IN +IP[46] +([0-9A-Za-z.:_-]+)(?:/[0-9/]+)? *")
_ORIGIN: Final = re.compile(r"\S+ \d+ \d+ IN IP[46] \S+ *")
DISCARD: Final = 9
NOWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104
"""Hold, as RFC 2543 wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """What a payload type means."""

    name: str
    """As registered where it is a known one, whatever case the SDP used: `PCMU`, `telephone-event`."""
    clock_hz: int
    channels: int = 1
    fmtp: str = ""
    """Format parameters, as written."""

    def __str__(self) -> str:
        """As in an rtpmap: `PCMU/8000`."""
        return f"{self.name}/{self.clock_hz}" + (f"/{self.channels}" if self.channels > 1 else "")

    def same(self, other: "Encoding") -> bool:
        """Names are compared without case (RFC 8866 §6.6); parameters not at all."""
        mine, theirs = ((one.name.lower(), one.clock_hz, one.channels) for one in (self, other))
        return mine == theirs


STATIC: Final[Mapping[int, Encoding]] = {
    0: Encoding(name="PCMU", clock_hz=8000),
    3: Encoding(name="GSM", clock_hz=8000),
    4: Encoding(name="G723", clock_hz=8000),
    5: Encoding(name="DVI4", clock_hz=8000),
    6: Encoding(name="DVI4", clock_hz=16000),
    7: Encoding(name="LPC", clock_hz=8000),
    8: Encoding(name="PCMA", clock_hz=8000),
    9: Encoding(name="G722", clock_hz=8000),  # samples at 16 kHz, but its timestamps count at 8: RFC 3551 §4.5.2
    10: Encoding(name="L16", clock_hz=44100, channels=2),
    11: Encoding(name="L16", clock_hz=44100),
    12: Encoding(name="QCELP", clock_hz=8000),
    13: Encoding(name="CN", clock_hz=8000),
    14: Encoding(name="MPA", clock_hz=90000),
    15: Encoding(name="G728", clock_hz=8000),
    16: Encoding(name="DVI4", clock_hz=11025),
    17: Encoding(name="DVI4", clock_hz=22050),
    18: Encoding(name="G729", clock_hz=8000),
    25: Encoding(name="CelB", clock_hz=90000),
    26: Encoding(name="JPEG", clock_hz=90000),
    28: Encoding(name="nv", clock_hz=90000),
    31: Encoding(name="H261", clock_hz=90000),
    32: Encoding(name="MPV", clock_hz=90000),
    33: Encoding(name="MP2T", clock_hz=90000),
    34: Encoding(name="H263", clock_hz=90000),
}
"""RFC 3551 §6, tables 4 and 5."""
_NAMES: Final = {
    name.lower(): name
    for name in (*(one.name for one in STATIC.values()), "iLBC", "AMR", "AMR-WB", EVENT_NAME)
}  # fmt: skip


class Direction(StrEnum):
    """RFC 8866 §6.7, as the side whose SDP it is says it of itself."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """That side may send."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """That side is ready to receive."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)


class Keying(StrEnum):
    """An attribute that offers, or takes, keys for SRTP: its name."""

    CRYPTO = "crypto"
    """RFC 4568."""
    FINGERPRINT = "fingerprint"
    """DTLS: RFC 5763."""
    MIKEY = "key-mgmt"
    """RFC 4567."""
    ZRTP = "zrtp-hash"
    """RFC 6189 §8: whether both ends came to keys shows in the media alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One m= line, and what stands below it."""

    kind: str
    """`audio`."""
    address: str
    """Of its own c= line, else of the session's, as written; empty where there is none."""
    port: int
    """0: refused (RFC 3264 §6)."""
    protocol: str
    """`RTP/AVP`."""
    types: tuple[int, ...]
    """Payload types, in the order of the m= line; those of a medium without RTP are not read."""
    line: int
    """Of its m=, from 1."""
    number: int
    """Which m= line it is, from 1: an answer's are those of its offer, and a later offer's those of the one before."""
    declared: dict[int, Encoding] = field(default_factory=dict)
    """By a=rtpmap."""
    direction: Direction = Direction.SENDRECV
    ptime_ms: int | None = None
    keying: frozenset[Keying] = frozenset()
    """Its own, and the session's."""
    keys: Keys = field(default_factory=Keys)
    """Likewise; of those that can be kept."""

    @property
    def rtp(self) -> bool:
        """It is of RTP."""
        return "RTP" in self.protocol

    @property
    def encrypted(self) -> bool:
        """RTP/SAVP and its like."""
        return "SAVP" in self.protocol

    @property
    def framed(self) -> bool:
        """RTP over TCP, a frame for each packet (RFC 4571)."""
        return self.protocol.startswith(("TCP/RTP/", "TCP/DTLS/RTP/"))

    @property
    def listens(self) -> bool:
        """Packets are sent to its port: who opens the TCP connection (a=setup:active) names 9 (RFC 4145 §4.1)."""
        return self.port != 0 and not (self.framed and self.port == DISCARD)

    @property
    def encodings(self) -> dict[int, Encoding]:
        """What its payload types mean, in the order of the m= line; without those that nothing tells of."""
        known = {**STATIC, **self.declared}
        return {number: known[number] for number in self.types if number in known}

    @property
    def codecs(self) -> dict[int, Encoding]:
        """Without telephone-event and comfort noise."""
        return {number: one for number, one in self.encodings.items() if one.name not in (EVENT_NAME, "CN")}

    @property
    def telephone_event(self) -> int | None:
        """The first payload type of RFC 4733 events."""
        return next((number for number, one in self.encodings.items() if one.name == EVENT_NAME), None)

    @property
    def sends(self) -> bool:
        """Its side may send (RFC 3264 §5.1)."""
        return self.port != 0 and self.direction.sends

    @property
    def receives(self) -> bool:
        """Its side says where it receives, and that it does: nothing is sent to 0.0.0.0 (RFC 3264 §8.4)."""
        return self.port != 0 and self.direction.receives and self.address not in NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdp:
    """A session description."""

    media: tuple[Medium, ...]
    """All of them, in order: an answer has as many as its offer, and in the same order."""
    faults: tuple[str, ...]
    """What RFC 8866 forbids, each with its line."""

    @property
    def audio(self) -> Medium | None:
        """The first audio by RTP that is not refused, else the first of those that are."""
        found = [medium for medium in self.media if medium.kind == "audio" and medium.rtp]
        return next((medium for medium in found if medium.port), found[0] if found else None)


def sdp_of(head: SipHead, text: str) -> str | None:
    """The SDP that a message carries, also as a part of a multipart (RFC 5621); None where it carries none.

    `text`: the message with that head.
    """
    found = (body.text for body in bodies(head, text) if body.kind == "application/sdp" and body.text.strip())
    sdp = next(found, None)
    return None if sdp is None else sdp.replace("\r\n", "\n")


def parse_sdp(text: str) -> Sdp:
    """Reads what can be read; the rest is named in `faults`."""
    reader = _Reader()
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    for number, line in enumerate(lines[:MAX_LINES], 1):
        if len(reader.media) <= MAX_MEDIA:
            reader.line(number, line)
    reader.end()
    return Sdp(media=tuple(reader.media[:MAX_MEDIA]), faults=tuple(reader.faults[:MAX_FAULTS]))


class _Reader:
    """The lines, one by one."""

    def __init__(self) -> None:
        self.media: list[Medium] = []
        self.faults: list[str] = []
        self._address = ""
        self._direction = Direction.SENDRECV
        self._ptime_ms: int | None = None
        self._keying: frozenset[Keying] = frozenset()
        self._keys = Keys()
        self._seen: set[str] = set()
        self._ignored = False
        """Below an m= line that could not be read."""

    def line(self, number: int, line: str) -> None:
        """The next one."""
        if not line.strip():
            return
        if line[1:2] != "=" or not line[0].isalpha():
            self._fault(number, line, "no `type=value`")
            return
        value = line[2:].rstrip()
        self._seen.add(line[0])
        match line[0]:
            case "v" if value != "0":
                self._fault(number, line, "the version is 0")
            case "o" if not _ORIGIN.fullmatch(value):
                self._fault(number, line, "no `user id version IN IP4 address`")
            case "m":
                self._medium(number, line, value)
            case "c":
                self._connection(number, line, value)
            case "a" if not self._ignored:
                self._attribute(number, line, value)

    def end(self) -> None:
        """What is missing: RFC 8866 §9."""
        missing = [f"{kind}=" for kind in "vost" if kind not in self._seen]
        if missing:
            self.faults.append(f"no {', '.join(missing)} line")
        self.media = [replace(medium, keys=medium.keys.over(self._keys)) for medium in self.media]
        for medium in self.media:
            if not medium.port:
                continue
            if not medium.address:
                self.faults.append(f"line {medium.line}: m={medium.kind} without a c= line")
            unknown = [one for one in medium.types if one >= FIRST_DYNAMIC and one not in medium.declared]
            if unknown:
                self.faults.append(f"line {medium.line}: payload type {unknown[0]} without a=rtpmap")

    def _fault(self, number: int, line: str, why: str) -> None:
        self.faults.append(f"line {number}: {line.strip()[:80]}: {why}"[:MAX_FAULT])

    def _medium(self, number: int, line: str, value: str) -> None:
        found = _MEDIUM.fullmatch(value)
        types = found[4].split() if found else []
        rtp = found is not None and "RTP" in found[3]
        numbers = [int(one) for one in types if one.isascii() and one.isdigit() and len(one) <= 3 and int(one) < 128]
        if found is None or int(found[2]) > 0xFFFF or (rtp and len(numbers) != len(types)):
            self._fault(number, line, "no `media port protocol formats`")
        self._ignored = found is None or int(found[2]) > 0xFFFF
        if found is None or self._ignored:
            return
        self.media.append(
            Medium(
                kind=found[1],
                address=self._address,
                port=int(found[2]),
                protocol=found[3],
                types=tuple(dict.fromkeys(numbers)) if rtp else (),
                line=number,
                number=len(self.media) + 1,
                direction=self._direction,
                ptime_ms=self._ptime_ms,
                keying=self._keying,
            )
        )

    def _connection(self, number: int, line: str, value: str) -> None:
        found = _CONNECTION.fullmatch(value)
        if found is None:
            self._fault(number, line, "no `IN IP4 address`")
        elif self._ignored:
            pass
        elif self.media:
            self.media[-1] = replace(self.media[-1], address=found[1])
        else:
            self._address = found[1]

    def _attribute(self, number: int, line: str, value: str) -> None:
        self._key(value)
        if value in set(Direction):
            self._set(direction=Direction(value))
        elif found := _PTIME.fullmatch(value):
            self._set(ptime_ms=int(found[1]))
        elif (keying := value.partition(":")[0]) in set(Keying):
            self._set(keying=Keying(keying))
        elif self.media and value.startswith("rtpmap:"):
            found = _RTPMAP.match(value)
            if found is None or int(found[1]) > 127 or int(found[3]) == 0:
                self._fault(number, line, "no `rtpmap:type name/clock`")
            else:
                name = _NAMES.get(found[2].lower(), found[2])
                encoding = Encoding(name=name, clock_hz=int(found[3]), channels=int(found[4] or 1) or 1)
                self.media[-1].declared[int(found[1])] = encoding
        elif self.media and (found := _FMTP.match(value)):
            declared = self.media[-1].declared
            if (known := declared.get(int(found[1]))) is not None:
                declared[int(found[1])] = replace(known, fmtp=found[2].strip())

    def _key(self, value: str) -> None:
        if not self.media:
            self._keys = self._keys.read(value)
        elif (keys := self.media[-1].keys.read(value)) is not self.media[-1].keys:
            self.media[-1] = replace(self.media[-1], keys=keys)

    def _set(
        self, *, direction: Direction | None = None, ptime_ms: int | None = None, keying: Keying | None = None
    ) -> None:
        """Of the medium; above the first one, of all."""
        keys = frozenset({keying} if keying else ())
        if not self.media:
            self._direction, self._ptime_ms = direction or self._direction, ptime_ms or self._ptime_ms
            self._keying |= keys
        else:
            last = self.media[-1]
            self.media[-1] = replace(
                last,
                direction=direction or last.direction,
                ptime_ms=ptime_ms or last.ptime_ms,
                keying=last.keying | keys,
            )
