"""SDP (RFC 8866) as far as RTP needs it: where each medium is received, and what its payload types mean."""

import re
from dataclasses import dataclass
from typing import Final

from agent.trace.model import Format
from agent.trace.streams.formats import EVENT_NAME

MAX_LINES: Final = 512
MAX_MEDIA: Final = 32
_RTPMAP: Final = re.compile(r"rtpmap:(\d{1,3}) +([A-Za-z0-9._+-]{1,64})/(\d{1,7})(?:/(\d{1,2}))?")
_FMTP: Final = re.compile(r"fmtp:(\d{1,3}) +(.{1,512})")
_MEDIUM: Final = re.compile(r"(\w+) (\d{1,5})(?:/\d+)? ((?:\w+/)+\w+)((?: \d{1,3})+)")
_CONNECTION: Final = re.compile(r"IN IP[46] ([0-9A-Fa-f.:]+)")
_NAMES: Final = {
    name.lower(): name
    for name in (
        "PCMU",
        "PCMA",
        "GSM",
        "G722",
        "G729",
        "G723",
        "G728",
        "L16",
        "iLBC",
        "AMR",
        "AMR-WB",
        EVENT_NAME,
        "CN",
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One m= line."""

    address: str
    """As written; empty when there is none."""
    port: int
    """0: refused."""
    encrypted: bool
    """RTP/SAVP and its like."""
    formats: dict[int, Format]
    """What it says of payload types in a=rtpmap."""


def parse_sdp(text: str) -> list[Medium]:
    """The media of RTP, in order. Lines that are not understood are skipped; nothing raises."""
    media: list[Medium] = []
    session, medium, begun = "", None, False
    for line in text.replace("\r\n", "\n").split("\n")[:MAX_LINES]:
        kind, value = line[:2], line[2:].strip()
        if kind == "m=":
            medium, begun = _medium(value, session), True
            if medium is not None:
                if len(media) == MAX_MEDIA:
                    break
                media.append(medium)
        elif kind == "c=" and (found := _CONNECTION.match(value)):
            if media and medium is media[-1]:
                medium = media[-1] = _at(medium, found[1])
            elif not begun:
                session = found[1]
        elif kind == "a=" and medium is not None:
            _attribute(medium, value)
    return media


def _medium(value: str, session: str) -> Medium | None:
    found = _MEDIUM.match(value)
    if found is None or "RTP" not in found[3]:
        return None
    return Medium(address=session, port=int(found[2]) & 0xFFFF, encrypted="SAVP" in found[3], formats={})


def _at(medium: Medium, address: str) -> Medium:
    return Medium(address=address, port=medium.port, encrypted=medium.encrypted, formats=medium.formats)


def _attribute(medium: Medium, value: str) -> None:
    if (found := _RTPMAP.match(value)) and int(found[1]) < 128 and int(found[3]) > 0:
        number, rate = int(found[1]), int(found[3])
        name = _NAMES.get(found[2].lower(), found[2])
        old = medium.formats.get(number)
        medium.formats[number] = Format(
            name=name, clock_rate_hz=rate, channels=int(found[4] or 1) or 1, fmtp=old.fmtp if old else ""
        )
    elif (found := _FMTP.match(value)) and (known := medium.formats.get(int(found[1]))):
        medium.formats[int(found[1])] = Format(
            name=known.name, clock_rate_hz=known.clock_rate_hz, channels=known.channels, fmtp=found[2].strip()
        )
