"""A page as HTML: one file, no script, nothing loaded from anywhere. Values in, text out.

Everything that a network said is escaped by Jinja2's autoescaping, and what might still be taken for markup could do
nothing: the Content-Security-Policy allows no script, no request, and no style but the page's own (by its hash).
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from agent.sip.text import printable
from controller.page import chart
from controller.page.model import Call, Hop, Media, Message, Page, Sound, Track, Way

MAX_OPEN: Final = 1
"""Calls that are unfolded when the page is opened: the first, where it did not go well or is the only one."""
PAUSE_S: Final = 0.5
"""A longer time between two steps of a ladder is drawn as one."""
MAX_POINTS: Final = 4
"""Points of one direction that the overview has."""
MAX_ARROW: Final = 22
"""Characters on an arrow: narrow pages have no room for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One step of a ladder, and the time that passed before it."""

    step: Message | Media
    pause_s: float | None
    source_percent: float
    target_percent: float
    arrow: str
    is_message: bool
    anchor: str


def render(page: Page, version: str) -> str:
    """The whole file."""
    environment = _environment()
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        page=page,
        version=version,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'",
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("controller.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(seconds=_seconds, data_uri=_data_uri)
    environment.globals.update(
        drawing=chart.drawing,
        described=chart.described,
        strip=chart.strip,
        side_of=side_of,
        rows=rows,
        lane_percents=lane_percents,
        is_open=is_open,
        state=_state,
        Way=Way,
        Hop=Hop,
        chart=chart,
    )
    return environment


def is_open(page: Page, call: Call) -> bool:
    """Whether it is unfolded at first."""
    return call in page.calls[:MAX_OPEN] and (call.is_suspect or len(page.calls) == 1)


def tracks_of(call: Call, way: Way, *, received: bool | None = None) -> tuple[Track, ...]:
    """Those of one direction; of the end that received it, or the other, where that is asked for and known."""
    ours = tuple(track for track in call.tracks if track.way is way)
    if received is None:
        return ours
    end = Hop.CALLEE if (way is Way.TO_CALLEE) is received else Hop.CALLER
    return tuple(track for track in ours if track.hop is end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One direction of a call, in a row of the overview."""

    tracks: tuple[Track, ...]
    """The last that is known of it: what was received, where that is."""
    packets: str
    """Point by point, in the order of time: `400 → 380`."""
    lost: int
    digits: str


def side_of(call: Call, way: Way) -> Side:
    """What came of one direction, from point to point."""
    ours = sorted(tracks_of(call, way), key=lambda track: (not track.sent, track.begin_s))
    counts = [str(track.packets) for track in ours if track.packets is not None]
    digits = list(dict.fromkeys(track.digits or "none" for track in ours)) if any(one.digits for one in ours) else []
    return Side(
        tracks=tracks_of(call, way, received=True) or tuple(ours),
        packets=" → ".join(dict.fromkeys(counts[:MAX_POINTS])) + (" …" if len(counts) > MAX_POINTS else ""),
        lost=sum(track.lost or 0 for track in ours),
        digits=" → ".join(digits[:MAX_POINTS]),
    )


def rows(call: Call) -> tuple[Row, ...]:
    """The steps of its ladder."""
    percents = lane_percents(len(call.ladder.lanes))
    return tuple(
        Row(
            step=step,
            pause_s=pause_s if pause_s is not None and pause_s > PAUSE_S else None,
            source_percent=percents[step.source],
            target_percent=percents[step.target],
            arrow=_arrow(step),
            is_message=isinstance(step, Message),
            anchor=anchor,
        )
        for step, pause_s, anchor in zip(
            call.ladder.steps, _pauses(call.ladder.steps), chart.targets(call), strict=True
        )
    )


def _pauses(steps: Sequence[Message | Media]) -> Iterator[float | None]:
    yield from (None for _ in steps[:1])
    yield from (after.at_s - before.at_s for before, after in pairwise(steps))


def _arrow(step: Message | Media) -> str:
    title = step.title
    if isinstance(step, Message):
        title += " + SDP" if step.has_sdp and len(title) + 6 <= MAX_ARROW else ""
        return title if len(title) <= MAX_ARROW else title[: MAX_ARROW - 1] + "…"
    return " ".join(title.split(" ")[:2])


def lane_percents(count: int) -> tuple[float, ...]:
    """Where each lane's line is, of the width."""
    return tuple(round((place + 0.5) * 100 / count, 3) for place in range(count))


def _state(page: Page, hop: Hop, way: Way) -> str:
    """How one arrow of the path is drawn."""
    if any(one.hop is hop and one.way is way for one in page.broken):
        return "bad"
    return "good" if page.result == "Passed" else "unknown"


def _shown(value: Any) -> Any:
    """Nothing that turns, hides or breaks the text around it (Unicode's Cf, Zl, Zp) comes from a network."""
    return printable(value) if type(value) is str else value


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _data_uri(sound: Sound) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(sound.wav).decode()}"
