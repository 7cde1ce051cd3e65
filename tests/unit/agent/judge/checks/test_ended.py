"""ended, and completed beside it: the SUT is to end the call."""

from typing import Any

import pytest

from agent.contract.call import SendDtmf
from agent.contract.expect import ExpectDtmf, ExpectLeg, ExpectRtp
from agent.contract.observation import Trouble
from agent.contract.outcome import EndedBy
from agent.contract.verdict import Check, Reason
from agent.judge.checks import asked_of_call
from agent.phone.protocol import Event
from tests.unit.agent.judge.judging import both, said
from tests.unit.agent.judge.test_reasons import NO_MEDIA
from tests.unit.agent.judge.wire import callee, caller, rtp, verdict
from tests.unit.builders import call_group, change
from tests.unit.sip_messages import message, request, response
from tests.unit.taps import tap_digit

SUT: dict[str, Any] = NO_MEDIA | {"group__expect__ended_by": EndedBy.SUT}
ALONE: dict[str, Any] = SUT | {"callee_declared": False}


def within(least_s: int | None = None, most_s: int | None = None) -> dict[str, Any]:
    return ALONE | {"group__expect__min_call_seconds": least_s, "group__expect__max_call_seconds": most_s}


def ended_after(seconds: float, **changes: Any) -> Any:
    """A caller whose SUT hangs up so long after the answer."""
    return caller(**{"bye_s": 10.1 + seconds, "bye_sent": False} | changes)


@pytest.mark.covers("calls[].expect.endedBy")
def test_a_sut_that_is_to_end_the_call_and_does_passes_and_one_that_does_not_fails() -> None:
    assert verdict(ended_after(2.0), None, **ALONE).findings == ()
    assert verdict(ended_after(0.005), None, **ALONE).findings == ()
    [finding] = verdict(caller(), None, **ALONE).findings
    assert (finding.check, finding.reason) == (Check.ENDED, Reason.NOT_HUNG_UP)
    assert (finding.expected, finding.observed) == ("the SUT's BYE", "no BYE in 4.0 s")


def test_a_sut_that_ends_a_call_of_the_callers_fails_as_ever() -> None:
    early = verdict(ended_after(2.0), None, **NO_MEDIA, callee_declared=False)
    assert said(early.findings) == [(Check.COMPLETED, Reason.CALL_DROPPED)]


@pytest.mark.covers("calls[].expect.minCallSeconds", "calls[].expect.maxCallSeconds")
@pytest.mark.parametrize(
    ("after_s", "least_s", "most_s", "reason"),
    [
        (2.0, 2, 3, None), (3.0, 2, 3, None), (1.999, 2, 3, Reason.HUNG_UP_EARLY), (3.001, 2, 3, Reason.HUNG_UP_LATE),
        (1.9, 2, None, Reason.HUNG_UP_EARLY), (3.9, 2, None, None), (2.1, None, 2, Reason.HUNG_UP_LATE),
    ],
)  # fmt: skip
def test_when_it_ends_is_from_the_answer_to_its_bye(
    after_s: float, least_s: int | None, most_s: int | None, reason: Reason | None
) -> None:
    found = verdict(ended_after(after_s), None, **within(least_s, most_s)).findings
    assert [finding.reason for finding in found] == ([] if reason is None else [reason])


def test_the_byes_reason_is_told_of_one_that_comes_too_soon() -> None:
    [finding] = verdict(ended_after(1.0, farewell="Reason: Q.850;cause=31\r\n"), None, **within(2, 3)).findings
    assert (finding.expected, finding.note) == ("the SUT's BYE after 2 to 3 s", "Reason: Q.850;cause=31")


def test_byes_that_cross_are_both_sides_end() -> None:
    """Ours left as the SUT's was on its way."""
    theirs: tuple[Event, ...] = (
        message(14.105, request("BYE", cseq=9, from_tag="t", to_tag="f"), sent=False),
        message(14.106, response(200, method="BYE", cseq=9, from_tag="t", to_tag="f"), sent=True),
    )
    crossed = caller(extra=theirs, bye_code=481)
    assert verdict(crossed, None, **ALONE).findings == ()
    late = verdict(crossed, None, **within(None, 3))
    assert said(late.findings) == [(Check.ENDED, Reason.HUNG_UP_LATE)]


def theirs_at(at_s: float) -> tuple[Event, ...]:
    """The SUT's own BYE, and our 200 to it."""
    tags = {"cseq": 9, "from_tag": "t", "to_tag": "f"}
    return (
        message(at_s, request("BYE", **tags), sent=False),
        message(at_s + 0.001, response(200, method="BYE", **tags), sent=True),
    )


def test_a_bye_that_comes_when_the_sut_had_long_had_ours_does_not_cross_it() -> None:
    """2 × T1 after ours, at 14.1 s, it had come, or a retransmission of it."""
    silent = caller(extra=theirs_at(22.0), bye_code=None, ended_s=22.1)
    failed = [(Check.COMPLETED, Reason.BYE_UNANSWERED), (Check.ENDED, Reason.NOT_HUNG_UP)]
    assert sorted(said(verdict(silent, None, **ALONE).findings)) == failed
    assert said(verdict(silent, None, **NO_MEDIA, callee_declared=False).findings) == failed[:1]
    in_time = caller(extra=theirs_at(15.09), bye_code=None, ended_s=22.1)
    assert verdict(in_time, None, **ALONE).findings == ()


