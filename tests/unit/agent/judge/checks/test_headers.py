"""headers and requestUri: what single messages of a leg must say, from the wire."""

from typing import Any

import pytest

from agent.contract.call import Call
from agent.contract.expect import Expect, ExpectLeg
from agent.contract.headers import CallHeader, PlannedHeader, SentOn
from agent.contract.messages import ExpectHeader, ExpectRequestUri, Found, Looked, Message
from agent.contract.outcome import EndedBy
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.checks import RULE_OF, asked
from agent.judge.checks.messages import wanted
from agent.judge.leg import judge_leg
from agent.judge.run import judge_run
from agent.judge.verdicts import CallVerdict
from tests.unit.agent.judge.test_reasons import saying
from tests.unit.agent.judge.wire import EXPECT, callee, caller, the_plan, troubled, verdict
from tests.unit.builders import change, report


def found(it: CallVerdict) -> list[tuple[Role, Reason, str | None, str | None, str | None]]:
    return [(each.leg, each.reason, each.expected, each.observed, each.note) for each in it.findings]


CALLEE, CALLER = "group__expect__callee", "group__expect__caller"
TENANT = "X-Tenant: blue\r\n"


@pytest.mark.covers(
    "calls[].expect.<leg>.headers[].message",
    "calls[].expect.<leg>.headers[].name",
    "calls[].expect.<leg>.headers[].present",
    "calls[].expect.<leg>.headers[].equals",
    "calls[].expect.<leg>.headers[].matches",
    "calls[].expect.<leg>.headers[].count",
)
@pytest.mark.parametrize(
    ("end", "leg", "expected", "broken"),
    [
        (callee(asks=TENANT), CALLEE, saying(name="X-Tenant", equals="blue"), "X-Other: blue\r\n"),
        (callee(asks=TENANT), CALLEE, saying(name="X-Tenant", present=True), ""),
        (callee(asks=""), CALLEE, saying(name="X-Tenant", present=False), TENANT),
        (callee(asks=TENANT), CALLEE, saying(name="X-Tenant", matches="^bl"), "X-Tenant: red\r\n"),
        (callee(asks=TENANT), CALLEE, saying(name="X-Tenant", count=1), TENANT + TENANT),
    ],
)
def test_a_call_passes_where_its_messages_say_what_is_asked_and_fails_where_they_do_not(end, leg, expected, broken):
    assert verdict(callee=end, **{leg: expected}).result is Result.PASSED
    assert verdict(callee=callee(asks=broken), **{leg: expected}).result is Result.FAILED


@pytest.mark.covers("calls[].expect.<leg>.headers[].code")
def test_each_message_of_a_leg_can_be_asked_for_a_header():
    both = {"callee": callee(farewell="Reason: Q.850;cause=16\r\n", route="Route: <sip:a;lr>\r\n")}
    expected = ExpectLeg(
        headers=(
            ExpectHeader(message=Message.ACK, name="Route", present=True),
            ExpectHeader(message=Message.BYE, name="reason", matches="cause=16"),
        ),
        request_uris=(ExpectRequestUri(message="BYE", equals="sip:bob@example.com"),),
    )
    assert verdict(**both, **{CALLEE: expected}).result is Result.PASSED
    its_caller = caller(rings={"Alert-Info": "<urn:x>"}, refusal={"Server": "sut"}, goodbye={"X-Cost": "0"})
    said = ExpectLeg(
        headers=(
            ExpectHeader(message=Message.PROVISIONAL, name="Alert-Info", code=180, count=1),
            ExpectHeader(message=Message.FINAL, name="Server", equals="sut"),
            ExpectHeader(message=Message.BYE_RESPONSE, name="X-Cost", equals="0"),
        )
    )
    assert verdict(its_caller, **{CALLER: said}).result is Result.PASSED
    other = change(said, headers=tuple(change(each, name="X-None") for each in said.headers))
    assert sorted(found(verdict(its_caller, **{CALLER: other}))) == [
        (Role.CALLER, Reason.HEADER_MISSING, "180 with 1 × X-None", "180 without X-None", None),
        (Role.CALLER, Reason.HEADER_MISSING, "final response with X-None: sut", "200 without X-None", None),
        (Role.CALLER, Reason.HEADER_MISSING, "response to BYE with X-None: 0", "200 to BYE without X-None", None),
    ]
    no_such = saying(Message.PROVISIONAL, name="Alert-Info", present=True, code=183)
    assert [each[1] for each in found(verdict(its_caller, **{CALLER: no_such}))] == [Reason.NOT_MEASURED]


