"""How much of two texts is the same, exactly, from their shingles in order.  Pure."""

from itertools import pairwise
from typing import NamedTuple

from processors.dedupe.sketch import FEWEST, Hashes, Sketch

_BLOCK = 16
#: a block of shingles is taken over when this share of it stands in the other text: letters read wrong and words changed break
#: shingles all over a text, while what two texts on one event share by chance (names, a phrase) fills no block
_TAKEN = 0.25
#: of a text of one or two blocks more is asked: an opening that names who, where and the correspondent is a quarter of a block
_SHORT_TAKEN, _SHORT, _LONG = 0.6, 2 * _BLOCK, 6 * _BLOCK
#: an article is a copy when this share of it was taken, or when this share of an earlier one stands in it
COPY = 0.5
#: less than that is partial reuse, down to this
PARTIAL = 0.2


class Overlap(NamedTuple):
    """`mine`: the share of this text that stands in the other.  `theirs`: the share of the other that stands in this one.  Both 0..1."""

    mine: float
    theirs: float

    @property
    def most(self) -> float:
        return max(self.mine, self.theirs)

    @property
    def copy(self) -> bool:
        return self.most >= COPY


def overlap(mine: Sketch, theirs: Hashes) -> Overlap:
    """The shares of blocks that are taken over, one way and the other; nothing where neither can come to `PARTIAL`."""
    here, there = mine.shingle_list, theirs.tolist()
    shorter = min(len(here), len(there))
    others = frozenset(there)
    common = len(mine.shingle_set & others)
    if shorter < FEWEST or common < PARTIAL * _TAKEN * shorter:
        return Overlap(0.0, 0.0)
    return Overlap(_share(here, others), _share(there, mine.shingle_set))


def _share(shingles: list[int], other: frozenset[int]) -> float:
    """The share of the text in blocks that are taken over; the last block is as long as the others and may overlap its neighbour."""
    found = [shingle in other for shingle in shingles]
    count = len(found)
    size = min(_BLOCK, count)
    starts = [*range(0, count - size, size), count - size]
    needed = size * _asked(count)
    weights = [*(after - start for start, after in pairwise(starts)), size]
    taken: list[int] = [weight for start, weight in zip(starts, weights, strict=True) if sum(found[start : start + size]) >= needed]
    return float(sum(taken) / count)


def _asked(count: int) -> float:
    """The share of a block that has to be found, in a text of so many shingles."""
    long = min(max((count - _SHORT) / (_LONG - _SHORT), 0.0), 1.0)
    return _SHORT_TAKEN + long * (_TAKEN - _SHORT_TAKEN)
