"""Whatever SIP says in whatever order, each packet is counted once, and both passes agree."""

from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.read import rtp_packets, trace
from tests.unit.agent.trace.dialogue import ALICE, ALICE_RTP, BOB, BOB_RTP, Hop, Place, media, sdp
from tests.unit.agent.trace.wire import Packet, frames, pcap

PLACES: list[Place] = [ALICE_RTP, BOB_RTP, ("10.0.0.1", 4100), ("10.0.0.9", 12_000), ("0.0.0.0", 4000)]
SIGNALLING: list[Place] = [ALICE, BOB, ("10.0.0.9", 5060)]
METHODS = ["INVITE", "ACK", "PRACK", "UPDATE", "BYE", "CANCEL", "INFO"]
EXTRAS = [[], ["a=crypto:1 X inline:Y"], ["a=fingerprint:sha-256 00"], ["a=zrtp-hash:1.10 00"]]


@st.composite
def messages(draw: st.DrawFn) -> list[Packet]:
    """One SIP message, of one of two calls, on any hop, at any time."""
    hop = Hop(
        call_id=draw(st.sampled_from(["c1", "c2"])),
        a=draw(st.sampled_from(SIGNALLING)),
        b=draw(st.sampled_from(SIGNALLING)),
        tags=("a", draw(st.sampled_from(["b", "fork"]))),
    )
    at_s, cseq = draw(st.integers(0, 120)) / 10, draw(st.integers(1, 3))
    method = draw(st.sampled_from(METHODS))
    place, extra = draw(st.sampled_from(PLACES)), draw(st.sampled_from(EXTRAS))
    body = draw(st.sampled_from(["", sdp(place, extra=extra), sdp(place, profile="RTP/SAVP", extra=extra)]))
    if draw(st.booleans()):
        hop.request(at_s, method, cseq, body=body, by_b=draw(st.booleans()), begins=draw(st.booleans()))
    else:
        code = draw(st.sampled_from([100, 183, 200, 407, 481, 487, 503]))
        hop.response(at_s, code, cseq, method, body=body, by_a=draw(st.booleans()))
    return hop.packets


@st.composite
def plays(draw: st.DrawFn) -> list[Packet]:
    """A recording, from any place to any other, at any time."""
    source, destination = draw(st.sampled_from(PLACES)), draw(st.sampled_from(PLACES))
    return media(draw(st.integers(0, 100)) / 10, source, destination, draw(st.sampled_from(["", "1"])), count=6)


@given(st.lists(messages(), max_size=12), st.lists(plays(), max_size=6), st.integers(200, 6000))
@settings(max_examples=40, deadline=None)
def test_each_packet_is_of_one_stream_whatever_sip_says(
    said: list[list[Packet]], played: list[list[Packet]], chunk_bytes: int
) -> None:
    packets = sorted(chain(*said, *played), key=lambda one: one.time_ns)
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.pcap")
        path.write_bytes(pcap(frames(packets), nano=True))
        found = trace([path])
        assert trace([path], chunk_bytes=chunk_bytes).streams == found.streams
        assert sum(stream.packets for stream in found.streams) == sum(map(len, played))
        heard = [0] * len(found.streams)
        for part in rtp_packets([path], found, chunk_bytes=chunk_bytes):
            heard[part.stream] += len(part.payloads)
        assert heard == [stream.packets for stream in found.streams]
