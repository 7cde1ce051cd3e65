"""redirected and forking: 3xx, and second answers."""

from typing import Any

import pytest

from agent.contract.observation import Fork, Trouble
from agent.contract.outcome import Forking, OnRedirect, Wanted
from agent.contract.verdict import Check, Reason, Role
from agent.judge.checks import asked_of_call
from agent.judge.run import judge_run
from agent.phone.protocol import CallHandle, Event, NotFollowed
from tests.unit.agent.judge.judging import both, said
from tests.unit.agent.judge.test_reasons import MOVED, NO_MEDIA
from tests.unit.agent.judge.wire import caller, the_plan, verdict
from tests.unit.builders import call_group, callee_leg, caller_leg, change, report
from tests.unit.sip_messages import message, request, response

ALONE: dict[str, Any] = NO_MEDIA | {"callee_declared": False}
FOLLOW: dict[str, Any] = ALONE | {"group__caller__redirects": OnRedirect.FOLLOW}


def expecting(base: dict[str, Any] = ALONE, **fields: Any) -> dict[str, Any]:
    return base | {f"group__expect__{name}": value for name, value in fields.items()}


def redirected(*responses: tuple[str, int, dict[str, str]], **fields: Any) -> Any:
    """A caller whose INVITEs were sent to these Request-URIs, and answered so."""
    found: list[Event] = []
    for place, (uri, code, headers) in enumerate(responses):
        at_s, tags = 10.2 + 0.1 * place, {"cseq": 2 + place, "branch": f"b{place}"}
        found.append(message(at_s, request(**tags).replace("sip:bob@example.com", uri, 1), sent=True))
        found.append(
            message(at_s + 0.05, response(code, headers=headers, to_tag=f"x{place}", phrase="Said", **tags), sent=False)
        )
    return caller(code=302, ringing=False, bye_sent=None, extra=tuple(found), **{"ended_s": 12.0, **fields})


def reasons(found: Any) -> list[Reason]:
    return [finding.reason for finding in found.findings]


CAROL, DAVE = "sip:carol@example.com", "sip:dave@example.com"


@pytest.mark.covers("calls[].expect.redirect")
def test_a_3xx_is_required_or_forbidden_or_neither() -> None:
    moved = caller(code=302, refusal=MOVED, ringing=False)
    assert reasons(verdict(moved, None, **expecting(sip_code=302))) == []
    assert reasons(verdict(moved, None, **expecting(sip_code="3xx", redirect=Wanted.REQUIRED))) == []
    assert reasons(verdict(moved, None, **expecting())) == [Reason.SIP_CODE_MISMATCH]
    [finding] = verdict(moved, None, **expecting(redirect=Wanted.FORBIDDEN)).findings
    assert (finding.check, finding.reason) == (Check.REDIRECTED, Reason.REDIRECT_UNEXPECTED)
    assert (finding.expected, finding.observed) == ("no 3xx", f"a 3xx to {CAROL}")
    assert reasons(verdict(**expecting(redirect=Wanted.FORBIDDEN))) == []
    [finding] = verdict(**expecting(redirect=Wanted.REQUIRED)).findings
    assert (finding.reason, finding.expected, finding.observed) == (Reason.REDIRECT_MISSING, "a 3xx", "200 OK")


def test_no_redirect_is_why_there_is_another_code() -> None:
    other = verdict(caller(code=486), None, **expecting(sip_code="3xx", redirect=Wanted.REQUIRED))
    assert reasons(other) == [Reason.REDIRECT_MISSING]
    silent = verdict(
        caller(code=None, ringing=False, ended_s=42.0), None, **expecting(sip_code=302, redirect=Wanted.REQUIRED)
    )
    assert reasons(silent) == [Reason.NO_RESPONSE]


def test_a_3xx_without_contacts_leads_nowhere() -> None:
    [finding] = verdict(caller(code=302), None, **expecting(redirect=Wanted.FORBIDDEN)).findings
    assert finding.observed == "a 3xx to nowhere"
    assert reasons(verdict(caller(code=302), None, **FOLLOW)) == [Reason.SIP_CODE_MISMATCH]


@pytest.mark.covers("calls[].expect.redirectTo")
def test_the_contact_that_is_expected_is_among_those_of_the_3xx() -> None:
    several = {"Contact": f"<{DAVE}>;q=0.2, <{CAROL}>;q=0.9"}
    moved = caller(code=302, refusal=several, ringing=False)
    assert reasons(verdict(moved, None, **expecting(sip_code=302, redirect_to=CAROL))) == []
    assert reasons(verdict(moved, None, **expecting(sip_code=302, redirect_to="sip:dave@EXAMPLE.com"))) == []
    [finding] = verdict(moved, None, **expecting(sip_code=302, redirect_to="sip:erin@example.com")).findings
    assert (finding.reason, finding.expected) == (Reason.REDIRECT_TARGET_MISMATCH, "a 3xx to sip:erin@example.com")
    assert finding.observed == f"one to {DAVE} and {CAROL}"
    assert reasons(verdict(**expecting(redirect_to=CAROL))) == [Reason.REDIRECT_MISSING]


