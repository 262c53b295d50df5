"""The sample wire through Kafka gives what it gives through the embedded bus: the same articles, stories and alerts, by id."""

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.kafka_broker import new_settings
from tumen.bus import Bus
from tumen.bus_embedded import EmbeddedBus
from tumen.bus_kafka import KafkaBus, apply_topics
from tumen.cli._kit import kit_of
from tumen.codec import decode, encode
from tumen.messages import Item, Tick
from tumen.pipeline import build_nodes, load_topology
from tumen.runner import GatewayRunner, Node, StageRunner, make_runner, settle
from tumen.sample_wire import SampleWire
from tumen.settings import ROOT, HttpSettings, PollSettings, Settings
from tumen.stage import Emit, GatewaySpec, ProducerSpec, StageSpec
from tumen.testing import Clock, Counts
from tumen.topics import ALERTS, ARTICLES, CANDIDATES, DEAD, ITEMS, STORIES, TAGGED, TICKS, TRANSLATED, UNIQUE, Topic

Runner = StageRunner | GatewayRunner
STEP = 10.0


def wire_items(folder: Path, clock: Clock) -> list[Item]:
    """What the feeds producer makes of the sample wire, in the order in which it sees it."""
    wire = SampleWire(ROOT / "samples", clock.now, speed=1.0, epoch=clock.now(), port=0)
    wire.start()
    try:
        http = HttpSettings(allow_private=(wire.allow_private,))
        settings = Settings(data=folder, realm="sample", feeds=tuple(wire.feeds()), http=http, poll=PollSettings(every=5))
        (feeds,) = build_nodes(load_topology(), kit_of(settings, now=clock.now), lambda declared: declared.name == "feeds")
        with EmbeddedBus(None) as bus:
            runner = make_runner(feeds, bus, Counts(), clock.clocks, batch=100, max_lag=10**9)
            while not wire.done(clock.now()):
                settle([runner])
                clock.advance(STEP)
            settle([runner])
            runner.close()
            return [decode(ITEMS, record.value) for record in bus.read(ITEMS.name, 0, 10**6)]
    finally:
        wire.stop()


def play(bus: Bus, nodes: Sequence[Node], items: Sequence[Item], clock: Clock) -> None:
    """Each item is handled to its end before the next is published, a minute is a tick."""
    runners = [make_runner(node, bus, Counts(), clock.clocks, batch=100, max_lag=10**9) for node in nodes]
    writer = bus.join("dlq", ())
    try:
        for number, item in enumerate(items):
            if number % 10 == 0:
                now = clock.now()
                writer.commit({}, [encode(Emit(TICKS, Tick(id=str(number), seen_at=now, trace="", at=now)))], {})
            writer.commit({}, [encode(Emit(ITEMS, item))], {})
            rest(bus, runners)
            clock.advance(STEP)
        clock.advance(timedelta(hours=1).total_seconds())
        rest(bus, runners)
    finally:
        for runner in runners:
            runner.close()
        writer.close()


def rest(bus: Bus, runners: Sequence[Runner]) -> None:
    """Step until nothing is left to read and nobody does anything."""
    deadline = time.monotonic() + 120
    quiet = 0
    while quiet < 2:
        assert time.monotonic() < deadline, "not at rest"
        quiet = 0 if sum(runner.step() for runner in runners) or unread(bus) else quiet + 1


def unread(bus: Bus) -> bool:
    if not isinstance(bus, KafkaBus):
        return False
    return any(bus.known_end(*place) > offset for group in bus._groups for place, offset in group.handled().items())


def published(bus: Bus, topic: Topic[Any]) -> dict[str, dict[str, Any]]:
    """By id (of a compacted topic, the newest), without the port that the wire happened to have."""
    return {m.id: m.model_dump(mode="json") for m in (decode(topic, record.value) for record in bus.read(topic.name, 0, 10**6))}


def test_the_sample_wire_gives_the_same_on_both_buses(tmp_path: Path, kafka_bootstrap: str) -> None:
    items = wire_items(tmp_path / "wire", Clock())
    assert len(items) > 30
    topology = load_topology()

    def run(bus: Bus, folder: Path) -> None:
        clock = Clock()
        settings = Settings(data=folder, realm="sample")
        kit = kit_of(settings, now=clock.now, echo=lambda _: None)
        stages = (StageSpec, GatewaySpec)
        nodes = build_nodes(
            topology, kit, lambda d: (isinstance(d.spec, stages) or d.name == "archive") and not isinstance(d.spec, ProducerSpec)
        )
        play(bus, nodes, items, clock)

    kafka = new_settings(kafka_bootstrap)
    apply_topics(kafka, "sample", topology.nodes)
    with EmbeddedBus(tmp_path / "bus.db") as embedded, KafkaBus(kafka, "sample") as bus:
        run(embedded, tmp_path / "embedded")
        run(bus, tmp_path / "on_kafka")
        for topic in (ITEMS, CANDIDATES, ARTICLES, UNIQUE, TRANSLATED, TAGGED, STORIES, ALERTS):
            expected, found = published(embedded, topic), published(bus, topic)
            assert expected, topic.name
            # ids first: a diff of whole messages would take minutes to print
            assert sorted(found) == sorted(expected), topic.name
            assert [key for key, message in found.items() if message != expected[key]] == [], topic.name
            assert len(bus.read(topic.name, 0, 10**6)) == len(embedded.read(topic.name, 0, 10**6)), topic.name
        assert bus.read(DEAD.name, 0, 10) == embedded.read(DEAD.name, 0, 10) == []
    assert archived(tmp_path / "on_kafka") == archived(tmp_path / "embedded") != []


def archived(folder: Path) -> list[str]:
    import apsw

    db = apsw.Connection(str(folder / "archive.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return sorted(str(row[0]) for row in db.execute("SELECT id FROM alerts"))
    finally:
        db.close()
