"""The bus's contract: one suite, run on every implementation."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from tests.kafka_broker import make_bare_topics, new_settings
from tumen.bus import Bus, Fenced, Group, Moved, Output, Record
from tumen.bus_embedded import EmbeddedBus
from tumen.bus_kafka import KafkaBus
from tumen.errors import Refused, Unavailable

Open = Callable[[], Bus]
TOPICS = {"a": 1, "b": 1, "s": 1, "dead": 1}
GROUPS = ("writer", "reader", "one", "two", "g")


@pytest.fixture(params=["file", "memory", "kafka"])
def open_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same bus each time it is called (for memory: the one instance)."""
    opened: list[Bus] = []
    memory = EmbeddedBus(None) if request.param == "memory" else None
    kafka = None
    if request.param == "kafka":
        kafka = new_settings(request.getfixturevalue("kafka_bootstrap"))
        make_bare_topics(kafka, TOPICS, dict.fromkeys(GROUPS, 1))

    def open_it() -> Bus:
        bus: Bus = memory or (KafkaBus(kafka) if kafka else EmbeddedBus(tmp_path / "bus.db"))
        opened.append(bus)
        return bus

    yield open_it
    for bus in {id(bus): bus for bus in opened}.values():
        bus.close()


def out(topic: str, text: str, key: str = "k") -> Output:
    return Output(topic, key, text.encode())


def fetched(group: Group, topics: list[str], count: int, limit: int = 10) -> list[Record]:
    """What a group is given once there are `count` records for it: a bus whose records travel may give fewer at first."""
    deadline = time.monotonic() + 20
    while len(found := group.fetch(topics, limit)) < count and time.monotonic() < deadline:
        pass
    return found


def by_topic(records: list[Record]) -> dict[str, list[bytes]]:
    return {topic: [r.value for r in records if r.topic == topic] for topic in sorted({r.topic for r in records})}


def test_a_commit_is_read_back_in_order_by_every_group(open_bus: Open) -> None:
    bus = open_bus()
    writer, one, two = bus.join("writer", ()), bus.join("one", ["a"]), bus.join("two", ["a", "b"])
    writer.commit({}, [out("a", "1"), out("b", "2"), out("a", "3")], {})
    assert by_topic(fetched(one, ["a"], 2)) == {"a": [b"1", b"3"]}
    assert by_topic(fetched(two, ["a", "b"], 3)) == {"a": [b"1", b"3"], "b": [b"2"]}
    assert len(two.fetch(["a", "b"], 2)) == 2
    for group in (writer, one, two):
        group.close()


def test_keys_values_and_times_come_back_as_they_were(open_bus: Open) -> None:
    bus = open_bus()
    writer, reader = bus.join("writer", ()), bus.join("reader", ["a"])
    before = time.time()
    writer.commit({}, [Output("a", "ключ/키 ", b"\x00\xff"), Output("a", "", b"")], {})
    first, second = fetched(reader, ["a"], 2)
    assert (first.key, first.value, second.key, second.value) == ("ключ/키 ", b"\x00\xff", "", b"")
    assert (first.topic, first.partition) == ("a", 0)
    assert 0 < first.offset < second.offset
    assert before - 1 < first.at < time.time() + 1
    assert bus.read("a", 0, 10) == [first, second]
    assert bus.read("a", first.offset, 10) == [second]
    assert bus.read("a", 0, 1) == [first]
    assert bus.partitions("a") == 1


def test_only_commit_moves_a_position(open_bus: Open) -> None:
    bus = open_bus()
    writer, reader = bus.join("writer", ()), bus.join("reader", ["a"])
    writer.commit({}, [out("a", "1"), out("a", "2")], {})
    first = fetched(reader, ["a"], 1, limit=1)
    assert reader.fetch(["a"], 1) == first
    reader.commit({("a", 0): first[0].offset}, [], {})
    assert [r.value for r in fetched(reader, ["a"], 1)] == [b"2"]
    assert reader.lag("a") == 1
    assert lags_become(bus, "a", {"reader": 1})


def lags_become(bus: Bus, topic: str, expected: dict[str, int]) -> bool:
    """Lag is allowed to be a moment old."""
    deadline = time.monotonic() + 10
    while bus.lags(topic) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return bus.lags(topic) == expected


