"""One stream's audio on its true timeline: a file of 16-bit samples where each packet is in its place.

RTP timestamps say where a packet belongs, its arrival time bounds what they may claim. What no packet filled (loss,
digits, pauses) is a hole of the file, which reads as silence and takes no room on the disk.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from agent.trace.audio.codecs import DamagedPayloadError, Decoder, NoDecoderError, Samples, decoder
from agent.trace.model import Format, RtpPackets

REORDER_PACKETS: Final = 64
"""A packet that comes later than this many others is left out: decoders with a memory need the order."""
RESTART_PACKETS: Final = 1000
"""Two packets in a row that are this far behind are a sender that began anew (RFC 3550 A.1)."""
MAX_DRIFT_S: Final = 10.0
"""Where timestamps and arrival times part by more than this, the arrival times are believed."""
MAX_SILENCE_S: Final = 600.0
"""A longer gap is shortened to this: neither a timestamp nor a clock that jumps may make a file of any size."""
MAX_NOISE_S: Final = 20.0
"""A packet of comfort noise is heard this long, unless another follows sooner: it is not to make a file of any size."""
COMFORT_NOISE: Final = "CN"
MAX_SAMPLES: Final = 1 << 30
"""As a stereo WAV file the most that its header can say: 37 h at 8 kHz."""
OVERLOAD: Final = 8031 * 4
"""0 dBov as 16 bits have it: the square wave of RFC 3389 §3, whose root mean square this is."""
NOISE_BLOCK: Final = 1 << 16
SRTP_SURPLUS_BYTES: Final = range(4, 33)
"""What SRTP adds to each payload: tag and key index (RFC 3711 §3.1, RFC 7714 §12)."""


class _Packet(NamedTuple):
    sequence: int
    timestamp: int
    arrival_ns: int
    form: Format | None
    payload_type: int
    payload: bytes


class _Noise(NamedTuple):
    """Comfort noise, until the next packet."""

    position: int
    amplitude: float


class _Anchor(NamedTuple):
    """A packet whose place is settled: the others are counted from it."""

    position: int
    timestamp: int
    arrival_ns: int
    clock_rate_hz: int


@dataclass(slots=True)
class Faults:
    """What keeps a track from being all that was said."""

    undecoded: Counter[str]
    """Packets, by why there is no decoder."""
    damaged: int = 0
    """Packets that are not what their format says."""
    late: int = 0
    """Packets left out because they came more than REORDER_PACKETS late."""
    shortened: int = 0
    """Gaps of more than MAX_SILENCE_S."""
    beyond: int = 0
    """Packets after MAX_SAMPLES."""
    looks_encrypted: bool = False
    """Payloads are longer than the time they are for, by what SRTP adds: none was decoded."""


class Track:
    """Takes one stream's packets and fills its file; memory does not grow with the stream."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sample_rate_hz = 0
        """0 until something was decoded."""
        self.start_ns = 0
        """Nanoseconds since 1970 of the first sample."""
        self.samples = 0
        self.packets = 0
        """That were given, digits and copies included."""
        self.faults = Faults(Counter())
        self._decoders: dict[Format, Decoder | str] = {}
        self._pending: list[_Packet] = []
        self._highest: int | None = None
        self._behind: int | None = None
        self._seen: set[int] = set()
        self._taken: int | None = None
        self._anchor: _Anchor | None = None
        self._anew = True
        self._plain = False
        self._noise: _Noise | None = None
        self._dice = np.random.default_rng(0)

    def add(self, packets: RtpPackets) -> None:
        """Takes consecutive arrivals."""
        self.packets += len(packets.payloads)
        columns = (packets.sequence, packets.timestamp, packets.arrival_ns, packets.payload_type, packets.is_event)
        rows = zip(*(column.tolist() for column in columns), packets.payloads, strict=True)
        for sequence, timestamp, arrival_ns, payload_type, is_event, payload in rows:
            if self._restarts(sequence):
                self._begin_anew(sequence - 1)
            self._highest = sequence if self._highest is None else max(self._highest, sequence)
            if not is_event:
                form = packets.formats.get(payload_type)
                self._pending.append(_Packet(sequence, timestamp, arrival_ns, form, payload_type, payload))
        highest = self._highest or 0
        self._drain(sum(packet.sequence <= highest - REORDER_PACKETS for packet in self._pending))

    def finish(self) -> None:
        """After the last packet."""
        self._drain(len(self._pending))

    def read(self, start: int, count: int) -> Samples:
        """Samples of the finished track; silence outside of it."""
        sound = np.zeros(count, np.int16)
        first, last = max(start, 0), min(start + count, self.samples)
        if first < last:
            with self.path.open("rb") as file:
                file.seek(2 * first)
                read = np.frombuffer(file.read(2 * (last - first)), "<i2")
            sound[first - start : first - start + len(read)] = read
        return sound

    def blocks(self, size: int) -> Iterator[Samples]:
        """The finished track from its beginning to its end."""
        return (self.read(at, min(size, self.samples - at)) for at in range(0, self.samples, size))

    def _restarts(self, sequence: int) -> bool:
        far = self._highest is not None and sequence < self._highest - RESTART_PACKETS
        restarts = far and sequence == self._behind
        self._behind = sequence + 1 if far and not restarts else None
        return restarts

    def _begin_anew(self, first: int) -> None:
        """From this sequence number on, which is pending already."""
        anew = [packet for packet in self._pending if packet.sequence == first]
        self._pending = [packet for packet in self._pending if packet.sequence != first]
        self._drain(len(self._pending))
        self._seen.clear()
        self._taken, self._highest, self._pending, self._anew = None, first, anew, True

    def _drain(self, count: int) -> None:
        """Decodes and writes the pending packets with the lowest sequence numbers."""
        self._pending.sort(key=lambda packet: packet.sequence)
        if not self._plain and self._pending and not self.faults.looks_encrypted:
            surplus = srtp_surplus(self._pending, self._decoders_of(self._pending))
            self._plain, self.faults.looks_encrypted = surplus is False, bool(surplus)
        ready, self._pending = self._pending[:count], self._pending[count:]
        if not ready or self.faults.looks_encrypted:
            return
        with self.path.open("r+b" if self.samples else "wb") as file:
            for position, parts in _runs(self._sounds(ready)):
                self._write(file, position, np.concatenate(parts))

    def _decoders_of(self, packets: Sequence[_Packet]) -> Mapping[Format, Decoder]:
        for form in {packet.form for packet in packets} - {None, *self._decoders}:
            assert form is not None
            try:
                self._decoders[form] = decoder(form)
            except NoDecoderError as error:
                self._decoders[form] = str(error)
        return {form: known for form, known in self._decoders.items() if not isinstance(known, str)}

    def _sounds(self, packets: Sequence[_Packet]) -> Iterator[tuple[int, Samples]]:
        """Where each packet's samples belong, and they."""
        known = self._decoders_of(packets)
        for packet in packets:
            if not self._is_due(packet.sequence):
                continue
            if packet.form is not None and packet.form.name.upper() == COMFORT_NOISE:
                yield from self._noise_of(packet)
                continue
            if packet.form is None or packet.form not in known:
                self._note_undecoded(packet)
                continue
            try:
                sound = known[packet.form].decode(packet.payload)
            except DamagedPayloadError:
                self.faults.damaged += 1
                continue
            if len(sound):
                position, sound = self._place(packet, sound, known[packet.form].sample_rate_hz)
                yield from self._noise_until(position)
                yield position, sound

    def _noise_of(self, packet: _Packet) -> Iterator[tuple[int, Samples]]:
        """The noise before this packet of comfort noise (RFC 3389); its own is heard when it is known how long."""
        if not packet.payload:
            self.faults.damaged += 1
        elif self._anchor is not None:  # before the first sound there is no timeline to be heard on
            position, _ = self._place(packet, np.zeros(0, np.int16), self.sample_rate_hz)
            yield from self._noise_until(position)
            self._noise = _Noise(position, OVERLOAD * 10 ** (-(packet.payload[0] & 0x7F) / 20))

    def _noise_until(self, position: int) -> Iterator[tuple[int, Samples]]:
        noise, self._noise = self._noise, None
        if noise is None:
            return
        end = min(position, noise.position + int(MAX_NOISE_S * self.sample_rate_hz), self.samples)
        for at in range(noise.position, end, NOISE_BLOCK):
            # White: the spectrum that a packet may have is not rendered.
            sound = noise.amplitude * self._dice.standard_normal(min(NOISE_BLOCK, end - at))
            yield at, np.clip(np.rint(sound), -32768, 32767).astype(np.int16)

    def _is_due(self, sequence: int) -> bool:
        """Not a copy, not too late."""
        if sequence in self._seen:
            return False
        if self._taken is not None and sequence < self._taken:
            self.faults.late += 1
            return False
        self._taken = sequence
        self._seen.add(sequence)
        if len(self._seen) > 4 * RESTART_PACKETS:
            self._seen = {one for one in self._seen if one > sequence - RESTART_PACKETS}
        return True

    def _note_undecoded(self, packet: _Packet) -> None:
        form = packet.form
        if form is None:
            self.faults.undecoded[f"payload type {packet.payload_type} was never declared"] += 1
        else:
            self.faults.undecoded[str(self._decoders[form])] += 1

    def _place(self, packet: _Packet, sound: Samples, rate_hz: int) -> tuple[int, Samples]:
        """The packet's first sample on the timeline, and its samples at the track's rate."""
        assert packet.form is not None
        clock_hz = packet.form.clock_rate_hz
        if self._anchor is None:
            self._anew = False
            self.sample_rate_hz, self.start_ns = rate_hz, packet.arrival_ns
            self._anchor = _Anchor(0, packet.timestamp, packet.arrival_ns, clock_hz)
        if rate_hz != self.sample_rate_hz:
            sound = stretched(sound, rate_hz, self.sample_rate_hz)
        anchor, rate_hz = self._anchor, self.sample_rate_hz
        position = anchor.position + (packet.timestamp - anchor.timestamp) * rate_hz // anchor.clock_rate_hz
        arrived = anchor.position + (packet.arrival_ns - anchor.arrival_ns) * rate_hz // 1_000_000_000
        followed = (
            not self._anew and clock_hz == anchor.clock_rate_hz and abs(position - arrived) <= MAX_DRIFT_S * rate_hz
        )
        if not followed:
            position = max(arrived, self.samples)
        if position - self.samples > MAX_SILENCE_S * rate_hz:
            position, followed = self.samples + int(MAX_SILENCE_S * rate_hz), False
            self.faults.shortened += 1
        if not followed:
            self._anchor, self._anew = _Anchor(position, packet.timestamp, packet.arrival_ns, clock_hz), False
        sound = sound[max(-position, 0) :]
        position = max(position, 0)
        if position + len(sound) > MAX_SAMPLES:
            self.faults.beyond += 1
            return position, sound[:0]
        self.samples = max(self.samples, position + len(sound))
        return position, sound

    def _write(self, file: BinaryIO, position: int, sound: Samples) -> None:
        file.seek(2 * position)
        file.write(sound.astype("<i2").tobytes())


