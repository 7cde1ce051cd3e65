"""Calls that our own callee refuses, or lets ring: whose doing what the caller got is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.call import Acting, Behaviour, Refusal
from agent.contract.observation import WAS_OVER, Action
from agent.contract.plan import call_key
from agent.contract.steps import callee_steps, final_after_ms, final_code, takes_calls
from agent.contract.verdict import Check, Reason, Result
from agent.judge.checks.answered import MADE_500
from agent.judge.verdicts import CallVerdict
from tests.unit.agent.judge.behaving import (
    BUSY,
    DECLINES,
    NOTHING,
    RANG_ON,
    cancelled,
    gave_up,
    given_up,
    rang,
    refused,
    refused_by_callee,
    refusing,
    ring_on,
)
from tests.unit.agent.judge.wire import End, callee, caller, silence, troubled, verdict
from tests.unit.builders import RUN_UID, call_group
from tests.unit.sip_messages import message, request, response


def said(came: CallVerdict) -> list[tuple[Check, Reason]]:
    return [(finding.check, finding.reason) for finding in came.findings]


def test_the_refusal_of_our_own_callee_is_what_is_expected_where_it_is_to_refuse() -> None:
    assert refused_by_callee(486).findings == ()
    assert verdict(refused(603), refusing(603), **DECLINES).findings == ()
    assert refused_by_callee(486, got=480, group__expect__sip_code=480).findings == ()  # a SUT that maps it


def test_another_refusal_than_our_callees_is_told_with_what_that_sent() -> None:
    came = refused_by_callee(486, got=503)
    assert said(came) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]
    assert came.findings[0].note == "the INVITE reached the callee, which answered 486 Busy Here"
    no_gateway = DECLINES | {"group__callee__refuse": Refusal(code=503), "group__expect__sip_code": 503}
    by_the_book = verdict(refused(500), refusing(503), **no_gateway)
    assert (by_the_book.findings[0].note or "").endswith("503 Service Unavailable; " + MADE_500)
    nobody = verdict(refused(404), None, **BUSY)
    assert said(nobody) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]
    assert nobody.findings[0].note == "no INVITE reached the callee"


def test_a_refusal_that_our_callee_did_not_make_is_the_suts_own() -> None:
    nobody = verdict(refused(486), None, **BUSY)
    assert said(nobody) == [(Check.DELIVERED, Reason.REFUSED_ELSEWHERE)]
    assert nobody.findings[0].note == "the caller got 486 Busy Here after 0.1 s"
    assert said(refused_by_callee(487)) == [(Check.DELIVERED, Reason.REFUSED_ELSEWHERE)]


@given(gave_ms=st.integers(20, 8000))
def test_a_refusal_that_the_caller_had_before_our_callee_gave_it_is_the_suts_own(gave_ms: int) -> None:
    """The caller has it 100 ms after its INVITE."""
    at_s = 10 + gave_ms / 1000
    given_then = (message(at_s, response(486, phrase="Busy Here"), sent=True),)
    late = BUSY | {"group__callee__answer_after_milliseconds": gave_ms}
    own = refusing(None, extra=given_then, ended_s=at_s + 0.1)
    expected = [(Check.DELIVERED, Reason.REFUSED_ELSEWHERE)] if gave_ms > 300 else []
    assert said(verdict(refused(486), own, **late)) == expected


def test_an_answer_where_our_callee_refuses_comes_from_elsewhere() -> None:
    answered = caller(bye_s=10.13)
    for own in (None, refusing(486), refusing(487)):
        assert said(verdict(answered, own, **BUSY)) == [(Check.DELIVERED, Reason.ANSWERED_ELSEWHERE)]


def test_a_refusal_that_never_came_to_the_caller_is_no_answer() -> None:
    gone = caller(code=None, bye_sent=None, ended_s=40.1)
    came = verdict(gone, refusing(486), **BUSY)
    assert said(came) == [(Check.ANSWERED, Reason.NO_ANSWER)]
    assert "which answered 486" in (came.findings[0].note or "")


@pytest.mark.parametrize(
    ("own", "got", "expected"),
    [
        (refusing(480), 480, Reason.AGENT_ERROR),  # of itself: it is another run's callee, say
        (refusing(480), 486, Reason.AGENT_ERROR),
        (refusing(488), 486, Reason.NOT_MEASURED),  # our stack
        (refusing(None), 486, Reason.NOT_MEASURED),
        (callee(bye_s=10.13), 486, Reason.NOT_MEASURED),
    ],
)
def test_a_callee_that_did_otherwise_than_it_was_to_blames_nobody(own, got, expected) -> None:
    came = verdict(refused(got), own, **BUSY)
    assert came.result is Result.INCONCLUSIVE
    assert expected in {finding.reason for finding in came.findings}


def test_a_callee_that_refused_late_is_what_kept_the_caller_waiting() -> None:
    late = refusing(None, extra=(message(16.0, response(486, phrase="Busy Here"), sent=True),), ended_s=16.1)
    gone = caller(code=None, bye_sent=None, ended_s=40.1)
    assert said(verdict(gone, late, **BUSY)) == [(Check.ANSWERED, Reason.AGENT_ERROR)]
    in_time = BUSY | {"group__callee__answer_after_milliseconds": 6000}
    assert said(verdict(gone, late, **in_time)) == [(Check.ANSWERED, Reason.NO_ANSWER)]


def test_a_callee_in_trouble_excuses_a_refusal_that_it_did_not_come_to() -> None:
    slow = refusing(487, health=troubled(loop_ms=900.0, over_ms=9000.0))
    assert said(verdict(refused(486), slow, **BUSY)) == [(Check.DELIVERED, Reason.AGENT_OVERLOADED)]


def test_a_step_that_could_not_be_done_blames_nobody() -> None:
    failed = (Action(name="Answer", at_ms=None, error="no memory"),)
    for code in (487, None):  # a step that fails as a CANCEL has come is no error
        came = verdict(refused(486), refusing(code, actions=failed), **BUSY)
        assert said(came) == [(Check.DELIVERED, Reason.NOT_MEASURED)]
    unanswered = callee(code=487, bye_sent=None, ended_s=12.0, actions=failed)
    assert verdict(caller(bye_s=10.13), unanswered, **NOTHING).result is Result.INCONCLUSIVE
    dumb = (Action(name="PlayBack", at_ms=None, error="no port"),)
    broken = caller(sound=silence())
    over = (Action(name="PlayBack", at_ms=None, error=WAS_OVER),)
    for actions, reason in ((dumb, Reason.NOT_MEASURED), ((), Reason.NO_AUDIO), (over, Reason.NO_AUDIO)):
        assert (Check.AUDIO, reason) in said(verdict(broken, callee(actions=actions)))


def test_who_is_answered_elsewhere_as_our_callee_was_late_to_refuse_blames_nobody() -> None:
    ill = troubled(loop_ms=900.0, over_ms=9000.0)
    for own in (refusing(487, health=ill), refusing(486, health=ill)):
        assert verdict(caller(bye_s=10.13), own, **BUSY).result is Result.INCONCLUSIVE


def test_the_try_that_our_callee_refused_as_it_was_to_is_the_one_that_counts() -> None:
    """A SUT that was refused SRTP by our stack asks again without."""
    assert refused_by_callee(486, before=(refusing(488),)).findings == ()


def left_alone() -> End:
    """Our callee, which rang for 6 s of the 9 after which it was to answer, when its agent ended that."""
    final = message(16.0, response(480, phrase="Temporarily Unavailable"), sent=True)
    return refusing(None, ringing=True, extra=(final,), actions=RANG_ON, ended_s=16.1)


def test_who_had_not_answered_yet_when_the_caller_had_its_code_did_not_give_it() -> None:
    late = BUSY | {"group__callee__answer_after_milliseconds": 9000}
    own = left_alone()
    assert said(verdict(refused(486), own, **late)) == [(Check.DELIVERED, Reason.REFUSED_ELSEWHERE)]
    assert said(verdict(refused(404), own, **late)) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]
    takes = NOTHING | {"group__callee__answer_after_milliseconds": 9000}
    assert (Check.DELIVERED, Reason.ANSWERED_ELSEWHERE) in said(verdict(caller(), own, **takes))
    due = BUSY | {"group__callee__answer_after_milliseconds": 5000}  # it did not do what it was to
    assert verdict(refused(486), own, **due).result is Result.INCONCLUSIVE


# only ringing


def test_a_call_that_only_rings_is_given_up_by_the_caller_and_at_both_ends() -> None:
    assert given_up(rang()).findings == ()
    timed_out = verdict(refused(408), rang(), **NOTHING, behaviour=Behaviour.RING_ONLY, group__expect__sip_code=408)
    assert timed_out.findings == ()  # the SUT's own timer


def test_a_callee_that_was_left_ringing_is_told_as_such() -> None:
    for code in (603, None):
        came = given_up(ring_on(code))
        assert said(came) == [(Check.DELIVERED, Reason.CANCEL_MISSING)]
        assert came.findings[0].note == "the caller got 487 Request Terminated after 3.0 s"


def test_a_cancel_that_belongs_to_no_invite_cancels_nothing() -> None:
    strays = [message(13.02, request("CANCEL", branch="other"), sent=False)]
    strays.append(message(13.03, response(481, method="CANCEL", branch="other"), sent=True))
    refused_then = message(16.0, response(603, phrase="Decline"), sent=True)
    came = given_up(ring_on(extra=(*strays, refused_then)))
    assert said(came) == [(Check.DELIVERED, Reason.CANCEL_MISSING)]
    assert came.findings[0].observed == "a CANCEL of no INVITE that it has"


def test_how_long_a_callee_that_only_rings_does_so_is_the_suts() -> None:
    asked = {"group__expect__sip_code": 480, "group__expect__answered_within_milliseconds": 1000}
    got = refused(None, extra=(message(13.0, response(480), sent=False),), ended_s=13.1)
    came = given_up(rang(), got, **asked)
    assert said(came) == [(Check.ANSWER_TIME, Reason.ANSWERED_LATE)]


def test_a_callee_whose_own_end_came_too_soon_tells_nothing_of_the_cancel() -> None:
    soon = ring_on(None, ended_s=13.5)
    stopped = ring_on(None, actions=RANG_ON[:1])
    for own in (soon, stopped):
        assert said(given_up(own)) == [(Check.DELIVERED, Reason.NOT_MEASURED)]


def test_a_call_that_was_cancelled_long_before_its_caller_gave_up_is_not_measured() -> None:
    """By a timer of the SUT's, which leaves the caller waiting; or it was called late, behind somebody else."""
    soon = callee(code=None, bye_sent=None, extra=cancelled(sent=False, at_s=11.5), ended_s=11.7)
    assert said(given_up(soon)) == [(Check.DELIVERED, Reason.NOT_MEASURED)]
    assert "whose CANCEL that was is not known" in (given_up(soon).findings[0].note or "")


