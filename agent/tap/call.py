"""One call's tap, for the phone: what it cannot do is logged and not measured, and never ends a call."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from agent.sip.text import printable
from agent.tap import MAX_CAPTURE_BYTES, MAX_RECORDINGS, Tap, TapError
from agent.tap.model import TapSrtp, TapStreams

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Captures:
    """Where a phone's calls are captured, one pcap each."""

    directory: Path
    max_bytes: int = MAX_CAPTURE_BYTES
    """Of each."""


class TappedCall:
    """A Call-ID that is counted, and captured into a file of that name where captures are wanted, until `end`."""

    def __init__(self, tap: Tap, call_id: str, captures: Captures | None, name: str) -> None:
        self._tap, self._call_id, self._captures = tap, call_id, captures
        self._capture = captures.directory / name if captures else None
        self._recording: Path | None = None
        self._open = self._begin()
        if not self._open and self._capture is not None:  # a full disk, say: counting needs none
            self._capture = None
            self._open = self._begin()

    def _begin(self) -> bool:
        try:
            max_bytes = self._captures.max_bytes if self._captures else MAX_CAPTURE_BYTES
            self._tap.open(self._call_id, self._capture, max_bytes)
        except TapError as error:
            LOG.warning("%s", printable(str(error)))
            return False
        return True

    def secure(self, wanted: TapSrtp) -> None:
        """What SRTP is to be in it; to be called before its media is made."""
        if not self._open:
            return
        try:
            self._tap.srtp(self._call_id, wanted)
        except TapError as error:
            LOG.warning("%s", printable(str(error)))

    def record(self, path: Path) -> None:
        """What comes from now on goes into new WAV files too, of that name and longer; `recorded` ends them."""
        if not self._open:
            return
        try:
            self._tap.record(self._call_id, path)
        except TapError as error:
            LOG.warning("%s", printable(str(error)))
        else:
            self._recording = path

    def recorded(self, until_s: float) -> dict[str, Path]:
        """The recordings up to that moment, by the remote `ip:port` that sent them, in the order of TapStream.audio.

        Where nobody sent any audio that can be decoded, one of silence, by "". Empty where there are none, or not all
        of them. To be called before `end`.
        """
        path, self._recording = self._recording, None
        if path is None:
            return {}
        try:
            remotes = self._tap.record_end(self._call_id, until_s)
        except TapError as error:
            LOG.warning("%s", printable(str(error)))
            _unlink_recordings(path)
            return {}
        files = {remote: file for remote, file in zip(remotes, _recordings(path), strict=False) if remote}
        files = files or {"": path}
        _unlink_recordings(path, keep=files.values())
        return files

    def answered(self) -> None:
        """What came before was early media: streams are counted, and recorded, anew."""
        if self._open:
            self._tap.mark(self._call_id)

    def end(self) -> tuple[TapStreams | None, Path | None]:
        """The streams (None: not measured), and the capture where there is one. Nothing is kept."""
        if not self._open:
            return None, None
        if self._recording is not None:  # nobody asked for it
            _unlink_recordings(self._recording)
        self._open = False
        streams: TapStreams | None = None
        try:
            streams = self._tap.streams(self._call_id)
        except TapError as error:
            LOG.warning("%s", printable(str(error)))
        captured = self._tap.close(self._call_id)
        if self._capture is None or not captured.packets:
            self._unlink()
            return streams, None
        if captured.left_out:
            LOG.warning(
                "%s: %s packets left out (%s)", self._capture, captured.left_out, captured.error or "it is full"
            )
        return streams, self._capture

    def abandon(self) -> None:
        """The call did not come about: nothing of it is kept."""
        self.end()
        self._unlink()

    def _unlink(self) -> None:
        if self._capture is not None:
            self._capture.unlink(missing_ok=True)


def _recordings(path: Path) -> list[Path]:
    """The files that a recording may have."""
    return [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, MAX_RECORDINGS))]


def _unlink_recordings(path: Path, keep: Collection[Path] = ()) -> None:
    for file in _recordings(path):
        if file not in keep:
            file.unlink(missing_ok=True)
