"""What the media records of a leg come to: when media may flow, and how much came and went (truth rule 9). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from agent.contract.expect import DtmfMethod
from agent.contract.media import MAX_SECTIONS, MAX_SOURCES, GapKind, Origin, Section, Source, audible
from agent.judge.call_leg import CallLeg
from agent.judge.spans import Span, length, meet, union
from agent.judge.words import listed, many
from agent.sip.sdp import STATIC

EVENT_TYPE = "telephone-event"
COMFORT_NOISE = 13
"""RFC 3389, whether the SDP has it or not."""
IN_FLIGHT = 25
"""Packets of what was in force before, that may come after a new offer and answer: half a second of audio."""
QUIET_MS = 200.0
"""Time without media, while numbers go on, that is silence rather than packets that a relay lost and numbered over."""
BESIDE_MS = 30.0
"""A packet, and its jitter: how far from a digit's own packets the audio begins and ends that it stands for."""
SETTLING_MS = 500.0
"""After a new offer and answer: what is sent then begins anew, at its own time."""


# When


def receiving(leg: CallLeg) -> list[Span]:
    """When its sections let the peer send to it, in ms since the answer, until the end of the call or of its hold."""
    return union(span for section, span in _sections(leg, leg.media_end_ms) if section.receives)


def sending(leg: CallLeg) -> list[Span]:
    """Likewise: when they let it send."""
    return union(span for section, span in _sections(leg, leg.media_end_ms) if section.sends)


def flow_ms(sender: CallLeg, receiver: CallLeg) -> float:
    """For how long the SDP at both ends let media flow from one to the other; each end by its own clock."""
    return length(meet(sending(sender), receiving(receiver)))


def unshared_ms(sender: CallLeg, receiver: CallLeg) -> float:
    """For how long the sender's SDP let it send what the other end was not there for, or was not to receive."""
    went = [span for section, span in _sections(sender, sender.call_ms) if section.sends]
    came = [span for section, span in _sections(receiver, receiver.call_ms) if section.receives]
    return length(went) - length(meet(went, came))


def _sections(leg: CallLeg, end_ms: float | None) -> list[tuple[Section, Span]]:
    """Each section in force between the answer and then, and when it was."""
    timed = [section for section in leg.leg.sections if section.begin_ms is not None]
    if end_ms is None or not timed:
        return []
    begins = [max(0.0, section.begin_ms or 0.0) for section in timed]
    ends = [*begins[1:], end_ms]
    return [(section, (begin, min(end, end_ms))) for section, begin, end in zip(timed, begins, ends, strict=True)]


# How much


@dataclass(frozen=True, slots=True, kw_only=True)
class Flowed:
    """All accepted sources of one direction, as one. Copies are no packets here."""

    packets: int
    lost: int
    """By sequence numbers."""
    media_ms: float | None
    """Audio in packets; None: of no source is that known."""
    lost_ms: float
    """Media time that is missing, and neither pause nor quiet."""
    quiet_ms: float
    """Media time that is missing in silence: see `quiet_ms`."""
    event_ms: float
    pause_ms: float
    restarts: int
    unnegotiated: int
    noise: int
    first_ms: float | None
    last_ms: float | None
    jitter_ms: float | None
    """Mean over all samples."""


def accepted(sources: Iterable[Source]) -> list[Source]:
    """Those whose media is the leg's."""
    return [source for source in sources if source.accepted and source.packets]


def may_be_uncounted(leg: CallLeg) -> bool:
    """Packets that found no room may be the leg's own; else they are strangers', who may be as many as they like.

    The tap tells of its own host's; of those that it counted, they may be where as many sections or sources are told as
    can be.
    """
    own = (len(accepted(leg.leg.received or ())), len(leg.leg.sent or ()))
    full = max(own) >= MAX_SOURCES or len(leg.leg.sections) >= MAX_SECTIONS
    return leg.leg.uncounted > 0 or (leg.leg.left_out > 0 and full)


def received(leg: CallLeg) -> Flowed | None:
    """What came from its accepted sources; None: not counted."""
    return None if leg.leg.received is None else _as_one(accepted(leg.leg.received), quiet_ms(leg))


