"""The compiled part: it is the one of these sources, and both sides mean the same memory."""

import ctypes
import shutil
from collections.abc import Iterator
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace import kernel
from agent.trace.kernel import PACKET, KernelError
from agent.trace.streams.flows import Flows
from agent.trace.streams.formats import Meanings

MEANINGS = Meanings()
"""Its memory must live as long as it is counted with."""


@pytest.fixture
def fresh() -> Iterator[None]:
    """The library is looked for again."""
    kernel.kernel.cache_clear()
    yield
    kernel.kernel.cache_clear()


def test_structures_have_the_same_size_on_both_sides() -> None:
    sizes = (ctypes.c_uint32 * len(kernel.SIZES)).in_dll(kernel.kernel(), "trace_sizes")
    assert tuple(sizes) == kernel.SIZES


@pytest.mark.usefixtures("fresh")
def test_where_it_is_not_built_the_message_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(KernelError, match="not built: run dev/kernel/build"):
        kernel.kernel()


@pytest.mark.usefixtures("fresh")
def test_one_of_other_sources_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed C that was not built would count as it did before."""
    monkeypatch.setattr(kernel, "sources_key", lambda: "00000000")
    with pytest.raises(KernelError, match=r"other sources than .* has: run dev/kernel/build"):
        kernel.kernel()


@pytest.mark.usefixtures("fresh")
@pytest.mark.skipif(shutil.which("cc") is None, reason="any other library will do")
def test_a_library_that_is_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import _ctypes  # noqa: PLC0415

    monkeypatch.setattr("importlib.util.find_spec", lambda name: ModuleSpec(name, None, origin=_ctypes.__file__))
    with pytest.raises(KernelError, match="other sources"):
        kernel.kernel()


def audio(numbers: np.ndarray) -> kernel.Table:
    """Packets of PCMU with these extended numbers, whose timestamps go with them."""
    packets = np.zeros(len(numbers), PACKET)
    packets["number"], packets["timestamp"] = numbers & 0xFFFF, 160 * numbers & 0xFFFFFFFF
    packets["wire"] = packets["captured"] = 160
    return packets


@given(st.lists(st.one_of(st.integers(-3, 3), st.integers(-32_768, 32_767)), min_size=1, max_size=3000), st.data())
@settings(max_examples=25, deadline=None)
def test_copies_and_late_packets_are_told_apart_at_any_distance(steps: list[int], data: st.DataObject) -> None:
    """By a set of all numbers seen. Fewer gaps at once than are remembered."""
    first = data.draw(st.integers(0, 65_535))
    numbers = np.cumsum([first, *steps[:500]])
    packets = audio(numbers)
    flows = Flows()
    flows.add(packets, 0, len(packets), MEANINGS.columns, tell_new=False)
    found = flows.rows["sequence"][0]
    seen: set[int] = set()
    duplicates = reordered = 0
    for number in numbers.tolist():
        duplicates += number in seen
        reordered += bool(seen) and number < max(seen) and number not in seen
        seen.add(number)
    assert packets["sequence"].tolist() == numbers.tolist()
    assert (found["duplicates"], found["reordered"]) == (duplicates, reordered)
    assert (found["now"]["highest"], found["now"]["lowest"], found["restarts"]) == (max(seen), min(seen), 0)
    assert found["forgotten_holes"] == 0


def test_gaps_beyond_what_is_remembered_are_forgotten_lowest_first() -> None:
    late = [1, 3, 2 * 1026 - 1]
    numbers = [*range(0, 2 * 1026 + 1, 2), *late]  # 1026 gaps of one; two are too many
    packets = audio(np.array(numbers))
    flows = Flows()
    flows.add(packets, 0, len(packets), MEANINGS.columns, tell_new=False)
    found = flows.rows["sequence"][0]
    assert (found["forgotten_holes"], found["duplicates"], found["holes"]) == (2, 2, 1023)


def test_where_there_is_no_room_for_a_gap_it_takes_that_of_its_streams_lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.trace.streams.flows.MAX_HOLES", 2)
    packets = audio(np.array([0, 2, 4, 0, 2, 6, 1, 3, 5]))
    packets["hosts"] = [1, 1, 1, 2, 2, 1, 1, 1, 1]  # gaps at 1, 3; one of the other stream at 1; at 5; filled
    flows = Flows()
    flows.add(packets, 0, len(packets), MEANINGS.columns, tell_new=False)
    first, second = flows.rows["sequence"][:2]
    assert (first["forgotten_holes"], first["holes"], first["duplicates"]) == (1, 0, 1)
    assert (second["forgotten_holes"], second["holes"], second["duplicates"]) == (1, 0, 0)