def test_what_was_seen_and_what_is_asked_is_said():
    expected = change(
        EXPECT,
        headers=(
            ExpectHeader(message=Message.INVITE, name="X-Tenant", matches="^lane-{endpoint}$"),
            ExpectHeader(message=Message.INVITE, name="x-tenant", present=False),
            ExpectHeader(message=Message.INVITE, name="X-Tenant", count=1),
        ),
        request_uris=(ExpectRequestUri(equals="sip:bob{endpoint}@example.com"),),
    )
    came = callee(asks="X-Tenant: a\r\nX-Tenant: b\r\nX-Tenant: c\r\nX-Tenant: d\r\n")
    assert sorted(found(verdict(callee=came, **{CALLEE: expected})), key=str) == [
        (Role.CALLEE, Reason.HEADER_MISMATCH, "INVITE with X-Tenant matching ^lane-0$",
         "INVITE with X-Tenant: a | b | c", "among 4 values"),
        (Role.CALLEE, Reason.HEADER_UNEXPECTED, "INVITE with 1 × X-Tenant",
         "INVITE with 4 × X-Tenant: a | b | c", "among 4 values"),
        (Role.CALLEE, Reason.HEADER_UNEXPECTED, "INVITE without x-tenant",
         "INVITE with x-tenant: a | b | c", "among 4 values"),
        (Role.CALLEE, Reason.REQUEST_URI_MISMATCH, "INVITE with Request-URI sip:bob0@example.com",
         "INVITE with Request-URI sip:bob@example.com", None),
    ]  # fmt: skip


@pytest.mark.covers(
    "calls[].expect.<leg>.requestUris[].message",
    "calls[].expect.<leg>.requestUris[].equals",
    "calls[].expect.<leg>.requestUris[].matches",
)
@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        (ExpectRequestUri(matches="^sip:bob@"), None),
        (ExpectRequestUri(matches="^sip:bob$"), Reason.REQUEST_URI_MISMATCH),
        (ExpectRequestUri(message="ACK", equals="sip:bob@EXAMPLE.com"), None),
        (ExpectRequestUri(message="BYE", equals="sip:carol@example.com"), Reason.REQUEST_URI_MISMATCH),
    ],
)
def test_a_request_uri_is_judged(expected, reason):
    it = verdict(**{CALLEE: change(EXPECT, request_uris=(expected,))})
    assert it.reason is reason


def test_a_message_that_did_not_come_is_not_measured_beside_what_that_itself_is():
    absent = saying(Message.ACK, name="X-A", present=False)
    it = verdict(callee=callee(acknowledged=False, answers=4), **{CALLEE: absent})
    assert it.reason is Reason.ACK_MISSING
    assert (Role.CALLEE, Reason.NOT_MEASURED, "ACK without X-A", None, "no ACK came") in found(it)


def test_what_is_longer_than_what_is_read_is_not_measured():
    long = f"X-A: {'b' * 9000}\r\n"
    ((_, reason, _, observed, note),) = found(
        verdict(callee=callee(asks=long), **{CALLEE: saying(name="X-A", equals="c")})
    )
    assert (reason, observed) == (Reason.NOT_MEASURED, None)
    assert note is not None
    assert note.startswith("it is longer than what is read of a message; it begins bbb")
    assert len(note) < 150


def test_what_an_agent_does_not_tell_is_not_measured():
    end, its_plan = callee(), the_plan(Role.CALLEE, **{CALLEE: saying(name="X-A", present=False)})
    told = end.leg(its_plan)
    assert told.looked == (Looked(asked=0),)
    (finding,) = judge_leg(its_plan, change(told, looked=()))
    assert (finding.check, finding.reason, finding.note) == (
        Check.HEADERS, Reason.NOT_MEASURED, "what is in it was not told",
    )  # fmt: skip
    other = change(told, looked=(Looked(asked=1, found=Found.MISSING),))
    assert [each.reason for each in judge_leg(its_plan, other)] == [Reason.NOT_MEASURED]


def test_lateness_changes_nothing_of_what_a_message_says():
    late = troubled(lateness_ms=5000.0)
    it = verdict(callee=callee(asks="", health=late), **{CALLEE: change(ExpectLeg(), headers=saying(
        name="X-A", present=True).headers)}, **{CALLER: ExpectLeg()})  # fmt: skip
    assert it.reason is Reason.HEADER_MISSING
    holds = verdict(callee=callee(health=late), **{CALLEE: change(ExpectLeg(), headers=saying(
        name="X-A", present=False).headers)}, **{CALLER: ExpectLeg()})  # fmt: skip
    assert holds.result is Result.PASSED


