"""The files that a call leaves: what was recorded of it, and its capture."""

import logging

from agent.phone.protocol import CallEnded
from agent.sound.identity import Samples
from agent.sound.samples import SoundError, read_wav

log = logging.getLogger(__name__)


def tracks_of(ended: CallEnded | None) -> dict[str, Samples]:
    """What was recorded of each remote address; the files are deleted. Without those that cannot be read."""
    tracks: dict[str, Samples] = {}
    for address, file in ended.recordings.items() if ended else ():
        try:
            tracks[address] = read_wav(file)
        except SoundError as error:
            log.warning("recording of what was heard: %s", error)
        file.unlink(missing_ok=True)
    return tracks


def delete_files(ended: CallEnded) -> None:
    """Of a call that nothing is to be known of."""
    for file in (*ended.recordings.values(), ended.capture):
        if file is not None:
            file.unlink(missing_ok=True)
