"""The HTTP face of a running process: /metrics for Prometheus, /healthz and /readyz for whoever starts and stops it.

/healthz is 200 for as long as the process should be left alone, 503 once a node has failed for good: start it again.  /readyz is 200 while
it works on messages, 503 while it is starting (loading models, waiting for its bus) or ending; the reason is the body of the answer.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from tumen.metrics import Metrics

_App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_STARTING = "starting: models and bus are not ready"


class Health:
    """What a process says of itself.  Made as starting; `ready`, `ending` and `failed` move it on, from any thread.

    `probe` is asked by every /readyz of a ready process: what it waits for at the moment (the bus has gone away), or None.
    """

    def __init__(self) -> None:
        self._waits: str | None = _STARTING
        self._fault: str | None = None
        self._probe: Callable[[], str | None] = lambda: None

    def ready(self, probe: Callable[[], str | None] = lambda: None) -> None:
        self._probe, self._waits = probe, None

    def ending(self) -> None:
        self._waits = "ending: what was begun is being finished"

    def failed(self, reason: str) -> None:
        self._fault = reason

    def alive(self) -> str | None:
        """None, or why this process must be started again."""
        return self._fault

    def waits(self) -> str | None:
        """None, or why this process does not work on messages now."""
        return self._fault or self._waits or self._probe()


class Server:
    """The HTTP server of a process."""

    def __init__(self, server: ThreadingWSGIServer, thread: threading.Thread) -> None:
        self._server, self._thread = server, thread

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A line a scrape would drown the log."""


class _Server6(ThreadingWSGIServer):
    address_family = socket.AF_INET6


def _app(metrics: Metrics, health: Health) -> _App:
    scrape: _App = make_wsgi_app(metrics.registry)
    asked: dict[str, Callable[[], str | None]] = {"/healthz": health.alive, "/readyz": health.waits}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        question = asked.get(environ["PATH_INFO"])
        if question is None:
            return scrape(environ, start_response)
        trouble = question()
        start_response("200 OK" if trouble is None else "503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{trouble or 'ok'}\n".encode()]

    return app


def serve(metrics: Metrics, host: str, port: int, health: Health | None = None) -> tuple[Server, int]:
    """Serve /metrics, /healthz and /readyz in a thread of its own; port 0 takes a free one.

    Without `health` the process is always ready.  Gives the server and its port.  Raises `OSError`.
    """
    if health is None:
        health = Health()
        health.ready()
    kind = _Server6 if ":" in host else ThreadingWSGIServer
    server = make_server(host, port, _app(metrics, health), kind, _Silent)
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    return Server(server, thread), server.server_port
