"""What a line of a copied page looks like, as numbers: the line itself, and its place among the others.

`describe` is the only place where a line becomes numbers, in training and in use.  Nothing here knows a publisher.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.clean.furniture import KINDS, NOTHING, Cues, Furniture

Matrix = npt.NDArray[np.float32]

HEAD = 160  # characters of a line that are looked at closely: a paragraph shows what it is by then
TAIL_LIMIT = 62  # characters at a line's end in which a picture's credit is looked for
PROSE = 100  # mass from which a line with a sentence's end counts as running text
STEM_LIMIT = 300  # characters of an unspaced run whose pairs are compared with other lines'
CUE_LIMIT = 400  # longer lines are never furniture by their cues

_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_WORD = re.compile(r"\w+(?:'\w+)?")
_DATE = re.compile(r"\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b(?:19|20)\d\d\b|\d{1,2}\s*[月월]\s*\d{1,2}")
_TIME = re.compile(r"\b\d{1,2}[:.h]\d{2}\b")
_DIGIT = re.compile(r"\d")
_DOMAIN = re.compile(r"\.(?:com|org|net|info|eu|it|ru|de|fr|uk|es|pl)\b")
_GLUED = re.compile(r"[a-zà-ÿа-я][A-ZÀ-ÞА-Я]")
_SEPARATORS = "|·•›»>/#"
_BULLET = re.compile(r"[*+\-–—•·■►▶▪#]\s|[*+•·■►▶▪]$")
_NUMBERED = re.compile(r"\d{1,3}[.)]\s")
_STRIP = " \t*+-–—•·■►▶▪#>|0123456789.)"
_TAIL = " \t*•·■►▶▪#>|."
_TERMINAL = ".!?…。！？｡։।"
_CLOSERS = "\"'»”’)]“」』】* "
_TAIL_AFTER = re.compile(r"[.!?…][\"'»”’)]?\s[^\W\d_][^.!?…:]{1,60}$")  # a caption's sentence, and behind it whose picture it is
_CREDITED = re.compile(r"(?:©|\(c\)|\s/\s|/|\||\()\s?[^\W\d_a-zà-ÿа-я][^.!?:]{1,50}$")
_STOPS = (". ", "! ", "? ", "。")
_QUOTES = "\"'«“„‘「『"

OWN = (
    *("mass", "words", "terminal", "colon", "bullet", "numbered", "lower", "upper", "commas", "digits", "capitals", "all_caps", "link"),
    *("ellipsis", "date", "time", "stop", "foreign", "repeated", "copy", "quoted", "shared", "separators", "glued", "word_length", "prose"),
    *("question", "wide", "parenthesis", "sentences", "cues", "tail", "credited", "address"),
    *KINDS,
    *(f"opens_{kind}" for kind in KINDS),
)
NEAR = (
    *("mass", "terminal", "bullet", "prose", "cues", "shared", "copy", "date", "related", "credit", "byline", "newsletter", "foreign"),
    *("address", "tail"),
)
SHIFTS = (-3, -2, -1, 1, 2, 3)
SPANS = (3, 8, 20)
RUN_GAP = 4  # so many lines without running text end a run of it
_ENDS = ("related", "comment", "tags", "newsletter", "copyright", "syndicated")


@dataclass(frozen=True)
class Page:
    """A page's lines as numbers: `matrix` has a row a line; `main` is the language of its running text by function words, or None."""

    matrix: Matrix
    cues: tuple[Cues, ...]
    keys: tuple[str, ...]
    prose: npt.NDArray[np.bool_]
    main: str | None
    stems: tuple[frozenset[str], ...]


def key_of(line: str) -> str:
    """What makes two lines the same: case, bullets, numbering and spaces aside."""
    return " ".join(line.casefold().lstrip(_STRIP).rstrip(_TAIL).split())


def letters(text: str) -> str:
    """What counts when texts are compared: letters and digits, without case."""
    return "".join(filter(str.isalnum, text.casefold()))


def _stems(words: Sequence[str], wide: int) -> frozenset[str]:
    """Crude stems: five letters of a longer word, pairs of characters where words are not spaced."""
    if not wide:
        return frozenset([word[:5] for word in words if len(word) >= 4])
    found: set[str] = set()
    for word in words:
        if len(word) >= 2 and _WIDE.match(word):
            found.update(word[i : i + 2] for i in range(min(len(word), STEM_LIMIT) - 1))
        elif len(word) >= 4:
            found.add(word[:5])
    return frozenset(found)