def test_a_cancel_that_brings_no_487_is_no_answer() -> None:
    assert said(given_up(rang(), gave_up(code=None))) == [(Check.ANSWERED, Reason.NO_ANSWER)]


def test_a_487_before_the_caller_gave_up_is_not_what_was_asked() -> None:
    early = refused(487, ringing=True)
    assert said(given_up(rang(), early)) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]
    assert said(given_up(None)) == [(Check.DELIVERED, Reason.REFUSED_ELSEWHERE)]


# calls that differ


def test_a_callee_that_could_not_know_its_call_is_not_measured_whatever_came() -> None:
    others = (call_group(name="other"),)
    quiet = NOTHING | {"group__expect__sip_code": 486, "behaviour": Behaviour.BUSY}
    for got, own in ((refused(486), refusing(486, key=None)), (caller(bye_s=10.13), callee(key=None))):
        its = verdict(got, own, others=others, **quiet)
        assert its.result is Result.INCONCLUSIVE
        assert (Check.DELIVERED, Reason.NOT_MEASURED) in said(its)
        assert "X-Calltest-Call" in (its.findings[0].note or "")
    assert verdict(refused(486), refusing(486, key=None), **quiet).findings == ()  # all calls are such


def test_another_calls_header_makes_a_callee_do_what_that_call_says() -> None:
    """A path that copies headers; Call-ID and user tell whose leg it is."""
    others = (call_group(name="other"),)
    copied = callee(key=call_key(RUN_UID, 0, "other", 0), bye_s=10.13)
    came = verdict(caller(bye_s=10.13), copied, others=others, **BUSY)
    assert (came.result, came.reason) == (Result.INCONCLUSIVE, Reason.NOT_MEASURED)


