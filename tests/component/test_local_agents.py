"""controller.cli.run.local_agents against agents that keep to the contract, and agents that do not."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.contract.plan import Plan
from agent.contract.verdict import Reason, Role
from agent.judge.verdicts import AgentReport
from controller.cli.run import local_agents
from controller.cli.run.local_agents import Deadlines, Host, run_agents
from controller.run.lifecycle import AgentFacts
from tests.unit.builders import plan

FAKE = str(Path(__file__).parents[1] / "fake_agent.py")
PATIENT = Deadlines(start_s=10, active_s=20)


def plans(*, calls: int = 2, stages: int = 2, lanes: int = 1) -> list[Plan]:
    endpoints = tuple(range(stages))
    return [
        plan(role, lane=lane, endpoints=endpoints, run__uid="run-1", group__count=calls, group__hold_seconds=1)
        for lane in range(lanes)
        for role in (Role.CALLER, Role.CALLEE)
    ]


def run(
    tmp_path: Path, *faults: str, deadlines: Deadlines = PATIENT, aborts=lambda: 0, watch=lambda _: None, **shape
) -> list[AgentReport]:
    command = (sys.executable, FAKE, *(f"--fault={fault}" for fault in faults))
    host = Host(command=command, bind="127.0.0.1", directory=tmp_path)
    reports = run_agents(plans(**shape), host, deadlines, aborts=aborts, watch=lambda agents, _: watch(agents))
    assert not left_over(tmp_path)
    assert [report.plan.agent for report in reports] == [plan.agent for plan in plans(**shape)]
    return list(reports)


def left_over(directory: Path) -> list[int]:
    """Processes that were started with this directory and still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(directory).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def test_both_agents_walk_all_endpoints_and_report_every_leg(tmp_path: Path) -> None:
    caller, callee = run(tmp_path)
    for report in (caller, callee):
        assert report.complete
        assert report.lost_reason is None
        assert [(leg.endpoint, leg.number) for leg in report.legs] == [(0, 0), (0, 1), (1, 0), (1, 1)]
        assert len(report.registrations) == 2


def test_lanes_run_beside_each_other(tmp_path: Path) -> None:
    assert all(report.complete for report in run(tmp_path, lanes=2, stages=1))


def test_caller_that_dies_is_lost_keeps_its_ended_calls_and_lets_the_callee_finish(tmp_path: Path) -> None:
    caller, callee = run(tmp_path, "caller-0=die")
    assert not caller.complete
    assert caller.lost_reason is Reason.AGENT_LOST
    assert "exit code 139" in caller.lost_message
    assert "Segmentation fault (made up)" in caller.lost_message
    assert len(caller.legs) == 1
    assert callee.complete


def test_temporary_files_of_agents_are_deleted_also_of_one_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("run", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    run(tmp_path / "run", "caller-0=die")
    assert list(tmp_path.rglob("calltest-fake-*")) == []
    assert (tmp_path / "run" / "caller-0" / "log").exists()


def test_callee_that_dies_takes_its_caller_with_it(tmp_path: Path) -> None:
    caller, callee = run(tmp_path, "callee-0=die")
    assert callee.lost_reason is Reason.AGENT_LOST
    assert caller.lost_reason is Reason.PEER_LOST
    assert "lost" in caller.lost_message


def test_agent_that_never_gets_ready_ends_the_run_at_the_ready_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.run.lifecycle.STOP_GRACE_S", 0.5)
    caller, callee = run(tmp_path, "callee-0=mute", deadlines=Deadlines(start_s=0.5, active_s=1.0))
    assert {caller.lost_reason, callee.lost_reason} == {Reason.AGENT_START_TIMEOUT}
    assert "not ready within 0.5 s" in callee.lost_message
    assert caller.legs == ()


def test_agent_that_hangs_is_ended_at_the_active_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.run.lifecycle.STOP_GRACE_S", 0.5)
    caller, callee = run(
        tmp_path, "caller-0=deaf", "callee-0=slow", deadlines=Deadlines(start_s=10, active_s=1), calls=40
    )
    assert Reason.DEADLINE_EXCEEDED in {caller.lost_reason, callee.lost_reason}


def test_garbage_on_standard_output_is_passed_over(tmp_path: Path) -> None:
    assert all(report.complete for report in run(tmp_path, "caller-0=garbage"))


def test_agent_that_floods_its_output_is_ended_and_refused(tmp_path: Path) -> None:
    caller, _ = run(tmp_path, "caller-0=flood")
    assert caller.lost_reason is Reason.RESULT_REJECTED
    assert "bytes to its output" in caller.lost_message


def test_result_of_another_run_is_rejected_with_everything_in_it(tmp_path: Path) -> None:
    caller, callee = run(tmp_path, "caller-0=wrong-run")
    assert caller.lost_reason is Reason.RESULT_REJECTED
    assert "'another-run', expected 'run-1'" in caller.lost_message
    assert caller.legs == ()
    assert callee.complete


def test_progress_of_another_run_does_not_move_the_lane(tmp_path: Path) -> None:
    caller, _ = run(tmp_path, "caller-0=stranger", deadlines=Deadlines(start_s=0.5, active_s=1.0))
    assert caller.lost_reason is Reason.AGENT_START_TIMEOUT
    assert caller.legs == ()


def test_result_cut_short_is_rejected(tmp_path: Path) -> None:
    caller, _ = run(tmp_path, "caller-0=half-result")
    assert caller.lost_reason is Reason.RESULT_REJECTED


def test_lines_missing_from_the_log_are_noticed(tmp_path: Path) -> None:
    caller, _ = run(tmp_path, "caller-0=lines-lost")
    assert not caller.complete
    assert caller.lost_reason is Reason.AGENT_LOST
    assert "0 of 6 detail lines" in caller.lost_message


def test_error_of_an_agent_says_why_it_did_nothing(tmp_path: Path) -> None:
    caller, _ = run(tmp_path, "caller-0=error")
    assert caller.lost_reason is Reason.INPUT_MISSING
    assert "no key password" in caller.lost_message


def test_user_who_stops_the_run_gets_what_was_done_until_then(tmp_path: Path) -> None:
    ended: list[int] = []

    def watch(agents: Sequence[AgentFacts]) -> None:
        ended.extend(agent.progress.ended for agent in agents if agent.plan.role is Role.CALLER and agent.progress)

    caller, callee = run(
        tmp_path, "caller-0=slow", "callee-0=slow", calls=3, aborts=lambda: int(any(ended)), watch=watch
    )
    assert {caller.lost_reason, callee.lost_reason} == {Reason.ABORTED}
    assert caller.complete
    assert 0 < len(caller.legs) < 6


def test_user_who_insists_ends_agents_that_do_not_listen(tmp_path: Path) -> None:
    start = time.monotonic()
    caller, _ = run(
        tmp_path, "caller-0=mute", "callee-0=mute", aborts=lambda: min(2, int((time.monotonic() - start) / 0.3))
    )
    assert caller.lost_reason is Reason.ABORTED
    assert time.monotonic() - start < local_agents.ABORT_GRACE_S


def test_agent_that_cannot_be_started_leaves_no_other_behind(tmp_path: Path) -> None:
    host = Host(command=("/nonexistent/agent",), bind="127.0.0.1", directory=tmp_path)
    with pytest.raises(FileNotFoundError):
        run_agents(plans(), host, PATIENT)
    assert not left_over(tmp_path)
