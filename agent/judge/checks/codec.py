"""codec: what offer and answer agreed on, and what came, is the codec that a test asks for (RFC 3264 §6.1, §7)."""

from collections.abc import Iterator
from typing import Final

from agent.contract.codecs import Codec
from agent.contract.expect import ExpectLeg
from agent.contract.media import Section
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks import answered
from agent.judge.checks.check import CheckRule, Row
from agent.judge.ends import CallEnds
from agent.judge.media import IN_FLIGHT, accepted, format_in, may_be_uncounted
from agent.judge.offers import is_of, may_be_offered, offered, untakeable
from agent.judge.refusals import REFUSALS
from agent.judge.words import UNNAMED, joined, listed, many, spoken


def _asked(expect: ExpectLeg) -> str | None:
    return None if expect.codec is None else str(expect.codec)


def _leg(leg: CallLeg) -> list[Finding]:
    if not leg.answered:
        return _refused(leg)
    wanted = leg.expect.codec
    if wanted is None:
        return []
    if not leg.knew_its_media:
        return [_found(leg, Reason.NOT_MEASURED, str(wanted), None, UNNAMED)]
    agreed = list(_answered(leg))
    if not agreed:
        return [_found(leg, Reason.NOT_MEASURED, str(wanted), None, "no offer and answer of audio was seen")]
    return _agreed(leg, wanted, agreed) or list(_came(leg, wanted, agreed)) or _uncounted(leg, wanted, agreed)


def _answered(leg: CallLeg) -> Iterator[tuple[int, Section]]:
    """The sections since the answer that have a codec."""
    for index, section in enumerate(leg.leg.sections):
        if section.begin_ms is not None and section.begin_ms >= 0 and section.codec is not None:
            yield index, section


def _found(leg: CallLeg, reason: Reason, expected: str, observed: str | None, *notes: str | None) -> Finding:
    return leg.finding(Check.CODEC, reason, expected=expected, observed=observed, note=joined(*notes))


# A call that was not answered


def _refused(leg: CallLeg) -> list[Finding]:
    """For its codecs: by this callee's own stack, as the test has it do, or by the other side."""
    code = leg.leg.final_code
    if leg.leg.role is Role.CALLEE:
        wanted = untakeable(leg)
        itself = f"this agent answered {spoken(code or 0, leg.leg.final_phrase)} to it"
        return [] if wanted is None else [_found(leg, Reason.CODEC_NOT_OFFERED, wanted, offered(leg), itself)]
    is_secure = leg.leg.offered is not None and leg.leg.offered.is_secure
    if leg.expect.codec is None or code not in REFUSALS or is_secure or leg.call.group.expect.takes(code):
        return []
    observed = spoken(code, leg.leg.final_phrase)
    expected = f"an answer of {leg.expect.codec}"
    return [_found(leg, Reason.CODEC_REFUSED, expected, observed, f"to {offered(leg)}", *leg.leg.asked.why)]


# What was agreed on, and what came


def _agreed(leg: CallLeg, wanted: Codec, agreed: list[tuple[int, Section]]) -> list[Finding]:
    """Of the first section that has another one."""
    other = next((section for _, section in agreed if not is_of(wanted, _format(section))), None)
    if other is None:
        return []
    if leg.leg.role is Role.CALLEE and leg.leg.codecs_offered and not may_be_offered(leg, (wanted,)):
        return [_found(leg, Reason.CODEC_NOT_OFFERED, f"an offer of {wanted}", offered(leg))]
    return [_found(leg, Reason.CODEC_MISMATCH, str(wanted), _format(other), f"of {offered(leg)}")]


def _format(section: Section) -> str:
    """Whatever case the answer has its name in."""
    name = (section.codec or "").lower()
    named = (one for one in section.types.values() if one.partition("/")[0].lower() == name)
    return next(named, f"{section.codec}/{section.clock_hz}")


