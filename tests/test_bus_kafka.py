"""The Kafka bus on a real broker: each trap of the client, commits whose answer is lost, shares, topics, envelopes, dead letters."""

import base64
import dataclasses
import gc
import re
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog.testing
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.kafka_broker import make_bare_topics, new_settings
from tests.kafka_worker import item, node
from tests.test_bus_contract import fetched, lags_become, out
from tests.test_runner import gateway_node
from tumen.bus import Moved, Output
from tumen.bus_kafka import KafkaBus, Names, apply_topics, clients, plan_topics, wire
from tumen.bus_kafka.clients import KafkaError, Transactor, Watched
from tumen.bus_kafka.topics import TopicSpec, make_topics, shares_of
from tumen.buses import open_bus
from tumen.cli.dlq import back
from tumen.codec import decode, encode
from tumen.envelope import traceparent
from tumen.errors import ConfigError, Refused, Unavailable
from tumen.messages import Candidate, Item
from tumen.pipeline import load_topology
from tumen.runner import GatewayRunner, StageRunner
from tumen.settings import ROOT, BusSettings, KafkaSettings, Settings
from tumen.stage import Emit
from tumen.testing import Clock, Counts
from tumen.topics import CANDIDATES, DEAD, ITEMS

TOPICS = {"items": 2, "candidates": 2, "a": 1, "b": 1, "dead": 1}
GROUPS = {"counter": 2, "writer": 1, "reader": 1, "g": 1}


@pytest.fixture
def settings(kafka_bootstrap: str) -> KafkaSettings:
    made = new_settings(kafka_bootstrap, session_timeout=6.0)
    make_bare_topics(made, TOPICS, GROUPS)
    return made


@pytest.fixture
def bus(settings: KafkaSettings) -> Iterator[KafkaBus]:
    with KafkaBus(settings) as opened:
        yield opened


def soon(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def candidate(number: int) -> Candidate:
    message = item(number)
    return Candidate(id=message.id, seen_at=message.seen_at, trace=message.trace, item=message)


def values(bus: KafkaBus, topic: str, least: int = 0) -> list[bytes]:
    """What is committed there, once it is `least` records: the brokers answer a commit before its markers stand in every topic (KIP-98)."""
    soon(lambda: len(bus.read(topic, 0, 10**6)) >= least)
    return [record.value for record in bus.read(topic, 0, 10**6)]


# --- the traps of the client ---------------------------------------------------------------------------------------------------------


def test_no_default_of_the_client_that_loses_something_is_in_use(settings: KafkaSettings) -> None:
    made = clients.Clients(settings)
    producer, reader, member = made.producer("x"), made.reader(), made.member("y")
    try:
        chosen = producer.config
        assert (chosen["enable_idempotence"], chosen["acks"]) == (True, -1)
        assert chosen["max_in_flight_requests_per_connection"] <= 5
        assert chosen["allow_auto_create_topics"] is False
        for consumer in (reader, member):
            assert consumer.config["enable_auto_commit"] is False
            assert consumer.config["isolation_level"] == "read_committed"
            assert consumer.config["allow_auto_create_topics"] is False
            assert consumer.config["check_crcs"] is True
        assert reader.config["auto_offset_reset"] == "none"
    finally:
        for client in (producer, reader, member):
            client.close()


def test_crc32c_is_the_fast_one() -> None:
    """Without the extra a worker is six times slower."""
    import crc32c

    assert crc32c.crc32c(b"123456789") == 0xE3069283


def test_what_was_aborted_is_never_seen(bus: KafkaBus, settings: KafkaSettings) -> None:
    reader = bus.join("reader", ["a"])
    reader.commit({}, [out("a", "before")], {})
    open_end = KafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=f"{settings.prefix}cut")
    open_end.init_transactions()
    open_end.begin_transaction()
    open_end.send(f"{settings.prefix}a", b"aborted").get(10)
    second = KafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=f"{settings.prefix}cut")
    second.init_transactions()  # ends what the first left open
    for producer in (open_end, second):
        producer.close()
    assert [r.value for r in fetched(reader, ["a"], 1)] == [b"before"]
    assert values(bus, "a", 1) == [b"before"]
    reader.commit({("a", 0): fetched(reader, ["a"], 1)[0].offset}, [], {})
    soon(lambda: reader.fetch(["a"], 10) == [] and reader.lag("a") == 0)  # what is not seen is no lag either
    assert lags_become(bus, "a", {"reader": 0})


