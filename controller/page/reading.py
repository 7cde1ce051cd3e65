"""Captures read for a page: SIP messages, and each RTP stream's course and sound. An edge: files in, values out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from agent.trace.audio.track import Track as AudioTrack
from agent.trace.model import Progress, Stream, Trace
from agent.trace.read import messages, rtp_packets, trace
from controller.page.course import Course
from controller.page.messages import Crossing, Heads
from controller.page.recording import Heard, Recorded, Recording
from controller.page.sound import wav

MAX_MESSAGES: Final = 20_000
"""Of all captures of a page."""
MAX_STREAMS: Final = 600
"""Of which the course is drawn."""
SOUND_BYTES: Final = 4 << 20
"""Of a page, before they are text (a third more)."""
MAX_SOUND_S: Final = 180
MAX_LEVEL_SAMPLES: Final = 1 << 26


@dataclass(slots=True)
class Room:
    """What a page has room for still."""

    sound_bytes: int = SOUND_BYTES
    messages: int = MAX_MESSAGES
    streams: int = MAX_STREAMS
    left_out: dict[str, int] = field(default_factory=dict)
    """What found none, and how many of it."""

    def leave_out(self, what: str) -> None:
        """Counts something for which there was none."""
        self.left_out[what] = self.left_out.get(what, 0) + 1


def read(
    paths: Sequence[Path],
    room: Room,
    *,
    listen: bool = True,
    progress: Callable[[str], Progress | None] = lambda _doing: None,
) -> Recording:
    """Reads captures as if they were one; UnusableCaptureError where one is none. KernelError."""
    found = trace(paths, progress=progress("reading"))
    crossings = sorted(_messages(paths, room), key=lambda one: one.at_s)
    taken = _taken(found, room)
    with TemporaryDirectory(prefix="calltest-") as scratch:
        courses = {index: Course() for index in taken}
        tracks = {
            index: AudioTrack(Path(scratch) / f"{index}.raw")
            for index in taken
            if listen and not found.streams[index].encrypted
        }
        for packets in rtp_packets(paths, found, progress=progress("decoding")) if taken else ():
            if packets.stream in courses:
                courses[packets.stream].add(packets)
            if packets.stream in tracks:
                tracks[packets.stream].add(packets)
        streams = tuple(
            _recorded(stream, courses.get(index, Course()), tracks.get(index), room, listen=listen)
            for index, stream in enumerate(found.streams)
        )
    return Recording(heads=Heads.of(crossings), streams=streams, trace=found)


def _taken(found: Trace, room: Room) -> list[int]:
    taken = []
    for index in range(len(found.streams)):
        if room.streams:
            room.streams -= 1
            taken.append(index)
        else:
            room.leave_out("streams whose course and sound are not drawn")
    return taken


def _recorded(stream: Stream, course: Course, track: AudioTrack | None, room: Room, *, listen: bool) -> Recorded:
    if not listen:
        return Recorded(stream=stream, course=course, heard=None)
    if track is None:
        why = "SRTP: not decoded" if stream.encrypted else "no room for more on this page"
        return Recorded(stream=stream, course=course, heard=None, no_sound=why)
    track.finish()
    if not track.samples:
        why = next(iter(track.faults.undecoded), "SRTP, by its looks" if track.faults.looks_encrypted else "no audio")
        return Recorded(stream=stream, course=course, heard=None, no_sound=f"not decoded: {why}")
    if track.samples > MAX_LEVEL_SAMPLES:
        return Recorded(stream=stream, course=course, heard=None, no_sound="too long; calltest trace --wav makes it")
    return Recorded(stream=stream, course=course, heard=_heard(track, room))


def _heard(track: AudioTrack, room: Room) -> Heard:
    samples = track.read(0, track.samples)
    sound, why = None, None
    if track.samples > MAX_SOUND_S * track.sample_rate_hz:
        why = f"longer than {MAX_SOUND_S} s; calltest trace --wav makes it"
    elif track.samples > room.sound_bytes:
        why = "no room for more sound on this page; calltest trace --wav makes it"
        room.leave_out("streams whose sound is not on the page")
    else:
        room.sound_bytes -= track.samples
        sound = wav(samples, track.sample_rate_hz)
    return Heard(samples=samples, rate_hz=track.sample_rate_hz, begin_s=track.start_ns / 1e9, wav=sound, no_wav=why)


def _messages(paths: Sequence[Path], room: Room) -> Iterator[Crossing]:
    for one in messages(paths):
        if room.messages:
            room.messages -= 1
            yield Crossing(at_s=one.time_ns / 1e9, source=one.src, target=one.dst, text=one.text)
        else:
            room.leave_out("SIP messages")
