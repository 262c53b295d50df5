"""What must hold whatever dies, stops or freezes: every item comes out, once, numbered without a gap, and the state agrees.

The stage under test (`tests/kafka_worker.py`) runs in processes of its own, on a real broker.
"""

import gc
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata

from tests.kafka_broker import Broker, make_bare_topics, new_settings, require_tools
from tests.kafka_worker import STEPS, item
from tests.test_bus_contract import fetched
from tumen.bus import Output
from tumen.bus_kafka import KafkaBus, Names
from tumen.bus_kafka.clients import Clients, Sending, Transactor
from tumen.codec import decode, encode
from tumen.errors import Refused, Unavailable
from tumen.settings import KafkaSettings
from tumen.stage import Emit
from tumen.topics import CANDIDATES, ITEMS

# the client leaves sockets of a broker that went away to the garbage collector: `Bench.close` calls it before the test ends
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ROOT = Path(__file__).resolve().parents[1]


class Bench:
    """Topics, input, and workers to be mistreated."""

    def __init__(self, settings: KafkaSettings, partitions: int, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.written = 0
        make_bare_topics(settings, {"items": partitions, "candidates": partitions, "dead": 1}, {"counter": partitions, "writer": 1})

    def write(self, count: int) -> None:
        with KafkaBus(self.settings) as bus:
            writer = bus.join("writer", ())
            writer.commit({}, [encode(Emit(ITEMS, item(number))) for number in range(self.written, self.written + count)], {})
            writer.close()
        self.written += count

    def worker(self, *more: str) -> "subprocess.Popen[bytes]":
        log = (self.folder / f"worker{len(self.workers)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.kafka_worker", self.settings.model_dump_json(exclude_none=True), *more],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.workers.append(process)
        return process

    def told(self, worker: "subprocess.Popen[bytes]") -> int:
        """How many messages a worker says it has handled."""
        return (self.folder / f"worker{self.workers.index(worker)}.log").read_bytes().count(b"ok\n")

    def until_log(self, worker: "subprocess.Popen[bytes]", line: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while line not in (self.folder / f"worker{self.workers.index(worker)}.log").read_text(errors="replace"):
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.05)

    def until_stopped(self, worker: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
        """Until it has stopped itself."""
        deadline = time.monotonic() + seconds
        while Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.05)

    def until_told(self, worker: "subprocess.Popen[bytes]", count: int, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.told(worker) < count:
            assert time.monotonic() < deadline, self.logs()
            assert worker.poll() is None, self.logs()
            time.sleep(0.05)

    def out(self) -> list[str]:
        with KafkaBus(self.settings) as bus:
            return [decode(CANDIDATES, record.value).id for record in bus.read("candidates", 0, 10**6)]

    def until_all_out(self, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if len({name.split()[0] for name in self.out()}) == self.written:
                    return
            except (Unavailable, Refused):
                pass
            time.sleep(0.5)
        raise AssertionError(f"{len(self.out())} of {self.written} came out\n{self.logs()}")

    def check(self) -> None:
        """Input set = output set, each once, each site numbered 1, 2, 3 … in order, no dead letter; the state says the same."""
        names = self.out()
        counts = Counter(name.split()[0] for name in names)
        assert counts == Counter(f"{number:06d}" for number in range(self.written)), self.logs()
        assert [name for name in names if name.endswith("again")] == []
        by_site: dict[str, list[int]] = {}
        for name in names:
            site, number = name.split()[1].split("#")
            by_site.setdefault(site, []).append(int(number))
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_site.values()), by_site
        for worker in self.workers:
            self.end(worker)
        with KafkaBus(self.settings) as bus:
            assert bus.read("dead", 0, 10) == []
            group = bus.join("counter", ["items"])
            deadline = time.monotonic() + 60
            while len(group.shares()) < bus.partitions("items") and time.monotonic() < deadline:
                time.sleep(0.1)
            state = dict(pair for share in group.shares() for pair in group.state_of(share).scan(""))
            group.close()
        assert {key: int(value) for key, value in state.items() if key.startswith("count/")} == {
            f"count/{site}": len(numbers) for site, numbers in by_site.items()
        }
        assert sum(key.startswith("seen/") for key in state) == self.written

    @staticmethod
    def end(worker: "subprocess.Popen[bytes]") -> None:
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)
            worker.send_signal(signal.SIGTERM)
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(self.folder.glob("worker*.log")))

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
        gc.collect()


