"""Target × snapshot of the cluster → the endpoints to call, and why others were left out. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from msgspec import UNSET

from agent.contract.address import IpFamily, family_of, host_of, place
from agent.contract.verdict import Reason
from controller.api.run import MAX_ENDPOINTS, Endpoint, LeftOut
from controller.api.target import Target, Via
from controller.plan.cause import Cause
from controller.plan.pods import (
    Object,
    container_port,
    image_ids,
    is_going,
    meta,
    pod_ips,
    pod_unready,
    port_protocol,
    restarts,
)
from controller.text import plain

SERVICE_NAME = "kubernetes.io/service-name"
ZONE = "topology.kubernetes.io/zone"


class Why(StrEnum):
    """Why an address or pod of the target is not called."""

    NOT_READY = "NotReady"
    TERMINATING = "Terminating"
    NO_PORT = "NoPort"
    NOT_IPV4 = "NotIPv4"
    NOT_IPV6 = "NotIPv6"
    NO_ADDRESS = "NoAddress"
    NO_POD = "NoPod"
    """Nothing of this namespace is known to be behind the address, and --allow-target does not permit it."""


Networks = Sequence[IPv4Network | IPv6Network]
_OTHER_FAMILY: Final = {IpFamily.IPV4: Why.NOT_IPV4, IpFamily.IPV6: Why.NOT_IPV6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The target namespace at one moment, as the API server sent it. Objects of other namespaces are ignored."""

    namespace: str
    services: tuple[Object, ...] = ()
    endpoint_slices: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    resolved: tuple[str, ...] = ()
    """IP addresses that the target's host has; for address targets only."""
    unresolved: str = ""
    """Why there are none of those, or none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found."""

    endpoints: tuple[Endpoint, ...] = ()
    """To be called, in a stable order; `index` is the position."""
    left_out: tuple[LeftOut, ...] = ()
    ready: int = 0
    """Ready replicas: what minEndpoints counts."""
    addresses: tuple[str, ...] = ()
    """IPs of the target that SIP may come from and go to, beside the endpoints' own (Service: its replicas')."""
    problem: Cause | None = None
    """None: the run can start."""


def discover(target: Target, snapshot: Snapshot, allow_targets: Sequence[str] = ()) -> Discovery:
    """The endpoints of a target. `allow_targets`: CIDRs that may be called without a pod behind the address."""
    allowed = tuple(ip_network(cidr) for cidr in allow_targets)
    if target.service is not None:
        found = _service(target, target.service.name, snapshot, allowed)
    elif target.pod_selector is not None:
        found = _collected(_selected(target, target.pod_selector.match_labels, snapshot))
    else:
        found = _address(target, snapshot, allowed)
    return found if found.problem else replace(found, problem=_shortage(target, found))


def not_permitted(target: Target, own_namespace: str, permitted: Sequence[str] | None) -> Cause | None:
    """Why the target's namespace may not be looked into, beside the test's own; `permitted` None: all may be."""
    namespace = target.namespace if target.namespace is not None else own_namespace
    if namespace == own_namespace or permitted is None or namespace in permitted:
        return None
    message = f"target.namespace: {namespace}: the operator's --target-namespace does not list it"
    return Cause(reason=Reason.TARGET_NOT_ALLOWED, message=message, is_final=True)


def changes(before: Sequence[Endpoint], pods: Iterable[Object]) -> dict[int, Reason]:
    """What became of endpoints since the run began, by index: EndpointRemoved or EndpointRestarted.

    An endpoint without a pod (an address, a ClusterIP) has none. Losing readiness is no change of this kind.
    """
    by_uid = {meta(pod).get("uid"): pod for pod in pods}
    changed: dict[int, Reason] = {}
    for endpoint in before:
        if endpoint.pod_uid is UNSET:
            continue
        pod = by_uid.get(endpoint.pod_uid)
        if pod is None or is_going(pod):
            changed[endpoint.index] = Reason.ENDPOINT_REMOVED
        elif endpoint.restarts is not UNSET and restarts(pod) > endpoint.restarts:
            changed[endpoint.index] = Reason.ENDPOINT_RESTARTED
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """One address or pod of the target, before it is decided whether it is called."""

    name: str
    ip: str = ""
    port: int = 0
    why: Why | None = None
    message: str = ""
    pod: Object | None = None
    zone: str | None = None


