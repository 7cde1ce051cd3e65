"""/metrics, /healthz and /readyz on one port."""

import logging
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

LOG = logging.getLogger(__name__)
REQUEST_TIMEOUT_S: Final = 10

Check = Callable[[], str]
"""What is wrong, for people; '' when nothing is."""


class _Server(ThreadingMixIn, WSGIServer):
    """One thread per request: a slow scrape must not delay the kubelet's probe."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    """Ends idle connections, and logs at debug level: probes come every few seconds."""

    timeout = REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        LOG.debug(format, *args)


def application(registry: CollectorRegistry, checks: dict[str, Check]) -> WSGIApplication:
    """The WSGI application: one path per check ('/healthz': 200 or 503 with what is wrong), and /metrics."""
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            page: Iterable[bytes] = metrics(environ, start_response)
            return page
        check = checks.get(path)
        fault = check() if check else f"no such page; there are /metrics, {', '.join(checks)}"
        status = "404 Not Found" if check is None else "503 Service Unavailable" if fault else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [(fault or "ok").encode() + b"\n"]

    return answer


def serve(app: WSGIApplication, host: str, port: int) -> WSGIServer:
    """Serves in a daemon thread until `shutdown()`; port 0 takes any free one (`server_port`)."""
    server = make_server(host, port, app, server_class=_Server, handler_class=_Handler)
    threading.Thread(target=server.serve_forever, name="web", daemon=True).start()
    return server
