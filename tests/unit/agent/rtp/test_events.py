"""Named events (RFC 4733): which packets are of one press, and how long it was."""

import pytest

from tests.unit.agent.rtp.counting import Sent, flows

END, LONGEST = 0x80, 0xFFFF


def packet(number: int, timestamp: int, ticks: int, *, code: int = 5, end: bool = False, marker: bool = False) -> Sent:
    head = code << 24 | ((END if end else 0) | 10) << 16 | ticks
    return Sent(number=number, timestamp=timestamp, at_ms=20.0 * number, marker=marker, head=head)


def found(packets: list[Sent]) -> list[tuple[int, int]]:
    """Code and ticks of each event that has a length."""
    counted = flows(packets)
    events = counted.events[: counted.event_count]
    lengths = (events["last_segment"] - events["timestamp"]).astype(int) + events["ticks"]
    return [(int(code), int(ticks)) for code, ticks in zip(events["code"], lengths, strict=True) if ticks]


def held(ticks: int, *, step: int = 960, late: bool, lose: tuple[int, ...] = ()) -> list[Sent]:
    """A key held for `ticks`; its segments begin by the book, or (late) at the packet that ran over."""
    packets: list[Sent] = []
    begin, number = 0, 1
    for now in [*range(step, ticks, step), ticks]:
        end = now == ticks
        if now - begin > LONGEST:
            packets.append(packet(number, begin, LONGEST))
            number, begin = number + 1, (now if late else begin + LONGEST)
            if late:
                continue
        packets.append(packet(number, begin, now - begin, end=end, marker=number == 1))
        number += 1
    packets += [packet(number + n, begin, ticks - begin, end=True) for n in range(2)]
    return [one for place, one in enumerate(packets) if place not in lose]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("ticks", [960, 60_000, 120_000, 300_000, 700_000])
@pytest.mark.parametrize("step", [480, 960, 1920])
def test_a_key_is_one_event_however_long_it_was_held(ticks: int, step: int, *, late: bool) -> None:
    assert found(held(ticks, step=step, late=late)) == [(5, ticks)]


@pytest.mark.parametrize("late", [False, True])
def test_the_packet_that_told_the_longest_length_may_be_lost(*, late: bool) -> None:
    packets = held(120_000, late=late)
    place = next(n for n, one in enumerate(packets) if one.head & 0xFFFF == LONGEST)
    assert found(packets[:place] + packets[place + 1 :]) == [(5, 120_000)]


def test_a_press_right_after_a_long_one_is_another() -> None:
    packets = held(60_000, late=False)
    last = packets[-1].number
    assert found([*packets, packet(last + 1, 66_000, 960, marker=True)]) == [(5, 60_000), (5, 960)]


def test_a_marked_packet_after_one_that_never_ended_is_another_press() -> None:
    first = [packet(n, 0, 960 * n, marker=n == 1) for n in range(1, 69)]
    assert found([*first, packet(69, 66_000, 960, marker=True)]) == [(5, 68 * 960), (5, 960)]


def test_the_length_is_the_one_told_last_and_the_ends_counts() -> None:
    assert found([packet(1, 0, 800, marker=True), packet(2, 0, 640)]) == [(5, 640)]
    assert found([packet(1, 0, 800), packet(2, 0, 640, end=True), packet(3, 0, 960)]) == [(5, 640)]
    swapped = [packet(1, 0, 160), packet(3, 0, 480, end=True), packet(2, 0, 320)]
    assert found([swapped[0], swapped[1], swapped[2]]) == [(5, 480)]


@pytest.mark.parametrize("end", [True, False])
def test_what_has_no_length_is_no_digit(*, end: bool) -> None:
    assert found([packet(n, 160 * n, 0, end=end) for n in range(1, 400)]) == []


def test_any_number_of_events_without_length_take_the_room_of_one() -> None:
    assert flows([packet(n, 160 * n, 0, code=n % 3) for n in range(1, 400)]).event_count == 1


def test_a_first_packet_without_length_is_the_digits() -> None:
    counted = flows([packet(1, 0, 0, marker=True), packet(2, 0, 160), packet(3, 0, 320, end=True)])
    (event,) = counted.events[: counted.event_count]
    assert (event["packets"], event["marker"], event["ticks"]) == (3, 1, 320)


def hints(packets: list[Sent]) -> list[tuple[int, int]]:
    counted = flows(packets)
    return [(int(one["moved"]), int(one["pressed_again"])) for one in counted.events[: counted.event_count]]


def test_timestamps_that_move_within_a_press_are_hinted_at() -> None:
    advancing = [packet(n, 160 * n, 160 * n, end=n == 6, marker=n == 1) for n in range(1, 7)]
    assert hints(advancing) == [(0, 0)] + [(1, 0)] * 5
    tail = [packet(n, 0, 160 * n, end=n == 6, marker=n == 1) for n in range(1, 7)]
    tail += [packet(6 + n, 160 * (6 + n), 960, end=True) for n in (1, 2)]
    assert hints(tail) == [(0, 0), (1, 0), (1, 0)]


def test_a_timestamp_that_carries_two_presses_is_hinted_at() -> None:
    press = [packet(n, 0, 160 * n, end=n > 4, marker=n == 1) for n in range(1, 8)]
    again = [packet(7 + n, 0, 160 * n, end=n > 4, marker=n == 1) for n in range(1, 8)]
    assert hints([*press, *again]) == [(0, 1)]
    assert found([*press, *again]) == [(5, 7 * 160)]


def test_two_presses_by_the_book_are_hinted_at_by_nothing() -> None:
    press = [packet(n, 0, 160 * n, end=n > 4, marker=n == 1) for n in range(1, 8)]
    again = [packet(7 + n, 4000, 160 * n, end=n > 4, marker=n == 1) for n in range(1, 8)]
    assert hints([*press, *again]) == [(0, 0), (0, 0)]
