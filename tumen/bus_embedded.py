"""The embedded bus: one SQLite file that any number of threads and processes of one machine share.

Exactly once inside the file: offsets, outputs and state of a batch are one transaction (``BEGIN IMMEDIATE``, WAL, ``synchronous=FULL``).
Through apsw, which carries its own current SQLite: the system's may have the WAL-reset bug (sqlite.org/wal.html#walresetbug), and two
copies of SQLite in one process drop each other's POSIX locks, so the standard library's module is banned here.

Offsets are global (one AUTOINCREMENT column over all topics), so a reader of several topics sees them in the order they were committed,
and an offset is never used twice, whatever has been trimmed.
"""

import fcntl
import heapq
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from tumen.bus import Fenced, Offsets, Output, Record
from tumen.errors import Refused, Unavailable

APPLICATION_ID = 0x54756D65  # "Tume": tells our file from any other SQLite file
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE log(offset INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, at REAL NOT NULL);
CREATE INDEX log_by_topic ON log(topic, offset);
CREATE TABLE positions(grp TEXT NOT NULL, topic TEXT NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY(grp, topic)) WITHOUT ROWID;
CREATE TABLE state(grp TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(grp, key)) WITHOUT ROWID;
CREATE TABLE fences(grp TEXT PRIMARY KEY, fence INTEGER NOT NULL) WITHOUT ROWID;
"""
_SCAN_PAGE = 256


def _all(db: apsw.Connection, sql: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
    """Every row; the columns' types are those of `_SCHEMA`."""
    return db.execute(sql, bindings).fetchall()


def _open(path: Path | None) -> apsw.Connection:
    db = apsw.Connection(":memory:" if path is None else str(path))
    db.set_busy_timeout(10_000)
    db.execute("PRAGMA foreign_keys=ON; PRAGMA mmap_size=0; PRAGMA synchronous=FULL")
    return db


def _prepare(db: apsw.Connection, path: Path | None) -> None:
    """Create or check the file.  Raises `Refused` for a file that is corrupt, newer, or not Tumen's; it is never touched then."""
    where = path or ":memory:"
    try:
        application = db.pragma("application_id")
        version = db.pragma("user_version")
        tables = db.execute("SELECT count(*) FROM sqlite_schema").get
        if tables and application != APPLICATION_ID:
            raise Refused(f"{where}: not a Tumen bus file (it holds other tables); name another file under [bus] in tumen.toml")
        if version > SCHEMA_VERSION:
            raise Refused(
                f"{where}: written by a newer Tumen (schema {version}, this one knows {SCHEMA_VERSION}); upgrade, or name another file"
            )
        if tables:
            finding = db.execute("PRAGMA quick_check(1)").get
            if finding != "ok":
                raise Refused(f"{where}: corrupt ({finding}); nothing was changed: restore a copy, or move the file away to start afresh")
        db.pragma("journal_mode", "wal")
        db.pragma("journal_size_limit", 64 * 1024 * 1024)
        if not tables:
            with _Immediate(db):
                if not db.execute("SELECT count(*) FROM sqlite_schema").get:
                    db.execute(_SCHEMA)
                    db.pragma("application_id", APPLICATION_ID)
                    db.pragma("user_version", SCHEMA_VERSION)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Refused(f"{where}: corrupt ({error}); nothing was changed: restore a copy, or move the file away to start afresh") from None
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError) as error:
        raise Refused(f"{where}: cannot be used ({error}); the folder must be on a local disk and writable") from None


class _Immediate:
    """``BEGIN IMMEDIATE`` … ``COMMIT``, or ``ROLLBACK`` on any exception.  A stale snapshot cannot fail half-way (reliability of WAL)."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # the body failed, or the commit itself did (a full disk)
                self._db.execute("ROLLBACK")


class EmbeddedState:
    """A group's committed state."""

    def __init__(self, group: "EmbeddedGroup") -> None:
        self._group = group

    def get(self, key: str) -> bytes | None:
        with self._group.lock:
            row = self._group.db.execute("SELECT value FROM state WHERE grp=? AND key=?", (self._group.name, key)).fetchone()
        return None if row is None else bytes(row[0])

    def scan(self, prefix: str, *, start: str = "", limit: int | None = None) -> Iterator[tuple[str, bytes]]:
        """In pages: no read transaction stays open while the caller thinks (a long reader keeps the WAL from being checkpointed)."""
        low, left, inclusive = max(prefix, start), limit, True
        while left is None or left > 0:
            page = _SCAN_PAGE if left is None else min(_SCAN_PAGE, left)
            compare = ">=" if inclusive else ">"
            with self._group.lock:
                rows = _all(
                    self._group.db,
                    f"SELECT key, value FROM state WHERE grp=? AND key{compare}? ORDER BY key LIMIT ?",  # noqa: S608 - one of two constants
                    (self._group.name, low, page),
                )
            for key, value in rows:
                if not key.startswith(prefix):
                    return
                yield key, bytes(value)
            if len(rows) < page:
                return
            low, inclusive = rows[-1][0], False
            left = None if left is None else left - len(rows)