def test_a_record_that_fails_in_the_background_fails_its_commit(bus: KafkaBus, settings: KafkaSettings) -> None:
    """`flush` returns normally when sends have failed: every future is asked."""
    names = Names(settings.prefix)
    make_topics(settings, [TopicSpec(names.topic("small"), 1, {"max.message.bytes": "2000"})])
    group = bus.join("g", ["a"])
    group.commit({}, [out("a", "1")], {"k": b"before"})
    first = fetched(group, ["a"], 1)[0]
    with pytest.raises(Unavailable):
        group.commit({("a", 0): first.offset}, [out("b", "with it"), out("small", "x" * 5000)], {"k": b"after"})
    assert group.position("a") == 0
    assert group.state.get("k") == b"before"
    assert values(bus, "b") == values(bus, "small") == []
    group.commit({("a", 0): first.offset}, [out("b", "again")], {"k": b"after"})
    assert (group.position("a"), values(bus, "b")) == (first.offset, [b"again"])


def test_a_call_without_a_time_out_is_given_up() -> None:
    watched = Watched("test")
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        watched.call(lambda: time.sleep(3), 0.1)
    assert time.monotonic() - begun < 2
    watched.end()


def test_a_position_that_is_no_longer_there_goes_on_at_the_oldest_loudly(bus: KafkaBus, settings: KafkaSettings) -> None:
    writer, reader = bus.join("writer", ()), bus.join("reader", ["a"])
    writer.commit({}, [out("a", str(i)) for i in range(10)], {})
    reader.commit({("a", 0): fetched(reader, ["a"], 10)[1].offset}, [], {})
    reader.close()
    admin = clients.Clients(settings).admin()
    admin.delete_records({TopicPartition(f"{settings.prefix}a", 0): 6})
    again = bus.join("reader", ["a"])
    assert [r.value for r in fetched(again, ["a"], 4)] == [b"6", b"7", b"8", b"9"]
    assert bus.losses() == {("reader", "a"): 4}
    # and while it is running: what it has not read yet is deleted under it
    writer.commit({}, [out("a", "x" * 1000) for _ in range(5000)], {})
    fetched(again, ["a"], 1)
    admin.delete_records({TopicPartition(f"{settings.prefix}a", 0): 5000})
    admin.close()
    seen = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and again.position("a") < 5011:
        records = again.fetch(["a"], 1000)
        seen += records
        if records:
            again.commit({("a", 0): records[-1].offset}, [], {})
    assert seen[-1].offset == 5011
    assert [r.offset for r in seen] == sorted({r.offset for r in seen})


# --- a commit whose answer is lost ---------------------------------------------------------------------------------------------------


def losing(monkeypatch: pytest.MonkeyPatch, *, happens: bool) -> None:
    """The next transaction happens, or not, and then times out."""
    commit = Transactor.commit

    def lost(self: Transactor, *arguments: Any) -> Any:
        monkeypatch.setattr(Transactor, "commit", commit)
        if happens:
            commit(self, *arguments)
        raise KafkaError("RequestTimedOutError")

    monkeypatch.setattr(Transactor, "commit", lost)


def test_a_commit_that_happened_though_its_answer_was_lost(bus: KafkaBus, monkeypatch: pytest.MonkeyPatch) -> None:
    group = bus.join("g", ["a"])
    group.commit({}, [out("a", "1"), out("a", "2")], {})
    first = fetched(group, ["a"], 2)[0]
    losing(monkeypatch, happens=True)
    group.commit({("a", 0): first.offset}, [out("b", "once")], {"k": b"v"})
    assert (group.position("a"), group.state.get("k"), values(bus, "b")) == (first.offset, b"v", [b"once"])
    assert [r.value for r in fetched(group, ["a"], 1)] == [b"2"]


def test_a_commit_that_did_not_happen(bus: KafkaBus, monkeypatch: pytest.MonkeyPatch) -> None:
    group = bus.join("g", ["a"])
    group.commit({}, [out("a", "1")], {})
    first = fetched(group, ["a"], 1)[0]
    holds = dict(group.shares())
    losing(monkeypatch, happens=False)
    with pytest.raises(Unavailable):
        group.commit({("a", 0): first.offset}, [out("b", "once")], {"k": b"v"})
    assert (group.position("a"), group.state.get("k"), values(bus, "b")) == (0, None, [])
    assert group.shares() == holds  # a gateway keeps its result: nothing else has happened
    group.commit({("a", 0): first.offset}, [out("b", "once")], {"k": b"v"})
    assert values(bus, "b", 1) == [b"once"]


