"""Which legs the agents of a lane are to keep, by what both ends of their calls told. Pure."""

from collections.abc import Mapping, Sequence

from agent.contract.kept import Kept, spans
from agent.contract.verdict import Result
from agent.judge.run import judge_run
from agent.judge.verdicts import AgentReport


def to_keep(reports: Sequence[AgentReport]) -> Mapping[str, Kept]:
    """By agent: both legs of each call that did not pass.

    A leg that is no call's for certain is kept where a call to its endpoint did not pass: it may be that call's.
    """
    calls = judge_run(reports).calls
    in_doubt = {call.endpoint for call in calls if call.result is not Result.PASSED}
    passed = {
        (leg.role, leg.index)
        for call in calls
        if call.result is Result.PASSED
        for leg in (call.caller, call.callee)
        if leg is not None
    }
    return {
        report.plan.agent: spans(
            leg.index for leg in report.legs if leg.endpoint in in_doubt and (leg.role, leg.index) not in passed
        )
        for report in reports
    }
