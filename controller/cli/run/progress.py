"""Live progress of `calltest run`, on standard error: one line per agent that changes in place, or plain lines."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from controller.run.lifecycle import AgentFacts

PLAIN_EVERY_S: Final = 2.0
"""Without a terminal, counts are said at most this often."""


class Watch(Protocol):
    """Somebody who is shown how the agents are, many times a second."""

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Shows how they are now."""


def describe(agent: AgentFacts) -> tuple[str, str]:
    """What one agent does now, and where; and how its calls are."""
    plan, progress = agent.plan, agent.progress
    if progress is None:
        return ("ended without a word" if agent.over else "starting"), ""
    stages = len(plan.stages)
    done = min(progress.done, stages)
    counts = f"{progress.ended} calls ended"
    counts += f", {progress.active} up" if progress.active else ""
    counts += f", {progress.failed} with a failed check" if progress.failed else ""
    if agent.over or done == stages:
        return ("ended" if agent.over else "done"), counts
    doing = "calling" if agent.signal.go >= done else "ready"
    if progress.ready <= done:
        doing = "preparing"
    if agent.signal.stop:
        doing = "stopping"
    return f"{doing} at {plan.stages[done].address}, endpoint {done + 1} of {stages}", counts


class PlainWatch:
    """Lines for a log file or a pipeline."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, tuple[tuple[str, str], float]] = {}

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Says what changed: what an agent does at once, its counts now and then."""
        for agent in agents:
            text = describe(agent)
            before, at_s = self._said.get(agent.plan.agent, (("", ""), 0.0))
            if text == before or (text[0] == before[0] and elapsed_s - at_s < PLAIN_EVERY_S):
                continue
            self._said[agent.plan.agent] = (text, elapsed_s)
            line = f"{elapsed_s:6.1f} s  {agent.plan.agent}: {_joined(text)}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _joined(text: tuple[str, str]) -> str:
    return ": ".join(part for part in text if part)


class LiveWatch:
    """Lines that change in place, for a terminal. A context manager: the terminal is given back at the end."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Redraws."""
        lines = [f"{agent.plan.agent:<10} {_joined(describe(agent))}" for agent in agents]
        self._live.update(Text("\n".join([f"{elapsed_s:.0f} s", *lines])), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
