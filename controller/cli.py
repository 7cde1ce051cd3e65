"""The command line: `calltest run` runs CallTests without a cluster, `calltest trace` reads captures."""

import re
import signal as signals
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Annotated, Final

import typer
from rich.console import Console

from agent.contract.verdict import Result
from controller.inputs import UnusableInputError, read_file, read_inputs
from controller.limits import Limits
from controller.local import Options, evidence_note, prepare, run_test
from controller.materials import Directories, read_directories
from controller.render import FinishedRun, as_json, as_table, as_yaml
from controller.report import Suite, junit
from controller.trace_command import trace
from controller.watch import LiveWatch, PlainWatch

EXIT: Final = {Result.PASSED: 0, Result.FAILED: 1, Result.INCONCLUSIVE: 3}
UNUSABLE: Final = 2
WIDE: Final = 240
"""Columns of a table that no terminal shows."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


class Output(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"
    JUNIT = "junit"


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        typer.echo(f"calltest {version('calltest-operator')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """SIP test calls with real media and a verdict."""


Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML files with CallTests; - is stdin.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", "-t", metavar="HOST[:PORT]", help="The system under test. Repeat it for each replica."),
]
Format = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=DIR", help="Directory (files username, password, realm) that stands for a Secret."),
]
ConfigMaps = Annotated[
    list[str] | None, typer.Option(metavar="NAME=DIR", help="Directory that stands for a ConfigMap with WAV files.")
]
AllowDial = Annotated[
    str, typer.Option(metavar="REGEX", help="Phone numbers that may be dialled; emergency numbers never are.")
]
Keep = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep each agent's plan, output, log and result in here.")
]
Evidence = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Keep capture, sound and SIP messages of calls in here, as spec.evidence says; default: of failed ones.",
    ),
]


app.command()(trace)


@app.command()
def run(
    files: Files,
    *,
    target: Targets = None,
    output: Format = Output.TABLE,
    secret: Secrets = None,
    config_map: ConfigMaps = None,
    allow_dial: AllowDial = "",
    keep: Keep = None,
    evidence: Evidence = None,
) -> None:
    """Run CallTests with agents on this machine, without a cluster.

    Secrets and ConfigMaps that a test names are taken from the same files, or from --secret and --config-map.
    Progress goes to stderr, the result to stdout.

    \b
    Exit status: 0 Passed, 1 Failed, 3 Inconclusive, 2 unusable input.
    Ctrl-C hangs up and concludes; twice, it ends the agents at once.

    \b
    Examples:
      calltest run pin.yaml --target 127.0.0.1:5060
      calltest run pin.yaml -t 10.0.0.5 -t 10.0.0.6 -o junit > report.xml
      calltest run pin.yaml -t sbc.example.com --secret sip-alice=./alice
      calltest run pin.yaml -t 10.0.0.5 --evidence ./evidence
    """  # noqa: D301 - \b is click's mark for 'do not rewrap'
    try:
        secrets, config_maps = (
            read_directories(secret or (), "--secret"),
            read_directories(config_map or (), "--config-map"),
        )
        options = Options(
            targets=tuple(target or ()),
            directories=Directories(secrets=secrets, config_maps=config_maps),
            limits=Limits(allow_dial=_pattern(allow_dial)),
            keep=keep,
            evidence=evidence and _writable(evidence),
        )
        finished = _run_all(files, options, output)
    except Exception as error:
        raise typer.Exit(_fault(error)) from error
    raise typer.Exit(_exit_code(finished))


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


if __name__ == "__main__":
    app()
