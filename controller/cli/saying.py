"""What a command says: the result on standard output, all else on standard error. Who stops listening ends no run."""

import os
import sys
from typing import TextIO

import typer

from controller.faults import UnusableInputError


def say(text: str) -> None:
    """A line on standard error; where it cannot be written, nobody reads it."""
    try:
        typer.echo(text, err=True)
    except OSError:
        _drop(sys.stderr)


def tell(text: str) -> None:
    """A result on standard output, as it is; UnusableInputError where that has no room.

    A reader that has gone (`| head`) has seen what it wanted.
    """
    try:
        typer.echo(text, nl=False, color=True)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        raise UnusableInputError(f"standard output: {error.strerror}: the result could not be written") from error


def _drop(stream: TextIO) -> None:
    """What it still holds, and all that follows, goes nowhere: the interpreter would write it again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
