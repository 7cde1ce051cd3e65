"""What people see of a run under way."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from agent.contract.plan import Signal
from agent.contract.result import ProgressLine
from agent.contract.verdict import Reason, Role
from controller.cli.run.progress import LiveWatch, PlainWatch, describe, totals
from controller.plan.cause import Cause
from controller.run.agent_state import AgentState
from controller.run.lifecycle import AgentFacts
from tests.unit.builders import plan

PLAN = plan(endpoints=(0, 1))
STARTING = AgentFacts(plan=PLAN, state=AgentState.RUNNING, ending=Cause(reason=Reason.AGENT_LOST, message=""))


def agent(ready: int, done: int, go: int = -1, *, ended: int = 0, over: bool = False, stop: bool = False) -> AgentFacts:
    progress = ProgressLine(
        run_uid="run-1", agent="caller-0", ready=ready, done=done, active=1, ended=ended, failed=ended
    )
    return replace(
        STARTING,
        state=AgentState.ENDED if over else AgentState.RUNNING,
        progress=progress,
        signal=Signal(go=go, stop=stop),
    )


@pytest.mark.parametrize(
    ("facts", "doing"),
    [
        (STARTING, "starting"),
        (replace(STARTING, state=AgentState.ENDED), "ended without a word"),
        (agent(0, 0), "preparing at 10.0.0.1:5060, endpoint 1 of 2"),
        (agent(1, 0), "ready at 10.0.0.1:5060, endpoint 1 of 2"),
        (agent(1, 0, go=0), "calling at 10.0.0.1:5060, endpoint 1 of 2"),
        (agent(1, 1, go=0), "preparing at 10.0.0.2:5060, endpoint 2 of 2"),
        (agent(2, 1, go=1, stop=True), "stopping at 10.0.0.2:5060, endpoint 2 of 2"),
        (agent(2, 2, go=1), "done"),
        (agent(2, 2, go=1, over=True), "ended"),
    ],
)
def test_an_agent_in_a_line(facts: AgentFacts, doing: str) -> None:
    assert describe(facts).removesuffix(", 1 up") == doing


def test_a_call_is_counted_once_at_its_caller() -> None:
    callee = replace(agent(1, 0, ended=4), plan=plan(Role.CALLEE, endpoints=(0, 1)))
    planned = 2 * PLAN.calls[0].count
    assert describe(agent(1, 0, ended=3)).endswith(", 1 up")
    assert totals([agent(1, 0, ended=3), callee]) == f"3 of {planned} calls ended, 3 with a fault"
    assert totals([STARTING, callee]) == f"0 of {planned} calls ended"


def test_plain_lines_say_changes_once_and_now_and_then() -> None:
    said: list[str] = []
    watch = PlainWatch(said.append)
    planned = 2 * PLAN.calls[0].count
    shown = [(STARTING, 0.0), (STARTING, 0.1), (agent(1, 0, 0), 1.0)]
    shown += [(agent(1, 0, 0, ended=n), 1.0 + n * 0.5) for n in range(1, 5)]
    for facts, elapsed_s in shown:
        watch.show([facts], elapsed_s)
    assert said == [
        "   0.0 s  caller-0: starting",
        f"   0.0 s  all: 0 of {planned} calls ended",
        "   2.0 s  caller-0: calling at 10.0.0.1:5060, endpoint 1 of 2, 1 up",
        f"   2.0 s  all: 2 of {planned} calls ended, 2 with a fault",
    ]


def test_a_day_s_run_has_some_hundred_lines() -> None:
    said: list[str] = []
    watch = PlainWatch(said.append)
    for second in range(86_400):
        watch.show([agent(1, 0, 0, ended=second)], float(second))
    assert 100 < len(said) < 600


def test_a_terminal_is_given_back() -> None:
    out = io.StringIO()
    with LiveWatch(Console(file=out, force_terminal=True, width=100, _environ={"TERM": "xterm"})) as watch:
        watch.show([agent(1, 0, 0)], 3.0)
    assert "caller-0" in out.getvalue()
    assert out.getvalue().rstrip().endswith("\x1b[2K") or "\x1b[?25h" in out.getvalue()
