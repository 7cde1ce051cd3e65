"""SIP messages for tests, with just the headers that anybody looks at."""

from agent.phone.protocol import MessageSeen
from agent.sip.text import parse_head

KEYED_LINES = [
    (
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 FEC_ORDER=X",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|2^20|1:4 FEC_ORDER=X",
    ),
    ("A=Crypto:2 F8_128 INLINE:abc+/=|1:4;inline:def", "A=Crypto:2 F8_128 INLINE:xxxxxx|1:4;inline:xxx"),
    ("a=crypto:1 NULL inline:", "a=crypto:1 NULL inline:"),
    ("a=crypto:", "a=crypto:"),
    ("a=key-mgmt:mikey AQAFgM0X", "a=key-mgmt:mikey xxxxxxxx"),
    ("k=clear:secret", "k=clear:xxxxxx"),
    ("k=prompt", "k=prompt"),
    ("a=crypto-of-no-kind inline:abc", "a=crypto-of-no-kind inline:abc"),
    ("b=x inline:abc", "b=x inline:abc"),
]
"""Of an SDP, and as they are kept: no key is."""


def request(
    method="INVITE",
    call_id="c1",
    *,
    cseq=1,
    to_tag="",
    user="alice",
    key=None,
    from_tag="f",
    branch="",
    extra="",
    body="",
) -> str:
    return (
        f"{method} sip:bob@example.com SIP/2.0\r\n"
        + (branch and f"Via: SIP/2.0/UDP 127.0.0.1:5070;branch={branch};rport\r\n")
        + f'From: "A" <sip:{user}@example.com>;tag={from_tag}\r\n'
        f"To: <sip:bob@example.com>{to_tag and ';tag=' + to_tag}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
        + (f"X-Calltest-Call: {key}\r\n" if key else "")
        + f"{extra}\r\n{body}"
    )


def response(
    code,
    call_id="c1",
    *,
    cseq=1,
    method="INVITE",
    phrase="Phrase",
    from_tag="f",
    to_tag="t",
    branch="",
    headers=(),
    extra="",
    body="",
) -> str:
    extra += "".join(f"{name}: {value}\r\n" for name, value in dict(headers).items())
    return (
        f"SIP/2.0 {code} {phrase}\r\n"
        + (branch and f"Via: SIP/2.0/UDP 127.0.0.1:5070;branch={branch}\r\n")
        + f"From: <sip:alice@example.com>;tag={from_tag}\r\n"
        f"To: <sip:bob@example.com>{to_tag and ';tag=' + to_tag}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{extra}\r\n{body}"
    )


SDP = "Content-Type: application/sdp\r\n"


def sdp(place="127.0.0.1:2", *lines, types="0 101", rtpmap="a=rtpmap:101 telephone-event/8000", protocol="RTP/AVP"):
    """PCMU and telephone-event, received at `place`; `lines` below."""
    host, _, port = place.rpartition(":")
    below = "".join(f"{line}\r\n" for line in (rtpmap, *lines) if line)
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} {protocol} {types}\r\n{below}"
    )


def with_sdp(body: str) -> dict[str, str]:
    """Of `request` and `response`."""
    return {"extra": SDP, "body": body}


def message(at_s, text, sent, *, peer="127.0.0.1:5060", epoch=0, connection=1, unread_ms=0.0) -> MessageSeen:
    """As the tap gives it."""
    return MessageSeen(
        at_s=at_s,
        sent=sent,
        peer=peer,
        local="127.0.0.1:5070",
        protocol="UDP",
        connection=connection,
        text=text,
        head=parse_head(text),
        epoch=epoch,
        unread_ms=unread_ms,
    )
