"""What TLS came to on a connection, and why it did not come about: the stack's figures as words. Pure."""

from datetime import UTC, datetime
from typing import Final

from agent.contract.connection import Certificate, CertificateFault, Ending, Secured
from agent.tap.model import TapConnection, TapSecure

OF_OPENSSL: Final = range(470_000, 520_000)
"""A pj_status_t that is an error of OpenSSL: 1200 × its library, and the reason (ssl_sock_ossl.c)."""
REASONS: Final = 1200
LIBRARY: Final = 20
"""ERR_LIB_SSL."""
OF_ALERTS: Final = 1000
"""SSL_AD_REASON_OFFSET: an alert of the peer's, by its number."""
NO_TLS: Final = frozenset({155, 156, 198, 244, 267})
"""SSL_R_HTTPS_PROXY_REQUEST, HTTP_REQUEST, PACKET_LENGTH_TOO_LONG, UNEXPECTED_MESSAGE, WRONG_VERSION_NUMBER."""
NOT_BELIEVED: Final = 171_173
"""PJSIP_TLS_ECERTVERIF."""
MAX_NAMES: Final = 8
_ALERTS: Final = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 109: "missing_extension", 110: "unsupported_extension",
    112: "unrecognized_name", 113: "bad_certificate_status_response", 115: "unknown_psk_identity",
    116: "certificate_required", 120: "no_application_protocol",
}  # fmt: skip
_FAULTS: Final = {
    CertificateFault.UNTRUSTED: 0x01 | 0x02 | 0x20,
    CertificateFault.EXPIRED: 0x04,
    CertificateFault.WRONG_NAME: 0x4000_0000,
}
"""PJ_SSL_CERT_E…: issuer not found, untrusted, issuer mismatch; validity period; identity not matched."""
_KNOWN: Final = 0x4000_0027


def ending_of_tls(status: int, secure: TapSecure | None) -> Ending | None:
    """Where that status is of TLS."""
    if status == NOT_BELIEVED:
        return Ending.UNVERIFIED
    if status not in OF_OPENSSL:
        return None
    if alert_of(status) is not None:
        return Ending.ALERT
    begun_only = secure is None or not secure.version
    return Ending.NO_TLS if begun_only and _reason(status) in NO_TLS else Ending.TLS_FAILED


def alert_of(status: int) -> str | None:
    """The name of the peer's alert that ended it."""
    reason = _reason(status)
    if reason is None or reason < OF_ALERTS:
        return None
    return alert_name(reason - OF_ALERTS)


def alert_name(number: int) -> str:
    """As RFC 8446 §6 has it."""
    return _ALERTS.get(number, f"alert {number}")


def _reason(status: int) -> int | None:
    library, reason = divmod(status - OF_OPENSSL.start, REASONS)
    return reason if status in OF_OPENSSL and library == LIBRARY else None


def is_of_the_handshake(one: TapConnection) -> bool:
    """It was up, and an alert came before anything else: in TLS 1.3 a certificate of ours is answered that late."""
    return not one.heard and one.closed_s is not None and not one.ours and alert_of(one.status) is not None


def turned_away(one: TapConnection) -> str | None:
    """The alert by which one that was opened to us ended in its handshake; None: that is not what became of it."""
    is_over = one.closed_s is not None and one.up_s is None
    return alert_of(one.status) if is_over and not one.outgoing and not one.ours else None


def secured(one: TapConnection) -> Secured | None:
    """What is known of its TLS."""
    if one.secure is None:
        return None
    return Secured(
        version=one.secure.version or None,
        cipher=one.secure.cipher or None,
        certificate=_certificate(one.secure),
        alert=None if one.closed_s is None or one.ours else alert_of(one.status),
        asked=one.secure.asked,
    )


def _certificate(secure: TapSecure) -> Certificate | None:
    if not (secure.subject or secure.names):
        return None
    faults = [fault for fault, bits in _FAULTS.items() if secure.faults & bits]
    other = [CertificateFault.OTHER] if secure.faults & ~_KNOWN else []
    return Certificate(
        subject=secure.subject,
        issuer=secure.issuer,
        names=secure.names[:MAX_NAMES],
        not_before=_time(secure.not_before_s),
        not_after=_time(secure.not_after_s),
        faults=(*faults, *other),
    )


def _time(posix_s: int | None) -> str | None:
    """A year that no datetime has is not told."""
    try:
        return None if posix_s is None else datetime.fromtimestamp(posix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None
