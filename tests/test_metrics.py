"""Metrics: they say what happened, their names are sound, and their number does not grow with the news."""

import random
import shutil
import string
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sinks import metrics as sink_module
from tests.alertkit import NOW, alert, kit, story
from tumen.bus_embedded import EmbeddedBus
from tumen.delivery import SinkGateway
from tumen.errors import RESULTS, Outcome, Reject, Unavailable
from tumen.health import serve
from tumen.messages import Article, EventType, Tagged, Translation, Unique
from tumen.metrics import Metrics
from tumen.runner import Node, make_runner, settle
from tumen.stage import Attempt, Drop, Emit, Sink, SinkSpec, Stage
from tumen.testing import Clock, output_for
from tumen.topics import ALERTS

LABELS = {"stage", "outcome", "reason", "topic", "kind", "group", "sink", "result", "event", "language", "le", "version", "python"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def tagged(language: str | None = "it", events: tuple[str, ...] = ("visit",), role: str = "news") -> Tagged:
    article = Article(id="x", seen_at=NOW, trace="x", item_id="x", source="s", site="s", title="t", text="t", language=language)
    mentions = tuple(story().mentions[0].model_copy(update={"event": EventType(event), "role": role}) for event in events)
    unique = Unique(id="x", seen_at=NOW, trace="x", article=article)
    translation = Translation(title="t", lead="", engine="none")
    return Tagged(id="x", seen_at=NOW, trace="x", unique=unique, translation=translation, mentions=mentions, relevant=True, score=1)


def sink_for(metrics: Metrics, folder: Path, clock: Clock | None = None) -> Sink:
    return sink_module.build(sink_module.Config(), kit(folder, clock=clock, extra={"metrics": metrics}))


def test_what_a_stage_does_is_counted(metrics: Metrics) -> None:
    def process(message: Any, state: Any) -> Any:
        if message.id == "reject":
            raise Reject("no")
        if message.id == "bug":
            raise KeyError("a bug")
        return [Drop("old")] if message.id == "old" else [Emit(ALERTS, message)]

    node = Node("stage", (ALERTS,), (ALERTS,), ("old",), Stage(process))
    with EmbeddedBus(None) as bus:
        names = ("a", "b", "old", "reject", "bug")
        bus.join("writer", ()).commit({}, [output_for(node, alert(name)) for name in names], {})
        runner = make_runner(node, bus, metrics, Clock().clocks, batch=5, max_lag=100)
        runner.step()
        runner.close()
    assert value(metrics, "tumen_stage_handled_total", stage="stage", outcome="ok") == 2
    assert value(metrics, "tumen_stage_handled_total", stage="stage", outcome="dropped") == 1
    assert value(metrics, "tumen_stage_handled_total", stage="stage", outcome="dead") == 2
    assert value(metrics, "tumen_stage_handled_total", stage="stage", outcome="retried") == 1
    assert value(metrics, "tumen_stage_dropped_total", stage="stage", reason="old") == 1
    assert value(metrics, "tumen_stage_out_total", stage="stage", topic="alerts") == 2
    assert value(metrics, "tumen_stage_dead_total", stage="stage", kind="bug") == 1
    assert value(metrics, "tumen_stage_seconds_count", stage="stage") == 5
    assert (value(metrics, "tumen_stage_last_handled_timestamp_seconds", stage="stage") or 0) > 1.7e9


def test_a_pause_is_no_sign_of_life(metrics: Metrics) -> None:
    metrics.handled("stage", Outcome.PAUSED, 0.0)
    assert value(metrics, "tumen_stage_last_handled_timestamp_seconds", stage="stage") is None
    assert value(metrics, "tumen_stage_handled_total", stage="stage", outcome="paused") == 1


def test_deliveries_are_counted_and_a_stopped_route_is_seen(metrics: Metrics) -> None:
    faults: Iterator[Exception | None] = iter([Unavailable("timed out", ambiguous=True), None, Unavailable("revoked", route=True)])

    def deliver(message: Any, attempt: Attempt) -> None:
        fault = next(faults, None)
        if fault:
            raise fault

    spec = SinkSpec((ALERTS,))
    clock = Clock(NOW)
    with EmbeddedBus(None) as bus:
        node = Node("slack", (ALERTS,), (), (), SinkGateway("slack", spec, Sink(deliver), metrics))
        writer = bus.join("writer", ())
        writer.commit({}, [output_for(node, alert("a"))], {})
        runner = make_runner(node, bus, metrics, clock.clocks, batch=5, max_lag=100)
        settle([runner], advance=clock.advance, idle=5)
        assert value(metrics, "tumen_sink_route_up", sink="slack") == 1
        writer.commit({}, [output_for(node, alert("b")), output_for(node, alert("c"))], {})
        settle([runner], advance=clock.advance, idle=5)
        runner.close()
    assert value(metrics, "tumen_sink_attempts_total", sink="slack", result="delivered") == 1
    assert value(metrics, "tumen_sink_attempts_total", sink="slack", result="stopped") == 1
    assert value(metrics, "tumen_alerts_ambiguous_total", sink="slack") == 1
    assert value(metrics, "tumen_sink_route_up", sink="slack") == 0
    assert value(metrics, "tumen_sink_pending_rows", sink="slack") == 2


def test_alerts_and_mentions_by_event_and_language(metrics: Metrics, tmp_path: Path) -> None:
    sink = sink_for(metrics, tmp_path)
    for message in (alert("a"), alert("b", language="ko"), alert("c", language=None), tagged(events=("arms", "arms", "visit"))):
        sink.deliver(message, Attempt())
    sink.deliver(tagged(role="background"), Attempt())
    assert value(metrics, "tumen_alerts_total", event="visit", language="it") == 1
    assert value(metrics, "tumen_alerts_total", event="visit", language="other") == 2
    assert value(metrics, "tumen_mentions_total", event="arms", language="it") == 2
    assert value(metrics, "tumen_mentions_total", event="visit", language="it") == 1


def test_the_latency_from_publication_to_alert(metrics: Metrics, tmp_path: Path) -> None:
    clock = Clock(NOW)
    clock.advance(90)
    sink = sink_for(metrics, tmp_path, clock)
    sink.deliver(alert("a", published_at=NOW), Attempt())
    sink.deliver(alert("undated", published_at=None, published="2024-09-14"), Attempt())
    sink.deliver(alert("old", published_at=NOW - timedelta(days=30)), Attempt())
    sink.deliver(alert("a clock ahead", published_at=NOW + timedelta(hours=1)), Attempt())
    assert value(metrics, "tumen_alert_latency_seconds_count") == 2
    assert value(metrics, "tumen_alert_latency_seconds_sum") == 90
    assert value(metrics, "tumen_alert_latency_seconds_bucket", le="60.0") == 1
    assert value(metrics, "tumen_alert_latency_seconds_bucket", le="120.0") == 2
    assert value(metrics, "tumen_alert_pipeline_seconds_count") == 4


def test_without_anybody_to_serve_them_nothing_is_counted(tmp_path: Path) -> None:
    sink = sink_module.build(sink_module.Config(), kit(tmp_path))
    assert sink.wanted(alert(), NOW) == "no_metrics"


def fill(metrics: Metrics, folder: Path, rounds: int, seed: int) -> None:
    """Random news, as wild as it comes, through everything that counts."""
    dice = random.Random(seed)

    def noise() -> str:
        return "".join(dice.choices(string.printable + "éж漢", k=12))

    sink = sink_for(metrics, folder)
    events = [event.value for event in EventType]
    for _ in range(rounds):
        language = dice.choice(["it", "en", "ru", noise(), None])
        what = {"title": noise(), "says": noise(), "source": noise(), "url": noise(), "flags": (noise(),), "event_line": noise()}
        sink.deliver(alert(noise(), language=language, event=dice.choice(events), **what), Attempt())
        sink.deliver(tagged(language, (dice.choice(events),)), Attempt())
        metrics.handled("tag", dice.choice(list(Outcome)), dice.expovariate(1))
        metrics.attempted("slack", dice.choice(RESULTS))
        metrics.lag("tag", "articles", dice.randrange(10**9))
        metrics.pending("slack", dice.randrange(10**9))


def series(metrics: Metrics) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {(sample.name, tuple(sorted(sample.labels.items()))) for family in metrics.registry.collect() for sample in family.samples}


def test_the_number_of_series_does_not_grow_with_the_news(metrics: Metrics, tmp_path: Path) -> None:
    fill(metrics, tmp_path, 3_000, seed=1)
    before = series(metrics)
    fill(metrics, tmp_path, 10_000, seed=2)
    assert series(metrics) == before
    assert {label for _, labels in before for label, _ in labels} <= LABELS
    assert len(before) < 500
    assert not [name for name, _ in before if name.endswith("_created")]


def test_what_may_be_counted_is_there_at_zero(metrics: Metrics, tmp_path: Path) -> None:
    """Else the first dead letter, the first failure of a sink, the first event of its kind would be no rise that Prometheus sees."""
    metrics.begin("tag", ("tagged",), ("old",), reads=("translated",))
    metrics.begin("slack", (), ("stale",), sink=True)
    sink_for(metrics, tmp_path)
    for kind in ("reject", "bug", "undecodable", "runner"):
        assert value(metrics, "tumen_stage_dead_total", stage="tag", kind=kind) == 0
    assert value(metrics, "tumen_stage_dropped_total", stage="tag", reason="old") == 0
    assert value(metrics, "tumen_stage_out_total", stage="tag", topic="tagged") == 0
    assert value(metrics, "tumen_bus_lost_records_total", group="tag", topic="translated") == 0
    for result in RESULTS:
        assert value(metrics, "tumen_sink_attempts_total", sink="slack", result=result) == 0
    assert value(metrics, "tumen_sink_route_up", sink="slack") == 1
    assert value(metrics, "tumen_sink_attempts_total", sink="tag", result="bug") is None
    for event in EventType:
        for language in ("it", "other"):
            assert value(metrics, "tumen_mentions_total", event=event.value, language=language) == 0
            assert value(metrics, "tumen_alerts_total", event=event.value, language=language) == 0


def test_promtool_finds_nothing_wrong(metrics: Metrics, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("PROMTOOL IS MISSING, the names of the metrics were not linted: apt-get install prometheus")
    fill(metrics, tmp_path, 200, seed=3)
    metrics.dropped("slack", "stale")
    metrics.emitted("tag", "tagged", 1)
    metrics.dead("tag", "bug")
    metrics.route("slack", up=True)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=generate_latest(metrics.registry), capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_metrics_are_served_and_the_server_ends(metrics: Metrics) -> None:
    threads = threading.active_count()
    metrics.handled("tag", Outcome.OK, 0.01)
    server, port = serve(metrics, "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        assert 'tumen_stage_handled_total{outcome="ok",stage="tag"} 1.0' in text
        assert "tumen_build_info{" in text
        with pytest.raises(OSError, match="in use"):
            serve(metrics, "127.0.0.1", port)
    finally:
        server.close()
    assert threading.active_count() == threads
    again, _ = serve(metrics, "127.0.0.1", port)
    again.close()
