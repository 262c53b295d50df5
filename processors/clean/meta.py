"""What surrounds an article and belongs to it: when it was published, who wrote it, which agency its text credits.

Nothing is invented: a date without its year stays without (``--09-14``), and a date in the future of `seen_at` is none.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from ahocorasick_rs import AhoCorasick, MatchKind

from processors.clean.furniture import furniture

DATA = Path(__file__).with_name("meta.toml")
EARLIEST = 1995  # older than news on the web
DATE_LINE = 140  # a longer line is no date line
CREDIT_LIMIT = 20_000  # characters of a text in which an agency is looked for
ABOVE, BELOW, AFTER = 4, 8, 5  # lines above the title, between title and text, after the text that are asked for a date and a name

_ISO = re.compile(r"(?<!\d)((?:19|20)\d\d)-([01]\d)-([0-3]\d)(?!\d)")
_CJK = re.compile(r"((?:19|20)\d\d)\s?[年년.]\s?(\d{1,2})\s?[月월.]\s?(\d{1,2})")
_DOTTED = re.compile(r"(?<![\d.])(\d{1,2})([./-])(\d{1,2})\2((?:19|20)\d\d)(?!\d)")
_URL = re.compile(r"/((?:19|20)\d\d)[/-]([01]?\d)[/-]([0-3]?\d)(?=[/_.-]|$)")
_RANGE = re.compile(r"\d\s*(?:-|–|al|to|bis|au|по|до|all'|e)\s*$", re.IGNORECASE)
_NAME = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]*)*")
_CITY_BEFORE = re.compile(r"[(\[]\w{1,12}=$")  # "(서울=연합뉴스)"
_WIRED = re.compile(r"\w{0,12}?\d{1,2}月\d{1,2}日[电電]")  # "新华社平壤9月13日电"
_BYLINE_END = re.compile(r"\s*(?:[|·•,/(–—-]|\d).*$", re.DOTALL)


@dataclass(frozen=True)
class _Words:
    """`meta.toml` made ready: a month's number by its name, patterns of dates, credits and tails."""

    months: Mapping[str, int]
    day_month: re.Pattern[str]
    month_day: re.Pattern[str]
    credits: re.Pattern[str]
    tails: tuple[re.Pattern[str], ...]


@cache
def _words() -> _Words:
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    months = {
        spelling: number
        for lists in data.values()
        for number, spellings in enumerate(lists.get("months", ()), start=1)
        for spelling in spellings.split("|")
    }
    name = rf"(?P<month>{'|'.join(sorted(months, key=len, reverse=True))})(?!\w)\.?"
    year = r"(?P<year>(?:19|20)\d\d)"
    ordinal = r"(?:st|nd|rd|th|º|°|er|\.)?"
    credit_words = sorted({word for lists in data.values() for word in lists["credits"]}, key=len, reverse=True)
    return _Words(
        months,
        re.compile(rf"(?<![\d.,])(?P<day>[0-3]?\d){ordinal}\s(?:de\s|of\s|d['’])?{name}(?:,?\s(?:del?\s)?{year})?(?!\w)", re.IGNORECASE),
        re.compile(rf"(?<!\w){name}\s(?P<day>[0-3]?\d){ordinal}(?:,?\s{year})?(?!\d)", re.IGNORECASE),
        re.compile("|".join(map(_bounded, credit_words)), re.IGNORECASE),
        tuple(re.compile(tail, re.IGNORECASE | re.DOTALL) for lists in data.values() for tail in lists["tails"]),
    )


def _bounded(word: str) -> str:
    """A word with its boundaries, where its script has any."""
    escaped = re.escape(word).replace("'", "['’]")
    return escaped if word[0] >= "\u2e80" else rf"(?<!\w){escaped}" + (r"(?!\w)" if word[-1].isalnum() else "")


# --- dates ---------------------------------------------------------------------------------------------------------------------


