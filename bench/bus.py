"""The embedded bus: a real stage through the real runner, beside the same transactions in bare SQL."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import apsw

from tumen.bus_embedded import EmbeddedBus
from tumen.codec import encode
from tumen.messages import Candidate, Item
from tumen.runner import Node, StageRunner
from tumen.stage import Emit, Out, Stage
from tumen.state import State
from tumen.testing import Clock, Counts
from tumen.topics import CANDIDATES, ITEMS

RECORDS, BATCH = 5_000, 100
NOW = datetime(2024, 9, 14, tzinfo=UTC)


def _item(number: int) -> Item:
    name = f"item{number}"
    return Item(id=name, seen_at=NOW, trace=name, article_id=name, source="f", site="s", title=name, body="x" * 700, body_type="text")


def _pass_on(item: Item, state: State) -> Iterable[Out]:
    state.put(f"seen/{item.id}", b"1")
    return [Emit(CANDIDATES, Candidate(id=item.id, seen_at=item.seen_at, trace=item.trace, item=item))]


def through_runner(path: Path) -> float:
    """Records a second: decode, process, encode, one commit a batch."""
    with EmbeddedBus(path) as bus:
        writer = bus.join("writer", ())
        for first in range(0, RECORDS, BATCH):
            writer.commit({}, [encode(Emit(ITEMS, _item(number))) for number in range(first, first + BATCH)], {})
        node = Node("bench", (ITEMS,), (CANDIDATES,), (), Stage(_pass_on))
        runner = StageRunner(node, bus, Counts(), Clock().clocks, batch=BATCH, max_lag=10**9)
        begun = time.perf_counter()
        while runner.step():
            pass
        seconds = time.perf_counter() - begun
        assert len(bus.read(CANDIDATES.name, 0, RECORDS + 1)) == RECORDS
        runner.close()
        writer.close()
    return RECORDS / seconds


def through_sql(path: Path) -> float:
    """Records a second: the same rows in the same number of durable transactions, nothing else."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    db.execute(
        "CREATE TABLE log(offset INTEGER PRIMARY KEY, value BLOB); CREATE TABLE state(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
    )
    value = encode(Emit(ITEMS, _item(0))).value
    begun = time.perf_counter()
    for first in range(0, RECORDS, BATCH):
        db.execute("BEGIN IMMEDIATE")
        for number in range(first, first + BATCH):
            db.execute("INSERT INTO log(value) VALUES(?)", (value,))
            db.execute("INSERT INTO state VALUES(?, ?)", (f"seen/{number}", b"1"))
        db.execute("COMMIT")
    seconds = time.perf_counter() - begun
    db.close()
    return RECORDS / seconds
