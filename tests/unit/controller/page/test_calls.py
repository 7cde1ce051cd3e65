"""The calls of a run, of what it says, what agents measured, and what was kept."""

from dataclasses import replace

import msgspec
import pytest

from agent.contract.observation import SipMessage
from agent.contract.registration import RegistrationOutcome
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from controller.api.run import CallCounts, Endpoint, Failure
from controller.page.calls import CallKey, Kept, Known, key_of, run_page
from controller.page.messages import Crossing
from controller.page.model import Hop, Message, Way
from controller.page.reading import Room, read
from controller.page.run import RunFacts
from tests.unit.builders import callee_leg, caller_leg, change, registration
from tests.unit.controller.captures import speech
from tests.unit.controller.finished import FAILURE, finished_run
from tests.unit.controller.page.world import ACK, INVITE, OK, TALK, capture, media, signalling, sip

PIN = CallKey(endpoint=0, call="pin", number=0)


def run(result=Result.FAILED, **status):
    done = finished_run(result)
    return RunFacts(
        name="pin-1", namespace="voice", call_test="pin", status=msgspec.structs.replace(done.status, **status)
    )


def counts(planned, failed=0, inconclusive=0):
    passed = planned - failed - inconclusive
    return CallCounts(planned=planned, passed=passed, failed=failed, inconclusive=inconclusive, summary="")


def page(facts=None, seen=(), kept=(), left_out=()):
    return run_page(Known(facts=facts, seen=tuple(seen), made_of=("x",), left_out=left_out), kept)


def recorded(tmp_path, role):
    name = tmp_path / f"{role}.pcap"
    return Kept(
        key=PIN,
        role=role,
        folder=f"pin-1/ep0/pin-0/{role}",
        recording=read([capture(name, signalling(*TALK), media())], Room()),
    )


def test_a_failed_run_says_what_broke_where_and_in_which_direction():
    found = page(run(calls=counts(3, failed=2)))
    assert (found.result, found.reason, found.title) == (Result.FAILED, "DtmfMismatch", "pin")
    assert found.worst is not None
    assert (found.worst.expected, found.worst.observed) == ("1234#", "[red]124#")
    assert (found.at, found.sut) == ("call pin/0", "127.0.0.1:5060")
    assert {one.way for one in found.broken} == {Way.TO_CALLEE}
    (call,) = found.calls
    assert (call.name, call.result, call.said[0].reason) == ("pin/0", Result.FAILED, "DtmfMismatch")
    assert found.left_out == ("2 of 3 calls: nothing of them was kept, or given",)
    assert {fact.name: fact.value for fact in found.facts}["calls"] == "1 of 3 calls passed, 2 failed"


def test_a_passed_run_has_no_worst_and_its_calls_passed():
    found = page(run(Result.PASSED, calls=counts(1)), [caller_leg(), callee_leg()])
    assert (found.result, found.worst, found.broken, found.at) == (Result.PASSED, None, (), "")
    (call,) = found.calls
    assert (call.result, call.code, call.where) == (Result.PASSED, "200 OK", "127.0.0.1:5060")
    assert [track.name for track in call.tracks] == [
        "sent by the caller",
        "received by the callee",
        "sent by the callee",
        "received by the caller",
    ]


def test_where_the_run_does_not_name_every_call_that_broke_none_counts_as_passed():
    found = page(run(calls=counts(3, failed=1, inconclusive=1)), [caller_leg(number=2)])
    assert [(call.name, call.result) for call in found.calls] == [("pin/0", Result.FAILED), ("pin/2", None)]


def test_a_call_beside_the_failures_passed():
    found = page(run(calls=counts(2, failed=1)), [caller_leg(number=1)])
    assert [(call.name, call.result) for call in found.calls] == [("pin/0", Result.FAILED), ("pin/1", Result.PASSED)]


def test_a_run_that_goes_on_judges_nothing():
    found = page(run(result=msgspec.UNSET, failures=(), message=msgspec.UNSET, reason=msgspec.UNSET), [caller_leg()])
    assert (found.result, found.calls[0].result, found.sentence) == (None, None, "The run is not finished.")


def test_a_run_without_times_and_counts_says_none():
    facts = run(
        start_time=msgspec.UNSET,
        completion_time=msgspec.UNSET,
        calls=msgspec.UNSET,
        endpoints=msgspec.UNSET,
        stray_calls=2,
    )
    found = page(facts)
    assert [fact.name for fact in found.facts] == ["run", "stray calls"]
    assert (found.sut, found.places, found.calls[0].where) == ("", (), "endpoint 0")


