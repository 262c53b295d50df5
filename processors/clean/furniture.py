"""The cues of furniture, loaded from `furniture.toml`: which kinds of site words a line holds, and which language it is written in."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ahocorasick_rs import AhoCorasick, MatchKind

DATA = Path(__file__).with_name("furniture.toml")
LIMIT = 1000  # characters of a line that are searched for cues

KINDS = ("nav", "share", "count", "newsletter", "comment", "related", "copyright", "byline", "credit", "tags", "ad", "notice", "syndicated")


@dataclass(frozen=True)
class Cues:
    """Which kinds of furniture a line names: `covered` is the share of its characters that each kind's cues cover (0..1).

    `opening` are the kinds it begins with, `opens` the same as a column a kind.
    """

    covered: tuple[float, ...]
    total: float
    opening: frozenset[str]
    opens: tuple[float, ...]


NOTHING = Cues((0.0,) * len(KINDS), 0.0, frozenset(), (0.0,) * len(KINDS))


class Furniture:
    """An Aho-Corasick automaton over every language's cues, and the function words by language."""

    def __init__(self, data: dict[str, dict[str, list[str]]]) -> None:
        kinds_of: dict[str, set[int]] = {}
        self.stop: dict[str, tuple[str, ...]] = {}
        languages_of: dict[str, list[str]] = {}
        for language, lists in data.items():
            for word in lists.get("stop", ()):
                if language not in languages_of.setdefault(word, []):
                    languages_of[word].append(language)
            for number, kind in enumerate(KINDS):
                for cue in lists.get(kind, ()):
                    kinds_of.setdefault(cue.replace("’", "'"), set()).add(number)
        self._address = frozenset(word for lists in data.values() for word in lists.get("address", ()))
        self.stop = {word: tuple(languages) for word, languages in languages_of.items()}
        self._kinds = [tuple(sorted(numbers)) for _, numbers in sorted(kinds_of.items())]
        self._automaton = AhoCorasick(sorted(kinds_of), matchkind=MatchKind.Standard)
        refusals = sorted({cue.replace("’", "'") for lists in data.values() for cue in lists.get("refusal", ())}, key=len, reverse=True)
        self._refusal = re.compile("|".join(map(re.escape, refusals)))

    def cues(self, line: str) -> Cues:
        """Of a line already casefolded and with straight apostrophes; what lies behind its first thousand characters is not looked at.

        Longer cues win over the shorter ones they contain.
        """
        line = line[:LIMIT]
        size = len(line)
        matches = self._automaton.find_matches_as_indexes(line, overlapping=True)
        found = [(s, e, self._kinds[cue]) for cue, s, e in matches if not _inside_word(line, s, e, size)]
        if not found:
            return NOTHING
        found.sort(key=lambda hit: (hit[0] - hit[1], hit[0]))
        taken: list[tuple[int, int]] = []
        covered = [0.0] * len(KINDS)
        total = 0.0
        opening: set[str] = set()
        first = len(line) - len(line.lstrip(' *+-#•·|»›>[(«"“–—.0123456789'))
        for start, end, numbers in found:
            if any(start < e and end > s for s, e in taken):
                continue
            taken.append((start, end))
            share = (end - start) / size
            total += share
            for number in numbers:
                covered[number] += share
                if start <= first:
                    opening.add(KINDS[number])
        return Cues(tuple(covered), min(total, 1.0), frozenset(opening), tuple([float(kind in opening) for kind in KINDS]))

    def refuses(self, text: str) -> bool:
        """Whether a short text says that there is nothing to read: an error, a gate, a browser that is not wanted."""
        return self._refusal.search(text.casefold().replace("’", "'")) is not None

    def addressed(self, words: Iterable[str]) -> int:
        """How many of the (casefolded) words speak to the reader, or for the house."""
        return sum(map(self._address.__contains__, words))

    def languages(self, words: Iterable[str]) -> dict[str, int]:
        """How many of the (casefolded) words are function words of each language."""
        counts: dict[str, int] = {}
        stop = self.stop
        for languages in filter(None, map(stop.get, words)):
            for language in languages:
                counts[language] = counts.get(language, 0) + 1
        return counts


def _inside_word(line: str, start: int, end: int, size: int) -> bool:
    """A cue must not be part of a longer word; scripts without spaces have no such boundary."""
    if start and (before := line[start - 1]) < "\u2e80" and before.isalnum() and line[start].isalnum():
        return True
    return end < size and (after := line[end]) < "\u2e80" and after.isalnum() and line[end - 1].isalnum()


@cache
def load(path: Path = DATA) -> dict[str, dict[str, list[str]]]:
    """The lists as they are written: by language, by kind."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def furniture() -> Furniture:
    """The shipped cues, loaded once and on first use."""
    return Furniture(load())
