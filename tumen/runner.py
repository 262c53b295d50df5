"""The one runner: decode, validate, retry, dead letters, publish, commit, backpressure.  No node does any of these itself.

`StageRunner` drives a pure stage, `GatewayRunner` a gateway (and so every producer and every sink, which are gateways by construction).
Both take one `step()` at a time and say whether they did anything; `tumen.live` turns steps into threads, `tumen.testing` into tests.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import structlog

from tumen.bus import Bus, Group, Output, Record
from tumen.codec import Undecodable, decode, encode
from tumen.errors import Outcome, Reject, Unavailable
from tumen.messages import DeadLetter, Message
from tumen.stage import Drop, Emit, Gateway, Job, Out, Stage
from tumen.state import Overlay
from tumen.topics import DEAD, TICKS, TOPICS, Topic

log = structlog.get_logger(__name__)

BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Observer(Protocol):
    """What the runner tells of its work: `tumen.metrics.Metrics` counts it."""

    def handled(self, stage: str, outcome: Outcome, seconds: float) -> None: ...

    def dropped(self, stage: str, reason: str) -> None: ...

    def emitted(self, stage: str, topic: str, count: int) -> None: ...

    def dead(self, stage: str, kind: str) -> None: ...


@dataclass(frozen=True)
class Node:
    """A built node: its name is its group's."""

    name: str
    reads: tuple[Topic[Any], ...]
    writes: tuple[Topic[Any], ...]
    reasons: tuple[str, ...]
    work: Stage[Any] | Gateway
    workers: int = 1


