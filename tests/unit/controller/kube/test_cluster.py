"""The API client against a server that answers as told: paths, bodies, and every way of failing."""

import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3
from kubernetes import client

from controller.kube import cluster as client_of
from controller.kube.cluster import EVENTS, PODS, RUNS, TESTS, ClusterError, KubernetesCluster, is_owned

UNFINISHED, BROKEN = b"\n\n", b"{"
"""An answer with these ends never, or in the middle."""


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, str | None, Any]] = []
        self.connections: list[Handler] = []
        self.before: Callable[[], Any] = lambda: None
        self.end = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    is_dead = False

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self)

    def answer(self) -> None:
        if self.is_dead:
            self.server.end.wait(10)
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, self.headers.get("Content-Type"), body))
        self.server.before()
        status, content = self.server.answers.pop(0)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw) + raw.endswith((UNFINISHED, BROKEN))))
        self.end_headers()
        self.wfile.write(raw)
        if raw.endswith(UNFINISHED):
            self.wfile.flush()
            self.server.end.wait(10)
        self.close_connection = raw.endswith((UNFINISHED, BROKEN))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server():
    made = Server()
    serving = threading.Thread(
        target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )  # waited for by shutdown
    serving.start()
    yield made
    made.end.set()
    made.shutdown()
    made.server_close()


def cluster_at(port: int) -> KubernetesCluster:
    configuration = client.Configuration(host=f"http://127.0.0.1:{port}")
    configuration.retries = 0
    return KubernetesCluster(client.ApiClient(configuration))


@pytest.fixture
def cluster(server: Server) -> KubernetesCluster:
    return cluster_at(server.server_port)


def status(message: str) -> dict[str, str]:
    return {"kind": "Status", "message": message}


def test_an_object_is_read_or_is_not_there(server: Server, cluster: KubernetesCluster) -> None:
    server.answers = [(200, {"kind": "CallTest"}), (404, status("not found"))]
    assert cluster.get(TESTS, "voice", "pin") == {"kind": "CallTest"}
    assert cluster.get(PODS, "voice", "p") is None
    assert [request[:2] for request in server.requests] == [
        ("GET", "/apis/calltest.dev/v1alpha1/namespaces/voice/calltests/pin"),
        ("GET", "/api/v1/namespaces/voice/pods/p"),
    ]


def test_a_list_is_read_to_its_last_page(server: Server, cluster: KubernetesCluster) -> None:
    server.answers = [(200, {"items": [1], "metadata": {"continue": "next"}}), (200, {"items": [2], "metadata": {}})]
    assert cluster.list(RUNS, "", "a=b") == [1, 2]
    assert server.requests[0][1] == "/apis/calltest.dev/v1alpha1/calltestruns?limit=100&labelSelector=a%3Db"
    assert server.requests[1][1].endswith("&continue=next")


def test_a_status_is_put_with_the_version_it_was_read_at(server: Server, cluster: KubernetesCluster) -> None:
    body = {
        "metadata": {"name": "pin-g1", "namespace": "voice", "resourceVersion": "7"},
        "status": {"result": "Passed"},
    }
    server.answers = [(200, body), (409, status("the object has been modified"))]
    assert cluster.replace_status(RUNS, body) == body
    assert server.requests[0][1].endswith("/calltestruns/pin-g1/status")
    assert server.requests[0][3] == body
    with pytest.raises(ClusterError, match="has been modified") as refused:
        cluster.replace_status(RUNS, body)
    assert refused.value.conflict


def test_annotations_are_merged(server: Server, cluster: KubernetesCluster) -> None:
    server.answers = [(200, {})]
    cluster.annotate(PODS, "voice", "p", {"k": "v"})
    method, _, content_type, body = server.requests[0]
    assert (method, content_type) == ("PATCH", "application/merge-patch+json")
    assert body == {"metadata": {"annotations": {"k": "v"}}}


def test_this_very_object_is_deleted_and_none_is_fine(server: Server, cluster: KubernetesCluster) -> None:
    server.answers = [(200, {}), (404, {}), (409, {}), (403, status("forbidden"))]
    for _ in range(3):
        cluster.delete(PODS, "voice", "p", "uid-1")
    assert server.requests[0][3]["preconditions"] == {"uid": "uid-1"}
    with pytest.raises(ClusterError, match="forbidden"):
        cluster.delete(PODS, "voice", "p", "uid-1")


def test_a_log_comes_as_bytes_with_times(server: Server, cluster: KubernetesCluster) -> None:
    server.answers = [(200, b"t \xff\n"), (200, b"")]
    assert cluster.pod_log("voice", "p") == b"t \xff\n"
    assert cluster.pod_log("voice", "p", 0) == b""
    assert "timestamps=true" in server.requests[0][1]
    assert "container=agent" in server.requests[0][1], "there may be others in the pod"
    assert "sinceSeconds=1" in server.requests[1][1]


