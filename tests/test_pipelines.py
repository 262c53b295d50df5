"""Trained pipelines: what a parse decides, where one is installed; told when it is not there; never needed."""

import json
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc

from processors.tag.actors import actors_of
from processors.tag.claims import DIRECTIONS, voice_of
from processors.tag.reading import Reader
from processors.tag.syntax import direction_by_parse, said_by
from tumen.cli import invoke
from tumen.cli._kit import kit_of
from tumen.cli.doctor import _pipelines
from tumen.messages import Actor
from tumen.settings import Settings
from tumen.text.pipelines import EXTRAS, Parser, load_pipelines, make_doc

WATCH = kit_of(Settings(languages=("en", "fr"))).watch
VOCAB = spacy.blank("xx").vocab


def seeing(name: str) -> Parser:
    """Stands for a pipeline that sees one name and parses nothing."""
    nlp = spacy.blank("xx")

    def parse(sentence: str) -> Doc:
        doc = nlp(sentence)
        at = sentence.find(name)
        span = doc.char_span(at, at + len(name), label="PER") if at >= 0 else None
        doc.ents = (span,) if span is not None else ()
        return doc

    return parse


def parsed(tree: str) -> Parser:
    """Stands for a pipeline that parses one sentence so: "word/dependency>head's number/class" each."""

    def parse(sentence: str) -> Doc:
        spans, arcs, forms, at = [], [], [], 0
        for number, part in enumerate(tree.split()):
            word, arc, pos = part.split("/")
            dep, _, head = arc.partition(">")
            start = sentence.index(word, at)
            at = start + len(word)
            spans.append((start, at))
            arcs.append((int(head) if head else number, dep))
            forms.append((pos, ""))
        return make_doc(VOCAB, sentence, spans, arcs, forms)

    return parse


def actors(text: str, language: str, parsers: Mapping[str, Parser]) -> list[Actor]:
    return actors_of(Reader(WATCH, tuple(EXTRAS), parsers).read("", text, language, "2025-03-02"), 0, WATCH)


def speakers(text: str, language: str, parser: Parser | None, event: str) -> tuple[str | None, str | None]:
    """Who says it by the words alone, and by the parse."""
    reading = Reader(WATCH, (language,), {language: parser} if parser else {}).read("", text, language, "2025-03-02")
    plain = voice_of(reading, 0)
    told = said_by(reading, 0, event, plain)
    return (text[plain.start : plain.end] if plain else None), (text[told.start : told.end] if told else None)


@pytest.mark.parametrize(
    ("language", "text", "name", "side"),
    [
        ("en", "Russian fisheries minister Oleg Varnitsin landed in Pyongyang.", "Oleg Varnitsin", "russia"),
        ("en", "Oleg Varnitsin, Russia's deputy fisheries minister, landed in Pyongyang.", "Oleg Varnitsin", "russia"),
        ("fr", "Le ministre russe de la pêche Oleg Varnitsine est arrivé à Pyongyang.", "Oleg Varnitsine", "russia"),
        ("en", "Russia sent a ship to Rason, Peter Moss said.", "Peter Moss", None),
        ("en", "Russia and the North Korean minister Peter Moss met.", "Peter Moss", None),
    ],
)
def test_an_unknown_official_is_kept_with_a_side_only_beside_its_title(language: str, text: str, name: str, side: str | None) -> None:
    kept = [actor for actor in actors(text, language, {language: seeing(name)}) if actor.name == name]
    assert [(actor.side, actor.kind, actor.qid) for actor in kept] == ([(side, "person", None)] if side else [])


