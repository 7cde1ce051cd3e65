"""What makes a run, and which runs are kept."""

import time

from tests.e2e.calltests import Object, call_test, calling, changed, deleted, last_is
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
    tokens = [run["spec"]["test"].get("trigger", {}).get("runToken") for run in voice.runs("edited")]
    assert tokens == [None, "two"]
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


def succeeded(space: Namespace, test: str) -> tuple[str, str]:
    """Its condition: status and reason."""
    conditions = space.get("calltest", test).get("status", {}).get("conditions", [])
    found: Object = next((item for item in conditions if item["type"] == "Succeeded"), {})
    return found.get("status", ""), found.get("reason", "")


def test_a_verdict_belongs_to_the_spec_it_was_made_of(voice: Namespace) -> None:
    voice.apply(call_test("owned"))
    until(lambda: succeeded(voice, "owned") == ("True", "Passed"), "it passed", timeout_s=60)
    changed(voice, "owned", suspend=True)
    until(lambda: voice.get("calltest", "owned")["status"]["observedGeneration"] == 2, "it was seen")
    assert succeeded(voice, "owned") == ("True", "Passed"), "what is tested is the same"
    changed(voice, "owned", activeDeadlineSeconds=170)
    until(lambda: succeeded(voice, "owned") == ("Unknown", "Suspended"), "the new spec was never run")
    assert "lastRun" not in voice.get("calltest", "owned")["status"]

    changed(voice, "owned", suspend=False)
    until(lambda: last_is(voice, "owned", "owned-g4"), "the new spec was run", timeout_s=60)
    changed(voice, "owned", trigger={"runToken": "again"})
    calling(voice, "owned-g5")
    voice.kubectl("delete", "calltestrun", "owned-g5")
    until(lambda: succeeded(voice, "owned") == ("Unknown", "RunDeleted"), "a deleted run leaves no verdict")

    other = call_test("owned", call={"expect": {"sipCode": 486}})["spec"]
    voice.apply(
        {
            "apiVersion": "calltest.dev/v1alpha1",
            "kind": "CallTestRun",
            "metadata": {"name": "owned-by-hand"},
            "spec": {"callTestName": "owned", "test": other},
        }
    )
    assert voice.finished("owned-by-hand", kind="calltestrun")["status"]["result"] == "Failed"
    assert succeeded(voice, "owned") == ("Unknown", "RunDeleted"), "a run by hand says nothing of the test"
    voice.kubectl("delete", "calltestrun", "owned-by-hand")
    deleted(voice, "owned")


def test_two_tests_with_one_callee_are_run_one_after_the_other(voice: Namespace) -> None:
    voice.apply(call_test("one", call={"holdSeconds": 20}))
    calling(voice, "one-g1")
    voice.apply(call_test("two"))

    def queued() -> bool:
        conditions = [item for run in voice.runs("two") for item in run.get("status", {}).get("conditions", [])]
        return any(item["type"] == "Queued" and item["status"] == "True" for item in conditions)

    until(queued, "the second waits")
    assert not voice.items("pods", "-l", "calltest.dev/test=two")
    for name in ("one", "two"):
        assert voice.finished(name, timeout_s=90)["status"]["lastRun"]["result"] == "Passed"
        deleted(voice, name)
