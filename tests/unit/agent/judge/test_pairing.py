"""Truth rule 6: whose callee leg is whose."""

from dataclasses import replace

import pytest

from agent.contract.call import Play, Tone
from agent.contract.verdict import Check, Reason, Result
from agent.judge.run import AgentReport, PairedBy, RunVerdict, judge_run
from tests.unit.agent.judge.judging import CALLEE, said
from tests.unit.builders import callee_leg, caller_leg, change, good_reports, plan, report

BARE = {"call": None, "number": None, "call_key": None}
"""A callee leg behind a SUT that drops our header."""
B2BUA = BARE | {"sip_call_id": "b2bua@10.0.0.1"}
"""… and has a Call-ID of its own."""


def reports(count: int, **callee_changes) -> list[AgentReport]:
    caller, callee = good_reports(group__count=count)
    return [caller, replace(callee, legs=tuple(change(leg, **callee_changes) for leg in callee.legs))]


def mute(count: int, **callee_changes) -> list[AgentReport]:
    """Calls that play no signal of their own."""
    nothing = {f"group__expect__{leg}__audio": None for leg in ("caller", "callee")}
    caller, callee = good_reports(group__count=count, group__caller__play=Play(tone=Tone()), **nothing)
    return [caller, replace(callee, legs=tuple(change(leg, **callee_changes) for leg in callee.legs))]


def paired(verdict: RunVerdict) -> list[PairedBy | None]:
    return [call.paired_by for call in verdict.calls]


def test_our_header_tells_first():
    verdict = judge_run(reports(2, sip_call_id="the same", from_user=None))

    assert paired(verdict) == [PairedBy.HEADER, PairedBy.HEADER]
    assert verdict.result is Result.PASSED


def test_without_a_header_the_call_id_tells():
    verdict = judge_run(reports(2, **BARE))

    assert paired(verdict) == [PairedBy.CALL_ID, PairedBy.CALL_ID]
    assert verdict.result is Result.PASSED


def test_without_a_call_id_the_calling_user_tells_where_it_called_once():
    verdict = judge_run(reports(1, **B2BUA))

    assert paired(verdict) == [PairedBy.USER]
    assert verdict.result is Result.PASSED
    assert verdict.calls[0].callee.call == "pin"


def test_without_a_user_the_order_of_calls_one_at_a_time_tells():
    verdict = judge_run(mute(3, **B2BUA))

    assert paired(verdict) == [PairedBy.ORDER] * 3
    assert [call.callee.number for call in verdict.calls] == [0, 1, 2]
    assert verdict.result is Result.PASSED


def test_an_unknown_user_is_no_user():
    assert paired(judge_run(mute(1, **B2BUA, from_user=None))) == [PairedBy.ORDER]


def test_a_caller_leg_without_call_id_is_not_paired_by_it():
    caller, callee = reports(1, **BARE | {"sip_call_id": None})
    caller = replace(caller, legs=(change(caller.legs[0], sip_call_id=None),))

    assert paired(judge_run([caller, callee])) == [PairedBy.USER]


def test_one_call_id_on_two_callers_legs_tells_nothing():
    caller, callee = mute(2, **BARE | {"sip_call_id": "same"})
    caller = replace(caller, legs=tuple(change(leg, sip_call_id="same") for leg in caller.legs))

    assert paired(judge_run([caller, callee])) == [PairedBy.ORDER] * 2


@pytest.mark.parametrize("changes", [{"progress__ended_ms": None}, {"progress__ended_ms": 15_000.0}])
def test_calls_that_may_have_overlapped_at_the_callee_are_ambiguous(changes):
    verdict = judge_run(mute(2, **B2BUA | changes))

    assert paired(verdict) == [None, None]
    assert said(verdict.calls[0].findings) == [(Check.DELIVERED, Reason.NOT_MEASURED)]
    assert verdict.calls[0].findings[0].note == "2 calls at the callee may be any of 2 that were placed"
    assert verdict.result is Result.INCONCLUSIVE
    assert [stray.note for stray in verdict.strays] == ["it may be any of 2 calls"] * 2


