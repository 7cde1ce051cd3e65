"""Each example gives its verdict and its reason on a real cluster."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.calltests import Object, callers_used, changed, detail_of, endpoints_at_once, last_is
from tests.e2e.conftest import Served
from tests.e2e.kube import IN_NODE, Namespace, until
from tests.sut.compare import differences
from tests.sut.faults import AppliedFaults, apply_faults, cluster_selector
from tests.sut.scenario import Scenario, load_scenario, scenarios

VOLUME: Final = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: calltest-evidence}}"


@pytest.mark.parametrize("name", [name for name in scenarios() if load_scenario(name).expected.cluster])
def test_example_comes_to_its_verdict(
    name: str, served: Served, tmp_path: Path, times: int, request: pytest.FixtureRequest
) -> None:
    scenario = load_scenario(name)
    space = served(name)
    if scenario.expected.evidence:
        request.addfinalizer(partial(_forget_volume, space))
    space.apply_folder(scenario.folder, tmp_path)
    space.rolled_out("calltest-operator", *scenario.expected.deployments)

    with faults_of(scenario, space) as faults:
        space.kubectl("apply", "-f", str(scenario.calltest))
        for turn in range(1, times + 1):
            check_run(scenario, space, *finished_run(name, space, turn))
        dropped = faults.dropped() if faults else 0
    if scenario.expected.evidence:
        assert captures(space) >= evidence_of(space.run_of(name))

    assert bool(dropped) == bool(scenario.faults), "the path's faults dropped nothing"


def finished_run(name: str, space: Namespace, turn: int) -> tuple[Object, Object]:
    """The CallTest and its run number `turn`; from the second on, a token asks for it."""
    if turn > 1:
        changed(space, name, trigger={"runToken": str(turn)})
    until(lambda: last_is(space, name, f"{name}-g{turn}"), f"run {turn} finished", timeout_s=120)
    return space.finished(name), space.run_of(name)


def check_run(scenario: Scenario, space: Namespace, test: Object, run: Object) -> None:
    """It is as the example says, in all places where one can look."""
    found = differences(scenario.expected, run["status"])
    assert not found, "\n".join([run["metadata"]["name"], *found])
    brief = {key: test["status"]["lastRun"].get(key) for key in ("result", "reason", "message")}
    assert brief == {key: run["status"].get(key) for key in ("result", "reason", "message")}
    assert len(run["status"]["detail"]["configMaps"]) > 0
    assert run["status"]["detail"]["complete"]
    asked = run["spec"]["test"]["target"].get("endpointParallelism", 1)
    lines = detail_of(space, run)
    assert endpoints_at_once(lines) <= asked
    assert callers_used(lines) in {0, min(asked, len(scenario.expected.endpoints))}, "a caller for each at a time"


def captures(space: Namespace) -> set[str]:
    """The folders with a capture that the example's reader sees."""
    found = space.kubectl("exec", "deployment/evidence", "--", "find", "/evidence", "-name", "capture.pcap")
    return {path.removeprefix("/evidence/").rpartition("/")[0] for path in found.split()}


def evidence_of(run: Object) -> set[str]:
    """Both legs' folders of every call that failed."""
    folders = {failure["evidence"].rpartition("/")[0] for failure in run["status"]["failures"]}
    return {f"{folder}/{role}" for folder in folders for role in ("Caller", "Callee")}


def _forget_volume(space: Namespace) -> None:
    """It is the cluster's, and keeps its claim's place and the node's folder."""
    space.kubectl("delete", "-f", "-", "--ignore-not-found", "--wait=false", stdin=VOLUME)
    subprocess.run([*IN_NODE, "rm", "-rf", "/var/tmp/calltest-evidence"], timeout=60, check=True)


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
