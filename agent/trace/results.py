"""From counters to the document."""

from bisect import bisect_right
from typing import Final

import numpy as np

from agent.trace.flow_facts import audio_type, endpoints, formats, never, ssrc, start_s
from agent.trace.model import CallSide, Digit, Side, Stream, Warning  # noqa: A004  # the document's word
from agent.trace.notices import notices
from agent.trace.sealed import encryption
from agent.trace.streams.analysis import Analysis
from agent.trace.streams.digits import Digits

CLOCKS_HZ: Final = (8000, 16_000, 24_000, 32_000, 44_100, 48_000)
CLOCK_SLACK: Final = 0.03
MIN_PACE_NS: Final = 1_000_000_000
MIN_PACE_PACKETS: Final = 20


def stream_flows(analysis: Analysis) -> list[int]:
    """The flows that are RTP streams, in the order of `Trace.streams`."""
    flows = analysis.streams.flows
    sure = np.flatnonzero(flows.confirmed())
    return sure[np.argsort(flows.used["order"][sure], kind="stable")].tolist()  # type: ignore[no-any-return]


def results(analysis: Analysis) -> tuple[list[Stream], list[Digit], list[Warning]]:
    """Streams, the digits that belong to none, warnings."""
    numbers = stream_flows(analysis)
    infos, homeless = _info_digits(analysis, numbers)
    events = Digits(analysis.streams.flows, analysis.streams.senders)
    sealed = encryption(analysis, numbers)
    streams = [_stream(analysis, flow, events, infos.get(flow, []), encrypted=sealed[flow]) for flow in numbers]
    return streams, homeless, list(notices(analysis, numbers, events, sealed))


def _stream(analysis: Analysis, flow: int, events: Digits, infos: list[Digit], *, encrypted: bool | None) -> Stream:
    row, meanings = analysis.streams.flows.rows[flow], analysis.streams.meanings
    sequence, jitter, rest = row["sequence"], row["jitter"], int(row["rest"])
    source, destination = endpoints(analysis, int(row["hosts"]), rest)
    packets, duplicates = int(sequence["packets"]), int(sequence["duplicates"])
    expected = _expected(sequence)
    audio = audio_type(analysis, flow)
    known = meanings.formats[int(row["heard"])]
    codec = known.get(audio) if audio is not None else None
    clock = codec.clock_rate_hz if codec else None
    event_clock = clock or paced_clock_hz(row["pace"])
    digits = events.of(flow, never(row), 1e9 / event_clock if event_clock else None) if encrypted is False else []
    if clock is None and audio is None:
        clock = next((one.clock_rate_hz for one in formats(analysis, flow)), None)
    calls = _calls(analysis, flow)
    return Stream(
        src=source,
        dst=destination,
        ssrc=ssrc(rest),
        codec=codec.name if codec else None,
        payload_types=np.flatnonzero(analysis.streams.flows.by_type[flow]).tolist(),
        clock_rate_hz=clock,
        call_id=calls[0].call_id if calls else None,
        calls=calls,
        start=start_s(row),
        end=int(row["last_ns"]) / 1e9,
        packets=packets,
        expected=expected,
        lost=max(0, expected - (packets - duplicates)),
        duplicates=duplicates,
        reordered=int(sequence["reordered"]),
        restarts=int(sequence["restarts"]),
        jitter_ms=round(float(jitter["value_ns"]) / 1e6, 6) if codec else None,
        max_jitter_ms=round(float(jitter["max_ns"]) / 1e6, 6) if codec else None,
        max_delta_ms=int(row["max_delta_ns"]) / 1e6 if packets > 1 else None,
        encrypted=encrypted,
        digits=sorted([*digits, *infos], key=lambda digit: digit.start),
    )


def _calls(analysis: Analysis, flow: int) -> list[CallSide]:
    """Those that were answered first, then in the order of their begin."""
    members = sorted(
        analysis.streams.senders(flow), key=lambda one: (one[0].call.answered is None, one[0].call.began, one[0].number)
    )
    line = analysis.streams.lines.get(flow, 1)
    return [CallSide(call_id=leg.call.call_id, leg=leg.number, side=side, medium=line) for leg, side in members]


def paced_clock_hz(pace: np.void) -> int | None:
    """The clock of audio that no SDP tells of, by how fast its timestamps go; None where that is not clear."""
    if int(pace["ns"]) < MIN_PACE_NS or int(pace["packets"]) < MIN_PACE_PACKETS:
        return None
    rate_hz = int(pace["ticks"]) * 1e9 / int(pace["ns"])
    return next((one for one in CLOCKS_HZ if abs(rate_hz - one) <= CLOCK_SLACK * one), None)


def _expected(sequence: np.void) -> int:
    """counting.c's rtp_sequence_expected."""
    lives = [sequence["now"], *([sequence["aside"]] if sequence["beside"] else [])]
    return int(sequence["expected_before"]) + sum(int(life["highest"] - life["lowest"]) + 1 for life in lives)


def _info_digits(analysis: Analysis, numbers: list[int]) -> tuple[dict[int, list[Digit]], list[Digit]]:
    """INFO digits by the stream that the same side of the call sent then; those of sides without one."""
    by_side: dict[tuple[str, Side], list[int]] = {}
    for flow in numbers:
        for leg, side in analysis.streams.senders(flow):
            by_side.setdefault((leg.call.call_id, side), []).append(flow)
    starts = {key: [start_s(analysis.streams.flows.rows[flow]) for flow in flows] for key, flows in by_side.items()}
    found: dict[int, list[Digit]] = {}
    homeless: list[Digit] = []
    for info in analysis.sip.infos.digits():
        whose = (info.call_id, info.side)
        if whose in by_side:
            flow = by_side[whose][max(0, bisect_right(starts[whose], info.digit.start) - 1)]
            found.setdefault(flow, []).append(info.digit)
        else:
            homeless.append(info.digit)
    return found, homeless
