"""What one agent measured of a leg's media: sections, sources, what is missing, what was heard.

None, which is absent on the wire, means 'not measured', as in agent/contract/observation.py. Every list is bounded, and
says how much did not fit.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from agent.contract.document import Document
from agent.contract.srtp import SectionKeys

MAX_SECTIONS: Final = 16
MAX_SOURCES: Final = 32
"""Of each direction of a leg."""
MAX_GAPS: Final = 64
MAX_STRETCHES: Final = 128
MAX_TONES: Final = 8


class Section(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of media between two offer/answers (RFC 3264), as the SDP texts on the wire have it, seen from here."""

    begin_ms: float | None
    """When its answer crossed; negative before the call was answered. None: the call was not answered."""
    local: str | None
    """`ip:port` that our SDP names: where this end receives."""
    remote: str | None
    """`ip:port` that theirs names; None where it names none (port 0, a host name)."""
    receives: bool
    """Both directions allow that the peer sends and we receive (RFC 8866 §6.7)."""
    sends: bool
    codec: str | None
    """First audio codec of the answer (`PCMU`)."""
    clock_hz: int | None
    ptime_ms: int | None
    """What the peer asks for (`a=ptime`)."""
    telephone_event_payload_type: int | None
    """None: no telephone-event in both SDPs."""
    protocol: str
    """Of the m-line: `RTP/AVP` …"""
    types: dict[int, str]
    """Payload types that this end may receive, and what they are: {0: "PCMU/8000", 101: "telephone-event/8000"}."""
    theirs: dict[int, str]
    """Likewise: those that the peer may."""
    keys: SectionKeys | None = None
    """Of SRTP; None: neither side's SDP said a word of it."""
    rekeyed: int = 0
    """How many later offers and answers of SRTP changed nothing of this. Their keys, which nobody keeps, may be new."""


class Origin(StrEnum):
    """Whose media a source's is. Strangers are counted and named, and nothing of theirs is judged."""

    SIGNALLED = "Signalled"
    """From an SDP address in force (the previous section's until 500 ms after a change)."""
    SAME_HOST = "SameHost"
    """From such an address's host, another port."""
    PROVEN = "Proven"
    """The section's only other source, of negotiated types, and its sound is this call's signal."""
    STRANGER = "Stranger"


class Source(Document, frozen=True, kw_only=True, array_like=True):
    """One SSRC from (or, sent, to) one address in one section. Counts: RFC 3550 A.1, A.3, A.8; media time in ms.

    On the wire an array of its fields: names would take more room than all that they name.
    """

    section: int
    """Index in the leg's sections; -1: before any."""
    remote: str
    """`ip:port`."""
    ssrc: int
    origin: Origin
    packets: int
    """Copies included."""
    duplicates: int = 0
    reordered: int = 0
    """First arrivals only (RFC 4737)."""
    lost: int = 0
    """By sequence numbers; none by a restart."""
    restarts: int = 0
    """Lives of its sequence numbers after the first (RFC 3550 A.1)."""
    media_ms: float | None = None
    """Audio in distinct packets; None: no audio of a known clock."""
    lost_ms: float | None = None
    """Media time that is missing and no pause."""
    pause_ms: float | None = None
    """Media time that is missing before a marker or next to comfort noise (RFC 3551 §4.1)."""
    event_ms: float | None = None
    """Time that RFC 4733 events took."""
    first_ms: float | None = None
    last_ms: float | None = None
    max_gap_ms: float | None = None
    """Longest time between two arrivals."""
    jitter_ms: float | None = None
    max_jitter_ms: float | None = None
    jitter_samples: int = 0
    payload_types: dict[int, int]
    """Packets of each."""
    unnegotiated: int = 0
    """Packets with payload, of types that no SDP had, other than comfort noise."""
    empty: int = 0
    """RTP without payload: keep-alives (RFC 6263 §4.6)."""
    noise: int = 0
    """Comfort noise (RFC 3389)."""

    @property
    def accepted(self) -> bool:
        """Its media is this leg's."""
        return self.origin is not Origin.STRANGER


class GapKind(StrEnum):
    """Why media time is missing."""

    LOST = "Lost"
    PAUSE = "Pause"
    RESTART = "Restart"


class Gap(Document, frozen=True, kw_only=True, array_like=True):
    """Media time missing in what an accepted source sent. On the wire an array of its fields."""

    at_ms: float | None
    """When the packet after it came."""
    missing_ms: float
    kind: GapKind
    packets: int = 0
    """Sequence numbers that are missing there; 0: numbers go on, and timestamps do not."""


class Rtp(Document, frozen=True, kw_only=True):
    """One direction's RTP of a leg, from the answer on, of accepted sources: all sections' as one. See `Source`."""

    packets: int | None = None
    """Copies included."""
    lost: int | None = None
    duplicates: int | None = None
    reordered: int | None = None
    restarts: int | None = None
    unnegotiated: int | None = None
    empty: int | None = None
    noise: int | None = None
    media_ms: float | None = None
    lost_ms: float | None = None
    pause_ms: float | None = None
    event_ms: float | None = None
    jitter_ms: float | None = None
    """Mean over the call (RFC 3550 A.8)."""
    max_jitter_ms: float | None = None
    first_ms: float | None = None
    """When the first packet crossed the wire, since the answer."""
    last_ms: float | None = None
    max_gap_ms: float | None = None
    """Longest time between two packets of one source in one section."""