def test_what_is_answered_to_our_bye_after_the_suts_own_may_be_right() -> None:
    """It had no dialog by then; whether it ever got ours while it had one is not known."""
    late = message(17.6, response(481, method="BYE", cseq=7, to_tag="t"), sent=False)
    gone = caller(extra=(*theirs_at(16.0), late), bye_code=None, ended_s=22.1)
    alone = NO_MEDIA | {"callee_declared": False}
    assert said(verdict(gone, None, **alone).findings) == [(Check.COMPLETED, Reason.NOT_MEASURED)]
    before = caller(extra=theirs_at(16.0), bye_code=481, ended_s=22.1)
    assert said(verdict(before, None, **alone).findings) == [(Check.COMPLETED, Reason.BYE_REJECTED)]


def digits_both_ends(second_s: float) -> Any:
    """The SUT ends the callee's end at 12 s, the caller's at 13 s; of two digits the callee gets the first."""
    sent = rtp(sent=True, digits=(tap_digit("1", 11.0), tap_digit("2", second_s)))
    first, back = (tap_digit("1", 11.0),), (tap_digit("1", 11.9),)
    ends = (
        caller(bye_s=13.0, bye_sent=False, streams=(rtp(digits=()), sent)),
        callee(bye_s=12.0, streams=(rtp(digits=first), rtp(sent=True, digits=back))),
    )
    dtmf = ExpectLeg(dtmf=ExpectDtmf(digits="12"))
    asked = SUT | {"group__caller__dtmf": SendDtmf(digits="12")}
    return [verdict(*ends, **asked | {f"group__expect__{leg}": dtmf}) for leg in ("callee", "caller")]


def test_digits_that_are_sent_when_the_sut_has_ended_the_other_end_are_not_lost_on_the_way() -> None:
    for found in digits_both_ends(12.4):
        assert said(found.findings) == [(Check.DTMF, Reason.NOT_MEASURED)]
    for found in digits_both_ends(11.3):
        assert said(found.findings) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_an_end_that_nobody_saw_is_not_known() -> None:
    unseen = verdict(caller(bye_sent=None), None, **ALONE)
    assert (Check.ENDED, Reason.NOT_MEASURED) in said(unseen.findings)


def test_a_call_that_our_own_agent_ended_early_says_nothing_of_the_sut() -> None:
    own = verdict(caller(bye_s=12.0, own_reason="no port"), None, **ALONE)
    assert set(said(own.findings)) == {(Check.ENDED, Reason.NOT_MEASURED), (Check.COMPLETED, Reason.NOT_MEASURED)}


def test_media_is_due_until_the_sut_ends_the_call() -> None:
    """Half of the hold: the other half of the packets is missed by nobody."""
    short = rtp(packets=100, expected=100, media_ms=1840.0, span_ms=2000.0, last_s=12.09, event_ms=160.0)
    asked = ALONE | {"group__expect__caller": ExpectLeg(rtp=ExpectRtp(min_packets=90))}
    assert verdict(ended_after(2.0, streams=(short, rtp(sent=True))), None, **asked).findings == ()


def test_both_ends_get_the_suts_bye() -> None:
    assert verdict(ended_after(2.0), callee(bye_s=12.1), **SUT).findings == ()


def test_a_callee_that_the_sut_forgot_is_missing_its_bye() -> None:
    forgotten = verdict(ended_after(2.0), callee(bye_s=15.0, bye_sent=True), **SUT)
    assert said(forgotten.findings) == [(Check.COMPLETED, Reason.BYE_MISSING)]
    assert forgotten.findings[0].note == "the SUT ended the caller's end after 2.0 s"
    at_once = verdict(ended_after(2.0), callee(bye_s=12.5, bye_sent=True), **SUT)
    assert said(at_once.findings) == [(Check.COMPLETED, Reason.NOT_MEASURED)]


def test_what_a_callee_in_trouble_did_not_hear_is_not_held_against_the_sut() -> None:
    deaf = callee(bye_s=15.0, bye_sent=True, health=change(callee().health, media=Trouble(socket_drops=2)))
    assert said(verdict(ended_after(2.0), deaf, **SUT).findings) == [(Check.COMPLETED, Reason.AGENT_OVERLOADED)]


def test_an_agent_that_was_late_may_be_why_the_sut_did_not_end_the_call() -> None:
    late = both(caller={"health__media": Trouble(lateness_ms=900.0)}, group__expect__ended_by=EndedBy.SUT)
    assert (Check.ENDED, Reason.AGENT_OVERLOADED) in said(late.findings)


def test_an_end_as_good_as_the_callers_is_no_note_where_it_was_asked() -> None:
    assert verdict(ended_after(3.9), callee(bye_s=14.0), **SUT).notes == ()


@pytest.mark.parametrize(
    ("least_s", "most_s", "text"),
    [
        (None, None, "the SUT's BYE"), (3, None, "the SUT's BYE after 3 s or more"),
        (None, 9, "the SUT's BYE within 9 s"), (3, 9, "the SUT's BYE after 3 to 9 s"),
    ],
)  # fmt: skip
def test_what_is_asked_is_said(least_s: int | None, most_s: int | None, text: str) -> None:
    expect = change(call_group().expect, ended_by=EndedBy.SUT, min_call_seconds=least_s, max_call_seconds=most_s)
    assert asked_of_call(expect) == {Check.ENDED: text}
