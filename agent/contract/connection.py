"""TCP and TLS connections as an agent saw them begin and end."""

from enum import StrEnum

from agent.contract.document import Document


class Ending(StrEnum):
    """How a connection ended, or why it never came up; seen from the agent."""

    PEER_CLOSED = "PeerClosed"
    PEER_RESET = "PeerReset"
    REFUSED = "Refused"
    TIMEOUT = "Timeout"
    """The kernel gave up: nobody answered, or nobody any more."""
    UNREACHABLE = "Unreachable"
    SILENT = "Silent"
    """It was there, and its TLS handshake was not answered."""
    ALERT = "Alert"
    """The peer ended TLS with an alert."""
    NO_TLS = "NoTls"
    """What came was no TLS."""
    UNVERIFIED = "Unverified"
    """The agent hung up: it does not believe the peer's certificate."""
    TLS_FAILED = "TlsFailed"
    """TLS ended with another error, in the stack's words."""
    WE_CLOSED = "WeClosed"
    FAILED = "Failed"
    """Something else, in the stack's words."""


class CertificateFault(StrEnum):
    """What verification found in a certificate."""

    UNTRUSTED = "Untrusted"
    """Nobody whom the agent believes has signed it."""
    EXPIRED = "Expired"
    """It is not valid now: any more, or yet."""
    WRONG_NAME = "WrongName"
    OTHER = "Other"
    """Its purpose, its form, its chain."""


class Certificate(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A peer's."""

    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    """What it is for: its subjectAltName."""
    not_before: str | None = None
    """RFC 3339, as the next."""
    not_after: str | None = None
    faults: tuple[CertificateFault, ...] = ()
    """Also where they were not asked for (`verify: false`)."""


class Secured(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What TLS came to."""

    version: str | None = None
    """`TLSv1.3`; None, as the others: not known."""
    cipher: str | None = None
    certificate: Certificate | None = None
    alert: str | None = None
    """The peer's, by its name in RFC 8446 §6."""
    asked: bool = False
    """The peer is known to have asked for a certificate of the agent's."""


class Connection(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A TCP or TLS connection that carried SIP messages, or was to. Times as of messages, else since its opening."""

    protocol: str
    """`TCP`, `TLS`."""
    peer: str
    """`ip:port`."""
    outgoing: bool
    """This agent opened it."""
    opened_ms: float
    up_ms: float | None = None
    """None: it never was."""
    closed_ms: float | None = None
    """None: it was there, or being opened, when what it is told for was over."""
    end: Ending | None = None
    said: str | None = None
    waited_ms: float | None = None
    """How long it had been opening by then, where it was not up."""
    secured: Secured | None = None
    """Of TLS."""
    cut: str | None = None
    """Method of a request of ours that it carried, and that was without a final response when it ended, and later."""
    cut_ms: float | None = None
    """When that request was handed to it."""
