"""Finds what a watch names in a text: one Aho-Corasick automaton (ahocorasick_rs) over every alias of every language.

The automaton says where an alias's letters stand; what is checked here is whether they are that alias: the edges of words, capitals where
they matter, the longest of what overlaps, and exclusions.  A title ("foreign minister") becomes the office of the state named beside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from tumen.watch.aliases import Folded, fold, unsegmented, wordy
from tumen.watch.entities import Entity, Entry, HitKind, Names, SideId

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


_Chosen = tuple[_Match, tuple[Entity, ...], HitKind]


class _Test(NamedTuple):
    """What must hold around the letters of an alias for it to be that alias: an entry, made ready for the inner loop.

    `left`: its first letter must begin a word.  `right`: its last one must end it; `particle`, `open`: as in `tumen.watch.aliases`.
    """

    entry: Entry
    languages: frozenset[str] | None
    left: bool
    right: bool
    particle: bool
    open: bool
    cased: bool


class _Payload(NamedTuple):
    """All that one string may mean, the surest first.  `sides`: bits of the sides that it may name (`_SIDES`)."""

    sides: int
    tests: tuple[_Test, ...]


_OWNER = 3  # letters that an owner has at least
_SIDES: Mapping[str, int] = {"russia": 1, "dprk": 2}


class Finder:
    """Every alias of a watch, ready to be looked up.  Read-only after it is built."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._particles = {language: tuple(sorted(words, key=len, reverse=True)) for language, words in names.particles.items()}
        self._roles = {office.id: office.role for office in names.offices}
        by_key: dict[str, list[Entry]] = {}
        for entry in names.entries:
            by_key.setdefault(entry.alias.key, []).append(entry)
        self._payloads: list[_Payload] = []
        for entries in by_key.values():
            entries.sort(key=lambda entry: _RANK[entry.kind])
            sides = 0
            for entry in entries:
                sides |= self._sides(entry)
            self._payloads.append(_Payload(sides, tuple(map(_test, entries))))
        # overlapping matches are all wanted, and a contiguous NFA takes 2 MB where a DFA takes 66
        self._automaton = AhoCorasick(
            list(by_key), matchkind=MatchKind.Standard, implementation=Implementation.ContiguousNFA, store_patterns=False
        )

    def _sides(self, entry: Entry) -> int:
        bits = 0
        if entry.kind == "title":
            for side in self._names.roles[entry.role or ""].bare.values():
                bits |= _SIDES[side]
        for entity in entry.entities:
            if entity.both:
                return _SIDES["russia"] | _SIDES["dprk"]
            if entity.side:
                bits |= _SIDES[entity.side]
        return bits

    def may_name(self, text: str, side: SideId) -> bool:
        """False if nothing in `text` can name this side, in any language: quicker than `find`, and never False where that finds it."""
        return next(self._matches(fold(text), text, None, _SIDES[side]), None) is not None

    def find(self, text: str, language: str | None = None) -> list[Hit]:
        """All hits in the order of the text, none overlapping another (a pair gives two at one span); offsets are into `text`.

        `language`: its aliases and those of all languages; None: everything.  Of overlapping aliases the longest is meant.
        """
        folded = fold(text)
        matches = list(self._matches(folded, text, language, 0))
        if not matches:
            return []
        chosen = self._with_owners(folded.text, _longest(matches), language)
        spans = folded.spans((match.start, match.end) for match, _, _ in chosen)
        return [
            Hit(start, end, entity, match.entry.alias.written, kind)
            for (start, end), (match, entities, kind) in zip(spans, chosen, strict=True)
            for entity in entities
        ]

    def _raw(self, text: str) -> list[tuple[int, int, int]]:
        try:
            return self._automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:  # half a character: JSON can hold one, UTF-8 cannot
            return self._automaton.find_matches_as_indexes(text.encode("utf-8", "replace").decode(), overlapping=True)

    def _matches(self, folded: Folded, given: str, language: str | None, asked: int) -> Iterator[_Match]:
        """Aliases that stand where they may stand; of those that may name a side of `asked` (bits), or of all (0)."""
        text = folded.text
        size = len(text)
        for number, start, end in self._raw(text):
            sides, tests = self._payloads[number]
            if asked and not sides & asked:
                continue
            for entry, languages, left, right, particle, is_open, cased in tests:
                if language is not None and languages is not None and language not in languages:
                    continue
                if left and start > 0 and _joined(text[start - 1], text[start]):
                    continue
                if right and end < size and _joined(text[end - 1], text[end]):
                    continue
                if particle and not self._word_ends(text, end, languages):
                    continue
                if cased and not _capitals(entry.alias.written, given, folded, start, end):
                    continue
                stop = end
                while is_open and stop < size and wordy(text[stop]):
                    stop += 1
                yield _Match(start, stop, entry)
                break  # the surest that fits is meant

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

    def _with_owners(self, text: str, matches: Sequence[_Match], language: str | None) -> list[_Chosen]:
        """Titles joined with their owners and their holders; exclusions and ownerless titles left out."""
        chosen: list[_Chosen] = []
        taken = -1  # the number of an owner that stands behind its title
        title_end, title_role = -1, ""  # the last title seen, its owner included
        for number, match in enumerate(matches):
            entry = match.entry
            if number == taken or entry.kind == "exclude":
                continue
            if entry.kind != "title":
                kind: HitKind = entry.kind
                if kind == "weak" and self._has_held(entry.entities[0], title_role) and text[title_end : match.start] in (" ", ", "):
                    kind = "name"  # "ministro della Difesa Belousov"
                chosen.append((match, entry.entities, kind))
                if kind == "office":
                    title_end, title_role = match.end, self._roles[entry.entities[0].id]
                continue
            title_end, title_role = match.end, entry.role or ""
            if entry.entities:
                continue
            for owner in self._owners(text, matches, number, language):
                before = owner.start < match.start
                if before and not (chosen and chosen[-1][0] is owner):
                    continue  # it owns the title in front of it already
                office = self._names.office_entities.get((title_role, owner.entry.entities[0].side))  # type: ignore[arg-type]
                if office and before:
                    chosen.pop()
                    chosen.append((match._replace(start=owner.start), (office,), "office"))
                elif office:
                    taken, title_end = number + 1, owner.end
                    chosen.append((match._replace(end=owner.end), (office,), "office"))
                break
            else:
                chosen.extend(self._bare(match, language))
        return chosen

    def _has_held(self, entity: Entity, role: str) -> bool:
        return any(self._roles[tenure.office] == role for tenure in entity.tenures)

    def _owners(self, text: str, matches: Sequence[_Match], number: int, language: str | None) -> Iterator[_Match]:
        """The states beside a title, the likelier side of it first."""
        before = number > 0 and self._owns(text, matches[number - 1], matches[number])
        after = number + 1 < len(matches) and self._owns(text, matches[number + 1], matches[number])
        places = [(before, number - 1), (after, number + 1)]
        if not self._owner_first(matches[number].entry, language):
            places.reverse()
        yield from (matches[place] for owns, place in places if owns)

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


