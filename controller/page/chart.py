"""The drawing of a call over time: its ladder and each track's media under one axis. Values in, places out.

The lanes of the ladder lie, and its messages stand at their times. A drawing is 1000 wide, or more where there are many
messages; the time axis begins at LEFT. Times are seconds of the call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.page.axis import Axis, axis_of
from controller.page.model import Call, Key, Lane, Level, Message, Slot, Span, SpanKind, Tone, Track
from controller.page.scale import Scale, number, top_of

WIDTH: Final = 1000
LEFT: Final = 132
RIGHT: Final = 958
AXIS_HEIGHT: Final = 26
LANE_HEIGHT: Final = 26
MAX_LABEL: Final = 18
"""Characters beside a message, which has its full title when it is pointed at, and below."""
MAX_LANE: Final = 20
NAME_HEIGHT: Final = 20
SECTION_HEIGHT: Final = 14
LEVEL_HEIGHT: Final = 44
KEY_HEIGHT: Final = 18
PLOT_HEIGHT: Final = 52
SPACE: Final = 14
LOUD_DBFS: Final = 0.0
QUIET_DBFS: Final = -70.0
LABEL_WIDTH: Final = 6.4
"""Of one character, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A label at a place."""

    x: float
    y: float
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle; its title is what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A message, from lane to lane."""

    x: float
    begin: float
    end: float
    tone: Tone
    title: str
    label: str
    target: str
    """Anchor of its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line of points, or an area under it."""

    points: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All that is drawn."""

    width: float
    height: float
    labels: float
    """Where the labels of the messages end, which stand upright."""
    lines: tuple[Box, ...]
    """Of the grid, without width; the lanes, without height."""
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    strokes: tuple[Stroke, ...]
    texts: tuple[Text, ...]


class _Canvas:
    """Collects what is drawn."""

    def __init__(self, scale: Axis) -> None:
        self.scale = scale
        self.y = 0.0
        self.labels = 0.0
        self.lanes: list[Box] = []
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.strokes: list[Stroke] = []
        self.texts: list[Text] = []

    def text(self, x: float, y: float, text: str, kind: str = "") -> None:
        self.texts.append(Text(x=x, y=round(y, 1), text=text, kind=kind))

    def span(self, seconds: tuple[float, float], y: float, height: float, kind: str, title: str) -> Box:
        x = self.scale(seconds[0])
        width = round(max(1.2, self.scale(seconds[1]) - x), 1)
        box = Box(x=x, y=round(y, 1), width=width, height=height, kind=kind, title=title)
        self.boxes.append(box)
        return box


def drawing(call: Call) -> Drawing:
    """A call's."""
    messages = [
        (target, step)
        for target, step in zip(targets(call), call.ladder.steps, strict=True)
        if isinstance(step, Message)
    ]
    moments_s = [step.at_s for _, step in messages]
    begin_s = min([0.0, *moments_s[:1], *(track.begin_s for track in call.tracks)])
    end_s = max([call.length_s, begin_s + 0.1, *moments_s[-1:]])
    scale = axis_of(begin_s, end_s, moments_s, LEFT, RIGHT)
    canvas = _Canvas(scale)
    marks = scale.ticks()
    for at_s in marks:
        canvas.text(scale(at_s), 14, f"{number(at_s)} s", "tick")
    canvas.y = AXIS_HEIGHT
    if messages:
        _signalling(canvas, call.ladder.lanes, messages)
    for track in call.tracks:
        _track(canvas, track)
    height = round(canvas.y, 1)
    grid = (Box(x=scale(at_s), y=18, width=0, height=height - 18, kind="grid") for at_s in marks)
    return Drawing(
        width=round(scale.right + WIDTH - RIGHT, 1),
        height=height,
        labels=canvas.labels,
        lines=(*grid, *canvas.lanes),
        boxes=(*_stretched(canvas, height), *canvas.boxes),
        arrows=tuple(canvas.arrows),
        strokes=tuple(canvas.strokes),
        texts=tuple(canvas.texts),
    )


