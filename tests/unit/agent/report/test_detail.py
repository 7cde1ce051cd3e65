"""Detail lines: every planned call has its room, whatever else comes, and what is not told is counted."""

from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.media import Gap, GapKind
from agent.contract.observation import LegObservation, SipMessage
from agent.contract.plan import plan_digest
from agent.contract.registration import RegistrationOutcome
from agent.contract.result import KeptLine, decode_line, detail_digest
from agent.contract.room import DETAIL_BYTES, DIGIT_BYTES, GUESTS, GUESTS_BYTES, LEG_BYTES
from agent.contract.verdict import Reason, Result, Role
from agent.judge.run import judge_run
from agent.report.detail import Detail
from agent.report.lines import Report
from controller.plan.cause import Cause
from controller.run.collect import collect, read_log
from tests.unit.builders import callee_leg, caller_leg, change, heard, plan, registration

STRAYS = 12_000
CALLS = 20
NAMELESS: dict[str, Any] = {"call": None, "number": None, "call_key": None}
MESSAGES = (SipMessage(at_ms=0.0, sent=True, peer="10.0.0.1:5060", text="INVITE " + "x" * 2000),)
LOST = Cause(reason=Reason.AGENT_LOST, message="it is gone")


def nameless(number: int = 0, **changes: Any) -> LegObservation:
    """A good leg of a path that drops the header."""
    return change(callee_leg(number=number), **NAMELESS, **changes)


def stray(number: int) -> LegObservation:
    """A call that nobody placed, refused as there were too many."""
    return nameless(
        sip_call_id=f"stray-{number}", from_user="eve", final_code=486, final_phrase="Busy Here",
        sections=(), received=None, sent=None, heard=None, dialog=None, dtmf_sent=(), dtmf_received=(),
    )  # fmt: skip


class Desk:
    """The lines of an agent, as it has written them."""

    def __init__(self, room_bytes: int = DETAIL_BYTES, **changes: Any) -> None:
        self.plan = plan(Role.CALLEE, **changes)
        self.lines: list[bytes] = []
        self.detail = Detail(self.plan, self.lines.append, room_bytes)

    @property
    def legs(self) -> list[LegObservation]:
        return [line for line in map(decode_line, self.lines) if isinstance(line, LegObservation)]

    @property
    def numbers(self) -> list[int | None]:
        return [leg.number for leg in self.legs if leg.call is not None]

    @property
    def is_whole(self) -> bool:
        return self.detail.digest == detail_digest(self.lines)


# from the wire to the verdict


def agent(role: Role, legs: list[LegObservation], **changes: Any) -> Any:
    """What the controller makes of all that an agent wrote."""
    its_plan = plan(role, **changes)
    lines: list[bytes] = []
    results: list[bytes] = []
    report = Report(
        plan=its_plan, plan_sha256=plan_digest(its_plan.encode()), write_line=lines.append, write_result=results.append
    )
    report.registration(registration(role))
    for leg in legs:
        report.leg(leg)
    report.write(final=True)
    assert sum(map(len, lines)) <= DETAIL_BYTES
    return collect(its_plan, its_plan.encode(), results[-1], read_log(lines), LOST)


def verdict(callee_legs: list[LegObservation]) -> Any:
    changes = {"group__count": CALLS}
    callers = [caller_leg(number=number) for number in range(CALLS)]
    return judge_run([agent(Role.CALLER, callers, **changes), agent(Role.CALLEE, callee_legs, **changes)])