def test_a_call_that_is_refused_as_expected_is_judged_by_what_its_messages_say():
    asks = saying(Message.FINAL, name="Retry-After", matches="^[0-9]+$").headers
    expected = {CALLER: ExpectLeg(headers=asks), CALLEE: ExpectLeg(), "group__expect__sip_code": 503}
    good = verdict(caller(code=503, refusal={"Retry-After": "30"}), None, **expected)
    assert good.result is Result.PASSED
    bad = verdict(caller(code=503), None, **expected)
    assert found(bad) == [
        (Role.CALLER, Reason.HEADER_MISSING, "final response with Retry-After matching ^[0-9]+$",
         "503 without Retry-After", None)
    ]  # fmt: skip
    elsewhere = expected | {CALLER: ExpectLeg(), CALLEE: saying(name="X-A", present=False)}
    assert verdict(caller(code=503), None, **elsewhere).reason is Reason.NOT_MEASURED


def test_of_a_call_that_is_not_answered_that_is_what_is_said():
    it = verdict(caller(code=404), None, **{CALLER: saying(Message.FINAL, name="X-A", present=True)})
    assert [each.check for each in it.findings] == [Check.ANSWERED]


# --- whose doing (truth rules 3, 4)

SENT = CallHeader(name="x-tenant", value="blue", messages=("INVITE", "BYE"))
OF_INVITE = {CALLEE: saying(name="X-Tenant", equals="blue"), "group__caller__headers": (SENT,)}
OF_BYE = OF_INVITE | {CALLEE: saying(Message.BYE, name="X-Tenant", equals="blue")}


def reason_and_note(it: CallVerdict) -> tuple[Reason | None, str | None]:
    (finding,) = [each for each in it.findings if each.check is Check.HEADERS]
    return finding.reason, finding.note


def test_a_header_that_was_sent_and_did_not_arrive_was_lost_on_the_way():
    sent = caller(asks=TENANT, farewell=TENANT)
    assert verdict(sent, callee(asks=TENANT, farewell=TENANT), **OF_INVITE).result is Result.PASSED
    assert reason_and_note(verdict(sent, **OF_INVITE)) == (Reason.HEADER_MISSING, "the caller sent it")
    assert reason_and_note(verdict(sent, **OF_BYE)) == (Reason.HEADER_MISSING, "the caller sent it")
    changed = callee(asks="X-Tenant: red\r\n")
    assert reason_and_note(verdict(sent, changed, **OF_INVITE)) == (Reason.HEADER_MISMATCH, "the caller sent it")


def test_a_header_that_our_agent_did_not_send_is_not_the_paths_loss():
    said = "the caller agent did not send it"
    assert reason_and_note(verdict(**OF_INVITE)) == (Reason.AGENT_ERROR, said)
    assert reason_and_note(verdict(caller(asks=TENANT), **OF_BYE)) == (Reason.AGENT_ERROR, said)
    strayed = OF_INVITE | {CALLEE: saying(name="X-Tenant", present=False)}
    it = verdict(callee=callee(asks=TENANT), **strayed)
    assert reason_and_note(it) == (Reason.HEADER_UNEXPECTED, None), "it came all the same"


def test_a_bye_that_the_sut_sent_in_its_place_has_no_headers_of_our_agents():
    ended = caller(asks=TENANT, bye_s=12.0, bye_sent=False), callee(bye_s=12.0)
    it = verdict(*ended, **OF_BYE)
    assert it.reason is Reason.CALL_DROPPED
    assert reason_and_note(it) == (Reason.NOT_MEASURED, "the caller, which was to send it, sent no BYE")
    the_suts = {CALLEE: saying(Message.BYE, name="Reason", present=True)}
    assert reason_and_note(verdict(*ended, **the_suts)) == (Reason.HEADER_MISSING, None)


def test_an_agent_that_is_gone_may_not_have_sent_its_header():
    def it(**expected: Any) -> tuple[Reason, str | None]:
        callers, callees = (the_plan(role, **expected) for role in Role)
        run = judge_run([report(callers, complete=False), report(callees, callee().leg(callees))])
        return reason_and_note(run.calls[0])  # type: ignore[return-value]

    reason, note = it(**OF_BYE)
    assert reason is Reason.PEER_LOST
    assert note is not None
    assert note.startswith("caller-0: ")
    assert it(**OF_BYE | {"group__caller__headers": ()}) == (Reason.HEADER_MISSING, None)


