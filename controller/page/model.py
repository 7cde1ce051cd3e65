"""What a page shows, as values. Times of a call are seconds since its first message or packet, on one clock.

None means 'not known' or 'not measured', never 0. Texts are as they were told: the templates escape them.
"""

from dataclasses import dataclass
from enum import StrEnum

from agent.contract.verdict import Result


class Way(StrEnum):
    """A direction through the system under test."""

    TO_CALLEE = "to callee"
    TO_CALLER = "to caller"

    @property
    def words(self) -> str:
        """As people say it."""
        return "caller → callee" if self is Way.TO_CALLEE else "callee → caller"


class Hop(StrEnum):
    """One side of the system under test."""

    CALLER = "caller to SUT"
    CALLEE = "SUT to callee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Where something broke: on which side, in which direction."""

    hop: Hop
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and a value."""

    name: str
    value: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A sentence about a check that did not pass."""

    result: Result
    reason: str
    sentence: str
    expected: str | None = None
    observed: str | None = None
    leg: str | None = None
    """`Caller`, `Callee`."""
    check: str | None = None
    note: str | None = None


class Tone(StrEnum):
    """What a SIP message is."""

    REQUEST = "request"
    PROVISIONAL = "provisional"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One party of a ladder."""

    name: str
    detail: str = ""
    """Its addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One SIP message, from lane to lane."""

    at_s: float
    source: int
    """Index of its lane."""
    target: int
    title: str
    """`INVITE`, `200 OK`."""
    tone: Tone
    has_sdp: bool
    text: str
    again: bool = False
    """The same message crossed there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Where RTP begins to flow, from lane to lane."""

    at_s: float
    source: int
    target: int
    title: str
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Both legs of a call, in the order of time."""

    lanes: tuple[Lane, ...] = ()
    steps: tuple[Message | Media, ...] = ()
    left_out: int = 0
    """Messages for which there was no room."""
    clock_note: str | None = None
    """What was done about two clocks that disagree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What came of a stream in one stretch of time."""

    begin_s: float
    end_s: float
    packets: int
    lost: int
    """Sequence numbers missing before packets of this slot (RFC 3550 A.3)."""
    jitter_ms: float | None
    """The largest that it had in here (RFC 3550 A.8)."""


class SpanKind(StrEnum):
    """What a stretch of time on a track is."""

    GAP = "gap"
    """No packet came, or media time is missing."""
    SECTION = "section"
    """Between two offer/answers."""
    SILENCE = "silence"
    OWN = "own"
    """This call's signal was heard."""
    OTHER = "other"
    """Another call's signal, or a sound that is nobody's signal, was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time."""

    begin_s: float
    end_s: float
    kind: SpanKind
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One DTMF digit."""

    at_s: float
    digit: str
    length_ms: float | None
    method: str
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How loud it was: dBFS of equal steps from `begin_s` on."""

    begin_s: float
    step_s: float
    dbfs: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Something to listen to."""

    begin_s: float
    length_s: float
    wav: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One direction of media as one point saw it."""

    name: str
    """`received by the callee`."""
    way: Way | None = None
    hop: Hop | None = None
    source: str = ""
    """`ip:port`."""
    target: str = ""
    begin_s: float
    end_s: float
    packets: int | None = None
    lost: int | None = None
    codec: str | None = None
    facts: tuple[Fact, ...] = ()
    slots: tuple[Slot, ...] = ()
    unplaced: int = 0
    """Of `lost`, what has no place in `slots`."""
    keys: tuple[Key, ...] = ()
    spans: tuple[Span, ...] = ()
    level: Level | None = None
    sound: Sound | None = None
    no_sound: str | None = None
    """Why there is nothing to listen to."""

    @property
    def sent(self) -> bool:
        """An agent of ours sent it: what comes of it at the other end is the path's doing."""
        return self.hop is not None and (self.hop is Hop.CALLER) is (self.way is Way.TO_CALLEE)

    @property
    def digits(self) -> str:
        """All of them, in their order."""
        return "".join(key.digit if len(key.digit) == 1 else f"[{key.digit}]" for key in self.keys)

    @property
    def lost_percent(self) -> float | None:
        """Of the packets that were due."""
        if self.packets is None or self.lost is None or self.packets + self.lost == 0:
            return None
        return 100 * self.lost / (self.packets + self.lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, of one leg or two."""

    anchor: str
    """For links within the page."""
    name: str
    where: str = ""
    """Its endpoint, or addresses."""
    began: str = ""
    """Date and time of second 0."""
    length_s: float = 0.0
    result: Result | None = None
    """None: nobody judged it, or that is not known."""
    code: str | None = None
    """Final response to the INVITE, `200 OK`."""
    said: tuple[Said, ...] = ()
    broken: tuple[Broken, ...] = ()
    facts: tuple[Fact, ...] = ()
    ladder: Ladder = Ladder()
    tracks: tuple[Track, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_suspect(self) -> bool:
        """Something of it did not go as calls should, whoever's fault that is."""
        if self.result is not None:
            return self.result is not Result.PASSED
        return bool(self.said) or any(fact.is_bad for fact in self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An endpoint of the system under test."""

    name: str
    address: str
    result: Result | None
    reason: str
    calls: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole page."""

    title: str
    made_of: tuple[str, ...]
    """Files, folders, the run."""
    result: Result | None = None
    """None: nothing in it says what should have come."""
    reason: str | None = None
    sentence: str = ""
    facts: tuple[Fact, ...] = ()
    worst: Said | None = None
    broken: tuple[Broken, ...] = ()
    at: str = ""
    """Where the worst was seen: call and endpoint."""
    sut: str = ""
    places: tuple[Place, ...] = ()
    calls: tuple[Call, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know: warnings of the reading."""
    left_out: tuple[str, ...] = ()
    """What is not on the page, and why."""
    has_callee: bool = True
    """False: the system under test answers itself."""

    def words(self, way: Way) -> str:
        """A direction as people say it."""
        return way.words if self.has_callee else way.words.replace("callee", "SUT")
