"""What a line of a copied page looks like, as numbers: the line itself, and its place among the others.

`describe` is the only place where a line becomes numbers, in training and in use.  Nothing here knows a publisher.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.clean.furniture import KINDS, NOTHING, Cues, Furniture

Matrix = npt.NDArray[np.float32]

HEAD = 160  # characters of a line that are looked at closely: a paragraph shows what it is by then
TAIL_LIMIT = 62  # characters at a line's end in which a picture's credit is looked for
PROSE = 100  # mass from which a line with a sentence's end counts as running text
STEM_LIMIT = 300  # characters of an unspaced run whose pairs are compared with other lines'
SHORT_LINE, AT_HAND = 80, 4096  # characters of a line that is kept at hand, and how many are: some 8 MB
CUE_LIMIT = 400  # longer lines are never furniture by their cues

_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_WORD = re.compile(r"\w+(?:'\w+)?")
# 3.4.2021, 2021, 3月4日; 10:15.  Both begin with what a search can skip to, a digit; behind it they ask whether a word begins there.
_DATE = re.compile(r"\d(?:\d?\s*[月월]\s*\d|(?<!\w\d)(?:\d?[./-]\d{1,2}[./-]\d{2,4}\b|(?:(?<=1)9|(?<=2)0)\d\d\b))")
_TIME = re.compile(r"\d(?<!\w\d)\d?[:.h]\d{2}\b")
_DOMAIN = re.compile(r"\.(?:com|org|net|info|eu|it|ru|de|fr|uk|es|pl)\b")
_GLUED_SMALL = "".join(chr(code) for first, last in ("az", "àÿ", "ая") for code in range(ord(first), ord(last) + 1))
_GLUED_BIG = "".join(chr(code) for first, last in ("AZ", "ÀÞ", "АЯ") for code in range(ord(first), ord(last) + 1))
_SEPARATORS = "|·•›»>/#"
_BULLET = re.compile(r"[*+\-–—•·■►▶▪#]\s|[*+•·■►▶▪]$")
_NUMBERED = re.compile(r"\d{1,3}[.)]\s")
_STRIP = " \t*+-–—•·■►▶▪#>|0123456789.)"
_TAIL = " \t*•·■►▶▪#>|."
_TERMINAL = ".!?…。！？｡։।"
_CLOSERS = "\"'»”’)]“」』】* "
_TAIL_AFTER = re.compile(r"[.!?…][\"'»”’)]?\s[^\W\d_][^.!?…:]{1,60}$")  # a caption's sentence, and behind it whose picture it is
_CREDITED = re.compile(r"[©/|(](?:(?<=\()c\))?\s?[^\W\d_a-zà-ÿа-я][^.!?:]{1,50}$")
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
    return " ".join(_bare(line.casefold()).split())


def _bare(folded: str) -> str:
    return folded.lstrip(_STRIP).rstrip(_TAIL)


def ends_sentence(line: str) -> bool:
    return (line.rstrip(_CLOSERS)[-1:] or " ") in _TERMINAL


def letters(text: str) -> str:
    """What counts when texts are compared: letters and digits, without case."""
    return "".join(filter(str.isalnum, text.casefold()))


def _wide(lines: Sequence[str]) -> list[int]:
    """How many characters of each line are of a script that writes them wide."""
    if _WIDE.search("".join(lines)) is None:
        return [0] * len(lines)
    return [0 if line.isascii() else len(_WIDE.findall(line)) for line in lines]


def _stems(words: Sequence[str], wide: bool) -> frozenset[str]:
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


TRAITS = (
    *("terminal", "colon", "bullet", "numbered", "lower", "upper", "commas", "all_caps", "link", "ellipsis", "date", "time", "quoted"),
    *("question", "parenthesis", "sentences", "tail", "credited"),
)


def _traits(line: str, digits: int) -> tuple[float, ...]:
    """What a look at the line itself tells, in the order of `TRAITS`; the rest of `OWN` is counted for all lines at once."""
    bare = line.rstrip(_CLOSERS)
    end = bare[-1:] or " "
    ellipsis = bare.endswith(("…", "...", "[…", "[..."))
    head = line[:HEAD]
    terminal = end in _TERMINAL
    first = line.lstrip(_STRIP + _QUOTES)[:1]
    return (
        terminal,
        end == ":" or end == "：",
        _BULLET.match(line) is not None,
        _NUMBERED.match(line) is not None,
        first.islower(),
        first.isupper(),
        line.count(","),
        head.isupper(),
        "http" in head or "www." in head or "@" in head or _DOMAIN.search(head) is not None,
        ellipsis,
        digits > 1 and _DATE.search(head) is not None,
        digits > 1 and _TIME.search(head) is not None,
        line[0] in _QUOTES,
        end in "?？",
        line[0] in "([",
        line.count(". ") + line.count("! ") + line.count("? ") + line.count("。"),
        not terminal and _TAIL_AFTER.search(line[-TAIL_LIMIT - 2 :]) is not None,
        not terminal and _CREDITED.search(line[-TAIL_LIMIT:]) is not None,
    )


_AT = {name: number for number, name in enumerate(OWN)}
_COMMAS, _SENTENCES = TRAITS.index("commas"), TRAITS.index("sentences")
_TRAITS = [_AT[name] for name in TRAITS]
_CUED = [_AT["cues"], *range(_AT[KINDS[0]], len(OWN))]


def _own(lines: Sequence[str], words: Sequence[list[str]], cues: Sequence[Cues], addressed: Sequence[int]) -> Matrix:
    """The features of each line alone, in the order of `OWN`; those that need the page are filled in later."""
    size = np.array([len(line) for line in lines])
    broad = np.array(_wide(lines))
    count = np.array([len(found) for found in words])
    marks = _marks(lines)
    told = chain.from_iterable(map(_traits, lines, marks.digits.tolist()))
    traits = np.fromiter(told, dtype=np.float64, count=len(lines) * len(TRAITS)).reshape(len(lines), len(TRAITS))
    mass = size + 1.5 * broad
    head = np.minimum(size, HEAD)
    own = np.zeros((len(lines), len(OWN)), dtype=np.float32)
    own[:, _TRAITS] = traits
    terminal, ellipsis = own[:, _AT["terminal"]] > 0, own[:, _AT["ellipsis"]] > 0
    columns = {
        "mass": np.log1p(mass) / 6.0,
        "words": np.log1p(count + broad / 2) / 4.0,
        "terminal": terminal & ~ellipsis,
        "commas": np.minimum(traits[:, _COMMAS] / (count + 1.0), 1.0),
        "digits": marks.digits / head,
        "capitals": marks.capitals / np.maximum(marks.initials, 1),
        "shared": 0.5,
        "separators": np.minimum(marks.separators / 3.0, 1.0),
        "glued": np.minimum(marks.glued / 4.0, 1.0),
        "word_length": np.minimum(size / np.maximum(count, 1), 15.0) / 10.0,
        "prose": (mass >= PROSE) & terminal,
        "wide": broad / size,
        "sentences": np.minimum(traits[:, _SENTENCES] / 4.0, 1.0),
        "address": np.minimum(np.array(addressed) / np.maximum(count, 1) * 5.0, 1.0),
    }
    for name, column in columns.items():
        own[:, _AT[name]] = column
    if cued := [number for number, cue in enumerate(cues) if cue is not NOTHING]:
        own[np.ix_(cued, _CUED)] = [(cue.total, *cue.covered, *cue.opens) for cue in cues if cue is not NOTHING]
    return own


_DIGITAL, _SPELT, _CAPITAL, _SEPARATING, _SMALL, _BIG, _BLANK = (1 << bit for bit in range(7))


@cache
def _kinds_of_characters() -> npt.NDArray[np.uint8]:
    """A bit a property, for each character of the Basic Multilingual Plane; its last, which is none, stands for all beyond it (emoji)."""
    every = "".join(chr(code) if not 0xD800 <= code < 0xE000 else "\0" for code in range(0x10000))
    kinds = np.zeros(0x10000, dtype=np.uint8)
    for bit, holds in ((_DIGITAL, str.isdecimal), (_SPELT, str.isalpha), (_CAPITAL, str.isupper)):
        kinds |= np.fromiter(map(holds, every), dtype=np.bool_, count=len(every)) * np.uint8(bit)
    for bit, characters in ((_SEPARATING, _SEPARATORS), (_SMALL, _GLUED_SMALL), (_BIG, _GLUED_BIG), (_BLANK, " ")):
        kinds[[ord(character) for character in characters]] |= np.uint8(bit)
    return kinds


class _Marks(NamedTuple):
    """How many characters of a line's head are digits, separators, a small letter before a capital; its words' initials that are letters,
    and those that are capitals."""

    digits: npt.NDArray[np.int64]
    separators: npt.NDArray[np.int64]
    glued: npt.NDArray[np.int64]
    initials: npt.NDArray[np.int64]
    capitals: npt.NDArray[np.int64]


def _marks(lines: Sequence[str]) -> _Marks:
    """Counted for all lines at once: a character is looked up once, whatever is asked of it."""
    heads = [line[:HEAD] for line in lines]
    starts = np.cumsum([0, *(len(head) + 1 for head in heads[:-1])])
    codes = np.frombuffer(f" {' '.join(heads)}".encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kinds = _kinds_of_characters()[np.minimum(codes, 0xFFFF)]
    before, kinds = kinds[:-1], kinds[1:]
    first = (before & _BLANK).astype(np.bool_)
    glued = ((before & _SMALL) > 0) & ((kinds & _BIG) > 0)
    found = np.stack(
        [kinds & _DIGITAL, kinds & _SEPARATING, glued, first & ((kinds & _SPELT) > 0), first & ((kinds & _CAPITAL) > 0)], dtype=np.uint8
    )
    return _Marks(*np.add.reduceat(found > 0, starts, axis=1, dtype=np.int64))


_NEAR = [_AT[name] for name in NEAR]
_OPENS = [_AT[f"opens_{kind}"] for kind in _ENDS]


class _Line(NamedTuple):
    """What a line is by itself, wherever it stands: `row` its own features (`OWN`) as bytes, `spoken` its function words by language."""

    row: bytes
    cues: Cues
    key: str
    stems: frozenset[str]
    words: int
    spoken: dict[str, int]


class _Reader:
    """Reads lines.  A site's navigation comes again with each of its pages: the short lines of the latest pages are kept at hand."""

    def __init__(self, furniture: Furniture) -> None:
        self._furniture = furniture
        self._at_hand: dict[str, _Line] = {}

    def read(self, lines: Sequence[str]) -> list[_Line]:
        at_hand = self._at_hand
        fresh = list(dict.fromkeys(line for line in lines if line not in at_hand))
        read = dict(zip(fresh, self._read(fresh), strict=True)) if fresh else {}
        found = [read.get(line) or at_hand[line] for line in lines]
        if len(at_hand) + len(fresh) > AT_HAND:
            self._at_hand = {}
        self._at_hand.update((line, one) for line, one in read.items() if len(line) <= SHORT_LINE)
        return found

    def _read(self, lines: Sequence[str]) -> Iterator[_Line]:
        lowered = [line[:CUE_LIMIT].casefold() for line in lines]
        folds = [fold.replace("’", "'") for fold in lowered]
        words = [_WORD.findall(fold) for fold in folds]
        cues = [self._furniture.cues(fold) if len(fold) < CUE_LIMIT else NOTHING for fold in folds]
        own = _own(lines, words, cues, [self._furniture.addressed(found) for found in words])
        size = own.shape[1] * own.itemsize
        raw, broad = own.tobytes(), own[:, _AT["wide"]].tolist()
        for number, found in enumerate(words):
            row = raw[number * size : (number + 1) * size]
            spoken = self._furniture.languages(found)
            yield _Line(row, cues[number], _bare(lowered[number]), _stems(found, broad[number] > 0), len(found), spoken)