def test_calls_that_overlapped_at_the_caller_are_ambiguous():
    caller, callee = mute(2, **B2BUA)
    caller = replace(caller, legs=tuple(change(leg, began_s=1e9) for leg in caller.legs))

    assert paired(judge_run([caller, callee])) == [None, None]


def test_fewer_calls_at_the_callee_than_were_placed_are_ambiguous():
    caller, callee = mute(3, **B2BUA)
    verdict = judge_run([caller, replace(callee, legs=callee.legs[:2])])

    assert {call.reason for call in verdict.calls} == {Reason.NOT_MEASURED}


def test_no_call_at_the_callee_is_not_ambiguous():
    caller, callee = reports(2)
    verdict = judge_run([caller, replace(callee, legs=())])

    assert {call.reason for call in verdict.calls} == {Reason.ANSWERED_ELSEWHERE}


def test_a_leg_may_be_one_of_a_call_whose_caller_leg_is_missing():
    caller, callee = mute(2, **B2BUA)
    verdict = judge_run([replace(caller, legs=caller.legs[:1], complete=False), replace(callee, legs=callee.legs[:1])])

    assert paired(verdict) == [None, None]
    assert said(verdict.calls[0].findings) == [(Check.DELIVERED, Reason.NOT_MEASURED)]
    assert said(verdict.calls[1].findings) == [(Check.COMPLETED, Reason.AGENT_LOST)]


def test_an_ambiguous_calls_own_failure_stands():
    caller, callee = mute(2, **B2BUA | {"progress__ended_ms": None})
    broken = change(caller.legs[0], final_code=503)
    verdict = judge_run([replace(caller, legs=(broken, caller.legs[1])), callee])

    assert said(verdict.calls[0].findings) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]
    assert verdict.calls[0].findings[0].note == "2 calls at the callee may be any of 2 that were placed"


def test_users_of_one_call_each_tell_where_the_rest_is_left_to_order():
    caller, callee = mute(3, **B2BUA)
    users = ["ann", "bob", "bob"]
    verdict = judge_run(
        [
            replace(r, legs=tuple(change(leg, from_user=user) for leg, user in zip(r.legs, users, strict=True)))
            for r in (caller, callee)
        ]
    )

    assert paired(verdict) == [PairedBy.USER, PairedBy.ORDER, PairedBy.ORDER]


def test_wall_clocks_tell_no_order():
    """An agent's clock may be set while calls are up."""
    caller, callee = mute(2, **B2BUA)
    back = replace(caller, legs=tuple(change(leg, started_at=1e9 - 60 * leg.number) for leg in caller.legs))

    assert [call.callee.number for call in judge_run([back, callee]).calls] == [0, 1]


# a header that a path puts into other calls


def test_a_copied_header_does_not_beat_call_id_and_user():
    """The SUT sends the first call's header with every later call."""
    verdict = judge_run(reports(3, call_key=callee_leg().call_key))

    assert paired(verdict) == [PairedBy.HEADER, PairedBy.CALL_ID, PairedBy.CALL_ID]
    assert [call.callee.sip_call_id for call in verdict.calls] == [call.caller.sip_call_id for call in verdict.calls]
    assert verdict.result is Result.PASSED


def test_a_header_of_another_run_does_not_beat_call_id_and_user():
    assert paired(judge_run(reports(1, call_key="another-run/0/pin/0"))) == [PairedBy.CALL_ID]


def test_a_header_beats_a_call_id_of_another_user():
    """A Call-ID alone may be reused by whoever sees it."""
    caller, callee = reports(2)
    swapped = [callee_leg(number=n, sip_call_id=caller.legs[1 - n].sip_call_id, from_user="eve") for n in (0, 1)]

    assert paired(judge_run([caller, replace(callee, legs=tuple(swapped))])) == [PairedBy.HEADER] * 2


