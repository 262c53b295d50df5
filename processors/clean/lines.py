"""Plain text as it was copied from a page, to the article in it: which lines are its title and its paragraphs.

A learned model (`processors.clean.model`) says how likely each line belongs to the article; rules of structure then settle what a
line cannot tell by itself: which line is the title, which of two equal lines counts, what is a picture's caption.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import numpy as np

from processors.clean.features import CUE_LIMIT, OWN, Page, describe, key_of
from processors.clean.furniture import DATA, KINDS, furniture, load
from processors.clean.model import LineModel, Vector, line_model

KEEP = 0.72  # probability from which a line is taken
COPY_MASS = 25  # a shorter line may be said twice on purpose
TITLE_REACH = 20  # lines above the running text in which its title may stand
TITLE_LEAST = 0.0  # score from which a line is taken for the title
TITLE_WEAK = -1.5  # ... where the text itself begins with running text
TITLE_MASS = 8  # a shorter line is none
TITLE_LIMIT = 300  # a longer line is no title
WRAP_LIMIT = 110  # characters that no line of a wrapped text exceeds
FEW = 3  # so few lines were chosen by whoever wrote them down: only plain furniture goes

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u2060\ufeff\ufffd]")
_AT = {name: number for number, name in enumerate(OWN)}
_OWNED = re.compile(r"\S\s?(?:©|\(c\))\s?[^.!?]{2,50}$")  # "a harbour at night © name"
_FORMS = ("comment", "newsletter", "share", "copyright")
_KIND = {name: number for number, name in enumerate(KINDS)}


@dataclass(frozen=True)
class Reading:
    """What a text holds.  `kept` are the numbers of its article's lines without the title, `title_at` is the title's or None.

    `title` is "" where the text has none; `likely` is what the model thinks of each line (0..1); `rules` says of a line why a rule
    overruled the model.
    """

    lines: tuple[str, ...]
    page: Page | None
    title: str
    title_at: int | None
    kept: tuple[int, ...]
    likely: tuple[float, ...] = ()
    rules: dict[int, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(self.lines[number] for number in self.kept)


def split_lines(text: str) -> tuple[str, ...]:
    """The lines that hold something, NFC, without control characters, spaces joined; paragraphs that were wrapped are whole again."""
    plain = _CONTROL.sub("", text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text))
    raw = [" ".join(line.split()) for line in plain.splitlines()]
    return tuple(line for line in (_unwrapped(raw) if _is_wrapped(raw) else raw) if line)


def _is_wrapped(raw: Sequence[str]) -> bool:
    """Whether lines end at a column, not at a paragraph's end: most lines that another follows directly stop within a sentence."""
    if max(map(len, raw), default=0) > WRAP_LIMIT:
        return False
    inner = [(a, b) for a, b in pairwise(raw) if a and b]
    if len(inner) < 4:
        return False
    broken = sum(1 for a, b in inner if 45 <= len(a) <= 100 and a[-1] not in '.!?:;…»”"' and b[0].islower())
    return broken > 0.4 * len(inner)


def _unwrapped(raw: Sequence[str]) -> list[str]:
    joined: list[str] = []
    fresh = True
    for line in raw:
        if joined and not fresh and line and len(joined[-1]) >= 40:
            joined[-1] += " " + line
        elif line:
            joined.append(line)
        fresh = not line
    return joined


def read_lines(text: str, title: str | None = None, model: LineModel | None = None) -> Reading:
    """The article in `text`.  `title`, where the source gave one, is looked for among the lines and is the title in any case.

    `model` replaces the shipped one (measuring by folds).
    """
    lines = split_lines(text)
    if not lines:
        return Reading((), None, title or "", None, ())
    page = describe(list(lines), furniture())
    mass = np.array([len(line) for line in lines], dtype=np.float32)
    likely, titled = (model or line_model()).judge(page, mass)
    rules: dict[int, str] = {}
    if len(lines) <= FEW:
        kept = [number for number in range(len(lines)) if not _plain_furniture(page, number)]
    else:
        kept = [number for number in range(len(lines)) if likely[number] >= KEEP] or _fallback(page, rules)
    kept = [number for number in kept if not _overruled(lines[number], page, number, rules)]
    at = given_title(title, page) if title else _own_title(lines, page, likely, titled, kept)
    kept = without_copies(kept, at, page, rules)
    if at is not None:
        kept = [number for number in kept if number != at and (number > at or page.prose[number])]
    shown = lines[at] if at is not None else title or ""
    return Reading(lines, page, shown, at, tuple(kept), tuple(likely.tolist()), rules)


def _plain_furniture(page: Page, number: int) -> bool:
    cues = page.cues[number]
    return cues.total >= 0.6 or ("syndicated" in cues.opening and cues.covered[_KIND["syndicated"]] > 0.1)


def _fallback(page: Page, rules: dict[int, str]) -> list[int]:
    """When the model finds nothing (a very short notice, say): whole sentences in the page's own language that name no furniture."""
    own = page.matrix
    kept = [
        number
        for number in range(len(own))
        if own[number, _AT["terminal"]]
        and own[number, _AT["mass"]] * 6 > np.log1p(40)
        and page.cues[number].total < 0.3
        and own[number, _AT["foreign"]] <= 0
    ]
    rules.update(dict.fromkeys(kept, "sentence"))
    return kept


