"""Stretches of time, against sets of moments."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.judge.spans import Span, length, meet, minus, union

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda ends: (float(ends[0]), float(ends[1]))))


def moments(some: list[Span]) -> set[int]:
    """The whole units that they cover."""
    return {unit for begin, end in some for unit in range(int(begin), int(end))}


@given(spans)
def test_a_union_covers_the_same_in_order_and_without_overlap(some):
    covered = union(some)
    assert moments(covered) == moments(some)
    assert covered == sorted(covered)
    assert all(before[1] < after[0] for before, after in pairwise(covered))
    assert length(some) == len(moments(some))


@given(spans, spans)
def test_what_both_cover_and_what_only_one_does(some, others):
    assert moments(meet(some, others)) == moments(some) & moments(others)
    assert moments(minus(some, others)) == moments(some) - moments(others)
    assert length(meet(some, others)) + length(minus(some, others)) == length(some)
