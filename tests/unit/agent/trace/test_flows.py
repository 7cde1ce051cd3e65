"""The table of flows: found again, whatever their number, and forgotten in time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.flows import Flows


def keys(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint64)


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=3000), max_size=3))
@settings(max_examples=25, deadline=None)
def test_every_key_is_found_again_and_no_other(batches: list[list[int]]) -> None:
    flows, known = Flows(), dict[int, int]()
    for batch in batches:
        new = keys(*(number for number in batch if number not in known))
        known |= dict(zip(new.tolist(), flows.add(new, new ^ np.uint64(7)).tolist(), strict=True))
    wanted = keys(*known)
    assert flows.find(wanted, wanted ^ np.uint64(7)).tolist() == list(known.values())
    assert (flows.find(wanted, wanted ^ np.uint64(6)) == -1).all()


def test_more_flows_at_once_than_the_table_has_room_for() -> None:
    """Once a hang: the table grew by one step only."""
    flows, many = Flows(), np.arange(70_000, dtype=np.uint64)
    rows = flows.add(many, many)
    assert (flows.find(many, many) == rows).all()


def test_what_never_showed_to_be_rtp_is_forgotten_oldest_first_and_its_room_used_again() -> None:
    flows, many = Flows(), np.arange(100, dtype=np.uint64)
    rows = flows.add(many, many)
    flows.last_ns[rows] = np.arange(100)
    flows.runs[rows[:10]] = 1
    gone = flows.forget(limit=50)
    assert gone.tolist() == rows[10:55].tolist()
    found = flows.find(many, many)
    assert (found[:10] == rows[:10]).all()
    assert (found[10:55] == -1).all()
    assert (found[55:] == rows[55:]).all()
    more = flows.add(many + np.uint64(1000), many)
    assert flows.count == 155
    assert not set(more.tolist()) & set(found[found >= 0].tolist())
