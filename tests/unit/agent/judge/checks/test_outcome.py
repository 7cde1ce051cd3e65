"""answered, phrase, provisional, ringing, answerTime: what the final response is to be, and what was before it."""

from typing import Any

import pytest

from agent.contract.expect import ExpectLeg
from agent.contract.observation import Trouble
from agent.contract.outcome import ExpectPhrase, is_of
from agent.contract.verdict import Check, Reason, Result
from agent.judge.checks import asked_of_call
from agent.judge.verdicts import CallVerdict
from agent.phone.protocol import Event, Unparsed
from tests.unit.agent.judge.judging import both, caller_alone, said
from tests.unit.agent.judge.wire import callee, caller, verdict
from tests.unit.builders import call_group, change
from tests.unit.sip_messages import message, response

NOTHING: dict[str, Any] = {
    "group__caller__dtmf": None, "group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg(),
}  # fmt: skip


def expecting(**fields: Any) -> dict[str, Any]:
    """A test that asks that of the call, and nothing of its media."""
    return NOTHING | {f"group__expect__{name}": value for name, value in fields.items()}


def heard(*codes: tuple[float, int, str], reliable: int | None = None) -> tuple[Event, ...]:
    """Provisional responses at the caller: when, code, To tag."""
    extra = "" if reliable is None else f"RSeq: {reliable}\r\n"
    return tuple(message(at_s, response(code, to_tag=tag, extra=extra), sent=False) for at_s, code, tag in codes)


def refused(code: int, *extra: Event, **fields: Any) -> CallVerdict:
    """By a SUT that answers itself."""
    changes = expecting(**fields) | {"callee_declared": False}
    return verdict(caller(code=code, ringing=False, extra=extra), None, **changes)


def reasons(came: CallVerdict) -> list[Reason]:
    return [finding.reason for finding in came.findings]


# sipCode


@pytest.mark.parametrize(
    ("expected", "code", "holds"),
    [
        (486, 486, True), (486, 480, False), ("4xx", 486, True), ("4xx", 499, True), ("4xx", 503, False),
        ("5xx", 503, True), ("2xx", 202, True), ("18x", 183, True), ("18x", 190, False), ("18x", 199, False),
    ],
)  # fmt: skip
def test_a_class_has_all_its_codes(expected: int | str, code: int, holds: bool) -> None:  # noqa: FBT001
    assert is_of(expected, code) is holds


@pytest.mark.covers("calls[].expect.sipCode")
def test_a_refusal_of_the_expected_class_passes() -> None:
    assert refused(404, sip_code="4xx").result is Result.PASSED
    assert refused(302, sip_code="3xx").result is Result.PASSED
    [finding] = refused(503, sip_code="4xx").findings
    assert (finding.reason, finding.expected) == (Reason.SIP_CODE_MISMATCH, "4xx")


def test_an_answer_where_a_refusal_is_expected_is_a_mismatch_and_no_more() -> None:
    """That its BYE came at once is our own doing, and nothing of the call is judged by it."""
    answered = verdict(caller(bye_s=10.13), callee(bye_s=10.13), **expecting(sip_code="4xx"))
    assert reasons(answered) == [Reason.SIP_CODE_MISMATCH]
    assert answered.findings[0].observed == "200 OK"


def test_an_answer_of_the_class_is_an_answer() -> None:
    assert verdict(group__expect__sip_code="2xx").findings == ()


def test_a_refusal_of_the_class_that_our_own_callee_made_is_not_the_suts() -> None:
    """486: it had too many calls."""
    busy = verdict(caller(code=486), callee(code=486, bye_sent=None), **expecting(sip_code="4xx"))
    assert reasons(busy) == [Reason.AGENT_ERROR]


def test_a_refusal_of_the_class_that_our_own_stack_made_is_not_the_suts_either() -> None:
    own = caller(code=488, ringing=False), callee(code=488, ringing=False, bye_sent=None)
    assert reasons(verdict(*own, **expecting(sip_code="4xx"))) == [Reason.NOT_MEASURED]
    assert reasons(verdict(*own, **expecting(sip_code=488))) == []


def test_a_refusal_while_our_callee_was_gone_says_nothing_of_the_sut() -> None:
    """480 or 408, as nobody was there."""
    asked = expecting(sip_code="4xx")
    nobody = caller(code=480, ringing=False)
    gone = verdict(nobody, None, callee_lost=True, **asked)
    assert (gone.result, reasons(gone)) == (Result.INCONCLUSIVE, [Reason.AGENT_LOST])
    assert verdict(nobody, None, **asked).result is Result.PASSED
    assert verdict(nobody, callee(code=None, bye_sent=None), callee_lost=True, **asked).result is Result.PASSED