@pytest.mark.parametrize("happens", [True, False])
def test_a_commit_that_can_be_settled_only_later(bus: KafkaBus, monkeypatch: pytest.MonkeyPatch, happens: bool) -> None:
    group = bus.join("g", ["a"])
    group.commit({}, [out("a", "1"), out("a", "2")], {})
    first = fetched(group, ["a"], 2)[0]
    holds = dict(group.shares())

    def away(*_: Any) -> Any:
        raise KafkaError("away")

    with monkeypatch.context() as patch:
        losing(patch, happens=happens)
        patch.setattr("tumen.bus_kafka.group.Transactor", away)
        with pytest.raises(Unavailable):
            group.commit({("a", 0): first.offset}, [out("b", "once")], {"k": b"v"}, 0, holds[0])
        with pytest.raises(Unavailable):
            group.fetch(["a"], 10)
        with pytest.raises(Unavailable):
            group.shares()
    if happens:
        with pytest.raises(Moved):  # who still has the result in hand may not commit it again
            group.commit({}, [out("b", "once")], {"k": b"v"}, 0, holds[0])
        assert group.shares() != holds
    else:
        assert group.shares() == holds
        group.commit({("a", 0): first.offset}, [out("b", "once")], {"k": b"v"}, 0, holds[0])
    assert (group.position("a"), group.state.get("k"), values(bus, "b")) == (first.offset, b"v", [b"once"])
    assert [r.value for r in fetched(group, ["a"], 1)] == [b"2"]


def test_who_takes_a_share_over_fences_the_last_holder(bus: KafkaBus, settings: KafkaSettings) -> None:
    group = bus.join("g", ["a"])
    group.commit({}, [], {"k": b"1"})
    hold = group.shares()[0]
    thief = Transactor(clients.Clients(settings), Names(settings.prefix).transaction("g", 0))
    with pytest.raises(Moved):
        group.commit({}, [out("b", "lost")], {"k": b"2"})
    thief.close(1)
    assert values(bus, "b") == []
    soon(lambda: 0 in group.shares())  # the assignment says that it is ours: it is taken back, read anew
    assert group.shares()[0] != hold
    assert group.state.get("k") == b"1"
    group.commit({}, [out("b", "kept")], {"k": b"3"})
    assert values(bus, "b", 1) == [b"kept"]


@pytest.mark.parametrize("happens", [True, False])
def test_a_gateways_io_is_not_repeated_when_an_answer_is_lost(bus: KafkaBus, monkeypatch: pytest.MonkeyPatch, happens: bool) -> None:
    world: list[str] = []
    clock = Clock()
    gateway = dataclasses.replace(gateway_node(world), name="counter")
    runner = GatewayRunner(gateway, bus, Counts(), clock.clocks, batch=10, max_lag=100)
    bus.join("writer", ()).commit({}, [encode(Emit(ITEMS, item(1)))], {})

    def stepped_to(count: int) -> bool:
        runner.step()
        clock.advance(1)
        return len(world) == count and runner.in_flight() == 1

    soon(lambda: stepped_to(1))
    losing(monkeypatch, happens=happens)  # the commit of the result
    for _ in range(20):
        runner.step()
        clock.advance(1)
    assert world == ["job/000001"]
    assert len(values(bus, "candidates")) == 1
    assert runner.in_flight() == 0
    runner.close()


# --- shares --------------------------------------------------------------------------------------------------------------------------


def counter(bus: KafkaBus) -> StageRunner:
    return StageRunner(node(), bus, Counts(), Clock().clocks, batch=10, max_lag=10**9)


