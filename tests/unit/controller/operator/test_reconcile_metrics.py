"""What /metrics shows over the life of tests and of the operator, from the objects in a cluster."""

import pytest
from prometheus_client import generate_latest

from controller.kube.cluster import TESTS
from controller.operator.workqueue import Key
from tests.unit.controller.world import NS, World

FAILING = [{"name": "pin", "holdSeconds": 1, "expect": {"sipCode": 486}}]


def shown(world: World, name: str, **labels: str) -> float | None:
    return world.metrics.registry.get_sample_value(name, {"namespace": NS, "calltest": "pin", **labels})


def reconcile(world: World) -> None:
    world.watch()
    world.operator.reconcile(Key("CallTest", NS, "pin"))


def test_a_row_of_failed_runs_is_the_same_after_a_restart_and_counters_are_not() -> None:
    world = World()
    world.apply(calls=FAILING, trigger={"runToken": "1"})
    world.ticks(12)
    world.apply(calls=FAILING, trigger={"runToken": "2"})
    world.ticks(12)
    assert shown(world, "calltest_consecutive_failed_runs") == 2
    assert shown(world, "calltest_runs_total", result="Failed") == 2
    assert shown(world, "calltest_last_run_reason", reason="SipCodeMismatch") == 1
    world.start_operator()
    reconcile(world)
    assert shown(world, "calltest_consecutive_failed_runs") == 2
    assert shown(world, "calltest_last_run_endpoint_result", replica="sut-0", result="Failed") == 1
    assert shown(world, "calltest_runs_total", result="Failed") == 0
    world.apply(trigger={"runToken": "2"})
    world.ticks(1)
    assert shown(world, "calltest_consecutive_failed_runs") == 0, "of another spec"


@pytest.mark.covers("failedRunsHistoryLimit")
def test_a_row_is_counted_beyond_what_history_keeps() -> None:
    world = World()
    for token in "abc":
        world.apply(calls=FAILING, failedRunsHistoryLimit=1, trigger={"runToken": token})
        world.ticks(12)
    assert len(world.runs()) == 1
    assert shown(world, "calltest_consecutive_failed_runs") == 3


def test_a_test_that_is_deleted_leaves_no_series() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    assert shown(world, "calltest_runs_total", result="Passed") == 1
    world.cluster.remove(TESTS, NS, "pin")
    reconcile(world)
    assert 'calltest="pin"' not in generate_latest(world.metrics.registry).decode()


def test_a_test_that_can_no_longer_be_read_shows_no_verdict_of_before() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    assert shown(world, "calltest_last_run_result", result="Passed") == 1
    world.apply(callee={"uri": "sip:bob@example.com"}, target={"via": "EachEndpoint"})
    world.ticks(1)
    assert shown(world, "calltest_stalled") == 1
    assert shown(world, "calltest_last_run_result", result="Passed") is None


def test_slots_that_are_skipped_are_counted_with_their_reason() -> None:
    world = World()
    world.apply(trigger={"schedule": "* * * * *", "onChange": False}, suspend=True)
    world.ticks(1)
    assert shown(world, "calltest_runs_skipped_total", reason="Suspended") == 0
    world.tick(60)
    world.tick(60)
    assert shown(world, "calltest_runs_skipped_total", reason="Suspended") == 2
    assert shown(world, "calltest_runs_skipped_total", reason="Deadline") == 0
    following = shown(world, "calltest_next_schedule_timestamp_seconds")
    assert following is not None
    assert 0 < following - world.time_s <= 60
    skipped = shown(world, "calltest_last_skipped_timestamp_seconds")
    assert skipped == shown(world, "calltest_last_schedule_timestamp_seconds")


def test_a_rollout_that_is_not_tested_yet_makes_the_verdict_stale() -> None:
    world = World()
    world.apply(trigger={"onRollout": {}})
    world.ticks(45)
    assert shown(world, "calltest_verdict_current") == 1
    world.apply(trigger={"onRollout": {}}, activeDeadlineSeconds=500, suspend=True)
    world.ticks(2)
    assert shown(world, "calltest_verdict_current") == 0
    world.apply(activeDeadlineSeconds=500, suspend=True)
    world.ticks(2)
    assert shown(world, "calltest_verdict_current") is None
