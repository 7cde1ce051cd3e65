"""Whether media is SRTP: RFC 4568, 5763, 8643."""

import pytest

from agent.sip.sdp import Medium, parse_sdp
from agent.sip.security import Security, agreed_security, offered_security

PLAIN, SEALED, UNSURE = Security.PLAIN, Security.SEALED, Security.UNSURE


def line(profile: str = "RTP/AVP", *attributes: str, session: str = "") -> Medium:
    lines = [*([f"a={session}"] if session else []), f"m=audio 4000 {profile} 0", *(f"a={one}" for one in attributes)]
    [medium] = parse_sdp("\r\n".join(["v=0", *lines])).media
    return medium


@pytest.mark.parametrize(
    ("medium", "alone"),
    [
        (line(), PLAIN),
        (line("RTP/SAVP"), SEALED),
        (line("UDP/TLS/RTP/SAVPF"), SEALED),
        (line("RTP/AVP", "crypto:1 X inline:Y"), UNSURE),
        (line("RTP/AVP", session="fingerprint:sha-256 00"), UNSURE),
        (line("RTP/AVP", "zrtp-hash:1.10 00"), UNSURE),
    ],
)
def test_one_side_alone(medium: Medium, alone: Security) -> None:
    assert offered_security(medium) is alone


@pytest.mark.parametrize(
    ("offered", "answered", "both"),
    [
        (line(), line(), PLAIN),
        (line("RTP/SAVP", "crypto:1"), line("RTP/SAVP", "crypto:1"), SEALED),
        (line("RTP/AVP", "crypto:1"), line("RTP/AVP", "crypto:1"), SEALED),
        (line("RTP/AVP", "crypto:1"), line(), PLAIN),
        (line(), line("RTP/AVP", "crypto:1"), PLAIN),
        (line("RTP/AVP", "crypto:1", "fingerprint:x"), line("RTP/AVP", "fingerprint:x"), SEALED),
        (line("RTP/AVP", "key-mgmt:mikey x"), line("RTP/AVP", session="key-mgmt:mikey x"), SEALED),
        (line("RTP/AVP", "zrtp-hash:x"), line("RTP/AVP", "zrtp-hash:x"), UNSURE),
        (line("RTP/SAVP", "crypto:1"), line(), UNSURE),
        (line("RTP/SAVP", "crypto:1"), line("RTP/AVP", "crypto:1"), SEALED),
    ],
)
def test_both_sides(offered: Medium, answered: Medium, both: Security) -> None:
    assert agreed_security(offered, answered) is both
