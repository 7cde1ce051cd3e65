"""A caller places its calls, whatever the peer does."""

import msgspec
import pytest

from agent.contract.call import CallCaller, Play, PlaySignal, SendDtmf, Silence, Tone, WavReference
from agent.contract.expect import Expect
from agent.contract.headers import CallHeader, PlannedHeader, SentOn
from agent.contract.observation import Side
from agent.contract.outcome import OnRedirect
from agent.contract.plan import Account, Signal, call_key
from agent.contract.result import decode_result
from agent.contract.verdict import Reason, Role
from agent.phone.protocol import NotFollowed, Unparsed
from agent.run.health import SocketDrops, UdpSocket
from tests.unit.agent.world import SILENCE, UID, group, one_stage, plan
from tests.unit.builders import change
from tests.unit.fake_phone import Peer
from tests.unit.sip_messages import message, request, response


def test_a_call_is_held_and_hung_up_and_told(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="12#", after_milliseconds=500)),)))
    final = it.run()
    (leg,) = it.legs
    key = call_key(UID, 0, "pin", 0)
    assert it.did("call")[0][2:] == ("sip:bob@example.com", {"X-Calltest-Call": key})
    assert (leg.role, leg.call, leg.number, leg.call_key) == (Role.CALLER, "pin", 0, key)
    assert (leg.final_code, leg.ended_by, leg.bye_answered, leg.local_reason) == (
        200,
        Side.LOCAL,
        True,
        "stack's words",
    )
    assert it.times("send_digits") == [0.6]
    assert it.times("hang_up") == [4.1]
    assert "".join(digit.digit for digit in leg.dtmf_sent) == "12#"
    assert "".join(digit.digit for digit in leg.dtmf_received) == "12#"
    assert (final.legs, final.stopped, final.error, final.findings) == (1, None, None, leg.findings)
    assert leg.health.socket_drops == 0


@pytest.mark.covers("calls[].caller.redirects")
def test_contacts_of_a_3xx_are_called_only_where_the_test_says_so_and_by_its_rules(world):
    it = world(plan(calls=(group(),), allow_dial="[+]49.*"))
    it.run()
    (call,) = it.phone.calls.values()
    assert call.redirects is None

    follows = msgspec.structs.replace(group(), caller=CallCaller(redirects=OnRedirect.FOLLOW))
    it = world(plan(calls=(follows,), allow_dial="[+]49.*"))
    it.run()
    (call,) = it.phone.calls.values()
    assert call.redirects is not None
    to = ("sip:+4930123456@127.0.0.1", "sip:+33123456789@x", "sip:bob@192.0.2.1")
    call.redirects.came(response(302, headers={"Contact": ", ".join(f"<{uri}>" for uri in to)}))
    assert call.redirects.why_not("sip:+4930123456@127.0.0.1") is None
    assert "looks like a phone number" in (call.redirects.why_not("sip:+33123456789@x") or "")
    assert "may not send there" in (call.redirects.why_not("sip:bob@192.0.2.1") or "")


def test_a_contact_that_was_not_called_is_told_of(world):
    follows = msgspec.structs.replace(group(), caller=CallCaller(redirects=OnRedirect.FOLLOW))
    it = world(plan(calls=(follows,)), Peer(code=302, headers={"Contact": "<sip:112@x>"}))
    it.step_until(0.05)
    (handle,) = it.phone.calls
    it.phone.at(0.01, NotFollowed, call=handle, reason="sip:112@x: 112 is an emergency number: never dialled")
    it.run()
    (leg,) = it.legs
    assert leg.dialog.not_followed.startswith("sip:112@x: 112")
    assert [finding.reason for finding in leg.findings] == [Reason.NOT_MEASURED]


def test_no_answer_to_an_agent_that_was_late_is_not_the_paths_silence(world):
    it = world(plan(), Peer(answers_after_s=None))
    it.runner._health.worst_ms = lambda _: 4000.0
    it.run()
    (leg,) = it.legs
    assert [finding.reason for finding in leg.findings] == [Reason.AGENT_OVERLOADED]
    assert leg.health.setup.lateness_ms == 4000.0


