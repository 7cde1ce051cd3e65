"""The verdict over a run."""

from collections.abc import Sequence

from agent.judge.verdicts import AgentReport, CallVerdict, EndpointVerdict, Flow, PairedBy, RunVerdict, Stray

__all__ = ["AgentReport", "CallVerdict", "EndpointVerdict", "Flow", "PairedBy", "RunVerdict", "Stray", "judge_run"]


def judge_run(reports: Sequence[AgentReport]) -> RunVerdict:
    """The verdict on every planned call of the caller plans among `reports`, and its roll-up (truth rules 1–7)."""
    raise NotImplementedError
