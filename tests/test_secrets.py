"""The canary: a webhook's token is driven through every way of failing; then everything Tumen has written anywhere is searched for it."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from sinks import archive, slack
from tests.alertkit import NOW, alert, kit
from tests.fake_slack import PATH, TOKEN, FakeSlack, fake_slack, word
from tumen.alerts import _send
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode
from tumen.delivery import SinkGateway
from tumen.health import serve
from tumen.logs import HIDDEN, configure, know, scrub
from tumen.messages import DeadLetter
from tumen.metrics import Metrics
from tumen.runner import Node, make_runner
from tumen.settings import LogSettings, Settings, SlackSettings
from tumen.stage import Kit, Sink
from tumen.testing import Clock, Killed, killed_at, output_for
from tumen.topics import DEAD

ROOT = Path(__file__).resolve().parents[1]
REFUSED = word("invalid_blocks", "400 Bad Request")
TROUBLE: list[str | bytes] = [
    "error",
    "limit",
    "hang",
    "reset",
    "trickle",
    "garbage",
    "take_and_reset",
    "echo_error",
    "login_page",
    "redirect",
    word("no_service", "404 Not Found"),
    word("invalid_token", "403 Forbidden"),
    word("channel_is_archived", "410 Gone"),
    REFUSED,
    REFUSED,
]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()
    know(Settings())


@pytest.fixture
def fake() -> Iterator[FakeSlack]:
    with fake_slack() as slack_:
        yield slack_


def configured(kit_: Kit, form: str) -> io.StringIO:
    written = io.StringIO()
    log = LogSettings.model_validate({"level": "debug", "format": form})
    configure(kit_.settings.model_copy(update={"log": log}), stream=written)
    return written


def node_of(kit_: Kit, metrics: Metrics, sink: Sink) -> Node:
    return Node("slack", slack.SPEC.reads, (), slack.SPEC.reasons, SinkGateway("slack", slack.SPEC, sink, metrics))


def run(kit_: Kit, clock: Clock, metrics: Metrics, bus_file: Path, seconds: int, statement: int | None = None) -> None:
    """Slack's sink on its bus for so many seconds, or until the process dies at a statement."""
    with killed_at(statement or 0), EmbeddedBus(bus_file) as bus:
        runner = make_runner(node_of(kit_, metrics, slack.build(slack.Config(), kit_)), bus, metrics, clock.clocks, batch=10, max_lag=100)
        try:
            for _ in range(seconds):
                while runner.step():
                    pass
                clock.advance(1.0)
        finally:
            runner.close()


