"""Which legs an agent is to keep, in few bytes."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kept import MAX_SPANS, is_kept, spans
from agent.contract.plan import PlanError, Signal, decode_signal


@pytest.mark.parametrize(
    ("indexes", "told"),
    [
        ([], ()),
        ([0], ((0, 0),)),
        ([3, 1, 2, 2], ((1, 3),)),
        ([0, 1, 5, 7, 8], ((0, 1), (5, 5), (7, 8))),
    ],
)
def test_neighbours_are_one_span(indexes, told):
    assert spans(indexes) == told


@given(st.sets(st.integers(0, 200)))
def test_few_are_told_exactly(indexes):
    told = spans(indexes)
    assert {index for index in range(202) if is_kept(told, index)} == indexes


@given(st.integers(2 * MAX_SPANS, 4000), st.integers())
def test_of_many_none_is_left_out_and_the_document_stays_small(count, seed):
    indexes = random.Random(seed).sample(range(5000), count)
    raw = Signal(keep=spans(indexes)).encode()
    kept = decode_signal(raw).keep
    assert kept is not None
    assert len(kept) <= MAX_SPANS
    assert {index for first, last in kept for index in range(first, last + 1)} >= set(indexes)
    assert len(raw) < 4096


def test_the_nearest_are_joined_first():
    near = [10 * index for index in range(MAX_SPANS)]
    assert spans([*near, 2_000_000]) == ((0, 10), *((index, index) for index in near[2:]), (2_000_000, 2_000_000))


@pytest.mark.parametrize("keep", [[[0]], [[-1, 2]], [["0", 1]], [[0, 0]] * (MAX_SPANS + 1), "all"])
def test_a_malformed_list_is_refused(keep):
    with pytest.raises(PlanError, match="signal: "):
        decode_signal(msgspec.json.encode({"prepare": 1, "keep": keep}))


def test_a_signal_of_another_version_is_refused():
    with pytest.raises(PlanError, match="version"):
        decode_signal(b'{"version": "calltest.dev/signal/v1"}')
