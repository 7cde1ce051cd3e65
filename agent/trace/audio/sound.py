"""What listening to streams came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.trace.model import Digit, Warning  # noqa: A004  # the document's word


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What was made of the audio. Keys are indices in `Trace.streams`."""

    wavs: Mapping[int, Path] = field(default_factory=dict)
    digits: Mapping[int, list[Digit]] = field(default_factory=dict)
    """Heard as tones; a stream that was listened to and had none has an empty list."""
    unheard: frozenset[int] = frozenset()
    """Streams that were not decoded, or not wholly."""
    warnings: list[Warning] = field(default_factory=list)
