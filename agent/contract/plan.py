"""What an agent is told: its plan (once) and the signal (again and again)."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

import msgspec

from agent.contract.call import Acting, Call
from agent.contract.codecs import Media
from agent.contract.document import Document
from agent.contract.headers import PlannedHeader
from agent.contract.kept import Kept
from agent.contract.messages import ExpectMessage
from agent.contract.registering import Registration
from agent.contract.verdict import Role

PLAN_VERSION: Final = "calltest.dev/plan/v2"
SIGNAL_VERSION: Final = "calltest.dev/signal/v2"
MAX_PLAN_BYTES = 64 * 1024
"""A plan travels as a pod annotation; Kubernetes bounds all annotations of an object at 256 KiB."""


class RunRef(Document, frozen=True, kw_only=True):
    """Which run this plan belongs to."""

    uid: str
    namespace: str
    name: str
    call_test: str


class Credentials(Document, frozen=True, kw_only=True):
    """Where the agent finds a digest username, password and realm: one file each in `directory`."""

    directory: str
    secret_name: str
    """For messages: 'Secret sip-alice has no key password'."""


class Account(Document, frozen=True, kw_only=True):
    """The SIP identity of an agent. `{endpoint}` in the URI stands for the endpoint's index."""

    uri: str
    credentials: Credentials | None = None
    register: bool
    media: Media = Media()
    """Of calls that are none of the plan's; each of those says what its own is."""
    headers: tuple[PlannedHeader, ...] = ()
    """Beside those of its calls."""
    registration: Registration = Registration()
    """Where it registers."""


class Keep(StrEnum):
    """Of which legs evidence is kept."""

    NEVER = "Never"
    ON_FAILURE = "OnFailure"
    """Of legs at which a check broke, and of both legs of calls that did not pass (Signal.keep)."""
    ALWAYS = "Always"


class Evidence(Document, frozen=True, kw_only=True):
    """What is to stay of legs: capture, sound, SIP messages."""

    keep: Keep
    directory: str
    """Where it goes, each leg into a folder of its own in there."""


class Stage(Document, frozen=True, kw_only=True):
    """One endpoint to go to: register there, call, unregister."""

    endpoint: int
    """Index in the run's endpoint list."""
    address: str
    """`ip:port` that every request of this stage is sent to."""
    name: str
    """For people: the pod's name, or the address."""
    registrar: str | None = None
    """The name of the endpoint at that address, where it is not the one that is called: a callee registers there."""


class Transport(StrEnum):
    """How SIP travels between an agent and the SUT."""

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"


class Files(Document, frozen=True, kw_only=True):
    """Where the agent finds the files of a Secret: one for each key in `directory`."""

    directory: str
    secret_name: str
    """For messages: 'Secret sut-ca has no key ca.crt'."""


class Tls(Document, frozen=True, kw_only=True):
    """Of a plan whose transport is TLS."""

    server_name: str | None = None
    """What the SUT's certificate is to be for, and SNI; None: its address, and no SNI."""
    verify: bool = True
    ca: Files | None = None
    """Key `ca.crt`; None: the public CAs that the agent's system knows."""
    client: Files | None = None
    """Keys `tls.crt` and `tls.key`; None: it shows none, but for one of its own making to who connects to it."""


class DialRoute(StrEnum):
    """How the caller's INVITE finds its way."""

    TARGET = "Target"
    """Request-URI as `to` says, sent to the stage's endpoint."""
    PEER = "Peer"
    """Request-URI is the callee agent's own address (signal.peer_address), sent through the endpoint."""


class Plan(Document, frozen=True, kw_only=True):
    """Everything one agent does in one run."""

    version: Literal["calltest.dev/plan/v2"] = PLAN_VERSION
    run: RunRef
    agent: str
    """Unique in the run: caller-0, callee-0 …; the number is the lane's."""
    role: Role
    account: Account
    transport: Transport = Transport.UDP
    tls: Tls | None = None
    """None: as where a test says nothing of it; with TLS alone."""
    sip_port: int = 0
    """Local port, of that transport; 0: any free one."""
    acting: Acting | None = None
    """What the callee does with a call of which it cannot tell which one it is. None: no callee is declared."""
    callee_declared: bool
    """False: the SUT itself answers; nothing is compared with a callee."""
    dial: DialRoute = DialRoute.TARGET
    stages: tuple[Stage, ...]
    calls: tuple[Call, ...]
    """As the test has them, but that each has its `to`, what its caller's and callee's media is, and what the callee
    does."""
    wav_directory: str = "."
    """Where they play WAV files from: `<directory>/<ConfigMap>/<key>`."""
    allowed_targets: tuple[str, ...]
    """CIDRs that the agent may send SIP to; it checks each resolved address when it dials."""
    allow_dial: str | None = None
    """Users that look like phone numbers must match this (a Python expression) as a whole; None: none may be dialled.
    For contacts of a 3xx: what the test names was looked at before."""
    max_calls_per_second: float
    deadline_s: float
    """The agent ends itself this long after it started, whatever the controller says."""
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        """ValueError for a call without `to`: its default is the controller's to fill in."""
        if any(call.to is None for call in self.calls):
            raise ValueError("calls: one has no `to`")

    def usual_media(self, role: Role) -> Media | None:
        """What that end's media is in all calls: in one that names none, too. None: they differ."""
        asked = {call.media(role) for call in self.calls}
        return asked.pop() if len(asked) == 1 else None

    def acting_in(self, call: str | None) -> Acting:
        """What the callee does in calls of that name; None: in one that does not say which it is."""
        named = next((each.callee.acting for each in self.calls if each.name == call), None)
        return named or self.usual_acting or (self.acting or Acting()).acting

    @property
    def usual_acting(self) -> Acting | None:
        """What the callee does in all calls; None: they differ."""
        asked = {call.callee.acting for call in self.calls}
        return asked.pop() if len(asked) == 1 else None

    def encode(self) -> bytes:
        """Stable JSON: equal plans are equal bytes."""
        return msgspec.json.encode(self, order="deterministic")


