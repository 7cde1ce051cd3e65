"""A leg's observation says what was on the wire, and null for what was not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.call import Call, DtmfMethod
from agent.contract.observation import Digit, Health, Negotiated, Progress, RegistrationOutcome, Rtp, Side, StackCount
from agent.contract.plan import Account, Plan, RunRef, call_key
from agent.contract.verdict import Role
from agent.observe.leg import (
    MAX_MESSAGE_CHARS,
    MAX_MESSAGES,
    InviteFacts,
    LegFacts,
    observe_leg,
    observe_registration,
    read_invite,
)
from agent.phone.protocol import (
    AccountId,
    CallConfirmed,
    CallEnded,
    CallHandle,
    DigitEnded,
    DigitReceived,
    DigitSent,
    MediaActive,
    MessageSeen,
    RegistrationConcluded,
)
from tests.unit.sip_messages import request, response
from tests.unit.taps import tap_digit, tap_stream

CALL = CallHandle(1)


def sent(at_s, text):
    return MessageSeen(at_s=at_s, sent=True, peer="p", text=text)


def received(at_s, text):
    return MessageSeen(at_s=at_s, sent=False, peer="p", text=text)


def ended(at_s, **fields):
    nothing = {"stack_sent": None, "stack_received": None, "rtt_ms": None, "media_s": None, "recordings": {}}
    return CallEnded(at_s=at_s, call=CALL, **({"local_reason": ""} | nothing | fields))


def leg(*events, role=Role.CALLER, own_reason=None):
    facts = LegFacts(role=role, endpoint=0, call="pin", number=3, call_key="k", sip_call_id="c1", started_at=1.7e9)
    return observe_leg(facts, events, own_reason=own_reason, heard=None, health=Health())


GOOD_CALL = (
    sent(10.0, request()),
    sent(10.5, request()),  # a retransmission
    received(10.6, response(100)),
    received(10.7, response(180)),
    received(10.8, response(180)),
    received(11.0, response(200, phrase="OK")),
    received(11.5, response(200, phrase="OK")),
    sent(11.0, request("ACK", to_tag="t")),
    sent(15.0, request("BYE", cseq=2, to_tag="t")),
    sent(15.5, request("BYE", cseq=2, to_tag="t")),
    received(15.6, response(200, cseq=2, method="BYE")),
    ended(15.6),
)


def test_a_good_call_with_retransmissions():
    seen = leg(*GOOD_CALL)
    assert seen.progress == Progress(
        first_response_ms=600, ringing_ms=700, answered_ms=1000, bye_ms=5000, ended_ms=5600
    )
    assert (seen.final_code, seen.final_phrase) == (200, "OK")
    assert (seen.ended_by, seen.bye_answered, seen.from_user) == (Side.LOCAL, True, "alice")
    assert [message.at_ms for message in seen.messages[:3]] == [0, 500, 600]


def test_the_same_call_seen_by_the_callee():
    mirrored = [
        received(event.at_s, event.text) if event.sent else sent(event.at_s, event.text)
        for event in GOOD_CALL
        if isinstance(event, MessageSeen)
    ]
    seen = leg(*mirrored, role=Role.CALLEE)
    assert (seen.final_code, seen.progress.answered_ms, seen.progress.ended_ms) == (200, 1000, None)
    assert (seen.ended_by, seen.bye_answered, seen.acknowledged) == (Side.REMOTE, None, True)
    unheard = [event for event in mirrored if not event.text.startswith("ACK")]
    assert leg(*unheard, role=Role.CALLEE).acknowledged is False
    assert leg(*GOOD_CALL).acknowledged is None


def test_nothing_happened():
    seen = leg(own_reason="not placed: no socket")
    assert seen.progress == Progress()
    assert (seen.final_code, seen.ended_by, seen.bye_answered, seen.from_user) == (None, None, None, None)
    assert (seen.local_reason, seen.messages, seen.health.sent_ratio) == ("not placed: no socket", (), None)


def test_codes_that_the_stack_makes_up_are_no_codes():
    seen = leg(sent(1.0, request()), ended(33.0, local_reason="Request Timeout (408)"))
    assert (seen.final_code, seen.progress.first_response_ms) == (None, None)
    assert (seen.local_reason, seen.progress.ended_ms) == ("Request Timeout (408)", 32000)


def test_a_challenge_is_not_the_final_response_where_the_call_is_tried_again():
    seen = leg(
        sent(1.0, request(cseq=1)),
        received(1.1, response(407, cseq=1)),
        sent(1.1, request("ACK", cseq=1)),
        sent(1.2, request(cseq=2)),
        received(1.3, response(407, cseq=1)),  # its retransmission
        received(1.5, response(200, cseq=2)),
    )
    assert (seen.final_code, seen.progress.first_response_ms, seen.progress.answered_ms) == (200, 100, 500)


def test_a_challenge_that_nobody_answered_is_the_final_response():
    assert leg(sent(1.0, request()), received(1.1, response(401))).final_code == 401


def test_a_second_try_without_a_response_has_no_code():
    assert leg(sent(1.0, request()), received(1.1, response(407)), sent(1.2, request(cseq=2))).final_code is None


def test_the_first_final_response_counts_not_a_later_one():
    seen = leg(sent(1.0, request()), received(1.1, response(486)), received(1.2, response(200)))
    assert (seen.final_code, seen.progress.answered_ms) == (486, 100)


def test_reinvites_change_nothing():
    seen = leg(
        *GOOD_CALL[:8],
        received(12.0, request(cseq=101, to_tag="f")),
        sent(12.0, response(488, cseq=101)),
        sent(12.5, request(cseq=3, to_tag="t")),
        received(12.6, response(491, cseq=3)),
    )
    assert (seen.final_code, seen.progress.answered_ms) == (200, 1000)


def test_an_unanswered_bye():
    seen = leg(*GOOD_CALL[:9], received(15.2, response(100, cseq=2, method="BYE")), ended(47.0))
    assert (seen.ended_by, seen.bye_answered) == (Side.LOCAL, False)


def test_a_challenged_bye_that_was_sent_again_needs_its_own_answer():
    events = [
        *GOOD_CALL[:9],
        received(15.1, response(401, cseq=2, method="BYE")),
        sent(15.2, request("BYE", cseq=3, to_tag="t")),
    ]
    assert leg(*events).bye_answered is False
    refused = leg(*events, received(15.3, response(481, cseq=3, method="BYE")))
    assert (refused.bye_answered, refused.bye_code) == (True, 481)


def test_when_both_hang_up_the_first_bye_counts():
    seen = leg(
        *GOOD_CALL[:8],
        received(14.0, request("BYE", cseq=50, to_tag="f")),
        sent(14.1, request("BYE", cseq=2, to_tag="t")),
        received(14.2, response(200, cseq=2, method="BYE")),
    )
    assert (seen.ended_by, seen.bye_answered, seen.progress.bye_ms) == (Side.REMOTE, True, 4000)
    assert seen.bye_code is None, "a 481 would be right: the call was over"


def test_a_cancelled_call():
    seen = leg(
        sent(1.0, request()),
        received(1.1, response(180)),
        sent(6.0, request("CANCEL")),
        received(6.1, response(200, method="CANCEL")),
        received(6.1, response(487)),
        own_reason="no answer within 5 s",
    )
    assert (seen.final_code, seen.ended_by, seen.bye_answered) == (487, Side.LOCAL, None)
    assert seen.local_reason == "no answer within 5 s"


def test_an_answer_that_crossed_the_cancel():
    seen = leg(
        sent(1.0, request()),
        sent(6.0, request("CANCEL")),
        received(6.01, response(200)),
        sent(6.02, request("BYE", cseq=2, to_tag="t")),
    )
    assert (seen.final_code, seen.progress.answered_ms, seen.ended_by) == (200, 5010, Side.LOCAL)


def test_the_agents_own_words_stand_before_the_stacks():
    assert leg(ended(1.0, local_reason="487"), own_reason="no answer").local_reason == "no answer"
    assert leg(ended(1.0, local_reason="")).local_reason is None


def media(at_s, payload_type, port):
    negotiated = Negotiated(codec="PCMA", telephone_event_payload_type=payload_type, remote_rtp=f"1.2.3.4:{port}")
    return MediaActive(at_s=at_s, call=CALL, negotiated=negotiated, local_rtp="1.1.1.1:4000")


def test_the_last_negotiation_counts():
    seen = leg(media(1.0, None, 1), media(2.0, 101, 2))
    assert seen.negotiated is not None
    assert (seen.negotiated.telephone_event_payload_type, seen.negotiated.remote_rtp) == (101, "1.2.3.4:2")
    assert seen.local_rtp == "1.1.1.1:4000"


def digit(at_s, value, method=DtmfMethod.RFC4733):
    return DigitReceived(at_s=at_s, call=CALL, digit=value, method=method)


def digit_end(at_s, value, duration_ms=100.0):
    return DigitEnded(at_s=at_s, call=CALL, digit=value, duration_ms=duration_ms)


def test_digits_and_their_durations():
    seen = leg(
        *GOOD_CALL[:8],
        digit(12.0, "1"),
        digit_end(12.1, "1"),
        digit(12.2, "1"),
        digit_end(12.3, "2"),  # belongs to none
        digit(12.4, "#", DtmfMethod.INFO),
        digit_end(12.5, "1"),
        DigitSent(at_s=13.0, call=CALL, digit="9", duration_ms=80.0),
    )
    assert seen.dtmf_received == (
        Digit(digit="1", method=DtmfMethod.RFC4733, at_ms=1000, duration_ms=100),
        Digit(digit="1", method=DtmfMethod.RFC4733, at_ms=1200),
        Digit(digit="#", method=DtmfMethod.INFO, at_ms=1400),
    )
    assert seen.dtmf_sent == (Digit(digit="9", method=DtmfMethod.RFC4733, at_ms=2000, duration_ms=80),)


def test_a_digit_that_ends_twice_keeps_its_first_duration():
    seen = leg(digit(1.0, "1"), digit_end(1.1, "1", 100.0), digit_end(1.2, "1", 900.0), digit_end(1.3, "2"))
    assert [received.duration_ms for received in seen.dtmf_received] == [100.0]


def test_digits_are_timed_by_the_stacks_word_where_the_answer_could_not_be_read():
    seen = leg(CallConfirmed(at_s=5.0, call=CALL), digit(6.0, "1"))
    assert seen.dtmf_received[0].at_ms == 1000
    assert leg(digit(6.0, "1")).dtmf_received[0].at_ms is None


STACK = {"stack_sent": Rtp(packets=90), "stack_received": Rtp(packets=90, lost=0)}


def with_media(*streams, role=Role.CALLER, events=GOOD_CALL[:8], **fields):
    """The call was answered at 11.0."""
    return leg(*events, ended(16.0, tapped=tuple(streams), **(STACK | fields)), role=role)


def test_media_is_what_crossed_the_wire_since_the_answer():
    early = tap_stream(mark=0, packets=7, unnegotiated=5, digits=(tap_digit("9"),))
    late = tap_stream(mark=1, first_s=11.1, last_s=14.5, digits=(tap_digit("2", 12.5), tap_digit("1", 12.0)))
    seen = with_media(early, late)
    assert seen.rtp_received == Rtp(
        packets=90, lost=0, duplicates=0, reordered=0, unnegotiated=0, jitter_ms=1.0, max_jitter_ms=2.0,
        first_ms=100.0, last_ms=3500.0, max_gap_ms=20.0,
    )  # fmt: skip
    assert seen.dtmf_received == (
        Digit(digit="1", method=DtmfMethod.RFC4733, at_ms=1000, last_ms=1100, duration_ms=100, volume_dbm0=-10,
              marker=True, packets=7, end_packets=3),
        Digit(digit="2", method=DtmfMethod.RFC4733, at_ms=1500, last_ms=1600, duration_ms=100, volume_dbm0=-10,
              marker=True, packets=7, end_packets=3),
    )  # fmt: skip
    assert seen.rtp_sent == Rtp(packets=0), "media was negotiated, and nothing of ours was on the wire"
    assert with_media(early, role=Role.CALLEE).rtp_received.packets == 7, "a callee has no early media"


def test_digits_sent_are_those_that_were_ended_on_the_wire():
    whole, cut, flash = tap_digit("4", 12.0), tap_digit("5", 13.0, end_packets=0), tap_digit("6", 14.0, code=16)
    seen = with_media(tap_stream(mark=1, sent=True, digits=(whole, cut, flash)))
    assert [digit.digit for digit in seen.dtmf_sent] == ["4"]


def test_info_digits_stand_among_those_of_the_wire():
    stream = tap_stream(mark=1, digits=(tap_digit("1", 12.0), tap_digit("3", 14.0)))
    told = [digit(12.0, "1"), digit(13.0, "2", DtmfMethod.INFO), digit(14.0, "3")]
    seen = with_media(stream, events=(*GOOD_CALL[:8], *told), stack_sent=Rtp(packets=0))
    assert [(d.digit, d.method.value) for d in seen.dtmf_received] == [
        ("1", "RFC4733"), ("2", "INFO"), ("3", "RFC4733"),
    ]  # fmt: skip
    assert seen.disagreements == ()


def test_what_the_tap_could_not_see_is_not_measured_and_digits_are_the_stacks():
    seen = leg(*GOOD_CALL[:8], digit(12.0, "1"), ended(16.0, tapped=None, **STACK))
    assert (seen.rtp_sent, seen.rtp_received) == (None, None)
    assert [d.digit for d in seen.dtmf_received] == ["1"]
    assert (seen.stack_sent, seen.stack_received) == (StackCount(packets=90), StackCount(packets=90, lost=0))


def test_without_a_stream_there_was_no_media_to_measure():
    seen = leg(*GOOD_CALL[:8], ended(16.0, tapped=()))
    assert (seen.rtp_sent, seen.rtp_received) == (None, None)


def test_a_stack_that_counts_otherwise_is_said():
    stream = tap_stream(mark=1, digits=(tap_digit("1", 12.0),))
    near = {"stack_sent": Rtp(packets=0), "stack_received": Rtp(packets=85, lost=5)}
    assert with_media(stream, events=(*GOOD_CALL[:8], digit(12.0, "1")), **near).disagreements == ()
    far = {"stack_sent": Rtp(packets=6), "stack_received": Rtp(packets=84, lost=6)}
    assert with_media(stream, **far).disagreements == (
        "0 packets sent on the wire, 6 by the SIP stack",
        "90 packets received on the wire, 84 by the SIP stack",
        "0 packets lost on the wire, 6 by the SIP stack",
        "digits 1 on the wire, none by the SIP stack",
    )
    copies = tap_stream(mark=1, duplicates=3, reordered=2, unnegotiated=1)
    assert with_media(copies, stack_sent=Rtp(packets=0), stack_received=Rtp(packets=79, lost=0)).disagreements == ()


@pytest.mark.parametrize(("packets", "media_s", "ratio"), [(400, 8.0, 1.0), (300, 8.0, 0.75), (10, 0.2, None)])
def test_packets_sent_against_packets_due(packets, media_s, ratio):
    stream = tap_stream(mark=1, sent=True, packets=packets, max_late_ms=12.34)
    health = with_media(stream, media_s=media_s).health
    assert (health.sent_ratio, health.rtp_lateness_ms) == (ratio, 12.3)


def test_no_packets_counted_is_no_ratio():
    assert leg(ended(1.0, media_s=8.0)).health == Health()


def test_streams_of_one_call_are_added_and_jitter_is_weighed():
    one = tap_stream(mark=1, jitter_samples=30, mean_jitter_ms=1.0, max_jitter_ms=9.0, lost=1, max_gap_ms=40.0)
    other = tap_stream(mark=1, ssrc=2, jitter_samples=10, mean_jitter_ms=5.0, max_jitter_ms=7.0, lost=2)
    silent = tap_stream(mark=1, ssrc=3, jitter_samples=0, mean_jitter_ms=None, max_jitter_ms=None, max_gap_ms=None)
    received = with_media(one, other, silent).rtp_received
    assert (received.packets, received.lost, received.max_gap_ms) == (270, 3, 40.0)
    assert (received.jitter_ms, received.max_jitter_ms) == (2.0, 9.0)
    assert with_media(silent).rtp_received.jitter_ms is None


def test_a_flood_of_messages_is_cut():
    seen = leg(*(received(float(n), "x" * 10_000) for n in range(1000)))
    assert len(seen.messages) == MAX_MESSAGES
    assert len(seen.messages[0].text) == MAX_MESSAGE_CHARS


PART = st.sampled_from([request(), request("BYE", to_tag="t", cseq=2), response(200), response(180), response(487)])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda at_s, outgoing, text, cut: MessageSeen(at_s=at_s, sent=outgoing, peer="p", text=text[cut:]),
            st.floats(0, 100),
            st.booleans(),
            st.one_of(st.text(), PART),
            st.integers(0, 30),
        ),
        max_size=12,
    ),
    st.sampled_from(Role),
)
def test_no_messages_raise(messages, role):
    seen = leg(*messages, role=role)
    assert len(seen.messages) == len(messages)


# --- which call an INVITE says it is ---

PLAN = Plan(
    run=RunRef(uid="uid", namespace="n", name="r", call_test="t"),
    agent="callee-0",
    role=Role.CALLEE,
    account=Account(uri="sip:bob@example.com", register=False),
    callee_declared=True,
    stages=(),
    calls=(
        Call(name="other", to="sip:x", hold_seconds=1, answer_timeout_seconds=1),
        Call(name="pin", to="sip:x", count=3, hold_seconds=1, answer_timeout_seconds=1),
    ),
    allowed_targets=(),
    max_calls_per_second=1,
    deadline_s=1,
)


def test_an_invite_of_ours():
    key = call_key("uid", 0, "pin", 2)
    assert read_invite(PLAN, request(key=key)) == InviteFacts(call="pin", number=2, call_key=key)


@pytest.mark.parametrize(
    "key",
    [
        "else/0/pin/2",
        "uid/0/pin/3",
        "uid/0/nip/0",
        "uid/0/pin/-1",
        "uid/x/pin/0",
        "uid/0/pin/²",
        "uid/0/pin",
        "x",
        "uid/0/pin/" + "0" * 5000,
    ],
)
def test_an_invite_that_names_no_call_of_this_run(key):
    facts = read_invite(PLAN, request(key=key))
    assert (facts.call, facts.number) == (None, None)
    assert facts.call_key == key[:1024]


@pytest.mark.parametrize("invite", ["", "garbage", request()])
def test_an_invite_without_the_header(invite):
    assert read_invite(PLAN, invite) == InviteFacts(call=None, number=None, call_key=None)


# --- registrations ---


def concluded(*, active, reason=""):
    return RegistrationConcluded(at_s=9.0, account=AccountId(1), active=active, local_reason=reason)


def register(*messages, word):
    return observe_registration(Role.CALLER, 2, messages, word)


def test_a_registration_with_a_challenge():
    seen = register(
        sent(1.0, request("REGISTER", cseq=1)),
        received(1.1, response(401, cseq=1, method="REGISTER")),
        sent(1.2, request("REGISTER", cseq=2)),
        received(1.3, response(100, cseq=2, method="REGISTER")),
        received(1.5, response(200, cseq=2, method="REGISTER", phrase="OK")),
        word=concluded(active=True),
    )
    assert (seen.outcome, seen.code, seen.phrase, seen.duration_ms) == (RegistrationOutcome.REGISTERED, 200, "OK", 500)
    assert (seen.endpoint, len(seen.messages), seen.local_reason) == (2, 5, None)


def test_a_refused_registration():
    seen = register(
        sent(1.0, request("REGISTER")),
        received(1.1, response(403, method="REGISTER", phrase="Forbidden")),
        word=concluded(active=False, reason="403"),
    )
    assert (seen.outcome, seen.code, seen.phrase) == (RegistrationOutcome.REJECTED, 403, "Forbidden")


@pytest.mark.parametrize("word", [concluded(active=False, reason="408"), None])
def test_a_registration_without_an_answer_is_a_timeout_and_has_no_code(word):
    seen = register(sent(1.0, request("REGISTER")), word=word)
    assert (seen.outcome, seen.code, seen.duration_ms) == (RegistrationOutcome.TIMEOUT, None, None)
    assert seen.local_reason == ("408" if word else "the SIP stack did not conclude it in time")


def test_a_registration_that_was_never_sent_is_our_own_error():
    assert register(word=concluded(active=False, reason="no route")).outcome is RegistrationOutcome.ERROR


@pytest.mark.parametrize("word", [concluded(active=False), None])
def test_registered_needs_the_stacks_word_too(word):
    seen = register(sent(1.0, request("REGISTER")), received(1.1, response(200, method="REGISTER")), word=word)
    assert seen.outcome is RegistrationOutcome.ERROR


def test_active_without_an_answer_on_the_wire_is_not_registered():
    seen = register(sent(1.0, request("REGISTER")), word=concluded(active=True))
    assert seen.outcome is RegistrationOutcome.TIMEOUT
