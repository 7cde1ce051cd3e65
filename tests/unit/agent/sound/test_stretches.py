"""A recording of many stretches is told in few: no sum over it changes, and what is no longer known is bounded."""

from itertools import pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.contract.media import MAX_STRETCHES, Gap, GapKind, Heard, Stretch
from agent.contract.plan import identity_code
from agent.judge.call_leg import CallLeg, calls_at
from agent.judge.sound import signal
from agent.sound.hearing import hear
from agent.sound.identity import encode
from agent.sound.stretches import in_few
from tests.unit.agent import line
from tests.unit.builders import caller_leg, plan

CALL = next(iter(calls_at(plan(), 0)))
OWN = identity_code(CALL.key)
OTHER = OWN ^ 1

pieces = st.tuples(
    st.sampled_from([OWN, OWN, OWN, None, None, OTHER]), st.integers(1, 40).map(float), st.integers(0, 3)
)
recordings = st.lists(pieces, max_size=30)


def stretches(parts):
    """One after the other: whose, how long, and how much silence follows."""
    told, at_ms = [], 0.0
    for code, length_ms, silent in parts:
        told.append(Stretch(begin_ms=at_ms, end_ms=at_ms + 10 * length_ms, code=code))
        at_ms += 10 * length_ms + 50.0 * silent
    return tuple(told)


def of_each(told):
    """How much of each kind, where the own signal is, and where it begins and ends."""
    sums: dict[int | None, float] = {OWN: 0.0, OTHER: 0.0, None: sum(one.other_ms for one in told)}
    for one in told:
        sums[one.code] += one.own_ms
    own = [one for one in told if one.code == OWN]
    return sums, own and own[0].begin_ms, own and own[-1].end_ms


@given(recordings, st.integers(1, 12))
def test_no_sum_changes_and_no_edge_of_the_signal(parts, limit):
    before = stretches(parts)
    told = in_few(before, limit)
    assert of_each(told) == of_each(before)
    assert all(one.end_ms <= two.begin_ms for one, two in pairwise(told))
    assert all(one.silent_ms >= 0 for one in told)


@given(recordings, st.integers(1, 12))
def test_few_are_told_as_they_are_and_many_in_no_more_than_there_is_room_for(parts, limit):
    before = stretches(parts)
    told = in_few(before, limit)
    if len(before) <= limit:
        assert told == before
    if all(code in (OWN, None) for code, _, _ in parts):  # whatever is between two of the same can go
        assert len(told) <= max(limit, 3)


gaps = st.lists(
    st.tuples(st.integers(0, 90).map(lambda place: 100.0 * place), st.sampled_from([20.0, 400.0])), max_size=5
)


def heard(told):
    return Heard(duration_ms=1e6, level_dbfs=-20.0, active_ms=1e6, codes={}, stretches=told)


@given(recordings, st.integers(1, 12), gaps)
@example([(OWN, 10.0, 0), (None, 20.0, 0), (OWN, 10.0, 0)], 1, [(200.0, 20.0)])
@example([(OWN, 9.0, 0), (OTHER, 9.0, 0), (None, 9.0, 1), (OTHER, 9.0, 0), (OWN, 9.0, 0)], 1, [])
@settings(max_examples=200)
def test_what_was_foreign_is_between_the_least_and_the_most(parts, limit, lost):
    missing = tuple(Gap(at_ms=at_ms, missing_ms=ms, kind=GapKind.LOST) for at_ms, ms in sorted(lost))
    leg = CallLeg(call=CALL, leg=caller_leg(gaps=missing, dtmf_sent=(), dtmf_received=()))
    exact = signal(leg, heard(stretches(parts)))
    assert exact.foreign_ms == exact.foreign_most_ms
    told = signal(leg, heard(in_few(stretches(parts), limit)))
    assert told.foreign_ms <= exact.foreign_ms <= told.foreign_most_ms
    assert (told.own_ms, told.other_ms, told.before_ms) == (exact.own_ms, exact.other_ms, exact.before_ms)


def test_a_long_call_of_bursts_that_were_lost_is_told_whole():
    """Three packets in every second and a half, for ten minutes."""
    samples = line.mu_law(encode(OWN, frames=1250))
    for begin in range(4000, len(samples), 12000):
        samples[begin : begin + 480] = 0
    found = hear(samples, OWN)
    assert (found.stretches_left_out, len(found.stretches) <= MAX_STRETCHES) == (0, True)
    [own] = found.stretches
    assert own.own_ms + own.silent_ms == found.duration_ms
    assert own.silent_ms / 400 == np.clip(own.silent_ms / 400, 20, 80), "no more than was lost, and its edges"
