"""What `calltest report` does: reads its sources, writes the page."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from agent.sip.text import printable
from agent.trace.model import Progress as Watcher
from controller.faults import UnusableInputError
from controller.page.render import render
from controller.page.sources import Request, Watch, page_of

STDOUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments as typed."""

    sources: tuple[Path, ...]
    run: str | None
    namespace: str
    output: Path
    force: bool
    sound: bool


def run(asked: Asked) -> None:
    """Makes the page. UnusableInputError, IncompleteInstallationError."""
    if not asked.sources and asked.run is None:
        raise UnusableInputError("nothing to report on: name evidence, a run's JSON or captures, or give --run NAME")
    to_stdout = str(asked.output) == STDOUT
    if not to_stdout and asked.output.exists() and not asked.force:
        raise UnusableInputError(f"{asked.output}: is there already: name another with -o, or give --force")
    request = Request(sources=asked.sources, run=asked.run, namespace=asked.namespace, sound=asked.sound)
    with _watch() as watch:
        page = page_of(request, watch)
    text = render(page, version("calltest-operator")).encode("utf-8", "replace")
    if to_stdout:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return
    _replace(asked.output, text)
    typer.echo(f"calltest: {printable(str(asked.output.resolve()))} ({len(text) / 1e6:.1f} MB)", err=True)


def _replace(output: Path, text: bytes) -> None:
    """Whole, or not at all."""
    made: Path | None = None
    try:
        with NamedTemporaryFile(dir=output.parent, prefix=".calltest-", delete=False) as file:
            made = Path(file.name)
            file.write(text)
        made.chmod(0o666 & ~_umask())
        made.replace(output)
    except OSError as error:
        if made is not None:
            made.unlink(missing_ok=True)
        raise UnusableInputError(f"{output}: {error.strerror}: name a file that can be written with -o") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _watch() -> Iterator[Watch]:
    """A bar on a terminal, which goes when it is done; nothing anywhere else."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _doing: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: list[TaskID] = []

        def begin(doing: str) -> Watcher:
            for old in tasks:
                bar.remove_task(old)
            task = bar.add_task(doing, total=None)
            tasks[:] = [task]
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield begin