def destinations(leg: CallLeg) -> str:
    """Where an end sent its media, in words."""
    return listed(dict.fromkeys(source.remote for source in accepted(leg.leg.sent or ()))) or "nowhere"


def sent(leg: CallLeg | None) -> Flowed | None:
    """What this end sent; None: not counted."""
    return None if leg is None or leg.leg.sent is None else _as_one(accepted(leg.leg.sent), 0.0)


def quiet_ms(leg: CallLeg) -> float:
    """Media time missing though no number is, for long or where media changed: a source that had nothing to say.

    RFC 3551 §4.1: it may stop sending while it is silent; the marker bit where it goes on is a SHOULD. One leg cannot
    tell that from media that was lost before it was numbered; both ends can, and then it is no excuse. Audio also
    stands still while digits come, though some send those as a source of their own.
    """
    digits = _digits_of_another_source(leg)
    begun = [section.begin_ms for section in leg.leg.sections if section.begin_ms is not None]
    return sum(
        gap.missing_ms
        for gap in leg.leg.gaps
        if gap.kind is GapKind.LOST and not gap.packets
        if gap.missing_ms >= QUIET_MS
        or (gap.at_ms is not None and any(0 <= gap.at_ms - begin_ms <= SETTLING_MS for begin_ms in begun))
        or (gap.at_ms is not None and bool(meet([(gap.at_ms - gap.missing_ms, gap.at_ms)], digits)))
    )


def _digits_of_another_source(leg: CallLeg) -> list[Span]:
    """When digits came, where an accepted source sent nothing but them (RFC 4733 §2.1 has them in the audio's)."""
    if not any(source.event_ms and not source.media_ms for source in accepted(leg.leg.received or ())):
        return []
    return [
        (digit.at_ms, digit.last_ms)
        for digit in leg.leg.dtmf_received
        if digit.at_ms is not None and digit.last_ms is not None
    ]


def digits_stand_for_ms(leg: CallLeg) -> float:
    """Media time missing, with its numbers, just where digits came whole whose own time is nowhere among the audio's.

    Who makes events of digits that came otherwise (Asterisk, of INFOs) may send them in the place of audio, and under
    numbers of their own; RFC 4733 §2.1 has them among the audio's. An event that is among these stands for no more.
    """
    whole = [
        (digit.at_ms, digit.last_ms, digit.duration_ms)
        for digit in leg.leg.dtmf_received
        if digit.method is DtmfMethod.RFC4733 and digit.end_packets
        if digit.at_ms is not None and digit.last_ms is not None and digit.duration_ms is not None
    ]
    lost = [
        (gap.at_ms - gap.missing_ms, gap.at_ms)
        for gap in leg.leg.gaps
        if gap.kind is GapKind.LOST and gap.packets and gap.at_ms is not None
    ]
    counted_ms = sum(source.event_ms or 0.0 for source in accepted(leg.leg.received or ()))
    elsewhere_ms = max(0.0, sum(duration_ms for _, _, duration_ms in whole) - counted_ms)
    stood_for_ms = sum(
        min(
            length(meet(lost, [(begin_ms - BESIDE_MS, end_ms + BESIDE_MS)])), duration_ms, end_ms - begin_ms + BESIDE_MS
        )
        for begin_ms, end_ms, duration_ms in whole
    )
    return min(stood_for_ms, elsewhere_ms)


def _as_one(sources: Iterable[Source], quiet_ms: float) -> Flowed:
    every = list(sources)
    media = [source.media_ms for source in every if source.media_ms is not None]
    firsts = [source.first_ms for source in every if source.first_ms is not None]
    lasts = [source.last_ms for source in every if source.last_ms is not None]
    return Flowed(
        packets=sum(source.packets - source.duplicates for source in every),
        lost=sum(source.lost for source in every),
        media_ms=sum(media) if media else None,
        lost_ms=max(0.0, sum(source.lost_ms or 0.0 for source in audible(every)) - quiet_ms),
        quiet_ms=quiet_ms,
        event_ms=sum(source.event_ms or 0.0 for source in every),
        pause_ms=sum(source.pause_ms or 0.0 for source in audible(every)),
        restarts=sum(source.restarts for source in every),
        unnegotiated=sum(source.unnegotiated for source in every),
        noise=sum(source.noise for source in every),
        first_ms=min(firsts, default=None),
        last_ms=max(lasts, default=None),
        jitter_ms=_mean_jitter_ms(every),
    )


