"""What a verdict costs: so much per call, however many endpoints there are."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from agent.judge.run import judge_run
from agent.judge.verdicts import AgentReport
from controller.api.run import Endpoint
from controller.run.conclude import conclude
from tests.unit.builders import change, good_reports, report


def good(endpoints: int) -> list[AgentReport]:
    return good_reports(endpoints=tuple(range(endpoints)))


def silent(endpoints: int) -> list[AgentReport]:
    """Neither header nor Call-ID tells whose the callee's legs are."""
    caller, callee = good(endpoints)
    legs = (change(leg, call_key=None, call=None, number=None, sip_call_id="b2bua") for leg in callee.legs)
    return [caller, report(callee.plan, *legs)]


def dead(endpoints: int) -> list[AgentReport]:
    """Nobody reported a leg."""
    return [report(agent.plan, complete=False) for agent in good(endpoints)]


def steps(action: Callable[[], Any]) -> int:
    """Bytecode instructions run by an action."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("reports", [good, silent, dead])
def test_judging_is_linear_in_endpoints(reports):
    few, many = (steps(partial(judge_run, reports(count))) for count in (10, 40))
    assert many < 4.2 * few


def test_concluding_is_linear_in_endpoints():
    def of(count: int) -> int:
        reports = good(count)
        endpoints = [Endpoint(index=index, address=f"10.0.0.{index}:5060") for index in range(count)]
        return steps(lambda: conclude(reports, endpoints))

    assert of(40) < 4.2 * of(10)
