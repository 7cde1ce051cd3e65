"""The operator against a cluster in memory: runs, deadlines, deaths, and being killed between any two writes."""

import functools
from typing import Any

import pytest

from controller.kube.cluster import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    EVENTS,
    PODS,
    RUNS,
    SERVICES,
    TESTS,
    ClusterError,
    Kind,
)
from controller.operator.workqueue import Key
from tests.unit.controller.world import EPOCH, NS, World, condition, impatient


def shown_samples(world: World) -> dict[object, float]:
    """What /metrics shows: by name, and by name and result."""
    found: dict[object, float] = {}
    for family in world.metrics.registry.collect():
        for sample in family.samples:
            found[sample.name] = sample.value
            found[sample.name, sample.labels.get("result")] = sample.value
    return found


def test_a_calltest_is_run_to_its_verdict() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    status = world.run_status()
    assert (status["result"], status["calls"]["summary"]) == ("Passed", "4/4")
    assert [endpoint["pod"] for endpoint in status["endpoints"]] == ["sut-0", "sut-1"]
    assert [endpoint["result"] for endpoint in status["endpoints"]] == ["Passed", "Passed"]
    assert condition(status, "Finished") == ("True", "Passed")
    assert status["detail"] == {"configMaps": ["pin-g1-0"], "lines": 10, "complete": True}
    shown = world.test_status()
    assert (shown["lastRun"]["name"], shown["lastRun"]["result"]) == ("pin-g1", "Passed")
    assert "running" not in shown
    assert shown["observedGeneration"] == 1


def test_pods_of_a_passed_run_are_deleted_and_others_are_kept() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    assert world.agents() == []
    world.apply("silent", calls=[{"name": "pin", "holdSeconds": 1, "expect": {"sipCode": 486}}])
    world.ticks(12)
    assert world.run_status("silent-g1")["result"] == "Failed"
    assert world.agents() == ["silent-g1-callee-0", "silent-g1-caller-0"]


def test_a_finished_run_is_left_alone() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    before = list(world.cluster.writes)
    world.ticks(5)
    assert world.cluster.writes == before


def test_a_change_of_the_spec_runs_again_and_history_keeps_what_it_may() -> None:
    world = World()
    for token in "abc":
        world.apply(trigger={"runToken": token}, successfulRunsHistoryLimit=2)
        world.ticks(12)
    assert world.runs() == ["pin-g2", "pin-g3"]
    assert world.test_status()["lastRun"]["name"] == "pin-g3"


@pytest.mark.covers("successfulRunsHistoryLimit")
def test_a_history_of_none_does_not_run_again() -> None:
    world = World()
    world.apply(successfulRunsHistoryLimit=0)
    world.ticks(20)
    assert world.runs() == []
    assert world.test_status()["lastRun"]["result"] == "Passed"
    world.start_operator()
    world.ticks(5)
    assert world.runs() == []


def test_a_change_during_a_run_makes_the_next_run_after_it() -> None:
    world = World()
    world.apply()
    world.ticks(2)
    world.apply(trigger={"runToken": "again"})
    world.ticks(2)
    assert world.runs() == ["pin-g1"]
    assert world.test_status()["observedGeneration"] == 1
    world.ticks(20)
    assert world.runs() == ["pin-g1", "pin-g2"]
    assert world.run_status("pin-g2")["result"] == "Passed"
    assert world.test_status()["observedGeneration"] == 2


def test_the_last_run_stays_shown_while_the_next_one_runs() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    world.apply(trigger={"runToken": "again"})
    world.ticks(2)
    shown = world.test_status()
    assert (shown["lastRun"]["name"], shown["running"]["name"]) == ("pin-g1", "pin-g2")
    assert condition(shown, "Finished")[0] == "False"


@pytest.mark.covers("suspend")
def test_a_suspended_test_starts_nothing_until_it_is_resumed() -> None:
    world = World()
    world.apply(suspend=True)
    world.ticks(3)
    assert world.runs() == []
    world.apply()
    world.ticks(12)
    assert world.runs() == ["pin-g2"]


def test_a_run_by_hand_waits_for_the_one_under_way() -> None:
    world = World()
    world.apply()
    world.ticks(2)
    world.run_by_hand("mine")
    world.ticks(2)
    assert world.run_status("mine") == {}
    world.ticks(24)
    assert world.run_status("mine")["result"] == "Passed"


def test_a_run_by_hand_needs_no_calltest() -> None:
    world = World()
    world.run_by_hand("mine", test="none")
    world.ticks(12)
    assert world.run_status("mine")["result"] == "Passed"


def test_a_strangers_run_of_the_same_name_is_not_taken_for_ours() -> None:
    world = World()
    world.run_by_hand("pin-g1", test="other")
    world.apply()
    world.ticks(20)
    assert "lastRun" not in world.test_status()
    assert condition(world.test_status(), "Stalled") == ("True", "NameConflict")


def test_a_conflicting_run_is_named_and_once_deleted_ours_runs() -> None:
    world = World()
    world.run_by_hand("pin-g1")
    world.ticks(12)
    world.apply()
    world.ticks(2)
    assert condition(world.test_status(), "Stalled") == ("True", "NameConflict")
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.ticks(12)
    assert world.run_status("pin-g1")["result"] == "Passed"


def test_a_verdict_belongs_to_the_spec_it_was_made_of() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    assert condition(world.test_status(), "Succeeded") == ("True", "Passed")
    world.apply(suspend=True)
    world.ticks(2)
    assert condition(world.test_status(), "Succeeded") == ("True", "Passed")
    world.apply(suspend=True, activeDeadlineSeconds=500)
    world.ticks(2)
    assert condition(world.test_status(), "Succeeded") == ("Unknown", "Suspended")
    assert "lastRun" not in world.test_status()
    assert "calltest_last_run_result" not in shown_samples(world)
    world.apply(activeDeadlineSeconds=500)
    world.ticks(1)
    assert condition(world.test_status(), "Succeeded") == ("Unknown", "Running")
    world.ticks(12)
    assert condition(world.test_status(), "Succeeded") == ("True", "Passed")
    assert world.test_status()["lastRun"]["name"] == "pin-g4"


def test_changing_when_a_test_is_run_starts_nothing_and_leaves_its_verdict() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    for more in ({"suspend": True}, {"successfulRunsHistoryLimit": 7}, {"failedRunsHistoryLimit": 0}, {}):
        world.apply(**more)
        world.ticks(3)
        assert world.runs() == ["pin-g1"]
        assert condition(world.test_status(), "Succeeded") == ("True", "Passed")
    assert world.test_status()["observedGeneration"] == 5


