"""codec: what was offered, agreed on, and came."""

from dataclasses import replace
from typing import Any

import pytest

from agent.contract.codecs import Codec, Media
from agent.contract.expect import ExpectLeg
from agent.contract.srtp import Srtp, SrtpUse
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.leg import known_leg, leg_findings
from tests.unit.agent.judge.codec_wire import A_LAW, BOTH_LAWS, MU_LAW, asks, codec_sdp, takes
from tests.unit.agent.judge.srtp_wire import secure
from tests.unit.agent.judge.wire import OURS, RELAY, callee, caller, rtp, silence, the_plan, verdict
from tests.unit.builders import call_group, change
from tests.unit.sip_messages import message, response, sdp, with_sdp

OWN_OFFER: dict[str, Any] = {"offer": codec_sdp(OURS, *BOTH_LAWS)}


def found(*ends: Any, **changes: Any) -> list[tuple[Role | None, Reason]]:
    """Of the codec."""
    return [(one.leg, one.reason) for one in verdict(*ends, **changes).findings if one.check is Check.CODEC]


def test_what_is_asked_and_agreed_on_passes():
    assert found(**asks(Role.CALLER, Codec.PCMU), **asks(Role.CALLEE, Codec.PCMU)) == []


def test_names_are_compared_without_case_and_a_static_type_needs_no_map():
    offer = codec_sdp(OURS, "97 SPEEX/8000")
    answer = codec_sdp(RELAY, "97 Speex/8000")
    streams = (rtp(payload_types={97: 184, 101: 16}), rtp(sent=True))
    end = caller(offer=offer, answer=answer, streams=streams)
    assert found(end, **asks(Role.CALLER, Codec.SPEEX)) == []
    unmapped = sdp(RELAY, types="8 101")
    end = caller(offer=codec_sdp(OURS, A_LAW), answer=unmapped, streams=(rtp(payload_types={8: 200}), rtp(sent=True)))
    assert found(end, **asks(Role.CALLER, Codec.PCMA)) == []


@pytest.mark.parametrize(("role", "wanted"), [(Role.CALLER, Codec.PCMA), (Role.CALLEE, Codec.PCMA)])
def test_another_codec_is_a_mismatch_on_the_leg_that_asks(role, wanted):
    ends = (caller(**OWN_OFFER), callee(offer=codec_sdp(RELAY, *BOTH_LAWS)))
    assert found(*ends, **asks(role, wanted)) == [(role, Reason.CODEC_MISMATCH)]
    assert found(*ends, **asks(role, Codec.PCMU)) == []


def test_another_clock_is_another_codec():
    end = caller(offer=codec_sdp(OURS, "97 speex/16000"), answer=codec_sdp(RELAY, "97 speex/16000"))
    assert found(end, **asks(Role.CALLER, Codec.SPEEX))[0] == (Role.CALLER, Reason.CODEC_MISMATCH)


def test_a_callee_that_was_not_offered_what_it_is_to_have_says_what_it_was_offered():
    call = verdict(**asks(Role.CALLEE, Codec.G722))
    assert (call.result, call.reason) == (Result.FAILED, Reason.CODEC_NOT_OFFERED)
    assert call.findings[0].observed == "an offer of PCMU/8000"


def test_an_invite_without_an_offer_offers_nothing_to_miss():
    """The callee's 200 has the offer: what its peer takes of it is the answer."""
    end = callee(offer=None, answer=codec_sdp(OURS, *BOTH_LAWS))
    assert (Role.CALLEE, Reason.CODEC_NOT_OFFERED) not in found(callee=end, **asks(Role.CALLEE, Codec.PCMA))


REFUSED = callee(code=488, ringing=False, bye_sent=None)


def test_a_callee_whose_stack_can_take_nothing_of_an_offer_says_so_unasked():
    ends = (caller(code=488, ringing=False), REFUSED)
    call = verdict(*ends, **takes(Role.CALLEE, Codec.G722, Codec.PCMA))
    assert (call.result, [(one.leg, one.reason) for one in call.findings]) == (
        Result.FAILED, [(Role.CALLEE, Reason.CODEC_NOT_OFFERED), (Role.CALLER, Reason.SIP_CODE_MISMATCH)],
    )  # fmt: skip
    assert call.findings[0].expected == "an offer of G722 or PCMA"
    assert "it was to have an offer of G722 or PCMA" in str(call.findings[1].note)
    unsaid = callee(code=488, ringing=False, bye_sent=None, offer=codec_sdp(RELAY, "9 G722/8000"))
    g722 = caller(code=488, ringing=False, offer=codec_sdp(OURS, "9 G722/8000"))
    assert verdict(g722, unsaid).reason is Reason.AGENT_ERROR, "the test asks for no other codec at the callee"
    assert verdict(caller(code=488, ringing=False), unsaid).result is Result.FAILED, "the path took PCMU away"
    unknown = verdict(*ends, **takes(Role.CALLEE, Codec.PCMU))
    assert (unknown.result, unknown.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR), "that was not why"


def test_a_callee_that_could_not_know_its_call_is_not_judged_by_it():
    one = call_group(name="pin", callee__media=Media(codecs=(Codec.G722,)))
    calls = {"calls": (one, call_group(name="other"))}
    unnamed = replace(REFUSED, key=None)
    assert verdict(caller(code=488, ringing=False), unnamed, **calls).result is Result.INCONCLUSIVE
    asking = change(one, expect__callee=ExpectLeg(codec=Codec.G722))
    calls = {"calls": (asking, call_group(name="other"))}
    assert (Role.CALLEE, Reason.NOT_MEASURED) in found(callee=callee(key=None), **calls)


