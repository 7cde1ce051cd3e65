"""SDP is read as far as it can be, whatever is in it, and what makes an answer none is named with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sip.answers import answer_faults, no_media
from agent.sip.sdp import MAX_FAULTS, MAX_MEDIA, Direction, parse_sdp, sdp_of
from agent.sip.text import parse_head
from tests.unit.sip_messages import request, sdp, with_sdp


def audio(text):
    medium = parse_sdp(text).audio
    assert medium is not None
    return medium


def test_where_audio_is_received_and_what_its_types_are():
    medium = audio(sdp("10.0.0.1:4000", "a=ptime:30", types="0 8 101 96", rtpmap="a=rtpmap:101 Telephone-Event/8000"))
    assert (medium.address, medium.port, medium.protocol, medium.ptime_ms) == ("10.0.0.1", 4000, "RTP/AVP", 30)
    assert {number: str(one) for number, one in medium.encodings.items()} == {
        0: "PCMU/8000", 8: "PCMA/8000", 101: "telephone-event/8000",
    }  # fmt: skip
    assert (list(medium.codecs), medium.telephone_event) == ([0, 8], 101)
    assert (medium.encrypted, medium.rtp) == (False, True)


def test_rtpmap_and_fmtp_of_a_dynamic_type():
    medium = audio(sdp("h:2", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 useinbandfec=1", "a=fmtp:9 x", types="111 101"))
    assert str(medium.encodings[111]) == "opus/48000/2"
    assert medium.encodings[111].fmtp == "useinbandfec=1"


@pytest.mark.parametrize(
    ("lines", "direction"),
    [
        ((), Direction.SENDRECV),
        (("a=sendonly",), Direction.SENDONLY),
        (("a=recvonly", "a=inactive"), Direction.INACTIVE),
    ],
)
def test_the_direction_of_a_medium(lines, direction):
    assert audio(sdp("1.2.3.4:2", *lines)).direction is direction


def test_what_the_session_says_holds_for_media_that_say_nothing():
    text = sdp().replace("t=0 0", "t=0 0\r\na=recvonly\r\na=ptime:40")
    assert (audio(text).direction, audio(text).ptime_ms) == (Direction.RECVONLY, 40)
    assert audio(text + "a=sendonly\r\na=ptime:10\r\n").direction is Direction.SENDONLY
    assert audio(text + "a=sendonly\r\na=ptime:10\r\n").ptime_ms == 10


@pytest.mark.parametrize(
    ("place", "line", "sends", "receives"),
    [
        ("1.2.3.4:2", "", True, True),
        ("1.2.3.4:2", "a=sendonly", True, False),
        ("1.2.3.4:2", "a=recvonly", False, True),
        ("1.2.3.4:2", "a=inactive", False, False),
        ("0.0.0.0:2", "", True, False),
        ("1.2.3.4:0", "", False, False),
    ],
)
def test_what_a_side_does_by_its_own_sdp(place, line, sends, receives):
    medium = audio(sdp(place, line))
    assert (medium.sends, medium.receives) == (sends, receives)


def test_a_mediums_own_address_stands_before_the_sessions():
    text = sdp("10.0.0.1:4000") + "c=IN IP4 10.0.0.2\r\nm=video 6 RTP/SAVP 34\r\n"
    first, second = parse_sdp(text).media
    assert (first.address, second.address) == ("10.0.0.2", "10.0.0.1")
    assert (first.encrypted, second.encrypted) == (False, True)


def test_the_first_audio_that_is_not_refused_is_the_calls():
    text = sdp("10.0.0.1:0") + "m=audio 7 RTP/AVP 0\r\n"
    assert audio(text).port == 7
    assert audio(sdp("10.0.0.1:0")).port == 0
    assert parse_sdp("v=0\r\nm=image 7 udptl t38\r\n").audio is None


def test_an_sdp_in_a_message_and_in_a_part_of_one():
    def of(text):
        head = parse_head(text)
        assert head is not None
        return sdp_of(head, text)

    body = sdp()
    assert of(request(**with_sdp(body))) == body.replace("\r\n", "\n")
    assert of(request()) is None
    assert of(request(extra="Content-Type: text/plain\r\n", body="v=0")) is None
    parts = (
        "preamble\r\n--x y\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        f"--x y\r\nContent-Disposition: session\r\nContent-Type: application/sdp\r\n\r\n{body}\r\n--x y--\r\n"
    )
    found = of(request(extra='Content-Type: multipart/mixed;boundary="x y"\r\n', body=parts))
    assert found is not None
    assert parse_sdp(found).faults == ()
    assert audio(found).port == 2
    assert of(request(extra="Content-Type: multipart/mixed;boundary=z\r\n", body=parts)) is None
    assert of(request(extra="Content-Type: multipart/mixed\r\n", body=parts)) is None


GOOD = sdp("10.0.0.1:4000")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("v=0\r\n", "", "no v= line"),
        ("s=-\r\nc=", "c=", "no s= line"),
        ("v=0", "v=1", "line 1: v=1: the version is 0"),
        ("o=- 1 1 IN IP4 10.0.0.1", "o=- 1 IN", "line 2: o=- 1 IN: no `user id version IN IP4 address`"),
        ("s=-", "subject", "line 3: subject: no `type=value`"),
        ("c=IN IP4 10.0.0.1", "c=IN IP9", "line 4: c=IN IP9: no `IN IP4 address`"),
        ("c=IN IP4 10.0.0.1\r\n", "", "line 5: m=audio without a c= line"),
        ("m=audio 4000 RTP/AVP", "m=audio four RTP/AVP", "no `media port protocol formats`"),
        ("m=audio 4000", "m=audio 70000", "no `media port protocol formats`"),
        ("RTP/AVP 0", "RTP/AVP PCMU", "no `media port protocol formats`"),
        ("a=rtpmap:101 telephone-event/8000", "a=rtpmap:101", "line 7: a=rtpmap:101: no `rtpmap:type name/clock`"),
        ("a=rtpmap:101 telephone-event/8000", "a=x", "line 6: payload type 101 without a=rtpmap"),
    ],
)
def test_what_is_malformed_is_named_with_its_line(old, new, fault):
    assert old in GOOD
    faults = parse_sdp(GOOD.replace(old, new)).faults
    assert any(fault in said for said in faults), faults
    assert len(faults) <= MAX_FAULTS


def test_a_good_one_has_no_faults():
    assert parse_sdp(GOOD).faults == parse_sdp(GOOD.replace("\r\n", "\n") + "\n\n").faults == ()
    assert parse_sdp(sdp("host.example.com:2")).faults == ()


def test_what_stands_below_a_medium_that_cannot_be_read_is_not_the_one_befores():
    text = GOOD + "m=broken\r\nc=IN IP4 6.6.6.6\r\na=inactive\r\n"
    assert (audio(text).address, audio(text).direction) == ("10.0.0.1", Direction.SENDRECV)


def test_an_sdp_of_very_many_lines_is_read_in_part():
    assert len(parse_sdp(GOOD + "m=audio 2 RTP/AVP 0\r\n" * 500).media) == MAX_MEDIA


@given(st.lists(st.sampled_from(GOOD.split("\r\n")) | st.text(max_size=40), max_size=30))
def test_nothing_raises(lines):
    text = "\r\n".join(lines)
    assert len(parse_sdp(text).faults) <= MAX_FAULTS
    answer_faults(GOOD, text)
    no_media(text)


# an answer to it


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        sdp("10.0.0.9:6", "a=sendonly", types="0", rtpmap=""),
        sdp("10.0.0.9:6", "a=rtpmap:96 opus/48000/2", types="0 96", rtpmap=""),
        sdp("10.0.0.9:6", types="99", rtpmap="a=rtpmap:99 pcmu/8000"),
        sdp("10.0.0.9:0", types="8", rtpmap=""),
    ],
)
def test_answers_that_nothing_forbids(answer):
    assert answer_faults(GOOD, answer) == ()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (GOOD + "m=video 6 RTP/AVP 34\r\n", "2 m= lines answer 1 of the offer (RFC 3264 §6)"),
        (GOOD.replace("m=audio", "m=video"), "line 6: m=video answers m=audio (RFC 3264 §6)"),
        (GOOD.replace("RTP/AVP", "RTP/SAVP"), "line 6: m=audio by RTP/SAVP answers RTP/AVP (RFC 3264 §6)"),
        (
            sdp("10.0.0.9:6", types="8 101"),
            "line 6: m=audio: no codec of the offer among its own (PCMA/8000) (RFC 3264 §6.1)",
        ),
        (
            sdp("10.0.0.9:6", types="101"),
            "line 6: m=audio: no codec of the offer among its own (none) (RFC 3264 §6.1)",
        ),
    ],
)
def test_answers_that_are_none(answer, fault):
    assert answer_faults(GOOD, answer) == (fault,)


def test_a_medium_that_was_not_offered_is_not_answered():
    assert answer_faults(sdp("10.0.0.1:0"), GOOD) == (
        "line 6: m=audio answers a medium that was offered with port 0 (RFC 3264 §6)",
    )


def test_what_is_malformed_comes_first_and_a_broken_offer_excuses_the_rest():
    assert answer_faults(GOOD, "v=0")[0] == "no o=, s=, t= line"
    assert answer_faults("v=0", GOOD + "m=video 6 RTP/AVP 34\r\n") == ()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "no SDP in the answer"),
        ("v=0", "no m=audio of RTP in the answer"),
        (sdp("10.0.0.1:0"), "line 6: m=audio 0 (refused)"),
        (sdp("10.0.0.1:2", "a=inactive"), "line 6: a=inactive"),
        (sdp("10.0.0.1:2", "a=sendonly"), None),
        (sdp("0.0.0.0:2"), None),
    ],
)
def test_answers_that_let_no_audio_run(answer, why):
    assert no_media(answer) == why
