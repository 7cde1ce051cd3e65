"""What a test is to play is looked for before any call is placed."""

import pytest

from agent.contract.plan import Play
from agent.run.inputs import InputMissingError
from agent.run.playlist import require_playable
from agent.sound.samples import tone, write_wav
from tests.unit.agent.world import group


@pytest.fixture
def prompts(tmp_path):
    """A ConfigMap as the kubelet mounts it."""
    (tmp_path / "prompts").mkdir()
    return tmp_path / "prompts"


def test_a_missing_key_is_named_with_its_config_map(prompts):
    write_wav(prompts / "here.wav", tone(440))
    calls = [
        group(play=Play(silence=True)),
        *(group(play=Play(wav_path=str(prompts / key))) for key in ("here.wav", "x.wav")),
    ]
    require_playable(calls[:2])
    with pytest.raises(InputMissingError, match=r"ConfigMap prompts has no key x\.wav"):
        require_playable(calls)


def test_a_missing_config_map_is_named_with_the_key(tmp_path):
    """Its volume is optional: the directory is there, and empty."""
    with pytest.raises(InputMissingError, match=r"ConfigMap absent has no key x\.wav, or is not there"):
        require_playable([group(play=Play(wav_path=str(tmp_path / "absent" / "x.wav")))])


def test_a_key_that_is_no_wav_file_is_named(prompts):
    (prompts / "x.wav").write_bytes(b"mp3")
    with pytest.raises(InputMissingError, match=r"ConfigMap prompts, key x\.wav: not a readable WAV file"):
        require_playable([group(play=Play(wav_path=str(prompts / "x.wav")))])
