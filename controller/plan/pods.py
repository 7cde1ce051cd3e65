"""What discovery reads of a pod, as the API server sent it. Pure."""

from typing import Any

from agent.contract.plan import Transport
from controller.api.run import MAX_IMAGES
from controller.api.target import Target

Object = dict[str, Any]


def meta(item: Object) -> Object:
    """The metadata of any object."""
    found: Object = item.get("metadata") or {}
    return found


def pod_unready(pod: Object) -> str | None:
    """What a pod says of why it is not ready; None: it is."""
    conditions = {c.get("type"): c for c in (pod.get("status") or {}).get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    return None if ready.get("status") == "True" else str(ready.get("message") or "is not ready")


def port_protocol(target: Target) -> str:
    """What Kubernetes calls the ports that its transport uses."""
    return "UDP" if target.transport is Transport.UDP else "TCP"


def container_port(target: Target, pod: Object) -> int | None:
    """The target's port of a pod: a number as it is, a name among its containers' ports."""
    if isinstance(target.port, int):
        return target.port
    spec = pod.get("spec") or {}
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        for port in container.get("ports") or ():
            if port.get("name") == target.port and port.get("protocol", "TCP") == port_protocol(target):
                return int(port["containerPort"])
    return None


def pod_ips(pod: Object) -> list[str]:
    """All its addresses, the first one first."""
    status = pod.get("status") or {}
    ips = [entry.get("ip") for entry in status.get("podIPs") or ()] or [status.get("podIP")]
    return [str(ip) for ip in ips if ip]


def is_going(pod: Object) -> bool:
    """It is being deleted."""
    return bool(meta(pod).get("deletionTimestamp"))


def restarts(pod: Object) -> int:
    """Of all its containers."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return sum(int(status.get("restartCount") or 0) for status in statuses)


def image_ids(pod: Object) -> tuple[str, ...]:
    """What its containers run, by digest, each once."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ids = dict.fromkeys(str(status["imageID"])[:256] for status in statuses if status.get("imageID"))
    return tuple(ids)[:MAX_IMAGES]
