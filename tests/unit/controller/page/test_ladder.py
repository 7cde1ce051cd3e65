"""Both legs on one clock; the parties of a capture."""

import pytest

from agent.contract.verdict import Role
from controller.page.ladder import MAX_LANES, MAX_STEPS, Clock, Leg, both_legs, clock_of, parties
from controller.page.messages import Crossing, Heads
from controller.page.model import Hop, Media, Message, Track, Way
from tests.unit.controller.page.world import ACK, BYE, BYE_OK, INVITE, OK, RINGING

CALLER, SUT, CALLEE = "10.0.0.1:5060", "10.0.0.9:5060", "10.0.0.2:5060"


def leg(role, *steps, ahead_s=0.0):
    """(time, whether the agent sent it, text)"""
    own = CALLER if role is Role.CALLER else CALLEE
    crossings = [
        Crossing(at_s=1000 + at_s + ahead_s, source=own if sent else SUT, target=SUT if sent else own, text=text)
        for at_s, sent, text in steps
    ]
    return Leg(role=role, address=own, heads=Heads.of(crossings))


def legs(ahead_s=0.0):
    caller = leg(
        Role.CALLER, (0, True, INVITE), (0.3, False, OK), (0.4, True, ACK), (8, True, BYE), (8.2, False, BYE_OK)
    )
    callee = leg(Role.CALLEE, (0.1, False, INVITE), (0.2, True, OK), (8.1, False, BYE), ahead_s=ahead_s)
    return [caller, callee]


@pytest.mark.parametrize(
    ("ahead_s", "found_s", "words"),
    [(0.0, 0.0, None), (0.05, 0.0, None), (-0.09, 0.0, None), (3.0, 2.9, "ahead of"), (-5.0, -4.9, "behind")],
)
def test_clocks_that_disagree_are_moved_by_the_least_that_causes_need(ahead_s, found_s, words):
    clock = clock_of(legs(ahead_s))
    assert clock.callee_ahead_s == pytest.approx(found_s)
    assert (clock.note is None) is (words is None)
    assert (words or "") in (clock.note or "")
    assert clock.origin_s(Role.CALLER) == 1000
    assert clock.origin_s(Role.CALLEE) == pytest.approx(1000 + found_s)


def test_a_path_that_answers_by_itself_is_no_clock_that_is_wrong():
    caller = leg(Role.CALLER, (0, True, INVITE), (0.1, False, OK))
    callee = leg(Role.CALLEE, (5, False, INVITE), (5.2, True, OK))
    assert clock_of([caller, callee]).callee_ahead_s == 0.0


def test_one_that_answers_before_it_asks_moves_nothing():
    caller = leg(Role.CALLER, (0, True, INVITE), (0.1, False, OK))
    callee = leg(Role.CALLEE, (0.05, False, INVITE), (9.0, True, OK))
    assert clock_of([caller, callee]).callee_ahead_s == 0.0


def test_one_leg_has_its_own_clock_and_none_has_none():
    assert clock_of([legs()[1]]) == Clock(zero_s=1000.1, callee_ahead_s=0.0)
    assert clock_of([]) == Clock(zero_s=0.0, callee_ahead_s=0.0)


def test_legs_without_answers_are_held_by_their_invites_alone():
    caller, callee = leg(Role.CALLER, (0, True, INVITE)), leg(Role.CALLEE, (-2, False, INVITE))
    assert clock_of([caller, callee]).callee_ahead_s == -2.0
    assert clock_of([leg(Role.CALLER, (0, True, RINGING)), leg(Role.CALLEE, (0, True, RINGING))]).callee_ahead_s == 0.0


def test_both_legs_stand_in_one_order_of_time():
    both = legs()
    ladder = both_legs(both, clock_of(both), [], "sut:5060")
    steps = [(step.title, step.source, step.target) for step in ladder.steps]
    assert steps[:4] == [("INVITE", 0, 1), ("INVITE", 1, 2), ("200 OK", 2, 1), ("200 OK", 1, 0)]
    assert [lane.name for lane in ladder.lanes] == ["caller agent", "SUT", "callee agent"]
    assert [lane.detail for lane in ladder.lanes] == [CALLER, f"sut:5060, {SUT}", CALLEE]


@pytest.mark.parametrize(
    ("way", "hop", "ends"),
    [
        (Way.TO_CALLEE, Hop.CALLER, (0, 1)),
        (Way.TO_CALLEE, Hop.CALLEE, (1, 2)),
        (Way.TO_CALLER, Hop.CALLEE, (2, 1)),
        (Way.TO_CALLER, Hop.CALLER, (1, 0)),
    ],
)
def test_media_begins_between_its_lanes(way, hop, ends):
    track = Track(name="x", way=way, hop=hop, begin_s=0.5, end_s=8.0, packets=400, codec="PCMU")
    ladder = both_legs(legs(), clock_of(legs()), [track], "")
    (media,) = [step for step in ladder.steps if isinstance(step, Media)]
    assert (media.source, media.target, media.title, media.length_s) == (*ends, "RTP PCMU 400 packets", 7.5)


def crossing(at_s, source, target, text=INVITE):
    return Crossing(at_s=at_s, source=source, target=target, text=text)


def test_a_captures_parties_are_its_hosts_in_order():
    track = Track(name="x", begin_s=0.2, end_s=1, packets=9, source="10.0.0.1:4000", target="10.0.0.9:30000")
    stranger = Track(name="y", begin_s=0.2, end_s=1, packets=9, source="10.0.0.7:4000", target="10.0.0.9:30000")
    ladder = parties([crossing(0, CALLER, SUT), crossing(1, SUT, CALLEE)], 0.0, [track, stranger])
    assert [(lane.name, lane.detail) for lane in ladder.lanes] == [
        ("10.0.0.1", ":5060"), ("10.0.0.9", ":5060"), ("10.0.0.2", ":5060"),
    ]  # fmt: skip
    assert [(step.source, step.target) for step in ladder.steps] == [(0, 1), (0, 1), (1, 2)]


def test_parties_of_one_host_are_told_apart_by_port():
    ladder = parties([crossing(0, "127.0.0.1:5060", "127.0.0.1:5070")], 0.0, [])
    assert [lane.name for lane in ladder.lanes] == ["127.0.0.1:5060", "127.0.0.1:5070"]


def test_parties_too_many_are_counted():
    steps = [crossing(n, f"10.0.0.{n}:5060", f"10.0.0.{n + 1}:5060") for n in range(10)]
    ladder = parties(steps, 0.0, [])
    assert len(ladder.lanes) == MAX_LANES
    assert (len(ladder.steps), ladder.left_out) == (5, 5)


def test_of_too_many_messages_the_first_and_the_last_stay():
    ladder = parties([crossing(n, CALLER, SUT) for n in range(MAX_STEPS + 10)], 0.0, [])
    assert (len(ladder.steps), ladder.left_out) == (MAX_STEPS, 10)
    assert (ladder.steps[0].at_s, ladder.steps[-1].at_s) == (0, MAX_STEPS + 9)
    assert all(isinstance(step, Message) for step in ladder.steps)