@pytest.mark.parametrize(
    ("language", "text", "tree", "event", "said"),
    [
        # the subject of the verb of saying, not the nearest name
        (
            "en",
            "Russia sent North Korea coal, pilots from Seoul said.",
            "Russia/nsubj>1/PROPN sent/ccomp>8/VERB North/compound>3/PROPN Korea/dative>1/PROPN coal/dobj>1/NOUN pilots/nsubj>8/NOUN"
            " from/prep>5/ADP Seoul/pobj>6/PROPN said/ROOT/VERB",
            "energy",
            "pilots",
        ),
        # who is said to have done it says nothing
        (
            "en",
            "Moscow is accused of sending coal to Pyongyang.",
            "Moscow/nsubjpass>2/PROPN is/auxpass>2/AUX accused/ROOT/VERB of/prep>2/ADP sending/pcomp>3/VERB coal/dobj>4/NOUN",
            "energy",
            None,
        ),
        # a clause before a verb that is on no list is somebody's words
        (
            "en",
            "Pyongyang sold Moscow shells, a fisherman recalled.",
            "Pyongyang/nsubj>1/PROPN sold/ccomp>6/VERB Moscow/dative>1/PROPN shells/dobj>1/NOUN a/det>5/DET fisherman/nsubj>6/NOUN"
            " recalled/ROOT/VERB",
            "arms",
            "a fisherman",
        ),
        # a French subject behind its verb, which parsers take for an object
        (
            "fr",
            "Moscou a livré du blé à Pyongyang, raconte un pêcheur.",
            "Moscou/nsubj>2/PROPN a/aux:tense>2/AUX livré/ROOT/VERB du/det>4/DET blé/obj>2/NOUN à/case>6/ADP Pyongyang/obl>2/PROPN"
            " ,/punct>8/PUNCT raconte/conj>2/VERB un/det>10/DET pêcheur/obj>8/NOUN",
            "trade",
            "un pêcheur",
        ),
    ],
)
def test_the_subject_of_the_verb_of_saying_says_it(language: str, text: str, tree: str, event: str, said: str | None) -> None:
    plain, told = speakers(text, language, parsed(tree), event)
    assert told == said
    assert plain != said
    assert speakers(text, language, None, event) == (plain, plain)


def test_a_package_that_is_not_there_is_told_and_nothing_else_changes() -> None:
    settings = Settings(languages=("en", "fr"), spacy={"fr": "fr_no_such_pipeline"})
    ready, missing = load_pipelines(settings.spacy, settings.languages)
    assert not ready
    for part in ("spacy.fr", "fr_no_such_pipeline", "make setup EXTRAS=fr", "going on without it"):
        assert part in missing["fr"]
    assert "\n" not in missing["fr"]
    assert [(found.what, found.state) for found in _pipelines(settings)] == [("pipeline fr", "missing")]
    kit_of(settings)


def test_a_folder_that_neither_parses_nor_names_is_told(tmp_path: Path) -> None:
    spacy.blank("fr").to_disk(tmp_path)
    assert "without 'ner' and 'parser'" in load_pipelines({"fr": str(tmp_path)}, ["fr"]).missing["fr"]


def test_check_finds_a_pipeline_that_is_not_there_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tumen.toml"
    file.write_text('[spacy]\nfr = "fr_no_such_pipeline"\n', encoding="utf-8")
    assert invoke(["--settings", str(file), "check"]) == 2
    told = capsys.readouterr().err
    assert told.count("fr_no_such_pipeline") == 1
    assert "make setup EXTRAS=fr" in told


def test_eval_prints_figures_with_and_without_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nlp = spacy.blank("fr")
    nlp.add_pipe("entity_ruler", name="ner").add_patterns([{"label": "PER", "pattern": "Oleg Varnitsine"}])
    nlp.to_disk(tmp_path / "names")
    (tmp_path / "tumen.toml").write_text(f'[spacy]\nfr = "{tmp_path / "names"}"\nko = "ko_no_such_pipeline"\n', encoding="utf-8")
    lines = ["Le ministre russe de la pêche Oleg Varnitsine est arrivé à Pyongyang pour une visite officielle."]
    mention = {"sentence": 0, "event": "visit", "direction": "to_dprk", "stance": "asserted", "says": None, "quantity": None, "when": None}
    gold = {"id": "1", "lang": "fr", "title": "", "sentences": lines, "label": "core", "sure": True, "mentions": [mention]}
    (tmp_path / "gold.jsonl").write_text(json.dumps(gold) + "\n", encoding="utf-8")

    def told(*options: str) -> str:
        assert invoke(["--settings", str(tmp_path / "tumen.toml"), "eval", str(tmp_path / "gold.jsonl"), "--extras", *options]) == 0
        return capsys.readouterr().out

    text = told()
    assert "Without any trained pipeline:" in text
    assert re.search(r"people named whom the watch does not know\s+0\s+1\s+\+1", text)
    assert "spacy.ko = 'ko_no_such_pipeline'" in text
    figures = json.loads(told("--json"))
    assert set(figures) == {"without", "extras", "missing"}
    assert figures["extras"]["fr"]["with"]["articles"] == figures["without"]["fr"]["articles"] == 1
    assert "ko" in figures["missing"]


def extra(language: str) -> Parser:
    """The pipeline that `make setup EXTRAS=...` installs."""
    ready, missing = load_pipelines(EXTRAS, [language])
    if missing:
        assert find_spec({"ru": "slovnet", "ko": "kiwipiepy"}.get(language, EXTRAS[language])) is None, missing[language]
        pytest.skip(f"{EXTRAS[language]} is not installed: make setup EXTRAS={language}")
    return ready[language]