def dates_in(line: str) -> list[str]:
    """Partial dates written in `line`, complete ones first, each in the order of the text.  Days of a range are left out."""
    complete: list[str] = []
    partial: list[str] = []
    for pattern in (_ISO, _CJK):
        complete += [d for m in pattern.finditer(line) if (d := _iso(int(m[1]), int(m[2]), int(m[3])))]
    for match in _DOTTED.finditer(line):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if match[2] == "/" and first <= 12 and second <= 12 and first != second:
            continue  # day and month may stand either way
        complete += [d for d in [_iso(year, second, first) or (_iso(year, first, second) if match[2] == "/" else None)] if d]
    for pattern in (_words().day_month, _words().month_day):
        for match in pattern.finditer(line):
            if _RANGE.search(line[max(0, match.start() - 8) : match.start()]):
                continue
            month = _words().months[match["month"].casefold()]
            day = int(match["day"])
            if match["year"]:
                complete += [d for d in [_iso(int(match["year"]), month, day)] if d]
            elif _iso(2000, month, day):
                partial.append(f"--{month:02d}-{day:02d}")
    return complete + partial


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat() if year >= EARLIEST else None
    except ValueError:
        return None


def clamped(found: str | None, seen_at: datetime) -> str | None:
    """`found` unless it lies after the day of `seen_at` (a day is allowed for time zones)."""
    if found is None or found.startswith("--"):
        return found
    return found if found <= (seen_at.date() + timedelta(days=1)).isoformat()[: len(found)] else None


def date_from_url(url: str | None) -> str | None:
    match = _URL.search(url or "")
    return _iso(int(match[1]), int(match[2]), int(match[3])) if match else None


def date_around(lines: Sequence[str], around: Iterable[int]) -> str | None:
    """The date of the first of these short lines that carries a complete one, else of the first that carries any."""
    partial = None
    for number in around:
        line = lines[number]
        if len(line) > DATE_LINE:
            continue
        for found in dates_in(line):
            if not found.startswith("--"):
                return found
            partial = partial or found
    return partial


def date_in_lead(lead: str) -> str | None:
    """The day that the first paragraph tells of, when it is written without a year: news of this year names no year."""
    found = dates_in(lead[:600])
    return found[0] if len(set(found)) == 1 and found[0].startswith("--") else None


# --- names ---------------------------------------------------------------------------------------------------------------------


def byline_around(lines: Sequence[str], around: Iterable[int], text: str = "") -> str | None:
    """Who wrote it: what follows "by", "di", "автор" on a short line, or a line that is nothing but a person's name.

    A name that the article itself names is its subject (a tag), not its author.
    """
    names: list[str] = []
    expected = False
    for number in around:
        line = lines[number]
        fold = line.casefold().replace("’", "'")
        cues = furniture().cues(fold)
        if "byline" in cues.opening and len(line) <= DATE_LINE:
            rest = _after_cue(line, fold)
            if rest and _is_name(rest):
                return rest
            expected = not rest
        elif len(line) <= 60 and _is_name(line) and cues.total < 0.5:
            if expected:
                return line
            if line not in text:
                names.append(line)
        elif expected and len(line) <= 80 and not dates_in(line):
            return line
        else:
            expected = False
    return names[0] if names else None


def _after_cue(line: str, fold: str) -> str:
    """The line behind the words that announce a name, up to a separator."""
    words = line.split()
    for size in range(min(5, len(words)), 0, -1):
        cue = " ".join(fold.split()[:size]).rstrip(":")
        found = furniture().cues(cue)
        if found.total > 0.9 and "byline" in found.opening:
            return _BYLINE_END.sub("", " ".join(words[size:])).strip(" :.")
    return ""


def _is_name(text: str) -> bool:
    """Two to four words, each with a capital, nothing else: as far as a form can tell, a person's name."""
    words = text.split()
    if not 2 <= len(words) <= 4 or len(text) > 50 or (text.isupper() and len(text) > 30):
        return False
    capitals = [word for word in words if word[0].isupper() and _NAME.fullmatch(word)]
    return len(capitals) >= 2 and all(_NAME.fullmatch(word) for word in words) and words[0][0].isupper() and words[-1][0].isupper()


