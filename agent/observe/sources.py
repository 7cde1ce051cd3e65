"""Whose media is whose: the tap's rows and the leg's sections → sources (DESIGN.md, truth rule 9). Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from agent.contract.media import MAX_GAPS, MAX_SECTIONS, MAX_SOURCES, Gap, GapKind, Origin, Source, total
from agent.observe.sections import Agreed
from agent.tap.model import TapStream

BEFORE: Final = -1
"""The section of what crossed before any."""
CHANGE_S: Final = 0.5
"""How long what was under way when a section changed may still come from where it came, and how much sooner than its
answer media may come from the new place (RFC 3264 §5.1, §8.3.1)."""
COMFORT_NOISE: Final = 13
"""RFC 3389: sent by some whom nobody asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A row of the tap, whose it is, and in which section."""

    row: TapStream
    section: int
    origin: Origin
    passing: bool = False
    """It is from a place of the section before or after: what was under way when the section changed."""

    @property
    def accepted(self) -> bool:
        """As `Source.accepted`."""
        return self.origin is not Origin.STRANGER


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Of one direction."""

    sources: tuple[Source, ...]
    left_out: int
    """Packets of those for which there was no room."""


def since_answer(rows: Iterable[TapStream], *, outgoing: bool) -> tuple[TapStream, ...]:
    """Without early media: an outgoing call is marked when it is answered, an incoming one has none before."""
    return tuple(row for row in rows if row.mark > 0 or not outgoing)


def place(rows: Iterable[TapStream], sections: Sequence[Agreed], proven: Collection[str]) -> tuple[Placed, ...]:
    """Each row with its section and origin.

    `proven`: the addresses whose sound is this call's signal. They are believed only where nothing else is: from no
    SDP's address or host came anything in that section, and no other address sent what was negotiated. What this end
    sent there went to the right place too.
    """
    placed = [_by_address(row, sections) for row in rows]
    believed = {(index, address) for index, address in _claims(placed, sections) if address in proven}
    return tuple(
        replace(one, origin=Origin.PROVEN) if not one.accepted and (one.section, one.row.remote) in believed else one
        for one in placed
    )


def unproven(rows: Iterable[TapStream], sections: Sequence[Agreed]) -> frozenset[str]:
    """The addresses whose media would be believed if their sound were this call's signal."""
    placed = [_by_address(row, sections) for row in rows]
    return frozenset(address for _, address in _claims(placed, sections))


def as_sources(placed: Sequence[Placed], answered_s: float | None, *, sent: bool) -> Sources:
    """The rows of one direction as sources: accepted ones first, then by what they sent; bounded."""
    groups: dict[tuple[int, str, int], list[Placed]] = {}
    mine = [one for one in placed if one.row.sent is sent]
    for one in mine:
        if one.section < MAX_SECTIONS:
            groups.setdefault((one.section, one.row.remote, one.row.ssrc), []).append(one)
    sources = [_source(group, answered_s) for group in groups.values()]
    sources.sort(key=lambda source: (not source.accepted, -source.packets))
    kept = sources[:MAX_SOURCES]
    kept.sort(key=lambda source: source.section)
    packets = sum(one.row.packets for one in mine) - sum(source.packets for source in kept)
    return Sources(sources=tuple(kept), left_out=packets)


def gaps(placed: Sequence[Placed], answered_s: float | None) -> tuple[tuple[Gap, ...], int]:
    """What is missing in what accepted sources sent, and how many more gaps there were."""
    rows = [one.row for one in placed if one.accepted and not one.row.sent]
    found = [
        Gap(
            at_ms=_since(answered_s, gap.at_s),
            missing_ms=round(gap.missing_ms, 1),
            kind=GapKind(gap.kind.value),
            packets=gap.packets,
        )
        for gap in sorted((gap for row in rows for gap in row.gaps), key=lambda gap: gap.at_s)
    ]
    return tuple(found[:MAX_GAPS]), sum(row.gap_count for row in rows) - len(found[:MAX_GAPS])


# --- addresses -------------------------------------------------------------------------------------------------


def _by_address(row: TapStream, sections: Sequence[Agreed]) -> Placed:
    index = max((i for i, agreed in enumerate(sections) if agreed.epoch <= row.epoch), default=BEFORE)
    own, near = _own_places(sections, index), _near_places(row, sections, index)
    for origin, of in ((Origin.SIGNALLED, str), (Origin.SAME_HOST, _host)):
        for places in (own, near):
            if of(row.remote) in {of(place) for place in places}:
                return Placed(row=row, section=index, origin=origin, passing=places is near)
    return Placed(row=row, section=index, origin=Origin.STRANGER)


