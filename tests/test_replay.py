"""`tumen replay` and `tumen tail`: today's stages on yesterday's records give yesterday's alerts, and nothing live notices."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.fake_slack import fake_slack
from tumen import bus_embedded
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode, encode
from tumen.errors import ConfigError
from tumen.history import ends, parse_from, read_on, starts
from tumen.messages import Candidate, Item, Message, Tick
from tumen.pipeline import load_topology
from tumen.replay import ReplayClock, as_replay, first_moment, nodes_behind, replay, span
from tumen.runner import Node
from tumen.stage import Emit, Stage
from tumen.state import State
from tumen.topics import ALERTS, CANDIDATES, ITEMS, STORIES, TICKS, TOPICS, Topic

ROOT = Path(__file__).resolve().parents[1]
BEGIN = datetime(2024, 9, 14, 12, 0, tzinfo=UTC)


def tumen(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Without a translator: which of two languages is translated first is the machine's haste, and no replay can repeat that."""
    return subprocess.run(
        [sys.executable, "-m", "tumen", *arguments],
        cwd=ROOT,
        env={**os.environ, "TUMEN_METRICS_PORT": "0", "TUMEN_TRANSLATION_ENGINE": "none", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


# --- looking back ----------------------------------------------------------------------------------------------------------------------


def item(name: str, seen_at: datetime = BEGIN) -> Item:
    return Item(
        id=name, seen_at=seen_at, trace=name, article_id=name, source="https://a.example/rss", site="a.example", body="b", body_type="text"
    )


def tick(at: datetime) -> Tick:
    return Tick(id=at.isoformat(), seen_at=at, trace="t", at=at)


Publish = Callable[[Topic[Any], Message, datetime], None]


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EmbeddedBus, Publish]]:
    """A bus, and a way to write a record to it at a moment of the past."""
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        group = bus.join("writer", ())

        def publish(topic: Topic[Any], message: Message, at: datetime) -> None:
            with monkeypatch.context() as patch:
                patch.setattr(bus_embedded.time, "time", at.timestamp)
                group.commit({}, [encode(Emit(topic, message))], {})

        yield bus, publish
        group.close()


def test_a_date_is_found_among_the_records(past: tuple[EmbeddedBus, Publish]) -> None:
    bus, publish = past
    for minute in range(37):
        publish(ITEMS, item(f"i{minute}"), BEGIN + timedelta(minutes=minute))
        publish(TICKS, tick(BEGIN), BEGIN + timedelta(minutes=minute, seconds=30))

    def names(since: int | datetime) -> list[str]:
        begins = {"items": starts(bus, "items", since)}
        return [decode(ITEMS, record.value).id for record in read_on(bus, ["items"], begins)]

    everything = [f"i{minute}" for minute in range(37)]
    assert names(0) == names(1) == names(BEGIN - timedelta(days=9)) == everything
    for minute in range(37):
        assert names(BEGIN + timedelta(minutes=minute)) == everything[minute:]
        assert names(BEGIN + timedelta(minutes=minute, seconds=1)) == everything[minute + 1 :]
    offset = bus.read("items", 0, 100)[5].offset
    assert names(offset) == everything[5:]
    assert names(offset + 1) == everything[6:]
    assert names(BEGIN + timedelta(days=9)) == []
    after = ends(bus, "items")
    assert list(read_on(bus, ["items"], {"items": after})) == []
    publish(ITEMS, item("new"), BEGIN + timedelta(hours=1))
    assert [decode(ITEMS, record.value).id for record in read_on(bus, ["items"], {"items": after})] == ["new"]
    assert ends(bus, "alerts") == {0: 0}


