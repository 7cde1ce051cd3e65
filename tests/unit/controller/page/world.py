"""A call through a proxy, packet by packet, for pages."""

from tests.unit.controller.captures import CALLEE, CALLER, call, pcap, speech

A, PROXY, B = ("10.0.0.1", 5060), ("10.0.0.9", 5060), ("10.0.0.2", 5060)
CALL_ID = "cafe@10.0.0.1"


def sdp(place, codecs="0 101", direction="sendrecv"):
    return (
        f"v=0\r\no=- 1 1 IN IP4 {place[0]}\r\ns=-\r\nc=IN IP4 {place[0]}\r\nt=0 0\r\n"
        f"m=audio {place[1]} RTP/AVP {codecs}\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )


def sip(start, *, cseq=1, method="INVITE", body="", from_tag="a", to_tag="", call_id=CALL_ID, extra=""):
    return (
        f"{start}\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{cseq}{method}\r\n"
        f"From: <sip:a@x>;tag={from_tag}\r\nTo: <sip:b@x>{f';tag={to_tag}' if to_tag else ''}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{extra}"
        f"{'Content-Type: application/sdp' + chr(13) + chr(10) if body else ''}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


INVITE = sip("INVITE sip:b@x SIP/2.0", body=sdp(CALLER))
RINGING = sip("SIP/2.0 180 Ringing", to_tag="b")
OK = sip("SIP/2.0 200 OK", body=sdp(CALLEE), to_tag="b")
ACK = sip("ACK sip:b@x SIP/2.0", method="ACK", to_tag="b")
BYE = sip("BYE sip:b@x SIP/2.0", cseq=2, method="BYE", to_tag="b")
BYE_OK = sip("SIP/2.0 200 OK", cseq=2, method="BYE", to_tag="b")
TALK = (
    (0.0, A, B, INVITE),
    (0.1, B, A, RINGING),
    (0.2, B, A, OK),
    (0.3, A, B, ACK),
    (5.0, A, B, BYE),
    (5.1, B, A, BYE_OK),
)


def signalling(*steps):
    return [(at_s, source, target, text.encode()) for at_s, source, target, text in steps]


def later(packets, seconds):
    return [(at_s + seconds, *rest) for at_s, *rest in packets]


def media(keys="12", *, lose=(), back=True):
    """Two seconds of speech from the caller, then digits; and speech the other way."""
    there = later(call(keys, lose=lose), 0.4)
    return [*there, *(later(speech(150, source=CALLEE, destination=CALLER, ssrc=0x99), 0.4) if back else [])]


def capture(path, *packets):
    path.write_bytes(pcap([one for some in packets for one in some]))
    return path
