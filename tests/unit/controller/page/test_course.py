"""What the slots of a stream add up to is what `calltest trace` says of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.model import RtpPackets
from agent.trace.read import rtp_packets, trace
from controller.page.course import MAX_SLOTS, Course
from tests.unit.agent.trace.packets import FORMATS, START_NS, arrivals
from tests.unit.controller.captures import CALLEE, CALLER, call, pcap, rtp, speech

START_S = START_NS / 1e9


def read(path, packets):
    """Trace and courses of a capture."""
    path.write_bytes(pcap(packets))
    found = trace([path])
    courses = [Course() for _ in found.streams]
    for some in rtp_packets([path], found):
        courses[some.stream].add(some)
    return found.streams, courses


def check(stream, course):
    slots, unplaced = course.slots(stream.lost, stream.start)
    assert sum(slot.packets for slot in slots) == stream.packets
    assert sum(slot.lost for slot in slots) + unplaced == stream.lost
    assert course.jitter_ms == pytest.approx(stream.jitter_ms, abs=1e-6)
    assert course.max_jitter_ms == pytest.approx(stream.max_jitter_ms, abs=1e-6)
    known = [slot.jitter_ms for slot in slots if slot.jitter_ms is not None]
    assert max(known) == pytest.approx(stream.max_jitter_ms, abs=1e-6)
    return slots, unplaced


def test_loss_stands_in_the_second_in_which_it_was_noticed(tmp_path):
    (stream,), (course,) = read(tmp_path / "a.pcap", speech(200, lose={60, 61, 120}))
    slots, unplaced = check(stream, course)
    assert ([slot.lost for slot in slots], unplaced) == ([0, 2, 1, 0], 0)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_figures_of_a_stream_are_those_of_its_trace(tmp_path_factory, data):
    numbers = data.draw(st.lists(st.integers(0, 300), min_size=20, max_size=200, unique=True))
    late = data.draw(st.lists(st.floats(0, 0.2), min_size=len(numbers), max_size=len(numbers)))
    packets = [
        (0.02 * number + delay, CALLER, CALLEE, rtp(0, number, 160 * number, b"\xff" * 160))
        for number, delay in zip(sorted(numbers), late, strict=True)
    ]
    copies = data.draw(st.lists(st.sampled_from(packets), max_size=5))
    path = tmp_path_factory.mktemp("course") / "a.pcap"
    streams, courses = read(path, [*packets, *((at_s + 0.01, *rest) for at_s, *rest in copies)])
    for stream, course in zip(streams, courses, strict=True):
        check(stream, course)


def test_digits_have_no_jitter(tmp_path):
    (stream,), (course,) = read(tmp_path / "a.pcap", call("1234#"))
    check(stream, course)


def test_a_source_that_begins_anew_loses_nothing_by_it(tmp_path):
    first, second = (
        speech(100),
        [
            (0.02 * (100 + n), CALLER, CALLEE, rtp(0, 40_000 + n, 7_000_000 + 160 * n, b"\xff" * 160))
            for n in range(100)
        ],
    )
    (stream,), (course,) = read(tmp_path / "a.pcap", [*first, *second])
    slots, unplaced = course.slots(stream.lost, stream.start)
    assert (stream.restarts, stream.lost, sum(slot.lost for slot in slots), unplaced) == (1, 0, 0, 0)


def test_loss_that_the_numbers_do_not_show_has_no_place():
    course = Course()
    course.add(arrivals([b"\xff" * 160] * 10))
    slots, unplaced = course.slots(3, START_S)
    assert (sum(slot.lost for slot in slots), unplaced) == (0, 3)


def test_more_missing_numbers_than_were_lost_are_drawn_nowhere():
    course = Course()
    packets = arrivals([b"\xff" * 160] * 4)
    course.add(packets)
    course.add(arrivals([b"\xff" * 160] * 4, first=1010))
    slots, unplaced = course.slots(2, START_S)
    assert (sum(slot.lost for slot in slots), unplaced) == (0, 2)


def test_a_long_stream_has_longer_slots():
    course = Course()
    course.add(arrivals([b"\xff" * 160] * 1000, every_ns=1_000_000_000))
    slots, _ = course.slots(0, START_S)
    assert len(slots) <= MAX_SLOTS + 1
    assert slots[0].end_s - slots[0].begin_s == 10


def test_one_packet_is_one_slot():
    course = Course()
    course.add(arrivals([b"\xff" * 160]))
    ((slot,), unplaced) = course.slots(0, START_S)
    assert (slot.packets, slot.begin_s, slot.end_s, slot.jitter_ms, unplaced) == (1, 0, 1, 0.0, 0)


def test_types_without_a_clock_have_no_jitter():
    course = Course()
    course.add(arrivals([b"\xff"] * 5, payload_type=99, formats={}))
    slots, _ = course.slots(0, START_S)
    assert {slot.jitter_ms for slot in slots} == {None}
    assert (course.jitter_ms, course.max_jitter_ms) == (None, None)


def test_keep_alives_have_no_jitter_but_a_capture_without_payloads_has():
    course = Course()
    course.add(arrivals([b"\xff", b"", b"\xff"], every_ns=30_000_000))
    assert course.jitter_ms == pytest.approx(20 / 16)
    cut = Course()
    cut.add(arrivals([b"", b""], every_ns=36_000_000))
    assert cut.jitter_ms == 1.0


def test_gaps_are_where_no_packet_came():
    course = Course()
    course.add(arrivals([b"\xff"] * 3))
    course.add(arrivals([b"\xff"] * 3, first=1003, start_ns=START_NS + 1_040_000_000))
    (gap,) = course.gaps(START_S)
    assert (round(gap.begin_s, 3), round(gap.end_s, 3), gap.label) == (0.04, 1.04, "no packet for 1.00 s")


def test_of_nothing_there_is_nothing():
    assert (Course().slots(2, 0.0), Course().gaps(0.0)) == (((), 2), ())


def test_two_clocks_in_one_stream_have_no_difference_between_them():
    course = Course()
    both = arrivals([b"\xff"] * 2)
    types = np.array([0, 96], np.uint8)
    wide = {**FORMATS, 96: type(FORMATS[0])(name="OPUS", clock_rate_hz=48000)}
    course.add(
        RtpPackets(
            stream=0,
            sequence=both.sequence,
            timestamp=both.timestamp,
            arrival_ns=both.arrival_ns,
            payload_type=types,
            is_event=both.is_event,
            payloads=both.payloads,
            formats=wide,
        )
    )
    assert course.max_jitter_ms == 0.0
