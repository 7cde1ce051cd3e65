"""The Kubernetes API as the controller needs it: a few verbs on raw dicts. The only importer of `kubernetes`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError

from agent.contract.room import DETAIL_BYTES, PROGRESS_BYTES
from controller.kube.labels import AGENT_CONTAINER

Raw = dict[str, Any]
"""A Kubernetes object as the API server sent it."""

TIMEOUT_S = (5, 30)
"""To connect, and to read."""
LOG_TIMEOUT_S = (5, 10)
"""For a pod's log, which a kubelet gives: one that is gone must not hold up the other agents of a run for long."""
READERS = 64
"""Logs that are read at a time (kube/logs.py): there are connections for as many."""
WATCH_MARGIN_S = 10
"""A watch says something, at the latest its last bookmark, before its time is over; a dead one never does."""
PAGE = 100
"""Objects in one answer: a run with all its failures has some 10 kB, and becomes ten times as much in Python."""
MAX_LOG_BYTES = DETAIL_BYTES + PROGRESS_BYTES + 1024 * 1024
"""What an agent says of its calls and of its progress, with room for the time before each line and for what it logs."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """The URL path of the collection in a namespace ('' for all of them), of an object, or of its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, f"namespaces/{namespace}" if namespace else "", self.plural, name, subresource]
        return "/".join(part for part in parts if part)


TESTS = Kind("calltest.dev", "v1alpha1", "calltests")
RUNS = Kind("calltest.dev", "v1alpha1", "calltestruns")
PODS = Kind("", "v1", "pods")
SERVICES = Kind("", "v1", "services")
CONFIG_MAPS = Kind("", "v1", "configmaps")
EVENTS = Kind("", "v1", "events")
ENDPOINT_SLICES = Kind("discovery.k8s.io", "v1", "endpointslices")


class ClusterError(Exception):
    """The API server refused, or could not be reached (status 0)."""

    def __init__(self, verb: str, resource: str, status: int, message: str, *, silent: bool = False) -> None:
        super().__init__(f"{verb} {resource}: {status or 'no answer'}: {message}")
        self.silent = silent
        """A watch that said nothing for too long."""
        self.verb = verb
        self.resource = resource
        self.status = status
        self.message = message

    @property
    def gone(self) -> bool:
        """There is no such object."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """It exists already, or was changed meanwhile."""
        return self.status == 409

    @property
    def is_passing(self) -> bool:
        """The API server's own trouble: the same request may well be granted in a moment."""
        return self.status in {0, 429} or self.status >= 500

    @property
    def final(self) -> bool:
        """The same request would be refused again: the object itself is at fault."""
        return self.status in {400, 413, 422}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list."""

    items: list[Raw]
    version: str
    """Resource version of the whole list."""


class Cluster(Protocol):
    """What reconcile needs of the API; `KubernetesCluster` is the real one, the tests have one in memory."""

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """The object, or None."""
        ...

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        """All objects, of a label selector if given; namespace '' means every one."""
        ...

    def pages(self, kind: Kind, namespace: str, selector: str = "") -> Iterator[Page]:
        """The same in parts, so that not all of them need to be in memory at once."""
        ...

    def watch(self, kind: Kind, namespace: str, version: str, selector: str, timeout_s: int) -> Iterator[Raw]:
        """What happens after a version (`type`, `object`), bookmarks too, for at most `timeout_s`.

        It is under way once this returns. ClusterError, now or later: 410 where the version is too old, `silent` where
        nothing came for longer than `timeout_s`.
        """
        ...

    def create(self, kind: Kind, namespace: str, body: Raw) -> Raw:
        """Creates; ClusterError.conflict where the name is taken."""
        ...

    def replace_status(self, kind: Kind, body: Raw) -> Raw:
        """Writes `.status`, if nobody else wrote since `body` was read (else ClusterError.conflict)."""
        ...

    def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> Raw:
        """Sets annotations, and leaves the others; the object as it is then."""
        ...

    def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Deletes this very object; none is fine."""
        ...

    def pod_log(self, namespace: str, name: str, since_s: int | None = None) -> bytes:
        """An agent's log with an RFC 3339 time before each line; of the last seconds only, if given."""
        ...

    def allowed(self, namespace: str, verb: str, group: str, resource: str) -> bool:
        """Whether we may (SelfSubjectAccessReview); `resource` is 'pods' or 'pods/log'."""
        ...


