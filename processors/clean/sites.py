"""What a site repeats: its furniture, learnt from its own pages, and whether its yield has changed.

A line is furniture of its site when it is another article's headline, or stands in several of the site's latest pages whatever they
tell.  A page that shares most of its text with earlier ones is a copy or an update of them, and teaches nothing.  All that is remembered
of a site is a few kilobytes of hashes and numbers; what has not been seen for a while is forgotten, and a site that falls silent too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from statistics import median
from typing import NamedTuple

from processors.clean.features import key_of, letters
from processors.clean.lines import Reading
from tumen.messages import Frozen
from tumen.state import State, Table

LINES = 240  # lines remembered of a site
TITLES = 60  # headlines, and articles by their id
LASTING = 40  # pages after which a line that does not come again is forgotten
DAYS = 90  # after which a silent site is forgotten
SEEN_LEAST = 0.1  # the model's probability from which a line is worth remembering: what it drops anyway need not be learnt
LETTERS = 12  # a shorter line is no sign of anything
OFTEN, OFTEN_SURE = 3, 5  # pages in which a line must stand, this one included; more where the model is sure that it is text
SURE = 0.9
SHARE = 0.5  # ... and of the pages since it was first seen
COPY = 0.4  # a page that shares more of its text than this with earlier pages tells their news again

YIELDS, RECENT = 24, 6  # text lengths remembered, and how many of them are "now"
HALF, DOUBLE = 0.5, 2.0
EMPTY_RUN = 3

ALARMS = ("yield_empty", "yield_half", "yield_double")


class SiteMemory(Frozen):
    """`lines`: hash -> (pages it stood in, first page, last page); `yields`: lengths of the latest texts, 0 for a page without one."""

    pages: int = 0
    lines: Mapping[str, tuple[int, int, int]] = {}
    titles: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()
    yields: tuple[int, ...] = ()
    day: str = ""


class Lesson(NamedTuple):
    """What came of a page: the site's memory after it, and the alarm that its yield raises, with figures."""

    memory: SiteMemory
    alarm: str | None = None
    figures: str = ""


NOTHING_KNOWN = SiteMemory()


class Sites:
    """The sites' memories in a stage's state.  Pages of different kinds (text, HTML) of one site are kept apart."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sites = Table(state, "site/", SiteMemory)

    def get(self, site: str, kind: str) -> SiteMemory:
        return self._sites.get(f"{kind}/{site}") or SiteMemory()

    def put(self, site: str, kind: str, memory: SiteMemory, seen_at: datetime) -> None:
        """Also forgets: up to two sites that nobody has seen for `DAYS`, so that what is remembered is bounded by what is alive."""
        key = f"{kind}/{site}"
        day = seen_at.date().isoformat()
        if memory.day != day:
            if memory.day:
                self._state.delete(f"seen/{memory.day}/{key}")
            self._state.put(f"seen/{day}/{key}", b"")
        self._sites.put(key, memory.model_copy(update={"day": day}))
        limit = (seen_at - timedelta(days=DAYS)).date().isoformat()
        for seen, _ in list(self._state.scan("seen/", limit=2)):
            _, last, silent = seen.split("/", 2)
            if last < limit and silent != key:
                self._state.delete(seen)
                self._sites.delete(silent)


def without_furniture(reading: Reading, memory: SiteMemory) -> Reading:
    """The reading without the lines that its site repeats; as it was where those are most of it (a copy, an update)."""
    if not memory.pages or not reading.kept:
        return reading
    own = _hash(key_of(reading.title))
    titles = set(memory.titles) - {own}
    now = memory.pages + 1
    rules: dict[int, str] = {}
    for number in reading.kept:
        key = key_of(reading.lines[number])
        if len(key) < LETTERS:
            continue
        hashed = _hash(key)
        if hashed in titles:
            rules[number] = "sibling_title"
        elif hashed in memory.lines:
            count, first, _ = memory.lines[hashed]
            needed = OFTEN_SURE if reading.likely[number] >= SURE else OFTEN
            if count + 1 >= needed and count + 1 >= SHARE * (now - first + 1):
                rules[number] = "site_repeats"
    if not rules or own in memory.titles or _mass(reading, rules) > COPY * _mass(reading, reading.kept):
        return reading
    kept = tuple(number for number in reading.kept if number not in rules)
    return replace(reading, kept=kept, rules={**reading.rules, **rules})


def learn(memory: SiteMemory, article_id: str, reading: Reading | None, length: int) -> Lesson:
    """`reading` is what the page held before its site's furniture was taken off, None where it held no article; `length` is of the text."""
    if article_id in memory.articles:
        return Lesson(memory)  # seen before: a page that is fetched again says nothing new about its site
    articles = (*memory.articles, article_id)[-TITLES:]
    yields = (*memory.yields, length)[-YIELDS:]
    alarm, figures = _alarm(yields)
    if alarm is not None:
        yields = yields[-EMPTY_RUN if alarm == "yield_empty" else -RECENT :]  # this is how it is now: an alarm is raised once
    update: dict[str, object] = {"articles": articles, "yields": yields}
    if reading is not None:
        update |= _lines(memory, reading)
    return Lesson(memory.model_copy(update=update), alarm, figures)


def _lines(memory: SiteMemory, reading: Reading) -> dict[str, object]:
    title = _hash(key_of(reading.title))
    hashes = {
        _hash(key): len(key)
        for number, line in enumerate(reading.lines)
        if reading.likely[number] >= SEEN_LEAST and len(key := key_of(line)) >= LETTERS and number != reading.title_at
    }
    known = sum(size for hashed, size in hashes.items() if hashed in memory.lines)
    if title in memory.titles or known > COPY * sum(hashes.values()) > 0:
        return {}
    now = memory.pages + 1
    lines = {hashed: entry for hashed, entry in memory.lines.items() if entry[2] > now - LASTING}
    for hashed in hashes:
        count, first, _ = lines.get(hashed, (0, now, now))
        lines[hashed] = (count + 1, first, now)
    latest = sorted(lines, key=lambda hashed: (lines[hashed][0] > 1, lines[hashed][2]), reverse=True)[:LINES]
    return {"pages": now, "lines": {hashed: lines[hashed] for hashed in latest}, "titles": (*memory.titles, title)[-TITLES:]}


def _alarm(yields: tuple[int, ...]) -> tuple[str | None, str]:
    """Whether what the latest pages gave is far from what pages gave before.  One short article is no alarm: nearly all of them must be."""
    before, now = yields[:-EMPTY_RUN], yields[-EMPTY_RUN:]
    if len(before) >= RECENT and not any(now) and sum(1 for length in before if length) >= 0.8 * len(before):
        return "yield_empty", f"the last {EMPTY_RUN} pages gave no text"
    before, now = yields[:-RECENT], yields[-RECENT:]
    told = [length for length in before if length]
    if len(told) < RECENT + 2:
        return None, ""
    usual = median(told)
    low, high = sum(1 for n in now if 0 < n <= HALF * usual), sum(1 for n in now if n >= DOUBLE * usual)
    for alarm, many in (("yield_half", low), ("yield_double", high)):
        if many >= RECENT - 1:
            return alarm, f"usual {usual:.0f} characters, now {median(now):.0f}"
    return None, ""


def _mass(reading: Reading, numbers: Iterable[int]) -> int:
    return sum(len(letters(reading.lines[number])) for number in numbers)


def _hash(key: str) -> str:
    return blake2b(key.encode(), digest_size=6).hexdigest()