def test_shares_move_with_their_state_and_are_never_held_twice(settings: KafkaSettings) -> None:
    with KafkaBus(settings) as bus, KafkaBus(settings) as other:
        writer = bus.join("writer", ())
        one = counter(bus)
        soon(lambda: len(one.group.shares()) == 2)
        writer.commit({}, [encode(Emit(ITEMS, item(number))) for number in range(60)], {})
        while len(values(bus, "candidates")) < 30:
            one.step()
        two = counter(other)

        def divided() -> bool:
            first, second = set(one.group.shares()), set(two.group.shares())
            assert not first & second
            return len(first) == len(second) == 1

        soon(divided)
        deadline = time.monotonic() + 60
        while len(values(bus, "candidates")) < 60 and time.monotonic() < deadline:
            one.step()
            two.step()
        two.close()
        soon(lambda: len(one.group.shares()) == 2)
        writer.commit({}, [encode(Emit(ITEMS, item(number))) for number in range(60, 80)], {})
        while len(values(bus, "candidates")) < 80 and time.monotonic() < deadline:
            one.step()
        one.close()
        names = [decode(CANDIDATES, record.value).id for record in bus.read("candidates", 0, 1000)]
    assert sorted(name.split()[0] for name in names) == [f"{number:06d}" for number in range(80)]
    by_site: dict[str, list[int]] = {}
    for name in names:
        site, number = name.split()[1].split("#")
        by_site.setdefault(site, []).append(int(number))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_site.values()), by_site


def test_a_named_instance_keeps_its_shares_over_a_restart(settings: KafkaSettings) -> None:
    """Static membership: it comes back to what it had, and nobody was given it meanwhile."""
    named = settings.model_copy(update={"instance": "worker-1"})
    with KafkaBus(named) as bus:
        group = bus.join("counter", ["items"])
        soon(lambda: len(group.shares()) == 2)
    with KafkaBus(settings) as bus, KafkaBus(named) as back:
        other = bus.join("counter", ["items"])
        again = back.join("counter", ["items"])
        soon(lambda: len(again.shares()) + len(other.shares()) == 2, 40)
        assert again.shares()


def test_who_is_held_back_keeps_its_place_and_who_hangs_does_not(bus: KafkaBus, settings: KafkaSettings) -> None:
    """Backpressure may last for hours; a stage that never returns must not keep its work from others."""
    impatient = settings.model_copy(update={"max_poll_interval": 7.0})
    with KafkaBus(impatient) as first, KafkaBus(impatient) as second:
        slow = bus.join("reader", ["candidates"])
        assert slow.shares() or slow.position("candidates") == 0
        bus.join("writer", ()).commit({}, [encode(Emit(CANDIDATES, candidate(number))) for number in range(20)], {})
        runner = StageRunner(node(), first, Counts(), Clock().clocks, batch=10, max_lag=5)
        soon(lambda: len(runner.group.shares()) == 2)
        soon(lambda: runner.held_back())
        other = second.join("counter", ["items"])
        soon(lambda: len(other.shares()) == 1 and len(runner.group.shares()) == 1)
        until = time.monotonic() + 10
        while time.monotonic() < until:  # longer than its patience
            assert not runner.step()
            assert len(other.shares()) == 1
            time.sleep(0.1)
        assert len(runner.group.shares()) == 1
        soon(lambda: len(other.shares()) == 2)  # nobody steps the runner any more: it hangs
        runner.close()


# --- topics --------------------------------------------------------------------------------------------------------------------------


def test_the_plan_makes_every_topic_and_then_finds_nothing_to_do(kafka_bootstrap: str) -> None:
    made = new_settings(kafka_bootstrap, partitions=3)
    nodes = load_topology().nodes
    plan = plan_topics(made, "live", nodes)
    assert {change.action for change in plan} == {"create"}
    apply_topics(made, "live", nodes)
    assert {change.action for change in plan_topics(made, "live", nodes)} == {"ok"}
    with KafkaBus(made) as bus:
        assert (bus.partitions("items"), bus.partitions("articles"), bus.partitions("ticks")) == (3, 1, 1)
    assert {change.action for change in plan_topics(made, "sample", nodes)} == {"create"}, "another realm has topics of its own"


def test_a_plan_widens_retention_and_never_shrinks_or_moves(kafka_bootstrap: str) -> None:
    made = new_settings(kafka_bootstrap)
    topic = Names(made.prefix).topic("t")

    def configured(days: int, partitions: int = 1) -> tuple[str, str]:
        (change,) = make_topics(made, [TopicSpec(topic, partitions, {"cleanup.policy": "delete", "retention.ms": str(days * 86_400_000)})])
        return change.action, change.detail

    assert configured(2)[0] == "create"
    assert configured(5)[0] == "alter"
    assert configured(5)[0] == "ok"
    assert configured(1)[0] == "ok"
    action, detail = configured(5, partitions=4)
    assert action == "wrong"
    assert "1 partitions, expected 4" in detail