class KubernetesCluster:
    """The real one, thread-safe. Every request ends after TIMEOUT_S."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """See Cluster."""
        try:
            return self._json("GET", kind, kind.path(namespace, name))
        except ClusterError as error:
            if error.gone:
                return None
            raise

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        """See Cluster."""
        return [item for page in self.pages(kind, namespace, selector) for item in page.items]

    def pages(self, kind: Kind, namespace: str, selector: str = "") -> Iterator[Page]:
        """See Cluster."""
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            answer = self._json("GET", kind, kind.path(namespace), query=query)
            meta = answer.get("metadata", {})
            yield Page(items=answer.get("items") or [], version=str(meta.get("resourceVersion") or ""))
            if not meta.get("continue"):
                return
            query["continue"] = meta["continue"]

    def watch(self, kind: Kind, namespace: str, version: str, selector: str, timeout_s: int) -> Iterator[Raw]:
        """See Cluster."""
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        query |= {"timeoutSeconds": str(timeout_s)} | ({"labelSelector": selector} if selector else {})
        limit_s = timeout_s + WATCH_MARGIN_S
        response = self._open(
            "WATCH", kind.plural, kind.path(namespace), query=query, timeout_s=(TIMEOUT_S[0], limit_s)
        )
        if not 200 <= response.status <= 299:
            raise ClusterError("WATCH", kind.plural, response.status, _message(bytes(response.read() or b"")))
        return self._events(response.response, kind, limit_s)

    def _events(self, stream: Any, kind: Kind, limit_s: int) -> Iterator[Raw]:
        try:
            for line in _lines(stream):
                yield _event(line, kind)
        except ReadTimeoutError as error:
            raise self._unanswered("WATCH", kind.plural, f"silent for {limit_s} s", silent=True) from error
        except (HTTPError, OSError) as error:
            raise self._unanswered("WATCH", kind.plural, str(error)) from error
        finally:
            stream.close()

    def create(self, kind: Kind, namespace: str, body: Raw) -> Raw:
        """See Cluster."""
        return self._json("POST", kind, kind.path(namespace), body=body)

    def replace_status(self, kind: Kind, body: Raw) -> Raw:
        """See Cluster. A PUT: the API server compares `metadata.resourceVersion`."""
        meta = body["metadata"]
        return self._json("PUT", kind, kind.path(meta["namespace"], meta["name"], "status"), body=body)

    def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> Raw:
        """See Cluster."""
        patch = {"metadata": {"annotations": dict(annotations)}}
        content = "application/merge-patch+json"
        return self._json("PATCH", kind, kind.path(namespace, name), body=patch, content_type=content)

    def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """See Cluster. Another object of the same name (409) is left alone."""
        options = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            self._json("DELETE", kind, kind.path(namespace, name), body=options)
        except ClusterError as error:
            if not (error.gone or error.conflict):
                raise

    def pod_log(self, namespace: str, name: str, since_s: int | None = None) -> bytes:
        """See Cluster."""
        query = {"container": AGENT_CONTAINER, "timestamps": "true", "limitBytes": str(MAX_LOG_BYTES)}
        if since_s is not None:
            query["sinceSeconds"] = str(max(1, since_s))
        path = PODS.path(namespace, name, "log")
        return self._request("GET", "pods/log", path, query=query, timeout_s=LOG_TIMEOUT_S)

    def allowed(self, namespace: str, verb: str, group: str, resource: str) -> bool:
        """See Cluster."""
        plural, _, subresource = resource.partition("/")
        attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": plural}
        attributes |= {"subresource": subresource} if subresource else {}
        reviews = Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._json("POST", reviews, reviews.path(""), body=body)
        return bool(answer.get("status", {}).get("allowed"))

    def _json(
        self,
        method: str,
        kind: Kind,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Raw | None = None,
        content_type: str = "application/json",
    ) -> Raw:
        raw = self._request(method, kind.plural, path, query=query, body=body, content_type=content_type)
        try:
            decoded = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ClusterError(method, kind.plural, 0, f"an answer that is no JSON: {error}") from error
        if not isinstance(decoded, dict):
            raise ClusterError(method, kind.plural, 0, "an answer that is no object")
        return decoded

    def _request(
        self,
        method: str,
        resource: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Raw | None = None,
        content_type: str = "application/json",
        timeout_s: tuple[int, int] = TIMEOUT_S,
    ) -> bytes:
        response = self._open(
            method, resource, path, query=query, body=body, content_type=content_type, timeout_s=timeout_s
        )
        try:
            data = bytes(response.read() or b"")
        except (HTTPError, OSError) as error:
            raise self._unanswered(method, resource, str(error)) from error
        if not 200 <= response.status <= 299:
            raise ClusterError(method, resource, response.status, _message(data))
        return data

    def _open(
        self,
        method: str,
        resource: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Raw | None = None,
        content_type: str = "application/json",
        timeout_s: tuple[int, int],
    ) -> Any:
        """The answer, its head read and its body not yet."""
        request = self._api.param_serialize(
            "GET" if method == "WATCH" else method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            return self._api.call_api(*request, _request_timeout=timeout_s)
        except client.ApiException as error:
            raise ClusterError(method, resource, int(error.status or 0), str(error.reason)) from error
        except MaxRetryError as error:
            raise self._unanswered(method, resource, str(error.reason)) from error
        except (HTTPError, OSError) as error:
            raise self._unanswered(method, resource, str(error)) from error

    def _unanswered(self, method: str, resource: str, message: str, *, silent: bool = False) -> ClusterError:
        """Connections that wait to be used again may be as dead, and each would cost a time-out: none is used again."""
        self._api.rest_client.pool_manager.clear()
        return ClusterError(method, resource, 0, message, silent=silent)


def connect() -> KubernetesCluster:
    """In a pod: its ServiceAccount. Outside: the kubeconfig ($KUBECONFIG, ~/.kube/config) and its current context."""
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    except config.ConfigException:
        try:
            config.load_kube_config()  # type: ignore[no-untyped-call]
        except Exception as error:  # the client says of odd files in many ways that they are none
            fault = f"no ServiceAccount, no usable kubeconfig: {_about_kubeconfig(error)}"
            raise ClusterError("connect", "cluster", 0, fault) from error
    configuration = client.Configuration.get_default_copy()
    # The work queue tries again, with a growing delay; urllib3's own retries would multiply TIMEOUT_S.
    configuration.retries = 0
    configuration.connection_pool_maxsize = 2 * READERS
    configuration.keep_alive = True  # what lies between must not forget an idle watch
    return KubernetesCluster(client.ApiClient(configuration))


def _about_kubeconfig(error: Exception) -> str:
    said = " ".join(str(error).split())
    is_told = isinstance(error, config.ConfigException | OSError | yaml.YAMLError)
    return said if is_told else f"what is in it is none ({type(error).__name__}: {said})"


def is_owned(obj: Raw, uid: str) -> bool:
    """Whether an object belongs to another, by its UID: a name can be anybody's."""
    return any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or ())


def _message(body: bytes) -> str:
    """What a metav1.Status says, or the start of whatever came."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")


def _lines(stream: Any) -> Iterator[bytes]:
    """The lines of a response, each as soon as it is whole."""
    rest = b""
    while chunk := stream.read1():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest


def _event(line: bytes, kind: Kind) -> Raw:
    try:
        event = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ClusterError("WATCH", kind.plural, 0, f"an event that is no JSON: {error}") from error
    if not isinstance(event, dict):
        raise ClusterError("WATCH", kind.plural, 0, "an event that is no object")
    return event
