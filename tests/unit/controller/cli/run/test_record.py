"""What `calltest run --evidence` leaves beside the legs' folders."""

import json

from agent.contract.verdict import Result, Role
from controller.cli.run.record import record
from controller.page.files import LEGS, RUN
from tests.unit.builders import callee_leg, change, good_reports, plan, report
from tests.unit.controller.finished import call, finished_run


def test_the_run_and_the_lines_of_its_legs_are_there(tmp_path):
    record(tmp_path, finished_run(Result.FAILED), good_reports())
    assert json.loads((tmp_path / "pin-1" / RUN).read_text())["status"]["result"] == "Failed"
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "pin-1" / LEGS).read_text().splitlines()]
    assert kinds == ["leg", "leg", "registration", "registration"]


def test_a_directory_that_cannot_be_written_is_said_and_changes_nothing(tmp_path, caplog):
    (tmp_path / "pin-1").write_text("a file")
    record(tmp_path, finished_run(Result.FAILED), good_reports())
    assert "the run is not recorded there" in caplog.text


def test_a_leg_that_no_header_names_has_the_call_that_it_was_found_to_belong_to(tmp_path):
    leg = change(callee_leg(), call=None, number=None)
    stray = change(leg, index=7)
    done = finished_run(Result.FAILED, call(callee=leg))
    record(tmp_path, done, [report(plan(Role.CALLEE), leg, stray)])
    told = [json.loads(line) for line in (tmp_path / "pin-1" / LEGS).read_text().splitlines()]
    assert [(one["call"], one["number"]) for one in told if one["kind"] == "leg"] == [("pin", 0), (None, None)]
