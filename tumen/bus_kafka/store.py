"""The local copy of one share's state: rebuilt from its topic when the share is taken, gone when the process ends, however it ends."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apsw

_PAGE = 256


class Store:
    """A private temporary database (SQLite's empty file name): in memory until it grows, without a name that could outlive the process."""

    def __init__(self) -> None:
        self._db = apsw.Connection("")
        self._db.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384")
        self._db.execute("CREATE TABLE state(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def get(self, key: str) -> bytes | None:
        row = self._db.execute("SELECT value FROM state WHERE key=?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def scan(self, prefix: str, *, start: str = "", limit: int | None = None) -> Iterator[tuple[str, bytes]]:
        """In pages, so that the caller may write while it reads."""
        low, left, compare = max(prefix, start), limit, ">="
        while left is None or left > 0:
            page = _PAGE if left is None else min(_PAGE, left)
            rows: list[tuple[Any, ...]] = self._db.execute(
                f"SELECT key, value FROM state WHERE key{compare}? ORDER BY key LIMIT ?",  # noqa: S608 - one of two constants
                (low, page),
            ).fetchall()
            for key, value in rows:
                if not key.startswith(prefix):
                    return
                yield key, bytes(value)
            if len(rows) < page:
                return
            low, compare = rows[-1][0], ">"
            left = None if left is None else left - len(rows)

    def apply(self, writes: Mapping[str, bytes | None] | Iterable[tuple[str, bytes | None]]) -> None:
        """Committed writes, None for a deletion; of several of one key the last counts."""
        pairs = list(writes.items() if isinstance(writes, Mapping) else writes)
        if not pairs:
            return
        self._db.execute("BEGIN")
        for key, value in pairs:
            if value is None:
                self._db.execute("DELETE FROM state WHERE key=?", (key,))
            else:
                self._db.execute("INSERT OR REPLACE INTO state VALUES(?, ?)", (key, value))
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()
