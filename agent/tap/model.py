"""What the tap saw."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

from agent.contract.srtp import Keying, SrtpUse


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
    """What its end packets told, else its newest one; never 0 (an event without a length is no digit)."""
    volume_dbm0: int
    marker: bool
    """Of its first packet (§2.2.1.2: set where an event begins)."""
    packets: int
    end_packets: int
    moved: bool = False
    """It follows, unmarked, on the last packet of the same event under another timestamp: more likely one press whose
    sender moves the timestamp (against §2.5.1.2) than two."""
    pressed_again: int = 0
    """Marker bits after its end, under its timestamp: presses that cannot be told apart from it (against §2.5.1.2)."""


class GapKind(StrEnum):
    """Why media time is missing."""

    LOST = "Lost"
    """Sequence numbers are missing, or timestamps between consecutive ones without any sign of a pause."""
    PAUSE = "Pause"
    """The packet after it has the marker bit (RFC 3551 §4.1), or comfort noise, an event, an empty packet or one of no
    known clock stands beside it; or numbers are missing too, one of which may have had the marker bit."""
    RESTART = "Restart"
    """The source began anew: nothing tells what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapGap:
    """A time without media, by timestamps."""

    at_s: float
    """Monotonic clock: arrival of the packet after it."""
    missing_ms: float
    """Media time, without what came late; of a restart, the time between the two packets' arrivals."""
    kind: GapKind
    packets: int
    """Sequence numbers that are missing there; 0: numbers go on, and timestamps do not."""


class Fate(IntEnum):
    """What SRTP made of an RTP packet. Those that were sent are one of the first two."""

    PLAIN = 0
    """Its payload was on the wire as it is; received where SRTP is in use, it has no authentication tag."""
    PASSED = 1
    """Enciphered; or authenticated and deciphered."""
    UNAUTHENTIC = 2
    REPLAYED = 3
    """It came before, or is too old to tell (RFC 3711 §3.3.2)."""
    KEYLESS = 4
    """There were no keys."""
    FAILED = 5
    """Dropped for another reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapStream:
    """One RTP stream of a call (one SSRC from one address to another, since one mark), in one epoch: one row.

    Sequence numbers, jitter, digits and media time go on from row to row of a stream: a packet's part in them is
    counted in the row of its epoch, so that the rows of a stream add up to the whole. What makes good for a row before
    is counted below 0 (a packet that was lost there and came late here). Definitions as in `calltest trace`.

    Counted is what is on the wire: also what SRTP refused, whose audio and digits are not known; how long it lasts is
    told by timestamps alone then.
    """

    sent: bool
    local: str
    """`ip:port`."""
    remote: str
    ssrc: int
    mark: int
    """How often the call had been marked when the stream began: the last mark's streams are those since then."""
    epoch: int = 0
    """How many messages with an SDP the call had had, both ways, copies included, when these packets came."""
    last_epoch: int = 0
    """The same, of its last packet: later than `epoch` only where there was no room for more rows."""
    packets: int
    """Copies included."""
    bytes: int
    """RTP headers included; of SRTP, its tags too."""
    fates: dict[Fate, int] = field(default_factory=dict)
    """Packets of each."""
    expected: int
    """Highest minus lowest extended sequence number, plus 1, of all lives."""
    lost: int
    """Expected minus distinct sequence numbers."""
    duplicates: int
    """Packets whose sequence number had been seen before."""
    reordered: int
    """Packets that came first with a lower sequence number than one already seen (RFC 4737), or between those of
    another life; a copy is none of them."""
    restarts: int = 0
    """Lives after the first (RFC 3550 A.1): the source began its numbers or timestamps anew. Nothing is lost by it."""
    unnegotiated: int
    """Packets whose payload type had not been in the SDP of the side that received them until they came; without empty
    ones, and comfort noise of type 13."""
    empty: int = 0
    """Packets without payload: keep-alives (RFC 6263 §4.6)."""
    noise: int = 0
    """Packets of comfort noise (RFC 3389), negotiated or not."""
    media_ms: float | None = None
    """How long the audio lasts, copies left out: of G.711 by its octets, of other codecs by timestamps. None: there was
    none of a known clock."""
    lost_ms: float | None = None
    """Media time that is missing: GapKind.LOST. None: no packet told of time, neither audio nor a named event."""
    pause_ms: float | None = None
    """Media time that its sender left out: GapKind.PAUSE. None as lost_ms."""
    event_ms: float = 0.0
    """Time covered by named events (RFC 4733) where there is no audio."""
    span_ms: float | None = None
    """From the first packet of audio or events to the end of the last, by timestamps, of all lives: media, events, lost
    and pauses. None as lost_ms."""
    jitter_samples: int
    jitter_ms: float | None
    """RFC 3550 A.8 after the last audio packet; None before the second one of a known clock rate."""
    mean_jitter_ms: float | None
    max_jitter_ms: float | None
    max_gap_ms: float | None
    """Longest time between two consecutive packets of the row; None: there was one. Between two rows: `first_s` of the
    one minus `last_s` of the other."""
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
    gaps: tuple[TapGap, ...] = ()
    """The first 64, in order."""
    gap_count: int = 0
    """Also those that are not in `gaps`."""
    audio: int | None = None
    """Which recording has its sound: TappedCall.recorded; None: none."""
    digits: tuple[TapDigit, ...] = ()
    """Those that began in this row, in the order of their first packets."""
    uncounted_digits: int = 0
    """Packets of digits beyond 256 of a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapSrtp:
    """What SRTP is to be in a call."""

    use: SrtpUse
    keying: tuple[Keying, ...]
    """The first is offered."""
    suites: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TapGuard:
    """What SRTP came to in one epoch of a call; its DTLS: datagrams of RTP's own port."""

    epoch: int
    """As of TapStream. What comes to be while an answer of ours is made has that answer's."""
    active: bool = False
    """At its end: there are keys, and what is sent is enciphered."""
    keying: Keying | None = None
    """What they came from; None: there are none."""
    keyed_s: float | None = None
    """Monotonic clock, when they came into use (again, where a session was refreshed). None: not in this epoch."""
    sent_suite: str = ""
    """As in RFC 4568, whatever the keying; empty: none."""
    received_suite: str = ""
    dtls_sent: int = 0
    """Datagrams."""
    dtls_received: int = 0
    hellos_sent: int = 0
    """ClientHellos."""
    hellos_received: int = 0
    done: bool = False
    """The handshake came to an end that the stack told of."""
    status: int = 0
    """Why it failed then: a pj_status_t."""
    said: str | None = None
    """That status in the stack's words."""
    alert: int | None = None
    """The first fatal one (RFC 5246 §7.2) that was not enciphered."""
    alert_sent: bool = False
    """It was ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapStreams:
    """What a call's media came to."""

    rows: tuple[TapStream, ...] = ()
    """In the order of their first packets."""
    guards: tuple[TapGuard, ...] = ()
    """In order of their epochs."""
    epoch: int = 0
    """How many messages with an SDP the call has had."""
    uncounted: int = 0
    """RTP packets to or from the host that was negotiated with, of streams for which there was no room: beyond 64."""
    strangers: int = 0
    """The same of other hosts: beyond 48 streams in all."""
    other: int = 0
    """What came to the RTP port, or went from it, and is neither RTP nor DTLS: STUN, RTCP, fewer than 12 bytes."""