def test_a_spec_changed_back_is_tested_again() -> None:
    world = World()
    for number, more in enumerate(({}, {"activeDeadlineSeconds": 500}, {}), 1):
        world.apply(**more)
        world.ticks(12)
        assert world.test_status()["lastRun"]["name"] == f"pin-g{number}"


def test_an_operator_that_died_after_creating_a_run_does_not_make_another_for_a_changed_trigger() -> None:
    world = World()
    world.cluster.kill_after = 1
    world.apply()
    world.tick()
    assert world.kills == 1
    world.apply(suspend=True)
    world.ticks(12)
    assert world.runs() == ["pin-g1"]


def test_a_run_by_hand_says_nothing_of_the_test() -> None:
    world = World()
    failing = [{"name": "pin", "holdSeconds": 1, "expect": {"sipCode": 486}}]
    world.apply(calls=failing)
    world.ticks(12)
    assert condition(world.test_status(), "Succeeded")[0] == "False"
    world.run_by_hand("mine")
    world.ticks(24)
    assert world.run_status("mine")["result"] == "Passed"
    status = world.test_status()
    assert (condition(status, "Succeeded")[0], status["lastRun"]["name"]) == ("False", "pin-g1")
    samples = shown_samples(world)
    assert samples["calltest_last_run_result", "Failed"] == 1
    assert (samples["calltest_runs_total", "Passed"], samples["calltest_runs_total", "Failed"]) == (0, 1)


@pytest.mark.parametrize("before", [{}, {"trigger": {"runToken": "a"}}])
def test_a_run_deleted_before_its_verdict_leaves_none(before: dict) -> None:
    world = World()
    world.apply(**before)
    world.ticks(12)
    world.apply(trigger={"runToken": "b"})
    world.ticks(3)
    assert world.test_status()["running"]["name"] == "pin-g2"
    world.cluster.remove(RUNS, NS, "pin-g2")
    for _ in range(3):
        world.ticks(2)
        assert condition(world.test_status(), "Succeeded") == ("Unknown", "RunDeleted")
        world.start_operator()
    assert [event["reason"] for event in world.cluster.list(EVENTS, NS)].count("RunDeleted") == 1
    world.apply(trigger={"runToken": "c"})
    world.ticks(12)
    assert condition(world.test_status(), "Succeeded") == ("True", "Passed")


def test_stricter_flags_after_a_restart_end_no_run_that_is_under_way() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    assert world.agents()
    world.flags = ("--max-calls", "1", "--secret-prefix", "none-has-this")
    world.start_operator()
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"
    world.apply(trigger={"runToken": "again"})
    world.ticks(12)
    assert world.run_status("pin-g2")["reason"] == "LimitExceeded"


def test_an_agent_that_vanished_is_missed_under_stricter_flags_too() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    world.flags = ("--max-calls", "1")
    world.start_operator()
    world.cluster.remove(PODS, NS, "pin-g1-callee-0")
    world.ticks(30)
    assert (world.run_status()["result"], world.run_status()["calls"]["planned"]) == ("Inconclusive", 4)


@pytest.mark.parametrize(("too_much", "left"), [("failures", True), ("endpoints", False)])
def test_a_status_that_the_api_server_does_not_take_is_cut_and_its_verdict_stands(too_much: str, left: bool) -> None:  # noqa: FBT001
    world = World()
    write = world.cluster.replace_status

    def refusing(kind: Kind, body: dict) -> dict:
        if kind == RUNS and "result" in body["status"] and too_much in body["status"]:
            raise ClusterError("PUT", kind.plural, 422, f"status.{too_much}: Too long")
        return write(kind, body)

    world.cluster.replace_status = refusing  # type: ignore[method-assign]
    world.apply(calls=[{"name": "pin", "holdSeconds": 1, "expect": {"sipCode": 486}}])
    world.ticks(15)
    status = world.run_status()
    assert (status["result"], condition(status, "Finished")[0]) == ("Failed", "True")
    assert f"the status was cut: PUT calltestruns: 422: status.{too_much}: Too long" in status["message"]
    assert ("endpoints" in status) is left


def test_of_two_tests_with_one_callee_the_second_waits_its_turn() -> None:
    world = World()
    world.apply("first")
    world.apply("second")
    world.apply("other", callee={"uri": "sip:carol@example.com"})
    world.ticks(3)
    waiting = world.run_status("second-g1")
    assert condition(waiting, "Queued") == ("True", "CalleeShared")
    assert condition(waiting, "TargetsResolved") == ("Unknown", "Queued")
    assert "sip:bob@example.com is in use by run voice/first-g1" in waiting["conditions"][0]["message"]
    assert not [name for name in world.agents() if name.startswith("second")]
    assert [name for name in world.agents() if name.startswith("other")]
    world.start_operator()
    world.ticks(2)
    assert not [name for name in world.agents() if name.startswith("second")], "also after a restart"
    world.ticks(25)
    for name in ("first-g1", "second-g1", "other-g1"):
        assert world.run_status(name)["result"] == "Passed"
    assert condition(world.run_status("second-g1"), "Queued")[0] == "False"


def test_tests_with_one_callee_are_run_in_the_order_in_which_they_were_made() -> None:
    world = World()
    for name in ("first", "d", "c", "b", "a"):  # and not in that of their names, in which they are looked at
        world.apply(name, readyDeadlineSeconds=300, activeDeadlineSeconds=900)
        world.ticks(2)
    finished: list[str] = []
    for _ in range(150):
        world.tick()
        finished += [run for run in world.runs() if run not in finished and "result" in world.run_status(run)]
    assert finished == ["first-g1", "d-g1", "c-g1", "b-g1", "a-g1"]
    assert {world.run_status(run)["result"] for run in finished} == {"Passed"}


def test_a_run_whose_endpoints_went_while_it_waited_for_a_callee_holds_up_no_younger_one() -> None:
    world, long = World(), {"activeDeadlineSeconds": 900}
    world.kubelet.fault_of = lambda name: "slow" if name.startswith("pin-g1-") else ""
    world.apply(readyDeadlineSeconds=50, activeDeadlineSeconds=60)
    world.ticks(3)
    for kind, name, labels in (
        (SERVICES, "sut", {}),
        (ENDPOINT_SLICES, "sut-x", {"kubernetes.io/service-name": "two"}),
    ):
        held = world.cluster.get(kind, NS, name)
        assert held is not None
        world.cluster.apply(kind, held | {"metadata": {"name": "two", "namespace": NS, "labels": labels}})
    world.apply("older", target={"service": {"name": "two"}, "port": "sip"}, readyDeadlineSeconds=600, **long)
    world.ticks(3)
    world.apply("young", readyDeadlineSeconds=300, **long)
    world.ticks(3)
    assert condition(world.run_status("older-g1"), "Queued")[0] == "True"
    for kind in (SERVICES, ENDPOINT_SLICES):
        world.cluster.remove(kind, NS, "two")
    world.ticks(80)
    assert world.run_status()["reason"] == "DeadlineExceeded"
    assert condition(world.run_status("older-g1"), "TargetsResolved")[0] == "False"
    assert world.run_status("young-g1").get("result") == "Passed"


