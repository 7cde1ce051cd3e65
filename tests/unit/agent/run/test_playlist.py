"""What a test is to play is looked for before any call is placed."""

import pytest

from agent.contract.call import Call, Play, WavReference
from agent.run.inputs import InputMissingError
from agent.run.playlist import require_playable
from agent.sound.samples import tone, write_wav
from tests.unit.agent.world import group, plan


def playing(config_map: str, key: str) -> Call:
    return group(play=Play(wav=WavReference(config_map_name=config_map, key=key)))


@pytest.fixture
def prompts(tmp_path):
    """A ConfigMap as the kubelet mounts it."""
    (tmp_path / "prompts").mkdir()
    return tmp_path / "prompts"


@pytest.mark.covers("calls[].caller.play.wav.key")
def test_a_missing_key_is_named_with_its_config_map(prompts):
    write_wav(prompts / "here.wav", tone(440))
    calls = (group(), playing("prompts", "here.wav"), playing("prompts", "x.wav"))
    require_playable(plan(calls=calls[:2], wav_directory=str(prompts.parent)))
    with pytest.raises(InputMissingError, match=r"ConfigMap prompts has no key x\.wav"):
        require_playable(plan(calls=calls, wav_directory=str(prompts.parent)))


@pytest.mark.covers("calls[].caller.play.wav.configMapName")
def test_a_missing_config_map_is_named_with_the_key(tmp_path):
    """Its volume is optional: the directory is there, and empty."""
    with pytest.raises(InputMissingError, match=r"ConfigMap absent has no key x\.wav, or is not there"):
        require_playable(plan(calls=(playing("absent", "x.wav"),), wav_directory=str(tmp_path)))


def test_a_key_that_is_no_wav_file_is_named(prompts):
    (prompts / "x.wav").write_bytes(b"mp3")
    with pytest.raises(InputMissingError, match=r"ConfigMap prompts, key x\.wav: not a readable WAV file"):
        require_playable(plan(calls=(playing("prompts", "x.wav"),), wav_directory=str(prompts.parent)))
