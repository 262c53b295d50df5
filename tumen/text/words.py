"""What a language calls numbers, units and dates, and what it abbreviates: ``tumen/text/data/<lang>.toml``, read on first use.

abbreviations = ["sig", "dott"]           # after these a full stop ends no sentence
decimal = ","                             # the decimal sign; the other one of "." and "," groups thousands
joined = false                            # multipliers stand without a space and add up: 1万2000, 3만5천
glue = "und"                              # number words are written as one word, with this between them: fünfundzwanzigtausend
half = ["mezzo"]                          # before a multiplier: half of it
and_half = ["e mezzo"]                    # behind a number or multiplier: and half of it
[numbers]                                 # words for numbers
due = 2
[multipliers]                             # words that multiply what stands before them, or themselves count
mila = 1000
[units]                                   # pattern of a unit -> its normal name; a trailing * is open
"tonnellat*" = "t"
[dates]
months = [["gennaio"], ...]               # 12 lists, all forms
weekdays = [["lunedì"], ...]              # 7 lists from Monday
templates = ["{d} {month} {y}", ...]      # longest first; {d} {m} {y} numbers, {month} {weekday} words
last = ["scors*"]                         # beside a weekday or month: the one before
next = ["prossim*"]
part = ["metà"]                           # before a month, a year or one of these: which part of it is meant
until = ["al"]                            # between the two days of "dal 24 al 26 novembre"
ago = ["{n} {span} fa"]                   # {n} a number or number word, {span} from `spans`
[dates.spans]
"giorn*" = "d"                            # d, w, m, y
[dates.relative]
ieri = "-1d"                              # offset; 0d = today; "autumn", "spring", ... = the last one over; "" = no date
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tumen.messages import Frozen

UNSPACED = ("ko", "ja", "zh")  # languages in which words are not parted by spaces, or grow endings beyond counting
DATA = Path(__file__).with_name("data")


class DateWords(Frozen):
    """How a language writes dates."""

    months: tuple[tuple[str, ...], ...] = ()
    weekdays: tuple[tuple[str, ...], ...] = ()
    templates: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    part: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    ago: tuple[str, ...] = ()
    spans: Mapping[str, str] = {}
    relative: Mapping[str, str] = {}


class Words(Frozen):
    """One language's words."""

    language: str
    abbreviations: frozenset[str] = frozenset()
    decimal: str = "."
    joined: bool = False
    glue: str | None = None
    half: tuple[str, ...] = ()
    and_half: tuple[str, ...] = ()
    numbers: Mapping[str, float] = {}
    multipliers: Mapping[str, float] = {}
    units: Mapping[str, str] = {}
    dates: DateWords = DateWords()


@cache
def words_of(language: str | None) -> Words:
    """The words of a language; none for None or a language without a file."""
    path = DATA / f"{language}.toml"
    if language is None or not path.is_file():
        return Words(language=language or "xx")
    return Words.model_validate({"language": language, **tomllib.loads(path.read_text(encoding="utf-8"))})


def alternatives(forms: Mapping[str, object] | tuple[str, ...] | list[str], *, spaced: bool) -> str:
    """A regular expression for any of the forms, longest first; ``*`` at an end is open."""
    ordered = sorted(forms, key=len, reverse=True)
    wild = r"\w*" if spaced else ""
    return "|".join(re.escape(form).replace(r"\*", wild).replace(r"\ ", r"\s+" if spaced else r"\s*") for form in ordered) or r"(?!)"
