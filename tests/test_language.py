"""Language identification: right, or None."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tumen.text.language import Languages

OURS = Languages(("it", "en", "ru"))
WIDE = Languages(("it", "en", "ru", "uk", "fr", "de", "es", "pl", "ko", "ja", "zh"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Il ministro ha incontrato il suo omologo nella capitale", "it"),
        ("The two ministers met in the capital on Friday", "en"),
        ("Министры провели переговоры в столице", "ru"),
        ("Міністри провели переговори у столиці, повідомляє їхня прес-служба", None),
        ("Le ministre a rencontré son homologue dans la capitale", None),
        ("북한과 러시아의 정상회담", None),
        ("", None),
        ("12:45 / 2024", None),
        ("OK", None),
        ("https://example.org/una-pagina-di-prova", None),
    ],
)
def test_identifies_what_is_configured_and_abstains_from_the_rest(text: str, expected: str | None) -> None:
    assert OURS.identify(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("북러", "ko"),
        ("露朝", "zh"),
        ("プーチン大統領と会談", "ja"),
        ("Міністри провели переговори у столиці, повідомляє їхня прес-служба", "uk"),
        ("Le ministre a rencontré son homologue dans la capitale", "fr"),
        ("Ri Pyong Chol Tractor Works", "en"),  # a fifth of the vote, and nobody else near
        ("Kim Song Ho Ho Nam", None),
    ],
)
def test_scripts_and_neighbours(text: str, expected: str | None) -> None:
    assert WIDE.identify(text) == expected


def test_a_hint_settles_a_close_vote_and_never_overrules_a_clear_one() -> None:
    clear = "The two ministers met in the capital on Friday"
    assert OURS.identify(clear, hint="it") == "en"
    assert OURS.identify(clear, hint="fr") == "en"


def test_binary_like_text_is_no_language() -> None:
    assert OURS.identify("\x00\x01\x02\ufffd\ufffd" * 500) is None


def test_headlines_of_ten_languages(shared: Path) -> None:
    rows = [json.loads(line) for line in (shared / "corpora/lid/headlines_by_outlet.jsonl").read_text(encoding="utf-8").splitlines()]
    outcome: Counter[str] = Counter()
    for row in rows:
        answer = OURS.identify(row["text"])
        if row["lang"] in OURS.configured:
            outcome["right" if answer == row["lang"] else "abstained" if answer is None else "wrong"] += 1
        else:
            outcome["refused" if answer is None else "taken"] += 1
    assert outcome["right"] / (outcome["right"] + outcome["abstained"] + outcome["wrong"]) > 0.97
    assert outcome["wrong"] <= 3
    assert outcome["taken"] <= 5
