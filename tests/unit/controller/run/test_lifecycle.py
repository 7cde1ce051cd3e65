"""What a run does next: every state of its agents, every deadline, every death."""

from dataclasses import replace

import msgspec
import pytest

from agent.contract.plan import Signal
from agent.contract.result import ProgressLine, encode_line
from agent.contract.verdict import Reason, Role
from controller.plan.cause import Cause
from controller.run.agent_state import AgentState
from controller.run.lifecycle import (
    STOP_GRACE_S,
    AgentFacts,
    Collect,
    Create,
    Resolve,
    RunFacts,
    Send,
    Step,
    Wait,
    lanes,
    next_signal,
    next_step,
    stop_orders,
)
from tests.unit.builders import change, good_reports, plan, registration

STAGES = 2
INITIAL = Signal()
OWN = Cause(reason=Reason.AGENT_LOST, message="its own trouble")


def agent(
    role: Role,
    state: AgentState = AgentState.RUNNING,
    *,
    ready: int = 0,
    done: int = 0,
    signal: Signal = INITIAL,
    lane: int = 0,
    **more: object,
) -> AgentFacts:
    name = f"{role.value.lower()}-{lane}"
    said = None
    if ready:
        address = "10.1.0.9:5060" if role is Role.CALLEE else None
        said = ProgressLine(
            run_uid="u", agent=name, ready=ready, done=done, active=0, ended=0, failed=0, address=address
        )
    its = plan(role, lane=lane, endpoints=tuple(range(STAGES)), run__uid="u")
    return AgentFacts(plan=its, state=state, ending=OWN, signal=signal, progress=said, **more)  # type: ignore[arg-type]


CALLER, CALLEE = Role.CALLER, Role.CALLEE
RUN = RunFacts(waited_s=5, ready_deadline_s=60, active_deadline_s=300, resolved=True, created=True)
STARTED = Signal(go=0)


def step(*agents: AgentFacts, **more: object) -> Step:
    return next_step(replace(RUN, agents=agents, **more))  # type: ignore[arg-type]


def signals(found: Step) -> dict[str, Signal]:
    assert isinstance(found, Send)
    return {name: order.signal for name, order in found.orders.items()}


def reasons(found: Step) -> dict[str, Reason]:
    assert isinstance(found, Collect)
    return {name: ending.reason for name, ending in found.endings.items()}


def drive(lane: list[AgentFacts], **more: object) -> Signal:
    return next_signal(
        [a.plan for a in lane],
        {a.plan.agent: a.progress for a in lane if a.progress},
        **more,  # type: ignore[arg-type]
    )


def test_endpoints_are_found_first() -> None:
    assert step(resolved=False) == Resolve(is_last_try=False)
    assert step(resolved=False, waited_s=61) == Resolve(is_last_try=True)


def test_absent_agents_are_created_and_present_ones_are_not() -> None:
    caller = agent(CALLER, AgentState.ABSENT)
    found = step(caller, agent(CALLEE, AgentState.PENDING), created=False)
    assert found == Create(absent=(caller.plan,))


def test_that_all_are_created_is_noted_before_anything_is_sent() -> None:
    assert step(agent(CALLER, ready=1), agent(CALLEE, ready=1), created=False) == Create(absent=())


def test_nothing_is_sent_before_every_agent_is_ready() -> None:
    both = (agent(CALLER, ready=1), agent(CALLEE, ready=1))
    assert step(agent(CALLER, ready=1), agent(CALLEE)) == Wait()
    assert step(*both, agent(CALLER, lane=1, ready=1), agent(CALLEE, lane=1)) == Wait()


def test_the_barrier_opens_when_all_are_ready_or_over() -> None:
    both = (agent(CALLER, ready=1), agent(CALLEE, ready=1))
    lost = (agent(CALLER, AgentState.LOST, lane=1), agent(CALLEE, AgentState.ENDED, lane=1))
    go = Signal(prepare=0, go=0, peer_address="10.1.0.9:5060")
    assert signals(step(*both, *lost)) == {"caller-0": go, "callee-0": go}


def test_a_signal_that_was_given_is_not_given_again() -> None:
    go = Signal(prepare=0, go=0, peer_address="10.1.0.9:5060")
    assert step(agent(CALLER, ready=1, signal=go), agent(CALLEE, ready=1, signal=go)) == Wait()


