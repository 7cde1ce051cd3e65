"""Runs as JUnit XML."""

from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from msgspec import UNSET

from agent.contract.verdict import Reason, Result
from agent.judge.run import judge_run
from controller.api.run import CallTestRunStatus
from controller.cli.run.junit import Suite, junit
from tests.unit.agent.judge import registrar
from tests.unit.builders import change, digits, good_reports


def suite(reports, **status) -> Suite:
    return Suite(name="pin", status=CallTestRunStatus(**status), verdict=judge_run(reports))


def parsed(*suites: Suite) -> ET.Element:
    text = junit(suites)
    assert text.startswith("<?xml version=")
    return ET.fromstring(text)


def test_each_call_is_a_case():
    (found,) = parsed(suite(good_reports(group__count=2), start_time=datetime(2026, 1, 31, tzinfo=UTC)))
    assert (found.get("name"), found.get("tests"), found.get("failures"), found.get("errors")) == ("pin", "2", "0", "0")
    assert found.get("timestamp") == "2026-01-31T00:00:00+00:00"
    assert [case.get("name") for case in found] == ["pin #0", "pin #1"]
    assert found[0].get("classname") == "pin.sut-0"
    assert float(found[0].get("time")) > 8
    assert list(found[0]) == []


def test_what_is_to_know_of_a_call_that_passed_is_its_output():
    run = suite(good_reports())
    calls = (replace(run.verdict.calls[0], notes=("two answers", "a pause")),)
    (found,) = parsed(replace(run, verdict=replace(run.verdict, calls=calls)))
    assert found[0].find("system-out").text == "two answers\na pause"
    assert found[0].find("failure") is None


def test_a_failed_call_is_a_failure_with_all_its_findings():
    caller, callee = good_reports()
    legs = tuple(change(leg, dtmf_received=digits("12<\x1b#")) for leg in callee.legs)
    (found,) = parsed(suite([caller, replace(callee, legs=legs)]))
    failure = found[0].find("failure")
    assert failure.get("type") == "DtmfMismatch"
    assert "12<" in failure.get("message")
    assert failure.get("message") in failure.text
    assert (found.get("failures"), found.get("errors")) == ("1", "0")


def test_a_failed_call_names_its_evidence():
    caller, callee = good_reports()
    legs = tuple(change(leg, dtmf_received=digits("12"), evidence="run/ep0/pin-0/Callee") for leg in callee.legs)
    (found,) = parsed(suite([caller, replace(callee, legs=legs)]))
    assert found[0].find("failure").text.splitlines()[-2:] == [
        "evidence: run/ep0/pin-0/Callee", "see docs/reasons.md#dtmfmismatch",
    ]  # fmt: skip


def test_an_inconclusive_call_is_an_error():
    caller, callee = good_reports()
    lost = replace(
        caller, legs=(), registrations=(), complete=False, lost_reason=Reason.AGENT_LOST, lost_message="gone"
    )
    (found,) = parsed(suite([lost, replace(callee, legs=())]))
    assert found[0].find("error").get("type") == "AgentLost"
    assert found[0].get("time") is None
    assert found.get("errors") == "1"


def test_a_run_without_calls_is_one_error():
    status = CallTestRunStatus(result=Result.INCONCLUSIVE, reason="NoEndpoints", message="none\x00")
    (found, bare) = parsed(
        Suite(name="pin", status=status, verdict=None), Suite(name="x", status=CallTestRunStatus(), verdict=None)
    )
    error = found[0].find("error")
    assert (found[0].get("name"), error.get("type")) == ("run", "NoEndpoints")
    assert error.get("message").startswith("none")
    assert bare.get("timestamp") is None
    assert bare[0].find("error").get("type") == "Unknown"
    assert CallTestRunStatus().reason is UNSET


def test_registrations_alone_are_a_case_at_each_endpoint():
    caller = good_reports()[0]
    bad = registrar.registering(registrar.FIRST)
    report = replace(caller, plan=change(caller.plan, calls=()), legs=(), registrations=(bad,))
    (found,) = parsed(suite([report]))
    assert [case.get("name") for case in found] == ["registration #0"]
    assert found[0].find("error").get("type") == Reason.NOT_MEASURED
