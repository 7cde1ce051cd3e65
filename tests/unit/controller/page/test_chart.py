"""The drawing of a call: everything within it, at its time, with its axes."""

from dataclasses import replace
from itertools import pairwise

import pytest

from controller.page.axis import APART, axis_of
from controller.page.chart import LEFT, RIGHT, WIDTH, described, drawing, strip
from controller.page.model import Call, Key, Ladder, Lane, Level, Media, Message, Slot, Span, SpanKind, Tone, Track, Way

MESSAGE = Message(at_s=0.0, source=0, target=1, title="INVITE", tone=Tone.REQUEST, has_sdp=True, text="", again=False)
LANES = (Lane(name="a"), Lane(name="b"))
SLOTS = tuple(
    Slot(begin_s=n, end_s=n + 1, packets=50, lost=5 * (n == 3), jitter_ms=1.5 if n else None) for n in range(8)
)
TRACK = Track(
    name="received by the callee",
    way=Way.TO_CALLEE,
    begin_s=0.0,
    end_s=8.0,
    packets=395,
    lost=5,
    codec="PCMU",
    slots=SLOTS,
    keys=(
        Key(at_s=2.0, digit="1", length_ms=100.0, method="RFC4733"),
        Key(at_s=2.01, digit="2", length_ms=None, method="INFO", complete=False),
    ),
    spans=(
        Span(begin_s=0.2, end_s=8.0, kind=SpanKind.SECTION, label="PCMU"),
        Span(begin_s=0.2, end_s=0.21, kind=SpanKind.SECTION, label="much too long for its place"),
        Span(begin_s=3.0, end_s=4.0, kind=SpanKind.GAP, label="gap"),
        Span(begin_s=5.0, end_s=6.0, kind=SpanKind.SILENCE, label="silence"),
        Span(begin_s=6.0, end_s=7.0, kind=SpanKind.OTHER, label="other"),
        Span(begin_s=7.0, end_s=8.0, kind=SpanKind.OWN, label="own"),
    ),
    level=Level(begin_s=0.0, step_s=0.1, dbfs=(-20.0, -120.0, 3.0)),
)
CALL = Call(
    anchor="c",
    name="pin/0",
    length_s=8.0,
    ladder=Ladder(
        lanes=LANES,
        steps=(
            MESSAGE,
            replace(MESSAGE, at_s=0.001, title="100 Trying", tone=Tone.PROVISIONAL),
            replace(MESSAGE, at_s=0.01, title="401 No", tone=Tone.FAILURE),
            Media(at_s=0.1, source=0, target=1, title="RTP", length_s=1),
            replace(MESSAGE, at_s=8.0, title="BYE"),
        ),
    ),
    tracks=(TRACK,),
)


def kinds(call):
    return {box.kind: box for box in drawing(call).boxes}


def test_everything_is_within_the_drawing():
    found = drawing(CALL)
    assert all(box.x >= LEFT - 1 and box.x + box.width <= RIGHT + 1.5 for box in (*found.boxes, *found.lines))
    assert all(box.y >= 0 and box.y + box.height <= found.height for box in (*found.boxes, *found.lines))
    assert all(0 <= text.x <= WIDTH and 0 <= text.y <= found.height for text in found.texts)


def test_times_are_on_one_axis():
    found = kinds(CALL)
    second = (RIGHT - LEFT) / 8
    scale = axis_of(0.0, 8.0, [0.0, 0.001, 0.01, 8.0], LEFT, RIGHT)
    assert found["gap"].x == found["lost"].x == scale(3.0)
    assert found["silence"].width == pytest.approx(scale(6.0) - scale(5.0), abs=0.2)
    assert second - 5 < found["silence"].width < second
    assert [arrow.x for arrow in drawing(CALL).arrows] == [LEFT, LEFT + APART, LEFT + 2 * APART, RIGHT]


def test_axes_have_units_and_what_is_drawn_has_words():
    found = drawing(CALL)
    texts = [text.text for text in found.texts]
    assert {"0 s", "8 s", "0 dBFS", "jitter", "lost / 1 s", "2 ms", "5", "section", "digits"} <= set(texts)
    assert {"a", "b"} <= set(texts)
    titles = {box.title for box in found.boxes}
    assert "3 to 4 s: 50 packets, 5 lost, jitter up to 1.50 ms" in titles
    assert "1 at 2.000 s, 100 ms, RFC4733" in titles
    assert "2 at 2.010 s, its length is not told, INFO, no end of it came" in titles


