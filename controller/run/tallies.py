"""What a run adds to the counters and histograms of its test. Pure; what was not measured adds nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.contract.observation import LegObservation
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.overload import Excuse, call_troubles
from agent.judge.reasons import result_of
from agent.judge.verdicts import CallVerdict, RunVerdict
from controller.run.measurements import Sample, is_sound, leg_of

CALL_LABELS = ("call",)
LEG_LABELS = (*CALL_LABELS, "leg")
COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "calltest_runs": ("Finished runs.", ("result",)),
    "calltest_calls": ("Judged calls.", (*CALL_LABELS, "result")),
    "calltest_findings": (
        "Checks that did not pass, by their reason; of check run: why there were no calls.",
        ("check", "reason", "result"),
    ),
    "calltest_runs_skipped": ("Slots of the schedule that were not run.", ("reason",)),
    "calltest_rtp_expected_packets": ("RTP packets that were to come to this leg (RFC 3550 A.3).", LEG_LABELS),
    "calltest_rtp_lost_packets": ("Those of them that did not come.", LEG_LABELS),
}
"""Help and labels (beside namespace and calltest) of every counter; a sample's value is what is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of a histogram."""

    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...]
    """Upper bounds, without the last one: infinity."""


SETUP_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From a proxy beside us to the longest time that people let it ring; RFC 3261's T1 is a bound."""
JITTER_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""20 and 30 ms are bounds that people set."""
LOSS_BUCKETS = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
"""The first one: not one packet was lost."""
ROUND_TRIP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.3, 0.5, 1.0)
"""ITU-T G.114 allows 0.15 s one way, 0.3 s there and back."""
HISTOGRAMS: Mapping[str, Shape] = {
    "calltest_call_answer_duration_seconds": Shape(
        help="INVITE sent to final response received.", labels=CALL_LABELS, buckets=SETUP_BUCKETS_S
    ),
    "calltest_call_ringing_duration_seconds": Shape(
        help="INVITE sent to first 18x received.", labels=CALL_LABELS, buckets=SETUP_BUCKETS_S
    ),
    "calltest_rtp_jitter_seconds": Shape(
        help="Mean interarrival jitter of a call, received by this leg (RFC 3550 A.8).",
        labels=LEG_LABELS,
        buckets=JITTER_BUCKETS_S,
    ),
    "calltest_rtp_loss_ratio": Shape(
        help="Lost ÷ expected RTP packets of a call, received by this leg (RFC 3550 A.3).",
        labels=LEG_LABELS,
        buckets=LOSS_BUCKETS,
    ),
    "calltest_rtcp_round_trip_seconds": Shape(
        help="Round trip time of a call, from RTCP.", labels=LEG_LABELS, buckets=ROUND_TRIP_BUCKETS_S
    ),
}
"""Of every call of every run; a sample's value is one observation."""


def counted(result: Result, reason: Reason | None, verdict: RunVerdict | None) -> Iterator[Sample]:
    """What a finished run adds to counters. `verdict`: None where there were no agents, and `reason` says why."""
    yield Sample("calltest_runs", (result.value,), 1)
    if verdict is None:
        if reason is not None:
            yield _finding(Check.RUN, reason)
        return
    for item in verdict.items:
        for finding in item.findings:
            yield _finding(finding.check, finding.reason)
    for call in verdict.calls:
        yield Sample("calltest_calls", (call.call, call.result.value), 1)
        for labels, leg in _legs(call):
            expected, lost = _packets(leg)
            if expected is not None and lost is not None:
                yield Sample("calltest_rtp_expected_packets", labels, expected)
                yield Sample("calltest_rtp_lost_packets", labels, lost)


def observed(verdict: RunVerdict) -> Iterator[Sample]:
    """What a finished run adds to histograms, call by call."""
    for call in verdict.calls:
        if call.caller is not None and _is_punctual(call):
            yield from _setup((call.call,), call.caller)
        for labels, leg in _legs(call):
            yield from _media(labels, leg)


def _finding(check: Check, reason: Reason) -> Sample:
    return Sample("calltest_findings", (check.value, reason.value, result_of(reason).value), 1)


def _is_punctual(call: CallVerdict) -> bool:
    """No agent of ours was so late that the answer was, too."""
    legs = [leg for role in Role if (leg := leg_of(call, role))]
    return not any(Excuse.LATE in call_troubles(leg.health, leg.health.media.over_ms or 0.0) for leg in legs)


def _legs(call: CallVerdict) -> Iterator[tuple[tuple[str, str], LegObservation]]:
    """Those whose media is worth counting, with their labels."""
    for role in Role if is_sound(call) else ():
        leg = leg_of(call, role)
        if leg is not None:
            yield (call.call, role.value.lower()), leg


def _packets(leg: LegObservation) -> tuple[int | None, int | None]:
    """Expected and lost; None where that was not counted, or nothing was to come."""
    rtp = leg.rtp_received
    if rtp is None or rtp.packets is None or rtp.lost is None or rtp.packets + rtp.lost == 0:
        return None, None
    return rtp.packets + rtp.lost, rtp.lost


def _setup(labels: tuple[str, ...], leg: LegObservation) -> Iterator[Sample]:
    times = leg.progress
    if leg.final_code is not None and times.answered_ms is not None:
        yield Sample("calltest_call_answer_duration_seconds", labels, times.answered_ms / 1000)
    if times.ringing_ms is not None:
        yield Sample("calltest_call_ringing_duration_seconds", labels, times.ringing_ms / 1000)


def _media(labels: tuple[str, ...], leg: LegObservation) -> Iterator[Sample]:
    expected, lost = _packets(leg)
    if expected is not None and lost is not None:
        yield Sample("calltest_rtp_loss_ratio", labels, lost / expected)
    if leg.rtp_received is not None and leg.rtp_received.jitter_ms is not None:
        yield Sample("calltest_rtp_jitter_seconds", labels, leg.rtp_received.jitter_ms / 1000)
    if leg.rtt_ms is not None:
        yield Sample("calltest_rtcp_round_trip_seconds", labels, leg.rtt_ms / 1000)