def test_as_many_runs_as_there_may_be_are_under_way_and_the_others_wait_their_turn() -> None:
    world = World(flags=("--max-active-runs", "2"))
    for name in "abcd":
        world.apply(name, callee={"uri": f"sip:{name}@example.com"}, readyDeadlineSeconds=45)
    most = 0
    for _ in range(60):
        world.tick()
        begun = [world.run_status(name) for name in world.runs()]
        most = max(most, sum("startTime" in status and "result" not in status for status in begun))
    assert most == 2
    for name in "abcd":
        assert world.run_status(f"{name}-g1")["result"] == "Passed"
    assert condition(world.run_status("d-g1"), "Queued")[0] == "False"


def test_a_test_whose_turn_does_not_come_in_time_is_inconclusive() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "deaf" if name.startswith("first") else ""
    world.apply("first")
    world.ticks(2)
    world.apply("second", readyDeadlineSeconds=45)
    world.ticks(50)
    status = world.run_status("second-g1")
    assert (status["result"], status["reason"]) == ("Inconclusive", "CalleeShared")
    assert condition(status, "Queued")[0] == "False"


EVERY_MINUTE = {"trigger": {"schedule": "* * * * *", "onChange": False}}


@pytest.mark.covers("trigger.schedule")
def test_a_schedule_runs_a_test_at_each_slot_and_names_the_run_from_it() -> None:
    world = World()
    world.apply(**EVERY_MINUTE)
    world.ticks(59)
    assert world.runs() == []
    world.ticks(100)
    minute = int(EPOCH) // 60
    assert world.runs() == [f"pin-s{minute + 1}", f"pin-s{minute + 2}"]
    run = world.cluster.get(RUNS, NS, f"pin-s{minute + 1}")
    assert run is not None
    assert run["spec"]["cause"] == {"type": "Schedule", "scheduledTime": "2026-01-01T00:01:00Z"}
    status = world.test_status()
    assert condition(status, "Succeeded") == ("True", "Passed")
    assert status["schedule"]["lastScheduleTime"] == "2026-01-01T00:02:00Z"
    assert status["schedule"]["nextScheduleTime"] == "2026-01-01T00:03:00Z"
    assert status["lastSuccessfulTime"] >= "2026-01-01T00:02:00Z"


def test_a_slot_is_run_once_however_often_the_operator_dies_at_it() -> None:
    world = World()
    world.apply(**EVERY_MINUTE)
    world.ticks(58)
    for _ in range(4):
        world.cluster.kill_after = 1
        world.tick()
    world.cluster.kill_after = None
    world.ticks(20)
    assert world.kills >= 3
    assert world.runs() == [f"pin-s{int(EPOCH) // 60 + 1}"]
    assert world.run_status(world.runs()[0])["result"] == "Passed"


def test_a_slot_that_falls_into_a_run_is_skipped_and_counted() -> None:
    world = World()
    world.kubelet.fault_of = lambda _: "deaf"
    world.apply(trigger={"schedule": "* * * * *"})
    world.ticks(130)
    assert world.runs() == ["pin-g1"]
    schedule = world.test_status()["schedule"]
    assert (schedule["skipped"], schedule["lastSkipReason"]) == (2, "Concurrency")
    reasons = [event["reason"] for event in world.cluster.list(EVENTS, NS)]
    assert reasons.count("RunSkipped") == 2


def test_slots_of_a_suspended_test_are_dropped() -> None:
    world = World()
    world.apply(suspend=True, **EVERY_MINUTE)
    world.ticks(90)
    world.apply(**EVERY_MINUTE)
    world.ticks(20)
    assert world.runs() == []
    assert world.test_status()["schedule"]["lastSkipReason"] == "Suspended"
    world.ticks(30)
    assert len(world.runs()) == 1


@pytest.mark.covers("trigger.startingDeadlineSeconds")
def test_a_slot_that_nobody_was_there_for_is_run_late_within_its_deadline_and_skipped_after() -> None:
    world = World()
    trigger = {"schedule": "0 * * * *", "onChange": False, "startingDeadlineSeconds": 300}
    world.apply(trigger=trigger)
    world.ticks(2)
    world.time_s = EPOCH + 3600 + 200
    world.ticks(20)
    assert len(world.runs()) == 1
    world.time_s = EPOCH + 2 * 3600 + 400
    world.ticks(20)
    assert len(world.runs()) == 1
    schedule = world.test_status()["schedule"]
    assert (schedule["skipped"], schedule["lastSkipReason"]) == (1, "Deadline")
    assert schedule["nextScheduleTime"] == "2026-01-01T03:00:00Z"


def test_a_new_schedule_fires_no_slot_of_the_past() -> None:
    world = World()
    world.apply(trigger={"schedule": "0 0 1 6 *", "onChange": False})
    world.ticks(60 * 2 + 30)
    world.apply(trigger={"schedule": "* * * * *", "onChange": False})
    world.ticks(20)
    assert world.runs() == []


def test_a_request_by_annotation_runs_once_and_changes_no_spec() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    ask(world, "2026-01-31")
    world.ticks(12)
    (_, asked) = world.runs()
    assert asked.startswith("pin-m")
    assert world.test_status()["requestedAt"] == "2026-01-31"
    world.start_operator()
    world.ticks(5)
    assert len(world.runs()) == 2
    assert world.test_status()["lastRun"]["name"] == asked


def test_an_operator_that_died_after_a_request_was_run_does_not_run_it_again() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    ask(world, "now")
    world.cluster.kill_after = 1
    world.tick()
    assert world.kills == 1
    world.cluster.kill_after = None
    world.ticks(20)
    assert len(world.runs()) == 2


def test_a_request_during_a_run_makes_the_next_one() -> None:
    world = World()
    world.apply()
    world.ticks(2)
    ask(world, "now")
    world.ticks(2)
    assert len(world.runs()) == 1
    world.ticks(20)
    assert len(world.runs()) == 2


