"""How an alert is put into words, and whether it is still news: what every sink that speaks to people shares.

Everything here is pure.  News text is other people's: control characters, terminal escapes and bidirectional overrides are taken out.
"""

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from tumen.messages import Alert
from tumen.stage import Attempt

#: why an alert is told to nobody; it is in the archive all the same
OldReason = Literal["stale", "backlog"]
OLD_REASONS: tuple[OldReason, ...] = ("stale", "backlog")

STANCES = {
    "asserted": "stated as fact",
    "alleged": "alleged",
    "denied": "denied",
    "planned": "planned",
    "negated": "said not to have happened",
}
DIRECTIONS = {"to_russia": "towards Russia", "to_dprk": "towards the DPRK", "mutual": "mutual", "none": ""}
#: what a reader must know before trusting it; "" is for us, not for a reader
FLAGS = {
    "untranslated": "not translated: the original text is shown",
    "no_engine": "no translation engine for this language is installed",
    "partial": "translated in part",
    "title_untranslated": "the title is not translated",
    "names_differ": "a name in the translation differs from the original",
    "numbers_differ": "a number in the translation differs from the original",
    "fragment": "from the feed's summary, not the whole article",
    "truncated": "the article was cut: too long",
    "published_inferred": "the date was inferred from the page",
    "test": "a test of the way to you: this is not news",
    "backlog": "",
    "title_from_text": "",
}
_FUTURE = timedelta(days=1)  # a date further ahead than time zones explain is no date
_LONGEST_LINK = 2000


def too_old(alert: Alert, now: datetime, recency_hours: float) -> OldReason | None:
    """None if the alert is news at `now`; else why it is not.

    "stale": published more than `recency_hours` ago, in the latest reading of a partial date.  "backlog": undated, and it was there
    already when its feed was first read, so a first run over last month's news stays quiet.  An undated alert that waited too long is
    stale by when it was seen.  Only `now` and the message decide, so a restart decides alike: a grace that began anew with each start
    would lose what arrives just after one.
    """
    published = published_by(alert, now)
    if published is None and "backlog" in alert.flags:
        return "backlog"
    return "stale" if now - (published or alert.seen_at) > timedelta(hours=recency_hours) else None


def published_by(alert: Alert, now: datetime) -> datetime | None:
    """The latest moment at which the alert's article may have been published, None when it has no usable date."""
    if alert.published_at is not None:
        return alert.published_at if alert.published_at <= now + _FUTURE else None
    if alert.published is None:
        return None
    years, months, days = re.fullmatch(r"(\d{4}|-)(?:-(\d{2}))?(?:-(\d{2}))?", alert.published).groups()  # type: ignore[union-attr]
    ends = [_end(year, months, days) for year in ([int(years)] if years != "-" else [now.year + 1, now.year, now.year - 1])]
    starts = [_start(year, months, days) for year in ([int(years)] if years != "-" else [now.year + 1, now.year, now.year - 1])]
    for start, end in zip(starts, ends, strict=True):
        if start is not None and end is not None and start <= now + _FUTURE:
            return min(end, now)
    return None


def _start(year: int, month: str | None, day: str | None) -> datetime | None:
    try:
        return datetime(year, int(month or 1), int(day or 1), tzinfo=UTC)
    except ValueError:  # 31 February, year 0
        return None


def _end(year: int, month: str | None, day: str | None) -> datetime | None:
    start = _start(year, month, day)
    if start is None or year >= 9999:
        return None
    if day is not None:
        return start + timedelta(days=1)
    if month is not None:
        return start + timedelta(days=calendar.monthrange(year, start.month)[1])
    return datetime(year + 1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Quote:
    """The sentence that states it, as it was written, and its English (None when there is none, or it is English already)."""

    original: str
    english: str | None


@dataclass(frozen=True)
class Telling:
    """An alert in words.  `marks`: what must be seen first (SAMPLE, a possible repeat).  `facts`: label and value, in order."""

    marks: tuple[str, ...]
    heading: str
    change: str
    title: str
    title_english: str | None
    quotes: tuple[Quote, ...]
    facts: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]
    link: str | None
    source: str


