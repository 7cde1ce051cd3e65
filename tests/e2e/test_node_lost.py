"""A node is lost with its agents, as by a power cut: the run ends soon, and says so."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.calltests import call_test, calling
from tests.e2e.kube import CLUSTER, ROOT, Namespace

NODE = "node1"
NOTICED_S = 60
"""The API server notices after 20 s of silence (this cluster's setting), the operator waits for 10 s more."""


@pytest.fixture
def second_node() -> Iterator[str]:
    subprocess.run([CLUSTER, "up", "--nodes", "2"], check=True, timeout=180)
    try:
        subprocess.run([ROOT / "dev" / "images", "load", "agent"], check=True, timeout=180)
        yield NODE
    finally:
        subprocess.run([CLUSTER, "lose", NODE], check=True, timeout=60)
        Namespace("default").kubectl("delete", "node", NODE, "--ignore-not-found")


@pytest.mark.timeout(400)
def test_a_lost_node_ends_the_run_soon(second_node: str, voice: Namespace) -> None:
    agents = {"nodeSelector": {"kubernetes.io/hostname": second_node}}
    voice.apply(call_test("powerless", call={"holdSeconds": 100}, agents=agents))
    pods = calling(voice, "powerless-g1")
    assert {pod["spec"]["nodeName"] for pod in pods.values()} == {second_node}
    subprocess.run([CLUSTER, "lose", second_node], check=True, timeout=60)
    lost_at = time.monotonic()
    status = voice.finished("powerless", timeout_s=NOTICED_S)["status"]["lastRun"]
    assert (status["result"], status["reason"]) == ("Inconclusive", "AgentLost"), status
    print(f"the run was over {time.monotonic() - lost_at:.0f} s after its node")
    voice.kubectl("delete", "calltest", "powerless")