def _own(line: str, words: list[str], wide: int, cues: Cues) -> list[float]:
    """The features of one line alone, in the order of `OWN`; those that need the page are filled in later."""
    size = len(line)
    mass = size + 1.5 * wide
    count = len(words)
    bare = line.rstrip(_CLOSERS)
    end = bare[-1:] or " "
    ellipsis = bare.endswith(("…", "...", "[…", "[..."))
    head = line[:HEAD]
    initials = [w[0] for w in head.split()]
    spelt = sum(map(str.isalpha, initials))
    capitals = sum(map(str.isupper, initials)) / spelt if spelt else 0.0
    digits = len(_DIGIT.findall(head))
    terminal = end in _TERMINAL
    first = line.lstrip(_STRIP + _QUOTES)[:1]
    return [
        math.log1p(mass) / 6.0,
        math.log1p(count + wide / 2) / 4.0,
        terminal and not ellipsis,
        end == ":" or end == "：",
        bool(_BULLET.match(line)),
        bool(_NUMBERED.match(line)),
        first.islower(),
        first.isupper(),
        min(line.count(",") / (count + 1.0), 1.0),
        digits / len(head),
        capitals,
        head.isupper(),
        "http" in head or "www." in head or "@" in head or bool(_DOMAIN.search(head)),
        ellipsis,
        digits > 1 and bool(_DATE.search(head)),
        digits > 1 and bool(_TIME.search(head)),
        0.0,
        0.0,
        0.0,
        0.0,
        line[0] in _QUOTES,
        0.5,
        min(sum(map(head.count, _SEPARATORS)) / 3.0, 1.0),
        min(len(_GLUED.findall(head)) / 4.0, 1.0),
        min(size / (count or 1), 15.0) / 10.0,
        mass >= PROSE and terminal,
        end in "?？",
        wide / size,
        line[0] in "([",
        min(sum(map(line.count, _STOPS)) / 4.0, 1.0),
        cues.total,
        not terminal and bool(_TAIL_AFTER.search(line[-TAIL_LIMIT - 2 :])),
        not terminal and bool(_CREDITED.search(line[-TAIL_LIMIT:])),
        0.0,
        *cues.covered,
        *cues.opens,
    ]


_AT = {name: number for number, name in enumerate(OWN)}
_NEAR = [_AT[name] for name in NEAR]
_OPENS = [_AT[f"opens_{kind}"] for kind in _ENDS]


def describe(lines: list[str], furniture: Furniture) -> Page:
    """`lines` are not empty and stripped.  Gives one row a line: its own features, its neighbours', and its place on the page."""
    folds = [line[:CUE_LIMIT].casefold().replace("’", "'") for line in lines]
    words = [_WORD.findall(fold) for fold in folds]
    cues = tuple(furniture.cues(fold) if len(fold) < CUE_LIMIT else NOTHING for fold in folds)
    unspaced = _WIDE.search("".join(lines)) is not None
    wide = [len(_WIDE.findall(line)) if unspaced and not line.isascii() else 0 for line in lines]
    own = np.array([_own(*row) for row in zip(lines, words, wide, cues, strict=True)], dtype=np.float32)
    prose = own[:, _AT["prose"]] > 0
    main = _languages(own, prose, words, furniture)
    keys = tuple(key_of(line[:CUE_LIMIT]) for line in lines)
    _repeats(own, keys)
    runs = _runs(own, prose)
    stems = tuple(_stems(found, broad) for found, broad in zip(words, wide, strict=True))
    own[:, _AT["shared"]] = shared(stems, np.where(runs.inside & prose, 1.0, 0.0).astype(np.float32))
    return Page(np.hstack([own, _neighbours(own), _place(own, prose), runs.columns]), cues, keys, prose, main, stems)


def _languages(own: Matrix, prose: npt.NDArray[np.bool_], words: list[list[str]], furniture: Furniture) -> str | None:
    """Fill in how much of a line is function words of the page's main language, and of the language that has most more than it; and
    how much of it speaks to its reader ("you", "our").
    """
    counts = [furniture.languages(found) for found in words]
    votes: Counter[str] = Counter()
    for number, found in enumerate(counts):
        if prose[number]:
            votes.update(found)
    if not votes:
        for found in counts:
            votes.update(found)
    main = max(votes, key=lambda language: (votes[language], language)) if votes else None
    stop, foreign = [0.0] * len(words), [0.0] * len(words)
    for number, found in enumerate(counts):
        if found and main is not None:
            mine, best = found.get(main, 0), max(found.values())
            size = len(words[number]) or 1
            stop[number] = mine / size
            foreign[number] = (best - mine) / size
    own[:, _AT["stop"]] = stop
    own[:, _AT["foreign"]] = foreign
    own[:, _AT["address"]] = [min(furniture.addressed(found) / (len(found) or 1) * 5.0, 1.0) for found in words]
    return main


def _repeats(own: Matrix, keys: tuple[str, ...]) -> None:
    """Fill in whether a line stands on the page more than once, and whether it is one of the later copies."""
    counts = Counter(keys)
    seen: set[str] = set()
    for number, key in enumerate(keys):
        if len(key) > 2 and counts[key] > 1:
            own[number, _AT["repeated"]] = 1.0
            own[number, _AT["copy"]] = float(key in seen)
            seen.add(key)


