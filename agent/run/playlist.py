"""The files that calls play: made when a call begins, deleted when it is over."""

from pathlib import Path

from agent.contract.call import Play, WavReference
from agent.contract.plan import Plan
from agent.phone.protocol import Playback
from agent.run.inputs import InputMissingError
from agent.sound.samples import SoundError, check_playable, samples_to_play, write_wav


def wav_file(directory: Path, wav: WavReference) -> Path:
    """Where a key of a ConfigMap is, below the plan's wav_directory."""
    return directory / wav.config_map_name / wav.key


def require_playable(plan: Plan) -> None:
    """InputMissingError names ConfigMap and key of the first WAV file that is not there, or cannot be played."""
    for wav in (call.caller.play.wav for call in plan.calls if call.caller.play.wav is not None):
        path, config_map = wav_file(Path(plan.wav_directory), wav), f"ConfigMap {wav.config_map_name}"
        if not path.exists():
            raise InputMissingError(f"{config_map} has no key {wav.key}, or is not there")
        try:
            check_playable(path)
        except SoundError as error:
            raise InputMissingError(f"{config_map}, key {error}") from error


class Playlist:
    """Gives each call its playback, from a directory of its own, and from the plan's `wav_directory`."""

    def __init__(self, directory: Path, wav_directory: str) -> None:
        self._directory = directory
        self._wav_directory = Path(wav_directory)

    def playback(self, play: Play, code: int) -> Playback:
        """What the call with this identity code plays. SoundError where a WAV file cannot be played."""
        if play.wav is not None:
            wav = wav_file(self._wav_directory, play.wav)
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