@pytest.mark.parametrize("code", [415, 488, 606])
def test_a_refusal_of_what_was_offered_is_the_codecs(code):
    asked = asks(Role.CALLER, Codec.PCMU)
    call = verdict(caller(code=code), None, **asked)
    assert (call.result, call.reason) == (Result.FAILED, Reason.CODEC_REFUSED)
    assert "to an offer of PCMU/8000" in str(call.findings[0].note)


def test_other_refusals_and_those_of_srtp_are_no_codecs():
    asked = asks(Role.CALLER, Codec.PCMU)
    assert verdict(caller(code=486), None, **asked).reason is Reason.SIP_CODE_MISMATCH
    assert verdict(caller(code=488), None).reason is Reason.SIP_CODE_MISMATCH
    sealed = asks(Role.CALLER, Codec.PCMU, media=Media(srtp=Srtp(use=SrtpUse.MANDATORY)))
    assert verdict(caller(code=488, offer=secure(OURS)), None, **sealed).reason is Reason.SRTP_REFUSED
    by_us = verdict(caller(code=488, ringing=False), REFUSED, **asked)
    assert (by_us.result, by_us.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR)


def test_what_came_in_another_codec_is_unexpected_where_one_is_asked():
    streams = (rtp(payload_types={0: 100, 8: 84, 101: 16}), rtp(sent=True))
    end = caller(**OWN_OFFER, answer=codec_sdp(RELAY, *BOTH_LAWS), streams=streams)
    call = verdict(end, **asks(Role.CALLER, Codec.PCMU))
    assert (call.result, call.reason) == (Result.FAILED, Reason.UNEXPECTED_CODEC)
    assert call.findings[0].observed == "84 packets of PCMA/8000, of 184"
    assert found(end) == []


@pytest.mark.parametrize(("left", "reasons"), [(25, []), (26, [Reason.UNEXPECTED_CODEC])])
def test_early_media_that_was_still_under_way_is_not_unexpected(left, reasons):
    """A 183 was of PCMU, and the 200 is of both."""
    early = message(10.05, response(183, **with_sdp(codec_sdp(RELAY, MU_LAW))), sent=False)
    both = {"offer": codec_sdp(OURS, A_LAW, MU_LAW), "answer": codec_sdp(RELAY, A_LAW, MU_LAW)}
    came = rtp(payload_types={0: left, 8: 200 - left})
    end = caller(**both, extra=(early,), streams=(came, rtp(sent=True)))
    assert [reason for _, reason in found(end, **asks(Role.CALLER, Codec.PCMA))] == reasons


def test_a_peer_may_write_the_name_of_a_codec_as_it_likes():
    streams = (rtp(payload_types={96: 184, 101: 16}), rtp(sent=True))
    end = caller(offer=codec_sdp(OURS, "96 opus/48000/2"), answer=codec_sdp(RELAY, "96 OPUS/48000/2"), streams=streams)
    assert found(end, **asks(Role.CALLER, Codec.OPUS)) == []


MANY = [f"{number} X{number}/8000" for number in range(96, 96 + 32)]
"""As many as are told."""


def test_of_an_offer_of_very_many_codecs_it_is_not_said_that_one_is_missing():
    offer = codec_sdp(RELAY, *MANY, MU_LAW)
    assert found(callee=callee(offer=offer), **asks(Role.CALLEE, Codec.G722)) == [(Role.CALLEE, Reason.CODEC_MISMATCH)]
    ends = (caller(code=488, ringing=False), replace(REFUSED, offer=offer))
    assert found(*ends, **takes(Role.CALLEE, Codec.G722)) == []
    seen = callee(offer=offer).leg()
    assert (len(seen.codecs_offered), seen.codecs_left_out) == (32, 1)
    told = verdict(callee=callee(offer=offer), **asks(Role.CALLEE, Codec.G722)).findings[0].note
    assert "X96/8000, " in str(told)
    assert "and 1 more" in str(told)


NOTHING_CAME = (rtp(sent=True),)


@pytest.mark.parametrize(
    "end",
    [
        caller(streams=NOTHING_CAME, sound=silence()),
        caller(uncounted=3),
    ],
    ids=["nothing came", "not all was counted"],
)
def test_what_came_and_was_not_looked_at_does_not_hold(end):
    assert found(end, **asks(Role.CALLER, Codec.PCMU)) == [(Role.CALLER, Reason.NOT_MEASURED)]
    assert found(end) == []


def test_a_leg_that_was_not_counted_does_not_hold():
    leg = known_leg(the_plan(Role.CALLER, **asks(Role.CALLER, Codec.PCMU)), change(caller().leg(), received=None))
    assert leg is not None
    assert [one.reason for one in leg_findings(leg) if one.check is Check.CODEC] == [Reason.NOT_MEASURED]


def test_where_nothing_is_to_come_what_was_agreed_on_is_all_there_is():
    answer = codec_sdp(RELAY, MU_LAW) + "a=recvonly\r\n"
    end = caller(answer=answer, streams=NOTHING_CAME, sound=silence())
    assert found(end, **asks(Role.CALLER, Codec.PCMU)) == []


def test_nothing_that_was_seen_to_be_agreed_on_is_not_measured():
    end = caller(offer=None, answer=None)
    assert found(end, **asks(Role.CALLER, Codec.PCMU)) == [(Role.CALLER, Reason.NOT_MEASURED)]
