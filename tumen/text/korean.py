"""Korean sentences as spaCy's `Doc`: Kiwi splits stems, particles and endings, and these tell what depends on what.

There is no trained Korean parser to be had by name, but the language marks its parts: a noun with 이/가 belongs to the next predicate that
has no subject yet, a topic (은/는) to the one that a quotation ("-다고") leads to or else to the last, what stands before a noun to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

_NOUN = ("NNG", "NNP", "NNB", "NR", "NP", "SL", "SN", "SH", "XR", "XSN", "XPN")
_QUOTES = ("다고", "라고", "냐고", "자고", "다며", "라며", "다면서", "라면서", "다는", "라는", "다고도", "라고도")
_UNDERGOES = ("되", "당하", "알려지", "전하여지", "전해지", "보이", "나오", "제기되")
_SPEAKS_ITSELF = ("다며", "라며", "다면서", "라면서")


class Morpheme(Protocol):
    """Of Kiwi's tokens: offsets in characters, the form and the tag (Sejong's)."""

    form: str
    tag: str
    start: int
    len: int


@dataclass
class _Word:
    start: int
    end: int
    pos: str  # NOUN, VERB, ADP (a particle), X
    tags: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    head: int = -1
    dep: str = "dep"


def korean_parser(analyse: Callable[[str], Sequence[Morpheme]], vocab: "Vocab") -> "Callable[[str], Doc]":
    """A parser on an analyser of morphemes."""
    from tumen.text.pipelines import make_doc

    def parse(sentence: str) -> "Doc":
        words = _words(analyse(sentence))
        _join(words)
        arcs: list[tuple[int, str]] = [
            (word.head if word.head >= 0 else number, word.dep if word.head >= 0 else "ROOT") for number, word in enumerate(words)
        ]
        return make_doc(vocab, sentence, [(word.start, word.end) for word in words], arcs, [(word.pos, "") for word in words])

    return parse


def _words(morphemes: Sequence[Any]) -> list[_Word]:
    """Nouns run together, particles, and predicates with their endings, each a word of its own."""
    words: list[_Word] = []
    for one in morphemes:
        start, end = one.start, one.start + max(1, one.len)
        tag = one.tag.split("-")[0]
        pos = "NOUN" if tag in _NOUN else "ADP" if tag.startswith("J") else "VERB" if tag[0] in "VE" or tag in ("XSV", "XSA") else "X"
        last = words[-1] if words else None
        touching = last is not None and start <= last.end
        if last is not None and (start < last.end or (touching and _goes_on(last, pos, tag))):
            last.end = max(last.end, end)
            last.pos = "VERB" if pos == "VERB" else last.pos
            last.tags.append(tag)
            last.forms.append(one.form)
        else:
            words.append(_Word(start, end, pos, [tag], [one.form]))
    return words


def _goes_on(last: _Word, pos: str, tag: str) -> bool:
    """Whether a morpheme is a part of the word before it: endings, "-하다" on a noun, a further noun or particle."""
    if pos == "VERB":
        return last.pos == "VERB" or (last.pos == "NOUN" and tag in ("XSV", "XSA", "VCP"))
    return pos == last.pos and pos in ("NOUN", "ADP")


def _join(words: list[_Word]) -> None:
    """Heads and dependencies, from particles and endings."""
    predicates = [number for number, word in enumerate(words) if word.pos == "VERB"]
    waiting: list[int] = []
    for number, word in enumerate(words):
        if word.pos == "VERB":
            if waiting:
                _hang(words, waiting.pop(), number, _subject(word))
            _join_predicate(words, number, predicates)
        elif word.pos == "ADP" and number and words[number - 1].pos == "NOUN":
            _hang(words, number, number - 1, "case")
            noun = number - 1
            if "JKS" in word.tags and not {"JX"} & set(word.tags):
                waiting.append(noun)
            elif "JX" in word.tags and word.forms[-1] in ("은", "는", "ᆫ"):
                _hang_topic(words, noun, predicates)
            elif word.tags[-1] in ("JKG", "JC"):
                _hang(words, noun, _next(words, number, "NOUN"), "nmod" if word.tags[-1] == "JKG" else "conj")
            else:
                _hang(words, noun, _next(words, number, "VERB"), "obj" if "JKO" in word.tags else "obl")
        elif word.pos == "NOUN":
            after = number + 1
            if after < len(words) and words[after].pos == "X" and words[after].tags[-1] in ("SP", "SC"):
                after += 1
            if after < len(words) and words[after].pos == "NOUN":
                _hang(words, number, after, "compound" if after == number + 1 else "conj")
    for noun in waiting:
        _hang(words, noun, next((p for p in reversed(predicates) if p > noun), -1), "nsubj")
    root = predicates[-1] if predicates else len(words) - 1
    for number, word in enumerate(words):
        if word.head < 0 and number != root:
            _hang(words, number, root, "punct" if word.pos == "X" else "dep")


def _join_predicate(words: list[_Word], number: int, predicates: list[int]) -> None:
    """A predicate hangs on the noun it stands before, on the word of saying that its quotation leads to, or on the next one."""
    word = words[number]
    if word.tags[-1] == "ETM":
        _hang(words, number, _next(words, number, "NOUN"), "acl")
    else:
        _hang(words, number, next((p for p in predicates if p > number), -1), "ccomp" if _quotes(word) else "advcl")


def _hang_topic(words: list[_Word], noun: int, predicates: list[int]) -> None:
    """A topic is the subject of what its quotation leads to, or of the last predicate."""
    after = [p for p in predicates if p > noun]
    quoted = next((p for p in after if _quotes(words[p]) and words[p].tags[-1] != "ETM"), None)
    itself = quoted is not None and words[quoted].forms[-1].endswith(_SPEAKS_ITSELF)
    said = next((p for p in after if p > quoted and not _quotes(words[p])), None) if quoted is not None and not itself else quoted
    if quoted is not None and said is not None and words[said].forms[0] in ("하", "하지"):
        said = quoted  # "-다고 한다": it is said, by nobody
    head = said if said is not None else (after[-1] if after else -1)
    _hang(words, noun, head, _subject(words[head]) if head >= 0 else "nsubj")


def _subject(predicate: _Word) -> str:
    return "nsubj:pass" if any(form in _UNDERGOES for form in predicate.forms) else "nsubj"


def _quotes(word: _Word) -> bool:
    return word.forms[-1].endswith(_QUOTES) and word.tags[-1] in ("EC", "ETM", "JKQ")


def _next(words: list[_Word], number: int, pos: str) -> int:
    return next((other for other in range(number + 1, len(words)) if words[other].pos == pos), -1)


def _hang(words: list[_Word], number: int, head: int, dep: str) -> None:
    if head >= 0 and head != number:
        words[number].head, words[number].dep = head, dep
