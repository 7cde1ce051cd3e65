"""The page of a run: its calls of both legs, from what it says of them, what agents measured, and what was kept."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.contract.observation import LegObservation
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Result, Role
from agent.judge.reasons import result_of
from controller.api.run import Endpoint
from controller.page.capture import MAX_CALLS, date, loss_facts
from controller.page.ladder import Clock, Leg, both_legs, clock_of
from controller.page.messages import Crossing, Heads, final_code, places_of
from controller.page.model import Call, Fact, Page, Place, Said, Track
from controller.page.recording import Recording
from controller.page.run import RunFacts, broken_by, said_by, said_of, told
from controller.page.tracks import answer_s, hop_of, judged, name_of, observed_tracks, recorded_track, way_of
from controller.run.wording import passed_of

REGISTRATION: Final = "registration"
STRAY: Final = "stray"
UNNAMED: Final = re.compile(r"leg-\d+-[0-9a-f]+")
"""A callee's leg that no header names: whose call it is stands elsewhere, if anywhere."""
UNDATED: Final = "Times of registrations are since the first message of each agent: the two are not on one clock."
Observation = LegObservation | RegistrationObservation


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CallKey:
    """One call of a run; registrations have one of their own."""

    endpoint: int
    call: str
    number: int

    @property
    def name(self) -> str:
        """As the run's table has it."""
        return self.call if self.is_none else f"{self.call}/{self.number}"

    @property
    def is_none(self) -> bool:
        """It is no planned call's, or nobody knows whose."""
        return self.call in {REGISTRATION, STRAY} or UNNAMED.fullmatch(self.call) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A folder of evidence."""

    key: CallKey
    role: Role
    folder: str
    recording: Recording | None
    """None: it has no capture."""
    crossings: tuple[Crossing, ...] = ()
    """Of its sip.txt, where there is no capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A run, and what was told of its legs."""

    facts: RunFacts | None = None
    """None: nobody says what it came to."""
    seen: tuple[Observation, ...] = ()
    made_of: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One leg with all that is known of it."""

    role: Role
    leg: Leg
    recording: Recording | None
    seen: Observation | None
    folder: str | None


_NOBODY: Final = CallKey(endpoint=0, call=STRAY, number=0)


def key_of(seen: Observation) -> CallKey:
    """Whose an observation is."""
    if isinstance(seen, RegistrationObservation):
        return CallKey(endpoint=seen.endpoint, call=REGISTRATION, number=0)
    if seen.call is None or seen.number is None:
        return CallKey(endpoint=seen.endpoint, call=STRAY, number=seen.index)
    return CallKey(endpoint=seen.endpoint, call=seen.call, number=seen.number)


def run_page(known: Known, kept: Sequence[Kept]) -> Page:
    """A page of a run, of its evidence, or of both."""
    run, seen, made_of, left_out = known.facts, known.seen, known.made_of, known.left_out
    places = {} if run is None else {one.index: one for one in told(run.status.endpoints) or ()}
    failures = _failures(run)
    named = _named(run, seen)
    kept_keys = [(one, named.get(one.folder, one.key)) for one in kept]
    seen_keys = [(one, named.get(one.evidence or "", key_of(one))) for one in seen]
    keys = sorted({*failures, *(key for _, key in kept_keys), *(key for one, key in seen_keys if _is_shown(one))})
    calls = [
        _call(
            key,
            [one for one, its in kept_keys if its == key],
            [one for one, its in seen_keys if its == key],
            failures.get(key, ()),
            places.get(key.endpoint),
            has_callee=run is None or run.has_callee,
        )
        for key in keys
    ]
    calls = [replace(call, result=_result(call, key, run)) for call, key in zip(calls, keys, strict=True)]
    calls.sort(key=_urgency)
    calls = [replace(call, anchor=f"call-{number}") for number, call in enumerate(calls, 1)]
    if run is None:
        return _unjudged(calls, made_of, left_out)
    return _judged(run, calls, tuple(places.values()), made_of, left_out)


def _named(run: RunFacts | None, seen: Sequence[Observation]) -> dict[str, CallKey]:
    """Whose a folder is, by its path, where the run's failures say it, or the leg that it is of."""
    found = {one.evidence: key_of(one) for one in seen if one.evidence is not None}
    for failure in (told(run.status.failures) or ()) if run else ():
        folder = told(failure.evidence)
        if folder is not None and found.get(folder, _NOBODY).is_none:
            found[folder] = CallKey(endpoint=failure.endpoint, call=failure.call, number=failure.number)
    return found


def _urgency(call: Call) -> tuple[bool, int, bool]:
    """What went wrong comes first; registrations that nothing is said of come last."""
    order = {Result.FAILED: 0, Result.INCONCLUSIVE: 1, None: 2, Result.PASSED: 3}
    return call.name == REGISTRATION and not call.said, order[call.result], not call.is_suspect


def _is_shown(seen: Observation) -> bool:
    """A registration that went well is nothing to look at."""
    return isinstance(seen, LegObservation) or bool(seen.messages)


