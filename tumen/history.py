"""Looking back at what a topic still holds: from a date or an offset, over all its partitions, without any group.

Only `Bus.read` is used, so nothing moves and nothing is locked; a date is found by halving, in some thirty reads.
"""

import heapq
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from tumen.bus import Bus, Record
from tumen.errors import ConfigError

_PAGE = 200

#: partition -> the offset after which reading begins
Starts = Mapping[int, int]


def parse_from(text: str) -> int | datetime:
    """An offset (a number; "start" is 0), or a date with or without a time (UTC unless it says otherwise).  Raises `ConfigError`."""
    if text == "start":
        return 0
    if re.fullmatch(r"\d{1,18}", text):
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--from = {text!r}: expected an offset like 1200, or a date like 2024-09-13 or 2024-09-13T18:30") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def starts(bus: Bus, topic: str, since: int | datetime) -> Starts:
    """Where reading from `since` begins: that offset in each partition, or the first record at or after that date."""
    if isinstance(since, int):
        return dict.fromkeys(range(bus.partitions(topic)), max(0, since - 1))
    moment = since.timestamp()
    return {partition: _halve(bus, topic, partition, lambda record: record.at >= moment) for partition in range(bus.partitions(topic))}


def ends(bus: Bus, topic: str) -> Starts:
    """After the newest record of each partition: a reader that starts here sees only what is new."""
    return {partition: _halve(bus, topic, partition, lambda _: False) for partition in range(bus.partitions(topic))}


def read_on(bus: Bus, topics: Sequence[str], begins: Mapping[str, Starts], until: Mapping[str, Starts] | None = None) -> Iterator[Record]:
    """The records of several topics in the order they were written, up to the `until` of each partition (None: what there is).

    Each partition keeps its own order.  On the embedded bus, whose offsets are global, this is the order of the commits.
    """
    lines = [
        _partition(bus, topic, partition, after, None if until is None else until[topic][partition])
        for topic in topics
        for partition, after in begins[topic].items()
    ]
    return heapq.merge(*lines, key=lambda record: (record.at, record.offset))


def _partition(bus: Bus, topic: str, partition: int, after: int, until: int | None) -> Iterator[Record]:
    while page := bus.read(topic, after, _PAGE, partition):
        for record in page:
            if until is not None and record.offset > until:
                return
            yield record
        after = page[-1].offset


def _halve(bus: Bus, topic: str, partition: int, there: Callable[[Record], bool]) -> int:
    """The greatest offset after which no earlier record is `there`: all before the first that is, or all."""

    def reached(after: int) -> bool:
        """Whether the first record after `after` is there already, or there is none."""
        first = bus.read(topic, after, 1, partition)
        return not first or there(first[0])

    low, high = 0, 1
    while not reached(high):
        low, high = high, high * 2
    if low == 0 and reached(0):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        if reached(middle):
            high = middle
        else:
            low = middle
    return high