def test_all_contacts_of_a_3xx_are_read_and_where_not_all_are_told_the_expected_one_may_be_among_them() -> None:
    def to(wanted: str, *contacts: str) -> list[Reason]:
        moved = caller(code=302, refusal={"Contact": ", ".join(contacts)}, ringing=False)
        return reasons(verdict(moved, None, **expecting(sip_code=302, redirect_to=wanted)))

    nine = [f"<sip:user{letter}@example.com>" for letter in "abcdefghi"]
    assert to("sip:userh@example.com", *nine) == []
    assert to("sip:useri@example.com", *nine) == [Reason.NOT_MEASURED]
    assert to("sip:other@example.com", *nine) == [Reason.NOT_MEASURED]
    assert to("sip:other@example.com", *nine[:8]) == [Reason.REDIRECT_TARGET_MISMATCH]
    assert to(CAROL, f'"{"x" * 1100}" <{DAVE}>', f"<{CAROL}>") == []
    assert to(CAROL, f"<{DAVE};x={'y' * 300}>") == [Reason.NOT_MEASURED]


def test_a_3xx_of_which_not_all_contacts_are_told_is_not_known_to_be_a_loop() -> None:
    back = ", ".join(["<sip:bob@example.com>"] * 9)
    moved = caller(code=302, ringing=False, refusal={"Contact": back})
    assert reasons(verdict(moved, None, **FOLLOW)) == [Reason.SIP_CODE_MISMATCH]


def test_a_redirect_that_was_followed_to_an_answer_passes() -> None:
    answered = redirected(("sip:carol@example.com", 200, {}), refusal=MOVED)
    found = verdict(answered, None, **expecting(FOLLOW, redirect_to=CAROL))
    assert Check.REDIRECTED not in {finding.check for finding in found.findings}
    assert found.caller.dialog.followed == (CAROL,)
    forbidden = verdict(answered, None, **expecting(FOLLOW, redirect=Wanted.FORBIDDEN))
    assert (Check.REDIRECTED, Reason.REDIRECT_UNEXPECTED) in said(forbidden.findings)


def test_where_it_led_is_told_of_one_that_led_to_another_code() -> None:
    [finding] = verdict(redirected((CAROL, 404, {}), refusal=MOVED), None, **FOLLOW).findings
    assert finding.reason is Reason.SIP_CODE_MISMATCH
    assert f"redirected, it called {CAROL}, and got 404 Said" in (finding.note or "")


def test_a_3xx_back_to_what_was_called_is_a_loop() -> None:
    back = redirected((CAROL, 302, {"Contact": "<sip:bob@example.com>"}), refusal=MOVED)
    [finding] = verdict(back, None, **FOLLOW).findings
    assert (finding.reason, finding.observed) == (
        Reason.REDIRECT_LOOP,
        f"302 Said back to {CAROL} and sip:bob@example.com",
    )
    itself = caller(code=302, ringing=False, refusal={"Contact": "<sip:bob@example.com>"})
    assert reasons(verdict(itself, None, **FOLLOW)) == [Reason.REDIRECT_LOOP]
    assert reasons(verdict(itself, None, **ALONE)) == [Reason.SIP_CODE_MISMATCH]
    assert reasons(verdict(itself, None, **expecting(FOLLOW, sip_code="3xx"))) == []


def test_a_contact_that_no_agent_can_call_is_no_loop() -> None:
    phone = caller(code=302, ringing=False, refusal={"Contact": "<tel:+493012345>"})
    assert reasons(verdict(phone, None, **FOLLOW)) == [Reason.SIP_CODE_MISMATCH]


def test_a_contact_that_our_rules_forbid_is_not_held_against_the_sut() -> None:
    """Truth rule 10."""
    stopped = NotFollowed(at_s=10.2, call=CallHandle(1), reason="sip:112@x: 112 is an emergency number")
    moved = caller(code=302, ringing=False, refusal={"Contact": "<sip:112@x>"}, extra=(stopped,))
    [finding] = verdict(moved, None, **FOLLOW).findings
    assert (finding.check, finding.reason) == (Check.REDIRECTED, Reason.NOT_MEASURED)
    assert (finding.note or "").endswith("sip:112@x: 112 is an emergency number")
    assert reasons(verdict(moved, None, **expecting(FOLLOW, sip_code=302))) == []