def targets(call: Call) -> tuple[str, ...]:
    """The anchor of each step of its ladder."""
    return tuple(f"{call.anchor}-{place}" for place in range(1, len(call.ladder.steps) + 1))


def _stretched(canvas: _Canvas, height: float) -> list[Box]:
    """Where time is drawn wider: each band, from top to bottom, with how long it is."""
    found = []
    for band in canvas.scale.bands:
        length = f"{number(round((band.end_s - band.begin_s) * 1000, 1))} ms"
        x, width = round(band.first, 1), round(band.last - band.first, 1)
        title = f"time is stretched here: {length} from {band.begin_s:.3f} s on"
        found.append(Box(x=x, y=18, width=width, height=round(height - 18, 1), kind="stretched", title=title))
        if width > len(length) * LABEL_WIDTH:
            canvas.text(round(x + width / 2, 1), AXIS_HEIGHT + 4, length, "stretched")
    return found


def _signalling(canvas: _Canvas, lanes: Sequence[Lane], messages: Sequence[tuple[str, Message]]) -> None:
    """A line for each party, and on them the messages; what they are stands upright above."""
    labels = [_label(message) for _, message in messages]
    canvas.labels = canvas.y + 14 + max(map(len, labels)) * LABEL_WIDTH
    top = canvas.labels + LANE_HEIGHT / 2
    for place, lane in enumerate(lanes):
        y = round(top + place * LANE_HEIGHT, 1)
        name = lane.name if len(lane.name) <= MAX_LANE else lane.name[: MAX_LANE - 1] + "…"
        canvas.text(0, y + 4, name, "name")
        canvas.lanes.append(Box(x=LEFT, y=y, width=round(canvas.scale.right - LEFT, 1), height=0, kind="lane"))
    for (target, message), label, x in zip(messages, labels, canvas.scale.moments, strict=True):
        parties = f"{lanes[message.source].name} → {lanes[message.target].name}"
        again = ", again" if message.again else ""
        canvas.arrows.append(
            Arrow(
                x=x,
                begin=round(top + message.source * LANE_HEIGHT, 1),
                end=round(top + message.target * LANE_HEIGHT, 1),
                tone=message.tone,
                title=f"{message.at_s:.3f} s {message.title}{again}, {parties}",
                label=label,
                target=target,
            )
        )
    canvas.y = top + (len(lanes) - 0.5) * LANE_HEIGHT + SPACE


def _label(message: Message) -> str:
    title = message.title + (" + SDP" if message.has_sdp and len(message.title) + 6 <= MAX_LABEL else "")
    return title if len(title) <= MAX_LABEL else title[: MAX_LABEL - 1] + "…"


def _track(canvas: _Canvas, track: Track) -> None:
    canvas.text(0, canvas.y + 13, _heading(track), "name")
    canvas.y += NAME_HEIGHT
    sections = [span for span in track.spans if span.kind is SpanKind.SECTION]
    if sections:
        _sections(canvas, sections)
    if track.keys:
        _keys(canvas, track.keys)
    if track.level or any(span.kind in {SpanKind.OWN, SpanKind.OTHER} for span in track.spans):
        _sound(canvas, track)
    for gap in (span for span in track.spans if span.kind is SpanKind.GAP):
        canvas.span((gap.begin_s, gap.end_s), canvas.y, PLOT_HEIGHT if track.slots else 14, "gap", gap.label)
    if track.slots:
        _plot(canvas, track)
    elif track.packets:
        y = canvas.y + 2
        canvas.text(LEFT - 6, y + 9, "packets", "axis")
        canvas.span((track.begin_s, track.end_s), y, 10, "came", f"{track.packets} packets")
        canvas.y += 16
    canvas.y += SPACE


