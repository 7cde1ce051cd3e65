"""What a capture sounded like: streams on their true timeline, a call as one WAV file, DTMF tones."""

import errno
import stat
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

import numpy as np

from agent.contract.expect import DtmfMethod
from agent.trace.audio.codecs import Samples
from agent.trace.audio.sound import Sound
from agent.trace.audio.tones import detect
from agent.trace.audio.track import MAX_SAMPLES, MAX_SILENCE_S, REORDER_PACKETS, Track
from agent.trace.model import Digit, RtpPackets, Stream, Trace, Warning  # noqa: A004  # the document's word

SAME_CALL_S: Final = 60.0
"""Without a Call-ID, streams between the same two addresses belong together unless this long passes between them."""
SAME_RECORDING_S: Final = 600.0
"""With one, they are one recording unless this long passes: silence has a limit here too."""
_BLOCK: Final = 1 << 16
"""Samples that are worked on together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A stream's track within a recording."""

    track: Track
    offset_s: float
    """From the recording's begin."""


def listen(
    packets: Iterable[RtpPackets],
    found: Trace,
    wanted: Collection[int],
    *,
    wav: Path | None = None,
    tones: bool = False,
) -> Sound:
    """Decodes the wanted streams (indices in `found.streams`) of `packets`.

    `wav` is a directory that is made where it is missing; its files are named from the stream's number and the two
    addresses. An older file of the same name is replaced, and that is said; a link or anything else of that name is
    neither followed nor replaced. What is encrypted, or may be, is never decoded. Raises OSError.
    """
    if wav is not None:
        wav.mkdir(parents=True, exist_ok=True)
    # Beside the files that are made of it: /tmp may be small.
    with TemporaryDirectory(prefix=".calltest-", dir=wav) as scratch:
        tracks = {
            index: Track(Path(scratch) / f"{index}.raw")
            for index in sorted(wanted)
            if found.streams[index].encrypted is False
        }
        for some in packets:
            if some.stream in tracks:
                tracks[some.stream].add(some)
        for track in tracks.values():
            track.finish()
        heard = {index: track for index, track in tracks.items() if track.samples}
        replaced: list[Path] = []
        made = _write_recordings(found.streams, heard, Path(scratch), wav, replaced) if wav is not None else ()
        wavs = dict(made)
        digits = {index: list(_digits(track)) for index, track in heard.items()} if tones else {}
    warnings = [_replaced(path) for path in replaced]
    warnings += [warning for index in sorted(wanted) for warning in _warnings(found.streams[index], tracks.get(index))]
    unheard = frozenset(
        index for index in wanted if index not in tracks or _is_partial(found.streams[index], tracks[index])
    )
    return Sound(wavs=wavs, digits=digits, unheard=unheard, warnings=warnings)


def _replaced(path: Path) -> Warning:
    message = f"{path} was there already: it is replaced: keep elsewhere what --wav wrote"
    return Warning(code="FileReplaced", message=message)


def recordings(streams: Sequence[Stream], spans_s: Mapping[int, tuple[float, float]]) -> list[list[int]]:
    """Which streams are one recording: those of a call between the same two addresses, in the order of their begin.

    `spans_s` has begin and end of each stream's audio.
    """
    groups: dict[tuple[str | None, frozenset[str]], list[list[int]]] = {}
    for index in sorted(spans_s, key=lambda index: spans_s[index]):
        stream = streams[index]
        calls = groups.setdefault((stream.call_id, frozenset((stream.src, stream.dst))), [])
        pause_s = SAME_CALL_S if stream.call_id is None else SAME_RECORDING_S
        if calls and spans_s[index][0] - max(spans_s[other][1] for other in calls[-1]) <= pause_s:
            calls[-1].append(index)
        else:
            calls.append([index])
    return sorted((call for calls in groups.values() for call in calls), key=lambda call: call[0])


def _write_recordings(
    streams: Sequence[Stream], tracks: Mapping[int, Track], scratch: Path, folder: Path, replaced: list[Path]
) -> Iterator[tuple[int, Path]]:
    """Each is made in `scratch`, which is ours alone, and then moved: a name in `folder` may be anybody's link."""
    starts_s = {index: track.start_ns / 1e9 for index, track in tracks.items()}
    spans_s = {
        index: (starts_s[index], starts_s[index] + track.samples / track.sample_rate_hz)
        for index, track in tracks.items()
    }
    for call in recordings(streams, spans_s):
        first = streams[call[0]]
        path = folder / f"{call[0] + 1:04d}_{_file_name(first.src)}_{_file_name(first.dst)}.wav"
        start_ns = tracks[call[0]].start_ns
        directions: dict[str, list[_Part]] = {}
        for index in call:
            offset_s = (tracks[index].start_ns - start_ns) / 1e9
            directions.setdefault(streams[index].src, []).append(_Part(track=tracks[index], offset_s=offset_s))
        made = scratch / path.name
        with made.open("xb") as file:
            _write_wav(file, list(directions.values()))
        if _is_there(path):
            replaced.append(path)
        made.replace(path)
        yield from ((index, path) for index in call)