@dataclass(frozen=True)
class Clocks:
    """`now`: the wall clock, timezone-aware.  `monotonic`: seconds that never jump, for pauses and durations."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


@dataclass
class _Batch:
    """What handling some records of one share has caused so far, not yet committed."""

    overlay: Overlay
    share: int
    hold: int
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    tells: list[Callable[[], None]] = field(default_factory=list)


class _Runner:
    """What stage and gateway runners share: reading a batch in, one commit, pauses."""

    def __init__(self, node: Node, bus: Bus, observer: Observer, clocks: Clocks, *, batch: int, max_lag: int) -> None:
        self.node = node
        self.group: Group = bus.join(node.name, [topic.name for topic in self._inputs(node)])
        self._bus, self._observer, self._clocks = bus, observer, clocks
        self._batch, self._max_lag = batch, max_lag
        self._resume_at = 0.0
        self._failures = 0

    @staticmethod
    def _inputs(node: Node) -> tuple[Topic[Any], ...]:
        ticking = isinstance(node.work, Stage) and node.work.on_tick is not None
        return (*node.reads, TICKS) if ticking else node.reads

    @property
    def paused_for(self) -> float:
        """Seconds until this node may read again, 0 when it may now."""
        return max(0.0, self._resume_at - self._clocks.monotonic())

    def held_back(self) -> bool:
        """Backpressure: the slowest reader of what this node writes lags too far."""
        return any(lag > self._max_lag for topic in self.node.writes for lag in self._bus.lags(topic.name).values())

    def close(self) -> None:
        self.group.close()

    def _read_in(self, handle: Callable[[Any, Overlay], Iterable[Out]]) -> bool:
        """One batch of records through `handle`, and its one commit.  Gives whether anything was committed."""
        inputs = self._inputs(self.node)
        if not inputs or self.paused_for:
            return False
        try:
            before = self.group.shares()  # whoever is held back is still there: others need not take over
            if self.held_back():
                return False
            records = self.group.fetch([topic.name for topic in inputs], self._batch)
            if not records:
                return False
            share = self.group.share_of(records[0])
            hold = self.group.shares().get(share)
            if hold is None or hold != before.get(share):
                return False  # it moved while it was read: these records may be handled already, whoever holds it now reads them
            batch = _Batch(Overlay(self.group.state_of(share)), share, hold)
        except Unavailable as error:
            self._pause(error)
            return False
        pause: Unavailable | None = None
        for record in records:
            try:
                self._handle_one(record, handle, batch)
            except Unavailable as error:
                pause = error
                break
        committed = self._commit(batch)
        if pause is not None:
            self._pause(pause)
        elif committed:
            self._failures = 0
        return committed

    def _handle_one(self, record: Record, handle: Callable[[Any, Overlay], Iterable[Out]], batch: _Batch) -> None:
        """Raises `Unavailable`; everything else ends in the batch: outputs, a drop, or a dead letter."""
        begun = self._clocks.monotonic()
        outcome = Outcome.OK
        for attempt in (1, 2):
            fork = batch.overlay.fork()
            try:
                message = decode(TOPICS[record.topic], record.value)
                outs = [self._checked(out) for out in handle(message, fork)]
                outputs = [encode(out) for out in outs if isinstance(out, Emit)]
                self._check_sizes(outputs, fork)
            except Unavailable:
                raise
            except Reject as error:
                outcome = self._bury(record, error, "undecodable" if isinstance(error, Undecodable) else "reject", attempt, batch)
                break
            except Exception as error:  # a node's bug: one retry, then a dead letter, loud
                if attempt == 1:
                    batch.tells.append(lambda: self._observer.handled(self.node.name, Outcome.RETRIED, 0.0))
                    continue
                log.error("bug", stage=self.node.name, topic=record.topic, offset=record.offset, exc_info=error)
                outcome = self._bury(record, error, "bug", attempt, batch)
                break
            batch.overlay.absorb(fork)
            batch.outputs.extend(outputs)
            self._tell_outs(outs, batch)
            if outs and all(isinstance(out, Drop) for out in outs):
                outcome = Outcome.DROPPED
            break
        batch.offsets[record.topic, record.partition] = record.offset
        seconds = self._clocks.monotonic() - begun
        batch.tells.append(lambda: self._observer.handled(self.node.name, outcome, seconds))

    def _checked(self, out: Out) -> Out:
        """An output that the node's declaration allows.  Raises `TypeError` for any other: that is a bug of the node."""
        if isinstance(out, Drop):
            if out.reason not in self.node.reasons:
                raise TypeError(f"{self.node.name} dropped for {out.reason!r}, which is not among its reasons {self.node.reasons}")
        elif out.topic not in self.node.writes and out.topic is not DEAD:
            raise TypeError(f"{self.node.name} wrote to {out.topic.name}, which it does not declare")
        return out

    def _check_sizes(self, outputs: Sequence[Output], fork: Overlay) -> None:
        """Raises `Reject` for what is larger than a record of this bus may be: it would fail with every record of its batch, for ever."""
        limit = self.group.max_bytes
        if limit is None:
            return
        sizes = [(f"a record of {out.topic}", len(out.key) + len(out.value)) for out in outputs]
        sizes += [("a value of its state", len(key) + len(value)) for key, value in fork.writes.items() if value is not None]
        for what, size in sizes:
            if size > limit:
                raise Reject(f"{self.node.name} made {what} of {size} bytes, the bus takes {limit}: raise kafka.max_message_bytes")

    def _tell_outs(self, outs: Sequence[Out], batch: _Batch) -> None:
        name, observer = self.node.name, self._observer
        for out in outs:
            if isinstance(out, Drop):
                batch.tells.append(lambda reason=out.reason: observer.dropped(name, reason))  # type: ignore[misc]
            elif out.topic is DEAD:
                batch.tells.append(lambda kind=out.message.kind: observer.dead(name, kind))  # type: ignore[misc]
            else:
                batch.tells.append(lambda topic=out.topic.name: observer.emitted(name, topic, 1))  # type: ignore[misc]

    def _bury(self, record: Record, error: Exception, kind: str, attempts: int, batch: _Batch) -> Outcome:
        """A dead letter: bytes and key untouched, no stack trace.  Offset 0: of no record, but of the job that is the key."""
        now = self._clocks.now()
        partition = (f"p{record.partition}",) if record.partition else ()
        letter = DeadLetter.model_validate(
            {
                "id": "-".join([self.node.name, record.topic, *partition, str(record.offset) if record.offset else record.key]),
                "seen_at": now,
                "trace": "",
                "stage": self.node.name,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "key": record.key,
                "value": base64.b64encode(record.value).decode("ascii"),
                "kind": kind,
                "exception": type(error).__name__,
                "message": str(error)[:500],
                "attempts": attempts,
                "failed_at": now,
            }
        )
        batch.outputs.append(encode(Emit(DEAD, letter)))
        batch.tells.append(lambda: self._observer.dead(self.node.name, kind))
        log.error("dead_letter", stage=self.node.name, kind=kind, topic=record.topic, offset=record.offset, reason=letter.message)
        return Outcome.DEAD

    def _commit(self, batch: _Batch) -> bool:
        """Everything or nothing.  On failure nothing is told: the records will be handled again."""
        if not (batch.offsets or batch.outputs or batch.overlay.writes):
            return False
        try:
            self.group.commit(batch.offsets, batch.outputs, batch.overlay.writes, batch.share, batch.hold)
        except Unavailable as error:
            self._pause(error)
            return False
        for tell in batch.tells:
            tell()
        return True

    def _pause(self, error: Unavailable) -> None:
        """No message is lost by waiting: the offset was kept."""
        wait = BACKOFF[min(self._failures, len(BACKOFF) - 1)] if error.retry_after is None else error.retry_after
        self._failures += 1
        self._resume_at = self._clocks.monotonic() + wait
        self._observer.handled(self.node.name, Outcome.PAUSED, 0.0)
        log.warning("paused", stage=self.node.name, seconds=wait, reason=str(error))


