"""`calltest run FILE…`: its arguments. What it does is in controller/cli/run/runs.py."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import exit_status
from controller.cli.output import Output

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML files with CallTests; - is stdin.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", "-t", metavar="HOST[:PORT]", help="The system under test. Repeat it for each replica."),
]
Format = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=DIR", help="Directory (a file for each key) that stands for a Secret."),
]
ConfigMaps = Annotated[
    list[str] | None, typer.Option(metavar="NAME=DIR", help="Directory that stands for a ConfigMap with WAV files.")
]
AllowTargets = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-target",
        metavar="CIDR",
        help="Where else SIP may go, as a Contact has it; repeat it. Default: anywhere.",
    ),
]
AllowDial = Annotated[
    str, typer.Option(metavar="REGEX", help="Phone numbers that may be dialled; emergency numbers never are.")
]
Rate = Annotated[
    float | None,
    typer.Option(metavar="N", help="New calls a second, as far as a test's count and concurrency go. Default: 10."),
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


def run(
    files: Files,
    *,
    target: Targets = None,
    output: Format = Output.TABLE,
    secret: Secrets = None,
    config_map: ConfigMaps = None,
    allow_target: AllowTargets = None,
    allow_dial: AllowDial = "",
    max_calls_per_second: Rate = None,
    keep: Keep = None,
    evidence: Evidence = None,
) -> None:
    """Run CallTests with agents on this machine, without a cluster.

    Secrets and ConfigMaps that a test names are taken from the same files, or from --secret and --config-map.
    All of them are checked before the first call. Progress goes to stderr, the result to stdout.

    \b
    Exit status: 0 Passed, 1 Failed, 3 Inconclusive, 2 unusable input.
    Ctrl-C hangs up and concludes; twice, it ends the agents at once;
    before the first call, it is 130.

    \b
    Examples:
      calltest run pin.yaml --target 127.0.0.1:5060
      calltest run pin.yaml -t 10.0.0.5 -t 10.0.0.6 -o junit > report.xml
      calltest run pin.yaml -t sbc.example.com --secret sip-alice=./alice
      calltest run pin.yaml -t 10.0.0.5 --evidence ./evidence
      calltest run load.yaml -t 10.0.0.5 --max-calls-per-second 20
      kubectl get calltest pin -o yaml | calltest run - -t 10.0.0.5
    """  # noqa: D301 - \b is click's mark for 'do not rewrap'
    with exit_status():
        from controller.cli.run import runs  # noqa: PLC0415 - all that it loads is of no use to the other commands

        status = runs.run(
            runs.Asked(
                files=tuple(files),
                targets=tuple(target or ()),
                output=output,
                secrets=tuple(secret or ()),
                config_maps=tuple(config_map or ()),
                allow_targets=None if allow_target is None else tuple(allow_target),
                allow_dial=allow_dial,
                max_calls_per_second=max_calls_per_second,
                keep=keep,
                evidence=evidence,
            )
        )
    raise typer.Exit(status)
