"""How good cleaning is, measured::

    python -m processors.clean.measure [--lines LABELLED.jsonl] [--pages FOLDER] [--texts FOLDER GOLD.json]

Lines: word-weighted F1 of the kept lines over all pages, on the whole page and on a window around the article, and pages exactly right.
Pages: word F1 of the text beside what trafilatura alone gives for the same page in the same run, by country, and pages exactly right.
Texts: whole ones, each line as GOLD has it (``{name: {"keep": [line numbers], "drop": [...]}}``, lines from 1), with the shipped models.
The model is always one that has not seen the page's site: sites are dealt into folds, a model a fold.  No site's hints are used.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import trafilatura

from processors.clean.features import key_of
from processors.clean.html import page_facts, parse
from processors.clean.labelled import FOLDS, TextPage, WebPage, fold_of, read_text_pages, read_web_pages, window, word_f1
from processors.clean.lines import read_lines, split_lines
from processors.clean.model import LineModel
from processors.clean.page import read_page
from processors.clean.train import Example, text_examples, train, web_examples

Models = Mapping[int, LineModel]


@dataclass
class LineScore:
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


class PageScore(NamedTuple):
    """Word F1 of one page: ours, and trafilatura's alone."""

    site: str
    country: str
    ours: float
    trafilatura: float


def fold_models(examples: Sequence[Example], only: Iterable[int] = range(FOLDS)) -> dict[int, LineModel]:
    """A model a fold, each trained on the sites of the other folds."""
    return {fold: train([e for e in examples if fold_of(e.site) != fold]) for fold in only}


def score_lines(pages: Sequence[TextPage], models: Models) -> LineScore:
    """Pages whose fold has no model are left out."""
    score = LineScore()
    for page in pages:
        if fold_of(page.site) not in models:
            continue
        reading = read_lines("\n".join(page.lines), model=models[fold_of(page.site)])
        taken = _aligned(
            page.lines, page.labels, Counter(key_of(line) for line in (reading.title, *(reading.lines[number] for number in reading.kept)))
        )
        words = [len(line.split()) for line in page.lines]
        wrong = sum(words[n] for n in taken if page.labels[n] == "drop")
        missed = sum(words[n] for n, label in enumerate(page.labels) if label == "keep" and n not in taken)
        score.right += sum(words[n] for n in taken if page.labels[n] == "keep")
        score.wrong += wrong
        score.missed += missed
        score.pages += 1
        score.exact += wrong == missed == 0
        if wrong or missed:
            score.errors.append((page.site, wrong, missed))
    return score


def _aligned(lines: Sequence[str], labels: Sequence[str], given: Counter[str]) -> set[int]:
    """The lines of the page that an output holds.  Of equal lines (a title also stands in the breadcrumbs) the one to be kept is meant."""
    taken = set()
    for number in sorted(range(len(lines)), key=lambda n: ("keep", "either", "drop").index(labels[n])):
        key = key_of(" ".join(split_lines(lines[number])))
        if key and given[key] > 0:
            given[key] -= 1
            taken.add(number)
    return taken


def score_pages(pages: Iterable[WebPage], models: Models) -> list[PageScore]:
    """Pages whose fold has no model are left out."""
    scores = []
    for page in pages:
        if fold_of(page.site) in models:
            ours = word_f1(text_of(page.html, models[fold_of(page.site)]), page.text)
            alone = word_f1(trafilatura.extract(page.html, include_comments=False) or "", page.text)
            scores.append(PageScore(page.site, page.country, ours, alone))
    return scores


class TextScore(NamedTuple):
    """`wrong`, `missed`: the numbers of lines that were taken and are to be dropped, and the other way round."""

    name: str
    kept: int
    wrong: tuple[int, ...]
    missed: tuple[int, ...]


def score_texts(folder: Path, gold: Path) -> Iterator[TextScore]:
    """Lines that the gold names neither way count nowhere.  Raises `OSError` for a text that is named and not there."""
    for name, wanted in json.loads(gold.read_text(encoding="utf-8")).items():
        if not isinstance(wanted, dict):
            continue  # a note
        lines = (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        keep, drop = set(wanted["keep"]), set(wanted["drop"])
        labels = ["keep" if number in keep else "drop" if number in drop else "either" for number in range(1, len(lines) + 1)]
        reading = read_lines("\n".join(lines))
        given = Counter(key_of(line) for line in (reading.title, *(reading.lines[number] for number in reading.kept)))
        taken = {number + 1 for number in _aligned(lines, labels, given)}
        yield TextScore(name, len(keep), tuple(sorted(taken & drop)), tuple(sorted(keep - taken)))


def text_of(html: str, model: LineModel | None = None) -> str:
    tree = parse(html)
    return read_page(tree, page_facts(html, tree), model=model).text if tree is not None else ""


def mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m processors.clean.measure", description=__doc__)
    parser.add_argument("--lines", type=Path, help="labelled pages of plain text")
    parser.add_argument("--pages", type=Path, help="folder of web pages with gold text")
    parser.add_argument("--texts", type=Path, nargs=2, metavar=("FOLDER", "GOLD"), help="texts, and which of their lines to keep")
    parser.add_argument("--worst", type=int, default=0, help="also name so many of the worst pages")
    options = parser.parse_args(arguments)
    say: Callable[[str], object] = lambda line: sys.stdout.write(line + "\n")  # noqa: E731 - one line is clearer here
    if options.texts is not None:
        for text in score_texts(*options.texts):
            found = f"{len(text.wrong)} lines too many {text.wrong}, {len(text.missed)} missed {text.missed}"
            say(f"text {text.name}: {'as it must be' if not (text.wrong or text.missed) else found}; {text.kept} lines are its article's")
    if options.lines is not None:
        models = fold_models(text_examples(options.lines))
        pages = read_text_pages(options.lines)
        for name, chosen in (("window", [window(page) for page in pages]), ("whole page", pages)):
            score = score_lines(chosen, models)
            say(f"lines, {name}: word-weighted F1 {score.f1:.4f}, {score.exact} of {score.pages} pages exactly right")
            for site, wrong, missed in sorted(score.errors, key=lambda error: -error[1] - error[2])[: options.worst]:
                say(f"    {site}: {wrong} words too many, {missed} missed")
    if options.pages is not None:
        scores = score_pages(read_web_pages(options.pages), fold_models(web_examples(options.pages)))
        say(_pages_line("all", scores))
        by_country: defaultdict[str, list[PageScore]] = defaultdict(list)
        for page in scores:
            by_country[page.country].append(page)
        for country in sorted(by_country):
            say("    " + _pages_line(country, by_country[country]))
        for page in sorted(scores, key=lambda page: page.ours)[: options.worst]:
            say(f"    {page.site}: {page.ours:.3f}, trafilatura {page.trafilatura:.3f}")
    return 0


def _pages_line(name: str, scores: Sequence[PageScore]) -> str:
    exact, theirs = sum(s.ours == 1.0 for s in scores), sum(s.trafilatura == 1.0 for s in scores)
    return (
        f"pages, {name}: word F1 {mean(s.ours for s in scores):.4f}, {exact} of {len(scores)} exactly right "
        f"(trafilatura alone {mean(s.trafilatura for s in scores):.4f}, {theirs})"
    )


if __name__ == "__main__":
    sys.exit(main())
