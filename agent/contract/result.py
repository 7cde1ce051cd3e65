"""What an agent says: one JSON line per fact on stdout, and the result of exactly 4,000 bytes.

Null means 'not measured': never 0, never a default.
"""

import hashlib
from enum import StrEnum
from typing import Final, Literal

import msgspec

from agent.contract.document import Document
from agent.contract.observation import LegObservation, SipMessage
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Finding, Role

RESULT_VERSION: Final = "calltest.dev/result/v1"
RESULT_BYTES = 4000
"""Under the kubelet's 4,096 for a termination message; always this long, so one pwrite replaces it whole."""
MAX_FINDINGS = 20


class StopCause(StrEnum):
    """What told an agent to stop before its plan was done."""

    SIGNAL = "Signal"
    """Its controller."""
    TERMINATED = "Terminated"
    """SIGTERM or SIGINT: whoever ended its pod or process."""
    DEADLINE = "Deadline"
    """Its own (plan.deadline_s)."""


class ProgressLine(Document, frozen=True, kw_only=True, tag_field="kind", tag="progress"):
    """Where the agent stands; on each change and now and then (agent/run/progress.py). Not counted as a detail line."""

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


class KeptLine(Document, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="kept"):
    """What was kept of a leg that was told before, as its call did not pass by what both ends told (Signal.keep)."""

    role: Role
    endpoint: int
    index: int
    """LegObservation.index."""
    messages: tuple[SipMessage, ...] = ()
    evidence: str | None = None
    """Its folder, as of a leg; None: nothing is there, or the leg's own line names it."""
    evidence_fault: str | None = None
    """Why nothing, or not all, is kept, though it should be."""


class TurnedAway(Document, frozen=True, kw_only=True, tag_field="kind", tag="turnedAway"):
    """Somebody connected to this agent over TLS, and ended the handshake with an alert; once for each, and stage."""

    role: Role
    endpoint: int
    """Of the stage that it was then."""
    peer: str
    """`ip:port`."""
    alert: str
    """By its name in RFC 8446 §6."""


DetailLine = LegObservation | RegistrationObservation | KeptLine | TurnedAway
Line = DetailLine | ProgressLine


class DetailDigest(Document, frozen=True, kw_only=True):
    """How many detail lines (all but progress) were written, and the sha256 over them with their newlines."""

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
    legs_left_out: int = 0
    """Of them, those that no detail line tells of for want of room. None is a planned call's first that named it."""
    detail: DetailDigest
    findings: tuple[Finding, ...] = ()
    """As many as fit, Failed first."""
    stopped: StopCause | None = None
    """What told it to stop before the plan was done; None: nothing did."""
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
