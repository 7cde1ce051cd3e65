"""What the SUT runs is tested after each rollout, once, and the CallTest says whether its verdict is about it."""

import time
from pathlib import Path

from tests.e2e.calltests import EACH_REPLICA, call_test
from tests.e2e.conftest import Served
from tests.e2e.kube import Namespace, until
from tests.sut.base import EXAMPLES

ON_ROLLOUT = {"onRollout": {"settleSeconds": 5, "deadlineSeconds": 120}}


def current(space: Namespace) -> str:
    """Its condition VerdictCurrent."""
    conditions = space.get("calltest", "rolled").get("status", {}).get("conditions", [])
    return next((str(item["status"]) for item in conditions if item["type"] == "VerdictCurrent"), "")


def names(space: Namespace) -> list[str]:
    """Its runs, the oldest first."""
    return [run["metadata"]["name"] for run in space.runs("rolled")]


def test_each_rollout_is_tested_once_and_a_rollback_too(served: Served, tmp_path: Path) -> None:
    space = served("rollouts")
    space.apply_folder(EXAMPLES / "basic", tmp_path)
    space.rolled_out("calltest-operator", "kamailio")
    space.apply(call_test("rolled", target=EACH_REPLICA | {"minEndpoints": 1}, trigger=ON_ROLLOUT))
    until(lambda: current(space) == "True", "the first revision is tested", timeout_s=90)
    (first,) = names(space)
    before = space.get("calltestrun", first)["status"]["revisions"]
    assert [item["workload"] for item in before] == ["ReplicaSet/kamailio"]

    space.kubectl("set", "env", "deployment/kamailio", "--containers=kamailio", "E2E_ROLLOUT=1")
    until(lambda: current(space) == "False", "the verdict is of another revision", timeout_s=60)
    until(lambda: current(space) == "True", "the new one is tested", timeout_s=120)
    (_, second) = names(space)
    assert second.startswith("rolled-r")
    status = space.get("calltestrun", second)["status"]
    assert status["result"] == "Passed", status
    assert [item["revision"] for item in status["revisions"]] != [item["revision"] for item in before]

    space.kubectl("scale", "deployment/kamailio", "--replicas=1")
    time.sleep(25)
    assert (names(space), current(space)) == ([first, second], "True"), "scaling is nothing new"

    space.kubectl("rollout", "undo", "deployment/kamailio")
    until(lambda: len(names(space)) == 3, "the rollback is tested", timeout_s=90)
    until(lambda: current(space) == "True", "and passed", timeout_s=90)
    assert space.get("calltestrun", names(space)[-1])["status"]["revisions"][0]["revision"] == before[0]["revision"]
