"""`calltest convert pjsua FILE`: its arguments and exit status. What it does is in conversions.py."""

from pathlib import Path
from typing import Annotated, Final

import typer

from controller.cli.exits import exit_status

LACKING: Final = 1

convert = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Make CallTests of what other programs are told."
)


@convert.callback()
def _group() -> None:
    """Make CallTests of what other programs are told."""


@convert.command()
def pjsua(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What pjsua reads with --config-file; - is stdin.")],
    uri: Annotated[
        str | None, typer.Argument(metavar="[URI]", help="Whom to call, where the file does not say it.")
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write the CallTest; default: stdout."),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option("--secrets", metavar="FILE", help="Where to write the Secrets; default: behind the CallTest."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the CallTest; default: of the file's.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit status 1 where something of the calls was dropped.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Make a CallTest of a configuration file of pjsua 2.17.

    Its account calls the URI, or, with --auto-answer and no URI, is called; with --registrar and neither, it registers.
    Passwords and TLS files become Secrets, a WAV file a ConfigMap: documents of their own, which `calltest run` takes.
    What became of each option is told on stderr, as `FILE:LINE: --option: mapped: field`:

    \b
    mapped   it is in the test, in that field
    default  calltest does so already; or the file does not say it
    dropped  it says something of the calls, and the test does not have it
    unused   it says nothing of the calls

    \b
    Exit status: 0, or 1 with --strict where something was dropped,
    2 unusable input, 3 a fault of calltest.

    \b
    Examples:
      calltest convert pjsua alice.cfg > alice.yaml
      calltest run alice.yaml
      calltest convert pjsua alice.cfg sip:echo@example.com -o echo.yaml
      calltest convert pjsua alice.cfg --secrets secret.yaml --strict -o alice.yaml
      calltest run alice.yaml secret.yaml --target 10.0.0.5
    """  # noqa: D301 - \b is click's mark for 'do not rewrap'
    with exit_status():
        from controller.cli.convert import conversions  # noqa: PLC0415 - all that it loads is of no use to the others

        lacks = conversions.run(
            conversions.Asked(file=file, uri=uri, output=output, secrets=secrets, name=name, force=force)
        )
    raise typer.Exit(LACKING if lacks and strict else 0)
