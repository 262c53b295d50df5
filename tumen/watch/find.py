"""Finds what a watch names in a text: one Aho-Corasick automaton (pyahocorasick) over every alias of every language.

The automaton says where an alias's letters stand; what is checked here is whether they are that alias: the edges of words, capitals where
they matter, the longest of what overlaps, and exclusions.  A title ("foreign minister") becomes the office of the state named beside it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import ahocorasick  # type: ignore[import-not-found]  # a C extension without stubs

from tumen.watch.aliases import Folded, fold, unsegmented, wordy
from tumen.watch.entities import Entity, Entry, HitKind, Names

_RANK = {"pair": 0, "office": 1, "name": 2, "demonym": 2, "metonym": 2, "weak": 3, "title": 4, "exclude": 5}


class Hit(NamedTuple):
    """`entity` is named by text[start:end], which the watch writes as `alias`.  An office hit's entity is the office, not its holder."""

    start: int
    end: int
    entity: Entity
    alias: str
    kind: HitKind


class _Match(NamedTuple):
    """An alias at its place in the folded text."""

    start: int
    end: int
    entry: Entry


class Finder:
    """Every alias of a watch, ready to be looked up.  Read-only after it is built."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._particles = {language: tuple(sorted(words, key=len, reverse=True)) for language, words in names.particles.items()}
        by_key: dict[str, list[Entry]] = {}
        for entry in names.entries:
            by_key.setdefault(entry.alias.key, []).append(entry)
        self._automaton = ahocorasick.Automaton()
        for key, entries in by_key.items():
            self._automaton.add_word(key, (len(key), tuple(sorted(entries, key=lambda entry: _RANK[entry.kind]))))
        self._automaton.make_automaton()

    def find(self, text: str, language: str | None = None) -> list[Hit]:
        """All hits in the order of the text, none overlapping another (a pair gives two at one span); offsets are into `text`.

        `language`: its aliases and those of all languages; None: everything.  Of overlapping aliases the longest is meant.
        """
        folded = fold(text)
        matches = list(self._matches(folded, text, language))
        if not matches:
            return []
        chosen = self._with_owners(folded.text, _longest(matches), language)
        spans = folded.spans((match.start, match.end) for match, _, _ in chosen)
        return [
            Hit(start, end, entity, match.entry.alias.written, kind)
            for (start, end), (match, entities, kind) in zip(spans, chosen, strict=True)
            for entity in entities
        ]

    def _matches(self, folded: Folded, given: str, language: str | None) -> Iterator[_Match]:
        text = folded.text
        size = len(text)
        for last, (length, entries) in self._automaton.iter(text):
            start, end = last + 1 - length, last + 1
            for entry in entries:
                if language is not None and entry.languages is not None and language not in entry.languages:
                    continue
                alias = entry.alias
                if alias.left == "word" and start > 0 and _joined(text[start - 1], text[start]):
                    continue
                stop = end
                if alias.right == "word":
                    if end < size and _joined(text[end - 1], text[end]):
                        continue
                elif alias.right == "open":
                    while stop < size and wordy(text[stop]):
                        stop += 1
                elif alias.right == "particle" and not self._word_ends(text, end, entry.languages):
                    continue
                if alias.cased and not _capitals(alias.written, given, folded, start, end):
                    continue
                yield _Match(start, stop, entry)
                break  # the entries of one key are sorted: the first that fits is meant

    def _word_ends(self, text: str, end: int, languages: frozenset[str] | None) -> bool:
        """Does a word end here, at once or after one particle of the language?"""
        if end == len(text) or not text[end].isalnum():
            return True
        for language in languages or self._particles:
            for particle in self._particles.get(language, ()):
                after = end + len(particle)
                if text.startswith(particle, end) and (after == len(text) or not text[after].isalnum()):
                    return True
        return False

    # --- offices ---

    def _with_owners(self, text: str, matches: Sequence[_Match], language: str | None) -> list[tuple[_Match, tuple[Entity, ...], HitKind]]:
        """Titles joined with their owners; exclusions and ownerless titles left out."""
        chosen: list[tuple[_Match, tuple[Entity, ...], HitKind]] = []
        taken = -1  # the number of an owner that stands behind its title
        for number, match in enumerate(matches):
            entry = match.entry
            if number == taken or entry.kind == "exclude":
                continue
            if entry.kind != "title":
                chosen.append((match, entry.entities, entry.kind))
                continue
            before = matches[number - 1] if number and chosen and chosen[-1][0] is matches[number - 1] else None
            after = matches[number + 1] if number + 1 < len(matches) else None
            for which in ("before", "after") if self._owner_first(entry, language) else ("after", "before"):
                owner = before if which == "before" else after
                if owner is None or not self._owns(text, owner, match):
                    continue
                office = self._names.office_entities.get((entry.role or "", owner.entry.entities[0].side))  # type: ignore[arg-type]
                if which == "before" and office:
                    chosen.pop()
                    chosen.append((match._replace(start=owner.start), (office,), "office"))
                elif office:
                    taken = number + 1
                    chosen.append((match._replace(end=owner.end), (office,), "office"))
                break
            else:
                chosen.extend(self._bare(match, language))
        return chosen

    def _owner_first(self, entry: Entry, language: str | None) -> bool:
        return (language or min(entry.languages or {""})) in self._names.owner_first

    def _owns(self, text: str, owner: _Match, title: _Match) -> bool:
        """Is `owner` a state (a third one too: then the title is nobody's here), with nothing between but a space or a linking word?"""
        entry = owner.entry
        if len(entry.entities) != 1 or entry.entities[0].kind != "state" or (entry.kind == "weak" and len(entry.alias.key) > 1):
            return False  # a weak name that is one character (俄, 러) means the state when a title is beside it; "Korea" does not
        between = text[owner.end : title.start] if owner.end <= title.start else text[title.end : owner.start]
        return len(between) < 12 and (not between or between.isspace() or between.strip() in self._names.links)

    def _bare(self, match: _Match, language: str | None) -> Iterable[tuple[_Match, tuple[Entity, ...], Literal["weak"]]]:
        role = match.entry.role or ""
        for spoken, side in self._names.roles[role].bare.items():
            office = self._names.office_entities.get((role, side))
            if office and (language == spoken or (language is None and spoken in (match.entry.languages or ()))):
                yield match, (office,), "weak"


def _joined(before: str, after: str) -> bool:
    """Are the two characters of one word?  Han, kana and Hangul are not of one word with letters."""
    return (wordy(before) and wordy(after)) or (unsegmented(before) and unsegmented(after))


def _capitals(written: str, given: str, folded: Folded, start: int, end: int) -> bool:
    ((first, last),) = folded.spans([(start, end)])
    return sum(map(str.isupper, given[first:last])) >= sum(map(str.isupper, written))


def _longest(matches: Sequence[_Match]) -> list[_Match]:
    """Of what overlaps, the longest; of equals, the surest, then the first.  In the order of the text."""
    chosen: list[_Match] = []
    cluster: list[_Match] = []
    reach = -1
    for match in sorted(matches, key=lambda match: match.start):
        if match.start >= reach and cluster:
            chosen.extend(_settled(cluster))
            cluster = []
        cluster.append(match)
        reach = max(reach, match.end)
    chosen.extend(_settled(cluster))
    return chosen


def _settled(cluster: list[_Match]) -> list[_Match]:
    if len(cluster) == 1:
        return cluster
    kept: list[_Match] = []
    for match in sorted(cluster, key=lambda match: (match.start - match.end, _RANK[match.entry.kind], match.start)):
        if all(match.end <= other.start or match.start >= other.end for other in kept):
            kept.append(match)
    return sorted(kept, key=lambda match: match.start)
