"""What `calltest trace` does: reads captures, prints what is in them, judges what was expected of them."""

import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import typer

from agent.sip.text import printable
from agent.trace.model import Progress, Trace
from controller.cli.output import WIDE
from controller.cli.trace.answer import Answer, Request, address, answer
from controller.cli.trace.keys import KEYS
from controller.faults import UnusableInputError

if TYPE_CHECKING:
    from controller.cli.trace.expectations import Outcome

_UNSEEN: Final = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""C1 controls, which some terminals obey, and what turns, hides or breaks the text around it (Unicode's Cf, Zl, Zp)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments as typed."""

    files: tuple[str, ...]
    suts: tuple[str, ...]
    call_id: str | None
    digits: bool
    wav: Path | None
    in_band: bool
    decrypted: bool
    expect: str | None
    max_loss_percent: float | None
    json: bool


def run(asked: Asked) -> bool:
    """Prints the answer; whether an expectation is broken. UnusableInputError, IncompleteInstallationError."""
    keys = _keys(asked.expect)
    _check_percent(asked.max_loss_percent)
    request = Request(
        files=asked.files,
        suts=frozenset(map(address, asked.suts)),
        call_id=asked.call_id,
        wav=asked.wav,
        in_band=asked.in_band,
        decrypted=asked.decrypted,
    )
    answered = answer(request, sys.stdin.buffer, _watch)
    _print(answered.trace, asked)
    for warning in () if asked.json else answered.trace.warnings:
        typer.echo(f"calltest: {printable(warning.message)}", err=True)
    if keys is None and asked.max_loss_percent is None:
        return False
    outcomes = _judge(answered, keys, asked.max_loss_percent)
    for outcome in outcomes:
        for observed in outcome.broken:
            typer.echo(f"calltest: expected {outcome.expected}: {printable(observed)}", err=True)
        if not outcome.broken:
            typer.echo(f"calltest: as expected: {outcome.expected}", err=True)
    return any(outcome.broken for outcome in outcomes)


def _judge(answered: Answer, keys: str | None, max_loss_percent: float | None) -> list["Outcome"]:
    from controller.cli.trace.expectations import judge_digits, judge_loss  # noqa: PLC0415 - who asks nothing waits less

    outcomes = []
    if keys is not None:
        outcomes.append(judge_digits(answered.trace, keys, answered.unheard))
    if max_loss_percent is not None:
        outcomes.append(judge_loss(answered.trace, max_loss_percent))
    return outcomes


def _print(trace: Trace, asked: Asked) -> None:
    if asked.json:
        typer.echo(as_json(trace), nl=False)
        return
    # rich takes a quarter of the time that a small capture takes: the JSON document needs none of it.
    from rich.console import Console  # noqa: PLC0415

    from controller.cli.trace.table import as_table  # noqa: PLC0415

    terminal = Console()
    width = terminal.width if terminal.is_terminal else WIDE
    color = terminal.is_terminal and not terminal.no_color
    typer.echo(as_table(trace, width=width, color=color, digits=asked.digits), nl=False, color=True)


def as_json(trace: Trace) -> str:
    """The document; what a terminal would obey rather than show is escaped, as JSON allows (RFC 8259 §7)."""
    text = msgspec.json.format(msgspec.json.encode(trace), indent=2).decode() + "\n"
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@contextmanager
def _watch(doing: str) -> Iterator[Progress | None]:
    """A bar on a terminal, which goes when it is done; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress  # noqa: PLC0415 - as above
    from rich.console import Console  # noqa: PLC0415

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _keys(expect: str | None) -> str | None:
    if expect is None:
        return None
    keys = expect.upper()
    if not keys or not KEYS.issuperset(keys):
        raise UnusableInputError(f"--expect {expect!r}: give the digits that must be there, of 0-9 * # A-D")
    return keys


def _check_percent(percent: float | None) -> None:
    if percent is not None and not (math.isfinite(percent) and 0 <= percent <= 100):
        raise UnusableInputError(f"--max-loss-percent {percent:g}: give a share from 0 to 100")
