"""What software the replicas of a system run, and whether they stand still: from pods alone. Pure.

"The rollout is done" is not read from Deployments: that would take other rights for each kind of workload, and
terminating pods, which in SIP drain for hours, would have to be left out all the same.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.api.revision import MAX_PODS, Container, Revision

Object = Mapping[str, Any]
MAX_REVISIONS: Final = 16
MAX_CONTAINERS: Final = 5
REVISION_LABELS: Final = ("pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash")
"""Of Deployments, Argo Rollouts, StatefulSets and DaemonSets: a pod of theirs carries one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One pod of the system, neither terminating nor finished."""

    uid: str
    name: str
    workload: str
    """Kind and name of its owner, without the hash that the name ends with."""
    revision: str
    """Its label's; of a pod without one: of the images that it names."""
    containers: tuple[Container, ...]
    is_ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """Since when the same pods are there."""

    uids: frozenset[str]
    since: float
    """Unix seconds."""


def replicas(pods: Iterable[Object]) -> tuple[Replica, ...]:
    """Each pod once, by name."""
    found = {replica.uid: replica for pod in pods if (replica := _replica(pod)) is not None}
    return tuple(sorted(found.values(), key=lambda replica: replica.name))


def _replica(pod: Object) -> Replica | None:
    meta, spec, status = (pod.get(part) or {} for part in ("metadata", "spec", "status"))
    if meta.get("deletionTimestamp") or status.get("phase") in {"Succeeded", "Failed"}:
        return None
    images = {str(item["name"]): str(item.get("image") or "") for item in spec.get("containers") or ()}
    labels = meta.get("labels") or {}
    revision = next((labels[label] for label in REVISION_LABELS if labels.get(label)), None) or _digest(
        sorted(images.items())
    )
    owner = next((item for item in meta.get("ownerReferences") or () if item.get("controller")), None)
    name = str(owner["name"]).removesuffix(f"-{revision}") if owner else str(meta.get("name"))
    ids = {item.get("name"): str(item.get("imageID") or "") for item in status.get("containerStatuses") or ()}
    conditions = {item.get("type"): item.get("status") for item in status.get("conditions") or ()}
    return Replica(
        uid=str(meta.get("uid") or ""),
        name=str(meta.get("name")),
        workload=f"{owner['kind']}/{name}" if owner else f"Pod/{name}",
        revision=revision,
        containers=tuple(
            Container(name=each, image=image[:256], image_id=ids.get(each, "")[:256])
            for each, image in sorted(images.items())
        )[:MAX_CONTAINERS],
        is_ready=conditions.get("Ready") == "True",
    )


def revisions(present: Sequence[Replica]) -> tuple[Revision, ...]:
    """What runs, each workload's revisions in order, with how many replicas of each. Two images of one name are two."""
    pods: dict[tuple[str, str, tuple[Container, ...]], list[str]] = {}
    for replica in present:
        key = (replica.workload, replica.revision, replica.containers)
        pods.setdefault(key, []).append(replica.uid[:8])
    ordered = sorted(pods.items(), key=lambda item: (item[0][0], item[0][1], str(item[0][2])))
    return tuple(
        Revision(
            workload=workload,
            revision=revision,
            containers=containers,
            replicas=len(uids),
            pods=tuple(sorted(uids)[:MAX_PODS]),
        )
        for (workload, revision, containers), uids in ordered
    )


def revision_hash(found: Sequence[Revision]) -> str:
    """Of what runs, whatever the number of its replicas; 8 hex digits, empty where nothing does."""
    return _digest(sorted(_keys(found))) if found else ""


def untested(present: Sequence[Revision], tested: Sequence[Revision]) -> tuple[Revision, ...]:
    """What runs and was not tested. Scaling, and the end of a revision, add nothing; a rollback does."""
    known = _keys(tested)
    return tuple(revision for revision in present if not _keys([revision]) <= known)


def replaced(present: Sequence[Revision], tested: Sequence[Revision]) -> bool:
    """Whether a workload has new pods in the place of tested ones. One that was scaled has only new ones, or fewer."""
    before, now = _pods(tested), _pods(present)
    return any(now[workload] - pods and pods - now[workload] for workload, pods in before.items() if workload in now)


def _pods(found: Sequence[Revision]) -> dict[str, set[str]]:
    pods: dict[str, set[str]] = {}
    for revision in found:
        pods.setdefault(revision.workload, set()).update(revision.pods)
    return pods


def _keys(found: Sequence[Revision]) -> set[tuple[str, str, str, str]]:
    """An imageID is compared per container: the same tag may be another image, and nodes may name one image twice."""
    return {
        (revision.workload, revision.revision, container.name, container.image_id)
        for revision in found
        for container in revision.containers
    }


def unsettled(present: Sequence[Replica], *, minimum: int, single: bool) -> str:
    """Why the replicas do not stand still; empty: they do. `single`: of each workload one revision only."""
    if len(present) < minimum:
        return f"{len(present)} replicas are there, minEndpoints is {minimum}"
    if waiting := [replica for replica in present if not replica.is_ready]:
        return f"{len(waiting)} of {len(present)} replicas are not ready, first {waiting[0].name}"
    by_workload: dict[str, set[str]] = {}
    for replica in present:
        by_workload.setdefault(replica.workload, set()).add(replica.revision)
    mixed = sorted(workload for workload, several in by_workload.items() if len(several) > 1)
    if single and mixed:
        return f"{mixed[0]} runs several revisions: {', '.join(sorted(by_workload[mixed[0]]))}"
    return ""


def stands_still(before: Still | None, present: Sequence[Replica], now: float) -> Still:
    """Since when these pods are the same."""
    uids = frozenset(replica.uid for replica in present)
    return before if before is not None and before.uids == uids else Still(uids=uids, since=now)


def of_pods(present: Sequence[Replica], *, settled: bool) -> str:
    """Names a run for these very pods, 8 hex digits: revisions can come back (A, B, A), pods cannot."""
    return _digest([settled, *sorted(replica.uid for replica in present)])


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]