def test_the_token_is_nowhere_after_every_kind_of_trouble(
    fake: FakeSlack, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, metrics = Clock(NOW), Metrics(CollectorRegistry())
    data = tmp_path / "data"
    kit_ = kit(data, clock=clock, webhook=fake.webhook, host=fake.host, http=fake.site.http(deadline=1.0))
    readable = configured(kit_, "console")
    publish(kit_, metrics, data, [f"alert {number}" for number in range(8)])
    fake.script = list(TROUBLE)
    for statement in (60, 80, 100):
        with pytest.raises(Killed):
            run(kit_, clock, metrics, data / "bus.db", 5, statement)
    for _ in range(40):
        run(kit_, clock, metrics, data / "bus.db", 100)
        if not fake.script:
            break
    assert not fake.script
    readable_so_far = readable.getvalue()
    json_lines = configured(kit_, "json")
    with_bugs(kit_, clock, metrics, data, monkeypatch)
    for each in (fake.webhook, PATH):
        structlog.get_logger("somebody").error("careless", url=each, nested={"deep": [each]})
        logging.getLogger("a_library").warning("posting to %s failed", each)
    archived = archive.build(archive.Config(), kit_)
    assert _send(archived, alert(), NOW) == "delivered"

    server, port = serve(metrics, "127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        served = answer.read().decode()
    server.close()
    captured = capfd.readouterr()
    places = {
        "readable log": readable_so_far,
        "JSON log": json_lines.getvalue(),
        "stdout": captured.out,
        "stderr": captured.err,
        "metrics": served,
        "settings": repr(kit_.settings) + kit_.settings.model_dump_json(),
        "doctor": repr(list(slack.doctor(kit_.settings))),
        "letters": "\n".join(letter.model_dump_json() for letter in letters(data)),
        **{f"file {path.name}": path.read_bytes().decode("latin-1") for path in sorted(data.rglob("*")) if path.is_file()},
    }
    assert all(TOKEN in asked.path for asked in fake.asked)  # it is a real one: it was used
    assert len(letters(data)) >= 2
    assert "not_delivered" in places["readable log"]
    assert "Traceback" in places["JSON log"]
    assert {"file bus.db", "file archive.db"} <= set(places)
    for place, text in places.items():
        assert text or place in ("stdout", "stderr"), place
        assert TOKEN not in text, place


def publish(kit_: Kit, metrics: Metrics, data: Path, names: list[str]) -> None:
    with EmbeddedBus(data / "bus.db") as bus:
        node = node_of(kit_, metrics, slack.build(slack.Config(), kit_))
        group = bus.join("writer", ())
        group.commit({}, [output_for(node, alert(name)) for name in names], {})
        group.close()


def with_bugs(kit_: Kit, clock: Clock, metrics: Metrics, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that quotes the address in its exception: a bug, a stack trace, a dead letter."""

    def careless(url: str, *_arguments: Any) -> Any:
        raise RuntimeError(f"could not POST {url} because of {url.rsplit('/', 1)[1]}")

    monkeypatch.setattr(slack, "post_json", careless)
    publish(kit_, metrics, data, ["bug"])
    run(kit_, clock, metrics, data / "bus.db", 10)
    assert any("could not POST" in letter.message and HIDDEN in letter.message for letter in letters(data))


def letters(data: Path) -> list[DeadLetter]:
    with EmbeddedBus(data / "bus.db") as bus:
        return [decode(DEAD, record.value) for record in bus.read(DEAD.name, 0, 1000)]


@pytest.mark.parametrize("command", [("check",), ("doctor", "--json"), ("alerts", "test"), ("run",)])
def test_no_command_shows_it(tmp_path: Path, command: tuple[str, ...]) -> None:
    """With an address that is refused, and so is spoken of."""
    secret = tmp_path / "webhook"
    secret.write_text(f"https://user:hunter2@slack.example{PATH}\n", encoding="utf-8")
    secret.chmod(0o644)
    (tmp_path / "tumen.toml").write_text(f'[slack]\nwebhook_file = "{secret}"\n[log]\nlevel = "debug"\n', encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tumen", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "hooks.slack.com" in done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET https://user:pa55@feeds.example/rss failed", f"GET https://{HIDDEN}@feeds.example/rss failed"),
        ("https://feeds.example/rss?key=abc123&page=2", f"https://feeds.example/rss?key={HIDDEN}&page=2"),
        ("https://feeds.example/rss?a=1&access_token=xyz'", f"https://feeds.example/rss?a=1&access_token={HIDDEN}'"),
        ("https://hooks.slack.com/services/T0/B0/abc", f"https://hooks.slack.com/{HIDDEN}"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", f"{{'Authorization': 'Basic {HIDDEN}'}}"),
        ("mail a@b.example, ratio 3@4, https://feeds.example/@name", "mail a@b.example, ratio 3@4, https://feeds.example/@name"),
        ("key=value is a field", "key=value is a field"),
    ],
)
def test_credentials_of_urls_are_cut_out_and_nothing_else(text: str, clean: str) -> None:
    assert scrub(text) == clean


@given(before=st.text(max_size=40), after=st.text(max_size=40))
def test_a_known_secret_never_survives(before: str, after: str) -> None:
    know(Settings(slack=SlackSettings(webhook=SecretStr(f"https://hooks.slack.com{PATH}"))))
    for secret in (f"https://hooks.slack.com{PATH}", PATH, TOKEN):
        assert TOKEN not in scrub(before + secret + after)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_line_is_complete_and_a_stack_trace_is_scrubbed_with_it(tmp_path: Path, form: str) -> None:
    written = configured(kit(tmp_path, webhook=f"https://hooks.slack.com{PATH}"), form)
    local = f"https://hooks.slack.com{PATH}"
    try:
        raise ValueError(f"refused: {local}")
    except ValueError as error:
        structlog.get_logger("x").error("bug", stage="slack", exc_info=error)
    text = written.getvalue()
    assert "ValueError" in text
    assert HIDDEN in text
    assert TOKEN not in text
    if form == "json":
        line = json.loads(text)
        assert {"event", "level", "timestamp", "stage", "exception"} <= set(line)


def test_a_level_is_kept(tmp_path: Path) -> None:
    written = io.StringIO()
    configure(kit(tmp_path).settings.model_copy(update={"log": LogSettings(level="warning", format="json")}), stream=written)
    structlog.get_logger("x").info("quiet")
    structlog.get_logger("x").warning("loud")
    logging.getLogger("y").info("quiet")
    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["loud"]


@pytest.mark.parametrize("where", ["main", "thread"])
def test_what_nobody_catches_is_scrubbed_too(where: str) -> None:
    program = f"""
import threading
from pydantic import SecretStr
from tumen.logs import configure
from tumen.settings import Settings, SlackSettings
configure(Settings(slack=SlackSettings(webhook=SecretStr("https://hooks.slack.com{PATH}"))))
def fail():
    raise RuntimeError("no answer from https://hooks.slack.com{PATH}")
if {where == "thread"}:
    thread = threading.Thread(target=fail); thread.start(); thread.join()
else:
    fail()
"""
    done = subprocess.run([sys.executable, "-"], input=program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert "no answer from" in done.stderr
    assert "Traceback" in done.stderr
    assert TOKEN not in done.stderr
