"""Examples that no cluster runs, by `calltest run` against local replicas: the verdict that they must give.

`python -m tests.sut --all` runs all that can be run so; what is run on the cluster too is not run twice here.
"""

import os

import pytest

from tests.sut.__main__ import once
from tests.sut.scenario import load_scenario, scenarios

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the local SUT needs root")
LOCAL = [name for name in scenarios() if (it := load_scenario(name).expected).local and not it.cluster]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LOCAL)
def test_example_gives_its_verdict_without_a_cluster(name: str) -> None:
    # One after the other: an agent that shares its CPU with too many would rightly say AgentOverloaded.
    assert once(load_scenario(name)) == []
