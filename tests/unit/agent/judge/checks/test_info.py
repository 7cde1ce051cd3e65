"""Digits by INFO, from the wire: sent, taken, refused, lost, changed, converted; events in, verdict out."""

from typing import Any

import numpy as np
import pytest

from agent.contract.call import SendDtmf
from agent.contract.expect import ExpectDtmf
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.run import CallVerdict
from agent.phone.protocol import Event, NotSent, Unparsed
from agent.sip.text import parse_head
from tests.unit.agent.judge.judging import note_of, said
from tests.unit.agent.judge.wire import EXPECT, SIGNAL, callee, caller, carrier, rtp, silence, troubled, verdict
from tests.unit.builders import change
from tests.unit.sip_messages import message, request, response
from tests.unit.taps import tap_digit

CALLER, CALLEE = Role.CALLER, Role.CALLEE
QUIET = (rtp(digits=()), rtp(sent=True, digits=()))
EVENTS_CAME, EVENTS_WENT = (rtp(), rtp(sent=True, digits=())), (rtp(digits=()), rtp(sent=True))
RELAY, BARE = "application/dtmf-relay", "application/dtmf"


def infos(
    role: Role, digits: str, *, at_s: float = 11.0, kind: str = RELAY, code: int | None = 200, times: int = 1,
    ours: bool | None = None,
) -> tuple[Event, ...]:  # fmt: skip
    """As an end has them: `ours`: sent by it; None: of the caller's. Each crosses so many times, and has one answer."""
    sent = (role is CALLER) if ours is None else ours
    tags = {"to_tag": "t"} if (role is CALLER) is sent else {"from_tag": "t", "to_tag": "f"}
    found: list[Event] = []
    for place, digit in enumerate(digits):
        begin_s, cseq = at_s + place * 0.3, 100 + 10 * int(10 * at_s) + place
        which = {"cseq": cseq, "branch": f"b{cseq}", **tags}
        body = digit if kind == BARE else f"Signal={digit}\r\nDuration=100\r\n"
        asked = request("INFO", extra=f"Content-Type: {kind}\r\n", body=body, **which)
        found += [message(begin_s + time * 0.01, asked, sent) for time in range(times)]
        if code is not None:
            found.append(message(begin_s + 0.05, response(code, method="INFO", **which), not sent))
    return tuple(found)


def call(
    *,
    sent: str = "12",
    came: str = "12",
    back: str = "12",
    heard: str = "12",
    kind: str = RELAY,
    at_caller: dict[str, Any] | None = None,
    at_callee: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
    **infos_sent: Any,
) -> CallVerdict:
    """Digits by INFO there and back; `infos_sent`: of the caller's own."""
    forth = infos(CALLER, sent, kind=kind, **infos_sent)
    far = infos(CALLEE, came, kind=kind)
    again = infos(CALLEE, back, at_s=12.5, kind=kind, ours=True)
    returned = infos(CALLER, heard, at_s=12.5, kind=kind, ours=False)
    asked = change(EXPECT, dtmf=ExpectDtmf(digits="12", method="INFO"))
    usual = {
        "group__caller__dtmf": SendDtmf(digits="12", method="INFO"),
        "group__expect__caller": asked,
        "group__expect__callee": asked,
    }
    return verdict(
        caller(**{"extra": (*forth, *returned), "streams": QUIET} | (at_caller or {})),
        callee(**{"extra": (*far, *again), "streams": QUIET} | (at_callee or {})),
        **usual | (more or {}),
    )


@pytest.mark.parametrize("kind", [RELAY, BARE])
@pytest.mark.parametrize("times", [1, 3])
def test_digits_by_info_that_arrive_pass_each_once_however_often_it_was_sent(kind: str, times: int) -> None:
    passed = call(kind=kind, times=times)
    assert passed.result is Result.PASSED, passed.findings


@pytest.mark.parametrize(
    ("came", "note"),
    [
        ("1", 'the caller sent "12": digit 2 ("2") lost on the way to the callee'),
        ("", 'the caller sent "12": lost on the way to the callee'),
        ("13", 'the caller sent "12": digit 2 changed from "2" to "3" on the way to the callee'),
        ("122", 'the caller sent "12": digit 3 ("2") added on the way to the callee'),
    ],
)
def test_digits_by_info_that_the_path_loses_changes_or_adds_are_a_mismatch(came: str, note: str) -> None:
    seen = call(came=came, back=came, heard=came)
    assert (seen.result, seen.reason) == (Result.FAILED, Reason.DTMF_MISMATCH)
    assert note_of(seen, CALLEE, Check.DTMF) == note