def test_a_dead_connection_costs_one_time_out_and_not_one_for_each_that_waits(
    server: Server, cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3)
    server.before = together.wait
    server.answers = [(200, b"log")] * 6
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: cluster.pod_log("voice", "p"), range(3))) == [b"log"] * 3
        assert len(server.connections) == 3, "they wait to be used again"
        for connection in server.connections:
            connection.is_dead = True
        with monkeypatch.context() as hasty:
            hasty.setattr(client_of, "LOG_TIMEOUT_S", (1, 0.2))
            with pytest.raises(ClusterError, match="timed out"):
                cluster.pod_log("voice", "p")
        assert list(pool.map(lambda _: cluster.pod_log("voice", "p"), range(3))) == [b"log"] * 3


@pytest.mark.parametrize(
    ("answer", "expected"), [({"status": {"allowed": True}}, True), ({"status": {}}, False), ({}, False)]
)
def test_access_is_asked_for(server: Server, cluster: KubernetesCluster, answer: Any, expected: bool) -> None:  # noqa: FBT001
    server.answers = [(201, answer)]
    assert cluster.allowed("voice", "get", "", "pods/log") is expected
    attributes = server.requests[0][3]["spec"]["resourceAttributes"]
    assert attributes == {"namespace": "voice", "verb": "get", "group": "", "resource": "pods", "subresource": "log"}


@pytest.mark.parametrize(
    ("code", "body", "text", "passing", "final"),
    [
        (403, status("exceeded quota"), "exceeded quota", False, False),
        (422, status("is invalid"), "is invalid", False, True),
        (500, b"<html>", "<html>", True, False),
        (429, {"other": 1}, "other", True, False),
        (503, b"[1]", "1", True, False),
    ],
)
def test_a_refusal_says_verb_resource_and_why(
    server: Server,
    cluster: KubernetesCluster,
    code: int,
    body: Any,
    text: str,
    passing: bool,  # noqa: FBT001
    final: bool,  # noqa: FBT001
) -> None:
    server.answers = [(code, body)]
    with pytest.raises(ClusterError) as refused:
        cluster.create(EVENTS, "voice", {})
    error = refused.value
    assert (error.status, error.is_passing, error.final) == (code, passing, final)
    assert str(error).startswith(f"POST events: {code}: ")
    assert text in str(error)


def watched(cluster: KubernetesCluster) -> list[Any]:
    return list(cluster.watch(PODS, "voice", "7", "a=b", 50))


def test_a_watch_gives_each_event_and_goes_on_from_a_version(server: Server, cluster: KubernetesCluster) -> None:
    server.answers = [(200, b'{"type": "ADDED", "object": {}}\n\n{"type": "BOOKMARK"}')]
    assert [event["type"] for event in watched(cluster)] == ["ADDED", "BOOKMARK"]
    path, _, query = server.requests[0][1].partition("?")
    assert path == "/api/v1/namespaces/voice/pods"
    wanted = {"watch=true", "resourceVersion=7", "allowWatchBookmarks=true", "timeoutSeconds=50", "labelSelector=a%3Db"}
    assert set(query.split("&")) == wanted


@pytest.mark.parametrize(
    ("code", "body", "text", "status_"),
    [
        (410, status("too old resource version"), "WATCH pods: 410: too old", 410),
        (403, status("forbidden"), "WATCH pods: 403: forbidden", 403),
        (200, b"<html>a proxy's page</html>", "no JSON", 0),
        (200, b"[1]", "no object", 0),
        (200, b'{"type": "ADDED"}\n{', "truncated", 0),
    ],
)
def test_a_watch_that_fails_says_how(
    server: Server, cluster: KubernetesCluster, code: int, body: Any, text: str, status_: int
) -> None:
    server.answers = [(code, body)]
    with pytest.raises(ClusterError, match=text) as failed:
        watched(cluster)
    assert (failed.value.status, failed.value.silent) == (status_, False)


def test_a_watch_that_says_nothing_any_more_is_silent(
    server: Server, cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    connect = urllib3.util.connection.create_connection

    def noted(*arguments: Any, **options: Any) -> socket.socket:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr("urllib3.util.connection.create_connection", noted)
    server.answers = [(200, b'{"type": "ADDED"}\n\n')]
    events = cluster.watch(PODS, "voice", "7", "", 50)
    assert next(events) == {"type": "ADDED"}
    (connection,) = opened
    assert connection.gettimeout() == 50 + client_of.WATCH_MARGIN_S
    connection.settimeout(0.1)  # now that it was opened: that may take a busy machine long
    with pytest.raises(ClusterError, match="silent") as failed:
        next(events)
    assert failed.value.silent


def test_a_server_that_is_not_there_is_passing_trouble() -> None:
    with pytest.raises(ClusterError) as refused:
        cluster_at(1).get(PODS, "voice", "p")
    assert (refused.value.status, refused.value.is_passing) == (0, True)


def test_an_answer_that_is_no_json_is_passing_trouble(server: Server, cluster: KubernetesCluster) -> None:
    server.answers = [(200, b"<html>a proxy's page</html>")]
    with pytest.raises(ClusterError) as refused:
        cluster.get(PODS, "voice", "p")
    assert refused.value.is_passing


def test_ownership_is_by_uid_not_by_name() -> None:
    owned = {"metadata": {"ownerReferences": [{"name": "pin-g1", "uid": "1"}]}}
    assert is_owned(owned, "1")
    assert not is_owned(owned, "2")
    assert not is_owned({"metadata": {}}, "1")
