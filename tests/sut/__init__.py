"""The examples' SUT without a cluster: the same programs and configuration, on loopback or in a network namespace."""

from tests.sut.faults import Fault, Packets, Selector, Towards, apply_faults, cluster_selector, local_selector
from tests.sut.local import LocalSut, local_sut, network_namespace
from tests.sut.running import Running, running
from tests.sut.scenario import SECRETS, Scenario, load_scenario, scenarios

__all__ = [
    "SECRETS",
    "Fault",
    "LocalSut",
    "Packets",
    "Running",
    "Scenario",
    "Selector",
    "Towards",
    "apply_faults",
    "cluster_selector",
    "load_scenario",
    "local_selector",
    "local_sut",
    "network_namespace",
    "running",
    "scenarios",
]
