"""What a run does next, from what is known of it now. Pure; reconcile does it on a cluster, local with processes.

`next_signal` is shared by both: it drives the caller and the callee of one lane through their stages in lockstep.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import msgspec

from agent.contract.kept import Kept
from agent.contract.plan import Plan, Signal
from agent.contract.registration import RegistrationObservation
from agent.contract.result import ProgressLine
from agent.contract.verdict import Reason, Role
from agent.judge.verdicts import AgentReport
from controller.plan.cause import Cause
from controller.run.agent_state import AgentState
from controller.run.collect import legs_of, ours, read_log
from controller.run.keeping import to_keep

_INITIAL = Signal()
STOP_GRACE_S = 30.0
"""How long agents that were told to stop may take to hang up and write their result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """One agent of a run: what it was told, what it said, and how it is."""

    plan: Plan
    state: AgentState
    ending: Cause
    """Why something of it is missing, should it be missing."""
    signal: Signal = _INITIAL
    """The last one it was given."""
    progress: ProgressLine | None = None
    """The last one it gave."""
    stopped: Cause | None = None
    """Why it was told to stop, if it was."""
    lines: Sequence[bytes] = ()
    """What it wrote until now; what is not ours among them is passed over."""

    @property
    def over(self) -> bool:
        """Nothing more will come of it."""
        return self.state in {AgentState.ENDED, AgentState.LOST}

    @property
    def ready(self) -> int:
        """Stages it is prepared for: stage k when ready > k."""
        return self.progress.ready if self.progress else 0

    @property
    def done(self) -> bool:
        """All its calls are over, and told; or nothing more will come of it."""
        return self.over or (self.progress is not None and self.progress.done >= len(self.plan.stages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A run makes way for another one of its test."""

    by: str
    """Its name."""
    at_s: float
    """Since the run began, when the other one was made."""

    @property
    def ending(self) -> Cause:
        """Why something of the run is missing."""
        message = f"the run was stopped for {self.by}, which replaces it (concurrencyPolicy)"
        return Cause(reason=Reason.ABORTED, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run, and its agents once they are planned."""

    waited_s: float
    """Since the run began."""
    ready_deadline_s: float
    active_deadline_s: float
    resolved: bool
    """Its endpoints are written down."""
    created: bool
    """All its agents were created: one that is absent now was lost."""
    agents: tuple[AgentFacts, ...] = ()
    replaced: Replaced | None = None
    """Another run is to come in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """Find the endpoints and write them down."""

    is_last_try: bool
    """The readiness deadline passed: if there are not enough now, conclude without agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create the agents that are absent, and note it when all are there."""

    absent: tuple[Plan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one agent is told."""

    signal: Signal
    stopped: Cause | None = None
    """Why, where the signal says stop; kept beside the signal, for the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Give agents a new signal."""

    orders: Mapping[str, Order]
    """By agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do until something changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Conclude at once: there are no agents yet, and there will be none."""

    ending: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Read what the agents left behind, and conclude."""

    endings: Mapping[str, Cause]
    """By agent: why something of it is missing, should it be missing."""


Step = Resolve | Create | Send | Wait | GiveUp | Collect


def next_step(run: RunFacts) -> Step:
    """The one thing to do now. Repeating it, or doing it after a restart, leads to the same end."""
    if not run.resolved and run.replaced is not None:
        return GiveUp(ending=run.replaced.ending)
    if not run.resolved:
        return Resolve(is_last_try=run.waited_s > run.ready_deadline_s)
    agents = tuple(_known_lost(agent) for agent in run.agents) if run.created else run.agents
    halt = _halt(run, agents)
    if _is_over(run, agents, halt):
        return Collect(endings={agent.plan.agent: _ending(agent, halt) for agent in agents})
    if not run.created and halt is None:
        return Create(absent=tuple(agent.plan for agent in agents if agent.state is AgentState.ABSENT))
    orders = _orders(agents, halt)
    return Send(orders=orders) if orders else Wait()


def next_signal(
    lane: Sequence[Plan],
    progress: Mapping[str, ProgressLine],
    *,
    over: Collection[str] = (),
    before: Signal = _INITIAL,
    may_start: bool = True,
) -> Signal:
    """What the agents of one lane may do now, from their plans and last progress lines (by agent).

    It only moves forward from the signal `before`. Of the agents that are `over`: a callee takes its caller with it
    (stop), a caller lets its callee finish. No first call is placed before `may_start`.
    """
    caller = next(plan for plan in lane if plan.role is Role.CALLER)
    callee = next((plan for plan in lane if plan.role is Role.CALLEE), None)
    spoken = progress.get(caller.agent)
    heard = progress.get(callee.agent) if callee else None
    stages = len(caller.stages)
    done = stages if caller.agent in over else min(spoken.done if spoken else 0, stages)
    prepare = max(before.prepare, done)
    is_ready = spoken is not None and spoken.ready > prepare
    if callee is not None:
        is_ready = is_ready and heard is not None and heard.ready > prepare
    has_lost_callee = callee is not None and callee.agent in over and caller.agent not in over and prepare < stages
    go = prepare if may_start and is_ready and prepare < stages else before.go
    # The address goes with the start: told as soon as it is known, it would cost a message of its own.
    address = heard.address if heard and go >= 0 else None
    return Signal(
        prepare=prepare,
        go=go,
        peer_address=address or before.peer_address,
        stop=before.stop or has_lost_callee,
    )


def lanes(agents: Sequence[AgentFacts]) -> list[tuple[AgentFacts, ...]]:
    """The agents by lane: caller-3 and callee-3 walk the same endpoints."""
    ordered = sorted(agents, key=_lane)
    return [tuple(members) for _, members in groupby(ordered, key=_lane)]


def may_start(agents: Sequence[AgentFacts]) -> bool:
    """The barrier: no call is placed before each agent is ready for its first stage, or is over."""
    return all(agent.over or agent.ready > 0 or agent.signal.go >= 0 for agent in agents)


def _lane(agent: AgentFacts) -> int:
    return int(agent.plan.agent.rpartition("-")[2])


def _furthest(signals: Sequence[Signal]) -> Signal:
    return Signal(
        prepare=max(signal.prepare for signal in signals),
        go=max(signal.go for signal in signals),
        peer_address=next((signal.peer_address for signal in signals if signal.peer_address), None),
        stop=any(signal.stop for signal in signals),
    )


def _known_lost(agent: AgentFacts) -> AgentFacts:
    """An agent that was created and is absent: somebody deleted its pod, or its node went."""
    if agent.state is not AgentState.ABSENT:
        return agent
    ending = Cause(reason=Reason.AGENT_LOST, message="its pod was deleted during the run")
    return replace(agent, state=AgentState.LOST, ending=ending)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Halt:
    """The run must stop now."""

    ending: Cause
    """Why: the cause of the whole run's end."""
    at_s: float
    """The deadline that is behind it."""
    culprits: Mapping[str, Cause]
    """Agents that could not start, each with its own reason."""


def _halt(run: RunFacts, agents: Sequence[AgentFacts]) -> _Halt | None:
    """Why the run must stop now, if it must."""
    if run.replaced is not None:
        return _Halt(ending=run.replaced.ending, at_s=run.replaced.at_s, culprits={})
    if not any(agent.signal.go >= 0 for agent in agents):
        waiting = [agent for agent in agents if not agent.over and agent.ready == 0]
        failed = [agent for agent in waiting if agent.ending.is_final or run.waited_s > run.ready_deadline_s]
        if failed:
            # The one that has not even started says more than the one that waits for its registration.
            failed.sort(key=lambda agent: (agent.state is AgentState.RUNNING, agent.plan.agent))
            culprits = {agent.plan.agent: _start_failure(agent, run.ready_deadline_s) for agent in failed}
            return _Halt(ending=culprits[failed[0].plan.agent], at_s=run.ready_deadline_s, culprits=culprits)
    if run.waited_s > run.active_deadline_s:
        message = f"the run was stopped after {run.active_deadline_s:g} s (activeDeadlineSeconds)"
        ending = Cause(reason=Reason.DEADLINE_EXCEEDED, message=message)
        return _Halt(ending=ending, at_s=run.active_deadline_s, culprits={})
    return None


def _start_failure(agent: AgentFacts, deadline_s: float) -> Cause:
    if agent.state is AgentState.RUNNING:
        message = f"it was not ready within {deadline_s:g} s (readyDeadlineSeconds)"
        return Cause(reason=Reason.AGENT_START_TIMEOUT, message=message)
    return agent.ending


def _is_over(run: RunFacts, agents: Sequence[AgentFacts], halt: _Halt | None) -> bool:
    if all(agent.over for agent in agents):
        return True
    if halt is None:
        return False
    running = any(agent.state is AgentState.RUNNING for agent in agents)
    return not running or run.waited_s > halt.at_s + STOP_GRACE_S


def _ending(agent: AgentFacts, halt: _Halt | None) -> Cause:
    """Why something of one agent is missing: why it was told to stop, its own trouble, or why the run stopped."""
    if agent.state is AgentState.ENDED and agent.stopped is not None:
        return agent.stopped
    if halt is None or agent.over:
        return agent.ending
    return halt.culprits.get(agent.plan.agent, halt.ending)


def _orders(agents: Sequence[AgentFacts], halt: _Halt | None) -> dict[str, Order]:
    """The new signals, for agents that can still read one."""
    orders: dict[str, Order] = {}
    start = may_start(agents)
    for lane in lanes(agents):
        before = _furthest([agent.signal for agent in lane])
        signal = next_signal(
            [agent.plan for agent in lane],
            {agent.plan.agent: agent.progress for agent in lane if agent.progress},
            over=[agent.plan.agent for agent in lane if agent.over],
            before=before,
            may_start=start and halt is None,
        )
        if halt is not None:
            signal = msgspec.structs.replace(signal, stop=True)
        keep = _keep(lane, signal, before)
        for agent in lane:
            own = _with_keep(signal, agent, keep)
            if agent.over or agent.state is AgentState.ABSENT or agent.signal == own:
                continue
            message = "it was stopped, because the other agent of its lane was lost"
            stopped = halt.ending if halt else Cause(reason=Reason.PEER_LOST, message=message)
            orders[agent.plan.agent] = Order(signal=own, stopped=stopped if signal.stop else None)
    return orders


def stop_orders(agents: Sequence[AgentFacts], why: Cause) -> dict[str, Order]:
    """All that still run are to stop now, and to keep what is known to be broken."""
    orders: dict[str, Order] = {}
    for lane in lanes(agents):
        before = _furthest([agent.signal for agent in lane])
        signal = msgspec.structs.replace(before, stop=True)
        keep = _keep(lane, signal, before)
        running = [agent for agent in lane if not agent.over]
        orders |= {a.plan.agent: Order(signal=_with_keep(signal, a, keep), stopped=why) for a in running}
    return orders


def _with_keep(signal: Signal, agent: AgentFacts, keep: Mapping[str, Kept]) -> Signal:
    """What it was told once to keep stands."""
    said = keep.get(agent.plan.agent) if agent.signal.keep is None else agent.signal.keep
    return msgspec.structs.replace(signal, keep=said)


def _keep(lane: Sequence[AgentFacts], signal: Signal, before: Signal) -> Mapping[str, Kept]:
    """What each agent of a lane is to keep; nothing is said before both have told all their calls, or must stop.

    But that nothing is to be kept is told as the last stage ends, where all is known by then: no run that passed
    takes longer for it.
    """
    if len(lane) == 1 or all(agent.over or agent.signal.keep is not None for agent in lane):
        return {}
    is_over = (signal.stop and not before.stop) or all(agent.done for agent in lane)
    if not is_over and not before.prepare < signal.prepare == len(lane[0].plan.stages):
        return {}
    keep = to_keep([_told(agent, is_complete=agent.done or not signal.stop) for agent in lane])
    return keep if is_over or not any(keep.values()) else {}


def _told(agent: AgentFacts, *, is_complete: bool) -> AgentReport:
    """What it has told until now, as a report; what is believed of it in the end is `collect`'s."""
    detail = [line for line in read_log(agent.lines).detail if ours(agent.plan, line)]
    has_told_all = is_complete and agent.state is not AgentState.LOST
    registrations = tuple(line for line in detail if isinstance(line, RegistrationObservation))
    return AgentReport(plan=agent.plan, legs=legs_of(detail), registrations=registrations, complete=has_told_all)
