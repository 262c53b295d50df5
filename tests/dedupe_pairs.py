"""Texts that copy each other, and texts that do not, made from seeds: for the tests and the benchmark of dedupe.

An article is sentences of a made-up language in one of several scripts: words by Zipf's law, so that articles share their small words,
and whole phrases (names with their offices) that every article on one topic has.  A copy is an article after what editors, sites and
scanners do to it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

SCRIPTS: dict[str, tuple[list[str], list[str], str]] = {
    "latin": ([*"bcdfglmnprstv", "st", "tr", "qu"], [*"aeiou", "ia", "io", "è"], ". "),
    "cyrillic": ([*"бвгдклмнпрстш"], [*"аеиоуыя", "ие", "ой"], ". "),
    "hangul": ([*"가나다라마바사아자차카타파하국민대정"], [*"은는이가을를에서로의고지"], ". "),
    "arabic": ([*"بتجحدرسشعفقكلمن"], [*"اويى"], ". "),
    "devanagari": ([*"कखगचजटडतदनपबमयरलवसह"], ["ा", "ि", "ी", "े", "ो", ""], "। "),
    "han": ([chr(code) for code in range(0x4E00, 0x4E00 + 1500)], [""], "。"),
    "thai": ([chr(code) for code in range(0x0E01, 0x0E2F)], ["", "า", "ี"], " "),
}
SPACELESS = frozenset({"han", "thai"})
FURNITURE = (
    "Menu", "Cerca", "Accedi o registrati", "Condividi su Facebook", "Tempo di lettura: 3 minuti", "Leggi anche", "Iscriviti",
    "Share this article", "Most read", "Subscribe to continue reading", "Follow us on social media", "All rights reserved",
    "Читайте также", "Поделиться", "Подписывайтесь на наш канал", "Версия для печати", "Le plus lu", "Abonnez-vous", "Lesen Sie auch",
    "関連記事", "お問い合わせ", "무단 전재 및 재배포 금지", "많이 본 뉴스", "相关阅读", "责任编辑", "اقرأ أيضا", "यह भी पढ़ें", "อ่านต่อ",
)  # fmt: skip
ALPHABET = "abcdefghijklmnoprstuvzабвгдеилмнопрст"


class Text(NamedTuple):
    """A title and sentences.  `family`: texts of one family copy each other."""

    family: str
    script: str
    title: str
    sentences: tuple[str, ...]

    @property
    def body(self) -> str:
        end = SCRIPTS[self.script][2]
        lines = [end.join(self.sentences[at : at + 3]) + end.strip() for at in range(0, len(self.sentences), 3)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Topic:
    """A language and the phrases that every article on this topic uses."""

    script: str
    words: list[str]
    weights: list[float]
    phrases: list[str]


def topic(script: str, seed: int) -> Topic:
    rng = random.Random(f"{script}-{seed}")
    starts, ends, _ = SCRIPTS[script]
    joined = "" if script in SPACELESS else " "
    lengths = (1, 1, 1, 2) if script in SPACELESS else (1, 2, 2, 3)
    words = ["".join(rng.choice(starts) + rng.choice(ends) for _ in range(rng.choice(lengths))) for _ in range(3_000)]
    phrases = [joined.join(rng.choices(words, k=rng.randint(3, 6))) for _ in range(12)]
    return Topic(script, words, [1 / rank for rank in range(1, len(words) + 1)], phrases)


def article(about: Topic, family: str, rng: random.Random, sentences: int | None = None) -> Text:
    def sentence() -> str:
        parts = rng.choices(about.words, about.weights, k=rng.randint(9, 24))
        if rng.random() < 0.4:
            parts.insert(rng.randrange(len(parts)), rng.choice(about.phrases))
        return ("" if about.script in SPACELESS else " ").join(parts)

    count = sentences or rng.randint(8, 40)
    title = ("" if about.script in SPACELESS else " ").join([rng.choice(about.phrases), *rng.choices(about.words, k=5)])
    return Text(family, about.script, title, tuple(sentence() for _ in range(count)))


# --- what is done to a text ---------------------------------------------------------------------------------------------------------


def retitled(text: Text, about: Topic, rng: random.Random) -> Text:
    return text._replace(title=article(about, "", rng, 1).title)


def truncated(text: Text, about: Topic, rng: random.Random) -> Text:
    kept = max(5, round(len(text.sentences) * rng.uniform(0.3, 0.9)))
    return retitled(text, about, rng)._replace(sentences=text.sentences[:kept])


def inside(text: Text, about: Topic, rng: random.Random) -> Text:
    """An agency's report inside a longer piece: all of it, with up to three times as much of the paper's own."""
    own = article(about, "", rng, round(len(text.sentences) * rng.uniform(0.5, 3))).sentences
    at = rng.randint(0, len(own))
    return retitled(text, about, rng)._replace(sentences=(*own[:at], *text.sentences, *own[at:]))


def scanned(text: Text, about: Topic, rng: random.Random) -> Text:
    """Letters read wrong, lost, doubled, words run together: one letter in a hundred to one in twenty-five."""
    rate = rng.uniform(0.01, 0.04)
    letters = ALPHABET if about.script not in SPACELESS else "".join(about.words[:300])

    def read(letter: str) -> str:
        if rng.random() >= rate:
            return letter
        return rng.choice((rng.choice(letters), "", letter + rng.choice(letters)))

    return text._replace(sentences=tuple("".join(map(read, sentence)) for sentence in text.sentences))


def furnished(text: Text, about: Topic, rng: random.Random) -> Text:
    before, after = rng.sample(FURNITURE, rng.randint(3, 10)), rng.sample(FURNITURE, rng.randint(3, 10))
    return text._replace(sentences=(*before, *text.sentences, *after))


def edited(text: Text, about: Topic, rng: random.Random) -> Text:
    """A sentence in six written anew, two swapped, the case and the quotes another."""
    sentences = [article(about, "", rng, 1).sentences[0] if rng.random() < 1 / 6 else one for one in text.sentences]
    at = rng.randrange(len(sentences) - 1)
    sentences[at], sentences[at + 1] = sentences[at + 1].upper(), f"«{sentences[at]}»"
    return text._replace(sentences=tuple(sentences))


def worn(text: Text, about: Topic, rng: random.Random) -> Text:
    return furnished(scanned(truncated(text, about, rng), about, rng), about, rng)


CHANGES: dict[str, Callable[[Text, Topic, random.Random], Text]] = {
    function.__name__: function for function in (retitled, truncated, inside, scanned, furnished, edited, worn)
}


class Made(NamedTuple):
    """One text of a stream.  `change`: what was done to make it, None for an original."""

    text: Text
    change: str | None


def stream(families: int, seed: int, scripts: tuple[str, ...] = tuple(SCRIPTS)) -> Iterator[Made]:
    """Originals and their copies, one of each kind a family, mixed; many families on one topic, so that they share its phrases."""
    rng = random.Random(seed)
    waiting: list[Made] = []
    topics = {script: [topic(script, number) for number in range(3)] for script in scripts}
    for number in range(families):
        about = rng.choice(topics[scripts[number % len(scripts)]])
        original = article(about, f"f{number}", rng)
        yield Made(original, None)
        waiting.extend(Made(change(original, about, rng), name) for name, change in CHANGES.items())
        while len(waiting) > 60:
            yield waiting.pop(rng.randrange(len(waiting)))
    rng.shuffle(waiting)
    yield from waiting
