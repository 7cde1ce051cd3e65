"""Small pcap files, made here: Ethernet, IPv4, UDP, and what goes over it."""

import struct
from ipaddress import IPv4Address

START_S = 1_700_000_000
CALLER, CALLEE = ("10.0.0.1", 4000), ("10.0.0.2", 5000)


def pcap(packets):
    """(arrival in seconds after START_S, source, destination, payload) as a file, in the order of arrival."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for at_s, source, destination, payload in sorted(packets, key=lambda packet: packet[0]):
        frame = bytes(12) + b"\x08\x00" + _udp(source, destination, payload)
        parts.append(struct.pack("<IIII", START_S + int(at_s), round(at_s % 1 * 1e6), len(frame), len(frame)) + frame)
    return b"".join(parts)


def _udp(source, destination, payload):
    header = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0)
    hosts = IPv4Address(source[0]).packed + IPv4Address(destination[0]).packed
    return header + hosts + struct.pack(">HHHH", source[1], destination[1], 8 + len(payload), 0) + payload


def rtp(payload_type, sequence, timestamp, payload, *, ssrc=0x1234ABCD, marker=False):
    return struct.pack(">BBHII", 0x80, marker << 7 | payload_type, sequence, timestamp, ssrc) + payload


def speech(
    count=100, *, source=CALLER, destination=CALLEE, lose=(), payload=b"\xff" * 160, payload_type=0, first=0, **options
):
    """Packets of 20 ms; those of `lose` are missing."""
    return [
        (0.02 * number, source, destination, rtp(payload_type, number, 160 * number, payload, **options))
        for number in range(first, first + count)
        if number not in lose
    ]


def dialled(keys, *, source=CALLER, destination=CALLEE, first=100, payload_type=101, ends=3, **options):
    """Digits after `first` packets: 100 ms each (RFC 4733), 200 ms apart, in the same stream."""
    packets = []
    for number, key in enumerate(keys):
        begin = first + 10 * number
        for step in range(5 + ends):
            event = "0123456789*#ABCD".index(key)
            ticks, end = min(step + 1, 5) * 160, step >= 5
            payload = struct.pack(">BBH", event, end << 7 | 10, ticks)
            sent = rtp(payload_type, begin + step, begin * 160, payload, marker=step == 0, **options)
            packets.append((0.02 * (begin + step), source, destination, sent))
        for step in (8, 9):
            sent = rtp(0, begin + step, (begin + step) * 160, b"\xff" * 160, **options)
            packets.append((0.02 * (begin + step), source, destination, sent))
    return packets


def call(keys, *, lose=(), **options):
    """Two seconds of speech, then digits."""
    return speech(lose=lose, **options) + dialled(keys, **options)


def back(keys, **options):
    """The same the other way."""
    return call(keys, source=CALLEE, destination=CALLER, ssrc=0x99, **options)


def invite(call_id, *, media=CALLEE, profile="RTP/AVP"):
    """An INVITE whose SDP says where its sender wants its media."""
    sdp = (
        f"v=0\r\no=- 1 1 IN IP4 {media[0]}\r\ns=-\r\nc=IN IP4 {media[0]}\r\nt=0 0\r\n"
        f"m=audio {media[1]} {profile} 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
    text = (
        f"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {media[0]}:5060;branch=z9hG4bK1\r\n"
        f"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
    )
    return (0.0, (media[0], 5060), ("10.0.0.9", 5060), text.encode())
