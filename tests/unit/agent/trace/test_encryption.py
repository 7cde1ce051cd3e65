"""SRTP is what offer and answer agree on, m= line by m= line; ciphertext is never a digit."""

import pytest

from agent.trace.model import Trace
from tests.unit.agent.trace.dialogue import ALICE_RTP, BOB_RTP, Hop, media, sdp
from tests.unit.agent.trace.test_calls import keys, traced
from tests.unit.agent.trace.test_warnings import codes

CRYPTO = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"]
PRINT = ["a=fingerprint:sha-256 00:11:22"]
ZRTP = ["a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df"]
MIKEY = ["a=key-mgmt:mikey AQAFgM"]
TAG = bytes(10)


def call(offer: str | None, answer: str | None) -> Hop:
    """None: that message was not captured."""
    hop = Hop()
    if offer is not None:
        hop.request(0, "INVITE", 1, body=offer, begins=True)
    if answer is not None:
        hop.response(0.2, 200, 1, body=answer)
    return hop


def both(offer: str | None, answer: str | None, *, seal: bytes = b"", digits: str = "12") -> Trace:
    there = media(1, ALICE_RTP, BOB_RTP, digits, seal=seal)
    return traced(call(offer, answer).packets, there, media(1, BOB_RTP, ALICE_RTP, ssrc=2, seal=seal))


def told(found: Trace) -> list[tuple[bool | None, str]]:
    return [(stream.encrypted, keys(stream)) for stream in found.streams]


@pytest.mark.parametrize("extra", [CRYPTO, PRINT, MIKEY])
def test_keys_under_rtp_avp_that_both_sides_name_are_srtp(extra: list[str]) -> None:
    found = both(sdp(ALICE_RTP, extra=extra), sdp(BOB_RTP, extra=extra), seal=TAG)
    assert told(found) == [(True, ""), (True, "")]
    assert codes(found) == []


@pytest.mark.parametrize(("offered", "answered"), [(CRYPTO, []), (CRYPTO, PRINT), ([], CRYPTO)])
def test_keys_that_the_answer_does_not_take_are_none(offered: list[str], answered: list[str]) -> None:
    found = both(sdp(ALICE_RTP, extra=offered), sdp(BOB_RTP, extra=answered))
    assert told(found) == [(False, "12"), (False, "")]


def test_a_fingerprint_of_the_session_is_that_of_its_media() -> None:
    texts = [sdp(place).replace("t=0 0\r\n", "t=0 0\r\n" + PRINT[0] + "\r\n") for place in (ALICE_RTP, BOB_RTP)]
    assert told(both(*texts, seal=TAG)) == [(True, ""), (True, "")]


def secured_and_plain(place: tuple[str, int], *, refuse: int | None = None) -> str:
    """Best effort before RFC 8643: a line with SAVP and one with AVP, of one port."""
    ports = [0 if refuse == line else place[1] for line in (0, 1)]
    lines = [f"m=audio {ports[1]} RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"]
    return sdp((place[0], ports[0]), profile="RTP/SAVP", extra=CRYPTO, more=lines)


@pytest.mark.parametrize(("refuse", "seal", "expected"), [(0, b"", (False, "12")), (1, TAG, (True, ""))])
def test_of_two_lines_with_one_port_the_one_that_was_not_refused_says(
    refuse: int, seal: bytes, expected: tuple[bool, str]
) -> None:
    found = both(secured_and_plain(ALICE_RTP), secured_and_plain(BOB_RTP, refuse=refuse), seal=seal)
    assert told(found) == [expected, (expected[0], "")]
    assert {one.medium for stream in found.streams for one in stream.calls} == {2 - refuse}


UNANSWERED = {
    "keys under RTP/AVP": (sdp(ALICE_RTP, extra=CRYPTO), None),
    "two lines of one port": (secured_and_plain(ALICE_RTP), None),
    "an answer alone": (None, sdp(BOB_RTP, extra=CRYPTO)),
    "ZRTP": (sdp(ALICE_RTP, extra=ZRTP), sdp(BOB_RTP, extra=ZRTP)),
    "an answer under another profile": (sdp(ALICE_RTP, profile="RTP/SAVP", extra=CRYPTO), sdp(BOB_RTP)),
}


@pytest.mark.parametrize("name", UNANSWERED)
@pytest.mark.parametrize("tag", [b"", bytes(4), TAG, bytes(16)])
def test_where_sdp_leaves_it_open_the_packets_of_either_direction_tell(name: str, tag: bytes) -> None:
    found = both(*UNANSWERED[name], seal=tag)
    assert told(found) == ([(True, ""), (True, "")] if tag else [(False, "12"), (False, "")])
    assert codes(found) == (["LooksEncrypted"] * 2 if tag else [])


def test_audio_that_is_as_long_as_its_time_is_plain_and_longer_is_not() -> None:
    for tag, expected in ((b"", False), (TAG, True)):
        assert told(both(sdp(ALICE_RTP, extra=CRYPTO), None, seal=tag, digits="")) == [(expected, "")] * 2


def test_what_nothing_tells_is_said_and_neither_digits_nor_sound() -> None:
    opus = {"media": "96 101", "extra": [*CRYPTO, "a=rtpmap:96 opus/48000/2"]}
    there = [one for one in media(1, BOB_RTP, ALICE_RTP) if one]
    odd = [one.__class__(**{**vars(one), "payload": b"\x80\x60" + one.payload[2:]}) for one in there]
    found = traced(call(sdp(ALICE_RTP, **opus), None).packets, odd)  # type: ignore[arg-type]
    assert told(found) == [(None, "")]
    assert codes(found) == ["EncryptionUnknown"]


def test_ciphertext_is_no_digit_whatever_sdp_says() -> None:
    found = both(sdp(ALICE_RTP), sdp(BOB_RTP), seal=TAG)
    assert told(found)[0] == (True, "")
    assert codes(found) == ["LooksEncrypted"]


def test_a_re_invite_may_bring_keys() -> None:
    hop = call(sdp(ALICE_RTP), sdp(BOB_RTP))
    hop.again(2, 2, offer=sdp(ALICE_RTP, extra=CRYPTO), answer=sdp(BOB_RTP, extra=CRYPTO))
    plain, sealed = traced(
        hop.packets, media(1, ALICE_RTP, BOB_RTP, "1"), media(3, ALICE_RTP, BOB_RTP, "2", ssrc=2, seal=TAG)
    ).streams
    for stream, expected in ((plain, (False, "1")), (sealed, (True, ""))):
        assert (stream.encrypted, keys(stream)) == expected
