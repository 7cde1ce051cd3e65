"""What the state of an agent's pod means for its run. Pure: a pod as the API server sent it, and the time."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from agent.contract.verdict import Reason
from controller.kube.labels import AGENT_CONTAINER
from controller.plan.cause import Cause
from controller.run.agent_state import AgentState

NODE_GRACE_S = 10.0
"""A node that came back within this time has not lost its pods."""
DELETION_GRACE_S = 5.0
"""A pod that is still there so long after its grace period has nobody to end it: its node is gone."""
CLAIM_GRACE_S = 10.0
"""A claim that was applied together with its test is there by then."""
_KUBELETS_REASONS = frozenset({"ContainersNotReady", "ReadinessGatesNotReady"})
"""Why a pod is not ready, when its kubelet says so (pkg/kubelet/status/generate.go); the node controller gives none."""
_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
"""The scheduler's words (its VolumeBinding plugin)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """One agent's pod, understood."""

    state: AgentState
    ending: Cause
    """Why something of this agent is missing, should it be missing."""
    result: bytes | None = None
    """Its termination message."""
    ended_at: float | None = None
    """Unix time at which its container ended, by its node's clock."""


_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_HOPELESS_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull"})


def pod_facts(pod: dict[str, Any], *, now: float) -> PodFacts:
    """The facts of an agent's pod at a time (Unix seconds)."""
    status = pod.get("status") or {}
    containers = {item.get("name"): item for item in status.get("containerStatuses") or ()}
    container: dict[str, Any] = containers.get(AGENT_CONTAINER, {})
    state = container.get("state") or {}
    if terminated := state.get("terminated"):
        return _ended(pod, terminated)
    if why := _lost(pod, now):
        message = f"pod {_name(pod)}: {why}"
        return PodFacts(state=AgentState.LOST, ending=Cause(reason=Reason.AGENT_LOST, message=message))
    if "running" in state:
        ending = Cause(reason=Reason.AGENT_LOST, message=f"pod {_name(pod)}: it runs, and has not given a result")
        return PodFacts(state=AgentState.RUNNING, ending=ending)
    return _without_claim(pod, now) or _pending(pod, state.get("waiting") or {})


def _name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def _ended(pod: dict[str, Any], terminated: dict[str, Any]) -> PodFacts:
    why = str(terminated.get("reason") or "Error")
    code = terminated.get("exitCode")
    reason = Reason.AGENT_LOST
    disruption = _disruption(pod.get("status") or {})
    if disruption:
        why = f"{disruption} ({why})"
    elif (pod.get("status") or {}).get("reason") == "DeadlineExceeded":
        reason, why = Reason.DEADLINE_EXCEEDED, f"its pod's activeDeadlineSeconds were over ({why})"
    elif pod["metadata"].get("deletionTimestamp"):
        # Exit code 0: it was asked to end, and had the time to hang up and say what it knew.
        reason = Reason.ABORTED if code == 0 else reason
        why = f"deleted while it ran ({why})"
    result = str(terminated.get("message") or "").encode()
    message = f"pod {_name(pod)}: ended early: {why}, exit code {code}"
    ending = Cause(reason=reason, message=message, explains_stop=disruption is not None)
    ended_at = unix_time(terminated.get("finishedAt"))
    return PodFacts(state=AgentState.ENDED, ending=ending, result=result, ended_at=ended_at)


def _disruption(status: dict[str, Any]) -> str | None:
    """Why the cluster ended a pod that would have gone on, with its node's or an evictor's words; None: it did not.

    The kubelet sets the pod's reason: Terminated (node shutdown), Evicted, Preempting (DeadlineExceeded is our own
    backstop, see manifests). Whoever evicts a pod by the API sets the condition (KEP-3329).
    """
    reason = status.get("reason")
    if reason and reason != "DeadlineExceeded":
        return f"{reason}: {status.get('message') or 'the node gave no more words'}"
    condition = _condition(status, "DisruptionTarget")
    if condition.get("status") == "True":
        return f"{condition.get('reason')}: {condition.get('message')}"
    return None


def _lost(pod: dict[str, Any], now: float) -> str | None:
    """Why nothing more can be expected of a pod whose container has not terminated; None: something can."""
    status = pod.get("status") or {}
    if status.get("phase") in {"Failed", "Succeeded"}:
        return f"{status.get('reason') or 'ended'}: {status.get('message') or 'without a container status'}"
    if status.get("phase") == "Unknown":
        return "its node does not answer"
    # deletionTimestamp is when the grace period ends, not when the deletion was asked for.
    if (deletion := unix_time(pod["metadata"].get("deletionTimestamp"))) and now > deletion + DELETION_GRACE_S:
        return "deleted, and its node does not end it"
    ready = _condition(status, "Ready")
    # A pod that is not ready although all its containers are (and, by the kubelet's word, no readiness gate of a mesh
    # is closed) was marked by the node controller, because the node stopped reporting.
    containers = status.get("containerStatuses") or ()
    is_marked = ready.get("status") == "False" and ready.get("reason") not in _KUBELETS_REASONS
    if is_marked and containers and all(item.get("ready") for item in containers):
        since = unix_time(ready.get("lastTransitionTime")) or 0.0
        if now > since + NODE_GRACE_S:
            return "its node stopped reporting"
    return None


def _without_claim(pod: dict[str, Any], now: float) -> PodFacts | None:
    """A pod that no node takes because the claim for its evidence does not exist."""
    scheduled = _condition(pod.get("status") or {}, "PodScheduled")
    missing = _NO_CLAIM.search(str(scheduled.get("message") or "")) if scheduled.get("status") == "False" else None
    if missing is None:
        return None
    message = f"pod {_name(pod)}: PersistentVolumeClaim {missing[1]} (evidence.claimName) is not there"
    created_at = unix_time(pod["metadata"].get("creationTimestamp"))
    is_late = created_at is not None and now > created_at + CLAIM_GRACE_S
    ending = Cause(reason=Reason.INPUT_MISSING, message=message, is_final=is_late)
    return PodFacts(state=AgentState.PENDING, ending=ending)


def _pending(pod: dict[str, Any], waiting: dict[str, Any]) -> PodFacts:
    status = pod.get("status") or {}
    why = str(waiting.get("reason") or "")
    scheduled = _condition(status, "PodScheduled")
    reason, text = Reason.AGENT_START_TIMEOUT, f"{why or 'Pending'}: {waiting.get('message') or 'not started yet'}"
    if why in _IMAGE_REASONS:
        reason = Reason.AGENT_IMAGE_PULL_FAILED
    elif scheduled.get("status") == "False":
        reason, text = Reason.AGENT_UNSCHEDULABLE, str(scheduled.get("message") or "no node was found for it")
    ending = Cause(reason=reason, message=f"pod {_name(pod)}: {text}", is_final=why in _HOPELESS_REASONS)
    return PodFacts(state=AgentState.PENDING, ending=ending)


def _condition(status: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next((c for c in status.get("conditions") or () if c.get("type") == name), {})
    return found


def unix_time(stamp: str | None) -> float | None:
    """A metav1.Time (or MicroTime) as Unix seconds; None where there is none."""
    return dt.datetime.fromisoformat(stamp).timestamp() if stamp else None
