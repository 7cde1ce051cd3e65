"""What becomes of a registration after its first REGISTER is told: refreshes, slow challenges, its end."""

from dataclasses import replace

import pytest

from agent.contract.plan import Signal
from agent.contract.registration import RegistrationOutcome
from agent.contract.verdict import Check, Reason
from agent.judge.registrations import registration_faults
from agent.phone.protocol import (
    AccountId,
    ConnectionSeen,
    NotSent,
    PutOff,
    RegistrationConcluded,
)
from agent.sip.text import parse_head
from tests.unit.agent.judge.wire import carrier
from tests.unit.agent.world import plan
from tests.unit.fake_phone import CONTACT, Peer
from tests.unit.sip_messages import message, request, response

LONG = [(0.0, Signal(prepare=0, go=-1)), (400.0, Signal(prepare=1, go=0))]
"""So long that a binding of 300 s is refreshed."""


def refreshed(world, code, *, active, listed=f"{CONTACT}Expires: 300\r\n"):
    it = world(plan(register=True), steps=LONG)
    it.step_until(1)
    account = AccountId(1)
    extra = f"{CONTACT}Expires: 300\r\n"
    it.phone.sent(request("REGISTER", f"reg-{account}", cseq=2, extra=extra), 295.0)
    it.phone.received(response(code, f"reg-{account}", cseq=2, method="REGISTER", extra=listed), 295.1)
    it.phone.at(295.1, RegistrationConcluded, account=account, active=active, local_reason="")
    it.run()
    return it.registrations


def test_a_refused_refresh_is_told_at_once_and_nothing_is_taken_back(world):
    first, lapsed = refreshed(world, 403, active=False)
    assert (first.code, first.lapse) == (200, None)
    assert (lapsed.code, lapsed.lapse.code, lapsed.leaving) == (200, 403, None)


def said_of(*seen):
    return [(check, fault.reason) for check, fault in registration_faults(plan(register=True), seen)]


@pytest.mark.parametrize(
    "listed",
    [f"{CONTACT}Expires: 0\r\n", "", CONTACT.replace("\r\n", ";expires=0\r\n"), "Contact: <sip:x@10.9.9.9>\r\n"],
    ids=["Expires", "no Contact", "expires", "another's"],
)
def test_a_refresh_whose_200_ends_the_binding_is_told(world, listed):
    first, last = refreshed(world, 200, active=False, listed=listed)
    assert (first.bindings.own, last.bindings.own, last.lapse, last.leaving) == (True, False, None, None)
    assert said_of(first, last) == [(Check.BINDING, Reason.BINDING_MISSING)]


def test_that_the_stack_takes_a_binding_for_lost_that_is_listed_is_our_own_doing(world):
    told = refreshed(world, 200, active=False)
    assert [seen.lapse is not None for seen in told] == [False, True]
    assert said_of(*told) == [(Check.REFRESHED, Reason.NOT_MEASURED)]


def unrefreshed(world, connection=None, *, crossed=False, closed_s=None, **status):
    """A refresh after 295 s that did not leave, or (`crossed`) was not answered."""
    it = world(plan(register=True), steps=LONG)
    it.step_until(1)
    text = request("REGISTER", "reg-1", cseq=2, extra=f"{CONTACT}Expires: 300\r\n")
    if connection:
        opened_s = it.clock.now_s + 295
        up_s = opened_s + 0.1 if crossed else None
        it.phone.at(295.0, ConnectionSeen, connection=carrier(opened_s=opened_s, up_s=up_s))
        it.phone.at(295.0, PutOff, head=parse_head(text), connection=1)
        if closed_s:
            gone = carrier(opened_s=opened_s, up_s=up_s, closed_s=opened_s + closed_s, **status)
            it.phone.at(295.0 + closed_s, ConnectionSeen, connection=gone)
    if crossed:
        it.phone.at(295.2, lambda at_s: replace(message(at_s, text, sent=True), connection=1))
    elif not connection or status:
        it.phone.at(
            295.1, NotSent, peer="p", head=parse_head(text), reason="not permitted", connection=connection, **status
        )
    over_s = 327.0 if not status else 295.1 if not crossed else 296.5
    it.phone.at(over_s, RegistrationConcluded, account=AccountId(1), active=False, local_reason="503")
    it.run()
    return it.registrations


