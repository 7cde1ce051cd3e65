"""The command line: `run` runs CallTests without a cluster, `trace` reads captures.

`report` makes a page of either, `detail` prints what the agents of a cluster's run told, `convert` makes CallTests.

A command's module has its arguments, and imports what it works with when it runs: `--help` is to be there at once.
"""

from typing import Annotated

import typer

from controller.cli.convert.command import convert
from controller.cli.detail.command import detail
from controller.cli.report.command import report
from controller.cli.run.command import run
from controller.cli.trace.command import trace

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

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


app.command()(trace)
app.command()(run)
app.command()(report)
app.command()(detail)
app.add_typer(convert, name="convert")
