"""Secrets and ConfigMaps without a cluster."""

import io
import os
import stat
import wave
from pathlib import Path
from typing import Any

import pytest

from controller.api.parse import CallTest, parse_test
from controller.cli.run.inputs import Inputs
from controller.cli.run.materials import Directories, provide
from controller.faults import UnusableInputError


def place(field: str) -> str:
    return "pin.yaml"


def wav(samples: int = 800, *, channels: int = 1) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * channels * samples))
    return out.getvalue()


SPEECH = wav()


def call_test(**spec: Any) -> CallTest:
    play = {"wav": {"configMapName": "prompts", "key": "hello.wav"}}
    return parse_test(
        {
            "apiVersion": "calltest.dev/v1alpha1",
            "kind": "CallTest",
            "metadata": {"name": "pin"},
            "spec": {
                "target": {"service": {"name": "sut"}},
                "caller": {"uri": "sip:alice@x", "credentials": {"secretName": "alice"}},
                "callee": {"uri": "sip:bob@x", "credentials": {"secretName": "alice"}},
                "calls": [{"name": "a", "caller": {"play": play}}, {"name": "b", "caller": {"play": play}}],
                **spec,
            },
        }
    )


HELD = Inputs(
    call_tests=(),
    secrets={("default", "alice"): {"username": b"alice", "password": b"pw"}},
    config_maps={("default", "prompts"): {"hello.wav": SPEECH}},
)


def test_documents_become_files_that_only_we_can_read(tmp_path: Path) -> None:
    mounts = provide(call_test(), place, HELD, Directories(), tmp_path)
    password = Path(mounts.credentials) / "alice" / "password"
    assert password.read_bytes() == b"pw"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert (Path(mounts.wav) / "prompts" / "hello.wav").read_bytes() == SPEECH


def test_secrets_of_tls_have_other_keys(tmp_path: Path) -> None:
    target = {
        "service": {"name": "sut"},
        "transport": "TLS",
        "tls": {"caSecretName": "ca", "clientSecretName": "agent"},
    }
    held = {("default", "ca"): {"ca.crt": b"PEM"}, ("default", "agent"): {"tls.crt": b"PEM", "tls.key": b"PEM"}}
    inputs = Inputs(call_tests=(), secrets={**HELD.secrets, **held}, config_maps=HELD.config_maps)
    mounts = provide(call_test(target=target), place, inputs, Directories(), tmp_path)
    assert Path(mounts.credentials, "agent", "tls.key").read_bytes() == b"PEM"
    with pytest.raises(UnusableInputError) as caught:
        provide(call_test(target=target), place, HELD, Directories(), tmp_path / "other")
    assert "give --secret ca=DIR, with the file ca.crt" in str(caught.value)
    assert "give --secret agent=DIR, with the files tls.crt and tls.key" in str(caught.value)
    empty = Inputs(call_tests=(), secrets={**inputs.secrets, ("default", "ca"): {}}, config_maps=HELD.config_maps)
    with pytest.raises(UnusableInputError, match=r"Secret ca has no key ca.crt"):
        provide(call_test(target=target), place, empty, Directories(), tmp_path / "third")


def test_given_directories_come_before_the_file_s(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "username").write_text("other")
    (given / "password").write_text("pw")
    (tmp_path / "run").mkdir()
    mounts = provide(call_test(), place, HELD, Directories(secrets={"alice": given}), tmp_path / "run")
    assert (Path(mounts.credentials) / "alice" / "username").read_text() == "other"


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    test = call_test(callee={"uri": "sip:bob@x", "credentials": {"secretName": "bob"}})
    with pytest.raises(UnusableInputError) as caught:
        provide(test, place, Inputs(call_tests=()), Directories(), tmp_path)
    said = str(caught.value).splitlines()
    assert [line.partition(" is not here")[0].rpartition(": ")[2] for line in said] == [
        "Secret alice", "Secret bob", "ConfigMap prompts", "ConfigMap prompts",
    ]  # fmt: skip
    assert said[1].endswith("put it into the file, or give --secret bob=DIR, with the files username and password")


def test_what_is_missing_is_named_with_its_field(tmp_path: Path) -> None:
    with pytest.raises(UnusableInputError, match=r"spec.caller.credentials.secretName: Secret alice is not here"):
        provide(call_test(), place, Inputs(call_tests=()), Directories(), tmp_path)
    no_map = Inputs(call_tests=(), secrets=HELD.secrets)
    (tmp_path / "b").mkdir()
    with pytest.raises(UnusableInputError, match=r"spec.calls\[0\].caller.play.wav: ConfigMap prompts is not here"):
        provide(call_test(), place, no_map, Directories(), tmp_path / "b")
    no_key = Inputs(call_tests=(), secrets=HELD.secrets, config_maps={("default", "prompts"): {"other.wav": b""}})
    (tmp_path / "c").mkdir()
    with pytest.raises(UnusableInputError, match=r"ConfigMap prompts has no key hello.wav"):
        provide(call_test(), place, no_key, Directories(), tmp_path / "c")


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        ("password", b"a\nb", "key password: contains a control character"),
        ("username", b"\xff", "key username: is no UTF-8 text"),
        ("realm", b"a\tb", "key realm: contains a control character"),
    ],
)
def test_credentials_are_read_before_the_first_call(tmp_path: Path, key: str, content: bytes, said: str) -> None:
    secret = {"username": b"alice", "password": b"pw", key: content}
    held = Inputs(call_tests=(), secrets={("default", "alice"): secret}, config_maps=HELD.config_maps)
    with pytest.raises(UnusableInputError, match=f"Secret alice: {said}"):
        provide(call_test(), place, held, Directories(), tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"RIFF", "hello.wav: not a readable WAV file"),
        (wav(10), "hello.wav: 10 samples"),
        (wav(channels=2), "hello.wav: 2 channels"),
    ],
)
def test_sound_that_cannot_be_played_is_refused_before_the_first_call(
    tmp_path: Path, content: bytes, said: str
) -> None:
    maps = {("default", "prompts"): {"hello.wav": content}}
    held = Inputs(call_tests=(), secrets=HELD.secrets, config_maps=maps)
    with pytest.raises(UnusableInputError, match=f"ConfigMap prompts: key {said}"):
        provide(call_test(), place, held, Directories(), tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_key_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for key in ("username", "password"):
        (given / key).touch(mode=0)
    with pytest.raises(UnusableInputError, match="key username: Permission denied"):
        provide(call_test(), place, HELD, Directories(secrets={"alice": given}), tmp_path / "run")