def test_what_falls_short_is_widened_and_the_rest_left_alone(kafka_bootstrap: str) -> None:
    made = new_settings(kafka_bootstrap)
    topic = Names(made.prefix).topic("t")

    def configured(retention: int, most: int) -> str:
        configs = {"retention.ms": str(retention), "max.message.bytes": str(most)}
        return make_topics(made, [TopicSpec(topic, 1, configs)])[0].action

    assert configured(5_000_000, 1_000_000) == "create"
    assert configured(1_000_000, 2_000_000) == "alter"
    assert configured(5_000_000, 2_000_000) == "ok", "the longer retention was kept"


def test_how_many_may_share_a_nodes_work(kafka_bootstrap: str) -> None:
    made = new_settings(kafka_bootstrap, partitions=6)
    shares = {node.name: shares_of(node.spec, made) for node in load_topology().nodes}
    assert shares["screen"] == shares["clean"] == shares["translate"] == shares["tag"] == 6
    assert {shares[name] for name in ("ticker", "feeds", "files", "dedupe", "stories", "archive", "slack")} == {1}


def test_a_missing_topic_and_wrong_partitions_are_refused_in_one_line(bus: KafkaBus, settings: KafkaSettings) -> None:
    with pytest.raises(Refused, match=r"no topic t\w+\.absent, t\w+\.reader2\.state: 'tumen topics apply'"):
        bus.join("reader2", ["absent"])
    with pytest.raises(Refused, match=r"counter.state has 2 partitions, but t\w+\.a has 1"):
        bus.join("counter", ["a"])
    whole = Settings(bus=BusSettings(kind="kafka"), kafka=settings)
    with pytest.raises(Refused, match="candidates is 2 partitions, expected 4") as refused:
        open_bus(whole, load_topology().nodes)
    assert "\n" not in str(refused.value)


def test_no_broker_is_refused_in_one_line() -> None:
    with pytest.raises(Refused, match=r"kafka\.bootstrap = '127\.0\.0\.1:1': no broker answers") as refused:
        KafkaBus(KafkaSettings(bootstrap="127.0.0.1:1", request_timeout=1.0))
    assert "\n" not in str(refused.value)


# the client leaves the sockets of a refused handshake to the garbage collector: it is called before the test ends
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_password_is_needed_for_sasl_and_shown_nowhere(kafka_bootstrap: str) -> None:
    with pytest.raises(ConfigError, match="sasl_password_file"):
        clients.Clients(KafkaSettings(security_protocol="SASL_SSL"))
    secret = KafkaSettings.model_validate(
        {
            "bootstrap": kafka_bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "tumen",
            "sasl_password": "canary-password",
            "request_timeout": 2.0,
        }
    )
    with pytest.raises(Refused) as refused:
        KafkaBus(secret)
    assert "canary" not in f"{refused.value}{refused.value.__cause__!r}{secret!r}"
    del refused
    gc.collect()


# --- records -------------------------------------------------------------------------------------------------------------------------


def stepped(runner: StageRunner, true: Callable[[], bool]) -> None:
    """Step until it is true."""

    def once() -> bool:
        runner.step()
        return true()

    soon(once)


def raw_records(settings: KafkaSettings, topic: str) -> list[Any]:
    """As any other Kafka tool sees them."""
    consumer = KafkaConsumer(bootstrap_servers=settings.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    try:
        points = [TopicPartition(f"{settings.prefix}{topic}", number) for number in range(TOPICS[topic])]
        consumer.assign(points)
        consumer.seek_to_beginning(*points)
        found: list[Any] = []
        deadline = time.monotonic() + 10
        while not found and time.monotonic() < deadline:
            found += [record for records in consumer.poll(500).values() for record in records]
        return found
    finally:
        consumer.close()


def test_the_envelope_is_cloudevents_and_the_same_on_a_redelivery(bus: KafkaBus, settings: KafkaSettings) -> None:
    writer = bus.join("writer", ())
    message = item(1)
    for _ in range(2):
        writer.commit({}, [encode(Emit(ITEMS, message))], {})
    first, second = raw_records(settings, "items")
    assert first.headers == second.headers
    headers = {name: value.decode() for name, value in first.headers}
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": message.id,
        "ce_type": "tumen.item.v1",
        "ce_time": "2024-09-14T12:00:00+00:00",
        "ce_source": f"/{settings.prefix}writer",
        "content-type": "application/json",
        "traceparent": traceparent(message),
    }
    assert (first.key, decode(ITEMS, first.value)) == (b"site1.example.org", message)