def test_datagrams_dropped_before_the_answer_are_the_agents_own(world):
    it = world(plan(), Peer(answers_after_s=None))
    drops = iter(range(1000))
    it.runner._health.drops = SocketDrops(lambda: [UdpSocket(inode="1", port=5060, drops=next(drops))], 5060)
    it.run()
    assert [finding.reason for finding in it.legs[0].findings] == [Reason.AGENT_OVERLOADED]


def test_an_answer_that_our_stack_cannot_read_is_not_the_paths_silence(world):
    it = world(plan(), Peer(answers_after_s=None))
    it.step_until(0.05)
    text = "SIP/2.0 200 OK\r\nCall-ID: call-2\r\nCSeq: x1 INVITE\r\n"
    it.phone.at(0.1, Unparsed, peer="127.0.0.1:5060", local="127.0.0.1:5070", protocol="UDP", text=text)
    it.run()
    (leg,) = it.legs
    (finding,) = leg.findings
    assert finding.reason is Reason.NOT_MEASURED
    assert finding.note == "our SIP stack could not read what came for it: 'SIP/2.0 200 OK'"


def test_a_message_that_lay_at_the_socket_is_the_stacks_lateness(world):
    it = world(plan(), Peer(answers_after_s=None))
    it.step_until(0.05)
    it.phone.at(0.1, message, text=response(180, "call-2"), sent=False, unread_ms=1500.0)
    it.run()
    assert it.legs[0].health.setup.stack_ms == 1500.0
    assert it.legs[0].health.setup.loop_ms is not None


def test_the_line_comes_before_the_result_that_vouches_for_it(world):
    it = world(plan())
    it.run()
    assert it.log[0] == "result"  # not final: this agent exists
    assert not decode_result(it.results[0]).final
    assert it.log[it.log.index("detail") + 1] == "result"


def test_the_identity_signal_is_played_and_heard_and_no_file_is_left(world, tmp_path):
    it = world(plan(calls=(group(play=Play(signal=PlaySignal.IDENTITY), hold_seconds=6),)))
    it.run()
    (leg,) = it.legs
    assert leg.heard is not None
    assert len(leg.heard.codes) == 1
    assert leg.heard.active_ms > 1000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.covers("calls[].caller.play.silence")
@pytest.mark.parametrize(
    ("play", "plays"), [(Play(silence=Silence()), False), (Play(tone=Tone(frequency_hertz=440)), True)]
)
def test_silence_needs_no_file(world, play, plays):
    it = world(plan(calls=(group(play=play),)))
    it.step_until(1)
    (call,) = it.phone.calls.values()
    assert (call.playback.wav is not None) is plays


def test_a_wav_file_that_cannot_be_played_is_a_call_not_placed(world):
    it = world(plan(calls=(group(play=Play(wav=WavReference(config_map_name="prompts", key="absent.wav"))),)))
    final = it.run()
    (leg,) = it.legs
    assert leg.local_reason is not None
    assert "absent.wav" in leg.local_reason
    assert it.did("call") == []
    assert final.legs == 1


def test_a_call_that_the_phone_cannot_place_is_a_leg_of_ours(world):
    it = world(plan(calls=(group(count=2),)))
    it.phone.refuses.add("call")
    it.run()
    assert [(leg.final_code, leg.local_reason) for leg in it.legs] == [(None, "not placed: call refused")] * 2
    assert all(finding.reason is Reason.AGENT_ERROR for leg in it.legs for finding in leg.findings)


@pytest.mark.covers("calls[].answerTimeoutSeconds")
def test_nobody_answers(world):
    it = world(plan(), Peer(answers_after_s=None))
    it.run()
    (leg,) = it.legs
    assert it.times("hang_up") == [5.0]
    assert (leg.final_code, leg.ended_by, leg.local_reason) == (487, Side.LOCAL, "no answer within 5 s")
    assert [finding.reason for finding in leg.findings] == [Reason.NO_ANSWER]
    assert leg.messages  # kept, for it has a finding


