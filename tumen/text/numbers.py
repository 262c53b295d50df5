"""Numbers and quantities as they are written, and normalised: "cinque milioni di proiettili" = 5000000, item "proiettili".

Years, dates, ordinals and the numbers inside names are no quantities.  Approximate words (dozens, thousands) give their least reading.
"""

import re
from functools import cache
from typing import NamedTuple

from tumen.text.words import UNSPACED, Words, alternatives, words_of

_DIGITS = r"\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_MONEY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB", "₩": "KRW"}
_LINK = r"(?:(?:di|de|of|d'|des|du|a|the|i|ông)\s+)?"
_AFTER = re.compile(r"\s*" + _LINK + r"([^\W\d_][\w'-]*(?:\s+(?:(?:di|de|of|d')\s*)?[^\W\d_][\w'-]*)?)")
_CJK_ITEM = re.compile(r"\s*([\u3041-\u9fff\uac00-\ud7af]{1,6})")


class Number(NamedTuple):
    """A quantity in a text: offsets of what is written, its value, unit (normal name) and the counted thing as written, if told."""

    start: int
    end: int
    value: float
    unit: str | None = None
    item: str | None = None


class _Numbers(NamedTuple):
    pattern: re.Pattern[str]
    unit: re.Pattern[str]
    words: Words
    spaced: bool


@cache
def _numbers(language: str) -> _Numbers:
    words, spaced = words_of(language), language not in UNSPACED
    multiplier = alternatives(words.multipliers, spaced=spaced)
    word = "|".join(re.escape(w) for w in sorted(words.numbers, key=len, reverse=True)) or r"(?!)"
    money = "[" + "".join(_MONEY) + "]"
    edge = (r"(?<![\w.,-])", r"(?![\w])") if spaced else (r"(?<![\d.,A-Za-z-])", "")
    number = f"(?:{_DIGITS})"
    if words.joined:
        counted = f"(?:{word})+(?=(?:{alternatives(words.units, spaced=False)}))"
        body = rf"(?:{money}\s?)?(?:(?:{number}\s*(?:{multiplier})*\s?)+|(?:수|数|几|幾|上)?(?:{word})*(?:{multiplier})+|{counted})"
    else:
        gap = r"[\s\u00a0-]+"
        link = r"(?:di\s+|de\s+|of\s+)?"
        body = (
            rf"(?:{money}\s?)?(?:{number}|{word})(?:\s?%|(?:{gap}(?:e\s+|and\s+|и\s+|y\s+|et\s+)?(?:{word}))*"
            rf"(?:[\s\u00a0]*{link}(?:{multiplier})\b\.?)*)"
        )
    unit = re.compile(r"\s*(?:(?:di|de|of)\s+)?(?:" + alternatives(words.units, spaced=spaced) + ")" + (r"(?!\w)" if spaced else ""))
    return _Numbers(re.compile(edge[0] + body + edge[1]), unit, words, spaced)


def find_numbers(folded: str, language: str | None, written: str | None = None) -> list[Number]:
    """The quantities in a folded text, in order; `written` is the same text as it stands, for the counted thing."""
    if language is None:
        return []
    means = _numbers(language)
    source = written or folded
    found = []
    for match in means.pattern.finditer(folded):
        text = match.group().strip()
        value = _value(text, means)
        if value is None:
            continue
        start, end = match.start(), match.start() + len(match.group().rstrip())
        unit_match = means.unit.match(folded, end)
        unit = next((code for sign, code in _MONEY.items() if sign in text), None) or ("%" if "%" in text else None)
        item = None
        if unit_match:
            unit = unit or _unit(unit_match.group(), means)
            end = unit_match.end()
        else:
            after = (_AFTER if means.spaced else _CJK_ITEM).match(source, end)
            if after and unit is None:
                item = _counted(after.group(1)) if means.spaced else after.group(1)
                end = after.start(1) + len(item) if item else end
        found.append(Number(start, end, value, unit, item))
    return found


_SMALL = frozenset(
    [
        *("della", "delle", "dello", "degli", "nella", "from", "with", "that", "which", "have", "were", "been", "pour", "dans", "avec"),
        *("chez", "para", "desde", "oraz", "które", "która", "nach", "über", "sono", "stati"),
    ]
)


def _counted(words: str) -> str | None:
    """The counted thing without a small word behind it ("soldati del")."""
    parts = words.split()
    while parts and (len(parts[-1]) <= 3 or parts[-1].lower() in _SMALL):
        parts.pop()
    return words[: words.rindex(parts[-1]) + len(parts[-1])] if parts else None


def _unit(text: str, means: _Numbers) -> str | None:
    last = text.split()[-1] if text.split() else text
    for form, name in means.words.units.items():
        if re.fullmatch(re.escape(form).replace(r"\*", r"\w*"), last.strip()):
            return name
    return None


def _value(text: str, means: _Numbers) -> float | None:
    """The number that the matched text writes, or None if it is a year or no number after all."""
    words = means.words
    bare = text.strip("".join(_MONEY) + " ").rstrip("% ")
    if means.words.joined:
        return _joined(bare, words)
    total, current = 0.0, None
    for token in re.findall(_DIGITS + r"|[^\W\d_]+", bare):
        if token[0].isdigit():
            current = (current or 0.0) + _digits(token, words.decimal)
        elif current is not None and (factor := _factor(token, words)) is not None:  # "1,1 тысячи": here it multiplies
            total, current = total + current * factor, 0.0
        elif token in words.numbers:
            current = (current or 0.0) + words.numbers[token]
    if current is None:
        return None
    value = total + current
    if re.fullmatch(r"(?:19|20)\d\d", bare):
        return None
    return value


def _factor(token: str, words: Words) -> float | None:
    for form, factor in words.multipliers.items():
        if re.fullmatch(re.escape(form).replace(r"\*", r"\w*"), token):
            return factor
    return None


def _digits(token: str, decimal: str) -> float:
    """Digits with the separators of a language; a group of three after the "wrong" sign is a thousand all the same."""
    token = re.sub(r"[\s\u00a0\u202f]", "", token)
    other = "," if decimal == "." else "."
    token = token.replace(other, "") if re.search(rf"\{other}\d{{3}}(?!\d)", token) else token.replace(other, decimal)
    if token.count(decimal) > 1 or re.search(rf"^\d{{1,3}}\{decimal}000$", token):
        token = token.replace(decimal, "")
    return float(token.replace(decimal, "."))


def _joined(text: str, words: Words) -> float | None:
    """1万2000, 3만5천, 수천: multipliers add up."""
    total, section, current = 0.0, 0.0, None
    if re.fullmatch(r"(?:19|20)\d\d", text.strip()):
        return None
    forms = sorted([*words.multipliers, *words.numbers], key=len, reverse=True)
    for token in re.findall(_DIGITS + "|" + "|".join(map(re.escape, forms)), text):
        if token[0].isdigit():
            current = _digits(token, words.decimal)
        elif token in words.multipliers:
            factor = words.multipliers[token]
            if factor >= 10000:
                total += (section + (current or 0.0) or 1.0) * factor
                section = 0.0
            else:
                section += (1.0 if current is None else current) * factor
            current = None
        else:
            current = (current or 0.0) + words.numbers[token]
    value = total + section + (current or 0.0)
    return value or None
