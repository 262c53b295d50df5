"""Train the line model, and measure it by folds of sites: ``python -m processors.clean.train LABELLED.jsonl [--write]``.

Labelled data: a line a page, ``{"id": "country/site", "title": "...", "lines": [...], "labels": ["keep" | "drop" | "either", ...]}``.
A site is never in the training and the measuring part of a fold at once.  The seed of every random choice is fixed, so that the same
data give the same weights.  With ``--write`` the model trained on everything replaces `lines.json`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from processors.clean.features import Matrix, describe
from processors.clean.furniture import furniture
from processors.clean.model import WEIGHTS, LineModel, Network, Vector, sigmoid, with_context

FOLDS = 5
HIDDEN = 24
EPOCHS = 40
BATCH = 512
RATE = 2e-3
DECAY = 3e-3
DROPOUT = 0.2
CROPS = ((15, 20), (4, 6), (1, 0), (8, 1))  # lines left before and after the article: a person copies more or less of a page


@dataclass(frozen=True)
class Example:
    """One page, or a crop of one, as numbers.  `weight` is 0 for lines on which the labels take no side."""

    site: str
    rows: Matrix
    keep: Vector
    weight: Vector
    mass: Vector
    title: Vector


def load(path: Path) -> list[Example]:
    """Every page whole, then every crop of it."""
    examples = []
    with path.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            pairs = [(line.strip(), label) for line, label in zip(row["lines"], row["labels"], strict=True) if line.strip()]
            kept = [number for number, (_, label) in enumerate(pairs) if label == "keep"]
            if not kept:
                continue
            examples.append(_example(row["id"], row["title"], pairs))
            for before, after in CROPS:
                examples.append(_example(row["id"], row["title"], pairs[max(0, kept[0] - before) : kept[-1] + 1 + after]))
    return examples


def _example(site: str, title: str, pairs: Sequence[tuple[str, str]]) -> Example:
    lines = [line for line, _ in pairs]
    page = describe(lines, furniture())
    words = np.array([len(line.split()) for line in lines], dtype=np.float32)
    sided = np.array([label != "either" for _, label in pairs], dtype=np.float32)
    keep = np.array([label == "keep" for _, label in pairs], dtype=np.float32)
    weight = sided * (1.0 + np.sqrt(words) / 2.0) * np.where(keep > 0, 1.0, 0.7)
    wanted = _letters(title)
    is_title = np.array([label == "keep" and _letters(line) == wanted for line, label in pairs], dtype=np.float32)
    return Example(site, page.matrix, keep, weight.astype(np.float32), mass_of(lines), is_title)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def mass_of(lines: Sequence[str]) -> Vector:
    return np.array([len(line) for line in lines], dtype=np.float32)


def fit(rows: Matrix, keep: Vector, weight: Vector, seed: int, hidden: int = HIDDEN) -> Network:
    """Adam on the weighted log loss, with dropout on the input and decoupled weight decay; the learning rate falls to zero."""
    rng = np.random.default_rng(seed)
    mean, deviation = rows.mean(0), rows.std(0)
    scale = (1.0 / np.maximum(deviation, 0.05)).astype(np.float32)
    data = ((rows - mean) * scale).astype(np.float32)
    width = data.shape[1]
    weights = [
        (rng.standard_normal((width, hidden)) * np.sqrt(2.0 / width)).astype(np.float32),
        np.zeros(hidden, dtype=np.float32),
        (rng.standard_normal(hidden) * np.sqrt(1.0 / hidden)).astype(np.float32),
        np.zeros(1, dtype=np.float32),
    ]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    steps, total = 0, EPOCHS * (len(data) // BATCH + 1)
    for _ in range(EPOCHS):
        order = rng.permutation(len(data))
        for start in range(0, len(order), BATCH):
            pick = order[start : start + BATCH]
            mask = (rng.random((len(pick), width), dtype=np.float32) > DROPOUT) / (1.0 - DROPOUT)
            gradients = _gradients(weights, (data[pick] * mask).astype(np.float32), keep[pick], weight[pick])
            steps += 1
            rate = RATE * (1.0 - steps / (total + 1))
            for number, gradient in enumerate(gradients):
                first[number] = 0.9 * first[number] + 0.1 * gradient
                second[number] = 0.999 * second[number] + 0.001 * gradient**2
                step = (first[number] / (1 - 0.9**steps)) / (np.sqrt(second[number] / (1 - 0.999**steps)) + 1e-8)
                weights[number] = weights[number] - rate * (step + DECAY * weights[number])
    return Network(mean.astype(np.float32), scale, weights[0], weights[1], weights[2], float(weights[3][0]))


def _gradients(weights: list[npt.NDArray[np.float32]], data: Matrix, keep: Vector, weight: Vector) -> list[npt.NDArray[np.float32]]:
    inner = np.maximum(data @ weights[0] + weights[1], 0.0)
    error = (sigmoid(inner @ weights[2] + weights[3][0]) - keep) * weight / weight.sum()
    back = np.outer(error, weights[2]) * (inner > 0)
    return [data.T @ back, back.sum(0), inner.T @ error, np.array([error.sum()], dtype=np.float32)]


def train(examples: Sequence[Example], seed: int = 0) -> LineModel:
    """The first network on everything; the second on what first networks that had not seen a site made of it."""
    opinions: list[Vector] = [np.zeros(0, dtype=np.float32)] * len(examples)
    for fold, (inside, outside) in enumerate(folds(examples, 3)):
        network = fit(*_stack([examples[i] for i in inside]), seed=seed + fold)
        for i in outside:
            opinions[i] = sigmoid(network.logits(examples[i].rows))
    first = fit(*_stack(examples), seed=seed)
    rows = np.vstack([with_context(e.rows, o, e.mass) for e, o in zip(examples, opinions, strict=True)])
    _, keep, weight = _stack(examples)
    titles = np.concatenate([e.title for e in examples])
    titled = np.concatenate([np.full(len(e.title), float(e.title.any()), dtype=np.float32) for e in examples])
    title = fit(rows, titles, titled * np.where(titles > 0, 10.0, 1.0).astype(np.float32), seed=seed + 20, hidden=HIDDEN // 2)
    return LineModel(first, fit(rows, keep, weight, seed=seed + 10), title)


def _stack(examples: Sequence[Example]) -> tuple[Matrix, Vector, Vector]:
    return np.vstack([e.rows for e in examples]), np.concatenate([e.keep for e in examples]), np.concatenate([e.weight for e in examples])


def folds(examples: Sequence[Example], count: int) -> Iterator[tuple[list[int], list[int]]]:
    """(training, measuring) indices; the sites, in order of their names, are dealt out in turn."""
    sites = sorted({e.site for e in examples})
    part = {site: number % count for number, site in enumerate(sites)}
    for fold in range(count):
        yield [i for i, e in enumerate(examples) if part[e.site] != fold], [i for i, e in enumerate(examples) if part[e.site] == fold]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m processors.clean.train", description=__doc__)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--write", action="store_true", help="train on everything and replace lines.json")
    options = parser.parse_args(arguments)
    examples = load(options.labelled)
    if options.write:
        model = train(examples)
        WEIGHTS.write_text(json.dumps(model.as_json()) + "\n", encoding="utf-8")
        sys.stdout.write(f"{WEIGHTS}: trained on {len({e.site for e in examples})} sites\n")
        return 0
    sys.stdout.write(f"{len({e.site for e in examples})} sites, {FOLDS} folds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
