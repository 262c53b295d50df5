"""How an alias is written in a watch, and how text is folded so that aliases can be looked up in it.

In a watch file an alias may carry

- ``{a,b,}``  alternatives: "Коре{я,и,ю,ей}", "{il ,}Cremlino"; several in one alias multiply, and they nest;
- ``<a,b>``    alternatives that go together, as cases do: "Иван<,а,у> Петров<,а,у>" are three aliases, not nine;
- ``=Mosca``  its capitals matter: a fly is no capital city (a text in capitals throughout counts);
- ``nordkorean*``  the word may go on: inflections and compounds;
- ``|북|``  its edge must be the edge of a word, in scripts that are written without spaces (a particle of the language may follow).

Names in scripts with spaces always stand between word edges; in Chinese, Japanese and Korean they may stand anywhere.
"""

import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal, NamedTuple

Edge = Literal["none", "word", "particle", "open"]

_BRACES = re.compile(r"\{([^{}]*)\}")
_UNSEGMENTED = re.compile("[\u1100-\u11ff\u3005\u3040-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
_MARK = re.compile(r"[{}*|=]")
_AGREEING = re.compile(r"<([^<>]*)>")
_GLUED = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]+|(?<= ) +")
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\ufe0e\ufe0f\ufeff"
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_BLANKS = "\n\t\r\x0b\x0c\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_SAME = (
    *((c, "'") for c in "\u2019\u2018\u02bc\u02b9\u2032\uff07\u00b4`\u201b"),
    *((c, "\u00b7") for c in "\u30fb\uff65\u2027\u2219\u2022\u318d\u22c5\u0387"),
    *((c, " ") for c in _DASHES),
    ("ё", "е"),
)
_ASCII = (("-", " "), ("`", "'"))
_USUAL = str.maketrans(
    {**dict(_SAME), **dict.fromkeys(_INVISIBLE, ""), **dict.fromkeys(_BLANKS, " ")}
)  # what `fold` does, for a short text


class Alias(NamedTuple):
    """One alias, its alternatives already chosen.  `key` is its folded form."""

    written: str
    key: str
    left: Edge
    right: Edge
    cased: bool


class Folded:
    """A text made ready to be searched: lower case, one kind of apostrophe, dash, dot and blank, nothing invisible, composed (NFC).

    `text` is what is searched; `spans` says where that is in the text as it was given.
    """

    __slots__ = ("_given", "_unglued", "text")

    def __init__(self, text: str, given: str, unglued: str | None) -> None:
        """`unglued` is `text` before anything was taken out of it; None if its letters stand for those of `given` one by one."""
        self.text = text
        self._given = given
        self._unglued = unglued

    def spans(self, found: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """(start, end) offsets into `text` -> offsets into the given text."""
        if self._unglued is None:
            return list(found)
        glue = [match.span() for match in _GLUED.finditer(self._unglued)]
        kept_before = list(itertools.accumulate((end - start for start, end in glue), initial=0))
        starts = [start - gone for (start, _), gone in zip(glue, kept_before, strict=False)]
        clusters = _clusters(self._given) if len(self._unglued) != len(self._given) else None

        def place(position: int) -> int:
            return position + kept_before[bisect_right(starts, position)]

        def span(start: int, end: int) -> tuple[int, int]:
            first, last = place(start), place(end - 1)
            return (clusters[first], clusters[last + 1]) if clusters else (first, last + 1)

        return [span(*pair) for pair in found]


def _clusters(text: str) -> list[int]:
    """Where in `text` each character of its composed form begins; one more for the end."""
    starts: list[int] = []
    begin = 0
    for position in range(1, len(text) + 1):
        if position == len(text) or not (unicodedata.combining(text[position]) or "\u1160" <= text[position] <= "\u11ff"):
            starts.extend([begin] * len(unicodedata.normalize("NFC", text[begin:position])))
            begin = position
    return [*starts, len(text)]


def unsegmented(char: str) -> bool:
    """A letter of a script that puts no spaces between words, or (Korean) glues particles to them: Hangul, Han, kana, bopomofo."""
    return char >= "\u1100" and _UNSEGMENTED.match(char) is not None


def wordy(char: str) -> bool:
    """A letter or digit that a name beside it would be one word with."""
    return char.isalnum() and not unsegmented(char)


def expand(expression: str) -> list[str]:
    """Every choice of the alternatives, inner braces first.  Raises `ValueError` where alternatives that go together differ in number."""
    inner = _BRACES.search(expression)
    if inner is None:
        return _agreeing(expression)
    before, after = expression[: inner.start()], expression[inner.end() :]
    return list(dict.fromkeys(one for choice in inner[1].split(",") for one in expand(before + choice + after)))


def _agreeing(expression: str) -> list[str]:
    parts = _AGREEING.split(expression)
    groups = [part.split(",") for part in parts[1::2]]
    if len({len(group) for group in groups}) > 1:
        raise ValueError("alternatives in < > go together: expected the same number in each")
    plain = parts[::2]
    if not groups:
        return plain
    return ["".join(itertools.chain(*zip(plain, (*choice, ""), strict=True))) for choice in zip(*groups, strict=True)]


def parse(expression: str) -> list[Alias]:
    """All aliases that one expression of a watch file stands for.  Raises `ValueError` if it stands for nothing that can be searched."""
    if expression.count("{") != expression.count("}") or expression.count("<") != expression.count(">"):
        raise ValueError("braces do not match")
    return list(dict.fromkeys(_parse_one(choice) for choice in expand(expression)))


def _parse_one(written: str) -> Alias:
    cased, open_end = written.startswith("="), written.endswith("*")
    body = written.removeprefix("=").removesuffix("*")
    bars = body.startswith("|"), body.endswith("|")
    body = " ".join(unicodedata.normalize("NFC", body.strip("|")).split())
    key = " ".join(body.lower().translate(_USUAL).split())
    if not key:
        raise ValueError("empty alias")
    if _MARK.search(key):
        raise ValueError("a mark ({ } * | =) where none belongs")
    left: Edge = "word" if bars[0] or wordy(key[0]) else "none"
    right: Edge = "word" if bars[1] or wordy(key[-1]) else "none"
    if open_end:
        right = "open"
    elif bars[1] and unsegmented(key[-1]):
        right = "particle"
    return Alias(body, key, left, right, cased)


def fold(text: str) -> Folded:
    """Fold `text`.  Costs a few microseconds per 1,000 characters where it holds nothing unusual."""
    given = text
    plain = text.isascii()
    if not plain:
        text = unicodedata.normalize("NFC", text)  # gives the very text back where it is composed already
        text = text.replace("İ", "I")  # the one letter whose small form is two characters
    folded = text.lower()
    for blank in _BLANKS[:5] if plain else _BLANKS:
        folded = folded.replace(blank, " ")
    unglued = folded
    if "  " in folded or (not plain and any(char in folded for char in _INVISIBLE)):
        folded = _GLUED.sub("", folded)
    for odd, usual in _ASCII if plain else _SAME:
        folded = folded.replace(odd, usual)
    return Folded(folded, given, None if len(folded) == len(given) == len(text) else unglued)
