"""The bus: a few topics, several groups of readers, and one commit for everything a batch did.

Two implementations, one suite (`tests/test_bus_contract.py`) that runs on each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from tumen.errors import Unavailable
from tumen.state import Reader


@dataclass(frozen=True)
class Record:
    """One record as it lies on the bus: bytes and key untouched.

    `offset` grows by topic and partition and counts from 1, so that 0 is before the first (on Kafka: the broker's own offset plus one).
    """

    topic: str
    offset: int
    key: str
    value: bytes
    at: float
    partition: int = 0


@dataclass(frozen=True)
class Output:
    """A record to be published with a commit.  `headers`: its envelope (`tumen.envelope`), for a bus whose records have headers."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, str], ...] = ()


#: (topic, partition) -> the offset of the last record handled
Offsets = Mapping[tuple[str, int], int]


class Group(Protocol):
    """A stage group's hold on the bus: its offsets and its state.

    The work of a group comes in *shares*, each with a state of its own, and each is held by one process at a time. The embedded bus has
    one share, 0, and refuses a second holder outright. On Kafka a share is a partition of the group's state topic; who holds none stands
    by.

    `fetch` gives committed records after the group's position and does not move it; only `commit` does: offsets, outputs and state
    writes are one transaction, or nothing.  Use a group from one thread at a time.
    """

    @property
    def name(self) -> str: ...

    @property
    def max_bytes(self) -> int | None:
        """What key and value of one record may come to, or None."""
        ...

    @property
    def state(self) -> Reader:
        """What was committed in the lowest share held; read only."""
        ...

    def state_of(self, share: int) -> Reader: ...

    def shares(self) -> Mapping[int, int]:
        """The shares held now, each with the number of this hold: another number means that it was away in between, and its state with it.

        Raises `Unavailable` while the bus is away.
        """
        ...

    def share_of(self, record: Record) -> int:
        """The share that a fetched record belongs to."""
        ...

    def fetch(self, topics: Sequence[str], limit: int) -> list[Record]:
        """Records of one share, each topic and partition in the order it was published.  May give fewer than there are.

        Raises `Unavailable` while the bus is away.
        """
        ...

    def position(self, topic: str, partition: int = 0) -> int:
        """The offset of the last record handled, 0 before the first."""
        ...

    def commit(
        self,
        offsets: Offsets,
        outputs: Sequence[Output],
        writes: Mapping[str, bytes | None],
        share: int | None = None,
        hold: int | None = None,
    ) -> None:
        """One transaction; `writes` go to the state of `share` (None: the lowest held), if this is still the `hold` of that number.

        Raises `Fenced` or `Moved` if another holder has taken over meanwhile, `Unavailable` if the bus is away: nothing was written then.
        """
        ...

    def lag(self, topic: str) -> int:
        """Records of `topic` this group has not handled yet.  Where it cannot be told exactly, more rather than less."""
        ...

    def close(self) -> None: ...


class Bus(Protocol):
    """Topics and groups."""

    def join(self, group: str, reads: Sequence[str]) -> Group:
        """Take part in the group.  Raises `Refused` if that cannot be: another process holds its lock, a topic is missing."""
        ...

    def lags(self, topic: str) -> dict[str, int]:
        """By group that reads `topic`: how many records it has not handled yet."""
        ...

    def wait(self, seen: int, timeout: float) -> int:
        """Sleep until something is committed after `seen` (a value `wait` gave earlier, 0 at first) or `timeout` seconds have passed."""
        ...

    def alive(self) -> None:
        """Raises `Unavailable` while the bus is away."""
        ...

    def losses(self) -> dict[tuple[str, str], int]:
        """(group, topic) -> records that were forgotten before the group read them, counted since this process started."""
        ...

    def wake(self) -> None:
        """End every `wait` now (shutdown)."""
        ...

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        ...

    def read(self, topic: str, after: int, limit: int, partition: int | None = None) -> list[Record]:
        """Records of a topic after an offset (of each partition, or of one), whatever any group has handled: for tools that look."""
        ...

    def trim(self, topic: str, older_than: float, *, compact: bool) -> int:
        """Forget records that every group reading `topic` has handled and that are older than `older_than` (seconds since the epoch).

        With `compact`, the newest record of each key stays.  Gives the number forgotten: 0 where the broker does this by itself.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Fenced(Exception):
    """Another holder has taken this group over; nothing was written."""


class Moved(Unavailable):
    """Another holder has taken this share over, for now or until it is our turn again; nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=0.0)
