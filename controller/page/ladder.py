"""Ladders: both legs of a call on one clock, and the parties of a capture's call."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.contract.verdict import Role
from controller.page.messages import Crossing, Heads, drawn, repeated
from controller.page.model import Hop, Ladder, Lane, Media, Message, Track

MAX_STEPS: Final = 200
"""Messages of one ladder."""
MAX_LANES: Final = 6
CALLER, SUT, CALLEE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What one agent saw of a call's messages."""

    role: Role
    address: str
    """The agent's own, as its messages have it."""
    heads: Heads

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """Its messages, in their order."""
        return self.heads.crossings


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One clock for two legs."""

    zero_s: float
    """Since 1970: the first message, by the caller's clock, or that of the only leg."""
    callee_ahead_s: float
    """What the callee's clock is ahead of the caller's by, at least, as causes come before effects."""

    def origin_s(self, role: Role) -> float:
        """Second 0 by the clock of one leg."""
        return self.zero_s + (self.callee_ahead_s if role is Role.CALLEE else 0.0)

    @property
    def note(self) -> str | None:
        """What a reader must know of it."""
        if not self.callee_ahead_s:
            return None
        way = "ahead of" if self.callee_ahead_s > 0 else "behind"
        return (
            f"The callee agent's clock is at least {abs(self.callee_ahead_s) * 1000:.1f} ms {way} the caller agent's: "
            "messages would come before they were sent. The callee's times are moved by that."
        )


def clock_of(legs: Sequence[Leg]) -> Clock:
    """One clock: an INVITE reaches the callee after it was sent, an answer the caller after the callee gave it."""
    first = {leg.role: leg.crossings[0].at_s for leg in legs if leg.crossings}
    zero_s = first.get(Role.CALLER, min(first.values(), default=0.0))
    by_role = {leg.role: leg for leg in legs if leg.crossings}
    if len(by_role) < 2:
        return Clock(zero_s=zero_s, callee_ahead_s=0.0)
    caller, callee = by_role[Role.CALLER], by_role[Role.CALLEE]
    least, most = float("-inf"), float("inf")
    sent, came = _first(caller, "INVITE", None), _first(callee, "INVITE", None)
    if sent is not None and came is not None:
        most = came - sent
    given, taken = _first(callee, "INVITE", 2), _first(caller, "INVITE", 2)
    if given is not None and taken is not None:
        least = given - taken
    if least > most or least <= 0.0 <= most:
        return Clock(zero_s=zero_s, callee_ahead_s=0.0)
    return Clock(zero_s=zero_s, callee_ahead_s=most if most < 0.0 else least)


def _first(leg: Leg, method: str, hundreds: int | None) -> float | None:
    """When the first such request, or response of such codes, crossed."""
    for crossing, head in leg.heads.pairs():
        if head.method == method and (None if head.code is None else head.code // 100) == hundreds:
            return crossing.at_s
    return None


def both_legs(
    legs: Sequence[Leg], clock: Clock, tracks: Sequence[Track], sut: str, *, has_callee: bool = True
) -> Ladder:
    """Caller agent, system under test, callee agent where there is one."""
    messages: list[Message] = []
    peers: list[str] = [sut]
    own = {leg.role: leg.address for leg in legs}
    for leg in legs:
        agent = CALLER if leg.role is Role.CALLER else CALLEE
        peers += [other for one in leg.crossings for other in (one.source, one.target) if other != leg.address]
        for crossing, again in zip(leg.crossings, repeated(leg.crossings), strict=True):
            sent = crossing.source == leg.address
            ends = (agent, SUT) if sent else (SUT, agent)
            at_s = crossing.at_s - clock.origin_s(leg.role)
            messages.append(drawn(crossing, at_s=at_s, source=ends[0], target=ends[1], again=again))
    lanes = (
        Lane(name="caller agent", detail=own.get(Role.CALLER, "")),
        Lane(name="SUT", detail=", ".join(list(dict.fromkeys(peer for peer in peers if peer))[:3])),
        Lane(name="callee agent", detail=own.get(Role.CALLEE, "")),
    )
    media = [_media_step(track) for track in tracks if track.way and track.hop and track.packets]
    return _ordered(lanes if has_callee else lanes[:CALLEE], messages, media, clock.note)


def _media_step(track: Track) -> Media:
    """From the agent that sends it, or to the one that receives it."""
    agent = CALLER if track.hop is Hop.CALLER else CALLEE
    return _flow(track, *((agent, SUT) if track.sent else (SUT, agent)))


def _flow(track: Track, source: int, target: int) -> Media:
    words = ["RTP", track.codec or "", f"{track.packets} packets", track.digits and f"digits {track.digits}"]
    return Media(
        at_s=track.begin_s,
        source=source,
        target=target,
        title=" ".join(word for word in words if word),
        length_s=track.end_s - track.begin_s,
    )


def parties(crossings: Sequence[Crossing], zero_s: float, tracks: Sequence[Track]) -> Ladder:
    """A lane for each address, in the order in which they appear; RTP goes between those of their hosts."""
    places = dict.fromkeys(place for one in crossings for place in (one.source, one.target))
    hosts = list(dict.fromkeys(host_of(place) for place in places))
    by_place = len(hosts) < 2
    names = (list(places) if by_place else hosts)[:MAX_LANES]
    number = {name: index for index, name in enumerate(names)}

    def lane(place: str) -> int | None:
        return number.get(place if by_place else host_of(place))

    messages, unseen = [], 0
    for crossing, again in zip(crossings, repeated(crossings), strict=True):
        source, target = lane(crossing.source), lane(crossing.target)
        if source is None or target is None:
            unseen += 1
            continue
        at_s = crossing.at_s - zero_s
        messages.append(drawn(crossing, at_s=at_s, source=source, target=target, again=again))
    media = [
        _flow(track, source, target)
        for track in tracks
        if (source := lane(track.source)) is not None and (target := lane(track.target)) is not None
    ]
    lanes = tuple(Lane(name=name, detail="" if by_place else ", ".join(_ports(name, list(places)))) for name in names)
    found = _ordered(lanes, messages, media, None)
    return replace(found, left_out=found.left_out + unseen)


def _ports(host: str, places: Sequence[str]) -> list[str]:
    return [":" + place.rpartition(":")[2] for place in places if host_of(place) == host][:3]


def host_of(place: str) -> str:
    """Of `ip:port`."""
    return place.rpartition(":")[0].strip("[]")


def _ordered(lanes: tuple[Lane, ...], messages: Sequence[Message], media: Sequence[Media], note: str | None) -> Ladder:
    """By time; the first and the last messages where there are too many: how a call ends is what people look for."""
    kept = sorted(messages, key=lambda one: one.at_s)
    half = MAX_STEPS // 2
    left_out = max(0, len(kept) - MAX_STEPS)
    if left_out:
        kept = kept[:half] + kept[-half:]
    steps: list[Message | Media] = [*kept, *media]
    steps.sort(key=lambda one: one.at_s)
    return Ladder(lanes=lanes, steps=tuple(steps), left_out=left_out, clock_note=note)
