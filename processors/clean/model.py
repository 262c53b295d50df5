"""The learned line model: small networks, the second and third of which see what the first thought of the neighbouring lines.

One model judges the lines of plain text (`lines.json`), one the blocks of a web page (`blocks.json`); `python -m processors.clean.train`
writes both.  Numbers in, probabilities out; no state.
"""

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.clean.features import Matrix, Page, shared

LINES = Path(__file__).with_name("lines.json")
BLOCKS = Path(__file__).with_name("blocks.json")
REACH = 6  # lines on either side that the second network sees

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """One hidden layer: affine, ReLU, affine; the sigmoid is left to the caller."""

    hidden: Matrix
    bias: Vector
    output: Vector
    offset: float

    def logits(self, rows: Matrix) -> Vector:
        inner = np.maximum(rows @ self.hidden + self.bias, 0.0)
        return np.asarray(inner @ self.output + np.float32(self.offset), dtype=np.float32)

    def as_json(self) -> dict[str, Any]:
        return {"hidden": _packed(self.hidden), "bias": _packed(self.bias), "output": _packed(self.output), "offset": round(self.offset, 4)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Network":
        return cls(_unpacked(data["hidden"]), _unpacked(data["bias"]), _unpacked(data["output"]), float(data["offset"]))


def _packed(array: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Half precision is ample, and a third of what digits would take."""
    return {"shape": list(array.shape), "float16": base64.b64encode(array.astype("<f2").tobytes()).decode("ascii")}


def _unpacked(data: dict[str, Any]) -> npt.NDArray[np.float32]:
    flat = np.frombuffer(base64.b64decode(data["float16"]), dtype="<f2")
    return np.ascontiguousarray(flat.reshape(data["shape"]).astype(np.float32))


@dataclass(frozen=True)
class LineModel:
    """`first` judges a line in its surroundings, `second` corrects it by what `first` made of them; `title` looks for the title, if any."""

    first: Network
    second: Network
    title: Network | None

    def judge(self, page: Page, mass: Vector) -> tuple[Vector, Vector]:
        """The probability that each line belongs to the article, and how much each looks like its title (0..1, to be compared on one page).

        `mass` is each line's length (any unit): it weighs the article's place.
        """
        wide = with_context(page, sigmoid(self.first.logits(page.matrix)), mass)
        titled = sigmoid(self.title.logits(wide)) if self.title is not None else np.zeros(len(wide), dtype=np.float32)
        return sigmoid(self.second.logits(wide)), titled

    def as_json(self) -> dict[str, Any]:
        parts = {"first": self.first, "second": self.second, "title": self.title}
        return {name: part.as_json() for name, part in parts.items() if part is not None}


def sigmoid(logits: Vector) -> Vector:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))), dtype=np.float32)


def with_context(page: Page, kept: Vector, mass: Vector) -> Matrix:
    """The rows, with the first network's opinion of the lines around, of how much of the article lies above and below, and of its words."""
    size = len(kept)
    padded = np.zeros(size + 2 * REACH, dtype=np.float32)
    padded[REACH : REACH + size] = kept
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1)
    weight = np.concatenate([[0.0], np.cumsum(kept * mass)])
    weight /= weight[-1] or 1.0
    at = np.arange(size)
    columns = [
        weight[:-1],
        weight[-1] - weight[1:],
        *(weight[np.minimum(at + s + 1, size)] - weight[np.maximum(at - s, 0)] for s in (10, 25)),
        np.maximum.accumulate(kept),
        np.maximum.accumulate(kept[::-1])[::-1],
        shared(page.stems, kept),
    ]
    return np.concatenate([page.matrix, around, np.stack(columns, axis=1)], axis=1, dtype=np.float32)


def _load(path: Path) -> LineModel:
    data = json.loads(path.read_text(encoding="utf-8"))
    first, second, title = (Network.from_json(data[part]) if part in data else None for part in ("first", "second", "title"))
    if first is None or second is None:
        raise ValueError(f"{path}: the first or the second network is missing; train again (python -m processors.clean.train)")
    return LineModel(first, second, title)


@cache
def line_model() -> LineModel:
    """The shipped model of plain text, loaded once and on first use."""
    return _load(LINES)


@cache
def block_model() -> LineModel:
    """The shipped model of web pages, loaded once and on first use."""
    return _load(BLOCKS)
