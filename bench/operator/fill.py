"""CallTests with finished runs, as an operator would have left them, and the system that they test."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from controller.api import API_VERSION
from controller.api.parse import parse_test
from controller.kube.cluster import ENDPOINT_SLICES, PODS, RUNS, SERVICES, TESTS, Kind, KubernetesCluster
from controller.plan.revisions import replicas, revision_hash, revisions
from controller.run import status as statuses
from controller.run.runs import tested_hash

NAMESPACE = "bench"
REPLICAS = 3
PARALLEL = 8
CRDS = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions")
NAMESPACES = Kind("", "v1", "namespaces")
ROOT = Path(__file__).resolve().parents[2]
Raw = dict[str, Any]


def prepare(cluster: KubernetesCluster) -> None:
    """Our kinds, and the namespace."""
    for name in ("calltests", "calltestruns"):
        cluster.create(CRDS, "", yaml.safe_load((ROOT / "deploy/crd" / f"{name}.yaml").read_text()))
    cluster.create(NAMESPACES, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})


def sut(cluster: KubernetesCluster) -> list[Raw]:
    """A Service with ready pods behind it; the pods."""
    port = {"name": "sip", "port": 5060, "protocol": "UDP"}
    meta = {"name": "sut", "namespace": NAMESPACE}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta}
    cluster.create(SERVICES, NAMESPACE, service | {"spec": {"selector": {"app": "sut"}, "ports": [port]}})
    pods, entries = [], []
    for number in range(REPLICAS):
        pod, ip = cluster.create(PODS, NAMESPACE, _pod(f"sut-{number}")), f"10.251.0.{number + 1}"
        pod["status"] = _ready(ip)
        pods.append(cluster.replace_status(PODS, pod))
        reference = {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": NAMESPACE}
        entries.append({"addresses": [ip], "conditions": {"ready": True}, "targetRef": reference})
    slice_meta = {"name": "sut-x", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": "sut"}}
    body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": slice_meta, "addressType": "IPv4"}
    cluster.create(ENDPOINT_SLICES, NAMESPACE, body | {"endpoints": entries, "ports": [port]})
    return pods


def tests(cluster: KubernetesCluster, pods: list[Raw], count: int, runs: int) -> None:
    """So many CallTests with so many finished runs each, half of them Passed."""

    def one(number: int) -> None:
        test = cluster.create(TESTS, NAMESPACE, _test(f"test-{number:04}"))
        parsed = parse_test(test)
        names = [f"{parsed.name}-g{generation}" for generation in range(1, runs + 1)]
        for position, name in enumerate(names):
            run = cluster.create(RUNS, NAMESPACE, _run(test, name))
            run["status"] = _finished(pods, position)
            cluster.replace_status(RUNS, run)
        test["status"] = {"observedGeneration": 1, "testedHash": tested_hash(parsed.spec)}
        cluster.replace_status(TESTS, test)

    _at_once(one, range(count))


def ask(cluster: KubernetesCluster, count: int, text: str) -> None:
    """Asks for a run of the first tests, as `kubectl annotate` does."""
    for number in range(count):
        cluster.annotate(TESTS, NAMESPACE, f"test-{number:04}", {"calltest.dev/requested-at": text})


def _at_once(work: Callable[[int], None], numbers: Iterable[int]) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(work, numbers))


def _pod(name: str) -> Raw:
    """With the fields that make a pod of the field large."""
    container = {
        "name": "sip",
        "image": "registry.example/kamailio:6.1.3",
        "ports": [{"name": "sip", "containerPort": 5060, "protocol": "UDP"}],
        "env": [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(20)],
        "readinessProbe": {"tcpSocket": {"port": 5060}},
    }
    meta = {"name": name, "namespace": NAMESPACE, "labels": {"app": "sut", "pod-template-hash": "5b8c44d1"}}
    spec = {"containers": [container], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _ready(ip: str) -> Raw:
    image = {"image": "registry.example/kamailio:6.1.3", "imageID": "registry.example/kamailio@sha256:" + "5" * 64}
    container = image | {"name": "sip", "ready": True, "restartCount": 0, "state": {"running": {}}}
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    addresses = {"podIP": ip, "podIPs": [{"ip": ip}]}
    return {"phase": "Running", "conditions": [condition], "containerStatuses": [container]} | addresses


def _test(name: str) -> Raw:
    callee = {"dtmf": {"digits": "1234#"}, "audio": "Own", "rtp": {"minPackets": 350, "maxLossPercent": "1"}}
    spec = {
        "target": {"service": {"name": "sut"}, "port": "sip", "minEndpoints": 1},
        "caller": {"uri": f"sip:{name}-a@example.com", "credentials": {"secretName": "sip-a"}},
        "callee": {"uri": f"sip:{name}-b@example.com", "credentials": {"secretName": "sip-b"}},
        "calls": [
            {
                "name": "pin",
                "count": 10,
                "concurrency": 5,
                "caller": {"dtmf": {"digits": "1234#", "method": "RFC4733"}},
                "expect": {"sipCode": 200, "callee": callee, "caller": callee},
            }
        ],
        "trigger": {"schedule": "0 3 1 1 *", "onRollout": {}},
    }
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": API_VERSION, "kind": "CallTest", "metadata": meta, "spec": spec}


def _run(test: Raw, name: str) -> Raw:
    meta = test["metadata"]
    owner = {"apiVersion": API_VERSION, "kind": "CallTest", "name": meta["name"], "uid": meta["uid"]}
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": {"calltest.dev/test": meta["name"]},
        "ownerReferences": [owner | {"controller": True}],
    }
    spec = {"callTestName": meta["name"], "cause": {"type": "Generation", "generation": 1}, "test": test["spec"]}
    return {"apiVersion": API_VERSION, "kind": "CallTestRun", "metadata": metadata, "spec": spec}


def _finished(pods: list[Raw], position: int) -> Raw:
    """Passed where the position is odd, so that the last of an even number did; Failed with all that a status holds."""
    is_passed = position % 2 == 1
    result = "Passed" if is_passed else "Failed"
    done = datetime(2026, 1, 1, 12, position, tzinfo=UTC)
    seen = revisions(replicas(pods))
    failure = {"call": "pin", "endpoint": 0, "leg": "Callee", "check": "dtmf", "result": "Failed"}
    failure |= {"reason": "DtmfMismatch", "expected": "1234#", "observed": "124#", "callID": "c" * 40}
    endpoints = [
        {"index": index, "address": f"{pod['status']['podIP']}:5060", "pod": pod["metadata"]["name"]}
        | {"podUID": pod["metadata"]["uid"], "node": "node0", "result": result, "summary": "10/10", "restarts": 0}
        for index, pod in enumerate(pods)
    ]
    word = "True" if is_passed else "False"
    condition = {"reason": result, "message": "30 of 30 calls", "observedGeneration": 1}
    condition["lastTransitionTime"] = _text(done)
    kinds = {"Finished": "True", "Succeeded": word, "Reconciling": "False", "Stalled": "False"}
    kinds |= {"TargetsResolved": "True", "AgentsReady": "True", "ResultsCollected": "True"}
    status = {
        "observedGeneration": 1,
        "result": result,
        "message": "pin via sut-0 (10.251.0.1): 30 of 30 calls",
        "startTime": _text(done - timedelta(seconds=40)),
        "completionTime": _text(done),
        "calls": {"planned": 30, "passed": 30, "failed": 0, "inconclusive": 0, "ended": 30, "summary": "30/30"},
        "endpoints": endpoints,
        "revisions": [statuses.as_dict(each) for each in seen],
        "revisionHash": revision_hash(seen),
        "failures": [] if is_passed else [failure | {"number": number} for number in range(20)],
        "conditions": [condition | {"type": kind, "status": truth} for kind, truth in kinds.items()],
    }
    return status if is_passed else status | {"reason": "DtmfMismatch"}


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
