"""When a source began anew, and what is loss, reordering or a pause instead: RFC 3550 A.1."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.agent.rtp.counting import PACKET_MS, TICKS, Sent, counted, later, speech


@dataclass(frozen=True, kw_only=True)
class Life:
    """A source's life as a network delivers it, in order of arrival; each packet with its place in the life."""

    packets: list[tuple[int, Sent]]

    @property
    def size(self) -> int:
        places = [place for place, _ in self.packets]
        return max(places) - min(places) + 1


@st.composite
def lives(draw: st.DrawFn) -> list[Life]:
    """Lives that begin far from where the one before went on, with loss, copies and late packets in each."""
    found: list[Life] = []
    number, timestamp, at_ms = draw(st.integers(0, 65_535)), draw(st.integers(0, 2**32 - 1)), 0.0
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.integers(60, 200))
        marker = draw(st.booleans())
        sent = speech(count, number=number, timestamp=timestamp, at_ms=at_ms, marker=marker)
        arrivals: list[tuple[float, int, Sent]] = []
        for place, packet in enumerate(sent):
            sure = place < 5 or place >= count - 25  # a life's begin and end are told apart from its neighbours
            fate = "sent" if sure else draw(st.sampled_from(["sent"] * 12 + ["lost", "copied", "late"]))
            if fate == "lost":
                continue
            late_ms = draw(st.integers(30, 300)) if fate == "late" else 0
            arrivals.append((packet.at_ms + late_ms, place, packet))
            if fate == "copied":
                arrivals.append((packet.at_ms + draw(st.integers(0, 300)), place, packet))
        arrivals.sort(key=lambda one: one[:2])
        found.append(Life(packets=[(place, replace(packet, at_ms=at)) for at, place, packet in arrivals]))
        pause_ms = draw(st.integers(20, 5000))
        at_ms = max(at_ms + PACKET_MS * count, *(at for at, _, _ in arrivals)) + pause_ms
        steps = draw(st.one_of(st.integers(3200, 32_000), st.integers(-32_000, -400 - count)))
        ticks = draw(st.integers(60, 20_000)) * 8000 * draw(st.sampled_from([1, -1]))
        assume(abs(ticks - TICKS * steps) > 20 * 8000)  # where timestamps go on with the numbers, it is loss
        number += count + steps
        timestamp += TICKS * count + ticks
    return found


@given(lives())
@settings(max_examples=150, deadline=None)
def test_each_life_is_counted_by_itself_and_nothing_is_lost_between_them(them: list[Life]) -> None:
    lost = duplicates = reordered = 0
    for life in them:
        seen: set[int] = set()
        for place, _ in life.packets:
            duplicates += place in seen
            reordered += place not in seen and bool(seen) and place < max(seen)
            seen.add(place)
        lost += life.size - len(seen)
    found = counted([packet for life in them for _, packet in life.packets])
    assert found.restarts == len(them) - 1
    assert (found.lost, found.duplicates, found.reordered) == (lost, duplicates, reordered)
    assert found.expected == sum(life.size for life in them)


@pytest.mark.parametrize("number", [41_000, 7, 30_000, 1_199])
@pytest.mark.parametrize("timestamp", [900_000, 5000 + 420 * TICKS, 7, 4_000_000_000])
def test_a_source_that_begins_anew_loses_nothing(number: int, timestamp: int) -> None:
    first = speech(300, number=1000)
    found = counted([*first, *speech(300, number=number, timestamp=timestamp, at_ms=8400, marker=True)])
    assert (found.restarts, found.lost, found.reordered, found.duplicates) == (1, 0, 0, 0)
    assert found.max_jitter_ms == 0


def test_numbers_that_begin_anew_while_timestamps_go_on_are_a_new_life() -> None:
    found = counted([*speech(300), *speech(300, number=20_000, timestamp=5000 + 300 * TICKS, at_ms=6000)])
    assert (found.restarts, found.lost, found.reordered) == (1, 0, 0)


@pytest.mark.parametrize("ticks", [16_000, 240_000, 0x40000000, -16_000, -240_000])
def test_timestamps_that_begin_anew_while_numbers_go_on_are_a_new_life(ticks: int) -> None:
    again = speech(300, number=400, timestamp=5000 + 300 * TICKS + ticks, at_ms=6000)
    found = counted([*speech(300), *again])
    assert (found.restarts, found.lost, found.reordered) == (1, 0, 0)
    assert found.max_jitter_ms == 0, "jitter begins anew"