def as_one(sources: Sequence[Source]) -> Rtp:
    """The accepted ones together; only the packets where there were none."""
    accepted = [source for source in sources if source.accepted]
    if not accepted:
        return Rtp(packets=0)
    known = [one for one in accepted if one.jitter_ms is not None and one.jitter_samples]
    samples = sum(one.jitter_samples for one in known)
    return Rtp(
        packets=sum(one.packets for one in accepted),
        lost=sum(one.lost for one in accepted),
        duplicates=sum(one.duplicates for one in accepted),
        reordered=sum(one.reordered for one in accepted),
        restarts=sum(one.restarts for one in accepted),
        unnegotiated=sum(one.unnegotiated for one in accepted),
        empty=sum(one.empty for one in accepted),
        noise=sum(one.noise for one in accepted),
        media_ms=total(one.media_ms for one in accepted),
        lost_ms=total(one.lost_ms for one in audible(accepted)),
        pause_ms=total(one.pause_ms for one in audible(accepted)),
        event_ms=total(one.event_ms for one in accepted),
        jitter_ms=round(sum((one.jitter_ms or 0.0) * one.jitter_samples for one in known) / samples, 3)
        if known
        else None,
        max_jitter_ms=max((one.max_jitter_ms for one in accepted if one.max_jitter_ms is not None), default=None),
        first_ms=min((one.first_ms for one in accepted if one.first_ms is not None), default=None),
        last_ms=max((one.last_ms for one in accepted if one.last_ms is not None), default=None),
        max_gap_ms=max((one.max_gap_ms for one in accepted if one.max_gap_ms is not None), default=None),
    )


def audible(sources: Sequence[Source]) -> list[Source]:
    """Those of senders that sent audio, in whatever section: only their time between packets is a call's.

    Some send digits as a source of their own, whose time between two digits nobody misses: audio runs on beside it.
    """
    senders = {(source.remote, source.ssrc) for source in sources if source.media_ms}
    return [source for source in sources if (source.remote, source.ssrc) in senders]


def total(values: Iterable[float | None]) -> float | None:
    """Of those that were measured; None where none was."""
    known = [value for value in values if value is not None]
    return round(sum(known), 3) if known else None


class Stretch(Document, frozen=True, kw_only=True, array_like=True):
    """A stretch of what was heard, of one signal or of none. On the wire an array of its fields.

    Begins and ends with sound of its kind. Where the recording had many stretches, what a broken line cut in pieces is
    one: how much of it is silence, or other sound between, is told; where in it that was is not.
    """

    begin_ms: float
    """Since the recording began."""
    end_ms: float
    code: int | None
    """Identity code that was decoded or found; None: audible (above -45 dBFS), and no known signal."""
    silent_ms: float = 0.0
    other_ms: float = 0.0
    """Of no known signal."""

    @property
    def own_ms(self) -> float:
        """How much of it is sound of its own kind."""
        return self.sound_ms - self.other_ms

    @property
    def sound_ms(self) -> float:
        """How much of it is no silence."""
        return self.end_ms - self.begin_ms - self.silent_ms


def alike_hz(hertz: float) -> float:
    """How far two tones of that frequency may be apart and be one: the greater of 1.5 % and 10 Hz.

    ITU-T Q.24 takes a tone that is 1.5 % off for the same, and one that is 3.5 % off for none; E.180 lets exchanges be
    further off their own nominal frequency. 10 Hz are what 64 ms of a recording tell.
    """
    return max(0.015 * hertz, 10.0)


class Tone(Document, frozen=True, kw_only=True, array_like=True):
    """A single tone that was heard, continuous or in bursts. On the wire an array of its fields."""

    hertz: float
    ms: float
    """In all; bursts of less than 170 ms are not counted."""


class Heard(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What the received audio was."""

    duration_ms: float
    """Length of the recording, from media start to end."""
    level_dbfs: float
    """RMS of the active parts; -120 is digital silence."""
    active_ms: float
    """How much of it was above the silence threshold."""
    codes: dict[str, int]
    """Identity codes decoded (decimal), and how often each was heard."""
    stretches: tuple[Stretch, ...] = ()
    """In order; what did not fit is not there."""
    stretches_left_out: int = 0
    pieces_ms: float = 0.0
    """Of the call's own signal in pieces, where not one frame of it came whole. What it is is not certain then: of
    another call's signal about a tenth is such a piece too, by chance."""
    tones: tuple[Tone, ...] | None = None
    """Single tones beside the known signals, the longest first: sound of one frequency at a time. What else was heard
    is the rest of `active_ms`. None: no test asks for one, and nobody looked."""
    tones_left_out: int = 0
    """Of other frequencies, and shorter."""


class Negotiated(Document, frozen=True, kw_only=True):
    """What offer and answer agreed on."""

    codec: str | None = None
    telephone_event_payload_type: int | None = None
    """None: no telephone-event in this leg's negotiated SDP."""
    remote_rtp: str | None = None
    """`ip:port` of the peer's SDP: the SUT's relay, or the other agent itself."""
