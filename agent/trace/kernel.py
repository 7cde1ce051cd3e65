"""What is done for each packet, in C (kernel.h beside this file), reached by ctypes over numpy's memory.

Built by dev/kernel/build into one shared object without any other library, which is found as Python finds its modules.
"""

import ctypes
import importlib.util
import os
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MODULE: Final = "_calltest_trace"
SOURCES: Final = tuple(sorted([*Path(__file__).parent.rglob("*.[ch]"), *Path(__file__).parents[1].glob("rtp/*.[ch]")]))
BUILD: Final = "run dev/kernel/build (make setup does), or rebuild the agent image"
TYPES: Final = 128
STATIC_TYPES: Final = 35
OPEN_EVENTS: Final = 16
MAX_UNREAD: Final = 32
MAX_EVENTS: Final = 1_000_000
MAX_HOLES: Final = 4_000_000
"""Gaps of all streams that are remembered, 24 bytes each; 1024 of one stream."""

Table = npt.NDArray[np.void]
"""Rows of one of the structures below."""

RECORD: Final = np.dtype(
    {"names": ["offset", "time_ns", "captured", "wire", "link", "unused"], "formats": ["<i8", "<i8", *["<u4"] * 4]}
)
PACKET: Final = np.dtype(
    [
        *((name, "<i8") for name in ("time_ns", "offset", "sequence")),
        *((name, "<u8") for name in ("hosts", "rest")),
        ("row", "<i4"),
        *((name, "<u4") for name in ("captured", "wire", "timestamp", "head")),
        *((name, "<i4") for name in ("flow", "meaning")),
        ("number", "<u2"),
        ("payload_type", "u1"),
        ("event", "u1"),
    ]
)
ODD: Final = np.dtype(
    [*((name, "<i8") for name in ("row", "begin", "end")), ("hosts", "<u8"), ("ports", "<u4"), ("kind", "<u4")]
)
LINE: Final = np.dtype(
    [
        *((name, "<i8") for name in ("number", "at_ns")),
        ("tick_ns", "<f8"),
        *((name, "<u4") for name in ("timestamp", "step")),
        *((name, "u1") for name in ("known", "life")),
        ("unused", "V6"),
    ]
)
LIFE: Final = np.dtype([*((name, "<i8") for name in ("last", "highest", "lowest", "at_ns", "packets")), ("line", LINE)])
SEQUENCE: Final = np.dtype(
    [
        *(
            (name, "<i8")
            for name in (
                *("packets", "expected_before", "runs", "duplicates", "reordered", "jumps", "restarts"),
                *("forgotten_holes", "strays", "top"),
            )
        ),
        *((name, LIFE) for name in ("now", "aside")),
        *((name, LINE) for name in ("before", "odd")),
        *((name, "<i4") for name in ("holes", "highest_hole", "lowest_hole")),
        *((name, "u1") for name in ("beside", "came", "watched", "unused")),
    ]
)
JITTER: Final = np.dtype(
    [
        ("arrival_ns", "<i8"),
        *((name, "<f8") for name in ("tick_ns", "value_ns", "max_ns")),
        *((name, "<u4") for name in ("timestamp", "unused")),
    ]
)
PACE: Final = np.dtype(
    [
        *((name, "<i8") for name in ("at_ns", "ticks", "ns")),
        *((name, "<u4") for name in ("timestamp", "packets")),
    ]
)
FLOW: Final = np.dtype(
    [
        *((name, "<u8") for name in ("hosts", "rest")),
        *((name, "<i8") for name in ("source", "destination", "order", "first_ns", "last_ns", "max_delta_ns")),
        ("sequence", SEQUENCE),
        ("jitter", JITTER),
        ("not_event", "<u8", (2,)),
        ("pace", PACE),
        *((name, "<i4") for name in ("meaning", "heard", "opened", "next_free", "before")),
        *((name, "<u4") for name in ("first_timestamp", "audio_bytes", "odd_events", "wild_events")),
        ("first_number", "<u2"),
        *((name, "?") for name in ("declared", "live", "followed")),
        ("state", "u1"),
        ("unused", "V6"),
    ]
)
EVENT: Final = np.dtype(
    [
        *((name, "<i8") for name in ("first_ns", "last_ns")),
        ("tick_ns", "<f8"),
        ("owner", "<i4"),
        *((name, "<u4") for name in ("timestamp", "last_segment", "ticks", "step", "packets", "ends")),
        ("pressed_again", "<u4"),
        ("number", "<u2"),
        *((name, "u1") for name in ("code", "payload_type", "declared", "volume", "marker", "moved", "ended")),
        ("unused", "V7"),
    ]
)
OPEN: Final = np.dtype([("timestamp", "<u4"), ("event", "<i4")])
HOLE: Final = np.dtype(
    [*((name, "<i8") for name in ("begin", "end")), *((name, "<i4") for name in ("higher", "lower"))]
)


class OddKind(IntEnum):
    """enum odd_kind."""

    IP = 0
    UDP6 = 1
    TCP = 2
    CHANNEL = 3
    STUN = 4
    HEP = 5
    SIP = 6
    DTLS = 7