@pytest.mark.parametrize(
    ("language", "text", "name"),
    [
        ("fr", "Le ministre russe de la pêche Michel Dupont est arrivé à Pyongyang.", "Michel Dupont"),
        ("en", "Russian fisheries minister Peter Harrison landed in Pyongyang.", "Peter Harrison"),
        ("ru", "Заместитель министра рыболовства России Пётр Лунёв прилетел в Пхеньян.", "Пётр Лунёв"),
    ],
)
def test_the_real_pipelines_name_people(language: str, text: str, name: str) -> None:
    parser = extra(language)
    assert name in {ent.text for ent in parser(text).ents if ent.label_ in ("PER", "PERSON")}


@pytest.mark.parametrize(
    ("language", "event", "text", "said"),
    [
        (
            "en",
            "energy",
            "North Korea has received Russian fuel, the Centre for Harbour Studies concluded.",
            "the Centre for Harbour Studies",
        ),
        ("en", "energy", "Moscow is accused of sending fuel to North Korea.", None),
        ("en", "transport", "Russia handed North Korea two trains, fisherman Paul Brandt told a paper in Seoul.", "fisherman Paul Brandt"),
        ("fr", "energy", "Moscou est accusé d'avoir envoyé du carburant à la Corée du Nord.", None),
        ("fr", "arms", "Pyongyang n'a vendu aucun obus à la Russie, tranche l'institut du port.", "l'institut du port"),
        (
            "fr",
            "trade",
            "Un pêcheur de Rason, Paul Brandt, assure que Moscou a livré du blé à Pyongyang.",
            "Un pêcheur de Rason, Paul Brandt",
        ),
        ("ru", "transport", "Москва передала КНДР два поезда, рассказал журналистам из Сеула машинист Пётр Лунёв.", "машинист Пётр Лунёв"),
        ("ru", "trade", "Россия отправит в КНДР зерно, сказал «Вестнику порта» агроном Лев Котов.", "агроном Лев Котов"),
        ("ru", "energy", "Как полагает институт порта, Пхеньян получил от России мазут.", "институт порта"),
        ("ko", "energy", "항만 연구소는 북한이 러시아에서 연료를 받았다고 분석했다.", "항만 연구소"),
        ("ko", "transport", "표트르 루뇨프 기관사는 러시아가 북한에 열차 두 대를 넘겼다고 회고했다.", "표트르 루뇨프 기관사"),
        ("ko", "arms", "러시아 어민은 북한이 포탄을 팔지 않았다고 말했다.", "러시아 어민"),
        ("ko", "arms", "북한이 러시아에 포탄을 보냈다고 한다.", None),
    ],
)
def test_the_parse_decides_who_says_it(language: str, event: str, text: str, said: str | None) -> None:
    plain, told = speakers(text, language, extra(language), event)
    assert told == said
    assert plain != said or language == "ko"  # Korean word order tells some of it without Kiwi
    assert speakers(text, language, None, event) == (plain, plain)


@pytest.mark.parametrize(
    ("language", "event", "text", "way"),
    [
        ("en", "arms", "Shells were sent to Russia by North Korea.", "to_russia"),
        ("fr", "energy", "Pyongyang a reçu du carburant de Moscou.", "to_dprk"),
        ("fr", "visit", "Le ministre russe s'est rendu à Pyongyang, où il a déjeuné.", "to_dprk"),
        ("ru", "energy", "Пхеньяну Москва поставила мазут.", "to_dprk"),
        ("ru", "visit", "Министр КНДР приехал в Москву.", "to_russia"),
        ("ko", "arms", "러시아에 북한이 포탄을 보냈다.", "to_russia"),
    ],
)
def test_the_parse_tells_the_way(language: str, event: str, text: str, way: str) -> None:
    def hint(parsers: Mapping[str, Parser], asked: str) -> list[str]:
        prior = direction_by_parse(Reader(WATCH, (language,), parsers).read("", text, language, "2025-03-02"), 0, asked)
        return [name for name, value in zip(DIRECTIONS, prior, strict=True) if value]

    assert hint({language: extra(language)}, event) == [way]
    assert hint({language: extra(language)}, "treaty") == []
    assert hint({}, event) == []


@pytest.mark.parametrize("language", ["ru", "ko"])
def test_a_doc_made_here_spells_its_sentence(language: str) -> None:
    parser = extra(language)
    for text in ("", " ", "  Москва,  и Пхеньян\u00a0—\u2009 вместе . ", "러시아가  북한에\t연료를 보냈다 .", "😀😀 42"):
        assert parser(text).text == text
