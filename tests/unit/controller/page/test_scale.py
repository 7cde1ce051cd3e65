"""Round numbers, and places in a drawing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.page.scale import Scale, number, step_of, ticks, top_of


def test_a_scale_is_a_straight_line_and_ends_at_its_edges():
    scale = Scale(begin=0, end=10, first=100, last=200)
    assert [scale(value) for value in (-1, 0, 5, 10, 99)] == [100, 100, 150, 200, 200]


def test_a_scale_of_nothing_is_its_first_place():
    assert Scale(begin=3, end=3, first=100, last=200)(3) == 100


@pytest.mark.parametrize(
    ("length", "most", "step"), [(8, 10, 1), (9, 5, 2), (0.1, 10, 0.01), (24, 10, 2.5), (45, 10, 5)]
)
def test_steps_are_round(length, most, step):
    assert step_of(length, most) == pytest.approx(step)


def test_ticks_are_multiples_of_their_step():
    assert ticks(-0.2, 6.1) == (0, 1, 2, 3, 4, 5, 6)
    assert ticks(2.0, 2.0) == (2.0,)


@given(st.floats(0, 1e6), st.floats(1e-6, 1e6), st.integers(1, 20))
def test_there_are_no_more_ticks_than_room_and_all_are_inside(begin, length, most):
    found = ticks(begin, begin + length, most)
    assert len(found) <= most + 1
    slack = 1e-6 * max(begin + length, 1)
    assert all(begin - slack <= one <= begin + length + slack for one in found)


@given(st.floats(1e-9, 1e9))
def test_the_top_of_an_axis_is_not_below_what_is_drawn(value):
    assert value <= top_of(value) * (1 + 1e-6) <= 10.1 * value


def test_the_top_of_nothing_is_one():
    assert top_of(0) == 1.0


def test_numbers_are_short():
    assert [number(one) for one in (1.0, 2.5, 0.1 + 0.2)] == ["1", "2.5", "0.3"]
