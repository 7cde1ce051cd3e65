"""Files, pipes and devices as input."""

import os
import threading
from pathlib import Path

import pytest

from controller.cli.run import reading
from controller.cli.run.reading import MAX_FILE_BYTES, read_file
from controller.faults import UnusableInputError


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableInputError, match=r"absent.yaml: No such file or directory: name a YAML file"):
        read_file(str(tmp_path / "absent.yaml"))
    with pytest.raises(UnusableInputError, match="Is a directory"):
        read_file(str(tmp_path))
    with pytest.raises(UnusableInputError, match="embedded null byte"):
        read_file("a\0b")


def test_what_has_no_end_is_refused_for_its_size(tmp_path: Path) -> None:
    (tmp_path / "huge").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    for endless in (str(tmp_path / "huge"), "/dev/zero"):
        with pytest.raises(UnusableInputError, match="larger than"):
            read_file(endless)


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnusableInputError, match="pipe: has not ended after 0 s: what writes it must end"):
        read_file(str(tmp_path / "pipe"), limit_s=0.01)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"a" * 100_000))
    writer.start()
    try:
        assert read_file(str(tmp_path / "pipe"))[1] == b"a" * 100_000
    finally:
        writer.join()


def test_a_dash_is_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given").write_bytes(b"a\nb\n")
    with (tmp_path / "given").open("rb") as file:
        monkeypatch.setattr(reading, "_STDIN", file.fileno())
        assert read_file("-") == ("standard input", b"a\nb\n")
