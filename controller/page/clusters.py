"""A run of the cluster, and the detail lines of its ConfigMaps. An edge."""

import base64
import binascii
import os
import zlib
from typing import Any, Final

from controller.faults import UnusableInputError
from controller.kube.cluster import CONFIG_MAPS, RUNS, Cluster, ClusterError, connect
from controller.kube.manifests import DETAIL_KEY
from controller.page.calls import Known, Observation
from controller.page.evidence import read_legs
from controller.page.run import NoRunError, runs_of, told

UNANSWERED, UNAUTHORIZED, FORBIDDEN = 0, 401, 403
MAX_DETAIL_BYTES: Final = 64 << 20
"""Of a ConfigMap's detail lines, unpacked."""


def from_cluster(name: str, namespace: str) -> Known:
    """The run of this name, by the kubeconfig; UnusableInputError."""
    try:
        return read_cluster(connect(), name, namespace)
    except ClusterError as error:
        raise UnusableInputError(f"{name}: {_advice(error)}") from error


def _advice(error: ClusterError) -> str:
    """What is wrong, and what to do."""
    file = os.environ.get("KUBECONFIG") or "~/.kube/config"
    if error.verb == "connect":
        return f"no cluster to ask: {error.message}: set KUBECONFIG to a file that kubectl works with (it is {file})"
    if error.status == UNANSWERED:
        return (
            f"the cluster does not answer: {error.message}: is it up, and is {file} its kubeconfig? else set KUBECONFIG"
        )
    if error.status == UNAUTHORIZED:
        return f"the cluster does not take the credentials in {file}: {error.message}: renew them, or set KUBECONFIG"
    if error.status == FORBIDDEN:
        return f"{error.message}: ask for a Role that may get {error.resource} there, or name another namespace with -n"
    return str(error)


def read_cluster(cluster: Cluster, name: str, namespace: str) -> Known:
    """The same of a cluster that is connected; UnusableInputError, ClusterError."""
    raw = cluster.get(RUNS, namespace, name)
    if raw is None:
        raise UnusableInputError(
            f"{name}: there is no CallTestRun of this name in namespace {namespace}: "
            "kubectl get calltestruns lists them; name the namespace with -n"
        )
    try:
        (facts,) = runs_of({**raw, "kind": "CallTestRun"})
    except NoRunError as error:
        raise UnusableInputError(f"{name}: {error}") from error
    detail = told(facts.status.detail)
    seen: list[Observation] = []
    left_out = []
    for map_name in detail.config_maps if detail else ():
        held = cluster.get(CONFIG_MAPS, namespace, map_name)
        lines = None if held is None else detail_lines(held)
        if lines is None:
            left_out.append(f"the detail lines of ConfigMap {map_name}: it is gone, or cannot be read")
        else:
            told_lines = read_legs(lines, f"ConfigMap {map_name}")
            seen += told_lines.seen
            left_out += told_lines.left_out
    if detail is not None and not detail.complete:
        left_out.append("some detail lines: not all of them came from the agents")
    made_of = (f"CallTestRun {namespace}/{name}",)
    return Known(facts=facts, seen=tuple(seen), made_of=made_of, left_out=tuple(left_out))


def detail_lines(held: dict[str, Any]) -> bytes | None:
    """A ConfigMap's lines; None where it holds none that can be read."""
    try:
        packed = base64.b64decode(held["binaryData"][DETAIL_KEY], validate=True)
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed, MAX_DETAIL_BYTES)
    except (KeyError, TypeError, binascii.Error, ValueError, zlib.error):
        return None
