"""The time axis of a call: to scale, and stretched where messages crowd."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.page.axis import APART, axis_of

MOMENTS = st.lists(st.floats(0, 100), max_size=60).map(sorted)


def test_without_messages_it_is_a_straight_line():
    axis = axis_of(0.0, 10.0, [], 100, 200)
    assert [axis(at_s) for at_s in (-1, 0, 5, 10, 99)] == [100, 100, 150, 200, 200]
    assert (axis.moments, axis.bands, axis.right) == ((), (), 200)


def test_messages_that_are_far_apart_leave_it_straight():
    axis = axis_of(0.0, 10.0, [0.0, 5.0, 10.0], 100, 200)
    assert axis.moments == (100, 150, 200)
    assert axis.bands == ()


def test_what_crowds_is_stretched_and_that_is_said():
    axis = axis_of(0.0, 10.0, [1.0, 1.01, 1.02, 9.0, 9.0], 0, 1000)
    [first, second] = axis.bands
    assert (first.begin_s, first.end_s, first.last - first.first) == (1.0, 1.02, pytest.approx(2 * APART))
    assert (second.begin_s, second.end_s, second.last - second.first) == (9.0, 9.0, pytest.approx(APART))


def test_numbers_at_the_axis_do_not_touch():
    axis = axis_of(0.0, 10.0, [n / 1000 for n in range(40)], 0, 1000)
    places = [axis(at_s) for at_s in axis.ticks()]
    assert len(places) > 2
    assert all(after - before >= 50 for before, after in pairwise(places))


@given(MOMENTS)
def test_it_never_goes_back_and_messages_never_share_a_place(moments):
    axis = axis_of(0.0, 100.0, moments, 100, 900)
    assert all(after - before >= APART - 0.1 for before, after in pairwise(axis.moments))
    drawn = [axis(at_s / 7) for at_s in range(-5, 705)]
    assert drawn == sorted(drawn)
    assert (drawn[0], drawn[-1]) == (100, pytest.approx(axis.right, abs=0.1))
    # A message is where its time is; of several at one time the last one.
    for at_s, place, after in zip(moments, axis.moments, [*moments, None][1:], strict=True):
        assert at_s == after or axis(at_s) == pytest.approx(place, abs=0.11)