def test_a_refresh_that_could_not_be_sent_is_told_as_our_own_doing(world):
    first, lapsed = unrefreshed(world)
    assert (first.lapse, lapsed.lapse.unsent, lapsed.lapse.sent_ms) == (None, "not permitted", None)
    [(check, fault)] = registration_faults(plan(register=True), [first, lapsed])
    assert (check, fault.reason) == (Check.REFRESHED, Reason.NOT_MEASURED)
    assert fault.note == "our SIP stack could not send the refresh: not permitted"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"status": 120_111}, Reason.CONNECTION_REFUSED),
        ({"status": 120_032}, Reason.NOT_MEASURED),
        ({"status": 120_032, "closed_s": 0.4}, Reason.NOT_MEASURED),
        ({}, Reason.CONNECTION_TIMEOUT),
        ({"crossed": True, "closed_s": 1.0, "status": 70_016}, Reason.CONNECTION_LOST),
    ],
    ids=["refused", "nobody says why", "and later no more", "not answered", "ended"],
)
def test_what_became_of_the_connection_of_a_refresh_is_told(world, how, reason):
    told = unrefreshed(world, 1, **how)
    assert len(told) == 2
    assert said_of(*told) == [(Check.CONNECTION, reason)]


def challenged(world, *after_s):
    """A REGISTER that is challenged, again and again, each after so long; 200 in the end."""
    it = world(plan(register=True), Peer(register_code=None), [(0.0, Signal(prepare=1, go=0))])

    def slowly(account):
        at_s, call_id = 0.0, f"reg-{account}"
        for cseq, wait_s in enumerate(after_s, 1):
            is_last = cseq == len(after_s)
            extra = f"{CONTACT}Expires: 300\r\n"
            it.phone.sent(request("REGISTER", call_id, cseq=cseq, extra=extra), at_s)
            at_s += wait_s
            code = 200 if is_last else 401
            it.phone.received(
                response(code, call_id, cseq=cseq, method="REGISTER", extra=extra if is_last else ""), at_s
            )
        it.phone.at(at_s, RegistrationConcluded, account=account, active=True, local_reason="")

    it.phone._register = slowly
    it.run()
    return it.registrations[0]


def test_a_challenge_whose_answer_could_not_be_sent_refuses_nothing(world):
    it = world(plan(register=True), Peer(register_code=None))

    def cut_off(account):
        again = parse_head(request("REGISTER", "r", cseq=2))
        it.phone.sent(request("REGISTER", "r"))
        it.phone.received(response(401, "r", method="REGISTER"), 0.1)
        opening = carrier(opened_s=it.clock.now_s + 0.1, up_s=None)
        it.phone.at(0.1, ConnectionSeen, connection=opening)
        it.phone.at(0.1, NotSent, peer="p", head=again, reason="refused", status=120_111, connection=1)
        it.phone.at(0.1, RegistrationConcluded, account=account, active=False, local_reason="503")

    it.phone._register = cut_off
    it.run()
    [seen] = it.registrations
    assert (seen.code, said_of(seen)) == (None, [(Check.CONNECTION, Reason.CONNECTION_REFUSED)])


def test_so_has_each_try_of_taking_the_binding_back(world):
    it = world(plan(register=True), Peer(answers_unregister=False))
    remove = it.phone.remove_account

    def slowly(account):
        it.phone.bound.clear()
        remove(account)
        call_id = f"reg-{account}"
        it.phone.sent(request("REGISTER", call_id, cseq=9, extra=f"{CONTACT}Expires: 0\r\n"))
        it.phone.received(response(401, call_id, cseq=9, method="REGISTER"), 30.0)
        it.phone.sent(request("REGISTER", call_id, cseq=10, extra=f"{CONTACT}Expires: 0\r\n"), 30.1)
        it.phone.received(response(200, call_id, cseq=10, method="REGISTER"), 60.0)
        it.phone.at(60.0, RegistrationConcluded, account=account, active=False, local_reason="")

    it.phone.remove_account = slowly
    it.run()
    assert (it.registrations[-1].leaving.code, said_of(*it.registrations)) == (200, [])


def test_each_try_has_the_time_of_timer_f(world):
    assert challenged(world, 30.0, 30.0).outcome is RegistrationOutcome.REGISTERED


