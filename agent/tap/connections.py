"""Connections as the tap tells of them (connections.c, secure.c)."""

import ctypes
from collections.abc import Iterator

from agent.tap.model import TapConnection, TapSecure

ADDRESS_TEXT = 56


class _Secure(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("not_before_s", "not_after_s")),
        ("faults", ctypes.c_uint32),
        *((name, ctypes.c_uint8) for name in ("begun", "asked")),
        ("version", ctypes.c_char * 16),
        ("cipher", ctypes.c_char * 64),
        *((name, ctypes.c_char * 128) for name in ("subject", "issuer")),
        ("names", ctypes.c_char * 512),
    )


class _Connection(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint64),
        *((name, ctypes.c_int64) for name in ("opened_ns", "up_ns", "closed_ns")),
        ("status", ctypes.c_int32),
        *((name, ctypes.c_uint8) for name in ("outgoing", "ours", "heard")),
        ("protocol", ctypes.c_char * 8),
        ("local", ctypes.c_char * ADDRESS_TEXT),
        ("remote", ctypes.c_char * ADDRESS_TEXT),
        ("secure", _Secure),
    )


def changes(library: ctypes.CDLL) -> Iterator[TapConnection]:
    """Those since the last one that this gave, in their order."""
    raw = _Connection()
    while library.tap_connection(ctypes.byref(raw)):
        yield TapConnection(
            number=raw.number,
            protocol=raw.protocol.decode(),
            outgoing=bool(raw.outgoing),
            local=raw.local.decode(),
            remote=raw.remote.decode(),
            opened_s=raw.opened_ns / 1e9,
            up_s=raw.up_ns / 1e9 or None,
            closed_s=raw.closed_ns / 1e9 or None,
            status=raw.status,
            ours=bool(raw.ours),
            heard=bool(raw.heard),
            secure=_secure(raw.secure) if raw.protocol == b"TLS" else None,
        )


def _secure(raw: _Secure) -> TapSecure:
    return TapSecure(
        begun=bool(raw.begun),
        asked=bool(raw.asked),
        version=_text(raw.version),
        cipher=_text(raw.cipher),
        faults=raw.faults,
        subject=_text(raw.subject),
        issuer=_text(raw.issuer),
        names=tuple(_text(raw.names).split()),
        not_before_s=raw.not_before_s or None,
        not_after_s=raw.not_after_s or None,
    )


def _text(raw: bytes) -> str:
    """As the network gave it, in characters that can be shown."""
    return "".join(c if c.isprintable() else "?" for c in raw.decode(errors="replace"))
