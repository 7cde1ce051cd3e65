"""What was read of a capture, as values."""

from dataclasses import dataclass

from agent.trace.audio.codecs import Samples
from agent.trace.model import Stream, Trace
from controller.page.course import Course
from controller.page.messages import Heads


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The decoded sound of a stream."""

    samples: Samples
    rate_hz: int
    begin_s: float
    """Since 1970."""
    wav: bytes | None
    no_wav: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A stream, and what the second pass gave."""

    stream: Stream
    course: Course
    heard: Heard | None
    no_sound: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is in a capture."""

    heads: Heads
    streams: tuple[Recorded, ...]
    trace: Trace