@pytest.mark.parametrize("field", [{"phrase": ExpectPhrase(equals="Not here")}, {"provisional": (180,)}])
def test_what_a_refusal_says_while_our_callee_was_gone_is_not_held_against_the_sut(field: dict[str, Any]) -> None:
    asked, nobody = expecting(sip_code=480, **field), caller(code=480, ringing=False)
    gone = verdict(nobody, None, callee_lost=True, **asked)
    assert (gone.result, reasons(gone)) == (Result.INCONCLUSIVE, [Reason.PEER_LOST])
    assert verdict(nobody, None, **asked).result is Result.FAILED


def test_an_answer_of_our_callee_behind_the_refusal_that_is_expected_is_noted() -> None:
    behind = verdict(caller(code=486, bye_sent=None), **expecting(sip_code="4xx"))
    assert (behind.result, behind.notes) == (
        Result.PASSED,
        ("the callee answered 200 OK, and the caller got 486 Busy Here",),
    )
    rang = verdict(caller(code=486, bye_sent=None), callee(code=None, bye_sent=None), **expecting(sip_code="4xx"))
    assert (rang.result, rang.notes) == (Result.PASSED, ())


# phrase


@pytest.mark.covers("calls[].expect.phrase.equals")
def test_a_phrase_is_compared_to_the_letter() -> None:
    busy = ExpectPhrase(equals="Busy Here")
    assert refused(486, sip_code=486, phrase=busy).findings == ()
    [finding] = refused(486, sip_code=486, phrase=ExpectPhrase(equals="busy here")).findings
    assert (finding.check, finding.reason) == (Check.PHRASE, Reason.PHRASE_MISMATCH)
    assert (finding.expected, finding.observed) == ('"busy here"', '486 "Busy Here"')


@pytest.mark.covers("calls[].expect.phrase.matches")
def test_a_phrase_is_matched_somewhere_or_as_a_whole() -> None:
    for pattern in ("(?i)^busy", "Here$", "us"):
        assert refused(486, sip_code=486, phrase=ExpectPhrase(matches=pattern)).findings == ()
    [finding] = refused(486, sip_code=486, phrase=ExpectPhrase(matches="^busy")).findings
    assert (finding.reason, finding.expected) == (Reason.PHRASE_MISMATCH, "a phrase that matches '^busy'")


def test_a_phrase_that_was_cut_is_not_matched() -> None:
    long = {"final_code": 486, "final_phrase": "x" * 128}
    asked = {"callee_declared": False, **expecting(sip_code=486, phrase=ExpectPhrase(matches="^x+$"))}
    assert caller_alone(asked, **long) == [(Check.PHRASE, Reason.NOT_MEASURED)]
    exactly = {"callee_declared": False, **expecting(sip_code=486, phrase=ExpectPhrase(equals="x" * 120))}
    assert caller_alone(exactly, **long) == [(Check.PHRASE, Reason.PHRASE_MISMATCH)]
    assert caller_alone(exactly, **long | {"final_phrase": None}) == [(Check.PHRASE, Reason.PHRASE_MISMATCH)]


def test_the_phrase_of_an_answer_is_looked_at_too() -> None:
    assert verdict(**expecting(phrase=ExpectPhrase(equals="OK"))).findings == ()
    assert reasons(verdict(**expecting(phrase=ExpectPhrase(equals="Fine")))) == [Reason.PHRASE_MISMATCH]


def test_the_phrase_of_another_code_is_not() -> None:
    assert reasons(refused(503, sip_code=486, phrase=ExpectPhrase(equals="x"))) == [Reason.SIP_CODE_MISMATCH]


# provisional


@pytest.mark.parametrize(
    ("wanted", "came"),
    [
        ((183, 180), ((10.01, 100, ""), (10.02, 183, "t"), (10.03, 180, "t"))),
        ((100,), ((10.01, 100, ""),)),
        (("18x",), ((10.02, 183, "t"),)),
        (("18x", "18x"), ((10.02, 183, "t"), (10.03, 180, "t"))),
        ((183, 180), ((10.02, 180, "t1"), (10.03, 183, "t2"), (10.04, 180, "t2"))),
        ((183, 180, 183), ((10.02, 183, "t"), (10.03, 180, "t"), (10.04, 183, "t"))),
        ((180, 181), ((10.02, 180, "t"), (10.03, 182, "t"), (10.04, 199, "t"), (10.05, 181, "t"))),
    ],
)
def test_what_is_asked_came_in_that_order_of_whatever_fork(
    wanted: tuple[int | str, ...], came: tuple[tuple[float, int, str], ...]
) -> None:
    assert refused(486, *heard(*came), sip_code=486, provisional=wanted).findings == ()


