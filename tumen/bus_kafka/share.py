"""One share of a group's work, as the process that holds it sees it."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tumen.bus import Record
from tumen.bus_kafka.clients import Transactor
from tumen.bus_kafka.store import Store

#: the record in a share's state topic that says how far it has come; no stage sees it
COMMIT_KEY = "__tumen.commit"


@dataclass(frozen=True)
class Attempt:
    """A transaction that was asked for.  `number` is written with it: read back later, it tells whether the transaction has happened.

    `offsets`: of the last record handled, by place, all places of the share.
    """

    number: int
    offsets: Mapping[tuple[str, int], int]
    writes: Mapping[str, bytes | None]

    def record(self) -> tuple[str, bytes]:
        """Key and value of what is written of it beside its writes."""
        offsets = [[topic, partition, offset] for (topic, partition), offset in self.offsets.items()]
        return COMMIT_KEY, json.dumps({"number": self.number, "offsets": offsets}).encode()


def commit_number(value: bytes) -> int:
    """The number in such a record."""
    return int(json.loads(value)["number"])


@dataclass
class Share:
    """`hold`: the number of this hold.  `number`: of the last transaction.  `handled`: the offset of the last record handled, by place.

    A place is a topic and a partition.  `waiting`: records read but not handled.  `read_to`: the offset after the last record read.
    `state_end`: the same of its state topic.  `commit_at`: where the record of the last transaction lies there.
    `attempt`: a transaction whose outcome is not known.  `stale`: the local copy cannot be trusted, the share must be opened anew.
    `known`: it has committed before, with the inputs it has now.
    """

    index: int
    hold: int
    transactor: Transactor
    store: Store
    number: int = 0
    state_end: int = 0
    commit_at: int = 0
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

    def raw_keys(self) -> dict[tuple[str, int, int], bytes | None]:
        """The keys of the waiting records as they lie on the broker."""
        return {(record.topic, record.partition, record.offset): key for queue in self.waiting.values() for record, key in queue}

    def take(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        """Records of its state topic, in their order."""
        writes = []
        for key, value in records:
            if key == COMMIT_KEY and value is not None:
                found = json.loads(value)
                self.number = int(found["number"])
                self.handled = {(topic, partition): offset for topic, partition, offset in found["offsets"]}
            else:
                writes.append((key, value))
        self.store.apply(writes)

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