class PlanError(ValueError):
    """A plan document that cannot be used; the text names the field."""


def decode_plan(raw: bytes) -> Plan:
    """Reads a plan; PlanError names the field at fault."""
    if len(raw) > MAX_PLAN_BYTES:
        raise PlanError(f"plan: {len(raw)} bytes, at most {MAX_PLAN_BYTES}")
    try:
        return msgspec.json.decode(raw, type=Plan)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PlanError(f"plan: {error}") from error


def plan_digest(raw: bytes) -> str:
    """Hex sha256 of the plan's bytes as the agent read them; the result repeats it."""
    return hashlib.sha256(raw).hexdigest()


class Signal(Document, frozen=True, kw_only=True):
    """The barrier and the stop: what an agent may do now. It only ever moves forward."""

    version: Literal["calltest.dev/signal/v2"] = SIGNAL_VERSION
    prepare: int = 0
    """The stage that agents may register for; equal to the number of stages: finish."""
    go: int = -1
    """The last stage whose calls may be placed."""
    peer_address: str | None = None
    """`ip:port` of the lane's callee agent, for DialRoute.PEER."""
    keep: Kept | None = None
    """Legs of this agent (LegObservation.index) whose call did not pass, by what both ends told. None: not known yet.

    Where a callee is declared, an agent that is done waits for it: what it holds of legs that it found nothing wrong
    with is then kept, or dropped. Said once, it stands."""
    stop: bool = False
    """Hang up, write the result, exit."""

    def encode(self) -> bytes:
        """JSON for the `calltest.dev/go` annotation."""
        return msgspec.json.encode(self)


def decode_signal(raw: bytes) -> Signal:
    """Reads a signal; an empty document is the initial one. PlanError when malformed."""
    if not raw.strip():
        return Signal()
    try:
        return msgspec.json.decode(raw, type=Signal)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PlanError(f"signal: {error}") from error


def asked_of(calls: Iterable[Call], role: Role) -> tuple[ExpectMessage, ...]:
    """All that is asked of the messages of one role's legs, each once: by its place it is told of (Looked.asked)."""
    legs = (call.expect.caller if role is Role.CALLER else call.expect.callee for call in calls)
    return tuple(dict.fromkeys(expected for leg in legs for expected in leg.messages))


def asks_tone(calls: Iterable[Call]) -> bool:
    """Some leg must hear one; what the other end heard then tells which way is broken."""
    return any(leg.tone_hertz is not None for call in calls for leg in (call.expect.caller, call.expect.callee))


def for_endpoint(uri: str, endpoint: int) -> str:
    """The URI at one endpoint: `{endpoint}` replaced by its index."""
    return uri.replace("{endpoint}", str(endpoint))


def transport_parameter(transport: Transport) -> str:
    """Of a SIP URI (RFC 3261 §19.1.1), for what would mean UDP without one."""
    return "" if transport is Transport.UDP else f";transport={transport.lower()}"


CALL_HEADER = "X-Calltest-Call"
REFUSED_HEADER = "X-Calltest-Refused"
"""In a callee's refusal: why, in a word that no SUT would say."""
CALLEE_SHARED = "CalleeShared"
"""Its value where the call is another run's: two tests have one callee URI, and the SUT called the wrong callee."""


def call_key(run_uid: str, endpoint: int, call: str, number: int) -> str:
    """The value of the X-Calltest-Call header: names one call among all runs."""
    return f"{run_uid}/{endpoint}/{call}/{number}"


def identity_code(key: str) -> int:
    """The 24-bit code that a call's identity signal carries, from its call_key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:3])
