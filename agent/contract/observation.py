"""What one agent measured on one leg of one call, and of its registrations: records as the wire had them.

Null means 'not measured': never 0, never a default. Times in ms are since the answer, on its own clock, unless they
say otherwise. Every list is bounded, and says how much did not fit.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from agent.contract.call import DtmfMethod
from agent.contract.document import Document
from agent.contract.verdict import Finding, Role


class Side(StrEnum):
    """Who did something, seen from the agent."""

    LOCAL = "Local"
    REMOTE = "Remote"


class SipMessage(Document, frozen=True, kw_only=True):
    """One SIP message as it crossed the agent's socket; text cut to printable characters."""

    at_ms: float
    """Since the leg's first message."""
    sent: bool
    peer: str
    text: str


class Progress(Document, frozen=True, kw_only=True):
    """Times since the INVITE was first sent (caller) or received (callee), from messages on the wire."""

    first_response_ms: float | None = None
    ringing_ms: float | None = None
    """To the first 18x ('ringing' of RFC 6076 SRD)."""
    answered_ms: float | None = None
    """To the final response."""
    bye_ms: float | None = None
    ended_ms: float | None = None


class Digit(Document, frozen=True, kw_only=True):
    """One DTMF digit."""

    digit: str
    method: DtmfMethod
    at_ms: float | None = None
    """Since the answer."""
    duration_ms: float | None = None
    last_ms: float | None = None
    """When its last packet crossed the wire, since the answer. This and what follows: RFC 4733, as the wire had it."""
    volume_dbm0: int | None = None
    marker: bool | None = None
    """Of its first packet."""
    packets: int | None = None
    end_packets: int | None = None
    """0: it was never ended."""


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

    @property
    def distinct(self) -> int | None:
        """Packets without their copies."""
        return None if self.packets is None else self.packets - (self.duplicates or 0)


