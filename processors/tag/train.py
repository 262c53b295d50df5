"""Train the tagging models, and measure them by folds of events.

    python -m processors.tag.train DIGESTS.jsonl [--items DEV.jsonl] [--measure] [--write]

DIGESTS are labelled mention by mention, items (optional) article by article; both formats are those of `tumen eval`.  Pages of one event
(or, where none is named, of one outlet) are never in the training and the measuring part of a fold at once.  Nothing is random: the same
data give the same weights.  The sentences of our own under `lessons/` are always learnt from and never measured.  With ``--write`` the
models trained on everything replace `tag.json`.  scikit-learn fits; the pipeline needs only numpy.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from processors.tag.claims import DIRECTIONS, STANCES, direction_row, event_rows, stance_row
from processors.tag.features import EVENTS, Matrix, Vector, sentence_rows, with_neighbours
from processors.tag.mentions import judge as decide
from processors.tag.model import WEIGHTS, Linear, TagModel, article_row, carried
from processors.tag.reading import Reader, Reading
from processors.tag.support import supported
from tumen.accuracy import Judged, Tagger, judge, report
from tumen.gold import Gold, align, read_gold
from tumen.messages import Tagged, Translated
from tumen.settings import ROOT
from tumen.watch import Watch, load_watch

LESSONS = Path(__file__).with_name("lessons")  # sentences of our own, for events that pages seldom show
FOLDS = 5
STRENGTH = {"sentence": 0.02, "event": 0.3, "stance": 0.1, "direction": 0.2, "article": 1.0}  # inverse of the ridge
EVEN = {"stance": 0.3, "direction": 0.0}  # how far a rare class is made to count like a frequent one (1: fully)
INNER = 3


@dataclass
class Example:
    """One labelled article: its reading, for each of its sentences the gold sentence it lies in (-1: the title), and its rows."""

    gold: Gold
    reading: Reading
    places: list[int]
    rows: Matrix
    events: list[Matrix]
    wanted: Vector = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    weight: Vector = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def mentions(self, index: int) -> list[Any]:
        return self.gold.of(self.places[index]) if self.places[index] >= 0 else []


def load(paths: Iterable[Path], reader: Reader) -> list[Example]:
    """Every labelled article in a language that the watch has cues for."""
    examples = []
    for path in paths:
        for gold in read_gold(path):
            if not reader.reads(gold.language):
                continue
            reading = reader.read(gold.title, gold.text, gold.language, gold.published)
            if not reading.sents:
                continue
            rows = event_rows(reading) if gold.sentences else []
            example = Example(gold, reading, align(gold, reading.sents), sentence_rows(reading), rows)
            example.wanted, example.weight = _labels(example)
            examples.append(example)
    return examples


def _labels(example: Example) -> tuple[Vector, Vector]:
    """What each sentence should get (-1: nobody knows) and how much it counts; items without sentence labels teach little."""
    gold, size = example.gold, len(example.reading.sents)
    wanted = np.full(size, -1.0, dtype=np.float32)
    weight = np.full(size, 1.0 if gold.sure else 0.5, dtype=np.float32)
    titled = example.reading.title is not None
    if gold.sentences:
        for index, place in enumerate(example.places):
            if place >= 0:
                wanted[index] = float(bool(gold.of(place)))
        if titled and gold.label == "none":
            wanted[0] = 0.0
        elif titled and gold.label == "core" and example.reading.sents[0].both:
            wanted[0] = 1.0
        return wanted, weight
    weight *= 0.5
    if gold.label == "none":
        wanted[:] = 0.0
        weight /= max(1.0, size / 6)
    else:
        for index, sent in enumerate(example.reading.sents):
            if index and not sent.sides and not sent.has("pair", "continue", "dprk", "russia") and not sent.names["dprk:weak"]:
                wanted[index] = 0.0  # in a long article a passage that names neither is seldom about both
                weight[index] *= 0.6
        if gold.label == "core" and titled and (size <= 2 or example.reading.sents[0].both):
            wanted[0] = 1.0
    return wanted, weight


# --- fitting -------------------------------------------------------------------------------------------------------------------


def fit(rows: Matrix, wanted: Any, strength: float, weight: Vector | None = None, *, scale: bool = False, classes: int = 2) -> Linear:
    """Ridge logistic regression on centred (and, if asked, scaled) columns, folded back into plain weights."""
    mean = rows.mean(0)
    deviation = np.maximum(rows.std(0), 0.05) if scale else np.ones(rows.shape[1])
    model = LogisticRegression(C=strength, max_iter=4000)
    model.fit((rows - mean) / deviation, wanted, sample_weight=weight)
    coefficients = model.coef_ / deviation
    offset = model.intercept_ - coefficients @ mean
    if classes > 2:  # a class that a fold never saw gets a logit that never wins
        full, base = np.zeros((classes, rows.shape[1])), np.full(classes, -20.0)
        for place, label in enumerate(model.classes_):
            full[int(label)], base[int(label)] = coefficients[place], offset[place]
        coefficients, offset = full, base
    return Linear(coefficients.astype(np.float32), offset.astype(np.float32))


def train(examples: Sequence[Example], lessons: Sequence[Example] = ()) -> TagModel:
    """All models on these examples; the second of each pair on what first models that had not seen an example made of it.

    How often an article is relevant, and how often a stance occurs, is learnt from the examples alone: lessons are all relevant and
    full of denials.
    """
    everything = [*examples, *lessons]
    sentence, around, opinions = _sentences(everything)
    event, event_around = _events([e for e in everything if e.gold.sentences])
    stance = _claims(examples, stance_row, "stance", STANCES)
    direction = _claims(everything, direction_row, "direction", DIRECTIONS)
    thought = [supported(e.reading, p) for p, e in zip(opinions, examples, strict=False)]
    rows = np.stack([article_row(p, e.reading.title is not None) for p, e in zip(thought, examples, strict=True)])
    relevant = [e.gold.label != "none" for e in examples]
    weight = np.array([(1.0 if e.gold.sure else 0.5) * (1.0 if e.gold.sentences else 0.7) for e in examples], dtype=np.float32)
    article = fit(rows, relevant, STRENGTH["article"], weight, scale=True)
    return TagModel(sentence, around, event, event_around, stance, direction, article)


def _sentences(examples: Sequence[Example]) -> tuple[Linear, Linear, list[Vector]]:
    """Both sentence models, and an opinion of each example from models that had not seen it."""

    def stack(chosen: Sequence[int], rows: Sequence[Matrix]) -> Linear:
        wanted = np.concatenate([examples[i].wanted for i in chosen])
        weight = np.concatenate([examples[i].weight for i in chosen])
        known = wanted >= 0
        return fit(np.vstack([rows[i] for i in chosen])[known], wanted[known] > 0, STRENGTH["sentence"], weight[known], scale=True)

    plain = [e.rows for e in examples]
    everything = range(len(examples))
    first_opinion = [np.zeros(0, dtype=np.float32)] * len(examples)
    parts = [(inside, outside) for inside, outside in folds(examples, INNER)]
    for inside, outside in parts:
        model = stack(inside, plain)
        for i in outside:
            first_opinion[i] = model.yes(plain[i])
    wide = [with_neighbours(rows, opinion) for rows, opinion in zip(plain, first_opinion, strict=True)]
    opinions = [np.zeros(0, dtype=np.float32)] * len(examples)
    for inside, outside in parts:
        model = stack(inside, wide)
        for i in outside:
            opinions[i] = model.yes(wide[i])
    return stack(everything, plain), stack(everything, wide), opinions


def _events(examples: Sequence[Example]) -> tuple[Linear, Linear]:
    """Both event models, on sentences that are mentions."""

    def stack(chosen: Iterable[int], rows: Sequence[Sequence[Matrix]]) -> Linear:
        table: list[Matrix] = []
        wanted: list[bool] = []
        for i in chosen:
            for index in range(len(examples[i].reading.sents)):
                events = {m["event"] for m in examples[i].mentions(index)}
                if events:
                    table.append(rows[i][index])
                    wanted.extend(event in events for event in EVENTS)
        return fit(np.vstack(table), wanted, STRENGTH["event"])

    plain = [e.events for e in examples]
    opinion: list[list[Vector]] = [[]] * len(examples)
    for inside, outside in folds(examples, INNER):
        model = stack(inside, plain)
        for i in outside:
            opinion[i] = [model.yes(rows) for rows in plain[i]]
    wide = [carried(list(rows), thought) for rows, thought in zip(plain, opinion, strict=True)]
    return stack(range(len(examples)), plain), stack(range(len(examples)), wide)


def _claims(examples: Sequence[Example], describe: Any, key: str, classes: Sequence[str]) -> Linear:
    """The stance or direction model, on the labelled mentions."""
    rows, wanted = [], []
    for example in examples:
        for index in range(len(example.reading.sents)):
            for mention in example.mentions(index):
                if key == "direction" and mention["event"] in ("sanctions", "diplomacy") and mention["direction"] == "none":
                    continue
                rows.append(describe(example.reading, index, mention["event"]))
                wanted.append(classes.index(mention[key]))
    often = np.bincount(wanted, minlength=len(classes))
    weight = np.array([(often.max() / often[label]) ** EVEN[key] for label in wanted], dtype=np.float32)
    return fit(np.stack(rows), wanted, STRENGTH[key], weight, classes=len(classes))


def folds(examples: Sequence[Example], count: int) -> Iterator[tuple[list[int], list[int]]]:
    """(training, measuring) indices; an event's pages, or an outlet's, stay together."""
    part = [int(hashlib.blake2b(f"{count}:{group(e.gold)}".encode(), digest_size=4).hexdigest(), 16) % count for e in examples]
    for fold in range(count):
        yield [i for i, p in enumerate(part) if p != fold], [i for i, p in enumerate(part) if p == fold]


def group(gold: Gold) -> str:
    return gold.event_key or urlsplit(gold.url or "").netloc or gold.id


def measured(examples: Sequence[Example], lessons: Sequence[Example], watch: Watch) -> list[Judged]:
    """Every example judged by a model that never saw its event; all models saw the lessons, which are judged by none."""
    judged: list[Judged] = []
    for inside, outside in folds(examples, FOLDS):
        model = train([examples[i] for i in inside], lessons)
        for i in outside:
            judged.append(judge(examples[i].gold, _tagger(examples[i].reading, model, watch), watch))
    return judged


def measure(examples: Sequence[Example], lessons: Sequence[Example], watch: Watch) -> str:
    """The figures of `tumen eval` out of fold: digests first, then items."""
    judged = measured(examples, lessons, watch)
    parts = {"digests": [j for j in judged if j.gold.sentences], "items": [j for j in judged if not j.gold.sentences]}
    return "\n\n".join(f"{name}, out of fold:\n{report(part)}" for name, part in parts.items() if part)


def _tagger(reading: Reading, model: TagModel, watch: Watch) -> Tagger:
    def tag(message: Translated) -> Tagged:
        verdict = decide(reading, message.id, model, watch)
        envelope = {"id": message.id, "seen_at": message.seen_at, "trace": message.trace}
        return Tagged(
            **envelope,
            unique=message.unique,
            translation=message.translation,
            mentions=verdict.mentions,
            relevant=verdict.relevant,
            score=verdict.score,
        )

    return tag


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m processors.tag.train", description=__doc__)
    parser.add_argument("digests", type=Path)
    parser.add_argument("--items", type=Path, action="append", default=[], help="articles labelled as a whole")
    parser.add_argument("--watch", default="russia-dprk")
    parser.add_argument("--write", action="store_true", help="train on everything and replace tag.json")
    parser.add_argument("--measure", action="store_true", help="figures of `tumen eval`, by models that never saw the event")
    options = parser.parse_args(arguments)
    watch = load_watch(ROOT / "watches" / options.watch)
    reader = Reader(watch, watch.cues)
    examples = load([options.digests, *options.items], reader)
    lessons = load(sorted(LESSONS.glob("*.jsonl")), reader)
    if options.write:
        WEIGHTS.write_text(json.dumps(train(examples, lessons).as_json()) + "\n", encoding="utf-8")
        sys.stdout.write(f"{WEIGHTS.name}: trained on {len(examples)} articles and {len(lessons)} lessons\n")
    if options.measure:
        sys.stdout.write(measure(examples, lessons, watch) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
