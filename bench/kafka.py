"""Kafka: one worker that screens, against a bare loop of the same client on the same broker in the same run.

The bare loop reads up to a batch, writes as many records, sends its offsets and commits: what any consume-and-produce program must do.
Tumen's worker does that, and decodes, validates, screens, keeps its place and its envelope.
"""

import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata

from tumen.bus_kafka import KafkaBus, Names
from tumen.bus_kafka.topics import TopicSpec, make_topics
from tumen.cli._kit import CLOCKS, kit_of
from tumen.codec import encode
from tumen.messages import Candidate, Item
from tumen.pipeline import build_node, load_topology
from tumen.runner import Node, make_runner
from tumen.settings import KafkaSettings, Settings
from tumen.stage import Emit, Out, Stage
from tumen.state import State
from tumen.testing import Counts
from tumen.topics import CANDIDATES, ITEMS

BOUND = 0.7  # of a bare consume-and-produce loop with the same batches and transactions
RECORDS = 20_000
BATCH = 500
ROUNDS = 2
_QUIET_SECONDS = 5
NOW = datetime(2024, 9, 14, 12, 0, tzinfo=UTC)
#: one item in so many names both sides: far more than in the world's news, so that writing is measured too
RELEVANT = 20


def _item(number: int) -> Item:
    name = f"{number:08d}"
    body = "The council met on Tuesday to discuss the budget for roads, schools and the new library in the old town. " * 8
    if number % RELEVANT == 0:
        body = "Russia and North Korea signed an agreement on railway traffic across the border river. " + body
    site = f"site{number % 97}.example.org"
    return Item(id=name, seen_at=NOW, trace=name, article_id=name, source="bench", site=site, title=name, body=body, body_type="text")


def _settings(bootstrap: str, partitions: int) -> KafkaSettings:
    made = KafkaSettings(bootstrap=bootstrap, prefix=f"bench{uuid.uuid4().hex[:8]}.", partitions=partitions)
    names = Names(made.prefix)
    topics = {"items": partitions, "candidates": partitions, "wanted": partitions, "dead": partitions, "bare": partitions}
    wanted = [TopicSpec(names.topic(topic), count, {}) for topic, count in topics.items()]
    states = {"screen": partitions, "pass_on": partitions, "writer": 1}
    make_topics(made, wanted + [TopicSpec(names.state(name), count, {"cleanup.policy": "compact"}) for name, count in states.items()])
    with KafkaBus(made) as bus:
        writer = bus.join("writer", ())
        for first in range(0, RECORDS, BATCH):
            writer.commit({}, [encode(Emit(ITEMS, _item(number))) for number in range(first, first + BATCH)], {})
        writer.close()
    return made