def test_a_trace_is_the_same_through_every_topic() -> None:
    one, two = item(1), item(1).model_copy(update={"id": "other"})
    version, trace, parent, flags = traceparent(one).split("-")
    assert (version, len(trace), len(parent), flags) == ("00", 32, 16, "01")
    assert traceparent(two).split("-")[1] == trace
    assert traceparent(two).split("-")[2] != parent


def test_dead_letters_are_the_original_records_with_what_went_wrong_beside_them(bus: KafkaBus, settings: KafkaSettings) -> None:
    foreign = KafkaProducer(bootstrap_servers=settings.bootstrap)
    sent = foreign.send(f"{settings.prefix}items", b"\xff\x00 not json", key=b"\xfe key", partition=1).get(10)
    foreign.close()
    runner = counter(bus)
    writer = bus.join("writer", ())
    good = encode(Emit(ITEMS, item(7)))
    writer.commit({}, [good], {})
    stepped(runner, lambda: bool(values(bus, "dead") and values(bus, "candidates")))
    (raw,) = raw_records(settings, "dead")
    assert (raw.key, raw.value) == (b"\xfe key", b"\xff\x00 not json")
    headers = {name: value.decode() for name, value in raw.headers}
    assert headers["__tumen.errors.topic"] == "items"
    assert (headers["__tumen.errors.partition"], headers["__tumen.errors.offset"]) == ("1", str(sent.offset))
    assert (headers["__tumen.errors.stage"], headers["__tumen.errors.kind"]) == ("counter", "undecodable")
    assert headers["__tumen.errors.exception"] == "Undecodable"
    assert "Traceback" not in str(headers)
    (record,) = bus.read("dead", 0, 10)
    letter = decode(DEAD, record.value)
    assert base64.b64decode(letter.value) == raw.value
    assert (letter.topic, letter.partition, letter.offset, letter.attempts) == ("items", 1, sent.offset + 1, 1)
    runner.close()
    writer.commit({}, [back(letter)], {})
    soon(lambda: len(raw_records(settings, "items")) == 3)
    again = raw_records(settings, "items")
    assert sorted((found.key, found.value) for found in again)[1:] == [(b"\xfe key", raw.value), (b"\xfe key", raw.value)]


def test_what_strangers_leave_on_the_dead_topic_is_shown_as_it_is(bus: KafkaBus, settings: KafkaSettings) -> None:
    foreign = KafkaProducer(bootstrap_servers=settings.bootstrap)
    headers = [(f"__tumen.errors.{name}", b"\xff" if name == "partition" else b"1") for name in wire._FIELDS]
    for sent in ([("x", b"\xff")], headers):
        foreign.send(f"{settings.prefix}dead", b"\xfe", headers=sent).get(10)
    foreign.close()
    assert [record.value for record in bus.read("dead", 0, 10)] == [b"\xfe", b"\xfe"]
    null = [("__tumen.errors.id", None)]  # other clients can send that; this one cannot
    raw = SimpleNamespace(topic="dead", offset=0, key=None, value=None, headers=null, timestamp=0, partition=0)
    assert wire.record(raw, "dead").value == b""


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(bus: KafkaBus, settings: KafkaSettings) -> None:
    writer, reader = bus.join("writer", ()), bus.join("reader", ["a"])
    writer.commit({}, [out("a", str(i)) for i in range(10)], {})
    reader.commit({("a", 0): fetched(reader, ["a"], 10)[-1].offset}, [], {})
    reader.close()
    writer.close()
    admin = clients.Clients(settings).admin()
    admin.delete_topics([f"{settings.prefix}a"])
    soon(lambda: f"{settings.prefix}a" not in admin.list_topics())
    admin.close()
    make_topics(settings, [TopicSpec(f"{settings.prefix}a", 1, {})])
    with KafkaBus(settings) as anew, structlog.testing.capture_logs() as logs:
        again_writer = anew.join("writer", ())
        again_writer.commit({}, [out("a", "new")], {})
        again = anew.join("reader", ["a"])
        assert [record.value for record in fetched(again, ["a"], 1)] == [b"new"]
    assert [log["committed"] for log in logs if log["event"] == "topic_was_made_anew"] == [10]


