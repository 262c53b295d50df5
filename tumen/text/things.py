"""What is counted, in English: "soldati" -> "soldiers", "포탄" -> "shells".  The words are data: ``things.toml``, read on first use."""

import re
import tomllib
from functools import cache
from pathlib import Path

from tumen.text.words import UNSPACED

DATA = Path(__file__).with_name("things.toml")


@cache
def _stems(language: str) -> list[tuple[str, re.Pattern[str]]]:
    tree = tomllib.loads(DATA.read_text(encoding="utf-8"))
    told = {thing: stems[language] for thing, stems in tree.items() if language in stems}
    return [(thing, re.compile("|".join(_pattern(stem, language) for stem in stems))) for thing, stems in told.items()]


def _pattern(stem: str, language: str) -> str:
    if language in UNSPACED:
        return re.escape(stem)
    return r"\b" + re.escape(fold(stem.removesuffix("$"))) + (r"\b" if stem.endswith("$") else "")


def thing_of(item: str | None, language: str | None) -> str | None:
    """The English noun, in the plural, for a counted thing as it is written; None if it is none that is known."""
    if item is None or language is None:
        return None
    return next((thing for thing, pattern in _stems(language) if pattern.search(fold(item))), None)


def fold(text: str) -> str:
    return text.lower().replace("ё", "е")
