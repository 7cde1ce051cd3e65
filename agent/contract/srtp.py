"""SRTP (RFC 3711): what people ask of it, and what an agent measured of it below and above its own SRTP.

None, which is absent on the wire, means 'not measured', as in agent/contract/observation.py.
"""

from enum import StrEnum
from typing import Annotated

from agent.contract.document import Document
from agent.contract.field import about

# --- what people ask -------------------------------------------------------------------------------------------


class SrtpUse(StrEnum):
    """Whether an agent's media is SRTP (pjsua's --use-srtp 0, 1, 2)."""

    DISABLED = "Disabled"
    """Offered RTP/AVP; of what comes, RTP/SAVP is refused with 488."""
    OPTIONAL = "Optional"
    """Offered RTP/AVP with a=crypto (RFC 8643); of what comes, both are taken."""
    MANDATORY = "Mandatory"
    """Offered RTP/SAVP; of what comes, RTP/AVP is refused with 488."""


class Keying(StrEnum):
    """How the two ends come to keys."""

    SDES = "SDES"
    """In the SDP (RFC 4568)."""
    DTLS = "DTLS"
    """By a handshake in the media's path (RFC 5763)."""


class DtlsRole(StrEnum):
    """Of an agent (RFC 5763 §5)."""

    ACTIVE = "Active"
    """It begins the handshake."""
    PASSIVE = "Passive"


class Suite(StrEnum):
    """A crypto suite of SDES, by its name (RFC 4568 §6.2, RFC 6188 §4)."""

    AES_256_80 = "AES_256_CM_HMAC_SHA1_80"
    AES_256_32 = "AES_256_CM_HMAC_SHA1_32"
    AES_128_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_128_32 = "AES_CM_128_HMAC_SHA1_32"


class SrtpSignalling(StrEnum):
    """How the signalling must be secured for SRTP to count as such (pjsua's --srtp-secure 0, 1, 2)."""

    NONE = "None"
    TLS = "TLS"
    """To and from this agent."""
    SIPS = "SIPS"
    """On each hop: sips URIs (RFC 5630)."""


class Srtp(Document, frozen=True, kw_only=True):
    """Whether and how an agent's media is encrypted."""

    use: Annotated[
        SrtpUse,
        about(
            "Disabled: RTP/AVP is offered, and RTP/SAVP refused with 488. Optional: RTP/AVP with a=crypto is offered"
            " (RFC 8643), and both are taken. Mandatory: RTP/SAVP is offered, RTP/AVP refused with 488, and a call"
            " whose media is not encrypted both ways is Failed. An offer of DTLS is UDP/TLS/RTP/SAVP in both.",
            example="Mandatory",
        ),
    ] = SrtpUse.DISABLED
    keying: Annotated[
        tuple[Keying, ...],
        about(
            "How keys are agreed on: an offer is of the first, and any of them is taken. SDES: a=crypto in the SDP"
            " (RFC 4568). DTLS: a handshake in the media's path (RFC 5763).",
            example=["DTLS"],
            min_length=1,
            max_length=2,
            schema={"x-kubernetes-list-type": "set"},
        ),
    ] = (Keying.SDES,)
    suites: Annotated[
        tuple[Suite, ...],
        about(
            "Crypto suites that are offered by SDES, the preferred one first, and the only ones taken. DTLS chooses of"
            " AES128_CM_HMAC_SHA1_80 and _32 by itself (RFC 5764 §4.1.2).",
            example=["AES_CM_128_HMAC_SHA1_80"],
            min_length=1,
            max_length=4,
            schema={"x-kubernetes-list-type": "set"},
        ),
    ] = tuple(Suite)
    signalling: Annotated[
        SrtpSignalling,
        about(
            "What SDES keys may travel by. TLS: the agent's own connections must be. SIPS: and each hop's, by sips"
            " URIs. None: whatever target.transport is.",
            example="TLS",
        ),
    ] = SrtpSignalling.NONE


# --- what SDP said ---------------------------------------------------------------------------------------------


