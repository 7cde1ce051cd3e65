"""What `calltest run` does: reads CallTests, runs them in turn, prints what came of them."""

import re
import signal as signals
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from ipaddress import ip_network
from math import isfinite
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Final

from rich.console import Console

from agent.contract.verdict import Result
from controller.cli.exits import show
from controller.cli.output import WIDE, Output
from controller.cli.run.inputs import read_inputs
from controller.cli.run.junit import Suite, junit
from controller.cli.run.local import Options, Ready, evidence_note, prepare, run_test
from controller.cli.run.materials import Directories, read_directories
from controller.cli.run.progress import LiveWatch, PlainWatch
from controller.cli.run.reading import read_file
from controller.cli.run.render import FinishedRun, as_json, as_table, as_yaml
from controller.cli.run.scratch import scratch_directory
from controller.cli.saying import say, tell
from controller.faults import UnusableInputError
from controller.plan.limits import Limits

EXIT: Final = {Result.PASSED: 0, Result.FAILED: 1, Result.INCONCLUSIVE: 3}
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
    max_calls_per_second: float | None
    keep: Path | None
    evidence: Path | None


def run(asked: Asked) -> int:
    """Runs them; the exit status by their verdicts. UnusableInputError, OSError; KeyboardInterrupt before the first."""
    finished: list[FinishedRun | None] = []
    with _interrupts() as interrupts:
        try:
            _run_all(asked, finished, interrupts)
        except (UnusableInputError, OSError):
            raise
        except KeyboardInterrupt:
            say("calltest: interrupted before anything was begun")
            raise
        except Exception as error:  # noqa: BLE001 - what ran before has its verdict, which may be worse
            show(error)
            finished.append(None)
        finally:
            _print_documents([run for run in finished if run is not None], asked.output)
    return _exit_code(finished)


def _run_all(asked: Asked, finished: list[FinishedRun | None], interrupts: "_Interrupts") -> None:
    """All tests are checked, then run in turn; what has `finished` is added there. None: a test that was not begun."""
    options = _options(asked)
    with scratch_directory() as scratch:
        tests = _prepared(asked.files, options, scratch)
        interrupts.are_noted = True
        for ready in tests:
            if interrupts.count():
                say(f"calltest: {ready.test.name} was not begun")
                finished.append(None)
                continue
            finished.append(_run_one(ready, options, interrupts, asked.output))


def _prepared(files: Sequence[str], options: Options, scratch: Path) -> list[Ready]:
    """All tests of all files; UnusableInputError has a line for each that cannot be run."""
    inputs = read_inputs([read_file(path) for path in files])
    tests: list[Ready] = []
    faults: list[str] = []
    for source in inputs.call_tests:
        try:
            tests.append(prepare(source, inputs, options, scratch))
        except UnusableInputError as error:
            faults.append(str(error))
    if faults:
        raise UnusableInputError("\n".join(dict.fromkeys("\n".join(faults).splitlines())))
    return tests


def _run_one(ready: Ready, options: Options, interrupts: "_Interrupts", output: Output) -> FinishedRun:
    say(f"calltest: {ready.test.name} via {', '.join(e.address for e in ready.endpoints)}")
    if note := evidence_note(ready.test.spec, options):
        say(f"calltest: {ready.test.name}: {note}")
    console = Console(stderr=True)
    redraws = console.is_terminal and not console.is_dumb_terminal
    with LiveWatch(console) if redraws else nullcontext(PlainWatch(say)) as watch:
        done = run_test(ready, options, interrupts.count, watch.show)
    if output is Output.TABLE:
        _print_table(done)
    return done


def _options(asked: Asked) -> Options:
    secrets = read_directories(asked.secrets, "--secret")
    config_maps = read_directories(asked.config_maps, "--config-map")
    return Options(
        targets=asked.targets,
        directories=Directories(secrets=secrets, config_maps=config_maps),
        limits=Limits(
            max_calls_per_second=_rate(asked.max_calls_per_second),
            allow_targets=_networks(asked.allow_targets),
            allow_dial=_pattern(asked.allow_dial),
        ),
        keep=asked.keep and _writable(asked.keep, "--keep"),
        evidence=asked.evidence and _writable(asked.evidence, "--evidence"),
    )


def _print_table(done: FinishedRun) -> None:
    terminal = Console()
    width = terminal.width if terminal.is_terminal else WIDE
    tell(as_table(done, width=width, color=terminal.is_terminal and not terminal.no_color) + "\n")


def _print_documents(runs: Sequence[FinishedRun], output: Output) -> None:
    if not runs:
        return
    match output:
        case Output.TABLE:
            return
        case Output.YAML:
            text = as_yaml(runs)
        case Output.JSON:
            text = as_json(runs)
        case Output.JUNIT:
            text = junit([Suite(name=run.test.name, status=run.status, verdict=run.verdict) for run in runs])
    tell(text)


def _exit_code(finished: Sequence[FinishedRun | None]) -> int:
    """Failed beats Inconclusive beats Passed; a test that was not begun, or broke down, is Inconclusive."""
    codes = {EXIT[run.status.result if run and run.status.result else Result.INCONCLUSIVE] for run in finished}
    return next(EXIT[result] for result in (Result.FAILED, Result.INCONCLUSIVE, Result.PASSED) if EXIT[result] in codes)


def _writable(directory: Path, option: str) -> Path:
    """A directory to write to, made where it is missing."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory) as file:
            file.write(b"x")
            file.flush()
            return directory
    except OSError as error:
        raise UnusableInputError(f"{option} {directory}: {error.strerror}: name a directory to write to") from error


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


def _rate(given: float | None) -> float:
    if given is None:
        return Limits().max_calls_per_second
    if not (isfinite(given) and given > 0):
        raise UnusableInputError(f"--max-calls-per-second {given:g}: give a number above 0")
    return given


class _Interrupts:
    """How often a signal asked us to end: from the first call on the agents are told, instead of us being ended."""

    def __init__(self) -> None:
        self.are_noted = False
        """Else the first one ends what is being done."""
        self._count = 0

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Takes a signal."""
        if not self.are_noted:
            raise KeyboardInterrupt
        self._count += 1

    def count(self) -> int:
        """How often."""
        return self._count


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    seen = _Interrupts()
    # What is ignored stays so: `nohup calltest …` must outlive its terminal.
    before = {
        number: signals.signal(number, seen.note)
        for number in (signals.SIGINT, signals.SIGTERM, signals.SIGHUP)
        if signals.getsignal(number) is not signals.SIG_IGN
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signals.signal(number, handler)