@pytest.fixture
def bench(kafka_bootstrap: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(new_settings(kafka_bootstrap, session_timeout=6.0), 2, tmp_path)
    yield made
    made.close()


@pytest.fixture
def own(own_broker: Broker, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(new_settings(own_broker.bootstrap, session_timeout=6.0, request_timeout=5.0, commit_timeout=8.0), 2, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_of_the_commit(step: str, kafka_bootstrap: str, tmp_path: Path) -> None:
    """A commit that is cut off has happened or has not; what comes after is right either way."""
    # a named instance takes its own place again at once; whoever is not named waits until the dead one's session has ended
    bench = Bench(new_settings(kafka_bootstrap, instance="worker-1"), 1, tmp_path)
    try:
        bench.write(100)
        victim = bench.worker("--die-at", step)
        assert victim.wait(60) == -signal.SIGKILL, bench.logs()
        names = {name.split()[0] for name in bench.out()}
        assert len(names) == (40 if step in ("answer", "applied") else 20)
        bench.worker()
        bench.until_all_out()
        bench.check()
    finally:
        bench.close()


@pytest.mark.parametrize("step", [pytest.param("flush", marks=pytest.mark.torture), "commit_transaction"])
def test_a_zombie_is_fenced_and_writes_nothing(step: str, bench: Bench) -> None:
    """It is stopped inside its second commit, past the end of its session, and then goes on with it."""
    bench.write(300)
    zombie = bench.worker("--stop-at", step)
    bench.until_stopped(zombie)
    heir = bench.worker()
    bench.until_all_out()
    told = bench.told(heir)
    zombie.send_signal(signal.SIGCONT)
    bench.until_log(zombie, "commit_not_answered")
    bench.write(100)
    bench.until_all_out()
    assert told > 200
    assert zombie.poll() is None  # it stands by or works, it does not die
    bench.check()


@pytest.mark.parametrize("step", [*(pytest.param(step, marks=pytest.mark.torture) for step in ("send", "flush")), "commit_transaction"])
def test_a_frozen_broker_during_a_commit(step: str, own: Bench, own_broker: Broker) -> None:
    own.write(200)
    go_on = own.folder / "go-on"
    worker = own.worker("--hold-at", step, "--until", str(go_on))
    own.until_log(worker, "holding")
    own_broker.freeze()
    go_on.touch()
    time.sleep(12)  # longer than any answer is waited for
    own_broker.thaw()
    own.until_all_out()
    own.until_log(worker, "commit_not_answered")
    assert worker.poll() is None
    own.check()


def test_a_broker_that_is_killed_and_comes_back(own: Bench, own_broker: Broker) -> None:
    own.write(200)
    worker = own.worker("--slow", "0.01")
    own.until_told(worker, 40)
    own_broker.kill()
    time.sleep(8)
    own_broker.start()
    own.until_all_out()
    assert worker.poll() is None
    own.check()


def test_offsets_that_stay_undecided_hold_nothing_up(bench: Bench) -> None:
    """A broker that was killed between answering a commit and marking its partitions may leave a group's offsets undecided (Kafka 4.3)."""
    bench.write(100)
    first = bench.worker()
    bench.until_all_out()
    bench.end(first)
    names = Names(bench.settings.prefix)
    points = [TopicPartition(names.topic("items"), number) for number in (0, 1)]
    points += [TopicPartition(names.state("counter"), number) for number in (0, 1)]
    hanging = KafkaProducer(
        bootstrap_servers=bench.settings.bootstrap, transactional_id=f"{bench.settings.prefix}other", transaction_timeout_ms=600_000
    )
    looker = KafkaConsumer(
        bootstrap_servers=bench.settings.bootstrap,
        group_id=names.group("counter"),
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    try:
        hanging.init_transactions()
        hanging.begin_transaction()
        offsets = {point: OffsetAndMetadata(1, "", -1) for point in points}
        hanging.send_offsets_to_transaction(offsets, ConsumerGroupMetadata(names.group("counter"), -1, "", None))
        hanging.flush()
        with pytest.raises(KafkaError):
            looker.committed(points[0], timeout_ms=2000)
        bench.write(100)
        bench.worker()
        bench.until_all_out()
        bench.check()
    finally:
        hanging.abort_transaction()
        hanging.close()
        looker.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_transaction_that_a_broker_forgot_to_finish(known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete for the coordinator, open in its partitions (Kafka 4.3, killed at the wrong moment): it ends as it was decided, if known.

    To get there without luck, the records are written behind the coordinator's back, on a broker that does not check that.
    """
    require_tools()
    (tmp_path / "more").write_text("transaction.partition.verification.enable=false\n")
    broker = Broker(tmp_path / "kafka", tmp_path / "more")
    broker.start()
    transact = Transactor._transact

    def forgotten(self: Transactor, records: Sequence[Sending], offsets: Any, member: Any) -> Any:
        monkeypatch.setattr(Transactor, "_transact", transact)
        producer = self._producer
        producer.begin_transaction()
        producer._transaction_manager._partitions_in_transaction.update(TopicPartition(record.topic, 0) for record in records)
        for record in records:
            producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers), partition=0)
        producer.flush()
        if not known:  # whoever asks for a new epoch wipes out how the last transaction went
            again = Clients(settings).producer(Names(settings.prefix).transaction("counter", 0))
            again.init_transactions()
            again.close()
        raise KafkaError("no answer")

    try:
        settings = new_settings(broker.bootstrap, session_timeout=6.0)
        make_bare_topics(settings, {"items": 1, "candidates": 1, "dead": 1}, {"counter": 1, "writer": 1})
        with KafkaBus(settings) as bus:
            writer = bus.join("writer", ())
            writer.commit({}, [encode(Emit(ITEMS, item(number))) for number in range(2)], {})
            group = bus.join("counter", ["items"])
            records = fetched(group, ["items"], 2)
            monkeypatch.setattr(Transactor, "_transact", forgotten)
            outputs = [Output("candidates", "k", b"once")]
            if known:
                group.commit({("items", 0): records[0].offset}, outputs, {"k": b"v"})
            else:
                with pytest.raises(Unavailable):
                    group.commit({("items", 0): records[0].offset}, outputs, {"k": b"v"})
                assert (group.position("items"), group.state.get("k")) == (0, None)
                group.commit({("items", 0): records[0].offset}, outputs, {"k": b"v"})
            assert (group.position("items"), group.state.get("k")) == (records[0].offset, b"v")
            deadline = time.monotonic() + 30
            while not (found := [record.value for record in bus.read("candidates", 0, 10)]) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert found == [b"once"]
            assert [record.offset for record in fetched(group, ["items"], 1)] == [records[1].offset]
    finally:
        broker.kill()
        gc.collect()


def test_a_commit_that_was_answered_and_then_undone_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker answers, is killed, forgets; the next transaction fails, and what ends it ends the one before it too."""
    require_tools()
    (tmp_path / "more").write_text("transaction.partition.verification.enable=false\n")
    broker = Broker(tmp_path / "kafka", tmp_path / "more")
    broker.start()
    transact = Transactor._transact

    def answered(self: Transactor, records: Sequence[Sending], offsets: Any, member: Any) -> dict[Any, int]:
        """Written behind the coordinator's back, and never marked."""
        monkeypatch.setattr(Transactor, "_transact", failing)
        manager = self._producer._transaction_manager
        self._producer.begin_transaction()
        points = {TopicPartition(record.topic, 0) for record in records}
        manager._partitions_in_transaction.update(points)
        sent = [self._producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers), partition=0) for r in records]
        self._producer.flush()
        manager._partitions_in_transaction.difference_update(points)
        return {point: max(future.get(10).offset + 1 for future in sent if future.get(10).topic_partition == point) for point in points}

    def failing(self: Transactor, records: Sequence[Sending], offsets: Any, member: Any) -> Any:
        monkeypatch.setattr(Transactor, "_transact", transact)
        for record in records:
            self._producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers), partition=0)
        self._producer.flush()
        raise KafkaError("no answer")

    try:
        settings = new_settings(broker.bootstrap, session_timeout=6.0)
        make_bare_topics(settings, {"items": 1, "candidates": 1, "dead": 1}, {"counter": 1, "writer": 1})
        with KafkaBus(settings) as bus:
            writer = bus.join("writer", ())
            writer.commit({}, [encode(Emit(ITEMS, item(number))) for number in range(2)], {})
            group = bus.join("counter", ["items"])
            one, two = fetched(group, ["items"], 2)
            monkeypatch.setattr(Transactor, "_transact", answered)
            group.commit({("items", 0): one.offset}, [Output("candidates", "k", b"one")], {"one": b"1"})
            with pytest.raises(Unavailable):
                group.commit({("items", 0): two.offset}, [Output("candidates", "k", b"two")], {"two": b"1"})
            again = fetched(group, ["items"], 2)
            assert [record.offset for record in again] == [one.offset, two.offset]
            assert list(group.state.scan("")) == []
            outputs = [Output("candidates", "k", b"one"), Output("candidates", "k", b"two")]
            group.commit({("items", 0): two.offset}, outputs, {"one": b"1", "two": b"1"})
            deadline = time.monotonic() + 30
            while len(found := [record.value for record in bus.read("candidates", 0, 10)]) < 2 and time.monotonic() < deadline:
                time.sleep(0.1)
            assert found == [b"one", b"two"]
            assert dict(group.state.scan("")) == {"one": b"1", "two": b"1"}
    finally:
        broker.kill()
        gc.collect()


def test_told_to_stop_with_the_broker_frozen_it_ends_in_time(own: Bench, own_broker: Broker) -> None:
    own.write(100)
    worker = own.worker("--slow", "0.01")
    own.until_told(worker, 20)
    own_broker.freeze()
    worker.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    worker.wait(60)
    assert time.monotonic() - begun < 40
    own_broker.thaw()
    own.worker()
    own.until_all_out()
    own.check()


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_torture_a_broker_stopped_for_a_minute(own: Bench, own_broker: Broker) -> None:
    own.write(300)
    worker = own.worker("--slow", "0.01")
    own.until_told(worker, 40)
    own_broker.stop()
    time.sleep(60)
    own_broker.start()
    own.until_all_out(180)
    assert worker.poll() is None
    own.check()


def storm(bench: Bench, rounds: int) -> None:
    """One worker stays, another joins and leaves, in order or killed."""
    steady = bench.worker("--slow", "0.002")
    for number in range(rounds):
        bench.write(100)
        guest = bench.worker("--slow", "0.002")
        time.sleep(3)
        guest.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        guest.wait(60)
    bench.until_all_out(120)
    assert steady.poll() is None
    bench.check()


def test_a_second_worker_that_joins_and_leaves(bench: Bench) -> None:
    storm(bench, 2)


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_torture_two_workers_join_and_leave(bench: Bench) -> None:
    storm(bench, 20)


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_torture_killed_again_and_again(bench: Bench) -> None:
    for number in range(20):
        bench.write(50)
        victim = bench.worker("--slow", "0.005")
        bench.until_told(victim, 1)
        time.sleep(0.05 * (number % 7))
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
    bench.worker()
    bench.until_all_out(120)
    bench.check()
