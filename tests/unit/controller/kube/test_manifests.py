"""The Kubernetes objects that we create, as a whole."""

import base64
import gzip
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.address import IpFamily
from agent.contract.plan import Plan, Signal, decode_plan, decode_signal, plan_digest
from controller.api.run import MAX_CONFIG_MAPS
from controller.kube import manifests
from controller.kube.manifests import DETAIL_KEY, Owner, agent_pod, callee_service, pod_name, store_detail
from controller.plan.limits import Limits
from controller.plan.planning import plan_run
from tests.unit.controller.objects import RUN, endpoints, spec

OWNER = Owner(kind="CallTestRun", name="pin-g1", uid="0b9e")
REFERENCE = {
    "apiVersion": "calltest.dev/v1alpha1",
    "kind": "CallTestRun",
    "name": "pin-g1",
    "uid": "0b9e",
    "controller": True,
}


def pods(changes: dict | None = None) -> tuple[list[Plan], list[dict]]:
    test = spec(changes)
    plans = list(plan_run(RUN, test, endpoints(2), Limits()))
    return plans, [agent_pod(plan, test, "agent:1") for plan in plans]


@pytest.mark.covers("<party>.credentials.secretName")
def test_the_pod_of_a_caller():
    (plan, _), (pod, _) = pods()
    annotations = pod["metadata"]["annotations"]
    assert decode_plan(annotations["calltest.dev/plan"].encode()) == plan
    assert plan_digest(annotations["calltest.dev/plan"].encode()) == plan_digest(plan.encode())
    assert decode_signal(annotations["calltest.dev/go"].encode()) == Signal()
    assert annotations["linkerd.io/inject"] == "disabled"
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "pin-g1-caller-0",
            "namespace": "default",
            "labels": {
                "app.kubernetes.io/managed-by": "calltest-operator",
                "app.kubernetes.io/name": "calltest-agent",
                "calltest.dev/test": "pin",
                "calltest.dev/run": "pin-g1",
                "calltest.dev/role": "caller",
                "calltest.dev/agent": "caller-0",
                "sidecar.istio.io/inject": "false",
                "kuma.io/sidecar-injection": "disabled",
            },
            "annotations": annotations,
            "ownerReferences": [REFERENCE],
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 20,
            "activeDeadlineSeconds": 780,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "agent",
                    "image": "agent:1",
                    "command": ["python3", "-m", "agent"],
                    "args": [
                        "--plan=/etc/calltest/plan",
                        "--signal=/etc/calltest/go",
                        "--result=/dev/termination-log",
                        "--metrics-port=9090",
                        "--bind=$(POD_IPS)",
                    ],
                    "env": [
                        {"name": "POD_IPS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}},
                        {"name": "HOME", "value": "/tmp"},
                    ],
                    "ports": [{"name": "metrics", "containerPort": 9090, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "200m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "volumeMounts": [
                        {"name": "documents", "mountPath": "/etc/calltest", "readOnly": True},
                        {"name": "tmp", "mountPath": "/tmp"},
                        {
                            "name": "credentials",
                            "mountPath": "/etc/calltest-credentials/sip-alice",
                            "readOnly": True,
                        },
                    ],
                }
            ],
            "volumes": [
                {
                    "name": "documents",
                    "downwardAPI": {
                        "items": [
                            {
                                "path": "plan",
                                "fieldRef": {"fieldPath": "metadata.annotations['calltest.dev/plan']"},
                            },
                            {"path": "go", "fieldRef": {"fieldPath": "metadata.annotations['calltest.dev/go']"}},
                        ]
                    },
                },
                {"name": "tmp", "emptyDir": {"sizeLimit": "5Gi"}},
                {"name": "credentials", "secret": {"secretName": "sip-alice", "optional": True}},
            ],
        },
    }