@cache
def _credit() -> re.Pattern[str]:
    """A picture's credit at the end of a line: "Foto: name", "(Photo by name)", "Bild © name"."""
    words = sorted({cue for lists in load(DATA).values() for cue in lists.get("credit", ()) if cue.isalpha()}, key=len, reverse=True)
    one = "|".join(words)
    return re.compile(rf"(?:^|[\s(\[|/.])(?:{one})(?:\s(?:by|di|de|von|par|di:))?\s?[:：=©][^.:!?]{{1,60}}[.)\]]*$", re.IGNORECASE)


def _overruled(line: str, page: Page, number: int, rules: dict[int, str]) -> bool:
    """Lines that the model takes for text and that are none: captions with their credit, forms, the tail of a syndicated text."""
    cues = page.cues[number]
    if (cues.covered[_KIND["credit"]] > 0 and _credit().search(line[-100:])) or (len(line) < CUE_LIMIT and _is_owned(line)):
        rules[number] = "caption"
        return True
    if max(cues.covered[_KIND[kind]] for kind in _FORMS) > 0.8:
        rules[number] = "form"
        return True
    if "syndicated" in cues.opening and cues.covered[_KIND["syndicated"]] > 0.05 and number >= len(page.cues) - 12 and cues.total > 0.12:
        rules[number] = "syndicated"
        return True
    return False


def _is_owned(line: str) -> bool:
    """Most lines hold no such mark, and need no search."""
    return ("©" in line or "(c)" in line) and _OWNED.search(line) is not None


def without_copies(kept: Sequence[int], at: int | None, page: Page, rules: dict[int, str]) -> list[int]:
    """Of equal lines, the first that is taken counts; the title's copies are not text."""
    seen = {page.keys[at]} if at is not None else set()
    taken = []
    for number in kept:
        key = page.keys[number]
        if key in seen and len(key) >= COPY_MASS and number != at:
            rules[number] = "copy"
            continue
        seen.add(key)
        taken.append(number)
    return taken


def given_title(title: str, page: Page) -> int | None:
    """The line that is the given title, perhaps without the site's name behind it; a copy in a list (of breadcrumbs) is second best."""
    wanted = key_of(title)
    best = [n for n, key in enumerate(page.keys) if len(key) >= TITLE_MASS and wanted.startswith(key) and _is_most(key, wanted)]
    best = best or [n for n, key in enumerate(page.keys) if key == wanted]
    clean = [n for n in best if not page.matrix[n, _AT["bullet"]] and not page.matrix[n, _AT["numbered"]]]
    return next(iter(clean or best), None)


def _is_most(key: str, wanted: str) -> bool:
    """Whether what follows the line in the title is nothing, little, or set off from it: " | Site", " - Site"."""
    rest = wanted[len(key) :].lstrip()
    return len(key) >= 0.6 * len(wanted) or rest[:1] in tuple("|-–—•·›»")


def _own_title(lines: Sequence[str], page: Page, likely: Vector, titled: Vector, kept: Sequence[int]) -> int | None:
    """The likeliest title among the lines above the running text, or the first line taken where none stands out."""
    if not kept:
        return None
    first = next((number for number in kept if page.prose[number]), kept[0])
    above = range(max(0, first - TITLE_REACH), first + 1)
    opening = next((number for number in above if likely[number] >= KEEP), None)
    scores = {n: _title_score(lines[n], page, likely, titled, n, first) + 0.5 * (n == opening) for n in above}
    best = max(scores, key=lambda number: (scores[number], -number))
    opens_with_prose = page.prose[kept[0]]  # a headline is no sentence: a weaker candidate above the text is likelier
    if scores[best] < (TITLE_WEAK if opens_with_prose else TITLE_LEAST):
        return kept[0] if len(kept) > 1 and len(lines[kept[0]]) <= TITLE_LIMIT else None
    return next(number for number in above if page.keys[number] == page.keys[best] and scores[number] > scores[best] - 0.4)


def _title_score(line: str, page: Page, likely: Vector, titled: Vector, number: int, first: int) -> float:
    """Weights fitted to which line of a labelled page is its title (a softmax over a page's candidates), rounded."""
    own: list[float] = page.matrix[number, : len(OWN)].tolist()
    mass = math.expm1(own[_AT["mass"]] * 6)
    if mass < TITLE_MASS or len(line) > TITLE_LIMIT:
        return -9.0
    score = 0.3 * _logit(float(titled[number])) + 0.15 * _logit(float(likely[number]))
    score += 0.5 * own[_AT["repeated"]] + 0.8 * own[_AT["shared"]] + 1.2 * (25 <= mass <= 200)
    score -= 0.8 * page.cues[number].total + 0.3 * own[_AT["bullet"]] + 0.3 * own[_AT["numbered"]] + 3.0 * max(own[_AT["foreign"]], 0.0)
    score -= 0.9 * own[_AT["terminal"]] + 0.3 * own[_AT["ellipsis"]] + 0.01 * (first - number) + 0.6 * (number == first)
    return score - 1.6 * float(page.prose[number])


def _logit(share: float) -> float:
    return math.log((share + 1e-3) / (1.0 - share + 1e-3))