def srtp_surplus(packets: Sequence[_Packet], known: Mapping[Format, Decoder]) -> bool | None:
    """Whether payloads, in the order of their sequence numbers, are longer than their time by what SRTP adds.

    None: nothing to compare. A tag is as good as noise to a decoder, so this is asked before the first one.
    """
    surplus: Counter[int] = Counter()
    for packet, after in pairwise(packets):
        coder = known.get(packet.form) if packet.form else None
        ticks = after.timestamp - packet.timestamp
        if coder is None or coder.bytes_per_tick is None or after.form != packet.form:
            continue
        if after.sequence == packet.sequence + 1 and ticks > 0:
            share = coder.bytes_per_tick
            surplus[len(packet.payload) - ticks * share.numerator // share.denominator] += 1
    if not surplus:
        return None
    most, count = surplus.most_common(1)[0]
    return most in SRTP_SURPLUS_BYTES and 2 * count > surplus.total()


def stretched(sound: Samples, from_hz: int, to_hz: int) -> Samples:
    """Samples at another rate, by straight lines between them: good to listen to, not to measure by."""
    times = np.arange(len(sound) * to_hz // from_hz) * (from_hz / to_hz)
    between: Samples = np.rint(np.interp(times, np.arange(len(sound)), sound)).astype(np.int16)
    return between


def _runs(sounds: Iterator[tuple[int, Samples]]) -> Iterator[tuple[int, list[Samples]]]:
    """Sounds that follow each other without a gap, together."""
    start, end, parts = 0, 0, list[Samples]()
    for position, sound in sounds:
        if parts and position != end:
            yield start, parts
            parts = []
        if not parts:
            start = end = position
        parts.append(sound)
        end += len(sound)
    if parts:
        yield start, parts
