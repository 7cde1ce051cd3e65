"""What the tap's C hands over, as ctypes has it (agent/tap/tap.h: change both), and as values."""

import ctypes
from typing import Final

from agent.contract.srtp import Keying, SrtpUse
from agent.tap.model import Fate, GapKind, TapDigit, TapGap, TapGuard, TapSrtp, TapStream

MAX_ROWS: Final = 64
"""TAP_MAX_ROWS: of one call."""
MAX_DIGITS: Final = 256
"""TAP_MAX_DIGITS: of one stream."""
MAX_GAPS: Final = 64
"""TAP_MAX_GAPS: of one row."""
MAX_GUARDS: Final = 16
"""TAP_MAX_GUARDS: of one call."""
MAX_SUITES: Final = 8
"""TAP_MAX_SUITES: of a call's SRTP."""
_GAP_KINDS: Final = (GapKind.LOST, GapKind.PAUSE, GapKind.RESTART)
"""enum rtp_gap_kind."""
_ADDRESS_TEXT = 56
_TARGET_TEXT = 128
_SUITE_TEXT = 32
_USES: Final = tuple(SrtpUse)
"""pjmedia_srtp_use."""
_KEYINGS: Final = (None, Keying.SDES, Keying.DTLS)
"""enum tap_keying."""


class RawDigit(ctypes.Structure):
    """struct rtp_event."""

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


class RawGap(ctypes.Structure):
    """struct rtp_gap."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("at_ns", "missing_ns", "begin", "end", "kind"))


class RawStream(ctypes.Structure):
    """struct tap_stream."""

    _fields_ = (
        ("local", ctypes.c_char * _ADDRESS_TEXT),
        ("remote", ctypes.c_char * _ADDRESS_TEXT),
        *((name, ctypes.c_uint32) for name in ("ssrc", "mark", "epoch", "last_epoch")),
        ("audio", ctypes.c_int32),
        ("sent", ctypes.c_uint8),
        *((name, ctypes.c_int64) for name in ("packets", "bytes")),
        ("fates", ctypes.c_int64 * len(Fate)),
        *((name, ctypes.c_int64) for name in ("expected", "lost", "duplicates", "reordered")),
        *((name, ctypes.c_int64) for name in ("restarts", "unnegotiated", "empty", "noise", "timed", "jitter_samples")),
        *((name, ctypes.c_int64) for name in ("media_ns", "event_ns", "lost_ns", "pause_ns", "span_ns")),
        *((name, ctypes.c_double) for name in ("jitter_ms", "mean_jitter_ms", "max_jitter_ms")),
        *((name, ctypes.c_int64) for name in ("max_gap_ns", "max_late_ns", "first_ns", "last_ns")),
        *((name, ctypes.c_int64) for name in ("first_monotonic_ns", "last_monotonic_ns")),
        ("payload_types", ctypes.c_uint32 * 128),
        *((name, ctypes.c_uint32) for name in ("gap_count", "refused_events", "digit_count")),
        ("gaps", RawGap * MAX_GAPS),
        ("digits", RawDigit * MAX_DIGITS),
    )


class RawTold(ctypes.Structure):
    """struct tap_told."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("epoch", "rows")),
        *((name, ctypes.c_uint64) for name in ("uncounted", "strangers", "other")),
    )


class RawSrtp(ctypes.Structure):
    """struct tap_srtp."""

    _fields_ = (
        *((name, ctypes.c_uint8) for name in ("told", "use", "keying_count", "suite_count")),
        ("keyings", ctypes.c_uint8 * 2),
        ("suites", (ctypes.c_char * _SUITE_TEXT) * MAX_SUITES),
    )


class RawGuard(ctypes.Structure):
    """struct tap_guard."""

    _fields_ = (
        ("keyed_ns", ctypes.c_int64),
        ("epoch", ctypes.c_uint32),
        *((name, ctypes.c_uint32) for name in ("dtls_sent", "dtls_received", "hellos_sent", "hellos_received")),
        ("status", ctypes.c_int32),
        *((name, ctypes.c_uint8) for name in ("active", "keying", "done", "alert", "alerted", "alert_sent")),
        *((name, ctypes.c_char * _SUITE_TEXT) for name in ("sent_suite", "received_suite")),
    )


class RawRecorded(ctypes.Structure):
    """struct tap_recorded."""

    _fields_ = (("remote", ctypes.c_char * _ADDRESS_TEXT), ("error", ctypes.c_int32))


class RawMessage(ctypes.Structure):
    """struct tap_message."""

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


class RawNetwork(ctypes.Structure):
    """struct tap_network."""

    _fields_ = (("family", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("ip", ctypes.c_uint8 * 16))


class RawCaptured(ctypes.Structure):
    """struct tap_captured."""

    _fields_ = (
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("left_out", ctypes.c_uint64),
        ("error", ctypes.c_int32),
    )


def raw_srtp(wanted: TapSrtp) -> RawSrtp:
    """As the tap takes it."""
    suites = [name.encode() for name in wanted.suites[:MAX_SUITES]]
    raw = RawSrtp(told=1, use=_USES.index(wanted.use), keying_count=len(wanted.keying), suite_count=len(suites))
    for place, keying in enumerate(wanted.keying):
        raw.keyings[place] = _KEYINGS.index(keying)
    for place, suite in enumerate(suites):
        raw.suites[place].value = suite
    return raw


def stream_of(raw: RawStream) -> TapStream:
    """As a value."""
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
        fates={fate: raw.fates[fate] for fate in Fate if raw.fates[fate]},
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


def guard_of(raw: RawGuard) -> TapGuard:
    """As a value."""
    return TapGuard(
        epoch=raw.epoch,
        active=bool(raw.active),
        keying=_KEYINGS[raw.keying],
        keyed_s=raw.keyed_ns / 1e9 if raw.keyed_ns else None,
        sent_suite=raw.sent_suite.decode(),
        received_suite=raw.received_suite.decode(),
        dtls_sent=raw.dtls_sent,
        dtls_received=raw.dtls_received,
        hellos_sent=raw.hellos_sent,
        hellos_received=raw.hellos_received,
        done=bool(raw.done),
        status=raw.status,
        alert=raw.alert if raw.alerted else None,
        alert_sent=bool(raw.alert_sent),
    )


def _gap(raw: RawGap) -> TapGap:
    return TapGap(
        at_s=raw.at_ns / 1e9,
        missing_ms=raw.missing_ns / 1e6,
        kind=_GAP_KINDS[raw.kind],
        packets=raw.end - raw.begin,
    )


def _digit(raw: RawDigit) -> TapDigit:
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