def test_a_member_that_breaks_is_replaced(bus: KafkaBus, monkeypatch: pytest.MonkeyPatch) -> None:
    group = bus.join("g", ["a"])
    group.commit({}, [out("a", "1")], {"k": b"v"})
    broken = group._member
    monkeypatch.setattr(broken._member, "poll", lambda *_: 1 / 0)
    soon(lambda: broken.broke is not None)
    soon(lambda: 0 in group.shares() and group._member is not broken)
    assert group.state.get("k") == b"v"
    assert [record.value for record in fetched(group, ["a"], 1)] == [b"1"]


def test_a_newer_schema_pauses_the_input_and_keeps_its_place(bus: KafkaBus) -> None:
    writer, counts, clock = bus.join("writer", ()), Counts(), Clock()
    good = encode(Emit(ITEMS, item(0)))
    newer = Output("items", good.key, good.value.replace(b'"item/1"', b'"item/9"'))
    runner = StageRunner(node(), bus, counts, clock.clocks, batch=10, max_lag=100)
    writer.commit({}, [good, newer, good], {})
    stepped(runner, lambda: runner.paused_for > 0)
    assert len(values(bus, "candidates")) == 1
    assert counts.deads == []
    clock.advance(60)
    assert not runner.step()  # still newer: it waits, it does not skip
    assert len(fetched(runner.group, ["items"], 2)) == 2
    runner.close()


def test_what_is_too_large_is_named_and_buried_and_the_rest_goes_on(settings: KafkaSettings) -> None:
    def blown_up(message: Item, state: Any) -> Any:
        body = "x" * (200_000 if message.id == "000001" else 10)
        return [Emit(CANDIDATES, decode(CANDIDATES, encode(made(message, body)).value))]

    def made(message: Item, body: str) -> Any:
        return Emit(
            CANDIDATES,
            Candidate(id=message.id, seen_at=message.seen_at, trace=message.trace, item=message.model_copy(update={"body": body})),
        )

    small = settings.model_copy(update={"max_message_bytes": 100_000})
    from tumen.runner import Node
    from tumen.stage import Stage

    with KafkaBus(small) as bus:
        writer = bus.join("writer", ())
        runner = StageRunner(
            Node("counter", (ITEMS,), (CANDIDATES,), (), Stage(blown_up)), bus, Counts(), Clock().clocks, batch=10, max_lag=100
        )
        writer.commit({}, [encode(Emit(ITEMS, item(number))) for number in range(3)], {})
        stepped(runner, lambda: len(values(bus, "candidates")) == 2 and bool(values(bus, "dead")))
        letter = decode(DEAD, bus.read("dead", 0, 1)[0].value)
        assert "max_message_bytes" in letter.message
        assert "200" in letter.message
        assert decode(ITEMS, base64.b64decode(letter.value)).id == "000001"
        runner.close()


def test_backpressure_sees_the_lag_of_another_process(settings: KafkaSettings) -> None:
    with KafkaBus(settings) as bus, KafkaBus(settings) as other:
        writer = bus.join("writer", ())
        slow = other.join("reader", ["a"])
        assert slow.position("a") == 0
        writer.commit({}, [out("a", str(i)) for i in range(50)], {})
        assert lags_become(bus, "a", {"reader": 50})
        slow.commit({("a", 0): fetched(slow, ["a"], 50, limit=50)[-1].offset}, [], {})
        assert lags_become(bus, "a", {"reader": 0})


def test_one_package_speaks_to_kafka() -> None:
    speaks = re.compile(r"^\s*(from|import) kafka\b", re.MULTILINE)
    for package in ("tumen", "producers", "processors", "sinks"):
        for path in (ROOT / package).rglob("*.py"):
            assert path.parent.name == "bus_kafka" or not speaks.search(path.read_text(encoding="utf-8")), path


def test_it_says_whether_the_brokers_answer(bus: KafkaBus) -> None:
    bus.alive()