class StageRunner(_Runner):
    """Drives one stage.  `process` runs outside the write transaction, on an overlay that a failure drops."""

    def step(self) -> bool:
        return self._read_in(self._process)

    def _process(self, message: Message, state: Overlay) -> Iterable[Out]:
        stage = self.node.work
        assert isinstance(stage, Stage)
        if isinstance(message, TICKS.model):
            assert stage.on_tick is not None
            return stage.on_tick(message.at, state)
        return stage.process(message, state)


class _Flight(NamedTuple):
    """A job in I/O, and the hold of the share whose queue it came from."""

    job: Job
    future: "Future[bytes]"
    share: int
    hold: int


class GatewayRunner(_Runner):
    """Drives one gateway: intake is a commit, I/O happens outside of any, the result is a commit of its own.

    With `executor` None the I/O runs inline (tests, one-shot analysis).  One job a lane is in I/O at a time.
    """

    def __init__(
        self, node: Node, bus: Bus, observer: Observer, clocks: Clocks, *, batch: int, max_lag: int, executor: Executor | None = None
    ) -> None:
        super().__init__(node, bus, observer, clocks, batch=batch, max_lag=max_lag)
        assert not isinstance(node.work, Stage)
        self._gateway: Gateway = node.work
        self._executor = executor
        self._flying: dict[str, _Flight] = {}
        self._lane_resumes: dict[str, float] = {}
        self._first_share = 0

    def step(self) -> bool:
        took = self._read_in(self._gateway.accept)
        try:
            landed = self._land()
            return self._launch() or landed or took
        except Unavailable as error:
            self._pause(error)
            return took

    def close(self) -> None:
        """Gives back what the gateway opened, too, unless its I/O is still going on (an end that did not wait)."""
        super().close()
        close = getattr(self._gateway, "close", None)
        if close is not None and not self._flying:
            close()

    def in_flight(self) -> int:
        return len(self._flying)

    def drain(self) -> None:
        """Commit the results of what is in flight as they arrive, and begin nothing: how an ending process steps."""
        self._land()

    def _launch(self) -> bool:
        """Start what is due in lanes that are free, each share first in its turn.  Gives whether anything was started."""
        if self.held_back():
            return False
        started = False
        monotonic = self._clocks.monotonic()
        shares = self.group.shares()
        self._first_share += 1
        order = sorted(shares)
        for share in (order[(self._first_share + i) % len(order)] for i in range(len(order))):
            for job in self._gateway.due(Overlay(self.group.state_of(share)), self._clocks.now()):
                if job.lane in self._flying or self._lane_resumes.get(job.lane, 0.0) > monotonic or len(self._flying) >= self.node.workers:
                    continue
                future = _inline(self._gateway, job) if self._executor is None else self._executor.submit(self._gateway.perform, job)
                future.add_done_callback(lambda _: self._bus.wake())
                self._flying[job.lane] = _Flight(job, future, share, shares[share])
                started = True
        return started

    def _land(self) -> bool:
        """Commit the results that have arrived, one commit each."""
        landed = False
        for lane, flight in list(self._flying.items()):
            if not flight.future.done():
                continue
            hold = self.group.shares().get(flight.share)  # asked anew for each: a commit may find out that others have moved
            del self._flying[lane]
            if hold == flight.hold:  # else the job is somebody else's by now, or was settled when the share came back
                landed = self._finish(flight) or landed
        return landed

    def _finish(self, flight: "_Flight") -> bool:
        begun = self._clocks.monotonic()
        job = flight.job
        batch = _Batch(Overlay(self.group.state_of(flight.share)), flight.share, flight.hold)
        try:
            result = flight.future.result()
            outs = [self._checked(out) for out in self._gateway.finish(job, result, batch.overlay, self._clocks.now())]
            outputs = [encode(out) for out in outs if isinstance(out, Emit)]
            self._check_sizes([], batch.overlay)
        except Exception as error:  # a gateway's bug: the job stays in its queue, its lane pauses, loud
            self._failures += 1
            wait = BACKOFF[min(self._failures, len(BACKOFF)) - 1]
            self._lane_resumes[job.lane] = self._clocks.monotonic() + wait
            self._observer.handled(self.node.name, Outcome.RETRIED, 0.0)
            log.error("bug", stage=self.node.name, job=job.id, lane_paused_for=wait, exc_info=error)
            return False
        outcome = Outcome.OK
        try:
            self._check_sizes(outputs, Overlay(batch.overlay))
            batch.outputs.extend(outputs)
            self._tell_outs(outs, batch)
        except Reject as error:  # doing the job again would make the same: what it was for is named in a dead letter
            source = self.node.reads[0].name if self.node.reads else self.node.writes[0].name
            outcome = self._bury(Record(source, 0, job.id, b"", begun, 0), error, "reject", 1, batch)
        seconds = self._clocks.monotonic() - begun
        batch.tells.append(lambda: self._observer.handled(self.node.name, outcome, seconds))
        if not self._commit(batch):
            self._flying[job.lane] = flight  # the bus is away: keep the result, do not repeat the I/O
            return False
        self._failures = 0
        return True


