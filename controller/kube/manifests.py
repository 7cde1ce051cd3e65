"""Plans → Kubernetes objects: agent pods, the callee's Service, ConfigMaps with the details of calls. Pure."""

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from agent.contract.address import IpFamily
from agent.contract.plan import Credentials, Files, Plan, Signal, Tls
from agent.contract.room import HELD_BYTES, SCRATCH_BYTES
from agent.contract.verdict import Role
from controller.api import API_VERSION
from controller.api.field import without_nulls
from controller.api.run import MAX_CONFIG_MAPS, Detail
from controller.api.test import Agents, CallTestSpec, Resources
from controller.kube.labels import (
    AGENT_CONTAINER,
    AGENT_LABEL,
    AGENT_NAME,
    ALONE_ANNOTATIONS,
    ALONE_LABELS,
    GO_ANNOTATION,
    MANAGED_BY,
    PLAN_ANNOTATION,
    ROLE_LABEL,
    RUN_LABEL,
    TEST_LABEL,
)
from controller.plan.planning import CALLEE_SERVICE_PORT, POD_MOUNTS

Object = dict[str, Any]

DOCUMENTS: Final = "/etc/calltest"
"""Where an agent finds `plan` and `go`."""
TMP_SIZE: Final = f"{(SCRATCH_BYTES + HELD_BYTES) // 2**30}Gi"
METRICS_PORT: Final = 9090
AGENT_GROUP: Final = 10001
"""Of the image's user."""
GRACE_S: Final = 20
"""For hanging up and writing the result on SIGTERM."""
BACKSTOP_S: Final = 60
"""So long after the plan's own deadline the kubelet ends a pod that nobody else ended."""
MAX_CONFIG_MAP_BYTES: Final = 900 * 1024
"""Of gzip data; the API server refuses 1 MiB."""
CHUNK_BYTES: Final = 4 * 1024 * 1024
DETAIL_KEY: Final = "detail.jsonl.gz"

# No CPU limit: the quota would throttle the agent in the middle of a call, and make it judge itself overloaded.
DEFAULT_REQUESTS: Final = {"cpu": "200m", "memory": "192Mi"}
DEFAULT_LIMITS: Final = {"memory": "1Gi"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The object that another one belongs to and is deleted with."""

    kind: str
    name: str
    uid: str

    def reference(self) -> Object:
        """Its ownerReference. No blockOwnerDeletion: that needs a right that the operator does not have."""
        return {"apiVersion": API_VERSION, "kind": self.kind, "name": self.name, "uid": self.uid, "controller": True}


def pod_name(run: str, agent: str) -> str:
    """Name of an agent's pod."""
    return f"{run}-{agent}"


def agent_pod(plan: Plan, test: CallTestSpec, image: str) -> Object:
    """The pod of one agent. A bare one: nothing may be retried or replaced."""
    agents = test.agents if test.agents is not None else Agents()
    owner = Owner(kind="CallTestRun", name=plan.run.name, uid=plan.run.uid)
    volumes = _volumes(plan, test)
    security: Object = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if plan.evidence is not None:
        # The claim's root is given to the group; where it is so already, a large claim is not walked again.
        security |= {"fsGroup": AGENT_GROUP, "fsGroupChangePolicy": "OnRootMismatch"}
    spec: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "activeDeadlineSeconds": int(plan.deadline_s) + test.ready_deadline_s + BACKSTOP_S,
        "securityContext": security,
        "containers": [_container(image, agents, [mount for _, mount in volumes])],
        "volumes": [volume for volume, _ in volumes],
    }
    if agents.node_selector is not None:
        spec["nodeSelector"] = dict(agents.node_selector)
    if agents.tolerations:
        spec["tolerations"] = [without_nulls(msgspec.to_builtins(item)) for item in agents.tolerations]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(plan.run.name, plan.agent),
            "namespace": plan.run.namespace,
            "labels": _labels(plan.run.call_test, plan.run.name)
            | {"app.kubernetes.io/name": AGENT_NAME, ROLE_LABEL: plan.role.lower(), AGENT_LABEL: plan.agent}
            | ALONE_LABELS,
            "annotations": ALONE_ANNOTATIONS
            | {
                PLAN_ANNOTATION: plan.encode().decode(),
                GO_ANNOTATION: Signal().encode().decode(),
                # A test that is moved to another node is a lost one.
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                "karpenter.sh/do-not-disrupt": "true",
            },
            "ownerReferences": [owner.reference()],
        },
        "spec": spec,
    }


def callee_service(namespace: str, call_test: str, owner: Owner, family: IpFamily) -> Object:
    """The Service `<calltest>-callee` that the SUT dials (callee.route: CalleeService), kept from run to run.

    Of that family alone: its name must not lead the SUT to an address at which the callee does not listen.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": f"{call_test}-callee",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": MANAGED_BY, TEST_LABEL: call_test},
            "ownerReferences": [owner.reference()],
        },
        "spec": {
            "type": "ClusterIP",
            "ipFamilyPolicy": "SingleStack",
            "ipFamilies": [family],
            "selector": {"app.kubernetes.io/name": AGENT_NAME, TEST_LABEL: call_test, ROLE_LABEL: "callee"},
            "ports": [
                {"name": name, "protocol": protocol, "port": CALLEE_SERVICE_PORT, "targetPort": CALLEE_SERVICE_PORT}
                for name, protocol in (("sip", "UDP"), ("sip-tcp", "TCP"))
            ],
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDetail:
    """The ConfigMaps to create, and what the run's status says of them."""

    config_maps: tuple[Object, ...]
    detail: Detail


