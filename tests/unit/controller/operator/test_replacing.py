"""concurrencyPolicy: Replace. The run under way makes way for the next one; never two at once, no verdict lost."""

import pytest

from controller.kube.cluster import PODS, RUNS
from tests.unit.controller.operator.test_reconcile import rolled
from tests.unit.controller.world import NS, World

REPLACE = {"concurrencyPolicy": "Replace"}
CHANGED = {"activeDeadlineSeconds": 500}


def slow_first_run(world: World, fault: str = "slow") -> World:
    """The agents of its first run place no calls before they are told to stop (deaf: not even then)."""
    world.kubelet.fault_of = lambda name: fault if name.startswith("pin-g1-") else ""
    return world


def verdict(world: World, run: str) -> tuple[str, str]:
    return world.run_status(run).get("result", ""), world.run_status(run).get("reason", "")


def ticks(world: World, count: int) -> None:
    """In each of them, agents of one run at most are under way."""
    for _ in range(count):
        world.tick()
        pods = world.cluster.list(PODS, NS, "app.kubernetes.io/name=calltest-agent")
        alive = [pod for pod in pods if pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}]
        assert len({pod["metadata"]["labels"]["calltest.dev/run"] for pod in alive}) <= 1


@pytest.mark.covers("concurrencyPolicy")
def test_a_run_under_way_makes_way_and_says_for_which() -> None:
    world = slow_first_run(World())
    world.apply(**REPLACE)
    ticks(world, 30)
    world.apply(**REPLACE, **CHANGED)
    ticks(world, 30)
    assert world.runs() == ["pin-g1", "pin-g2"]
    assert verdict(world, "pin-g1") == ("Inconclusive", "Aborted")
    assert "pin-g2" in world.run_status("pin-g1")["message"]
    assert world.run_status("pin-g2")["result"] == "Passed"
    assert world.test_status()["lastRun"]["name"] == "pin-g2"


@pytest.mark.covers("concurrencyPolicy")
def test_where_it_is_forbidden_the_next_run_waits() -> None:
    world = slow_first_run(World())
    world.apply()
    ticks(world, 30)
    world.apply(**CHANGED)
    ticks(world, 30)
    assert (world.runs(), verdict(world, "pin-g1")) == (["pin-g1"], ("", ""))


@pytest.mark.parametrize("writes", range(9))
def test_an_operator_that_is_killed_meanwhile_loses_and_doubles_nothing(writes: int) -> None:
    world = slow_first_run(World())
    world.apply(**REPLACE)
    ticks(world, 30)
    world.apply(**REPLACE, **CHANGED)
    world.cluster.kill_after = len(world.cluster.writes) + writes
    ticks(world, 50)
    assert world.kills == 1
    assert world.runs() == ["pin-g1", "pin-g2"]
    assert verdict(world, "pin-g1") == ("Inconclusive", "Aborted")
    assert world.run_status("pin-g2")["result"] == "Passed"
    created = [write for write in world.cluster.writes if write.startswith("create pods")]
    assert len(created) == len(set(created)) == 4


def test_agents_that_do_not_stop_are_given_up() -> None:
    world = slow_first_run(World(), "deaf")
    world.apply(**REPLACE)
    ticks(world, 30)
    world.apply(**REPLACE, **CHANGED)
    ticks(world, 80)
    assert verdict(world, "pin-g1") == ("Inconclusive", "Aborted")
    assert world.run_status("pin-g2")["result"] == "Passed"


def test_a_run_that_has_no_endpoints_yet_makes_way_too() -> None:
    world = World(endpoints=0)
    world.apply(**REPLACE)
    ticks(world, 10)
    world.apply(**REPLACE, **CHANGED)
    ticks(world, 10)
    assert verdict(world, "pin-g1") == ("Inconclusive", "Aborted")
    assert "pin-g2" in world.run_status("pin-g1")["message"]
    assert verdict(world, "pin-g2") == ("", "")


def test_a_run_that_waits_is_not_replaced_and_what_comes_meanwhile_comes_after_it() -> None:
    world = slow_first_run(World(), "deaf")
    world.apply(**REPLACE)
    ticks(world, 12)
    for deadline in (500, 400, 300):
        world.apply(**REPLACE, activeDeadlineSeconds=deadline)
        ticks(world, 4)
    assert world.runs() == ["pin-g1", "pin-g2"]
    ticks(world, 80)
    assert [verdict(world, run)[0] for run in world.runs()] == ["Inconclusive", "Inconclusive", "Passed"], (
        "begun, it was"
    )
    assert world.runs()[-1] == "pin-g4"


def test_a_run_by_hand_is_not_replaced() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "slow" if name.startswith("mine-") else ""
    world.run_by_hand("mine", **REPLACE)
    ticks(world, 10)
    world.apply(**REPLACE)
    ticks(world, 20)
    assert (world.runs(), verdict(world, "mine")) == (["mine"], ("", ""))


def test_what_is_being_tested_is_not_replaced_for_being_untested() -> None:
    world = slow_first_run(World())
    rolled(world, "a")
    world.apply(**REPLACE, trigger={"onRollout": {"settleSeconds": 5}})
    ticks(world, 40)
    assert (world.runs(), verdict(world, "pin-g1")) == (["pin-g1"], ("", ""))
    rolled(world, "bb")
    ticks(world, 60)
    first, second = world.runs()
    assert verdict(world, first) == ("Inconclusive", "Aborted")
    assert (world.run_status(second)["result"], world.cluster.get(RUNS, NS, second)["spec"]["cause"]["type"]) == (
        "Passed",
        "Rollout",
    )


def test_a_run_that_nobody_can_read_replaces_nothing() -> None:
    world = slow_first_run(World())
    world.apply(**REPLACE)
    ticks(world, 20)
    held = world.cluster.objects[RUNS, NS, "pin-g1"]
    meta = {"name": "pin-x", "namespace": NS, "labels": held["metadata"]["labels"]}
    owners = {"ownerReferences": held["metadata"]["ownerReferences"]}
    world.cluster.apply(RUNS, held | {"metadata": meta | owners, "spec": held["spec"] | {"test": {"nonsense": 1}}})
    ticks(world, 20)
    assert verdict(world, "pin-g1") == ("", "")
