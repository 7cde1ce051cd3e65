"""Whose callee leg is whose (truth rule 6): by header, Call-ID, calling user, signal, order; else it stays open.

Each step only looks at what the step before left over.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from agent.contract.observation import LegObservation
from agent.contract.plan import identity_code
from agent.judge.call_leg import CallId, CallLeg, PlannedCall, is_success
from agent.judge.own_answer import as_due, only_rings
from agent.judge.verdicts import PairedBy, Stray


@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeLeg:
    """A leg, and the callee agent that saw it."""

    agent: str
    leg: LegObservation


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The callee leg of a call, and what told."""

    agent: str
    leg: LegObservation
    by: PairedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Each call is in one of `pairs` and `ambiguous`, or no callee leg can be its."""

    pairs: Mapping[CallId, Pair]
    ambiguous: Mapping[CallId, str]
    """Calls that a callee leg may or may not belong to, and why that is not known."""
    strays: tuple[Stray, ...]
    answered: Mapping[CallId, int] = field(default_factory=dict)
    """How many INVITEs of a call callees answered, where that is more than one."""


@dataclass
class _Matching:
    """The state of a pairing: what is told, and what is still open."""

    calls: Mapping[CallId, PlannedCall]
    caller_legs: Mapping[CallId, LegObservation]
    told: dict[CallId, list[Pair]] = field(default_factory=lambda: defaultdict(list))
    ambiguous: dict[CallId, str] = field(default_factory=dict)
    answered: dict[CallId, int] = field(default_factory=dict)
    strays: list[Stray] = field(default_factory=list)
    by_endpoint: dict[int, list[CallId]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for call in self.calls:
            self.by_endpoint[call[0]].append(call)

    def tell(self, call: CallId, seen: CalleeLeg, by: PairedBy) -> None:
        self.told[call].append(Pair(agent=seen.agent, leg=seen.leg, by=by))

    def stray(self, seen: CalleeLeg, note: str) -> None:
        self.strays.append(Stray(agent=seen.agent, leg=seen.leg, note=note))

    def by_call_id(self, seen: CalleeLeg) -> CallId | None:
        """The one call that was placed with this Call-ID."""
        candidates = self._sip_ids.get(seen.leg.sip_call_id or "", ())
        return candidates[0] if len(candidates) == 1 else None

    def by_signal(self, seen: CalleeLeg) -> CallId | None:
        """The one planned call whose identity signal it heard; None where it heard several, or none."""
        heard = () if seen.leg.heard is None else seen.leg.heard.codes.items()
        calls = {self._codes[code] for code, frames in heard if frames > 0 and code in self._codes}
        return calls.pop() if len(calls) == 1 else None

    @cached_property
    def _sip_ids(self) -> Mapping[str, Sequence[CallId]]:
        ids: dict[str, list[CallId]] = defaultdict(list)
        for call, leg in self.caller_legs.items():
            if leg.sip_call_id:
                ids[leg.sip_call_id].append(call)
        return ids

    @cached_property
    def _codes(self) -> Mapping[str, CallId]:
        """Of the calls that play it; two calls of one code tell nothing."""
        playing = [call for call in self.calls.values() if call.group.caller.play.signal is not None]
        often = Counter(str(identity_code(call.key)) for call in playing)
        return {code: call.id for call in playing if often[code := str(identity_code(call.key))] == 1}

    def untold(self, endpoint: int) -> list[CallId]:
        return [call for call in self.by_endpoint[endpoint] if call not in self.told]


def pair_legs(
    calls: Sequence[PlannedCall],
    caller_legs: Mapping[CallId, LegObservation],
    callee_legs: Iterable[CalleeLeg],
    *,
    untold_at: Collection[int] = (),
) -> Pairing:
    """Every callee leg paired with a call, or a stray, or a reason for calls to be ambiguous.

    `untold_at`: the endpoints where a callee had more legs than it could tell of.
    """
    matching = _Matching(calls={call.id: call for call in calls}, caller_legs=caller_legs)
    rest = _by_header(matching, sorted(callee_legs, key=_when))
    rest = _by_call_id(matching, rest)
    rooms: dict[tuple[str, int], list[CalleeLeg]] = defaultdict(list)
    for seen in rest:
        rooms[seen.agent, seen.leg.endpoint].append(seen)
    for (_, endpoint), room in rooms.items():
        _by_what_is_left(matching, endpoint, room, all_told=endpoint not in untold_at)
    for endpoint in untold_at:
        for call in matching.untold(endpoint):
            matching.ambiguous[call] = "more calls came to the callee than it can tell of: this one may be among them"
    chosen = {call: _one_of(matching, call, matching.told[call]) for call in matching.calls if call in matching.told}
    pairs = {call: pair for call, pair in chosen.items() if pair is not None}
    return Pairing(pairs=pairs, ambiguous=matching.ambiguous, strays=tuple(matching.strays), answered=matching.answered)


def _when(seen: CalleeLeg) -> tuple[str, float, str]:
    return seen.agent, seen.leg.began_s, seen.leg.sip_call_id or ""


def _by_header(matching: _Matching, legs: Sequence[CalleeLeg]) -> list[CalleeLeg]:
    by_key = {call.key: call_id for call_id, call in matching.calls.items()}
    answered = Counter(seen.leg.call_key for seen in legs if _answered(seen))
    rest = []
    for seen in legs:
        named = by_key.get(seen.leg.call_key or "")
        if seen.leg.call_key is None or _is_copied(matching, seen, named, times=answered[seen.leg.call_key]):
            rest.append(seen)
        elif named is None:
            matching.stray(seen, "its X-Calltest-Call names no call of this run")
        else:
            matching.tell(named, seen, PairedBy.HEADER)
    return rest


def _is_copied(matching: _Matching, seen: CalleeLeg, named: CallId | None, *, times: int) -> bool:
    """A path may put one call's header into others.

    Call-ID and user then say whose it is, or, where several calls with it were answered, what was heard of them.
    """
    by_id = matching.by_call_id(seen)
    if by_id is not None and by_id != named:
        return matching.caller_legs[by_id].from_user == seen.leg.from_user
    return times > 1 and by_id is None and matching.by_signal(seen) not in (None, named)


def _by_call_id(matching: _Matching, legs: Iterable[CalleeLeg]) -> list[CalleeLeg]:
    rest = []
    for seen in legs:
        call = matching.by_call_id(seen)
        if call is None:
            rest.append(seen)
        else:
            matching.tell(call, seen, PairedBy.CALL_ID)
    return rest


def _by_what_is_left(matching: _Matching, endpoint: int, room: list[CalleeLeg], *, all_told: bool) -> None:
    """Calling user, signal, order, for the legs of one callee at one endpoint that neither header nor Call-ID told."""
    calls = matching.untold(endpoint)
    if not calls:
        for seen in room:
            matching.stray(seen, "every call to this endpoint has its callee leg already")
        return
    # Where a caller's leg was never reported, a leg here may be that call's: only what it heard can tell.
    # Likewise where a callee's legs are not all told.
    all_known = all_told and all(call in matching.caller_legs for call in calls)
    room, calls = _by_user(matching, room, calls) if all_known else (room, calls)
    room, calls = _by_signal(matching, room, calls)
    room, calls = _by_order(matching, room, calls) if all_known else (room, calls)
    for seen in room:
        matching.stray(seen, f"it may be any of {len(calls)} calls" if calls else "no call is left for it")
    if room:
        for call in calls:
            matching.ambiguous[call] = f"{len(room)} calls at the callee may be any of {len(calls)} that were placed"


def _by_user(matching: _Matching, room: list[CalleeLeg], calls: list[CallId]) -> tuple[list[CalleeLeg], list[CallId]]:
    """A user who placed one call and was seen once."""
    placed: dict[str, list[CallId]] = defaultdict(list)
    seen_from: dict[str, list[CalleeLeg]] = defaultdict(list)
    for call in calls:
        placed[matching.caller_legs[call].from_user or ""].append(call)
    for seen in room:
        seen_from[seen.leg.from_user or ""].append(seen)
    for user in placed.keys() & seen_from.keys() - {""}:
        if len(placed[user]) == len(seen_from[user]) == 1:
            matching.tell(placed[user][0], seen_from[user][0], PairedBy.USER)
    return _rest(matching, room, calls)


def _by_signal(matching: _Matching, room: list[CalleeLeg], calls: list[CallId]) -> tuple[list[CalleeLeg], list[CallId]]:
    """A leg that heard one call's signal, and no other leg that one alone: told by a path that strips all else."""
    heard: dict[CallId, list[CalleeLeg]] = defaultdict(list)
    for seen in room:
        call = matching.by_signal(seen)
        if call is not None:
            heard[call].append(seen)
    for call in calls:
        if len(heard[call]) == 1:
            matching.tell(call, heard[call][0], PairedBy.SIGNAL)
    return _rest(matching, room, calls)