@pytest.mark.covers("calls[].expect.provisional")
@pytest.mark.parametrize(
    ("wanted", "came", "observed"),
    [
        ((180,), (), "no 1xx"),
        ((180,), ((10.01, 100, ""), (10.02, 183, "t")), "100 and 183"),
        ((183, 180), ((10.02, 180, "t"), (10.03, 183, "t")), "180 and 183"),
        ((180, 180), ((10.02, 180, "t"), (10.09, 180, "t")), "180"),
        (("18x", "18x"), ((10.02, 180, "t"),), "180"),
    ],
)
def test_one_that_is_missing_or_out_of_order_fails(
    wanted: tuple[int | str, ...], came: tuple[tuple[float, int, str], ...], observed: str
) -> None:
    [finding] = refused(486, *heard(*came), sip_code=486, provisional=wanted).findings
    assert (finding.check, finding.reason) == (Check.PROVISIONAL, Reason.PROVISIONAL_MISSING)
    assert finding.observed == observed


def test_a_reliable_one_that_is_sent_again_is_the_same() -> None:
    """RFC 3262 §3: until it is acknowledged."""
    came = (*heard((10.02, 183, "t"), reliable=1), *heard((10.03, 180, "t")), *heard((10.04, 183, "t"), reliable=1))
    assert reasons(refused(486, *came, sip_code=486, provisional=(180, 183))) == [Reason.PROVISIONAL_MISSING]
    anew = (*heard((10.02, 183, "t"), reliable=1), *heard((10.03, 180, "t")), *heard((10.04, 183, "t"), reliable=2))
    assert refused(486, *anew, sip_code=486, provisional=(180, 183)).findings == ()


def test_a_flood_of_them_is_told_in_part_and_then_not_known() -> None:
    flood = heard(*((10.001 + 0.001 * n, 180 + n % 2, "t") for n in range(40)))
    assert reasons(refused(486, *flood, sip_code=486, provisional=(183,))) == [Reason.NOT_MEASURED]


def test_one_that_our_stack_could_not_read_may_be_the_one_that_is_missing() -> None:
    garbled = Unparsed(at_s=10.05, peer="p", local="l", protocol="UDP", text="SIP/2.0 abc\r\nCall-ID: c1\r\n")
    assert reasons(refused(486, garbled, sip_code=486, provisional=(180,))) == [Reason.NOT_MEASURED]
    assert reasons(refused(486, garbled, sip_code=486, ringing_within_milliseconds=50)) == [Reason.NOT_MEASURED]


def test_datagrams_that_were_dropped_may_have_been_it_and_lateness_was_not() -> None:
    asked = {"group__expect__provisional": (183,)}
    dropped = both(caller={"health__setup": Trouble(socket_drops=1)}, **asked)
    assert said(dropped.findings) == [(Check.PROVISIONAL, Reason.AGENT_OVERLOADED)]
    late = both(caller={"health__setup": Trouble(lateness_ms=900.0)}, **asked)
    assert said(late.findings) == [(Check.PROVISIONAL, Reason.PROVISIONAL_MISSING)]


def test_a_callee_of_ours_that_did_not_ring_is_not_the_suts_fault() -> None:
    silent = callee(ringing=False)
    assert reasons(verdict(caller(ringing=False), silent, **expecting(provisional=(180,)))) == [Reason.AGENT_ERROR]
    missing = verdict(caller(ringing=False), **expecting(provisional=(180,)))
    assert reasons(missing) == [Reason.PROVISIONAL_MISSING]
    other = verdict(caller(ringing=False), silent, **expecting(provisional=(183,)))
    assert reasons(other) == [Reason.PROVISIONAL_MISSING]


# ringing


@pytest.mark.covers("calls[].expect.ringingWithinMilliseconds")
def test_ringing_in_time_passes_and_late_fails() -> None:
    assert verdict(**expecting(ringing_within_milliseconds=20)).findings == ()
    late = caller(ringing=False, extra=heard((10.09, 180, "t")))
    [finding] = verdict(late, **expecting(ringing_within_milliseconds=60)).findings
    assert (finding.check, finding.reason, finding.observed) == (Check.RINGING, Reason.RINGING_LATE, "it after 90.0 ms")


def test_any_18x_of_any_fork_is_ringing_and_100_is_none() -> None:
    early = heard((10.01, 100, ""), (10.03, 183, "t9"))
    assert refused(486, *early, sip_code=486, ringing_within_milliseconds=30).findings == ()
    [finding] = refused(486, *early[:1], sip_code=486, ringing_within_milliseconds=30).findings
    assert (finding.reason, finding.observed) == (Reason.RINGING_MISSING, "only 100 before its 486")
    [finding] = refused(486, sip_code=486, ringing_within_milliseconds=30).findings
    assert (finding.reason, finding.observed) == (Reason.RINGING_MISSING, "its 486 at once")


