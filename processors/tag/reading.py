"""An article read once: its sentences, who is named where, which cues stand where, which dates and quantities.

Everything after this works on a `Reading`; offsets in a `Sent` are relative to the sentence.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from processors.tag.lexicon import Cue, Lexicon, fold, lexicon_of
from tumen.messages import EventType, Place
from tumen.text.dates import DateHit, find_dates
from tumen.text.numbers import Number, find_numbers
from tumen.text.pipelines import PEOPLE, Parser
from tumen.text.sentences import sentences
from tumen.watch import Hit, Watch

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from processors.tag.says import Source

MAX_SENTENCES = 400  # a longer text is a collection: its head is read

STRONG = tuple(f"strong:{event}" for event in EventType)
WEAK = tuple(f"weak:{event}" for event in EventType)
SOLID = ("name", "demonym", "metonym", "pair", "office")


@dataclass(frozen=True)
class Sent:
    """One sentence.  `place`, `start`, `end`: where it stands in the article; `folded`: its text in lower case, at the same offsets."""

    place: Place
    start: int
    end: int
    text: str
    folded: str
    hits: tuple[Hit, ...]
    cues: tuple[Cue, ...]
    paragraph: int = 0

    @cached_property
    def kinds(self) -> Counter[str]:
        """How often each kind of cue stands here."""
        return Counter(cue.kind for cue in self.cues)

    @cached_property
    def sides(self) -> frozenset[str]:
        """Sides that are named for certain (an agency's name is not its side)."""
        return frozenset(h.entity.side for h in self.hits if h.entity.side and h.kind in SOLID and not h.entity.agency)

    @cached_property
    def both(self) -> bool:
        return len(self.sides) == 2

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(hit.entity.id for hit in self.hits)

    @cached_property
    def names(self) -> Counter[str]:
        """Hits by what they tell: "russia:solid", "dprk:weak", "russia:stand", "third", an agency by its side, states by their id."""
        found: Counter[str] = Counter()
        for hit in self.hits:
            side = hit.entity.side
            if hit.entity.agency:
                found[f"{side or 'third'}:agency"] += 1
            elif side is None:
                found["third"] += 1
                found[hit.entity.id] += 1
            elif hit.kind == "weak":
                found[f"{side}:weak"] += 1
            elif hit.entity.stand_in and hit.entity.kind != "person":
                found[f"{side}:stand"] += 1
            else:
                found[f"{side}:solid"] += 1
            if hit.kind == "pair":
                found["pair"] += 1
        return found

    @cached_property
    def strong(self) -> tuple[int, ...]:
        """How often each event's strong words stand here."""
        return tuple(self.kinds.get(kind, 0) for kind in STRONG)

    @cached_property
    def weak(self) -> tuple[int, ...]:
        return tuple(self.kinds.get(kind, 0) for kind in WEAK)

    @cached_property
    def clauses(self) -> dict[str, tuple[int, int]]:
        """Where the clause of each event stands, once somebody asked."""
        return {}

    def of(self, kind: str) -> list[Cue]:
        return [cue for cue in self.cues if cue.kind == kind]

    def has(self, *kinds: str) -> bool:
        return any(kind in self.kinds for kind in kinds)


@dataclass
class Reading:
    """A read article.  The title is the first sentence, if there is one."""

    language: str
    published: str | None
    sents: list[Sent]
    parser: Parser | None = None
    ways: dict[int, list[float]] = field(default_factory=dict)  # what leads where in each sentence, once somebody asked (`claims`)
    voices: dict[tuple[int, int | None], "Source | None"] = field(default_factory=dict)  # ... and who is quoted, and near which offset
    _shares: dict[str, float] = field(default_factory=dict)
    _dates: dict[int, list[DateHit]] = field(default_factory=dict)
    _numbers: dict[int, list[Number]] = field(default_factory=dict)
    _docs: dict[int, "Doc"] = field(default_factory=dict)

    @property
    def title(self) -> Sent | None:
        return self.sents[0] if self.sents and self.sents[0].place == "title" else None

    def share(self, kind: str) -> float:
        """In which part of the sentences a kind of cue stands."""
        if kind not in self._shares:
            self._shares[kind] = sum(kind in sent.kinds for sent in self.sents) / len(self.sents)
        return self._shares[kind]

    def named_share(self, name: str) -> float:
        """In which part of the sentences somebody of a kind (`Sent.names`) is named."""
        if f"name {name}" not in self._shares:
            self._shares[f"name {name}"] = sum(name in sent.names for sent in self.sents) / len(self.sents)
        return self._shares[f"name {name}"]

    def dates(self, index: int) -> list[DateHit]:
        """The dates of one sentence, found when first asked for."""
        if index not in self._dates:
            sent = self.sents[index]
            self._dates[index] = find_dates(sent.folded, self.language, sent.text)
        return self._dates[index]

    def doc(self, index: int) -> "Doc | None":
        """One sentence as a trained pipeline reads it, when first asked for; None without a pipeline."""
        if self.parser is None:
            return None
        if index not in self._docs:
            self._docs[index] = self.parser(self.sents[index].text)
        return self._docs[index]

    def people(self, index: int) -> list[tuple[int, int]]:
        """Where a trained pipeline sees people named in one sentence; nobody without a pipeline."""
        doc = self.doc(index)
        return [] if doc is None else [(ent.start_char, ent.end_char) for ent in doc.ents if ent.label_ in PEOPLE]

    def numbers(self, index: int) -> list[Number]:
        """The quantities of one sentence, those of its dates left out."""
        if index not in self._numbers:
            sent, dates = self.sents[index], self.dates(index)
            found = find_numbers(sent.folded, self.language, sent.text)
            self._numbers[index] = [n for n in found if not any(n.start < d.end and d.start < n.end for d in dates)]
        return self._numbers[index]


class Reader:
    """Reads articles in the languages that the watch has cues for."""

    def __init__(self, watch: Watch, languages: Iterable[str], parsers: Mapping[str, Parser] | None = None) -> None:
        self.watch = watch
        self._parsers = parsers or {}
        self._languages = tuple(code for code in languages if code in watch.cues)
        self._lexicons: dict[str, Lexicon] = {}

    def reads(self, language: str | None) -> bool:
        return language in self._languages

    def read(self, title: str, text: str, language: str, published: str | None) -> Reading:
        """The article's sentences with all that is found in them."""
        if language not in self._lexicons:  # made with the first article in it
            self._lexicons[language] = lexicon_of(self.watch.cues[language])
        lexicon = self._lexicons[language]
        sents = list(self._sents("title", title, [(0, len(title))] if title.strip() else [], lexicon, language))
        spans = sentences(text, language)[:MAX_SENTENCES]
        sents.extend(self._sents("text", text, spans, lexicon, language))
        return Reading(language, published, _without_namesakes(sents), self._parsers.get(language))

    def _sents(self, place: Place, text: str, spans: Sequence[tuple[int, int]], lexicon: Lexicon, language: str) -> Iterable[Sent]:
        """Names and cues are looked for once in the whole text, then dealt out to the sentences they lie in."""
        folded = fold(text)
        hits, cues = self.watch.find(text, language), lexicon.find(folded)
        at_hit = at_cue = paragraph = 0
        before = 0
        for start, end in spans:
            paragraph += text.count("\n", before, start)
            before = start
            mine: list[Hit] = []
            while at_hit < len(hits) and hits[at_hit].start < end:
                hit = hits[at_hit]
                if hit.start >= start:
                    mine.append(hit._replace(start=hit.start - start, end=hit.end - start))
                at_hit += 1
            words: list[Cue] = []
            while at_cue < len(cues) and cues[at_cue].start < end:
                cue = cues[at_cue]
                if cue.start >= start and cue.end <= end:
                    words.append(cue._replace(start=cue.start - start, end=cue.end - start))
                at_cue += 1
            yield Sent(place, start, end, text[start:end], folded[start:end], tuple(mine), _of_the_matter(words, mine), paragraph)


def _without_namesakes(sents: list[Sent]) -> list[Sent]:
    """The sentences, less weak names that are half of a third state's, where that is named and the side is not.

    In an article on South Korea and nobody else "the Korean director" is no North Korean.
    """
    sure = {side for sent in sents for side in sent.sides}
    thirds = {h.alias.lower() for sent in sents for h in sent.hits if h.entity.side is None and h.entity.kind == "state"}

    def borrowed(hit: Hit) -> bool:
        stem = hit.alias.lower()[:_STEM]
        return hit.kind == "weak" and hit.entity.kind == "state" and hit.entity.side not in sure and any(stem in name for name in thirds)

    return [replace(sent, hits=tuple(h for h in sent.hits if not borrowed(h))) for sent in sents] if thirds else sents


_STEM = 4  # letters that "Corea" and "sudcoreano" share
_SPEAKS = ("report", "denied", "alleged", "confirmed", "unanswered")
_GOODS = ("strong:arms", "strong:energy", "strong:labour", "strong:trade", "strong:finance")
_OFFICE = ("strong:diplomacy", "weak:diplomacy", "strong:military", "weak:military", "strong:trade", "weak:trade")


def _of_the_matter(cues: Sequence[Cue], hits: Sequence[Hit]) -> tuple[Cue, ...]:
    """The cues, less event words that state no event here, where what is told has words of its own.

    A speaker's office is none (a ministry that denies arms is no diplomacy), nor is receiving what is no person (shells are no visit).
    """
    events = [cue for cue in cues if cue.kind.startswith(("strong:", "weak:"))]
    speaks = any(cue.kind in _SPEAKS for cue in cues)
    offices = [cue for cue in cues if cue.kind == "source"] if speaks else []
    goods = any(cue.kind in _GOODS for cue in cues) and not any(h.entity.kind == "person" or h.kind == "office" for h in hits)
    taken = [cue for cue in cues if cue.kind == "receive"] if goods else []

    def aside(cue: Cue) -> bool:
        others = offices if cue.kind in _OFFICE else taken if cue.kind == "strong:visit" else []
        return any(cue.start < one.end and one.start < cue.end for one in others)

    told = any(not aside(cue) for cue in events)
    return tuple(cue for cue in cues if not aside(cue)) if told else tuple(cues)
