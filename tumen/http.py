"""The one HTTP client: whatever the other side does, it ends in time, within bounds, and only public addresses are spoken to.

Built on httpcore2, the transport of httpx2 (Pydantic's continuation of httpx, whose own releases stopped in 2024).  Three reasons to use
the transport and not a client above it: its network backend is a public parameter, which is where the address guard and the total deadline
belong; it never decodes a body, follows a redirect or reads a proxy from the environment, all of which are decided here; and it writes
no URL to a log.  urllib3 has neither such a hook nor a total deadline.

What is promised of one `fetch`:
- the name is resolved once, every address is checked (`tumen.addresses`), and the connection goes to a checked address; redirects (at
  most 5, http and https only, never back from https) take the same way;
- the *whole* of it, name resolution, headers that trickle in and redirects included, takes no longer than the deadline;
- no more than `max_bytes` are read, and no more than that come out of gzip or deflate; other codings are refused;
- nothing of a URL but its host is in a `Failure`, an exception or a log line.
"""

import base64
import email.utils
import functools
import json
import logging
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import httpcore2
from httpx2 import URL, InvalidURL

from tumen.addresses import blocked
from tumen.settings import HttpSettings

# its debug lines hold headers and host names, and a webhook's host names its channel's workspace
logging.getLogger("httpcore2").setLevel(logging.WARNING)

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_HOST = re.compile(r"[0-9a-z._-]+|[0-9a-f:.]+")
_CODINGS = ("gzip", "x-gzip", "deflate")

Resolver = Callable[[str, int], Sequence[str]]


class FailureKind(StrEnum):
    """Why there is no answer: a metric label, so the list is closed."""

    BAD_URL = "bad_url"
    BLOCKED_ADDRESS = "blocked_address"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"
    BAD_ENCODING = "bad_encoding"
    HTTP_ERROR = "http_error"


@dataclass(frozen=True)
class Request:
    """A GET.  `headers` are added to the client's own; user and password in the URL become basic authentication."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """An answer.  `url` as asked, `final_url` after redirects.  Header names are lower case, repeated ones joined by ", ".

    `body` is decoded (gzip, deflate).  `elapsed`: seconds.
    """

    url: str = field(repr=False)
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    final_url: str = field(repr=False)
    elapsed: float


@dataclass(frozen=True)
class Failure:
    """No usable answer.  `message` is fit for a log: it names the host at most.  `retry_after`: seconds, if the server said so.

    `sent`: the request may have reached the other side (for those who must not do a thing twice).
    """

    kind: FailureKind
    message: str
    retry_after: float | None = None
    status: int | None = None
    sent: bool = False


class _Stop(Exception):
    """Ends a fetch; becomes a `Failure`."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def fetch(request: Request, settings: HttpSettings, *, resolve: Resolver | None = None) -> Response | Failure:
    """GET a URL.  A `Response` has a 2xx status or is a 304; anything else is a `Failure`.  Raises nothing for what the other side does."""
    exchange = _Exchange(settings, resolve or system_resolver)
    response = _attempt(exchange, lambda: exchange.get(request))
    if isinstance(response, Failure) or response.status == 304 or 200 <= response.status < 300:
        return response
    retry_after = parse_retry_after(response.headers, datetime.now(UTC))
    return Failure(FailureKind.HTTP_ERROR, f"HTTP status {response.status}", retry_after, response.status, sent=True)


def post_json(
    url: str, payload: Any, settings: HttpSettings, *, headers: Mapping[str, str] | None = None, resolve: Resolver | None = None
) -> Response | Failure:
    """POST `payload` as JSON.  Every status is a `Response` (its body may say why); a redirect is not followed.

    Safe for secret URLs.  A `Failure` with `sent` is ambiguous: the other side may have taken it.
    """
    exchange = _Exchange(settings, resolve or system_resolver)
    body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "backslashreplace")
    sent = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return _attempt(exchange, lambda: exchange.send("POST", _parsed(url), url, sent, body))


def redact(url: str) -> str:
    """A URL as it may be logged: no user, no password, no query values, and no path part that looks like a token."""
    try:
        parsed = URL(url)
    except (InvalidURL, ValueError):
        return "(not a URL)"
    if not _HOST.fullmatch(parsed.raw_host.decode("ascii")):
        return "(not a URL)"
    path = "/".join(
        "…" if re.fullmatch(r"(?=.*\d)(?=.*[A-Za-z])[\w-]{16,}|[0-9a-fA-F]{16,}", part) else part for part in parsed.path.split("/")
    )
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.scheme}://{parsed.host}{port}{path}" + ("?…" if parsed.query else "")


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds from `now` that the Retry-After header asks for (a number or an HTTP date), never negative; None if it says nothing."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"-?\d{1,12}", value):
        return max(0.0, float(value))
    try:
        at = email.utils.parsedate_to_datetime(value)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, by the system.  Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


