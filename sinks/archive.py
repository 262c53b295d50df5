"""What has been told and what is known, as a SQLite file for queries: tables alerts, stories, articles, mentions.

    SELECT seen_at, event_line, title_english FROM alerts WHERE event='arms' AND stance='alleged' ORDER BY seen_at;
    SELECT at, number, item, says FROM mentions WHERE number IS NOT NULL;

Idempotent by id: an alert is there exactly once however often it is delivered, a story in its newest version.  Lists are JSON columns
(SQLite's ``json_each`` opens them); `message` is the whole message, as it was on the bus.
Through apsw, like the bus: two copies of SQLite in one process drop each other's POSIX locks.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from tumen.errors import Refused, Unavailable
from tumen.messages import Alert, Frozen, Mention, Story
from tumen.settings import Settings
from tumen.stage import Attempt, Finding, Kit, Sink, SinkSpec
from tumen.topics import ALERTS, STORIES

SPEC = SinkSpec(reads=(STORIES, ALERTS), local=True)

FILE = "archive.db"
APPLICATION_ID = 0x54754172  # "TuAr": tells our file from any other SQLite file
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE alerts(
    id TEXT PRIMARY KEY, story TEXT NOT NULL, realm TEXT NOT NULL, seen_at TEXT NOT NULL, archived_at TEXT NOT NULL,
    event TEXT NOT NULL, change TEXT NOT NULL, change_text TEXT NOT NULL, event_line TEXT NOT NULL,
    direction TEXT NOT NULL, stance TEXT NOT NULL, says TEXT,
    title TEXT NOT NULL, title_english TEXT, language TEXT, evidence TEXT, evidence_english TEXT,
    source TEXT NOT NULL, url TEXT, published TEXT, articles INTEGER NOT NULL, origins INTEGER NOT NULL,
    actors TEXT NOT NULL, flags TEXT NOT NULL, message TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX alerts_by_time ON alerts(seen_at);
CREATE INDEX alerts_by_story ON alerts(story);
CREATE TABLE stories(
    id TEXT PRIMARY KEY, realm TEXT NOT NULL, version INTEGER NOT NULL, event TEXT NOT NULL, events TEXT NOT NULL,
    event_line TEXT NOT NULL, place TEXT, at TEXT, origins INTEGER NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL,
    actors TEXT NOT NULL, message TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE articles(
    story TEXT NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL, url TEXT, title TEXT NOT NULL, language TEXT,
    origin TEXT, copy_of TEXT, published TEXT, PRIMARY KEY(story, id)) WITHOUT ROWID;
CREATE TABLE mentions(
    story TEXT NOT NULL, id TEXT NOT NULL, event TEXT NOT NULL, direction TEXT NOT NULL, stance TEXT NOT NULL, role TEXT NOT NULL,
    says TEXT, place TEXT, quantity TEXT, number REAL, unit TEXT, item TEXT, at_text TEXT, at TEXT,
    evidence_in TEXT NOT NULL, evidence TEXT NOT NULL, evidence_start INTEGER NOT NULL, evidence_end INTEGER NOT NULL,
    evidence_english TEXT, confidence REAL NOT NULL, actors TEXT NOT NULL, PRIMARY KEY(story, id)) WITHOUT ROWID;
"""


class Config(Frozen):
    """Nothing to set: the archive lies in the data folder."""


def build(config: Config, kit: Kit) -> Sink:  # noqa: ARG001 - every node is built with its config
    """Raises `Refused` for a file that is corrupt, of a newer Tumen, or not an archive; it is never touched then."""
    archive = Archive(kit.data / FILE, kit.now)
    return Sink(archive.deliver, close=archive.close)


def doctor(settings: Settings) -> Iterable[Finding]:
    """What `tumen doctor` says of the archive."""
    path = settings.data / FILE
    if not path.exists():
        return [Finding("archive", "ok", f"{path} will be made by the first alert")]
    try:
        _opened(path).close()
    except Refused as error:
        return [Finding("archive", "broken", str(error))]
    return [Finding("archive", "ok", f"{path}, {path.stat().st_size / 1e6:.1f} MB")]