def _rest(matching: _Matching, room: list[CalleeLeg], calls: list[CallId]) -> tuple[list[CalleeLeg], list[CallId]]:
    told = [pair.leg for call in calls for pair in matching.told.get(call, [])]
    return [seen for seen in room if seen.leg not in told], [call for call in calls if call not in matching.told]


def _by_order(matching: _Matching, room: list[CalleeLeg], calls: list[CallId]) -> tuple[list[CalleeLeg], list[CallId]]:
    """As many calls as were placed, one at a time at both ends: the first is the first. Each end by its own clock."""
    legs = [matching.caller_legs[call] for call in calls]
    in_order = sorted(calls, key=lambda call: matching.caller_legs[call].began_s)
    if len(room) != len(calls) or not _one_at_a_time(legs) or not _one_at_a_time([seen.leg for seen in room]):
        return room, calls
    for call, seen in zip(in_order, sorted(room, key=_when), strict=True):
        matching.tell(call, seen, PairedBy.ORDER)
    return [], []


def _one_at_a_time(legs: list[LegObservation]) -> bool:
    """Each had ended before the next began; one whose end is not known may not have."""
    in_order = sorted(legs, key=lambda leg: leg.began_s)
    return all(
        before.progress.ended_ms is not None and before.began_s + before.progress.ended_ms / 1000 <= after.began_s
        for before, after in pairwise(in_order)
    )


