"""The learned part: linear models over the classes of `features` and `claims`.  Numbers in, probabilities out; no state.

Weights are `tag.json`, written by ``python -m processors.tag.train``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from processors.tag.claims import DIRECTIONS, STANCES, direction_row, event_rows, stance_prior, stance_row, with_carry
from processors.tag.features import EVENTS, Matrix, Vector, sentence_rows, with_neighbours
from processors.tag.reading import Reading

WEIGHTS = Path(__file__).with_name("tag.json")


@dataclass(frozen=True)
class Linear:
    """One logit a row of `weights` (classes x columns); a single row is a yes or no."""

    weights: Matrix
    offset: Vector

    def logits(self, rows: Matrix) -> Matrix:
        return np.asarray(rows @ self.weights.T + self.offset, dtype=np.float32)

    def yes(self, rows: Matrix) -> Vector:
        """The probability of a yes for each row."""
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(self.logits(rows)[:, 0], -30.0, 30.0))), dtype=np.float32)

    def shares(self, row: Vector, prior: Vector | None = None) -> Vector:
        """The probability of each class for one row; `prior` is added to the logits."""
        logits = self.logits(row[None, :])[0] + (0.0 if prior is None else prior)
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum(), dtype=np.float32)

    def as_json(self) -> dict[str, Any]:
        return {name: np.round(getattr(self, name).astype(np.float64), 4).tolist() for name in ("weights", "offset")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Linear":
        return cls(np.array(data["weights"], dtype=np.float32), np.array(data["offset"], dtype=np.float32))


PARTS = ("sentence", "sentence_around", "event", "event_around", "stance", "direction", "article")


@dataclass(frozen=True)
class TagModel:
    """`sentence` and `event` judge by themselves, `..._around` again with what the first thought of the neighbours."""

    sentence: Linear
    sentence_around: Linear
    event: Linear
    event_around: Linear
    stance: Linear
    direction: Linear
    article: Linear

    def relevance(self, reading: Reading) -> Vector:
        """For each sentence: the probability that it states something about the relationship."""
        rows = sentence_rows(reading)
        if not len(rows):
            return np.zeros(0, dtype=np.float32)
        return self.sentence_around.yes(with_neighbours(rows, self.sentence.yes(rows)))

    def events(self, reading: Reading) -> Matrix:
        """For each sentence and event (in the order of `EVENTS`): the probability, given that the sentence is about the relationship."""
        rows = event_rows(reading)
        if not rows:
            return np.zeros((0, len(EVENTS)), dtype=np.float32)
        first = self.event.yes(np.concatenate(rows)).reshape(len(rows), -1)
        return self.event_around.yes(np.concatenate(carried(rows, list(first)))).reshape(len(rows), -1)

    def stance_of(self, reading: Reading, index: int, event: str) -> Vector:
        """The probability of each of `STANCES`."""
        return self.stance.shares(stance_row(reading, index, event), stance_prior(reading.sents[index], event))

    def direction_of(self, reading: Reading, index: int, event: str) -> Vector:
        """The probability of each of `DIRECTIONS`."""
        return self.direction.shares(direction_row(reading, index, event))

    def score(self, relevance: Vector, titled: bool) -> float:
        """How surely the article states something about the relationship, 0..1."""
        return float(self.article.yes(article_row(relevance, titled)[None, :])[0])

    def as_json(self) -> dict[str, Any]:
        return {part: getattr(self, part).as_json() for part in PARTS}


def carried(rows: list[Matrix], opinion: list[Vector]) -> list[Matrix]:
    """Each sentence's event rows with the opinion of the sentence before and of the whole article."""
    if not rows:
        return []
    whole = np.mean(opinion, axis=0)
    none = np.zeros(len(EVENTS), dtype=np.float32)
    return [with_carry(each, opinion[index - 1] if index else none, whole) for index, each in enumerate(rows)]


def article_row(relevance: Vector, titled: bool) -> Vector:
    """An article in numbers, from what was thought of its sentences."""
    if not len(relevance):
        return np.zeros(7, dtype=np.float32)
    logits = np.log(np.clip(relevance, 1e-3, 1 - 1e-3) / (1 - np.clip(relevance, 1e-3, 1 - 1e-3)))
    ordered = np.sort(logits)[::-1]
    return np.array(
        [
            ordered[0],
            ordered[min(1, len(ordered) - 1)],
            logits[0] if titled else ordered[0],
            max(float(logits[0]), 0.0) if titled else 0.0,
            max(float(ordered[0]), 0.0),
            min(float((relevance > 0.5).sum()), 5) / 5,
            np.log(len(relevance)) / 2,
        ],
        dtype=np.float32,
    )


@cache
def tag_model() -> TagModel:
    """The shipped model, loaded once and on first use."""
    data = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return TagModel(**{part: Linear.from_json(data[part]) for part in PARTS})


assert len(STANCES) == 5
assert len(DIRECTIONS) == 4