def shared(stems: Sequence[frozenset[str]], trust: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """For each line the share of its words that the trusted other lines use (0.5 for a line without words).

    A subhead shares its words with the article, a teaser does not.
    """
    body: Counter[str] = Counter()
    trusted = (trust > 0.5).tolist()
    for found, counts in zip(stems, trusted, strict=True):
        if counts:
            body.update(found)
    known, often = body.keys(), {stem for stem, count in body.items() if count > 1}
    return np.array(
        [len(found & (often if counts else known)) / len(found) if found else 0.5 for found, counts in zip(stems, trusted, strict=True)],
        dtype=np.float32,
    )


class _Runs(NamedTuple):
    """`inside`: which lines lie within the longest run of running text; `columns`: where a line stands towards that run."""

    inside: npt.NDArray[np.bool_]
    columns: Matrix


def _runs(own: Matrix, prose: npt.NDArray[np.bool_]) -> _Runs:
    """Running text comes in runs; the longest one (by its mass) is probably the article, what follows behind a gap probably is not."""
    size = len(own)
    at = np.arange(size)
    rows = np.flatnonzero(prose)
    if not len(rows):
        return _Runs(np.zeros(size, dtype=np.bool_), np.zeros((size, 6 + len(_ENDS)), dtype=np.float32))
    run_of = np.concatenate([[0], np.cumsum(np.diff(rows) > RUN_GAP)])
    masses = np.bincount(run_of, weights=np.expm1(own[rows, _AT["mass"]] * 6.0))
    best = int(np.argmax(masses))
    first, last = int(rows[run_of == best][0]), int(rows[run_of == best][-1])
    inside = (at >= first) & (at <= last)
    nearest = run_of[np.minimum(np.searchsorted(rows, at), len(rows) - 1)]
    distance = np.stack([first - at, at - last], axis=1)
    opened = np.cumsum((own[:, _OPENS] > 0) & (at > first)[:, None], axis=0)
    columns = [
        inside[:, None],
        np.minimum(np.log1p(np.maximum(distance, 0)) / 4.0, 1.0),
        np.stack(
            [masses[nearest] / masses[best], np.log1p(nearest) / 3.0, np.clip((at - first) / max(last - first, 1), -1.0, 2.0)], axis=1
        ),
        np.minimum(np.log1p(opened) / 2.0, 1.0),
    ]
    return _Runs(inside, np.concatenate(columns, axis=1, dtype=np.float32))


def _neighbours(own: Matrix) -> Matrix:
    """The chosen features of the lines before and after; beyond the page there is nothing."""
    columns = own[:, _NEAR]
    size, width = columns.shape
    reach = max(SHIFTS)
    padded = np.zeros((size + 2 * reach, width), dtype=np.float32)
    padded[reach : reach + size] = columns
    return np.hstack([padded[reach + shift : reach + shift + size] for shift in SHIFTS])


def _place(own: Matrix, prose: npt.NDArray[np.bool_]) -> Matrix:
    """How much running text stands around, above and below; what has ended; how far the nearest running text is."""
    size = len(own)
    mass = np.where(prose, np.expm1(own[:, _AT["mass"]] * 6.0), 0.0).astype(np.float64)
    total = np.concatenate([[0.0], np.cumsum(mass)])
    at = np.arange(size)
    whole = total[-1] or 1.0
    sums = [
        bound
        for span in SPANS
        for bound in (total[at] - total[np.maximum(at - span, 0)], total[np.minimum(at + span + 1, size)] - total[at + 1])
    ]
    ends = np.exp(-_since(own[:, _OPENS] > 0) * 3.0)
    run = np.cumsum(own[:, _AT["cues"]] > 0.5)
    page = np.broadcast_to([np.log1p(total[-1]) / 10.0, np.log1p(size) / 6.0], (size, 2))
    columns = [
        np.log1p(np.stack(sums, axis=1)) / 8.0,
        np.stack([total[at] / whole, (total[-1] - total[at + 1]) / whole, run / (run[-1] or 1)], axis=1),
        _since(prose[:, None]),
        _since(prose[::-1, None])[::-1],
        ends,
        np.minimum(np.stack([at, size - 1 - at], axis=1), 30) / 30.0,
        page,
    ]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _since(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """For each line how many lines ago each column's last mark stood (logarithm, 0..1; 1 = never), itself excluded."""
    at = np.arange(len(marks))[:, None]
    last = np.maximum.accumulate(np.where(marks, at, -1), axis=0)
    before = np.concatenate([np.full((1, marks.shape[1]), -1), last[:-1]])
    return np.asarray(np.where(before < 0, 1.0, np.minimum(np.log1p(at - before) / 4.0, 1.0)))
