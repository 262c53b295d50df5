"""A real HTTP server on the loopback interface for tests: each path is answered by a function that writes to the socket what it likes."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from tumen.settings import HttpSettings


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Loopback:
    """`routes`: path -> what it answers, bytes ready made or a function that is handed the request and the socket's `sendall`."""

    port: int = 0
    routes: dict[str, bytes | Callable[[Asked, Callable[[bytes], None]], None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def http(self, **more: Any) -> HttpSettings:
        """Settings that may speak to this server and to no other private address."""
        return HttpSettings(**{"allow_private": (f"127.0.0.1:{self.port}",), "deadline": 5.0, "connect_timeout": 2.0, **more})


def answer(body: bytes = b"", status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """A complete response with its length."""
    lines = {"Date": formatdate(usegmt=True), "Content-Type": "application/xml", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


@contextmanager
def loopback() -> Iterator[Loopback]:
    site = Loopback()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            # a client that has gone, or that speaks TLS, is what many of these tests are about
            with contextlib.suppress(OSError, ValueError):
                self._handle()

        def _handle(self) -> None:
            method, path, _ = self.rfile.readline().decode("latin-1").split(" ", 2)
            headers = {}
            while (line := self.rfile.readline().decode("latin-1").strip()) != "":
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            asked = Asked(method, path, headers, self.rfile.read(int(headers.get("content-length", "0"))))
            site.asked.append(asked)
            route = site.routes.get(path, answer(status="404 Not Found"))
            if isinstance(route, bytes):
                self.request.sendall(route)
            else:
                route(asked, self.request.sendall)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        site.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield site
        server.shutdown()
        thread.join()
