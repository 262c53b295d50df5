"""The archive: each alert once, each story in its newest version, a foreign file left alone; and what `tumen alerts` makes of it."""

import importlib
import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from sinks import archive
from tests.alertkit import NOW, alert, evidence, kit, story
from tests.fake_slack import FakeSlack, fake_slack, word
from tumen.alerts import list_alerts, send_test
from tumen.bus_embedded import EmbeddedBus
from tumen.delivery import SinkGateway
from tumen.errors import ConfigError, Refused, Unavailable
from tumen.messages import Quantity
from tumen.pipeline import Declared, Topology
from tumen.runner import Node, make_runner, settle
from tumen.stage import Attempt, Sink
from tumen.testing import CRASH, Clock, Counts, Killed, drive, killed_at, output_for


@contextmanager
def opened(folder: Path) -> Iterator[Sink]:
    sink = archive.build(archive.Config(), kit(folder))
    try:
        yield sink
    finally:
        sink.close()


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    db = apsw.Connection(str(folder / "archive.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def put(folder: Path, *messages: Any) -> None:
    with opened(folder) as sink:
        for message in messages:
            sink.deliver(message, Attempt())


def test_an_alert_is_there_once_with_everything_a_query_needs(tmp_path: Path) -> None:
    put(tmp_path, alert("a"), alert("b", flags=("untranslated",)), alert("a"))
    put(tmp_path, alert("a", title="delivered again by another process"))
    assert rows(tmp_path, "SELECT id, title, origins, realm FROM alerts ORDER BY id") == [
        ("a", "Il ministro in visita a Rason", 2, "live"),
        ("b", "Il ministro in visita a Rason", 2, "live"),
    ]
    assert rows(tmp_path, "SELECT alerts.id FROM alerts, json_each(alerts.flags) AS flag WHERE flag.value='untranslated'") == [("b",)]
    ((text, english),) = rows(tmp_path, "SELECT evidence, evidence_english FROM alerts WHERE id='a'")
    assert (text, english) == (alert().evidence[0].text, alert().evidence[0].translation)


def test_a_story_is_there_in_its_newest_version_with_all_its_articles_and_mentions(tmp_path: Path) -> None:
    third = story(version=3)
    counted = third.mentions[0].model_copy(update={"quantity": Quantity(text="sei treni", number=6, item="treni")})
    put(tmp_path, story(version=1), third.model_copy(update={"mentions": (counted,)}), story(version=2), story("other"))
    assert rows(tmp_path, "SELECT id, version, origins, at FROM stories ORDER BY id") == [
        ("other", 1, 1, "2024-09-13"),
        ("s", 3, 3, "2024-09-13"),
    ]
    assert rows(tmp_path, "SELECT id FROM articles WHERE story='s' ORDER BY id") == [("article 1",), ("article 3",)]
    assert rows(tmp_path, "SELECT number, item FROM mentions WHERE story='s' AND number > 5") == [(6.0, "treni")]


def test_the_same_version_seen_later_wins(tmp_path: Path) -> None:
    later = story(event_line="later", last_seen=NOW + timedelta(minutes=1))
    put(tmp_path, later, story(event_line="earlier"))
    assert rows(tmp_path, "SELECT event_line FROM stories") == [("later",)]


def test_it_is_durable_and_read_while_it_is_written(tmp_path: Path) -> None:
    with opened(tmp_path) as sink:
        sink.deliver(alert("a"), Attempt())
        reader = apsw.Connection(str(tmp_path / "archive.db"), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM alerts").get == 1
        sink.deliver(alert("b"), Attempt())
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM alerts").get == 2
        assert reader.pragma("journal_mode") == "wal"
        reader.close()
        db = sink.deliver.__self__._db  # type: ignore[attr-defined]
        assert db.pragma("synchronous") == 2


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    with opened(tmp_path / "data"):
        pass
    assert not (tmp_path / "data").exists()


def foreign(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE other(x)")
    db.close()


def newer(path: Path) -> None:
    put(path.parent, alert())
    db = apsw.Connection(str(path))
    db.pragma("user_version", 99)
    db.close()


def broken(path: Path) -> None:
    put(path.parent, *(alert(str(number)) for number in range(50)))
    raw = bytearray(path.read_bytes())
    raw[4096:12288] = b"\xa5" * 8192
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b"not a database" * 1000), "corrupt"),
        (lambda path: path.write_bytes(b""), "not an archive"),
        (foreign, "not an archive"),
        (newer, "newer Tumen"),
        (broken, "corrupt"),
    ],
)
def test_a_file_that_is_not_ours_or_not_whole_is_refused_and_left_alone(tmp_path: Path, spoil: Any, says: str) -> None:
    path = tmp_path / "archive.db"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(Refused, match=says):
        archive.build(archive.Config(), kit(tmp_path))
    assert [finding.state for finding in archive.doctor(kit(tmp_path).settings)] == ["broken"]
    assert path.read_bytes() == before


