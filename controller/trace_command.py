"""`calltest trace FILE…`: what went over the wire."""

import math
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from controller.inputs import IncompleteInstallationError, UnusableInputError

if TYPE_CHECKING:
    from agent.trace.model import Progress as Watcher
    from controller.trace_answer import Answer, Request
    from controller.trace_expectations import Outcome

BROKEN: Final = 1
UNUSABLE: Final = 2
FAULT_OF_OURS: Final = 3
INTERRUPTED: Final = 130
UNREAD: Final = 141
"""As of a program that SIGPIPE ended: `| head` had seen enough."""
WIDE: Final = 240
"""Columns of a table that no terminal shows."""


def trace(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="pcap or pcapng, also gzip or zstd; - is stdin.")
    ],
    *,
    sut: Annotated[
        list[str] | None,
        typer.Option("--sut", metavar="IP", help="Keep streams from and to this address. Repeat it for several."),
    ] = None,
    call_id: Annotated[str | None, typer.Option(metavar="ID", help="Keep the streams of this SIP call.")] = None,
    digits: Annotated[bool, typer.Option("--digits", help="Show each digit instead of the streams.")] = False,
    wav: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what was heard in here: a WAV file for each call.")
    ] = None,
    inband: Annotated[bool, typer.Option("--inband", help="Also find digits sent as tones in the audio.")] = False,
    decrypted: Annotated[
        bool,
        typer.Option("--decrypted", help="Media is in plain where SDP says SRTP, as in captures of calltest's agents."),
    ] = False,
    expect: Annotated[str | None, typer.Option(metavar="DIGITS", help="Digits that must have been sent.")] = None,
    max_loss_percent: Annotated[
        float | None, typer.Option(metavar="N", help="The share of its packets that a stream may lose.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document (docs/trace.schema.json).")] = False,
) -> None:
    """Show the RTP streams and DTMF digits of captures, read one after the other as if they were one.

    --expect DIGITS holds where each conversation (what two addresses send each other in a call) carried digits, and
    each direction that did carried exactly these, each digit to its end. Methods (RFC 4733, SIP INFO; with --inband,
    tones) are judged one by one. Narrow with --sut and --call-id what else is in the capture. It does not hold where
    digits could not be read: SRTP, damage in the file, with --inband audio that could not be decoded.

    --max-loss-percent N holds where there are streams, each one kept lost no more, and no packets are hidden by damage.

    What could not be decoded, or is not all there, is said on stderr, with --json in the document.

    \b
    Exit status: 0, or 1 where an expectation does not hold, 2 unusable input,
    3 a fault of calltest.

    \b
    Examples:
      calltest trace call.pcap
      calltest trace a.pcap b.pcapng.gz --sut 10.0.0.5 --expect 1234#
      calltest trace call.pcap --call-id 6b750d48 --max-loss-percent 1
      calltest trace call.pcap --wav listen --inband --json
      tcpdump -i eth0 -w - -c 10000 udp | calltest trace - --digits
    """  # noqa: D301 - \b is click's mark for 'do not rewrap'
    try:
        # numpy and the readers are of no use to the other commands.
        from controller.trace_answer import Request, address  # noqa: PLC0415

        keys = _keys(expect)
        _check_percent(max_loss_percent)
        request = Request(
            files=tuple(files),
            suts=frozenset(map(address, sut or ())),
            call_id=call_id,
            wav=wav,
            in_band=inband,
            decrypted=decrypted,
        )
        broken = _run(request, keys, max_loss_percent, digits=digits, json=json)
    except UnusableInputError as error:
        typer.echo(f"calltest: {error}", err=True)
        raise typer.Exit(UNUSABLE) from error
    except IncompleteInstallationError as error:
        typer.echo(f"calltest: {error}", err=True)
        raise typer.Exit(FAULT_OF_OURS) from error
    except BrokenPipeError as error:
        _abandon_stdout()
        raise typer.Exit(UNREAD) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    except Exception as error:
        # Python's own exit status would say that an expectation does not hold.
        traceback.print_exc()
        raise typer.Exit(FAULT_OF_OURS) from error
    raise typer.Exit(BROKEN if broken else 0)


def _run(request: "Request", keys: str | None, max_loss_percent: float | None, *, digits: bool, json: bool) -> bool:
    """Prints the answer; whether an expectation is broken."""
    from controller.trace_answer import answer  # noqa: PLC0415

    answered = answer(request, sys.stdin.buffer, _watch)
    _print(answered, digits=digits, json=json)
    for warning in () if json else answered.trace.warnings:
        typer.echo(f"calltest: {_printable(warning.message)}", err=True)
    outcomes = _judge(answered, keys, max_loss_percent)
    for outcome in outcomes:
        for observed in outcome.broken:
            typer.echo(f"calltest: expected {outcome.expected}: {_printable(observed)}", err=True)
        if not outcome.broken:
            typer.echo(f"calltest: as expected: {outcome.expected}", err=True)
    return any(outcome.broken for outcome in outcomes)


def _judge(answered: "Answer", keys: str | None, max_loss_percent: float | None) -> list["Outcome"]:
    from controller.trace_expectations import judge_digits, judge_loss  # noqa: PLC0415

    outcomes = []
    if keys is not None:
        outcomes.append(judge_digits(answered.trace, keys, answered.unheard))
    if max_loss_percent is not None:
        outcomes.append(judge_loss(answered.trace, max_loss_percent))
    return outcomes


def _print(answered: "Answer", *, digits: bool, json: bool) -> None:
    import msgspec  # noqa: PLC0415

    from controller.trace_table import as_table  # noqa: PLC0415

    if json:
        text = msgspec.json.format(msgspec.json.encode(answered.trace), indent=2).decode() + "\n"
        typer.echo(text, nl=False)
        return
    terminal = Console()
    width = terminal.width if terminal.is_terminal else WIDE
    color = terminal.is_terminal and not terminal.no_color
    typer.echo(as_table(answered.trace, width=width, color=color, digits=digits), nl=False, color=True)


@contextmanager
def _watch(doing: str) -> Iterator["Watcher | None"]:
    """A bar on a terminal, which goes when it is done; nothing anywhere else."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _abandon_stdout() -> None:
    """What is still buffered would fail once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _keys(expect: str | None) -> str | None:
    from controller.trace_expectations import KEYS  # noqa: PLC0415

    if expect is None:
        return None
    keys = expect.upper()
    if not keys or not KEYS.issuperset(keys):
        raise UnusableInputError(f"--expect {expect!r}: give the digits that must be there, of 0-9 * # A-D")
    return keys


def _check_percent(percent: float | None) -> None:
    if percent is not None and not (math.isfinite(percent) and 0 <= percent <= 100):
        raise UnusableInputError(f"--max-loss-percent {percent:g}: give a share from 0 to 100")


def _printable(text: str) -> str:
    from agent.sip.text import printable  # noqa: PLC0415

    return printable(text)
