"""From counters to the document."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from agent.trace.model import Digit, Format, Stream, Warning  # noqa: A004  # the document's word
from agent.trace.streams.analysis import Analysis
from agent.trace.streams.digits import Digits
from agent.trace.streams.formats import COMFORT_NOISE, EVENT, EVENT_CLOCK_HZ, UNKNOWN

_TICK_NS: Final = 1e9 / EVENT_CLOCK_HZ


def stream_flows(analysis: Analysis) -> list[int]:
    """The flows that are RTP streams, in the order of `Trace.streams`."""
    flows = analysis.streams.flows
    sure = np.flatnonzero(flows.confirmed())
    return sure[np.argsort(flows.used["order"][sure], kind="stable")].tolist()  # type: ignore[no-any-return]


def results(analysis: Analysis) -> tuple[list[Stream], list[Digit], list[Warning]]:
    """Streams, the digits that belong to none, warnings."""
    numbers = stream_flows(analysis)
    infos, homeless = _info_digits(analysis, numbers)
    events = Digits(analysis.streams.flows)
    streams = [_stream(analysis, flow, events, infos.get(flow, [])) for flow in numbers]
    return streams, homeless, list(_warnings(analysis, numbers, events))


def _stream(analysis: Analysis, flow: int, events: Digits, infos: list[Digit]) -> Stream:
    row, meanings = analysis.streams.flows.rows[flow], analysis.streams.meanings
    sequence, jitter, rest = row["sequence"], row["jitter"], int(row["rest"])
    source, destination = endpoints(analysis, int(row["hosts"]), rest)
    packets, duplicates = int(sequence["packets"]), int(sequence["duplicates"])
    expected = _expected(sequence)
    audio = audio_type(analysis, flow)
    known = meanings.formats[int(row["heard"])]
    codec = known.get(audio) if audio is not None else None
    clock = codec.clock_rate_hz if codec else None
    encrypted = is_encrypted(analysis, flow)
    digits = [] if encrypted else events.of(flow, _never(row), 1e9 / clock if clock else _TICK_NS)
    if clock is None and audio is None:
        clock = _event_clock(analysis, flow)
    return Stream(
        src=source,
        dst=destination,
        ssrc=ssrc(rest),
        codec=codec.name if codec else None,
        payload_types=np.flatnonzero(analysis.streams.flows.by_type[flow]).tolist(),
        clock_rate_hz=clock,
        call_id=analysis.streams.calls.get(flow, (None, False))[0],
        start=int(row["first_ns"]) / 1e9,
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


def _expected(sequence: np.void) -> int:
    """counting.c's rtp_sequence_expected."""
    lives = [sequence["now"], *([sequence["aside"]] if sequence["beside"] else [])]
    return int(sequence["expected_before"]) + sum(int(life["highest"] - life["lowest"]) + 1 for life in lives)


def _never(row: np.void) -> int:
    """A bit for each payload type that was not declared, and is too long for an event."""
    low, high = row["not_event"].tolist()
    return int(low | high << 64)


def endpoints(analysis: Analysis, hosts: int, rest: int) -> tuple[str, str]:
    """Source and destination of a flow with these keys."""
    addresses = analysis.wire.addresses
    return addresses.endpoint(hosts & 0xFFFFFFFF, _port(rest)), addresses.endpoint(hosts >> 32, _port(rest >> 16))


def ssrc(rest: int) -> str:
    """Of a flow with this key, as the document has it."""
    return f"0x{int.from_bytes((rest >> 32).to_bytes(4, 'little'), 'big'):08x}"


def _port(rest: int) -> int:
    return (rest & 0xFF) << 8 | rest >> 8 & 0xFF


def is_event(analysis: Analysis, flow: int, payload_type: int) -> bool:
    """Whether the flow's packets of this type are RFC 4733 events, by SDP, else by their looks."""
    streams = analysis.streams
    row = streams.flows.rows[flow]
    kind = int(streams.meanings.kind[int(row["heard"]), payload_type])
    if kind != UNKNOWN:
        return kind == EVENT
    return payload_type >= 96 and not _never(row) >> payload_type & 1


def audio_type(analysis: Analysis, flow: int) -> int | None:
    """The payload type of most of a flow's audio; comfort noise only where there is nothing else."""
    counts = analysis.streams.flows.by_type[flow]
    types = [one for one in np.flatnonzero(counts).tolist() if not is_event(analysis, flow, one)]
    return max(types, key=lambda one: (one != COMFORT_NOISE, int(counts[one]), -one), default=None)


def is_encrypted(analysis: Analysis, flow: int) -> bool:
    """By SDP, or by DTLS between the same addresses and ports."""
    row = analysis.streams.flows.rows[flow]
    by_sdp = bool(analysis.streams.meanings.encrypted[int(row["heard"])])
    return by_sdp or (int(row["hosts"]), int(row["rest"]) & 0xFFFFFFFF) in analysis.dtls


def _formats(analysis: Analysis, flow: int) -> list[Format]:
    """What the flow's payload types mean, as far as that is known."""
    known = analysis.streams.meanings.formats[int(analysis.streams.flows.rows["heard"][flow])]
    return [known[one] for one in np.flatnonzero(analysis.streams.flows.by_type[flow]).tolist() if one in known]


def _event_clock(analysis: Analysis, flow: int) -> int:
    return next((one.clock_rate_hz for one in _formats(analysis, flow)), EVENT_CLOCK_HZ)


