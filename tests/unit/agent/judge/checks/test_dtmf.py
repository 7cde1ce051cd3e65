"""dtmf: which digits came; by which method, ended, long enough; and whose they are."""

from typing import Any

import pytest

from agent.contract.call import Behaviour
from agent.contract.expect import DtmfMethod, ExpectLeg
from agent.contract.media import Origin
from agent.contract.observation import Digit
from agent.contract.verdict import Check, Reason, Result
from agent.judge.leg import judge_leg
from agent.judge.run import judge_run
from agent.judge.words import quoted
from tests.unit.agent.judge.judging import CALLEE, CALLER, both, callee_alone, caller_alone, note_of, said
from tests.unit.builders import SOURCE, callee_leg, caller_leg, change, digits, plan, report

NOTHING_ASKED = {"group__expect__callee__dtmf": None}
BY_INFO = digits("1234#", DtmfMethod.INFO)


def crossed(text: str = "1234#", **changed: Any) -> tuple[Digit, ...]:
    """Digits as the wire has them; `changed` of the third one."""
    whole = [
        change(digit, last_ms=(digit.at_ms or 0.0) + 140, packets=7, end_packets=3, marker=True, volume_dbm0=-10)
        for digit in digits(text)
    ]
    return tuple(change(digit, **changed) if place == 2 else digit for place, digit in enumerate(whole))


def test_digits_by_another_method_are_right_and_come_the_wrong_way():
    [finding] = judge_leg(plan(), callee_leg(dtmf_received=BY_INFO))
    assert (finding.reason, finding.observed) == (Reason.DTMF_OTHER_METHOD, '"1234#" by INFO')
    assert finding.expected == '"1234#" by RFC 4733 alone'


def test_digits_by_both_methods_are_there_twice():
    assert callee_alone(dtmf_received=crossed() + BY_INFO) == [(Check.DTMF, Reason.DTMF_OTHER_METHOD)]
    assert callee_alone({"group__expect__callee__dtmf__digits": ""}, dtmf_received=BY_INFO) == [
        (Check.DTMF, Reason.DTMF_OTHER_METHOD)
    ]


def test_other_digits_by_another_method_are_other_digits():
    assert callee_alone(dtmf_received=digits("99", DtmfMethod.INFO)) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


@pytest.mark.parametrize("its_plan", [{}, NOTHING_ASKED])
def test_a_digit_that_was_never_ended_fails_whether_or_not_digits_were_asked_for(its_plan):
    assert callee_alone(its_plan, dtmf_received=crossed()) == []
    [finding] = judge_leg(plan(**its_plan), callee_leg(dtmf_received=crossed(end_packets=0)))
    assert (finding.check, finding.reason) == (Check.DTMF, Reason.DTMF_NOT_ENDED)
    assert finding.observed == 'digit 3 ("3") without an end packet'


def test_a_digit_that_the_end_of_the_call_cut_is_not_the_paths_doing():
    """The call is 8 s long."""
    assert callee_alone(dtmf_received=crossed(end_packets=0, last_ms=7900.0)) == []
    assert callee_alone(dtmf_received=crossed(end_packets=0, last_ms=7700.0)) == [(Check.DTMF, Reason.DTMF_NOT_ENDED)]


def test_a_digit_shorter_than_any_receiver_must_take_fails():
    assert callee_alone(dtmf_received=crossed(duration_ms=40.0)) == []
    [finding] = judge_leg(plan(), callee_leg(dtmf_received=crossed(duration_ms=30.0)))
    assert (finding.reason, finding.observed) == (Reason.DTMF_CUT_SHORT, 'digit 3 ("3") of 30 ms')
    assert said(both(callee={"dtmf_received": crossed(duration_ms=30.0)}).findings) == [
        (Check.DTMF, Reason.DTMF_CUT_SHORT)
    ]


def test_what_digits_are_wrong_stands_before_how_they_came():
    assert callee_alone(dtmf_received=crossed("12345", end_packets=0)) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_a_digit_that_lost_most_of_its_length_on_the_way_fails_at_the_end_that_received_it():
    fine = both(callee={"dtmf_received": crossed(duration_ms=50.0)})
    assert fine.result is Result.PASSED
    short = both(callee={"dtmf_received": crossed(duration_ms=45.0)})
    assert said(short.findings) == [(Check.DTMF, Reason.DTMF_CUT_SHORT)]
    assert note_of(short, CALLEE, Check.DTMF) == "the caller sent it for 100 ms"


def test_a_short_digit_opposite_a_late_agent_may_be_its_doing():
    late = both(caller={"health__rtp_lateness_ms": 300.0}, callee={"dtmf_received": crossed(duration_ms=45.0)})
    assert said(late.findings) == [(Check.DTMF, Reason.PEER_LOST)]