class GivenKind(IntEnum):
    """enum given_kind."""

    PROTOCOL = 0
    PAYLOAD = 1
    CHANNEL = 2


class UnreadLayer(IntEnum):
    """enum unread_layer."""

    OTHER = 0
    LINK = 1
    TYPE = 2
    PROTOCOL = 3
    PPP = 4
    GRE = 5
    UDP = 6
    NSH = 7
    MPLS = 8
    DEPTH = 9


class FlowState(IntEnum):
    """enum flow_state."""

    ALONE = 0
    IN_CALL = 1
    OVER = 2
    CLOSED = 3


class Counted(IntEnum):
    """enum counted."""

    ALL = 0
    UP_TO_A_NEW_FLOW = 1
    AS_FAR_AS_THERE_IS_ROOM = 2


class PcapFormat(ctypes.Structure):
    """struct pcap_format."""

    _fields_ = (
        ("swapped", ctypes.c_uint8),
        *((name, ctypes.c_uint32) for name in ("unit_ns", "max_captured", "link")),
    )


class Walked(ctypes.Structure):
    """struct walked."""

    _fields_ = (("used", ctypes.c_int64), ("damaged", ctypes.c_uint8))


class Unread(ctypes.Structure):
    """struct unread."""

    _fields_ = (("layer", ctypes.c_uint32), ("number", ctypes.c_uint32), ("count", ctypes.c_int64))


class Found(ctypes.Structure):
    """struct found."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("packets", "odds")),
        *((name, ctypes.c_int64) for name in ("packet_count", "odd_count", "cut", "cut_sip", "cut_tunnels")),
        *((name, ctypes.c_int64) for name in ("odd_rtp", "damaged_udp")),
        ("unread", Unread * MAX_UNREAD),
        ("unread_count", ctypes.c_int32),
    )


class Meanings(ctypes.Structure):
    """struct meanings."""

    _fields_ = (*((name, ctypes.c_void_p) for name in ("kind", "tick_ns", "encrypted")), ("count", ctypes.c_int64))


class Holes(ctypes.Structure):
    """struct rtp_holes."""

    _fields_ = (("at", ctypes.c_void_p), *((name, ctypes.c_int32) for name in ("room", "used", "spare", "spares")))


class StaticType(ctypes.Structure):
    """struct rtp_static_type."""

    _fields_ = (("name", ctypes.c_char * 8), *((name, ctypes.c_uint32) for name in ("clock_hz", "channels")))


class Flows(ctypes.Structure):
    """struct table."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("flows", "by_type", "open", "slots", "events")),
        ("holes", Holes),
        *((name, ctypes.c_int64) for name in ("slot_mask", "slot_shift")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_int64) for name in ("order", "cut_events", "refused_events")),
        *((name, ctypes.c_int32) for name in ("flow_room", "flow_count", "free_flow", "free_flows")),
        *((name, ctypes.c_int32) for name in ("event_room", "event_count", "max_holes")),
    )


SIZES: Final = (
    *(one.itemsize for one in (RECORD, PACKET, ODD, SEQUENCE, JITTER, FLOW, EVENT, OPEN, HOLE)),
    *(ctypes.sizeof(one) for one in (PcapFormat, Walked, Found, Meanings, Holes, Flows, StaticType)),
)
"""Bytes of each, in the order of kernel.c's trace_sizes."""


class KernelError(Exception):
    """It is not built, or from other sources than these: the message says what to run."""


@cache
def kernel() -> ctypes.CDLL:
    """The library. KernelError."""
    spec = importlib.util.find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise KernelError(f"the compiled part of calltest trace is not built: {BUILD}")
    library = ctypes.CDLL(spec.origin)
    key = (
        (ctypes.c_char * 9).in_dll(library, "trace_sources").value.decode() if hasattr(library, "trace_sources") else ""
    )
    if key != sources_key():
        raise KernelError(f"{spec.origin} was built from other sources than {SOURCES[0].parent} has: {BUILD}")
    return _declared(library)


def sources_key() -> str:
    """Of the C that it is built from: a library of other sources could count anything."""
    from zlib import crc32  # noqa: PLC0415

    return f"{crc32(b''.join(source.read_bytes() for source in SOURCES)):08x}"


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, size, small = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint8
    for name, result, arguments in (
        ("trace_pcap", size, (pointer, size, small, pointer, pointer, size, pointer)),
        ("trace_pcapng", size, (pointer, size, small, ctypes.c_uint32, pointer, pointer, size)),
        ("trace_packets", None, (pointer, size, pointer, size, pointer)),
        ("trace_datagrams", None, (pointer, size, size, pointer, pointer, size, pointer)),
        ("trace_count", ctypes.c_int32, (pointer, pointer, pointer, pointer, size, small)),
        ("trace_enter", None, (pointer,)),
        ("trace_forget", None, (pointer, pointer, size)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def address(array: npt.NDArray[Any]) -> int:
    """Where an array's first byte is; it must be contiguous, and live as long as it is used there."""
    return array.ctypes.data


def seed() -> int:
    """64 bits that no capture can know."""
    return int.from_bytes(os.urandom(8), "little")
