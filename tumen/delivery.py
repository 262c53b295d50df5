"""From a `Sink` to a gateway: a row of its own for each message, pace, backoff, order, dead letters.

What is promised: every message a sink wants is delivered at least once, whatever dies when; a message is delivered again only if the
process died between the delivery and its commit, or if the outside did not say whether it took it (then the repeat is marked and counted).

The queue is state, so that every step costs the same however long it is:

    row/<n>                what to deliver and how often it was tried        new/<n>           not judged yet (`Sink.wanted`)
    line/<key>/<n>         the rows of one key, in order                     ready/<n>         may go out: the first of its line
    wait/<time>/<n>        may go out again at that time                     known/<id>        taken in before: a redelivery is no news
    route                  why and until when nothing goes out at all        last, seq, pending, old/<n>

Rows of one key (one story) keep their order; a row that cannot be delivered holds up its own line and no other.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from tumen.codec import decode
from tumen.errors import Reject, Result, Unavailable
from tumen.ids import digest
from tumen.logs import scrub
from tumen.messages import DeadLetter, Frozen, Message
from tumen.stage import Attempt, Drop, Emit, Job, Out, Sink, SinkSpec
from tumen.state import State
from tumen.topics import DEAD, TOPICS

log = structlog.get_logger(__name__)

ROW_BACKOFF = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
ROUTE_BACKOFF_CAP = 60.0
#: a stopped route (a revoked webhook) is tried again this often with one row, and at every start
PROBE_SECONDS = 900.0
LONGEST_HOLD = 86_400.0
REMEMBERED = 20_000
JUDGED_AT_ONCE = 100
_JUDGE, _OUT = "judge", "out"


class Deliveries(Protocol):
    """What is told of the deliveries: `tumen.metrics.Metrics` counts it."""

    def attempted(self, sink: str, result: Result) -> None: ...

    def route(self, sink: str, *, up: bool) -> None: ...

    def pending(self, sink: str, rows: int) -> None: ...


class Row(Frozen):
    """One message on its way out.  `key` is its topic's and orders; `repeat`: an earlier try may have arrived after all."""

    topic: str
    key: str
    id: str
    message: str
    failures: int = 0
    bugs: int = 0
    repeat: bool = False

    @property
    def line(self) -> str:
        return f"line/{digest(self.key)}/"


class Route(Frozen):
    """Nothing goes out between `since` and `until`.  `stopped`: until a person mends it; `failures` in a row make it longer."""

    since: datetime
    until: datetime
    stopped: bool = False
    failures: int = 0


class _Tried(Frozen):
    """The result of one try, as `perform` hands it to `finish`."""

    result: Result
    error: str = ""
    exception: str = ""
    retry_after: float | None = None
    ambiguous: bool = False


class _Verdict(Frozen):
    """What `Sink.wanted` said of one row."""

    number: str
    reason: str | None = None
    bad: _Tried | None = None