@pytest.mark.covers("evidence.claimName")
def test_evidence_goes_to_the_claim_and_all_else_stays_read_only():
    plans, made = pods({"evidence": {"claimName": "kept"}})
    for plan, pod in zip(plans, made, strict=True):
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert volumes["evidence"]["persistentVolumeClaim"] == {"claimName": "kept"}
        container = pod["spec"]["containers"][0]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        writable = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"] if "readOnly" not in mount}
        assert writable == {"tmp": "/tmp", "evidence": plan.evidence.directory}
        assert pod["spec"]["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "fsGroup": 10001,
            "fsGroupChangePolicy": "OnRootMismatch",
        }


def test_a_test_that_keeps_nothing_mounts_no_claim():
    _, made = pods({"evidence": {"keep": "Never", "claimName": "kept"}})
    assert made == pods()[1]


def test_a_pod_mounts_only_what_its_own_plan_names():
    wav = {"play": {"wav": {"configMapName": "prompts", "key": "a.wav"}}}
    calls = [{"name": name, "caller": wav} for name in ("a", "b")] + [{"name": "c"}]
    plans, (caller, callee) = pods({"calls": calls, "callee.credentials": {"secretName": "sip-bob"}})
    assert [item["name"] for item in caller["spec"]["volumes"]] == ["documents", "tmp", "credentials", "wav-0"]
    assert caller["spec"]["volumes"][3]["configMap"] == {"name": "prompts", "optional": True}
    mount = caller["spec"]["containers"][0]["volumeMounts"][3]["mountPath"]
    assert mount == f"{plans[0].wav_directory}/prompts"
    assert [item["name"] for item in callee["spec"]["volumes"]] == ["documents", "tmp", "credentials"]
    assert callee["spec"]["volumes"][2]["secret"]["secretName"] == "sip-bob"
    assert callee["metadata"]["labels"]["calltest.dev/role"] == "callee"


def test_secrets_of_tls_are_mounted_each_once():
    tls = {"target.transport": "TLS", "target.tls": {"caSecretName": "ca", "clientSecretName": "both"}}
    _, (caller, callee) = pods(tls | {"callee.credentials": {"secretName": "both"}})
    for pod, names in ((caller, ["credentials", "ca", "client"]), (callee, ["credentials", "ca"])):
        volumes = [item for item in pod["spec"]["volumes"] if "secret" in item]
        assert [item["name"] for item in volumes] == names
        assert all(item["secret"]["optional"] for item in volumes)


def test_without_credentials_there_is_no_secret():
    _, (caller, callee) = pods({"caller.credentials": None})
    for pod in (caller, callee):
        assert "credentials" not in {item["name"] for item in pod["spec"]["volumes"]}


@pytest.mark.covers("agents.resources.requests", "agents.resources.limits")
@pytest.mark.parametrize(
    ("given", "resources"),
    [
        ({}, {"requests": {"cpu": "200m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}}),
        (
            {"requests": {"cpu": 1}},
            {"requests": {"cpu": 1, "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
        ),
        # Kubernetes refuses a request above its limit: ours gives way.
        (
            {"limits": {"memory": "64Mi"}},
            {"requests": {"cpu": "200m"}, "limits": {"memory": "64Mi"}},
        ),
        (
            {"requests": {"memory": "2Gi"}},
            {"requests": {"cpu": "200m", "memory": "2Gi"}, "limits": {}},
        ),
    ],
)
def test_resources_of_the_test_come_before_ours(given, resources):
    _, (pod, _) = pods({"agents": {"resources": given}})
    assert pod["spec"]["containers"][0]["resources"] == resources


@pytest.mark.covers(
    "agents.nodeSelector",
    "agents.tolerations[].key",
    "agents.tolerations[].operator",
    "agents.tolerations[].value",
    "agents.tolerations[].effect",
)
def test_agents_go_where_the_test_says():
    tolerations = [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}]
    _, (pod, _) = pods({"agents": {"nodeSelector": {"pool": "voice"}, "tolerations": tolerations}})
    assert pod["spec"]["nodeSelector"] == {"pool": "voice"}
    assert pod["spec"]["tolerations"] == tolerations
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}


def test_a_name_says_run_and_agent():
    assert pod_name("pin-g1", "callee-3") == "pin-g1-callee-3"


def test_the_service_that_the_sut_dials():
    _, (_, callee) = pods({"callee.route": "CalleeService"})
    service = callee_service("default", "pin", Owner(kind="CallTest", name="pin", uid="77aa"), IpFamily.IPV6)
    assert service["spec"]["selector"].items() <= callee["metadata"]["labels"].items()
    assert service == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "pin-callee",
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "calltest-operator", "calltest.dev/test": "pin"},
            "ownerReferences": [REFERENCE | {"kind": "CallTest", "name": "pin", "uid": "77aa"}],
        },
        "spec": {
            "type": "ClusterIP",
            "ipFamilyPolicy": "SingleStack",
            "ipFamilies": ["IPv6"],
            "selector": {
                "app.kubernetes.io/name": "calltest-agent",
                "calltest.dev/test": "pin",
                "calltest.dev/role": "callee",
            },
            "ports": [
                {"name": "sip", "protocol": "UDP", "port": 5060, "targetPort": 5060},
                {"name": "sip-tcp", "protocol": "TCP", "port": 5060, "targetPort": 5060},
            ],
        },
    }


