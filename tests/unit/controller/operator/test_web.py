"""/metrics and the probes."""

import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Gauge

from controller.operator import web


@pytest.fixture
def server():
    registry = CollectorRegistry()
    Gauge("x", "a number", registry=registry).set(7)
    faults = {"/healthz": "", "/readyz": "access is missing"}
    checks = {path: lambda path=path: faults[path] for path in faults}
    running = web.serve(web.application(registry, checks), "127.0.0.1", 0)
    yield running, faults
    running.shutdown()
    running.server_close()


def get(server, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_served(server) -> None:
    status, text = get(server[0], "/metrics")
    assert (status, "x 7.0" in text) == (200, True)


def test_a_probe_says_what_is_wrong(server) -> None:
    assert get(server[0], "/healthz") == (200, "ok\n")
    assert get(server[0], "/readyz") == (503, "access is missing\n")
    server[1]["/readyz"] = ""
    assert get(server[0], "/readyz") == (200, "ok\n")


def test_other_pages_do_not_exist(server) -> None:
    status, text = get(server[0], "/secret")
    assert status == 404
    assert "/healthz" in text