class SinkGateway:
    """A `tumen.stage.Gateway` around one sink."""

    def __init__(self, name: str, spec: SinkSpec, sink: Sink, deliveries: Deliveries | None = None) -> None:
        self._name, self._spec, self._sink, self._deliveries = name, spec, sink, deliveries
        self._topics = {topic.model: topic for topic in spec.reads}
        self._stopped_here = False

    def close(self) -> None:
        self._sink.close()

    # --- taking in ---------------------------------------------------------------------------------------------------------------

    def accept(self, message: Message, state: State) -> Iterable[Out]:
        """A row for the message, unless it was taken in before.  A compacted topic's records are each a newer state of their key,
        so there nothing is a repetition."""
        topic = self._topics[type(message)]
        number = f"{int(state.get('seq') or b'0') + 1:016d}"
        if topic.retention is not None:
            if state.get(f"known/{message.id}") is not None:
                return ()
            _remember(state, number, message.id)
        row = Row(topic=topic.name, key=topic.key(message), id=message.id, message=message.model_dump_json(by_alias=True))
        state.put("seq", number.encode())
        _put(state, number, row)
        state.put(f"new/{number}", b"")
        _count(state, 1)
        return ()

    # --- what may go out now -----------------------------------------------------------------------------------------------------

    def due(self, state: State, now: datetime) -> Sequence[Job]:
        if self._deliveries is not None:
            self._deliveries.pending(self._name, int(state.get("pending") or b"0"))
        jobs = []
        new = [key.removeprefix("new/") for key, _ in state.scan("new/", limit=JUDGED_AT_ONCE)]
        if new:
            payload = {"at": now.isoformat(), "rows": [[number, _row(state, number).model_dump()] for number in new]}
            jobs.append(Job(f"judge/{new[0]}", _JUDGE, json.dumps(payload).encode()))
        number = None if self._held(state, now) else _next(state, now)
        if number is not None:
            row = _row(state, number)
            jobs.append(Job(f"row/{number}", _OUT, row.model_dump_json().encode(), row.failures + row.bugs + 1))
        return jobs

    def _held(self, state: State, now: datetime) -> bool:
        """The route is paused or stopped, or the last delivery is too recent.  A clock that was set back holds nothing up."""
        raw = state.get("route")
        if raw is not None:
            route = Route.model_validate_json(raw)
            # a person restarts Tumen after mending a route, so a stop found at the start is tried at once
            skip = route.stopped and not self._stopped_here
            if not skip and route.since <= now < route.until:
                return True
        last = state.get("last")
        return last is not None and 0 <= (now - datetime.fromisoformat(last.decode())).total_seconds() < self._spec.pace

    # --- the I/O -----------------------------------------------------------------------------------------------------------------

    def perform(self, job: Job) -> bytes:
        if job.lane == _JUDGE:
            asked = json.loads(job.payload)
            at = datetime.fromisoformat(asked["at"])
            verdicts = [self._judge(number, Row.model_validate(row), at) for number, row in asked["rows"]]
            return json.dumps([verdict.model_dump() for verdict in verdicts]).encode()
        tried = self._try(Row.model_validate_json(job.payload), job.attempt)
        if self._deliveries is not None:
            self._deliveries.attempted(self._name, tried.result)
            if tried.result in ("delivered", "rejected", "stopped"):
                self._deliveries.route(self._name, up=tried.result != "stopped")
        return tried.model_dump_json().encode()

    def _judge(self, number: str, row: Row, at: datetime) -> _Verdict:
        try:
            reason = self._sink.wanted(_message(row), at)
            if reason is not None and reason not in self._spec.reasons:
                raise TypeError(f"{self._name} refused for {reason!r}, which is not among its reasons {self._spec.reasons}")
        except Reject as error:
            return _Verdict(number=number, bad=_tried("rejected", error))
        except Unavailable:  # written by a newer Tumen: its delivery will wait for the upgrade
            return _Verdict(number=number)
        except Exception as error:  # a sink's bug: this row is buried, the others are judged
            log.error("bug", stage=self._name, id=row.id, exc_info=error)
            return _Verdict(number=number, bad=_tried("bug", error))
        return _Verdict(number=number, reason=reason)

    def _try(self, row: Row, attempt: int) -> _Tried:
        try:
            self._sink.deliver(_message(row), Attempt(attempt, row.repeat))
        except Reject as error:
            return _tried("rejected", error)
        except Unavailable as error:
            tried = _tried(_kind(error), error).model_copy(update={"retry_after": error.retry_after, "ambiguous": error.ambiguous})
            tell = log.error if tried.result == "stopped" else log.warning
            tell("not_delivered", sink=self._name, id=row.id, attempt=attempt, result=tried.result, reason=tried.error)
            return tried
        except Exception as error:  # a sink's bug: one retry, then a dead letter; the other rows go on
            log.error("bug", stage=self._name, id=row.id, attempt=attempt, exc_info=error)
            return _tried("bug", error)
        return _Tried(result="delivered")

    # --- what came of it ---------------------------------------------------------------------------------------------------------

    def finish(self, job: Job, result: bytes, state: State, now: datetime) -> Iterable[Out]:
        if job.lane == _JUDGE:
            return [out for raw in json.loads(result) for out in self._judged(_Verdict.model_validate(raw), state, now)]
        number = job.id.removeprefix("row/")
        if self._spec.pace:
            state.put("last", now.isoformat().encode())
        return self._tried(number, _row(state, number), _Tried.model_validate_json(result), state, now)

    def _judged(self, verdict: _Verdict, state: State, now: datetime) -> Iterable[Out]:
        number = verdict.number
        row = _row(state, number)
        state.delete(f"new/{number}")
        if verdict.bad is not None:
            _forget(state, number)
            return [self._dead(row, verdict.bad, state, now)]
        if verdict.reason is not None:
            _forget(state, number)
            return [Drop(verdict.reason)]
        first = next(state.scan(row.line, limit=1), None) is None
        state.put(row.line + number, b"")
        if first:
            state.put(f"ready/{number}", b"")
        return ()

    def _tried(self, number: str, row: Row, tried: _Tried, state: State, now: datetime) -> Iterable[Out]:
        row = row.model_copy(update={"repeat": row.repeat or tried.ambiguous})
        if tried.result in ("limited", "stopped"):
            _put(state, number, row)
            self._hold(state, now, tried)
            return ()
        if tried.result in ("unavailable", "ambiguous"):
            self._slow_down(state, now)
            row = row.model_copy(update={"failures": row.failures + 1})
            wait = ROW_BACKOFF[min(row.failures, len(ROW_BACKOFF)) - 1] if tried.retry_after is None else tried.retry_after
            _put_off(state, number, row, now, wait)
            return ()
        if tried.result == "bug" and row.bugs == 0:
            _put_off(state, number, row.model_copy(update={"bugs": 1}), now, ROW_BACKOFF[0])
            return ()
        state.delete("route")  # it was answered: the way there is open
        self._stopped_here = False
        _leave(state, number, row)
        return () if tried.result == "delivered" else [self._dead(row, tried, state, now)]

    def _hold(self, state: State, now: datetime, tried: _Tried) -> None:
        """The whole route: as long as it asks for, or, when it is stopped, until the next probe.  The row stays first."""
        self._stopped_here = tried.result == "stopped"
        wait = PROBE_SECONDS if self._stopped_here else min(max(tried.retry_after or 0.0, 1.0), LONGEST_HOLD)
        _put_route(state, Route(since=now, until=now + timedelta(seconds=wait), stopped=self._stopped_here))

    @staticmethod
    def _slow_down(state: State, now: datetime) -> None:
        """Failures in a row, of whatever rows, mean that the other side is away: ask it less and less often."""
        raw = state.get("route")
        failures = 1 + (Route.model_validate_json(raw).failures if raw is not None else 0)
        wait = min(2.0 ** min(failures - 1, 10), ROUTE_BACKOFF_CAP)
        _put_route(state, Route(since=now, until=now + timedelta(seconds=wait), failures=failures))

    def _dead(self, row: Row, tried: _Tried, state: State, now: datetime) -> Emit[DeadLetter]:
        """The letter.  Its id is forgotten, so that ``tumen dlq retry`` brings it back here (and the sinks that had it ignore it)."""
        state.delete(f"known/{row.id}")
        log.error("dead_letter", stage=self._name, id=row.id, kind=tried.result, reason=tried.error)
        return Emit(
            DEAD,
            DeadLetter(
                id=f"{self._name}-{row.topic}-{row.id}",
                seen_at=now,
                trace="",
                stage=self._name,
                topic=row.topic,
                offset=0,
                key=row.key,
                value=base64.b64encode(row.message.encode()).decode("ascii"),
                kind="bug" if tried.result == "bug" else "reject",
                exception=tried.exception,
                message=tried.error,
                attempts=row.failures + row.bugs + 1,
                failed_at=now,
            ),
        )


