"""A replay: what a topic still holds goes through the stages again, apart from everything live (design, rule 15).

The kept records of one topic, and the ticks that passed among them, are read from the live bus; nothing there moves.  They are put on a bus
of the replay's own in the realm `replay`, where the same nodes handle them from an empty memory.  Time is the records': a tick is handled
when everything before it has been, as it was live, and no stage can tell a replay of a week from that week.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tumen.bus import Bus, Output, Record
from tumen.codec import NewerSchema, Undecodable, decode, encode
from tumen.errors import ConfigError, Outcome
from tumen.history import Starts, ends, read_on, starts
from tumen.ids import digest
from tumen.messages import Alert, Message, Tick
from tumen.pipeline import Topology
from tumen.runner import Clocks, Node, make_runner, settle
from tumen.stage import Emit, GatewaySpec, SinkSpec, StageSpec
from tumen.topics import ALERTS, DEAD, TICKS, TOPICS

M = TypeVar("M", bound=Message)

#: records that are handled together: fewer than a gateway queues, so that a replay overflows nothing that was not overflown live
_CHUNK = 50
_GROUP = "replay"
#: seconds of its own time that a replay waits at the end for what is to be tried again
_LONGEST_PAUSE = 120


class ReplayClock:
    """The time of the records: it never goes back, and goes on by itself only where a node waits (a retry)."""

    def __init__(self, start: datetime) -> None:
        self._now = self._start = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def move_to(self, moment: datetime) -> None:
        self._now = max(self._now, moment)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    @property
    def clocks(self) -> Clocks:
        return Clocks(self.now, self.monotonic)


class _Nobody:
    """An observer for whom nothing is counted: a replay's figures are not the live pipeline's."""

    def handled(self, stage: str, outcome: Outcome, seconds: float) -> None: ...

    def dropped(self, stage: str, reason: str) -> None: ...

    def emitted(self, stage: str, topic: str, count: int) -> None: ...

    def dead(self, stage: str, kind: str) -> None: ...


@dataclass(frozen=True)
class Span:
    """Which records: of `topic` from `begin` on, up to what was newest when the span was made; and the ticks among them."""

    topic: str
    begins: dict[str, Starts]
    untils: dict[str, Starts]


@dataclass
class Replayed:
    """What has come of a replay."""

    records: int = 0
    ticks: int = 0
    alerts: int = 0
    dead: int = 0


def span(source: Bus, topic: str, since: int | datetime) -> Span:
    """The records of `topic` from `since` on.  Ticks begin with the first of them: what passed before is not repeated."""
    begin = starts(source, topic, since)
    firsts = [record.at for partition, after in begin.items() for record in source.read(topic, after, 1, partition)]
    ticks = starts(source, TICKS.name, datetime.fromtimestamp(min(firsts), UTC)) if firsts else ends(source, TICKS.name)
    return Span(topic, {topic: begin, TICKS.name: ticks}, {topic: ends(source, topic), TICKS.name: ends(source, TICKS.name)})


def nodes_behind(topology: Topology, topic: str, *, sinks: bool) -> set[str]:
    """The nodes that a record of `topic` can reach: stages, gateways, and with `sinks` those that keep to their data folder.

    Raises `ConfigError` for a topic that no stage reads.
    """
    inner = [node for node in topology.nodes if isinstance(node.spec, StageSpec | GatewaySpec)]
    readable = {read.name for node in inner for read in node.spec.reads}
    if topic not in readable:
        raise ConfigError(f"--topic = {topic!r}: expected one of {', '.join(name for name in TOPICS if name in readable)}")
    reached, names = {topic}, set()
    for _ in inner:  # as often as there are nodes: whatever their order in the file
        for node in inner:
            if reached & {read.name for read in node.spec.reads}:
                names.add(node.name)
                reached |= {written.name for written in node.spec.writes}
    return names | {node.name for node in topology.nodes if sinks and isinstance(node.spec, SinkSpec) and node.spec.local}


def first_moment(source: Bus, chosen: Span) -> datetime | None:
    """When the span's first record was written, None if it has none."""
    first = next(read_on(source, [chosen.topic], chosen.begins, chosen.untils), None)
    return None if first is None else datetime.fromtimestamp(first.at, UTC)