def _own_places(sections: Sequence[Agreed], index: int) -> set[str]:
    """Where the section's SDP says that the peer is.

    Of the several answers to one INVITE the first holds (RFC 3261 §13.2.1), and many take the last: any will do.
    """
    begin = index
    while begin > 0 and _early(sections[begin - 1]):
        begin -= 1
    places = (_place(sections, i) for i in range(max(begin, 0), index + 1))
    return {place for place in places if place is not None}


def _near_places(row: TapStream, sections: Sequence[Agreed], index: int) -> set[str]:
    """Where SDPs say that it was until, or will be from, about the time when the row's packets crossed."""
    before = (i for i in range(index) if row.last_s <= sections[i + 1].begin_s + CHANGE_S)
    after = (i for i in range(index + 1, len(sections)) if row.first_s >= sections[i].begin_s - CHANGE_S)
    places = (_place(sections, i) for i in (*before, *after))
    return {place for place in places if place is not None}


def _early(agreed: Agreed) -> bool:
    return agreed.section.begin_ms is not None and agreed.section.begin_ms < 0


def _place(sections: Sequence[Agreed], index: int) -> str | None:
    """The remote address of a section; of one that names none (hold by 0.0.0.0, port 0), the last that was named."""
    return next((sections[i].section.remote for i in range(index, -1, -1) if sections[i].section.remote), None)


def _host(place: str) -> str:
    return place.rpartition(":")[0]


def _claims(placed: Sequence[Placed], sections: Sequence[Agreed]) -> set[tuple[int, str]]:
    """Section and address of each only stranger who sent what was negotiated where nobody else sent anything."""
    claims = set()
    for index, agreed in enumerate(sections):
        came = [one for one in placed if one.section == index and not one.row.sent and one.row.packets > one.row.empty]
        types = {*agreed.section.types, COMFORT_NOISE}
        strangers = {one.row.remote for one in came if not one.accepted and one.row.payload_types.keys() <= types}
        if len(strangers) == 1 and all(one.passing or not one.accepted for one in came):
            claims |= {(index, address) for address in strangers}
    return claims


# --- counts ----------------------------------------------------------------------------------------------------


def _source(group: Sequence[Placed], answered_s: float | None) -> Source:
    rows, first = sorted((one.row for one in group), key=lambda row: row.first_s), group[0]
    mean_ms, samples = _jitter(rows)
    return Source(
        section=first.section,
        remote=first.row.remote,
        ssrc=first.row.ssrc,
        origin=min((one.origin for one in group), key=list(Origin).index),
        packets=sum(row.packets for row in rows),
        duplicates=sum(row.duplicates for row in rows),
        reordered=sum(row.reordered for row in rows),
        lost=sum(row.lost for row in rows),
        restarts=sum(row.restarts for row in rows),
        media_ms=_rounded(total(row.media_ms for row in rows)),
        lost_ms=_rounded(total(row.lost_ms for row in rows)),
        pause_ms=_rounded(total(row.pause_ms for row in rows)),
        event_ms=_rounded(total(row.event_ms for row in rows)),
        first_ms=_since(answered_s, min(row.first_s for row in rows)),
        last_ms=_since(answered_s, max(row.last_s for row in rows)),
        max_gap_ms=_rounded(_max_gap_ms(rows)),
        jitter_ms=mean_ms,
        max_jitter_ms=_rounded(max((row.max_jitter_ms for row in rows if row.max_jitter_ms is not None), default=None)),
        jitter_samples=samples,
        payload_types=_added(row.payload_types for row in rows),
        unnegotiated=sum(row.unnegotiated for row in rows),
        empty=sum(row.empty for row in rows),
        noise=sum(row.noise for row in rows),
    )


def _max_gap_ms(rows: Sequence[TapStream]) -> float | None:
    """Of rows in order: within one, or from one to the next."""
    within = [row.max_gap_ms for row in rows if row.max_gap_ms is not None]
    between = [1000 * max(0.0, later.first_s - row.last_s) for row, later in pairwise(rows)]
    return max([*within, *between], default=None)


def _jitter(rows: Sequence[TapStream]) -> tuple[float | None, int]:
    known = [(row.mean_jitter_ms, row.jitter_samples) for row in rows if row.mean_jitter_ms is not None]
    samples = sum(count for _, count in known)
    return (round(sum(mean * count for mean, count in known) / samples, 3) if samples else None), samples


def _added(counts: Iterable[dict[int, int]]) -> dict[int, int]:
    added: dict[int, int] = {}
    for one in counts:
        for number, packets in one.items():
            added[number] = added.get(number, 0) + packets
    return added


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _since(answered_s: float | None, at_s: float) -> float | None:
    return None if answered_s is None else round(1000 * (at_s - answered_s), 1)