@pytest.mark.covers("trigger.runToken", "trigger.onChange")
def test_without_on_change_only_the_token_and_requests_run_a_test() -> None:
    world = World()
    world.apply(trigger={"onChange": False, "runToken": "a"})
    world.ticks(3)
    world.apply(trigger={"onChange": False, "runToken": "a"}, activeDeadlineSeconds=500)
    world.ticks(3)
    assert world.runs() == []
    world.apply(trigger={"onChange": False, "runToken": "b"}, activeDeadlineSeconds=500)
    world.ticks(12)
    assert world.runs() == ["pin-g3"]
    world.apply(trigger={"runToken": "b"}, activeDeadlineSeconds=500)
    world.ticks(3)
    assert world.runs() == ["pin-g3"], "what is tested has not changed"


def rolled(world: World, revision: str, *, pods: int = 2, ready: bool = True) -> None:
    """The SUT's replicas are now new pods of a revision; older ones are gone."""
    for item in world.cluster.list(PODS, NS, "app=sut"):
        world.cluster.remove(PODS, NS, item["metadata"]["name"])
    scaled(world, revision, pods, ready=ready)


def scaled(world: World, revision: str, pods: int, *, ready: bool = True) -> None:
    """The SUT has so many replicas of a revision; those that are there stay, as far as they may."""
    entries = []
    held = {item["metadata"]["name"] for item in world.cluster.list(PODS, NS, "app=sut")}
    for number in range(pods):
        name, ip = f"sut-{revision}-{number}", f"10.0.{len(revision)}.{number + 1}"
        if name not in held:
            owner = {"kind": "ReplicaSet", "name": f"sut-{revision}", "controller": True, "uid": revision}
            meta = {"name": name, "namespace": NS, "labels": {"app": "sut", "pod-template-hash": revision}}
            spec = {"nodeName": "n0", "containers": [{"name": "kamailio", "image": "k:1"}]}
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta | {"ownerReferences": [owner]}, "spec": spec}
            world.cluster.apply(PODS, body)
        status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        world.cluster.set_status(PODS, NS, name, status | {"conditions": conditions})
        entries.append({"addresses": [ip], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}})
    for name in held - {f"sut-{revision}-{number}" for number in range(pods)}:
        world.cluster.remove(PODS, NS, name)
    found = world.cluster.get(ENDPOINT_SLICES, NS, "sut-x")
    assert found is not None
    world.cluster.remove(ENDPOINT_SLICES, NS, "sut-x")
    world.cluster.apply(ENDPOINT_SLICES, found | {"endpoints": entries})


ON_ROLLOUT = {"trigger": {"onRollout": {"settleSeconds": 5, "deadlineSeconds": 60}}}


@pytest.mark.covers("trigger.onRollout.settleSeconds")
def test_a_rollout_is_tested_once_after_it_has_settled_and_the_verdict_says_of_what() -> None:
    world = World()
    rolled(world, "a")
    world.apply(**ON_ROLLOUT)
    world.ticks(30)
    assert world.runs() == ["pin-g1"]
    assert world.run_status()["revisions"][0]["revision"] == "a"
    assert condition(world.test_status(), "VerdictCurrent") == ("True", "Tested")
    rolled(world, "bb", ready=False)
    world.ticks(12)
    assert world.runs() == ["pin-g1"]
    assert condition(world.test_status(), "VerdictCurrent") == ("False", "NewRevision")
    assert not world.test_status()["sut"]["settled"]
    rolled(world, "bb")
    world.ticks(40)
    (_, new) = world.runs()
    assert new.startswith("pin-r")
    assert world.run_status(new)["revisions"][0]["revision"] == "bb"
    assert world.run_status(new)["result"] == "Passed"
    assert condition(world.test_status(), "VerdictCurrent") == ("True", "Tested")
    world.start_operator()
    world.ticks(60)
    assert len(world.runs()) == 2


def test_scaling_and_replaced_pods_of_a_tested_revision_start_nothing_and_a_rollback_does() -> None:
    world = World()
    rolled(world, "a")
    world.apply(**ON_ROLLOUT)
    world.ticks(30)
    for pods in (3, 1):
        rolled(world, "a", pods=pods)
        world.ticks(30)
        assert world.runs() == ["pin-g1"]
    for revision, runs in (("bb", 2), ("a", 3)):
        rolled(world, revision)
        world.ticks(60)
        assert len(world.runs()) == runs
        assert world.test_status()["lastRun"]["result"] == "Passed"


@pytest.mark.covers("trigger.onRollout.deadlineSeconds")
def test_a_rollout_that_does_not_settle_is_said_once_its_deadline_is_over() -> None:
    world = World()
    rolled(world, "a")
    world.apply(readyDeadlineSeconds=50, **ON_ROLLOUT)
    world.ticks(30)
    rolled(world, "bb", ready=False)
    world.ticks(160)
    (_, new) = world.runs()
    assert (world.run_status(new)["result"], world.run_status(new)["reason"]) == ("Inconclusive", "NoEndpoints")
    assert condition(world.test_status(), "VerdictCurrent") == ("False", "NewRevision")
    rolled(world, "bb")
    world.ticks(100)
    assert world.test_status()["lastRun"]["result"] == "Passed"


@pytest.mark.covers("trigger.onRollout.change")
def test_where_new_pods_count_a_replacement_is_tested_and_scaling_is_not() -> None:
    also = {"also": [{"podSelector": {"matchLabels": {"app": "relay"}}}]}
    through = {"target": {"service": {"name": "sut"}, "port": "sip", "via": "Service"}}
    for more, target in (({}, {}), (also, {}), ({}, through)):
        world = World()
        rolled(world, "a")
        world.cluster.objects[SERVICES, NS, "sut"]["spec"]["clusterIP"] = "10.96.0.9"
        relay(world, "relay-0")
        trigger = {"onRollout": {"settleSeconds": 5, "change": "Replacement", **more}}
        world.apply(trigger=trigger, **target)
        world.ticks(30)
        assert world.runs() == ["pin-g1"]
        scaled(world, "a", 3)
        relay(world, "relay-1")
        world.ticks(30)
        scaled(world, "a", 1)
        world.ticks(30)
        assert world.runs() == ["pin-g1"], "scaling is no replacement"
        rolled(world, "a")
        world.ticks(60)
        assert len(world.runs()) == 2
        assert world.test_status()["lastRun"]["result"] == "Passed"


