"""The tap: every SIP message and RTP packet of our phone, seen from inside pjsip (the C beside this file).

Built into pjsua2's shared object by dev/pjsua2/build, and reached by ctypes. Nothing here is meant for more than one
phone per process, as pjsip itself.
"""

import ctypes
import importlib.util
import os
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from agent.tap.connections import changes
from agent.tap.model import (
    Captured,
    GapKind,
    TapConnection,
    TapDigit,
    TapError,
    TapGap,
    TapMessage,
    TapStream,
    TapStreams,
)

__all__ = ["Tap", "TapError"]

MAX_ROWS: Final = 64
"""TAP_MAX_ROWS: of one call."""
MAX_DIGITS: Final = 256
"""TAP_MAX_DIGITS: of one stream."""
MAX_GAPS: Final = 64
"""TAP_MAX_GAPS: of one row."""
MAX_RECORDINGS: Final = 4
"""TAP_MAX_AUDIOS: of one call."""
MAX_CAPTURE_BYTES: Final = 64 * 1024 * 1024
"""Of one call: 40 minutes of G.711 both ways."""
_MAX_MESSAGE_BYTES = 65_535
_GAP_KINDS: Final = (GapKind.LOST, GapKind.PAUSE, GapKind.RESTART)
"""enum rtp_gap_kind."""
_ADDRESS_TEXT = 56
_TARGET_TEXT = 128


class _Digit(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("first_ns", "last_ns")),
        ("tick_ns", ctypes.c_double),
        ("owner", ctypes.c_int32),
        *((name, ctypes.c_uint32) for name in ("timestamp", "last_segment", "ticks", "step", "packets", "end_packets")),
        ("pressed_again", ctypes.c_uint32),
        ("number", ctypes.c_uint16),
        *(
            (name, ctypes.c_uint8)
            for name in ("code", "payload_type", "declared", "volume", "marker", "moved", "ended")
        ),
        ("unused", ctypes.c_uint8 * 7),
    )


class _Gap(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in ("at_ns", "missing_ns", "begin", "end", "kind"))


class _Stream(ctypes.Structure):
    _fields_ = (
        ("local", ctypes.c_char * _ADDRESS_TEXT),
        ("remote", ctypes.c_char * _ADDRESS_TEXT),
        *((name, ctypes.c_uint32) for name in ("ssrc", "mark", "epoch", "last_epoch")),
        ("audio", ctypes.c_int32),
        ("sent", ctypes.c_uint8),
        *((name, ctypes.c_int64) for name in ("packets", "bytes", "expected", "lost", "duplicates", "reordered")),
        *((name, ctypes.c_int64) for name in ("restarts", "unnegotiated", "empty", "noise", "timed", "jitter_samples")),
        *((name, ctypes.c_int64) for name in ("media_ns", "event_ns", "lost_ns", "pause_ns", "span_ns")),
        *((name, ctypes.c_double) for name in ("jitter_ms", "mean_jitter_ms", "max_jitter_ms")),
        *((name, ctypes.c_int64) for name in ("max_gap_ns", "max_late_ns", "first_ns", "last_ns")),
        *((name, ctypes.c_int64) for name in ("first_monotonic_ns", "last_monotonic_ns")),
        ("payload_types", ctypes.c_uint32 * 128),
        *((name, ctypes.c_uint32) for name in ("gap_count", "refused_events", "digit_count")),
        ("gaps", _Gap * MAX_GAPS),
        ("digits", _Digit * MAX_DIGITS),
    )


class _Told(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("epoch", "rows")),
        *((name, ctypes.c_uint64) for name in ("uncounted", "strangers", "other")),
    )


class _Recorded(ctypes.Structure):
    _fields_ = (("remote", ctypes.c_char * _ADDRESS_TEXT), ("error", ctypes.c_int32))


class _Message(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint64),
        *((name, ctypes.c_int64) for name in ("real_ns", "monotonic_ns", "read_ns")),
        ("connection", ctypes.c_uint64),
        ("missed", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("unsent", ctypes.c_int32),
        *((name, ctypes.c_uint8) for name in ("sent", "secure", "sdp", "parsed")),
        ("protocol", ctypes.c_char * 8),
        ("local", ctypes.c_char * _ADDRESS_TEXT),
        ("peer", ctypes.c_char * _ADDRESS_TEXT),
        ("target", ctypes.c_char * _TARGET_TEXT),
    )