class Undirected(IntEnum):
    """Why a message could not go where it was to go."""

    NOT_ALLOWED = -1
    """To none of the addresses."""
    NOT_FOUND = -2
    """There is no such name."""
    NO_ANSWER = -3
    """To the question for the name, within 2 s."""
    NO_TRANSPORT = -4
    """It takes one that this agent has not."""


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
    """Why the stack could not send it (a pj_status_t), or not to `target` (an Undirected); 0: it left. WAITS: it may
    yet, and will come once more then, or when that is not to be."""
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
    target: str | None = None
    """Where a message was to go that could not: host or URI, as the SUT named it. What became of it follows, if it was
    sent somewhere else: to where the dialog's INVITE, or the answer to it, had come from."""


WAITS: Final = 70_002
"""PJ_EPENDING, as `unsent`: its connection is not up yet, or its socket is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapSecure:
    """What TLS came to on a connection."""

    begun: bool = False
    """The handshake: there was a connection to have it on."""
    asked: bool = False
    """The peer is known to have asked for a certificate of ours; False: it did not, or TLS 1.3 did not tell."""
    version: str = ""
    """`TLSv1.3`, as agreed; empty, as the others: not known."""
    cipher: str = ""
    faults: int = 0
    """What verification found in the peer's certificate, whether it was to be verified or not: bits, PJ_SSL_CERT_E…"""
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    """What that certificate is for: its subjectAltName."""
    not_before_s: int | None = None
    """POSIX."""
    not_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TapConnection:
    """A TCP or TLS connection as it stands: told at each change, the last of them is how it ended."""

    number: int
    """That of its messages."""
    protocol: str
    """`TCP`, `TLS`."""
    outgoing: bool
    """We opened it."""
    local: str
    """`ip:port`."""
    remote: str
    opened_s: float
    """Monotonic clock, as the others: when we began to open it, or had taken it."""
    up_s: float | None
    """None: it is not, or never came up."""
    closed_s: float | None
    status: int
    """Of its end: a pj_status_t."""
    ours: bool
    """We closed it, or are about to."""
    heard: bool = False
    """Something came by it."""
    secure: TapSecure | None = None
    """Of TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What a capture has come to; all 0 where there was none."""

    packets: int
    bytes: int
    left_out: int
    """Packets beyond the capture's size, or that could not be written."""
    error: str | None
    """Why not."""
