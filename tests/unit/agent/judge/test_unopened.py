"""Media that an agent's own SRTP could not open, or did not send: no fault of the path's."""

import pytest

from agent.contract.srtp import DtlsEnd, SrtpWay
from agent.contract.verdict import Check, Reason, Result, Role
from tests.unit.agent.judge.checks.test_srtp import change_end
from tests.unit.agent.judge.srtp_wire import (
    below,
    crypto,
    dtls_caller,
    dtls_sdp,
    sdes_caller,
    secure,
    shaken,
    unkeyed_caller,
)
from tests.unit.agent.judge.wire import RELAY, callee, silence, verdict
from tests.unit.builders import change

DEAF = {"sound": silence()}
NONE_CAME = SrtpWay(packets=200, unauthentic=200)
NEITHER_WAY = {"sent": SrtpWay(), "received": SrtpWay(packets=200, keyless=200)}


def reasons(*ends):
    call = verdict(*ends)
    return call.result, {(one.leg, one.check): one.reason for one in call.findings}


def test_audio_and_digits_that_our_stack_cannot_decipher_are_not_measured():
    result, found = reasons(
        sdes_caller(answer=secure(RELAY, crypto(more="|1:4")), srtp=below(received=NONE_CAME), **DEAF)
    )
    assert (result, found) == (
        Result.INCONCLUSIVE,
        {(Role.CALLER, Check.SRTP): Reason.NOT_MEASURED, (Role.CALLER, Check.AUDIO): Reason.NOT_MEASURED},
    )


def test_those_that_are_of_wrong_keys_are_the_paths_doing():
    result, found = reasons(sdes_caller(srtp=below(received=NONE_CAME), **DEAF))
    assert (result, found[Role.CALLER, Check.AUDIO]) == (Result.FAILED, Reason.NO_AUDIO)


def test_parameters_that_did_no_harm_excuse_no_silence():
    _, found = reasons(sdes_caller(answer=secure(RELAY, crypto(more=" KDR=24")), srtp=below(), **DEAF))
    assert found[Role.CALLER, Check.AUDIO] is Reason.NO_AUDIO


@pytest.mark.parametrize(("dropped", "result"), [(100, Result.FAILED), (101, Result.INCONCLUSIVE)])
def test_what_our_stack_dropped_for_reasons_of_its_own_may_have_been_sound(dropped, result):
    mixed = below(received=SrtpWay(packets=100 + dropped, passed=100, failed=dropped))
    assert reasons(sdes_caller(srtp=mixed, **DEAF))[0] is result


OF_THE_PATH = {
    "in the clear": {"plain": 280},
    "of other keys": {"unauthentic": 280},
    "of both": {"plain": 11, "unauthentic": 10},
}


@pytest.mark.parametrize("came", OF_THE_PATH.values(), ids=OF_THE_PATH)
def test_a_few_packets_that_our_stack_dropped_excuse_no_more_of_those_that_the_path_sent_wrong(came):
    """As many digits of a plain sender: they are too short for SRTP to look at their tag."""
    wrong = below(received=SrtpWay(packets=sum(came.values()) + 21, failed=21, **came))
    _, found = reasons(sdes_caller(srtp=wrong, **DEAF))
    assert found[Role.CALLER, Check.AUDIO] is Reason.NO_AUDIO


def test_more_that_our_stack_dropped_than_came_wrong_may_have_been_the_sound():
    mixed = below(received=SrtpWay(packets=200, plain=30, unauthentic=30, failed=140))
    _, found = reasons(sdes_caller(srtp=mixed, **DEAF))
    assert found[Role.CALLER, Check.AUDIO] is Reason.NOT_MEASURED


NO_KEYS = {
    "given up": unkeyed_caller(end=DtlsEnd.FAILED, said="no memory", received=2),
    "several fingerprints": change_end(
        unkeyed_caller(end=DtlsEnd.FINGERPRINT, received=4),
        answer=dtls_sdp(RELAY, "passive") + "a=fingerprint:sha-512 AB\r\na=fingerprint:sha-1 AB\r\n",
    ),
    "not taken into use": dtls_caller(srtp=(change(shaken()[0], active=False, **NEITHER_WAY),)),
}


@pytest.mark.parametrize("end", NO_KEYS.values(), ids=NO_KEYS)
def test_an_agent_whose_stack_took_no_keys_neither_hears_nor_is_heard(end):
    result, found = reasons(change_end(end, **DEAF), callee(**DEAF))
    assert result is Result.INCONCLUSIVE
    assert found[Role.CALLER, Check.SRTP] in (Reason.NOT_MEASURED, Reason.AGENT_ERROR)
    assert found[Role.CALLER, Check.AUDIO] is found[Role.CALLEE, Check.AUDIO] is Reason.NOT_MEASURED


def test_keys_that_were_not_taken_into_use_are_our_own_error():
    assert reasons(NO_KEYS["not taken into use"])[1][Role.CALLER, Check.SRTP] is Reason.AGENT_ERROR
    used = dtls_caller(srtp=(change(shaken()[0], active=False),))
    assert reasons(used) == (Result.PASSED, {}), "they were, until the end"


def test_a_handshake_that_the_peer_broke_off_excuses_nobody():
    _, found = reasons(unkeyed_caller(end=DtlsEnd.ALERT, alert="handshake_failure", received=1), callee(**DEAF))
    assert found[Role.CALLEE, Check.AUDIO] is Reason.NO_AUDIO
