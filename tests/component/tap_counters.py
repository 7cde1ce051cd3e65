"""The C of the tap by itself: packets are handed to it as it is built, one stream's counters or one call's."""

import ctypes
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agent.tap import _library
from agent.tap.model import Fate, TapGuard, TapStream
from agent.tap.raw import MAX_GUARDS, RawGuard, RawStream, guard_of, stream_of

CLOCK_HZ = 8000
AUDIO, NOISE, G729, OPUS, EVENT, UNKNOWN = 0, 13, 18, 96, 101, 77
LIBRARY = _library()
for _name in ("tap_counter_new", "tap_row_new", "tap_call_find"):
    getattr(LIBRARY, _name).restype = ctypes.c_void_p
LIBRARY.tap_rtp.restype = ctypes.c_bool


class Formats(ctypes.Structure):
    """struct tap_formats."""

    _fields_ = (("clock_hz", ctypes.c_uint32 * 128), ("codec", ctypes.c_uint8 * 128))


class Header(ctypes.Structure):
    """struct rtp_header."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("timestamp", "ssrc")),
        ("number", ctypes.c_uint16),
        *((name, ctypes.c_uint8) for name in ("payload_type", "marker")),
        *((name, ctypes.c_uint32) for name in ("offset", "captured", "wire")),
    )


class Address(ctypes.Structure):
    """struct tap_address."""

    _fields_ = (("family", ctypes.c_uint8), ("port", ctypes.c_uint16), ("ip", ctypes.c_uint8 * 16))


class Path(ctypes.Structure):
    """struct tap_path."""

    _fields_ = (
        *((name, Address) for name in ("local_rtp", "local_rtcp", "remote_rtp", "remote_rtcp")),
        *((name, Formats) for name in ("sent", "received")),
        ("answering", ctypes.c_uint32),
        ("told", ctypes.c_uint64),
    )


class Keys(ctypes.Structure):
    """struct tap_keys."""

    _fields_ = (
        ("ticket", ctypes.c_uint64),
        ("active", ctypes.c_bool),
        ("keying", ctypes.c_int),
        *((name, ctypes.c_char * 32) for name in ("sent_suite", "received_suite")),
    )


class Time(ctypes.Structure):
    """struct tap_time."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("real_ns", "monotonic_ns"))


class Counted(ctypes.Structure):
    """struct tap_counted."""

    _fields_ = (
        ("header", Header),
        ("bytes", ctypes.c_char_p),
        ("wire_bytes", ctypes.c_size_t),
        ("fate", ctypes.c_int),
        ("at", Time),
    )


class Crossing(ctypes.Structure):
    """struct tap_crossing."""

    _fields_ = (
        *((name, ctypes.c_bool) for name in ("sent", "rtcp")),
        ("remote", ctypes.POINTER(Address)),
        ("arrived_ns", ctypes.c_int64),
        *((name, ctypes.c_char_p) for name in ("wire", "clear")),
        *((name, ctypes.c_size_t) for name in ("wire_bytes", "clear_bytes")),
        ("fate", ctypes.c_int),
    )


def formats() -> Formats:
    """PCMU, G.729, Opus and events; comfort noise is not negotiated."""
    made = Formats()
    for payload_type, clock_hz, codec in (
        (AUDIO, CLOCK_HZ, 3),
        (G729, CLOCK_HZ, 10),
        (OPUS, 48_000, 9),
        (EVENT, 8000, 1),
    ):
        made.clock_hz[payload_type], made.codec[payload_type] = clock_hz, codec  # enum tap_codec
    return made


FORMATS = formats()


@dataclass(frozen=True)
class Packet:
    """One RTP packet as it comes."""

    sequence: int
    """Extended."""
    timestamp: int
    at_ns: int
    payload_type: int = AUDIO
    payload: bytes = bytes(160)
    first_byte: int = 0x80
    marker: bool = False
    ssrc: int = 7
    fate: Fate = Fate.PLAIN
    tag_bytes: int = 0
    """Of SRTP, behind its payload on the wire."""

    def encoded(self) -> bytes:
        """As on the wire."""
        timestamp, second_byte = self.timestamp % 2**32, self.payload_type | self.marker << 7
        head = struct.pack(">BBHII", self.first_byte, second_byte, self.sequence % 2**16, timestamp, self.ssrc)
        return head + self.payload