def test_the_doctor_is_content_with_an_archive_and_with_none(tmp_path: Path) -> None:
    assert [finding.state for finding in archive.doctor(kit(tmp_path).settings)] == ["ok"]
    put(tmp_path, alert())
    assert [finding.state for finding in archive.doctor(kit(tmp_path).settings)] == ["ok"]


def test_a_half_made_file_of_a_process_that_died_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "archive.db.new").write_bytes(b"half")
    put(tmp_path, alert())
    assert rows(tmp_path, "SELECT count(*) FROM alerts") == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".new") == []


def test_a_busy_file_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    put(tmp_path, alert("a"))
    with opened(tmp_path) as sink:
        sink.deliver.__self__._db.set_busy_timeout(50)  # type: ignore[attr-defined]
        other = apsw.Connection(str(tmp_path / "archive.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as error:
            sink.deliver(alert("b"), Attempt())
        assert not error.value.route
        other.execute("ROLLBACK")
        other.close()
        sink.deliver(alert("b"), Attempt())
    assert rows(tmp_path, "SELECT count(*) FROM alerts") == [(2,)]


def archive_node(folder: Path) -> Node:
    sink = archive.build(archive.Config(), kit(folder))
    return Node("archive", archive.SPEC.reads, (), archive.SPEC.reasons, SinkGateway("archive", archive.SPEC, sink))


def test_a_crash_at_every_single_statement_archives_the_alert_once(tmp_path: Path) -> None:
    """The bus's and the archive's statements, from the same start each time; then another process goes on to the end."""
    before = tmp_path / "before"
    with EmbeddedBus(before / "bus.db") as bus:
        bus.join("writer", ()).commit({}, [output_for(archive_node(before), alert("a"))], {})
    for statement in itertools.count(1):
        folder = tmp_path / str(statement)
        shutil.copytree(before, folder)
        died = dies_at(statement, folder)
        drive(lambda folder=folder: archive_node(folder), [], folder)  # type: ignore[misc]
        assert rows(folder, "SELECT id FROM alerts") == [("a",)], statement
        shutil.rmtree(folder)
        if not died:
            break
    assert statement > 60


def dies_at(statement: int, folder: Path) -> bool:
    try:
        with killed_at(statement), EmbeddedBus(folder / "bus.db") as bus:
            runner = make_runner(archive_node(folder), bus, Counts(), Clock(NOW).clocks, batch=10, max_lag=100)
            try:
                settle([runner])
            finally:
                runner.close()
    except Killed:
        return True
    return False


def test_crash_as_an_input(tmp_path: Path) -> None:
    drive(lambda: archive_node(tmp_path), [alert("a"), CRASH, alert("b"), story(), alert("c"), CRASH], tmp_path)
    assert rows(tmp_path, "SELECT count(*) FROM mentions") == [(1,)]
    assert rows(tmp_path, "SELECT id FROM alerts ORDER BY id") == [("a",), ("b",), ("c",)]


# --- tumen alerts ------------------------------------------------------------------------------------------------------------------


def test_the_newest_alerts_first_and_only_those_asked_for(tmp_path: Path) -> None:
    put(
        tmp_path,
        *(alert(f"day {day}", seen_at=NOW - timedelta(days=day), realm="sample" if day == 2 else "live") for day in range(4)),
        alert("arms", event="arms", seen_at=NOW - timedelta(days=9)),
    )
    file = tmp_path / "archive.db"

    def ids(**more: Any) -> list[str]:
        return [row.as_json()["id"] for row in list_alerts(file, limit=more.pop("limit", 100), **more)]

    assert ids() == ["day 0", "day 1", "day 2", "day 3", "arms"]
    assert ids(limit=2) == ["day 0", "day 1"]
    assert ids(since="2024-09-12") == ["day 0", "day 1", "day 2"]
    assert ids(event="arms") == ["arms"]
    assert ids(realm="sample") == ["day 2"]
    assert [row.line() for row in list_alerts(file, limit=9, realm="sample")] == [
        f"2024-09-12 12:00  [SAMPLE] {alert().event_line}  (new, stated as fact)"
    ]
    assert json.loads(json.dumps(next(iter(list_alerts(file, limit=1))).as_json()))["evidence"][0]["in"] == "text"


def test_a_terminal_escape_in_the_news_does_nothing_in_a_listing(tmp_path: Path) -> None:
    put(tmp_path, alert(event_line="\x1b[2Jgone"))
    (row,) = list_alerts(tmp_path / "archive.db", limit=1)
    assert "\x1b" not in row.line()


@pytest.mark.parametrize(
    ("more", "finding"),
    [
        ({"since": "yesterday"}, "--since = 'yesterday': expected a date like"),
        ({"event": "party"}, "--event = 'party': expected one of arms, "),
        ({}, r"archive\.db: no archive there yet"),
    ],
)
def test_a_wrong_question_is_named(tmp_path: Path, more: dict[str, str], finding: str) -> None:
    with pytest.raises(ConfigError, match=finding):
        list(list_alerts(tmp_path / "archive.db", limit=1, **more))


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "archive.db").write_bytes(b"nonsense" * 500)
    with pytest.raises(ConfigError, match="expected an archive"):
        list(list_alerts(tmp_path / "archive.db", limit=1))


def people() -> Topology:
    """The sinks, as the real topology names them."""
    names = ("archive", "console", "slack", "metrics")
    modules: list[Any] = [importlib.import_module(f"sinks.{name}") for name in names]
    return Topology(tuple(Declared(name, module, module.SPEC, module.Config()) for name, module in zip(names, modules, strict=True)))


@pytest.fixture
def fake() -> Iterator[FakeSlack]:
    with fake_slack() as slack:
        yield slack


def test_a_test_alert_goes_to_people_says_so_and_to_nobody_else(fake: FakeSlack, tmp_path: Path) -> None:
    printed: list[str] = []
    own = kit(tmp_path / "data", webhook=fake.webhook, host=fake.host, http=fake.site.http(), echo=printed.append)
    assert send_test(people(), own, NOW) == [("console", "delivered"), ("slack", "delivered")]
    assert "TEST" in fake.taken[0]["blocks"][0]["text"]["text"]
    assert "TEST" in printed[0]
    assert not (tmp_path / "data").exists()


def test_a_test_says_what_is_off_and_what_is_wrong(fake: FakeSlack, tmp_path: Path) -> None:
    assert dict(send_test(people(), kit(tmp_path), NOW))["slack"] == "off"
    fake.script = [word("no_service", "404 Not Found")]
    own = kit(tmp_path, webhook=fake.webhook, host=fake.host, http=fake.site.http())
    assert "no_service" in dict(send_test(people(), own, NOW))["slack"]


def test_evidence_may_be_missing(tmp_path: Path) -> None:
    put(tmp_path, alert("none", evidence=()), alert("two", evidence=(evidence("uno", None), evidence("due", "two"))))
    assert rows(tmp_path, "SELECT evidence, evidence_english FROM alerts ORDER BY id") == [(None, None), ("uno", None)]