class Stretch(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of what was heard that is all of one kind; silence has none."""

    begin_ms: float
    """Since the recording began."""
    end_ms: float
    code: int | None
    """Identity code that was decoded or found; None: audible (above -45 dBFS), and no known signal."""


class Heard(Document, frozen=True, kw_only=True):
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


class Negotiated(Document, frozen=True, kw_only=True):
    """What offer and answer agreed on."""

    codec: str | None = None
    telephone_event_payload_type: int | None = None
    """None: no telephone-event in this leg's negotiated SDP."""
    remote_rtp: str | None = None
    """`ip:port` of the peer's SDP: the SUT's relay, or the other agent itself."""


class Trouble(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The agent's own troubles during one window of a leg: facts, judged in agent/judge. None: not measured."""

    over_ms: float | None = None
    """How long the window was."""
    throttled_ms: float | None = None
    """CPU quota (cgroup cpu.stat)."""
    lateness_ms: float | None = None
    """Worst lateness of the process's sentinel."""
    loop_ms: float | None = None
    """Of the agent's event loop."""
    stack_ms: float | None = None
    """Of the SIP stack's own thread."""
    socket_drops: int | None = None
    """Datagrams the kernel dropped at our sockets (/proc/net/udp)."""


class Health(Document, frozen=True, kw_only=True):
    """The agent's own troubles while this leg's media ran: facts, judged in agent/judge."""

    throttled_ms: float | None = None
    """CPU quota (cgroup cpu.stat)."""
    lateness_ms: float | None = None
    """Worst lateness of the process's sentinel."""
    socket_drops: int | None = None
    """Datagrams the kernel dropped at our sockets (/proc/net/udp)."""
    rtp_lateness_ms: float | None = None
    """How late its own audio was at worst, by the timestamps it sent."""
    sent_ratio: float | None = None
    """Media time sent ÷ media time due while this end was to send; 1.0 is on time."""
    setup: Trouble = Trouble()
    """From the INVITE to the answer, or to the end of a call that was not answered."""
    media: Trouble = Trouble()
    """From the answer to the end."""


MAX_SECTIONS: Final = 16
MAX_SOURCES: Final = 32
"""Of each direction of a leg."""
MAX_GAPS: Final = 64
MAX_STRETCHES: Final = 128


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


class Origin(StrEnum):
    """Whose media a source's is. Strangers are counted and named, and nothing of theirs is judged."""

    SIGNALLED = "Signalled"
    """From an SDP address in force (the previous section's until 500 ms after a change)."""
    SAME_HOST = "SameHost"
    """From such an address's host, another port."""
    PROVEN = "Proven"
    """The section's only other source, of negotiated types, and its sound is this call's signal."""
    STRANGER = "Stranger"


class Source(Document, frozen=True, kw_only=True, omit_defaults=True):
    """One SSRC from (or, sent, to) one address in one section. Counts: RFC 3550 A.1, A.3, A.8; media time in ms."""

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
        lost_ms=total(one.lost_ms for one in accepted),
        pause_ms=total(one.pause_ms for one in accepted),
        event_ms=total(one.event_ms for one in accepted),
        jitter_ms=round(sum((one.jitter_ms or 0.0) * one.jitter_samples for one in known) / samples, 3)
        if known
        else None,
        max_jitter_ms=max((one.max_jitter_ms for one in accepted if one.max_jitter_ms is not None), default=None),
        first_ms=min((one.first_ms for one in accepted if one.first_ms is not None), default=None),
        last_ms=max((one.last_ms for one in accepted if one.last_ms is not None), default=None),
        max_gap_ms=max((one.max_gap_ms for one in accepted if one.max_gap_ms is not None), default=None),
    )


def total(values: Iterable[float | None]) -> float | None:
    """Of those that were measured; None where none was."""
    known = [value for value in values if value is not None]
    return round(sum(known), 3) if known else None


class GapKind(StrEnum):
    """Why media time is missing."""

    LOST = "Lost"
    PAUSE = "Pause"
    RESTART = "Restart"


class Gap(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Media time missing in what an accepted source sent."""

    at_ms: float | None
    """When the packet after it came."""
    missing_ms: float
    kind: GapKind
    packets: int = 0
    """Sequence numbers that are missing there; 0: numbers go on, and timestamps do not."""


class Action(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A step of the leg that this agent performed, or could not."""

    name: str
    at_ms: float | None
    """Since the leg's first message."""
    error: str | None = None
    """Why it was not performed."""


class Fork(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Another dialog that the leg's INVITE made (RFC 3261 §12.1.2): beside the leg's own, and no part of it."""

    tag: str
    codes: tuple[int, ...]
    """Responses, the first of each code."""
    ended: bool
    """A BYE of ours went there, or it never had a 2xx."""


class Bye(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The end of the leg's own dialog, as the wire had it (RFC 3261 §15)."""

    by: Side
    """Who sent the first one."""
    at_ms: float
    """Since the leg's first message."""
    code: int | None
    """Final response to the last try; None: none came. Of our BYE as received, of the peer's as we sent it."""
    crossed: bool
    """Both sides sent one."""


class Dialog(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The leg's own dialog: that of its first 2xx, else the last early one."""

    local_tag: str | None
    remote_tag: str | None
    answers: int = 0
    """How often its 2xx crossed, retransmissions included (RFC 3261 §13.3.1.4)."""
    ack_ms: float | None = None
    """When the first ACK to it crossed, since the 2xx; None: none did."""
    bye: Bye | None = None
    forks: tuple[Fork, ...] = ()
    merged: int = 0
    """INVITEs of this call that we refused with 482 (RFC 3261 §8.2.2.2)."""
    redirects: tuple[str, ...] = ()
    """Contacts of 3xx responses."""


class LegObservation(Document, frozen=True, kw_only=True, tag_field="kind", tag="leg"):
    """Everything one agent measured on one leg of one call."""

    role: Role
    endpoint: int
    call: str | None
    """None at a callee that could not tell which call it was."""
    number: int | None
    call_key: str | None
    """Caller: the X-Calltest-Call it sent. Callee: the one it received, if any."""
    sip_call_id: str | None
    from_user: str | None
    started_at: float
    """Unix time, for people."""
    began_s: float = 0.0
    """When it began, by the agent's monotonic clock: for the order of one agent's legs."""
    progress: Progress = Progress()
    final_code: int | None = None
    """Final response to the INVITE that was on the wire (received by the caller, sent by the callee)."""
    final_phrase: str | None = None
    callee_shared: bool = False
    """The final response says that another run's callee refused the call (X-Calltest-Refused); a path may drop that."""
    local_reason: str | None = None
    """Why the agent itself ended or could not do it (pjsip's words): never a SIP code."""
    told_to_stop: bool = False
    """The agent ended it (or would have) because it was itself told to stop, and for no other reason."""
    ended_by: Side | None = None
    """Who sent the BYE or CANCEL that ended it."""
    bye_answered: bool | None = None
    """A final response to our BYE came. None: we sent none."""
    acknowledged: bool | None = None
    """Callee: an ACK to its 2xx came. None: it sent no 2xx, or is a caller."""
    bye_code: int | None = None
    """That response. None also where the other side's BYE crossed ours: a 481 to it is right then."""
    dtmf_sent: tuple[Digit, ...] = ()
    dtmf_received: tuple[Digit, ...] = ()
    rtt_ms: float | None = None
    """From RTCP; None where no report came."""
    dialog: Dialog | None = None
    sections: tuple[Section, ...] = ()
    answer_faults: tuple[str, ...] = ()
    """What of the peer's answers is forbidden, each with its line or section."""
    no_media: str | None = None
    """Why the peer's answer to our INVITE lets no audio run, though nothing forbids that (no SDP, port 0, inactive)."""
    received: tuple[Source, ...] | None = None
    """From the answer on. None: what crossed the wire was not counted."""
    sent: tuple[Source, ...] | None = None
    left_out: int = 0
    """Packets of sources and sections for which there was no room."""
    gaps: tuple[Gap, ...] = ()
    gaps_left_out: int = 0
    actions: tuple[Action, ...] = ()
    unparsed: tuple[SipMessage, ...] = ()
    """What came for this call and the SIP stack could not read."""
    heard: Heard | None = None
    health: Health = Health()
    events_left_out: int = 0
    """SIP messages and other events of the leg for which there was no room. Those that make its dialog have their own:
    they are missing only where one kind of them came more than 128 times."""
    messages: tuple[SipMessage, ...] = ()
    """All SIP messages of the leg; kept for legs with a finding only."""
    findings: tuple[Finding, ...] = ()
    """The agent's own judgement of this leg alone."""
    evidence: str | None = None
    """Its folder, from where evidence is kept: `<run>-<uid>/ep<endpoint>/<call>-<number>/<role>`. None: nothing is."""
    evidence_fault: str | None = None
    """Why nothing is kept, though it should be."""

    @property
    def negotiated(self) -> Negotiated | None:
        """What its last offer and answer agreed on; None where there was none, or the call was not answered."""
        last = self._last_section
        if last is None:
            return None
        event_type = last.telephone_event_payload_type
        return Negotiated(codec=last.codec, telephone_event_payload_type=event_type, remote_rtp=last.remote)

    @property
    def local_rtp(self) -> str | None:
        """`ip:port` where it receives; equal to the peer's negotiated.remote_rtp where media went direct."""
        return None if self._last_section is None else self._last_section.local

    @property
    def rtp_received(self) -> Rtp | None:
        """What came of the leg's media; None where there was none to come, or it was not counted."""
        return as_one(self.received) if self._last_section and self.received is not None else None

    @property
    def rtp_sent(self) -> Rtp | None:
        """What this end sent to where its media belongs."""
        return as_one(self.sent) if self._last_section and self.sent is not None else None

    @property
    def _last_section(self) -> Section | None:
        return next((section for section in reversed(self.sections) if section.begin_ms is not None), None)


class RegistrationOutcome(StrEnum):
    """How a REGISTER concluded."""

    REGISTERED = "Registered"
    REJECTED = "Rejected"
    TIMEOUT = "Timeout"
    ERROR = "Error"
    """Our own doing: it could not be sent."""


class RegistrationObservation(Document, frozen=True, kw_only=True, tag_field="kind", tag="registration"):
    """How the agent's registration at one endpoint concluded."""

    role: Role
    endpoint: int
    outcome: RegistrationOutcome
    code: int | None = None
    """The last response received on the wire."""
    phrase: str | None = None
    local_reason: str | None = None
    duration_ms: float | None = None
    messages: tuple[SipMessage, ...] = ()
    evidence: str | None = None
    """As of a leg: `<run>-<uid>/ep<endpoint>/registration/<role>`."""
    evidence_fault: str | None = None