def as_replay(message: M) -> M:
    """The same message, and every message inside it, in the realm `replay`."""
    inside = {name: as_replay(value) for name in type(message).model_fields if isinstance(value := getattr(message, name), Message)}
    return message.model_copy(update={"realm": "replay", **inside})


def replay(
    source: Bus,
    chosen: Span,
    target: Bus,
    nodes: Sequence[Node],
    clock: ReplayClock,
    *,
    tick_seconds: float,
    told: Callable[[Alert], None],
) -> Replayed:
    """Run `nodes` over the span on the bus `target`, which is empty, and hand each alert to `told`, in order.

    Ticks older than their retention are gone; in their place time passes in steps of `tick_seconds` between the records.
    """
    done = Replayed()
    runners = [make_runner(node, target, _Nobody(), clock.clocks, batch=_CHUNK, max_lag=10**9) for node in nodes]
    group = target.join(_GROUP, ())
    told_of = 0
    try:
        stream = read_on(source, list(chosen.begins), chosen.begins, chosen.untils)
        for chunk in _chunks(_with_ticks(stream, timedelta(seconds=tick_seconds))):
            clock.move_to(datetime.fromtimestamp(chunk[-1].at, UTC))
            group.commit({}, [_again(record) for record in chunk], {})
            settle(runners, advance=clock.advance)
            ticks = sum(record.topic == TICKS.name for record in chunk)
            done.ticks += ticks
            done.records += len(chunk) - ticks
            for record in target.read(ALERTS.name, told_of, 10**9):
                told_of = record.offset
                done.alerts += 1
                told(decode(ALERTS, record.value))
        settle(runners, advance=clock.advance, idle=_LONGEST_PAUSE)
        done.dead = len(target.read(DEAD.name, 0, 10**9))
    finally:
        group.close()
        for runner in runners:
            runner.close()
    return done


def _with_ticks(records: Iterator[Record], step: timedelta) -> Iterator[Record]:
    """The records, and a tick every `step` of their time for as long as no kept tick has come."""
    last: float | None = None
    kept = False
    for record in records:
        kept = kept or record.topic == TICKS.name
        if last is None:
            last = record.at
        while not kept and record.at - last >= step.total_seconds():
            last += step.total_seconds()
            yield _tick(last)
        yield record


def _tick(moment: float) -> Record:
    at = datetime.fromtimestamp(moment, UTC)
    tick_id = digest("tick", at.isoformat())
    made = encode(Emit(TICKS, Tick(id=tick_id, seen_at=at, trace=tick_id, at=at)))
    return Record(made.topic, 0, made.key, made.value, moment)


def _chunks(records: Iterator[Record]) -> Iterator[list[Record]]:
    """A few records at a time; a tick by itself, so that all before it is handled before it."""
    chunk: list[Record] = []
    for record in records:
        if chunk and (record.topic == TICKS.name or len(chunk) == _CHUNK):
            yield chunk
            chunk = []
        chunk.append(record)
        if record.topic == TICKS.name:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _again(record: Record) -> Output:
    """The record as the replay publishes it.  What could not be read live is put through as it is: it is buried again.

    Raises `ConfigError` for what a newer Tumen has written: it would hold up everything behind it, as it does live.
    """
    topic = TOPICS[record.topic]
    try:
        return encode(Emit(topic, as_replay(decode(topic, record.value))))
    except NewerSchema as error:
        raise ConfigError(f"{record.topic} {record.offset}: {error}, or replay from behind it") from error
    except Undecodable:
        return Output(record.topic, record.key, record.value)