def _inline(gateway: Gateway, job: Job) -> "Future[bytes]":
    """`perform` here and now, its failure kept as a thread pool would keep it."""
    future: Future[bytes] = Future()
    try:
        future.set_result(gateway.perform(job))
    except Exception as error:  # noqa: BLE001 - handed to whoever asks for the result
        future.set_exception(error)
    return future


def make_runner(
    node: Node, bus: Bus, observer: Observer, clocks: Clocks, *, batch: int, max_lag: int, executor: Executor | None = None
) -> StageRunner | GatewayRunner:
    """The runner of a node.  Raises `Refused` if its group is already run elsewhere."""
    if isinstance(node.work, Stage):
        return StageRunner(node, bus, observer, clocks, batch=batch, max_lag=max_lag)
    return GatewayRunner(node, bus, observer, clocks, batch=batch, max_lag=max_lag, executor=executor)


def settle(
    runners: Sequence[StageRunner | GatewayRunner], *, advance: Callable[[float], None] | None = None, rounds: int = 10_000, idle: int = 2
) -> None:
    """Step every runner until nobody does anything for `idle` rounds (a fake clock moves a second in each of those).

    Raises `AssertionError` when they never come to rest: a node that emits for ever.
    """
    quiet = 0
    for _ in range(rounds):
        if sum(runner.step() for runner in runners):  # every one steps: any() would stop at the first that did something
            quiet = 0
            continue
        quiet += 1
        if quiet >= idle:
            return
        if advance is not None:
            advance(1.0)
    raise AssertionError(f"not at rest after {rounds} rounds")