def _shortage(target: Target, found: Discovery) -> Cause | None:
    if len(found.endpoints) > MAX_ENDPOINTS:
        message = f"{len(found.endpoints)} endpoints, at most {MAX_ENDPOINTS}"
        return Cause(reason=Reason.LIMIT_EXCEEDED, message=message, is_final=True)
    if found.ready >= target.min_endpoints:
        return None
    reason = Reason.TOO_FEW_ENDPOINTS if found.ready else Reason.NO_ENDPOINTS
    if found.left_out and all(item.reason == Why.NO_POD for item in found.left_out) and not found.ready:
        reason = Reason.TARGET_NOT_ALLOWED
    ready = "1 endpoint is" if found.ready == 1 else f"{found.ready} endpoints are"
    message = f"{ready} ready, minEndpoints is {target.min_endpoints}"
    if found.left_out:
        first = found.left_out[0]
        message += f"; {len(found.left_out)} left out, first {first.name}: {first.reason} ({first.message})"
    return Cause(
        reason=reason, message=message, is_final=reason is Reason.TARGET_NOT_ALLOWED and target.service is None
    )


def _collected(candidates: Iterable[_Candidate]) -> Discovery:
    """Candidates once each, in a stable order: pods by name, then addresses."""
    ordered = sorted(candidates, key=lambda c: (c.name, c.ip, c.port, c.why or "", c.message))
    usable = {(c.ip, c.port): c for c in reversed(ordered) if c.why is None}
    endpoints = sorted(usable.values(), key=lambda c: (c.name, c.ip, c.port))
    called = {c.name for c in endpoints}
    known = {c.name for c in ordered if c.why not in _OTHER_FAMILY.values()}  # its other address says nothing more
    left_out = {
        (c.name, c.why): c
        for c in reversed(ordered)
        if c.why is not None and c.name not in (called if c.why not in _OTHER_FAMILY.values() else known)
    }
    return Discovery(
        endpoints=tuple(_endpoint(index, c) for index, c in enumerate(endpoints)),
        left_out=tuple(
            LeftOut(name=c.name, reason=str(c.why), message=c.message) for c in reversed(tuple(left_out.values()))
        ),
        ready=len(endpoints),
    )


def _endpoint(index: int, candidate: _Candidate) -> Endpoint:
    address = place(candidate.ip, candidate.port)
    zone = candidate.zone or UNSET
    if candidate.pod is None:
        return Endpoint(index=index, address=address, zone=zone)
    return Endpoint(
        index=index,
        address=address,
        pod=candidate.name,
        pod_uid=str(meta(candidate.pod).get("uid") or "") or UNSET,
        restarts=restarts(candidate.pod),
        node=(candidate.pod.get("spec") or {}).get("nodeName") or UNSET,
        zone=zone,
        image_ids=image_ids(candidate.pod),
    )


# Services


def _service(target: Target, name: str, snapshot: Snapshot, allowed: Networks) -> Discovery:
    service = next((item for item in _local(snapshot.services, snapshot) if meta(item).get("name") == name), None)
    if service is None:
        message = f"Service {snapshot.namespace}/{name} does not exist"
        return Discovery(problem=Cause(reason=Reason.NO_ENDPOINTS, message=message))
    port = _service_port(target, service)
    if isinstance(port, Cause):
        return Discovery(problem=port)
    slices = [
        item
        for item in _local(snapshot.endpoint_slices, snapshot)
        if (meta(item).get("labels") or {}).get(SERVICE_NAME) == name
    ]
    candidates = [c for item in slices for c in _slice_candidates(target, item, port, snapshot, allowed)]
    seen = {c.name for c in candidates}
    selector = (service.get("spec") or {}).get("selector") or {}
    if selector:
        pods = (_pod_candidate(target, pod) for pod in _matching(selector, snapshot))
        candidates += [c for c in pods if c.name not in seen and c.why is not None]
    if target.via is Via.EACH_ENDPOINT:
        return _collected(candidates)
    # The ClusterIP sends calls to all of them, also to the one that we would have left out.
    if stranger := next((c for c in candidates if c.why is Why.NO_POD), None):
        message = f"target.via: Service {name} also sends to {stranger.ip}: {stranger.message}"
        return Discovery(problem=Cause(reason=Reason.TARGET_NOT_ALLOWED, message=message))
    return _through_cluster_ip(target.ip_family, service, port, _collected(candidates))


