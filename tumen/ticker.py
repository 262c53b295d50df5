"""Time as records: one tick every so many seconds on `ticks`, so that a replay repeats them.

A producer like any other: its only memory is when it last ticked, committed with the tick.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from tumen.ids import digest
from tumen.messages import Frozen, Tick
from tumen.stage import Drop, Emit, Job, Kit, Out, ProducerSpec
from tumen.state import State
from tumen.topics import TICKS

SPEC = ProducerSpec(writes=(TICKS,))


class Config(Frozen):
    """Nothing to set: the pace is `bus.tick_seconds` in tumen.toml."""


class _Ticker:
    def __init__(self, every: timedelta) -> None:
        self._every = every

    def accept(self, message: Any, state: State) -> Iterable[Out]:
        raise NotImplementedError("a producer reads no topic")

    def due(self, state: State, now: datetime) -> Sequence[Job]:
        """A clock that was set back ticks again at once rather than falling silent for as long as it was wrong."""
        last = state.get("last")
        if last is not None and timedelta(0) <= now - datetime.fromisoformat(last.decode()) < self._every:
            return ()
        return (Job("tick", "tick", now.isoformat().encode()),)

    def perform(self, job: Job) -> bytes:
        return job.payload

    def finish(self, job: Job, result: bytes, state: State, now: datetime) -> Iterable[Emit[Tick] | Drop]:
        at = datetime.fromisoformat(result.decode())
        state.put("last", result)
        tick_id = digest("tick", result)
        yield Emit(TICKS, Tick(id=tick_id, seen_at=at, trace=tick_id, at=at))


def build(config: Config, kit: Kit) -> _Ticker:  # noqa: ARG001 - every node is built with its config
    return _Ticker(timedelta(seconds=kit.settings.bus.tick_seconds))
