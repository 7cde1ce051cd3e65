"""Live progress of `calltest run`, on standard error: one line per agent that changes in place, or plain lines."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from agent.contract.verdict import Role
from controller.run.lifecycle import AgentFacts
from controller.run.wording import ended_of

PLAIN_EVERY_S: Final = 2.0
"""Without a terminal, what changed is said at most this often."""
PLAIN_PARTS: Final = 60.0
"""And at most once in this part of the time that has passed: a day's run has some hundred lines of each, not 43,200."""


class Watch(Protocol):
    """Somebody who is shown how the agents are, many times a second."""

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Shows how they are now."""


def describe(agent: AgentFacts) -> str:
    """What one agent does now, where, and how many of its calls are up."""
    plan, progress = agent.plan, agent.progress
    if progress is None:
        return "ended without a word" if agent.over else "starting"
    stages = len(plan.stages)
    done = min(progress.done, stages)
    up = f", {progress.active} up" if progress.active else ""
    if agent.over or done == stages:
        return ("ended" if agent.over else "done") + up
    doing = "calling" if agent.signal.go >= done else "ready"
    if progress.ready <= done:
        doing = "preparing"
    if agent.signal.stop:
        doing = "stopping"
    return f"{doing} at {plan.stages[done].address}, endpoint {done + 1} of {stages}{up}"


def totals(agents: Sequence[AgentFacts]) -> str:
    """How many of all calls have ended, in the words of a run's status: a call is counted once, at its caller."""
    callers = [agent for agent in agents if agent.plan.role is Role.CALLER]
    planned = sum(len(agent.plan.stages) * sum(group.count for group in agent.plan.calls) for agent in callers)
    told = [agent.progress for agent in callers if agent.progress]
    return ended_of(planned, ended=sum(each.ended for each in told), failed=sum(each.failed for each in told))


class PlainWatch:
    """Lines for a log file or a pipeline."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[str, tuple[str, float]] = {}

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Says what changed, each thing now and then: the longer it takes, the less often."""
        now = {agent.plan.agent: describe(agent) for agent in agents} | {"all": totals(agents)}
        pause_s = max(PLAIN_EVERY_S, elapsed_s / PLAIN_PARTS)
        for name, text in now.items():
            before, at_s = self._said.get(name, ("", float("-inf")))
            if text == before or elapsed_s - at_s < pause_s:
                continue
            self._said[name] = (text, elapsed_s)
            self._say(f"{elapsed_s:6.1f} s  {name}: {text}")


class LiveWatch:
    """Lines that change in place, for a terminal. A context manager: the terminal is given back at the end."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def show(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        """Redraws; a terminal that has gone is no reason to end."""
        lines = [f"{agent.plan.agent:<10} {describe(agent)}" for agent in agents]
        with suppress(OSError):
            self._live.update(Text("\n".join([f"{elapsed_s:.0f} s, {totals(agents)}", *lines])), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._live.stop()
