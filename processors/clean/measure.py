"""How good cleaning is, measured: ``python -m processors.clean.measure --lines LABELLED.jsonl --pages FOLDER``.

Lines: word-weighted F1 of the kept lines over all pages, on the whole page and on a window around the article, and pages exactly right.
Pages: word F1 of the text beside what trafilatura alone gives for the same page in the same run, per country, and pages exactly right.
The line model is always one that has not seen the page's site: sites are dealt into folds (`processors.clean.train`), a model a fold.
"""

import argparse
import gzip
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import trafilatura

from processors.clean.features import key_of
from processors.clean.html import page_facts, parse
from processors.clean.lines import read_lines, split_lines
from processors.clean.model import LineModel
from processors.clean.train import FOLDS, fold_of, load, train

BEFORE, AFTER = 15, 20  # lines of the window before and after the article

_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]|[^\W_]+")


class Page(NamedTuple):
    """A page as plain text; a label a line."""

    site: str
    country: str
    lines: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass
class Score:
    """Words taken rightly, wrongly, and missed; pages where nothing was taken wrongly or missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    pages: int = 0
    exact: int = 0
    errors: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def f1(self) -> float:
        return 2 * self.right / (2 * self.right + self.wrong + self.missed) if self.right else 0.0

    def add(self, site: str, right: int, wrong: int, missed: int) -> None:
        self.right += right
        self.wrong += wrong
        self.missed += missed
        self.pages += 1
        self.exact += wrong == missed == 0
        if wrong or missed:
            self.errors.append((site, wrong, missed))


def read_pages(path: Path) -> list[Page]:
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Page(row["id"], row["country"], tuple(row["lines"]), tuple(row["labels"])) for row in rows]


def window(page: Page) -> Page:
    """The page as somebody copies it who marks the article with the mouse."""
    kept = [number for number, label in enumerate(page.labels) if label == "keep"]
    part = slice(max(0, kept[0] - BEFORE), kept[-1] + 1 + AFTER)
    return page._replace(lines=page.lines[part], labels=page.labels[part])


def score_lines(pages: Sequence[Page], models: Mapping[int, LineModel] | None) -> Score:
    """`models` by fold; None measures the shipped model, which may have seen the pages."""
    score = Score()
    for page in pages:
        model = models[fold_of(page.site)] if models is not None else None
        reading = read_lines("\n".join(page.lines), model=model)
        given = Counter(key_of(line) for line in (reading.title, *(reading.lines[number] for number in reading.kept)))
        taken = _aligned(page, given)
        words = [len(line.split()) for line in page.lines]
        right = sum(words[n] for n in taken if page.labels[n] == "keep")
        wrong = sum(words[n] for n in taken if page.labels[n] == "drop")
        missed = sum(words[n] for n, label in enumerate(page.labels) if label == "keep" and n not in taken)
        score.add(page.site, right, wrong, missed)
    return score


def _aligned(page: Page, given: Counter[str]) -> set[int]:
    """The lines of the page that an output holds.  Of equal lines (a title also stands in the breadcrumbs) the one to be kept is meant."""
    taken = set()
    for number in sorted(range(len(page.lines)), key=lambda n: ("keep", "either", "drop").index(page.labels[n])):
        key = key_of(" ".join(split_lines(page.lines[number])))
        if given[key] > 0:
            given[key] -= 1
            taken.add(number)
    return taken


def fold_models(path: Path) -> dict[int, LineModel]:
    """A model a fold, each trained on the sites of the other folds."""
    examples = load(path)
    return {fold: train([e for e in examples if fold_of(e.site) != fold]) for fold in range(FOLDS)}


class Gold(NamedTuple):
    """An article page with its gold text."""

    site: str
    country: str
    html: str
    text: str


def read_gold(folder: Path) -> Iterator[Gold]:
    """The pages below `folder` that have a gold body: ``<country>/<Publisher>.json`` beside ``<Publisher>_<date>.html.gz``.

    The newest page goes with the newest parser's entry.
    """
    for path in sorted(folder.rglob("*.json")):
        pages = sorted(path.parent.glob(f"{path.stem}_[0-9]*.html.gz"))
        entries = json.loads(path.read_text(encoding="utf-8"))
        newest = max((key for key in entries if re.fullmatch(r"V\d+(_\d+)*", key)), key=lambda key: [int(n) for n in re.findall(r"\d+", key)])
        body = entries[newest].get("body")
        if pages and body:
            parts = [*body["summary"], *(text for section in body["sections"] for text in (*section["headline"], *section["paragraphs"]))]
            html = gzip.decompress(pages[-1].read_bytes()).decode("utf-8", "replace")
            yield Gold(f"{path.parent.name}/{path.stem}", path.parent.name, html, "\n".join(parts))


def word_f1(found: str, wanted: str) -> float:
    """F1 over words as a multiset; a character of a script without spaces is a word."""
    ours, theirs = Counter(_WORD.findall(found.casefold())), Counter(_WORD.findall(wanted.casefold()))
    both = (ours & theirs).total()
    return 2 * both / (ours.total() + theirs.total()) if both else float(not ours and not theirs)