def bare(settings: KafkaSettings) -> tuple[float, list[float]]:
    """(records a second, seconds of each commit) of a plain loop."""
    consumer = KafkaConsumer(
        f"{settings.prefix}items",
        bootstrap_servers=settings.bootstrap,
        group_id=f"{settings.prefix}bare",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    producer = KafkaProducer(
        bootstrap_servers=settings.bootstrap,
        transactional_id=f"{settings.prefix}bare",
        batch_size=128 * 1024,
        linger_ms=5,
        retry_backoff_ms=20,  # as Tumen's: by default a transaction that must wait for the last one waits 100 ms
    )
    producer.init_transactions()
    done, commits, begun = 0, [], 0.0
    while done < RECORDS:
        polled = consumer.poll(1000, max_records=BATCH)
        if not polled:
            continue
        begun = begun or time.perf_counter()
        producer.begin_transaction()
        for records in polled.values():
            for record in records:
                producer.send(f"{settings.prefix}bare", value=record.value, key=record.key)
            done += len(records)
        offsets = {tp: OffsetAndMetadata(records[-1].offset + 1, "", -1) for tp, records in polled.items()}
        producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
        at = time.perf_counter()
        producer.commit_transaction()
        commits.append(time.perf_counter() - at)
    seconds = time.perf_counter() - begun
    consumer.close()
    producer.close()
    return done / seconds, commits


def _pass_on(message: Item, state: State) -> Iterable[Out]:  # noqa: ARG001 - a stage is handed its state
    """Every record comes out again, as in the bare loop."""
    return [Emit(CANDIDATES, Candidate(id=message.id, seen_at=message.seen_at, trace=message.trace, item=message))]


@dataclass
class Worked:
    """`begun`, `ended`: by the wall clock.  `ticks`: of the machine (`_ticks`) when it ended."""

    handled: int
    commits: list[float]
    begun: float
    ended: float
    ticks: tuple[int, int]

    @property
    def rate(self) -> float:
        return self.handled / (self.ended - self.begun)


def worker(
    settings: KafkaSettings, until: int, stage: str = "screen", shares: int = 1, start: Callable[[], object] = lambda: None
) -> Worked:
    """A Tumen worker that runs `screen` (or "pass_on"), until it has handled `until` records or nothing comes any more.

    It calls `start` when it holds so many `shares`: joining a group is not what is measured.
    """
    with tempfile.TemporaryDirectory() as folder, KafkaBus(settings) as bus:
        node = Node("pass_on", (ITEMS,), (CANDIDATES,), (), Stage(_pass_on))
        if stage == "screen":
            node = build_node(load_topology().node("screen"), kit_of(Settings(data=Path(folder))))
        runner = make_runner(node, bus, Counts(), CLOCKS, batch=BATCH, max_lag=10**9)
        commits: list[float] = []
        commit = runner.group.commit

        def timed(*arguments: Any) -> None:
            at = time.perf_counter()
            commit(*arguments)
            commits.append(time.perf_counter() - at)

        while len(runner.group.shares()) != shares:
            time.sleep(0.05)
        start()
        runner.group.commit = timed  # type: ignore[method-assign]
        begun = ended = time.time()
        handled, ticks = 0, _ticks()
        while handled < until and time.time() - ended < _QUIET_SECONDS:
            if runner.step():
                ended, ticks = time.time(), _ticks()
            outcomes = runner._observer.outcomes  # type: ignore[attr-defined]
            handled = len(outcomes)
        runner.close()
    return Worked(handled, commits, begun, ended, ticks)


def _in_process(settings: KafkaSettings, shares: int, together: Any, answers: Any) -> None:
    answers.put(worker(settings, RECORDS, shares=shares, start=lambda: together.wait(60)))


@contextmanager
def broker() -> Iterator[str]:
    """The broker that `TUMEN_KAFKA_BOOTSTRAP` names, or one of its own."""
    given = os.environ.get("TUMEN_KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    from tests.kafka_broker import Broker

    with tempfile.TemporaryDirectory() as folder:
        own = Broker(Path(folder))
        own.start()
        try:
            yield own.bootstrap
        finally:
            own.stop()


def rows() -> list[tuple[str, float, str, str]]:
    """(what, figure, unit, note)."""
    with broker() as bootstrap:
        plain, passing, rate = 0.0, 0.0, 0.0
        for _ in range(ROUNDS):  # in turn, the best of each: what else the machine does must not decide
            settings = _settings(bootstrap, 1)
            found, took = bare(settings)
            if found > plain:
                plain, plain_commits = found, took
            passing = max(passing, worker(settings, RECORDS, "pass_on").rate)
            screened = worker(settings, RECORDS)
            if screened.rate > rate:
                rate, commits = screened.rate, screened.commits
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return [
            ("bare loop", plain, "records/s", f"commit p50 {_ms(plain_commits, 50)} ms, p99 {_ms(plain_commits, 99)} ms"),
            ("screen on Kafka", rate, "records/s", f"commit p50 {_ms(commits, 50)} ms, p99 {_ms(commits, 99)} ms, whole transaction"),
            ("screen / bare", rate / plain, "ratio", "at least 0.7"),
            ("a stage that drops nothing", passing, "records/s", "decoded, validated, wrapped and written again, one for one"),
            ("memory", memory, "MB", "this process at its largest: models, client and loop"),
            *_scaling(bootstrap),
        ]


def _scaling(bootstrap: str) -> list[tuple[str, float, str, str]]:
    """One worker and two on two partitions."""
    found = []
    for count in (1, 2):
        settings = _settings(bootstrap, 2)
        context = multiprocessing.get_context("spawn")
        together, answers = context.Barrier(count + 1), context.Queue()
        workers = [context.Process(target=_in_process, args=(settings, 2 // count, together, answers)) for _ in range(count)]
        for process in workers:
            process.start()
        together.wait(60)
        before = _ticks()
        given: list[Worked] = [answers.get() for _ in workers]
        for process in workers:
            process.join()
        last = max(given, key=lambda worked: worked.ended)
        busy, total = (after - at for after, at in zip(last.ticks, before, strict=True))
        seconds = last.ended - min(worked.begun for worked in given)
        found.append((sum(worked.handled for worked in given) / seconds, busy / total))
    (one, one_busy), (two, two_busy) = found
    cores = os.cpu_count() or 1
    stops = (
        f"what stops them: {cores} cores were {two_busy:.0%} busy with two workers, the broker and what else ran" if two < 1.3 * one else ""
    )
    return [
        ("one worker, two partitions", one, "records/s", f"the machine's {cores} cores {one_busy:.0%} busy"),
        ("two workers, two partitions", two, "records/s", f"the machine's {cores} cores {two_busy:.0%} busy"),
        ("two / one", two / one, "ratio", stops),
    ]


def _ticks() -> tuple[int, int]:
    """(busy, all) of all cores since the machine was started."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _ms(seconds: list[float], percent: int) -> float:
    return round(statistics.quantiles(seconds, n=100)[percent - 1] * 1000, 1)


def main() -> int:
    held = True
    for what, figure, unit, note in rows():
        print(f"{what:<30} {figure:>12,.2f} {unit:<10} {note}")
        if what == "screen / bare":
            held = figure >= BOUND
    print(f"screen beside the bare loop: {'held' if held else 'NOT HELD'}")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
