"""What the callee does in each call, and what of it contradicts itself or what the test expects. Pure."""

from typing import Final

from agent.contract.call import Acting, Behaviour, Call
from agent.contract.steps import callee_steps, final_after_ms, final_code, takes_calls
from agent.contract.verdict import Reason
from agent.judge.own_answer import REQUEST_TERMINATED
from agent.judge.refusals import PATH_CODES
from agent.sip.text import CHALLENGES
from controller.api.parties import Callee
from controller.api.test import CallTestSpec
from controller.plan.cause import PlanningError

NOT_OURS: Final = PATH_CODES | CHALLENGES.keys() | {REQUEST_TERMINATED}
"""Refusals that our callee does not make at will: from who made them nobody could tell why."""

ROUND_TRIPS_MS: Final = 500
"""What an answer takes to its caller, who gives up else."""


def acting_in(callee: Callee, call: Call) -> Acting:
    """What the call says, and for the rest the party; what does not belong to the word that stands is left out."""
    own = call.callee
    behaviour = own.behaviour or callee.acting.behaviour
    after_ms = own.answer_after_milliseconds
    after_ms = callee.answer_after_milliseconds if after_ms is None else after_ms
    return Acting(
        behaviour=behaviour,
        refuse=(own.refuse or callee.refuse) if behaviour is Behaviour.REFUSE else None,
        answer_after_milliseconds=None if behaviour is Behaviour.RING_ONLY else after_ms,
    )


def check_acting(test: CallTestSpec) -> None:
    """PlanningError INVALID_TEST for the first field that cannot be."""
    if test.callee is None:
        for index, call in enumerate(test.calls):
            if call.callee.acting != Acting().acting or call.callee.behaviour is not None:
                raise _invalid(f"calls[{index}].callee.{_first(call.callee)}", "the test has no callee")
        return
    _check_said(test.callee, test.callee.acting, "callee")
    for index, call in enumerate(test.calls):
        field = f"calls[{index}]"
        _check_said(call.callee, acting_in(test.callee, call), f"{field}.callee")
        _check_outcome(test.callee, call, field)


def _first(acting: Acting) -> str:
    """The first field that says something, as people write it."""
    names = zip(Acting.__struct_encode_fields__, Acting.__struct_fields__, strict=True)
    return next(written for written, name in names if getattr(acting, name) is not None)


def _check_said(said: Acting, whole: Acting, field: str) -> None:
    """What is said in one place, and what that comes to with the rest."""
    behaviour = whole.behaviour
    if said.refuse is not None and behaviour is not Behaviour.REFUSE:
        raise _invalid(f"{field}.refuse", f"needs behaviour: Refuse, and it is {behaviour}")
    if behaviour is Behaviour.REFUSE and whole.refuse is None:
        raise _invalid(f"{field}.refuse", "is needed with behaviour: Refuse, as in {code: 603}")
    if said.refuse is not None and said.refuse.code in NOT_OURS:
        fault = "is not for a callee to give at will: its SIP stack does, to a CANCEL or to what it cannot take"
        raise _invalid(f"{field}.refuse.code", f"{said.refuse.code} {fault}")
    if said.answer_after_milliseconds is not None and behaviour is Behaviour.RING_ONLY:
        raise _invalid(
            f"{field}.answerAfterMilliseconds", "means nothing with behaviour: RingOnly, which never answers"
        )


def _check_outcome(callee: Callee, call: Call, field: str) -> None:
    """A call that our own callee refuses has no answer, whatever the SUT does that is right."""
    steps = callee_steps(acting_in(callee, call))
    where = f"{field}.callee" if call.callee.behaviour is not None else "callee"
    if call.expect.is_answer and not takes_calls(steps):
        behaviour = call.callee.behaviour or callee.acting.behaviour
        code = final_code(steps)
        does = f"which answers {code}" if code is not None else "which never answers: 487 is expected, after a CANCEL"
        fault = f"is {call.expect.sip_code}, and {where}.behaviour is {behaviour}, {does}"
        raise _invalid(f"{field}.expect.sipCode", fault)
    if call.expect.sip_code == REQUEST_TERMINATED and final_code(steps) is not None:
        behaviour = call.callee.behaviour or callee.acting.behaviour
        fault = f"is 487, of a caller that gives up, and {where}.behaviour is {behaviour}, not RingOnly"
        raise _invalid(f"{field}.expect.sipCode", fault)
    after_ms, limit_ms = final_after_ms(steps) or 0, 1000 * call.answer_timeout_seconds
    if after_ms > limit_ms - ROUND_TRIPS_MS:
        where = f"{field}.callee" if call.callee.answer_after_milliseconds is not None else "callee"
        bound = f"{field}.answerTimeoutSeconds, {call.answer_timeout_seconds}"
        fault = f"{after_ms} is not {ROUND_TRIPS_MS} ms before {bound}"
        raise _invalid(f"{where}.answerAfterMilliseconds", fault)


def _invalid(field: str, fault: str) -> PlanningError:
    return PlanningError(Reason.INVALID_TEST, f"{field}: {fault}")
