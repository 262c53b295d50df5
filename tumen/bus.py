"""The bus: a few topics, several groups of readers, and one commit for everything a batch did.

Two implementations are planned, one suite (`tests/test_bus_contract.py`) runs on each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from tumen.state import Reader


@dataclass(frozen=True)
class Record:
    """One record as it lies on the bus: bytes and key untouched.  `offset` grows by topic."""

    topic: str
    offset: int
    key: str
    value: bytes
    at: float


@dataclass(frozen=True)
class Output:
    """A record to be published with a commit."""

    topic: str
    key: str
    value: bytes


class Group(Protocol):
    """One stage group's hold on the bus: its lock (a second holder is refused), its offsets, its state.

    `fetch` gives committed records after the group's position, in the order they were published, and does not move it;
    only `commit` does: offsets (topic -> offset of the last record handled), outputs and state writes are one transaction, or nothing.
    Raises `Fenced` if another holder has taken the group over meanwhile.
    """

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> Reader:
        """What was committed; read only."""
        ...

    def fetch(self, topics: Sequence[str], limit: int) -> list[Record]: ...

    def position(self, topic: str) -> int:
        """The offset of the last record handled, 0 before the first."""
        ...

    def commit(self, offsets: Mapping[str, int], outputs: Sequence[Output], writes: Mapping[str, bytes | None]) -> None: ...

    def lag(self, topic: str) -> int:
        """Records of `topic` this group has not handled yet."""
        ...

    def close(self) -> None: ...


class Bus(Protocol):
    """Topics and groups."""

    def join(self, group: str, reads: Sequence[str]) -> Group:
        """Take the group's lock.  Raises `Refused` if somebody else holds it."""
        ...

    def lags(self, topic: str) -> dict[str, int]:
        """By group that reads `topic`: how many records it has not handled yet."""
        ...

    def wait(self, seen: int, timeout: float) -> int:
        """Sleep until something is committed after `seen` (a value `wait` gave earlier, 0 at first) or `timeout` seconds have passed."""
        ...

    def wake(self) -> None:
        """End every `wait` now (shutdown)."""
        ...

    def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """Records of a topic after an offset, whatever any group has handled: for tools that look (`dlq list`, `tail`)."""
        ...

    def trim(self, topic: str, older_than: float, *, compact: bool) -> int:
        """Forget records that every group reading `topic` has handled and that are older than `older_than` (seconds since the epoch).

        With `compact`, the newest record of each key stays.  Gives the number forgotten.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Fenced(Exception):
    """Another holder has taken this group over; nothing was written."""
