"""A whole example without a cluster: its replicas and the faults of its path, in a network namespace of their own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.sut.faults import AppliedFaults, apply_faults, local_selector
from tests.sut.local import LocalSut, entering, local_sut, network_namespace
from tests.sut.scenario import SECRETS, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An example's SUT, ready."""

    scenario: Scenario
    namespace: str
    replicas: tuple[LocalSut, ...]
    faults: AppliedFaults

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in the SUT's network namespace."""
        return entering(self.namespace)

    @property
    def run_arguments(self) -> tuple[str, ...]:
        """What `calltest run` is given: the test, the Secrets, a target for each replica."""
        targets = [word for sut in self.replicas for word in ("--target", sut.address)]
        return (str(self.scenario.calltest), str(SECRETS), *targets)


@contextmanager
def running(scenario: Scenario) -> Iterator[Running]:
    """Starts a scenario's SUT; everything is gone at the end."""
    if not scenario.replicas:
        raise ValueError(f"{scenario.name}: its SUT does not run without a cluster")
    with ExitStack() as stack:
        namespace = stack.enter_context(network_namespace())
        replicas = tuple(
            stack.enter_context(local_sut(it.features, phone=it.phone, namespace=namespace, replica=number))
            for number, it in enumerate(scenario.replicas)
        )
        selector = local_selector(
            [sut.media_towards_caller for sut in replicas], [sut.media_towards_callee for sut in replicas]
        )
        faults = stack.enter_context(
            apply_faults(scenario.faults, selector, namespace=namespace, hook="INPUT"),
        )
        yield Running(scenario=scenario, namespace=namespace, replicas=replicas, faults=faults)
