"""What went wrong is a sentence and an exit status, the same for all commands."""

import pytest
import typer

from controller.cli import exits
from controller.cli.exits import exit_status
from controller.faults import IncompleteInstallationError, UnusableInputError


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (UnusableInputError("x.pcap: no such file"), 2, "calltest: x.pcap: no such file\n"),
        (UnusableInputError("a: one\nb: another"), 2, "calltest: a: one\ncalltest: b: another\n"),
        (OSError(28, "No space left on device", "/tmp/x"), 2, "calltest: /tmp/x: No space left on device\n"),
        (OSError("a word"), 2, "calltest: a word\n"),
        (IncompleteInstallationError("run make setup"), 3, "calltest: run make setup\n"),
        (BrokenPipeError(), 141, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_each_end_has_its_status_and_its_words(raised, status, said, monkeypatch, capsys):
    monkeypatch.setattr(exits, "_abandon_stdout", lambda: None)
    with pytest.raises(typer.Exit) as ended, exit_status():
        raise raised
    assert (ended.value.exit_code, capsys.readouterr().err) == (status, said)


def test_a_fault_of_ours_shows_where_it_is(capsys):
    with pytest.raises(typer.Exit) as ended, exit_status():
        raise ZeroDivisionError
    assert ended.value.exit_code == 3
    assert "ZeroDivisionError" in capsys.readouterr().err