@pytest.mark.parametrize(
    ("sent", "reason"), [("1234#", Reason.DTMF_NOT_ENDED), ("124#", Reason.NOT_MEASURED), ("", Reason.NOT_MEASURED)]
)
def test_a_digit_without_its_end_is_the_paths_doing_only_where_it_was_sent_to_its_end(sent, reason):
    seen = both(caller={"dtmf_sent": crossed(sent)}, callee={"dtmf_received": crossed(end_packets=0)})
    assert (Check.DTMF, reason) in said(seen.findings, CALLEE)


def test_the_echo_of_a_parrot_is_held_against_what_the_parrot_sent():
    seen = both(callee={"dtmf_sent": crossed()}, caller={"dtmf_received": crossed(end_packets=0)})
    assert said(seen.findings) == [(Check.DTMF, Reason.DTMF_NOT_ENDED)]
    assert note_of(seen, CALLER, Check.DTMF) == 'the callee sent "1234#" to their end'
    assert caller_alone(dtmf_received=crossed()) == []


def test_a_digit_without_its_end_fails_where_the_sut_itself_sent_it():
    its_plan = plan(CALLER, callee_declared=False, group__expect__callee=ExpectLeg())
    [call] = judge_run([report(its_plan, caller_leg(dtmf_received=crossed(end_packets=0)))]).calls
    assert said(call.findings) == [(Check.DTMF, Reason.DTMF_NOT_ENDED)]


# Which


def test_other_digits_than_expected_are_a_mismatch():
    [finding] = judge_leg(plan(CALLEE), callee_leg(dtmf_received=digits("124#")))

    assert (finding.check, finding.reason) == (Check.DTMF, Reason.DTMF_MISMATCH)
    assert (finding.expected, finding.observed) == ("1234#", "124#")


@pytest.mark.covers("calls[].expect.<leg>.dtmf.digits")
@pytest.mark.parametrize("received", ["", "1234", "12334#", "1234##", "124#3"])
def test_digits_must_be_exactly_those_expected(received):
    assert callee_alone(dtmf_received=digits(received)) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_missing_digits_without_telephone_event_in_the_sdp_were_not_negotiated():
    leg = {"dtmf_received": (), "sections__telephone_event_payload_type": None}
    [finding] = judge_leg(plan(), caller_leg(**leg))

    assert (finding.reason, finding.observed) == (Reason.DTMF_NOT_NEGOTIATED, "no digits")
    assert callee_alone(**leg) == [(Check.DTMF, Reason.DTMF_NOT_NEGOTIATED)]


def test_wrong_digits_of_full_length_are_a_mismatch_whatever_was_negotiated():
    leg = {"dtmf_received": digits("12345"), "sections__telephone_event_payload_type": None}

    assert callee_alone(**leg) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_no_digits_on_a_leg_without_media_were_not_measured():
    leg = {"dtmf_received": (), "sections": ()}

    assert callee_alone(**leg) == [(Check.DTMF, Reason.NOT_MEASURED)]
    assert callee_alone({"group__expect__callee__dtmf__digits": ""}, **leg) == [(Check.DTMF, Reason.NOT_MEASURED)]


def test_digits_that_came_are_measured_whatever_is_known_of_the_media():
    assert callee_alone(sections=()) == []
    assert callee_alone(sections=(), dtmf_received=digits("9")) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_expecting_no_digits_passes_where_none_came():
    assert callee_alone({"group__expect__callee__dtmf__digits": ""}, dtmf_received=()) == []


def test_a_caller_that_never_sent_all_its_digits_cannot_miss_them():
    [finding] = judge_leg(plan(), caller_leg(dtmf_sent=digits("12"), dtmf_received=digits("12")))

    assert (finding.reason, finding.observed) == (Reason.NOT_MEASURED, "12")
    assert finding.note == 'this caller had sent only "12" of "1234#" when the call ended'


def test_digits_that_contradict_what_was_sent_fail_however_little_that_was():
    assert caller_alone(dtmf_sent=digits("12"), dtmf_received=digits("13")) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_a_caller_that_sends_none_can_still_expect_digits():
    assert caller_alone({"group__caller__dtmf": None}, dtmf_sent=(), dtmf_received=()) == [
        (Check.DTMF, Reason.DTMF_MISMATCH)
    ]


# Whose