def _is_there(path: Path) -> bool:
    """A file of an earlier time; OSError where the name is that of a link, a directory or a device."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError(errno.EEXIST, "is no plain file, and is not written over", str(path))
    return True


def _write_wav(file: BinaryIO, directions: Sequence[Sequence[_Part]]) -> None:
    """One channel for each direction; silence takes no room on the disk."""
    parts = [part for direction in directions for part in direction]
    rate_hz = max(part.track.sample_rate_hz for part in parts)
    lengths_s = (part.offset_s + part.track.samples / part.track.sample_rate_hz for part in parts)
    frames = min(round(max(lengths_s) * rate_hz), MAX_SAMPLES - 1024)  # with the header below 4 GiB
    channels = len(directions)
    size = 2 * channels * frames
    format_chunk = struct.pack("<HHIIHH", 1, channels, rate_hz, 2 * channels * rate_hz, 2 * channels, 16)
    file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + format_chunk)
    file.write(b"data" + struct.pack("<I", size))
    for at in range(0, frames, _BLOCK):
        count = min(_BLOCK, frames - at)
        block = np.stack([_mixed(direction, at, count, rate_hz) for direction in directions], axis=1)
        if block.any():
            file.write(block.astype("<i2").tobytes())
        else:
            file.seek(2 * block.size, 1)
    file.truncate()


def _mixed(parts: Sequence[_Part], at: int, count: int, rate_hz: int) -> Samples:
    """A direction's samples: those of its streams, added where two sound at once."""
    mix = np.zeros(count, np.int32)
    for part in parts:
        track = part.track
        start = at - round(part.offset_s * rate_hz)
        if start + count <= 0 or start * track.sample_rate_hz >= track.samples * rate_hz:
            continue
        if track.sample_rate_hz == rate_hz:
            mix += track.read(start, count)
            continue
        # One sample more on each side: the straight lines go on over the block's ends.
        first = start * track.sample_rate_hz // rate_hz
        needed = -(-count * track.sample_rate_hz // rate_hz) + 2
        times = np.arange(start, start + count) * (track.sample_rate_hz / rate_hz) - first
        sound = track.read(first, needed)
        if sound.any():
            mix += np.rint(np.interp(times, np.arange(needed), sound)).astype(np.int32)
    return np.clip(mix, -32768, 32767).astype(np.int16)


def _digits(track: Track) -> Iterator[Digit]:
    for tone in detect(track.blocks(_BLOCK), track.sample_rate_hz):
        end_s = tone.start_s + tone.duration_ms / 1000
        yield Digit(
            digit=tone.digit,
            method=DtmfMethod.IN_BAND,
            start=track.start_ns / 1e9 + tone.start_s,
            duration_ms=tone.duration_ms,
            volume_dbm0=round(tone.level_dbm0),
            packets=0,
            end_packets=0,
            # A tone that the stream ends with may have been longer.
            complete=end_s < track.samples / track.sample_rate_hz - 0.01,
        )


def _is_partial(stream: Stream, track: Track) -> bool:
    faults = track.faults
    return bool(
        track.packets != stream.packets
        or faults.looks_encrypted
        or faults.undecoded
        or faults.damaged
        or faults.late
        or faults.shortened
        or faults.beyond
    )


def _warnings(stream: Stream, track: Track | None) -> Iterator[Warning]:
    """What was not decoded of a stream, and why."""
    name = f"{stream.src} → {stream.dst} {stream.ssrc}"
    if track is None:
        if stream.encrypted:
            yield Warning(code="Encrypted", message=f"{name}: SRTP: not decoded")
        else:
            yield Warning(code="EncryptionUnknown", message=f"{name}: this may be SRTP: not decoded")
        return
    faults = track.faults
    if faults.looks_encrypted:
        message = f"{name}: looks like SRTP (each payload is longer than its time, by what SRTP adds): not decoded"
        yield Warning(code="LooksEncrypted", message=message)
    if track.packets != stream.packets:
        message = f"{name}: {track.packets} packets, {stream.packets} when it was read first: did the file change?"
        yield Warning(code="PacketsMissing", message=message)
    for why, packets in sorted(faults.undecoded.items()):
        yield Warning(code="NotDecoded", message=f"{name}: {packets} packets not decoded: {why}")
    said = (
        ("DamagedAudio", faults.damaged, "packets are not what their codec says; they are silence"),
        ("LatePackets", faults.late, f"packets came more than {REORDER_PACKETS} packets late; they are left out"),
        ("GapShortened", faults.shortened, f"gaps of more than {MAX_SILENCE_S:.0f} s are shortened to that"),
        ("TooLong", faults.beyond, "packets are beyond what a WAV file can hold; they are left out"),
    )
    for code, count, what in said:
        if count:
            yield Warning(code=code, message=f"{name}: {count} {what}")


def _file_name(address: str) -> str:
    """An address as part of a file's name."""
    return "".join(letter if letter.isalnum() or letter == "." else "-" for letter in address).strip("-")