def test_where_to_begin_is_an_offset_or_a_date() -> None:
    assert parse_from("start") == 0
    assert parse_from("1200") == 1200
    assert parse_from("2024-09-13") == datetime(2024, 9, 13, tzinfo=UTC)
    assert parse_from("2024-09-13T18:30+02:00") == datetime(2024, 9, 13, 16, 30, tzinfo=UTC)
    for bad in ("yesterday", "-3", "13.9.2024", "9" * 30):
        with pytest.raises(ConfigError, match="--from"):
            parse_from(bad)


# --- what a replay does ------------------------------------------------------------------------------------------------------------


def test_every_message_inside_a_message_is_of_the_replay() -> None:
    candidate = Candidate(id="c", seen_at=BEGIN, trace="t", realm="live", item=item("i"))
    again = as_replay(candidate)
    assert (again.realm, again.item.realm) == ("replay", "replay")
    assert again.model_copy(update={"realm": "live", "item": candidate.item}) == candidate


def listener(heard: list[str]) -> Node:
    """A stage that writes down what it meets, in order; it publishes what it was sent."""

    def process(message: Item, state: State) -> Iterable[Emit[Candidate]]:
        heard.append(message.id)
        return [Emit(CANDIDATES, Candidate(id=message.id, seen_at=message.seen_at, trace="t", realm=message.realm, item=message))]

    def on_tick(now: datetime, state: State) -> Iterable[Emit[Candidate]]:
        heard.append(f"{now:%H:%M:%S}")
        return ()

    return Node("listener", (ITEMS,), (CANDIDATES,), (), Stage(process, on_tick))


def run(source: EmbeddedBus, folder: Path, since: int | datetime, nodes: list[Node], tick_seconds: float = 60) -> list[Message]:
    chosen = span(source, "items", since)
    start = first_moment(source, chosen)
    assert start is not None
    with EmbeddedBus(folder / "replay.db") as target:
        replay(source, chosen, target, nodes, ReplayClock(start), tick_seconds=tick_seconds, told=lambda _: None)
        return [decode(CANDIDATES, record.value) for record in target.read("candidates", 0, 1000)]


def test_kept_ticks_pass_again_where_they_passed(past: tuple[EmbeddedBus, Publish], tmp_path: Path) -> None:
    bus, publish = past
    publish(TICKS, tick(BEGIN), BEGIN)
    publish(ITEMS, item("a"), BEGIN + timedelta(seconds=10))
    publish(ITEMS, item("b"), BEGIN + timedelta(seconds=20))
    publish(TICKS, tick(BEGIN + timedelta(seconds=60)), BEGIN + timedelta(seconds=60))
    publish(ITEMS, item("c"), BEGIN + timedelta(seconds=70))
    publish(TICKS, tick(BEGIN + timedelta(seconds=120)), BEGIN + timedelta(seconds=120))
    heard: list[str] = []
    candidates = run(bus, tmp_path, 0, [listener(heard)])
    assert heard == ["a", "b", "12:01:00", "c", "12:02:00"]
    assert {candidate.realm for candidate in candidates} == {"replay"}


def test_time_passes_where_the_ticks_are_forgotten(past: tuple[EmbeddedBus, Publish], tmp_path: Path) -> None:
    bus, publish = past
    publish(ITEMS, item("a"), BEGIN)
    publish(ITEMS, item("b"), BEGIN + timedelta(minutes=2, seconds=5))
    publish(TICKS, tick(BEGIN + timedelta(minutes=5)), BEGIN + timedelta(minutes=5))
    publish(ITEMS, item("c"), BEGIN + timedelta(minutes=9))
    heard: list[str] = []
    run(bus, tmp_path, 0, [listener(heard)])
    assert heard == ["a", "12:01:00", "12:02:00", "b", "12:05:00", "c"]


