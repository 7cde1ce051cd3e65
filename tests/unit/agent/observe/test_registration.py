"""A registration is what its last attempt came to, by that attempt's last try."""

import pytest

from agent.contract.registration import Bindings, Leaving, RegistrationOutcome
from agent.contract.verdict import Role
from agent.observe.registration import Beside, observe_registration
from agent.phone.protocol import AccountId, NotSent, RegistrationConcluded
from agent.sip.text import parse_head
from tests.unit.agent.judge.registrar import FIRST, LEAVING, OTHERS, OURS, REFRESH, asked, registering, said, word
from tests.unit.sip_messages import message, request, response


def sent(at_s, text):
    return message(at_s, text, sent=True)


def received(at_s, text):
    return message(at_s, text, sent=False)


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


def registered(at_s, cseq, code=200):
    return sent(at_s, request("REGISTER", cseq=cseq)), received(
        at_s + 0.1, response(code, cseq=cseq, method="REGISTER")
    )


def test_a_challenge_and_then_silence_is_a_timeout():
    seen = register(*registered(1.0, 1, 401), sent(1.2, request("REGISTER", cseq=2)), word=concluded(active=False))
    assert (seen.outcome, seen.code, seen.duration_ms) == (RegistrationOutcome.TIMEOUT, None, None)


def test_taking_the_binding_back_changes_nothing():
    leaving = sent(9.0, request("REGISTER", cseq=2, extra="Expires: 0\r\n"))
    seen = register(*registered(1.0, 1), leaving, word=concluded(active=True))
    assert (seen.outcome, seen.code) == (RegistrationOutcome.REGISTERED, 200)


def test_a_register_that_could_not_be_sent_is_our_own_error():
    unsent = NotSent(at_s=1.0, peer="p", head=None, reason="Permission denied")
    seen = observe_registration(Role.CALLER, 2, [], concluded(active=False, reason="503"), Beside(unsent=unsent))
    assert (seen.outcome, seen.local_reason) == (RegistrationOutcome.ERROR, "REGISTER not sent: Permission denied")


def test_only_registers_count():
    seen = register(sent(0.5, request()), *registered(1.0, 1), word=concluded(active=True))
    assert len(seen.messages) == 2


# --- the bindings, and what becomes of them


def test_a_good_registration_from_its_beginning_to_its_end():
    seen = registering()
    assert (seen.outcome, seen.expires_s, seen.refreshes, seen.lapse) == (RegistrationOutcome.REGISTERED, 300, 1, None)
    assert seen.bindings == Bindings(own=True, granted_s=(300,))
    assert (seen.leaving.code, seen.leaving.phrase, seen.leaving.bound) == (200, "OK", False)


@pytest.mark.parametrize(
    ("extra", "own", "granted_s", "others"),
    [
        ("", False, (None,), 0),
        ("Expires: 60\r\n", False, (60,), 0),
        (f"Contact: {OURS}\r\nExpires: 60\r\n", True, (60,), 0),
        (f"Contact: {OURS};expires=30\r\nExpires: 60\r\n", True, (30,), 0),
        (f"Contact: {OURS};expires=0\r\n", False, (None,), 0),
        (f"Contact: {OURS}\r\nExpires: 0\r\n", False, (0,), 0),
        (f"Contact: {OURS};expires=30, {OTHERS}\r\nExpires: 0\r\n", True, (30,), 0),
        (f"m: {OTHERS};expires=9, {OURS};expires=30\r\n", True, (30,), 1),
        (f"Contact: {OTHERS};expires=9\r\n", False, (None,), 1),
    ],
)
def test_what_a_200_lists(extra, own, granted_s, others):
    seen = registering((asked(1.0, 1), said(1.1, 1, extra=extra)), leaves=False, at_s=2.0).bindings
    assert (seen.own, seen.granted_s, len(seen.others)) == (own, granted_s, others)


def test_of_many_bindings_some_are_named():
    many = ", ".join(f"<sip:alice@10.1.0.{n}>" for n in range(9))
    seen = registering((asked(1.0, 1), said(1.1, 1, extra=f"Contact: {OURS}, {many}\r\n")), leaves=False)
    assert (len(seen.bindings.others), seen.bindings.others_left_out) == (4, 5)


def test_a_binding_that_a_refresh_does_not_list_is_missing():
    seen = registering(FIRST, (asked(296.1, 2), said(296.2, 2, extra=f"Contact: {OTHERS}\r\n")), LEAVING)
    assert (seen.bindings.own, seen.bindings.others) == (False, ("sip:alice@10.0.0.77:5060",))


@pytest.mark.parametrize(
    ("granted", "told"),
    [
        ((300, 299, 298, 297, 20, 296), (300, 299, 298, 20)),
        ((300, 299, 298, 297, None, 900, 296), (300, None, 900, 296)),
        ((60, 60, None), (60, None)),
        ((None,), (None,)),
    ],
)
def test_of_many_times_that_were_granted_the_ends_and_the_one_not_said_are_told(granted, told):
    course = [
        (asked(n, n), said(n + 0.1, n, extra=f"Contact: {OURS}{'' if s is None else f';expires={s}'}\r\n"))
        for n, s in enumerate(granted, 1)
    ]
    assert registering(*course, leaves=False, at_s=9.0).bindings.granted_s == told


def unsent(cseq):
    return NotSent(at_s=400.2, peer="p", head=parse_head(request("REGISTER", cseq=cseq)), reason="not permitted")


