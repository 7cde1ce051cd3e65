"""Which calls of a phone are SRTP: by what their INVITE says they are."""

import pytest

from agent.contract.srtp import Keying, Media, Srtp, SrtpUse, Suite
from agent.contract.verdict import Role
from agent.phone.encryption import Encryption, planned, tap_srtp
from agent.sip.text import parse_head
from agent.tap.model import TapSrtp
from tests.unit.builders import change, plan
from tests.unit.sip_messages import request

USUAL, MANDATORY = Srtp(use=SrtpUse.OPTIONAL), Srtp(use=SrtpUse.MANDATORY)
SOME = Encryption(usual=USUAL, calls={"pin": MANDATORY})


@pytest.mark.parametrize(
    ("key", "srtp"),
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
def test_a_call_is_known_by_its_name(key, srtp):
    assert SOME.of(key) == srtp


def test_an_invite_without_the_header_is_any_call():
    assert SOME.of_invite(None) == USUAL
    assert SOME.of_invite(parse_head(request())) == USUAL
    assert SOME.of_invite(parse_head(request(key="run/0/pin/3"))) == MANDATORY


def test_an_account_takes_any_offer_where_its_calls_differ():
    assert Encryption().use is SrtpUse.DISABLED
    assert Encryption(usual=MANDATORY, calls={"pin": MANDATORY}).use is SrtpUse.MANDATORY
    assert Encryption(usual=MANDATORY, calls={"pin": Srtp()}).use is SrtpUse.OPTIONAL


def test_the_tap_is_told_in_its_own_words():
    srtp = Srtp(use=SrtpUse.MANDATORY, keying=(Keying.DTLS, Keying.SDES), suites=(Suite.AES_128_32,))
    assert tap_srtp(srtp) == TapSrtp(
        use=SrtpUse.MANDATORY, keying=(Keying.DTLS, Keying.SDES), suites=("AES_CM_128_HMAC_SHA1_32",)
    )


def test_a_call_that_names_none_is_as_all_calls_of_the_plan_or_as_its_account():
    usual, own = Srtp(use=SrtpUse.OPTIONAL), Srtp(use=SrtpUse.MANDATORY)
    its_plan = plan(Role.CALLEE, account__media=Media(srtp=usual), group__callee__media=Media(srtp=own))
    assert planned(its_plan) == Encryption(usual=own, calls={"pin": own})
    assert planned(plan()) == Encryption(calls={"pin": Srtp()})
    other = change(its_plan.calls[0], name="other", callee__media=None)
    assert planned(change(its_plan, calls=(*its_plan.calls, other))) == Encryption(
        usual=usual, calls={"pin": own, "other": Srtp()}
    )
