"""The telephone an agent uses: a protocol and its events, so that all logic runs against a fake phone and a fake clock.

A phone has one event queue and is used from one thread. It reports what happened on the wire (SIP messages as they
crossed the socket) and leaves all meaning to `agent.observe.leg`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NewType, Protocol

from agent.contract.call import InfoType
from agent.contract.expect import DtmfMethod
from agent.contract.headers import Headers
from agent.contract.media import Negotiated, Rtp
from agent.contract.plan import Transport
from agent.contract.registering import EXPIRES_S
from agent.contract.steps import Answer, HangUp, PlayBack, Ring, SendDigits
from agent.sip.redirecting import Redirects
from agent.sip.text import SipHead
from agent.tap.model import TapConnection, TapGuard, TapStream

AccountId = NewType("AccountId", int)
CallHandle = NewType("CallHandle", int)
"""Never reused within one phone's life."""
Action = Ring | Answer | PlayBack | SendDigits | HangUp
"""The steps that a phone performs in a call."""


class PhoneError(Exception):
    """The phone could not do what it was asked: our own trouble, never the SUT's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAccount:
    """An identity at one endpoint."""

    uri: str
    proxy: str
    """`ip:port` that every request is sent to (outbound proxy, without a Route on the wire)."""
    register: bool
    expires_s: int = EXPIRES_S
    """For how long it asks to be registered; it refreshes before that, or what was granted of it, is over."""
    username: str | None = None
    password: str | None = None
    realm: str = "*"
    headers: Headers = ()
    """Of each REGISTER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSeen:
    """A SIP message crossed our socket (retransmissions and REGISTER included). What never left is none."""

    at_s: float
    """Monotonic clock, as all `at_s` here. Received by UDP: when it came to the socket, however late it was read."""
    sent: bool
    peer: str
    """`ip:port`."""
    local: str
    protocol: str
    """`UDP`, `TCP`, `TLS`."""
    connection: int | None
    """One number per UDP socket, TCP or TLS connection; None: not known."""
    text: str
    """Printable: control characters but CR LF TAB are replaced."""
    head: SipHead | None
    """None: it cannot be read as RFC 3261 §7 has it."""
    epoch: int
    """How many messages of its Call-ID had carried an SDP by then, this one included."""
    unread_ms: float = 0.0
    """How long it lay at our socket before the stack read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """How a phone speaks TLS; the files are PEM."""

    server_name: str = ""
    """What a peer's certificate is to be for, and SNI; empty: its address, and no SNI."""
    verify: bool = True
    """A peer whose certificate is found wrong is hung up on before anything is sent to it."""
    authorities: Path | None
    """The CAs that are believed; None: none."""
    certificate: Path
    key: Path
    anonymous: bool = False
    """That certificate is for those who connect to us: where we connect, none is shown."""
    asks_client: bool = False
    """Whoever connects to us has to show a certificate of one of those CAs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A socket that a phone takes SIP at."""

    transport: Transport
    port: int
    """0: any free one."""
    tls: TlsFiles | None = None
    """With TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSeen:
    """A TCP or TLS connection began, came up, or ended; messages have its number."""

    at_s: float
    connection: TapConnection
    """As it stood then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """A SIP message of ours waits, for its connection mostly: it is on no wire yet. What becomes of it follows."""

    at_s: float
    head: SipHead | None
    connection: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """A SIP message of ours could not be sent, or its connection never came up: it is on no wire.

    Or (`target`) not where it was to go; it is among the messages if it went to where its dialog had come from instead.
    """

    at_s: float
    peer: str
    head: SipHead | None
    reason: str
    """The stack's words."""
    target: str | None = None
    """The host or URI that the peer had named, and that this agent may not or cannot send to."""
    status: int = 0
    """The stack's, a pj_status_t; 0: it was not to be sent there."""
    connection: int | None = None
    """As of a message that was seen: the one that was to carry it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsed:
    """Something came to our SIP socket that the stack could not read, and dropped: no keep-alive."""

    at_s: float
    peer: str
    local: str
    protocol: str
    text: str
    """Printable, cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRefused:
    """The stack itself refused an INVITE, without a call: its response is among the messages."""

    at_s: float
    sip_call_id: str
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortClosed:
    """Nobody listens where a request of ours went, as ICMP said to keep-alives that went there beside it."""

    at_s: float
    sip_call_id: str
    times: int
    """Keep-alives that were refused, one after the other."""
    over_s: float
    """From the first of them to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationConcluded:
    """The stack's word that a REGISTER ended; the code is in the messages."""

    at_s: float
    account: AccountId
    active: bool
    local_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingCall:
    """An INVITE created a call; it rings until answered."""

    at_s: float
    call: CallHandle
    account: AccountId | None
    sip_call_id: str
    invite: str
    """The INVITE's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallConfirmed:
    """The dialog is confirmed (ACK sent or received)."""

    at_s: float
    call: CallHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFollowed:
    """A 3xx ended the call, because of its contacts one is none to go on to."""

    at_s: float
    call: CallHandle
    reason: str
    """Which, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaActive:
    """Media was negotiated (again); recording and playing are wired."""

    at_s: float
    call: CallHandle
    negotiated: Negotiated
    local_rtp: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived:
    """A DTMF digit began (RFC 4733), or came by INFO and was taken (2xx): then it has ended, too."""

    at_s: float
    call: CallHandle
    digit: str
    method: DtmfMethod
    info_type: InfoType = InfoType.RELAY
    """Of an INFO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitEnded:
    """The digit's end packet came: its duration is known."""

    at_s: float
    call: CallHandle
    digit: str
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitSent:
    """The stack finished sending an RFC 4733 digit (or, where it cannot tell, the time for it passed, the call up)."""

    at_s: float
    call: CallHandle
    digit: str
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The call is over and all that was counted is here: its last event.

    It is held back until the BYE or CANCEL that we sent was answered, or was not for 8 s; `at_s`: when the call ended.
    """

    at_s: float
    call: CallHandle
    local_reason: str
    stack_sent: Rtp | None
    """What the SIP stack counted since the answer; None: it had no stream."""
    stack_received: Rtp | None
    rtt_ms: float | None
    media_s: float | None
    """How long media ran, for the ratio of packets sent to packets due."""
    recordings: dict[str, Path]
    """16-bit mono WAVs of what was heard, by the remote `ip:port` that sent it, all from one moment on; the reader
    deletes them. One of silence, by "", where nobody sent anything. TapStream.audio: which of them."""
    tapped: tuple[TapStream, ...] | None = None
    """RTP as it crossed the wire, early media included; None: not measured."""
    uncounted: int = 0
    """TapStreams.uncounted."""
    strangers: int = 0
    """TapStreams.strangers."""
    not_rtp: int = 0
    """TapStreams.other."""
    guards: tuple[TapGuard, ...] = ()
    """What SRTP came to."""
    capture: Path | None = None
    """pcap of the call, where one was asked for; the reader deletes it."""


Event = (
    MessageSeen
    | ConnectionSeen
    | PutOff
    | NotSent
    | Unparsed
    | StackRefused
    | PortClosed
    | RegistrationConcluded
    | IncomingCall
    | CallConfirmed
    | NotFollowed
    | MediaActive
    | DigitReceived
    | DigitEnded
    | DigitSent
    | CallEnded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What a call that is placed plays: a WAV file in a loop, or silence."""

    wav: Path | None = None