def _failures(run: RunFacts | None) -> dict[CallKey, list[Said]]:
    found: dict[CallKey, list[Said]] = {}
    for failure in (told(run.status.failures) or ()) if run else ():
        key = CallKey(endpoint=failure.endpoint, call=failure.call, number=failure.number)
        found.setdefault(key, []).append(said_by(failure))
    return found


def _result(call: Call, key: CallKey, run: RunFacts | None) -> Result | None:
    """The worst of what is said of it. Passed only where the run accounts for every call that did not."""
    results = [one.result for one in call.said]
    if results:
        return Result.FAILED if Result.FAILED in results else Result.INCONCLUSIVE
    if run is None or key.is_none or run.result is None:
        return None
    counts = told(run.status.calls)
    broken = {(one.endpoint, one.call, one.number) for one in told(run.status.failures) or () if one.call}
    is_accounted = counts is not None and len(broken) >= counts.failed + counts.inconclusive
    return Result.PASSED if is_accounted else None


def _judged(
    run: RunFacts, calls: Sequence[Call], places: Sequence[Endpoint], made_of: Sequence[str], left_out: Sequence[str]
) -> Page:
    status, failures = run.status, told(run.status.failures) or ()
    worst = failures[0] if failures else None
    said = said_by(worst) if worst else None
    endpoint = next((one for one in places if worst and one.index == worst.endpoint), None)
    return Page(
        title=run.call_test,
        made_of=tuple(made_of),
        result=run.result,
        reason=told(status.reason),
        sentence=told(status.message) or "The run is not finished.",
        facts=tuple(_run_facts(run)),
        worst=said,
        broken=broken_by([said]) if said else (),
        at=f"call {worst.call}/{worst.number}" if worst else "",
        sut=_place_name(endpoint),
        places=tuple(map(_place, places)),
        calls=tuple(calls[:MAX_CALLS]),
        left_out=(*left_out, *_beyond(run, calls)),
        has_callee=run.has_callee,
    )


def _run_facts(run: RunFacts) -> Iterator[Fact]:
    status = run.status
    yield Fact(name="run", value=f"{run.namespace}/{run.name}")
    if (counts := told(status.calls)) is not None:
        value = passed_of(counts.planned, passed=counts.passed, failed=counts.failed, inconclusive=counts.inconclusive)
        yield Fact(name="calls", value=value)
    started, done = told(status.start_time), told(status.completion_time)
    if started is not None:
        yield Fact(name="started", value=date(started.timestamp()))
    if started is not None and done is not None:
        yield Fact(name="took", value=f"{(done - started).total_seconds():.0f} s")
    if strays := told(status.stray_calls):
        yield Fact(name="stray calls", value=f"{strays} calls reached the callee that nobody of this run placed")


def _beyond(run: RunFacts, calls: Sequence[Call]) -> Iterator[str]:
    """What is not on the page."""
    counts, shown = told(run.status.calls), sum("/" in call.name for call in calls)
    if counts is not None and shown < counts.planned:
        yield f"{counts.planned - shown} of {counts.planned} calls: nothing of them was kept, or given"
    if len(calls) > MAX_CALLS:
        yield f"{len(calls) - MAX_CALLS} calls of {len(calls)}"


def _place(endpoint: Endpoint) -> Place:
    return Place(
        name=endpoint.name,
        address=endpoint.address,
        result=told(endpoint.result),
        reason=told(endpoint.change) or told(endpoint.reason) or "",
        calls=told(endpoint.summary) or "",
    )