# Details of calls


def stored(lines: list[bytes], *, complete: bool = True):
    return store_detail(OWNER, "default", "pin", lines, complete=complete)


def read(stored_detail) -> bytes:
    return b"".join(
        gzip.decompress(base64.b64decode(item["binaryData"][DETAIL_KEY])) for item in stored_detail.config_maps
    )


def test_details_become_an_immutable_config_map_of_the_run():
    found = stored([b'{"a":1}\n', b'{"b":2}\n'])
    (config_map,) = found.config_maps
    assert read(found) == b'{"a":1}\n{"b":2}\n'
    assert config_map["immutable"]
    assert config_map["metadata"] == {
        "name": "pin-g1-0",
        "namespace": "default",
        "labels": {
            "app.kubernetes.io/managed-by": "calltest-operator",
            "calltest.dev/test": "pin",
            "calltest.dev/run": "pin-g1",
        },
        "ownerReferences": [REFERENCE],
    }
    assert msgspec.to_builtins(found.detail) == {"configMaps": ("pin-g1-0",), "lines": 2, "complete": True}
    assert stored([b'{"a":1}\n', b'{"b":2}\n']) == found


def test_no_lines_need_no_config_map():
    assert stored([]).config_maps == ()
    assert stored([]).detail.complete
    assert not stored([], complete=False).detail.complete


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=30), st.integers(40, 400))
def test_every_line_is_stored_in_order_or_counted_as_missing(lines, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifests, "MAX_CONFIG_MAP_BYTES", limit)
        patch.setattr(manifests, "CHUNK_BYTES", 500)
        found = stored(lines)
    for item in found.config_maps:
        assert len(base64.b64decode(item["binaryData"][DETAIL_KEY])) <= limit
    assert found.detail.config_maps == tuple(f"pin-g1-{index}" for index in range(len(found.config_maps)))
    if found.detail.complete:
        assert read(found) == b"".join(lines)
    assert found.detail.complete == (found.detail.lines == len(lines))


def test_what_does_not_fit_is_left_out_and_said(monkeypatch):
    monkeypatch.setattr(manifests, "MAX_CONFIG_MAP_BYTES", 200)
    monkeypatch.setattr(manifests, "CHUNK_BYTES", 100)
    noise = random.Random(1).randbytes
    found = stored([b"a\n", noise(1000), b"b\n"])
    assert read(found) == b"a\nb\n"
    assert (found.detail.lines, found.detail.complete) == (2, False)
    monkeypatch.setattr(manifests, "CHUNK_BYTES", 1000)
    halved = [noise(90) for _ in range(4)]
    assert read(stored(halved)) == b"".join(halved)
    assert len(stored(halved).config_maps) == 4
    monkeypatch.setattr(manifests, "CHUNK_BYTES", 100)
    many = stored([noise(90) for _ in range(MAX_CONFIG_MAPS + 5)])
    assert len(many.config_maps) == MAX_CONFIG_MAPS
    assert (many.detail.lines, many.detail.complete) == (MAX_CONFIG_MAPS, False)
