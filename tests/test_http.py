"""The HTTP client against a server that means no good: every exchange ends in time, within bounds, and away from private addresses."""

import gzip
import logging
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from tests.loopback import Asked, Loopback, answer, loopback
from tumen.addresses import blocked, refusal
from tumen.http import Failure, FailureKind, Request, Response, fetch, parse_retry_after, post_json, redact
from tumen.settings import HttpSettings

Send = Callable[[bytes], None]


@pytest.fixture
def site() -> Iterator[Loopback]:
    with loopback() as server:
        yield server


def got(result: Response | Failure) -> Response:
    assert isinstance(result, Response), result
    return result


def failed(result: Response | Failure) -> Failure:
    assert isinstance(result, Failure), result
    return result


def get(site: Loopback, path: str, **settings: object) -> Response | Failure:
    return fetch(Request(site.url(path)), site.http(**settings))


# --- addresses ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "192.0.0.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b:1::1", "2001::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
        *("5f00::1", "fc00::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
    ],
)
def test_private_and_special_addresses_are_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::200e", "::ffff:8.8.8.8"])
def test_public_addresses_are_not(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize(
    ("host", "port", "addresses", "allowed", "refused"),
    [
        ("example.org", 443, ["93.184.216.34"], (), False),
        ("example.org", 8080, ["93.184.216.34"], (), True),
        ("example.org", 8080, ["93.184.216.34"], ("example.org:8080",), False),
        ("example.org", 443, ["93.184.216.34", "10.0.0.1"], (), True),
        ("127.0.0.1", 8000, ["127.0.0.1"], ("127.0.0.1:8000",), False),
        ("127.0.0.1", 8001, ["127.0.0.1"], ("127.0.0.1:8000",), True),
        ("localhost", 8000, ["127.0.0.1"], ("127.0.0.1:8000",), True),
    ],
)
def test_only_what_is_named_exactly_is_excepted(
    host: str, port: int, addresses: list[str], allowed: tuple[str, ...], refused: bool
) -> None:
    assert (blocked(host, port, addresses, allowed) is not None) is refused


def _no_network(host: str, port: int) -> Sequence[str]:
    """Literal addresses in every spelling the system takes; a name is public, so that only the guard can refuse."""
    if host == "127.0.0.1.nip.io":
        return ["127.0.0.1"]
    if host in ("example.com", "x"):
        return ["93.184.216.34"]
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:18080/gz", "http://localhost/", "http://[::1]/", "http://0x7f000001/", "http://2130706433/", "http://127.1/"),
        *(
            "http://0/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://100.64.0.1/",
            "http://127.0.0.1.nip.io/",
        ),
        *(
            "file:///etc/passwd",
            "gopher://x/",
            "http://①②⑦.0.0.1/",
            "http://example.com:6379/",
            "http://user:pw@127.0.0.1/",
            "http://example.com\\@127.0.0.1/",
        ),
        *("http://127.0.0.1%00.example.com/", "http:///x", "http://[fe80::1%25eth0]/", "http://127.0.0.1:99999/", "http://[::1", ""),
        *("javascript:alert(1)"),
    ],
)
def test_no_spelling_of_a_private_address_is_connected_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_connection(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "create_connection", no_connection)
    failure = failed(fetch(Request(url), HttpSettings(), resolve=_no_network))
    assert failure.kind in (FailureKind.BLOCKED_ADDRESS, FailureKind.BAD_URL, FailureKind.DNS)
    assert not failure.sent


def test_a_name_is_resolved_once_and_its_checked_address_is_connected_to(site: Loopback) -> None:
    """A rebinding name: public when asked first, private when asked again.  It is never asked again."""
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers.pop(0)

    fetch(Request("http://rebind.example/"), HttpSettings(connect_timeout=0.2, deadline=0.3), resolve=rebinding)
    assert asked == ["rebind.example"]
    assert site.asked == []


def test_a_resolver_that_hangs_ends_at_the_deadline() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(3)
        return []

    begun = time.monotonic()
    assert failed(fetch(Request("http://slow.example/"), HttpSettings(deadline=0.3), resolve=slow)).kind is FailureKind.TIMEOUT
    assert time.monotonic() - begun < 1.5


def test_an_unknown_name_is_a_dns_failure() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    assert failed(fetch(Request("http://nowhere.example/"), HttpSettings(), resolve=unknown)).kind is FailureKind.DNS


