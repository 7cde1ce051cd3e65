"""The calls of a capture: by Call-ID, with whatever RTP their SDPs declared. Nobody says here what should have come."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from agent.sip.text import SipHead
from controller.page.ladder import parties
from controller.page.messages import Crossing, Heads, final_code, media_of, sections_of
from controller.page.model import Call, Fact, Page, Track, Way
from controller.page.recording import Recorded, Recording
from controller.page.tracks import recorded_track

MAX_CALLS: Final = 1000
LOSS_PERCENT: Final = 1.0
"""More than this stands out."""
ONE_WAY: Final = "no RTP, and there is some the other way"
ONE_WAY_PACKETS: Final = 50
"""A second: so much in one direction, and nothing in the other, stands out."""


def capture_page(recording: Recording, names: Sequence[str], left_out: Sequence[str]) -> Page:
    """A page of captures."""
    calls, others = _calls(recording)
    found = recording.trace
    notes = [f"{warning.code}: {warning.message}" for warning in found.warnings]
    notes += [f"{file.path}: {count} × {why}" for file in found.files for why, count in file.skipped.items()]
    if others:
        said = ", ".join(f"{count} {method}" for method, count in sorted(others.items()))
        notes.append(f"SIP messages that belong to no call, and are not drawn: {said}.")
    beyond = [f"{len(calls) - MAX_CALLS} calls of {len(calls)}"] if len(calls) > MAX_CALLS else []
    packets = sum(file.packets for file in found.files)
    return Page(
        title=", ".join(names),
        made_of=tuple(f"{file.path}: {file.format}, {file.packets} packets" for file in found.files),
        sentence=_sentence(calls),
        facts=(
            Fact(name="calls", value=str(len(calls))),
            *_counts(calls),
            Fact(name="RTP streams", value=str(len(found.streams))),
            Fact(name="packets", value=str(packets)),
        ),
        calls=tuple(calls[:MAX_CALLS]),
        notes=tuple(notes),
        left_out=(*left_out, *beyond),
    )


def _counts(calls: Sequence[Call]) -> list[Fact]:
    """How many calls have which trouble."""
    of_sip = [call for call in calls if call.ladder.steps]
    answered = sum(call.code is not None and call.code.startswith("2") for call in of_sip)
    lossy = sum(any((track.lost_percent or 0.0) > LOSS_PERCENT for track in call.tracks) for call in calls)
    silent = sum(any(fact.value == ONE_WAY for fact in call.facts) for call in calls)
    facts = (
        [Fact(name="answered", value=f"{answered} of {len(of_sip)}", is_bad=answered < len(of_sip))] if of_sip else []
    )
    facts += [Fact(name="with RTP one way only", value=str(silent), is_bad=True)] if silent else []
    facts += [Fact(name="that lost more than 1 %", value=str(lossy), is_bad=True)] if lossy else []
    return facts


def _sentence(calls: Sequence[Call]) -> str:
    odd = sum(call.is_suspect for call in calls)
    if not calls:
        return "There is no SIP call and no RTP stream in it."
    if not odd:
        return "Nothing stands out: calls are answered, media flows, and less than 1 % of it is lost."
    return f"Something stands out in {odd} of {len(calls)} calls; they come first."


def _calls(recording: Recording) -> tuple[list[Call], Counter[str]]:
    """Those that stand out first; and the messages of no call, by method."""
    by_call: dict[str, list[Crossing]] = {}
    others: Counter[str] = Counter()
    begun = {head.call_id for _, head in recording.heads.pairs() if head.method == "INVITE"}
    with_media = {one.stream.call_id for one in recording.streams if one.stream.call_id is not None}
    for crossing, head in recording.heads.pairs():
        if head.call_id in begun | with_media:
            by_call.setdefault(head.call_id, []).append(crossing)
        else:
            others[head.method] += 1
    others["unreadable"] += recording.heads.heads.count(None)
    calls = [
        _call(call_id, Heads.of(crossings), [one for one in recording.streams if one.stream.call_id == call_id])
        for call_id, crossings in by_call.items()
    ]
    calls += [_media_only(streams) for streams in _homeless(recording.streams, by_call)]
    calls.sort(key=lambda call: (not call.is_suspect, call.began))
    numbered = [replace(call, anchor=f"call-{number}") for number, call in enumerate(calls, 1)]
    return numbered, +others


def _homeless(streams: Iterable[Recorded], known: Iterable[str]) -> list[list[Recorded]]:
    """Streams of no call that is here, by the two addresses between which they run."""
    groups: dict[frozenset[str], list[Recorded]] = {}
    for one in streams:
        if one.stream.call_id not in set(known):
            groups.setdefault(frozenset((one.stream.src, one.stream.dst)), []).append(one)
    return list(groups.values())


def _media_only(streams: Sequence[Recorded]) -> Call:
    zero_s = min(one.stream.start for one in streams)
    first = streams[0].stream
    tracks = tuple(recorded_track(one, zero_s, name=_name(one), way=None) for one in streams)
    return Call(
        anchor="",
        name=f"RTP {first.src} ↔ {first.dst}",
        where="no SIP of it is in the capture",
        began=date(zero_s),
        length_s=max(track.end_s for track in tracks),
        facts=loss_facts(tracks),
        tracks=tracks,
    )


def _call(call_id: str, heads: Heads, streams: Sequence[Recorded]) -> Call:
    zero_s = min([heads.crossings[0].at_s, *(one.stream.start for one in streams)])
    ways = _ways(heads)
    tracks = [recorded_track(one, zero_s, name=_name(one), way=ways.get(one.stream.dst)) for one in streams]
    tracks.sort(key=lambda track: (track.way is None, track.way is Way.TO_CALLER, track.begin_s))
    end_s = max([heads.crossings[-1].at_s - zero_s, *(track.end_s for track in tracks)])
    sections = tuple(
        replace(one, begin_s=one.begin_s - zero_s, end_s=one.end_s - zero_s)
        for one in sections_of(heads, zero_s + end_s)
    )
    tracks = [replace(track, spans=(*track.spans, *sections)) for track in tracks]
    first = heads.crossings[0]
    code = final_code(heads)
    return Call(
        anchor="",
        name=call_id,
        where=f"{first.source} → {first.target}",
        began=date(zero_s),
        length_s=end_s,
        code=code,
        facts=(*_signalling_facts(heads, code), *_media_facts(tracks, code)),
        ladder=parties(heads.crossings, zero_s, tracks),
        tracks=tuple(tracks),
    )


def _ways(heads: Heads) -> dict[str, Way]:
    """By `ip:port` that an SDP names, where media goes that is sent there: to the side whose SDP it is, path or end."""
    caller_tag: str | None = None
    found: dict[str, Way] = {}
    for crossing, head in heads.pairs():
        if caller_tag is None and head.method == "INVITE" and head.code is None:
            caller_tag = head.from_tag if not head.to_tag else None
        medium = media_of(crossing, head)
        if medium is None or not medium.port:
            continue
        host = f"[{medium.address}]" if ":" in medium.address else medium.address
        found[f"{host}:{medium.port}"] = Way.TO_CALLER if _is_callers(head, caller_tag) else Way.TO_CALLEE
    return found


def _is_callers(head: SipHead, caller_tag: str | None) -> bool:
    """A request is by whoever From names, a response by the other side."""
    by_caller = caller_tag is None or head.from_tag == caller_tag
    return by_caller if head.code is None else not by_caller


def _signalling_facts(heads: Heads, code: str | None) -> list[Fact]:
    began = next((one.at_s for one, head in heads.pairs() if head.method == "INVITE"), None)
    answered = next(
        (one.at_s for one, head in heads.pairs() if head.method == "INVITE" and head.code and head.code // 100 == 2),
        None,
    )
    methods = {head.method for _, head in heads.pairs() if head.code is None}
    facts = [Fact(name="answer", value=code or "no final response", is_bad=code is None or not code.startswith("2"))]
    if began is not None and answered is not None:
        facts.append(Fact(name="answered after", value=f"{answered - began:.3f} s"))
        if "ACK" not in methods:
            facts.append(Fact(name="ACK", value="none is in the capture", is_bad=True))
        if "BYE" not in methods:
            facts.append(Fact(name="BYE", value="none is in the capture"))
    return facts


def _media_facts(tracks: Sequence[Track], code: str | None) -> tuple[Fact, ...]:
    facts = list(loss_facts(tracks))
    if code is not None and code.startswith("2"):
        ways = {way: sum(track.packets or 0 for track in tracks if track.way is way) for way in Way}
        for way, packets in ways.items():
            other = max(ways.values())
            if packets == 0 and other >= ONE_WAY_PACKETS:
                facts.append(Fact(name=way.words, value=ONE_WAY, is_bad=True))
    return tuple(facts)


def loss_facts(tracks: Sequence[Track]) -> tuple[Fact, ...]:
    """Tracks that lost more than LOSS_PERCENT, and digits without an end."""
    facts = []
    for track in tracks:
        share = track.lost_percent
        if share is not None and share > LOSS_PERCENT:
            facts.append(Fact(name=f"lost, {track.name}", value=f"{share:.1f} %", is_bad=True))
        unended = [key.digit for key in track.keys if not key.complete]
        if unended:
            facts.append(Fact(name=f"digits, {track.name}", value=f"no end of {' '.join(unended)}", is_bad=True))
    return tuple(facts)


def _name(one: Recorded) -> str:
    return f"{one.stream.src} → {one.stream.dst}"


def date(at_s: float) -> str:
    """UTC, to the millisecond; a capture may say any time."""
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")
    except (OverflowError, ValueError, OSError):
        return f"{at_s:.3f} s since 1970"
