"""What the tap saw."""

from dataclasses import dataclass


class TapError(Exception):
    """The tap is not there, or could not do what it was asked: our own trouble."""


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
    payload_types: dict[int, int]
    """Packets of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapMessage:
    """One SIP message as it crossed the wire."""

    at_s: float
    """Monotonic clock."""
    unix_at: float
    sent: bool
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
