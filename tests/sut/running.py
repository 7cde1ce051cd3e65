"""A whole example without a cluster: its replicas and the faults of its path, in a network namespace of their own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.sut.base import EXAMPLES
from tests.sut.faults import AppliedFaults, apply_faults, local_selector
from tests.sut.local import LocalSut, entering, local_sut, network_namespace
from tests.sut.scenario import SECRETS, Replica, Scenario

PROBE: Final = EXAMPLES / "parrot-service" / "probe.py"
AGENTS: Final = "127.0.0.1"
"""Where `calltest run` has its agents, in a network namespace with nothing but loopback."""
PARROT_START_S: Final = 30
PARROT_STOP_S: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An example's SUT, ready."""

    scenario: Scenario
    namespace: str
    replicas: tuple[LocalSut, ...]
    parrots: tuple[str, ...]
    """`ip:port` of each."""
    faults: AppliedFaults
    evidence: Path | None
    """Where it is kept, of an example that keeps any."""

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in the SUT's network namespace."""
        return entering(self.namespace)

    @property
    def run_arguments(self) -> tuple[str, ...]:
        """What `calltest run` is given: the test, the Secrets, a target for each replica."""
        addresses = (*(sut.address for sut in self.replicas), *self.parrots)
        targets = [word for address in addresses for word in ("--target", address)]
        evidence = ("--evidence", str(self.evidence)) if self.evidence else ()
        return (str(self.scenario.calltest), *map(str, SECRETS), *targets, *evidence)


@contextmanager
def running(scenario: Scenario) -> Iterator[Running]:
    """Starts a scenario's SUT; everything is gone at the end."""
    with ExitStack() as stack:
        namespace = stack.enter_context(network_namespace())
        replicas = tuple(
            stack.enter_context(
                local_sut(
                    it.features,
                    base=it.base,
                    phone=it.phone,
                    namespace=namespace,
                    replica=number,
                    settings=_settings(scenario, it),
                )
            )
            for number, it in enumerate(scenario.replicas)
        )
        selector = local_selector(
            [sut.media_towards_caller for sut in replicas], [sut.media_towards_callee for sut in replicas]
        )
        faults = stack.enter_context(
            apply_faults(scenario.faults, selector, enter=entering(namespace), hook="INPUT"),
        )
        parrots = tuple(stack.enter_context(_parrot(namespace, number)) for number in range(scenario.parrots))
        evidence = None
        if scenario.expected.evidence:
            evidence = Path(stack.enter_context(TemporaryDirectory(prefix="calltest-evidence-")))
        yield Running(
            scenario=scenario,
            namespace=namespace,
            replicas=replicas,
            parrots=parrots,
            faults=faults,
            evidence=evidence,
        )


def _settings(scenario: Scenario, replica: Replica) -> dict[str, str]:
    """What a replica is told beside its features: to dial the callee's Service is to dial the agent itself here."""
    if replica.dial is None:
        return {}
    host, _, port = replica.dial.rpartition(":")
    if host != f"{scenario.name}-callee":
        raise ValueError(f"SUT_DIAL: {host} is not the Service of the callee, {scenario.name}-callee")
    return {"SUT_DIAL": f"{AGENTS}:{port}"}


@contextmanager
def _parrot(namespace: str, number: int) -> Iterator[str]:
    """A parrot agent of ours; its address."""
    host = f"127.1.{number + 1}.10"
    command = [*entering(namespace), "setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "agent", "parrot"]
    process = subprocess.Popen(
        [*command, "--bind", host], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await_options(namespace, host, process)
        yield f"{host}:5060"
    finally:
        process.terminate()
        try:
            process.wait(PARROT_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_options(namespace: str, host: str, process: subprocess.Popen[bytes]) -> None:
    """Asks as its pod's readiness probe does."""
    probe = [*entering(namespace), "env", f"ADDRESS={host}", sys.executable, str(PROBE)]
    end = time.monotonic() + PARROT_START_S
    while subprocess.run(probe, capture_output=True, timeout=10, check=False).returncode:
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the parrot at {host} did not come up")
        time.sleep(0.1)