class SdpKeys(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What one side's m=audio said of SRTP; no key."""

    profile: str
    """`RTP/SAVP`."""
    suites: tuple[str, ...] = ()
    """Of its a=crypto lines, in their order; at most 8."""
    fingerprint: str | None = None
    """Of DTLS: `sha-256 12:DF:…`, its first."""
    more_fingerprints: int = 0
    """How many others it has: the certificate may be that of any (RFC 8122 §5), and our stack knows the first alone."""
    setup: str | None = None
    """Of DTLS: `actpass`."""

    @property
    def keying(self) -> tuple[Keying, ...]:
        """What it offers, or takes, keys by."""
        return (*((Keying.SDES,) if self.suites else ()), *((Keying.DTLS,) if self.fingerprint else ()))

    @property
    def is_secure(self) -> bool:
        """RTP/SAVP and its like: nothing but SRTP will do."""
        return "SAVP" in self.profile


class SectionKeys(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What the offer and the answer of a section said of SRTP, where either said anything."""

    offered: SdpKeys
    answered: SdpKeys
    offered_here: bool
    """The offer is this agent's."""
    faults: tuple[str, ...] = ()
    """What of the peer's answer RFC 4568 and 5763 forbid, each with its line."""
    roles: str | None = None
    """Why both sides of DTLS cannot have the roles that offer and peer's answer give them."""
    unheeded: tuple[str, ...] = ()
    """What of the peer's a=crypto line in use our stack does not heed, and changes its packets: `MKI`, `KDR=24`."""

    @property
    def theirs(self) -> SdpKeys:
        """What the peer said."""
        return self.answered if self.offered_here else self.offered

    @property
    def keying(self) -> Keying | None:
        """What was agreed on; None: no SRTP."""
        common = [one for one in self.offered.keying if one in self.answered.keying]
        if "TLS" in self.answered.profile and Keying.DTLS in common:
            return Keying.DTLS
        return next(iter(common), None)

    @property
    def suite(self) -> str | None:
        """The crypto suite that was agreed on by SDES."""
        return self.answered.suites[0] if self.keying is Keying.SDES else None

    @property
    def role(self) -> DtlsRole | None:
        """Of this agent in DTLS (RFC 5763 §5): active begins the handshake. None: no DTLS."""
        if self.keying is not Keying.DTLS:
            return None
        answerer_is_active = self.answered.setup == "active"
        return DtlsRole.PASSIVE if answerer_is_active is self.offered_here else DtlsRole.ACTIVE


# --- what was measured -----------------------------------------------------------------------------------------


class SrtpWay(Document, frozen=True, kw_only=True, array_like=True):
    """RTP packets of one direction of a section, counted between SRTP and the socket. On the wire an array.

    Other datagrams (RTCP, STUN, DTLS: RFC 7983) are not in here; with media of strangers, where any came.
    """

    packets: int = 0
    """That crossed the wire."""
    passed: int = 0
    """Of them: received, which SRTP authenticated and deciphered; sent, which SRTP enciphered."""
    plain: int = 0
    """Of them: with their payload in the clear. All, in a section without SRTP."""
    unauthentic: int = 0
    """Received, of which the authentication failed (srtp_err_status_auth_fail), and that were not plain."""
    replayed: int = 0
    """Received once more, or too late for the replay list (RFC 3711 §3.3.2)."""
    keyless: int = 0
    """Received before there were keys (DTLS was not over)."""
    failed: int = 0
    """That SRTP dropped for another reason."""


class DtlsEnd(StrEnum):
    """How a handshake ended; seen from the agent."""

    DONE = "Done"
    ALERT = "Alert"
    """With an alert, of either side."""
    FINGERPRINT = "Fingerprint"
    """The peer's certificate is not that of its a=fingerprint (RFC 8122 §6.2)."""
    FAILED = "Failed"
    """With another error, in the stack's words."""


class Dtls(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a section's DTLS handshake. Datagrams of RTP's own port."""

    role: DtlsRole | None = None
    """None: not agreed on, or not known."""
    sent: int = 0
    """Datagrams with DTLS records that this agent sent."""
    received: int = 0
    hellos_sent: int = 0
    """ClientHellos among them, retransmissions included; likewise the next."""
    hellos_received: int = 0
    end: DtlsEnd | None = None
    """None: it did not end."""
    alert: str | None = None
    """The fatal one, by its name in RFC 8446 §6."""
    alert_sent: bool = False
    """It was this agent's."""
    said: str | None = None
    """In the stack's words: printable, at most 80 characters."""
    took_ms: float | None = None
    """From the section's begin to the keys; None: there were none, or they are those of the section before."""


class SrtpSection(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What an agent's SRTP came to in one section of a leg."""

    section: int
    """Index in the leg's sections."""
    active: bool = False
    """The stack had keys for both ways, and used them, as the section ended."""
    keying: Keying | None = None
    """What they came from; None: there were none."""
    sent_suite: str | None = None
    """Crypto suite in use, by its name in RFC 4568, whatever the keying; likewise the next."""
    received_suite: str | None = None
    sent: SrtpWay = SrtpWay()
    received: SrtpWay = SrtpWay()
    dtls: Dtls | None = None
    """None: none was agreed on, and no record of it crossed."""