def test_what_comes_in_while_it_replays_is_not_replayed(past: tuple[EmbeddedBus, Publish], tmp_path: Path) -> None:
    bus, publish = past
    for number in range(120):
        publish(ITEMS, item(f"{number}"), BEGIN)

    def process(message: Item, state: State) -> Iterable[Emit[Candidate]]:
        publish(ITEMS, item(f"new {message.id}"), BEGIN)
        return [Emit(CANDIDATES, Candidate(id=message.id, seen_at=BEGIN, trace="t", realm=message.realm, item=message))]

    candidates = run(bus, tmp_path, 0, [Node("busy", (ITEMS,), (CANDIDATES,), (), Stage(process))])
    assert [candidate.id for candidate in candidates] == [str(number) for number in range(120)]


def test_an_unreadable_record_is_buried_again_and_holds_up_nothing(past: tuple[EmbeddedBus, Publish], tmp_path: Path) -> None:
    bus, publish = past
    publish(ITEMS, item("a"), BEGIN)
    group = bus.join("vandal", ())
    group.commit({}, [bus_embedded.Output("items", "k", b"not json")], {})
    group.close()
    publish(ITEMS, item("b"), BEGIN + timedelta(seconds=1))
    heard: list[str] = []
    run(bus, tmp_path, 0, [listener(heard)], tick_seconds=1e9)
    assert sorted(heard) == ["a", "b"]
    with EmbeddedBus(tmp_path / "replay.db") as target:
        assert len(target.read("dead", 0, 10)) == 1


def test_no_sink_that_speaks_to_anybody_takes_part() -> None:
    topology = load_topology()
    behind = nodes_behind(topology, "items", sinks=True)
    assert {"screen", "clean", "dedupe", "translate", "tag", "stories", "archive"} <= behind
    assert not behind & {"slack", "console", "metrics", "feeds", "files", "ticker"}
    assert nodes_behind(topology, "tagged", sinks=False) == {"stories"}
    with pytest.raises(ConfigError, match="--topic"):
        nodes_behind(topology, "alerts", sinks=True)


# --- the sample wire, replayed ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("played")
    done = tumen("run", "--samples", "--data", str(data), "--speed", "20", "--until-quiet")
    assert done.returncode == 0, done.stderr
    return data