def _kind(error: Unavailable) -> Result:
    """A route that says when it is back is limited, one that does not is stopped; everything else is this row's own trouble."""
    if error.route:
        return "stopped" if error.retry_after is None else "limited"
    return "ambiguous" if error.ambiguous else "unavailable"


def _tried(result: Result, error: Exception) -> _Tried:
    return _Tried(result=result, error=scrub(str(error))[:500], exception=type(error).__name__)


def _message(row: Row) -> Any:
    """Raises `Undecodable` and `NewerSchema`."""
    return decode(TOPICS[row.topic], row.message.encode())


# --- the queue ---------------------------------------------------------------------------------------------------------------------


def _row(state: State, number: str) -> Row:
    raw = state.get(f"row/{number}")
    assert raw is not None, f"row {number} is queued but not there"
    return Row.model_validate_json(raw)


def _put(state: State, number: str, row: Row) -> None:
    state.put(f"row/{number}", row.model_dump_json().encode())


def _put_route(state: State, route: Route) -> None:
    state.put("route", route.model_dump_json().encode())


def _count(state: State, change: int) -> None:
    state.put("pending", str(int(state.get("pending") or b"0") + change).encode())


def _next(state: State, now: datetime) -> str | None:
    """The oldest row that may go out: one that never was tried, or one whose time has come again."""
    found = [key.removeprefix("ready/") for key, _ in state.scan("ready/", limit=1)]
    for key, _ in state.scan("wait/", limit=1):
        _, at, number = key.split("/")
        if at <= _stamp(now):
            found.append(number)
    return min(found, default=None)


def _stamp(at: datetime) -> str:
    """Sorts as text."""
    return f"{at.timestamp():020.6f}"


def _unqueue(state: State, number: str) -> None:
    """Out of `ready` or `wait`, wherever it stands."""
    state.delete(f"ready/{number}")
    raw = state.get(f"at/{number}")
    if raw is not None:
        state.delete(f"wait/{raw.decode()}/{number}")
        state.delete(f"at/{number}")


def _put_off(state: State, number: str, row: Row, now: datetime, wait: float) -> None:
    _unqueue(state, number)
    at = _stamp(now + timedelta(seconds=min(max(wait, 0.0), LONGEST_HOLD)))
    _put(state, number, row)
    state.put(f"at/{number}", at.encode())
    state.put(f"wait/{at}/{number}", b"")


def _leave(state: State, number: str, row: Row) -> None:
    """The row is done with; the next of its line may go."""
    _unqueue(state, number)
    state.delete(row.line + number)
    for key, _ in state.scan(row.line, limit=1):
        state.put(f"ready/{key.rsplit('/', 1)[1]}", b"")
    _forget(state, number)


def _forget(state: State, number: str) -> None:
    state.delete(f"row/{number}")
    _count(state, -1)


def _remember(state: State, number: str, message_id: str) -> None:
    """The ids of the last `REMEMBERED` rows."""
    state.put(f"known/{message_id}", number.encode())
    state.put(f"old/{number}", message_id.encode())
    oldest = f"{int(number) - REMEMBERED:016d}"
    forgotten = state.get(f"old/{oldest}")
    if forgotten is not None:
        state.delete(f"old/{oldest}")
        if state.get(f"known/{forgotten.decode()}") == oldest.encode():
            state.delete(f"known/{forgotten.decode()}")
