"""A web page to the article in it: its blocks, judged by a learned model that sees their words, their markup and what trafilatura takes.

trafilatura reads the page in its fast mode, whose word is one vote among others; a page's JSON-LD `articleBody` is another.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import trafilatura
from lxml.html import HtmlElement

from processors.clean.blocks import VOTES, blocks, describe_blocks
from processors.clean.features import Page, describe, key_of, letters
from processors.clean.furniture import furniture
from processors.clean.html import PageFacts, plain
from processors.clean.lines import Reading, given_title, split_lines, without_copies
from processors.clean.model import LineModel, block_model

KEEP = 0.5  # probability from which a block is taken
SHORT = 6  # letters up to which a block stands in any text by chance
WHOLE, PIECE = 1500, 60  # characters of a block that may hold the whole article, and of a paragraph to be looked for in it
STATED_LEAST = 500  # characters from which an articleBody may stand for the page,
SHOWN, AGREED = 0.4, 0.8  # ... which shows at most so much of it, while so much of what it shows is in it
BODY_LEAST = 200  # characters from which an articleBody is the article rather than a summary of it


def read_page(tree: HtmlElement, facts: PageFacts, title: str | None = None, model: LineModel | None = None) -> Reading:
    """The article in a page.  `title`, where the source gave one, goes before the page's own; `model` replaces the shipped one (folds)."""
    lines, page = describe_page(tree, facts)
    title = title or facts.title
    if not lines:
        return Reading((), None, title, None, ())
    mass = np.array([len(line) for line in lines], dtype=np.float32)
    likely, _ = (model or block_model()).judge(page, mass)
    rules: dict[int, str] = {}
    at = given_title(title, page) if title else None
    titles = {key_of(title)} | ({page.keys[at]} if at is not None else set())
    if at is not None:
        title = lines[at].removeprefix("* ")  # as the page shows it: without its site's name
    kept = [number for number in range(len(lines)) if likely[number] >= KEEP and page.keys[number] not in titles]
    kept = _without_wholes(without_copies(kept, at, page, rules), lines, rules)
    return Reading(lines, page, title, at, tuple(kept), tuple(likely.tolist()), rules)


def stated_text(reading: Reading, facts: PageFacts) -> tuple[str, ...]:
    """The paragraphs of the page's articleBody where the page itself shows little or nothing of it, and nothing else; () if it shows it.

    Such pages are filled in by a script, or show their beginning only.
    """
    body = plain(facts.body)
    if len(body) < STATED_LEAST or len(reading.text) > SHOWN * len(body):
        return ()
    stated = letters("".join(paragraphs := split_lines(body)))
    shown = [letters(reading.lines[number]) for number in reading.kept]
    if sum(len(line) for line in shown if line in stated) < AGREED * sum(map(len, shown)):
        return ()
    return tuple(line for line in paragraphs if key_of(line) != key_of(reading.title))


def _without_wholes(kept: Sequence[int], lines: Sequence[str], rules: dict[int, str]) -> list[int]:
    """Some pages hold the whole article once more in one element (to be read aloud, to be indexed): its paragraphs say it better."""
    long = [number for number in kept if len(lines[number]) >= WHOLE]
    if not long:
        return list(kept)
    pieces = [letters(lines[number]) for number in kept if PIECE <= len(lines[number]) < WHOLE]
    for number in long:
        whole = letters(lines[number])
        if sum(len(piece) for piece in pieces if piece in whole) > 0.5 * len(whole):
            rules[number] = "whole"
    return [number for number in kept if number not in rules or number not in long]


def describe_page(tree: HtmlElement, facts: PageFacts) -> tuple[tuple[str, ...], Page]:
    """The page's blocks as lines, and as numbers: as lines of text, as elements of the page, and by the votes on them."""
    found = [(" ".join(lines), block) for block in blocks(tree) if (lines := split_lines(block.text))]
    lines = tuple(line for line, _ in found)
    if not lines:
        return (), Page(np.zeros((0, 0), dtype=np.float32), (), (), np.zeros(0, dtype=np.bool_), None, ())
    page = describe(list(lines), furniture())
    main = trafilatura.extract(tree, include_comments=False, include_tables=True, fast=True) or ""
    votes = _votes(lines, main, facts.body)
    markup = describe_blocks([block for _, block in found], [len(line) for line in lines], page.prose.tolist(), votes)
    return lines, replace(page, matrix=np.hstack([page.matrix, markup]))


def _votes(lines: Sequence[str], main: str, body: str) -> npt.NDArray[np.float32]:
    """A column each: trafilatura takes the block; the page's articleBody holds it; the page has none."""
    taken = letters("".join(split_lines(main)))
    stated = letters("".join(split_lines(plain(body)))) if len(body) >= BODY_LEAST else ""
    votes = np.zeros((len(lines), len(VOTES)), dtype=np.float32)
    for number, line in enumerate(lines):
        own = letters(line)
        if len(own) > SHORT:
            votes[number, 0] = own in taken
            votes[number, 1] = own in stated
    votes[:, 2] = not stated
    return votes