@pytest.mark.parametrize("marker", [True, False])
@pytest.mark.parametrize("pause_ms", [60, 400, 5000, 600_000, 26 * 60_000])
def test_timestamps_that_move_with_the_time_that_passed_are_a_pause(pause_ms: int, *, marker: bool) -> None:
    again = speech(
        200, number=300, timestamp=5000 + 200 * TICKS + 8 * pause_ms, at_ms=4000 + pause_ms + 15, marker=marker
    )
    found = counted([*speech(200), *again])
    assert (found.restarts, found.lost) == (0, 0)
    assert found.max_jitter_ms < 1


@pytest.mark.parametrize("outage_s", [5, 59, 70, 600, 1200, 1500, 4000])
def test_an_outage_is_loss_however_long(outage_s: int) -> None:
    packets = speech(400 + 50 * outage_s)
    found = counted(packets[:200] + packets[-200:])
    assert (found.restarts, found.lost, found.reordered) == (0, 50 * outage_s, 0)


def test_an_outage_with_digits_in_it_is_loss_too() -> None:
    """Each digit's end was sent three times: those packets have no time of their own."""
    again = later(speech(200, number=100 + 200 + 4008, timestamp=5000 + (200 + 4000) * TICKS), 20 * 4200)
    found = counted([*speech(200), *again])
    assert (found.restarts, found.lost) == (0, 4008)


def test_150_packets_that_come_300_ms_late_are_reordered_and_no_life_and_not_lost() -> None:
    packets = [replace(packet, at_ms=2 * n) for n, packet in enumerate(speech(1000))]  # of 20 ms, every 2 ms
    came = [*packets[:300], *later(packets[300:450], 301), *packets[450:]]
    found = counted(came)
    assert (found.restarts, found.lost, found.duplicates, found.reordered) == (0, 0, 0, 150)


def test_a_packet_from_elsewhere_is_no_life() -> None:
    stray = Sent(number=30_000, timestamp=77, at_ms=2000)
    found = counted([*speech(100), stray, *speech(100, number=200, timestamp=5000 + 100 * TICKS, at_ms=2001)])
    assert (found.restarts, found.lost, found.reordered) == (0, 0, 1)
    assert found.max_jitter_ms < 0.1


def test_a_line_that_goes_on_within_a_second_was_never_over() -> None:
    """Half a second of something else in between, under the same SSRC."""
    line, other = speech(400), speech(25, number=40_000, timestamp=1, at_ms=4001)
    found = counted([*line[:200], *other, *later(line[200:], 500)])
    assert (found.restarts, found.lost, found.reordered) == (0, 0, 25)


def test_a_line_of_timestamps_that_goes_on_within_a_second_was_never_over() -> None:
    line = speech(400)
    other = speech(25, number=300, timestamp=2_000_000, at_ms=4000)
    found = counted([*line[:200], *other, *line[225:]])
    assert (found.restarts, found.lost, found.reordered) == (0, 0, 0)


def test_two_sources_of_one_ssrc_at_once_are_one_life_and_packets_out_of_order() -> None:
    found = counted([*speech(300), *speech(300, number=40_000, timestamp=1, at_ms=10)])
    assert (found.restarts, found.lost, found.reordered) == (0, 0, 300)


def test_what_follows_a_source_that_shared_its_ssrc_is_a_new_life_of_its_own() -> None:
    other = speech(300, number=40_000, timestamp=1, at_ms=10)
    found = counted([*speech(100), *other])
    assert (found.restarts, found.lost, found.reordered) == (1, 0, 0)


def test_an_old_packet_that_comes_late_does_not_end_the_new_life() -> None:
    old, new = speech(100), speech(400, number=20_000, timestamp=9, at_ms=2010)
    found = counted([*old[:95], *later(old[95:98], 115), *old[98:], *new])
    assert (found.restarts, found.lost) == (1, 0)
    assert found.reordered == 3


def test_a_restart_within_the_numbers_that_may_be_loss_is_that_loss_and_a_new_life() -> None:
    """Numbers 150 ahead are within MAX_DROPOUT: nothing tells that they were never sent."""
    again = speech(300, number=1450, timestamp=900_000, at_ms=8100, marker=True)
    found = counted([*speech(300, number=1000), *again])
    assert (found.restarts, found.lost) == (1, 150)


def test_a_copy_is_never_reordered() -> None:
    packets = speech(50)
    found = counted([*packets, *later(packets[10:30], 400)])
    assert (found.duplicates, found.reordered, found.lost) == (20, 0, 0)


@pytest.mark.parametrize("ms", [10, 30, 40, 60])
def test_another_length_of_packets_is_no_life(ms: int) -> None:
    other = [Sent(number=200 + n, timestamp=5000 + 100 * TICKS + 8 * ms * n, at_ms=2000 + ms * n) for n in range(200)]
    found = counted([*speech(100), *other])
    assert (found.restarts, found.lost) == (0, 0)
    assert found.max_jitter_ms == 0
