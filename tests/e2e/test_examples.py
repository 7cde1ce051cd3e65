"""Each example gives its verdict and its reason on a real cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Served
from tests.e2e.kube import IN_NODE, Namespace
from tests.sut.compare import differences
from tests.sut.faults import AppliedFaults, apply_faults, cluster_selector
from tests.sut.scenario import Scenario, load_scenario, scenarios


@pytest.mark.parametrize("name", scenarios())
def test_example_comes_to_its_verdict(name: str, served: Served, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    space = served(name)
    space.apply_folder(scenario.folder, tmp_path)
    space.rolled_out("calltest-operator", *scenario.expected.deployments)

    with faults_of(scenario, space) as faults:
        space.kubectl("apply", "-f", str(scenario.calltest))
        test = space.finished(name)
        run = space.run_of(name)
        dropped = faults.dropped() if faults else 0

    found = differences(scenario.expected, run["status"])
    assert not found, "\n".join(found)
    assert bool(dropped) == bool(scenario.faults), "the path's faults dropped nothing"
    brief = {key: test["status"]["lastRun"].get(key) for key in ("result", "reason", "message")}
    assert brief == {key: run["status"].get(key) for key in ("result", "reason", "message")}
    assert len(run["status"]["detail"]["configMaps"]) > 0
    assert run["status"]["detail"]["complete"]


@contextmanager
def faults_of(scenario: Scenario, space: Namespace) -> Iterator[AppliedFaults | None]:
    """The faults of the scenario's path, on the node."""
    if not scenario.faults:
        yield None
        return
    pods = space.items("pods", "-l", "app=kamailio")
    selector = cluster_selector([pod["status"]["podIP"] for pod in pods])
    with apply_faults(scenario.faults, selector, enter=IN_NODE, hook="FORWARD") as faults:
        yield faults