def test_nobody_is_there(world):
    it = world(plan(), Peer(rings=False, answers_after_s=None, answers_cancel=False))
    it.run()
    (leg,) = it.legs
    assert (leg.final_code, leg.progress.first_response_ms) == (None, None)
    assert [finding.reason for finding in leg.findings] == [Reason.NO_RESPONSE]


def test_an_answer_that_crosses_the_cancel_gets_its_bye(world):
    it = world(plan(), Peer(answers_after_s=None, answer_crosses_cancel=True))
    it.run()
    (leg,) = it.legs
    assert len(it.did("hang_up")) == 2
    assert (leg.final_code, leg.bye_answered) == (200, True)
    assert [finding.reason for finding in leg.findings] == [Reason.NO_ANSWER]


def test_the_peer_refuses(world):
    it = world(plan(), Peer(code=486))
    it.run()
    (leg,) = it.legs
    assert (leg.final_code, leg.ended_by) == (486, None)
    assert it.did("hang_up") == []
    assert it.result.findings[0].reason is Reason.SIP_CODE_MISMATCH


@pytest.mark.parametrize(
    ("code", "headers", "reason"),
    [
        (480, {"X-Calltest-Refused": "CalleeShared"}, Reason.CALLEE_SHARED),
        (486, {"x-calltest-refused": "CalleeShared"}, Reason.CALLEE_SHARED),
        (480, {"X-Calltest-Refused": "Whatever"}, Reason.SIP_CODE_MISMATCH),
        (480, {}, Reason.SIP_CODE_MISMATCH),
    ],
)
def test_the_refusal_of_another_runs_callee_is_not_the_suts(world, code, headers, reason):
    """A B2BUA may make another code of it, or drop the header: then it stays a code that was not expected."""
    it = world(plan(), Peer(code=code, headers=headers))
    it.run()
    assert [finding.reason for finding in it.legs[0].findings] == [reason]


def test_a_refusal_that_was_expected_is_not_passed_by_another_runs_callee(world):
    refused = group(expect=Expect(sip_code=480))
    it = world(plan(calls=(refused,)), Peer(code=480, headers={"X-Calltest-Refused": "CalleeShared"}))
    it.run()
    assert [finding.reason for finding in it.legs[0].findings] == [Reason.CALLEE_SHARED]


def test_the_peer_hangs_up_early(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="1", after_milliseconds=3000)),)), Peer(hangs_up_after_s=1.0))
    it.run()
    (leg,) = it.legs
    assert (leg.ended_by, leg.bye_answered) == (Side.REMOTE, None)
    assert it.did("hang_up") == it.did("send_digits") == []
    assert leg.findings[0].reason is Reason.CALL_DROPPED


def test_the_bye_is_not_answered(world):
    it = world(plan(), Peer(answers_bye=False))
    it.run()
    assert it.legs[0].bye_answered is False
    assert it.legs[0].findings[0].reason is Reason.BYE_UNANSWERED


def test_a_call_that_the_stack_never_ends_is_given_up(world):
    it = world(plan(calls=(group(count=2),)), Peer(ends_calls=False), one_stage(200))
    it.run()
    assert len(it.legs) == 2
    assert all("had not ended the call" in (leg.local_reason or "") for leg in it.legs)


def test_an_end_that_comes_after_the_call_was_given_up_changes_nothing(world):
    it = world(plan(), Peer(ends_calls=False), one_stage(200))
    it.step_until(45)
    (call,) = it.phone.calls.values()
    it.phone.peer.ends_calls = True
    it.phone.end(call, after_s=0.0)
    it.phone.end(call, after_s=0.0)
    it.run()
    assert len(it.legs) == 1


def test_digits_that_come_twice_are_all_told(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="12"), hold_seconds=6),)), Peer(repeats_digits=2))
    it.run()
    assert "".join(digit.digit for digit in it.legs[0].dtmf_received) == "1212"


def test_digits_that_cannot_be_sent_do_not_end_the_call(world):
    it = world(plan(calls=(group(dtmf=SendDtmf(digits="12")),)))
    it.phone.refuses.add("send_digits")
    it.run()
    assert it.legs[0].dtmf_sent == ()
    assert it.legs[0].ended_by is Side.LOCAL