def test_a_challenge_whose_answer_did_not_leave_is_no_answer():
    asks_again = (asked(296.0, 2), said(296.1, 2, 401))
    lapse = registering(FIRST, asks_again, leaves=False, unsent=unsent(3)).lapse
    assert (lapse.code, lapse.sent_ms, lapse.unsent) == (None, 295_000.0, "not permitted")
    assert registering(FIRST, asks_again, leaves=False, unsent=unsent(2)).lapse.code == 401
    leaving = (asked(400.0, 3, expires=0), said(400.1, 3, 401))
    assert registering(FIRST, REFRESH, leaving, unsent=unsent(4)).leaving == Leaving(sent=False)


def test_what_was_not_waited_for_is_said():
    leaving = (asked(400.0, 3, expires=0),)
    assert registering(FIRST, REFRESH, leaving, hurried=True).leaving.unfinished


def test_a_contact_in_the_place_of_another_is_a_binding():
    """What our SIP stack sends where the registrar saw it come from elsewhere."""
    moved = "<sip:alice@10.0.0.1:9>"
    contact = f"{OURS};expires=0\r\nContact: {moved}"
    again = asked(1.2, 2, contact=contact), said(1.3, 2, extra=f"Contact: {moved};expires=300\r\n")
    seen = registering(FIRST, again, leaves=False, at_s=2.0)
    assert (seen.leaving, seen.refreshes, seen.bindings.own) == (None, 1, True)


REFUSED = (asked(296.0, 2), said(296.1, 2, 403, phrase="Forbidden"))
SILENT = (asked(296.0, 2),)


def test_a_refused_refresh_is_where_the_binding_lapsed():
    seen = registering(FIRST, REFUSED, leaves=False).lapse
    assert (seen.due_ms, seen.sent_ms, seen.answered_ms, seen.code) == (300_100.0, 295_000.0, 295_100.0, 403)


def test_a_refresh_without_an_answer_is_one_once_it_is_given_up_or_the_binding_ran_out():
    given_up = word(328.0, active=False)
    assert registering(FIRST, SILENT, leaves=False, at_s=299.0, last_word=None).lapse is None
    assert registering(FIRST, SILENT, leaves=False, at_s=299.0, last_word=word(3.0, active=False)).lapse is None
    assert registering(FIRST, SILENT, leaves=False, at_s=299.0, last_word=word(297.0, active=True)).lapse is None
    assert registering(FIRST, SILENT, leaves=False, at_s=302.0, last_word=None).lapse.code is None
    assert registering(FIRST, SILENT, leaves=False, at_s=300.0, last_word=given_up).lapse.answered_ms is None


def test_a_refresh_may_be_answered_too_late():
    seen = registering(FIRST, (asked(296.0, 2), said(303.1, 2)), LEAVING)
    assert (seen.refreshes, seen.lapse.code, seen.lapse.answered_ms, seen.lapse.due_ms) == (0, 200, 302_100, 300_100)


def test_a_refresh_that_was_not_sent_is_missed_at_the_end():
    seen = registering(FIRST, LEAVING).lapse
    assert (seen.due_ms, seen.sent_ms) == (300_100.0, None)


@pytest.mark.parametrize(("expires", "due_ms"), [("Expires: 50\r\n", 50_100.0), ("", 300_100.0)])
def test_a_binding_ends_when_the_200_says_or_as_it_was_asked(expires, due_ms):
    seen = registering((asked(1.0, 1), said(1.1, 1, extra=f"Contact: {OURS}\r\n{expires}")), LEAVING)
    assert seen.lapse.due_ms == due_ms


def test_a_register_that_asks_for_no_time_holds_for_an_hour():
    bare = message(1.0, request("REGISTER", branch="r1", extra=f"Contact: {OURS}\r\n"), sent=True)
    seen = registering((bare, said(1.1, 1, extra=f"Contact: {OURS}\r\n")), (asked(4000.0, 3, expires=0),), at_s=4000.0)
    assert (seen.expires_s, seen.lapse.due_ms) == (None, 3_600_100.0)


@pytest.mark.parametrize(
    ("leaving", "code", "bound"),
    [
        ((asked(400.0, 3, expires=0), said(400.1, 3)), 200, True),
        ((asked(400.0, 3, expires=0), said(400.1, 3, extra=f"Contact: {OURS};expires=0\r\n")), 200, False),
        ((asked(400.0, 3, expires=0), said(400.1, 3, extra=f"Contact: {OTHERS}\r\n")), 200, False),
        ((asked(400.0, 3, expires=0), said(400.1, 3, extra=f"Contact: {OURS}\r\nExpires: 0\r\n")), 200, False),
        ((asked(400.0, 3, expires=0), said(400.1, 3, extra=f"Contact: {OURS}\r\nExpires: 60\r\n")), 200, True),
        ((asked(400.0, 3, expires=0), said(400.1, 3, 500)), 500, False),
        ((asked(400.0, 3, expires=0),), None, False),
    ],
)
def test_how_the_binding_was_taken_back(leaving, code, bound):
    seen = registering(FIRST, REFRESH, leaving).leaving
    assert (seen.sent, seen.code, seen.bound, seen.asked.times) == (True, code, bound, 1)


def test_a_binding_that_was_to_be_taken_back_and_was_not_is_said():
    assert registering(FIRST, REFRESH).leaving == Leaving(sent=False)


def test_of_a_long_course_the_first_messages_and_the_last_are_kept():
    refreshes = [(asked(10.0 * n, n), said(10.0 * n + 0.1, n)) for n in range(2, 80)]
    seen = registering(FIRST, *refreshes, (asked(800.0, 99, expires=0), said(800.1, 99, extra="")), at_s=801.0)
    assert (len(seen.messages), seen.refreshes) == (64, 78)
    assert (seen.messages[0].at_ms, seen.messages[-1].at_ms) == (0.0, 799_100.0)