def live_rows(data: Path) -> list[tuple[Any, ...]]:
    """Everything that the live bus holds: records, positions, state, fences."""
    db = apsw.Connection(str(data / "bus.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = ("log", "positions", "state", "fences")
        return [row for table in tables for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
    finally:
        db.close()


def replays(data: Path) -> set[Path]:
    return set((data / "replay").iterdir()) if (data / "replay").is_dir() else set()


def test_a_replay_gives_the_alerts_of_the_day_and_the_day_does_not_notice(played: Path, tmp_path: Path) -> None:
    before, there = live_rows(played), replays(played)
    told = tumen("tail", "alerts", "--from", "start", "--once", "--bare", "--data", str(played))
    assert len(told.stdout.splitlines()) >= 10
    with fake_slack() as slack:
        settings = tmp_path / "tumen.toml"
        settings.write_text(
            f'[slack]\nwebhook = "{slack.webhook}"\nhost = "{slack.host}"\n[http]\nallow_private = ["127.0.0.1:{slack.site.port}"]\n',
            encoding="utf-8",
        )
        done = tumen("--settings", str(settings), "replay", "--from", "start", "--data", str(played))
        assert slack.asked == []
    assert done.returncode == 0, done.stderr
    assert done.stdout == told.stdout
    assert live_rows(played) == before
    (folder,) = replays(played) - there
    with EmbeddedBus(folder / "bus.db") as bus:
        for topic in (ITEMS, STORIES, ALERTS):
            assert {decode(topic, record.value).realm for record in bus.read(topic.name, 0, 10**6)} == {"replay"}, topic.name
    listed = tumen("alerts", "list", "--json", "--limit", "1000", "--data", str(folder))
    assert {json.loads(line)["realm"] for line in listed.stdout.splitlines()} == {"replay"}
    assert len(listed.stdout.splitlines()) == len(told.stdout.splitlines())


def test_two_replays_say_the_same_to_the_byte(played: Path) -> None:
    one, two = (tumen("replay", "--from", "start", "--json", "--data", str(played)) for _ in range(2))
    assert one.stdout == two.stdout
    assert json.loads(one.stdout.splitlines()[0])["realm"] == "replay"


def test_without_alerts_nothing_is_listed_or_archived(played: Path) -> None:
    there = replays(played)
    done = tumen("replay", "--from", "start", "--no-alerts", "--data", str(played))
    assert (done.returncode, done.stdout) == (0, "")
    assert "alerts" in done.stderr
    (folder,) = replays(played) - there
    assert not (folder / "archive.db").exists()
    with EmbeddedBus(folder / "bus.db") as bus:
        assert bus.read("stories", 0, 1)


def test_from_the_middle_only_what_came_then(played: Path) -> None:
    with EmbeddedBus(played / "bus.db") as bus:
        records = bus.read("items", 0, 10**6)
    there = replays(played)
    done = tumen("replay", "--from", str(records[len(records) // 2].offset), "--data", str(played))
    assert done.returncode == 0, done.stderr
    (folder,) = replays(played) - there
    with EmbeddedBus(folder / "bus.db") as bus:
        again = [decode(ITEMS, record.value).id for record in bus.read("items", 0, 10**6)]
    assert again == [decode(ITEMS, record.value).id for record in records[len(records) // 2 :]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "2199-01-01"), "holds nothing from there on"),
        (("--from", "soon"), "--from = 'soon'"),
        (("--from", "start", "--topic", "alerts"), "--topic = 'alerts': expected one of items"),
    ],
)
def test_what_cannot_be_meant_is_one_line(played: Path, arguments: tuple[str, ...], says: str) -> None:
    there = replays(played)
    done = tumen("replay", *arguments, "--data", str(played))
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert replays(played) == there


def test_no_bus_is_made_by_looking(tmp_path: Path) -> None:
    for command in (("replay", "--from", "start"), ("tail", "items", "--once")):
        done = tumen(*command, "--data", str(tmp_path / "nothing"))
        assert done.returncode == 2
        assert "no bus there yet" in done.stderr
    assert not (tmp_path / "nothing").exists()


# --- tail --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", list(TOPICS))
def test_every_topic_can_be_read(played: Path, topic: str) -> None:
    with EmbeddedBus(played / "bus.db") as bus:
        records = bus.read(topic, 0, 10**6)
    look = ("tail", topic, "--from", "start", "--once", "--data", str(played))
    lines = tumen(*look).stdout.splitlines()
    assert len(lines) == len(records)
    shown = [json.loads(line) for line in tumen(*look, "--json").stdout.splitlines()]
    assert [(one["offset"], one["key"]) for one in shown] == [(record.offset, record.key) for record in records]
    assert [one["message"] for one in shown] == [json.loads(record.value) for record in records]
    assert all(record_line.split()[2] != "(unreadable:" for record_line in lines)


def test_tail_follows_and_shows_what_it_cannot_read(tmp_path: Path) -> None:
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        group = bus.join("writer", ())
        group.commit({}, [encode(Emit(ITEMS, item("old")))], {})
        command = [sys.executable, "-m", "tumen", "tail", "items", "--data", str(tmp_path)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        try:
            assert process.stdout is not None
            lines: list[str] = []
            reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))  # type: ignore[union-attr]
            reader.start()
            hostile = item("new").model_copy(update={"title": "a\x1b[31mred\r\nline"})
            deadline = 60
            while len(lines) < 2 and deadline:
                group.commit({}, [encode(Emit(ITEMS, hostile)), bus_embedded.Output("items", "k", b"\xff")], {})
                reader.join(1.0)
                deadline -= 1
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()  # type: ignore[union-attr]
        group.close()
    assert "new | a.example | a[31mred line" in lines[0]
    assert "(unreadable: not a Item" in lines[1]
    assert not any("old" in line for line in lines)