def test_a_header_in_two_answered_calls_is_whose_signal_was_heard():
    verdict = judge_run(reports(3, call_key=callee_leg().call_key, sip_call_id="b2bua"))

    assert paired(verdict) == [PairedBy.HEADER, PairedBy.SIGNAL, PairedBy.SIGNAL]
    assert verdict.result is Result.PASSED


def test_a_header_stands_whatever_was_heard():
    """Crossed audio is a fault of the path: it does not say whose call it was."""
    caller, callee = reports(2)
    first, second = callee.legs
    crossed = (change(first, heard=second.heard), change(second, heard=first.heard))
    verdict = judge_run([caller, replace(callee, legs=crossed)])

    assert paired(verdict) == [PairedBy.HEADER] * 2
    assert verdict.reason is Reason.WRONG_AUDIO


# by what each heard

AT_ONCE = B2BUA | {"progress__ended_ms": 600_000.0}
"""Calls that are all up at once, behind a B2BUA."""


def test_calls_at_once_are_whose_signal_each_heard():
    verdict = judge_run(reports(24, **AT_ONCE))

    assert paired(verdict) == [PairedBy.SIGNAL] * 24
    assert [call.callee.number for call in verdict.calls] == list(range(24))
    assert verdict.result is Result.PASSED


def test_what_heard_nothing_of_its_own_is_left_to_order_or_nobodys():
    caller, callee = reports(3, **AT_ONCE)
    deaf = (*callee.legs[:2], change(callee.legs[2], heard__codes={}))
    verdict = judge_run([caller, replace(callee, legs=deaf)])

    assert paired(verdict) == [PairedBy.SIGNAL, PairedBy.SIGNAL, PairedBy.ORDER]
    deaf = (callee.legs[0], *(change(leg, heard=None) for leg in callee.legs[1:]))
    verdict = judge_run([caller, replace(callee, legs=deaf)])
    assert paired(verdict) == [PairedBy.SIGNAL, None, None]
    assert verdict.reason is Reason.NOT_MEASURED


def test_a_leg_that_heard_two_calls_is_neithers_by_that():
    caller, callee = reports(2, **AT_ONCE)
    both_codes = callee.legs[0].heard.codes | callee.legs[1].heard.codes
    verdict = judge_run(
        [caller, replace(callee, legs=tuple(change(leg, heard__codes=both_codes) for leg in callee.legs))]
    )

    assert paired(verdict) == [None, None]


def test_a_signal_that_two_legs_heard_tells_nothing():
    caller, callee = reports(2, **AT_ONCE)
    same = tuple(change(leg, heard=callee.legs[0].heard) for leg in callee.legs)

    assert paired(judge_run([caller, replace(callee, legs=same)])) == [None, None]


def test_a_signal_tells_also_where_a_callers_leg_is_missing():
    caller, callee = reports(2, **AT_ONCE)
    verdict = judge_run([replace(caller, legs=caller.legs[:1], complete=False), callee])

    assert paired(verdict) == [PairedBy.SIGNAL, PairedBy.SIGNAL]


def test_calls_that_play_no_signal_are_not_known_by_it():
    assert paired(judge_run(mute(2, **AT_ONCE))) == [None, None]


# strays


def test_an_invite_of_another_run_is_a_stray_and_fails_nothing():
    caller, callee = reports(1)
    alien = change(callee_leg(), call_key="another-run/0/pin/0", call=None, number=None, sip_call_id="alien")
    verdict = judge_run([caller, replace(callee, legs=(*callee.legs, alien))])

    assert verdict.result is Result.PASSED
    assert [(stray.agent, stray.leg, stray.note) for stray in verdict.strays] == [
        ("callee-0", alien, "its X-Calltest-Call names no call of this run")
    ]


def test_an_invite_that_nobody_placed_is_a_stray():
    caller, callee = reports(1)
    scanner = change(callee_leg(), **B2BUA, from_user="100")
    verdict = judge_run([caller, replace(callee, legs=(*callee.legs, scanner))])

    assert verdict.result is Result.PASSED
    assert [stray.note for stray in verdict.strays] == ["every call to this endpoint has its callee leg already"]


