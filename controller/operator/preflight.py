"""May we do what we are about to do? Asked before anything is watched, so that what is missing is said at once."""

from collections.abc import Iterable

from controller.kube.cluster import RUNS, TESTS, Cluster, ClusterError
from controller.kube.history import NOBODY
from controller.operator.access import Permission, permissions


def uninstalled(cluster: Cluster, namespaces: tuple[str, ...]) -> str:
    """What to tell the administrator where the CRDs are not installed; '' where they are.

    A Role may permit what does not exist, and kopf would watch nothing, and say nothing. Needs those permissions.
    """
    lacking = []
    for kind in (TESTS, RUNS):
        try:
            cluster.list(kind, (namespaces or ("",))[0], NOBODY)
        except ClusterError as error:
            if not error.gone:
                raise
            lacking.append(f"{kind.plural}.{kind.group}")
    return f"the CRDs {' and '.join(lacking)} are not installed: kubectl apply -k deploy/crd" if lacking else ""


def missing(cluster: Cluster, namespaces: tuple[str, ...]) -> tuple[Permission, ...]:
    """The permissions that we lack in the namespaces we serve (none given: all), by SelfSubjectAccessReview each."""
    return tuple(
        permission
        for permission in permissions(namespaces)
        if not cluster.allowed(permission.namespace, permission.verb, permission.group, permission.resource)
    )


def report(lacking: Iterable[Permission]) -> str:
    """What to tell the administrator; '' when nothing is lacking."""
    lines = [f"  {permission}" for permission in lacking]
    if not lines:
        return ""
    return "\n".join(["access is missing; apply the Role in deploy/rbac (or deploy/cluster-wide):", *lines])
