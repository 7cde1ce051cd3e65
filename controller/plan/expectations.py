"""Expectations that cannot come true whatever the SUT does, and so would blame it for the test's own fault. Pure."""

from collections.abc import Iterable
from typing import Final

from agent.contract.call import Call
from agent.contract.expect import ExpectLeg
from agent.contract.steps import Steps, callee_steps
from agent.contract.verdict import Reason
from agent.judge.checks import MEDIA_RULES, RULES
from agent.judge.checks.check import CheckRule
from controller.api.test import CallTestSpec
from controller.plan.acting import acting_in
from controller.plan.cause import PlanningError

MARGIN_MS: Final = 500
"""Round trips, and the start of media."""


def check_expectations(test: CallTestSpec) -> None:
    """PlanningError INVALID_TEST for the first expectation that cannot be met."""
    for index, call in enumerate(test.calls):
        field = f"calls[{index}]"
        callee = None if test.callee is None else callee_steps(acting_in(test.callee, call))
        _check_rules([rule for rule in RULES if not rule.media], call, callee, field)
        if not call.expect.is_answer:
            _check_refused_call(call, field)
        else:
            _check_possible(call, callee, field)
            _check_hold(call, callee, field)


def _check_refused_call(call: Call, field: str) -> None:
    """A call that is not answered has no media."""
    for name, leg in (("caller", call.expect.caller), ("callee", call.expect.callee)):
        for what in (each for each in _expected(leg) if each not in ("headers", "requestUris", "reason")):
            fault = f"cannot be met: expect.sipCode is {call.expect.sip_code}, and such a call has no media"
            raise _invalid(f"{field}.expect.{name}.{what}", fault)


def _check_possible(call: Call, callee: Steps | None, field: str) -> None:
    """Something must send what a leg is to receive, and someone receive it."""
    if callee is None:
        for what in _expected(call.expect.callee):
            raise _invalid(f"{field}.expect.callee.{what}", "cannot be measured: the test has no callee")
    _check_rules(MEDIA_RULES, call, callee, field)


def _check_rules(rules: Iterable[CheckRule], call: Call, callee: Steps | None, field: str) -> None:
    for rule in rules:
        found = rule.impossible(call, callee)
        if found is not None:
            raise _invalid(f"{field}.{found.field}", found.fault)


def _check_hold(call: Call, callee: Steps | None, field: str) -> None:
    """The call must be long enough for all that is to happen in it."""
    needed_ms = max(rule.needs_ms(call, callee) for rule in MEDIA_RULES)
    needed_ms += MARGIN_MS if needed_ms else 0
    if needed_ms > call.hold_seconds * 1000:
        seconds = -(-needed_ms // 1000)
        raise _invalid(
            f"{field}.holdSeconds", f"{call.hold_seconds} is too short for its digits and audio: {seconds} at least"
        )


def _expected(leg: ExpectLeg) -> list[str]:
    """The fields that ask for something, as people write them."""
    fields = zip(leg.__struct_encode_fields__, leg.__struct_fields__, strict=True)
    return [written for written, name in fields if getattr(leg, name)]


def _invalid(field: str, fault: str) -> PlanningError:
    return PlanningError(Reason.INVALID_TEST, f"{field}: {fault}")
