"""What is counted, in English: the same noun from every language."""

import tomllib

import pytest

from processors.tag.actors import speaker_of
from processors.tag.reading import Reader
from processors.tag.says import says
from tests.test_tag import KIT
from tumen.text.things import DATA, thing_of
from tumen.watch.cues import LANGUAGES


@pytest.mark.parametrize(
    ("language", "item", "thing"),
    [
        ("it", "soldati del", "soldiers"), ("en", "men", "soldiers"), ("ru", "военнослужащих КНДР", "soldiers"), ("ko", "병력", "soldiers"),
        ("uk", "військових", "soldiers"), ("fr", "soldats nord-coréens", "soldiers"), ("de", "Soldaten", "soldiers"),
        ("es", "militares", "soldiers"), ("pl", "żołnierzy", "soldiers"), ("ja", "兵士", "soldiers"), ("zh", "名士兵", "soldiers"),
        ("vi", "binh sĩ", "soldiers"), ("ru", "пленных солдат", "prisoners of war"), ("zh", "集装箱军火", "containers"),
        ("de", "Bauarbeiter", "builders"), ("en", "artillery shells", "shells"), ("es", "trabajadores", "workers"),
        # no thing: part of another word, or no word for it
        ("en", "mentions", None), ("ru", "минут", None), ("fr", "le nombre", None), ("ko", "받는", None), ("en", None, None),
        ("sv", "soldater", None),
    ],
)  # fmt: skip
def test_a_thing_is_one_noun_in_every_language(language: str, item: str | None, thing: str | None) -> None:
    assert thing_of(item, language) == thing


def test_the_commonest_things_are_known_in_every_language() -> None:
    tree = tomllib.loads(DATA.read_text(encoding="utf-8"))
    for thing in ("soldiers", "workers", "shells", "missiles", "containers", "tourists", "people"):
        assert set(tree[thing]) == set(LANGUAGES), thing
    for thing, stems in tree.items():
        assert set(stems) <= set(LANGUAGES), thing
        assert all(stem.strip("$ ") and stem == stem.lower() for several in stems.values() for stem in several), thing


@pytest.mark.parametrize(
    ("language", "text", "name"),
    [
        ("en", "Seoul said that North Korea shipped shells to Russia.", "South Korea"),
        ("en", "Kremlin spokesman Dmitry Peskov said that no shells came from North Korea.", "Dmitry Peskov"),
        ("it", "Secondo Pyongyang, nessuna munizione è stata venduta alla Russia.", "North Korea"),
        ("ja", "ロシア外務省は、兵器の取引を否定した。", "Russian foreign ministry"),
        # a name inside a source is another's
        ("it", "Secondo la stampa giapponese, la Corea del Nord ha venduto munizioni alla Russia.", None),
        ("fr", "Selon l'ambassade russe à Séoul, la Corée du Nord n'a pas livré d'obus à la Russie.", None),
        ("en", "The Russian embassy in Tokyo said that the shells were not from North Korea.", None),
    ],
)
def test_the_speaker_is_who_says_so_and_nobody_else(language: str, text: str, name: str | None) -> None:
    reading = Reader(KIT.watch, LANGUAGES).read("", text, language, None)
    source = says(reading.sents[0], spaced=language != "ja")
    assert source is not None
    found = speaker_of(reading.sents[0], source)
    assert (found.name if found else None) == name
