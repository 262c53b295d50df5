"""Cue files against sentences of our own: a denial is seen as one, a plan as one, an event by its words; no learned weight takes part."""

from pathlib import Path

import pytest

from processors.tag.lexicon import Lexicon, fold, lexicon_of
from tumen.gold import Gold, read_gold
from tumen.settings import ROOT
from tumen.watch import load_watch

LANGUAGES = ("ko", "ja", "zh", "uk", "pl", "vi", "fr", "de", "es")
GOLDEN = Path(__file__).parent / "golden" / "tag"
WITNESS = {  # of each stance at least one of these classes must stand in the sentence
    "denied": {"denied"},
    "negated": {"negated", "negation"},
    "planned": {"planned", "future", "possible"},
    "alleged": {"alleged", "conditional", "rumour", "report", "intelligence"},
}


@pytest.fixture(scope="module")
def lexicons() -> dict[str, Lexicon]:
    watch = load_watch(ROOT / "watches" / "russia-dprk")
    return {language: lexicon_of(watch.cues[language]) for language in LANGUAGES}


def articles(language: str) -> list[Gold]:
    return list(read_gold(GOLDEN / f"own_{language}.jsonl"))


def kinds(lexicon: Lexicon, text: str) -> set[str]:
    return {cue.kind for cue in lexicon.find(fold(text))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_stance_has_its_cue(lexicons: dict[str, Lexicon], language: str) -> None:
    missed = []
    for gold in articles(language):
        for mention in gold.mentions:
            sentence = gold.sentences[mention["sentence"]]
            wanted = WITNESS.get(mention["stance"])
            if wanted and not wanted & kinds(lexicons[language], sentence):
                missed.append((mention["stance"], sentence))
    assert missed == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_that_is_asserted_looks_denied_or_rumoured(lexicons: dict[str, Lexicon], language: str) -> None:
    wrong = []
    for gold in articles(language):
        for mention in gold.mentions:
            sentence = gold.sentences[mention["sentence"]]
            found = kinds(lexicons[language], sentence) & {"denied", "negated", "rumour", "conditional"}
            if mention["stance"] == "asserted" and found:
                wrong.append((sorted(found), sentence))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_event_has_its_word_in_the_article(lexicons: dict[str, Lexicon], language: str) -> None:
    """In its sentence, or in the title where the sentence goes on about the same ("he called the report a lie")."""
    missed = []
    for gold in articles(language):
        for mention in gold.mentions:
            event, sentence = mention["event"], gold.sentences[mention["sentence"]]
            found = kinds(lexicons[language], sentence) | kinds(lexicons[language], gold.title)
            found |= kinds(lexicons[language], gold.sentences[max(0, mention["sentence"] - 1)])
            if not {f"strong:{event}", f"weak:{event}"} & found:
                missed.append((event, sentence))
    assert missed == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_says_is_written_in_the_sentence(language: str) -> None:
    for gold in articles(language):
        for mention in gold.mentions:
            assert mention["says"] is None or mention["says"] in gold.sentences[mention["sentence"]]


@pytest.mark.parametrize(
    ("language", "text", "kind"),
    [
        ("ko", "외교부 대변인이 발언했다.", "strong:diplomacy"),  # 대변 is no advocacy in 대변인
        ("ko", "실제로 부대가 이동했다.", "receive"),  # 대가, a price, stands in 부대가
        ("ko", "미사일을 쏘았다.", "strong:society"),  # 미사, a mass, stands in 미사일
        ("ja", "報道官は何も語らなかった。", "denied"),
        ("zh", "莫斯科与平壤通了电话。", "negation"),  # 莫, do not, begins 莫斯科
        ("zh", "去年双方举行会谈。", "visit_to"),  # 去, go, begins 去年
        ("zh", "联合国发表声明。", "mutual"),  # 联合, joint, begins 联合国
        ("vi", "Một bác sĩ đã tới thăm.", "denied"),  # bác, reject, begins bác sĩ
        ("vi", "Hãng hàng không mở đường bay.", "negation"),  # không, not, ends hàng không
        ("vi", "Chính sách mới của chính phủ.", "strong:society"),  # sách, book, ends chính sách
    ],
)
def test_a_word_inside_another_is_not_that_word(lexicons: dict[str, Lexicon], language: str, text: str, kind: str) -> None:
    assert kind not in kinds(lexicons[language], text)
