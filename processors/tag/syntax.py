"""What the parse of a sentence tells, where a pipeline parses: who says it, what is denied, whom a transfer leads to, whose office it is.

The patterns are spaCy's `DependencyMatcher`.  Each serves both sets of labels that pipelines come with, Universal Dependencies (French,
Russian) and the older ones of English (dobj, pobj, nsubjpass, neg), so that a language is added with its pipeline alone.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from processors.tag.claims import DIRECTIONS
from processors.tag.features import Vector
from processors.tag.lexicon import Cue
from processors.tag.reading import Reading, Sent
from processors.tag.says import Source, source_at
from tumen.text.pipelines import PEOPLE

if TYPE_CHECKING:
    from spacy.matcher import DependencyMatcher
    from spacy.tokens import Doc, Token
    from spacy.vocab import Vocab

SPEECH = {"report": 3.0, "denied": 2.5, "confirmed": 2.0, "unanswered": 2.0, "alleged": 1.6}
Side = Literal["russia", "dprk"]
_OTHER: dict[Side, Side] = {"russia": "dprk", "dprk": "russia"}
_MOVED = ("arms", "troops", "technology", "energy", "trade", "labour", "visit")
_SUBJECT = ["nsubj", "csubj"]
_OUTSIDE = {
    "acl",
    "relcl",
    "acl:relcl",
    "advcl",
    "punct",
    "ccomp",
    "parataxis",
    "prep",
    "obl",
    "advmod",
    "cop",
    "mark",
    "orphan",
    "dep",
    "xcomp",
}


def _child(head: str, name: str, *deps: str) -> dict[str, Any]:
    return {"LEFT_ID": head, "REL_OP": ">", "RIGHT_ID": name, "RIGHT_ATTRS": {"DEP": {"IN": list(deps)}}}


def _anchor(name: str, **attributes: Any) -> dict[str, Any]:
    return {"RIGHT_ID": name, "RIGHT_ATTRS": attributes}


_VERB = _anchor("word", POS={"IN": ["VERB", "AUX", "NOUN", "ADJ"]})
PATTERNS: dict[str, list[list[dict[str, Any]]]] = {
    # a verb and who does it
    "says": [[_VERB, _child("word", "who", *_SUBJECT)], [_VERB, _child("word", "by", "agent"), _child("by", "who", "pobj")],
             [_VERB, _child("word", "who", "obl:agent")]],
    # "..., rapporte l'agence": parsers take who stands after the verb for its object
    "inverted": [[_VERB, _child("word", "who", "obj", "dobj", "nsubj")]],
    # what a verb of giving, receiving or going leads to or comes from: "to Moscow", "Москве"
    "toward": [
        [_VERB, _child("word", "by", "prep", "dative"), _child("by", "who", "pobj")],
        [_VERB, _child("word", "who", "obl", "obl:arg", "obl:mod", "iobj", "dative")],
    ],
    # "the firm is accused": no source
    "undergoes": [[_VERB, _child("word", "who", "nsubjpass", "nsubj:pass")]],
    # "according to the ministry", "selon le site", "по данным ведомства"
    "according": [
        [_anchor("word", DEP="prep"), _child("word", "to", "prep"), _child("to", "who", "pobj")],
        [_anchor("who", POS={"IN": ["NOUN", "PROPN", "PRON"]}), _child("who", "word", "case")],
        [_anchor("word", POS="NOUN"), _child("word", "by", "case"), _child("word", "who", "nmod")],
    ],
}  # fmt: skip


@cache
def _matcher(vocab: "Vocab") -> "DependencyMatcher":
    from spacy.matcher import DependencyMatcher

    matcher = DependencyMatcher(vocab)
    for name, patterns in PATTERNS.items():
        for number, pattern in enumerate(patterns):
            matcher.add(f"{name} {number}", [pattern])
    return matcher


class Found(NamedTuple):
    name: str
    tokens: dict[str, "Token"]


def found_in(doc: "Doc") -> list[Found]:
    """Every match, with its tokens by their names in the pattern."""
    found = []
    for key, places in _matcher(doc.vocab)(doc):
        name, number = doc.vocab.strings[key].split()
        parts = PATTERNS[name][int(number)]
        found.append(Found(name, {part["RIGHT_ID"]: doc[place] for part, place in zip(parts, places, strict=True)}))
    return found


def said_by(reading: Reading, index: int, event: str, plain: Source | None) -> Source | None:
    """Who says what a sentence states of an event: by its parse where there is one that tells, else `plain`, what the words alone told."""
    doc = reading.doc(index)
    if doc is None or not doc.has_annotation("DEP"):
        return plain
    sent = reading.sents[index]
    stated = [token for mark in sent.of(f"strong:{event}") or sent.of(f"weak:{event}") for token in _tokens(doc, mark)]
    best: tuple[float, Token] | None = None
    accused = False
    for name, tokens in found_in(doc):
        word, who = tokens["word"], tokens["who"]
        if name == "toward":
            continue
        if name == "undergoes":
            accused |= plain is not None and _kind(sent, word) > 0 and _within(plain, who)
            continue
        if name == "inverted" and any(d.start < who.idx + len(who) and who.idx < d.end for d in reading.dates(index)):
            continue
        weight = _weight(sent, name, word, who)
        if weight and name != "according":
            weight += _governs(word, stated)
        if weight and (best is None or weight > best[0]):
            best = (weight, _antecedent(who))
    if best is None:
        return None if accused else plain
    return source_at(sent, *_phrase(best[1]))


def direction_by_parse(reading: Reading, index: int, event: str) -> Vector:
    """What the parse says of the way that an event of moving or going takes, in logits of `DIRECTIONS`: nothing where it does not tell.

    The size was chosen on labelled pages, by models that had not seen them: more loses what a parser gets wrong.
    """
    prior = np.zeros(len(DIRECTIONS), dtype=np.float32)
    side = _led(reading, index, event) if event in _MOVED else None
    if side is not None:
        prior[DIRECTIONS.index(f"to_{side}")] = 1.5
    return prior


def _led(reading: Reading, index: int, event: str) -> Side | None:
    """The one side that the event leads to, by who does it and whom it is done for."""
    doc = reading.doc(index)
    if doc is None or not doc.has_annotation("DEP"):
        return None
    sent = reading.sents[index]
    sides: set[Side] = set()
    for name, tokens in found_in(doc):
        if name not in ("says", "toward"):
            continue
        word, who = tokens["word"], tokens["who"]
        kinds = _kinds(sent, word)
        away = "give" in kinds or (event == "visit" and "visit_to" in kinds)
        if away == ("receive" in kinds) or (named := _side(sent, who)) is None:
            continue
        if name == "says" and who.dep_ == "nsubj":
            sides.add(_OTHER[named] if away else named)
        elif name == "toward":
            marks = [tokens["by"]] if "by" in tokens else [child for child in who.children if child.dep_ == "case"]
            told = {kind for mark in marks for kind in _kinds(sent, mark)} or ({"to"} if not marks else set())
            if away and "to" in told:
                sides.add(named)
            elif not away and "from" in told:
                sides.add(_OTHER[named])
    return sides.pop() if len(sides) == 1 else None


def _side(sent: Sent, who: "Token") -> Side | None:
    """The one side that a phrase names."""
    start, end = _phrase(who)
    sides = {h.entity.side for h in sent.hits if h.entity.side and not h.entity.agency and start <= h.start < end}
    return sides.pop() if len(sides) == 1 else None


def _kinds(sent: Sent, word: "Token") -> set[str]:
    """The cues that a word is a part of."""
    return {cue.kind for cue in sent.cues if cue.start < word.idx + len(word) and word.idx < cue.end}


def _weight(sent: Sent, name: str, word: "Token", who: "Token") -> float:
    """How surely the word is one of saying, and the other who says it; 0: they are not."""
    kind = _kind(sent, word)
    if name == "according":
        return kind if not _kind(sent, who) and not _verbal(sent, word) else 0.0
    if name == "inverted":
        return kind + 0.5 if _set_behind(word, who) and (kind or _speaks(sent, who)) else 0.0
    clauses = [child for child in word.children if child.dep_ == "ccomp"]
    quoted = any(child.i < word.i for child in clauses)
    told = word.dep_ == "parataxis" or bool(clauses)
    if told:
        kind += 0.5 if kind else 1.0 if quoted or _speaks(sent, who) else 0.0
    return max(0.0, kind - 0.3 * (who.pos_ == "PRON"))


def _kind(sent: Sent, word: "Token") -> float:
    """The weight of the cue of saying that a word is a part of."""
    return max((SPEECH[kind] for kind in _kinds(sent, word) if kind in SPEECH), default=0.0)


def _verbal(sent: Sent, word: "Token") -> bool:
    """Whether the cue that a preposition belongs to is a verb's."""
    cues = [c for c in sent.cues if c.kind in SPEECH and c.start < word.idx + len(word) and word.idx < c.end]
    return any(t.pos_ == "VERB" and t.dep_ != "prep" for cue in cues for t in _tokens(word.doc, cue))