class _Network(ctypes.Structure):
    _fields_ = (("family", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("ip", ctypes.c_uint8 * 16))


class _Captured(ctypes.Structure):
    _fields_ = (
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("left_out", ctypes.c_uint64),
        ("error", ctypes.c_int32),
    )


class Tap:
    """The tap of this process."""

    def __init__(self) -> None:
        """Finds it. TapError where the installed pjsua2 has none."""
        self._library = _library()
        self._seen = 0
        self.missed = 0
        """Messages that were gone before `messages` was called."""
        self._text = ctypes.create_string_buffer(_MAX_MESSAGE_BYTES)

    def install(self) -> None:
        """Hooks into pjsip: after each libInit, before the first call. TapError."""
        status = self._library.tap_install()
        if status:
            raise TapError(f"the tap cannot be installed: pjsip says {status}; was libInit called?")

    def open(self, call_id: str, capture: Path | None = None, max_bytes: int = MAX_CAPTURE_BYTES) -> None:
        """From now on this Call-ID is counted, and written to `capture` (a new file). TapError.

        To be called before the call is made; or, for one that came in, before it is answered.
        """
        path = None if capture is None else os.fsencode(capture)
        error = self._library.tap_open(_bytes(call_id), path, ctypes.c_uint64(max_bytes))
        if error:
            raise TapError(f"cannot tap call {call_id} into {capture}: {os.strerror(error)}")

    def record(self, call_id: str, path: Path) -> None:
        """From now on what the call receives of G.711 is written to WAV files (16 bits, 8 kHz, mono).

        What the first address sends goes to `path`, what others send to `path`.1 to `path`.3, all new files that begin
        at one moment. Each packet is at its place in time, and silence where none came. TapError.
        """
        error = self._library.tap_record(_bytes(call_id), os.fsencode(path))
        if error:
            raise TapError(f"cannot record call {call_id} into {path}: {os.strerror(error)}")

    def record_end(self, call_id: str, until_s: float) -> tuple[str, ...]:
        """Ends the files, which last until that moment (monotonic clock): whom each is of, `ip:port`.

        Empty: nobody, or it is not whole. TapError: the call is not recorded, or a file is not whole.
        """
        recorded = (_Recorded * MAX_RECORDINGS)()
        error = self._library.tap_record_end(_bytes(call_id), ctypes.c_int64(int(until_s * 1e9)), recorded)
        error = error or next((one.error for one in recorded if one.error), 0)
        if error:
            raise TapError(f"the recording of call {call_id} is not complete: {os.strerror(error)}")
        return tuple(one.remote.decode() for one in recorded)

    def mark(self, call_id: str) -> None:
        """Counts streams and records anew from here on, beside what was counted so far. TapError: not open."""
        if self._library.tap_mark(_bytes(call_id)):
            raise TapError(f"call {call_id} is not tapped")

    def streams(self, call_id: str) -> TapStreams:
        """A call's streams so far, also after its end. TapError: not open.

        What there was no room for is told beside them: packets of streams that came after others, digits, gaps.
        """
        told, name = _Told(), _bytes(call_id)
        rows = (_Stream * 0)()
        while (count := self._library.tap_streams(name, rows, len(rows), ctypes.byref(told))) > len(rows):
            rows = (_Stream * count)()
        if count < 0:
            raise TapError(f"call {call_id} is not tapped")
        return TapStreams(
            rows=tuple(_stream(row) for row in rows[:count]),
            epoch=told.epoch,
            uncounted=told.uncounted,
            strangers=told.strangers,
            other=told.other,
        )

    def close(self, call_id: str) -> Captured:
        """Forgets the call, and ends its capture. TapError: not open."""
        captured = _Captured()
        if self._library.tap_close(_bytes(call_id), ctypes.byref(captured)):
            raise TapError(f"call {call_id} is not tapped")
        return Captured(
            packets=captured.packets,
            bytes=captured.bytes,
            left_out=captured.left_out,
            error=os.strerror(captured.error) if captured.error else None,
        )

    def messages(self) -> Iterator[TapMessage]:
        """The SIP messages since the last one that this gave. `missed` counts those that were not asked for in time."""
        head = _Message()
        while self._library.tap_message(ctypes.c_uint64(self._seen), ctypes.byref(head), self._text, len(self._text)):
            self.missed += head.missed
            self._seen = head.number
            yield TapMessage(
                at_s=head.monotonic_ns / 1e9,
                unix_at=head.real_ns / 1e9,
                read_s=head.read_ns / 1e9,
                sent=bool(head.sent),
                unsent=head.unsent,
                parsed=bool(head.parsed),
                sdp=bool(head.sdp),
                protocol=head.protocol.decode(),
                secure=bool(head.secure),
                connection=head.connection or None,
                local=head.local.decode(),
                peer=head.peer.decode(),
                target=head.target.decode(errors="replace") or None,
                text=self._text.raw[: head.length],
            )

    def connections(self) -> Iterator[TapConnection]:
        """The changes of TCP and TLS connections since the last one that this gave."""
        return changes(self._library)

    def tell_unread(self, since_s: float) -> None:
        """Tells, as of a message that could not be read, of those that began before then and have not come whole."""
        self._library.tap_unread(int(since_s * 1e9))

    def secure(self, server_name: str, *, anonymous: bool) -> None:
        """Of TLS connections that are opened from now on.

        `server_name`: what the peer's certificate is to be for; empty: its address. `anonymous`: they show none.
        """
        self._library.tap_tls(server_name.encode(), anonymous)

    def allow(self, networks: Sequence[str]) -> None:
        """From now on no SIP is sent to an address outside these (CIDRs); before, to any. ValueError: one is none."""
        known = [ip_network(network, strict=False) for network in networks]
        rows = (_Network * len(known))(
            *(
                _Network(each.version, each.prefixlen, (ctypes.c_uint8 * 16)(*each.network_address.packed))
                for each in known
            )
        )
        self._library.tap_allow(rows, len(known))

    def wake(self, eventfd: int) -> None:
        """From now on each message, and each change of a connection, adds to this eventfd; -1: none does."""
        self._library.tap_wake(eventfd)

    @property
    def live_calls(self) -> int:
        """How many calls are open, or still held by pjsip's media."""
        return int(self._library.tap_live_calls())


def _library() -> ctypes.CDLL:
    """pjsua2's shared object, which has the tap in it: loading it again gives the one that is loaded."""
    spec = importlib.util.find_spec("_pjsua2")
    if spec is None or spec.origin is None:
        raise TapError("pjsua2 is not installed: run dev/pjsua2/install")
    library = ctypes.CDLL(spec.origin)
    if not hasattr(library, "tap_install"):
        raise TapError(f"{spec.origin} was built without the tap: run dev/pjsua2/install, or rebuild the agent image")
    library.tap_streams.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    library.tap_unread.argtypes = (ctypes.c_int64,)
    library.tap_tls.argtypes = (ctypes.c_char_p, ctypes.c_int)
    library.tap_message.argtypes = (ctypes.c_uint64, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    return library


def _bytes(call_id: str) -> bytes:
    return call_id.encode(errors="surrogateescape")


def _stream(raw: _Stream) -> TapStream:
    measured, timed = raw.jitter_samples > 0, raw.timed > 0
    clocked = timed or raw.event_ns or raw.lost_ns or raw.pause_ns
    return TapStream(
        sent=bool(raw.sent),
        local=raw.local.decode(),
        remote=raw.remote.decode(),
        ssrc=raw.ssrc,
        mark=raw.mark,
        epoch=raw.epoch,
        last_epoch=raw.last_epoch,
        packets=raw.packets,
        bytes=raw.bytes,
        expected=raw.expected,
        lost=raw.lost,
        duplicates=raw.duplicates,
        reordered=raw.reordered,
        restarts=raw.restarts,
        unnegotiated=raw.unnegotiated,
        empty=raw.empty,
        noise=raw.noise,
        media_ms=raw.media_ns / 1e6 if timed else None,
        lost_ms=raw.lost_ns / 1e6 if clocked else None,
        pause_ms=raw.pause_ns / 1e6 if clocked else None,
        event_ms=raw.event_ns / 1e6,
        span_ms=raw.span_ns / 1e6 if clocked else None,
        jitter_samples=raw.jitter_samples,
        jitter_ms=raw.jitter_ms if measured else None,
        mean_jitter_ms=raw.mean_jitter_ms if measured else None,
        max_jitter_ms=raw.max_jitter_ms if measured else None,
        max_gap_ms=raw.max_gap_ns / 1e6 if raw.max_gap_ns >= 0 else None,
        max_late_ms=raw.max_late_ns / 1e6 if raw.max_late_ns >= 0 else None,
        first_at=raw.first_ns / 1e9,
        last_at=raw.last_ns / 1e9,
        first_s=raw.first_monotonic_ns / 1e9,
        last_s=raw.last_monotonic_ns / 1e9,
        payload_types={number: count for number, count in enumerate(raw.payload_types) if count},
        gaps=tuple(_gap(gap) for gap in raw.gaps[: raw.gap_count]),
        gap_count=raw.gap_count,
        audio=raw.audio if raw.audio >= 0 else None,
        digits=tuple(_digit(digit) for digit in raw.digits[: raw.digit_count]),
        uncounted_digits=raw.refused_events,
    )


def _gap(raw: _Gap) -> TapGap:
    return TapGap(
        at_s=raw.at_ns / 1e9,
        missing_ms=raw.missing_ns / 1e6,
        kind=_GAP_KINDS[raw.kind],
        packets=raw.end - raw.begin,
    )


def _digit(raw: _Digit) -> TapDigit:
    ticks = (raw.last_segment - raw.timestamp) % (1 << 32) + raw.ticks
    return TapDigit(
        code=raw.code,
        payload_type=raw.payload_type,
        timestamp=raw.timestamp,
        first_s=raw.first_ns / 1e9,
        last_s=raw.last_ns / 1e9,
        duration_ms=ticks * raw.tick_ns / 1e6,
        volume_dbm0=-raw.volume,
        marker=bool(raw.marker),
        packets=raw.packets,
        end_packets=raw.end_packets,
        moved=bool(raw.moved),
        pressed_again=raw.pressed_again,
    )
