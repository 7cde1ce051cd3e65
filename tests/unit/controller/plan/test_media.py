"""What media agents are to have: whose it is in which call, and what contradicts itself."""

import pytest

from agent.contract.codecs import Codec, Media
from agent.contract.srtp import Keying, Srtp, SrtpSignalling, SrtpUse, Suite
from agent.contract.verdict import Reason, Role
from agent.phone.media import planned
from controller.plan.cause import PlanningError
from controller.plan.limits import Limits
from controller.plan.planning import check_test, plan_run
from tests.unit.controller.objects import NO_CALLEE, RUN, endpoints, spec

MANDATORY = {"srtp": {"use": "Mandatory"}}
BY_DTLS = {"use": "Optional", "keying": ["DTLS"]}
OVER_TLS = {"target.transport": "TLS"}


@pytest.mark.covers("<party>.media.srtp.keying")
@pytest.mark.covers("<party>.media.srtp.suites")
def test_a_partys_media_is_its_accounts_and_that_of_each_call():
    asked = {"use": "Mandatory", "keying": ["SDES"], "suites": ["AES_CM_128_HMAC_SHA1_32"], "signalling": "TLS"}
    test = spec(OVER_TLS | {"caller.media": {"srtp": asked}, "callee.media": {"srtp": BY_DTLS}})
    wanted = Srtp(
        use=SrtpUse.MANDATORY, keying=(Keying.SDES,), suites=(Suite.AES_128_32,), signalling=SrtpSignalling.TLS
    )  # fmt: skip
    by_dtls = Srtp(use=SrtpUse.OPTIONAL, keying=(Keying.DTLS,))
    caller, callee = plan_run(RUN, test, endpoints(1), Limits())
    assert (caller.account.media.srtp, callee.account.media.srtp) == (wanted, by_dtls)
    for plan in (caller, callee):
        (call,) = plan.calls
        assert (call.media(Role.CALLER).srtp, call.media(Role.CALLEE).srtp) == (wanted, by_dtls)


@pytest.mark.covers("calls[].<party>.media.srtp.keying")
@pytest.mark.covers("calls[].<party>.media.srtp.suites")
def test_a_calls_own_media_is_instead_of_its_partys():
    own = {"srtp": {"use": "Optional", "suites": ["AES_256_CM_HMAC_SHA1_80"]}}
    by_dtls = {"srtp": {"use": "Mandatory", "keying": ["DTLS", "SDES"]}}
    test = spec({"caller.media": MANDATORY, "calls.0.caller.media": own, "calls.0.callee.media": by_dtls})
    caller, callee = plan_run(RUN, test, endpoints(1), Limits())
    assert caller.calls == callee.calls
    assert caller.account.media.srtp.use is SrtpUse.MANDATORY
    assert caller.calls[0].media(Role.CALLER).srtp == Srtp(use=SrtpUse.OPTIONAL, suites=(Suite.AES_256_80,))
    assert caller.calls[0].media(Role.CALLEE).srtp.keying == (Keying.DTLS, Keying.SDES)


@pytest.mark.covers("<party>.media.codecs")
@pytest.mark.covers("<party>.media.ptimeMilliseconds")
@pytest.mark.covers("calls[].<party>.media.codecs")
@pytest.mark.covers("calls[].<party>.media.ptimeMilliseconds")
def test_a_phone_is_told_the_codecs_and_the_packet_time_of_each_call():
    """tests/component/test_field_codecs.py has what becomes of them."""
    own, others = {"codecs": ["opus", "G722"], "ptimeMilliseconds": 40}, {"codecs": ["PCMA"], "ptimeMilliseconds": 10}
    test = spec(
        {"caller.media": others, "callee.media": others, "calls.0.caller.media": own, "calls.0.callee.media": own}
    )
    for plan in plan_run(RUN, test, endpoints(1), Limits()):
        usual, told = plan.account.media, planned(plan)
        assert (usual.taken, usual.ptime_milliseconds) == ((Codec.PCMA,), 10)
        assert (told.usual, told.codecs) == (told.of("uid/0/pin/0"), (Codec.G722, Codec.OPUS))
        assert (told.usual.taken, told.usual.ptime_milliseconds) == ((Codec.OPUS, Codec.G722), 40)


