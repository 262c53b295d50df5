"""Labelled pages for training and measuring, as they lie in a folder of measuring material.  Never read by the pipeline."""

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from processors.clean.features import letters

BEFORE, AFTER = 15, 20  # lines of the window before and after the article
FOLDS = 5
LEAST = 25  # letters from which a block that stands within the gold text is surely part of it

_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]|[^\W_]+")
_VERSION = re.compile(r"V\d+(?:_\d+)*")


class TextPage(NamedTuple):
    """A page as plain text; a label ("keep", "drop", "either") a line."""

    site: str
    country: str
    title: str
    lines: tuple[str, ...]
    labels: tuple[str, ...]


class WebPage(NamedTuple):
    """An article's page with its gold text, a paragraph a line."""

    site: str
    country: str
    html: str
    text: str


def read_text_pages(path: Path) -> list[TextPage]:
    """A line a page: ``{"id": "country/site", "country", "title", "lines": [...], "labels": [...]}``."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [TextPage(row["id"], row["country"], row["title"], tuple(row["lines"]), tuple(row["labels"])) for row in rows]


def window(page: TextPage) -> TextPage:
    """The page as somebody copies it who marks the article with the mouse."""
    kept = [number for number, label in enumerate(page.labels) if label == "keep"]
    part = slice(max(0, kept[0] - BEFORE), kept[-1] + 1 + AFTER)
    return page._replace(lines=page.lines[part], labels=page.labels[part])


def read_web_pages(folder: Path) -> Iterator[WebPage]:
    """The pages below `folder` that have a gold body: ``<country>/<Publisher>.json`` beside ``<Publisher>_<date>.html.gz``.

    The newest page goes with the entry of the newest parser.
    """
    for path in sorted(folder.rglob("*.json")):
        pages = sorted(path.parent.glob(f"{path.stem}_[0-9]*.html.gz"))
        entries = json.loads(path.read_text(encoding="utf-8"))
        versions = [key for key in entries if _VERSION.fullmatch(key)]
        body = entries[max(versions, key=lambda key: [int(n) for n in re.findall(r"\d+", key)])].get("body") if versions else None
        if pages and body:
            parts = [*body["summary"], *(text for section in body["sections"] for text in (*section["headline"], *section["paragraphs"]))]
            html = gzip.decompress(pages[-1].read_bytes()).decode("utf-8", "replace")
            yield WebPage(f"{path.parent.name}/{path.stem}", path.parent.name, html, "\n".join(parts))


def fold_of(site: str, count: int = FOLDS) -> int:
    """Which fold a site belongs to: by its name alone, so that a new page moves no other."""
    return int.from_bytes(hashlib.blake2b(site.encode(), digest_size=4).digest(), "big") % count


def in_gold(lines: Sequence[str], gold: str) -> list[bool]:
    """Which lines of a page belong to its gold text: a paragraph of it, a long piece of it, or mostly made of paragraphs of it."""
    whole = letters(gold)
    paragraphs = {letters(paragraph) for paragraph in gold.split("\n")}
    pieces = [paragraph for paragraph in paragraphs if len(paragraph) >= LEAST]
    found = []
    for line in lines:
        own = letters(line)
        if own in paragraphs or (LEAST <= len(own) <= len(whole) and own in whole):
            found.append(bool(own))
        else:
            told = sum(len(piece) for piece in pieces if piece in own) if len(own) <= len(whole) else 0
            found.append(len(own) >= LEAST and told > 0.5 * len(own))
    return found


def word_f1(found: str, wanted: str) -> float:
    """F1 over words as a multiset; a character of a script without spaces is a word."""
    ours, theirs = Counter(_WORD.findall(found.casefold())), Counter(_WORD.findall(wanted.casefold()))
    both = (ours & theirs).total()
    return 2 * both / (ours.total() + theirs.total()) if both else float(not ours and not theirs)
