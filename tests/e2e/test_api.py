"""The CRDs on a real API server: accepted within its CEL budget, and refusing what `parse` refuses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from agent.contract.verdict import Reason, Result, Role
from controller.api.parse import parse_run
from controller.api.run import MAX_ENDPOINTS, MAX_FAILURES, Failure, LeftOut, MediaPath
from controller.plan.cause import Cause
from controller.run import status as statuses
from controller.run.conclude import refused
from tests.e2e.kube import ROOT, KubectlError, Namespace, namespace
from tests.unit.controller.api.faults import FAULTS, RUN
from tests.unit.controller.objects import PIN, Object, changed, endpoints, spec
from tests.unit.controller.run_statuses import at, under_way

NOT_ON_A_SERVER = ("apiVersion", "kind", "metadata")
LABEL_KEY = "spec.target.podSelector.matchLabels key"
"""CEL has no say on the keys of a map of labels; `parse` has."""


@pytest.fixture(scope="module")
def api() -> Iterator[Namespace]:
    with namespace("e2e-api") as made:
        for crd in ("calltests.yaml", "calltestruns.yaml"):
            made.kubectl("apply", "-f", str(ROOT / "deploy" / "crd" / crd))
        made.kubectl(
            "wait", "--for=condition=Established", "crd/calltests.calltest.dev", "crd/calltestruns.calltest.dev"
        )
        yield made


def as_sent(obj: Object) -> Object:
    """The object as a person writes it: what the API server fills in is not there."""
    meta = {name: value for name, value in obj["metadata"].items() if name == "name"}
    return {name: value for name, value in obj.items() if name != "status"} | {"metadata": meta}


def create(api: Namespace, obj: Object, *words: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(api.kubectl("create", "-o", "json", "-f", "-", *words, stdin=json.dumps(obj)))
    return made


@pytest.mark.parametrize(
    "changes",
    [
        changes
        for changes, field in FAULTS
        if field != LABEL_KEY and not any(key.startswith(NOT_ON_A_SERVER) for key in changes)
    ],
)
def test_the_api_server_refuses_what_parse_refuses(api: Namespace, changes: dict[str, Any]) -> None:
    with pytest.raises(KubectlError, match=r"is invalid|unknown field"):
        create(api, changed(as_sent(PIN), changes), "--dry-run=server")


@pytest.mark.parametrize("name", ["x" * 46, "a.b"])
def test_names_must_leave_room_for_those_made_of_them(api: Namespace, name: str) -> None:
    with pytest.raises(KubectlError, match=r"metadata\.name"):
        create(api, changed(as_sent(PIN), {"metadata.name": name}), "--dry-run=server")


def test_the_example_is_accepted_and_not_yet_seen(api: Namespace) -> None:
    made = create(api, as_sent(PIN), "--dry-run=server")
    assert made["status"]["observedGeneration"] == -1


def test_a_run_never_changes(api: Namespace) -> None:
    create(api, as_sent(RUN))
    with pytest.raises(KubectlError, match="cannot be changed"):
        api.kubectl("patch", "ctr", "pin-g3", "--type=merge", "-p", '{"spec":{"test":{"suspend":true}}}')
    api.kubectl("delete", "ctr", "pin-g3")


def test_the_largest_status_is_accepted(api: Namespace) -> None:
    made = create(api, changed(as_sent(RUN), {"metadata.name": "largest"}))
    long = {"pod": "p" * 253, "node": "n" * 253, "zone": "z" * 253, "image_ids": ("i" * 256,) * 5}
    judged = {"result": Result.FAILED, "reason": "DtmfMismatch", "media": MediaPath.MIXED, "change": "EndpointRemoved"}
    called = tuple(replace(item, restarts=1, summary="1/1", **long, **judged) for item in endpoints(MAX_ENDPOINTS))
    failure = Failure(
        call="c", number=1, endpoint=1, leg=Role.CALLEE, check="dtmf", result=Result.FAILED, reason="DtmfMismatch",
        expected="é" * 256, observed="é" * 256, call_id="c" * 256, note="n" * 512,
    )  # fmt: skip
    left_out = tuple(LeftOut(name=f"{n:0253}", reason="NotReady", message="m" * 512) for n in range(20))
    outcome = refused(Cause(reason=Reason.INVALID_TEST, message="m" * 2000), spec(), called)
    status = replace(
        statuses.concluded(under_way(), outcome, at(60)), failures=(failure,) * MAX_FAILURES, left_out=left_out
    )
    made["status"] = statuses.as_dict(status)
    path = f"/apis/calltest.dev/v1alpha1/namespaces/{api.name}/calltestruns/largest/status"
    api.kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(made))
    assert parse_run(api.get("ctr", "largest")).status == status


def test_objects_are_found_by_their_fields(api: Namespace) -> None:
    for name, result in (("found-a", "Failed"), ("found-b", "Passed"), ("found-c", None)):
        create(api, changed(as_sent(RUN), {"metadata.name": name, "spec.callTestName": name[:5]}))
        if result is not None:
            status = json.dumps({"status": {"result": result, "revisionHash": "3f9c51aa"}})
            api.kubectl("patch", "ctr", name, "--subresource=status", "--type=merge", "-p", status)

    def found(selector: str) -> list[str]:
        items = api.items("calltestruns", "--field-selector", f"spec.callTestName=found,{selector}")
        return [item["metadata"]["name"] for item in items]

    assert found("status.result=Failed") == ["found-a"]
    assert found("status.result!=Failed") == ["found-b", "found-c"]
    assert found("status.revisionHash=3f9c51aa") == ["found-a", "found-b"]
    assert found("spec.cause.type=Schedule") == []
    assert api.items("calltestruns", "--field-selector", "spec.callTestName=other") == []
    assert api.items("calltests", "--field-selector", "spec.suspend=true") == []
    with pytest.raises(KubectlError, match="field label not supported"):
        found("status.message=x")


def test_explain_reads_well(api: Namespace) -> None:
    text = " ".join(api.kubectl("explain", "calltest.spec.target").split())
    assert "The system under test (SUT): exactly one of service, podSelector, address." in text
    assert "EachEndpoint runs the whole test against each ready replica" in text
