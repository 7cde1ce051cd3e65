"""Objects as people and the API server write them, for tests to bend."""

import copy
from typing import Any

from agent.contract.plan import RunRef
from controller.api.parse import parse_test
from controller.api.run import Endpoint
from controller.api.test import CallTestSpec

Object = dict[str, Any]

RUN = RunRef(uid="0b9e", namespace="default", name="pin-g1", call_test="pin")

PIN: Object = {
    "apiVersion": "calltest.dev/v1alpha1",
    "kind": "CallTest",
    "metadata": {"name": "pin", "namespace": "default", "uid": "77aa", "generation": 3},
    "spec": {
        "target": {
            "service": {"name": "kamailio"},
            "namespace": "voice",
            "port": "sip",
            "transport": "UDP",
            "via": "EachEndpoint",
            "minEndpoints": 2,
            "endpointParallelism": 1,
        },
        "caller": {"uri": "sip:alice@example.com", "credentials": {"secretName": "sip-alice"}},
        "callee": {"uri": "sip:bob@example.com", "route": "Register", "behaviour": "Parrot"},
        "calls": [
            {
                "name": "pin",
                "to": "sip:bob@example.com",
                "count": 10,
                "concurrency": 5,
                "holdSeconds": 8,
                "answerTimeoutSeconds": 30,
                "caller": {
                    "play": {"signal": "Identity"},
                    "dtmf": {
                        "digits": "1234#",
                        "method": "RFC4733",
                        "toneMilliseconds": 100,
                        "afterMilliseconds": 500,
                    },
                },
                "expect": {
                    "sipCode": 200,
                    "callee": {
                        "dtmf": {"digits": "1234#"},
                        "audio": "Own",
                        "rtp": {"minPackets": 350, "maxLossPercent": "1", "maxJitterMilliseconds": 30},
                    },
                    "caller": {
                        "dtmf": {"digits": "1234#"},
                        "audio": "Own",
                        "rtp": {"minPackets": 350, "maxLossPercent": "1"},
                    },
                },
            }
        ],
        "trigger": {"runToken": "1"},
        "readyDeadlineSeconds": 120,
        "activeDeadlineSeconds": 600,
    },
}
"""DESIGN's functional example."""


def changed(base: Object, changes: dict[str, Any]) -> Object:
    """A copy with values at dotted paths (`spec.calls.0.to`) set, or removed (None)."""
    found = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split(".")
        at: Any = found
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        if isinstance(at, list):
            at[int(last)] = value
        elif value is None:
            at.pop(last, None)
        else:
            at[last] = value
    return found


def spec(changes: dict[str, Any] | None = None) -> CallTestSpec:
    """The example's spec with changes below `spec`."""
    return parse_test(changed(PIN, {f"spec.{path}": value for path, value in (changes or {}).items()})).spec


NO_CALLEE: dict[str, Any] = {"callee": None, "calls.0.expect.callee": None}
"""Changes that leave the SUT itself to answer."""


def endpoints(count: int) -> tuple[Endpoint, ...]:
    """Endpoints with a pod each."""
    return tuple(
        Endpoint(index=index, address=f"10.244.0.{index + 5}:5060", pod=f"kamailio-{index}", pod_uid=f"u{index}")
        for index in range(count)
    )