def test_a_leg_that_may_be_any_calls_may_be_of_a_callee_that_could_not_know_it() -> None:
    others = (call_group(name="other"),)
    somebodys = callee(key=None, sip_call_id="c9", sound=silence(), bye_s=10.13)
    came = verdict(caller(bye_s=10.13), somebodys, others=others, **BUSY)
    assert (came.result, came.reason) == (Result.INCONCLUSIVE, Reason.NOT_MEASURED)
    usual = verdict(refused(404), somebodys, others=others, **NOTHING)
    assert (Check.ANSWERED, Reason.SIP_CODE_MISMATCH) in said(usual)


# steps


AFTER = st.one_of(st.none(), st.integers(0, 170_000))


@given(behaviour=st.sampled_from(Behaviour), code=st.integers(400, 699), after_ms=AFTER)
def test_what_the_judge_is_told_is_what_the_steps_do(behaviour: Behaviour, code: int, after_ms: int | None) -> None:
    acting = Acting(behaviour=behaviour, refuse=Refusal(code=code), answer_after_milliseconds=after_ms)
    steps = callee_steps(acting)
    usual = {Behaviour.BUSY: 486, Behaviour.REFUSE: code, Behaviour.RING_ONLY: None}
    assert final_code(steps) == usual.get(behaviour, 200)
    assert takes_calls(steps) is (behaviour in (Behaviour.PARROT, Behaviour.ABSORBER))
    if behaviour is not Behaviour.RING_ONLY:
        assert final_after_ms(steps) == (after_ms if after_ms is not None else 100 if takes_calls(steps) else 0)


def test_ringing_that_a_callee_does_not_do_is_not_measured() -> None:
    asked = BUSY | {"group__expect__ringing_within_milliseconds": 1000}
    assert said(verdict(refused(486), refusing(486), **asked)) == [(Check.RINGING, Reason.NOT_MEASURED)]


def test_another_code_where_our_callee_could_not_answer_is_its_own_doing() -> None:
    failed = (Action(name="Answer", at_ms=None, error="no memory"),)
    came = verdict(refused(480), refusing(None, actions=failed), **BUSY)
    assert said(came) == [(Check.ANSWERED, Reason.AGENT_ERROR)]
    assert came.findings[0].note == "the callee agent could not do its part: Answer: no memory"