def test_an_agent_that_missed_the_signal_gets_what_the_other_has() -> None:
    go = Signal(prepare=0, go=0, peer_address="10.1.0.9:5060")
    assert signals(step(agent(CALLER, ready=1, signal=go), agent(CALLEE, ready=1))) == {"callee-0": go}


@pytest.mark.parametrize(
    ("caller_at", "callee_at", "prepare", "go"),
    [
        ((0, 0), (0, 0), 0, -1),
        ((1, 0), (0, 0), 0, -1),
        ((0, 0), (1, 0), 0, -1),
        ((1, 0), (1, 0), 0, 0),
        ((1, 1), (1, 0), 1, 0),
        ((2, 1), (1, 0), 1, 0),
        ((2, 1), (2, 1), 1, 1),
        ((2, 2), (2, 1), 2, 1),
        ((2, 9), (2, 1), 2, 1),
    ],
)
def test_caller_and_callee_walk_in_lockstep(
    caller_at: tuple[int, int], callee_at: tuple[int, int], prepare: int, go: int
) -> None:
    lane = [agent(CALLER, ready=caller_at[0], done=caller_at[1]), agent(CALLEE, ready=callee_at[0], done=callee_at[1])]
    before = Signal(go=max(-1, caller_at[1] - 1)) if caller_at[1] < 9 else Signal(go=1)
    found = drive(lane, before=before)
    assert (found.prepare, found.go, found.stop) == (prepare, go, False)


def test_a_caller_without_a_callee_walks_alone() -> None:
    assert drive([agent(CALLER, ready=1)]) == Signal(go=0)


def test_a_signal_never_moves_back() -> None:
    before = Signal(prepare=1, go=1, peer_address="10.9.9.9:5060", stop=True)
    assert drive([agent(CALLER), agent(CALLEE)], before=before) == before


def test_a_lost_callee_stops_its_caller_and_says_why() -> None:
    found = step(agent(CALLER, ready=1, signal=STARTED), agent(CALLEE, AgentState.LOST, ready=1, signal=STARTED))
    assert isinstance(found, Send)
    order = found.orders["caller-0"]
    assert order.signal.stop
    assert order.stopped is not None
    assert order.stopped.reason is Reason.PEER_LOST


def test_a_lost_caller_lets_its_callee_finish() -> None:
    found = step(agent(CALLER, AgentState.LOST, ready=1, signal=STARTED), agent(CALLEE, ready=1, signal=STARTED))
    order = signals(found)["callee-0"]
    assert (order.prepare, order.stop) == (STAGES, False)


def test_one_lanes_death_leaves_the_others_alone() -> None:
    fine = (
        agent(CALLER, ready=1, signal=Signal(go=0, peer_address="10.1.0.9:5060")),
        agent(CALLEE, ready=1, signal=Signal(go=0, peer_address="10.1.0.9:5060")),
    )
    dead = (agent(CALLER, lane=1, ready=1, signal=STARTED), agent(CALLEE, AgentState.LOST, lane=1, signal=STARTED))
    assert set(signals(step(*fine, *dead))) == {"caller-1"}


def test_an_agent_that_vanished_after_all_were_created_is_lost() -> None:
    found = step(agent(CALLER, AgentState.ENDED, ready=1), agent(CALLEE, AgentState.ABSENT))
    assert reasons(found) == {"caller-0": Reason.AGENT_LOST, "callee-0": Reason.AGENT_LOST}
    assert "deleted" in found.endings["callee-0"].message  # type: ignore[union-attr]


def test_results_are_collected_when_all_agents_are_over() -> None:
    found = step(agent(CALLER, AgentState.ENDED), agent(CALLEE, AgentState.ENDED))
    assert found == Collect(endings={"caller-0": OWN, "callee-0": OWN})


def test_why_an_agent_was_stopped_outlives_the_operator() -> None:
    why = Cause(reason=Reason.ABORTED, message="the other was lost")
    stopped = agent(CALLER, AgentState.ENDED, signal=Signal(stop=True), stopped=why)
    found = step(stopped, agent(CALLEE, AgentState.LOST), waited_s=9999)
    assert found == Collect(endings={"caller-0": why, "callee-0": OWN})


PULL = Cause(reason=Reason.AGENT_IMAGE_PULL_FAILED, message="ErrImagePull")