def _place_name(endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return ""
    return endpoint.name if endpoint.name == endpoint.address else f"{endpoint.name} ({endpoint.address})"


def _unjudged(calls: Sequence[Call], made_of: Sequence[str], left_out: Sequence[str]) -> Page:
    said = [one for call in calls for one in call.said]
    return Page(
        title=", ".join(made_of),
        made_of=tuple(made_of),
        sentence="The folder does not say what the run came to: give its JSON as well "
        "(calltest run -o json, kubectl get calltestrun NAME -o json).",
        facts=(Fact(name="calls", value=str(len(calls))),),
        worst=said[0] if said else None,
        broken=broken_by(said[:1]),
        calls=tuple(calls[:MAX_CALLS]),
        left_out=tuple(left_out),
    )


def _call(
    key: CallKey,
    kept: Sequence[Kept],
    seen: Sequence[Observation],
    said: Sequence[Said],
    endpoint: Endpoint | None,
    *,
    has_callee: bool,
) -> Call:
    sides = [side for role in Role if (side := _side(role, kept, seen)) is not None]
    clock = clock_of([side.leg for side in sides])
    tracks = sorted(
        (track for side in sides for track in _tracks(side, clock)),
        key=lambda track: (track.way is None, track.way or "", not track.sent, track.begin_s),
    )
    legs = [side.leg for side in sides]
    own = [finding for side in sides if isinstance(side.seen, LegObservation) for finding in side.seen.findings]
    told_already = {(one.leg, one.check) for one in said}
    more = [said_of(one, result_of(one.reason)) for one in own if (one.leg.value, one.check.value) not in told_already]
    everything = (*said, *(more if not said else ()))
    ends = [one.at_s - clock.origin_s(leg.role) for leg in legs for one in leg.crossings[-1:]]
    return Call(
        anchor="",
        name=key.name,
        where=_place_name(endpoint) or f"endpoint {key.endpoint}",
        began=date(clock.zero_s) if clock.zero_s else "",
        length_s=max([0.0, *ends, *(track.end_s for track in tracks)]),
        code=next((code for leg in legs if (code := final_code(leg.heads))), _observed_code(sides)),
        said=everything,
        broken=broken_by(everything),
        facts=tuple(_facts(sides, tracks)),
        ladder=both_legs(legs, clock, tracks, endpoint.address if endpoint else "", has_callee=has_callee),
        tracks=tuple(tracks),
        notes=(*_notes(sides, has_callee=has_callee), *((UNDATED,) if key.call == REGISTRATION else ())),
    )


def _side(role: Role, kept: Sequence[Kept], seen: Sequence[Observation]) -> _Side | None:
    folder = next((one for one in kept if one.role is role), None)
    observation = next((one for one in seen if one.role is role), None)
    if folder is None and observation is None:
        return None
    recording = folder.recording if folder else None
    if recording is not None:
        heads = recording.heads
    elif folder is not None and folder.crossings:
        heads = Heads.of(folder.crossings)
    else:
        heads = Heads.of(_crossings(observation))
    return _Side(
        role=role,
        leg=Leg(role=role, address=_own_address(role, heads), heads=heads),
        recording=recording,
        seen=observation,
        folder=folder.folder if folder else None,
    )


def _crossings(seen: Observation | None) -> Iterable[Crossing]:
    if seen is None:
        return
    began_s = seen.started_at if isinstance(seen, LegObservation) else 0.0
    own = f"{seen.role.lower()} agent"
    for one in seen.messages:
        ends = (own, one.peer) if one.sent else (one.peer, own)
        yield Crossing(at_s=began_s + one.at_ms / 1000, source=ends[0], target=ends[1], text=one.text)


def _own_address(role: Role, heads: Heads) -> str:
    """A caller sends the first message, and so does who registers; a callee receives it."""
    for crossing, head in heads.pairs():
        sends = role is Role.CALLER or head.method == "REGISTER"
        return crossing.source if sends is (head.code is None) else crossing.target
    return ""


def _tracks(side: _Side, clock: Clock) -> list[Track]:
    origin_s, leg = clock.origin_s(side.role), side.seen if isinstance(side.seen, LegObservation) else None
    if side.recording is None:
        return list(observed_tracks(leg, origin_s)) if leg else []
    own = {*places_of(side.leg.heads, side.leg.address), *([leg.local_rtp] if leg and leg.local_rtp else [])}
    tracks, is_judged = [], set[bool]()
    for one in side.recording.streams:
        stream = one.stream
        if stream.src not in own and stream.dst not in own:
            tracks.append(recorded_track(one, origin_s, name=f"beside it: {stream.src} → {stream.dst}", way=None))
            continue
        sent = stream.src in own
        name, way = name_of(side.role, sent=sent), way_of(side.role, sent=sent)
        track = recorded_track(one, origin_s, name=name, way=way, hop=hop_of(side.role))
        if leg is not None and sent not in is_judged:
            is_judged.add(sent)
            track = judged(track, leg, answer_s(leg, origin_s), sent=sent)
        tracks.append(track)
    return tracks


def _observed_code(sides: Sequence[_Side]) -> str | None:
    for side in sides:
        if isinstance(side.seen, LegObservation) and side.seen.final_code is not None:
            return f"{side.seen.final_code} {side.seen.final_phrase or ''}".strip()
    return None


def _facts(sides: Sequence[_Side], tracks: Sequence[Track]) -> list[Fact]:
    facts = []
    for side in sides:
        if isinstance(side.seen, LegObservation):
            times: Mapping[str, float | None] = {
                "rang after": side.seen.progress.ringing_ms,
                "answered after": side.seen.progress.answered_ms,
                "BYE after": side.seen.progress.bye_ms,
            }
            facts += [
                Fact(name=f"{side.role.lower()}: {name}", value=f"{value:.0f} ms")
                for name, value in times.items()
                if value is not None
            ]
    return [*facts, *loss_facts(tracks)]


def _notes(sides: Sequence[_Side], *, has_callee: bool) -> list[str]:
    notes = []
    for side in sides:
        if side.folder is not None:
            notes.append(f"Evidence of the {side.role.lower()}'s leg: {side.folder}")
        if side.seen is not None and side.seen.evidence_fault:
            notes.append(f"No evidence of the {side.role.lower()}'s leg: {side.seen.evidence_fault}")
        if side.recording is not None:
            notes += [f"{one.code}: {one.message}" for one in side.recording.trace.warnings]
    if len(sides) == 1 and has_callee:
        other = Role.CALLEE if sides[0].role is Role.CALLER else Role.CALLER
        notes.append(f"Nothing was kept of the {other.lower()}'s leg: it is not drawn.")
    return notes
