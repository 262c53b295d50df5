"""Numbers and quantities as they are written, and normalised: "cinque milioni di proiettili" = 5000000, item "proiettili".

Years, dates, ordinals and the numbers inside names are no quantities.  Approximate words (dozens, thousands) give their least reading.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from tumen.text.words import UNSPACED, Words, alternatives, words_of

_DIGITS = r"\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_MONEY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB", "₩": "KRW"}
_LINK = r"(?:(?:di|de|of|d'|des|du|a|the|i|ông)\s+)?"
_AFTER = re.compile(r"\s*" + _LINK + r"([^\W\d_][\w'-]*(?:\s+(?:(?:di|de|of|d')\s*)?[^\W\d_][\w'-]*)?)")
_CJK_ITEM = re.compile(r"\s*([\u3041-\u9fff\uac00-\ud7af]{1,6})")
_ABOUT = r"(?:余|餘|多|来|來|여)?"  # "3000여 명", "十余名"
_GAP = r"[\s\u00a0-]+"
_OF = r"(?:di\s+|de\s+|d'|of\s+)?"
_AND = r"(?:e\s+|and\s+|и\s+|y\s+|et\s+|i\s+)?"
_RANK = re.compile(r"(?:\bn[°ºo.]{1,2}|№|\bnr\.?|\bnumber|\bnuméro|\bnumero|\bnúmero|\bномер|\bnummer|\bsố)\s*\Z")
_NAMED = re.compile(  # a number in a name
    r"(?:r[eé]sol\w+|risoluzion\w+|резолюц\w+|rezolucj\w+|nghị quyết|第|제|決議|决议|결의|boeing|airbus|보잉|波音|ボーイング|ту-|ми-)\s*\Z"
)
_DIGIT = re.compile(r"\d")
_KO_ENDED = (
    r"(?=$|[^가-힣]|[이가을를은는의에으로도과와씩여정안까만짜어규상당급쯤들뿐남중째간내초전후동하했된됐])"  # 두 대가, but not 한 대학
)
_NOUN_FIRST = ("fr", "es", "it")  # languages in which the adjective follows; of what follows a noun only that of a nation is surely one
_NATION = re.compile(r"(?:nord|nor|sud|sur)?-?cor[eé]\w+|russ\w+|rus[oa]s?|sov\w+|u[ck]rain\w+|ucrani\w+", re.IGNORECASE)


class Number(NamedTuple):
    """A quantity in a text: offsets of what is written, its value, unit (normal name) and the counted thing as written, if told."""

    start: int
    end: int
    value: float
    unit: str | None = None
    item: str | None = None


class _Numbers(NamedTuple):
    language: str
    pattern: re.Pattern[str]
    unit: re.Pattern[str]
    token: re.Pattern[str]
    words: Words
    spaced: bool


@cache
def _numbers(language: str) -> _Numbers:
    words, spaced = words_of(language), language not in UNSPACED
    money = "[" + "".join(_MONEY) + "]"
    edge = (
        (r"(?<![\w.,-])", r"(?![\w])") if spaced else (r"(?<![\d.,A-Za-z-])" + (r"(?<![가-힣](?=[^\d]))" if language == "ko" else ""), "")
    )
    body = rf"(?:{money}\s?)?" + (_joined_body(words) if words.joined else _spaced_body(words))
    about, of = (_ABOUT, r"\s*") if words.joined else ("", r"\s*(?:(?:di|de|of)\s+)?")
    ended = r"(?!\w)" if spaced else _KO_ENDED if language == "ko" else ""
    unit = about + of + "(?:" + alternatives(words.units, spaced=spaced) + ")" + ended
    word = f"(?:{_any(words.numbers)})(?!\\w)" if words.glue is None else f"{_any(words.numbers)}|{words.glue or '(?!)'}"
    token = rf"{_DIGITS}|\+?½|{word}|[^\W\d_]+"
    return _Numbers(language, re.compile(edge[0] + body + edge[1]), re.compile(unit), re.compile(token), words, spaced)


def _any(forms: Iterable[str]) -> str:
    return "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) or r"(?!)"


def _joined_body(words: Words) -> str:
    """1万2000, 3만5천, 수천, 一万两千, 二十五名: words and multipliers in turn, the last words only before a unit."""
    multiplier, word = alternatives(words.multipliers, spaced=False), _any(words.numbers)
    unit = f"(?={_ABOUT}\\s*(?:{alternatives(words.units, spaced=False)}|[的の]))"
    return (
        rf"(?:(?:(?:{_DIGITS})\s*(?:{multiplier})*\s?)+"
        rf"|(?:수|数|數|几|幾|上|近)?(?:(?:{word})*(?:{multiplier})+)+(?:(?:{word})+{unit})?|(?:{word})+{unit})"
    )


def _spaced_body(words: Words) -> str:
    """Digits or number words, what multiplies them, halves: "2,5 milioni", "tens of thousands", "un million et demi"."""
    one = f"(?:{_any(words.numbers)})"
    word = f"(?:{one}" + (f"(?:{words.glue}{one}|{one})*" if words.glue is not None else "") + r")(?!\w)"
    large = _any(form for form, value in words.numbers.items() if value >= 100)
    scale = rf"(?:(?:{alternatives(words.multipliers, spaced=True)})\b\.?|(?:{large})(?!\w))"
    half, and_half = _any(words.half), _any(words.and_half)
    more = rf"(?:[\s\u00a0]*{_OF}{scale}|\s+(?:{and_half})(?!\w)|{_GAP}(?:{half})\s+(?={scale}){scale})"
    return rf"(?:(?:{_DIGITS})(?:\s?%|{more}*)|(?:{half})\s+{scale}{more}*|{word}(?:\s?%|(?:{more}|{_GAP}{_AND}{word})*))"


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
        if value is None or (value < 100 and _RANK.search(folded, 0, match.start())) or _NAMED.search(folded, 0, match.start()):
            continue
        start, end = match.start(), match.start() + len(match.group().rstrip())
        unit_match = means.unit.match(folded, end)
        counted = unit_match or (value >= 100 and (_DIGIT.search(text) or folded.startswith(("的", "の"), end)))
        if means.words.joined and not counted:
            continue  # 十分, 조약, 4年生: they count nothing
        unit = next((code for sign, code in _MONEY.items() if sign in text), None) or ("%" if "%" in text else None)
        item = None
        if unit_match:
            unit = unit or _unit(unit_match.group(), means)
            end = unit_match.end()
        else:
            after = (_AFTER if means.spaced else _CJK_ITEM).match(source, end)
            if after and unit is None:
                item = _counted(after.group(1), means.language) if means.spaced else after.group(1)
                end = after.start(1) + len(item) if item else end
        found.append(Number(start, end, value, unit, item))
    return found


_SMALL = frozenset(
    [
        *("della", "delle", "dello", "degli", "nella", "from", "with", "that", "which", "have", "were", "been", "pour", "dans", "avec"),
        *("chez", "para", "desde", "oraz", "które", "która", "nach", "über", "sono", "stati"),
    ]
)


def _counted(words: str, language: str) -> str | None:
    """The counted thing without a small word or a verb behind it ("soldati del", "ouvriers sont")."""
    parts = words.split()
    linked = len(parts) > 1 and re.match(r"\S+\s+(?:di|de|d')", words)
    if language in _NOUN_FIRST and len(parts) == 2 and not linked and not _NATION.fullmatch(parts[1]):
        parts.pop()
    if language == "de" and len(parts) == 2 and parts[0][0].isupper():  # a noun: what follows is no part of it
        parts.pop()
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
    bare = _halved(bare, words)
    total, current, last = 0.0, None, 1.0
    pieces = means.token.findall(bare)
    for before, piece in zip(["", *pieces], pieces, strict=False):
        factor = _factor(piece, words)
        if piece[0].isdigit():
            current = (current or 0.0) + _digits(piece, words.decimal)
        elif piece == "½":
            current = 0.5
        elif piece == "+½":
            total, current = (total, current + 0.5) if current is not None else (total + 0.5 * last, None)
        elif factor is None and piece not in words.numbers:
            continue
        elif factor is None and words.numbers[piece] < 100:
            article = current == 1 and words.numbers[piece] >= 10 and before != words.glue  # "une dizaine"
            current = (0.0 if article else current or 0.0) + words.numbers[piece]
        else:
            last = factor if factor is not None else words.numbers[piece]
            if last < 1000:  # "two hundred": it multiplies what is smaller; "mille duecento": it adds
                current = (current or 1.0) * last if current is None or current < 10 else current + last
            elif 0 < total < last:  # "dos mil millones"
                total, current = (total + (current or 0.0)) * last, None
            else:
                total, current = total + (1.0 if current is None else current) * last, None
    if current is None and not total:
        return None
    value = total + (current or 0.0)
    if re.fullmatch(r"(?:19|20)\d\d", bare):
        return None
    return value


def _halved(text: str, words: Words) -> str:
    """Halves as signs: "+½" adds a half of what stands before it, "½" is a half of what follows."""
    for forms, sign in ((words.and_half, "+½"), (words.half, "½")):
        text = re.sub(rf"(?<!\w)(?:{_any(forms)})(?!\w)", sign, text)
    return text


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
    for piece in re.findall(_DIGITS + "|" + "|".join(map(re.escape, forms)), text):
        if piece[0].isdigit():
            current = _digits(piece, words.decimal)
        elif piece in words.multipliers:
            factor = words.multipliers[piece]
            if factor >= 10000:
                total += (section + (current or 0.0) or 1.0) * factor
                section = 0.0
            else:
                section += (1.0 if current is None else current) * factor
            current = None
        elif words.numbers[piece] >= 100:
            section += words.numbers[piece]
        else:
            current = (current or 0.0) + words.numbers[piece]
    value = total + section + (current or 0.0)
    return value or None