class Archive:
    """The file.  It is made by the first delivery, so that looking at a topology leaves nothing behind."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path, self._now = path, now
        self._db: apsw.Connection | None = _opened(path) if path.exists() else None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def deliver(self, message: Alert | Story, _attempt: Attempt) -> None:
        """One transaction.  Raises `Unavailable` when the disk is full or the file stays busy, or when it has gone bad."""
        try:
            if self._db is None:
                _make(self._path)
                self._db = _opened(self._path)
            with _Immediate(self._db):
                if isinstance(message, Alert):
                    _insert(self._db, "alerts", _alert(message, self._now()), "DO NOTHING")
                else:
                    _put_story(self._db, message)
        except (apsw.FullError, apsw.BusyError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, OSError) as error:
            raise Unavailable(f"{self._path}: the archive could not be written: {error}") from None
        except (apsw.CorruptError, apsw.NotADBError, Refused) as error:
            raise Unavailable(f"{self._path}: the archive has gone bad ({error}): restore a copy, then restart", route=True) from None


class _Immediate:
    """``BEGIN IMMEDIATE`` … ``COMMIT``, or ``ROLLBACK`` on any exception."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _make(path: Path) -> None:
    """Under another name first: whoever sees the archive sees all its tables, even if the process dies here."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    for left in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm", "-journal"))):
        left.unlink(missing_ok=True)
    db = apsw.Connection(str(draft))
    try:
        db.execute("PRAGMA synchronous=FULL")
        with _Immediate(db):
            db.execute(_SCHEMA)
            db.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION}")
        db.pragma("journal_mode", "wal")
    finally:
        db.close()
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else a power cut could take the name away, and with it what the bus counts as delivered
    finally:
        os.close(folder)


def _opened(path: Path) -> apsw.Connection:
    """Raises `Refused`; the file is not touched then."""
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.CantOpenError as error:
        raise Refused(f"{path}: cannot be opened ({error}); the folder must be on a local disk and writable") from None
    try:
        db.set_busy_timeout(10_000)
        db.execute("PRAGMA mmap_size=0; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")
        application, version = db.pragma("application_id"), db.pragma("user_version")
        if application != APPLICATION_ID:
            raise Refused(f"{path}: not an archive of Tumen's; move it away, or name another data folder")
        if version > SCHEMA_VERSION:
            raise Refused(f"{path}: written by a newer Tumen (schema {version}, this one knows {SCHEMA_VERSION}); upgrade")
        finding = db.execute("PRAGMA quick_check(1)").get
        if finding != "ok":
            raise apsw.CorruptError(str(finding))
        db.pragma("journal_mode", "wal")
        db.pragma("journal_size_limit", 64 * 1024 * 1024)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        db.close()
        raise Refused(f"{path}: corrupt ({error}); nothing was changed: restore a copy, or move the file away to start afresh") from None
    except BaseException:
        db.close()
        raise
    return db


# --- rows --------------------------------------------------------------------------------------------------------------------------


def _insert(db: apsw.Connection, table: str, row: Mapping[str, Any], conflict: str) -> None:
    """`table`, the columns and `conflict` are this module's own constants."""
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    db.execute(f"INSERT INTO {table}({columns}) VALUES({values}) ON CONFLICT {conflict}", dict(row))


def _replacing(row: Mapping[str, Any], *key: str) -> str:
    """The conflict clause by which the newer row wins."""
    columns = ", ".join(f"{name}=excluded.{name}" for name in row if name not in key)
    return f"({', '.join(key)}) DO UPDATE SET {columns}"


def _alert(alert: Alert, now: datetime) -> dict[str, Any]:
    fields = ("id", "story", "realm", "change", "change_text", "event_line", "direction", "stance", "says", "title", "title_english")
    first = alert.evidence[0] if alert.evidence else None
    return {
        **{name: getattr(alert, name) for name in (*fields, "language", "source", "url", "articles", "origins")},
        "event": alert.event.value,
        "seen_at": _utc(alert.seen_at),
        "archived_at": _utc(now),
        "evidence": first.text if first else None,
        "evidence_english": first.translation if first else None,
        "published": _utc(alert.published_at) if alert.published_at else alert.published,
        "actors": _json(actor.model_dump(mode="json") for actor in alert.actors),
        "flags": _json(alert.flags),
        "message": alert.model_dump_json(by_alias=True),
    }


def _put_story(db: apsw.Connection, story: Story) -> None:
    """Nothing if a newer version is there.  A story's message holds its latest articles and mentions only: earlier ones stay."""
    row = {
        **{name: getattr(story, name) for name in ("id", "realm", "version", "event_line", "place", "origins")},
        "event": story.event.value,
        "events": _json(event.value for event in story.events),
        "at": story.when,
        "first_seen": _utc(story.first_seen),
        "last_seen": _utc(story.last_seen),
        "actors": _json(actor.model_dump(mode="json") for actor in story.actors),
        "message": story.model_dump_json(by_alias=True),
    }
    newer = " WHERE excluded.version > stories.version OR (excluded.version = stories.version AND excluded.last_seen >= stories.last_seen)"
    _insert(db, "stories", row, _replacing(row, "id") + newer)
    if not db.changes():
        return
    for article in story.articles:
        part: dict[str, Any] = {"story": story.id, "id": article.article_id, **article.model_dump(mode="json", exclude={"article_id"})}
        _insert(db, "articles", part, _replacing(part, "story", "id"))
    for mention in story.mentions:
        part = _mention(story.id, mention)
        _insert(db, "mentions", part, _replacing(part, "story", "id"))


def _mention(story: str, mention: Mention) -> dict[str, Any]:
    quantity, when, evidence = mention.quantity, mention.when, mention.evidence
    return {
        "story": story,
        **{name: getattr(mention, name) for name in ("id", "direction", "stance", "role", "says", "place", "confidence")},
        "event": mention.event.value,
        "quantity": quantity.text if quantity else None,
        "number": quantity.number if quantity else None,
        "unit": quantity.unit if quantity else None,
        "item": quantity.item if quantity else None,
        "at_text": when.text if when else None,
        "at": when.date if when else None,
        "evidence_in": evidence.in_,
        "evidence": evidence.text,
        "evidence_start": evidence.start,
        "evidence_end": evidence.end,
        "evidence_english": evidence.translation,
        "actors": _json(actor.model_dump(mode="json") for actor in mention.actors),
    }


def _json(values: Iterable[Any]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def _utc(at: datetime) -> str:
    """Sorts and compares as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
