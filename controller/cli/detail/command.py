"""`calltest detail RUN`: its arguments and exit status. What it does is in controller/cli/detail/details.py."""

from typing import Annotated

import typer

from controller.cli.exits import exit_status


def detail(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A CallTestRun of the cluster.")],
    *,
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Where that run is.")] = "default",
    call: Annotated[
        str | None, typer.Option("--call", metavar="NAME[/NUMBER]", help="Only this call's legs, as messages to read.")
    ] = None,
) -> None:
    """Print what the agents of a run told: a line of JSON per leg and registration, or the SIP messages of a call.

    The lines are those of the ConfigMaps that the run's status names, read by your kubeconfig. With --call, each leg is
    printed as its ladder: what was sent and received when, then the messages, as far as they were kept.

    \b
    Exit status: 0, or 2 unusable input (no such run, no detail of it), 3 a fault of calltest.

    \b
    Examples:
      calltest detail pin-g3
      calltest detail pin-g3 -n voice | jq 'select(.findings != [])'
      calltest detail pin-g3 --call pin/4
    """  # noqa: D301 - \b is click's mark for 'do not rewrap'
    with exit_status():
        from controller.cli.detail import details  # noqa: PLC0415 - the cluster's client is of no use to the others

        details.run(details.Asked(run=run, namespace=namespace, call=call))
