"""The learned line model: small networks, the second and third of which see what the first thought of the neighbouring lines.

Its weights are `lines.json`, written by `python -m processors.clean.train`.  Numbers in, probabilities out; no state.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.clean.features import Matrix, Page, shared

WEIGHTS = Path(__file__).with_name("lines.json")
REACH = 6  # lines on either side that the second network sees

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """One hidden layer: standardise, affine, ReLU, affine, sigmoid."""

    mean: Vector
    scale: Vector
    hidden: Matrix
    bias: Vector
    output: Vector
    offset: float

    def logits(self, rows: Matrix) -> Vector:
        inner = np.maximum(((rows - self.mean) * self.scale) @ self.hidden + self.bias, 0.0)
        return np.asarray(inner @ self.output + np.float32(self.offset), dtype=np.float32)

    def as_json(self) -> dict[str, Any]:
        fields = {"mean": self.mean, "scale": self.scale, "hidden": self.hidden, "bias": self.bias, "output": self.output}
        return {**{name: np.round(value.astype(np.float64), 4).tolist() for name, value in fields.items()}, "offset": round(self.offset, 4)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Network":
        arrays = {name: np.array(data[name], dtype=np.float32) for name in ("mean", "scale", "hidden", "bias", "output")}
        return cls(**arrays, offset=float(data["offset"]))


@dataclass(frozen=True)
class LineModel:
    """`first` judges a line in its surroundings, `second` corrects it by what `first` made of them; `title` looks for the title."""

    first: Network
    second: Network
    title: Network

    def judge(self, page: Page, mass: Vector) -> tuple[Vector, Vector]:
        """The probability that each line belongs to the article, and how much each looks like its title (0..1, to be compared on one page).

        `mass` is each line's length (any unit): it weighs the article's place.
        """
        wide = with_context(page, sigmoid(self.first.logits(page.matrix)), mass)
        return sigmoid(self.second.logits(wide)), sigmoid(self.title.logits(wide))

    def as_json(self) -> dict[str, Any]:
        return {"first": self.first.as_json(), "second": self.second.as_json(), "title": self.title.as_json()}


def sigmoid(logits: Vector) -> Vector:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))), dtype=np.float32)


def with_context(page: Page, kept: Vector, mass: Vector) -> Matrix:
    """The rows, with the first network's opinion of the lines around, of how much of the article lies above and below, and of its words."""
    size = len(kept)
    padded = np.zeros(size + 2 * REACH, dtype=np.float32)
    padded[REACH : REACH + size] = kept
    around = np.stack([padded[shift : shift + size] for shift in range(2 * REACH + 1)], axis=1)
    weight = np.concatenate([[0.0], np.cumsum(kept * mass)])
    whole = weight[-1] or 1.0
    above, below = weight[:-1] / whole, (weight[-1] - weight[1:]) / whole
    at = np.arange(size)
    near = np.stack([(weight[np.minimum(at + s + 1, size)] - weight[np.maximum(at - s, 0)]) / whole for s in (10, 25)], axis=1)
    strongest = np.stack([np.maximum.accumulate(kept), np.maximum.accumulate(kept[::-1])[::-1]], axis=1)
    words = shared(page.stems, kept)[:, None]
    return np.hstack([page.matrix, around, above[:, None], below[:, None], near, strongest, words]).astype(np.float32)


@cache
def line_model() -> LineModel:
    """The shipped model, loaded once and on first use."""
    data = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return LineModel(*(Network.from_json(data[part]) for part in ("first", "second", "title")))
