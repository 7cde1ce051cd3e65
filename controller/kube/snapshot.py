"""The target namespace as it is now, for discovery: from the API server, or from what its watches saw."""

from typing import Protocol

from controller.api.target import Target
from controller.kube.cluster import ENDPOINT_SLICES, PODS, SERVICES, Kind, Raw
from controller.kube.names import Names
from controller.plan.discovery import SERVICE_NAME, Snapshot


class Reader(Protocol):
    """Where to read: a Cluster or a Store."""

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """The object, or None."""
        ...

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        """All objects of a label selector."""
        ...


def snapshot(reader: Reader, names: Names, target: Target, own_namespace: str) -> Snapshot:
    """What discovery needs of a target; ClusterError where we may not look."""
    namespace = target.namespace if target.namespace is not None else own_namespace
    if target.address is not None:
        found = names.resolve(target.address.host)
        return Snapshot(namespace=namespace, resolved=found.addresses, unresolved=found.fault)
    if target.pod_selector is not None:
        wanted = selector(target.pod_selector.match_labels)
        return Snapshot(namespace=namespace, pods=tuple(reader.list(PODS, namespace, wanted)))
    assert target.service is not None  # the CRD demands one of the three
    name = target.service.name
    service = reader.get(SERVICES, namespace, name)
    slices = reader.list(ENDPOINT_SLICES, namespace, f"{SERVICE_NAME}={name}")
    labels = ((service or {}).get("spec") or {}).get("selector") or {}
    # A Service without a selector may have slices for any pods of its namespace.
    pods = reader.list(PODS, namespace, selector(labels))
    return Snapshot(
        namespace=namespace,
        services=(service,) if service else (),
        endpoint_slices=tuple(slices),
        pods=tuple(pods),
    )


def selector(labels: dict[str, str]) -> str:
    """As the API takes it."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
