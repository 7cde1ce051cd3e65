"""`calltest report SOURCE…`: its arguments and exit status. What it does is in controller/cli/report/reports.py."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import exit_status


def report(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SOURCE...]", help="A folder of evidence, a run's JSON, both, or captures."),
    ] = None,
    *,
    run: Annotated[str | None, typer.Option("--run", metavar="NAME", help="A CallTestRun of the cluster.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Where that run is.")] = "default",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the page is written; - is stdout.")
    ] = Path("calltest-report.html"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    no_sound: Annotated[bool, typer.Option("--no-sound", help="Nothing to listen to: a smaller page.")] = False,
) -> None:
    """Make one HTML page of calls, to look at: verdict, messages, media over time, sound.

    The page is one file, opens offline and loads nothing. Sources are a folder that `calltest run --evidence` or
    spec.evidence wrote (or a part of it), the JSON of a run, both together, or captures (pcap, pcapng).

    What a network said is on it: numbers, names, voices. Give it to whom you would give the capture.

    \b
    Exit status: 0, or 2 unusable input, 3 a fault of calltest.

    \b
    Examples:
      calltest report ./evidence -o pin.html
      calltest report run.json ./evidence/pin-4f2a7c31
      calltest report call.pcap --no-sound -o - > call.html
      calltest report --run pin-g3 -n voice --force
    """  # noqa: D301 - \b is click's mark for 'do not rewrap'
    with exit_status():
        from controller.cli.report import reports  # noqa: PLC0415 - numpy, the readers and Jinja2 are of no use to the others

        reports.run(
            reports.Asked(
                sources=tuple(sources or ()),
                run=run,
                namespace=namespace,
                output=output,
                force=force,
                sound=not no_sound,
            )
        )
