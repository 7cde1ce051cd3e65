"""The definitions of model.Stream once more, one packet after the other and as plainly as can be."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.unit.agent.trace.wire import Packet

EVENT_TYPE, UNKNOWN_TYPE = 101, 97


@dataclass
class Truth:
    """Of one stream; events have payload type 101, the clock is 8000 Hz, but 97's is not known."""

    packets: int = 0
    duplicates: int = 0
    reordered: int = 0
    seen: set[int] = field(default_factory=set)
    last: int = 0
    times_ns: list[int] = field(default_factory=list)
    audio: tuple[int, int] | None = None
    jitter_ms: float = 0.0
    max_jitter_ms: float = 0.0

    @property
    def expected(self) -> int:
        return max(self.seen) - min(self.seen) + 1

    @property
    def lost(self) -> int:
        return self.expected - len(self.seen)

    @property
    def max_delta_ms(self) -> float | None:
        steps = [(b - a) / 1e6 for a, b in zip(self.times_ns, self.times_ns[1:], strict=False)]
        return max(0.0, *steps) if steps else None

    def add(self, packet: Packet) -> None:
        _, kind, sequence, timestamp, _ = struct.unpack_from(">BBHII", packet.payload)
        number = sequence if not self.seen else self.last + _signed(sequence - self.last, 16)
        self.packets += 1
        self.duplicates += number in self.seen
        self.reordered += bool(self.seen) and number < max(self.seen) and number not in self.seen
        self.seen.add(number)
        self.last = number
        self.times_ns.append(packet.time_ns)
        if kind & 0x7F in {EVENT_TYPE, UNKNOWN_TYPE}:
            return
        if self.audio is not None:
            waited_ms = (packet.time_ns - self.audio[0]) / 1e6
            difference = abs(waited_ms - _signed(timestamp - self.audio[1], 32) / 8)
            self.jitter_ms += (difference - self.jitter_ms) / 16
            self.max_jitter_ms = max(self.max_jitter_ms, self.jitter_ms)
        self.audio = packet.time_ns, timestamp


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def truth(packets: Iterable[Packet]) -> dict[tuple[str, str, str], Truth]:
    """By source, destination and SSRC, in the order of their first packets."""
    streams: dict[tuple[str, str, str], Truth] = {}
    for packet in packets:
        ssrc = f"0x{packet.payload[8:12].hex()}"
        key = (f"{packet.src}:{packet.sport}", f"{packet.dst}:{packet.dport}", ssrc)
        streams.setdefault(key, Truth()).add(packet)
    return streams
