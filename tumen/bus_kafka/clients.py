"""kafka-python 3 as Tumen uses it: every default that would lose something is set here, and what blocks for ever is watched.

The traps behind these settings, each with a test in `tests/test_bus_kafka.py`:

- `acks` or `max_in_flight` of the wrong value turn idempotence off with only a log line, so it is asked for by name;
- `auto_offset_reset` is "latest" by default, which skips the backlog of a new group: here it is "none", positions are set explicitly;
- ``commit()`` without offsets commits what was polled, handled or not: offsets are always explicit, inside the transaction;
- `isolation_level` shows aborted records by default;
- transactional calls wait without a limit: they run in a thread that is given up on after a time (`Watched`);
- ``close()`` of a producer waits for what it cannot send and then leaves its thread running: it is closed in the background.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import structlog
from kafka import (  # type: ignore[import-untyped]
    AsyncConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from tumen.errors import ConfigError, Refused, Unavailable
from tumen.settings import KafkaSettings

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FETCH_WAIT_MS = 250


@dataclass(frozen=True)
class Names:
    """What things are called on the brokers.  The live realm is plain, the others stand apart: invented news never meets real."""

    prefix: str
    realm: str = "live"

    @property
    def base(self) -> str:
        return self.prefix if self.realm == "live" else f"{self.prefix}{self.realm}."

    def topic(self, name: str) -> str:
        return self.base + name

    def state(self, group: str) -> str:
        return f"{self.base}{group}.state"

    def group(self, group: str) -> str:
        return self.base + group

    def transaction(self, group: str, share: int) -> str:
        """One producer id a share: whoever takes a share over ends what its last holder left open, at once."""
        return f"{self.base}{group}.{share}"


class Sending(NamedTuple):
    """One record as it is handed to a producer.  `partition` None: by key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int | None = None


def unavailable(error: Exception, doing: str) -> Unavailable:
    return Unavailable(f"Kafka: {doing}: {type(error).__name__}: {str(error)[:200]}")


class Clients:
    """Makes clients for one set of settings."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._common = _common(settings)

    def admin(self, kind: type[Any] = KafkaAdminClient) -> Any:
        """Raises `Refused` when no broker answers."""
        try:
            return kind(**self._common)
        except (KafkaError, OSError, ValueError) as error:
            raise Refused(
                f"kafka.bootstrap = {self.settings.bootstrap!r}: no broker answers ({type(error).__name__}); "
                "start one ('make kafka'), or set TUMEN_KAFKA_BOOTSTRAP"
            ) from error

    def reader(self) -> Any:
        """A consumer without a group: partitions are assigned and positions set by hand; a position out of range is an error."""
        return KafkaConsumer(
            **self._common,
            metrics_enabled=False,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            check_crcs=True,
            allow_auto_create_topics=False,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )

    def member(self, group_id: str) -> Any:
        """A consumer that takes part in a group; its offsets are read and set for others, it fetches nothing."""
        instance = self.settings.instance
        return KafkaConsumer(
            **self._common,
            metrics_enabled=False,
            group_id=group_id,
            group_instance_id=None if instance is None else f"{group_id}.{instance}",
            enable_auto_commit=False,
            auto_offset_reset="latest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            retry_backoff_ms=200,
            session_timeout_ms=int(self.settings.session_timeout * 1000),
            heartbeat_interval_ms=int(min(3.0, self.settings.session_timeout / 3) * 1000),
            max_poll_interval_ms=int(self.settings.max_poll_interval * 1000),
        )

    def producer(self, transactional_id: str) -> Any:
        return KafkaProducer(
            **self._common,
            metrics_enabled=False,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(self.settings.transaction_timeout * 1000),
            enable_idempotence=True,
            acks="all",
            max_in_flight_requests_per_connection=5,
            max_block_ms=int(self.settings.request_timeout * 1000),
            delivery_timeout_ms=int(self.settings.commit_timeout * 1000) + int(self.settings.request_timeout * 1000),
            batch_size=128 * 1024,
            linger_ms=5,
            retry_backoff_ms=20,  # a transaction that begins while the last one is being finished is asked to wait: not for 100 ms
            max_request_size=self.settings.max_message_bytes + 64 * 1024,
            allow_auto_create_topics=False,
        )


def _common(settings: KafkaSettings) -> dict[str, Any]:
    """What every client is given.  Raises `ConfigError` for a mechanism without its name and password."""
    found: dict[str, Any] = {
        "bootstrap_servers": [address.strip() for address in settings.bootstrap.split(",")],
        "client_id": "tumen",
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": int(settings.request_timeout * 1000),
        "bootstrap_timeout_ms": int(settings.request_timeout * 1000),
        "reconnect_backoff_max_ms": 1000,
    }
    if settings.security_protocol.startswith("SASL"):
        if settings.sasl_mechanism is None or settings.sasl_username is None or settings.sasl_password is None:
            raise ConfigError(
                f"kafka.security_protocol = {settings.security_protocol!r}: "
                "expected sasl_mechanism, sasl_username and sasl_password_file too"
            )
        found["sasl_mechanism"] = settings.sasl_mechanism
        found["sasl_plain_username"] = settings.sasl_username
        found["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    if settings.security_protocol.endswith("SSL"):
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            path = getattr(settings, name)
            if path is not None:
                found[name] = str(path)
        if settings.ssl_password is not None:
            found["ssl_password"] = settings.ssl_password.get_secret_value()
    return found


class Watched:
    """Runs calls that have no time-out in a daemon thread, and stops waiting for them after a time.  After that it is of no more use."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            work, future = call
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                future.set_exception(error)

    def call(self, work: Callable[[], T], seconds: float) -> T:
        """Raises what `work` raises, and `TimeoutError` when it has not ended after `seconds`."""
        future: Future[T] = Future()
        self._calls.put((work, future))
        return future.result(seconds)

    def end(self) -> None:
        self._calls.put(None)


