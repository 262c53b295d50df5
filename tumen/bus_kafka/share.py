"""One share of a group's work, as the process that holds it sees it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tumen.bus import Record
from tumen.bus_kafka.clients import Transactor
from tumen.bus_kafka.store import Store


@dataclass(frozen=True)
class Attempt:
    """A transaction that was asked for.  `number` is written with it: read back later, it tells whether the transaction has happened."""

    number: int
    offsets: Mapping[tuple[str, int], int]
    writes: Mapping[str, bytes | None]


@dataclass
class Share:
    """`hold`: the number of this hold.  `number`: of the last transaction.  `handled`: the offset of the last record handled, by place.

    A place is a topic and a partition.  `waiting`: records read but not handled.  `read_to`: the offset after the last record read.
    `state_end`: the same of its state topic.
    `attempt`: a transaction whose outcome is not known.  `stale`: the local copy cannot be trusted, the share must be opened anew.
    `known`: its group had offsets of it before.
    """

    index: int
    hold: int
    transactor: Transactor
    store: Store
    number: int = 0
    state_end: int = 0
    handled: dict[tuple[str, int], int] = field(default_factory=dict)
    read_to: dict[tuple[str, int], int] = field(default_factory=dict)
    waiting: dict[tuple[str, int], deque[tuple[Record, Any]]] = field(default_factory=dict)
    attempt: Attempt | None = None
    stale: bool = False
    known: bool = False

    def count(self) -> int:
        return sum(map(len, self.waiting.values()))

    def head(self, topics: set[str], limit: int) -> list[Record]:
        """The oldest waiting records of these topics, in the order of their times; those of one partition in their own order."""
        queues = [[record for record, _ in list(queue)[:limit]] for (topic, _), queue in self.waiting.items() if topic in topics and queue]
        if len(queues) == 1:
            return queues[0]
        found: list[Record] = []
        places = [0] * len(queues)
        while len(found) < limit:
            heads = [
                (queue[place].at, number) for number, (queue, place) in enumerate(zip(queues, places, strict=True)) if place < len(queue)
            ]
            if not heads:
                break
            _, number = min(heads)
            found.append(queues[number][places[number]])
            places[number] += 1
        return found

    def raw_keys(self) -> dict[tuple[str, int, int], bytes]:
        """The keys of the waiting records as they lie on the broker."""
        return {(record.topic, record.partition, record.offset): key or b"" for queue in self.waiting.values() for record, key in queue}

    def apply(self, attempt: Attempt) -> None:
        """The transaction has happened."""
        self.number = attempt.number
        for place, offset in attempt.offsets.items():
            self.handled[place] = offset
            queue = self.waiting.get(place)
            while queue and queue[0][0].offset <= offset:
                queue.popleft()
        self.store.apply(attempt.writes)

    def close(self, seconds: float) -> None:
        """Give up what it holds here.  A transaction that may still be open is ended by whoever takes the share next."""
        self.store.close()
        if self.attempt is None:
            self.transactor.close(seconds)
        else:
            self.transactor.discard()