def test_an_agent_that_does_not_start_in_time_ends_the_run_with_its_reason() -> None:
    pending = replace(agent(CALLEE, AgentState.PENDING), ending=PULL)
    assert step(agent(CALLER, ready=1, signal=Signal()), pending, waited_s=59) == Wait()
    found = step(agent(CALLER, ready=1), pending, waited_s=61)
    assert isinstance(found, Send)
    assert {name: (order.signal.stop, order.stopped) for name, order in found.orders.items()} == {
        "caller-0": (True, PULL),
        "callee-0": (True, PULL),
    }


def test_a_start_that_failed_is_collected_when_nothing_runs_any_more() -> None:
    pending = replace(agent(CALLEE, AgentState.PENDING), ending=PULL)
    stopped = agent(CALLER, AgentState.ENDED, ready=1, signal=Signal(stop=True), stopped=PULL)
    assert step(stopped, pending, waited_s=61) == Collect(endings={"caller-0": PULL, "callee-0": PULL})


def test_a_start_that_failed_is_collected_although_an_agent_will_not_stop() -> None:
    pending = replace(agent(CALLEE, AgentState.PENDING, signal=Signal(stop=True)), ending=PULL)
    deaf = agent(CALLER, ready=1, signal=Signal(stop=True), stopped=PULL)
    assert step(deaf, pending, waited_s=61) == Wait()
    found = step(deaf, pending, waited_s=61 + STOP_GRACE_S)
    assert reasons(found) == {"caller-0": Reason.AGENT_IMAGE_PULL_FAILED, "callee-0": Reason.AGENT_IMAGE_PULL_FAILED}


def test_an_agent_that_cannot_start_is_not_waited_for() -> None:
    final = msgspec.structs.replace(PULL, is_final=True)
    stuck = replace(agent(CALLEE, AgentState.PENDING), ending=final)
    found = step(agent(CALLER, AgentState.PENDING), stuck, waited_s=1)
    assert found == Collect(endings={"caller-0": final, "callee-0": final})


def test_agents_that_could_not_start_keep_each_its_own_reason() -> None:
    pull = replace(agent(CALLER, AgentState.PENDING), ending=PULL)
    found = step(pull, agent(CALLEE), waited_s=61 + STOP_GRACE_S)
    assert reasons(found) == {"caller-0": Reason.AGENT_IMAGE_PULL_FAILED, "callee-0": Reason.AGENT_START_TIMEOUT}


def test_an_agent_that_runs_and_never_gets_ready_is_a_start_timeout() -> None:
    found = step(agent(CALLER, ready=1), agent(CALLEE), waited_s=61)
    assert isinstance(found, Send)
    assert {order.stopped and order.stopped.reason for order in found.orders.values()} == {Reason.AGENT_START_TIMEOUT}


def test_agents_that_could_not_be_created_end_the_run_at_the_ready_deadline() -> None:
    refused = Cause(reason=Reason.AGENT_NOT_CREATED, message="exceeded quota")
    absent = replace(agent(CALLER, AgentState.ABSENT), ending=refused)
    other = replace(agent(CALLEE, AgentState.ABSENT), ending=refused)
    assert isinstance(step(absent, other, created=False), Create)
    assert reasons(step(absent, other, created=False, waited_s=61)) == {
        "caller-0": Reason.AGENT_NOT_CREATED,
        "callee-0": Reason.AGENT_NOT_CREATED,
    }


def test_the_ready_deadline_is_over_once_calls_were_allowed() -> None:
    go = Signal(go=0, peer_address="10.1.0.9:5060")
    # A callee whose progress cannot be read at the moment.
    assert step(agent(CALLER, ready=1, signal=go), agent(CALLEE, signal=go), waited_s=200) == Wait()


def test_the_active_deadline_stops_everything() -> None:
    found = step(agent(CALLER, ready=1, signal=STARTED), agent(CALLEE, ready=1, signal=STARTED), waited_s=301)
    assert isinstance(found, Send)
    for order in found.orders.values():
        assert order.signal.stop
        assert order.stopped is not None
        assert order.stopped.reason is Reason.DEADLINE_EXCEEDED


def test_agents_that_will_not_stop_are_not_waited_for_forever() -> None:
    stopped = Signal(go=0, peer_address="10.1.0.9:5060", stop=True)
    deaf = (agent(CALLER, ready=1, signal=stopped), agent(CALLEE, ready=1, signal=stopped))
    assert step(*deaf, waited_s=300 + STOP_GRACE_S) == Wait()
    assert set(reasons(step(*deaf, waited_s=301 + STOP_GRACE_S)).values()) == {Reason.DEADLINE_EXCEEDED}