def _set_behind(word: "Token", who: "Token") -> bool:
    """Whether a verb stands behind a comma that its subject does not share, right before who says it."""
    first = min([word.i, *(child.i for child in word.children if child.dep_.startswith("aux") and child.i < word.i)])
    before = word.doc[first - 1].text if first else ""
    own = any(child.dep_ == "nsubj" and child.i != who.i and not _parted(word.doc, child.i, first) for child in word.children)
    return before in (",", "»", "”", '"') and who.i > word.i and not own and not _comma(word.doc, word.i, who.i)


def _antecedent(who: "Token") -> "Token":
    """Whom "who" stands for."""
    relative = who.morph.get("PronType", []) == ["Rel"] or who.tag_ in ("WP", "WDT")
    return who.head.head if relative and who.head.dep_ in ("relcl", "acl:relcl", "acl") else who


def _within(source: Source, token: "Token") -> bool:
    start, end = _phrase(token)
    return start < source.end and source.start < end


def _speaks(sent: Sent, who: "Token") -> bool:
    """Whether it is somebody who could say something: named, or a word for a source."""
    if who.ent_type_ or who.pos_ == "PROPN":
        return True
    start, end = _phrase(who)
    return any(c.kind in ("source", "intelligence") and start <= c.start < end for c in sent.cues)


