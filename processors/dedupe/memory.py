"""What dedupe remembers of each article, and where to look it up; all of it in `state`, bounded by time and by number.

An article has a number (the order of arrival).  Its record and its sketch lie under that number; its id, its page, its words, the bands
of its signature and its anchors point to it.  A pointer that many articles share (a phrase that everybody writes) keeps the newest few.
The oldest articles are forgotten, pointers and all, a few with each new one, so that no message pays for many.

    meta                    next number, oldest number, newest time
    id/ url/ text/ <key>    the number of the article that holds this id, page or text
    b/<band> a/<anchor>     the numbers of articles with this band or anchor, 4 bytes each
    art/<number>            the record, JSON
    ske/<number>            the sketch, packed
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime

from processors.dedupe.sketch import Hashes, Sketch, packed_numbers, unpacked
from tumen.messages import Frozen, Revision
from tumen.state import State

#: articles that one pointer keeps
_SHARED = 8
#: articles that share one pointer only and are looked at all the same
_SINGLE = 2
#: articles forgotten with each new one, at most: twice what comes in
_FORGET = 2
Claim = Literal["id", "url", "text"]


class Verdict(Frozen):
    """What was found: `rule` is original, same_text, same_url, near, contains, partial; `other` the article it was found with."""

    rule: str = "original"
    other: str | None = None
    copy_of: str | None = None
    overlap: float = 0.0
    independent: float = 1.0
    origin: str | None = None


class Record(Frozen):
    """One article: `item` its newest version, `older` those before (bounded), `edit` what the newest changed.

    `same`, `url`: the words and the page it may hold.  `seen_at`: when it first came.
    """

    id: str
    item: str
    older: tuple[str, ...] = ()
    edit: Revision | None = None
    title: str
    same: str
    url: str | None = None
    outlet: str
    verdict: Verdict
    seen_at: AwareDatetime


class Remembered(NamedTuple):
    number: int
    record: Record


class Stored(NamedTuple):
    """A sketch as it is kept: four sizes, then what they measure."""

    sentences: Hashes
    shingles: Hashes
    bands: npt.NDArray[np.uint64]
    anchors: npt.NDArray[np.uint64]

    def packed(self) -> bytes:
        parts = (packed_numbers([len(part) for part in self]).tobytes(), self.sentences.tobytes(), self.shingles.tobytes())
        return b"".join((*parts, self.bands.tobytes(), self.anchors.tobytes()))

    @classmethod
    def unpacked(cls, raw: bytes) -> "Stored":
        sentences, shingles, bands, anchors = unpacked(raw, 0, 4).tolist()
        numbers = np.frombuffer(raw, dtype="<u8", count=bands + anchors, offset=16 + 4 * (sentences + shingles))
        return cls(unpacked(raw, 16, sentences), unpacked(raw, 16 + 4 * sentences, shingles), numbers[:bands], numbers[bands:])


class _Meta(Frozen):
    next: int = 1
    oldest: int = 1
    newest: AwareDatetime | None = None


class Memory:
    """One message's view of what is remembered.  Pointers that were looked up are kept at hand for the same message."""

    def __init__(self, state: State, days: float, most: int) -> None:
        self._state, self._days, self._most = state, days, most
        self._at_hand: dict[str, bytes] = {}
        raw = state.get("meta")
        self._meta = _Meta.model_validate_json(raw) if raw is not None else _Meta()

    def holder(self, claim: Claim, key: str | None) -> Remembered | None:
        """The article that holds this id, page or text."""
        number = self._numbers(f"{claim}/{key}") if key is not None else b""
        return self.article(int.from_bytes(number, "little")) if number else None

    def article(self, number: int) -> Remembered | None:
        raw = self._state.get(f"art/{number:010}")
        return None if raw is None else Remembered(number, Record.model_validate_json(raw))

    def shingles(self, number: int) -> Hashes:
        """Of an article that is remembered, in order."""
        return self._sketch(number).shingles

    def sentences(self, number: int) -> frozenset[int]:
        """The hashes of its sentences."""
        return frozenset(self._sketch(number).sentences.tolist())

    def alike(self, sketch: Sketch, below: int | None, most: int) -> list[int]:
        """The numbers of articles that share bands or anchors with a sketch, those that share most first; only below `below`."""
        found: Counter[int] = Counter()
        for pointer in _pointers(sketch.bands, sketch.anchors):
            numbers = self._numbers(pointer)
            found.update(struct.unpack(f"<{len(numbers) // 4}I", numbers))
        ranked = sorted((-count, number) for number, count in found.items() if below is None or number < below)
        # what shares one pointer only is mostly a phrase; what shares it and is a short text is the rest
        several = sum(count < -1 for count, _ in ranked)
        return [number for _, number in ranked[: min(most, max(several, _SINGLE))]]

    def forget_old(self, now: datetime) -> None:
        """Forget a few of the articles that are too old or too many.  `now`: when this message was first seen."""
        newest = max(now, self._meta.newest or now)
        oldest = self._meta.oldest
        for _ in range(_FORGET):
            known = self.article(oldest) if oldest < self._meta.next else None
            too_many = self._meta.next - oldest > self._most
            if known is None or not (too_many or known.record.seen_at < newest - timedelta(days=self._days)):
                break
            self._forget(known)
            oldest += 1
        self._write(self._meta.model_copy(update={"oldest": oldest, "newest": newest}))

    def add(self, record: Record, sketch: Sketch, *, indexed: bool) -> None:
        """Remember a new article.  Not `indexed`: its words are another's to the letter, who can be found in its stead."""
        number = self._meta.next
        self._write(self._meta.model_copy(update={"next": number + 1}))
        self._put(number, record, sketch, indexed=indexed)

    def replace(self, number: int, record: Record, sketch: Sketch, *, indexed: bool) -> None:
        """Remember a new version of an article in place of the one that is remembered."""
        known = self.article(number)
        assert known is not None
        self._forget(known)
        self._put(number, record, sketch, indexed=indexed)

    def _put(self, number: int, record: Record, sketch: Sketch, *, indexed: bool) -> None:
        raw = number.to_bytes(4, "little")
        self._point(f"id/{record.id}", raw)
        for pointer in _claims(record):
            if not self._numbers(pointer):
                self._point(pointer, raw)
        self._state.put(f"art/{number:010}", record.model_dump_json(exclude_defaults=True).encode())
        bands, anchors = (sketch.bands, sketch.anchors) if indexed else ((), ())
        for pointer in _pointers(bands, anchors):
            self._point(pointer, (self._numbers(pointer) + raw)[-4 * _SHARED :])
        kept = Stored(packed_numbers(sketch.sentences), sketch.shingles, np.array(bands, dtype="<u8"), np.array(anchors, dtype="<u8"))
        self._state.put(f"ske/{number:010}", kept.packed())

    def _forget(self, known: Remembered) -> None:
        number, record = known
        raw = number.to_bytes(4, "little")
        for pointer in (f"id/{record.id}", *_claims(record)):
            if self._numbers(pointer) == raw:
                self._point(pointer, b"")
        sketch = self._sketch(number)
        for pointer in _pointers(sketch.bands.tolist(), sketch.anchors.tolist()):
            numbers = self._numbers(pointer)
            self._point(pointer, b"".join(numbers[at : at + 4] for at in range(0, len(numbers), 4) if numbers[at : at + 4] != raw))
        self._state.delete(f"art/{number:010}")
        self._state.delete(f"ske/{number:010}")

    def _sketch(self, number: int) -> Stored:
        raw = self._state.get(f"ske/{number:010}")
        assert raw is not None, f"article {number} has a record and no sketch"
        return Stored.unpacked(raw)

    def _numbers(self, pointer: str) -> bytes:
        """The numbers of the articles that a pointer leads to, 4 bytes each."""
        numbers = self._at_hand.get(pointer)
        if numbers is None:
            numbers = self._at_hand[pointer] = self._state.get(pointer) or b""
        return numbers

    def _point(self, pointer: str, numbers: bytes) -> None:
        self._at_hand[pointer] = numbers
        if numbers:
            self._state.put(pointer, numbers)
        else:
            self._state.delete(pointer)

    def _write(self, meta: _Meta) -> None:
        self._meta = meta
        self._state.put("meta", meta.model_dump_json().encode())


def _claims(record: Record) -> Iterator[str]:
    yield f"text/{record.same}"
    if record.url is not None:
        yield f"url/{record.url}"


def _pointers(bands: Iterable[int], anchors: Iterable[int]) -> Iterator[str]:
    for band, value in enumerate(bands):
        yield f"b/{band:x}{value:010x}"
    for value in anchors:
        yield f"a/{value:010x}"
