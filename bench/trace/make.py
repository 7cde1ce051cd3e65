"""A capture of many calls, and what is true of it: losses, copies, late packets, wraps, digits, all drawn by a seed.

The truth is counted packet by packet, as plainly as the definitions are written, not by the library under test.
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

PACKETS_PER_STREAM: Final = 5000
START_NS: Final = 1_700_000_000_000_000_000
SPAN_S: Final = 900
RECORD: Final = 16 + 42 + 12 + 160
EVENT_TYPE: Final = 101
CHUNK: Final = 100_000
DIGITS: Final = "0123456789*#ABCD"


def columns(streams: int, seed: int) -> dict[str, np.ndarray]:
    """All RTP packets in arrival order, one array per field."""
    random = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    for stream in range(streams):
        count = PACKETS_PER_STREAM
        number = np.arange(count)
        stamp = int(random.integers(0, 1 << 32)) + 160 * number
        event, ticks, end = np.full(count, -1), np.zeros(count, np.int64), np.zeros(count, np.int64)
        for at in range(int(random.integers(100, 400)), count - 60, 220):
            length = int(random.integers(5, 25))
            event[at : at + length] = random.integers(0, 16)
            stamp[at : at + length] = stamp[at]
            ticks[at : at + length] = 160 * np.minimum(np.arange(length) + 1, length - 2)
            end[at + length - 3 : at + length] = 1
        sent_us = int(random.integers(0, SPAN_S * 1_000_000)) + 20_000 * number
        arrival_us = sent_us + random.integers(0, 6000, count)
        late = random.random(count) < 0.006
        arrival_us[late] += random.integers(15_000, 70_000, int(late.sum()))
        kept = random.random(count) >= 0.0176
        copies = np.flatnonzero(kept & (random.random(count) < 0.003))
        order = np.concatenate([np.flatnonzero(kept), copies])
        times = np.concatenate([arrival_us[kept], arrival_us[copies] + random.integers(10, 45_000, len(copies))])
        first = int(random.integers(0, 1 << 16))
        rows = np.stack(
            [times, np.full(len(order), stream), first + order, stamp[order], event[order], ticks[order], end[order]]
        )
        parts.append(rows)
    rows = np.concatenate(parts, axis=1)
    rows = rows[:, np.argsort(rows[0], kind="stable")]
    names = ("time_us", "stream", "sequence", "timestamp", "event", "ticks", "end")
    return dict(zip(names, rows, strict=True))


@dataclass
class Truth:
    """Of one stream."""

    packets: int = 0
    duplicates: int = 0
    reordered: int = 0
    seen: set[int] = field(default_factory=set)
    highest: int = -1
    last_us: int | None = None
    max_delta_us: int = 0
    audio: tuple[int, int] | None = None
    jitter_ms: float = 0.0
    max_jitter_ms: float = 0.0
    digits: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def add(self, packet: list[int]) -> None:
        """The next packet: fields as in `truth`."""
        time_us, sequence, timestamp, event, ticks, end = packet
        self.packets += 1
        self.duplicates += sequence in self.seen
        self.reordered += sequence < self.highest and sequence not in self.seen
        self.seen.add(sequence)
        self.highest = max(self.highest, sequence)
        if self.last_us is not None:
            self.max_delta_us = max(self.max_delta_us, time_us - self.last_us)
        self.last_us = time_us
        if event >= 0:
            digit = self.digits.setdefault((timestamp, event), [0, 0, 0])
            digit[0], digit[1], digit[2] = max(digit[0], ticks), digit[1] + 1, digit[2] + end
            return
        if self.audio is not None:
            difference = abs((time_us - self.audio[0]) / 1000 - (timestamp - self.audio[1]) / 8)
            self.jitter_ms += (difference - self.jitter_ms) / 16
            self.max_jitter_ms = max(self.max_jitter_ms, self.jitter_ms)
        self.audio = time_us, timestamp

    def document(self) -> dict[str, object]:
        """As in the answer, but digits as name, ticks, packets, packets with the E bit."""
        expected = max(self.seen) - min(self.seen) + 1
        return {
            "packets": self.packets,
            "expected": expected,
            "lost": expected - len(self.seen),
            "duplicates": self.duplicates,
            "reordered": self.reordered,
            "jitterMs": self.jitter_ms,
            "maxJitterMs": self.max_jitter_ms,
            "maxDeltaMs": self.max_delta_us / 1000,
            "digits": [[DIGITS[event], *values] for (_, event), values in self.digits.items()],
        }


def truth(rows: dict[str, np.ndarray], streams: int) -> list[dict[str, object]]:
    """By stream number."""
    found = [Truth() for _ in range(streams)]
    fields = [rows[name] for name in ("stream", "time_us", "sequence", "timestamp", "event", "ticks", "end")]
    for begin in range(0, len(fields[0]), CHUNK):
        for stream, *values in zip(*(one[begin : begin + CHUNK].tolist() for one in fields), strict=True):
            found[stream].add(values)
    return [one.document() for one in found]


def names(stream: int) -> tuple[str, str]:
    """Source and destination of a stream."""
    return f"10.1.{stream >> 8}.{stream & 255}:{4000 + 2 * (stream % 1000)}", f"10.2.{stream & 255}.{stream >> 8}:30000"


def ssrc(stream: int) -> int:
    return (stream * 2_654_435_761 + 12_345) & 0xFFFFFFFF


def write(path: Path, rows: dict[str, np.ndarray], seed: int) -> None:
    """As pcap: Ethernet, IPv4, UDP."""
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        for begin in range(0, len(rows["stream"]), CHUNK):
            part = {name: values[begin : begin + CHUNK] for name, values in rows.items()}
            matrix, lengths = _matrix(part, random)
            file.write(matrix[np.arange(RECORD) < lengths[:, None]].tobytes())


def _matrix(part: dict[str, np.ndarray], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    count, stream = len(part["stream"]), part["stream"]
    payload = np.where(part["event"] >= 0, 4, 160)
    out = np.zeros((count, RECORD), np.uint8)

    def put(at: int, values: np.ndarray | int, kind: str) -> None:
        column = np.broadcast_to(np.asarray(values), count).astype(kind)
        out[:, at : at + column.itemsize] = column.view(np.uint8).reshape(count, -1)

    total_us = START_NS // 1000 + part["time_us"]
    for at, values in ((0, total_us // 1_000_000), (4, total_us % 1_000_000), (8, 54 + payload), (12, 54 + payload)):
        put(at, values, "<u4")
    for at, values, kind in (
        (28, 0x0800, ">u2"),
        (30, 0x45, "u1"),
        (32, 40 + payload, ">u2"),
        (38, 64, "u1"),
        (39, 17, "u1"),
        (42, (10 << 24) + (1 << 16) + (stream >> 8 << 8) + (stream & 255), ">u4"),
        (46, (10 << 24) + (2 << 16) + ((stream & 255) << 8) + (stream >> 8), ">u4"),
        (50, 4000 + 2 * (stream % 1000), ">u2"),
        (52, 30000, ">u2"),
        (54, 20 + payload, ">u2"),
        (58, 0x80, "u1"),
        (59, np.where(part["event"] >= 0, EVENT_TYPE, 0), "u1"),
        (60, part["sequence"] & 0xFFFF, ">u2"),
        (62, part["timestamp"] & 0xFFFFFFFF, ">u4"),
        (66, ssrc(stream), ">u4"),
    ):
        put(at, values, kind)
    out[:, 70:] = random.integers(0, 256, (count, 160), np.uint8)
    events = part["event"] >= 0
    out[events, 70] = part["event"][events]
    out[events, 71] = 10 | part["end"][events] << 7
    out[events, 72], out[events, 73] = part["ticks"][events] >> 8, part["ticks"][events] & 255
    return out, 70 + payload


def make(folder: Path, streams: int, seed: int = 4) -> tuple[Path, Path]:
    """The capture and its truth, made when they are not there yet."""
    capture, facts = folder / f"{streams}-{seed}.pcap", folder / f"{streams}-{seed}.json"
    if not facts.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = columns(streams, seed)
        write(capture, rows, seed)
        known = [[*names(number), f"0x{ssrc(number):08x}", one] for number, one in enumerate(truth(rows, streams))]
        facts.write_text(json.dumps({"packets": len(rows["stream"]), "streams": known}))
    return capture, facts
