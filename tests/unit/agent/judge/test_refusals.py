"""An INVITE that our own callee refuses: what of it the path had changed, or our own fault."""

import pytest

from agent.contract.observation import Health, LegObservation
from agent.contract.plan import call_key
from agent.contract.verdict import Check, Reason, Role
from agent.judge.refusals import changed_on_the_way
from agent.judge.run import judge_run
from agent.observe.leg import LegFacts, observe_leg
from agent.phone.protocol import CallEnded, CallHandle
from tests.unit.agent.judge.judging import CALLEE, CALLER, said
from tests.unit.builders import RUN_UID, change, plan, report
from tests.unit.sip_messages import message, request, response, sdp, with_sdp

KEY = call_key(RUN_UID, 0, "pin", 0)
OFFER = with_sdp(sdp("10.0.0.9:4000"))


def leg(role: Role, invite: str, code: int) -> LegObservation:
    """An INVITE that was refused at once, as one end saw it."""
    outgoing = role is CALLER
    facts = LegFacts(
        role=role, endpoint=0, call="pin", number=0, call_key=KEY, sip_call_id="c1", started_at=1e9
    )  # fmt: skip
    over = CallEnded(
        at_s=10.2, call=CallHandle(1), local_reason="", stack_sent=None, stack_received=None, rtt_ms=None, media_s=None,
        recordings={},
    )  # fmt: skip
    events = (message(10.0, invite, outgoing), message(10.1, response(code), not outgoing), over)
    return observe_leg(facts, events, own_reason=None, health=Health())


def refused(came: str, code: int, *, passed_on: int | None = None, placed: str | None = None) -> tuple[Reason, str]:
    """What the caller's leg comes to, and the note beside it."""
    ends = leg(CALLER, placed or request(**OFFER), passed_on or code), leg(CALLEE, came, code)
    caller, callee = (report(plan(end.role), end) for end in ends)
    [finding] = [f for f in judge_run([caller, callee]).calls[0].findings if f.leg is CALLER]
    assert finding.check is Check.ANSWERED
    return finding.reason, finding.note or ""


SAVP = sdp("10.0.0.1:30000", protocol="RTP/SAVP")
NO_LINES = "v=0\r\nm=audio\r\n"


@pytest.mark.parametrize(
    ("came", "code", "what"),
    [
        (request(**with_sdp(sdp("10.0.0.1:30000", types="8 101"))), 488, "lacked PCMU/8000"),
        (request(**with_sdp(SAVP)), 488, "offered RTP/SAVP, the caller RTP/AVP"),
        (request(**with_sdp(sdp("10.0.0.1:0"))), 606, "offered no audio"),
        (request(), 488, "had no SDP"),
        (request(**with_sdp(NO_LINES)), 400, "line 2"),
        (request(**with_sdp(SAVP)), 406, "offered RTP/SAVP, the caller RTP/AVP"),
        (request(**with_sdp(NO_LINES)), 488, "line 2"),
        (request(extra="Require: siprec\r\n" + OFFER["extra"], body=OFFER["body"]), 420, "Require: siprec"),
        (request(extra="Content-Type: application/isup\r\n", body="x"), 415, "Content-Type: application/isup"),
        (request(extra="Content-Encoding: gzip\r\n" + OFFER["extra"], body="x"), 415, "Content-Encoding: gzip"),
        (request(**OFFER), 421, "Supported: none, the caller sent timer"),
    ],
)
def test_what_the_path_changed_is_its_fault_and_named(came, code, what):
    placed = request(extra="Supported: timer\r\n" + OFFER["extra"], body=OFFER["body"])
    reason, note = refused(came, code, placed=placed)

    assert reason is Reason.SIP_CODE_MISMATCH
    assert f"the callee agent itself answered {code} Phrase: " in note
    assert what in note


@pytest.mark.parametrize("code", [400, 406, 415, 420, 421, 488, 606])
def test_a_refusal_of_what_the_caller_itself_sent_is_our_own(code):
    reason, note = refused(request(**OFFER), code, passed_on=503)

    assert reason is Reason.AGENT_ERROR
    assert "not known to be changed" in note


def test_a_caller_that_offers_no_audio_had_none_to_change():
    assert refused(request(), 488, placed=request())[0] is Reason.AGENT_ERROR


def test_without_their_messages_nothing_is_known_to_be_changed():
    caller, callee = leg(CALLER, request(**OFFER), 488), leg(CALLEE, request(), 488)

    assert changed_on_the_way(caller, callee) == "its INVITE had no SDP"
    assert changed_on_the_way(change(caller, messages=()), callee) is None
    assert changed_on_the_way(caller, change(callee, messages=())) is None


def test_the_callees_own_leg_says_only_that_it_refused():
    ends = leg(CALLER, request(**OFFER), 488), leg(CALLEE, request(), 488)
    verdict = judge_run([report(plan(end.role), end) for end in ends]).calls[0]

    assert said(verdict.findings, CALLEE) == [(Check.ANSWERED, Reason.NOT_MEASURED)]
