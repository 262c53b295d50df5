"""Sentences of a text, as character offsets.  spaCy's blank pipelines carry the tokens; its sentencizer the boundaries, mended here.

Korean, Japanese and Vietnamese have spaCy tokenizers that want packages of their own; they get spaCy's rule tokenizer with the full stop
as an infix instead, which is all that boundaries need.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tumen.text.words import words_of

if TYPE_CHECKING:
    from spacy.language import Language

ENDS = [".", "!", "?", "…", "。", "！", "？", "．", "?!", "!!", "...", "‥", "؟", "।"]
_PLAIN = ("ko", "ja", "vi")
_OPENING = re.compile(r"(?<=\s)[«“„\"(\[]\s*\Z")
_PARAGRAPH = re.compile(r"[^\n]+")
LONGEST = 1500  # characters; a longer "sentence" is cut at a comma or a space: it is a list or no prose


class Sentence(NamedTuple):
    """Character offsets into the text."""

    start: int
    end: int


@cache
def pipeline(language: str) -> "Language":
    """spaCy's blank pipeline of a language with a sentencizer; "xx" for None or a language spaCy does not know."""
    import spacy  # its import takes most of a second, which a node without texts need not pay
    from spacy.util import compile_infix_regex

    if language in _PLAIN:
        nlp = spacy.blank(language, config={"nlp": {"tokenizer": {"@tokenizers": "spacy.Tokenizer.v1"}}})
        infixes = [*(nlp.Defaults.infixes or ()), r"[。！？．…]", r"(?<=[\uac00-\ud7af])[.!?]"]
        nlp.tokenizer.infix_finditer = compile_infix_regex(infixes).finditer  # type: ignore[union-attr]
    else:
        try:
            nlp = spacy.blank(language)
        except ImportError:
            nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer", config={"punct_chars": ENDS})
    nlp.max_length = 10_000_000
    return nlp


def sentences(text: str, language: str | None) -> list[Sentence]:
    """The sentences of `text`, without the white space around them.  A line break always ends one."""
    nlp, short = pipeline(language or "xx"), words_of(language).abbreviations
    found: list[Sentence] = []
    for line in _PARAGRAPH.finditer(text):
        spans = [(line.start() + s.start_char, line.start() + s.end_char) for s in nlp(line.group()).sents]
        for start, end in _mended(text, spans, short):
            found.extend(_cut(text, start, end))
    return found


def _mended(text: str, spans: list[tuple[int, int]], short: frozenset[str]) -> list[tuple[int, int]]:
    """Boundaries that are none are taken back: after an abbreviation or an initial, before a small letter or a closing quote."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and _no_boundary(text[merged[-1][0] : merged[-1][1]], text[start:end], short):
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    trimmed = []
    for number, (start, end) in enumerate(merged):
        opening = _OPENING.search(text, start, end)
        if opening and number + 1 < len(merged):  # a quote that opens belongs to what follows
            end = opening.start()
            merged[number + 1] = (opening.start(), merged[number + 1][1])
        body = text[start:end]
        left = len(body) - len(body.lstrip())
        if body.strip():
            trimmed.append((start + left, start + left + len(body.strip())))
    return trimmed


def _no_boundary(before: str, after: str, short: frozenset[str]) -> bool:
    """Whether the sentence goes on over what looks like an end."""
    before, after = before.rstrip(), after.lstrip()
    if not after:
        return True
    if not any(char.isalnum() for char in after):
        return True
    first = after.lstrip("\"'«„“”‘’(-–— ")[:1]
    if first.islower():
        return True
    if not before.endswith("."):
        return False
    last = before[:-1].split()[-1:] or [""]
    word = last[0].lstrip("(«\"'„“").lower()
    return word in short or (len(word) == 1 and word.isalpha() and not _han(word)) or (word.isdigit() and after[:1].isdigit())


def _han(char: str) -> bool:
    return "\u3040" <= char <= "\ud7af"


def _cut(text: str, start: int, end: int) -> list[Sentence]:
    """A sentence, in pieces of at most `LONGEST` characters."""
    pieces = []
    while end - start > LONGEST:
        at = max(text.rfind(mark, start + LONGEST // 2, start + LONGEST) for mark in (",", " ", ";", "、", "，"))
        at = at + 1 if at > start else start + LONGEST
        pieces.append(Sentence(start, at))
        start = at
    pieces.append(Sentence(start, end))
    return pieces