def test_a_hang_up_that_the_phone_refuses_ends_in_giving_up(world):
    it = world(plan(), steps=one_stage(200))
    it.phone.refuses.add("hang_up")
    it.run()
    assert it.legs[0].ended_by is None


@pytest.mark.parametrize("text", ["", "garbage", "SIP/2.0 200 OK", response(200, "unknown"), "\0" * 9000])
def test_malformed_and_foreign_messages_disturb_nothing(world, text):
    it = world(plan())
    for _ in range(200):
        it.phone.received(text, 0.5)
    it.run()
    assert it.legs[0].final_code == 200
    assert len(it.legs[0].messages) <= 20


def test_a_flood_of_foreign_calls_is_forgotten(world):
    it = world(plan(Role.CALLEE))
    for number in range(300):
        it.phone.received(request("OPTIONS", f"foreign-{number}"), 0.01 * number)
    it.step_until(5)
    assert len(it.runner._book._unclaimed) <= 64


@pytest.mark.covers("calls[].count", "calls[].concurrency")
def test_concurrency_is_bounded_and_groups_follow_each_other(world):
    it = world(plan(calls=(group(count=5, concurrency=2), group(name="later", count=1))), steps=one_stage(120))
    it.run()
    assert it.times("call")[:2] == [0.0, 0.01]
    assert all(later >= earlier + 4 for earlier, later in zip(it.times("call"), it.times("call")[2:], strict=False))
    assert [leg.call for leg in it.legs] == ["pin"] * 5 + ["later"]
    assert sorted(leg.number for leg in it.legs[:5]) == [0, 1, 2, 3, 4]


def test_calls_are_paced(world):
    it = world(plan(calls=(group(count=4, concurrency=4),), max_calls_per_second=2.0))
    it.run()
    assert it.times("call") == pytest.approx([0.0, 0.5, 1.0, 1.5], abs=0.06)


@pytest.mark.parametrize("count", [100, 800])
def test_timers_do_not_pile_up_while_calls_wait_for_their_pace(world, count):
    """One that waits for the pace is enough: with one per call that ended, 800 calls ran 300,000 of them."""
    it = world(plan(calls=(group(count=count, concurrency=count),), max_calls_per_second=10.0), Peer(code=486))
    tries = []
    place_more = it.runner._caller._place_more
    it.runner._caller._place_more = lambda: (tries.append(it.clock.now_s), place_more())
    it.runner.run()
    assert len(it.times("call")) == count
    assert len(tries) <= 3 * count


OWN = Account(
    uri="sip:alice@example.com",
    register=False,
    headers=(
        PlannedHeader(name="X-A", value="at {endpoint}", messages=(SentOn.INVITE, SentOn.BYE)),
        PlannedHeader(name="X-B", value="usual", messages=(SentOn.INVITE,)),
    ),
)


@pytest.mark.covers(
    "calls[].caller.headers[].name", "calls[].caller.headers[].value", "calls[].caller.headers[].messages"
)
def test_a_caller_sends_its_headers_and_its_calls(world):
    call = CallCaller(
        play=SILENCE,
        headers=(
            CallHeader(name="x-b", value="special"),
            CallHeader(name="Reason", value="SIP;cause=200", messages=("BYE", "CANCEL")),
        ),
    )
    it = world(plan(account=OWN, calls=(change(group(), caller=call),)))
    it.run()
    (key,) = [leg.call_key for leg in it.legs]
    assert it.did("call")[0][3] == {"X-Calltest-Call": key, "X-A": "at 0", "x-b": "special"}
    (handle,) = it.phone.headers
    assert it.phone.headers[handle] == [("HangUp", {"X-A": "at 0", "Reason": "SIP;cause=200"})]


def test_a_call_that_is_hung_up_before_its_time_has_its_headers_too(world):
    it = world(plan(account=OWN), steps=[(0.0, Signal(go=0)), (1.0, Signal(go=0, stop=True))])
    it.run()
    (handle,) = it.phone.headers
    assert it.phone.headers[handle] == [("HangUp", {"X-A": "at 0"})]