def _through_cluster_ip(family: IpFamily, service: Object, port: Object, replicas: Discovery) -> Discovery:
    """One endpoint: the ClusterIP. Its replicas are counted, and may answer from their own addresses."""
    spec = service.get("spec") or {}
    ips = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and family_of(ip) is family]
    if not ips:
        name = meta(service).get("name")
        message = (
            f"target.via: Service needs an {family} ClusterIP, and Service {name} has none (headless, or of the other"
            " target.ipFamily?); use EachEndpoint"
        )
        return Discovery(problem=Cause(reason=Reason.INVALID_TEST, message=message, is_final=True))
    endpoint = Endpoint(index=0, address=place(ips[0], port["port"]))
    return replace(
        replicas,
        endpoints=(endpoint,) if replicas.ready else (),
        addresses=tuple(host_of(item.address) for item in replicas.endpoints),
    )


def _service_port(target: Target, service: Object) -> Object | Cause:
    """The Service's port that the target names, by number or name and by transport."""
    ports: list[Object] = (service.get("spec") or {}).get("ports") or []
    key = "port" if isinstance(target.port, int) else "name"
    named = [port for port in ports if port.get(key) == target.port]
    for port in named:
        if port.get("protocol", "TCP") == port_protocol(target):
            return port
    where = f"Service {meta(service).get('name')}"
    message = f"target.port: {where} has no port {target.port} for {target.transport}"
    if named:
        message += f": that port is {named[0].get('protocol', 'TCP')}"
    return Cause(reason=Reason.NO_ENDPOINTS, message=message)


def _slice_candidates(
    target: Target, item: Object, port: Object, snapshot: Snapshot, allowed: Networks
) -> Iterator[_Candidate]:
    number = next(
        (
            entry.get("port")
            for entry in item.get("ports") or ()
            if (entry.get("name") or "") == (port.get("name") or "")
            and entry.get("protocol", "TCP") == port_protocol(target)
        ),
        None,
    )
    pods = {str(meta(pod).get("name")): pod for pod in _local(snapshot.pods, snapshot)}
    for endpoint in item.get("endpoints") or ():
        reference = endpoint.get("targetRef") or {}
        pod = pods.get(str(reference.get("name"))) if reference.get("kind") == "Pod" else None
        for ip in list(endpoint.get("addresses") or ())[:1]:  # the first one stands for all (discovery/v1)
            yield _slice_candidate(endpoint, str(ip), number, pod, family=target.ip_family, allowed=allowed)


def _slice_candidate(
    endpoint: Object, ip: str, port: int | None, pod: Object | None, *, family: IpFamily, allowed: Networks
) -> _Candidate:
    # A slice can claim any address for any pod: only an address that the pod has is its own.
    if pod is not None and ip not in pod_ips(pod):
        pod = None
    name = str(meta(pod).get("name")) if pod is not None else ip
    conditions = endpoint.get("conditions") or {}
    fault: tuple[Why, str] | None = None
    if family_of(ip) is not family:
        fault = (_OTHER_FAMILY[family], f"{ip} is no {family} address")
    elif conditions.get("terminating") or (pod is not None and is_going(pod)):
        fault = (Why.TERMINATING, "is being deleted")
    elif unready := _unready(conditions, pod):
        fault = (Why.NOT_READY, unready)
    elif port is None:
        fault = (Why.NO_PORT, "its EndpointSlice has no such port")
    elif pod is None and not _is_permitted(ip, allowed):
        fault = (Why.NO_POD, f"no pod of this namespace has {ip}, and the operator's --allow-target does not permit it")
    why, message = fault or (None, "")
    return _Candidate(
        name=name,
        ip=ip,
        port=port or 0,
        why=why,
        message=plain(message, 512),
        pod=pod,
        zone=endpoint.get("zone") or None,
    )


