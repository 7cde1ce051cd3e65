"""Pods as clusters have them: with a proxy that somebody injected, on the node's network, unready but published."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.calltests import deleted
from tests.e2e.kube import ROOT, Namespace, namespace, until
from tests.sut.base import EXAMPLES

Object = dict[str, Any]
POLICY = "admissionregistration.k8s.io/v1beta1"
NAME = "e2e-odd-pods"
PORT = 5093
"""Of the node: nothing else listens there."""
ECHO: Object = {
    "name": "echo",
    "to": "sip:parrot@example.com",
    "holdSeconds": 3,
    "expect": {"caller": {"audio": "Own"}},
}
PROXY = """
[JSONPatch{
  op: "add", path: "/spec/containers/0",
  value: Object.spec.containers{
    name: "aad-proxy", image: "calltest-agent:dev", imagePullPolicy: "IfNotPresent", command: ["sleep", "3600"],
    readinessProbe: Object.spec.containers.readinessProbe{
      exec: Object.spec.containers.readinessProbe.exec{command: ["false"]}
    }
  }
}]
"""
"""Before the container that was asked for, never ready, and never over: the worst that meshes' proxies do."""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """The operator, and two parrots behind a Service."""
    scratch = tmp_path_factory.mktemp("odd")
    with namespace(NAME) as made:
        made.apply_folder(ROOT / "deploy", scratch)
        made.apply_folder(EXAMPLES / "parrot-service", scratch)
        made.rolled_out("calltest-operator", "parrot")
        yield made


def concluded(space: Namespace, name: str, target: Object) -> Object:
    """The status of the run of a test of parrots."""
    spec = {"target": target, "caller": {"uri": "sip:alice@example.com"}, "calls": [ECHO]}
    meta = {"name": name}
    space.apply({"apiVersion": "calltest.dev/v1alpha1", "kind": "CallTest", "metadata": meta, "spec": spec})
    space.finished(name)
    status: Object = space.run_of(name)["status"]
    return status


@contextmanager
def injecting(space: Namespace) -> Iterator[None]:
    """Each pod that is made in the namespace gets a proxy."""
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": space.name}}
    policy = {
        "matchConstraints": {"resourceRules": [pods], "namespaceSelector": here},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": PROXY}}],
    }
    objects: dict[str, Object] = {
        "MutatingAdmissionPolicy": policy,
        "MutatingAdmissionPolicyBinding": {"policyName": space.name},
    }
    for kind, spec in objects.items():
        space.apply({"apiVersion": POLICY, "kind": kind, "metadata": {"name": space.name}, "spec": spec})
    try:
        until(lambda: "aad-proxy" in containers(space), "the policy holds", timeout_s=60)
        yield
    finally:
        for kind in objects:
            space.kubectl("delete", kind, space.name)
        until(lambda: "aad-proxy" not in containers(space), "the policy is gone", timeout_s=60)


def containers(space: Namespace) -> list[str]:
    """What a pod that is made now would have in it."""
    spec = {"containers": [{"name": "asked-for", "image": "calltest-agent:dev"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "would-be"}, "spec": spec}
    words = ("create", "--dry-run=server", "-o", "json", "-f", "-")
    made: Object = json.loads(space.kubectl(*words, stdin=json.dumps(pod)))
    return [container["name"] for container in made["spec"]["containers"]]


def test_agents_with_a_proxy_that_is_never_ready_and_never_ends(space: Namespace) -> None:
    with injecting(space):
        status = concluded(space, "meshed", {"service": {"name": "parrot"}, "port": "sip"})
    assert (status["result"], status["calls"]["summary"]) == ("Passed", "2/2"), status
    assert status["detail"]["complete"], status
    deleted(space, "meshed")


def test_replicas_on_the_nodes_network_without_a_service(space: Namespace) -> None:
    parrot(space, "on-the-node", app="on-the-node", port=PORT, hostNetwork=True)
    status = concluded(space, "on-the-node", {"podSelector": {"matchLabels": {"app": "on-the-node"}}, "port": PORT})
    [endpoint] = status["endpoints"]
    host = space.get("pod", "on-the-node")["status"]["hostIP"]
    assert (status["result"], endpoint["address"]) == ("Passed", f"{host}:{PORT}"), status
    deleted(space, "on-the-node")


def test_a_replica_that_is_published_though_it_is_not_ready_is_not_called(space: Namespace) -> None:
    ports = [{"name": "sip", "protocol": "UDP", "port": 5060}]
    published = {"selector": {"app": "published"}, "publishNotReadyAddresses": True, "ports": ports}
    space.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "published"}, "spec": published})
    parrot(space, "well", app="published")
    parrot(space, "lame", app="published", is_ready=False)
    until(lambda: conditions(space) == {"well": (True, True), "lame": (True, False)}, "one published, not serving")
    status = concluded(space, "published", {"service": {"name": "published"}, "port": "sip"})
    assert [endpoint["pod"] for endpoint in status["endpoints"]] == ["well"], status
    assert (status["result"], status["calls"]["summary"]) == ("Passed", "1/1"), status
    deleted(space, "published")


def parrot(space: Namespace, name: str, *, app: str, port: int = 5060, is_ready: bool = True, **spec: object) -> None:
    """A pod that answers calls; it has no Service, and its container names no port."""
    listens = ["grep", "-q", f":{port:04X} ", "/proc/net/udp"]
    container = {
        "name": "parrot",
        "image": "calltest-agent:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "agent"],
        "args": ["parrot", "--port", str(port), "--bind", "$(ADDRESS)"],
        "env": [{"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"exec": {"command": listens if is_ready else ["false"]}, "periodSeconds": 1},
    }
    meta = {"name": name, "labels": {"app": app}}
    spec |= {"terminationGracePeriodSeconds": 1, "containers": [container]}
    space.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    if is_ready:
        space.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s", timeout_s=70)


def conditions(space: Namespace) -> dict[str, tuple[bool, bool]]:
    """Whether each pod of the Service is said to be ready, and to serve."""
    slices = space.items("endpointslices", "-l", "kubernetes.io/service-name=published")
    endpoints = [each for found in slices for each in found["endpoints"] or ()]
    return {
        each["targetRef"]["name"]: (each["conditions"]["ready"], each["conditions"]["serving"]) for each in endpoints
    }