def test_a_group_counts_as_a_reader_before_it_has_handled_anything(open_bus: Open) -> None:
    bus = open_bus()
    writer, reader = bus.join("writer", ()), bus.join("reader", ["a"])
    assert reader.position("a") == 0
    writer.commit({}, [out("a", str(i)) for i in range(5)], {})
    assert lags_become(bus, "a", {"reader": 5})


def test_a_new_group_begins_at_the_oldest_record(open_bus: Open) -> None:
    bus = open_bus()
    bus.join("writer", ()).commit({}, [out("a", "1"), out("a", "2")], {})
    assert [r.value for r in fetched(bus.join("reader", ["a"]), ["a"], 2)] == [b"1", b"2"]


def test_a_position_never_goes_back(open_bus: Open) -> None:
    bus = open_bus()
    bus.join("writer", ()).commit({}, [out("a", str(i)) for i in range(9)], {})
    reader = bus.join("reader", ["a"])
    offsets = [r.offset for r in fetched(reader, ["a"], 9)]
    reader.commit({("a", 0): offsets[6]}, [], {})
    reader.commit({("a", 0): offsets[2]}, [], {})
    assert reader.position("a") == offsets[6]


def test_state_is_committed_with_the_rest_and_scanned_in_key_order(open_bus: Open) -> None:
    group = open_bus().join("g", [])
    group.commit({}, [], {f"p/{i:04}": str(i).encode() for i in range(700)} | {"q/x": b"other"})
    assert group.state.get("p/0005") == b"5"
    assert group.state.get("absent") is None
    assert [value for _, value in group.state.scan("p/")] == [str(i).encode() for i in range(700)]
    assert [key for key, _ in group.state.scan("p/", start="p/0698")] == ["p/0698", "p/0699"]
    assert len(list(group.state.scan("p/", limit=300))) == 300
    group.commit({}, [], {"p/0005": None})
    assert group.state.get("p/0005") is None


def test_position_and_state_outlive_the_process(open_bus: Open, request: pytest.FixtureRequest) -> None:
    bus = open_bus()
    bus.join("writer", ()).commit({}, [out("a", "1"), out("a", "2")], {})
    reader = bus.join("reader", ["a"])
    first = fetched(reader, ["a"], 2)[0]
    reader.commit({("a", 0): first.offset}, [], {"k": b"1", "gone": b"x", "ключ": b""})
    reader.commit({}, [], {"k": b"2", "gone": None})
    reader.close()
    again = open_bus().join("reader", ["a"])
    assert list(again.state.scan("")) == [("k", b"2"), ("ключ", b"")]
    assert again.position("a") == first.offset
    assert [r.value for r in fetched(again, ["a"], 1)] == [b"2"]


def test_state_of_one_group_is_hidden_from_another(open_bus: Open) -> None:
    bus = open_bus()
    one, two = bus.join("one", []), bus.join("two", [])
    one.commit({}, [], {"k": b"v"})
    assert two.state.get("k") is None
    assert list(two.state.scan("")) == []


def test_a_group_is_held_once_and_who_lost_it_writes_nothing(open_bus: Open) -> None:
    bus = open_bus()
    first = bus.join("g", ["a"])
    first.commit({}, [], {"k": b"v"})
    ((share, hold),) = first.shares().items()
    try:
        second = open_bus().join("g", ["a"])
    except Refused:
        return  # the embedded bus on a file: nobody gets that far
    if isinstance(bus, EmbeddedBus):
        assert second.shares()[share] != hold
        with pytest.raises(Fenced):
            first.commit({("a", 0): 1}, [out("b", "lost")], {"k": b"lost"}, share, hold)
    else:
        assert first.shares() == {share: hold}
        assert second.shares() == {}  # stands by
        first.close()
        deadline = time.monotonic() + 20
        while not second.shares() and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(Moved):
            second.commit({}, [out("b", "lost")], {"k": b"lost"}, share, hold)
    assert bus.read("b", 0, 10) == []
    assert second.position("a") == 0
    assert second.state.get("k") == b"v"