def test_a_call_that_was_given_up_was_not_redirected() -> None:
    cancelled = (message(40.1, request("CANCEL"), sent=True),)
    late = caller(code=302, answers=1, refusal=MOVED, extra=cancelled, ended_s=41.0, bye_sent=None)
    assert reasons(verdict(late, None, **expecting(redirect=Wanted.FORBIDDEN))) == [Reason.SIP_CODE_MISMATCH]


def test_a_3xx_that_was_dropped_at_our_own_socket_may_have_come() -> None:
    dropped = both(caller={"health__setup": Trouble(socket_drops=1)}, group__expect__redirect=Wanted.REQUIRED)
    assert said(dropped.findings) == [(Check.REDIRECTED, Reason.AGENT_OVERLOADED)]


# forking


@pytest.mark.covers("calls[].expect.forking")
def test_a_second_answer_fails_only_where_it_is_forbidden() -> None:
    twice = caller(extra=(message(10.11, response(200, to_tag="t2"), sent=False),))
    assert verdict(twice, None, **ALONE).findings == ()
    [finding] = verdict(twice, None, **expecting(forking=Forking.FORBIDDEN)).findings
    assert (finding.check, finding.reason, finding.observed) == (Check.FORKING, Reason.ANSWERED_TWICE, "2 answers")
    assert finding.note == "beside the call's own (To tag t), those with tag t2"


def test_a_second_answer_is_seen_however_many_others_rang_before() -> None:
    rang = (message(10.03, response(180, to_tag=f"r{place}"), sent=False) for place in range(20))
    twice = caller(extra=(*rang, message(10.11, response(200, to_tag="t2"), sent=False)))
    assert reasons(verdict(twice, None, **expecting(forking=Forking.FORBIDDEN))) == [Reason.ANSWERED_TWICE]


def test_forks_that_only_ring_are_none() -> None:
    rang = caller(extra=(message(10.05, response(183, to_tag="t2"), sent=False),))
    assert verdict(rang, None, **expecting(forking=Forking.FORBIDDEN)).findings == ()


def test_an_answer_that_is_sent_again_is_one() -> None:
    assert verdict(caller(answers=3), None, **expecting(forking=Forking.FORBIDDEN)).findings == ()


def test_two_answers_of_our_callee_are_two_though_the_caller_got_one() -> None:
    """A B2BUA forks under Call-IDs of its own."""
    legs = [callee_leg(sip_call_id=name, began_s=at_s) for name, at_s in (("x1", 1.0), ("x2", 1.1))]
    found = {}
    for forking in Forking:
        changes = {"group__expect__forking": forking}
        plans = [the_plan(role, **changes) for role in (Role.CALLER, Role.CALLEE)]
        found[forking] = judge_run([report(plans[0], caller_leg()), report(plans[1], *legs)]).calls[0]
    assert Reason.ANSWERED_TWICE in reasons(found[Forking.FORBIDDEN])
    assert Reason.ANSWERED_TWICE not in reasons(found[Forking.ALLOWED])
    [finding] = [each for each in found[Forking.FORBIDDEN].findings if each.reason is Reason.ANSWERED_TWICE]
    assert (finding.leg, finding.observed) == (Role.CALLEE, "2 answers, by the callee")


def test_a_second_answer_that_both_ends_tell_of_is_said_once() -> None:
    fork = Fork(tag="t2", codes=(200,), ended=True)
    legs = [callee_leg(sip_call_id=name, began_s=at_s) for name, at_s in (("x1", 1.0), ("x2", 1.1))]
    plans = [the_plan(role, group__expect__forking=Forking.FORBIDDEN) for role in (Role.CALLER, Role.CALLEE)]
    told = judge_run([report(plans[0], caller_leg(dialog__forks=(fork,))), report(plans[1], *legs)]).calls[0]
    assert reasons(told).count(Reason.ANSWERED_TWICE) == 1


# What is asked is said


def test_what_is_asked_of_redirects_and_forks_is_said() -> None:
    plain = call_group().expect
    assert asked_of_call(plain) == {}
    for changes, told in (
        ({"redirect": Wanted.REQUIRED}, {Check.REDIRECTED: "a 3xx"}),
        ({"redirect": Wanted.FORBIDDEN}, {Check.REDIRECTED: "no 3xx"}),
        ({"redirect_to": CAROL}, {Check.REDIRECTED: f"a 3xx to {CAROL}"}),
        ({"forking": Forking.FORBIDDEN}, {Check.FORKING: "one answer"}),
    ):
        assert asked_of_call(change(plain, **changes)) == told
