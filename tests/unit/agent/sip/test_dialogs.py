"""Messages become transactions, dialogs, and what a leg came to: only by what its own dialog did."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sip import transactions
from agent.sip.bindings import MAX_BINDINGS
from agent.sip.dialogs import Redirect, registrations, settled, signalling
from agent.sip.text import parse_head
from agent.sip.transactions import Conversation, Crossed, DialogId
from tests.unit.sip_messages import request, response


def crossed(at_s, text, *, sent):
    head = parse_head(text)
    assert head is not None
    return Crossed(at_s=at_s, sent=sent, head=head, text=text)


def tx(at_s, text):
    return crossed(at_s, text, sent=True)


def rx(at_s, text):
    return crossed(at_s, text, sent=False)


def invite(at_s=1.0, *, sent=True, branch="b1", **fields):
    return crossed(at_s, request(branch=branch, **fields), sent=sent)


def reply(at_s, code, *, sent=False, branch="b1", **fields):
    return crossed(at_s, response(code, branch=branch, **fields), sent=sent)


def ack(at_s, *, sent=True, to_tag="t", branch="ack", **fields):
    return crossed(at_s, request("ACK", to_tag=to_tag, branch=branch, **fields), sent=sent)


def bye(at_s, *, sent=True, to_tag="t", from_tag="f", cseq=2, branch="bye", **fields):
    text = request("BYE", to_tag=to_tag, from_tag=from_tag, cseq=cseq, branch=branch, **fields)
    return crossed(at_s, text, sent=sent)


def bye_reply(at_s, code=200, *, sent=False, cseq=2, branch="bye", **fields):
    return reply(at_s, code, sent=sent, method="BYE", cseq=cseq, branch=branch, **fields)


def caller(*messages):
    return signalling(Conversation(messages), outgoing=True)


def callee(*messages, branch=None):
    return signalling(Conversation(messages), outgoing=False, branch=branch)


def mirrored(messages):
    return [Crossed(at_s=m.at_s, sent=not m.sent, head=m.head) for m in messages]


GOOD = (
    invite(1.0),
    reply(1.1, 100, to_tag=""),
    reply(1.2, 180),
    reply(1.5, 200),
    ack(1.6),
    bye(9.0),
    bye_reply(9.1),
)


def test_a_good_call_seen_from_both_ends():
    it = caller(*GOOD)
    assert it.invite is not None
    assert (it.invite.at_s, it.first_response.at_s, it.ringing.at_s, it.final.at_s) == (1.0, 1.1, 1.2, 1.5)
    assert it.dialog == DialogId(local_tag="f", remote_tag="t")
    assert (it.bye_sent.at_s, it.bye_sent.code, it.bye_sent.answered_s, it.bye_received) == (9.0, 200, 9.1, None)
    assert (it.acknowledgement.answers, it.acknowledgement.ack_s) == (1, 1.6)
    assert (it.forks, it.merged, it.strangers, it.redirects, it.cancel, it.crossed) == ((), (), (), (), None, False)
    other = callee(*mirrored(GOOD))
    assert other.dialog == DialogId(local_tag="t", remote_tag="f")
    assert (other.bye_received, other.bye_sent) == (it.bye_sent, None)
    assert other.acknowledgement == it.acknowledgement


def test_retransmissions_are_no_new_requests():
    again = (invite(2.0), reply(2.1, 180), reply(2.5, 200), reply(3.5, 200), ack(3.6), bye(9.5), bye(10.5))
    messages = sorted((*GOOD, *again), key=lambda m: m.at_s)
    conversation = Conversation(messages)
    assert [t.method for t in conversation.transactions] == ["INVITE", "BYE"]
    first = conversation.transactions[0]
    assert (first.request.count, first.request.last_s, [r.count for r in first.responses]) == (2, 2.0, [1, 2, 3])
    it = signalling(conversation, outgoing=True)
    assert (it.acknowledgement.answers, it.acknowledgement.first_s, it.acknowledgement.last_s) == (3, 1.5, 3.5)
    assert (it.bye_sent.tries, it.bye_sent.at_s) == (1, 9.0)


def test_the_messages_of_nothing():
    it = caller()
    assert (it.tries, it.invite, it.dialog, it.final, it.first_response, it.acknowledgement) == ((),) + (None,) * 5


def test_challenged_the_last_try_counts():
    challenge = (invite(1.0), reply(1.1, 407), tx(1.2, request("ACK", to_tag="t", branch="b1")))
    it = caller(*challenge)
    assert (it.final.code, it.dialog, len(it.tries)) == (407, None, 1)
    assert [a.at_s for a in it.tries[0].acks] == [1.2]
    waiting = caller(*challenge, invite(1.3, cseq=2, branch="b2"))
    assert (waiting.final, len(waiting.tries), waiting.first_response.code) == (None, 2, 407)
    answered = caller(
        *challenge, invite(1.3, cseq=2, branch="b2"), reply(1.4, 407), reply(1.6, 200, cseq=2, branch="b2", to_tag="u")
    )
    assert (answered.final.code, answered.dialog.remote_tag, answered.forks) == (200, "u", ())


def test_a_response_of_another_branch_answers_nothing_and_is_kept():
    conversation = Conversation([invite(1.0), reply(1.2, 200, branch="other"), reply(1.3, 200, branch="other")])
    assert signalling(conversation, outgoing=True).final is None
    assert [(stray.code, stray.count) for stray in conversation.strays] == [(200, 2)]


def test_two_answers_of_a_fork_and_the_losers_bye():
    it = caller(
        invite(1.0),
        reply(1.1, 180, to_tag="lost"),
        reply(1.2, 180, to_tag="won"),
        reply(1.5, 200, to_tag="won"),
        ack(1.5, to_tag="won"),
        reply(1.6, 200, to_tag="lost"),
        ack(1.6, to_tag="lost", branch="ack2"),
        bye(1.6, to_tag="lost", branch="bye1"),
        bye_reply(1.7, to_tag="lost", branch="bye1"),
        bye(9.0, to_tag="won"),
        bye_reply(9.1, to_tag="won"),
    )
    assert (it.dialog.remote_tag, it.ringing.at_s, it.bye_sent.at_s) == ("won", 1.1, 9.0)
    (fork,) = it.forks
    assert (fork.tag, fork.codes, fork.answered, fork.acknowledged, fork.bye.at_s) == (
        "lost",
        (180, 200),
        True,
        True,
        1.6,
    )
    assert it.strangers == ()


def test_a_losers_own_bye_ends_nothing():
    loser = (reply(1.6, 200, to_tag="lost"), bye(3.0, sent=False, from_tag="lost", to_tag="f", branch="x"))
    it = caller(*GOOD[:4], *loser, *GOOD[4:])
    assert (it.bye_received, it.bye_sent.at_s, it.forks[0].bye.at_s) == (None, 9.0, 3.0)


def test_a_branch_that_only_rang_is_a_fork_without_an_answer():
    it = caller(invite(1.0), reply(1.1, 183, to_tag="a"), reply(1.2, 200, to_tag="b"))
    assert [(f.tag, f.codes, f.answered, f.acknowledged, f.bye) for f in it.forks] == [
        ("a", (183,), False, False, None)
    ]
    assert it.acknowledgement.ack_s is None


def test_before_the_answer_the_dialog_is_the_one_heard_of_last():
    assert caller(invite(1.0), reply(1.1, 183, to_tag="a"), reply(1.2, 180, to_tag="b")).dialog.remote_tag == "b"


def test_a_refusal_with_a_tag_of_its_own_is_no_fork():
    it = caller(invite(1.0), reply(1.1, 180, to_tag="a"), reply(2.0, 486, to_tag="b"))
    assert (it.final.code, it.forks) == (486, ())


def test_tries_that_went_on_to_another_uri_followed_a_redirect_and_a_challenged_one_did_not():
    def to(at_s, cseq, uri):
        return tx(at_s, request(cseq=cseq, branch=f"b{cseq}").replace("sip:bob@example.com", uri, 1))

    it = caller(
        to(1.0, 1, "sip:bob@example.com"), rx(1.1, response(407, cseq=1, branch="b1")),
        to(1.2, 2, "sip:bob@example.com"), rx(1.3, response(302, cseq=2, branch="b2", to_tag="r")),
        to(1.4, 3, "sip:carol@example.com"), rx(1.5, response(486, cseq=3, branch="b3", to_tag="s")),
        to(1.6, 4, "sip:dave@example.com"), rx(1.7, response(200, cseq=4, branch="b4")),
    )  # fmt: skip
    assert it.followed == ("sip:carol@example.com", "sip:dave@example.com")
    assert (len(it.tries), it.final.code) == (4, 200)


@pytest.mark.parametrize("tags", [{"from_tag": "x", "to_tag": "f"}, {"from_tag": "t", "to_tag": "x"}])
def test_a_bye_with_a_wrong_tag_ends_nothing(tags):
    it = caller(*GOOD[:5], bye(3.0, sent=False, branch="x", **tags), *GOOD[5:])
    assert (it.bye_received, it.bye_sent.at_s) == (None, 9.0)
    assert [stranger.method for stranger in it.strangers] == ["BYE"]


def test_requests_in_the_dialog_are_told_from_those_beside_it():
    mine = rx(3.0, request("INVITE", from_tag="t", to_tag="f", cseq=101, branch="re"))
    wrong = rx(3.0, request("INVITE", from_tag="no", to_tag="f", cseq=101, branch="re2"))
    it = caller(*GOOD[:5], mine, wrong, *GOOD[5:])
    assert ([t.branch for t in it.requests], [t.branch for t in it.strangers]) == (["re"], ["re2"])
    assert it.final.code == 200


def test_a_challenged_bye_is_answered_by_the_last_try():
    tries = (bye(9.0), bye_reply(9.1, 401), bye(9.2, cseq=3, branch="bye2"))
    it = caller(*GOOD[:5], *tries)
    assert (it.bye_sent.tries, it.bye_sent.code, it.bye_sent.answered_s) == (2, None, None)
    assert caller(*GOOD[:5], *tries, bye_reply(9.3, 481, cseq=3, branch="bye2")).bye_sent.code == 481


def test_byes_that_cross_are_both_known():
    it = caller(*GOOD[:5], bye(9.0), bye(9.05, sent=False, from_tag="t", to_tag="f", branch="x"), bye_reply(9.1, 481))
    assert (it.crossed, it.bye_sent.code, it.bye_received.at_s) == (True, 481, 9.05)


@pytest.mark.parametrize(("ours", "theirs", "crossed"), [(9.0, 10.0, True), (9.0, 10.01, False), (10.01, 9.0, False)])
def test_byes_that_are_further_apart_than_t1_twice_do_not_cross(ours, theirs, crossed):
    it = caller(*GOOD[:5], bye(ours), bye(theirs, sent=False, from_tag="t", to_tag="f", branch="x"))
    assert it.crossed is crossed


@pytest.mark.parametrize(("answered", "over"), [(9.0, False), (None, False), (12.1, True)])
def test_a_bye_may_be_answered_when_the_other_sides_own_had_ended_the_dialog(answered, over):
    theirs = bye(11.0, sent=False, from_tag="t", to_tag="f", branch="x")
    it = caller(*GOOD[:5], bye(8.9), theirs, *([] if answered is None else [bye_reply(answered, 481)]))
    assert it.answered_when_over is over


def test_the_same_invite_by_another_way_begins_no_other_leg():
    messages = (
        invite(1.0, sent=False),
        reply(1.1, 180, sent=True, to_tag="mine"),
        invite(1.2, sent=False, branch="b9"),
        reply(1.2, 482, sent=True, branch="b9", to_tag="no"),
        reply(1.5, 200, sent=True, to_tag="mine"),
        ack(1.6, sent=False, to_tag="mine"),
    )
    it = callee(*messages)
    assert (it.final.code, it.dialog.local_tag, [m.finals[0].code for m in it.merged]) == (200, "mine", [482])
    beside = callee(*messages, branch="b9")
    assert (beside.final.code, beside.dialog, len(beside.merged)) == (482, None, 1)


def test_an_invite_of_another_caller_or_after_the_answer_is_no_try():
    stranger, late = (
        invite(2.0, sent=False, from_tag="z", cseq=7, branch="z"),
        invite(3.0, sent=False, cseq=9, branch="y"),
    )
    it = callee(*mirrored(GOOD[:5]), stranger, late)
    assert (len(it.tries), [m.branch for m in it.merged], it.final.code) == (1, ["z", "y"], 200)


def test_an_ack_finds_the_invite_of_its_tag():
    two = (
        invite(1.0, sent=False),
        invite(1.0, sent=False, branch="b9"),
        reply(1.1, 200, sent=True, to_tag="a"),
        reply(1.1, 200, sent=True, to_tag="b", branch="b9"),
    )
    conversation = Conversation([*two, ack(1.2, sent=False, to_tag="b"), ack(1.3, sent=False, to_tag="c")])
    assert signalling(conversation, outgoing=False).acknowledgement.ack_s is None
    assert signalling(conversation, outgoing=False, branch="b9").acknowledgement.ack_s == 1.2
    assert [stray.to_tag for stray in conversation.strays] == ["c"]


def test_redirects_are_told_with_where_they_point():
    text = response(302, branch="b1", extra='Contact: "x,y" <sip:a@1.2.3.4;q=1>;q=0.7, sip:b@h\r\nContact: tel:1\r\n')
    it = caller(invite(1.0), rx(1.1, text))
    assert it.redirects == (Redirect(at_s=1.1, code=302, contacts=("sip:a@1.2.3.4;q=1", "sip:b@h", "tel:1")),)


def test_a_redirect_with_more_contacts_than_are_read_is_not_whole():
    for count, whole in ((MAX_BINDINGS, True), (MAX_BINDINGS + 1, False)):
        text = response(302, branch="b1", headers={"Contact": ", ".join(["<sip:a@h>"] * count)})
        [redirect] = caller(invite(1.0), rx(1.1, text)).redirects
        assert (len(redirect.contacts), redirect.whole) == (MAX_BINDINGS, whole)


def test_a_cancelled_call():
    cancel = tx(5.0, request("CANCEL", branch="b1"))
    done = (reply(5.1, 200, method="CANCEL"), reply(5.2, 487))
    it = caller(invite(1.0), reply(1.2, 180), cancel, *done)
    assert (it.cancel.at_s, it.final.code, it.bye_sent) == (5.0, 487, None)
    assert not settled(Conversation([invite(1.0), cancel]), outgoing=True)
    assert settled(Conversation([invite(1.0), cancel, *done]), outgoing=True)


def test_an_answered_call_is_settled_once_its_bye_is_answered():
    assert not settled(Conversation(GOOD[:5]), outgoing=True)
    assert not settled(Conversation(GOOD[:6]), outgoing=True)
    assert settled(Conversation(GOOD), outgoing=True)
    assert settled(Conversation(mirrored(GOOD)), outgoing=False)
    assert not settled(Conversation([*GOOD[:5], bye(9.0, to_tag="x"), bye_reply(9.1, to_tag="x")]), outgoing=True)


def test_a_flood_is_counted_and_loses_no_bye(monkeypatch):
    monkeypatch.setattr(transactions, "MAX_TRANSACTIONS", 5)
    monkeypatch.setattr(transactions, "MAX_ALWAYS", 8)
    flood = [rx(2.0, request("OPTIONS", from_tag="t", to_tag="f", cseq=n, branch=f"o{n}")) for n in range(10)]
    stray = [reply(2.0, 200, branch=f"s{n}", cseq=n) for n in range(10)]
    conversation = Conversation([*GOOD[:5], *flood, *stray, *GOOD[5:]])
    assert (len(conversation.transactions), len(conversation.strays), conversation.left_out) == (6, 5, 6 + 5)
    assert signalling(conversation, outgoing=True).bye_sent.code == 200


# --- registrations ---


def register(at_s, cseq=1, extra=""):
    return tx(at_s, request("REGISTER", cseq=cseq, branch=f"r{cseq}", extra=extra))


def registered(at_s, code, cseq=1):
    return reply(at_s, code, method="REGISTER", cseq=cseq, branch=f"r{cseq}")


def test_each_attempt_is_judged_by_its_last_try():
    challenge = [register(1.0), registered(1.1, 401), register(1.2, 2)]
    (silent,) = registrations(Conversation(challenge))
    assert (silent.began_s, len(silent.tries), silent.final) == (1.0, 2, None)
    messages = [
        *challenge,
        registered(1.3, 200, 2),
        register(296.0, 3),
        registered(296.1, 403, 3),
        register(300.0, 4, "Expires: 0\r\n"),
    ]
    first, refresh, leaving = registrations(Conversation(messages))
    assert (first.final.code, refresh.final.code, leaving.final) == (200, 403, None)
    assert [attempt.leaving for attempt in (first, refresh, leaving)] == [False, False, True]


@pytest.mark.parametrize(
    ("extra", "leaving"),
    [
        ("Contact: <sip:a@h>;expires=0\r\n", True),
        ("Contact: <sip:a@h>;expires=300\r\n", False),
        ("Expires: 300\r\n", False),
        ("Expires: 00\r\n", True),
    ],
)
def test_a_binding_is_taken_back_by_an_expiry_of_nothing(extra, leaving):
    assert registrations(Conversation([register(1.0, extra=extra)]))[0].leaving is leaving


def test_after_silence_another_attempt_begins():
    assert len(registrations(Conversation([register(1.0), register(40.0, 2)]))) == 2


# --- properties ---


def facts(it):
    """What must not depend on retransmissions, nor on what other dialogs of the Call-ID do."""
    return (
        it.dialog,
        it.final and (it.final.code, it.final.at_s),
        it.bye_sent,
        it.bye_received,
        it.acknowledgement and (it.acknowledgement.first_s, it.acknowledgement.ack_s),
        [t.method for t in it.requests],
    )


HANG_UPS = [
    [bye(9.0), bye_reply(9.1)],
    [bye(9.0), bye_reply(9.1, 401), bye(9.2, cseq=3, branch="y"), bye_reply(9.3, cseq=3, branch="y")],
    [bye(9.0, sent=False, from_tag="t", to_tag="f", branch="z"), bye_reply(9.1, sent=True, branch="z")],
    [],
]
BESIDE = [
    reply(1.6, 200, to_tag="lost"),
    ack(1.7, to_tag="lost", branch="ack2"),
    bye(1.7, to_tag="lost", branch="bye9", cseq=2),
    bye_reply(1.8, to_tag="lost", branch="bye9"),
    bye(2.0, sent=False, from_tag="lost", to_tag="f", branch="bye8"),
    rx(2.5, request("BYE", from_tag="x", to_tag="y", branch="bye7", cseq=5)),
    rx(2.5, request("INVITE", from_tag="x", to_tag="f", branch="i7", cseq=5)),
    reply(3.0, 200, branch="nobody"),
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(HANG_UPS), st.data())
def test_neither_copies_nor_other_dialogs_change_what_a_leg_came_to(hang_up, data):
    plain = [*GOOD[:5], *hang_up]
    expected = facts(caller(*plain))
    copies = data.draw(st.lists(st.sampled_from(plain), max_size=6))
    late = [Crossed(at_s=m.at_s + 0.5, sent=m.sent, head=m.head) for m in copies]
    beside = data.draw(st.lists(st.sampled_from(BESIDE), max_size=8))
    mixed = sorted([*plain, *late, *beside], key=lambda m: m.at_s)
    assert facts(caller(*mixed)) == expected
    assert facts(callee(*mirrored(mixed))) == facts(callee(*mirrored(plain)))


TAGS = st.sampled_from(["", "f", "t", "x"])
ANY = st.builds(
    lambda text, at_s, sent: crossed(at_s, text, sent=sent),
    st.one_of(
        st.builds(
            lambda method, cseq, to_tag, from_tag, branch: request(
                method, cseq=cseq, to_tag=to_tag, from_tag=from_tag, branch=branch
            ),
            st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER"]),
            st.integers(1, 3),
            TAGS,
            TAGS,
            st.sampled_from(["", "b1", "b2"]),
        ),
        st.builds(
            lambda code, method, cseq, to_tag, branch: response(
                code, method=method, cseq=cseq, to_tag=to_tag, branch=branch
            ),
            st.sampled_from([100, 180, 200, 302, 401, 486]),
            st.sampled_from(["INVITE", "ACK", "BYE", "REGISTER"]),
            st.integers(1, 3),
            TAGS,
            st.sampled_from(["", "b1", "b2"]),
        ),
    ),
    st.floats(0, 100),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY, max_size=25), st.booleans(), st.sampled_from([None, "b1"]))
def test_whatever_comes_each_message_is_counted_once(messages, outgoing, branch):
    conversation = Conversation(messages)
    counted = sum(times.count for t in conversation.transactions for times in (t.request, *t.responses, *t.acks)) + sum(
        stray.count for stray in conversation.strays
    )
    assert counted == len(messages)
    it = signalling(conversation, outgoing=outgoing, branch=branch)
    assert it.final is None or it.tries
    assert settled(conversation, outgoing=outgoing, branch=branch) in (True, False)
    registrations(conversation)
