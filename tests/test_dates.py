"""Dates, numbers and sentences of a text, as written and resolved."""

import pytest

from tumen.text.dates import find_dates, resolve
from tumen.text.numbers import find_numbers
from tumen.text.sentences import sentences

PUBLISHED = "2024-09-20"  # a Friday


@pytest.mark.parametrize(
    ("language", "text", "date"),
    [
        ("it", "lo ha detto venerdì", "2024-09-20"),
        ("it", "è successo il 14 settembre", "2024-09-14"),
        ("it", "la visita di giugno", "2024-06"),
        ("it", "l'anno scorso", "2023"),
        ("en", "on tuesday", "2024-09-17"),
        ("en", "two weeks ago", "2024-09"),
        ("en", "on october 2, 2023", "2023-10-02"),
        ("ru", "31 октября 2023 года", "2023-10-31"),
        ("ru", "прошлой осенью", "2023"),
        ("uk", "13 вересня", "2024-09-13"),
        ("pl", "w ubiegłym roku", "2023"),
        ("de", "am 13. september", "2024-09-13"),
        ("fr", "il y a deux mois", "2024-07"),
        ("es", "el día 15", "2024-09-15"),
        ("ko", "지난 13일", "2024-09-13"),
        ("ja", "昨日", "2024-09-19"),
        ("zh", "9月13日", "2024-09-13"),
        ("vi", "ngày 13/9", "2024-09-13"),
    ],
)
def test_resolved(language: str, text: str, date: str) -> None:
    (hit,) = find_dates(text, language)
    assert resolve(hit, PUBLISHED) == date


@pytest.mark.parametrize(
    ("language", "text", "written", "date"),
    [
        ("fr", "vendredi dernier, à moscou", "vendredi dernier", "2024-09-13"),
        ("fr", "livrés à la mi-septembre", "la mi-septembre", "2024-09"),
        ("fr", "du 3 au 5 septembre", "3 au 5 septembre", "2024-09-03"),
        ("es", "a finales de octubre", "finales de octubre", "2024-10"),
        ("es", "el pasado viernes", "el pasado viernes", "2024-09-13"),
        ("es", "viajará mañana a moscú", "mañana", "2024-09-21"),
        ("es", "esta mañana", "esta mañana", "2024-09-20"),
        ("es", "el martes por la mañana", "el martes", "2024-09-17"),
        ("de", "vom 2. bis 4. september", "2. bis 4. september", "2024-09-02"),
        ("de", "ende august", "ende august", "2024-08"),
        ("it", "a metà settembre", "metà settembre", "2024-09"),
        ("it", "dal 3 al 5 settembre", "3 al 5 settembre", "2024-09-03"),
        ("pl", "od 3 do 5 września", "3 do 5 września", "2024-09-03"),
        ("ru", "в начале сентября", "начале сентября", "2024-09"),
        ("ru", "с 3 по 5 сентября", "3 по 5 сентября", "2024-09-03"),
        ("uk", "наприкінці серпня", "наприкінці серпня", "2024-08"),
        ("en", "from 3 to 5 september", "3 to 5 september", "2024-09-03"),
    ],
)
def test_the_whole_of_a_date(language: str, text: str, written: str, date: str) -> None:
    (hit,) = find_dates(text, language)
    assert (hit.text, resolve(hit, PUBLISHED)) == (written, date)


@pytest.mark.parametrize(
    ("text", "published", "future", "date"),
    [
        ("venerdì", None, False, None),
        ("il 14 settembre", None, False, "--09-14"),
        ("il 14 settembre", "2024", False, "2024-09-14"),
        ("a giugno", None, False, "--06"),
        ("in programma il 3 marzo", "2024-11-20", True, "2025-03-03"),
        ("il 30 dicembre", "2024-01-05", False, "2023-12-30"),
        ("lunedì", "2024-09-20", True, "2024-09-23"),
        ("30 febbraio 2024", "2024-03-01", False, "2024-02"),
    ],
)
def test_no_further_than_is_known(text: str, published: str | None, future: bool, date: str | None) -> None:
    (hit,) = find_dates(text, "it")
    assert resolve(hit, published, future=future) == date


@pytest.mark.parametrize(
    ("language", "text", "value", "unit"),
    [
        ("it", "cinque milioni di proiettili", 5e6, None),
        ("it", "10.000 soldati", 1e4, None),
        ("it", "2,5 milioni di dollari", 2.5e6, "USD"),
        ("en", "12,000 workers", 12_000, None),
        ("en", "$2.50 an hour", 2.5, "USD"),
        ("ru", "шести тысячах убитых", 6000, None),
        ("ru", "1,1 тысячи бойцов", 1100, None),
        ("de", "fünf millionen granaten", 5e6, None),
        ("fr", "1 284 euros", 1284, "EUR"),
        ("pl", "12 tys. żołnierzy", 12_000, None),
        ("ko", "3만5천명", 35_000, "people"),
        ("ja", "1万2000人", 12_000, "people"),
        ("zh", "500万枚", 5e6, "rounds"),
    ],
)
def test_numbers(language: str, text: str, value: float, unit: str | None) -> None:
    (number,) = find_numbers(text, language)
    assert (number.value, number.unit) == (value, unit)


def test_a_year_is_no_quantity_and_a_small_word_no_item() -> None:
    assert find_numbers("nel 2024", "it") == []
    assert find_numbers("1.000 soldati del nord", "it")[0].item == "soldati"


@pytest.mark.parametrize(
    ("language", "text", "parts"),
    [
        ("it", "Il sig. Rossi tace. «No», dice J. Biden. Poi va via.", ["Il sig. Rossi tace.", "«No», dice J. Biden.", "Poi va via."]),
        ("it", "Lo dice Seul. «Non è vero», replica.", ["Lo dice Seul.", "«Non è vero», replica."]),
        ("ko", "김정은은 말했다. 푸틴이 왔다.", ["김정은은 말했다.", "푸틴이 왔다."]),
        ("ja", "金正恩は言った。プーチンが来た。", ["金正恩は言った。", "プーチンが来た。"]),
        ("zh", "金正恩说。普京来了！", ["金正恩说。", "普京来了！"]),
        (None, "One. Two.", ["One.", "Two."]),
        ("it", "una riga\naltra riga", ["una riga", "altra riga"]),
        ("en", "", []),
    ],
)
def test_sentences(language: str | None, text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text, language)] == parts


def test_no_sentence_is_longer_than_the_bound() -> None:
    assert max(end - start for start, end in sentences("parola " * 5000, "it")) <= 1500
