"""From streams and observations to tracks: one direction of media as one point saw it."""

from collections.abc import Sequence
from dataclasses import replace

from agent.contract.media import GapKind, Heard, Section, Stretch
from agent.contract.observation import Digit, LegObservation
from agent.contract.plan import identity_code
from agent.contract.verdict import Role
from agent.trace.model import Stream
from controller.page.model import Fact, Hop, Key, Sound, Span, SpanKind, Track, Way
from controller.page.recording import Recorded
from controller.page.scale import number
from controller.page.sound import level_of, silences


def way_of(role: Role, *, sent: bool) -> Way:
    """Where media goes that an agent of this role sends, or receives."""
    return Way.TO_CALLEE if (role is Role.CALLER) is sent else Way.TO_CALLER


def name_of(role: Role, *, sent: bool) -> str:
    """Of a track."""
    return f"sent by the {role.lower()}" if sent else f"received by the {role.lower()}"


def hop_of(role: Role) -> Hop:
    """The side of the system under test on which an agent is."""
    return Hop.CALLER if role is Role.CALLER else Hop.CALLEE


def recorded_track(recorded: Recorded, origin_s: float, *, name: str, way: Way | None, hop: Hop | None = None) -> Track:
    """A stream of a capture; its figures are those of `calltest trace`."""
    stream, heard = recorded.stream, recorded.heard
    slots, unplaced = recorded.course.slots(stream.lost, origin_s)
    level = level_of(heard.samples, heard.rate_hz, heard.begin_s - origin_s) if heard else None
    sound = None
    if heard and heard.wav:
        length_s = len(heard.samples) / heard.rate_hz
        sound = Sound(begin_s=heard.begin_s - origin_s, length_s=length_s, wav=heard.wav)
    return Track(
        name=name,
        way=way,
        hop=hop,
        source=stream.src,
        target=stream.dst,
        begin_s=stream.start - origin_s,
        end_s=stream.end - origin_s,
        packets=stream.packets,
        lost=stream.lost,
        codec=stream.codec,
        facts=_stream_facts(stream),
        slots=slots,
        unplaced=unplaced,
        keys=tuple(
            Key(
                at_s=digit.start - origin_s,
                digit=digit.digit,
                length_ms=digit.duration_ms,
                method=digit.method.value,
                complete=digit.complete,
            )
            for digit in stream.digits
        ),
        spans=(*recorded.course.gaps(origin_s), *(silences(level) if level else ())),
        level=level,
        sound=sound,
        no_sound=heard.no_wav if heard else recorded.no_sound,
    )


def _stream_facts(stream: Stream) -> tuple[Fact, ...]:
    share = 100 * stream.lost / stream.expected if stream.expected else 0.0
    facts = [
        Fact(name="codec", value=stream.codec or "not known"),
        Fact(name="packets", value=f"{stream.packets} of {stream.expected}"),
        Fact(name="lost", value=f"{stream.lost} ({share:.2f} %)", is_bad=stream.lost > 0),
        Fact(name="jitter, last and highest", value=_two(stream.jitter_ms, stream.max_jitter_ms)),
        Fact(name="longest wait", value="–" if stream.max_delta_ms is None else f"{stream.max_delta_ms:.1f} ms"),
        Fact(name="payload types", value=", ".join(map(str, stream.payload_types))),
        Fact(name="SSRC", value=stream.ssrc),
    ]
    for name, count in (
        ("duplicates", stream.duplicates),
        ("reordered", stream.reordered),
        ("restarts", stream.restarts),
    ):
        if count:
            facts.append(Fact(name=name, value=str(count)))
    if stream.encrypted:
        facts.append(Fact(name="encrypted", value="SRTP"))
    return tuple(facts)


def _two(last: float | None, highest: float | None) -> str:
    return "–" if last is None or highest is None else f"{last:.2f} ms, {highest:.2f} ms"


def observed_tracks(leg: LegObservation, origin_s: float) -> tuple[Track, ...]:
    """What an agent measured, where there is no capture of it: from the answer on, of accepted sources."""
    answered_s = answer_s(leg, origin_s)
    return tuple(
        track
        for track in (_observed(leg, answered_s, sent=True), _observed(leg, answered_s, sent=False))
        if track is not None
    )


def answer_s(leg: LegObservation, origin_s: float) -> float:
    """When the call was answered; when it began, where it was not."""
    return leg.started_at + (leg.progress.answered_ms or 0.0) / 1000 - origin_s


