"""What `calltest report` writes and says."""

from typing import Any

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.cli.report import reports
from tests.unit.controller.page.world import TALK, capture, media, signalling

RUNNER = CliRunner()


def report(*arguments: Any) -> Any:
    return RUNNER.invoke(app, ["report", *map(str, arguments)])


@pytest.fixture
def call(tmp_path):
    return capture(tmp_path / "call.pcap", signalling(*TALK), media())


def test_the_page_is_written_and_said_where(tmp_path, call):
    out = tmp_path / "page.html"
    done = report(call, "-o", out)
    assert (done.exit_code, done.stdout) == (0, "")
    assert f"calltest: {out} (" in done.stderr
    text = out.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "data:audio/wav;base64," in text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_page_without_sound_is_smaller(tmp_path, call):
    report(call, "-o", tmp_path / "a.html")
    report(call, "-o", tmp_path / "b.html", "--no-sound")
    assert (tmp_path / "b.html").stat().st_size < (tmp_path / "a.html").stat().st_size / 2
    assert b"<audio" not in (tmp_path / "b.html").read_bytes()


def test_a_page_on_stdout_is_all_that_is_there(call):
    done = report(call, "-o", "-")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("<!DOCTYPE html>")


def test_a_file_that_is_there_stays_without_force(tmp_path, call):
    out = tmp_path / "page.html"
    out.write_text("mine")
    done = report(call, "-o", out)
    assert (done.exit_code, out.read_text()) == (2, "mine")
    assert "is there already: name another with -o, or give --force" in done.stderr
    assert report(call, "-o", out, "--force").exit_code == 0
    assert out.read_text() != "mine"


def test_nothing_given_is_said():
    done = report()
    assert (done.exit_code, done.stderr.startswith("calltest: nothing to report on")) == (2, True)


def test_a_place_that_cannot_be_written_is_said(tmp_path, call):
    done = report(call, "-o", tmp_path / "missing" / "page.html")
    assert (done.exit_code, "can be written with -o" in done.stderr) == (2, True)


def test_what_is_left_over_of_a_page_that_could_not_be_placed_is_removed(tmp_path, call):
    (tmp_path / "page.html").mkdir()
    done = report(call, "-o", tmp_path / "page.html", "--force")
    assert done.exit_code == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_fault_of_ours_is_no_fault_of_the_input(monkeypatch, tmp_path, call):
    def broken(*_args):
        raise RuntimeError("ours")

    monkeypatch.setattr(reports, "render", broken)
    assert report(call, "-o", tmp_path / "page.html").exit_code == 3


def test_help_has_examples():
    assert "calltest report ./evidence -o pin.html" in report("--help").stdout
