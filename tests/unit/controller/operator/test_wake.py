"""Who is reconciled after a change: all whom it concerns, and nobody else."""

from typing import Any

import pytest

from controller.kube.cluster import ENDPOINT_SLICES, PODS, RUNS, SERVICES, TESTS, Kind
from controller.operator.workqueue import Key
from tests.unit.controller.operator.test_reconcile import ON_ROLLOUT, rolled
from tests.unit.controller.world import NS, World

TEST, RUN = Key("CallTest", NS, "pin"), Key("CallTestRun", NS, "pin-g1")


def watching() -> World:
    """The run of a test with onRollout has passed, and the test goes on looking."""
    world = World()
    rolled(world, "a")
    world.apply(**ON_ROLLOUT)
    world.ticks(30)
    assert world.run_status()["result"] == "Passed"
    world.woken.clear()
    return world


def change(world: World, kind: Kind, name: str, **fields: Any) -> list[Key]:
    """Who is woken by the change of an object."""
    held = world.cluster.get(kind, NS, name)
    assert held is not None
    world.cluster._store(kind, held | fields)
    world.watch()
    return world.woken


@pytest.mark.parametrize(
    ("kind", "name", "fields"),
    [
        (PODS, "sut-a-0", {"status": {"phase": "Running", "podIP": "10.0.0.7"}}),
        (SERVICES, "sut", {"spec": {"selector": {"app": "other"}, "ports": []}}),
        (ENDPOINT_SLICES, "sut-x", {"endpoints": []}),
    ],
    ids=lambda value: value.plural if isinstance(value, Kind) else "",
)
def test_a_change_of_the_sut_wakes_who_looks_at_it(kind: Kind, name: str, fields: dict[str, Any]) -> None:
    assert change(watching(), kind, name, **fields) == [TEST]


def test_a_pod_that_leaves_the_selector_or_goes_wakes_too() -> None:
    world = watching()
    pod = world.cluster.get(PODS, NS, "sut-a-0")
    assert pod is not None
    assert change(world, PODS, "sut-a-0", metadata=pod["metadata"] | {"labels": {"app": "other"}}) == [TEST]
    world.woken.clear()
    world.cluster.remove(PODS, NS, "sut-a-1")
    world.watch()
    assert world.woken == [TEST]


def test_a_quiet_target_is_watched_for_as_long_as_a_test_asks_for_its_rollouts() -> None:
    world = watching()
    targets = world.operator.targets
    assert targets.is_watched(NS)
    targets.now = lambda: 1e9  # and everything is looked at more rarely than that
    targets.forget_unused()
    assert targets.is_watched(NS)
    world.cluster.remove(RUNS, NS, world.runs()[0])
    world.cluster.remove(TESTS, NS, "pin")
    world.watch()
    for key in (Key("CallTest", NS, "pin"), Key("CallTestRun", NS, "pin-g1")):
        world.operator.reconcile(key)
    targets.forget_unused()
    assert not targets.is_watched(NS)


def test_what_nobody_reads_or_looks_at_wakes_nobody() -> None:
    world = watching()
    assert change(world, PODS, "sut-a-0", apiVersion="v1", managed="x") == []
    meta = {"name": "stranger", "namespace": NS, "labels": {"app": "other"}}
    world.cluster.apply(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}})
    world.watch()
    assert world.woken == []


def test_a_change_of_a_run_wakes_it_and_its_test_and_one_of_an_agent_its_run() -> None:
    world = World()
    world.apply()
    world.ticks(2)
    world.woken.clear()
    pod = world.cluster.get(PODS, NS, "pin-g1-caller-0")
    run = world.cluster.get(RUNS, NS, "pin-g1")
    assert pod is not None
    assert run is not None
    assert change(world, PODS, "pin-g1-caller-0", status={"phase": "Failed"}) == [RUN]
    world.woken.clear()
    assert set(change(world, RUNS, "pin-g1", status=run["status"] | {"message": "x"})) == {RUN, TEST}
    world.woken.clear()
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.watch()
    assert {RUN, TEST} <= set(world.woken)


def test_a_change_of_a_run_that_cannot_be_read_wakes_its_test_too() -> None:
    world = World()
    world.apply()
    world.ticks(2)
    run = world.cluster.get(RUNS, NS, "pin-g1")
    assert run is not None
    world.woken.clear()
    assert set(change(world, RUNS, "pin-g1", metadata=run["metadata"] | {"generation": "many"})) == {RUN, TEST}


def test_of_everything_a_finished_run_without_pods_has_nothing_to_do() -> None:
    world = World()
    world.apply()
    world.apply(
        "other",
        calls=[{"name": "pin", "holdSeconds": 1, "expect": {"sipCode": 486}}],
        callee={"uri": "sip:carol@example.com"},
    )
    world.ticks(15)
    assert world.run_status()["result"] == "Passed"
    assert world.run_status("other-g1")["result"] == "Failed"
    everything = list(world.operator.wake(lambda _: None).everything())
    assert everything == [Key("CallTest", NS, "other"), TEST, Key("CallTestRun", NS, "other-g1")]
    world.apply(trigger={"runToken": "a"})
    world.tick()
    assert Key("CallTestRun", NS, "pin-g2") in list(world.operator.wake(lambda _: None).everything())
    world.cluster.remove(TESTS, NS, "pin")
    world.watch()
    assert TEST not in list(world.operator.wake(lambda _: None).everything())
