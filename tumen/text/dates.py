"""Dates as they are written, found and resolved against the date of publication as far as that allows, never further.

Weekdays mean the last one up to the publication ("venerdì", said on a Saturday: yesterday) unless the text says next; a day and month
without a year means the nearest past one, or a near future one; a bare month the last one that began, or the next in a plan.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from tumen.text.words import UNSPACED, Words, alternatives, words_of

SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "winter": 12}
AHEAD = timedelta(days=45)  # a day and month up to this long after publication is taken for a coming one


class DateHit(NamedTuple):
    """A date as written.  Of `year`, `month`, `day`, `weekday` (0 = Monday) what it names; or an `offset` like "-1d", or a season."""

    start: int
    end: int
    text: str
    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    offset: str | None = None
    shift: int = 0  # -1 the one before ("last June"), 1 the next


class _Dates(NamedTuple):
    patterns: tuple[re.Pattern[str], ...]
    months: dict[str, int]
    weekdays: dict[str, int]
    relative: re.Pattern[str]
    ago: tuple[re.Pattern[str], ...]
    last: re.Pattern[str]
    next: re.Pattern[str]
    before: re.Pattern[str]  # what still belongs to a date in front of it: "last", "mid-"
    behind: re.Pattern[str]
    first: re.Pattern[str] | None  # the first day of two, in front of the second
    words: Words


@cache
def _dates(language: str) -> _Dates:
    """The compiled patterns of a language, the longest templates first."""
    words, spaced = words_of(language), language not in UNSPACED
    d = words.dates
    months = {form: n for n, forms in enumerate(d.months, 1) for form in forms}
    weekdays = {form: n for n, forms in enumerate(d.weekdays) for form in forms}
    number = "|".join([r"\d{1,3}", *(re.escape(w) for w in sorted(words.numbers, key=len, reverse=True))])
    left, right = (r"(?<!\w)", r"(?!\w)") if spaced else (r"", r"")
    fields = {
        "d": r"(?P<d>[0-3]?\d)" + (r"(?:°|º|er|st|nd|rd|th)?" if spaced else ""),
        "m": r"(?P<m>[01]?\d)",
        "y": r"(?P<y>(?:19|20)\d\d)",
        "month": f"(?P<month>{alternatives(tuple(months), spaced=spaced)})",
        "weekday": f"(?P<weekday>{alternatives(tuple(weekdays), spaced=spaced)})",
        "n": f"(?P<n>{number})",
        "span": f"(?P<span>{alternatives(d.spans, spaced=spaced)})",
    }

    def compiled(template: str) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", template)
        body = "".join(fields[p] if i % 2 else re.escape(p).replace(r"\ ", r"\s+" if spaced else r"\s*") for i, p in enumerate(parts))
        before = r"(?<!\d)(?<!\d[.,])" + (left if spaced else "")
        return re.compile(before + body + (right if spaced else r"(?!\d)"))

    return _Dates(
        tuple(compiled(t) for t in d.templates),
        months,
        weekdays,
        re.compile(left + "(" + alternatives(d.relative, spaced=spaced) + ")" + right),
        tuple(compiled(t) for t in d.ago),
        re.compile(left + "(?:" + alternatives(d.last, spaced=spaced) + ")" + right),
        re.compile(left + "(?:" + alternatives(d.next, spaced=spaced) + ")" + right),
        re.compile(f"{left}(?:{alternatives((*d.last, *d.next, *d.part), spaced=spaced)})[ -]?$"),
        re.compile(f"[ ](?:{alternatives((*d.last, *d.next), spaced=spaced)}){right}"),
        re.compile(rf"(?<![\d.,])([0-3]?\d)(?:\.|er)?\s*(?:{alternatives(d.until, spaced=spaced)})\s*$") if d.until else None,
        words,
    )


def find_dates(folded: str, language: str | None, written: str | None = None) -> list[DateHit]:
    """The dates in a folded text (lower case, same length as `written`), in order, none inside another."""
    if language is None:
        return []
    means = _dates(language)
    taken: list[DateHit] = []
    for hit in _candidates(folded, means):
        if not any(hit.start < other.end and other.start < hit.end for other in taken):
            whole = _widened(hit, folded, means) if language not in UNSPACED else hit
            taken.append(whole._replace(text=(written or folded)[whole.start : whole.end]))
    return sorted(taken)


def _widened(hit: DateHit, folded: str, means: _Dates) -> DateHit:
    """The date with what is said of it on either side ("vendredi dernier"); of two days ("24. bis 26.") the first counts."""
    if hit.offset is not None:
        return hit
    start = max(0, hit.start - 40)
    front = folded[start : hit.start]
    if hit.day is not None and means.first is not None and (first := means.first.search(front)) and 0 < int(first.group(1)) < hit.day:
        return hit._replace(start=start + first.start(), day=int(first.group(1)))
    before = means.before.search(front) if hit.day is None else None
    behind = means.behind.match(folded, hit.end)
    return hit._replace(start=start + before.start() if before else hit.start, end=behind.end() if behind else hit.end)


def _candidates(folded: str, means: _Dates) -> Iterator[DateHit]:
    """Every reading, the surer kinds first."""
    for match in means.relative.finditer(folded):
        form = " ".join(match.group(1).split())
        offset = means.words.dates.relative.get(form) or means.words.dates.relative.get(form.replace(" ", ""))
        if offset:
            yield DateHit(match.start(), match.end(), "", offset=offset)
    for pattern in means.ago:
        for match in pattern.finditer(folded):
            number, span = match.group("n"), match.group("span")
            count = int(number) if number.isdigit() else int(means.words.numbers.get(number, 1))
            unit = next(u for form, u in means.words.dates.spans.items() if re.fullmatch(re.escape(form).replace(r"\*", r"\w*"), span))
            yield DateHit(match.start(), match.end(), "", offset=f"{-count}{unit}")
    for pattern in means.patterns:
        for match in pattern.finditer(folded):
            found = match.groupdict()
            month = means.months[" ".join(found["month"].split())] if found.get("month") else int(found["m"]) if found.get("m") else None
            day = int(found["d"]) if found.get("d") else None
            if (month is not None and not 1 <= month <= 12) or (day is not None and not 1 <= day <= 31):
                continue
            weekday = means.weekdays[found["weekday"]] if found.get("weekday") else None
            year = int(found["y"]) if found.get("y") else None
            around = folded[max(0, match.start() - 12) : match.end() + 12]
            shift = -1 if means.last.search(around) else 1 if means.next.search(around) else 0
            yield DateHit(match.start(), match.end(), "", year, month, day, weekday, None, shift)


# --- resolving -----------------------------------------------------------------------------------------------------------------


def parse_partial(partial: str | None) -> tuple[int | None, int | None, int | None]:
    """Year, month and day of a partial date, each None if it is not known."""
    if partial is None:
        return None, None, None
    if partial.startswith("--"):
        rest = partial[2:].split("-")
        return None, int(rest[0]), int(rest[1]) if len(rest) > 1 else None
    parts = [int(part) for part in partial.split("-")]
    return parts[0], parts[1] if len(parts) > 1 else None, parts[2] if len(parts) > 2 else None


def resolve(hit: DateHit, published: str | None, *, future: bool = False) -> str | None:
    """The partial date that `hit` means in an article published then, or None.  `future`: it is told as a plan."""
    year, month, day = parse_partial(published)
    now = _safe(year, month, day)
    if hit.offset is not None:
        return _relative(hit.offset, year, month, now)
    if hit.month is not None and hit.day is not None:
        return _day_month(hit, year, now, future)
    if hit.month is not None:
        return _month(hit, year, month, future)
    if hit.weekday is not None:
        return _weekday(hit, now, future)
    if hit.day is not None:
        return _day(hit.day, year, month, now, future)
    return f"{hit.year:04}" if hit.year is not None else None


def _safe(year: int | None, month: int | None, day: int | None) -> date | None:
    try:
        return date(year, month, day) if year and month and day else None
    except ValueError:
        return None


def _relative(offset: str, year: int | None, month: int | None, now: date | None) -> str | None:
    if offset in SEASONS:
        if year is None or month is None:
            return None
        return f"{year if month >= SEASONS[offset] + 2 else year - 1:04}"
    count, unit = int(offset[:-1]), offset[-1]
    if unit == "d":
        return (now + timedelta(days=count)).isoformat() if now else None
    if unit == "w":
        if now is None or count == 0:
            return f"{now:%Y-%m}" if now else None
        then = now + timedelta(weeks=count)
        return f"{then:%Y-%m}"
    if unit == "m":
        if year is None or month is None:
            return None
        index = year * 12 + month - 1 + count
        return f"{index // 12:04}-{index % 12 + 1:02}"
    return f"{year + count:04}" if year is not None else None


def _day_month(hit: DateHit, year: int | None, now: date | None, future: bool) -> str | None:
    assert hit.month is not None
    assert hit.day is not None
    if hit.year is not None:
        then = _safe(hit.year, hit.month, hit.day)
        return then.isoformat() if then else f"{hit.year:04}-{hit.month:02}"
    if now is None:
        return f"--{hit.month:02}-{hit.day:02}" if year is None or hit.month is None else f"{year:04}-{hit.month:02}-{hit.day:02}"
    options = [then for y in (now.year - 1, now.year, now.year + 1) if (then := _safe(y, hit.month, hit.day))]
    if future:
        coming = [then for then in options if then >= now - timedelta(days=3)]
        return (coming or options)[0].isoformat()
    past = [then for then in options if then <= now + (AHEAD if hit.shift >= 0 else timedelta(0))]
    return (past or options)[-1].isoformat()


def _month(hit: DateHit, year: int | None, month: int | None, future: bool) -> str | None:
    assert hit.month is not None
    if hit.year is not None:
        return f"{hit.year:04}-{hit.month:02}"
    if year is None or month is None:
        return f"--{hit.month:02}"
    if hit.shift < 0:
        then = year if hit.month < month else year - 1
    elif future or hit.shift > 0:
        then = year if hit.month >= month else year + 1
    else:
        then = year if hit.month <= month + 1 else year - 1
    return f"{then:04}-{hit.month:02}"


def _weekday(hit: DateHit, now: date | None, future: bool) -> str | None:
    assert hit.weekday is not None
    if now is None:
        return None
    back = (now.weekday() - hit.weekday) % 7
    if hit.shift > 0 or (future and hit.shift == 0 and back > 1):
        return (now + timedelta(days=(hit.weekday - now.weekday() - 1) % 7 + 1)).isoformat()
    return (now - timedelta(days=back or (7 if hit.shift < 0 else 0))).isoformat()


def _day(day: int, year: int | None, month: int | None, now: date | None, future: bool) -> str | None:
    """A bare day of the month ("지난 13일"): this month's or the one before, as it lies before the publication (after it, in a plan)."""
    if year is None or month is None:
        return None
    if now is None:
        return f"{year:04}-{month:02}-{day:02}" if _safe(year, month, day) else None
    index = year * 12 + month - 1
    if future and day < now.day - 1:
        index += 1
    elif not future and day > now.day + 1:
        index -= 1
    then = _safe(index // 12, index % 12 + 1, day)
    return then.isoformat() if then else None
