"""What an agent says: one JSON line per fact on stdout, and the result of exactly 4,000 bytes.

Null means 'not measured': never 0, never a default.
"""

import hashlib
from enum import StrEnum
from typing import Final, Literal

import msgspec

from agent.contract.call import DtmfMethod
from agent.contract.document import Document
from agent.contract.verdict import Finding, Role

RESULT_VERSION: Final = "calltest.dev/result/v1"
RESULT_BYTES = 4000
"""Under the kubelet's 4,096 for a termination message; always this long, so one pwrite replaces it whole."""
MAX_DETAIL_BYTES = 4 * 1024 * 1024
MAX_FINDINGS = 20


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
    """One direction's RTP of a leg, from the answer on. Loss and jitter: RFC 3550 A.3, A.8."""

    packets: int | None = None
    """Copies included."""
    lost: int | None = None
    """Sent: as the peer's RTCP reported."""
    duplicates: int | None = None
    reordered: int | None = None
    unnegotiated: int | None = None
    """Packets of payload types that the SDP did not have."""
    jitter_ms: float | None = None
    """Mean over the call. Sent: as the peer's RTCP reported."""
    max_jitter_ms: float | None = None
    first_ms: float | None = None
    """When the first packet crossed the wire, since the answer."""
    last_ms: float | None = None
    max_gap_ms: float | None = None
    """Longest time between two packets."""

    @property
    def distinct(self) -> int | None:
        """Packets without their copies."""
        return None if self.packets is None else self.packets - (self.duplicates or 0)


class StackCount(Document, frozen=True, kw_only=True):
    """What the SIP stack itself counted in one direction: beside what was on the wire, and never judged."""

    packets: int
    lost: int | None = None
    jitter_ms: float | None = None


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


class Negotiated(Document, frozen=True, kw_only=True):
    """What offer and answer agreed on."""

    codec: str | None = None
    telephone_event_payload_type: int | None = None
    """None: no telephone-event in this leg's negotiated SDP."""
    remote_rtp: str | None = None
    """`ip:port` of the peer's SDP: the SUT's relay, or the other agent itself."""


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
    """RTP packets sent ÷ packets due for the time the media ran; 1.0 is on time."""


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
    local_rtp: str | None = None
    """`ip:port` of this agent's RTP socket; equal to the peer's negotiated.remoteRtp when media went direct."""
    started_at: float
    """Unix time, for people; never compared between two agents."""
    progress: Progress = Progress()
    final_code: int | None = None
    """Final response to the INVITE that was on the wire (received by the caller, sent by the callee)."""
    final_phrase: str | None = None
    local_reason: str | None = None
    """Why the agent itself ended or could not do it (pjsip's words): never a SIP code."""
    ended_by: Side | None = None
    """Who sent the BYE or CANCEL that ended it."""
    bye_answered: bool | None = None
    """A final response to our BYE came. None: we sent none."""
    acknowledged: bool | None = None
    """Callee: an ACK to its 2xx came. None: it sent no 2xx, or is a caller."""
    bye_code: int | None = None
    """That response. None also where the other side's BYE crossed ours: a 481 to it is right then."""
    negotiated: Negotiated | None = None
    dtmf_sent: tuple[Digit, ...] = ()
    dtmf_received: tuple[Digit, ...] = ()
    rtp_sent: Rtp | None = None
    rtp_received: Rtp | None = None
    rtt_ms: float | None = None
    """From RTCP; None where no report came."""
    stack_sent: StackCount | None = None
    stack_received: StackCount | None = None
    disagreements: tuple[str, ...] = ()
    """Where it counted or heard otherwise than the wire had it, in words."""
    heard: Heard | None = None
    health: Health = Health()
    messages: tuple[SipMessage, ...] = ()
    """All SIP messages of the leg; kept for legs with a finding only."""
    findings: tuple[Finding, ...] = ()
    """The agent's own judgement of this leg alone."""
    evidence: str | None = None
    """Its folder, from where evidence is kept: `<run>-<uid>/ep<endpoint>/<call>-<number>/<role>`. None: nothing is."""
    evidence_fault: str | None = None
    """Why nothing is kept, though it should be."""


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


class ProgressLine(Document, frozen=True, kw_only=True, tag_field="kind", tag="progress"):
    """Where the agent stands; on each change and every two seconds. Not counted among the detail lines."""

    run_uid: str
    agent: str
    ready: int
    """Stages prepared so far: stage k is ready when ready > k."""
    done: int
    """Stages finished so far."""
    active: int
    ended: int
    failed: int
    """Legs with at least one Failed finding."""
    address: str | None = None
    """`ip:port` of the agent's SIP socket."""


DetailLine = LegObservation | RegistrationObservation
Line = LegObservation | RegistrationObservation | ProgressLine


class DetailDigest(Document, frozen=True, kw_only=True):
    """How many detail lines (legs and registrations) were written, and the sha256 over them with their newlines."""

    lines: int
    sha256: str


class AgentResult(Document, frozen=True, kw_only=True):
    """The termination message: small, always there, and enough to trust or refuse the log."""

    version: Literal["calltest.dev/result/v1"] = RESULT_VERSION
    run_uid: str
    agent: str
    plan_sha256: str
    final: bool
    """True: the agent ended by itself and everything it did is in here and in the detail lines."""
    legs: int
    """Legs that have ended."""
    detail: DetailDigest
    findings: tuple[Finding, ...] = ()
    """As many as fit, Failed first."""
    stopped: bool = False
    """It was told to stop (signal, SIGTERM or its own deadline) before the plan was done."""
    error: Finding | None = None
    """Why it could not do its plan at all (a missing Secret key, a port in use)."""


class ResultError(ValueError):
    """A result or line that cannot be believed; the text says why."""


def encode_result(result: AgentResult) -> bytes:
    """Exactly RESULT_BYTES of JSON, padded with spaces; findings are dropped from the end until it fits."""
    while len(raw := msgspec.json.encode(result)) > RESULT_BYTES:
        if not result.findings:
            raise ResultError(f"result: {len(raw)} bytes without findings, at most {RESULT_BYTES}")
        result = msgspec.structs.replace(result, findings=result.findings[:-1])
    return raw.ljust(RESULT_BYTES)


def decode_result(raw: bytes) -> AgentResult:
    """Reads a termination message; ResultError says what is wrong with it."""
    try:
        return msgspec.json.decode(raw.strip(), type=AgentResult)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ResultError(f"result: {error}") from error


def encode_line(line: Line) -> bytes:
    """One JSON line, newline included."""
    return msgspec.json.encode(line) + b"\n"


_LINE_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def decode_line(raw: bytes) -> Line:
    """Reads one line of an agent's stdout; ResultError when it is none of ours."""
    try:
        return _LINE_DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ResultError(f"line: {error}") from error


def detail_digest(lines: list[bytes]) -> DetailDigest:
    """The digest over detail lines as written (newlines included)."""
    return DetailDigest(lines=len(lines), sha256=hashlib.sha256(b"".join(lines)).hexdigest())
