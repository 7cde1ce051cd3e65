"""Datagrams in a byte stream: RTP by RFC 4571, TURN's messages over TCP (RFC 8656 §12.5), HEP. Each says its length."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

_COOKIE: Final = bytes.fromhex("2112a442")
_STUN_HEADER: Final = 20
_CHANNELS: Final = range(0x40, 0x50)
SURE: Final = 3
"""Packets in a row that one source numbered one after the other: no chance, and no other protocol's records."""
_MAX_STEP: Final = 100
"""Of sequence numbers from packet to packet: MAX_MISORDER of RFC 3550 A.1."""
_RTP_HEADER: Final = 12
_MIN_HEAD: Final = 10
"""Bytes that tell which framing it is."""


class FrameError(ValueError):
    """These bytes are no frame."""


def _is_datagram(data: bytearray, at: int) -> bool:
    """RTP, RTCP, STUN or DTLS, by its first byte: RFC 7983 §7."""
    return len(data) <= at or data[at] < 4 or data[at] in range(20, 64) or data[at] >> 6 == 2  # as there


def framed(data: bytearray, at: int) -> tuple[int, int, int] | None:
    """Begin, end, and where the next begins, of RFC 4571's frame; None: its length is not there yet. FrameError."""
    if len(data) < at + 2:
        return None
    end = at + 2 + int.from_bytes(data[at : at + 2])
    if end > at + 2 and not _is_datagram(data, at + 2):
        raise FrameError
    return at + 2, end, end


def delimited(data: bytearray, at: int) -> tuple[int, int, int] | None:
    """The same of messages that say their own length: ChannelData, which is padded, STUN, HEP."""
    if len(data) < at + _MIN_HEAD:
        return None
    if data[at : at + 4] == b"HEP3":
        size = int.from_bytes(data[at + 4 : at + 6])
        if size <= _MIN_HEAD:
            raise FrameError
        return at, at + size, at + size
    size = int.from_bytes(data[at + 2 : at + 4])
    if data[at] in _CHANNELS:
        end = at + 4 + size
        return at, end, end + -size % 4
    if data[at] >> 6 == 0 and data[at + 4 : at + 8] == _COOKIE:
        return at, at + _STUN_HEADER + size, at + _STUN_HEADER + size
    raise FrameError


FRAMINGS: Final = (delimited, framed)
FRAMED: Final = 1
"""RFC 4571's index there."""


def looks_framed(data: bytearray, at: int) -> int | None:
    """Index in FRAMINGS of what these bytes, a segment's first, may be; None: neither."""
    if len(data) < at + _RTP_HEADER:
        return None
    if data[at : at + 4] == b"HEP3" or (data[at] >> 6 == 0 and data[at + 4 : at + 8] == _COOKIE):
        return 0
    if data[at] in _CHANNELS and data[at + 4] >> 6 == 2:  # RTP's version
        return 0
    size = int.from_bytes(data[at : at + 2])
    return 1 if size >= _RTP_HEADER and (data[at + 2] >> 6 == 2 or data[at + 6 : at + 10] == _COOKIE) else None


def is_framed(data: bytearray, at: int, framing: int, sure: int = SURE) -> bool | None:
    """Whether they are, by `sure` packets of RTP; None: too few bytes to tell."""
    heads: list[tuple[bytes, int]] = []
    try:
        while (one := FRAMINGS[framing](data, at)) and one[1] <= len(data):
            begin, end, at = one
            inner = begin + 4 if data[begin] in _CHANNELS and framing == 0 else begin
            if data[begin : begin + 4] == b"HEP3" or data[inner + 4 : inner + 8] == _COOKIE:
                return True
            if end - inner < _RTP_HEADER or data[inner] >> 6 != 2:
                return False
            if data[inner + 1] not in range(192, 224):  # RTCP: RFC 5761 §4
                heads.append((bytes(data[inner + 8 : inner + 12]), int.from_bytes(data[inner + 2 : inner + 4])))
            if len(heads) == sure:
                return _is_one_source(heads)
    except FrameError:
        return False
    return None


def _is_one_source(heads: Sequence[tuple[bytes, int]]) -> bool:
    """By SSRC and sequence number."""
    steps = [(after - before) % (1 << 16) for (_, before), (_, after) in pairwise(heads)]
    return len({source for source, _ in heads}) == 1 and all(0 < step <= _MAX_STEP for step in steps)


def begins_framed(data: bytearray) -> bool | None:
    """Whether a connection that SDP declared begins with a frame (RFC 4571 §2); None: it is not whole yet."""
    try:
        one = framed(data, 0)
    except FrameError:
        return False
    return None if one is None or one[1] > len(data) else one[1] > one[0]


def cut(buffer: bytearray, framing: int) -> list[bytes]:
    """Takes whole datagrams off the front. FrameError where there is none."""
    found: list[bytes] = []
    at = 0
    try:
        while one := FRAMINGS[framing](buffer, at):
            begin, end, following = one
            if end > len(buffer):
                break
            found.append(bytes(buffer[begin:end]))
            at = following
    finally:
        del buffer[:at]
    return found
