"""What makes a run, and which runs are kept."""

import time

from tests.e2e.calltests import call_test, calling, changed, deleted, last_is
from tests.e2e.kube import Namespace, until


def names(space: Namespace, test: str) -> list[str]:
    """Its runs, the oldest first."""
    return [run["metadata"]["name"] for run in space.runs(test)]


def test_a_change_during_a_run_makes_the_next_run(voice: Namespace) -> None:
    voice.apply(call_test("edited", call={"holdSeconds": 6}))
    calling(voice, "edited-g1")
    changed(voice, "edited", trigger={"runToken": "two"})
    assert names(voice, "edited") == ["edited-g1"], "one run at a time"
    until(lambda: last_is(voice, "edited", "edited-g1"), "the first run finished", timeout_s=60)
    until(lambda: names(voice, "edited") == ["edited-g1", "edited-g2"], "the next run", timeout_s=20)
    until(lambda: last_is(voice, "edited", "edited-g2"), "the next run finished", timeout_s=60)
    specs = [run["spec"]["test"].get("trigger") for run in voice.runs("edited")]
    assert specs == [None, {"runToken": "two"}]
    assert voice.get("calltest", "edited")["status"]["observedGeneration"] == 2
    assert voice.finished("edited")["status"]["lastRun"]["result"] == "Passed"
    deleted(voice, "edited")


def test_suspended_it_starts_nothing_and_history_keeps_as_many_as_it_says(voice: Namespace) -> None:
    voice.apply(call_test("kept", suspend=True, successfulRunsHistoryLimit=1))
    until(lambda: voice.get("calltest", "kept").get("status", {}).get("observedGeneration") == 1, "it was seen")
    time.sleep(2)
    assert names(voice, "kept") == []
    changed(voice, "kept", suspend=False)
    until(lambda: last_is(voice, "kept", "kept-g2"), "it ran once let go", timeout_s=60)
    changed(voice, "kept", trigger={"runToken": "again"})
    until(lambda: last_is(voice, "kept", "kept-g3"), "the token ran it again", timeout_s=60)
    until(lambda: names(voice, "kept") == ["kept-g3"], "history keeps one")
    deleted(voice, "kept")


def test_a_run_made_by_hand(voice: Namespace) -> None:
    test = call_test("manual")["spec"]
    run = {
        "apiVersion": "calltest.dev/v1alpha1",
        "kind": "CallTestRun",
        "metadata": {"name": "by-hand"},
        "spec": {"callTestName": "manual", "test": test},
    }
    voice.apply(run)
    status = voice.finished("by-hand", kind="calltestrun")["status"]
    assert status["result"] == "Passed", status
    assert status["endpoints"][0]["media"] == "Relayed"
    voice.kubectl("delete", "calltestrun", "by-hand")