# --- origin --------------------------------------------------------------------------------------------------------------------


class Agencies:
    """News agencies by the names that texts give them.  `aliases` maps an agency's name to what it is called in any language."""

    def __init__(self, aliases: Mapping[str, Iterable[str]]) -> None:
        pairs = [(alias, name) for name, given in aliases.items() for alias in (name, *given) if alias]
        self._names = {_lowered(alias): name for alias, name in pairs}
        self._small = frozenset(alias for alias, _ in pairs if alias[0].islower() and alias == _lowered(alias))
        self._aliases = list(self._names)
        self._automaton = AhoCorasick(self._aliases, matchkind=MatchKind.Standard)

    def credited(self, text: str, around: Sequence[str] = ()) -> str | None:
        """The agency that the text goes back to, as far as it says so itself.

        A dateline or a signature ("(ANSA) -", "ТАСС.", a line that is the agency's name) decides; else the first agency that the text
        hands a statement to ("riporta Yonhap", "according to KCNA").
        """
        if not self._names:
            return None
        text = text[:CREDIT_LIMIT]
        named = self._named(text)
        for start, end, alias in named:
            if (start < 120 or end > len(text) - 60) and _is_signature(text, start, end):
                return self._names[alias]
        for line in around:
            alias = _lowered(line).strip(" .:()[]–—-©")
            if alias in self._names:
                return self._names[alias]
        return next((self._names[alias] for start, end, alias in named if _is_credit(text, start, end)), None)

    def _named(self, text: str) -> list[tuple[int, int, str]]:
        """Where agencies are named: whole words, the longest at a place, with a capital (in prose "ap" and "ria" are words) unless the
        agency writes itself without.
        """
        found: list[tuple[int, int, str]] = []
        for number, start, end in self._automaton.find_matches_as_indexes(_lowered(text), overlapping=True):
            alias = self._aliases[number]
            if _inside_word(text, start, end) or (text[start].islower() and not (alias in self._small and text.startswith(alias, start))):
                continue
            while found and found[-1][0] >= start:
                found.pop()
            if not found or found[-1][1] <= start:
                found.append((start, end, alias))
        return found


def _lowered(text: str) -> str:
    """Lower case, character by character, so that places in it are places in `text`."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(one if len(one := char.lower()) == 1 else char for char in text)


def _inside_word(text: str, start: int, end: int) -> bool:
    """A name must not be part of a longer word, where its script has words."""
    before, after = text[start - 1 : start], text[end : end + 1]
    joined = after.isalnum() and text[end - 1].isalnum()
    return text[start] < "\u2e80" and ((before.isalnum() and text[start].isalnum()) or joined)


def _is_signature(text: str, start: int, end: int) -> bool:
    """Set apart from the text, as datelines and signatures are; `start`, `end` lie near one of its ends."""
    before, after = text[max(0, start - 120) : start].rstrip(), text[end : end + 24].lstrip()
    if (before.endswith(("(", "/", "[")) or _CITY_BEFORE.search(before)) and after.startswith((")", "/", "]", "-", ",")):
        return True
    if before.endswith(("—", "–", " -")) and after.startswith(".") and len(before) < 70:
        return True
    if not before and _WIRED.match(after):
        return True
    return after.startswith(("—", "–", "- ", ".-", ".–", ") -")) and len(before) < 70 and "." not in before[:-1]


def _is_credit(text: str, start: int, end: int) -> bool:
    """A crediting word within reach, in the same sentence."""
    before = re.split(r"[.!?…;]\s", text[max(0, start - 90) : start])[-1]
    after = re.split(r"[.!?…;](?:\s|$)", text[end : end + 40])[0]
    return bool(_words().credits.search(before) or _words().credits.search(after))


# --- feeds' tails --------------------------------------------------------------------------------------------------------------


def without_tail(text: str) -> tuple[str, bool]:
    """A summary without what the feed hung on its end ("The post … appeared first on …"), and whether there was one."""
    cut = text
    for tail in _words().tails:
        cut = tail.sub("", cut).rstrip()
    return cut, cut != text.rstrip()