def test_where_nothing_is_said_media_is_plain():
    caller, _ = plan_run(RUN, spec(), endpoints(1), Limits())
    assert caller.account.media == Media()
    assert (caller.calls[0].caller.media, caller.calls[0].media(Role.CALLEE).srtp) == (None, Srtp())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"callee.media": {"codecs": ["G722", "PCMA", "G722"]}}, "callee.media.codecs: one is there twice"),
        (
            {"calls.0.callee.media": {"codecs": ["G722", "PCMA"]}, "calls.0.expect": {"callee": {"codec": "PCMU"}}},
            "calls[0].expect.callee.codec: cannot be met: the callee's media.codecs are G722 and PCMA",
        ),
        ({"calls.0.expect": {"caller": {"codec": "G722"}}}, "calls[0].expect.caller.codec: cannot be met"),
        ({"caller.media": {"srtp": {"keying": ["DTLS"]}}}, "caller.media.srtp.keying: means nothing"),
        ({"callee.media": {"srtp": {"suites": ["AES_CM_128_HMAC_SHA1_80"]}}}, "callee.media.srtp.suites: means"),
        ({"caller.media": {"srtp": {"use": "Disabled", "signalling": "TLS"}}}, "caller.media.srtp.signalling: mea"),
        ({"caller.media": {"srtp": {"use": "Optional", "keying": ["SDES", "SDES"]}}}, "caller.media.srtp.keying: one"),
        (
            {"caller.media": {"srtp": {"use": "Optional", "suites": ["AES_CM_128_HMAC_SHA1_80"] * 2}}},
            "caller.media.srtp.suites: one is there twice",
        ),
        (
            {"calls.0.caller.media": {"srtp": BY_DTLS | {"suites": ["AES_256_CM_HMAC_SHA1_80"]}}},
            "calls[0].caller.media.srtp.suites: are of SDES, and keying is DTLS alone",
        ),
        (
            {"calls.0.callee.media": {"srtp": {"use": "Mandatory", "signalling": "TLS"}}},
            "calls[0].callee.media.srtp.signalling: is TLS, and target.transport is UDP",
        ),
        (
            OVER_TLS | {"caller.media": {"srtp": {"use": "Mandatory", "keying": ["DTLS"], "signalling": "SIPS"}}},
            "caller.media.srtp.signalling: is about keys in SDP (SDES), and keying is DTLS alone",
        ),
        (
            OVER_TLS | NO_CALLEE | {"caller.media": {"srtp": {"use": "Mandatory", "signalling": "SIPS"}}},
            "caller.media.srtp.signalling: is SIPS, and without a callee",
        ),
        ({"calls.0.expect.caller.encrypted": True}, "calls[0].expect.caller.encrypted: cannot be met"),
        (
            {"calls.0.expect.callee.encrypted": True, "callee.media": {"srtp": {}}},
            "calls[0].expect.callee.encrypted: cannot be met: the callee's media.srtp.use is Disabled",
        ),
        (NO_CALLEE | {"calls.0.callee.media": MANDATORY}, "calls[0].callee.media: the test has no callee"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_by_its_field(changes, fault):
    with pytest.raises(PlanningError) as refused:
        check_test(spec(changes), Limits())
    assert refused.value.cause.reason is Reason.INVALID_TEST
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"caller.media": MANDATORY, "calls.0.expect.caller.encrypted": True},
        {"callee.media": {"srtp": {"use": "Disabled"}}},
        OVER_TLS | {"caller.media": {"srtp": {"use": "Mandatory", "signalling": "SIPS"}}},
        NO_CALLEE | {"caller.media": MANDATORY},
    ],
)
def test_what_does_not_is_taken(changes):
    check_test(spec(changes), Limits())
