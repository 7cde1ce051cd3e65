"""`calltest convert pjsua` at its edges: files, exit status, what is printed where."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from controller.cli.app import app
from controller.cli.run.inputs import read_inputs
from tests.unit.controller.cli.convert.converting import wav

RUNNER = CliRunner()
ALICE = "--id sip:alice@example.com --registrar sip:example.com\n--username alice --password secret-7\n"


def convert(*arguments: Any, stdin: str = "") -> Any:
    return RUNNER.invoke(app, ["convert", "pjsua", *map(str, arguments)], input=stdin)


@pytest.fixture
def alice(tmp_path: Path) -> Path:
    path = tmp_path / "Alice_1.cfg"
    path.write_text(ALICE + "--video\nsip:echo@example.com\n")
    return path


def test_the_test_and_its_secret_are_one_stream_that_run_takes(alice: Path) -> None:
    done = convert(alice)
    assert done.exit_code == 0
    inputs = read_inputs([("out", done.stdout.encode())])
    assert [source.name for source in inputs.call_tests] == ["alice-1"]
    assert inputs.secrets == {("default", "alice-1-caller"): {"username": b"alice", "password": b"secret-7"}}
    assert f"{alice}:3: --video: dropped: calltest has no video\n" in done.stderr
    assert "Secret alice-1-caller: in the output: --secrets FILE keeps what is secret apart" in done.stderr


def test_secrets_apart_are_nobody_else_s_to_read(alice: Path, tmp_path: Path) -> None:
    out, apart = tmp_path / "a.yaml", tmp_path / "s.yaml"
    done = convert(alice, "-o", out, "--secrets", apart)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "secret-7" not in out.read_text()
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (apart,)] == [0]
    assert [each["kind"] for each in yaml.safe_load_all(apart.read_text())] == ["Secret"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Alice_1.cfg", "a.yaml", "s.yaml"]


def test_an_output_with_secrets_in_it_is_nobody_else_s_to_read(alice: Path, tmp_path: Path) -> None:
    convert(alice, "-o", tmp_path / "a.yaml")
    assert stat.S_IMODE((tmp_path / "a.yaml").stat().st_mode) == 0o600


def test_a_file_that_is_there_stays_without_force(alice: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.yaml"
    out.write_text("mine")
    done = convert(alice, "-o", out)
    assert (done.exit_code, out.read_text()) == (2, "mine")
    assert "is there already" in done.stderr
    assert convert(alice, "-o", out, "--force").exit_code == 0
    assert out.read_text() != "mine"


def test_what_is_no_file_is_not_written_over(alice: Path, tmp_path: Path) -> None:
    """As root, /dev/null was a file with a password in it from then on."""
    pipe = tmp_path / "null"
    os.mkfifo(pipe)
    for option in ("-o", "--secrets"):
        done = convert(alice, option, pipe, "--force")
        assert (done.exit_code, pipe.is_fifo()) == (2, True)
        assert "is no file, and is not written over" in done.stderr


@pytest.mark.parametrize("option", ["-o", "--secrets"])
def test_a_folder_that_is_not_there_is_said_before_anything_is_written(
    alice: Path, tmp_path: Path, option: str
) -> None:
    other = "--secrets" if option == "-o" else "-o"
    done = convert(alice, option, tmp_path / "nowhere" / "a.yaml", other, tmp_path / "b.yaml")
    assert (done.exit_code, (tmp_path / "b.yaml").exists()) == (2, False)
    assert "nowhere is no folder that is there: make it first" in done.stderr


def test_one_file_is_not_both_outputs(alice: Path, tmp_path: Path) -> None:
    """The Secret was written, and the CallTest over it."""
    out = tmp_path / "a.yaml"
    done = convert(alice, "-o", out, "--secrets", tmp_path / "." / "a.yaml")
    assert (done.exit_code, out.exists()) == (2, False)
    assert "name two files" in done.stderr


@pytest.mark.parametrize("option", ["--tls-ca-file", "--play-file"])
def test_a_pipe_that_a_file_names_is_not_waited_for(tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        file = tmp_path / "a.cfg"
        file.write_text(f"--use-tls {option} {name} --auto-play --id sip:a@b sip:echo@b;transport=tls")
        done = convert(file)
        assert (done.exit_code, f"{name}: is no file" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    "word", ["1e3", "12e4", "0o17", "0X1F", "1_0e3", "y", "N", "yes", "0777", "1_0", "null", "~", "é"]
)
def test_a_password_is_text_to_whoever_reads_it(tmp_path: Path, word: str) -> None:
    """Kubernetes has another YAML than Python: 1e3 was a number there, and the Secret refused."""
    file = tmp_path / "a.cfg"
    file.write_text(ALICE.replace("secret-7", word), encoding="utf-8")
    done = convert(file, "sip:echo@example.com")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("  password: ")]
    assert line.removeprefix("  password: ")[0] in "'\""
    assert done.stdout.isascii()
    assert list(yaml.safe_load_all(done.stdout))[1]["stringData"]["password"] == word


@pytest.mark.parametrize(
    "text",
    [
        "--id sip:alice:secret-7@example.com --registrar sip:example.com",
        '--id sip:a@b "<SIPS:alice:secret-7@example.com>"',
        "--id sip:a@b --username a --password my secret-7",
        "-password=secret-7",
        "--video=secret-7",
    ],
)
def test_no_fault_says_a_password(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.cfg").write_text(text)
    done = convert(tmp_path / "a.cfg")
    assert (done.exit_code, "secret-7" in done.stderr + done.stdout) == (2, False)


def test_strict_is_about_what_was_dropped(alice: Path, tmp_path: Path) -> None:
    done = convert(alice, "--strict")
    assert (done.exit_code, "kind: CallTest" in done.stdout) == (1, True)
    plain = tmp_path / "plain.cfg"
    plain.write_text(ALICE + "--log-level 3\n")
    assert convert(plain, "sip:echo@example.com", "--strict").exit_code == 0


def test_standard_input_and_a_name() -> None:
    done = convert("-", "sip:echo@example.com", "--name", "echo", stdin=ALICE)
    assert next(yaml.safe_load_all(done.stdout))["metadata"] == {"name": "echo"}
    assert "standard input:1: --id: mapped: spec.caller.uri" in done.stderr
    assert next(yaml.safe_load_all(convert("-", stdin=ALICE).stdout))["metadata"] == {"name": "pjsua"}
    assert "metadata.name" in convert("-", "--name", "No Name", stdin=ALICE).stderr


def test_the_report_is_the_same_each_time(alice: Path) -> None:
    assert convert(alice).stderr == convert(alice).stderr


def test_what_a_file_names_is_found_beside_it(tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(wav(1))
    file = tmp_path / "a.cfg"
    file.write_text("--play-file hello.wav --auto-play-hangup --id sip:a@b sip:echo@b")
    test, sound = yaml.safe_load_all(convert(file).stdout)
    assert test["spec"]["calls"][0]["holdSeconds"] == 1
    assert sound["binaryData"]["play.wav"] == wav(1)


def test_a_sound_that_kubernetes_does_not_hold_is_not_put_in(tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(60))
    file = tmp_path / "a.cfg"
    file.write_text("--play-file long.wav --auto-play --id sip:a@b sip:echo@b")
    done = convert(file)
    assert "ConfigMap" not in done.stdout
    assert (
        "long.wav: is larger than 700 KiB, which Kubernetes does not hold: give calltest run --config-map"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [("--nonsense", "a.cfg:1: --nonsense: pjsua 2.17 has no such option"), ("", "a.cfg: nobody is called")],
)
def test_unusable_input_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.cfg").write_text(text)
    done = convert(tmp_path / "a.cfg")
    assert (done.exit_code, done.stdout, said in done.stderr) == (2, "", True)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = convert(tmp_path / "none.cfg")
    assert (done.exit_code, "No such file or directory: name a pjsua configuration file" in done.stderr) == (2, True)
    assert convert("a\0b").exit_code == 2
