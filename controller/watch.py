"""Live progress of `calltest run`, on standard error: one line per agent that changes in place, or plain lines."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from controller.lifecycle import AgentFacts

PLAIN_EVERY_S: Final = 2.0
"""Without a terminal: at most one line per agent in this time, but for the last."""


class Watch(Protocol):
    """Somebody who is shown how the agents are, many times a second."""

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Shows how they are now."""


def describe(agent: AgentFacts) -> str:
    """One agent in a line: what it does now, and at which endpoint."""
    plan, progress = agent.plan, agent.progress
    stages = len(plan.stages)
    if progress is None:
        return "ended without a word" if agent.over else "starting"
    done = min(progress.done, stages)
    counts = f"{progress.ended} calls ended"
    if progress.active:
        counts += f", {progress.active} up"
    if progress.failed:
        counts += f", {progress.failed} with a failed check"
    if agent.over or done == stages:
        return f"{'ended' if agent.over else 'done'}: {counts}"
    stage = plan.stages[done]
    doing = "stopping" if agent.signal.stop else "calling" if agent.signal.go >= done else "ready"
    if progress.ready <= done:
        doing = "preparing"
    return f"{doing} at {stage.name} ({stage.address}), endpoint {done + 1} of {stages}: {counts}"


class PlainWatch:
    """Lines for a log file or a pipeline."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, tuple[str, float]] = {}

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Says what changed."""
        for agent in agents:
            text = describe(agent)
            before, at_s = self._said.get(agent.plan.agent, ("", -PLAIN_EVERY_S))
            if text == before or (elapsed_s - at_s < PLAIN_EVERY_S and not agent.over):
                continue
            self._said[agent.plan.agent] = (text, elapsed_s)
            self._console.print(
                f"{elapsed_s:6.1f} s  {agent.plan.agent}: {text}", markup=False, highlight=False, soft_wrap=True
            )


class LiveWatch:
    """Lines that change in place, for a terminal. A context manager: the terminal is given back at the end."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Redraws."""
        lines = [f"{agent.plan.agent:<10} {describe(agent)}" for agent in agents]
        self._live.update(Text("\n".join([f"{elapsed_s:.0f} s", *lines])))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
