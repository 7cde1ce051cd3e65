"""Our own SDP as a call is to have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.codecs import Codec
from agent.sip.offering import Offering
from agent.sip.sdp import parse_sdp

HEAD = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=pjmedia", "c=IN IP4 127.0.0.1", "t=0 0", "a=X-nat:0")
AUDIO = (
    "m=audio 4000 RTP/AVP 97 3 0 8 9 18 96 11 120 121",
    "b=TIAS:96000",
    "a=rtcp:4001 IN IP4 127.0.0.1",
    "a=sendrecv",
    "a=rtpmap:97 speex/8000",
    "a=rtpmap:3 GSM/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:18 G729/8000",
    "a=fmtp:18 annexb=no",
    "a=rtpmap:96 opus/48000/2",
    "a=fmtp:96 useinbandfec=1",
    "a=rtpmap:11 L16/8000",
    "a=rtpmap:120 telephone-event/8000",
    "a=fmtp:120 0-16",
    "a=rtpmap:121 telephone-event/48000",
    "a=fmtp:121 0-16",
    "a=ssrc:1 cname:x",
)
OTHER = ("m=video 0 RTP/AVP 31", "a=rtpmap:31 H261/90000")


def text(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)


EVERY = text(*HEAD, *AUDIO, *OTHER)


def offered(*codecs: Codec, ptime_ms: int | None = None) -> list[str]:
    return Offering(codecs=codecs, ptime_ms=ptime_ms)(EVERY).split("\r\n")


@pytest.mark.parametrize(
    ("codecs", "types"),
    [
        ((Codec.PCMU, Codec.PCMA), "0 8 120"),
        ((Codec.PCMA, Codec.PCMU), "8 0 120"),
        ((Codec.G722,), "9 120"),
        ((Codec.OPUS,), "96 121"),
        ((Codec.OPUS, Codec.PCMA), "96 8 121 120"),
        ((Codec.G729, Codec.SPEEX, Codec.GSM, Codec.L16), "18 97 3 11 120"),
    ],
)
def test_an_offer_has_the_codecs_of_its_call_in_their_order_and_events_of_their_clocks(codecs, types):
    made = offered(*codecs)
    assert f"m=audio 4000 RTP/AVP {types}" in made
    said = [line.split(":")[1].split(" ")[0] for line in made if line.startswith("a=rtpmap:")]
    assert said == [*types.split(), "31"], "what stands first of the events is taken"


def test_what_is_of_no_codec_stays_where_it_was():
    made = offered(Codec.G729)
    assert made == [
        *HEAD, "m=audio 4000 RTP/AVP 18 120", *AUDIO[1:4],
        "a=fmtp:18 annexb=no", "a=rtpmap:18 G729/8000", "a=fmtp:120 0-16", "a=rtpmap:120 telephone-event/8000",
        "a=ssrc:1 cname:x", *OTHER, "",
    ]  # fmt: skip


def test_a_packet_time_is_asked_for_once_and_only_where_it_is_wanted():
    assert not [line for line in offered(Codec.PCMU) if line.startswith("a=ptime")]
    made = Offering(codecs=(Codec.PCMU,), ptime_ms=40)(text(*HEAD, *AUDIO, "a=ptime:20", *OTHER))
    assert [line for line in made.split("\r\n") if line.startswith("a=ptime")] == ["a=ptime:40"]
    audio = parse_sdp(made).audio
    assert audio is not None
    assert audio.ptime_ms == 40


@pytest.mark.parametrize("sdp", ["", text(*HEAD), text(*HEAD, "m=audio 4000 RTP/AVP 97", "a=rtpmap:97 iLBC/8000")])
def test_where_none_of_them_is_nothing_is_changed(sdp):
    assert Offering(codecs=(Codec.PCMU,))(sdp) == sdp


@given(st.lists(st.sampled_from(Codec), min_size=1, unique=True))
def test_an_offer_says_again_what_it_says(codecs):
    once = Offering(codecs=tuple(codecs), ptime_ms=30)(EVERY)
    assert Offering(codecs=tuple(codecs), ptime_ms=30)(once) == once
    audio = parse_sdp(once).audio
    assert audio is not None
    assert [encoding.name for encoding in audio.codecs.values()] == [codec.value for codec in codecs]
    assert parse_sdp(once).faults == ()