def test_an_endpoint_is_named_by_pod_and_address():
    endpoint = Endpoint(index=0, address="10.0.0.1:5060", pod="sut-0", result=Result.FAILED, change="EndpointRestarted")
    found = page(run(endpoints=(endpoint,)))
    assert found.sut == "sut-0 (10.0.0.1:5060)"
    assert found.places[0].reason == "EndpointRestarted"


def test_inconclusive_is_told_apart():
    failure = msgspec.structs.replace(FAILURE, result=Result.INCONCLUSIVE, reason="NotMeasured")
    (call,) = page(run(failures=(failure,), calls=counts(1, inconclusive=1))).calls
    assert (call.result, call.broken) == (Result.INCONCLUSIVE, ())


def test_both_legs_of_the_evidence_are_one_call(tmp_path):
    found = page(run(), kept=[recorded(tmp_path, role) for role in Role])
    (call,) = found.calls
    assert [(track.name, track.way, track.hop, track.packets) for track in call.tracks] == [
        ("sent by the caller", Way.TO_CALLEE, Hop.CALLER, 120),
        ("received by the callee", Way.TO_CALLEE, Hop.CALLEE, 120),
        ("sent by the callee", Way.TO_CALLER, Hop.CALLEE, 150),
        ("received by the caller", Way.TO_CALLER, Hop.CALLER, 150),
    ]
    assert [lane.detail for lane in call.ladder.lanes] == [
        "10.0.0.1:5060",
        "127.0.0.1:5060, 10.0.0.2:5060, 10.0.0.1:5060",
        "10.0.0.2:5060",
    ]
    assert "Evidence of the callee's leg: pin-1/ep0/pin-0/Callee" in call.notes


def test_one_leg_alone_says_that_the_other_is_not_drawn(tmp_path):
    (call,) = page(kept=[recorded(tmp_path, Role.CALLEE)]).calls
    assert call.notes[-1] == "Nothing was kept of the caller's leg: it is not drawn."
    assert (call.result, call.where) == (None, "endpoint 0")


def test_a_recording_has_the_figures_of_the_verdict_beside_those_of_the_trace(tmp_path):
    (call,) = page(kept=[recorded(tmp_path, Role.CALLER)], seen=[caller_leg()]).calls
    names = [fact.name for fact in call.tracks[0].facts]
    assert {"packets", "judged: packets"} <= set(names)
    assert {fact.name: fact.value for fact in call.facts}["caller: answered after"] == "50 ms"


def test_streams_beside_a_leg_are_named_by_their_addresses(tmp_path):
    stranger = speech(20, source=("10.9.9.9", 1111), destination=("10.9.9.8", 2222), ssrc=5)
    recording = read([capture(tmp_path / "a.pcap", signalling(*TALK), media(), stranger)], Room())
    (call,) = page(kept=[Kept(key=PIN, role=Role.CALLER, folder="f", recording=recording)]).calls
    assert call.tracks[-1].name == "beside it: 10.9.9.9:1111 → 10.9.9.8:2222"
    assert call.tracks[-1].way is None


def test_messages_of_the_detail_are_a_ladder_where_there_is_no_capture():
    messages = tuple(
        SipMessage(at_ms=at_ms, sent=sent, peer="10.0.0.9:5060", text=text)
        for at_ms, sent, text in ((0.0, True, INVITE), (200.0, False, OK), (201.0, True, ACK))
    )
    finding = Finding(call="pin", number=0, endpoint=0, leg=Role.CALLER, check=Check.DTMF, reason=Reason.DTMF_MISMATCH)
    leg = caller_leg(messages=messages, findings=(finding,), evidence_fault="disk full")
    found = page(seen=[leg])
    (call,) = found.calls
    drawn = [(step.title, step.source, step.target) for step in call.ladder.steps if isinstance(step, Message)]
    assert drawn == [("INVITE", 0, 1), ("200 OK", 1, 0), ("ACK", 0, 1)]
    assert (call.said[0].reason, call.result) == ("DtmfMismatch", Result.FAILED)
    assert "No evidence of the caller's leg: disk full" in call.notes
    assert found.worst == call.said[0]
    assert "give its JSON" in found.sentence


def test_findings_of_a_leg_do_not_come_twice():
    finding = Finding(
        call="pin",
        number=0,
        endpoint=0,
        leg=Role.CALLEE,
        check=Check.DTMF,
        reason=Reason.DTMF_MISMATCH,
        observed="124#",
    )
    (call,) = page(run(), seen=[callee_leg(findings=(finding,))]).calls
    assert len(call.said) == 1