def test_a_callee_s_own_header_that_it_did_not_send_is_not_the_paths_loss():
    own = (PlannedHeader(name="X-Answered-By", value="us", messages=(SentOn.RESPONSES,)),)
    expected = {CALLER: saying(Message.FINAL, name="x-answered-by", equals="us"), "account__headers": own}
    silent = verdict(**expected)
    assert reason_and_note(silent) == (Reason.AGENT_ERROR, "the callee agent did not send it")
    header = {"X-Answered-By": "us"}
    sent = callee(rings=header, refusal=header)
    assert reason_and_note(verdict(callee=sent, **expected)) == (Reason.HEADER_MISSING, None)
    assert verdict(caller(refusal=header), sent, **expected).result is Result.PASSED
    gone = verdict(callee=None, callee_lost=True, **expected)
    assert reason_and_note(gone)[0] is Reason.PEER_LOST


def test_where_the_sut_itself_answers_all_is_its_own():
    alone = OF_INVITE | {CALLEE: ExpectLeg(), CALLER: saying(Message.FINAL, name="X-A", present=True)}
    it = verdict(callee=None, callee_declared=False, **alone)
    assert reason_and_note(it) == (Reason.HEADER_MISSING, None)


def test_a_message_that_nobody_else_writes_is_the_suts():
    it = verdict(caller(asks=TENANT, farewell=TENANT), **OF_INVITE | {CALLEE: saying(
        Message.ACK, name="X-Tenant", present=True)})  # fmt: skip
    assert reason_and_note(it) == (Reason.HEADER_MISSING, None)


# --- in words


def test_a_leg_without_any_is_asked_for_none():
    assert asked(ExpectLeg()) == {}
    said = asked(change(saying(name="X-A", present=True), request_uris=(ExpectRequestUri(matches="b"),)))
    assert said[Check.HEADERS] == "INVITE with X-A"
    assert said[Check.REQUEST_URI] == "INVITE with Request-URI matching b"
    assert wanted(ExpectHeader(message=Message.FINAL, name="X-A", matches="lane {endpoint}")) == (
        "final response with X-A matching lane {endpoint}"
    )


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({"caller": saying(Message.INVITE, name="X-A", present=True)}, "no INVITE comes to the caller"),
        ({"callee": saying(Message.FINAL, name="X-A", present=True)}, "no final response comes to the callee"),
        ({"callee": saying(Message.BYE, name="X-A", present=True), "sip_code": 486},
         "expect.sipCode is 486, and such a call has no BYE"),
        ({"callee": saying(Message.INVITE, name="X-A", present=True), "sip_code": 486}, None),
        ({"caller": saying(Message.BYE, name="X-A", present=True)},
         "the caller itself ends the call: one comes to it with endedBy SUT"),
        ({"caller": saying(Message.BYE, name="X-A", present=True), "ended_by": EndedBy.SUT}, None),
        ({"caller": saying(Message.BYE_RESPONSE, name="X-A", present=True)}, None),
        ({"caller": saying(Message.BYE_RESPONSE, name="X-A", present=True), "ended_by": EndedBy.SUT},
         "the SUT is to end the call (endedBy): the caller sends no BYE"),
        ({"callee": saying(Message.BYE, name="X-A", present=True)}, None),
        ({"callee": saying(Message.BYE_RESPONSE, name="X-A", present=True)},
         "the callee sends no BYE: the caller ends the call"),
        ({"callee": saying(Message.BYE_RESPONSE, name="X-A", present=True), "ended_by": EndedBy.SUT},
         "the callee sends no BYE: the SUT ends the call"),
    ],
)  # fmt: skip
def test_a_message_that_never_comes_to_a_leg_cannot_be_asked_of_it(expected, said):
    call = Call(name="pin", to="sip:b@x", expect=Expect(**expected))
    impossible = RULE_OF[Check.HEADERS].impossible(call, None)
    leg = "callee" if "callee" in expected else "caller"
    assert (impossible and (impossible.field, impossible.fault)) == (
        said and (f"expect.{leg}.headers[0].message", said)
    )


def test_a_request_uri_of_a_message_that_never_comes_cannot_be_asked():
    expect = Expect(
        ended_by=EndedBy.SUT,
        caller=ExpectLeg(request_uris=(ExpectRequestUri(message="BYE", equals="a"), ExpectRequestUri(equals="a"))),
    )
    for expected, place in ((expect, 1), (change(expect, ended_by=EndedBy.CALLER), 0)):
        impossible = RULE_OF[Check.REQUEST_URI].impossible(Call(name="pin", to="sip:b@x", expect=expected), None)
        assert impossible is not None
        assert impossible.field == f"expect.caller.requestUris[{place}].message"
