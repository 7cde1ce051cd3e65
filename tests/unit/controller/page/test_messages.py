"""SIP messages: titles, texts, and what they say of a call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.page.messages import (
    MAX_TEXT,
    Crossing,
    Heads,
    drawn,
    final_code,
    media_of,
    places_of,
    repeated,
    sections_of,
    title_of,
)
from controller.page.model import Tone
from tests.unit.controller.page.world import ACK, BYE, INVITE, OK, RINGING, sdp, sip

UAC, UAS = "10.0.0.1:5060", "10.0.0.2:5060"


def crossing(text, at_s=0.0, source=UAC, target=UAS):
    return Crossing(at_s=at_s, source=source, target=target, text=text)


def heads(*texts):
    return Heads.of(crossing(text, place) for place, text in enumerate(texts))


@pytest.mark.parametrize(
    ("text", "title", "tone", "has_sdp"),
    [
        (INVITE, "INVITE", Tone.REQUEST, True),
        (RINGING, "180 Ringing", Tone.PROVISIONAL, False),
        (OK, "200 OK", Tone.SUCCESS, True),
        (sip("SIP/2.0 503 Busy"), "503 Busy", Tone.FAILURE, False),
        (sip("SIP/2.0 407 Who?"), "407 Who?", Tone.PROVISIONAL, False),
        ("garbage\x1b[31m\r\nmore", "garbage\N{REPLACEMENT CHARACTER}[31m", Tone.FAILURE, False),
        ("", "empty", Tone.FAILURE, False),
    ],
)
def test_a_message_is_drawn_by_what_it_is(text, title, tone, has_sdp):
    message = drawn(crossing(text), at_s=1.5, source=0, target=1, again=False)
    assert (message.title, message.tone, message.has_sdp, message.at_s) == (title, tone, has_sdp, 1.5)


def test_titles_are_short():
    assert title_of("", crossing(sip("SIP/2.0 500 " + "x" * 100)).head).endswith("x…")
    assert len(title_of("y" * 100, None)) == 40


def test_a_long_text_is_cut_and_says_so():
    message = drawn(crossing(INVITE + "x" * MAX_TEXT), at_s=0, source=0, target=1, again=False)
    assert message.text.endswith("characters more")
    assert len(message.text) < MAX_TEXT + 50


def test_no_digest_is_shown():
    text = sip("REGISTER sip:x SIP/2.0", method="REGISTER", extra='Authorization: Digest response="secret"\r\n')
    assert "secret" not in drawn(crossing(text), at_s=0, source=0, target=1, again=False).text


def test_what_crossed_before_is_a_repetition_and_the_next_hop_is_none():
    hops = [crossing(INVITE), crossing(INVITE, 1.0), crossing(INVITE, 1.0, UAS, "10.0.0.3:5060")]
    assert repeated(hops) == [False, True, False]


CHALLENGE = sip("SIP/2.0 401 Unauthorized", to_tag="c")
AGAIN = sip("INVITE sip:b@x SIP/2.0", cseq=2)


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ([INVITE, RINGING, OK], "200 OK"),
        ([INVITE, CHALLENGE, AGAIN, sip("SIP/2.0 486 Busy Here", cseq=2, to_tag="b")], "486 Busy Here"),
        ([INVITE, sip("SIP/2.0 503 No"), OK], "200 OK"),
        ([INVITE, RINGING], None),
        ([sip("INVITE sip:b@x SIP/2.0", to_tag="b"), OK], None),
        (["garbage"], None),
    ],
)
def test_the_final_code_is_that_of_the_call_and_of_no_challenge(texts, code):
    assert final_code(heads(*texts)) == code


def test_where_audio_goes_is_what_sdps_name():
    six = sip("SIP/2.0 200 OK", body=sdp(("2001:db8::1", 6000)).replace("IP4", "IP6"), to_tag="b")
    both = Heads.of([crossing(INVITE), crossing(six, 1.0, UAS, UAC)])
    assert places_of(both) == {"10.0.0.1:4000", "[2001:db8::1]:6000"}
    assert places_of(both, UAC) == {"10.0.0.1:4000"}
    assert places_of(heads(sip("SIP/2.0 200 OK", body=sdp(("10.0.0.1", 0))))) == frozenset()


def test_options_negotiate_nothing():
    (one,) = heads(sip("SIP/2.0 200 OK", method="OPTIONS", body=sdp(("10.0.0.1", 9)))).pairs()
    assert media_of(*one) is None


def test_a_section_lasts_from_an_answer_to_the_next():
    hold = sip("INVITE sip:b@x SIP/2.0", cseq=3, to_tag="b", body=sdp(("10.0.0.1", 4000), direction="sendonly"))
    held = sip("SIP/2.0 200 OK", cseq=3, to_tag="b", body=sdp(("10.0.0.2", 5000), direction="recvonly"))
    told = [(INVITE, UAC), (OK, UAS), (OK, UAS), (ACK, UAC), (hold, UAC), (held, UAS), (BYE, UAC)]
    messages = Heads.of(crossing(text, at_s, source, "") for at_s, (text, source) in enumerate(told))
    assert [(one.begin_s, one.end_s, one.label) for one in sections_of(messages, 9.0)] == [
        (1, 5, "PCMU RTP/AVP sendrecv"),
        (5, 9.0, "PCMU RTP/AVP recvonly"),
    ]


def test_an_answer_that_changes_nothing_begins_no_section_and_a_refused_one_is_said():
    again = sip("INVITE sip:b@x SIP/2.0", cseq=3, to_tag="b", body=sdp(("10.0.0.1", 4000)))
    same = sip("SIP/2.0 200 OK", cseq=3, to_tag="b", body=sdp(("10.0.0.2", 5000)))
    refused = sip("SIP/2.0 200 OK", cseq=4, to_tag="b", body=sdp(("10.0.0.2", 0)))
    told = [(INVITE, UAC), (OK, UAS), (again, UAC), (same, UAS), (again, UAC), (refused, UAS)]
    messages = Heads.of(crossing(text, at_s, source, "") for at_s, (text, source) in enumerate(told))
    assert [one.label for one in sections_of(messages, 9.0)] == ["PCMU RTP/AVP sendrecv", "refused (port 0)"]
    assert sections_of(heads(sip("SIP/2.0 503 No")), 9.0) == ()


def test_a_codec_that_nothing_tells_of_is_said_so():
    strange = sip("SIP/2.0 200 OK", body=sdp(("10.0.0.2", 5000), codecs="99"), to_tag="b")
    messages = Heads.of([crossing(INVITE), crossing(strange, 1.0, UAS, UAC)])
    assert [one.label for one in sections_of(messages, 2.0)] == ["? RTP/AVP sendrecv"]


@given(st.text(max_size=300))
def test_nothing_that_a_peer_sends_raises(text):
    messages = heads(text, INVITE, text)
    final_code(messages)
    sections_of(messages, 9.0)
    for one in messages.crossings:
        drawn(one, at_s=0.0, source=0, target=0, again=False)
