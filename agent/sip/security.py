"""Whether media is SRTP, as offer and answer say it, m= line by m= line. Pure."""

from enum import StrEnum

from agent.sip.sdp import Keying, Medium


class Security(StrEnum):
    """Whether a medium's packets are SRTP."""

    PLAIN = "plain"
    SEALED = "sealed"
    UNSURE = "unsure"
    """The SDP that was seen does not tell."""


def offered_security(medium: Medium) -> Security:
    """What one side's m= line alone says: keys under RTP/AVP are an offer that the answer may pass over."""
    if medium.encrypted:
        return Security.SEALED
    return Security.UNSURE if medium.keying else Security.PLAIN


def agreed_security(offered: Medium, answered: Medium) -> Security:
    """What an m= line and its answer come to: under RTP/AVP too, keys that the answer takes mean SRTP (RFC 8643 §3)."""
    taken = offered.keying & answered.keying
    if offered.encrypted and answered.encrypted:
        return Security.SEALED
    if taken - {Keying.ZRTP}:
        return Security.SEALED
    return Security.UNSURE if taken or offered.encrypted != answered.encrypted else Security.PLAIN