def _info_digits(analysis: Analysis, numbers: list[int]) -> tuple[dict[int, list[Digit]], list[Digit]]:
    """INFO digits by the stream that goes the same way; those of calls without one."""
    by_call: dict[str, list[int]] = {}
    for flow in numbers:
        if flow in analysis.streams.calls:
            by_call.setdefault(analysis.streams.calls[flow][0], []).append(flow)
    found: dict[int, list[Digit]] = {}
    homeless: list[Digit] = []
    for info in analysis.sip.digits:
        hosts = {flow: int(analysis.streams.flows.rows["hosts"][flow]) for flow in by_call.get(info.call_id, [])}
        same = [flow for flow, pair in hosts.items() if pair & 0xFFFFFFFF == info.source]
        if same:
            found.setdefault(same[0], []).append(info.digit)
        else:
            homeless.append(info.digit)
    return found, homeless


def _warnings(analysis: Analysis, numbers: list[int], events: Digits) -> Iterator[Warning]:
    flows = analysis.streams.flows
    yield from _changes(analysis, numbers)
    for flow in numbers:
        yield from _stream_warnings(analysis, flow)
        yield from _digit_warnings(analysis, flow, events)
    for code, count, message in (
        ("EventsCut", flows.cut_events, "packets of telephone events were cut before their payload (snap length)"),
        ("TooManyEvents", flows.refused_events, "packets of telephone events beyond a million digits are not shown"),
        ("TooManyAddresses", analysis.wire.addresses.refused, "packets of more addresses than are told apart"),
        ("TooManyFlows", flows.forgotten, "UDP flows that had not shown to be RTP were forgotten to save memory"),
        (
            "TooManyPayloadMaps",
            analysis.streams.meanings.refused,
            "SDPs with more different payload types than are remembered",
        ),
        (
            "FragmentsMissing",
            analysis.wire.internet.fragments.lost + analysis.wire.internet.fragments.open,
            "IP packets lacked fragments",
        ),
        ("SipOverTcpIncomplete", analysis.wire.tcp.lost, "times a piece of a SIP connection over TCP was missing"),
    ):
        if count:
            yield Warning(code=code, message=f"{count} {message}")


def _stream_warnings(analysis: Analysis, flow: int) -> Iterator[Warning]:
    row = analysis.streams.flows.rows[flow]
    sequence = row["sequence"]
    name = " to ".join(endpoints(analysis, int(row["hosts"]), int(row["rest"])))
    if 0.9 * int(sequence["packets"]) < 2 * int(sequence["duplicates"]):
        yield Warning(
            code="CapturedTwice",
            message=f"{name}: nearly every packet is there more than once: captured on several interfaces? "
            "Capture on one, duplicates, jitter and gaps then mean something",
        )
    if "red" in (one.name.lower() for one in _formats(analysis, flow)):
        yield Warning(
            code="RedundantAudio",
            message=f"{name}: packets of RFC 2198 (red) are counted, the digits inside them are not read",
        )
    if restarts := int(sequence["restarts"]):
        yield Warning(
            code="SourceRestarted",
            message=f"{name}: its source began its sequence numbers or timestamps anew, {restarts} times: nothing is "
            "counted as lost by that",
        )
    if jumps := int(sequence["jumps"]):
        yield Warning(
            code="SequenceJump",
            message=f"{name}: {jumps} steps of more than 3,000 sequence numbers, and its timestamps went with them: "
            "the capture has a hole, or its path had",
        )
    if sequence["forgotten_holes"]:
        yield Warning(
            code="TooManyGaps",
            message=f"{name}: more gaps than are remembered; what filled the oldest counts as duplicates",
        )


def _digit_warnings(analysis: Analysis, flow: int, events: Digits) -> Iterator[Warning]:
    row = analysis.streams.flows.rows[flow]
    name = " to ".join(endpoints(analysis, int(row["hosts"]), int(row["rest"])))
    moved, again = (0, 0) if is_encrypted(analysis, flow) else events.odd(flow)
    if moved:
        yield Warning(
            code="DigitTimestampsMove",
            message=f"{name}: {moved} digits follow unmarked on packets of the same one, under another timestamp: one "
            "press that its sender tells as several? (RFC 4733 §2.5.1.2: an event's packets have one timestamp)",
        )
    if again:
        yield Warning(
            code="DigitTimestampsStand",
            message=f"{name}: {again} times a marker bit came after a digit's end, under its timestamp: further "
            "presses that cannot be told apart? (RFC 4733 §2.5.1.2: each event has a timestamp of its own)",
        )


def _changes(analysis: Analysis, numbers: list[int]) -> Iterator[Warning]:
    """SSRCs that took over from others between the same addresses and ports."""
    flows = analysis.streams.flows
    last: dict[tuple[int, int], int] = {}
    changes: dict[tuple[int, int], int] = {}
    for flow in numbers:
        path = (int(flows.rows["hosts"][flow]), int(flows.rows["rest"][flow]) & 0xFFFFFFFF)
        if path in last:
            changes[path] = changes.get(path, 0) + 1
        last[path] = flow
    for (hosts, ports), count in changes.items():
        source, destination = endpoints(analysis, hosts, ports)
        yield Warning(code="SsrcChanged", message=f"{source} to {destination}: {count} changes of SSRC")
