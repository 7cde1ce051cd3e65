"""How a command ends that could not do what it was asked: a sentence, and a status that says whose fault it is."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from controller.cli.saying import say
from controller.faults import IncompleteInstallationError, UnusableInputError

UNUSABLE: Final = 2
FAULT_OF_OURS: Final = 3
INTERRUPTED: Final = 130
UNREAD: Final = 141
"""As of a program that SIGPIPE ended: `| head` had seen enough."""


@contextmanager
def exit_status() -> Iterator[None]:
    """Turns what is raised within into typer.Exit. Python's own 1 would say that an expectation does not hold."""
    try:
        yield
    except UnusableInputError as error:
        for line in str(error).splitlines():
            say(f"calltest: {line}")
        raise typer.Exit(UNUSABLE) from error
    except IncompleteInstallationError as error:
        say(f"calltest: {error}")
        raise typer.Exit(FAULT_OF_OURS) from error
    except BrokenPipeError as error:
        _abandon_stdout()
        raise typer.Exit(UNREAD) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    except OSError as error:  # a full disk, say: of this machine, and whoever reads it can do something about it
        say(f"calltest: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        raise typer.Exit(UNUSABLE) from error
    except Exception as error:
        show(error)
        raise typer.Exit(FAULT_OF_OURS) from error


def show(fault: Exception) -> None:
    """Where a fault of ours is."""
    say("".join(traceback.format_exception(fault)).rstrip())


def _abandon_stdout() -> None:
    """What is still buffered would fail once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
