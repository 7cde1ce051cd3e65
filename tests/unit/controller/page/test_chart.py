"""The drawing of a call: everything within it, at its time, with its axes."""

from dataclasses import replace

import pytest

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
    assert found["gap"].x == pytest.approx(LEFT + 3 * second, abs=0.2)
    assert found["lost"].x == found["gap"].x
    assert found["silence"].width == pytest.approx(second, abs=0.2)
    assert found["sip request"].x == pytest.approx(RIGHT, abs=1)


def test_axes_have_units_and_what_is_drawn_has_words():
    found = drawing(CALL)
    texts = [text.text for text in found.texts]
    assert {"0 s", "8 s", "0 dBFS", "jitter", "lost / 1 s", "2 ms", "5", "section", "digits", "SIP"} <= set(texts)
    titles = {box.title for box in found.boxes}
    assert "3 to 4 s: 50 packets, 5 lost, jitter up to 1.50 ms" in titles
    assert "1 at 2.000 s, 100 ms, RFC4733" in titles
    assert "2 at 2.010 s, its length is not told, INFO, no end of it came" in titles


def test_labels_that_find_no_place_are_left_to_what_they_point_at():
    texts = [text.text for text in drawing(CALL).texts]
    assert "401" not in texts
    assert "much too long for its place" not in texts
    assert texts.count("2") == 0


def test_a_heading_names_the_way_where_it_is_no_agents():
    (heading,) = [text.text for text in drawing(CALL).texts if "395" in text.text]
    assert heading == "caller → callee · received by the callee · PCMU · 395 packets · 5 lost (1.2 %) · digits 12"


def test_a_track_without_a_capture_is_a_bar():
    bare = replace(TRACK, slots=(), level=None, spans=(TRACK.spans[2],), keys=(), codec=None, lost=None, way=None)
    call = replace(CALL, tracks=(bare,), ladder=Ladder())
    assert kinds(call)["came"].title == "395 packets"
    assert "SIP" not in [text.text for text in drawing(call).texts]
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
