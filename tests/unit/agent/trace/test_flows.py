"""The table of flows: found again, whatever their number, and forgotten in time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.kernel import PACKET
from agent.trace.streams.flows import Flows
from agent.trace.streams.formats import Meanings

MEANINGS = Meanings()


def packets(hosts: list[int], *, number: int = 0, time_ns: int = 0, **fields: int) -> np.ndarray:
    """One of each flow."""
    table = np.zeros(len(hosts), PACKET)
    table["hosts"], table["number"] = np.array(hosts, np.uint64), number
    table["time_ns"] = time_ns + np.arange(len(hosts))
    for name, value in fields.items():
        table[name] = value
    return table


def count(flows: Flows, table: np.ndarray) -> list[int]:
    """The flow of each packet."""
    assert flows.add(table, 0, len(table), MEANINGS.columns, tell_new=False) == len(table)
    return table["flow"].tolist()


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=3000), max_size=3))
@settings(max_examples=25, deadline=None)
def test_every_key_is_found_again_and_no_other(batches: list[list[int]]) -> None:
    flows, known = Flows(), dict[int, int]()
    for batch in batches:
        for host, row in zip(batch, count(flows, packets(batch)), strict=True):
            assert known.setdefault(host, row) == row
    assert sorted(known.values()) == list(range(flows.count))
    assert count(flows, packets(list(known))) == list(known.values())
    assert not set(count(flows, packets(list(known), rest=7))) & set(known.values())


def test_more_flows_at_once_than_the_table_has_room_for() -> None:
    flows, many = Flows(), list(range(70_000))
    assert count(flows, packets(many)) == many
    assert count(flows, packets(many, number=1)) == many
    assert flows.confirmed().all()


def test_what_never_showed_to_be_rtp_is_forgotten_oldest_first_and_its_room_used_again() -> None:
    flows, many = Flows(), list(range(100))
    rows = count(flows, packets(many))
    count(flows, packets(many[:10], number=1, time_ns=-1000))
    unsure = flows.unsure(limit=50)
    assert unsure.tolist() == rows[10:55]
    flows.forget(unsure)
    assert flows.rows["live"][:100].tolist() == [True] * 10 + [False] * 45 + [True] * 45
    kept = [*many[:10], *many[55:]]
    assert count(flows, packets(kept)) == kept
    more = count(flows, packets(list(range(1000, 1100))))
    assert flows.count == 155
    assert not set(more) & set(kept)


def test_what_a_forgotten_flow_left_is_no_other_flows() -> None:
    """Its digits go, and its gaps; a flow that takes its row begins with nothing."""
    flows = Flows()
    digits = packets([1, 2, 3], payload_type=101, wire=4, captured=4, head=0x05_0A_00_A0)
    digits["timestamp"] = [10, 20, 30]
    count(flows, digits)
    count(flows, packets([1], number=50, time_ns=-5))  # a gap, and the longest silence
    count(flows, packets([3], number=1, time_ns=9))
    unsure = flows.unsure(limit=1)
    assert unsure.tolist() == [0]
    flows.forget(unsure)
    assert flows.events["owner"][: flows.event_count].tolist() == [1, 2]
    assert count(flows, digits) == [0, 1, 2]
    events = flows.events[: flows.event_count]
    assert events[["owner", "last_segment", "packets"]].tolist() == [(1, 20, 2), (2, 30, 2), (0, 10, 1)]
    sequence = flows.rows["sequence"][0]
    assert (sequence["packets"], sequence["holes"], sequence["duplicates"]) == (1, 0, 0)
    assert flows.by_type[0].sum() == 1


def test_however_many_events_there_were_the_last_ones_are_known() -> None:
    flows = Flows()
    digits = packets([1] * 40, payload_type=101, wire=4, captured=4, head=0x05_0A_00_A0)
    digits["timestamp"] = np.repeat(np.arange(20), 2)
    count(flows, digits[:2])
    flows.rows["opened"][0] = (1 << 30) - 3
    count(flows, digits[2:])
    assert flows.rows["opened"][0] == 16 + 16
    assert flows.events["packets"][: flows.event_count].tolist() == [2] * 20