def _came(leg: CallLeg, wanted: Codec, agreed: list[tuple[int, Section]]) -> Iterator[Finding]:
    """Packets of another codec that was agreed on too: legal, and not what the test asks for."""
    for index, _ in agreed:
        packets = _packets(leg, index)
        others = {name: count for name, count in packets.items() if not is_of(wanted, name)}
        if sum(others.values()) > (IN_FLIGHT if index else 0):
            said = listed(f"{many(count, 'packet')} of {name}" for name, count in sorted(others.items()))
            yield _found(leg, Reason.UNEXPECTED_CODEC, str(wanted), f"{said}, of {sum(packets.values())}")
            return


def _uncounted(leg: CallLeg, wanted: Codec, agreed: list[tuple[int, Section]]) -> list[Finding]:
    """What was agreed on is no more than half of what is asked, where something was to come."""
    counted = not any(section.receives for _, section in agreed) or any(_packets(leg, index) for index, _ in agreed)
    if counted and leg.leg.received is not None and not may_be_uncounted(leg):
        return []
    note = "it was agreed on; what came is not known, or not all of it"
    return [_found(leg, Reason.NOT_MEASURED, str(wanted), None, note)]


def _packets(leg: CallLeg, index: int) -> dict[str, int]:
    """How many of each format of audio came in a section."""
    counted: dict[str, int] = {}
    for source in accepted(leg.leg.received or ()):
        for payload_type, packets in source.payload_types.items() if source.section == index else ():
            if (name := format_in(leg, index, payload_type)) is not None:
                counted[name] = counted.get(name, 0) + packets
    return counted


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """A refusal may be our own callee's, as that of any other call."""
    return answered.attribute(ends, finding) if finding.reason is Reason.CODEC_REFUSED else finding


RULE: Final = CheckRule(
    check=Check.CODEC,
    asked=_asked,
    leg=_leg,
    attribute=_attribute,
    rows=(
        Row(
            reason=Reason.CODEC_NOT_OFFERED,
            meaning="the INVITE that reached the callee offers no codec that it is to have: it was lost on the way, or "
            "was to be made there",
            seen="The SDP of the INVITE that came to the callee does not offer the codec of `expect.callee.codec`, or, "
            "where the callee refused it, any of those in the callee's `media.codecs`. `observed` has what it offers.",
            usually="A proxy, SBC or relay takes codecs out (`sdp_remove_codecs_by_name`, `codec-strip`), or does not "
            "add the one that it is to transcode to (`codec-transcode`).",
            look="`m=audio` and `a=rtpmap` of the INVITE on both sides of each hop.",
        ),
        Row(
            reason=Reason.CODEC_REFUSED,
            meaning="the caller's offer was refused with 415, 488 or 606, where the test asks for a codec",
            seen="The caller's INVITE offered its `media.codecs`, and its final response says that none of them can be "
            "taken. Where the call reached our callee, the note says what that one was offered.",
            usually="The SUT, or the account or trunk of the call, has no codec in common with the offer, or does not "
            "transcode.",
            look="The Warning that the note quotes; the codecs that the SUT allows on that side.",
        ),
        Row(
            reason=Reason.CODEC_MISMATCH,
            meaning="offer and answer agreed on another codec than the test asks for",
            seen="The first audio codec of the answer is another one than `expect.<leg>.codec`, in the first answer of "
            "the call or in that of a re-INVITE.",
            usually="The SUT prefers another codec than the caller does, puts them into another order on the way, or "
            "answers with what it has.",
            look="The order of the codecs in the INVITE and in the 200, on both sides of each hop.",
        ),
        Row(
            reason=Reason.UNEXPECTED_CODEC,
            meaning="RTP came in another codec than the test asks for, though that one was agreed on first",
            seen="Packets came whose payload type is that of another codec in the SDP. That is legal (RFC 3264 §7), "
            "and not what the test asks for.",
            usually="A relay or PBX that sends with the codec of its other side, or changes codec in the middle of "
            "a call.",
            look="A capture at the agent (evidence): from when on, and by which SSRC; several codecs in the answer.",
        ),
    ),
    subject="codec",
    sentence="{leg} got {observed}, expected {expected}",
    on="that leg",
    asked_by="`codec`; of a callee's refusal its `media.codecs`",
    holds="it is what offer and answer agree on, each time, and all audio that comes is of it",
)