def _governs(word: "Token", stated: list["Token"]) -> float:
    """1 where what is stated hangs on the word, or the word is set beside it."""
    if any(word.i == token.i or word.is_ancestor(token) for token in stated):
        return 1.0
    return 1.0 if word.dep_ == "parataxis" and any(word.head.i == t.i or word.head.is_ancestor(t) for t in stated) else 0.0


def _tokens(doc: "Doc", cue: Cue) -> Iterator["Token"]:
    span = doc.char_span(cue.start, cue.end, alignment_mode="expand")
    return iter(span) if span is not None else iter(())


def _phrase(noun: "Token") -> tuple[int, int]:
    """The name or noun with what belongs to it, without what is said of it after a comma."""
    inside, queue = {noun.i}, [noun]
    while queue:
        token = queue.pop()
        for child in token.children:
            if child.dep_ in _OUTSIDE and not (child.dep_ == "prep" and child.lower_ in ("of", "in", "for")):
                continue
            if child.dep_ == "case" and child.i > token.i:
                continue  # a Korean particle
            if child.dep_ == "appos" and child.ent_type_ not in PEOPLE and _comma(noun.doc, token.i, child.i):
                continue
            inside.add(child.i)
            queue.append(child)
    left, right = min(inside), max(inside)
    last = noun.doc[right]
    return noun.doc[left].idx, last.idx + len(last)


def _parted(doc: "Doc", left: int, right: int) -> bool:
    """Whether a single comma parts two words; two of them bound an insertion."""
    return sum(token.text == "," for token in doc[left:right]) % 2 == 1


def _comma(doc: "Doc", left: int, right: int) -> bool:
    left, right = min(left, right), max(left, right)
    return any(token.text in (",", "(", "—", "–", "-") for token in doc[left:right])