class EmbeddedGroup:
    """A stage group's hold on the bus (see `tumen.bus.Group`).  Use it from one thread at a time."""

    def __init__(self, bus: "EmbeddedBus", name: str, reads: Sequence[str], db: apsw.Connection, lock_file: int | None) -> None:
        self.name = name
        self.max_bytes: int | None = None
        self.db = db
        self.lock = bus.shared_lock if db is bus.shared else threading.RLock()
        self.state = EmbeddedState(self)
        self._bus, self._lock_file = bus, lock_file
        with self.lock, bus.write_lock, _Immediate(db):
            db.execute("INSERT INTO fences VALUES(?, 1) ON CONFLICT(grp) DO UPDATE SET fence=fence+1", (name,))
            self._fence = db.execute("SELECT fence FROM fences WHERE grp=?", (name,)).get
            for topic in reads:
                db.execute("INSERT OR IGNORE INTO positions VALUES(?, ?, 0)", (name, topic))

    def state_of(self, share: int) -> EmbeddedState:
        return self.state

    def shares(self) -> Mapping[int, int]:
        return {0: self._fence}

    def share_of(self, record: Record) -> int:
        return 0

    def position(self, topic: str, partition: int = 0) -> int:
        with self.lock:
            row = self.db.execute("SELECT offset FROM positions WHERE grp=? AND topic=?", (self.name, topic)).fetchone()
        return 0 if row is None else int(row[0])

    def fetch(self, topics: Sequence[str], limit: int) -> list[Record]:
        found = [self._bus.read_on(self.db, self.lock, topic, self.position(topic), limit) for topic in topics]
        return list(heapq.merge(*found, key=lambda record: record.offset))[:limit]

    def commit(
        self,
        offsets: Offsets,
        outputs: Sequence[Output],
        writes: Mapping[str, bytes | None],
        share: int | None = None,
        hold: int | None = None,
    ) -> None:
        """One transaction.  Raises `Fenced`, and `Unavailable` when the disk is full or the file stays busy: nothing was written then."""
        at = time.time()
        try:
            with self.lock, self._bus.write_lock, _Immediate(self.db):
                if self.db.execute("SELECT fence FROM fences WHERE grp=?", (self.name,)).get != self._fence:
                    raise Fenced(self.name)
                for (topic, _), offset in offsets.items():
                    self.db.execute(
                        "INSERT INTO positions VALUES(?, ?, ?) ON CONFLICT(grp, topic) DO UPDATE SET offset=max(offset, excluded.offset)",
                        (self.name, topic, offset),
                    )
                self.db.executemany(
                    "INSERT INTO log(topic, key, value, at) VALUES(?, ?, ?, ?)", [(out.topic, out.key, out.value, at) for out in outputs]
                )
                for key, value in writes.items():
                    if value is None:
                        self.db.execute("DELETE FROM state WHERE grp=? AND key=?", (self.name, key))
                    else:
                        self.db.execute("INSERT OR REPLACE INTO state VALUES(?, ?, ?)", (self.name, key, value))
        except (apsw.FullError, apsw.BusyError, apsw.IOError, apsw.ReadOnlyError) as error:
            raise Unavailable(f"the bus could not be written: {error}") from error
        self._bus.notify()

    def lag(self, topic: str) -> int:
        with self.lock:
            rows = _all(self.db, "SELECT count(*) FROM log WHERE topic=? AND offset>?", (topic, self.position(topic)))
        return int(rows[0][0])

    def close(self) -> None:
        if self.db is not self._bus.shared:
            self.db.close()
        if self._lock_file is not None:
            os.close(self._lock_file)  # gives the lock back
            self._lock_file = None


