"""DTLS handshakes of SRTP (RFC 5763) that did not come about: which reason that is, and what is to be known of each."""

from dataclasses import dataclass
from typing import Final

from agent.contract.srtp import Dtls, DtlsEnd, DtlsRole, SectionKeys, SrtpSection
from agent.contract.verdict import Reason
from agent.judge.checks.check import LATE_OR_DROPPED, Row
from agent.judge.words import many, seconds

HELLOS: Final = 5
"""So many ClientHellos without any answer are no loss on the way: our stack sends them again after 0.25, 0.75, 1.75 and
3.5 s (RFC 6347 §4.2.4.1)."""
HANDSHAKE_MS: Final = 5000.0
"""For as long a handshake that does not begin, or does not end, is waited for."""
EXPECTED: Final = "a DTLS handshake"
NEVER_USED: Final = "the handshake was over, and this agent's own stack did not take its keys into use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unkeyed:
    """A handshake that gave no keys."""

    reason: Reason
    observed: str
    note: str | None = None


def unkeyed(keys: SectionKeys, dtls: Dtls, lasted_ms: float | None) -> Unkeyed | None:
    """Why a section has no keys of DTLS; None: it has. `lasted_ms`: how long it was in force; None: not known."""
    match dtls.end:
        case DtlsEnd.DONE:
            return None
        case DtlsEnd.FINGERPRINT:
            observed = f"another certificate than that of its a=fingerprint ({keys.theirs.fingerprint})"
            if (note := gave_up(keys, dtls)) is not None:
                return Unkeyed(reason=Reason.NOT_MEASURED, observed=observed, note=note)
            return Unkeyed(reason=Reason.DTLS_FINGERPRINT_MISMATCH, observed=observed)
        case DtlsEnd.ALERT:
            whose = "this agent's" if dtls.alert_sent else "the other side's"
            observed = f"{whose} alert {dtls.alert or 'of an unknown kind'}"
            return Unkeyed(reason=Reason.DTLS_FAILED, observed=observed, note=dtls.said)
        case DtlsEnd.FAILED:
            return Unkeyed(reason=Reason.NOT_MEASURED, observed=_crossed(dtls), note=gave_up(keys, dtls))
    return _unfinished(keys, dtls, lasted_ms or 0.0)


def gave_up(keys: SectionKeys, dtls: Dtls) -> str | None:
    """Why our stack took no keys of a handshake for which nobody else need be to blame; None: that was not it."""
    if dtls.end is DtlsEnd.FINGERPRINT and keys.theirs.more_fingerprints:
        return "the SDP has several a=fingerprint, and this agent's stack held the certificate against the first"
    if dtls.end is DtlsEnd.FAILED:
        return f"this agent's stack gave it up: {dtls.said or 'it does not say why'}"
    return None


def never_used(fact: SrtpSection) -> bool:
    """A handshake gave keys, and our stack did not take them into use."""
    is_over = fact.dtls is not None and fact.dtls.end is DtlsEnd.DONE
    return is_over and not (fact.active or fact.received.passed or fact.sent.passed)


def _unfinished(keys: SectionKeys, dtls: Dtls, lasted_ms: float) -> Unkeyed:
    silent = not dtls.received
    if keys.role is DtlsRole.ACTIVE and silent and dtls.hellos_sent >= HELLOS:
        observed = f"no answer to {many(dtls.hellos_sent, 'ClientHello')}"
        return Unkeyed(reason=Reason.DTLS_TIMEOUT, observed=observed)
    if lasted_ms >= HANDSHAKE_MS and (not silent or keys.role is DtlsRole.PASSIVE):
        what = "no ClientHello, and this agent is passive" if silent else f"no end of it ({_crossed(dtls)})"
        return Unkeyed(reason=Reason.DTLS_TIMEOUT, observed=f"{what}, in {seconds(lasted_ms)}")
    note = "it had not ended when the call was over"
    return Unkeyed(reason=Reason.NOT_MEASURED, observed=_crossed(dtls), note=note)


def _crossed(dtls: Dtls) -> str:
    return f"{many(dtls.sent, 'datagram')} of DTLS sent, {dtls.received} received"


ROWS: Final = (
    Row(
        reason=Reason.DTLS_FINGERPRINT_MISMATCH,
        meaning="the certificate in the DTLS handshake is not that of the SDP's `a=fingerprint` (RFC 8122 §6.2)",
        seen="The handshake was done with a certificate whose hash is not the one in the peer's SDP. The agent took no "
        "keys of it: such a call is one with somebody in between.",
        usually="The SDP that reached the agent is not that of whoever has the media: a proxy or B2BUA passed "
        "`a=fingerprint` of one end on while a relay does DTLS itself, or a relay has another certificate since.",
        look="`a=fingerprint` of the SDP at each hop; which of them has the address of the media's `c=` and `m=`.",
    ),
    Row(
        reason=Reason.DTLS_FAILED,
        meaning="the DTLS handshake ended with an alert",
        seen="One side ended the handshake with a fatal alert, which `observed` names.",
        usually="No version, cipher or SRTP profile in common (`handshake_failure`), or a certificate that the other "
        "side does not take.",
        look="Which DTLS versions and SRTP profiles the relay is built and configured for; its log.",
    ),
    Row(
        reason=Reason.DTLS_TIMEOUT,
        meaning="the DTLS handshake was not begun, not answered, or not ended",
        seen="Five ClientHellos or more of the agent's were not answered, in 3.5 s; or the other side was to begin, by "
        "its `a=setup`, and did not within 5 s; or the handshake stood still. There are no keys, and so no media.",
        usually="The media address of the SDP cannot be reached, or what listens there does no DTLS: the relay was "
        "told to pass it through, and the other end never had the offer; or ICE is waited for.",
        look="A capture at the relay: does the ClientHello arrive? Its flags for DTLS (`DTLS=passive`, `DTLS=off`).",
        excused_by=LATE_OR_DROPPED,
    ),
)