def test_waiting_ends_at_a_commit(open_bus: Open) -> None:
    bus = open_bus()
    seen = bus.wait(-1, 0)
    threading.Timer(0.05, bus.wake).start()
    begun = time.monotonic()
    while (now := bus.wait(seen, 5.0)) == seen and time.monotonic() - begun < 4.0:
        pass
    assert now != seen
    assert time.monotonic() - begun < 4.0


# --- retention, which on Kafka is the brokers' (tests/test_bus_kafka.py) --------------------------------------------------------------


@pytest.fixture(params=["file", "memory"])
def embedded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedBus]:
    with EmbeddedBus(None if request.param == "memory" else tmp_path / "bus.db") as bus:
        yield bus


def test_a_reader_of_several_topics_sees_them_in_the_order_of_their_commits(embedded: EmbeddedBus) -> None:
    writer, reader = embedded.join("writer", ()), embedded.join("two", ["a", "b"])
    writer.commit({}, [out("a", "1"), out("b", "2"), out("a", "3")], {})
    assert [r.value for r in reader.fetch(["a", "b"], 10)] == [b"1", b"2", b"3"]
    assert [r.value for r in reader.fetch(["a", "b"], 2)] == [b"1", b"2"]


def test_trim_never_passes_a_live_group_and_keeps_offsets_unique(embedded: EmbeddedBus) -> None:
    bus = embedded
    writer, slow, quick = bus.join("writer", ()), bus.join("slow", ["a"]), bus.join("quick", ["a"])
    writer.commit({}, [out("a", str(i)) for i in range(10)], {})
    offsets = [r.offset for r in bus.read("a", 0, 100)]
    slow.commit({("a", 0): offsets[3]}, [], {})
    quick.commit({("a", 0): offsets[9]}, [], {})
    assert bus.trim("a", time.time() + 1, compact=False) == 4
    assert [r.value for r in slow.fetch(["a"], 100)] == [b"4", b"5", b"6", b"7", b"8", b"9"]
    slow.commit({("a", 0): offsets[9]}, [], {})
    assert bus.trim("a", time.time() + 1, compact=False) == 6
    writer.commit({}, [out("a", "next")], {})
    assert [r.value for r in slow.fetch(["a"], 100)] == [b"next"]
    assert bus.read("a", 0, 10)[0].offset > offsets[9]


def test_compaction_keeps_the_newest_of_each_key(embedded: EmbeddedBus) -> None:
    bus = embedded
    writer, reader = bus.join("writer", ()), bus.join("reader", ["s"])
    writer.commit({}, [out("s", "x1", "x"), out("s", "y1", "y"), out("s", "x2", "x")], {})
    reader.commit({("s", 0): bus.read("s", 0, 10)[-1].offset}, [], {})
    assert bus.trim("s", time.time() + 1, compact=True) == 1
    assert [r.value for r in bus.read("s", 0, 10)] == [b"y1", b"x2"]


def test_young_records_and_unread_topics_stay(embedded: EmbeddedBus) -> None:
    bus = embedded
    writer, reader = bus.join("writer", ()), bus.join("reader", ["a"])
    writer.commit({}, [out("a", "1"), out("dead", "2")], {})
    reader.commit({("a", 0): bus.read("a", 0, 1)[0].offset}, [], {})
    assert bus.trim("a", time.time() - 60, compact=False) == 0
    assert bus.trim("dead", time.time() + 1, compact=False) == 0


# --- the file on its own -------------------------------------------------------------------------------------------------------


def test_every_connection_is_durable(tmp_path: Path) -> None:
    opened: list[apsw.Connection] = []
    apsw.connection_hooks.append(opened.append)
    try:
        with EmbeddedBus(tmp_path / "bus.db") as bus:
            group = bus.join("g", ["a"])
            assert len(opened) >= 2
            for db in opened:
                assert db.pragma("synchronous") == 2
                assert db.pragma("journal_mode") == "wal"
            group.close()
    finally:
        apsw.connection_hooks.remove(opened.append)


def test_the_sqlite_in_use_is_free_of_the_wal_reset_bug() -> None:
    assert tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) >= (3, 51, 3)


def test_a_second_holder_of_a_group_is_refused_in_one_line(tmp_path: Path) -> None:
    with EmbeddedBus(tmp_path / "bus.db") as bus, EmbeddedBus(tmp_path / "bus.db") as other:
        group = bus.join("dedupe", ["articles"])
        with pytest.raises(Refused, match=f"process {os.getpid()}.*'dedupe'") as refused:
            other.join("dedupe", ["articles"])
        assert "\n" not in str(refused.value)
        group.close()
        other.join("dedupe", ["articles"]).close()


