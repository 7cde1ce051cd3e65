"""TLS connections that did not come up: which reason that is, and what is to be known of each."""

from typing import Final

from agent.contract.connection import Certificate, CertificateFault, Connection, Ending
from agent.contract.verdict import Reason
from agent.judge.checks.check import LATE_OR_DROPPED, Row
from agent.judge.words import listed

HANDSHAKE_FAILURE: Final = "handshake_failure"
OF_CERTIFICATES: Final = frozenset({
    "no_certificate", "bad_certificate", "unsupported_certificate", "certificate_revoked", "certificate_expired",
    "certificate_unknown", "unknown_ca", "access_denied", "certificate_required",
})  # fmt: skip
"""Alerts that are about a certificate of ours, or that there was none (RFC 8446 §6.2)."""
_REASON_OF: Final = {
    CertificateFault.UNTRUSTED: Reason.TLS_CERTIFICATE_UNTRUSTED,
    CertificateFault.OTHER: Reason.TLS_CERTIFICATE_UNTRUSTED,
    CertificateFault.EXPIRED: Reason.TLS_CERTIFICATE_EXPIRED,
    CertificateFault.WRONG_NAME: Reason.TLS_NAME_MISMATCH,
}
"""In the order in which they are said: whose it is, before what is in it."""


def unsecured(connection: Connection, name: str | None) -> tuple[Reason, str] | None:
    """Why its TLS did not come about; None: that was not it. `name`: what its certificate is to be for, or its IP."""
    secured = connection.secured
    match connection.end:
        case Ending.SILENT:
            return Reason.TLS_TIMEOUT, "there, and its TLS handshake was not answered"
        case Ending.NO_TLS:
            return Reason.TLS_NOT_SPOKEN, "answered with something that is no TLS"
        case Ending.ALERT if secured is not None and secured.alert is not None:
            about_ours = secured.alert in OF_CERTIFICATES
            about_ours |= secured.alert == HANDSHAKE_FAILURE and (secured.asked or secured.version is not None)
            reason = Reason.TLS_CLIENT_REFUSED if about_ours else Reason.TLS_HANDSHAKE_FAILED
            return reason, f"refused in its TLS handshake, with the alert {secured.alert}"
        case Ending.TLS_FAILED:
            return Reason.TLS_HANDSHAKE_FAILED, f"not brought about: {connection.said or 'TLS failed'}"
        case Ending.UNVERIFIED if secured is not None and secured.certificate is not None:
            faults = secured.certificate.faults
            reason = next((why for fault, why in _REASON_OF.items() if fault in faults), Reason.NOT_MEASURED)
            return reason, f"hung up on by this agent: {_certificate(connection, secured.certificate, name)}"
    return None


def _certificate(connection: Connection, certificate: Certificate, name: str | None) -> str:
    """What is wrong with it."""
    wanted = name or connection.peer.rpartition(":")[0].strip("[]")
    words = {
        CertificateFault.UNTRUSTED: f"is signed by nobody that is believed (issuer {certificate.issuer})",
        CertificateFault.OTHER: "is not one for this (its purpose, form or chain)",
        CertificateFault.EXPIRED: f"is valid from {certificate.not_before} to {certificate.not_after}",
        CertificateFault.WRONG_NAME: f"is for {listed(certificate.names) or certificate.subject}, and not for {wanted}",
    }
    return f"its certificate {listed(words[fault] for fault in words if fault in certificate.faults)}"


ROWS: Final = (
    Row(
        reason=Reason.TLS_TIMEOUT,
        meaning="the TCP connection was there, and the TLS handshake was not answered",
        seen="A connection of an agent to the SUT was up, and its handshake was not answered, or not to its end, "
        "within 7 s. Nothing was sent.",
        usually="What listens there speaks no TLS and waits for a SIP message; or it is stuck, or far too busy.",
        look="`target.port`: which protocol listens there; the SUT's load and its log.",
        excused_by=LATE_OR_DROPPED,
    ),
    Row(
        reason=Reason.TLS_NOT_SPOKEN,
        meaning="what answered the TLS handshake was no TLS",
        seen="The answer to an agent's ClientHello was no TLS record. Nothing was sent.",
        usually="The port is that of SIP over TCP, or of HTTP: 5061 is TLS's, 5060 the others'.",
        look="`target.port`; the SUT's listening sockets.",
    ),
    Row(
        reason=Reason.TLS_HANDSHAKE_FAILED,
        meaning="the TLS handshake failed: no version or cipher in common, or another alert",
        seen="The SUT ended the handshake with an alert, which `observed` names, or answered what the agent's TLS does "
        "not take. The agent speaks TLS 1.2 and 1.3. Nothing was sent.",
        usually="The SUT is configured for TLS 1.0 or 1.1 alone (`protocol_version`), for ciphers that nobody has any "
        "more (`handshake_failure`), or for other server names (`unrecognized_name`).",
        look="The SUT's TLS versions and ciphers; `target.tls.serverName`.",
    ),
    Row(
        reason=Reason.TLS_CLIENT_REFUSED,
        meaning="the SUT asked for a certificate, and refused the agent's, or that there is none",
        seen="The SUT ended TLS with an alert about the agent's certificate: in the handshake (TLS 1.2), or right "
        "behind it and before anything else (TLS 1.3). Nothing of what was sent was read.",
        usually="The SUT wants mutual TLS and the test has no `target.tls.clientSecretName`; or that certificate is "
        "signed by a CA that the SUT does not know, or has expired.",
        look="`target.tls.clientSecretName`; the SUT's list of CAs for clients.",
    ),
    Row(
        reason=Reason.TLS_CERTIFICATE_UNTRUSTED,
        meaning="the SUT's certificate is signed by nobody that the test believes",
        seen="Verification of the SUT's certificate found no chain to a CA of `target.tls.caSecretName` (by default "
        "the public ones), or one that may not be used so. The agent hung up, and sent nothing.",
        usually="A replica has a self-signed certificate, or one of another CA, or does not send its intermediate one.",
        look="`caSecretName`; what that replica shows: `openssl s_client -connect <ip>:<port> -showcerts`.",
    ),
    Row(
        reason=Reason.TLS_CERTIFICATE_EXPIRED,
        meaning="the SUT's certificate is not valid any more, or not yet",
        seen="The time of the test is not within the certificate's. The agent hung up, and sent nothing.",
        usually="It was not renewed, or was and that replica has not read it again.",
        look="When the replica was started, against when its certificate was renewed.",
    ),
    Row(
        reason=Reason.TLS_NAME_MISMATCH,
        meaning="the SUT's certificate is for another name",
        seen="None of the names in the certificate is `target.tls.serverName`, or the address where that is absent. In "
        "SIP no wildcard counts, and the common name only where there is no other (RFC 5922 §7). The agent hung up.",
        usually="`serverName` is missing: replicas are dialled by their address, which is in no certificate; or the "
        "certificate is one of HTTP's, with a wildcard.",
        look="The names that `observed` has; `target.tls.serverName`.",
    ),
)