@cache
def _reader(furniture: Furniture) -> _Reader:
    return _Reader(furniture)


def describe(lines: list[str], furniture: Furniture) -> Page:
    """`lines` are not empty, stripped, their spaces single (as `split_lines` leaves them).

    Gives one row a line: its own features, its neighbours', and its place on the page.
    """
    read = _reader(furniture).read(lines)
    own = np.frombuffer(b"".join([line.row for line in read]), dtype=np.float32).reshape(len(lines), len(OWN)).copy()
    prose = own[:, _AT["prose"]] > 0
    main = _languages(own, prose, read)
    keys = tuple([line.key for line in read])
    _repeats(own, keys)
    runs = _runs(own, prose)
    stems = tuple([line.stems for line in read])
    own[:, _AT["shared"]] = shared(stems, np.where(runs.inside & prose, 1.0, 0.0).astype(np.float32))
    matrix = np.hstack([own, _neighbours(own), _place(own, prose), runs.columns])
    return Page(matrix, tuple([line.cues for line in read]), keys, prose, main, stems)


def _languages(own: Matrix, prose: npt.NDArray[np.bool_], read: Sequence[_Line]) -> str | None:
    """Fill in how much of a line is function words of the page's main language, and of the language that has most more than it."""
    votes: Counter[str] = Counter()
    for chosen in (prose.tolist(), [True] * len(read)):
        for line, counts in zip(read, chosen, strict=True):
            if counts:
                for language, count in line.spoken.items():
                    votes[language] += count
        if votes:
            break
    if not votes:
        return None
    main = max(votes, key=lambda language: (votes[language], language))
    for number, line in enumerate(read):
        if line.spoken:
            mine, size = line.spoken.get(main, 0), line.words or 1
            own[number, _AT["stop"]] = mine / size
            own[number, _AT["foreign"]] = (max(line.spoken.values()) - mine) / size
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
