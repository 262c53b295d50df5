"""`tumen.bus.Bus` on Kafka."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import structlog
from kafka.protocol.consumer import IsolationLevel, OffsetSpec  # type: ignore[import-untyped]

from tumen.bus import Record
from tumen.bus_kafka.clients import Clients, KafkaError, Names, TopicPartition, unavailable
from tumen.bus_kafka.forgotten import Forgotten, find
from tumen.bus_kafka.group import KafkaGroup, lag_of
from tumen.bus_kafka.wire import record
from tumen.errors import Refused, Unavailable
from tumen.settings import KafkaSettings

log = structlog.get_logger(__name__)

#: commits of other processes are not heard of: whoever waits looks again after this long
_LOOK_AGAIN_SECONDS = 0.1
_LAGS_SECONDS = 1.0
_GROUPS_SECONDS = 10.0
_READ_POLL_MS = 300


class KafkaBus:
    """See `tumen.bus.Bus`.  Raises `Refused` when no broker answers."""

    def __init__(self, settings: KafkaSettings, realm: str = "live") -> None:
        self.clients = Clients(settings)
        self.names = Names(settings.prefix, realm)
        self._admin = self.clients.admin()
        self._admin_lock = threading.Lock()
        self._reader: Any = None
        self._reader_lock = threading.Lock()
        self._changed = threading.Condition()
        self._commits = 0
        self._groups: list[KafkaGroup] = []
        self._ends: dict[tuple[str, int], int] = {}
        self._lost: Counter[tuple[str, str]] = Counter()
        self._lags: dict[str, dict[str, int]] = {}
        self._next_lags = self._next_groups = self._answered_until = 0.0
        self._group_ids: list[str] = []
        self._counts: dict[str, int] = {}

    # --- groups --------------------------------------------------------------------------------------------------------------------

    def join(self, group: str, reads: Sequence[str]) -> KafkaGroup:
        """See `tumen.bus.Bus.join`.  Raises `Refused` for a topic that is missing or has the wrong partitions."""
        state = self.names.state(group)
        counts = self._describe([*map(self.names.topic, reads), state])
        missing = [topic for topic, count in counts.items() if count == 0]
        if missing:
            raise Refused(f"{group}: Kafka has no topic {', '.join(missing)}: 'tumen topics apply' makes what is missing")
        inputs = {topic: counts[self.names.topic(topic)] for topic in reads}
        shares = counts[state]
        if shares > 1 and set(inputs.values()) != {shares}:
            found = ", ".join(f"{self.names.topic(topic)} has {count}" for topic, count in inputs.items())
            raise Refused(f"{group}: {state} has {shares} partitions, but {found or 'it reads nothing'}; expected the same number, or 1")
        joined = KafkaGroup(self, group, inputs, shares)
        self._groups.append(joined)
        return joined

    def _describe(self, topics: Sequence[str]) -> dict[str, int]:
        """Partitions by topic, 0 for a topic that is not there."""
        try:
            with self._admin_lock:
                found = self._admin.describe_topics(list(topics))
        except (KafkaError, TimeoutError, OSError) as error:
            raise unavailable(error, "describing topics") from error
        counts = {entry["name"]: len(entry["partitions"]) for entry in found if not entry.get("error_code")}
        return {topic: counts.get(topic, 0) for topic in topics}

    def left(self, group: KafkaGroup) -> None:
        if group in self._groups:
            self._groups.remove(group)

    def wrote(self, ends: Mapping[Any, int]) -> None:
        """Records have been committed up to these offsets (exclusive)."""
        base = self.names.base
        with self._changed:
            for tp, end in ends.items():
                place = (tp.topic.removeprefix(base), tp.partition)
                self._ends[place] = max(end, self._ends.get(place, 0))
            self._commits += 1
            self._changed.notify_all()

    def forgotten(self, transactional_id: str, state: Any) -> list[Forgotten]:
        """See `tumen.bus_kafka.group.Home.forgotten`."""
        with self._admin_lock:
            topics = [name for name in self._admin.list_topics() if name.startswith(self.names.base)]
            entries = self._admin.describe_topics(topics)
            points = [TopicPartition(entry["name"], part["partition_index"]) for entry in entries for part in entry["partitions"]]
            return find(self._admin, transactional_id, points, state, self.clients.settings.request_timeout)

    def written_ends(self, points: Sequence[Any]) -> dict[Any, int]:
        """See `tumen.bus_kafka.group.Home.written_ends`."""
        with self._admin_lock:
            found = self._admin.list_partition_offsets(
                dict.fromkeys(points, OffsetSpec.LATEST), isolation_level=IsolationLevel.READ_UNCOMMITTED
            )
        return {tp: int(found[tp].offset) for tp in points}

    def known_end(self, topic: str, partition: int) -> int:
        return self._ends.get((topic, partition), 0)

    def lost(self, group: str, topic: str, count: int) -> None:
        """Retention has passed a group that was away for too long."""
        self._lost[group, topic] += count
        log.error(
            "records_lost",
            stage=group,
            topic=topic,
            records=count,
            reason="they were deleted (retention) before they were read; it goes on",
        )

    def losses(self) -> dict[tuple[str, str], int]:
        """(group, topic) -> records that were deleted before they were read, counted since this process started."""
        return dict(self._lost)

    # --- lag -----------------------------------------------------------------------------------------------------------------------

    def lags(self, topic: str) -> dict[str, int]:
        """At most a second old for what other processes hold.  While the brokers are away: as it was last known."""
        self._refresh_lags()
        return dict(self._lags.get(topic, {}))

    def _refresh_lags(self) -> None:
        if time.monotonic() < self._next_lags or not self._admin_lock.acquire(blocking=False):
            return
        try:
            if time.monotonic() >= self._next_lags:
                self._lags = self._ask_lags()
                self._answered_until = time.monotonic() + 2 * _LAGS_SECONDS
        except (KafkaError, TimeoutError, OSError, RuntimeError) as error:
            log.warning("lags_unknown", reason=f"{type(error).__name__}: {error}"[:200])
        finally:
            self._next_lags = time.monotonic() + _LAGS_SECONDS
            self._admin_lock.release()

    def _ask_lags(self) -> dict[str, dict[str, int]]:
        base = self.names.base
        now = time.monotonic()
        if now >= self._next_groups:
            found = self._admin.list_groups()
            self._group_ids = sorted(entry["group_id"] for entry in found if _is_ours(entry["group_id"], base))
            self._next_groups = now + _GROUPS_SECONDS
        local = {group.name: group.handled() for group in list(self._groups)}
        group_ids = sorted({*self._group_ids, *map(self.names.group, local)})
        committed = self._admin.list_group_offsets(group_ids) if group_ids else {}
        handled: dict[tuple[str, str, int], int] = {}
        for group_id, offsets in committed.items():
            for tp, found_at in offsets.items():
                if tp.topic.startswith(base) and not tp.topic.endswith(".state") and found_at.offset >= 0:
                    handled[group_id.removeprefix(base), tp.topic.removeprefix(base), tp.partition] = found_at.offset
        for name, places in local.items():
            for (topic, partition), offset in places.items():
                handled[name, topic, partition] = offset
        points = {TopicPartition(self.names.topic(topic), partition): OffsetSpec.LATEST for _, topic, partition in handled}
        ends = self._admin.list_partition_offsets(points, isolation_level=IsolationLevel.READ_COMMITTED) if points else {}
        lags: dict[str, dict[str, int]] = {}
        for (name, topic, partition), offset in handled.items():
            end = ends[TopicPartition(self.names.topic(topic), partition)].offset
            of_topic = lags.setdefault(topic, {})
            of_topic[name] = of_topic.get(name, 0) + lag_of(end, offset)
        return lags

    def alive(self) -> None:
        """Raises `Unavailable` when the brokers have not answered for two seconds and do not now."""
        self._refresh_lags()
        if time.monotonic() > self._answered_until:
            raise Unavailable(f"no Kafka broker of {self.clients.settings.bootstrap} answers")

    # --- waiting -------------------------------------------------------------------------------------------------------------------

    def wait(self, seen: int, timeout: float) -> int:
        deadline = time.monotonic() + min(timeout, _LOOK_AGAIN_SECONDS)
        with self._changed:
            while self._commits == seen and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._commits

    def wake(self) -> None:
        self.wrote({})

    # --- looking -------------------------------------------------------------------------------------------------------------------

    def partitions(self, topic: str) -> int:
        if topic not in self._counts:
            count = self._describe([self.names.topic(topic)])[self.names.topic(topic)]
            if count == 0:
                raise Refused(f"Kafka has no topic {self.names.topic(topic)}: 'tumen topics apply' makes what is missing")
            self._counts[topic] = count
        return self._counts[topic]

    def read(self, topic: str, after: int, limit: int, partition: int | None = None) -> list[Record]:
        """In the order of their times; of each partition the oldest `limit` at most are asked for.  Raises `Unavailable`."""
        wanted = range(self.partitions(topic)) if partition is None else (partition,)
        points = [TopicPartition(self.names.topic(topic), number) for number in wanted]
        try:
            with self._reader_lock:
                found = self._read(points, topic, after, limit)
        except (KafkaError, TimeoutError, OSError) as error:
            raise unavailable(error, f"reading {topic}") from error
        return sorted(found, key=lambda record: record.at)[:limit]  # a stable sort: records of one partition keep their order

    def _read(self, points: Sequence[Any], topic: str, after: int, limit: int) -> list[Record]:
        if self._reader is None:
            self._reader = self.clients.reader()
        reader, seconds = self._reader, self.clients.settings.request_timeout
        reader.assign(list(points))
        reader.resume(*points)  # it remembers what the last call paused
        first = reader.beginning_offsets(list(points), timeout_ms=int(seconds * 1000))
        last = reader.end_offsets(list(points), timeout_ms=int(seconds * 1000))
        for tp in points:
            reader.seek(tp, max(first[tp], after))
        left = {tp for tp in points if max(first[tp], after) < last[tp]}
        taken: dict[Any, list[Record]] = {tp: [] for tp in points}
        progress = time.monotonic()
        while left:
            reader.pause(*(tp for tp in points if tp not in left))
            for tp, records in reader.poll(_READ_POLL_MS, max_records=5000).items():
                taken[tp].extend(record(raw, topic) for raw in records if raw.offset < last[tp])
                progress = time.monotonic()
            left = {tp for tp in left if len(taken[tp]) < limit and (reader.position(tp) or 0) < last[tp]}
            if time.monotonic() - progress > seconds:
                raise TimeoutError(f"nothing came for {seconds} s")
        return [found for records in taken.values() for found in records[:limit]]

    def trim(self, topic: str, older_than: float, *, compact: bool) -> int:
        """The brokers forget by themselves, as the topic is configured ('tumen topics plan')."""
        return 0

    def close(self) -> None:
        """Its groups too, if any is left."""
        for group in list(self._groups):
            group.close()
        for client in (self._reader, self._admin):
            if client is None:
                continue
            try:
                client.close()
            except (KafkaError, TimeoutError, OSError, RuntimeError) as error:
                log.debug("kafka_close", error=f"{type(error).__name__}: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _is_ours(group_id: str, base: str) -> bool:
    """A group of this realm: those of another have a dot more in their names."""
    return group_id.startswith(base) and "." not in group_id.removeprefix(base)