# --- one exchange ------------------------------------------------------------------------------------------------------------------


class _Exchange:
    """One `fetch` or `post_json`, from its first byte to its last: it holds the deadline."""

    def __init__(self, settings: HttpSettings, resolve: Resolver) -> None:
        self._settings = settings
        self._begun = time.monotonic()
        self._backend = _Guarded(settings, resolve, self._begun + settings.deadline)

    @property
    def sent(self) -> bool:
        return self._backend.sent

    def get(self, request: Request) -> Response:
        """Raises `_Stop` and httpcore2's exceptions."""
        url = _parsed(request.url)
        headers = dict(request.headers)
        for _ in range(MAX_REDIRECTS + 1):
            response = self.send("GET", url, request.url, headers, None)
            if response.status not in _REDIRECTS or "location" not in response.headers:
                return response
            target = _redirected(url, response.headers["location"])
            if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
                headers = {name: value for name, value in headers.items() if name.lower() not in ("authorization", "cookie")}
            url = target
        raise _Stop(FailureKind.REDIRECT, f"more than {MAX_REDIRECTS} redirects")

    def send(self, method: str, url: URL, asked: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        """One request, one answer.  Raises `_Stop` and httpcore2's exceptions."""
        timeout = {"connect": self._settings.connect_timeout, "read": self._settings.deadline, "write": self._settings.deadline}
        with (
            httpcore2.ConnectionPool(ssl_context=_tls(), network_backend=self._backend, max_connections=1) as pool,
            pool.stream(
                method,
                httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=list(self._headers(url, headers, body)),
                content=body,
                extensions={"timeout": timeout},
            ) as answer,
        ):
            got = _header_map(answer.headers)
            content = b"" if answer.status in _REDIRECTS else self._read(answer.iter_stream(), got)
        return Response(
            asked, answer.status, got, content, str(url.copy_with(username=None, password=None)), time.monotonic() - self._begun
        )

    def _headers(self, url: URL, more: Mapping[str, str], body: bytes | None) -> Iterator[tuple[str, str]]:
        yield "Host", url.netloc.decode("ascii")
        yield "User-Agent", self._settings.user_agent
        yield "Accept-Encoding", "gzip, deflate"
        yield "Connection", "close"
        if url.username or url.password:
            yield "Authorization", "Basic " + base64.b64encode(f"{url.username}:{url.password}".encode()).decode("ascii")
        if body is not None:
            yield "Content-Length", str(len(body))
        for name, value in more.items():
            # a header value is often another server's word (an ETag): anything but printable ASCII could not be sent
            yield name, re.sub(r"[^\x20-\x7e]", "", value)

    def _read(self, chunks: Iterable[bytes], headers: Mapping[str, str]) -> bytes:
        limit = self._settings.max_bytes
        if headers.get("content-length", "").isdecimal() and int(headers["content-length"]) > limit:
            raise _Stop(FailureKind.TOO_LARGE, f"more than {limit} bytes announced")
        decoder = _decoder(headers.get("content-encoding", ""))
        raw, out = 0, bytearray()
        for chunk in chunks:
            self._backend.check_deadline()
            raw += len(chunk)
            out += decoder.feed(chunk, limit + 1 - len(out))
            if raw > limit or len(out) > limit:
                raise _Stop(FailureKind.TOO_LARGE, f"more than {limit} bytes")
        if raw and not decoder.complete:
            raise _Stop(FailureKind.BAD_ENCODING, "the compressed body ends too early")
        return bytes(out)


class _Guarded(httpcore2.NetworkBackend):
    """Connects only where `tumen.addresses` lets it, and puts one deadline on everything."""

    def __init__(self, settings: HttpSettings, resolve: Resolver, deadline: float) -> None:
        self._settings, self._resolve, self._deadline = settings, resolve, deadline
        self._inner = httpcore2.SyncBackend()
        self.sent = False

    def check_deadline(self) -> float:
        """Seconds left.  Raises `_Stop` when there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _Stop(FailureKind.TIMEOUT, f"no complete answer within {self._settings.deadline:g} s")
        return left

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore2.NetworkStream:
        addresses = self._addresses(host, port)
        reason = blocked(host, port, addresses, self._settings.allow_private)
        if reason is not None:
            raise _Stop(FailureKind.BLOCKED_ADDRESS, reason)
        error: Exception = OSError("no address")
        for address in addresses:
            try:
                budget = min(self._settings.connect_timeout, self.check_deadline())
                stream = self._inner.connect_tcp(address, port, budget, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
                continue
            return _Timed(stream, self)
        raise error

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Resolution in a thread of its own: the system's resolver takes no deadline."""
        found: list[Sequence[str]] = []
        errors: list[Exception] = []

        def look_up() -> None:
            try:
                found.append(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                errors.append(error)

        thread = threading.Thread(target=look_up, name="resolve", daemon=True)
        thread.start()
        thread.join(self.check_deadline())
        self.check_deadline()
        if not found or not found[0]:
            raise _Stop(FailureKind.DNS, f"no address found for {host}")
        return found[0]


class _Timed(httpcore2.NetworkStream):
    """A stream of which every operation ends by the deadline, however little each one brings."""

    def __init__(self, inner: httpcore2.NetworkStream, guard: _Guarded) -> None:
        self._inner, self._guard = inner, guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._guard.check_deadline())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._guard.sent = True
        for start in range(0, len(buffer), 16_384):
            self._inner.write(buffer[start : start + 16_384], self._guard.check_deadline())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            stream = self._inner.start_tls(ssl_context, server_hostname, self._guard.check_deadline())
        except httpcore2.ConnectError as error:
            raise _Stop(FailureKind.TLS, str(error)[:200]) from None
        return _Timed(stream, self._guard)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


# --- small parts -------------------------------------------------------------------------------------------------------------------


class _Plain:
    """No coding."""

    complete = True

    def feed(self, chunk: bytes, room: int) -> bytes:
        return chunk


class _Inflate:
    """gzip or deflate (with its zlib header or, as some servers have it, without), never more than `room` bytes at a time."""

    def __init__(self) -> None:
        self._stream: Any = zlib.decompressobj(47)
        self._fresh = True

    @property
    def complete(self) -> bool:
        return bool(self._stream.eof)

    def feed(self, chunk: bytes, room: int) -> bytes:
        out = bytearray()
        while chunk and len(out) < room:
            if self._stream.eof:  # a second gzip member, or padding
                if chunk.strip(b"\0") == b"":
                    break
                self._stream = zlib.decompressobj(47)
            out += self._step(chunk, room - len(out))
            chunk = self._stream.unused_data
        return bytes(out)

    def _step(self, chunk: bytes, room: int) -> bytes:
        try:
            out = self._stream.decompress(chunk, room)
        except zlib.error:
            if not self._fresh:
                raise _Stop(FailureKind.BAD_ENCODING, "the compressed body is broken") from None
            self._fresh = False
            self._stream = zlib.decompressobj(-15)
            return self._step(chunk, room)
        self._fresh = False
        return bytes(out)


def _decoder(coding: str) -> _Plain | _Inflate:
    """Raises `_Stop` for any but one gzip or deflate: a chain of codings is only ever a bomb."""
    named = [part.strip().lower() for part in coding.split(",", 8) if part.strip() and part.strip().lower() != "identity"]
    if not named:
        return _Plain()
    if len(named) == 1 and named[0] in _CODINGS:
        return _Inflate()
    raise _Stop(FailureKind.BAD_ENCODING, f"content coding {', '.join(named)[:40]!r} is not accepted")


def _parsed(url: str) -> URL:
    """Raises `_Stop`."""
    try:
        parsed = URL(url)
        host = parsed.raw_host.decode("ascii")
    except (InvalidURL, ValueError) as error:
        raise _Stop(FailureKind.BAD_URL, f"not a URL ({type(error).__name__})") from None
    if parsed.scheme not in ("http", "https"):
        raise _Stop(FailureKind.BAD_URL, "expected an http or https URL")
    if not _HOST.fullmatch(host) or not 0 < (parsed.port or 80) < 65536:
        raise _Stop(FailureKind.BAD_URL, "the URL's host or port is malformed")
    return parsed


def _redirected(url: URL, location: str) -> URL:
    """Raises `_Stop`."""
    try:
        target = _parsed(str(url.join(location)))
    except (InvalidURL, ValueError, _Stop):
        raise _Stop(FailureKind.REDIRECT, "redirected to what is no http or https URL") from None
    if url.scheme == "https" and target.scheme == "http":
        raise _Stop(FailureKind.REDIRECT, "redirected from https to http")
    if not (target.username or target.password) and target.host == url.host:
        target = target.copy_with(username=url.username or None, password=url.password or None)
    return target


def _header_map(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names; repeated ones joined by ", "."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpcore2.default_ssl_context()


def _attempt(exchange: _Exchange, action: Callable[[], Response]) -> Response | Failure:
    """What `action` gives, or what stopped it."""
    try:
        return action()
    except _Stop as stop:
        return Failure(stop.kind, str(stop), sent=exchange.sent)
    except httpcore2.TimeoutException as error:
        return Failure(FailureKind.TIMEOUT, f"no answer in time ({type(error).__name__})", sent=exchange.sent)
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
        return Failure(FailureKind.PROTOCOL, str(error)[:200], sent=exchange.sent)
    except (httpcore2.NetworkError, OSError) as error:
        return Failure(FailureKind.CONNECT, str(error)[:200], sent=exchange.sent)
