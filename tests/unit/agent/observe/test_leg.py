"""A leg's observation says what was on the wire, and null for what was not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.call import Call
from agent.contract.expect import DtmfMethod
from agent.contract.observation import Bye, Dialog, Digit, Fork, Health, Progress, Side, Target
from agent.contract.plan import Account, Plan, RunRef, call_key
from agent.contract.verdict import Role
from agent.observe.leg import (
    InviteFacts,
    LegFacts,
    observe_leg,
    read_invite,
)
from agent.observe.signalling import MAX_MESSAGE_CHARS, MAX_MESSAGES
from agent.phone.protocol import (
    CallConfirmed,
    CallEnded,
    CallHandle,
    DigitEnded,
    DigitReceived,
    DigitSent,
    MessageSeen,
    NotSent,
    StackRefused,
    Unparsed,
)
from agent.sip.text import parse_head
from tests.unit.sip_messages import message, request, response

CALL = CallHandle(1)


def sent(at_s, text):
    return message(at_s, text, sent=True)


def received(at_s, text):
    return message(at_s, text, sent=False)


def ended(at_s, **fields):
    nothing = {"stack_sent": None, "stack_received": None, "rtt_ms": None, "media_s": None, "recordings": {}}
    return CallEnded(at_s=at_s, call=CALL, **({"local_reason": ""} | nothing | fields))


def leg(*events, role=Role.CALLER, own_reason=None):
    facts = LegFacts(role=role, endpoint=0, call="pin", number=3, call_key="k", sip_call_id="c1", started_at=1.7e9)
    return observe_leg(facts, events, own_reason=own_reason, health=Health())


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
        received(12.0, request(cseq=101, from_tag="t", to_tag="f")),
        sent(12.0, response(488, cseq=101, from_tag="t", to_tag="f")),
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
        received(14.0, request("BYE", cseq=50, from_tag="t", to_tag="f")),
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


def digit(at_s, value):
    return DigitReceived(at_s=at_s, call=CALL, digit=value, method=DtmfMethod.RFC4733)


def digit_end(at_s, value, duration_ms=100.0):
    return DigitEnded(at_s=at_s, call=CALL, digit=value, duration_ms=duration_ms)


def test_digits_and_their_durations():
    seen = leg(
        *GOOD_CALL[:8],
        digit(12.0, "1"),
        digit_end(12.1, "1"),
        digit(12.2, "1"),
        digit_end(12.3, "2"),  # belongs to none
        *info(12.4, "#"),
        DigitSent(at_s=13.0, call=CALL, digit="9", duration_ms=80.0),
    )
    assert seen.dtmf_received == (
        Digit(digit="1", method=DtmfMethod.RFC4733, at_ms=1000, duration_ms=100),
        Digit(digit="1", method=DtmfMethod.RFC4733, at_ms=1200),
        Digit(digit="#", method=DtmfMethod.INFO, at_ms=1400, duration_ms=160),
    )
    assert seen.dtmf_sent == (Digit(digit="9", method=DtmfMethod.RFC4733, at_ms=2000, duration_ms=80),)


def test_a_digit_that_ends_twice_keeps_its_first_duration():
    seen = leg(digit(1.0, "1"), digit_end(1.1, "1", 100.0), digit_end(1.2, "1", 900.0), digit_end(1.3, "2"))
    assert [received.duration_ms for received in seen.dtmf_received] == [100.0]


def test_digits_are_timed_by_the_stacks_word_where_the_answer_could_not_be_read():
    seen = leg(CallConfirmed(at_s=5.0, call=CALL), digit(6.0, "1"))
    assert seen.dtmf_received[0].at_ms == 1000
    assert leg(digit(6.0, "1")).dtmf_received[0].at_ms is None


def info(at_s, value, *, code=200, cseq=7, from_tag="t", branch=None):
    """An INFO of the peer, sent twice, and our answer."""
    kind = {"extra": "Content-Type: application/dtmf-relay\r\n", "body": f"Signal={value}\r\nDuration=160\r\n"}
    which = {"cseq": cseq, "from_tag": from_tag, "to_tag": "f", "branch": branch or f"i{cseq}"}
    asked, answer = request("INFO", **which, **kind), response(code, method="INFO", **which)
    return received(at_s, asked), sent(at_s + 0.001, answer), received(at_s + 0.5, asked), sent(at_s + 0.501, answer)


def test_an_info_that_was_sent_again_or_refused_or_is_a_strangers_brings_no_other_digit():
    seen = leg(
        *GOOD_CALL[:8], *info(12.0, "1"), *info(13.0, "2", code=415, cseq=8), *info(14.0, "3", cseq=9, from_tag="x")
    )
    assert seen.dtmf_received == (Digit(digit="1", method=DtmfMethod.INFO, at_ms=1000, duration_ms=160),)
    assert seen.dtmf_refused == "2"


def sends(at_s, value, *, cseq, code=200, times=1, with_them=False):
    """An INFO of ours, and the answer: None: none."""
    credentials = 'Proxy-Authorization: Digest realm="r"\r\n' if with_them else ""
    kind = {"extra": credentials + "Content-Type: application/dtmf\r\n", "body": value}
    asked = request("INFO", cseq=cseq, from_tag="f", to_tag="t", branch=f"i{cseq}", **kind)
    answer = response(code or 0, cseq=cseq, method="INFO", from_tag="f", to_tag="t", branch=f"i{cseq}")
    answers = [] if code is None else [received(at_s + 0.1, answer)]
    return *(sent(at_s + time / 2, asked) for time in range(times)), *answers


BEFORE_BYE = GOOD_CALL[:8]


def test_digits_sent_by_info_are_those_that_crossed_each_once_also_when_it_was_challenged():
    seen = leg(
        *BEFORE_BYE,
        *sends(12.0, "1", cseq=7, code=407),
        *sends(12.2, "1", cseq=8, with_them=True),
        *sends(12.5, "1", cseq=9, with_them=True),
    )
    assert [(d.digit, d.method, d.at_ms) for d in seen.dtmf_sent] == [
        ("1", DtmfMethod.INFO, 1200), ("1", DtmfMethod.INFO, 1500),
    ]  # fmt: skip
    assert seen.dtmf_untaken == ()


def test_a_digit_by_info_that_was_refused_or_not_answered_is_told_and_was_sent():
    seen = leg(
        *BEFORE_BYE,
        *sends(12.0, "1", cseq=7),
        *sends(12.5, "2", cseq=8, code=407),
        *sends(13.0, "3", cseq=9, code=415),
        *sends(13.5, "4", cseq=10, code=None, times=3),
        message(20.0, request("BYE", cseq=11, to_tag="t"), True),
    )
    assert [digit.digit for digit in seen.dtmf_sent] == ["1", "2", "3", "4"]
    told = [(d.place, d.digit, d.code, d.times, d.when_over) for d in seen.dtmf_untaken]
    assert told == [(2, "2", 407, 1, False), (3, "3", 415, 1, False), (4, "4", None, 3, False)]


def test_nothing_can_be_said_of_an_info_that_the_end_of_the_call_overtook():
    bye = message(13.0, request("BYE", cseq=11, to_tag="t"), True)
    silent = leg(*BEFORE_BYE, *sends(12.0, "1", cseq=7, code=None), bye)
    late = leg(*BEFORE_BYE, *sends(12.95, "1", cseq=7, code=481), bye)
    assert [d.when_over for seen in (silent, late) for d in seen.dtmf_untaken] == [True, True]


@pytest.mark.parametrize(("code", "bye_s", "over"), [(481, 13.5, True), (415, 13.5, False), (481, 14.5, False)])
def test_a_481_that_overtook_the_bye_of_who_hung_up_says_nothing_of_the_info(code, bye_s, over):
    """Our stack answers a 481 with a BYE of its own."""
    ours = sent(13.2, request("BYE", cseq=10, to_tag="t"))
    theirs = received(bye_s, request("BYE", cseq=11, from_tag="t", to_tag="f"))
    for byes in ((theirs,), (ours, theirs)):
        seen = leg(*BEFORE_BYE, *sends(13.0, "1", cseq=7, code=code), *byes)
        assert [untaken.when_over for untaken in seen.dtmf_untaken] == [over]


def test_an_info_that_comes_by_several_ways_is_one_digit():
    """The same number by another branch: no new request (RFC 3261 §12.2.2)."""
    seen = leg(*BEFORE_BYE, *info(12.0, "1", code=415), *info(12.1, "1", branch="a"), *info(12.2, "1", branch="b"))
    assert [digit.digit for digit in seen.dtmf_received] == ["1"]
    assert seen.dtmf_refused == ""


def test_a_flood_of_messages_is_cut():
    seen = leg(*(received(float(n), "x" * 10_000) for n in range(1000)))
    assert len(seen.messages) == MAX_MESSAGES
    assert len(seen.messages[0].text) == MAX_MESSAGE_CHARS


PART = st.sampled_from([request(), request("BYE", to_tag="t", cseq=2), response(200), response(180), response(487)])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda at_s, outgoing, text, cut: message(at_s, text[cut:], sent=outgoing),
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


# --- its own dialog, and what was beside it ---


def fork(at_s):
    """A second 200, which our stack acknowledges and hangs up at once."""
    return (
        received(at_s, response(200, to_tag="u")),
        sent(at_s, request("ACK", to_tag="u")),
        sent(at_s, request("BYE", cseq=2, to_tag="u", branch="x")),
        received(at_s + 0.1, response(200, cseq=2, method="BYE", to_tag="u", branch="x")),
    )


def test_two_answers_of_a_fork_are_told_and_the_legs_own_dialog_counts():
    seen = leg(*GOOD_CALL[:8], *fork(11.2), *GOOD_CALL[8:])
    assert (seen.ended_by, seen.bye_code, seen.progress.bye_ms) == (Side.LOCAL, 200, 5000)
    assert seen.dialog == Dialog(
        local_tag="f",
        remote_tag="t",
        answers=2,
        ack_ms=0,
        acks=1,
        target=Target(peer="127.0.0.1:5060", uri="sip:bob@example.com"),
        bye=Bye(
            by=Side.LOCAL, at_ms=5000, code=200, crossed=False, phrase="Phrase", times=2),
        forks=(Fork(tag="u", codes=(200,), ended=True),),
    )  # fmt: skip


def test_a_bye_with_a_wrong_tag_ends_nothing():
    seen = leg(*GOOD_CALL[:8], received(12.0, request("BYE", cseq=9, from_tag="x", to_tag="f")), *GOOD_CALL[8:])
    assert (seen.ended_by, seen.progress.bye_ms) == (Side.LOCAL, 5000)


def test_a_callees_leg_counts_its_answers_and_merged_invites():
    seen = leg(
        received(1.0, request(branch="a")),
        received(1.1, request(branch="b")),
        sent(1.1, response(482, branch="b", to_tag="z")),
        sent(1.2, response(200, branch="a")),
        sent(1.7, response(200, branch="a")),
        received(2.0, request("ACK", to_tag="t", branch="c")),
        received(3.0, request("BYE", to_tag="t", cseq=2, branch="d")),
        sent(3.0, response(200, method="BYE", cseq=2, branch="d")),
        role=Role.CALLEE,
    )
    assert seen.dialog == Dialog(
        local_tag="t",
        remote_tag="f",
        answers=2,
        ack_ms=800,
        acks=1,
        bye=Bye(by=Side.REMOTE, at_ms=2000, code=200, crossed=False, phrase="Phrase"),
        merged=1,
    )


def test_a_redirect_says_where_to():
    seen = leg(sent(1.0, request()), received(1.1, response(302, extra="Contact: <sip:eve@1.2.3.4>\r\n")))
    assert seen.dialog == Dialog(local_tag=None, remote_tag=None, redirects=("sip:eve@1.2.3.4",))


def test_a_refer_that_we_refused_is_said():
    tags = {"from_tag": "t", "to_tag": "f"}
    refer = (
        received(12.0, request("REFER", cseq=4, **tags)),
        sent(12.0, response(403, method="REFER", cseq=4, **tags)),
    )
    (action,) = leg(*GOOD_CALL[:8], *refer, *GOOD_CALL[8:]).actions
    assert (action.name, action.at_ms, action.error) == (
        "refer", 2000, "REFER refused with 403: this agent follows none",
    )  # fmt: skip


def test_an_ack_that_never_left_is_said_with_the_contact():
    answer = received(1.1, response(200, extra="Contact: <sip:b@h;transport=tls>\r\n"))
    seen = leg(sent(1.0, request()), answer, own_reason="no answer within 5 s")
    (action,) = seen.actions
    assert seen.local_reason == action.error
    assert action.error == "no ACK left this agent; the answer's Contact is sip:b@h;transport=tls"
    (action,) = leg(sent(1.0, request()), received(1.1, response(200))).actions
    assert action.error == "no ACK left this agent; the answer's Contact is missing"


def test_the_first_message_that_could_not_go_where_it_was_to_go_is_the_legs_detour():
    elsewhere = [
        NotSent(at_s=1.2, peer="", head=parse_head(request(method)), reason=f"{host}: why", target=host)
        for method, host in (("ACK", "there"), ("BYE", "here"))
    ]
    seen = leg(*GOOD_CALL, *elsewhere)
    assert seen.detour == (
        "ack could not be sent to there: why; it was sent to where the call had come from, if that was allowed"
    )
    assert seen.local_reason == seen.detour
    assert [action.error for action in seen.actions] == [
        "ack could not be sent to there: why",
        "bye could not be sent to here: why",
    ]
    assert leg(*GOOD_CALL).detour is None


def test_what_could_not_be_sent_is_said_and_is_no_message():
    unsent = [
        NotSent(at_s=1.0, peer="p", head=parse_head(text), reason="Permission denied")
        for text in (request(), response(200, method="BYE"), "")
    ]
    seen = leg(*unsent)
    assert (seen.progress, seen.messages) == (Progress(), ())
    assert [action.error for action in seen.actions] == [
        "invite not sent: Permission denied",
        "200 to BYE not sent: Permission denied",
        "message not sent: Permission denied",
    ]


def test_what_the_stack_could_not_read_is_kept():
    def odd(at_s):
        return Unparsed(at_s=at_s, peer="p", local="l", protocol="UDP", text="SIP/2.0 200 OK\r\nFrom: <<<")

    assert [message.at_ms for message in leg(odd(2.0), odd(2.5)).unparsed] == [0, 500]
    seen = leg(sent(1.0, request()), *(odd(2.0 + n) for n in range(10)))
    assert [message.at_ms for message in seen.unparsed] == [1000, 2000, 3000, 4000]
    assert seen.unparsed[0].text.endswith("<<<")
    assert seen.final_code is None


def test_a_refusal_of_our_own_stack_is_its_doing():
    refused = (received(1.0, request()), sent(1.0, response(420)), StackRefused(at_s=1.0, sip_call_id="c1", code=420))
    seen = leg(*refused, role=Role.CALLEE)
    assert (seen.final_code, seen.local_reason) == (420, "our SIP stack refused the INVITE with 420")


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
