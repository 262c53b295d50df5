"""State: what a node remembers, committed with its offset.

`State` is bytes by key.  `Table` gives one prefix of it a type.  `Overlay` collects a
batch's writes over committed state and is dropped on failure.
"""

from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

V = TypeVar("V", bound=BaseModel)


class State(Protocol):
    """What a node may ask of its memory.  Keys are text; a scan is in key order."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...

    def delete(self, key: str) -> None: ...

    def scan(self, prefix: str, *, start: str = "", limit: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(key, value) of the keys with this prefix, in key order, from key `start` on (inclusive), at most `limit`."""
        ...


class Reader(Protocol):
    """Committed state, read only."""

    def get(self, key: str) -> bytes | None: ...

    def scan(self, prefix: str, *, start: str = "", limit: int | None = None) -> Iterator[tuple[str, bytes]]: ...


class Nothing:
    """A reader that has nothing: the base of a state that is only in memory."""

    def get(self, key: str) -> bytes | None:
        return None

    def scan(self, prefix: str, *, start: str = "", limit: int | None = None) -> Iterator[tuple[str, bytes]]:
        return iter(())


class Overlay:
    """Writes over a reader, kept apart until they are committed: `writes` maps a key to its new value, or to None if deleted."""

    def __init__(self, base: Reader, writes: Mapping[str, bytes | None] | None = None) -> None:
        self._base = base
        self.writes: dict[str, bytes | None] = dict(writes or {})

    def get(self, key: str) -> bytes | None:
        if key in self.writes:
            return self.writes[key]
        return self._base.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.writes[key] = value

    def delete(self, key: str) -> None:
        self.writes[key] = None

    def scan(self, prefix: str, *, start: str = "", limit: int | None = None) -> Iterator[tuple[str, bytes]]:
        """A merge of two sorted streams, so that a scan never loads more of the base than it yields (plus what the overlay hides)."""
        mine = iter(sorted((k, v) for k, v in self.writes.items() if k.startswith(prefix) and k >= start))
        theirs = ((k, v) for k, v in self._base.scan(prefix, start=start) if k not in self.writes)
        left: tuple[str, bytes | None] | None = next(mine, None)
        right: tuple[str, bytes] | None = next(theirs, None)
        given = 0
        while (left or right) and (limit is None or given < limit):
            if right is None or (left is not None and left[0] < right[0]):
                assert left is not None
                key, value = left
                left = next(mine, None)
            else:
                key, value = right
                right = next(theirs, None)
            if value is not None:
                given += 1
                yield key, value

    def fork(self) -> "Overlay":
        """An overlay on this one: merge it with `absorb`, or drop it."""
        return Overlay(self)

    def absorb(self, other: "Overlay") -> None:
        self.writes.update(other.writes)


class Table(Generic[V]):
    """One prefix of a state, as pydantic values.  ``Table(state, "story/", StoryState)["abc"]`` lives at key ``story/abc``."""

    def __init__(self, state: State, prefix: str, model: type[V]) -> None:
        self._state, self._prefix, self._model = state, prefix, model

    def get(self, key: str) -> V | None:
        raw = self._state.get(self._prefix + key)
        return None if raw is None else self._model.model_validate_json(raw)

    def put(self, key: str, value: V) -> None:
        self._state.put(self._prefix + key, value.model_dump_json(by_alias=True).encode())

    def delete(self, key: str) -> None:
        self._state.delete(self._prefix + key)

    def scan(self, prefix: str = "", *, start: str = "", limit: int | None = None) -> Iterator[tuple[str, V]]:
        """(key, value) in key order; keys are given without the table's prefix."""
        cut = len(self._prefix)
        for key, raw in self._state.scan(self._prefix + prefix, start=self._prefix + start if start else "", limit=limit):
            yield key[cut:], self._model.model_validate_json(raw)