class Phone(Protocol):
    """One SIP user agent on one UDP socket, or one that takes TCP connections, and opens them."""

    @property
    def address(self) -> str:
        """`ip:port` of the SIP socket."""

    @property
    def also(self) -> Sequence[str]:
        """`ip:port` of the others at which it takes anybody's calls."""

    def allow(self, networks: Sequence[str]) -> None:
        """From now on no SIP leaves for an address outside these CIDRs, whatever a peer names; before, for any."""

    def add_account(self, account: SipAccount) -> AccountId:
        """Makes the account; registers when it says so. RegistrationConcluded follows then."""

    def remove_account(self, account: AccountId) -> None:
        """Unregisters if registered, and forgets it.

        Messages of it may follow, and RegistrationConcluded, active=False: of that, or of a REGISTER under way before.
        """

    def call(
        self,
        account: AccountId,
        to: str,
        headers: Headers,
        playback: Playback,
        redirects: Redirects | None = None,
    ) -> tuple[CallHandle, str]:
        """Begins a call; gives the handle and the SIP Call-ID. PhoneError for what the stack does not take.

        Where its INVITE could not be sent, NotSent and CallEnded follow. `redirects` None: it goes on to no contact of
        a 3xx.
        """

    def perform(self, call: CallHandle, action: Action) -> None:
        """Does it now, or, with digits, begins to: those of RFC 4733 give a DigitSent. After a HangUp, CallEnded comes.

        Nothing is done in a call that is over already. PhoneError where the phone could not.
        """

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None after `timeout_s`."""

    def close(self) -> None:
        """Ends everything. No events follow."""