class Transactor:
    """The producer of one share.  After any failure it is of no more use: `discard` it and open a new one with the same id."""

    def __init__(self, clients: Clients, transactional_id: str) -> None:
        self._seconds = clients.settings.commit_timeout
        self._watched = Watched(f"kafka-{transactional_id}")
        try:
            self._producer = self._watched.call(lambda: clients.producer(transactional_id), self._seconds)
        except BaseException:
            self._watched.end()
            raise
        try:
            self._watched.call(self._producer.init_transactions, self._seconds)
        except BaseException:
            self.discard()
            raise

    def commit(self, records: Sequence[Sending], offsets: Mapping[Any, Any], member: Any) -> dict[Any, int]:
        """One transaction.  Gives the offset after the last record, by partition.  Whatever it raises, the outcome is not known."""
        return self._watched.call(lambda: self._transact(records, offsets, member), self._seconds)

    def _transact(self, records: Sequence[Sending], offsets: Mapping[Any, Any], member: Any) -> dict[Any, int]:
        producer = self._producer
        producer.begin_transaction()
        sent = [producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers), partition=r.partition) for r in records]
        producer.send_offsets_to_transaction(offsets, member)
        producer.flush(self._seconds)
        ends: dict[Any, int] = {}
        for future in sent:  # flush returns normally when sends have failed
            metadata = future.get(timeout=self._seconds)
            ends[metadata.topic_partition] = max(metadata.offset + 1, ends.get(metadata.topic_partition, 0))
        producer.commit_transaction()
        return ends

    def discard(self) -> None:
        """Close in the background: closing a producer that cannot send takes as long as it takes."""
        self._watched.end()
        threading.Thread(target=_close_quietly, args=(self._producer, self._seconds * 2), name="kafka-close", daemon=True).start()

    def close(self, seconds: float) -> None:
        """Nothing is under way: it ends at once, or is given up."""
        self._watched.end()
        _close_quietly(self._producer, seconds)


def _close_quietly(client: Any, seconds: float) -> None:
    try:
        client.close(timeout=seconds)
    except (KafkaError, RuntimeError, OSError) as error:  # it was given up already: that it also fails to close costs nothing
        log.debug("kafka_close", error=f"{type(error).__name__}: {error}")


def offsets_after(offsets: Mapping[tuple[str, int], int], names: Names) -> dict[Any, Any]:
    """Tumen's offsets (of the last record handled, from 1) as Kafka's (of the next record, from 0): the same number."""
    return {
        TopicPartition(names.topic(topic), partition): OffsetAndMetadata(offset, "", -1) for (topic, partition), offset in offsets.items()
    }


class Dropped(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what was taken from a member.  It only notes: a listener that blocks stops the heartbeats of its consumer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions: set[int] = set()

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """What is held is asked of the consumer itself."""

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        with self._lock:
            self._partitions.update(tp.partition for tp in revoked)

    async def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        await self.on_partitions_revoked(lost)

    def take(self) -> set[int]:
        """What was dropped since the last call."""
        with self._lock:
            found, self._partitions = self._partitions, set()
        return found


__all__ = [
    "Clients",
    "Dropped",
    "KafkaError",
    "Names",
    "OffsetAndMetadata",
    "Sending",
    "TopicPartition",
    "Transactor",
    "Watched",
    "offsets_after",
    "unavailable",
]