def test_who_is_asked_for_ever_more_tries_is_not_waited_for_and_that_is_nobodys_silence(world):
    seen = challenged(world, 30.0, 30.0, 30.0, 25.0, 20.0)
    assert (seen.outcome, said_of(seen)) == (
        RegistrationOutcome.UNFINISHED,
        [(Check.REGISTERED, Reason.NOT_MEASURED)],
    )


def test_refreshes_that_are_answered_are_told_at_the_end(world):
    first, whole = refreshed(world, 200, active=True)
    assert (first.refreshes, whole.refreshes, whole.lapse, whole.leaving.code) == (0, 1, None, 200)


# --- the agent's own troubles, within the time of each wait


@pytest.mark.parametrize(("after_s", "drops"), [(5.0, 1), (60.0, 0)], ids=["while it waits", "later"])
def test_what_an_agent_did_not_hear_while_its_first_register_waited_is_told(world, after_s, drops):
    it = world(plan(register=True), Peer(register_code=None))
    it.deaf_at_s = {after_s}
    it.run()
    (seen,) = it.registrations
    assert seen.trouble.socket_drops == drops
    assert said_of(seen) == [
        (Check.REGISTERED, Reason.AGENT_OVERLOADED if drops else Reason.REGISTRATION_TIMEOUT)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("after_s", "reason"),
    [(100.0, Reason.REFRESH_FAILED), (300.0, Reason.AGENT_OVERLOADED)],
    ids=["between two", "while it waits"],
)
def test_what_it_did_not_hear_while_a_refresh_waited_is_told(world, after_s, reason):
    it = world(plan(register=True), steps=LONG)
    it.step_until(1)
    it.deaf_at_s = {after_s}
    it.phone.sent(request("REGISTER", "reg-1", cseq=2, extra=f"{CONTACT}Expires: 300\r\n"), 295.0)
    it.phone.at(327.0, RegistrationConcluded, account=AccountId(1), active=False, local_reason="408")
    it.run()
    assert [seen.lapse is not None for seen in it.registrations] == [False, True]
    assert said_of(*it.registrations) == [(Check.REFRESHED, reason)]
    assert it.registrations[-1].trouble.socket_drops == 0


@pytest.mark.parametrize("after_s", [1.0, None])
def test_what_it_did_not_hear_as_it_took_its_binding_back_is_told(world, after_s):
    it = world(plan(register=True), Peer(answers_unregister=False))
    remove = it.phone.remove_account

    def leave(account):
        remove(account)
        it.deaf_at_s = {it.clock.now_s - 1000 + after_s} if after_s else set()

    it.phone.remove_account = leave
    it.run()
    reason = Reason.UNREGISTER_FAILED if after_s is None else Reason.AGENT_OVERLOADED
    assert said_of(*it.registrations) == [(Check.UNREGISTERED, reason)]


def test_an_answer_that_is_read_behind_the_stacks_timer_is_no_silence(world):
    """Both were due while the agent stood still: its timers come first."""
    it = world(plan(register=True), Peer(register_code=None))
    it.phone.received(response(403, "reg-1", method="REGISTER"), 32.2)
    it.run()
    assert said_of(*it.registrations) == [(Check.REGISTERED, Reason.REGISTRATION_REJECTED)]


def test_so_is_one_to_the_register_that_takes_the_binding_back(world):
    it = world(plan(register=True), Peer(answers_unregister=False))
    remove = it.phone.remove_account

    def leave(account):
        remove(account)
        it.phone.received(response(200, "reg-1", cseq=9, method="REGISTER"), 32.2)

    it.phone.remove_account = leave
    it.run()
    assert said_of(*it.registrations) == []


def test_an_agent_that_stood_still_says_so_before_it_says_what_did_not_come(world):
    """A step that took 50 s, at the end of which all that was due is overdue."""
    it = world(plan(register=True), Peer(register_code=None))
    it.phone._register = lambda account: it.phone.sent(request("REGISTER", f"reg-{account}"))
    it.step_until(1)
    it.runner._evidence.poll = lambda: setattr(it.clock, "now_s", it.clock.now_s + 50.0)
    it.runner.step()
    it.runner._evidence.poll = lambda: None
    it.run()
    (seen,) = it.registrations
    assert seen.trouble.loop_ms >= 50_000.0
