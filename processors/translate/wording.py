"""What an engine must not touch, and what came of it: names kept through the translation, numbers written the English way, both checked.

A name that the watch knows goes through the engine as a word that no dictionary has, and comes out as the English name: "Mosca" is no
fly, the "Un" of Kim Jong Un no article.  One that does not come out again was lost, and that is told.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from processors.translate.pipe import EngineFailed
from tumen.errors import ConfigError
from tumen.messages import Frozen
from tumen.watch import Hit

GLOSSARY = Path(__file__).with_name("glossary.toml")

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MOST_NAMES = len(_LETTERS) ** 2
_TOKEN = re.compile(r"(\bthe\s+)?\bZq([a-z]{2})\b", re.IGNORECASE)
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+(?:,\d+)?(?![\d.,]?\d)|(?<![\d.,])\d+,\d+(?![\d.,]?\d)")
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_SWAP = str.maketrans(".,", ",.")
_BAD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffd]")
_LONGEST = 10  # times as long as the source, and a few characters more


class StandIn(Frozen):
    """Demonyms that the engine does not know go as those of a country that the sentence does not speak of, so that words agree and stand
    where they should: "leader nordcoreano" as "leader norvegese", whose English is a "Norwegian leader".

    `forms`: word -> word of the stand-in; `english`: the stand-in's English (with "s" in the plural); `means`: what it stands for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    forms: Mapping[str, str]
    english: str
    means: str


class Language(Frozen):
    """One language of glossary.toml.

    `before`: what is rewritten ahead of the engine (pattern -> replacement).  `names`: capitalised words -> English, as it
    stands in a sentence.  `words`: words that the engine gets wrong -> English; their article stays.
    `pivot`: target of a first hop (ISO 639-3) -> word that the pair does not know -> its word there.  `english`: the same for the last hop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decimal_comma: bool = True
    before: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    words: Mapping[str, str] = {}
    stand_ins: tuple[StandIn, ...] = ()
    pivot: Mapping[str, Mapping[str, str]] = {}
    english: Mapping[str, str] = Field(default_factory=dict)

    def gaps(self, target: str) -> Mapping[str, str]:
        return self.english if target == "eng" else self.pivot.get(target, {})


def load_glossary(path: Path = GLOSSARY) -> dict[str, Language]:
    """Raises `ConfigError` with file, key and reason."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        return {code: Language.model_validate(table) for code, table in tree.items()}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Prepared:
    """A sentence as the engine is to see it.

    `names`: two letters -> English name, whether it goes without an article.  `stand_ins`: those in it, each with how often.
    """

    text: str
    digits: Counter[str]
    names: dict[str, tuple[str, bool]] = field(default_factory=dict)
    stand_ins: tuple[tuple[StandIn, int], ...] = ()


