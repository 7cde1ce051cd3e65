"""What a run's object says, and where its findings point."""

import json

import pytest

from agent.contract.verdict import Check, Finding, Reason, Result, Role
from controller.api.run import Endpoint, Failure
from controller.cli.run.render import as_json, run_object
from controller.page.model import Broken, Hop, Way
from controller.page.run import NoRunError, broken_by, runs_of, said_by, said_of
from controller.run.conclude import conclude
from tests.unit.builders import callee_leg, caller_leg, digits, plan, report
from tests.unit.controller.finished import FAILURE, finished_run


def test_a_run_is_read_as_it_is_printed():
    (run,) = runs_of(json.loads(as_json([finished_run(Result.FAILED)])))
    assert (run.name, run.namespace, run.call_test, run.result) == ("pin-1", "default", "pin", Result.FAILED)


def test_a_list_has_several():
    one = run_object(finished_run(Result.PASSED))
    assert len(runs_of({"kind": "List", "items": [one, one]})) == 2


def test_a_run_that_is_not_finished_has_no_result():
    (run,) = runs_of({"kind": "CallTestRun", "metadata": {"name": "pin"}})
    assert (run.result, run.call_test, run.namespace) == (None, "pin", "default")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "no object"),
        ({"kind": "List", "items": []}, "without runs"),
        ({"kind": "List", "items": [3]}, "kind is 'int'"),
        ({"kind": "Pod"}, "kind is 'Pod'"),
        ({"kind": 3}, "kind is 3"),
        ({}, "kind is None"),
        ({"kind": "CallTestRun", "metadata": {"name": 3}}, "not as a CallTestRun is"),
        ({"kind": "CallTestRun", "metadata": [1]}, "not as a CallTestRun is"),
        ({"kind": "CallTestRun", "metadata": {"name": "x"}, "spec": {"test": 3}}, "not as a CallTestRun is"),
        ({"kind": "CallTestRun", "metadata": {"name": "x"}, "status": {"result": "Fine"}}, "not as a CallTestRun is"),
    ],
)
def test_what_is_no_run_is_said_to_be_none(document, words):
    with pytest.raises(NoRunError, match=words):
        runs_of(document)


def test_a_failure_is_a_sentence():
    said = said_by(FAILURE)
    assert (said.reason, said.leg, said.check, said.expected) == ("DtmfMismatch", "Callee", "dtmf", "1234#")
    assert said.sentence.startswith("callee received")


def test_a_check_of_a_newer_calltest_is_told_all_the_same():
    failure = Failure(
        call="pin",
        number=0,
        endpoint=0,
        leg=Role.CALLER,
        check="video",
        result=Result.FAILED,
        reason="Blurred",
        note="n",
    )
    assert said_by(failure).sentence == "caller's check video: n"
    assert broken_by([said_by(failure)]) == (Broken(hop=Hop.CALLER, way=Way.TO_CALLER),)


def said(check, reason, leg, result=Result.FAILED):
    return said_of(Finding(call="pin", number=0, endpoint=0, leg=leg, check=check, reason=reason), result)


FROM_CALLER, AT_CALLEE = Broken(hop=Hop.CALLER, way=Way.TO_CALLEE), Broken(hop=Hop.CALLEE, way=Way.TO_CALLEE)
FROM_CALLEE, AT_CALLER = Broken(hop=Hop.CALLEE, way=Way.TO_CALLER), Broken(hop=Hop.CALLER, way=Way.TO_CALLER)


@pytest.mark.parametrize(
    ("check", "reason", "leg", "places"),
    [
        (Check.DTMF, Reason.DTMF_MISMATCH, Role.CALLEE, (FROM_CALLER, AT_CALLEE)),
        (Check.RTP_LOSS, Reason.PACKET_LOSS, Role.CALLER, (FROM_CALLEE, AT_CALLER)),
        (Check.ANSWERED, Reason.SIP_CODE_MISMATCH, Role.CALLER, (AT_CALLER,)),
        (Check.DELIVERED, Reason.ANSWERED_ELSEWHERE, Role.CALLER, (AT_CALLEE,)),
        (Check.COMPLETED, Reason.BYE_MISSING, Role.CALLEE, (AT_CALLEE,)),
        (Check.COMPLETED, Reason.CALL_DROPPED, Role.CALLEE, (AT_CALLEE,)),
        (Check.AUDIO, Reason.LOOPED, Role.CALLER, (AT_CALLEE, AT_CALLER)),
    ],
)
def test_a_finding_points_to_a_side_and_a_direction(check, reason, leg, places):
    assert broken_by([said(check, reason, leg)]) == places


def test_what_was_not_measured_points_nowhere():
    assert broken_by([said(Check.DTMF, Reason.NOT_MEASURED, Role.CALLEE, Result.INCONCLUSIVE)]) == ()


@pytest.mark.parametrize(
    ("at_callee", "back", "way"),
    [("124#", "124#", Way.TO_CALLEE), ("1234#", "124#", Way.TO_CALLER)],
)
def test_what_a_parrot_sends_back_broke_where_the_judge_says(at_callee, back, way):
    asked = {"group__expect__callee__dtmf": None}
    caller = report(plan(**asked), caller_leg(dtmf_received=digits(back)))
    heard = callee_leg(dtmf_received=digits(at_callee), dtmf_sent=digits(at_callee))
    outcome = conclude(
        [caller, report(plan(Role.CALLEE, **asked), heard)], [Endpoint(index=0, address="10.0.0.1:5060")]
    )
    (failure,) = outcome.failures
    assert (failure.leg, failure.check) == (Role.CALLER, "dtmf")
    assert {one.way for one in broken_by([said_by(failure)])} == {way}


def test_whether_there_is_a_callee_stands_in_the_test():
    raw = run_object(finished_run(Result.PASSED))
    assert runs_of(raw)[0].has_callee
    del raw["spec"]["test"]["callee"]
    assert not runs_of(raw)[0].has_callee