@pytest.mark.parametrize("content", [b"this is not a database, but it is somebody's file" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bus.db"
    path.write_bytes(content)
    with pytest.raises(Refused, match="corrupt"):
        EmbeddedBus(path)
    assert path.read_bytes() == content


def test_a_damaged_bus_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    with EmbeddedBus(path) as bus:
        group = bus.join("g", [])
        group.commit({}, [out("a", "x" * 900) for _ in range(500)], {})
        group.close()
    raw = bytearray(path.read_bytes())
    raw[8192 : 8192 + 4096 * 20] = b"\xa5" * (4096 * 20)
    path.write_bytes(raw)
    with pytest.raises(Refused, match="corrupt"):
        EmbeddedBus(path)
    assert path.read_bytes() == bytes(raw)


def test_somebody_elses_database_and_a_newer_schema_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    db = apsw.Connection(str(other))
    db.execute("CREATE TABLE theirs(x)")
    db.close()
    with pytest.raises(Refused, match="not a Tumen bus"):
        EmbeddedBus(other)
    newer = tmp_path / "newer.db"
    EmbeddedBus(newer).close()
    db = apsw.Connection(str(newer))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(Refused, match="newer Tumen"):
        EmbeddedBus(newer)


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(tmp_path: Path) -> None:
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        group = bus.join("g", ["a"])
        group.db.pragma("max_page_count", group.db.pragma("page_count") + 4)
        with pytest.raises(Unavailable, match="full"):
            group.commit({("a", 0): 5}, [out("b", "x" * 4000) for _ in range(100)], {"k": b"v"})
        assert group.position("a") == 0
        assert bus.read("b", 0, 10) == []
        group.db.pragma("max_page_count", 1_000_000)
        group.commit({("a", 0): 5}, [out("b", "x" * 4000) for _ in range(100)], {"k": b"v"})
        assert group.position("a") == 5
        group.close()


def _hammer(path: Path, group: str, count: int) -> None:
    with EmbeddedBus(path) as bus:
        mine = bus.join(group, ["in"])
        for number in range(count):
            mine.commit({}, [out("in", f"{group}:{number}")], {"last": str(number).encode()})
        mine.close()


def test_two_processes_write_without_a_lock_error(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    EmbeddedBus(path).close()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_hammer, args=(path, f"g{i}", 150)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    with EmbeddedBus(path) as bus:
        values = [r.value.decode() for r in bus.read("in", 0, 10_000)]
    assert sorted(values) == sorted(f"g{i}:{n}" for i in range(2) for n in range(150))


def _acknowledge(path: Path, pipe: int) -> None:
    with EmbeddedBus(path) as bus:
        mine = bus.join("g", ["in"])
        number = int((mine.state.get("n") or b"0").decode())
        while True:
            number += 1
            mine.commit({}, [out("in", str(number))], {"n": str(number).encode()})
            os.write(pipe, number.to_bytes(8, "big"))


def kill_rounds(path: Path, rounds: int) -> int:
    """kill -9 a writer `rounds` times; gives the number of records.  Asserts that what was acknowledged is there, once, without gaps."""
    context = multiprocessing.get_context("fork")
    for round_number in range(rounds):
        read, write = os.pipe()
        worker = context.Process(target=_acknowledge, args=(path, write))
        worker.start()
        os.close(write)
        acknowledged = os.read(read, 8)  # at least one commit, so that each round gets somewhere
        time.sleep(0.003 * (round_number % 17))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        while chunk := os.read(read, 65536):
            acknowledged += chunk
        os.close(read)
        last = int.from_bytes(acknowledged[len(acknowledged) // 8 * 8 - 8 :][:8], "big")
        with EmbeddedBus(path) as bus:
            numbers = [int(r.value) for r in bus.read("in", 0, 10_000_000)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= last
    return len(numbers)


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    assert kill_rounds(tmp_path / "bus.db", 10) >= 10


@pytest.mark.torture
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_torture_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    assert kill_rounds(tmp_path / "bus.db", 150) >= 150