class Wording:
    """One source language's care.  `find` is the watch's: where which entity is named."""

    def __init__(self, language: str, glossary: Language, find: Callable[[str, str], Sequence[Hit]]) -> None:
        self._language, self._glossary, self._find = language, glossary, find
        self._before = [(re.compile(pattern), replacement) for pattern, replacement in glossary.before.items()]
        bare = {name: (english, True) for name, english in glossary.names.items()}
        self._english = {
            **{name.upper(): kept for name, kept in bare.items()},  # KIEV - ...
            **{word: (english, False) for word, english in glossary.words.items()},
            **bare,
        }
        names = "|".join(re.escape(name) for name in sorted(self._english, key=len, reverse=True))
        self._names = re.compile(rf"\b(?:{names})\b") if names else None
        self._stand_ins = [(one, re.compile(rf"\b(?:{'|'.join(one.forms)})\b", re.IGNORECASE)) for one in glossary.stand_ins]

    def matters(self, sentence: str) -> bool:
        """Whether the watch knows anybody or anything in it."""
        return bool(self._find(sentence, self._language))

    def prepare(self, sentence: str) -> Prepared:
        text = " ".join(sentence.split())
        for pattern, replacement in self._before:
            text = pattern.sub(replacement, text)
        names: dict[str, tuple[str, bool]] = {}
        pieces, at = [], 0
        for start, end, english, bare in self._spans(text)[:_MOST_NAMES]:
            key = _LETTERS[len(names) // 26] + _LETTERS[len(names) % 26]
            names[key] = (english, bare)
            pieces += [text[at:start], f"Zq{key}"]
            at = end
        pieces.append(text[at:])
        masked, stand_ins = self._with_stand_ins("".join(pieces))
        return Prepared(masked, _numbers(masked), names, stand_ins)

    def _with_stand_ins(self, text: str) -> tuple[str, tuple[tuple[StandIn, int], ...]]:
        standing = []
        for one, pattern in self._stand_ins:
            if any(re.search(rf"\b{form}\b", text, re.IGNORECASE) for form in one.forms.values()):
                continue  # the stand-in is spoken of: two peoples must not become one
            text, count = pattern.subn(lambda found, one=one: _as(found[0], one.forms[found[0].lower()]), text)  # type: ignore[misc]
            if count:
                standing.append((one, count))
        return text, tuple(standing)

    def finish(self, prepared: Prepared, said: str) -> tuple[str, tuple[str, ...]]:
        """The English sentence, and flags ("names_differ", "numbers_differ").  Raises `EngineFailed` for what is no sentence."""
        if _garbled(prepared.text, said):
            raise EngineFailed("garbled", "the engine's answer is no translation")
        if self._glossary.decimal_comma:
            said = _GROUPED.sub(lambda found: found[0].translate(_SWAP), said)
        flags = ["numbers_differ"] if prepared.digits - _numbers(said) else []
        lost = False
        for one, count in prepared.stand_ins:
            said, back_again = re.subn(rf"\b{one.english}(s?)\b", rf"{one.means}\1", said)
            lost = lost or back_again < count
        back: set[str] = set()

        def restore(found: re.Match[str]) -> str:
            key = found[2].lower()
            if key not in prepared.names:
                return found[0]
            back.add(key)
            english, bare = prepared.names[key]
            return english if bare else (found[1] or "") + english

        text = _TOKEN.sub(restore, _capitals(prepared.text, said))
        if lost or back != set(prepared.names):
            flags.append("names_differ")
        return text[:1].upper() + text[1:] if prepared.text[:1].isupper() else text, tuple(flags)

    def _spans(self, text: str) -> list[tuple[int, int, str, bool]]:
        """What is to be kept: start, end, English, whether it stands without an article; none overlapping another."""
        spans = []
        if self._names is not None:
            spans = [(found.start(), found.end(), *self._english[found[0]]) for found in self._names.finditer(text)]
        for hit in self._find(text, self._language):
            if any(hit.end > start and hit.start < end for start, end, _, _ in spans):
                continue
            if hit.kind == "office":
                spans.append((hit.start, hit.end, hit.entity.name, False))
            elif hit.kind == "weak" and hit.entity.kind == "person" and text[hit.start].isupper():
                spans.append((hit.start, hit.end, text[hit.start : hit.end], True))  # a surname that may be anybody's stays as it is
            elif hit.kind == "name" and text[hit.start].isupper():
                spans.append((hit.start, hit.end, _english(hit, text), hit.entity.kind != "organisation"))
        return sorted(spans)


def _as(written: str, word: str) -> str:
    return word[:1].upper() + word[1:] if written[:1].isupper() else word


def _english(hit: Hit, text: str) -> str:
    """The entity in English: as written where English writes it so too ("Kursk" is no "Kursk region"), a surname as a surname."""
    written, names = text[hit.start : hit.end], (hit.entity.name, *hit.entity.aliases.get("en", ()))
    if hit.entity.kind == "person":
        return next((name for name in names if len(name.split()) == len(written.split())), hit.entity.name)
    return written if written in names else hit.entity.name


def _numbers(text: str) -> Counter[str]:
    """The numbers in digits, their separators left out: these differ between languages, the digits must not."""
    return Counter(re.sub(r"[.,]", "", number) for number in _DIGITS.findall(text))


def _capitals(source: str, said: str) -> str:
    """Engines move a sentence's capital behind a name at its head: "Zqaa Has found"."""
    small = re.match(r"Zq[a-z]{2}\W+[a-zà-ÿа-яё]", source)
    head = re.match(r"(Zq[a-z]{2}\W+)([A-Z])(?=[a-z])", said)
    return head[1] + head[2].lower() + said[head.end() :] if small and head else said


def _garbled(source: str, said: str) -> bool:
    """Empty, binary, ten times as long, or hardly any letters where the source has them."""
    if not said.strip() or _BAD.search(said) or len(said) > _LONGEST * len(source) + 40:
        return True
    return _letters(said) < 0.5 * _letters(source)


def _letters(text: str) -> float:
    return sum(char.isalpha() for char in text) / max(1, sum(not char.isspace() for char in text))
