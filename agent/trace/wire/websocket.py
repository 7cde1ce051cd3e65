"""SIP over WebSocket (RFC 7118, 6455): a message is a message."""

import re
from typing import Final

_UPGRADE: Final = re.compile(
    rb"(?:GET [^\r\n]*|HTTP/1\.1 101[^\r\n]*)\r\n(?:[^\r\n]+\r\n)*?sec-websocket-protocol:[^\r\n]*\bsip\b[^\r\n]*\r\n"
    rb"(?:[^\r\n]+\r\n)*\r\n",
    re.IGNORECASE,
)
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_MASKED: Final = 0x80
_FINAL: Final = 0x80
_LONG, _LONGER = 126, 127
TEXT: Final = bytes([_FINAL | _TEXT, _FINAL | _BINARY])
"""First bytes of a message's only frame."""
MAX_HEADER: Final = 14


def upgraded(buffer: bytearray) -> int | None:
    """Where the frames begin, behind a handshake for SIP (RFC 7118 §4) that a connection begins with."""
    found = _UPGRADE.match(buffer)
    return found.end() if found else None


class FrameError(ValueError):
    """These bytes are no frame."""


def frame(data: bytearray, at: int, limit: int) -> tuple[int, bool, bytes, int] | None:
    """Opcode, whether it is a message's last, payload, and where it ends; None: it is not whole yet. FrameError."""
    if len(data) < at + 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, size, behind = first & 0xF, second & 0x7F, at + 2
    if first & 0x70 or opcode not in (_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
        raise FrameError
    if size >= _LONG:
        width = 2 if size == _LONG else 8
        if len(data) < behind + width:
            return None
        size, behind = int.from_bytes(data[behind : behind + width]), behind + width
    if size > limit:
        raise FrameError
    mask = b""
    if second & _MASKED:
        mask, behind = bytes(data[behind : behind + 4]), behind + 4
    if len(data) < behind + size:
        return None
    payload = bytes(data[behind : behind + size])
    return opcode, bool(first & _FINAL), _unmasked(payload, mask) if mask else payload, behind + size


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def unmasked_start(data: bytes) -> bytes:
    """The first bytes of a masked frame's text; empty where these bytes begin no such frame."""
    if len(data) < MAX_HEADER or data[0] not in TEXT or not data[1] & _MASKED:
        return b""
    at = {_LONG: 4, _LONGER: 10}.get(data[1] & 0x7F, 2)
    return _unmasked(data[at + 4 : at + 36], data[at : at + 4])


def begin(buffer: bytearray, text: int) -> int | None:
    """Where the unmasked frame begins whose text begins at `text`, if one does."""
    for size, mark in ((2, range(_LONG)), (4, (_LONG,)), (10, (_LONGER,))):
        at = text - size
        if at >= 0 and buffer[at] in TEXT and buffer[at + 1] in mark:
            return at
    return None


class Messages:
    """Frames to messages (RFC 6455 §5.4)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts = bytearray()

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes whole frames off the front. FrameError where there is none."""
        found: list[bytes] = []
        while (one := frame(buffer, 0, self._limit)) is not None:
            opcode, last, payload, end = one
            del buffer[:end]
            if opcode >= _CLOSE:
                continue
            if opcode != _CONTINUED:
                self._parts.clear()
            self._parts += payload
            if len(self._parts) > self._limit:
                raise FrameError
            if last:
                found.append(bytes(self._parts))
                self._parts.clear()
        return found
