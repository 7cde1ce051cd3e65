"""What `calltest run` does: reads CallTests, runs them in turn, prints what came of them."""

import re
import signal as signals
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Final

import typer
from rich.console import Console

from agent.contract.verdict import Result
from controller.cli.output import WIDE, Output
from controller.cli.run.inputs import read_file, read_inputs
from controller.cli.run.junit import Suite, junit
from controller.cli.run.local import Options, evidence_note, prepare, run_test
from controller.cli.run.materials import Directories, read_directories
from controller.cli.run.progress import LiveWatch, PlainWatch
from controller.cli.run.render import FinishedRun, as_json, as_table, as_yaml
from controller.faults import UnusableInputError
from controller.plan.limits import Limits

EXIT: Final = {Result.PASSED: 0, Result.FAILED: 1, Result.INCONCLUSIVE: 3}
UNUSABLE: Final = 2
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments as typed."""

    files: tuple[str, ...]
    targets: tuple[str, ...]
    output: Output
    secrets: tuple[str, ...]
    config_maps: tuple[str, ...]
    allow_targets: tuple[str, ...] | None
    """None: not given."""
    allow_dial: str
    keep: Path | None
    evidence: Path | None


def run(asked: Asked) -> int:
    """Runs them; the exit status."""
    try:
        secrets, config_maps = (
            read_directories(asked.secrets, "--secret"),
            read_directories(asked.config_maps, "--config-map"),
        )
        options = Options(
            targets=asked.targets,
            directories=Directories(secrets=secrets, config_maps=config_maps),
            limits=Limits(allow_targets=_networks(asked.allow_targets), allow_dial=_pattern(asked.allow_dial)),
            keep=asked.keep,
            evidence=asked.evidence and _writable(asked.evidence),
        )
        return _exit_code(_run_all(asked.files, options, asked.output))
    except Exception as error:  # noqa: BLE001 - it is said, and has an exit status
        return _fault(error)


def _fault(error: Exception) -> int:
    """Says what went wrong; the exit status."""
    if isinstance(error, UnusableInputError):
        typer.echo(f"calltest: {error}", err=True)
        return UNUSABLE
    # A fault of ours says nothing about the SUT: it must not look like Failed (1, Python's own choice).
    traceback.print_exception(error)
    return EXIT[Result.INCONCLUSIVE]


def _run_all(files: Sequence[str], options: Options, output: Output) -> list[FinishedRun | None]:
    """All tests are checked, then run in turn and printed. None: a test that was not begun."""
    inputs = read_inputs(read_file(path, sys.stdin.buffer) for path in files)
    tests = [prepare(source, options) for source in inputs.call_tests]
    console = Console(stderr=True)
    finished: list[FinishedRun | None] = []
    with _interrupts() as interrupts:
        for ready in tests:
            if interrupts:
                typer.echo(f"calltest: {ready.test.name} was not begun", err=True)
                finished.append(None)
                continue
            typer.echo(f"calltest: {ready.test.name} via {', '.join(e.address for e in ready.endpoints)}", err=True)
            if note := evidence_note(ready.test.spec, options):
                typer.echo(f"calltest: {ready.test.name}: {note}", err=True)
            redraws = console.is_terminal and not console.is_dumb_terminal
            live = LiveWatch(console) if redraws else nullcontext(PlainWatch(console))
            with live as watch:
                done = run_test(ready, inputs, options, lambda: len(interrupts), watch.show)
            finished.append(done)
            if output is Output.TABLE:
                _print_table(done)
    _print_documents([run for run in finished if run is not None], output)
    return finished


def _print_table(done: FinishedRun) -> None:
    terminal = Console()
    width = terminal.width if terminal.is_terminal else WIDE
    typer.echo(as_table(done, width=width, color=terminal.is_terminal and not terminal.no_color), color=True)


def _print_documents(runs: Sequence[FinishedRun], output: Output) -> None:
    match output:
        case Output.TABLE:
            return
        case Output.YAML:
            text = as_yaml(runs)
        case Output.JSON:
            text = as_json(runs)
        case Output.JUNIT:
            text = junit([Suite(name=run.test.name, status=run.status, verdict=run.verdict) for run in runs])
    typer.echo(text, nl=False)


def _exit_code(finished: Sequence[FinishedRun | None]) -> int:
    """Failed beats Inconclusive beats Passed; a test that was not begun is Inconclusive."""
    codes = {EXIT[run.status.result if run and run.status.result else Result.INCONCLUSIVE] for run in finished}
    return next(EXIT[result] for result in (Result.FAILED, Result.INCONCLUSIVE, Result.PASSED) if EXIT[result] in codes)


def _writable(directory: Path) -> Path:
    """A directory for evidence, made where it is missing."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            return directory
    except OSError as error:
        raise UnusableInputError(f"--evidence {directory}: {error.strerror}: name a directory to write to") from error


def _networks(given: Sequence[str] | None) -> tuple[str, ...]:
    """None: whoever runs a test may send what this machine may; a wrong Contact is then the fault of the SUT."""
    try:
        return EVERYWHERE if given is None else tuple(str(ip_network(network)) for network in given)
    except ValueError as error:
        raise UnusableInputError(f"--allow-target: {error}; give a CIDR such as 192.0.2.0/24") from error


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise UnusableInputError(f"--allow-dial {text!r}: {error}: give a regular expression") from error


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """The signals that asked us to end, as they come: the agents are told, instead of us being ended."""
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    # What is ignored stays so: `nohup calltest …` must outlive its terminal.
    before = {
        number: signals.signal(number, note)
        for number in (signals.SIGINT, signals.SIGTERM, signals.SIGHUP)
        if signals.getsignal(number) is not signals.SIG_IGN
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signals.signal(number, handler)