def test_messages_that_were_too_many_to_keep_may_be_the_one_that_is_missing() -> None:
    asked = expecting(sip_code=486, ringing_within_milliseconds=50) | {"callee_declared": False}
    cut = {"final_code": 486, "progress__ringing_ms": None, "events_left_out": 3}
    assert caller_alone(asked, **cut) == [(Check.RINGING, Reason.NOT_MEASURED)]


def test_ringing_that_our_callee_was_late_with_is_its_own() -> None:
    """By the callee's clock it rang 80 ms after its INVITE, and by the caller's 90 after its own."""
    asked = expecting(ringing_within_milliseconds=60)
    late = caller(ringing=False, extra=heard((10.09, 180, "t")))
    slow = callee(ringing=False, extra=(message(10.08, response(180), sent=True),))
    [finding] = verdict(late, slow, **asked).findings
    assert (finding.reason, finding.note) == (Reason.AGENT_ERROR, "the callee agent itself took 80 ms of them")
    assert reasons(verdict(late, callee(), **asked)) == [Reason.RINGING_LATE]
    assert reasons(verdict(late, callee(ringing=False), **asked)) == [Reason.AGENT_ERROR]


@pytest.mark.parametrize("end", ["caller", "callee"])
def test_an_agent_that_was_late_may_be_why_it_rang_late(end: str) -> None:
    slow, late = {"health__setup__lateness_ms": 900.0}, {"progress__ringing_ms": 40.0}
    ends = {"caller": late | (slow if end == "caller" else {}), "callee": slow if end == "callee" else {}}
    found = both(**ends, group__expect__ringing_within_milliseconds=30)
    expected = Reason.AGENT_OVERLOADED if end == "caller" else Reason.PEER_LOST
    assert said(found.findings) == [(Check.RINGING, expected)]


@pytest.mark.parametrize("tag", ["t", "t2"])
def test_what_comes_after_the_final_response_is_not_before_it_of_whatever_fork(tag: str) -> None:
    late = heard((10.01, 100, ""), (10.2, 180, tag))
    [finding] = refused(486, *late, sip_code=486, provisional=(180,)).findings
    assert (finding.reason, finding.observed) == (Reason.PROVISIONAL_MISSING, "100")
    [finding] = refused(486, *late, sip_code=486, ringing_within_milliseconds=500).findings
    assert (finding.reason, finding.observed) == (Reason.RINGING_MISSING, "only 100 before its 486")
    answered = caller(ringing=False, extra=heard((10.2, 180, tag)))
    alone = {"callee_declared": False}
    assert reasons(verdict(answered, None, **expecting(provisional=(180,)) | alone)) == [Reason.PROVISIONAL_MISSING]
    assert reasons(verdict(answered, None, **expecting(ringing_within_milliseconds=500) | alone)) == [
        Reason.RINGING_MISSING
    ]


# answerTime


@pytest.mark.covers("calls[].expect.answeredWithinMilliseconds")
def test_an_answer_in_time_passes_and_a_late_one_fails() -> None:
    assert verdict(**expecting(answered_within_milliseconds=110)).findings == ()
    [finding] = refused(486, sip_code=486, answered_within_milliseconds=90).findings
    assert (finding.check, finding.reason) == (Check.ANSWER_TIME, Reason.ANSWERED_LATE)
    assert (finding.expected, finding.observed) == ("it within 90 ms", "486 after 100.0 ms")


def test_an_answer_that_our_callee_was_late_with_is_its_own() -> None:
    asked = {"group__expect__answered_within_milliseconds": 1000}
    late = {"progress__answered_ms": 3000.0, "progress__bye_ms": 11_050.0, "progress__ended_ms": 11_060.0}
    own = both(caller=late, callee=late, **asked)
    assert said(own.findings) == [(Check.ANSWER_TIME, Reason.AGENT_ERROR)]
    assert said(both(caller=late, **asked).findings) == [(Check.ANSWER_TIME, Reason.ANSWERED_LATE)]


# What `calltest run` says was checked


def test_what_is_asked_of_a_call_is_said() -> None:
    expect = change(
        call_group().expect, phrase=ExpectPhrase(equals="OK"), provisional=(183, "18x"),
        ringing_within_milliseconds=20, answered_within_milliseconds=30,
    )  # fmt: skip
    assert asked_of_call(expect) == {
        Check.PHRASE: '"OK"', Check.PROVISIONAL: "183 then 18x", Check.RINGING: "18x within 20 ms",
        Check.ANSWER_TIME: "it within 30 ms",
    }  # fmt: skip
    assert asked_of_call(call_group().expect) == {}
