"""The examples' SUT without a cluster: the same programs and configuration, on loopback or in a network namespace."""

from tests.sut.faults import Fault, Towards, apply_faults, cluster_selector, local_selector
from tests.sut.local import LocalSut, local_sut

__all__ = [
    "Fault",
    "LocalSut",
    "Towards",
    "apply_faults",
    "cluster_selector",
    "local_selector",
    "local_sut",
]
