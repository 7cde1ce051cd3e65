"""A finished run as people and programs read it."""

import dataclasses
import json

import msgspec
import pytest
import yaml

from agent.contract.call import Call
from agent.contract.expect import Audio, Expect, ExpectDtmf, ExpectLeg
from agent.contract.verdict import Result
from agent.judge.verdicts import AgentReport, Flow
from controller.api.parse import parse_run
from controller.cli.run.junit import Suite, junit
from controller.cli.run.render import as_json, as_table, as_yaml, run_object
from controller.page.calls import Known, run_page
from controller.page.run import runs_of
from controller.run.conclude import conclude
from tests.unit.agent.judge.judging import reports_of
from tests.unit.builders import good_reports
from tests.unit.controller import finished
from tests.unit.controller.finished import call, finished_run

FAILED = finished_run(Result.FAILED)


def table(*calls: object) -> str:
    run = finished_run(Result.FAILED, *calls) if calls else FAILED
    return as_table(run, width=160, color=False)


def row(text: str, first: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(first))


def test_yaml_and_json_are_the_run_as_a_cluster_holds_it() -> None:
    document = yaml.safe_load(as_yaml([FAILED]))
    assert document == json.loads(as_json([FAILED]))
    assert "null" not in as_yaml([FAILED])
    assert document["status"]["failures"][0]["observed"] == "[red]124#"
    parsed = parse_run(document)
    assert (parsed.spec, parsed.name) == (parse_run(document).spec, "pin-1")
    assert parsed.status == FAILED.status


def test_several_runs_are_several_documents_or_a_list() -> None:
    assert len(list(yaml.safe_load_all(as_yaml([FAILED, FAILED])))) == 2
    listed = json.loads(as_json([FAILED, FAILED]))
    assert (listed["kind"], len(listed["items"])) == ("List", 2)


def test_table_says_verdict_reason_counts_and_worst_finding() -> None:
    lines = table().splitlines()
    assert lines[0] == "pin: Failed/DtmfMismatch, 1 of 3 calls passed, 2 failed, 9 s"
    assert lines[1] == 'callee received "[red]124#", expected "1234#"'


def test_text_from_the_network_is_no_markup() -> None:
    assert row(table(), "pin/0") == ["pin/0", "0", "Callee", "dtmf", "DtmfMismatch", "1234#", "[red]124#"]
    assert "\x1b" not in table()
    assert "[red]124#" in as_table(FAILED, width=160, color=True)


def test_packets_are_summed_where_both_ends_counted_them() -> None:
    counted = call(to_caller=Flow(sent=250, received=240, lost=4))
    text = table(counted, call())
    assert row(text, "from caller")[2:] == ["500", "498", "2", "0", "2", "of", "2"]
    assert row(text, "to caller")[2:] == ["250", "240", "4", "6", "1", "of", "2"]


def test_packets_that_were_not_counted_are_not_zero() -> None:
    nothing = Flow(sent=None, received=None, lost=None)
    assert row(table(call(to_callee=nothing)), "from caller")[2:] == ["–", "–", "–", "–", "0", "of", "1"]


def test_notes_are_shown_of_calls_that_passed_as_well() -> None:
    shown = table(dataclasses.replace(finished.CALL, notes=("two [b]answers[/b]\n",)))
    assert row(shown, "pin/0  0         two") == ["pin/0", "0", "two", "[b]answers[/b]"]
    many = table(dataclasses.replace(finished.CALL, notes=tuple(f"note {n}" for n in range(22))))
    assert "note 19" in many
    assert "note 20" not in many
    assert "and 2 more" in many


def test_passed_run_shows_no_failures() -> None:
    text = as_table(finished_run(Result.PASSED), width=160, color=False)
    assert text.startswith("pin: Passed, 3 of 3 calls passed, 9 s\n\n")
    assert "OBSERVED" not in text


def test_evidence_is_named_in_lines_that_can_be_copied() -> None:
    folder = "pin-0f5b3c4e/ep0/pin-0/Callee"
    other = "pin-0f5b3c4e/ep0/pin-0/Caller"
    kept = msgspec.structs.replace(finished.FAILURE, evidence=folder, peer_evidence=other)
    run = dataclasses.replace(FAILED, status=msgspec.structs.replace(FAILED.status, failures=(kept, kept)))
    lines = as_table(run, width=60, color=False).splitlines()
    assert [line for line in lines if line.startswith("pin-")] == [folder, other]
    assert "EVIDENCE" in lines
    assert "EVIDENCE" not in table()


def test_a_verdict_says_what_was_checked() -> None:
    expect = Expect(callee=ExpectLeg(audio=Audio.OWN, dtmf=ExpectDtmf(digits="12#")))
    spec = msgspec.structs.replace(finished.SPEC, calls=(Call(name="pin", expect=expect), Call(name="bare")))
    run = finished_run(Result.PASSED)
    run = dataclasses.replace(run, test=msgspec.structs.replace(run.test, spec=spec))
    lines = as_table(run, width=160, color=False).splitlines()
    at = next(index for index, line in enumerate(lines) if "CHECKED" in line)
    told = [" ".join(line.split()) for line in lines[at + 1 : at + 5]]
    assert told[0] == "pin answered 200, completed, delivered"
    assert told[1].startswith("Callee audio this call's signal, dtmf 12#")
    assert told[2:] == [
        "bare answered 200, completed, delivered",
        "nothing was expected of its media: neither audio nor digits nor RTP",
    ]


def test_json_has_the_measurements_that_metrics_have() -> None:
    found = json.loads(as_json([finished_run(Result.PASSED)]))["measurements"]
    passed = {"metric": "calltest_last_run_endpoint_calls", "replica": "127.0.0.1:5060", "call": "pin"}
    assert {**passed, "result": "Passed", "value": 1.0} in found


@pytest.mark.parametrize(
    ("reports", "said", "summary"),
    [
        (good_reports(), "1 of 1 calls passed", "1/1"),
        (reports_of(caller={"final_code": 503}, callee={"final_code": 503}), "0 of 1 calls passed, 1 ", "0/1"),
    ],
    ids=["passed", "not passed"],
)
def test_the_table_the_page_and_the_message_count_calls_alike(
    reports: list[AgentReport], said: str, summary: str
) -> None:
    """Of one run, by the functions that make each."""
    outcome = conclude(reports, FAILED.status.endpoints or ())
    status = msgspec.structs.replace(FAILED.status, result=outcome.result, calls=outcome.calls)
    run = dataclasses.replace(FAILED, status=status, verdict=outcome.verdict)
    (facts,) = runs_of(run_object(run))
    page = run_page(Known(facts=facts, seen=(), made_of=("x",)), ())
    assert said in outcome.message
    assert said in as_table(run, width=300, color=False).splitlines()[0]
    assert said in {fact.name: fact.value for fact in page.facts}["calls"]
    assert outcome.calls.summary == summary
    assert junit([Suite(name="pin", status=status, verdict=outcome.verdict)]).count("<testcase") == 1
