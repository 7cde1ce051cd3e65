"""What one agent measured on one leg of one call: records as the wire had them.

None, which is absent on the wire, means 'not measured': never 0, never a default. Times in ms are since the answer, on
its own clock, unless they say otherwise. Every list is bounded, and says how much did not fit.
"""

from enum import StrEnum

from agent.contract.connection import Connection
from agent.contract.document import Document
from agent.contract.expect import DtmfMethod
from agent.contract.media import Gap, Heard, Negotiated, Rtp, Section, Source, as_one
from agent.contract.messages import Looked
from agent.contract.srtp import SdpKeys, SrtpSection
from agent.contract.verdict import Finding, Role


class Side(StrEnum):
    """Who did something, seen from the agent."""

    LOCAL = "Local"
    REMOTE = "Remote"


class SipMessage(Document, frozen=True, kw_only=True, omit_defaults=True):
    """One SIP message as it crossed the agent's socket; text cut to printable characters."""

    at_ms: float
    """Since the leg's first message."""
    sent: bool
    peer: str
    text: str


class Progress(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Times since the INVITE was first sent (caller) or received (callee), from messages on the wire."""

    first_response_ms: float | None = None
    ringing_ms: float | None = None
    """To the first 18x ('ringing' of RFC 6076 SRD)."""
    answered_ms: float | None = None
    """To the final response."""
    bye_ms: float | None = None
    ended_ms: float | None = None


class Digit(Document, frozen=True, kw_only=True, array_like=True):
    """One DTMF digit. On the wire an array of its fields."""

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


class UntakenDigit(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A digit that this end sent by INFO, and that was not answered 2xx."""

    place: int
    """Among the digits sent by INFO, from 1."""
    digit: str
    code: int | None
    """Of the final response; None: none came."""
    phrase: str | None = None
    times: int = 1
    """How often the last try crossed."""
    when_over: bool = False
    """It was refused after the first BYE, or by a 408 or 481 just before the other side's, or, not answered, sent less
    than 2 s before it: nothing can be said of an answer."""


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
    """Datagrams the kernel dropped at our SIP socket (/proc/net/udp): none where SIP goes by connections."""


class Health(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The agent's own troubles while this leg's media ran: facts, judged in agent/judge."""

    throttled_ms: float | None = None
    """CPU quota (cgroup cpu.stat)."""
    lateness_ms: float | None = None
    """Worst lateness of the process's sentinel."""
    socket_drops: int | None = None
    """Datagrams the kernel dropped at our SIP socket (/proc/net/udp)."""
    rtp_drops: int | None = None
    """And at this leg's own sockets for RTP, from when these were opened: also before its answer, where nobody reads
    them, for what is missing there is a hole in what was read of them later."""
    rtp_lateness_ms: float | None = None
    """How late its own audio was at worst, by the timestamps it sent."""
    sent_ratio: float | None = None
    """Media time sent ÷ media time due while this end was to send; 1.0 is on time."""
    setup: Trouble = Trouble()
    """From the INVITE to the answer, or to the end of a call that was not answered."""
    media: Trouble = Trouble()
    """From the answer to the end."""


WAS_OVER = "the call was over"
"""Of a step whose time never came."""


class Action(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A step of the leg that this agent performed, or could not."""

    name: str
    at_ms: float | None
    """Since the leg's first message."""
    error: str | None = None
    """Why it was not performed."""


class Target(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Where a request of ours in a dialog went (RFC 3261 §12.2.1.1)."""

    peer: str
    """`ip:port` that it was sent to."""
    uri: str
    """Its Request-URI: the Contact that the peer gave."""
    routes: tuple[str, ...] = ()
    """Its Route headers: the Record-Route that came."""


class Refused(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Nobody listened where a request went: ICMP said so (RFC 1122 §4.1.3.1) to keep-alives that went there too."""

    times: int
    """One after the other."""
    over_ms: float
    """From the first of them to the last."""


class Auth(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The digest (RFC 7616, RFC 8760) of an INVITE or a REGISTER: what was asked for, and what was answered.

    Algorithms in upper case; a challenge or credentials without one are `MD5`.
    """

    offered: tuple[str, ...] = ()
    """Algorithms of the last challenges of each challenger, a realm's 401 or 407, the topmost first, each once. Of a
    REGISTER, those of the registrar: of 401s alone, where there are any (RFC 3261 §22.2)."""
    topmost: tuple[str, ...] = ()
    """The first one of each challenger's that our SIP stack has, each once."""
    answered: tuple[str, ...] = ()
    """Algorithms of the credentials in the last try, each once."""
    realm: str | None = None
    """Of the first of those credentials; likewise `qop`."""
    qop: str | None = None
    refused: int = 0
    """How often credentials were answered by a challenge that did not call their nonce stale."""
    stale: int = 0
    """And by one that did."""


class Asked(Document, frozen=True, kw_only=True, omit_defaults=True):
    """An INVITE or a REGISTER with all its tries: what was answered, and what the answers say of why."""

    peer: str | None = None
    """`ip:port` that it was sent to, where it was ours."""
    times: int = 0
    """How often the last try crossed, retransmissions included."""
    provisional: tuple[int, ...] = ()
    """1xx responses of all tries and early dialogs before the final one, in order: a code again only where another came
    between, and no retransmissions of reliable ones."""
    challenges: tuple[str, ...] = ()
    """Each 401 and 407, with its realm: `407 for realm "example.com"`."""
    credentials: int = 0
    """Tries with Authorization or Proxy-Authorization."""
    auth: Auth = Auth()
    unanswerable: str | None = None
    """The challenge of the final response, where our SIP stack cannot answer it: another scheme, algorithm, qop."""
    why: tuple[str, ...] = ()
    """Headers of the final response that say why: Warning, Reason, Retry-After, Unsupported …, as they were."""
    refused: Refused | None = None
    """Where no response came at all. None: not known to be so."""


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
    """Both sides sent one, within 1 s (2 × T1, RFC 3261 §17.1.2.2): neither can have known of the other's."""
    phrase: str | None = None
    """Of that response."""
    why: tuple[str, ...] = ()
    """Headers that say why (Reason, Warning …): of the peer's BYE, or of the response to ours."""
    times: int = 1
    """How often it crossed, with all its tries and retransmissions."""
    target: Target | None = None
    """Of ours, where that is not where the ACK went."""
    answered_when_over: bool = False
    """Ours was answered after the other side's own BYE had come: a 481 is right then (RFC 3261 §15.1.2)."""


class Dialog(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The leg's own dialog: that of its first 2xx, else the last early one."""

    local_tag: str | None
    remote_tag: str | None
    answers: int = 0
    """How often its 2xx crossed, retransmissions included (RFC 3261 §13.3.1.4)."""
    ack_ms: float | None = None
    """When the first ACK to it crossed, since the 2xx; None: none did."""
    acks: int = 0
    """How often that ACK crossed."""
    target: Target | None = None
    """Where it went, where it was ours."""
    bye: Bye | None = None
    forks: tuple[Fork, ...] = ()
    """Those that were answered first."""
    merged: int = 0
    """INVITEs of this call that we refused with 482 (RFC 3261 §8.2.2.2)."""
    redirects: tuple[str, ...] = ()
    """Contacts of 3xx responses."""
    redirects_cut: bool = False
    """There were more of them, or longer ones, than are told."""
    followed: tuple[str, ...] = ()
    """Request-URIs of the tries that went on to one of them."""
    not_followed: str | None = None
    """Which of them ended the call, as it is none to go on to, and why."""


class LegObservation(Document, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="leg"):
    """Everything one agent measured on one leg of one call."""

    role: Role
    endpoint: int
    index: int = 0
    """Which of its agent's legs it is, in the order that they were over: names it where nothing else does."""
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
    asked: Asked = Asked()
    """The INVITE, with all its tries."""
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
    dtmf_refused: str = ""
    """Digits that came by INFO and that this end did not take: it answered otherwise than 2xx, or not at all."""
    dtmf_untaken: tuple[UntakenDigit, ...] = ()
    """Of those that it sent by INFO; at most 8."""
    dtmf_tones: str | None = None
    """Digits heard as tones in the audio that came: no digits of the leg's, and worth to know where those are missing.
    None: nobody listened for them."""
    rtt_ms: float | None = None
    """From RTCP; None where no report came."""
    dialog: Dialog | None = None
    looked: tuple[Looked, ...] = ()
    """At what is asked of its messages: of its call, or, where it does not know which that is, of all calls."""
    unsent: tuple[str, ...] = ()
    """Headers that it was to send, and that were not on the message that crossed: `BYE x-tenant`."""
    connections: tuple[Connection, ...] = ()
    sections: tuple[Section, ...] = ()
    codecs_offered: tuple[str, ...] = ()
    """Of the audio that its INVITE offered, in their order (`PCMU/8000`); at most 32. Empty: it had no SDP."""
    codecs_left_out: int = 0
    """How many more it offered."""
    offered: SdpKeys | None = None
    """What the INVITE's offer of audio said of SRTP, where it was not answered. None: it was, or there was none."""
    plain_hops: tuple[str, ...] = ()
    """Of a callee whose INVITE came by TLS: its Via headers by another transport (`UDP 10.0.0.1:5060`)."""
    answer_faults: tuple[str, ...] = ()
    """What of the peer's answers is forbidden, each with its line or section."""
    no_media: str | None = None
    """Why the peer's answer to our INVITE lets no audio run, though nothing forbids that (no SDP, port 0, inactive)."""
    other_family: str | None = None
    """Where the peer wanted audio, `ip:port`, of the other IP family than this agent's. None: nowhere."""
    downgraded: tuple[str, ...] | None = None
    """URIs that came, and are no sips ones, each with what they are of. None: no call of the plan is to a sips URI."""
    received: tuple[Source, ...] | None = None
    """From the answer on. None: what crossed the wire was not counted."""
    sent: tuple[Source, ...] | None = None
    srtp: tuple[SrtpSection, ...] | None = None
    """What crossed the wire below this agent's SRTP, and what SRTP made of it. None: nothing was counted there."""
    left_out: int = 0
    """Packets of sources and sections for which there was no room."""
    uncounted: int = 0
    """Those of them that no source of the tap's had room for, though they were to or from the host of an SDP."""
    gaps: tuple[Gap, ...] = ()
    gaps_left_out: int = 0
    actions: tuple[Action, ...] = ()
    detour: str | None = None
    """A message of ours (an ACK, say) could not go where the other side has it go: this agent has no transport for it,
    must not send there, or found no address. It went to where the dialog had come from."""
    unparsed: tuple[SipMessage, ...] = ()
    """What came for this call and the SIP stack could not read."""
    heard: Heard | None = None
    health: Health = Health()
    events_left_out: int = 0
    """SIP messages and other events of the leg for which there was no room. Those that make its dialog have their own:
    they are missing only where one kind of them came more than 128 times."""
    messages: tuple[SipMessage, ...] = ()
    """All SIP messages of the leg, where a check of its own broke. Of other legs of calls that did not pass they come
    later, in a KeptLine."""
    findings: tuple[Finding, ...] = ()
    """The agent's own judgement of this leg alone."""
    evidence: str | None = None
    """Its folder, from where evidence is kept: `<run>-<uid>/ep<endpoint>/<call>-<number>/<role>`, of a leg that nothing
    names `leg-<index>-<hash of its Call-ID>`. None: nothing is."""
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
