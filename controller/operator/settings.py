"""What the administrator decided: the only reader of flags and environment variables of the operator."""

import argparse
import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.plan.limits import Limits

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
EXAMPLES: Final = """\
every flag can be given as an environment variable: --agent-image is CALLTEST_AGENT_IMAGE

examples:
  python -m controller --namespace voice                 serve one namespace (repeat the flag for more)
  python -m controller --all-namespaces                  serve all of them; needs deploy/cluster-wide
  python -m controller --namespace voice --allow-target 192.0.2.0/24 --allow-dial '\\+49301234[0-9]*'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The operator's settings, complete and checked."""

    namespaces: tuple[str, ...]
    """Empty: all of them."""
    agent_image: str
    host: str
    """Address that /metrics, /healthz and /readyz listen on."""
    port: int
    resync_s: float
    """How often everything is looked at again, in case an event was lost."""
    limits: Limits
    log_level: str


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Flags before environment variables before defaults; a bad value ends the program with what is wrong (exit 2)."""
    parser, presets = _parser(environment)
    given = parser.parse_args(arguments)
    for name, values in presets.items():
        if getattr(given, name) is None:
            setattr(given, name, values)
    namespaces = tuple(dict.fromkeys(name for text in given.namespace or () for name in text.split(",") if name))
    if given.all_namespaces and namespaces:
        parser.error("--namespace and --all-namespaces exclude each other")
    if not given.all_namespaces and not namespaces:
        namespaces = _own_namespace(parser)
    return Settings(
        namespaces=namespaces,
        agent_image=given.agent_image,
        host=given.host,
        port=given.port,
        resync_s=given.resync_seconds,
        log_level=given.log_level,
        limits=Limits(
            max_calls_per_second=given.max_calls_per_second,
            max_concurrent_calls=given.max_concurrent_calls,
            max_calls=given.max_calls,
            max_agents=given.max_agents,
            max_active_runs=given.max_active_runs,
            allow_targets=tuple(cidr for text in given.allow_target or () for cidr in _cidrs(parser, text)),
            target_namespaces=_target_namespaces(given),
            allow_dial=_pattern(parser, given.allow_dial) if given.allow_dial else None,
            secret_prefix=given.secret_prefix,
            claim_prefix=given.claim_prefix,
        ),
    )


def from_process(arguments: Sequence[str]) -> Settings:
    """The settings of this process."""
    return read(arguments, os.environ)


def _parser(environment: Mapping[str, str]) -> tuple[argparse.ArgumentParser, dict[str, list[str]]]:
    """The parser, and what the environment says of flags that can be repeated; a given flag replaces that."""
    parser = argparse.ArgumentParser(
        prog="python -m controller",
        description="The calltest operator: SIP test calls as Kubernetes objects.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    limits = Limits()
    presets: dict[str, list[str]] = {}

    def flag(name: str, default: object, text: str, kind: Callable[[str], object] = str) -> None:
        variable = "CALLTEST_" + name.removeprefix("--").replace("-", "_").upper()
        value = environment.get(variable, str(default))
        parser.add_argument(name, default=value, type=kind, help=f"{text} (default: {value or 'none'})", metavar="X")

    def repeatable(name: str, text: str) -> None:
        variable = "CALLTEST_" + name.removeprefix("--").replace("-", "_").upper()
        parser.add_argument(name, action="append", help=text, metavar="X")
        if preset := environment.get(variable):
            presets[name.removeprefix("--").replace("-", "_")] = [preset]

    repeatable("--namespace", "namespace to serve; repeat it or separate with commas (in a pod, default: its own)")
    parser.add_argument(
        "--all-namespaces",
        action="store_true",
        default=environment.get("CALLTEST_ALL_NAMESPACES", "").lower() in {"1", "true", "yes"},
        help="serve every namespace",
    )
    flag("--agent-image", "calltest-agent:dev", "image of the agent pods")
    flag("--host", "0.0.0.0", "address to listen on for /metrics, /healthz, /readyz")  # noqa: S104 - probes and scrapes
    flag("--port", 8080, "port to listen on", int)
    flag("--resync-seconds", 60, "look at everything again this often", _positive)
    flag("--log-level", "INFO", "DEBUG, INFO, WARNING or ERROR", _log_level)
    repeatable("--allow-target", "CIDR that may be called without a pod of the target namespace behind the address")
    repeatable(
        "--target-namespace",
        "namespace that targets of tests elsewhere may be in; repeat it or separate with commas (default: those that a"
        " Role of deploy/target-access permits; none with --all-namespaces)",
    )
    flag("--allow-dial", "", "regular expression; numbers that match as a whole may be dialled (never emergency ones)")
    flag("--secret-prefix", "", "tests may only name Secrets that begin with this")
    flag("--claim-prefix", "", "tests may only name PersistentVolumeClaims that begin with this")
    flag("--max-calls-per-second", limits.max_calls_per_second, "cap on the new calls of a run", _positive)
    flag("--max-concurrent-calls", limits.max_concurrent_calls, "cap on the concurrent calls of a run", _positive_count)
    flag("--max-calls", limits.max_calls, "cap on the calls of a run", _positive_count)
    flag("--max-agents", limits.max_agents, "cap on the agent pods of a run", _positive_count)
    flag("--max-active-runs", limits.max_active_runs, "runs under way at once, of all tests", _positive_count)
    return parser, presets


def _target_namespaces(given: argparse.Namespace) -> tuple[str, ...] | None:
    """Where every namespace can be read, no Role says whose pods a test may look at: this must."""
    if given.target_namespace is None:
        return () if given.all_namespaces else None
    return tuple(name for text in given.target_namespace for name in text.split(",") if name)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number above 0")
    return value


def _positive_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number above 0")
    return int(text)


def _log_level(text: str) -> str:
    if text not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise argparse.ArgumentTypeError(f"{text!r}: give DEBUG, INFO, WARNING or ERROR")
    return text


def _own_namespace(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    try:
        return (NAMESPACE_FILE.read_text().strip(),)
    except OSError:
        parser.error("which namespace? give --namespace NAME or --all-namespaces (only a pod has one of its own)")


def _cidrs(parser: argparse.ArgumentParser, text: str) -> list[str]:
    try:
        return [str(ipaddress.ip_network(part)) for part in text.split(",")]
    except ValueError as error:
        parser.error(f"--allow-target {text!r}: {error}; give a CIDR such as 192.0.2.0/24")


def _pattern(parser: argparse.ArgumentParser, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        parser.error(f"--allow-dial {text!r}: {error}")