def test_labels_that_find_no_place_are_left_to_what_they_point_at():
    texts = [text.text for text in drawing(CALL).texts]
    assert "much too long for its place" not in texts
    assert texts.count("2") == 0


def test_a_heading_names_the_way_where_it_is_no_agents():
    (heading,) = [text.text for text in drawing(CALL).texts if "395" in text.text]
    assert heading == "caller → callee · received by the callee · PCMU · 395 packets · 5 lost (1.2 %) · digits 12"


def test_a_track_without_a_capture_is_a_bar():
    bare = replace(TRACK, slots=(), level=None, spans=(TRACK.spans[2],), keys=(), codec=None, lost=None, way=None)
    call = replace(CALL, tracks=(bare,), ladder=Ladder())
    assert kinds(call)["came"].title == "395 packets"
    assert drawing(call).arrows == ()
    assert kinds(replace(call, tracks=(replace(bare, packets=0),))).keys() == {"gap"}
    assert "packets" not in described(replace(call, tracks=(replace(bare, packets=None),)))


def test_a_stream_without_a_clock_has_no_line_of_jitter():
    call = replace(CALL, tracks=(replace(TRACK, slots=(replace(SLOTS[0], lost=0),)),))
    assert "jitter" not in {stroke.kind for stroke in drawing(call).strokes}


def test_a_drawing_in_words():
    assert described(CALL).endswith("jitter up to 1.50 ms, 1 gaps")
    assert described(replace(CALL, tracks=())) == "SIP of 8.0 s, and no media"


def test_a_strip_shows_where_packets_came_and_where_not():
    boxes = strip(CALL, [TRACK])
    assert [box.kind for box in boxes] == ["came", "lost", "gap"]
    assert boxes[2].x == 45


def test_a_call_of_no_length_can_be_drawn():
    assert drawing(Call(anchor="", name="x")).height > 0


def test_what_was_heard_is_drawn_without_a_level_too():
    call = replace(CALL, tracks=(replace(TRACK, level=None),))
    assert "heard own" in kinds(call)
    assert "level" not in {stroke.kind for stroke in drawing(call).strokes}


def test_messages_stand_between_their_parties_and_lead_to_their_texts():
    lanes = (Lane(name="caller agent"), Lane(name="SUT"), Lane(name="2001:db8:ffff:ffff::1234"))
    steps = (
        replace(MESSAGE, source=1, target=2, again=True),
        replace(MESSAGE, at_s=5.0, source=2, target=0, title="503 Service Unavailable At All", has_sdp=False),
    )
    found = drawing(replace(CALL, ladder=Ladder(lanes=lanes, steps=steps)))
    first, second = found.arrows
    assert (first.label, first.target, first.title) == (
        "INVITE + SDP", "c-1", "0.000 s INVITE, again, SUT → 2001:db8:ffff:ffff::1234"
    )  # fmt: skip
    assert (second.label, second.target) == ("503 Service Unava…", "c-2")
    lanes_y = [line.y for line in found.lines if line.kind == "lane"]
    assert ([first.begin, first.end], [second.begin, second.end]) == (lanes_y[1:], [lanes_y[2], lanes_y[0]])
    assert found.labels < lanes_y[0]
    assert "2001:db8:ffff:ffff:…" in [text.text for text in found.texts]


def test_thirty_messages_within_100_ms_have_room_and_so_has_what_comes_then():
    steps = tuple(replace(MESSAGE, at_s=n / 300) for n in range(30))
    found = drawing(replace(CALL, length_s=30.0, ladder=Ladder(lanes=LANES, steps=steps)))
    places = [arrow.x for arrow in found.arrows]
    assert all(after - before >= APART - 0.1 for before, after in pairwise(places))
    assert found.width == WIDTH
    assert places[-1] < LEFT + (RIGHT - LEFT) * 0.6
    [band] = [box for box in found.boxes if box.kind == "stretched"]
    assert (band.x, band.title) == (LEFT, "time is stretched here: 96.7 ms from 0.000 s on")
    assert "96.7 ms" in [text.text for text in found.texts]


def test_a_drawing_of_very_many_messages_is_wider_rather_than_crowded():
    steps = tuple(replace(MESSAGE, at_s=n / 1000) for n in range(200))
    found = drawing(replace(CALL, ladder=Ladder(lanes=LANES, steps=steps)))
    assert found.width > 3 * WIDTH
    assert max(box.x + box.width for box in found.boxes) <= found.width