def _answered(seen: CalleeLeg | Pair) -> bool:
    return seen.leg.final_code is not None and is_success(seen.leg.final_code)


def _refused_as_due(call: PlannedCall, pair: Pair) -> bool:
    callee = CallLeg(call=call, leg=pair.leg)
    return as_due(callee) and not only_rings(callee)


def _one_of(matching: _Matching, call: CallId, told: list[Pair]) -> Pair | None:
    """The leg that counts where INVITEs of a call reached callees more than once (fork, retry).

    The answered one; else the one that was refused as it was to be, whatever another try came to.
    """
    distinct = [pair for index, pair in enumerate(told) if pair not in told[:index]]
    answered = [pair for pair in distinct if _answered(pair)]
    if len(answered) > 1:
        matching.answered[call] = len(answered)
        matching.ambiguous[call] = f"the callee answered {len(answered)} INVITEs of this call"
        chosen = None
    else:
        chosen = (answered or [pair for pair in distinct if _refused_as_due(matching.calls[call], pair)] or distinct)[0]
    for pair in distinct:
        if pair is not chosen:
            note = f"one of {len(distinct)} INVITEs of {call[1]} {call[2]}"
            matching.strays.append(Stray(agent=pair.agent, leg=pair.leg, note=note))
    return chosen