def _observed(leg: LegObservation, answered_s: float, *, sent: bool) -> Track | None:
    rtp = leg.rtp_sent if sent else leg.rtp_received
    if rtp is None or rtp.packets is None:
        return None
    begin_s = answered_s + (rtp.first_ms or 0.0) / 1000
    end_s = answered_s + (rtp.last_ms or rtp.first_ms or 0.0) / 1000
    track = Track(
        name=name_of(leg.role, sent=sent),
        way=way_of(leg.role, sent=sent),
        hop=hop_of(leg.role),
        begin_s=begin_s,
        end_s=end_s,
        packets=rtp.packets,
        lost=rtp.lost,
        codec=leg.negotiated.codec if leg.negotiated else None,
        keys=_keys(leg.dtmf_sent if sent else leg.dtmf_received, answered_s),
        no_sound="no capture of this leg was kept",
    )
    return judged(track, leg, answered_s, sent=sent)


def judged(track: Track, leg: LegObservation, answered_s: float, *, sent: bool) -> Track:
    """A track with what the verdict was made of: the figures of the whole direction, sections, what was heard."""
    rtp = leg.rtp_sent if sent else leg.rtp_received
    facts = []
    if rtp is not None:
        for name, value, unit in (
            ("judged: packets", rtp.packets, ""),
            ("judged: lost packets", rtp.lost, ""),
            ("judged: media time", rtp.media_ms, " ms"),
            ("judged: media time lost", rtp.lost_ms, " ms"),
            ("judged: jitter, mean", rtp.jitter_ms, " ms"),
            ("judged: longest wait", rtp.max_gap_ms, " ms"),
        ):
            if value is not None:
                facts.append(Fact(name=name, value=f"{number(value)}{unit}"))
    spans = list(_sections(leg.sections, answered_s, track.end_s, sent=sent))
    if not sent:
        spans += _missing(leg, answered_s)
        spans += _heard(leg.heard, None if leg.call_key is None else identity_code(leg.call_key), answered_s)
    return replace(track, facts=(*track.facts, *facts), spans=(*track.spans, *spans))


def _keys(digits: Sequence[Digit], answered_s: float) -> tuple[Key, ...]:
    return tuple(
        Key(
            at_s=answered_s + (digit.at_ms or 0.0) / 1000,
            digit=digit.digit,
            length_ms=digit.duration_ms,
            method=digit.method.value,
            complete=digit.end_packets != 0,
        )
        for digit in digits
        if digit.at_ms is not None
    )


def _sections(sections: Sequence[Section], answered_s: float, end_s: float, *, sent: bool) -> list[Span]:
    known = [one for one in sections if one.begin_ms is not None]
    begins = [answered_s + (one.begin_ms or 0.0) / 1000 for one in known]
    return [
        Span(
            begin_s=begin_s,
            end_s=max(begin_s, until_s),
            kind=SpanKind.SECTION,
            label=_section_label(section, sent=sent),
        )
        for section, begin_s, until_s in zip(known, begins, [*begins[1:], end_s], strict=True)
    ]


def _section_label(section: Section, *, sent: bool) -> str:
    flows = section.sends if sent else section.receives
    return " ".join([section.codec or "no codec", section.protocol, "" if flows else "(on hold)"]).strip()


def _missing(leg: LegObservation, answered_s: float) -> list[Span]:
    return [
        Span(
            begin_s=answered_s + (gap.at_ms - gap.missing_ms) / 1000,
            end_s=answered_s + gap.at_ms / 1000,
            kind=SpanKind.SILENCE if gap.kind is GapKind.PAUSE else SpanKind.GAP,
            label=f"{number(gap.missing_ms)} ms of media are missing ({gap.kind.lower()})",
        )
        for gap in leg.gaps
        if gap.at_ms is not None and gap.kind is not GapKind.RESTART
    ]


def _heard(heard: Heard | None, own: int | None, answered_s: float) -> list[Span]:
    return [
        Span(
            begin_s=answered_s + stretch.begin_ms / 1000,
            end_s=answered_s + stretch.end_ms / 1000,
            kind=SpanKind.OWN if stretch.code is not None and stretch.code == own else SpanKind.OTHER,
            label=_heard_label(stretch, own),
        )
        for stretch in (heard.stretches if heard else ())
    ]


def _heard_label(stretch: Stretch, own: int | None) -> str:
    if stretch.code is None:
        return "other sound"
    return "this call's signal" if stretch.code == own else f"the signal of another call (code {stretch.code})"
