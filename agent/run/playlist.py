"""The files that calls play: made when a call begins, deleted when it is over."""

from collections.abc import Iterable
from pathlib import Path

from agent.contract.plan import CallGroup, Play
from agent.phone.protocol import Playback
from agent.run.inputs import InputMissingError
from agent.sound.samples import SoundError, check_playable, samples_to_play, write_wav


def require_playable(calls: Iterable[CallGroup]) -> None:
    """InputMissingError names ConfigMap and key of the first WAV file that is not there, or cannot be played."""
    for path in (Path(call.play.wav_path) for call in calls if call.play.wav_path is not None):
        config_map = f"ConfigMap {path.parent.name}"
        if not path.exists():
            raise InputMissingError(f"{config_map} has no key {path.name}, or is not there")
        try:
            check_playable(path)
        except SoundError as error:
            raise InputMissingError(f"{config_map}, key {error}") from error


class Playlist:
    """Gives each call its playback, from a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def playback(self, play: Play, code: int) -> Playback:
        """What the call with this identity code plays. SoundError where a WAV file cannot be played."""
        if play.wav_path is not None:
            wav = Path(play.wav_path)
            check_playable(wav)
            return Playback(wav=wav)
        samples = samples_to_play(play, code)
        if samples is None:
            return Playback()
        path = self._path(code)
        write_wav(path, samples)
        return Playback(wav=path)

    def over(self, code: int) -> None:
        """The call with this code is over."""
        self._path(code).unlink(missing_ok=True)

    def _path(self, code: int) -> Path:
        return self._directory / f"play-{code}.wav"
