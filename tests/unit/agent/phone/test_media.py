"""What the media of a phone's calls is to be: by what their INVITE says they are."""

import pytest

from agent.contract.codecs import Codec, Media
from agent.contract.srtp import Keying, Srtp, SrtpUse, Suite
from agent.contract.verdict import Role
from agent.phone.media import MediaOfCalls, planned, tap_srtp
from agent.sip.text import parse_head
from agent.tap.model import TapSrtp
from tests.unit.builders import change, plan
from tests.unit.sip_messages import request

USUAL, MANDATORY = (Media(srtp=Srtp(use=use)) for use in (SrtpUse.OPTIONAL, SrtpUse.MANDATORY))
SOME = MediaOfCalls(usual=USUAL, calls={"pin": MANDATORY})


@pytest.mark.parametrize(
    ("key", "media"),
    [
        ("run/0/pin/3", MANDATORY),
        ("a/run/with/parts/0/pin/3", MANDATORY),
        ("run/0/other/3", USUAL),
        ("pin/3", MANDATORY),
        ("pin", USUAL),
        ("run/pin/0/3", USUAL),
        ("", USUAL),
        (None, USUAL),
    ],
)
def test_a_call_is_known_by_its_name(key, media):
    assert SOME.of(key) == media


def test_an_invite_without_the_header_is_any_call():
    assert SOME.of_invite(None) == USUAL
    assert SOME.of_invite(parse_head(request())) == USUAL
    assert SOME.of_invite(parse_head(request(key="run/0/pin/3"))) == MANDATORY


def test_an_account_takes_any_offer_where_its_calls_differ():
    assert MediaOfCalls().srtp_use is SrtpUse.DISABLED
    assert MediaOfCalls(usual=MANDATORY, calls={"pin": MANDATORY}).srtp_use is SrtpUse.MANDATORY
    assert MediaOfCalls(usual=MANDATORY, calls={"pin": Media()}).srtp_use is SrtpUse.OPTIONAL


def test_the_tap_is_told_in_its_own_words():
    srtp = Srtp(use=SrtpUse.MANDATORY, keying=(Keying.DTLS, Keying.SDES), suites=(Suite.AES_128_32,))
    assert tap_srtp(srtp) == TapSrtp(
        use=SrtpUse.MANDATORY, keying=(Keying.DTLS, Keying.SDES), suites=("AES_CM_128_HMAC_SHA1_32",)
    )


def test_a_call_that_names_none_is_as_all_calls_of_the_plan_or_as_its_account():
    usual, own = USUAL, MANDATORY
    its_plan = plan(Role.CALLEE, account__media=usual, group__callee__media=own)
    assert planned(its_plan) == MediaOfCalls(usual=own, calls={"pin": own})
    assert planned(plan()) == MediaOfCalls(calls={"pin": Media()})
    other = change(its_plan.calls[0], name="other", callee__media=None)
    assert planned(change(its_plan, calls=(*its_plan.calls, other))) == MediaOfCalls(
        usual=usual, calls={"pin": own, "other": Media()}
    )


def test_a_phone_knows_the_codecs_of_all_its_calls():
    some = MediaOfCalls(calls={"pin": Media(codecs=(Codec.OPUS, Codec.G722)), "other": Media(codecs=(Codec.PCMA,))})
    assert some.codecs == (Codec.PCMU, Codec.PCMA, Codec.G722, Codec.OPUS)
    assert MediaOfCalls().codecs == (Codec.PCMU, Codec.PCMA)