def _mean_jitter_ms(sources: Iterable[Source]) -> float | None:
    known = [
        (source.jitter_ms, source.jitter_samples)
        for source in sources
        if source.jitter_ms is not None and isfinite(source.jitter_ms)
    ]
    samples = sum(count for _, count in known)
    return sum(mean * count for mean, count in known) / samples if samples else None


def nothing_came(leg: CallLeg) -> bool:
    """It is known that its peer sent it not one packet; strangers may have."""
    came = received(leg)
    return came is not None and not came.packets


def since_answer(leg: CallLeg) -> str:
    """For `no RTP`: since when, where there may have been some before (early media, of a 183's SDP)."""
    is_early = any(section.begin_ms is not None and section.begin_ms < 0 for section in leg.leg.sections)
    return " since the answer" if is_early else ""


def formats(leg: CallLeg, sources: Iterable[Source]) -> frozenset[str]:
    """What the audio in them was (`PCMU/8000`), by the sections' payload types; without those that they do not have."""
    return frozenset(
        format_
        for source in sources
        for payload_type in source.payload_types
        if (format_ := format_in(leg, source.section, payload_type)) is not None
    )


def packet_ms(leg: CallLeg, sources: Iterable[Source]) -> float | None:
    """How long a packet of audio in them is, on average, copies apart; None: there was none, or of no known clock."""
    media_ms, packets = 0.0, 0
    for source in sources:
        types = source.payload_types.items()
        packets += sum(count for number, count in types if format_in(leg, source.section, number)) - source.duplicates
        media_ms += source.media_ms or 0.0
    return media_ms / packets if media_ms and packets > 0 else None


def format_in(leg: CallLeg, index: int, payload_type: int) -> str | None:
    """What audio a payload type is in a section (`PCMU/8000`); None: none, or nothing says which."""
    section = _section(leg, index)
    name = None if section is None else section.types.get(payload_type)
    return name if name is not None and not name.lower().startswith((EVENT_TYPE, "cn/")) else None


def _section(leg: CallLeg, index: int) -> Section | None:
    """That section; the last one where there is none such."""
    if not leg.leg.sections:
        return None
    return leg.leg.sections[index if 0 <= index < len(leg.leg.sections) else -1]


def strange_types(leg: CallLeg) -> dict[int, str | None]:
    """Payload types that came and that its own SDP does not have, with what the peer's calls them; no comfort noise."""
    named: dict[int, str | None] = {}
    for source in accepted(leg.leg.received or ()):
        section = _section(leg, source.section)
        own, theirs = ({}, {}) if section is None else (section.types, section.theirs)
        for number in source.payload_types:
            if number not in own and number != COMFORT_NOISE:
                named[number] = theirs.get(number) or (str(STATIC[number]) if number in STATIC else None)
    return named


# Whose


def stranger_packets(leg: CallLeg) -> dict[str, int]:
    """By address: packets of sources whose media is not the leg's."""
    packets: dict[str, int] = {}
    for source in leg.leg.received or ():
        if source.packets and source.origin is Origin.STRANGER:
            packets[source.remote] = packets.get(source.remote, 0) + source.packets
    return packets


def strangers(leg: CallLeg) -> str | None:
    """Where the only media came from, in words, where none came from the peer; None: not so."""
    packets = stranger_packets(leg)
    if not packets or not nothing_came(leg):
        return None
    named = dict.fromkeys(section.remote for section in leg.leg.sections if section.remote is not None)
    seen = listed(f"{many(count, 'packet')} from {remote}" for remote, count in sorted(packets.items()))
    return f"no RTP from {' or '.join(named) or 'an address of the SDP'}, only {seen}, which the SDP does not name"