def test_a_flood_of_calls_that_nobody_placed_takes_no_call_its_verdict():
    legs = [callee_leg(number=number) for number in range(CALLS)]
    for number in range(STRAYS):
        legs.insert(number * len(legs) // STRAYS, stray(number))
    run = verdict(legs)
    assert (run.result, run.passed) == (Result.PASSED, CALLS)
    assert (len(run.strays), run.strays_left_out) == (CALLS + GUESTS, STRAYS - CALLS - GUESTS)


def test_a_call_that_may_be_among_those_that_are_not_told_was_not_delivered_elsewhere():
    """The path drops the header, and in front of the calls there is a flood."""
    calls = [nameless(number) for number in range(CALLS)]
    run = verdict([*(stray(number) for number in range(STRAYS)), *calls])
    assert (run.result, run.reason, run.inconclusive) == (Result.INCONCLUSIVE, Reason.NOT_MEASURED, CALLS)
    note = "more calls came to the callee than it can tell of: this one may be among them"
    assert {finding.note for call in run.calls for finding in call.findings} == {note}


def test_where_not_all_legs_are_told_neither_user_nor_order_tells_whose_one_is():
    last = nameless(sip_call_id="b2bua", heard=None)
    others = [callee_leg(number=number) for number in range(1, CALLS)]
    told = verdict([last, *others])
    assert {call.paired_by for call in told.calls} >= {told.calls[0].paired_by} - {None}
    assert told.calls[0].callee is not None
    flooded = verdict([last, *others, *(stray(number) for number in range(STRAYS))])
    assert flooded.calls[0].callee is None
    assert flooded.calls[0].result is Result.INCONCLUSIVE


# room


def test_of_nameless_legs_as_many_are_told_as_are_planned_and_some_more():
    desk = Desk(group__count=3)
    for number in range(200):
        desk.detail.leg(stray(number))
    assert len(desk.lines) == 3 + GUESTS
    assert desk.detail.left_out == 200 - 3 - GUESTS


def test_as_many_calls_as_can_be_planned_fit_whether_or_not_the_path_names_them():
    """Guests first, and then all calls with as much as is planned for each."""
    most = (DETAIL_BYTES - GUESTS_BYTES) // (LEG_BYTES + 5 * DIGIT_BYTES)
    desk = Desk(group__count=most)
    for number in range(500):
        desk.detail.leg(stray(number))
    for number in range(most):
        desk.detail.leg(callee_leg(number=number, from_user="x" * (LEG_BYTES - 1800)))
    desk.detail.end()
    assert desk.numbers == list(range(most))
    assert desk.is_whole
    assert desk.detail.left_out < 500
    other = Desk(group__count=most)
    for number in range(most):
        other.detail.leg(nameless(number, from_user="x" * (LEG_BYTES - 1800)))
    other.detail.end()
    assert (len(other.legs), other.detail.left_out, other.is_whole) == (most, 0, True)


def test_of_one_call_its_first_leg_and_the_first_two_that_were_answered_are_no_guests():
    desk = Desk(group__count=1)
    for number in range(STRAYS):
        desk.detail.leg(stray(number))
    told = len(desk.lines)
    for code in (486, 486, 200, 486, 200, 200):
        desk.detail.leg(callee_leg(final_code=code))
    assert [leg.final_code for leg in desk.legs[told:]] == [486, 200, 200]


def test_messages_go_first_where_room_is_short_and_then_lists_which_say_so():
    gaps = tuple(Gap(at_ms=1.0, missing_ms=20.0, kind=GapKind.LOST) for _ in range(60))
    long = [callee_leg(number=number, messages=MESSAGES, gaps=gaps) for number in range(10)]
    desk = Desk(room_bytes=10 * (LEG_BYTES + 5 * DIGIT_BYTES), group__count=10)
    for leg in long:
        desk.detail.leg(change(leg, messages=leg.messages * 8))
    assert [len(leg.messages) for leg in desk.legs] == [0] * 10
    assert desk.is_whole
    tight = Desk(room_bytes=30_000, group__count=20)
    for leg in (change(long[0], heard=None), *long[1:5]):
        tight.detail.leg(leg)
    assert {len(leg.gaps) + leg.gaps_left_out for leg in tight.legs} == {60}
    assert {leg.gaps for leg in tight.legs} == {()}
    assert {leg.heard and (len(leg.heard.stretches), leg.heard.stretches_left_out) for leg in tight.legs} == {
        (0, 1),
        None,
    }


def test_lines_for_which_there_is_no_room_at_all_make_the_log_incomplete():
    desk = Desk(room_bytes=4000, group__count=10)
    for number in range(10):
        desk.detail.leg(callee_leg(number=number))
    assert 0 < len(desk.lines) < 10
    assert desk.detail.digest.lines == 10
    assert not desk.is_whole


def test_what_was_kept_of_a_leg_is_told_with_its_messages_where_there_is_room():
    kept = KeptLine(role=Role.CALLEE, endpoint=0, index=3, messages=MESSAGES, evidence="a/b")
    for room_bytes, messages in ((50_000, MESSAGES), (20_000, ())):
        desk = Desk(room_bytes=room_bytes, group__count=5)
        desk.detail.line(kept)
        assert [decode_line(line) for line in desk.lines] == [msgspec.structs.replace(kept, messages=messages)]


def test_a_registration_is_told_in_short_where_room_is_short():
    desk = Desk(room_bytes=20_000, group__count=5)
    rejected = registration(Role.CALLEE, outcome=RegistrationOutcome.REJECTED, messages=MESSAGES)
    desk.detail.line(rejected)
    assert [decode_line(line) for line in desk.lines] == [msgspec.structs.replace(rejected, messages=())]


def test_guests_that_waited_are_told_at_the_end_as_far_as_they_fit():
    desk = Desk(room_bytes=LEG_BYTES * 4, group__count=4)
    for number in range(90):
        desk.detail.leg(stray(number))
    assert not desk.lines
    desk.detail.end()
    assert 4 < len(desk.lines) < 90
    assert len(desk.lines) + desk.detail.left_out == 90
    assert desk.is_whole


@given(st.lists(st.sampled_from(["stray", "named", "again", "nameless"]), max_size=60), st.integers(1, 20))
@settings(deadline=None)
def test_no_leg_is_lost_without_being_counted(kinds, planned):
    desk, numbers = Desk(group__count=planned), count()
    for kind in kinds:
        number = next(numbers)
        match kind:
            case "stray":
                desk.detail.leg(stray(number))
            case "nameless":
                desk.detail.leg(nameless(heard=heard({"1": 5})))
            case "again":
                desk.detail.leg(callee_leg(number=0, final_code=486))
            case _:
                desk.detail.leg(callee_leg(number=number % planned))
    desk.detail.end()
    assert len(desk.lines) + desk.detail.left_out == len(kinds)
    assert desk.is_whole


@pytest.mark.parametrize("number", [None, 0])
def test_a_leg_of_half_a_name_is_a_guest(number):
    desk = Desk()
    desk.detail.leg(change(callee_leg(), call=None, number=number))
    desk.detail.leg(change(callee_leg(), number=None))
    assert len(desk.lines) == 2