def test_lanes_are_grouped_by_number_not_by_text() -> None:
    agents = [agent(role, lane=lane) for lane in (10, 2) for role in (CALLER, CALLEE)]
    assert [[a.plan.agent for a in lane] for lane in lanes(agents)] == [
        ["caller-2", "callee-2"],
        ["caller-10", "callee-10"],
    ]


# what agents are to keep

LEGS = {report.plan.role: report.legs for report in good_reports(endpoints=(0, 1))}
LEFT = Signal(prepare=2, go=1, peer_address="10.1.0.9:5060")
NOTHING = msgspec.structs.replace(LEFT, keep=())


def told(role: Role, *broken: int, done: int = STAGES, **more: object) -> AgentFacts:
    """An agent that told both its calls; of the broken ones, that no digit came."""
    legs = [
        change(leg, index=index, dtmf_received=() if index in broken else leg.dtmf_received)
        for index, leg in enumerate(LEGS[role])
    ]
    registered = [registration(role, endpoint=endpoint) for endpoint in range(STAGES)]
    lines = [b"a library prints\n", *(encode_line(line) for line in (*registered, *legs))]
    its = agent(role, ready=STAGES, done=done, **({"signal": LEFT, "lines": lines} | more))  # type: ignore[arg-type]
    return replace(its, plan=plan(role, endpoints=tuple(range(STAGES))))


def keeps(found: Step) -> dict[str, object]:
    return {name: signal.keep for name, signal in signals(found).items()}


def test_that_nothing_is_to_be_kept_is_told_as_the_last_stage_ends() -> None:
    before = Signal(prepare=1, go=1, peer_address="10.1.0.9:5060")
    found = step(told(CALLER, signal=before), told(CALLEE, signal=before, done=1))
    assert signals(found) == {"caller-0": NOTHING, "callee-0": NOTHING}


def test_what_is_to_be_kept_is_told_when_both_have_told_all() -> None:
    before = Signal(prepare=1, go=1, peer_address="10.1.0.9:5060")
    assert keeps(step(told(CALLER, signal=before), told(CALLEE, 1, signal=before, done=1))) == {
        "caller-0": None,
        "callee-0": None,
    }
    assert step(told(CALLER), told(CALLEE, 1, done=1)) == Wait()
    assert keeps(step(told(CALLER), told(CALLEE, 1))) == {"caller-0": ((1, 1),), "callee-0": ((1, 1),)}
    assert keeps(step(told(CALLER), told(CALLEE))) == {"caller-0": (), "callee-0": ()}


def test_what_was_said_of_keeping_stands() -> None:
    """One that has heard it is not told again; the other, after a restart in between, hears the same."""
    assert step(told(CALLER, signal=NOTHING), told(CALLEE, 1, signal=NOTHING)) == Wait()
    assert keeps(step(told(CALLER, signal=NOTHING), told(CALLEE, 1))) == {"callee-0": ((1, 1),)}


def test_of_an_agent_that_was_lost_the_other_ones_legs_are_kept() -> None:
    lost = agent(CALLEE, AgentState.LOST, ready=STAGES, done=1, signal=LEFT)
    assert keeps(step(told(CALLER), lost)) == {"caller-0": ((0, 1),)}


def test_told_to_stop_agents_are_told_with_it_what_is_known_to_be_broken() -> None:
    found = step(told(CALLER, done=1, signal=STARTED), told(CALLEE, 0, done=1, signal=STARTED), waited_s=301)
    assert keeps(found) == {"caller-0": ((0, 0),), "callee-0": ((0, 0),)}
    orders = stop_orders([told(CALLER, done=1), told(CALLEE, 0, done=1), agent(CALLER, AgentState.ENDED, lane=1)], OWN)
    assert {name: (order.signal.keep, order.signal.stop, order.stopped) for name, order in orders.items()} == {
        "caller-0": (((0, 0),), True, OWN),
        "callee-0": (((0, 0),), True, OWN),
    }


def test_a_caller_alone_is_told_nothing_of_keeping() -> None:
    assert keeps(step(told(CALLER, 1, signal=Signal(prepare=1, go=1)))) == {"caller-0": None}


def test_lines_that_cannot_be_an_agents_keep_nothing() -> None:
    stranger = [encode_line(change(LEGS[CALLEE][0], endpoint=7, dtmf_received=()))]
    caller, callee = told(CALLER), told(CALLEE)
    assert keeps(step(replace(caller, lines=[*caller.lines, *stranger]), callee)) == {"caller-0": (), "callee-0": ()}
