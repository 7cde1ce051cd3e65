"""Objects that nobody may use: refused by `parse` here, and by the CRDs' rules on a real API server (tests/e2e)."""

from typing import Any

from tests.unit.controller.objects import PIN, Object

RUN: Object = {
    "apiVersion": "calltest.dev/v1alpha1",
    "kind": "CallTestRun",
    "metadata": {"name": "pin-g3", "namespace": "default", "uid": "0b9e", "generation": 1},
    "spec": {"callTestName": "pin", "cause": {"type": "Generation", "generation": 3}, "test": PIN["spec"]},
    "status": {"observedGeneration": -1},
}
"""A run of DESIGN's example."""

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"apiVersion": "v1"}, "apiVersion"),
    ({"kind": "CallTestRun"}, "kind"),
    ({"metadata": None}, "metadata.name"),
    ({"metadata.name": None}, "metadata.name"),
    ({"metadata.name": "x" * 46}, "metadata.name"),
    ({"metadata.name": "a.b"}, "metadata.name"),
    ({"metadata.name": "pin\n"}, "metadata.name"),
    ({"spec": None}, "spec"),
    ({"spec.colour": "red"}, "spec.colour"),
    ({"spec.caller.uri": None}, "spec.caller.uri"),
    ({"spec.caller.uri": "sip:alice@example.com\r\nX: y"}, "spec.caller.uri"),
    ({"spec.caller.uri": "sip:alice@example.com\n"}, "spec.caller.uri"),
    ({"spec.caller.uri": "tel:+4930"}, "spec.caller.uri"),
    ({"spec.target.port": 70000}, "spec.target.port"),
    ({"spec.calls.0.expect.sipCode": 199}, "spec.calls[0].expect.sipCode"),
    ({"spec.calls.0.expect.sipCode": "7xx"}, "spec.calls[0].expect.sipCode"),
    ({"spec.calls.0.expect.sipCode": "486"}, "spec.calls[0].expect.sipCode"),
    ({"spec.calls.0.expect.provisional": [180, 200]}, "spec.calls[0].expect.provisional[1]"),
    ({"spec.calls.0.expect.provisional": ["19x"]}, "spec.calls[0].expect.provisional[0]"),
    ({"spec.calls.0.expect.phrase": {}}, "spec.calls[0].expect.phrase"),
    ({"spec.calls.0.expect.phrase": {"equals": "a", "matches": "a"}}, "spec.calls[0].expect.phrase"),
    ({"spec.calls.0.expect.phrase": {"equals": "a\r\nX: y"}}, "spec.calls[0].expect.phrase.equals"),
    ({"spec.target.address": {"host": "x"}}, "spec.target"),
    ({"spec.target.service": None}, "spec.target"),
    (
        {"spec.target": {"podSelector": {"matchLabels": {"a": "b"}}, "via": "Service"}},
        "spec.target.via",
    ),
    ({"spec.target": {"address": {"host": "sut"}, "port": "sip"}}, "spec.target.port"),
    ({"spec.target": {"address": {"host": "sut"}, "namespace": "voice"}}, "spec.target.namespace"),
    ({"spec.target": {"podSelector": {"matchLabels": {"a\n": "b"}}}}, "spec.target.podSelector.matchLabels key"),
    ({"spec.calls": [], "spec.callee": None, "spec.caller.credentials": None}, "spec.calls"),
    ({"spec.calls": [{"name": "a"}, {"name": "a"}]}, "spec.calls[1].name"),
    ({"spec.calls.0.count": 0}, "spec.calls[0].count"),
    ({"spec.calls.0.caller.play": {}}, "spec.calls[0].caller.play"),
    ({"spec.calls.0.caller.dtmf": {"digits": "1", "infoType": "application/dtmf"}}, "spec.calls[0].caller.dtmf"),
    ({"spec.calls.0.caller.play": {"silence": {}, "tone": {}}}, "spec.calls[0].caller.play"),
    ({"spec.calls.0.caller.dtmf.digits": "12E"}, "spec.calls[0].caller.dtmf.digits"),
    ({"spec.calls.0.expect.caller.rtp.maxLossPercent": "101"}, "spec.calls[0].expect.caller.rtp.maxLossPercent"),
    ({"spec.callee": None, "spec.calls.0.to": None}, "spec.calls[0].to"),
    ({"spec.caller.headers": [{"name": "VIA", "value": "x"}]}, "spec.caller.headers[0].name"),
    ({"spec.callee.headers": [{"name": "X-Calltest-Call", "value": "x"}]}, "spec.callee.headers[0].name"),
    ({"spec.calls.0.caller.headers": [{"name": "m", "value": "x"}]}, "spec.calls[0].caller.headers[0].name"),
    ({"spec.caller.headers": [{"name": "X A", "value": "x"}]}, "spec.caller.headers[0].name"),
    ({"spec.caller.headers": [{"name": "X-A", "value": "x "}]}, "spec.caller.headers[0].value"),
    ({"spec.caller.headers": [{"name": "X-A", "value": "x" * 1025}]}, "spec.caller.headers[0].value"),
    ({"spec.caller.headers": [{"name": "X-A", "value": "x\r\nVia: y"}]}, "spec.caller.headers[0].value"),
    ({"spec.caller.headers": [{"name": "X-A", "value": "x"}] * 21}, "spec.caller.headers"),
    (
        {"spec.caller.headers": [{"name": "X-A", "value": "x", "messages": ["ACK"]}]},
        "spec.caller.headers[0].messages[0]",
    ),
    (
        {
            "spec.caller.register": False,
            "spec.caller.headers": [{"name": "X-A", "value": "x", "messages": ["INVITE", "REGISTER"]}],
        },
        "spec.caller.headers[0].messages",
    ),
    (
        {
            "spec.callee.route": "CalleeService",
            "spec.callee.headers": [
                {"name": "X-A", "value": "x"},
                {"name": "X-B", "value": "x", "messages": ["REGISTER"]},
            ],
        },
        "spec.callee.headers[1].messages",
    ),
    (
        {"spec.calls.0.expect.callee.headers": [{"message": "INVITE", "name": "X-A"}]},
        "spec.calls[0].expect.callee.headers[0]",
    ),
    (
        {"spec.calls.0.expect.callee.headers": [{"message": "INVITE", "name": "X-A", "present": True, "count": 1}]},
        "spec.calls[0].expect.callee.headers[0]",
    ),
    (
        {"spec.calls.0.expect.caller.headers": [{"message": "Final", "name": "X-A", "present": True, "code": 183}]},
        "spec.calls[0].expect.caller.headers[0].code",
    ),
    ({"spec.calls.0.expect.callee.requestUris": [{}]}, "spec.calls[0].expect.callee.requestUris[0]"),
    ({"spec.readyDeadlineSeconds": 600}, "spec.readyDeadlineSeconds"),
    ({"spec.target.endpointParallelism": 2}, "spec.caller.uri"),
    (
        {"spec.target.endpointParallelism": 2, "spec.caller.uri": "sip:a{endpoint}@x"},
        "spec.callee.uri",
    ),
    (
        {"spec.target.endpointParallelism": 2, "spec.callee.route": "CalleeService"},
        "spec.callee.route",
    ),
    (
        {
            "spec.target.endpointParallelism": 2,
            "spec.caller.uri": "sip:a{endpoint}@x",
            "spec.callee.uri": "sip:b{endpoint}@x",
            "spec.calls.0.to": "sip:bob@x",
        },
        "spec.calls[0].to",
    ),
]
"""Changes to DESIGN's example, and the field that is at fault then."""