def _heading(track: Track) -> str:
    words = [track.name if track.hop or not track.way else f"{track.way.words} · {track.name}"]
    if track.codec:
        words.append(track.codec)
    if track.packets is not None:
        words.append(f"{track.packets} packets")
    if track.lost is not None:
        words.append(
            f"{track.lost} lost" + (f" ({track.lost_percent:.1f} %)" if track.lost and track.lost_percent else "")
        )
    if track.keys:
        words.append(f"digits {track.digits}")
    return " · ".join(words)


def _sections(canvas: _Canvas, sections: Sequence[Span]) -> None:
    canvas.text(LEFT - 6, canvas.y + 11, "section", "axis")
    for place, span in enumerate(sections):
        box = canvas.span((span.begin_s, span.end_s), canvas.y, SECTION_HEIGHT, f"section s{place % 2}", span.label)
        if len(span.label) * LABEL_WIDTH < box.width:
            canvas.text(box.x + 4, canvas.y + 11, span.label, "inside")
    canvas.y += SECTION_HEIGHT + 4


def _keys(canvas: _Canvas, keys: Sequence[Key]) -> None:
    canvas.text(LEFT - 6, canvas.y + 13, "digits", "axis")
    free = 0.0
    for key in keys:
        length_ms = key.length_ms or 0.0
        length = "its length is not told" if key.length_ms is None else f"{number(round(length_ms, 1))} ms"
        end = "" if key.complete else ", no end of it came"
        title = f"{key.digit} at {key.at_s:.3f} s, {length}, {key.method}{end}"
        kind = "key" if key.complete else "key bad"
        box = canvas.span((key.at_s, key.at_s + length_ms / 1000), canvas.y, KEY_HEIGHT, kind, title)
        middle = round(box.x + box.width / 2, 1)
        if middle >= free:
            canvas.text(middle, canvas.y + 13, key.digit, "key")
            free = middle + 10
    canvas.y += KEY_HEIGHT + 4


def _sound(canvas: _Canvas, track: Track) -> None:
    y = canvas.y
    scale = Scale(begin=QUIET_DBFS, end=LOUD_DBFS, first=y + LEVEL_HEIGHT, last=y)
    canvas.text(LEFT - 6, y + 9, "0 dBFS", "axis")
    canvas.text(LEFT - 6, y + LEVEL_HEIGHT, f"{QUIET_DBFS:g}", "axis")
    canvas.text(0, y + LEVEL_HEIGHT / 2 + 4, "level", "unit")
    for span in track.spans:
        if span.kind in {SpanKind.SILENCE, SpanKind.OTHER}:
            canvas.span((span.begin_s, span.end_s), y, LEVEL_HEIGHT, span.kind.value, span.label)
    for span in track.spans:
        if span.kind in {SpanKind.OWN, SpanKind.OTHER}:
            canvas.span((span.begin_s, span.end_s), y + LEVEL_HEIGHT, 4, f"heard {span.kind.value}", span.label)
    if track.level:
        canvas.strokes.append(_level(canvas.scale, scale, track.level))
    canvas.y += LEVEL_HEIGHT + 8


def _level(along: Axis, up: Scale, level: Level) -> Stroke:
    bottom = up(QUIET_DBFS)
    points = [f"{along(level.begin_s)},{bottom}"]
    for place, dbfs in enumerate(level.dbfs):
        points.append(f"{along(level.begin_s + (place + 0.5) * level.step_s)},{up(dbfs)}")
    points.append(f"{along(level.begin_s + len(level.dbfs) * level.step_s)},{bottom}")
    return Stroke(points=" ".join(points), kind="level")


