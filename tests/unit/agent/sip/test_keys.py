"""a=crypto, a=fingerprint and a=setup: read, or named as unread; and which of them answer which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sip.answers import answer_faults, srtp_faults, weaker
from agent.sip.keys import Keys, Setup, crypto_faults, role_fault
from agent.sip.sdp import parse_sdp
from tests.unit.sip_messages import sdp

KEY = "inline:" + "k" * 40
LONG = "inline:" + "k" * 62
A80, A32, B80 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80"
HASH = "sha-256 " + ":".join(["ab"] * 32)


def keys(*attributes: str) -> Keys:
    found = Keys()
    for one in attributes:
        found = found.read(one)
    return found


def medium(*attributes: str, protocol: str = "RTP/SAVP", port: int = 4000, session: str = ""):
    text = sdp(f"10.0.0.1:{port}", *(f"a={one}" for one in attributes), protocol=protocol)
    [found] = parse_sdp(text.replace("t=0 0\r\n", f"t=0 0\r\na={session}\r\n") if session else text).media
    return found


def test_a_crypto_line_is_read():
    (one,) = keys(f"crypto:7 {A80} {KEY}|2^20|1:4;{KEY} KDR=1 unencrypted_srtcp ").cryptos
    assert (one.tag, one.suite, one.keys, one.parameters) == (7, A80, (40, 40), ("KDR=1", "UNENCRYPTED_SRTCP"))


@pytest.mark.parametrize(
    "value", ["", "1", f"1 {A80}", f"x {A80} {KEY}", f"1 {A80} inline:", f"1 {A80} uri:x", f"1 {A80} {KEY};x"]
)
def test_one_that_cannot_be_read_is_named(value):
    assert keys(f"crypto:{value}") == Keys(unread=("crypto",))


def test_a_fingerprint_is_read_and_one_of_another_length_is_not():
    assert str(keys(f"fingerprint:{HASH}").fingerprints[0]) == "sha-256 " + ":".join(["AB"] * 32)
    assert keys("fingerprint:sha-256 AB:CD").unread == ("fingerprint",)
    assert keys("fingerprint:sha-256 xyz").unread == ("fingerprint",)
    assert str(keys("fingerprint:sha3-256 AB:CD").fingerprints[0]) == "sha3-256 AB:CD"


def test_setup_is_read():
    assert keys("setup:ActPass").setup is Setup.ACTPASS
    assert keys("setup:active", "setup:strange").setup is Setup.ACTIVE


def test_other_attributes_are_nothing():
    assert keys("rtpmap:0 PCMU/8000", "crypto-of-no-kind:1") == Keys()


def test_what_stands_above_the_media_holds_for_those_that_say_nothing_else():
    above = medium(session=f"fingerprint:{HASH}").keys
    assert [str(one) for one in above.fingerprints] == ["sha-256 " + ":".join(["AB"] * 32)]
    own = medium("fingerprint:sha-1 " + ":".join(["01"] * 20), "setup:passive", session=f"fingerprint:{HASH}").keys
    assert [one.hash for one in own.fingerprints] == ["sha-1"]
    assert medium("setup:passive", session="setup:actpass").keys.setup is Setup.PASSIVE
    assert medium(session="setup:actpass").keys.setup is Setup.ACTPASS
    assert medium(session="fingerprint:none").keys.unread == ("fingerprint",)


@given(st.text(max_size=200))
def test_whatever_an_attribute_is_it_is_read_or_not(text):
    for name in ("crypto", "fingerprint", "setup"):
        found = keys(f"{name}:{text}")
        assert len(found.cryptos) + len(found.fingerprints) + len(found.unread) + bool(found.setup) <= 1


def test_so_many_lines_are_kept():
    assert len(keys(*[f"crypto:{tag} {A80} {KEY}" for tag in range(100)]).cryptos) == 64


OFFER = keys(
    f"crypto:1 {A80} {KEY}",
    f"crypto:2 {B80} {LONG}",
    f"crypto:3 {A32} {KEY} UNENCRYPTED_SRTCP",
    f"crypto:4 NEW_1 {KEY}",
)


@pytest.mark.parametrize(
    "line",
    [
        f"1 {A80} {KEY}",
        f"2 {B80.lower()} {LONG}==",
        f"2 {B80} inline:{'x' * 64}|2^31|1:1",
        f"3 {A32} {KEY} UNENCRYPTED_SRTCP",
        f"3 {A32} {KEY} WSH=64",
        "4 NEW_1 inline:k",
    ],
)
def test_one_line_of_the_offers_is_an_answer(line):
    assert crypto_faults(OFFER, keys(f"crypto:{line}")) == []


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([f"1 {A80} {KEY}", f"2 {B80} {LONG}"], "2 a=crypto lines, where one of the offer's is to be chosen"),
        ([f"9 {A80} {KEY}"], "a=crypto:9, a tag that was not offered"),
        ([f"2 {A80} {KEY}"], f"a=crypto:2 {A80}, offered as {B80}"),
        ([f"1 {A80} {LONG}"], "a=crypto:1 with a key of 62 characters: 30 bytes make 40 characters"),
        ([f"2 {B80} {KEY}"], "a=crypto:2 with a key of 40 characters: 46 bytes make 64 characters"),
        ([f"1 {A80} {KEY} UNENCRYPTED_SRTP"], "a=crypto:1 with UNENCRYPTED_SRTP, which was not offered"),
        ([f"1 {A80}"], "an a=crypto line without `tag suite inline:key`"),
    ],
)
def test_what_is_no_answer_is_said(lines, fault):
    (said,) = crypto_faults(OFFER, keys(*(f"crypto:{line}" for line in lines)))
    assert said.startswith(fault)


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("actpass", "active"),
        ("actpass", "passive"),
        ("active", "passive"),
        ("passive", "active"),
        (None, None),
        ("actpass", None),
        (None, "passive"),
    ],
)
def test_one_side_begins(offer, answer):
    assert role_fault(offer and Setup(offer), answer and Setup(answer)) is None


@pytest.mark.parametrize(
    ("offer", "answer", "fault"),
    [
        ("actpass", "actpass", "a=setup:actpass in an answer"),
        ("actpass", "holdconn", "a=setup:holdconn in an answer"),
        ("active", "active", "a=setup:active answers a=setup:active"),
        ("passive", None, "a=setup:passive answers a=setup:passive"),
    ],
)
def test_two_that_begin_or_none_do_not_go_together(offer, answer, fault):
    assert role_fault(Setup(offer), answer and Setup(answer)) == fault


def test_what_answers_srtp():
    offer = medium(f"crypto:1 {A80} {KEY}")
    assert srtp_faults(offer, medium(f"crypto:1 {A80} {KEY}")) == ()
    assert srtp_faults(offer, medium(f"crypto:2 {A80} {KEY}"))[0].startswith("line 6: m=audio: a=crypto:2, a tag")
    assert srtp_faults(offer, medium())[0].startswith("line 6: m=audio: no a=crypto")
    assert srtp_faults(offer, medium(f"fingerprint:{HASH}")) == ()  # another keying, which is told apart
    assert srtp_faults(offer, medium(port=0)) == ()
    assert srtp_faults(offer, medium(protocol="RTP/AVP")) == ()  # weaker, which is told apart


def test_what_answers_plain_rtp_with_keys():
    offer = medium(f"crypto:1 {A80} {KEY}", protocol="RTP/AVP")
    assert srtp_faults(offer, medium(protocol="RTP/AVP")) == ()
    assert srtp_faults(offer, medium(f"crypto:5 {A80} {KEY}", protocol="RTP/AVP"))[0].startswith(
        "line 6: m=audio: a=cr"
    )


def test_what_answers_dtls():
    def by_dtls(*lines: str):
        return medium(*lines, protocol="UDP/TLS/RTP/SAVP")

    assert srtp_faults(by_dtls(f"fingerprint:{HASH}"), by_dtls(f"fingerprint:{HASH}")) == ()
    (none,) = srtp_faults(by_dtls(f"fingerprint:{HASH}"), by_dtls())
    assert none == "line 6: m=audio: no a=fingerprint (RFC 5763 §5)"
    (unread,) = srtp_faults(by_dtls(f"fingerprint:{HASH}"), by_dtls("fingerprint:sha-256 AB"))
    assert unread == "line 6: m=audio: an a=fingerprint that is none (RFC 5763 §5)"


def test_a_weaker_profile_is_no_fault_of_the_sdp():
    """It is one of SRTP; another profile that is no weaker is none that was offered."""
    assert weaker(medium(), medium(protocol="RTP/AVP"))
    assert not weaker(medium(), medium(protocol="RTP/AVP", port=0))
    assert not weaker(medium(protocol="RTP/AVP"), medium())
    offer, answer = sdp("10.0.0.1:2", protocol="RTP/SAVP"), sdp("10.0.0.2:2")
    assert answer_faults(offer, answer) == ()
    assert answer_faults(answer, offer) == ("line 6: m=audio by RTP/SAVP answers RTP/AVP (RFC 3264 §6)",)