def test_digits_that_no_test_asks_to_come_by_info_come_by_another_method() -> None:
    seen = call(more={"group__expect__callee": EXPECT})
    assert said(seen.findings) == [(Check.DTMF, Reason.DTMF_OTHER_METHOD)]


@pytest.mark.covers("calls[].expect.<leg>.dtmf.method")
def test_a_system_that_is_to_convert_does_or_does_not() -> None:
    """The caller sends events; an INFO is to come to the callee, and events back to the caller."""
    sends = {"group__caller__dtmf": SendDtmf(digits="12"), "group__expect__caller": EXPECT}
    converted = call(more=sends, at_caller={"extra": (), "streams": (rtp(), rtp(sent=True))})
    assert converted.result is Result.PASSED, converted.findings
    as_it_was = call(more=sends, at_caller={"extra": (), "streams": (rtp(), rtp(sent=True))}, at_callee={
        "extra": (), "streams": (rtp(), rtp(sent=True))
    })  # fmt: skip
    assert said(as_it_was.findings) == [(Check.DTMF, Reason.DTMF_OTHER_METHOD)]
    assert as_it_was.findings[0].expected == '"12" by INFO alone'


def test_the_reverse() -> None:
    """The caller sends INFOs, and events come to the callee."""
    back = {"extra": infos(CALLER, "12"), "streams": EVENTS_CAME}
    forth = {"extra": (), "streams": (rtp(), rtp(sent=True))}
    asked = {"group__expect__caller": EXPECT, "group__expect__callee": EXPECT}
    assert call(more=asked, at_caller=back, at_callee=forth).result is Result.PASSED
    lost = call(more=asked, at_caller=back, at_callee=forth | {"streams": EVENTS_WENT})
    assert (Check.DTMF, Reason.DTMF_MISMATCH) in said(lost.findings, CALLEE)


def test_both_at_once_are_there_twice() -> None:
    seen = call(at_callee={"extra": infos(CALLEE, "12"), "streams": (rtp(), rtp(sent=True, digits=()))})
    assert (Check.DTMF, Reason.DTMF_OTHER_METHOD) in said(seen.findings, CALLEE)


@pytest.mark.parametrize("code", [400, 405, 407, 415, 469, 481, 500, 603])
@pytest.mark.parametrize("expected", [True, False])
def test_a_refused_digit_fails_expected_or_not(code: int, expected: bool) -> None:  # noqa: FBT001
    nothing = {"group__expect__caller": change(EXPECT, dtmf=None), "group__expect__callee": change(EXPECT, dtmf=None)}
    seen = call(came="", back="", heard="", code=code, more={} if expected else nothing)
    assert (seen.result, seen.reason) == (Result.FAILED, Reason.INFO_REFUSED)
    assert str(code) in (seen.findings[0].observed or "")
    assert (Check.DTMF in {finding.check for finding in seen.findings}) is expected


def test_a_digit_that_is_not_answered_fails_and_those_behind_it_were_not_sent() -> None:
    seen = call(sent="1", came="", back="", heard="", code=None)
    assert (seen.result, seen.reason) == (Result.FAILED, Reason.INFO_UNANSWERED)
    assert seen.findings[0].observed == 'no final response to digit 1 ("1"), sent once'
    assert (Check.DTMF, Reason.NOT_MEASURED) in said(seen.findings, CALLEE)


def test_what_the_end_of_the_call_overtook_is_not_measured() -> None:
    seen = call(sent="1", came="", back="", heard="", code=None, at_s=13.5)
    assert seen.result is Result.INCONCLUSIVE
    assert (Check.INFO, Reason.NOT_MEASURED) in said(seen.findings, CALLER)


def test_what_our_own_callee_did_not_take_is_its_own_doing() -> None:
    seen = call(code=500, at_callee={"extra": infos(CALLEE, "12", code=500)}, back="", heard="")
    assert (Check.INFO, Reason.AGENT_ERROR) in said(seen.findings, CALLER)


def test_a_parrots_digit_that_is_refused_fails_where_it_is_to_come_back() -> None:
    far = {"extra": (*infos(CALLEE, "12"), *infos(CALLEE, "12", at_s=12.5, ours=True, code=415))}
    assert call(at_callee=far, heard="").reason is Reason.INFO_REFUSED
    unasked = {"group__expect__caller": change(EXPECT, dtmf=None)}
    assert call(at_callee=far, heard="", more=unasked).result is Result.PASSED