NOTHING_ASKED: dict[str, Any] = {"group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg()}


@pytest.mark.parametrize("asked", [{}, NOTHING_ASKED])
@pytest.mark.parametrize("sent_back", ["", "12", "4321"])
def test_digits_that_come_back_and_the_parrot_never_sent_fail_asked_for_or_not(asked, sent_back):
    seen = both(callee={"dtmf_sent": digits(sent_back)}, **asked)

    [finding] = seen.findings
    assert (finding.leg, finding.check, finding.reason) == (CALLER, Check.DTMF, Reason.DTMF_MISMATCH)
    assert finding.note == f"the callee sent back {quoted(sent_back)}: not all of these came from it"
    assert finding.expected == "no digits that the callee did not send"


def test_digits_that_the_parrot_sent_and_the_path_lost_are_not_the_paths_own():
    seen = both(caller={"dtmf_received": digits("124#")}, **NOTHING_ASKED)
    assert seen.result is Result.PASSED, "nobody asked for them"


@pytest.mark.parametrize(
    "changes",
    [
        {"callee": {"dtmf_sent": ()}, "group__callee__behaviour": Behaviour.ABSORBER},
        {"callee": {"dtmf_sent": ()}, "caller": {"dtmf_sent": (), "dtmf_received": digits("12")}},
    ],
)
def test_digits_of_the_suts_own_are_no_fault_where_no_parrot_plays_the_callers_back(changes):
    assert both(**changes, **NOTHING_ASKED).result is Result.PASSED


def test_no_trouble_of_an_agent_makes_digits_that_nobody_sent():
    late = {"health__media__lateness_ms": 900.0}
    assert both(caller=late, callee={"dtmf_sent": ()} | late, **NOTHING_ASKED).reason is Reason.DTMF_MISMATCH
    wrong = both(caller=late, callee={"dtmf_received": digits("1294#")} | late, **NOTHING_ASKED_BACK)
    assert said(wrong.findings, CALLEE) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_own_drops_excuse_digits_that_are_missing_at_either_end():
    missing = {"dtmf_received": digits("124#")}
    for ends, reason in (
        ({"callee": missing | DROPS}, Reason.AGENT_OVERLOADED),
        ({"callee": missing, "caller": DROPS}, Reason.PEER_LOST),
    ):
        assert (Check.DTMF, reason) in said(both(**ends, **NOTHING_ASKED_BACK).findings, CALLEE)
    late = {"health__media__lateness_ms": 900.0}
    assert said(both(callee=missing, caller=late, **NOTHING_ASKED_BACK).findings, CALLEE) == [
        (Check.DTMF, Reason.DTMF_MISMATCH)
    ], "lateness takes none away"


DROPS = {"health__rtp_drops": 3}
NOTHING_ASKED_BACK = {"group__expect__caller": ExpectLeg()}


def test_digits_of_strangers_alone_were_not_measured():
    stranger = change(SOURCE, origin=Origin.STRANGER, remote="10.0.0.66:7000")
    quiet = {"group__expect__caller__rtp": None, "group__expect__caller__audio": None}
    assert caller_alone(quiet, received=(stranger,), dtmf_received=()) == [
        (Check.RTP_PACKETS, Reason.NOT_MEASURED), (Check.DTMF, Reason.NOT_MEASURED)
    ]  # fmt: skip
    assert caller_alone(quiet, received=(SOURCE, stranger), dtmf_received=()) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_digits_as_tones_alone_come_another_way():
    [finding] = judge_leg(plan(CALLEE), callee_leg(dtmf_received=(), dtmf_tones="1234#"))
    assert (finding.reason, finding.observed) == (Reason.DTMF_OTHER_METHOD, '"1234#" as in-band tones')


def test_other_digits_as_tones_are_a_mismatch_that_names_them():
    [finding] = judge_leg(plan(CALLEE), callee_leg(dtmf_received=(), dtmf_tones="12"))
    assert (finding.reason, finding.observed) == (Reason.DTMF_MISMATCH, '"12" as in-band tones')


def test_tones_without_telephone_event_in_the_sdp_say_so():
    leg = callee_leg(dtmf_received=(), dtmf_tones="1234#", sections__telephone_event_payload_type=None)
    [finding] = judge_leg(plan(CALLEE), leg)
    assert (finding.reason, finding.note) == (Reason.DTMF_OTHER_METHOD, "this leg's SDP has no telephone-event")


def test_events_that_an_agent_dropped_beside_tones_are_its_own_doing():
    dropped = {"health__rtp_drops": 3}
    assert (Check.DTMF, Reason.AGENT_OVERLOADED) in callee_alone(dtmf_received=(), dtmf_tones="1234#", **dropped)
    by_info = callee_alone(dtmf_received=BY_INFO, **dropped)
    assert (Check.DTMF, Reason.DTMF_OTHER_METHOD) in by_info


def test_digits_without_any_rtp_say_that_none_came():
    quiet = {"group__expect__callee__rtp": None, "group__expect__callee__audio": None}
    none, digits_missing = judge_leg(plan(CALLEE, **quiet), callee_leg(received=(), dtmf_received=()))
    assert (none.reason, none.expected) == (Reason.NO_RTP, "RTP that carries digits")
    assert (digits_missing.reason, digits_missing.note) == (Reason.DTMF_MISMATCH, "no RTP came at all")


def test_digits_that_came_as_they_were_sent_are_not_called_lost():
    verdict = both(group__expect__callee__dtmf__digits="12")
    assert verdict.reason is Reason.DTMF_MISMATCH
    told = 'the caller sent "1234#": these came as they were sent, and the test expects others'
    assert note_of(verdict, CALLEE, Check.DTMF) == told
