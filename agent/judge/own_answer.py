"""What our own callee answered against what its steps say that it answers: as it was to, or of itself."""

from typing import Final

from agent.contract.steps import final_after_ms, final_code
from agent.judge.call_leg import CallLeg
from agent.judge.refusals import PATH_CODES

REQUEST_TERMINATED: Final = 487
"""The response that a CANCEL brings about (RFC 3261 §9.2): it tells who gave up, not what the call came to."""
SLOW_CALLEE_MS: Final = 5000.0
"""Our callee answers when it is to. One that took so much longer was what was slow."""
UNANSWERED: Final = "had not answered when the caller's call was over"
"""Of a call that outlasted the caller's: the code with which its agent ended it tells nothing."""


def due_code(callee: CallLeg) -> int:
    """The final response that it is to give; where it only rings, the one to the CANCEL that ends that."""
    return final_code(callee.steps) or REQUEST_TERMINATED


def as_due(callee: CallLeg) -> bool:
    """That is the one which it gave."""
    return callee.leg.final_code == due_code(callee)


def only_rings(callee: CallLeg) -> bool:
    """It gives none of its own accord."""
    return final_code(callee.steps) is None


def refused_by_agent(callee: CallLeg) -> bool:
    """It refused with a code that neither its steps nor anything on the path asked for."""
    code = callee.leg.final_code
    if code is None or code < 300 or as_due(callee) or code in PATH_CODES or code == REQUEST_TERMINATED:
        return False
    return not outlasted(callee)


def could_not(callee: CallLeg) -> str | None:
    """Why it did not ring or answer as it was to: then the SUT may have gone on to somebody else."""
    return callee.failed_to("Ring", "Answer")


def outlasted(callee: CallLeg) -> bool:
    """Its agent ended it, with whatever code, before an answer was due: its caller had gone, and nobody cancelled."""
    done = {action.name for action in callee.leg.actions if action.error is None}
    due_ms, rang_ms = final_after_ms(callee.steps), waited_ms(callee)
    undue = due_ms is None or (rang_ms is not None and rang_ms < due_ms)
    return undue and "HangUp" in done and "Answer" not in done and not callee.leg.told_to_stop


def waited_ms(leg: CallLeg) -> float | None:
    """From the INVITE to the final response, or to the end where there was none."""
    times = leg.leg.progress
    return times.ended_ms if times.answered_ms is None else times.answered_ms


def slow_callee(callee: CallLeg) -> bool:
    """It had the INVITE for longer than it is to, or nobody knows how long, before it sent a final response."""
    took_ms = waited_ms(callee)
    return took_ms is None or took_ms > (final_after_ms(callee.steps) or 0) + SLOW_CALLEE_MS