def _test(entry: Entry) -> _Test:
    alias = entry.alias
    right = alias.right
    return _Test(entry, entry.languages, alias.left == "word", right == "word", right == "particle", right == "open", alias.cased)


def _joined(before: str, after: str) -> bool:
    """Are the two characters of one word?  Han, kana and Hangul are not of one word with letters."""
    if not (before.isalnum() and after.isalnum()):
        return False
    return unsegmented(before) == unsegmented(after)


def _capitals(written: str, given: str, folded: Folded, start: int, end: int) -> bool:
    ((first, last),) = folded.spans([(start, end)])
    found = given[first:last]
    return (len(written) > 3 and found.isupper()) or list(map(str.isupper, found)) == list(map(str.isupper, written))


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


def _preference(match: _Match) -> tuple[int, int, int]:
    """A title counts for more than its letters: its owner is to follow ("глава МИД" + "России" before "МИД России")."""
    title = match.entry.kind == "title" and not match.entry.entities
    return match.start - match.end - (_OWNER if title else 0), _RANK[match.entry.kind], match.start


def _within(match: _Match, cluster: Sequence[_Match]) -> bool:
    """Does a longer one hold it whole, as "北朝鮮外相" holds "外相"?"""
    return any(
        other.start <= match.start and match.end <= other.end and other.end - other.start > match.end - match.start for other in cluster
    )


def _settled(cluster: list[_Match]) -> list[_Match]:
    if len(cluster) == 1:
        return cluster
    kept: list[_Match] = []
    for match in sorted((match for match in cluster if not (match.entry.kind == "title" and _within(match, cluster))), key=_preference):
        if all(match.end <= other.start or match.start >= other.end for other in kept):
            kept.append(match)
    return sorted(kept, key=lambda match: match.start)
