"""Which legs stay of a lane's calls, by what both ends told of them."""

from collections.abc import Callable
from dataclasses import replace

from agent.contract.observation import LegObservation
from agent.judge.verdicts import AgentReport
from controller.run.keeping import to_keep
from tests.unit.builders import SILENT, change, good_reports

UNNAMED = {"call": None, "number": None, "call_key": None, "sip_call_id": "of-the-sut"}


def lane(
    callee: Callable[[LegObservation], LegObservation] = lambda leg: leg,
    *,
    count: int = 4,
    endpoints: tuple[int, ...] = (0,),
) -> list[AgentReport]:
    """Good calls, told in their order; the callee's legs as `callee` makes them."""
    reports = good_reports(group__count=count, endpoints=endpoints)
    return [
        replace(
            report,
            legs=tuple(
                change(leg if place == 0 else callee(leg), index=index) for index, leg in enumerate(report.legs)
            ),
        )
        for place, report in enumerate(reports)
    ]


def only(number: int, **changes: object) -> Callable[[LegObservation], LegObservation]:
    return lambda leg: change(leg, **changes) if leg.number == number and leg.endpoint == 0 else leg


def test_of_calls_that_passed_nothing_stays() -> None:
    assert to_keep(lane()) == {"caller-0": (), "callee-0": ()}


def test_both_legs_of_a_call_that_did_not_pass_stay() -> None:
    both = {"caller-0": ((2, 2),), "callee-0": ((2, 2),)}
    assert to_keep(lane(only(2, dtmf_received=()))) == both
    assert to_keep(lane(only(2, heard=None))) == both  # Inconclusive


def test_of_a_call_that_never_came_the_callers_leg_stays() -> None:
    caller, callee = lane()
    found = to_keep([caller, replace(callee, legs=tuple(leg for leg in callee.legs if leg.number != 1))])
    assert found == {"caller-0": ((1, 1),), "callee-0": ()}


def test_a_leg_that_nothing_names_is_found_by_what_it_heard() -> None:
    reports = lane(
        lambda leg: change(leg, **UNNAMED, from_user="sut", dtmf_received=() if leg.number == 3 else leg.dtmf_received)
    )
    assert to_keep(reports) == {"caller-0": ((3, 3),), "callee-0": ((3, 3),)}


def test_a_leg_that_may_be_any_calls_stays_where_one_did_not_pass() -> None:
    deaf = {"heard": SILENT, "from_user": "sut"}
    reports = lane(
        lambda leg: change(leg, **UNNAMED, **deaf, began_s=5.0) if leg.endpoint == 0 else leg, count=2, endpoints=(0, 1)
    )
    assert to_keep(reports) == {"caller-0": ((0, 1),), "callee-0": ((0, 1),)}


def test_a_stray_beside_calls_that_passed_does_not_stay() -> None:
    caller, callee = lane(count=1)
    stray = change(callee.legs[0], index=1, call=None, number=None, call_key="another-run/0/pin/0", sip_call_id="x")
    assert to_keep([caller, replace(callee, legs=(*callee.legs, stray))]) == {"caller-0": (), "callee-0": ()}


def test_of_an_agent_that_was_lost_what_it_told_stays() -> None:
    caller, callee = lane(count=3)
    gone = replace(callee, legs=callee.legs[:1], complete=False)
    found = to_keep([caller, gone])
    assert found == {"caller-0": ((1, 2),), "callee-0": ()}