def relay(world: World, name: str) -> None:
    """A media relay: a pod that is not called."""
    labels = {"app": "relay", "controller-revision-hash": "r2"}
    owner = {"kind": "StatefulSet", "name": "relay", "controller": True, "uid": "relay"}
    meta = {"name": name, "namespace": NS, "labels": labels, "ownerReferences": [owner]}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "r", "image": "r:2"}]},
    }
    world.cluster.apply(PODS, body)
    world.cluster.set_status(PODS, NS, name, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})


@pytest.mark.parametrize("more", [{}, {"also": [{"podSelector": {"matchLabels": {"app": "sut"}}}]}])
def test_the_same_pods_are_tested_once_also_where_history_keeps_no_run(more: dict) -> None:
    world = World()
    rolled(world, "a")
    trigger = {"onRollout": {"settleSeconds": 5, "change": "Replacement", **more}}
    world.apply(trigger=trigger, successfulRunsHistoryLimit=0)
    world.ticks(120)
    created = [write for write in world.cluster.writes if write.startswith("create calltestruns")]
    assert len(created) == 1


def test_a_long_request_is_run_once() -> None:
    world = World()
    world.apply(successfulRunsHistoryLimit=0)
    world.ticks(12)
    ask(world, "x" * 300)
    world.ticks(60)
    created = [write for write in world.cluster.writes if write.startswith("create calltestruns")]
    assert len(created) == 2


def test_a_pod_that_was_not_called_was_not_tested() -> None:
    world = World()
    rolled(world, "a")
    meta = {"name": "sut-bb-0", "namespace": NS, "labels": {"app": "sut", "pod-template-hash": "bb"}}
    owner = {"kind": "ReplicaSet", "name": "sut-bb", "controller": True, "uid": "bb"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta | {"ownerReferences": [owner]}}
    world.cluster.apply(PODS, body | {"spec": {"containers": [{"name": "kamailio", "image": "k:1"}]}})
    world.apply(**ON_ROLLOUT)
    world.ticks(30)
    assert [item["revision"] for item in world.run_status()["revisions"]] == ["a"], "the other one was not ready"
    assert condition(world.test_status(), "VerdictCurrent") == ("False", "NewRevision")
    rolled(world, "bb")
    world.ticks(60)
    (_, new) = world.runs()
    assert [item["revision"] for item in world.run_status(new)["revisions"]] == ["bb"]
    assert condition(world.test_status(), "VerdictCurrent") == ("True", "Tested")


def test_runs_of_every_cause_say_what_else_was_the_system() -> None:
    world = World()
    rolled(world, "a")
    meta = {"name": "relay-0", "namespace": NS, "labels": {"app": "relay", "controller-revision-hash": "r2"}}
    relay = {"containers": [{"name": "r", "image": "r:2"}]}
    world.cluster.apply(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": relay})
    ready = [{"type": "Ready", "status": "True"}]
    world.cluster.set_status(PODS, NS, "relay-0", {"phase": "Running", "conditions": ready})
    also = [{"podSelector": {"matchLabels": {"app": "relay"}}}]
    world.apply(trigger={"onRollout": {"settleSeconds": 5, "also": also}})
    world.ticks(60)
    assert world.runs() == ["pin-g1"]
    assert [item["workload"] for item in world.run_status()["revisions"]] == ["Pod/relay-0", "ReplicaSet/sut"]
    assert condition(world.test_status(), "VerdictCurrent") == ("True", "Tested")


@pytest.mark.covers("trigger.onRollout.also[].podSelector.matchLabels")
def test_what_is_also_the_system_is_awaited_and_tested() -> None:
    world = World()
    rolled(world, "a")
    also = [{"podSelector": {"matchLabels": {"app": "relay"}}}]
    world.apply(trigger={"onRollout": {"settleSeconds": 5, "also": also}})
    world.ticks(30)
    meta = {"name": "relay-0", "namespace": NS, "labels": {"app": "relay", "controller-revision-hash": "r2"}}
    relay = {"containers": [{"name": "r", "image": "r:2"}]}
    world.cluster.apply(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": relay})
    world.ticks(20)
    assert world.runs() == ["pin-g1"], "it is not ready"
    ready = [{"type": "Ready", "status": "True"}]
    world.cluster.set_status(PODS, NS, "relay-0", {"phase": "Running", "conditions": ready})
    world.ticks(40)
    (_, new) = world.runs()
    assert [item["workload"] for item in world.run_status(new)["revisions"]] == ["Pod/relay-0", "ReplicaSet/sut"]


@pytest.mark.covers("target.settleSeconds")
def test_a_run_waits_until_its_target_stands_still_where_it_is_asked_to() -> None:
    world = World()
    rolled(world, "a")
    settling = {"service": {"name": "sut"}, "port": "sip", "settleSeconds": 10, "revisions": "Single"}
    world.apply(target=settling)
    world.ticks(6)
    assert condition(world.run_status(), "TargetsResolved") == ("False", "NotSettled")
    world.ticks(20)
    assert world.run_status()["result"] == "Passed"


def ask(world: World, when: str) -> None:
    """As `kubectl annotate` does."""
    world.cluster.annotate(TESTS, NS, "pin", {"calltest.dev/requested-at": when})


def test_plans_are_made_once_while_agents_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.apply()
    world.ticks(4)
    monkeypatch.setattr("controller.operator.reconcile_run.plan_run", None)  # called, it raises
    world.ticks(10)
    assert condition(world.run_status(), "Finished") == ("True", "Passed")


def test_a_deleted_run_is_not_made_again() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.ticks(12)
    assert world.runs() == []
    assert "running" not in world.test_status()


@pytest.mark.parametrize("number", range(3))
def test_a_pods_death_is_agent_lost_and_peer_lost(number: int) -> None:
    world = World()
    world.apply()
    world.ticks(2 + number)
    world.cluster.remove(PODS, NS, "pin-g1-callee-0")
    world.ticks(12)
    status = world.run_status()
    assert (status["result"], status["reason"]) == ("Inconclusive", "AgentLost")


def test_a_pod_that_vanished_after_its_result_was_seen_keeps_its_verdict() -> None:
    world = World()
    world.apply()
    while world.test_status().get("lastRun") is None:
        world.time_s += 1
        world.kubelet.tick()
        for pod in world.cluster.list(PODS, NS, "calltest.dev/run=pin-g1"):
            world.watch()
            if pod.get("status", {}).get("phase") == "Succeeded" and pod["metadata"]["name"].endswith("callee-0"):
                world.cluster.remove(PODS, NS, "pin-g1-callee-0")
        world.tick(0)
    assert world.run_status()["calls"]["passed"] >= 2


@pytest.mark.covers("readyDeadlineSeconds")
def test_no_endpoints_by_the_ready_deadline() -> None:
    world = World(endpoints=0)
    world.apply(**impatient())
    world.ticks(9)
    assert condition(world.run_status(), "TargetsResolved") == ("False", "NoEndpoints")
    assert "result" not in world.run_status()
    world.ticks(4)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "NoEndpoints")
    assert world.agents() == []


def test_too_few_endpoints_by_the_ready_deadline() -> None:
    world = World(endpoints=1)
    world.apply(**impatient(), target={"service": {"name": "sut"}, "port": "sip", "minEndpoints": 2})
    world.ticks(13)
    assert world.run_status()["reason"] == "TooFewEndpoints"


def test_endpoints_that_come_in_time_are_called() -> None:
    world = World(endpoints=0)
    world.apply(readyDeadlineSeconds=60)
    world.ticks(5)
    for kind, name in (("services", "sut"), ("endpointslices", "sut-x")):
        for key in [key for key in world.cluster.objects if key[0].plural == kind and key[2] == name]:
            del world.cluster.objects[key]
    world.sut(1)
    world.ticks(12)
    assert world.run_status()["calls"]["summary"] == "2/2"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}, "AgentImagePullFailed"),
        ({"waiting": {"reason": "InvalidImageName"}}, "AgentImagePullFailed"),
        ({"waiting": {"reason": "ContainerCreating"}}, "AgentStartTimeout"),
    ],
)
def test_pods_that_do_not_start_end_the_run_and_are_deleted(status: dict, reason: str) -> None:
    world = World()
    world.kubelet.start_with = status
    world.apply(**impatient())
    world.ticks(14)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", reason)
    assert world.agents() == []


