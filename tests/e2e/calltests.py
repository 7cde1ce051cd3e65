"""CallTests of these tests: short ones through the SUT of the `voice` fixture."""

import base64
import gzip
import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from tests.e2e.kube import Namespace, until

Object = dict[str, Any]
ONE_REPLICA: Object = {"podSelector": {"matchLabels": {"e2e": "one"}}, "port": "sip"}
EACH_REPLICA: Object = {"service": {"name": "kamailio"}, "port": "sip", "minEndpoints": 2}
OWN: Object = {"callee": {"audio": "Own"}, "caller": {"audio": "Own"}}


def call_test(name: str, *, target: Object = ONE_REPLICA, call: Object | None = None, **spec: Any) -> Object:
    """alice calls bob through one replica; the audio must come through both ways."""
    group = {"name": "pin", "holdSeconds": 4, "answerTimeoutSeconds": 10, "expect": OWN} | (call or {})
    return {
        "apiVersion": "calltest.dev/v1alpha1",
        "kind": "CallTest",
        "metadata": {"name": name},
        "spec": {
            "target": target,
            "caller": {"uri": "sip:alice@example.com", "credentials": {"secretName": "sip-alice"}},
            "callee": {"uri": "sip:bob@example.com", "credentials": {"secretName": "sip-bob"}},
            "calls": [group],
            "readyDeadlineSeconds": 60,
            "activeDeadlineSeconds": 180,
        }
        | spec,
    }


def changed(space: Namespace, name: str, **spec: Any) -> None:
    """Changes fields of a CallTest's spec."""
    space.kubectl("patch", "calltest", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def last_is(space: Namespace, test: str, run: str) -> bool:
    """Its last finished run is this one."""
    return bool(space.get("calltest", test).get("status", {}).get("lastRun", {}).get("name") == run)


def deleted(space: Namespace, name: str) -> None:
    """Deletes a CallTest, and waits until nothing of it is left."""
    space.kubectl("delete", "calltest", name, "--ignore-not-found")
    until(lambda: not space.items("pods", "-l", f"calltest.dev/test={name}"), f"pods of {name} gone", timeout_s=60)


def signal_of(pod: Object) -> Object:
    """What an agent was told last."""
    told: Object = json.loads(pod["metadata"]["annotations"]["calltest.dev/go"])
    return told


def calling(space: Namespace, run: str) -> dict[str, Object]:
    """Waits until the agents of a run have been told to call; their pods."""

    def look() -> dict[str, Object] | None:
        agents = space.agents(run)
        return agents if agents and all(signal_of(pod)["go"] >= 0 for pod in agents.values()) else None

    return until(look, f"{run}: agents told to call", timeout_s=90)


def detail_of(space: Namespace, run: Object) -> list[Object]:
    """The lines of a run's ConfigMaps."""
    lines: list[Object] = []
    for name in run["status"]["detail"]["configMaps"]:
        data = space.get("configmap", name)["binaryData"]["detail.jsonl.gz"]
        lines += [json.loads(line) for line in gzip.decompress(base64.b64decode(data)).splitlines()]
    return lines


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """How many of these times (from, to) overlapped at most."""
    steps = sorted(step for began_s, ended_s in spans for step in ((began_s, 1), (ended_s, -1)))
    up = most = 0
    for _, change in steps:
        up += change
        most = max(most, up)
    return most


def span(legs: Iterable[Object]) -> tuple[float, float]:
    """From the first one's start to the last one's end, by its agent's clock (Unix seconds)."""
    began, ended = zip(
        *((leg["startedAt"], leg["startedAt"] + leg["progress"]["endedMs"] / 1000) for leg in legs), strict=True
    )
    return min(began), max(ended)


def is_over(leg: Object) -> bool:
    """It began, and its end was seen."""
    return leg["progress"].get("endedMs") is not None


def endpoints_at_once(lines: Iterable[Object]) -> int:
    """How many endpoints were being called at the same time at most, as the callers' lines tell; 0 without calls."""
    legs = [line for line in lines if line["kind"] == "leg" and line["role"] == "Caller" and is_over(line)]
    legs.sort(key=lambda leg: int(leg["endpoint"]))
    return most_at_once(span(group) for _, group in groupby(legs, key=lambda leg: int(leg["endpoint"])))


def callers_used(lines: Iterable[Object]) -> int:
    """How many agents placed the calls: those whose media had an address; 0 without media."""
    sockets = [line.get("localRtp") for line in lines if line["kind"] == "leg" and line["role"] == "Caller"]
    return len({socket.rpartition(":")[0] for socket in sockets if socket})


def reasons(run: Object) -> set[tuple[str, str]]:
    """Leg and reason of all findings in a run's status."""
    return {(item["leg"], item["reason"]) for item in run["status"].get("failures", ())}