class EmbeddedBus:
    """See `tumen.bus.Bus`.  `path` None keeps everything in memory, for one process and one run (``tumen analyze``)."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Refused(
                    f"{path.parent}: this data folder cannot be made ({error.strerror}); name another under data in tumen.toml"
                ) from None
        self.shared_lock = threading.RLock()
        self.write_lock = threading.RLock()  # our own threads queue here, not in SQLite's busy handler, which sleeps and is not fair
        try:
            self.shared = _open(path)
        except apsw.CantOpenError as error:
            raise Refused(f"{path}: cannot be opened ({error}); the folder must be on a local disk and writable") from None
        _prepare(self.shared, path)
        self._changed = threading.Condition()
        self._commits = 0

    def join(self, group: str, reads: Sequence[str]) -> EmbeddedGroup:
        if self._path is None:
            return EmbeddedGroup(self, group, reads, self.shared, None)
        lock_file = self._lock(group)
        try:
            return EmbeddedGroup(self, group, reads, _open(self._path), lock_file)
        except BaseException:
            os.close(lock_file)  # no group, no lock
            raise

    def _lock(self, group: str) -> int:
        assert self._path is not None
        folder = self._path.with_name(self._path.name + ".locks")
        folder.mkdir(exist_ok=True)
        file = os.open(folder / f"{group}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
            os.close(file)
            raise Refused(
                f"{self._path}: another Tumen (process {holder or 'unknown'}) already runs '{group}' on this bus; stop it first"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
        return file

    def lags(self, topic: str) -> dict[str, int]:
        with self.shared_lock:
            rows = _all(
                self.shared,
                "SELECT grp, (SELECT count(*) FROM log WHERE log.topic=positions.topic AND log.offset>positions.offset) "
                "FROM positions WHERE topic=?",
                (topic,),
            )
        return {str(group): int(lag) for group, lag in rows}

    def notify(self) -> None:
        with self._changed:
            self._commits += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Commits of other processes are not seen here: the caller looks again after `timeout` anyway."""
        deadline = self._clock() + timeout
        with self._changed:
            while self._commits == seen and (left := deadline - self._clock()) > 0:
                self._changed.wait(left)
            return self._commits

    def alive(self) -> None:
        """Raises `Unavailable` when the file cannot be read (a disk that has gone)."""
        try:
            with self.shared_lock:
                _all(self.shared, "SELECT 1 FROM fences LIMIT 1")
        except apsw.Error as error:
            raise Unavailable(f"the bus could not be read: {error}") from error

    def losses(self) -> dict[tuple[str, str], int]:
        """None: `trim` never passes a group."""
        return {}

    def wake(self) -> None:
        self.notify()

    def partitions(self, topic: str) -> int:
        return 1

    def read(self, topic: str, after: int, limit: int, partition: int | None = None) -> list[Record]:
        return self.read_on(self.shared, self.shared_lock, topic, after, limit)

    @staticmethod
    def read_on(db: apsw.Connection, lock: threading.RLock, topic: str, after: int, limit: int) -> list[Record]:
        sql = "SELECT offset, key, value, at FROM log WHERE topic=? AND offset>? ORDER BY offset LIMIT ?"
        with lock:
            rows = _all(db, sql, (topic, after, limit))
        return [Record(topic, offset, key, bytes(value), at) for offset, key, value, at in rows]

    def trim(self, topic: str, older_than: float, *, compact: bool) -> int:
        """See `tumen.bus.Bus.trim`.  A topic that no group reads keeps everything (the dead letters wait for a person)."""
        newest_of_key = "AND offset NOT IN (SELECT max(offset) FROM log WHERE topic=:topic GROUP BY key)" if compact else ""
        with self.shared_lock, self.write_lock, _Immediate(self.shared):
            handled = self.shared.execute("SELECT min(offset) FROM positions WHERE topic=?", (topic,)).get
            if handled is None:
                return 0
            self.shared.execute(
                f"DELETE FROM log WHERE topic=:topic AND offset<=:handled AND at<:older_than {newest_of_key}",  # noqa: S608 - a constant
                {"topic": topic, "handled": handled, "older_than": older_than},
            )
            return self.shared.changes()

    def close(self) -> None:
        self.shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