def as_counted(packet: Packet) -> Counted:
    """What SRTP refused is told as it is on the wire, tag and all."""
    is_told = packet.fate in (Fate.PLAIN, Fate.PASSED)
    raw = packet.encoded()
    wire = raw + bytes(packet.tag_bytes)
    made = Counted(
        bytes=raw if is_told else None,
        wire_bytes=len(wire),
        fate=packet.fate,
        at=Time(packet.at_ns, packet.at_ns),
    )
    shown = raw if is_told else wire
    assert LIBRARY.tap_rtp(shown, ctypes.c_size_t(len(shown)), ctypes.byref(made.header))
    return made


def rows(epochs: Sequence[Sequence[Packet]]) -> list[TapStream]:
    """One stream's packets, epoch by epoch."""
    counter = ctypes.c_void_p(LIBRARY.tap_counter_new(ctypes.c_bool(True)))
    made: list[tuple[int, ctypes.c_void_p]] = []
    for epoch, packets in enumerate(epochs):
        if packets:
            row = LIBRARY.tap_row_new(counter, ctypes.c_uint32(epoch), ctypes.c_int32(len(made)))
            made.append((epoch, ctypes.c_void_p(row)))
        for packet in packets:
            LIBRARY.tap_count(counter, ctypes.byref(FORMATS), ctypes.byref(as_counted(packet)))
    found = []
    for _, row in made:
        raw_row = RawStream()
        LIBRARY.tap_row_read(counter, row, ctypes.byref(raw_row))
        found.append(stream_of(raw_row))
    LIBRARY.tap_counter_free(counter)
    return found


def counted(packets: Sequence[Packet]) -> TapStream:
    """One stream, without epochs."""
    (row,) = rows([packets])
    return row


def address(host: int, port: int) -> Address:
    """192.0.2.`host`."""
    made = Address(family=4, port=port)
    made.ip[:4] = bytes((192, 0, 2, host))
    return made


class Call:
    """An open call of the tap, whose path is negotiated with 192.0.2.1:4000."""

    def __init__(self, name: str, call: int) -> None:
        self.name, self._call = name, ctypes.c_void_p(call)
        self._path = Path(local_rtp=address(9, 5000), remote_rtp=address(1, 4000), sent=formats(), received=formats())

    def media(
        self,
        packet: bytes,
        *,
        host: int = 1,
        port: int = 4000,
        sent: bool = False,
        clear: bytes | None = None,
        fate: Fate = Fate.PLAIN,
    ) -> None:
        """One packet as on the wire, now; `clear`: deciphered, where that is another."""
        told = clear or (packet if fate in (Fate.PLAIN, Fate.PASSED) else None)
        crossing = Crossing(
            sent=sent,
            remote=ctypes.pointer(address(host, port)),
            wire=packet,
            clear=told,
            wire_bytes=len(packet),
            clear_bytes=len(told or b""),
            fate=fate,
        )
        LIBRARY.tap_call_media(self._call, ctypes.byref(self._path), ctypes.byref(crossing))

    def answering(self) -> None:
        """An answer of ours is being made."""
        LIBRARY.tap_call_answering(self._call, ctypes.byref(self._path))

    def keys(self, *, ticket: int, active: bool) -> None:
        """What SRTP is, as read by whoever drew that ticket."""
        now = Keys(ticket=ticket, active=active, keying=1 if active else 0)
        LIBRARY.tap_call_keys(self._call, ctypes.byref(self._path), ctypes.byref(now))

    def guards(self) -> list[TapGuard]:
        """What SRTP came to."""
        raw = (RawGuard * MAX_GUARDS)()
        return [guard_of(one) for one in raw[: LIBRARY.tap_guards(self.name.encode(), raw, MAX_GUARDS)]]

    def sdp(self) -> None:
        """A message with an SDP came or went."""
        LIBRARY.tap_call_sdp(self._call)


@contextmanager
def a_call(name: str) -> Iterator[Call]:
    """Opened, and closed in the end."""
    assert LIBRARY.tap_open(name.encode(), None, ctypes.c_uint64(0)) == 0
    call = LIBRARY.tap_call_find(name.encode(), ctypes.c_size_t(len(name)))
    try:
        yield Call(name, call)
    finally:
        LIBRARY.tap_call_release(ctypes.c_void_p(call))
        LIBRARY.tap_close(name.encode(), ctypes.create_string_buffer(64))
