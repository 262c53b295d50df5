"""All patterns of one language found in one pass: an Aho-Corasick automaton over their literal heads, the rest checked at each hit."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from tumen.watch.cues import Cues

_SAME_LENGTH = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "\u00a0": " ", "\u202f": " ", "ё": "е", "Ё": "е"})
GAP_SPACED = r"(?:[^\w]+[\w'-]+){0,4}?[^\w]+"
GAP_UNSPACED = r".{0,12}?"


class Cue(NamedTuple):
    """One match: offsets, the class (a cue class, or "strong:arms", "weak:arms") and the pattern that matched."""

    start: int
    end: int
    kind: str
    pattern: str


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    """Most of a language's thousands of phrases are never met: each is compiled when its first word is."""
    return re.compile(expression)


def fold(text: str) -> str:
    """Lower case and plain apostrophes, every character at its old offset."""
    lowered = text.translate(_SAME_LENGTH).lower()
    if len(lowered) != len(text):  # a few capitals (İ) grow in lower case
        lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text.translate(_SAME_LENGTH))
    return lowered


@dataclass(frozen=True)
class _Entry:
    kind: str
    pattern: str
    rest: str | None  # a regular expression for what follows the head, compiled when the head is first met; None: nothing
    then: str  # what the next word begins with, where that is known: quicker to see than by the expression
    open_left: bool
    open_right: bool


class Lexicon:
    """The patterns of one language, each under its kind (see `tumen.watch.cues` for their syntax)."""

    def __init__(self, patterns: Mapping[str, Iterable[str]], *, spaced: bool) -> None:
        self.spaced = spaced
        heads: dict[str, list[_Entry]] = {}
        for kind, several in patterns.items():
            for pattern in several:
                head, entry = self._compile(kind, pattern)
                heads.setdefault(head, []).append(entry)
        self._entries = [tuple(entries) for entries in heads.values()]
        self._automaton = AhoCorasick(list(heads), matchkind=MatchKind.Standard)

    def _compile(self, kind: str, pattern: str) -> tuple[str, _Entry]:
        words = fold(pattern).split()
        first = words[0]
        open_left = first.startswith("*") or not self.spaced
        head = first.strip("*")
        inner = head.split("*")
        open_right = first.endswith("*") or not self.spaced
        rest, then = None, ""
        if len(words) > 1 and len(inner) == 1 and self.spaced and not open_right and words[1][0].isalnum():
            then = words[1].split("*")[0]
        if len(words) > 1 or len(inner) > 1:
            tail = "".join(r"[\w'-]*" + re.escape(part) for part in inner[1:])
            rest = tail + (r"[\w'-]*" if open_right and self.spaced else "") + self._following(words[1:])
            head, open_right = inner[0], True
        return head, _Entry(kind, pattern, rest, then, open_left, open_right)

    def _following(self, words: list[str]) -> str:
        parts, gap = [], False
        for word in words:
            if word == "..":
                gap = True
                continue
            joint = (GAP_SPACED if self.spaced else GAP_UNSPACED) if gap else (r"[^\w]{1,3}" if self.spaced else r"\s*")
            parts.append(joint + re.escape(word).replace(r"\*", r"[\w'-]*" if self.spaced else r"\w{0,4}"))
            gap = False
        return "".join(parts) + (r"(?!\w)" if self.spaced else "")

    def _word_end(self, folded: str, end: int) -> int:
        """Where the word ends that a stem began; in a language without spaces, where the stem ends."""
        while self.spaced and end < len(folded) and folded[end].isalnum():
            end += 1
        return end

    def find(self, folded: str) -> list[Cue]:
        """Every match in a folded text, in order; of two of one kind that overlap, the longer."""
        found: list[Cue] = []
        size = len(folded)
        for number, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            inside_left = start > 0 and folded[start - 1].isalnum()
            inside_right = end < size and folded[end].isalnum()
            following = _next_word(folded, end)
            for entry in self._entries[number]:
                if (inside_left and not entry.open_left) or not folded.startswith(entry.then, following):
                    continue
                if entry.rest is not None:
                    match = _compiled(entry.rest).match(folded, end)
                    if match:
                        found.append(Cue(start, match.end(), entry.kind, entry.pattern))
                elif not inside_right:
                    found.append(Cue(start, end, entry.kind, entry.pattern))
                elif entry.open_right:
                    found.append(Cue(start, self._word_end(folded, end), entry.kind, entry.pattern))
        return _longest(found)


def _next_word(folded: str, end: int) -> int:
    """Where the word after an ended one begins, as far as `_following` looks for it."""
    while end < len(folded) and not (folded[end].isalnum() or folded[end] == "_"):
        end += 1
    return end


def _longest(found: list[Cue]) -> list[Cue]:
    """Of overlapping matches of one kind the longest stays."""
    kept: list[Cue] = []
    last: dict[str, Cue] = {}
    for cue in sorted(found, key=lambda c: (c.start, c.start - c.end)):
        before = last.get(cue.kind)
        if before is not None and cue.start < before.end:
            continue
        last[cue.kind] = cue
        kept.append(cue)
    return kept


def lexicon_of(cues: Cues) -> Lexicon:
    """The lexicon of a cue file."""
    patterns: dict[str, Iterable[str]] = dict(cues.cues)
    for event, words in cues.events.items():
        patterns[f"strong:{event}"] = words.strong
        patterns[f"weak:{event}"] = words.weak
    return Lexicon(patterns, spaced=cues.spaced)
