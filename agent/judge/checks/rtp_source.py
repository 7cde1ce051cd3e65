"""rtpSource: media came from where the SDP says, where a test insists on it."""

from typing import Final

from agent.contract.expect import ExpectLeg, MediaSource
from agent.contract.media import Origin
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row
from agent.judge.media import accepted, strangers
from agent.judge.words import listed, many


def _asked(expect: ExpectLeg) -> str | None:
    if expect.rtp is None or expect.rtp.source is not MediaSource.SIGNALLED:
        return None
    return "media from the address of the SDP"


def _leg(leg: CallLeg) -> list[Finding]:
    """Symmetric RTP behind a NAT is common, and no SDP can name it: only who asks for it has it judged."""
    expected = _asked(leg.expect)
    if expected is None:
        return []
    if leg.leg.received is None:
        note = "what came was not counted"
        return [leg.finding(Check.RTP_SOURCE, Reason.NOT_MEASURED, expected=expected, note=note)]
    packets: dict[str, int] = {}
    for source in accepted(leg.leg.received):
        if source.origin is not Origin.SIGNALLED:
            packets[source.remote] = packets.get(source.remote, 0) + source.packets
    others = listed(f"{many(count, 'packet')} from {remote}" for remote, count in sorted(packets.items()))
    observed = others or strangers(leg)
    if not observed:
        return []
    named = listed(dict.fromkeys(section.remote for section in leg.leg.sections if section.remote), "or")
    wanted = f"RTP from {named}, as the SDP says" if named else expected
    return [leg.finding(Check.RTP_SOURCE, Reason.UNSIGNALLED_SOURCE, expected=wanted, observed=observed)]


RULE: Final = CheckRule(
    check=Check.RTP_SOURCE,
    asked=_asked,
    leg=_leg,
    media=True,
    rows=(
        Row(
            reason=Reason.UNSIGNALLED_SOURCE,
            meaning="media came from another port or address than the SDP's, though `rtp.source: Signalled` is asked",
            seen="RTP from an address or port that no SDP in force names, and `rtp.source: Signalled` asks for one "
            "that it names.",
            usually="Symmetric RTP behind a NAT; a relay that sends from another port or interface than it "
            "advertises; media that goes around the relay.",
            look="Which host that address is; the relay's advertised address and interfaces. Without `Signalled` it "
            "is a note.",
        ),
    ),
    subject="source of media",
    sentence="{leg} received {observed}, expected {expected}",
    on="that leg",
    asked_by="`rtp.source: Signalled`",
    holds="media of the leg comes from an address of the SDP in force (strangers' beside it is not the leg's)",
)
