"""Sound as files, and what a call plays."""

import wave

import numpy as np
import pytest

from agent.contract.call import Play, PlaySignal, Silence, Tone
from agent.sound.identity import decode, encode
from agent.sound.samples import SoundError, check_playable, read_wav, samples_to_play, tone, write_wav


def wav(path, *, rate=8000, channels=1, width=2, frames=b"\0\0" * 8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)
    return path


def test_a_wav_file_is_read_as_it_was_written(tmp_path):
    write_wav(tmp_path / "a.wav", encode(77))
    assert np.array_equal(read_wav(tmp_path / "a.wav"), encode(77))


def test_a_recording_of_another_rate_is_refused_by_name(tmp_path):
    with pytest.raises(SoundError, match=r"a\.wav: 16000 Hz, expected 8000"):
        read_wav(wav(tmp_path / "a.wav", rate=16000))


@pytest.mark.parametrize("rate", [8000, 16000])
def test_wide_and_narrow_band_files_can_be_played(tmp_path, rate):
    check_playable(wav(tmp_path / "a.wav", rate=rate))


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("44100 Hz", {"rate": 44100}),
        ("2 channels", {"channels": 2}),
        ("8 bits", {"width": 1}),
        ("100 samples", {"frames": b"\0\0" * 100}),
    ],
)
def test_what_cannot_be_played_says_why(tmp_path, fault, options):
    with pytest.raises(SoundError, match=fault):
        check_playable(wav(tmp_path / "a.wav", **options))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a wav file at all" * 100])
def test_a_malformed_file_is_a_sound_error(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(SoundError, match="not a readable WAV"):
        read_wav(tmp_path / "a.wav")


def test_an_absent_file_is_a_sound_error(tmp_path):
    with pytest.raises(SoundError, match="not a readable WAV"):
        check_playable(tmp_path / "absent.wav")


@pytest.mark.covers("calls[].caller.play.tone.frequencyHertz")
def test_each_kind_of_play_has_its_samples():
    identity = samples_to_play(Play(signal=PlaySignal.IDENTITY), 99)
    assert identity is not None
    assert set(decode(identity)) == {99}
    assert np.array_equal(samples_to_play(Play(tone=Tone(frequency_hertz=440)), 99), tone(440))
    assert samples_to_play(Play(silence=Silence()), 99) is None
