"""The operator is killed in the middle of a run: the next one carries on, and the verdict is the same."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.e2e.calltests import Object, call_test, calling, deleted, signal_of
from tests.e2e.kube import Aim, Namespace, signal_pod, until

EXPECT = {
    "callee": {"audio": "Own", "dtmf": {"digits": "12#"}},
    "caller": {"audio": "Own", "dtmf": {"digits": "12#"}},
}
CALL = {"count": 2, "concurrency": 2, "holdSeconds": 6, "caller": {"dtmf": {"digits": "12#"}}, "expect": EXPECT}

MISSED = 4
"""How often a moment that is over too soon is aimed at."""


@pytest.fixture(params=["waiting for endpoints", "pods created", "before go", "mid-call", "before collection"])
def killed(request: pytest.FixtureRequest, voice: Namespace) -> Iterator[str]:
    """A CallTest whose run is under way, and its operator killed at that moment."""
    moment: str = request.param
    name = f"killed-{moment.replace(' ', '-')}"
    try:
        MOMENTS[moment](voice, name)
        yield name
    finally:
        deleted(voice, name)
        voice.rolled_out("calltest-operator")


def test_the_next_operator_comes_to_the_same_verdict(killed: str, voice: Namespace) -> None:
    voice.finished(killed, timeout_s=90)
    status = voice.run_of(killed)["status"]
    assert status["result"] == "Passed", status
    assert status["calls"]["passed"] == 2
    assert status["detail"]["complete"]
    assert [run["metadata"]["name"] for run in voice.runs(killed)] == [f"{killed}-g1"]
    assert pods_ever(voice, f"{killed}-g1") == {f"{killed}-g1-caller-0": 1, f"{killed}-g1-callee-0": 1}


def test_a_slot_that_the_operator_was_killed_at_is_run_once(voice: Namespace) -> None:
    name = "slotted"
    try:
        voice.apply(call_test(name, call=CALL, trigger={"schedule": "* * * * *", "onChange": False}))
        slot = until(lambda: slot_of(voice, name), "it knows its next slot")
        time.sleep(max(0.0, (slot - datetime.now(UTC)).total_seconds()))
        kill(voice)
        run = f"{name}-s{int(slot.timestamp()) // 60}"
        until(lambda: voice.runs(name), "the slot is run by the next operator", timeout_s=45)
        voice.kubectl("patch", "calltest", name, "--type=merge", "-p", '{"spec": {"suspend": true}}')
        voice.finished(run, kind="calltestrun", timeout_s=90)
        assert [item["metadata"]["name"] for item in voice.runs(name)] == [run]
        assert voice.run_of(name)["spec"]["cause"]["type"] == "Schedule"
        assert voice.run_of(name)["status"]["result"] == "Passed"
    finally:
        deleted(voice, name)
        voice.rolled_out("calltest-operator")


def slot_of(space: Namespace, name: str) -> datetime | None:
    """When its schedule runs it next."""
    found = space.get("calltest", name).get("status", {}).get("schedule", {}).get("nextScheduleTime")
    return datetime.fromisoformat(found) if found else None


def waiting_for_endpoints(space: Namespace, name: str) -> None:
    """Right after the run was created: it has no endpoints yet."""
    gate = {"podSelector": {"matchLabels": {"e2e": "one", "e2e-gate": name}}, "port": "sip"}
    space.apply(call_test(name, target=gate, call=CALL))
    until(lambda: begun(space, name), "the run began")
    kill(space)
    for pod in space.items("pods", "-l", "e2e=one"):
        space.kubectl("label", "pod", pod["metadata"]["name"], f"e2e-gate={name}", "--overwrite")


def pods_created(space: Namespace, name: str) -> None:
    """The pods are there, and no node will have them yet."""
    node = space.items("nodes")[0]["metadata"]["name"]
    try:
        space.apply(call_test(name, call=CALL, agents={"nodeSelector": {"e2e-gate": "open"}}))
        until(lambda: len(space.agents(f"{name}-g1")) == 2, "pods created")
        kill(space)
        space.kubectl("label", "node", node, "e2e-gate=open")
        calling(space, f"{name}-g1")
    finally:
        space.kubectl("label", "node", node, "e2e-gate-")


def before_go(space: Namespace, name: str) -> None:
    """The agents run, and have not been told to call: the SUT stands still, so that they cannot register."""
    sut = space.items("pods", "-l", "e2e=one")[0]
    signal_pod(sut, "kamailio", "SIGSTOP")
    try:
        space.apply(call_test(name, call=CALL))
        until(lambda: running(space, f"{name}-g1") == 2, "both agents run")
        kill(space)
        assert all(signal_of(pod)["go"] < 0 for pod in space.agents(f"{name}-g1").values()), "too late"
    finally:
        signal_pod(sut, "kamailio", "SIGCONT")


def mid_call(space: Namespace, name: str) -> None:
    """Two calls are up."""
    space.apply(call_test(name, call=CALL))
    agents = calling(space, f"{name}-g1")
    kill(space)
    assert agents["caller-0"]["status"]["phase"] == "Running"


def before_collection(space: Namespace, name: str) -> None:
    """The agents have ended, and their results were not read: the operator is stopped in time, and then killed.

    There is half a second for it, as long as a kubectl takes on a busy machine: where that was too late, once more.
    """
    for _ in range(MISSED):
        space.apply(call_test(name, call=CALL))
        calling(space, f"{name}-g1")
        stop = Aim(space.operator(), "controller", "SIGSTOP")
        until(lambda: signal_of(space.agents(f"{name}-g1")["caller-0"])["prepare"] == 1, "told to finish", every_s=0)
        stop.send()
        until(lambda: all(over(pod) for pod in space.agents(f"{name}-g1").values()), "agents ended")
        is_in_time = "result" not in space.get("calltestrun", f"{name}-g1")["status"]
        kill(space)
        if is_in_time:
            return
        space.rolled_out("calltest-operator")
        deleted(space, name)
    raise AssertionError("the operator was never stopped in time")


MOMENTS = {
    "waiting for endpoints": waiting_for_endpoints,
    "pods created": pods_created,
    "before go": before_go,
    "mid-call": mid_call,
    "before collection": before_collection,
}


def kill(space: Namespace) -> None:
    """SIGKILL, and no restart of the same container after a pause: a new pod at once."""
    pod = space.operator()
    signal_pod(pod, "controller")
    space.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")


def running(space: Namespace, run: str) -> int:
    """How many of its agents run."""
    return [pod["status"]["phase"] for pod in space.agents(run).values()].count("Running")


def begun(space: Namespace, name: str) -> bool:
    """Its first run has a status."""
    return any("startTime" in run.get("status", {}) for run in space.runs(name))


def over(pod: Object) -> bool:
    """It has ended."""
    return bool(pod["status"]["phase"] in {"Succeeded", "Failed"})


def pods_ever(space: Namespace, run: str) -> dict[str, int]:
    """How many pods of each name this run has had, from the scheduler's events."""
    uids: dict[str, set[str]] = {}
    for event in space.items("events", "--field-selector", "involvedObject.kind=Pod,reason=Scheduled"):
        involved = event["involvedObject"]
        if involved["name"].startswith(f"{run}-"):
            uids.setdefault(involved["name"], set()).add(involved["uid"])
    return {name: len(found) for name, found in uids.items()}