def test_proxies_of_the_environment_are_ignored(site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.routes["/"] = answer(b"direct")
    assert got(get(site, "/")).body == b"direct"


# --- answers -----------------------------------------------------------------------------------------------------------------------


def test_an_answer_and_what_was_asked(site: Loopback) -> None:
    site.routes["/feed?q=%C3%A9"] = answer(b"<rss/>", headers={"ETag": '"a"', "X-Two": "1"})
    response = got(fetch(Request(site.url("/feed?q=é"), {"If-None-Match": '"old\r\nX-Evil: 1"'}), site.http()))
    assert (response.status, response.body, response.headers["etag"]) == (200, b"<rss/>", '"a"')
    assert response.elapsed < 5
    asked = site.asked[0]
    assert asked.headers["if-none-match"] == '"oldX-Evil: 1"'
    assert "x-evil" not in asked.headers
    assert asked.headers["user-agent"].startswith("Tumen")
    assert asked.headers["host"] == f"127.0.0.1:{site.port}"


def test_credentials_of_the_url_go_to_its_host_only(site: Loopback) -> None:
    site.routes["/in"] = answer(status="302 Found", headers={"Location": "/private"})
    site.routes["/private"] = answer(status="302 Found", headers={"Location": site.url("/out", "localhost")})
    site.routes["/out"] = answer(b"ok")
    settings = site.http(allow_private=(f"127.0.0.1:{site.port}", f"localhost:{site.port}"))
    response = got(fetch(Request(f"http://me:pass@127.0.0.1:{site.port}/in"), settings, resolve=lambda *_: ["127.0.0.1"]))
    assert [("authorization" in asked.headers) for asked in site.asked] == [True, True, False]
    assert response.final_url == site.url("/out", "localhost")
    assert "pass" not in repr(response)


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        ("429 Too Many Requests", "120", 120.0),
        ("503 Service Unavailable", "-5", 0.0),
        ("404 Not Found", "", None),
        ("500 Oops", "soon", None),
    ],
)
def test_a_bad_status_is_a_failure_with_its_retry_after(site: Loopback, status: str, retry_after: str, expected: float | None) -> None:
    site.routes["/"] = answer(b"no", status, {"Retry-After": retry_after})
    failure = failed(get(site, "/"))
    assert (failure.kind, failure.status, failure.retry_after) == (FailureKind.HTTP_ERROR, int(status[:3]), expected)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("3600", 3600.0),
        ("Tue, 24 Nov 2026 12:10:00 GMT", 600.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("tomorrow", None),
        ("9" * 40, None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert parse_retry_after({"retry-after": value}, datetime(2026, 11, 24, 12, tzinfo=UTC)) == seconds


# --- redirects ---------------------------------------------------------------------------------------------------------------------


def test_redirects_are_followed_five_times_and_no_more(site: Loopback) -> None:
    for n in range(7):
        site.routes[f"/{n}"] = answer(status="301 Moved", headers={"Location": f"/{n + 1}"})
    site.routes["/7"] = answer(b"there")
    assert got(get(site, "/2")).final_url == site.url("/7")
    assert failed(get(site, "/1")).kind is FailureKind.REDIRECT


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://169.254.169.254/latest/meta-data/", FailureKind.BLOCKED_ADDRESS),
        ("http://127.0.0.1:1/", FailureKind.BLOCKED_ADDRESS),
        ("//[::1]/", FailureKind.BLOCKED_ADDRESS),
        ("file:///etc/passwd", FailureKind.REDIRECT),
        ("javascript:alert(1)", FailureKind.REDIRECT),
        ("http://[broken", FailureKind.REDIRECT),
    ],
)
def test_a_redirect_is_checked_like_the_first_url(site: Loopback, location: str, kind: FailureKind) -> None:
    site.routes["/"] = answer(status="302 Found", headers={"Location": location})
    assert failed(get(site, "/")).kind is kind


# --- hostile bodies ----------------------------------------------------------------------------------------------------------------


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def endless(head: bytes, piece: bytes, pause: float) -> Callable[[Asked, Send], None]:
    def run(_: Asked, send: Send) -> None:
        send(head)
        for _step in range(400):
            send(piece)
            time.sleep(pause)

    return run


XML = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n"


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        (answer(b"x" * 2000), FailureKind.TOO_LARGE),
        (XML + b"Content-Length: 99999999999\r\n\r\nx", FailureKind.TOO_LARGE),
        (endless(XML + b"\r\n", b"<item>" * 1000, 0.0), FailureKind.TOO_LARGE),
        (answer(bomb(64 << 20), headers={"Content-Encoding": "gzip"}), FailureKind.TOO_LARGE),
        (answer(gzip.compress(bytes(900)) * 2, headers={"Content-Encoding": "gzip"}), FailureKind.TOO_LARGE),
        (answer(gzip.compress(b"y"), headers={"Content-Encoding": "gzip, gzip"}), FailureKind.BAD_ENCODING),
        (answer(b"y", headers={"Content-Encoding": "br"}), FailureKind.BAD_ENCODING),
        (answer(b"y", headers={"Content-Encoding": ", ".join(["gzip"] * 2000)}), FailureKind.BAD_ENCODING),
        (answer(b"not gzip at all", headers={"Content-Encoding": "gzip"}), FailureKind.BAD_ENCODING),
        (answer(gzip.compress(b"z" * 90)[:-10], headers={"Content-Encoding": "gzip"}), FailureKind.BAD_ENCODING),
        (XML + b"Content-Length: 1000\r\n\r\nshort", FailureKind.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", FailureKind.PROTOCOL),
        (b"", FailureKind.PROTOCOL),
        (b"SSH-2.0-OpenSSH\r\n", FailureKind.PROTOCOL),
    ],
)
def test_hostile_bodies_end_in_a_failure(site: Loopback, route: bytes | Callable[[Asked, Send], None], kind: FailureKind) -> None:
    site.routes["/"] = route
    assert failed(get(site, "/", max_bytes=1500)).kind is kind


