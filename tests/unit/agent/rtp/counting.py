"""Packets as the compiled counters take them, and what they make of one stream."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.trace.kernel import PACKET, Table
from agent.trace.streams.flows import Flows
from agent.trace.streams.formats import Meanings

PACKET_MS, TICKS = 20, 160
EVENTS = 101
MEANINGS = Meanings()


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One packet of PCMU, or of an event where `head` says so."""

    number: int
    timestamp: int
    at_ms: float
    marker: bool = False
    head: int = 0


def speech(
    count: int, *, number: int = 100, timestamp: int = 5000, at_ms: float = 0, marker: bool = False
) -> list[Sent]:
    """Packets without fault."""
    return [
        Sent(
            number=number + n,
            timestamp=timestamp + TICKS * n,
            at_ms=at_ms + PACKET_MS * n,
            marker=marker and n == 0,
        )
        for n in range(count)
    ]


def later(packets: Sequence[Sent], by_ms: float) -> list[Sent]:
    return [replace(packet, at_ms=packet.at_ms + by_ms) for packet in packets]


def table(packets: Sequence[Sent]) -> Table:
    """In order of arrival, as they stand where those are the same."""
    packets = sorted(packets, key=lambda packet: packet.at_ms)
    rows = np.zeros(len(packets), PACKET)
    rows["number"] = [packet.number & 0xFFFF for packet in packets]
    rows["timestamp"] = [packet.timestamp & 0xFFFFFFFF for packet in packets]
    rows["time_ns"] = [round(packet.at_ms * 1e6) for packet in packets]
    rows["event"] = [packet.marker for packet in packets]
    rows["head"] = [packet.head for packet in packets]
    is_event = rows["head"] > 0
    rows["payload_type"] = np.where(is_event, EVENTS, 0)
    rows["wire"] = rows["captured"] = np.where(is_event, 4, TICKS)
    return rows


def flows(packets: Sequence[Sent]) -> Flows:
    counted, rows = Flows(), table(packets)
    counted.add(rows, 0, len(rows), MEANINGS.columns, tell_new=False)
    return counted


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Of one stream."""

    expected: int
    lost: int
    duplicates: int
    reordered: int
    restarts: int
    jitter_ms: float = 0.0
    max_jitter_ms: float = 0.0


def counted(packets: Sequence[Sent]) -> Counted:
    row = flows(packets).rows[0]
    sequence = row["sequence"]
    lives = [sequence["now"], *([sequence["aside"]] if sequence["beside"] else [])]
    expected = int(sequence["expected_before"]) + sum(int(life["highest"] - life["lowest"]) + 1 for life in lives)
    return Counted(
        expected=expected,
        lost=expected - int(sequence["packets"] - sequence["duplicates"]),
        duplicates=int(sequence["duplicates"]),
        reordered=int(sequence["reordered"]),
        restarts=int(sequence["restarts"]),
        jitter_ms=float(row["jitter"]["value_ns"]) / 1e6,
        max_jitter_ms=float(row["jitter"]["max_ns"]) / 1e6,
    )
