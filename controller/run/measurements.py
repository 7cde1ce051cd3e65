"""From a verdict to the numbers of the last run that /metrics shows. Pure; what was not measured has no number."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from agent.contract.observation import LegObservation
from agent.contract.verdict import Result, Role
from agent.judge.overload import overload
from agent.judge.verdicts import CallVerdict, RunVerdict


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric; labels beside namespace and calltest."""

    metric: str
    labels: tuple[str, ...]
    value: float


def samples(verdict: RunVerdict) -> tuple[Sample, ...]:
    """All numbers of a run, per endpoint and call."""
    endpoint_names = {endpoint.endpoint: endpoint.name for endpoint in verdict.endpoints}
    groups: dict[tuple[str, str], list[CallVerdict]] = defaultdict(list)
    for call in verdict.calls:
        groups[endpoint_names[call.endpoint], call.call].append(call)
    found: list[Sample] = []
    for labels, calls in groups.items():
        found += _verdicts(labels, calls)
        found += _setup(labels, [call.caller for call in calls if call.caller])
        for role in Role:
            legs = [leg for call in calls if is_sound(call) and (leg := leg_of(call, role))]
            found += _media((*labels, role.value.lower()), legs)
    return tuple(found)


def leg_of(call: CallVerdict, role: Role) -> LegObservation | None:
    """What that end saw; None: nothing is known of it."""
    return call.caller if role is Role.CALLER else call.callee


def is_sound(call: CallVerdict) -> bool:
    """No agent of ours was overloaded while the media of the call ran: its loss would be ours (truth rule 3)."""
    legs = [leg for role in Role if (leg := leg_of(call, role))]
    return not any(overload(leg.health, leg.health.media.over_ms or 0.0) for leg in legs)


def _verdicts(labels: tuple[str, ...], calls: list[CallVerdict]) -> Iterator[Sample]:
    for result in Result:
        count = sum(call.result is result for call in calls)
        yield Sample("calltest_last_run_endpoint_calls", (*labels, result.value), count)


def _setup(labels: tuple[str, ...], legs: list[LegObservation]) -> Iterator[Sample]:
    """INVITE to final response, and to the first 18x, as the caller saw them on the wire."""
    answered = _seconds(leg.progress.answered_ms for leg in legs if leg.final_code is not None)
    ringing = _seconds(leg.progress.ringing_ms for leg in legs)
    yield from _mean_and_max("calltest_last_run_answer", labels, answered)
    yield from _mean_and_max("calltest_last_run_ringing", labels, ringing)


def _media(labels: tuple[str, ...], legs: list[LegObservation]) -> Iterator[Sample]:
    received = [leg.rtp_received for leg in legs if leg.rtp_received]
    counted = {
        "calltest_last_run_rtp_sent_packets": [leg.rtp_sent.packets for leg in legs if leg.rtp_sent],
        "calltest_last_run_rtp_received_packets": [rtp.packets for rtp in received],
    }
    for metric, counts in counted.items():
        known = [count for count in counts if count is not None]
        if known:
            yield Sample(metric, labels, sum(known))
    both = [(rtp.packets, rtp.lost) for rtp in received if rtp.packets is not None and rtp.lost is not None]
    expected = sum(packets + lost for packets, lost in both)
    if expected > 0:
        # RFC 3550 A.3: lost ÷ expected.
        yield Sample("calltest_last_run_rtp_loss_ratio", labels, sum(lost for _, lost in both) / expected)
    yield from _mean_and_max("calltest_last_run_rtp_jitter", labels, _seconds(rtp.jitter_ms for rtp in received))
    yield from _mean_and_max("calltest_last_run_rtcp_round_trip", labels, _seconds(leg.rtt_ms for leg in legs))


def _seconds(values_ms: Iterable[float | None]) -> list[float]:
    return [value / 1000 for value in values_ms if value is not None]


def _mean_and_max(metric: str, labels: tuple[str, ...], values_s: list[float]) -> Iterator[Sample]:
    if values_s:
        yield Sample(f"{metric}_seconds", labels, fmean(values_s))
        yield Sample(f"{metric}_max_seconds", labels, max(values_s))


CALL_LABELS = ("replica", "call")
LEG_LABELS = (*CALL_LABELS, "leg")
METRICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "calltest_last_run_endpoint_calls": ("Calls of the last run, by verdict.", (*CALL_LABELS, "result")),
    "calltest_last_run_answer_seconds": ("INVITE sent to final response received, mean.", CALL_LABELS),
    "calltest_last_run_answer_max_seconds": ("The same, longest.", CALL_LABELS),
    "calltest_last_run_ringing_seconds": ("INVITE sent to first 18x received, mean.", CALL_LABELS),
    "calltest_last_run_ringing_max_seconds": ("The same, longest.", CALL_LABELS),
    "calltest_last_run_rtp_sent_packets": ("RTP packets that this leg's agent sent.", LEG_LABELS),
    "calltest_last_run_rtp_received_packets": ("RTP packets that this leg's agent received.", LEG_LABELS),
    "calltest_last_run_rtp_loss_ratio": (
        "Lost ÷ expected RTP packets received by this leg (RFC 3550 A.3).",
        LEG_LABELS,
    ),
    "calltest_last_run_rtp_jitter_seconds": (
        "Interarrival jitter received by this leg (RFC 3550 A.8), mean.",
        LEG_LABELS,
    ),
    "calltest_last_run_rtp_jitter_max_seconds": ("The same, the call with the highest mean.", LEG_LABELS),
    "calltest_last_run_rtcp_round_trip_seconds": ("Round trip time from RTCP, mean.", LEG_LABELS),
    "calltest_last_run_rtcp_round_trip_max_seconds": ("The same, longest.", LEG_LABELS),
}
"""Help and labels (beside namespace and calltest) of every metric that `samples` gives. A replica is an endpoint's pod,
or its address: `endpoint` is a label that Prometheus' operator writes itself."""