def test_an_agents_trouble_with_media_takes_no_digit_by_info_away() -> None:
    dropped = {"rtp_drops": 3}
    lost = call(came="1", back="1", heard="1", at_callee={"health": change(callee().health, **dropped), "extra": (
        *infos(CALLEE, "1"), *infos(CALLEE, "1", at_s=12.5, ours=True)
    )})  # fmt: skip
    assert (Check.DTMF, Reason.DTMF_MISMATCH) in said(lost.findings, CALLEE)
    deaf = call(came="1", back="1", heard="1", at_callee={"health": troubled(socket_drops=2), "extra": (
        *infos(CALLEE, "1"), *infos(CALLEE, "1", at_s=12.5, ours=True)
    )})  # fmt: skip
    assert (Check.DTMF, Reason.AGENT_OVERLOADED) in said(deaf.findings, CALLEE)


@pytest.mark.parametrize(
    ("asked", "passes"),
    [(ExpectDtmf(digits="12345678"), True), (None, True), (ExpectDtmf(digits="12345678", method="INFO"), False)],
)
def test_the_holes_that_infos_make_which_became_events_take_from_the_time_that_audio_is_due_in(
    asked: ExpectDtmf | None,
    passes: bool,  # noqa: FBT001
) -> None:
    """A parrot plays the caller's audio back with what a system cut out of it."""
    digits = tuple(tap_digit(str(place + 1), 10.6 + 0.2 * place) for place in range(8))
    own = {"group__caller__dtmf": SendDtmf(digits="12345678", method="INFO", tone_milliseconds=100)}
    expects = {"group__expect__callee": change(EXPECT, dtmf=asked), "group__expect__caller": change(EXPECT, dtmf=None)}
    holes = np.concatenate([SIGNAL[: 3 * 3840], silence(4.0 - 3 * 0.48)])
    seen = verdict(
        caller(extra=infos(CALLER, "12345678", at_s=10.6), sound=holes, streams=QUIET),
        callee(streams=(rtp(digits=digits), rtp(sent=True, digits=digits))),
        **own | expects,
    )
    assert (Check.AUDIO not in {found.check for found in seen.findings if found.leg is CALLER}) is passes


def test_what_our_own_stack_could_not_read_or_send_there_is_not_the_suts_silence() -> None:
    silent = infos(CALLER, "1", code=None)
    unread = Unparsed(at_s=11.1, peer="p", local="l", protocol="UDP", text="SIP/2.0 200 OK\r\nFrom: <<<")
    ack = parse_head(request("ACK", to_tag="t"))
    astray = NotSent(at_s=10.2, peer="", head=ack, reason="192.0.2.9: why", target="192.0.2.9")
    for own, event in ((silent, unread), (silent, astray), (infos(CALLER, "1", code=481), astray)):
        seen = call(came="", back="", heard="", at_caller={"extra": (*own, event)})
        assert (Check.INFO, Reason.NOT_MEASURED) in said(seen.findings, CALLER)
    refused = call(came="", back="", heard="", at_caller={"extra": (*infos(CALLER, "1", code=415), unread)})
    assert refused.reason is Reason.INFO_REFUSED


def test_an_info_that_crossed_the_end_of_its_connection_was_read_by_nobody_perhaps() -> None:
    sent = {"extra": infos(CALLER, "1", code=None)}
    for closed_s, reason in ((11.03, Reason.NOT_MEASURED), (12.0, Reason.INFO_UNANSWERED)):
        ended = carrier(opened_s=9.9, up_s=9.99, closed_s=closed_s, status=70_016)
        seen = call(came="", back="", heard="", at_caller={**sent, "carriers": (ended,)})
        assert (Check.INFO, reason) in said(seen.findings, CALLER)


def test_an_agents_trouble_makes_nobody_refuse_a_body() -> None:
    """What came of another digit, or when the call was over, excuses it no more."""
    bodies, late = infos(CALLER, "1", code=415), infos(CALLER, "2", at_s=13.9, code=None)
    for other in (late, infos(CALLER, "2", at_s=11.5, code=503)):
        ill = {"extra": (*bodies, *other), "health": troubled(loop_ms=900.0, over_ms=9000.0)}
        assert (Check.INFO, Reason.INFO_REFUSED) in said(call(at_caller=ill).findings, CALLER)
    lost = {"extra": infos(CALLER, "1", code=503), "health": troubled(loop_ms=900.0, over_ms=9000.0)}
    assert (Check.INFO, Reason.AGENT_OVERLOADED) in said(call(at_caller=lost).findings, CALLER)
