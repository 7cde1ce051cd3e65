"""Runs plans as local processes: the same steps, signals and results (controller.run.lifecycle) as on a cluster."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent.contract.plan import Plan
from agent.contract.verdict import Reason
from agent.judge.verdicts import AgentReport
from controller.cli.run.agent_process import MAX_LOG_BYTES, AgentProcess
from controller.plan.cause import Cause
from controller.run.agent_state import AgentState
from controller.run.lifecycle import AgentFacts, Collect, Order, RunFacts, Send, next_step, stop_orders

TICK_S: Final = 0.05
ABORT_GRACE_S: Final = 10.0
"""For agents to hang up and write their result after Ctrl-C; a BYE that nobody answers is given up after this."""
TERM_GRACE_S: Final = 2.0
ABORTED: Final = Cause(reason=Reason.ABORTED, message="the run was stopped by its user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """How agents are started here."""

    command: tuple[str, ...]
    """What stands before the agent's own arguments: `python -m agent`."""
    bind: str
    """The local address of all sockets."""
    directory: Path
    """Each agent gets a directory in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Both since the start of the agents."""

    start_s: float
    active_s: float


Watch = Callable[[Sequence[AgentFacts], float], None]
"""Shown all agents and the seconds since their start, every TICK_S."""


def run_agents(
    plans: Sequence[Plan],
    host: Host,
    deadlines: Deadlines,
    *,
    aborts: Callable[[], int] = lambda: 0,
    watch: Watch = lambda _agents, _elapsed_s: None,
) -> tuple[AgentReport, ...]:
    """Runs every plan as a process and gives their reports, in the plans' order. No process outlives this call.

    `aborts` says how often the user asked to stop: once, agents hang up and report; twice, they are ended at once.
    """
    agents = _Agents(plans, host)
    try:
        endings = _drive(agents, deadlines, aborts, watch)
    finally:
        agents.end()
    return agents.reports(endings)


def _drive(agents: "_Agents", deadlines: Deadlines, aborts: Callable[[], int], watch: Watch) -> Mapping[str, Cause]:
    """Takes the agents through their run; why something of each is missing, should it be missing."""
    aborted_s = None
    for elapsed_s in _ticks():
        facts = agents.facts()
        watch(facts, elapsed_s)
        if aborts() and aborted_s is None:
            aborted_s = elapsed_s
            agents.give(stop_orders(facts, ABORTED))
            continue
        if aborted_s is not None and (aborts() > 1 or elapsed_s > aborted_s + ABORT_GRACE_S):
            return {agent.plan.agent: agent.stopped or agent.ending for agent in facts}
        step = next_step(
            RunFacts(
                waited_s=elapsed_s,
                ready_deadline_s=deadlines.start_s,
                active_deadline_s=deadlines.active_s,
                resolved=True,
                created=True,
                agents=facts,
            )
        )
        if isinstance(step, Collect):
            return step.endings
        if isinstance(step, Send):
            agents.give(step.orders)
    raise AssertionError


def _ticks() -> Iterator[float]:
    """Seconds since the first tick, a tick every TICK_S, without end: the deadlines end a run."""
    start = time.monotonic()
    while True:
        yield time.monotonic() - start
        time.sleep(TICK_S)


class _Agents:
    """The processes of a run, and what each was told."""

    def __init__(self, plans: Sequence[Plan], host: Host) -> None:
        self._processes: dict[str, AgentProcess] = {}
        self._told: dict[str, Order] = {}
        try:
            for plan in plans:
                directory = host.directory / plan.agent
                self._processes[plan.agent] = AgentProcess(plan, directory, host.command, host.bind)
        except BaseException:
            self.end()
            raise

    def facts(self) -> tuple[AgentFacts, ...]:
        """How each agent is, with everything that it wrote until now."""
        return tuple(self._facts(process) for process in self._processes.values())

    def _facts(self, process: AgentProcess) -> AgentFacts:
        # First the exit code: what an agent wrote before it ended has then been read when it counts as ended.
        exit_code = process.exit_code()
        process.read()
        if process.overflowed:
            process.end(TERM_GRACE_S)
        facts = AgentFacts(
            plan=process.plan,
            state=AgentState.RUNNING if exit_code is None else AgentState.ENDED,
            ending=_ending(process, exit_code),
            progress=process.progress,
            lines=process.lines,
        )
        order = self._told.get(process.plan.agent)
        return replace(facts, signal=order.signal, stopped=order.stopped) if order else facts

    def give(self, orders: Mapping[str, Order]) -> None:
        """Tells each of these agents what it may do now; why it was first told to stop stands."""
        for name, order in orders.items():
            before = self._told.get(name)
            self._told[name] = replace(order, stopped=before.stopped) if before and before.stopped else order
            self._processes[name].send(order.signal)

    def end(self) -> None:
        """Ends what still runs; nothing of ours is left."""
        for process in self._processes.values():
            process.end(TERM_GRACE_S)

    def reports(self, endings: Mapping[str, Cause]) -> tuple[AgentReport, ...]:
        """What the ended agents left behind."""
        return tuple(process.report(endings[name]) for name, process in self._processes.items())


def _ending(process: AgentProcess, exit_code: int | None) -> Cause:
    """What to say of an agent that ended by itself before it was done."""
    name = f"process {process.pid}"
    if process.overflowed:
        message = f"{name} wrote more than {MAX_LOG_BYTES} bytes to its output, and was ended"
        return Cause(reason=Reason.RESULT_REJECTED, message=message)
    if exit_code is None:
        return Cause(reason=Reason.AGENT_LOST, message=f"{name} has not given a result")
    words = process.last_words()
    message = f"{name} ended with exit code {exit_code}" + (f': "{words}"' if words else "")
    return Cause(reason=Reason.AGENT_LOST, message=message)
