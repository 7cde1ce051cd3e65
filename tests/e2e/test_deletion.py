"""What is deleted hangs up and leaves nothing behind."""

import time

import pytest

from tests.e2e.calltests import call_test, calling
from tests.e2e.kube import Namespace, until

LONG = {"holdSeconds": 60}
"""Nobody waits for its end."""
SESSIONS = """\
import socket, uuid
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(("127.0.0.1", 2223))
    sock.settimeout(3)
    sock.send(uuid.uuid4().hex.encode() + b" d7:command4:list5:limiti99ee")
    print(sock.recv(65535).decode())
"""
"""Asks rtpengine for its calls (the ng protocol); it answers `5:calls` with a list of Call-IDs: `le` is none.
A cookie of its own for each question: rtpengine repeats its answer to one that it knows."""


def calls_up(space: Namespace) -> int:
    """Calls that the SUT's relays hold, at all replicas. They drop a call at its BYE."""
    found = 0
    for pod in space.items("pods", "-l", "app=kamailio"):
        words = ("exec", pod["metadata"]["name"], "-c", "rtpengine", "--", "python3", "-c", SESSIONS)
        answer = space.kubectl(*words)
        assert "5:callsl" in answer, answer
        found += 0 if "5:callsle" in answer else 1
    return found


def nothing_left(space: Namespace, name: str) -> bool:
    """No object of the test is left."""
    kinds = "calltestruns,pods,configmaps,services"
    return not space.items(kinds, "-l", f"calltest.dev/test={name}")


@pytest.mark.parametrize("kind", ["calltestrun", "calltest"])
def test_deleted_in_the_middle_of_a_call_it_hangs_up_and_leaves_nothing(voice: Namespace, kind: str) -> None:
    name = f"deleted-{kind}"
    voice.apply(call_test(name, call=LONG))
    calling(voice, f"{name}-g1")
    until(lambda: calls_up(voice) == 1, "the call is up at the SUT", timeout_s=20)
    voice.kubectl("delete", kind, f"{name}-g1" if kind == "calltestrun" else name)
    until(lambda: calls_up(voice) == 0, "the SUT has seen its end", timeout_s=15)
    until(lambda: nothing_left(voice, name), "nothing is left", timeout_s=40)
    if kind == "calltestrun":
        # What somebody deleted is not made again.
        time.sleep(2)
        assert voice.runs(name) == []
        voice.kubectl("delete", "calltest", name)


def test_a_pod_deleted_by_somebody_says_so(voice: Namespace) -> None:
    voice.apply(call_test("evicted", call=LONG))
    calling(voice, "evicted-g1")
    until(lambda: calls_up(voice) == 1, "the call is up at the SUT", timeout_s=20)
    voice.kubectl("delete", "pod", "evicted-g1-caller-0", "--wait=false")
    status = voice.finished("evicted", timeout_s=60)["status"]["lastRun"]
    assert status["result"] == "Inconclusive", status
    assert status["reason"] in {"Aborted", "AgentLost"}, status
    until(lambda: calls_up(voice) == 0, "the SUT has seen its end", timeout_s=15)
    voice.kubectl("delete", "calltest", "evicted")
