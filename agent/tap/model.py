"""What the tap saw."""

from dataclasses import dataclass
from typing import Final

SEGMENT_TICKS: Final = 0xFFFF
"""A longer event goes on under a timestamp that is later by this: RFC 4733 §2.5.1.3."""


class TapError(Exception):
    """The tap is not there, or could not do what it was asked: our own trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapDigit:
    """One named event (RFC 4733) of a stream: all packets of one timestamp and code, later segments included."""

    code: int
    payload_type: int
    timestamp: int
    """Of its first segment."""
    first_s: float
    """Monotonic clock, of its first packet."""
    last_s: float
    duration_ms: float
    """The longest that its packets told."""
    volume_dbm0: int
    marker: bool
    """Of its first packet (§2.2.1.2: set where an event begins)."""
    packets: int
    end_packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TapStream:
    """One RTP stream of a call: one SSRC from one address to another. Definitions as in `calltest trace`."""

    sent: bool
    local: str
    """`ip:port`."""
    remote: str
    ssrc: int
    mark: int
    """How often the call had been marked when the stream began: the last mark's streams are those since then."""
    packets: int
    """Copies included."""
    bytes: int
    """RTP headers included."""
    expected: int
    """Highest minus lowest extended sequence number, plus 1."""
    lost: int
    """Expected minus distinct sequence numbers."""
    duplicates: int
    """Packets whose sequence number had been seen before. SRTP's replay protection lets none come this far."""
    reordered: int
    """Packets with a lower sequence number than one already seen; a copy that comes late is both."""
    unnegotiated: int
    """Packets whose payload type had not been in the SDP of the side that received them until they came."""
    jitter_samples: int
    jitter_ms: float | None
    """RFC 3550 A.8 after the last audio packet; None before the second one of a known clock rate."""
    mean_jitter_ms: float | None
    max_jitter_ms: float | None
    max_gap_ms: float | None
    """Longest time between two consecutive packets; None: there was one."""
    max_late_ms: float | None
    """How far audio was behind the grid of its timestamps, at worst; None without audio of a known clock rate."""
    first_at: float
    """Unix time."""
    last_at: float
    first_s: float
    """Monotonic clock; when a packet came to the socket, however late it was read."""
    last_s: float
    payload_types: dict[int, int]
    """Packets of each."""
    digits: tuple[TapDigit, ...] = ()
    """In the order of their first packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapMessage:
    """One SIP message as it crossed the wire, or did not."""

    at_s: float
    """Monotonic clock; received by UDP: when it came to the socket."""
    unix_at: float
    read_s: float
    """Monotonic clock; received: when the stack read it."""
    sent: bool
    unsent: int
    """Why the stack could not send it (a pj_status_t); 0: it left."""
    parsed: bool
    """False: the stack could not read it, and dropped it; the text is cut."""
    sdp: bool
    """Its body is, or has among its parts, an SDP."""
    protocol: str
    """`UDP`, `TCP`, `TLS`."""
    secure: bool
    connection: int | None
    """One number per UDP socket, TCP or TLS connection, never given twice in a process."""
    local: str
    """`ip:port`."""
    peer: str
    text: bytes
    """As on the wire, digests included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What a capture has come to; all 0 where there was none."""

    packets: int
    bytes: int
    left_out: int
    """Packets beyond the capture's size, or that could not be written."""
    error: str | None
    """Why not."""
