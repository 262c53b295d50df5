"""How much of two texts is the same, exactly, from their shingles in order.  Pure."""

from typing import NamedTuple

import numpy as np

from processors.dedupe.sketch import FEWEST, Hashes

_BLOCK = 16
#: a block of shingles is taken over when this share of it stands in the other text: letters read wrong and words changed break
#: shingles all over a text, while what two texts on one event share by chance (names, a phrase) fills no block
_TAKEN = 0.25
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


def overlap(mine: Hashes, theirs: Hashes) -> Overlap:
    """The shares of blocks that are taken over, one way and the other."""
    if len(mine) < FEWEST or len(theirs) < FEWEST:
        return Overlap(0.0, 0.0)
    return Overlap(_share(np.isin(mine, theirs)), _share(np.isin(theirs, mine)))


def _share(found: "np.typing.NDArray[np.bool_]") -> float:
    """The share of the text in blocks that are taken over; the last block is as long as the others and may overlap its neighbour."""
    count = len(found)
    size = min(_BLOCK, count)
    starts = np.append(np.arange(0, count - size, size), count - size)
    sums = np.concatenate(([0], np.cumsum(found)))
    taken = (sums[starts + size] - sums[starts]) >= size * _TAKEN
    weights = np.diff(np.append(starts, count))
    return float((taken * weights).sum() / weights.sum())