def store_detail(run: Owner, namespace: str, call_test: str, lines: Sequence[bytes], *, complete: bool) -> StoredDetail:
    """Detail lines as ConfigMaps `<run>-0` …: gzip JSON lines, immutable, owned by the run; equal lines, equal bytes.

    `complete`: every line that the agents wrote is in `lines`. What does not fit is left out, and said so.
    """
    chunks = [part for chunk in _chunks(lines) for part in _packed(chunk)]
    kept = chunks[:MAX_CONFIG_MAPS]
    stored = sum(count for count, _ in kept)
    maps = tuple(
        _config_map(f"{run.name}-{index}", namespace, call_test, run, data) for index, (_, data) in enumerate(kept)
    )
    names = tuple(item["metadata"]["name"] for item in maps)
    detail = Detail(config_maps=names, lines=stored, complete=complete and stored == len(lines))
    return StoredDetail(config_maps=maps, detail=detail)


def _labels(call_test: str, run: str) -> dict[str, str]:
    return {"app.kubernetes.io/managed-by": MANAGED_BY, TEST_LABEL: call_test, RUN_LABEL: run}


def _container(image: str, agents: Agents, mounts: list[Object]) -> Object:
    return {
        "name": AGENT_CONTAINER,
        "image": image,
        "command": ["python3", "-m", "agent"],
        "args": [
            f"--plan={DOCUMENTS}/plan",
            f"--signal={DOCUMENTS}/go",
            "--result=/dev/termination-log",
            f"--metrics-port={METRICS_PORT}",
            "--bind=$(POD_IPS)",
        ],
        "env": [
            {"name": "POD_IPS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 - the pod's own
        ],
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "resources": _resources(agents.resources if agents.resources is not None else Resources()),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def _resources(given: Resources) -> Object:
    """The test's resources, and our defaults where they do not contradict: a request may not exceed its limit."""
    requests = given.requests if given.requests is not None else {}
    limits = given.limits if given.limits is not None else {}
    return {
        "requests": {name: value for name, value in DEFAULT_REQUESTS.items() if name not in limits} | requests,
        "limits": {name: value for name, value in DEFAULT_LIMITS.items() if name not in requests} | limits,
    }


def _volumes(plan: Plan, test: CallTestSpec) -> list[tuple[Object, Object]]:
    """Volumes with their mounts: plan and signal, room to record, and what the plan names of Secrets and ConfigMaps.

    The latter are optional: a missing one must be the agent's word (InputMissing), not a pod that never starts. A
    missing claim is the scheduler's word (podfacts).
    """
    documents = [
        {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
        for path, annotation in (("plan", PLAN_ANNOTATION), ("go", GO_ANNOTATION))
    ]
    found = [
        _volume("documents", DOCUMENTS, {"downwardAPI": {"items": documents}}),
        _volume("tmp", "/tmp", {"emptyDir": {"sizeLimit": TMP_SIZE}}, read_only=False),  # noqa: S108 - the pod's own
    ]
    for name, held in _secrets(plan).items():
        secret = {"secret": {"secretName": held.secret_name, "optional": True}}
        found.append(_volume(name, held.directory, secret))
    for index, name in enumerate(_wav_config_maps(plan, test)):
        files = {"configMap": {"name": name, "optional": True}}
        found.append(_volume(f"wav-{index}", f"{POD_MOUNTS.wav}/{name}", files))
    if plan.evidence is not None:
        assert test.evidence is not None  # the plan has it from there
        claim = {"persistentVolumeClaim": {"claimName": test.evidence.claim_name}}
        found.append(_volume("evidence", plan.evidence.directory, claim, read_only=False))
    return found


def _secrets(plan: Plan) -> dict[str, Credentials | Files]:
    """By the name of their volume; one that is named twice is mounted once."""
    tls = plan.tls or Tls()
    named = {"credentials": plan.account.credentials, "ca": tls.ca, "client": tls.client}
    found: dict[str, Credentials | Files] = {}
    for name, files in named.items():
        if files is not None and files.secret_name not in [other.secret_name for other in found.values()]:
            found[name] = files
    return found


def _wav_config_maps(plan: Plan, test: CallTestSpec) -> list[str]:
    """ConfigMaps with the files that this agent plays: only callers play files."""
    if plan.role is Role.CALLEE:
        return []
    plays = (call.caller.play for call in test.calls)
    return sorted({play.wav.config_map_name for play in plays if play.wav is not None})


def _volume(name: str, path: str, source: Object, *, read_only: bool = True) -> tuple[Object, Object]:
    mount: Object = {"name": name, "mountPath": path}
    return {"name": name} | source, mount | ({"readOnly": True} if read_only else {})


def _chunks(lines: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Lines in groups of at most CHUNK_BYTES (a longer line is a group of its own)."""
    groups: list[list[bytes]] = []
    size = CHUNK_BYTES
    for line in lines:
        if size + len(line) > CHUNK_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(line)
        size += len(line)
    return list(groups)


def _packed(lines: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """How many lines, and they as gzip, halved until each part fits; a line that does not fit alone is left out."""
    data = gzip.compress(b"".join(lines), mtime=0)  # no time: equal lines give equal bytes
    if len(data) <= MAX_CONFIG_MAP_BYTES:
        return [(len(lines), data)]
    if len(lines) == 1:
        return []
    half = len(lines) // 2
    return _packed(lines[:half]) + _packed(lines[half:])


def _config_map(name: str, namespace: str, call_test: str, run: Owner, data: bytes) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": _labels(call_test, run.name),
            "ownerReferences": [run.reference()],
        },
        "immutable": True,
        "binaryData": {DETAIL_KEY: base64.b64encode(data).decode()},
    }