def unscheduled(world: World) -> None:
    """As the scheduler has it where there is no claim."""
    said = '0/1 nodes are available: persistentvolumeclaim "kept" not found.'
    waiting = {"type": "PodScheduled", "status": "False", "message": said}
    for name in world.agents():
        world.cluster.set_status(PODS, NS, name, {"phase": "Pending", "conditions": [waiting]})


def test_a_claim_that_is_not_there_is_named_long_before_the_deadline() -> None:
    world = World()
    world.kubelet.start_with = {"waiting": {"reason": "PodInitializing"}}
    world.apply(evidence={"claimName": "kept"}, readyDeadlineSeconds=100)
    world.ticks(2)
    for _ in range(30):
        unscheduled(world)
        world.tick()
    status = world.run_status()
    assert (status["result"], status["reason"]) == ("Inconclusive", "InputMissing")
    assert "PersistentVolumeClaim kept (evidence.claimName) is not there" in status["message"]
    assert condition(status, "Stalled") == ("True", "InputMissing")
    assert world.agents() == []


def test_a_claim_outside_the_prefix_is_refused_before_anything_starts() -> None:
    world = World(flags=("--claim-prefix", "calltest-"))
    world.apply(evidence={"claimName": "database"})
    world.ticks(3)
    assert (world.run_status()["reason"], world.agents()) == ("InvalidTest", [])


def test_a_quota_is_waited_for_and_then_named() -> None:
    world = World()
    world.cluster.refuse = lambda verb, kind, _: (
        ClusterError("POST", "pods", 403, "exceeded quota: agents") if (verb, kind) == ("create", PODS) else None
    )
    world.apply(**impatient())
    world.ticks(5)
    assert "result" not in world.run_status()
    world.ticks(8)
    assert world.run_status()["reason"] == "AgentNotCreated"
    assert "exceeded quota" in world.run_status()["message"]


def test_a_quota_that_is_raised_in_time_is_no_fault() -> None:
    world = World()
    world.cluster.refuse = lambda verb, kind, _: (
        ClusterError("POST", "pods", 403, "exceeded quota") if (verb, kind) == ("create", PODS) else None
    )
    world.apply(**impatient(30))
    world.ticks(5)
    world.cluster.refuse = lambda *_: None
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_a_pod_that_can_never_be_created_is_not_waited_for() -> None:
    world = World()
    world.cluster.refuse = lambda verb, kind, _: (
        ClusterError("POST", "pods", 422, "admission said no") if (verb, kind) == ("create", PODS) else None
    )
    world.apply(readyDeadlineSeconds=60)
    world.ticks(3)
    assert world.run_status()["reason"] == "AgentNotCreated"


def test_a_strangers_pod_of_the_same_name_is_left_alone() -> None:
    world = World()
    meta = {"name": "pin-g1-caller-0", "namespace": NS, "labels": {"calltest.dev/run": "pin-g1"}}
    world.cluster.apply(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}})
    world.apply(**impatient())
    world.ticks(5)
    assert world.run_status()["reason"] == "NameConflict"
    assert world.cluster.get(PODS, NS, "pin-g1-caller-0") is not None


@pytest.mark.covers("activeDeadlineSeconds")
def test_a_run_that_takes_too_long_is_stopped() -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "deaf" if "caller" in name else ""
    world.apply(**impatient(), activeDeadlineSeconds=20)
    world.ticks(60)
    status = world.run_status()
    assert (status["result"], status["reason"]) == ("Inconclusive", "DeadlineExceeded")
    assert world.agents() == ["pin-g1-callee-0"], "the one that would not stop is deleted"


def test_a_number_that_is_not_allowed_is_refused_before_anything_starts() -> None:
    world = World()
    calls = [{"name": "pin", "to": "sip:+4930123456789@example.com"}]
    world.apply(calls=calls)
    world.ticks(2)
    assert world.run_status()["reason"] == "NumberNotAllowed"
    assert world.agents() == []


def test_a_target_namespace_that_we_may_not_read_is_named() -> None:
    world = World()
    real = world.cluster.list

    def list_(kind, namespace, selector=""):
        if namespace == "secret":
            raise ClusterError("GET", kind.plural, 403, "forbidden")
        return real(kind, namespace, selector)

    world.cluster.list = list_
    world.apply(**impatient(), target={"service": {"name": "sut"}, "namespace": "secret"})
    world.ticks(13)
    assert world.run_status()["reason"] == "AccessDenied"
    assert "target-access" in world.run_status()["message"]


def test_an_operator_of_all_namespaces_looks_into_others_only_where_it_is_told_to() -> None:
    world = World(flags=("--target-namespace", "other"))
    world.apply(target={"service": {"name": "sut"}, "port": "sip", "namespace": "elsewhere"})
    world.ticks(3)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "TargetNotAllowed")