def _unready(conditions: Object, pod: Object | None) -> str | None:
    """Why an endpoint takes no calls, by its slice and by its pod.

    `ready` alone does not tell: a Service with publishNotReadyAddresses sets it for every pod, and says in `serving`
    how the pod is (discovery/v1; unset means yes). The pod's own word covers writers of slices that set neither.
    """
    if conditions.get("ready") is False or conditions.get("serving") is False:
        return "its EndpointSlice says that it is not ready"
    return pod_unready(pod) if pod is not None else None


# Pods and addresses


def _selected(target: Target, labels: dict[str, str], snapshot: Snapshot) -> Iterator[_Candidate]:
    for pod in _matching(labels, snapshot):
        yield _pod_candidate(target, pod)


def _pod_candidate(target: Target, pod: Object) -> _Candidate:
    name = str(meta(pod).get("name"))
    ips = pod_ips(pod)
    family = target.ip_family
    ip = next((ip for ip in ips if family_of(ip) is family), "")
    port = container_port(target, pod)
    fault: tuple[Why, str] | None = None
    if is_going(pod):
        fault = (Why.TERMINATING, "is being deleted")
    elif not ips:
        phase = (pod.get("status") or {}).get("phase")
        fault = (Why.NO_ADDRESS, f"has no address yet (phase {phase})")
    elif not ip:
        fault = (_OTHER_FAMILY[family], f"{ips[0]} is no {family} address")
    elif unready := pod_unready(pod):
        fault = (Why.NOT_READY, unready)
    elif port is None:
        fault = (Why.NO_PORT, f"no container has a port {target.port} for {target.transport}")
    why, message = fault or (None, "")
    zone = (meta(pod).get("labels") or {}).get(ZONE)
    return _Candidate(name=name, ip=ip, port=port or 0, why=why, message=plain(message, 512), pod=pod, zone=zone)


def _address(target: Target, snapshot: Snapshot, allowed: Networks) -> Discovery:
    assert target.address is not None  # parse_test demands one of the three
    if not allowed:
        message = (
            f"target.address: {target.address.host}: the operator has no --allow-target, so no address may be called"
        )
        return Discovery(problem=Cause(reason=Reason.TARGET_NOT_ALLOWED, message=message, is_final=True))
    if snapshot.unresolved:
        message = f"cannot resolve {target.address.host}: {snapshot.unresolved}"
        return Discovery(problem=Cause(reason=Reason.NO_ENDPOINTS, message=message))
    return _collected(_resolved(target, snapshot, allowed))


def _resolved(target: Target, snapshot: Snapshot, allowed: Networks) -> Iterator[_Candidate]:
    port, family = target.port, target.ip_family
    assert isinstance(port, int)  # parse_test refuses a name here
    for ip in snapshot.resolved:
        if family_of(ip) is not family:
            yield _Candidate(name=ip, ip=ip, why=_OTHER_FAMILY[family], message=f"is no {family} address")
        elif not _is_permitted(ip, allowed):
            yield _Candidate(name=ip, ip=ip, why=Why.NO_POD, message="the operator's --allow-target does not permit it")
        else:
            yield _Candidate(name=ip, ip=ip, port=port)


# Reading objects


def _local(items: Iterable[Object], snapshot: Snapshot) -> Iterator[Object]:
    return (item for item in items if meta(item).get("namespace") == snapshot.namespace)


def _matching(labels: dict[str, str], snapshot: Snapshot) -> Iterator[Object]:
    """Pods that carry all the labels and have not run to their end."""
    for pod in _local(snapshot.pods, snapshot):
        if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
            continue
        if labels.items() <= (meta(pod).get("labels") or {}).items():
            yield pod


def _is_permitted(ip: str, allowed: Networks) -> bool:
    return any(ip_address(ip) in network for network in allowed)