def tell(alert: Alert, attempt: Attempt) -> Telling:
    title, english = plain(alert.title), plain(alert.title_english or "")
    return Telling(
        marks=_marks(alert, attempt),
        heading=plain(alert.event_line) or alert.event.value.upper(),
        change=plain(alert.change_text),
        title=title,
        title_english=english if english and english != title else None,
        quotes=_quotes(alert),
        facts=tuple((label, value) for label, value in _facts(alert) if value),
        flags=tuple(filter(None, (FLAGS.get(flag, plain(flag).replace("_", " ")) for flag in alert.flags))),
        link=safe_link(alert.url),
        source=_source(alert),
    )


def _marks(alert: Alert, attempt: Attempt) -> tuple[str, ...]:
    marks = [] if alert.realm == "live" else [alert.realm.upper()]
    if "test" in alert.flags:
        marks.append("TEST")
    if attempt.repeat:
        marks.append("(possible repeat)")
    return tuple(marks)


def _quotes(alert: Alert) -> tuple[Quote, ...]:
    found: dict[str, Quote] = {}
    for evidence in alert.evidence:
        original, english = plain(evidence.text), plain(evidence.translation or "")
        found.setdefault(original, Quote(original, english if english and english != original else None))
    return tuple(found.values())


def _facts(alert: Alert) -> tuple[tuple[str, str], ...]:
    articles = f"{alert.articles} article{'s' if alert.articles != 1 else ''}"
    origins = f"{alert.origins} independent origins" if alert.origins != 1 else "1 origin"
    published = f"{alert.published_at:%Y-%m-%d %H:%M} UTC" if alert.published_at else alert.published or "not dated"
    return (
        ("Says", plain(alert.says or "")),
        ("Stance", STANCES[alert.stance]),
        ("Direction", DIRECTIONS[alert.direction]),
        ("Origins", f"{origins}, {articles}"),
        ("Published", published),
        ("Language", alert.language or "not known"),
    )


def _source(alert: Alert) -> str:
    """The outlet's host, or the name of a file."""
    host = urlsplit(safe_link(alert.url) or safe_link(alert.source) or "").hostname
    return host or plain(alert.source).rsplit("/", 1)[-1]


def plain(text: str) -> str:
    """One line of text that can do nothing but be read: no control characters (a terminal obeys them), no bidirectional overrides."""
    kept = (
        " " if ch.isspace() else ch
        for ch in text
        if ch.isspace() or (unicodedata.category(ch) not in ("Cc", "Cs", "Co", "Cn") and ch not in _HIDDEN)
    )
    return re.sub(r" {2,}", " ", "".join(kept)).strip()


#: bidirectional marks, embeddings, overrides and isolates, and characters without width that hide text (joiners belong to some scripts)
_HIDDEN = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\ufff9\ufffa\ufffb")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, an ellipsis included; what combines with the letter before it is not torn off."""
    if len(text) <= limit:
        return text
    at = limit - 1
    while at > 0 and (unicodedata.category(text[at])[0] == "M" or "\u200d" in text[at - 1 : at + 1]):
        at -= 1
    return text[:at].rstrip() + "…"


def safe_link(url: str | None) -> str | None:
    """An http or https address without user and password, safe inside ``<…|…>``; None for any other."""
    if not url or len(url) > _LONGEST_LINK:
        return None
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w.:-]+", host):
        return None
    host = f"[{host}]" if ":" in host else host
    whole = urlunsplit((parts.scheme, host + port, parts.path, parts.query, parts.fragment))
    link = quote(whole, safe="%/:=&?~#+!$,;'@()*[]", errors="replace")
    return link if len(link) <= _LONGEST_LINK else None
