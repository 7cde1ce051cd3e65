"""Secrets and ConfigMaps without a cluster."""

import stat
from pathlib import Path
from typing import Any

import pytest

from controller.api.parse import CallTest, parse_test
from controller.cli.run.inputs import Inputs
from controller.cli.run.materials import Directories, provide
from controller.faults import UnusableInputError


def call_test(**spec: Any) -> CallTest:
    wav = {"wav": {"configMapName": "prompts", "key": "hello.wav"}}
    return parse_test(
        {
            "apiVersion": "calltest.dev/v1alpha1",
            "kind": "CallTest",
            "metadata": {"name": "pin"},
            "spec": {
                "target": {"service": {"name": "sut"}},
                "caller": {"uri": "sip:alice@x", "credentials": {"secretName": "alice"}},
                "callee": {"uri": "sip:bob@x", "credentials": {"secretName": "alice"}},
                "calls": [{"name": "a", "caller": {"play": wav}}, {"name": "b", "caller": {"play": wav}}],
                **spec,
            },
        }
    )


HELD = Inputs(
    call_tests=(),
    secrets={("default", "alice"): {"username": b"alice", "password": b"pw"}},
    config_maps={("default", "prompts"): {"hello.wav": b"RIFF"}},
)


def test_documents_become_files_that_only_we_can_read(tmp_path: Path) -> None:
    mounts = provide(call_test(), "pin.yaml", HELD, Directories(), tmp_path)
    password = Path(mounts.credentials) / "alice" / "password"
    assert password.read_bytes() == b"pw"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert (Path(mounts.wav) / "prompts" / "hello.wav").read_bytes() == b"RIFF"


def test_given_directories_come_before_the_file_s(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "username").write_text("other")
    (given / "password").write_text("pw")
    (tmp_path / "run").mkdir()
    mounts = provide(call_test(), "pin.yaml", HELD, Directories(secrets={"alice": given}), tmp_path / "run")
    assert (Path(mounts.credentials) / "alice" / "username").read_text() == "other"


def test_what_is_missing_is_named_with_its_field(tmp_path: Path) -> None:
    with pytest.raises(UnusableInputError, match=r"spec.caller.credentials.secretName: Secret alice is not here"):
        provide(call_test(), "pin.yaml", Inputs(call_tests=()), Directories(), tmp_path)
    no_map = Inputs(call_tests=(), secrets=HELD.secrets)
    (tmp_path / "b").mkdir()
    with pytest.raises(UnusableInputError, match=r"spec.calls\[0\].caller.play.wav: ConfigMap prompts is not here"):
        provide(call_test(), "pin.yaml", no_map, Directories(), tmp_path / "b")
    no_key = Inputs(call_tests=(), secrets=HELD.secrets, config_maps={("default", "prompts"): {"other.wav": b""}})
    (tmp_path / "c").mkdir()
    with pytest.raises(UnusableInputError, match=r"ConfigMap prompts has no key hello.wav"):
        provide(call_test(), "pin.yaml", no_key, Directories(), tmp_path / "c")