def _plot(canvas: _Canvas, track: Track) -> None:
    """Lost packets as bars, jitter as a line, each with its own axis."""
    slots = track.slots
    y, bottom = canvas.y, canvas.y + PLOT_HEIGHT
    lost_top = top_of(max(slot.lost for slot in slots))
    jitter_top = top_of(max((slot.jitter_ms or 0.0 for slot in slots), default=0.0))
    lost = Scale(begin=0, end=lost_top, first=bottom, last=y)
    jitter = Scale(begin=0, end=jitter_top, first=bottom, last=y)
    length_s = slots[0].end_s - slots[0].begin_s
    canvas.text(LEFT - 6, y + 9, f"{number(jitter_top)} ms", "axis jitter")
    canvas.text(LEFT - 6, bottom, "0", "axis jitter")
    canvas.text(0, y + PLOT_HEIGHT / 2 - 2, "jitter", "unit jitter")
    canvas.text(0, y + PLOT_HEIGHT / 2 + 12, f"lost / {number(length_s)} s", "unit lost")
    canvas.text(canvas.scale.right + 4, y + 9, number(lost_top), "right lost")
    canvas.text(canvas.scale.right + 4, bottom, "0", "right lost")
    canvas.boxes.append(Box(x=LEFT, y=y, width=round(canvas.scale.right - LEFT, 1), height=PLOT_HEIGHT, kind="panel"))
    points = []
    for slot in slots:
        title = f"{slot.begin_s:g} to {slot.end_s:g} s: {slot.packets} packets, {slot.lost} lost"
        begin_s, end_s = within(slot, track)
        if slot.jitter_ms is not None:
            title += f", jitter up to {slot.jitter_ms:.2f} ms"
            points.append(f"{canvas.scale((begin_s + end_s) / 2)},{jitter(slot.jitter_ms)}")
        if slot.lost:
            top = lost(slot.lost)
            x, end = canvas.scale(begin_s), canvas.scale(end_s)
            box = Box(x=x, y=top, width=round(end - x, 1), height=round(bottom - top, 1), kind="lost", title=title)
            canvas.boxes.append(box)
    if points:
        canvas.strokes.append(Stroke(points=" ".join(points), kind="jitter"))
    canvas.y += PLOT_HEIGHT + 4


def within(slot: Slot, track: Track) -> tuple[float, float]:
    """What of a slot is of the track's time: the first and the last are seldom whole."""
    return max(slot.begin_s, track.begin_s), max(min(slot.end_s, track.end_s), track.begin_s)


def described(call: Call) -> str:
    """The drawing in words."""
    if not call.tracks:
        return f"SIP of {call.length_s:.1f} s, and no media"
    return f"{call.length_s:.1f} s. " + ". ".join(_in_words(track) for track in call.tracks)


def _in_words(track: Track) -> str:
    gaps = sum(span.kind is SpanKind.GAP for span in track.spans)
    highest = max((slot.jitter_ms for slot in track.slots if slot.jitter_ms is not None), default=None)
    words = [_heading(track)]
    words += [f"jitter up to {highest:.2f} ms"] if highest is not None else []
    words += [f"{gaps} gaps"] if gaps else []
    return ", ".join(words)


STRIP_WIDTH: Final = 120
STRIP_HEIGHT: Final = 10


def strip(call: Call, tracks: Sequence[Track]) -> tuple[Box, ...]:
    """One direction of a call in a row of the overview: where packets came, and where they are missing."""
    scale = Scale(begin=0.0, end=max(call.length_s, 0.1), first=0, last=STRIP_WIDTH)
    boxes = []
    for track in tracks:
        x = scale(track.begin_s)
        width = round(max(1.0, scale(track.end_s) - x), 1)
        boxes.append(Box(x=x, y=2, width=width, height=STRIP_HEIGHT - 4, kind="came"))
        for slot in track.slots:
            if slot.lost:
                at = scale(within(slot, track)[0])
                boxes.append(Box(x=at, y=0, width=2, height=STRIP_HEIGHT, kind="lost"))
        for span in track.spans:
            if span.kind is SpanKind.GAP:
                at = scale(span.begin_s)
                width = round(max(1.0, scale(span.end_s) - at), 1)
                boxes.append(Box(x=at, y=1, width=width, height=STRIP_HEIGHT - 2, kind="gap"))
    return tuple(boxes)