def test_events_come_once_per_reason_and_run() -> None:
    world = World()
    world.apply()
    world.ticks(12)
    world.start_operator()
    world.ticks(3)
    reasons = sorted((event["involvedObject"]["kind"], event["reason"]) for event in world.cluster.list(EVENTS, NS))
    assert reasons == [
        ("CallTest", "RunCreated"),
        ("CallTest", "RunPassed"),
        ("CallTestRun", "AgentsReady"),
        ("CallTestRun", "RunPassed"),
        ("CallTestRun", "TargetsResolved"),
    ]


def test_an_unreadable_spec_is_said_and_not_run() -> None:
    world = World()
    world.apply()
    world.cluster.objects[TESTS, NS, "pin"]["spec"]["caller"]["uri"] = "sip:a\r\nb@example.com"
    world.ticks(2)
    assert condition(world.test_status(), "Stalled") == ("True", "InvalidTest")
    assert world.runs() == []


def test_an_unreadable_run_is_said_once() -> None:
    world = World()
    world.run_by_hand("by-hand", trigger={"runToken": "a\x07b"})
    world.ticks(3)
    first = world.run_status("by-hand")
    assert (first["result"], first["reason"]) == ("Inconclusive", "InvalidTest")
    writes = len(world.cluster.writes)
    world.ticks(3)
    assert len(world.cluster.writes) == writes
    assert world.run_status("by-hand") == first


