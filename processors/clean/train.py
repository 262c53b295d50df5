"""Train the two models: ``python -m processors.clean.train [--lines LABELLED.jsonl] [--pages FOLDER]``.

What the labelled data look like stands in `processors.clean.labelled`.  The seed of every random choice is fixed, so that the same data
give the same weights; `processors.clean.measure` measures by folds, in which no site is in the training and the measuring part at once.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from processors.clean.features import Matrix, Page, describe, letters
from processors.clean.furniture import furniture
from processors.clean.html import page_facts, parse
from processors.clean.labelled import TextPage, fold_of, in_gold, read_text_pages, read_web_pages
from processors.clean.model import BLOCKS, LINES, LineModel, Network, Vector, sigmoid, with_context
from processors.clean.page import describe_page

HIDDEN = 32
MEMBERS = 6
EPOCHS = 30
BATCH = 512
RATE = 2e-3
DECAY = 3e-3
DROPOUT = 0.3
NEARBY, THINNED = 60, 3  # of lines further than this from the article, one in three is learnt from
CROPS = ((15, 20), (4, 6), (0, 0), (8, 1))  # lines left before and after the article: a person copies more or less of a page


@dataclass(frozen=True)
class Example:
    """One page, or a crop of one, as numbers.  `weight` is 0 for lines on which the labels take no side."""

    site: str
    page: Page
    keep: Vector
    weight: Vector
    mass: Vector
    title: Vector


def text_examples(path: Path) -> list[Example]:
    """Every labelled page of plain text whole, then every crop of it."""
    examples = []
    for row in read_text_pages(path):
        pairs = [(" ".join(line.split()), label) for line, label in zip(row.lines, row.labels, strict=True) if line.strip()]
        kept = [number for number, (_, label) in enumerate(pairs) if label == "keep"]
        if not kept:
            continue
        examples.append(_text_example(row, pairs))
        for before, after in CROPS:
            examples.append(_text_example(row, pairs[max(0, kept[0] - before) : kept[-1] + 1 + after]))
    return examples


def _text_example(row: TextPage, pairs: Sequence[tuple[str, str]]) -> Example:
    lines = [line for line, _ in pairs]
    keep = np.array([label == "keep" for _, label in pairs], dtype=np.float32)
    sided = np.array([label != "either" for _, label in pairs], dtype=np.float32)
    wanted = letters(row.title)
    is_title = np.array([label == "keep" and letters(line) == wanted for line, label in pairs], dtype=np.float32)
    return Example(row.site, describe(lines, furniture()), keep, sided * _weight(lines, keep), mass_of(lines), is_title)


def web_examples(folder: Path) -> list[Example]:
    """Every web page that has a gold text, its blocks labelled by it."""
    examples = []
    for row in read_web_pages(folder):
        tree = parse(row.html)
        if tree is None:
            continue
        lines, page = describe_page(tree, page_facts(row.html, tree))
        keep = np.array(in_gold(lines, row.text), dtype=np.float32)
        if keep.any():
            examples.append(Example(row.site, page, keep, _weight(lines, keep), mass_of(lines), np.zeros(len(lines), dtype=np.float32)))
    return examples


def _weight(lines: Sequence[str], keep: Vector) -> Vector:
    """Longer lines weigh more, but not in proportion: a subhead is worth more than its words."""
    words = np.array([len(line.split()) for line in lines], dtype=np.float32)
    return np.asarray((1.0 + np.sqrt(words) / 2.0) * np.where(keep > 0, 1.0, 0.7), dtype=np.float32)


def mass_of(lines: Sequence[str]) -> Vector:
    return np.array([len(line) for line in lines], dtype=np.float32)


def fit(rows: Matrix, keep: Vector, weight: Vector, seed: int, hidden: int = HIDDEN, members: int = MEMBERS) -> Network:
    """`members` networks trained side by side and joined into one that gives the mean of their logits.

    Adam on the weighted log loss, with dropout on the input and decoupled weight decay; the learning rate falls to zero.
    """
    rng = np.random.default_rng(seed)
    mean, deviation = rows.mean(0), rows.std(0)
    scale = (1.0 / np.maximum(deviation, 0.05)).astype(np.float32)
    data = ((rows - mean) * scale).astype(np.float32)
    width, inner = data.shape[1], hidden * members
    weights = [
        (rng.standard_normal((width, inner)) * np.sqrt(2.0 / width)).astype(np.float32),
        np.zeros(inner, dtype=np.float32),
        (rng.standard_normal(inner) * np.sqrt(1.0 / hidden)).astype(np.float32),
        np.zeros(members, dtype=np.float32),
    ]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    steps, total = 0, EPOCHS * (len(data) // BATCH + 1)
    for _ in range(EPOCHS):
        order = rng.permutation(len(data))
        for start in range(0, len(order), BATCH):
            pick = order[start : start + BATCH]
            mask = (rng.random((len(pick), width), dtype=np.float32) > DROPOUT) / np.float32(1.0 - DROPOUT)
            gradients = _gradients(weights, data[pick] * mask, keep[pick], weight[pick])
            steps += 1
            rate = np.float32(RATE * (1.0 - steps / (total + 1)))
            for number, gradient in enumerate(gradients):
                first[number] = 0.9 * first[number] + 0.1 * gradient
                second[number] = 0.999 * second[number] + 0.001 * gradient**2
                step = (first[number] / (1 - 0.9**steps)) / (np.sqrt(second[number] / (1 - 0.999**steps)) + 1e-8)
                weights[number] = weights[number] - rate * (step + DECAY * weights[number])
    hidden_rows = weights[0] * scale[:, None]  # the standardising is part of the layer from here on
    return Network(hidden_rows, weights[1] - mean.astype(np.float32) @ hidden_rows, weights[2] / members, float(weights[3].mean()))


def _gradients(weights: list[npt.NDArray[np.float32]], data: Matrix, keep: Vector, weight: Vector) -> list[npt.NDArray[np.float32]]:
    members = len(weights[3])
    inner = np.maximum(data @ weights[0] + weights[1], 0.0)
    logits = (inner * weights[2]).reshape(len(data), members, -1).sum(2) + weights[3]
    error = (sigmoid(logits) - keep[:, None]) * (weight / weight.sum())[:, None]
    spread = np.repeat(error, len(weights[1]) // members, axis=1)
    back = spread * weights[2] * (inner > 0)
    return [data.T @ back, back.sum(0), (inner * spread).sum(0), error.sum(0)]


def train(examples: Sequence[Example], seed: int = 0) -> LineModel:
    """The first network on everything; the second on what first networks that had not seen a site made of it."""
    opinions: list[Vector] = [np.zeros(0, dtype=np.float32)] * len(examples)
    for fold, (inside, outside) in enumerate(folds(examples, 3)):
        network = fit(*_stack([examples[i] for i in inside], seed), seed=seed + fold)
        for i in outside:
            opinions[i] = sigmoid(network.logits(examples[i].page.matrix))
    first = fit(*_stack(examples, seed), seed=seed)
    chosen = [_chosen(e, seed) for e in examples]
    rows = np.concatenate([with_context(e.page, o, e.mass)[at] for e, o, (at, _) in zip(examples, opinions, chosen, strict=True)])
    keep = np.concatenate([e.keep[at] for e, (at, _) in zip(examples, chosen, strict=True)])
    weight = np.concatenate([w[at] for at, w in chosen])
    titles = np.concatenate([e.title[at] for e, (at, _) in zip(examples, chosen, strict=True)])
    titled = np.concatenate([np.full(len(at), e.title.any()) for e, (at, _) in zip(examples, chosen, strict=True)])
    second = fit(rows, keep, weight, seed=seed + 10)
    if not titles.any():
        return LineModel(first, second, None)
    emphasis = (titled * np.where(titles > 0, 10.0, 1.0)).astype(np.float32)
    return LineModel(first, second, fit(rows, titles, emphasis, seed=seed + 20, hidden=HIDDEN // 2))


def _chosen(example: Example, seed: int) -> tuple[npt.NDArray[np.int64], Vector]:
    """The lines to learn from, and the weights of all: of those far from the article, all alike, a part stands for the rest."""
    at = np.arange(len(example.keep))
    kept = np.flatnonzero(example.keep)
    far = (at < kept[0] - NEARBY) | (at > kept[-1] + NEARBY)
    rng = np.random.default_rng([seed, len(at)])
    taken = ~far | (rng.random(len(at)) < 1.0 / THINNED)
    return np.flatnonzero(taken & (example.weight > 0)), np.where(far, example.weight * THINNED, example.weight).astype(np.float32)


def _stack(examples: Sequence[Example], seed: int) -> tuple[Matrix, Vector, Vector]:
    parts = [(e.page.matrix[chosen], e.keep[chosen], weight[chosen]) for e in examples for chosen, weight in [_chosen(e, seed)]]
    rows, keep, weights = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(keep), np.concatenate(weights)


def folds(examples: Sequence[Example], count: int) -> Iterator[tuple[list[int], list[int]]]:
    """(training, measuring) indices, a fold at a time."""
    part = [fold_of(example.site, count) for example in examples]
    for fold in range(count):
        yield [i for i, own in enumerate(part) if own != fold], [i for i, own in enumerate(part) if own == fold]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m processors.clean.train", description=__doc__)
    parser.add_argument("--lines", type=Path, help="labelled pages of plain text: trains lines.json")
    parser.add_argument("--pages", type=Path, help="folder of web pages with gold text: trains blocks.json")
    options = parser.parse_args(arguments)
    for given, read, weights in ((options.lines, text_examples, LINES), (options.pages, web_examples, BLOCKS)):
        if given is not None:
            examples = read(given)
            weights.write_text(json.dumps(train(examples).as_json()) + "\n", encoding="utf-8")
            sys.stdout.write(f"{weights.name}: trained on {len({e.site for e in examples})} sites\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
