"""What a captured leg sounded like, as WAV files: what it sent, and what it received."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

LOG = logging.getLogger(__name__)

MAX_CAPTURE_BYTES: Final = 16 * 1024 * 1024
"""Ten minutes of G.711 both ways; of longer ones `calltest trace --wav` makes it, where nobody waits for it."""
WHY_NOT: Final = "sound.txt"
"""Says what has no sound, and why: who finds no WAV file must not take that for silence."""


def sound_of(capture: Path, local_rtp: str, directory: Path) -> dict[str, Path]:
    """Files in `directory`, by the name that they deserve: `sent.wav`, `received.wav`, numbered where there are more.

    `local_rtp`: the leg's own `ip:port`. On the true timeline, without a jitter buffer. Of SRTP, which a capture has as
    it is on the wire, there is none: WHY_NOT says so. Raises OSError and agent.trace's UnusableCaptureError.
    """
    # They take some 100 ms to load: an agent that keeps nothing needs none of them.
    from agent.trace.audio.listen import listen  # noqa: PLC0415
    from agent.trace.read import rtp_packets, trace  # noqa: PLC0415

    if capture.stat().st_size > MAX_CAPTURE_BYTES:
        return _why_not(capture, directory, ["it is too long for its sound to be made here: use calltest trace --wav"])
    found = trace([capture])
    directions = {
        "sent": [index for index, stream in enumerate(found.streams) if stream.src == local_rtp],
        "received": [index for index, stream in enumerate(found.streams) if stream.dst == local_rtp],
    }
    named: dict[str, Path] = {}
    faults: list[str] = []
    for name, streams in directions.items():
        made = listen(rtp_packets([capture], found), found, streams, wav=directory / name)
        faults += [f"{name}: {warning.message}" for warning in made.warnings]
        files = dict.fromkeys(made.wavs[index] for index in streams if index in made.wavs)
        for number, file in enumerate(files, 1):
            named[f"{name}.wav" if number == 1 else f"{name}-{number}.wav"] = file
    return named | _why_not(capture, directory, faults)


def _why_not(capture: Path, directory: Path, faults: Sequence[str]) -> dict[str, Path]:
    if not faults:
        return {}
    LOG.warning("%s: %s", capture, "; ".join(faults))
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / WHY_NOT
    file.write_text("".join(f"{fault}\n" for fault in faults))
    return {WHY_NOT: file}