def test_messages_of_a_sip_txt_are_a_ladder():
    crossings = (
        Crossing(
            at_s=10.0,
            source="callee agent",
            target="10.0.0.9:5060",
            text=sip("REGISTER sip:x SIP/2.0", method="REGISTER"),
        ),
        Crossing(
            at_s=10.1, source="10.0.0.9:5060", target="callee agent", text=sip("SIP/2.0 403 No", method="REGISTER")
        ),
    )
    key = CallKey(endpoint=0, call="registration", number=0)
    (call,) = page(kept=[Kept(key=key, role=Role.CALLEE, folder="f", recording=None, crossings=crossings)]).calls
    assert (call.name, call.began) == ("registration", "1970-01-01 00:00:10.000 UTC")
    assert [(step.title, step.source, step.target) for step in call.ladder.steps] == [
        ("REGISTER", 2, 1),
        ("403 No", 1, 2),
    ]


def test_a_folder_without_messages_is_a_call_without_a_ladder():
    (call,) = page(kept=[Kept(key=PIN, role=Role.CALLER, folder="f", recording=None)]).calls
    assert (call.ladder.steps, call.began, call.tracks) == ((), "", ())


def test_observations_know_whose_they_are():
    assert key_of(caller_leg(number=3)) == CallKey(endpoint=0, call="pin", number=3)
    assert key_of(caller_leg(call=None)) == CallKey(endpoint=0, call="stray", number=0)
    assert key_of(registration(Role.CALLER)) == CallKey(endpoint=0, call="registration", number=0)


def test_a_registration_that_was_refused_is_shown_and_one_that_was_not_is_none():
    refused = registration(
        Role.CALLER,
        outcome=RegistrationOutcome.REJECTED,
        messages=(SipMessage(at_ms=0, sent=True, peer="p:1", text=sip("REGISTER sip:x SIP/2.0", method="REGISTER")),),
    )
    found = page(seen=[refused, caller_leg()])
    assert [call.name for call in found.calls] == ["pin/0", "registration"]
    assert "not on one clock" in found.calls[1].notes[-1]
    assert page(seen=[registration(Role.CALLER)]).calls == ()


def test_calls_beyond_the_most_are_said(monkeypatch):
    monkeypatch.setattr("controller.page.calls.MAX_CALLS", 1)
    failures = tuple(
        Failure(
            call="pin", number=n, endpoint=0, leg=Role.CALLER, check="dtmf", result=Result.FAILED, reason="DtmfMismatch"
        )
        for n in range(3)
    )
    found = page(run(failures=failures), left_out=("y",))
    assert (len(found.calls), found.left_out) == (1, ("y", "2 calls of 3"))


@pytest.mark.parametrize("code", [486, None])
def test_the_code_of_a_leg_without_messages_is_what_was_measured(code):
    (call,) = page(seen=[caller_leg(final_code=code, final_phrase=None)]).calls
    assert call.code == (None if code is None else "486")


def test_a_leg_whose_rtp_was_not_counted_has_the_figures_of_its_capture_alone(tmp_path):
    (call,) = page(kept=[recorded(tmp_path, Role.CALLER)], seen=[caller_leg(sent=None)]).calls
    assert "judged: packets" not in {fact.name for fact in call.tracks[0].facts}


UNNAMED = "pin-1/ep0/leg-0-0badcafe/Callee"


def unnamed(tmp_path):
    """The folder of a callee's leg that no header names."""
    kept = recorded(tmp_path, Role.CALLEE)
    return replace(kept, key=CallKey(endpoint=0, call="leg-0-0badcafe", number=0), folder=UNNAMED)


def test_a_leg_that_no_header_names_is_the_calls_whose_failure_names_its_folder(tmp_path):
    failure = msgspec.structs.replace(FAILURE, evidence=UNNAMED)
    nameless = change(callee_leg(evidence=UNNAMED), call=None, number=None)
    (call,) = page(run(failures=(failure,)), seen=[nameless], kept=[unnamed(tmp_path)]).calls
    assert (call.name, len(call.tracks)) == ("pin/0", 2)


def test_a_leg_that_no_header_names_is_the_calls_that_its_line_names(tmp_path):
    (call,) = page(seen=[callee_leg(evidence=UNNAMED)], kept=[unnamed(tmp_path)]).calls
    assert call.name == "pin/0"


def test_a_leg_that_nothing_names_stands_alone_and_is_not_judged(tmp_path):
    found = page(run(Result.PASSED, calls=counts(1)), seen=[caller_leg()], kept=[unnamed(tmp_path)])
    assert [(call.name, call.result) for call in found.calls] == [("leg-0-0badcafe", None), ("pin/0", Result.PASSED)]
    assert found.left_out == ()


def test_a_run_without_a_callee_has_no_lane_and_misses_no_leg_of_one():
    found = page(replace(run(), has_callee=False), seen=[caller_leg()])
    (call,) = found.calls
    assert [lane.name for lane in call.ladder.lanes] == ["caller agent", "SUT"]
    assert call.notes == ()
    assert found.words(Way.TO_CALLER) == "SUT → caller"
