"""The testing kit, for our tests and for users' own: a fake clock, `drive()`, and crashes as test inputs.

    driven = drive(stage_node, [article_1, CRASH, article_2])

runs the real runner on a real (temporary) bus; where `CRASH` stands the process dies at every statement of the commit in turn, is started
again, and what it has published must be what a run without crashes publishes.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import apsw

from tumen.bus import Output, Record
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode, encode
from tumen.errors import Outcome
from tumen.messages import DeadLetter, Message, Tick
from tumen.runner import Clocks, Node, make_runner, settle
from tumen.stage import Emit
from tumen.topics import DEAD, TICKS, Topic


class _Crash:
    def __repr__(self) -> str:
        return "CRASH"


CRASH: Final = _Crash()


class Killed(BaseException):
    """The process died here.  Not an `Exception`, so nothing in the product can catch it by accident."""


class Clock:
    """A clock that moves only when told to: `now()` and `monotonic()` advance together."""

    def __init__(self, start: datetime = datetime(2024, 9, 14, 12, 0, tzinfo=UTC)) -> None:
        self._start, self._passed = start, timedelta(0)

    def now(self) -> datetime:
        return self._start + self._passed

    def monotonic(self) -> float:
        return self._passed.total_seconds()

    def advance(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)

    @property
    def clocks(self) -> Clocks:
        return Clocks(self.now, self.monotonic)


class Counts:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, Outcome]] = []
        self.drops: list[tuple[str, str]] = []
        self.emits: list[tuple[str, str]] = []
        self.deads: list[tuple[str, str]] = []

    def handled(self, stage: str, outcome: Outcome, seconds: float) -> None:
        assert seconds >= 0
        self.outcomes.append((stage, outcome))

    def dropped(self, stage: str, reason: str) -> None:
        self.drops.append((stage, reason))

    def emitted(self, stage: str, topic: str, count: int) -> None:
        self.emits.extend([(stage, topic)] * count)

    def dead(self, stage: str, kind: str) -> None:
        self.deads.append((stage, kind))


@contextmanager
def killed_at(statement: int) -> Iterator[Callable[[], int]]:
    """Every SQL statement that a connection opened in here executes is counted; the one of this number (from 1) raises `Killed` instead.

    Gives a function that says how many statements have been counted.
    """
    counted = itertools.count(1)
    seen = 0

    def trace(_cursor: Any, _sql: str, _bindings: Any) -> bool:
        nonlocal seen
        seen = next(counted)
        if seen == statement:
            raise Killed
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = trace

    apsw.connection_hooks.append(hook)
    try:
        yield lambda: seen
    finally:
        apsw.connection_hooks.remove(hook)


@dataclass(frozen=True)
class Driven:
    """What a node published, by topic, in order; what it dropped and buried."""

    records: dict[str, list[Record]]
    counts: Counts

    def messages(self, topic: Topic[Any]) -> list[Any]:
        return [decode(topic, record.value) for record in self.records.get(topic.name, ())]

    @property
    def dead(self) -> list[DeadLetter]:
        return self.messages(DEAD)


def output_for(node: Node, message: Message) -> Output:
    """The record by which `message` reaches `node`: on the topic it reads that carries this model."""
    topics = (TICKS,) if isinstance(message, Tick) else node.reads
    for topic in topics:
        if topic.model is type(message):
            return encode(Emit(topic, message))
    raise TypeError(f"{node.name} reads no topic of {type(message).__name__}")


def drive(
    make_node: Callable[[], Node], inputs: Iterable[Message | _Crash], folder: Path, *, clock: Clock | None = None, batch: int = 10
) -> Driven:
    """Run one node over `inputs` on a real bus in `folder`, dying wherever `CRASH` stands, and give what it published.

    At a `CRASH`, what came before it is handled by processes that die at the first SQL statement, the second, and so on, until one
    gets through.
    `make_node` builds the node anew for each process: what it kept in memory dies with it.
    """
    clock = clock or Clock()
    path = folder / "bus.db"
    counts = Counts()
    node = make_node()
    waiting: list[Message] = []
    for step in (*inputs, None):
        if isinstance(step, Message):
            waiting.append(step)
            continue
        _publish(path, node, waiting)
        waiting.clear()
        if step is CRASH:
            _run_killed(path, make_node, clock, batch)
        else:
            _run(path, make_node(), counts, clock, batch)
    with EmbeddedBus(path) as bus:
        topics = {topic.name for topic in (*node.writes, DEAD)}
        return Driven({topic: bus.read(topic, 0, 1_000_000) for topic in sorted(topics)}, counts)


def _publish(path: Path, node: Node, messages: Sequence[Message]) -> None:
    with EmbeddedBus(path) as bus:
        group = bus.join("test_input", ())
        group.commit({}, [output_for(node, message) for message in messages], {})
        group.close()


def _run(path: Path, node: Node, counts: Counts, clock: Clock, batch: int) -> None:
    with EmbeddedBus(path) as bus:
        runner = make_runner(node, bus, counts, clock.clocks, batch=batch, max_lag=10_000)
        try:
            settle([runner], advance=clock.advance)
        finally:
            runner.close()


def _run_killed(path: Path, make_node: Callable[[], Node], clock: Clock, batch: int) -> None:
    for statement in itertools.count(1):
        with killed_at(statement):
            try:
                _run(path, make_node(), Counts(), clock, batch)
            except Killed:
                continue
        return


__all__ = ["CRASH", "Clock", "Counts", "Driven", "Killed", "drive", "killed_at", "output_for", "settle"]