@pytest.mark.parametrize(
    "route",
    [
        endless(XML + b"\r\n", b"<", 0.05),
        endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05),
        endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 0.05),
        endless(XML + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05),
        endless(b"", b"", 0.05),
    ],
    ids=["body", "headers", "informational", "chunks", "silence"],
)
def test_a_trickle_ends_at_the_deadline(site: Loopback, route: Callable[[Asked, Send], None]) -> None:
    site.routes["/"] = route
    begun = time.monotonic()
    assert failed(get(site, "/", deadline=0.5)).kind is FailureKind.TIMEOUT
    assert time.monotonic() - begun < 1.5


def test_the_deadline_spans_redirects(site: Loopback) -> None:
    def slowly(_: Asked, send: Send) -> None:
        time.sleep(0.3)
        send(answer(status="302 Found", headers={"Location": "/"}))

    site.routes["/"] = slowly
    begun = time.monotonic()
    assert failed(get(site, "/", deadline=0.7)).kind is FailureKind.TIMEOUT
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"<rss/>")),
        ("x-gzip", gzip.compress(b"<rss/>")),
        ("GZIP", gzip.compress(b"<rs") + gzip.compress(b"s/>") + bytes(5)),
        ("deflate", zlib.compress(b"<rss/>")),
        ("deflate", zlib.compress(b"<rss/>")[2:-4]),
        ("identity", b"<rss/>"),
    ],
    ids=["gzip", "x-gzip", "two members and padding", "zlib", "raw deflate", "identity"],  # gzip's bytes hold the time: no name for a test
)
def test_what_may_be_compressed_is_unpacked(site: Loopback, coding: str, packed: bytes) -> None:
    site.routes["/"] = answer(packed, headers={"Content-Encoding": coding})
    assert got(get(site, "/")).body == b"<rss/>"


# --- errors of the connection ------------------------------------------------------------------------------------------------------


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    failure = failed(fetch(Request(f"http://127.0.0.1:{port}/"), HttpSettings(allow_private=(f"127.0.0.1:{port}",))))
    assert (failure.kind, failure.sent) == (FailureKind.CONNECT, False)


def test_no_tls_where_it_was_asked_for_is_never_downgraded(site: Loopback) -> None:
    failure = failed(fetch(Request(f"https://127.0.0.1:{site.port}/"), site.http()))
    assert (failure.kind, failure.sent) == (FailureKind.TLS, False)
    assert site.asked == []


# --- posting, and secrets ----------------------------------------------------------------------------------------------------------


def test_posting_gives_every_answer_back(site: Loopback) -> None:
    site.routes["/hook"] = answer(b"invalid_blocks", "400 Bad Request")
    response = got(post_json(site.url("/hook"), {"text": "è 北 \ud800"}, site.http(), headers={"X-Id": "7"}))
    assert (response.status, response.body) == (400, b"invalid_blocks")
    asked = site.asked[0]
    assert (asked.method, asked.headers["x-id"]) == ("POST", "7")
    assert asked.headers["content-type"] == "application/json; charset=utf-8"
    assert "è 北".encode() in asked.body


def test_a_post_is_guarded_not_redirected_and_says_when_it_is_ambiguous(site: Loopback) -> None:
    site.routes["/moved"] = answer(status="307 Temporary Redirect", headers={"Location": "/hook"})
    site.routes["/hang"] = endless(b"", b"", 0.05)
    assert got(post_json(site.url("/moved"), {}, site.http())).status == 307
    assert failed(post_json(site.url("/hook"), {}, HttpSettings())).kind is FailureKind.BLOCKED_ADDRESS
    hanging = failed(post_json(site.url("/hang"), {}, site.http(deadline=0.3)))
    assert (hanging.kind, hanging.sent) == (FailureKind.TIMEOUT, True)


def test_a_secret_in_a_url_is_in_no_log_and_no_failure(site: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "/services/T0/B0/CANARYcanary1234567890"
    site.routes[secret] = answer(b"ok")
    site.routes["/cut" + secret] = b""
    site.routes["/bad" + secret] = answer(status="302 Found", headers={"Location": "http://[" + secret})
    results = [
        post_json(site.url(secret), {}, site.http()),
        fetch(Request(site.url("/cut" + secret)), site.http()),
        fetch(Request(site.url("/bad" + secret)), site.http()),
        fetch(Request("http://[" + secret), site.http()),
        fetch(Request(site.url(secret)), HttpSettings()),
    ]
    assert [type(result) for result in results] == [Response, Failure, Failure, Failure, Failure]
    assert "CANARY" not in caplog.text + repr(results)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T1/B2/abcDEF1234567890abcdef", "https://hooks.slack.com/services/T1/B2/…"),
        ("https://user:pw@example.org/rss?token=secret#x", "https://example.org/rss?…"),
        ("http://example.org:8080/feeds/world-news.xml", "http://example.org:8080/feeds/world-news.xml"),
        ("http://[", "(not a URL)"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact(url) == shown