def test_an_edited_test_that_nobody_foresaw_does_not_keep_its_old_verdict(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.apply()
    world.ticks(14)
    assert condition(world.test_status(), "Succeeded")[0] == "True"
    world.apply(calls=[{"name": "other"}])
    world.cluster.objects[TESTS, NS, "pin"]["metadata"]["annotations"] = "nonsense"
    world.tick()
    assert condition(world.test_status(), "Succeeded")[0] == "Unknown"
    assert condition(world.test_status(), "Stalled") == ("True", "InvalidTest")
    assert "AttributeError" in next(
        each["message"] for each in world.test_status()["conditions"] if each["type"] == "Stalled"
    )
    assert "CallTest voice/pin" in caplog.text
    writes = len(world.cluster.writes)
    world.ticks(3)
    assert len(world.cluster.writes) == writes
    del world.cluster.objects[TESTS, NS, "pin"]["metadata"]["annotations"]
    world.apply(calls=[{"name": "other"}, {"name": "third"}])
    world.ticks(14)
    assert condition(world.test_status(), "Succeeded")[0] == "True", "what can be read again is run"


def test_a_test_that_an_older_operator_cannot_read_keeps_no_verdict_until_one_can_read_it_again() -> None:
    world = World()
    rolled(world, "a")
    world.apply(**ON_ROLLOUT)
    world.ticks(30)
    passed = world.test_status()
    world.cluster.objects[TESTS, NS, "pin"]["spec"]["trigger"]["timeZone"] = "Mars/Base"
    world.start_operator()
    world.ticks(2)
    assert condition(world.test_status(), "Stalled") == ("True", "InvalidTest")
    assert condition(world.test_status(), "Succeeded")[0] == "Unknown"
    assert "VerdictCurrent" not in {each["type"] for each in world.test_status()["conditions"]}
    writes = len(world.cluster.writes)
    world.ticks(3)
    assert len(world.cluster.writes) == writes, "it is said once"
    del world.cluster.objects[TESTS, NS, "pin"]["spec"]["trigger"]["timeZone"]
    world.start_operator()
    world.ticks(2)
    assert world.runs() == ["pin-g1"]
    for name in ("Succeeded", "Stalled", "VerdictCurrent"):
        assert condition(world.test_status(), name) == condition(passed, name)


def test_an_edited_test_keeps_no_verdict_though_its_target_cannot_be_read() -> None:
    world = World()
    rolled(world, "a")
    world.apply(**ON_ROLLOUT)
    world.ticks(30)
    real = world.cluster.list

    def list_(kind: Kind, namespace: str, selector: str = "") -> Any:
        if kind == ENDPOINT_SLICES:
            raise ClusterError("GET", kind.plural, 500, "etcdserver: request timed out")
        return real(kind, namespace, selector)

    world.cluster.list = list_  # type: ignore[method-assign]
    world.apply(calls=[{"name": "other"}], **ON_ROLLOUT)
    world.watch()
    world.operator.reconcile(Key("CallTest", NS, "pin"))
    status = world.test_status()
    assert (status["observedGeneration"], condition(status, "Succeeded")[0]) == (2, "Unknown")
    assert condition(status, "VerdictCurrent") == ("Unknown", "NothingRuns")
    assert "etcdserver" in next(each["message"] for each in status["conditions"] if each["type"] == "VerdictCurrent")
    world.cluster.list = real  # type: ignore[method-assign]
    world.ticks(30)
    assert world.runs() == ["pin-g1", "pin-g2"]
    assert condition(world.test_status(), "Succeeded")[0] == "True"
    assert condition(world.test_status(), "VerdictCurrent") == ("True", "Tested")


def test_a_run_that_nobody_foresaw_ends_inconclusive_and_its_test_goes_on() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    assert world.agents()
    world.cluster.objects[RUNS, NS, "pin-g1"]["metadata"]["generation"] = "many"
    world.tick(0)
    assert (world.run_status()["result"], world.run_status()["reason"]) == ("Inconclusive", "InvalidTest")
    assert world.agents() == [], "they would go on calling, beside those of the next run"
    world.cluster.remove(RUNS, NS, "pin-g1")
    world.apply(trigger={"runToken": "again"})
    world.ticks(14)
    assert world.run_status("pin-g2")["result"] == "Passed"


def test_a_run_that_cannot_be_read_is_not_said_to_be_deleted() -> None:
    world = World()
    world.apply()
    world.ticks(3)
    world.cluster.objects[RUNS, NS, "pin-g1"]["metadata"]["generation"] = "many"
    world.start_operator()
    world.operator.reconcile(Key("CallTest", NS, "pin"))
    assert condition(world.test_status(), "Succeeded") == ("Unknown", "Running"), "its own reconcile comes first"
    world.ticks(2)
    assert world.run_status()["reason"] == "InvalidTest"
    assert condition(world.test_status(), "Succeeded") == ("Unknown", "RunUnreadable")
    reasons = {event["reason"] for event in world.cluster.list(EVENTS, NS)}
    assert "RunUnreadable" in reasons
    assert "RunDeleted" not in reasons


@pytest.mark.parametrize("end", ["unreadable", "deleted"])
def test_a_callee_is_free_once_the_agents_of_its_run_have_hung_up(end: str) -> None:
    world = World()
    world.kubelet.fault_of = lambda name: "slow" if name.startswith("pin-g1-") else ""
    world.apply()
    world.ticks(4)
    pods = [held for (kind, _, name), held in world.cluster.objects.items() if kind == PODS and name in world.agents()]
    world.apply("other", readyDeadlineSeconds=100)
    world.ticks(3)
    real = world.cluster.delete

    def delete(kind: Kind, namespace: str, name: str, uid: str) -> None:
        if kind != PODS:
            real(kind, namespace, name, uid)

    world.cluster.delete = delete  # type: ignore[method-assign]  # they take their time
    if end == "unreadable":
        world.cluster.objects[RUNS, NS, "pin-g1"]["metadata"]["generation"] = "many"
    else:
        world.cluster.remove(RUNS, NS, "pin-g1")
        for pod in pods:
            world.cluster._store(PODS, pod)
        world.watch()
        world.operator.reconcile(Key("CallTestRun", NS, "pin-g1"))
    world.ticks(12)
    assert "endpoints" not in world.run_status("other-g1")
    assert condition(world.run_status("other-g1"), "Queued") == ("True", "CalleeShared")
    for pod in pods:
        world.cluster.remove(PODS, NS, pod["metadata"]["name"])
    world.watch()
    world.operator.reconcile(Key("CallTestRun", NS, "pin-g1"))  # a pod that goes wakes its run
    world.tick()
    assert "endpoints" in world.run_status("other-g1")
    world.ticks(20)
    assert world.run_status("other-g1")["result"] == "Passed"


def test_agents_of_a_finished_run_that_cannot_be_read_are_ended_too() -> None:
    world = World()
    world.kubelet.fault_of = lambda _: "deaf"
    world.apply(**impatient(), activeDeadlineSeconds=60)
    world.ticks(5)
    held = world.cluster.objects[RUNS, NS, "pin-g1"]
    held["status"] |= {"result": "Inconclusive", "completionTime": "2026-01-01T00:00:09Z"}
    held["spec"]["test"]["calls"][0]["fromTheFuture"] = 1
    world.cluster._store(RUNS, held)
    assert len(world.agents()) == 2
    world.start_operator()
    world.ticks(2)
    assert world.agents() == []


def test_that_we_are_out_of_files_for_a_moment_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.apply(trigger={"timeZone": "Europe/Berlin"})
    world.ticks(3)

    def no_more(_: str) -> Any:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr("controller.api.cron.ZoneInfo", no_more)
        world.start_operator()  # which has all unread
        for key in (Key("CallTest", NS, "pin"), Key("CallTestRun", NS, "pin-g1")):
            with pytest.raises(OSError, match="Too many"):
                world.operator.reconcile(key)
    world.ticks(14)
    assert (world.runs(), world.run_status()["result"]) == (["pin-g1"], "Passed")
    assert condition(world.test_status(), "Succeeded")[0] == "True"
    assert "RunDeleted" not in {event["reason"] for event in world.cluster.list(EVENTS, NS)}


def test_the_callees_service_of_a_deleted_test_is_not_used() -> None:
    """It is about to be collected as garbage: calls that the SUT sends to it would fail in the middle of the run."""
    world = World()
    callee = {"uri": "sip:bob@example.com", "route": "CalleeService"}
    world.apply(callee=callee)
    world.ticks(2)
    service = world.cluster.get(SERVICES, NS, "pin-callee")
    assert service is not None
    world.cluster.remove(TESTS, NS, "pin")
    world.cluster.objects[SERVICES, NS, "pin-callee"] = service
    world.apply(callee=callee)
    world.ticks(3)
    assert world.agents() == []
    world.cluster.remove(SERVICES, NS, "pin-callee")
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def test_pods_of_a_deleted_run_of_that_name_are_waited_for() -> None:
    world = World()
    world.apply()
    world.ticks(2)
    pod = world.cluster.get(PODS, NS, "pin-g1-caller-0")
    assert pod is not None
    world.cluster.remove(TESTS, NS, "pin")
    world.cluster.objects[PODS, NS, "pin-g1-caller-0"] = pod
    world.apply()
    world.ticks(3)
    assert "result" not in world.run_status()
    world.cluster.remove(PODS, NS, "pin-g1-caller-0")
    world.ticks(12)
    assert world.run_status()["result"] == "Passed"


def verdict(world: World) -> dict:
    """What must be the same, however often the operator was killed."""
    status = world.run_status()
    return {key: status.get(key) for key in ("result", "reason", "message", "calls", "failures", "detail")} | {
        "endpoints": status.get("endpoints"),
        "details": [item.get("binaryData") for item in world.cluster.list(CONFIG_MAPS, NS)],
        "agents": world.agents(),
        "shown": (world.test_status().get("lastRun") or {}).get("result"),
    }


def outcome_of(kill_after: int | None, *, dies: bool) -> tuple[World, dict]:
    world = World()
    if dies:
        world.kubelet.fault_of = lambda name: "vanish" if name.endswith("callee-0") else ""
    world.cluster.kill_after = kill_after
    world.apply()
    world.ticks(16)
    return world, verdict(world)


@functools.cache
def undisturbed(*, dies: bool) -> tuple[dict, tuple[str, ...]]:
    world, expected = outcome_of(None, dies=dies)
    return expected, tuple(world.cluster.writes)


MOMENTS = 32
"""Writes of a whole run, and of its CallTest: held against the real number below."""


def test_the_moments_below_are_all_there_are() -> None:
    assert max(len(undisturbed(dies=dies)[1]) for dies in (False, True)) == MOMENTS
    assert undisturbed(dies=False)[0]["result"] == "Passed"
    assert undisturbed(dies=True)[0]["result"] == "Inconclusive"


@pytest.mark.parametrize("kill_after", range(MOMENTS))
@pytest.mark.parametrize("dies", [False, True])
def test_an_operator_killed_after_any_write_comes_to_the_same_end(kill_after: int, dies: bool) -> None:  # noqa: FBT001
    expected, writes = undisturbed(dies=dies)
    world, found = outcome_of(kill_after, dies=dies)
    assert world.kills == (kill_after < len(writes))
    if dies:
        # What was seen of a pod that is gone since was in memory only: less is known, and the verdict is the same.
        found, expected = ({key: item[key] for key in ("result", "reason", "agents")} for item in (found, expected))
    assert found == expected, f"killed after {writes[kill_after : kill_after + 1]}"