def test_an_invite_at_an_endpoint_without_calls_is_a_stray():
    caller, callee = reports(1)
    late = change(callee_leg(endpoint=7), **B2BUA)

    assert len(judge_run([caller, replace(callee, legs=(*callee.legs, late))]).strays) == 1


def test_a_stray_beside_a_call_without_callee_leg_makes_it_ambiguous():
    caller, callee = reports(1)
    scanner = change(callee_leg(), **B2BUA, from_user="100", progress__ended_ms=None)
    two = [scanner, change(scanner, sip_call_id="2")]
    verdict = judge_run([caller, replace(callee, legs=tuple(two))])

    assert said(verdict.calls[0].findings) == [(Check.DELIVERED, Reason.NOT_MEASURED)]


def test_a_callers_leg_of_no_planned_call_is_a_stray():
    caller, callee = reports(1)
    odd = [
        caller_leg(number=1),
        caller_leg(number=-1),
        caller_leg(call="other"),
        caller_leg(endpoint=3),
        caller_leg(call_key="x"),
    ]
    verdict = judge_run([replace(caller, legs=(*caller.legs, *odd)), callee])

    assert verdict.result is Result.PASSED
    assert [stray.note for stray in verdict.strays] == ["no call of this caller's plan"] * 5


# more than one INVITE for a call


def test_of_a_forked_call_the_answered_leg_counts():
    caller, callee = reports(1)
    branch = callee_leg(sip_call_id="0", final_code=487, dtmf_received=())
    verdict = judge_run([caller, replace(callee, legs=(branch, *callee.legs))])

    assert verdict.result is Result.PASSED
    assert [(stray.leg, stray.note) for stray in verdict.strays] == [(branch, "one of 2 INVITEs of pin 0")]


def test_of_a_call_forked_and_never_answered_the_first_leg_counts():
    caller, callee = reports(1, final_code=487)
    second = change(callee.legs[0], began_s=3e9)
    verdict = judge_run(
        [replace(caller, legs=(caller_leg(final_code=480),)), replace(callee, legs=(second, *callee.legs))]
    )

    assert verdict.calls[0].callee == callee.legs[0]
    assert verdict.reason is Reason.SIP_CODE_MISMATCH


def test_a_call_answered_twice_at_the_callee_is_ambiguous():
    caller, callee = reports(1)
    second = callee_leg(sip_call_id="0")
    verdict = judge_run([caller, replace(callee, legs=(*callee.legs, second))])

    assert said(verdict.calls[0].findings) == [(Check.DELIVERED, Reason.NOT_MEASURED)]
    assert len(verdict.strays) == 2


def test_the_same_line_twice_is_one_leg():
    caller, callee = reports(1)
    verdict = judge_run([replace(caller, legs=caller.legs * 2), replace(callee, legs=callee.legs * 2)])

    assert (verdict.result, verdict.strays) == (Result.PASSED, ())


def test_two_different_legs_of_one_call_at_the_caller_are_not_believed():
    caller, callee = reports(1)
    verdict = judge_run([replace(caller, legs=(*caller.legs, caller_leg(rtt_ms=7.0))), callee])

    [finding] = verdict.calls[0].findings
    assert (finding.reason, finding.note) == (Reason.NOT_MEASURED, "two different legs of this call were reported")


def test_a_callee_leg_is_judged_as_one_of_the_call_it_was_paired_with():
    caller, callee = reports(1, **B2BUA, dtmf_received=())
    verdict = judge_run([caller, callee])

    assert said(verdict.calls[0].findings, CALLEE) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_calls_without_a_declared_callee_pair_nothing():
    its_plan = plan(callee_declared=False, group__expect__callee=plan().calls[0].expect.callee.__class__())

    assert paired(judge_run([report(its_plan, caller_leg())])) == [None]
