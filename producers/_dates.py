"""Dates as feeds and files write them: the day as written, and the moment if it is known."""

import email.utils
import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

#: hours east of UTC of the zones that feeds name and RFC 822 does not
_ZONES = {
    "MSK": 3,
    "MSD": 4,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "WET": 0,
    "WEST": 1,
    "BST": 1,
    "KST": 9,
    "JST": 9,
    "HKT": 8,
    "VLAT": 10,
}
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_YEARS = range(1970, 2101)
#: clocks and time zones are wrong by hours, not by days: a date further ahead than this is no date of publication
_SLACK = timedelta(hours=26)


class Published(NamedTuple):
    """`day`: as far as it is known (2024, 2024-09, 2024-09-13), in the writer's time zone.  `at`: the moment, if a time was given."""

    day: str
    at: datetime | None


def read_date(raw: str | None, parsed: time.struct_time | None = None) -> Published | None:
    """What a date says, or None.  `parsed`: what feedparser made of it (UTC), used when the text itself is in no standard form.

    A time without a zone is taken as UTC.
    """
    text = (raw or "").strip()[:80]
    partial = _PARTIAL.fullmatch(text)
    if partial:
        year, month, day = (int(part or 1) for part in partial.groups())
        return Published(text, None) if _possible(year, month, day) else None
    moment = _iso(text) or _rfc822(text) or _from_parsed(parsed)
    if moment is None or moment.year not in _YEARS:
        return None
    return Published(moment.date().isoformat(), moment.astimezone(UTC))


def settled(found: Published | None, now: datetime) -> Published | None:
    """The same, compared with the clock: what lies a little ahead is now (wrong zones and clocks); what lies far ahead is not known."""
    if found is None:
        return None
    if found.at is not None:
        if found.at > now + _SLACK:
            return None
        return found if found.at <= now else Published(min(found.day, now.date().isoformat()), now)
    latest = (now + _SLACK).date().isoformat()
    return found if found.day <= latest[: len(found.day)] else None


def _possible(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return year in _YEARS


def _iso(text: str) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        return None


def _rfc822(text: str) -> datetime | None:
    zone = re.search(r"[A-Z]{3,4}$", text)
    if zone and zone[0] in _ZONES:
        text = f"{text[: zone.start()]}+{_ZONES[zone[0]]:02d}00"
    try:
        return _aware(email.utils.parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _from_parsed(parsed: time.struct_time | None) -> datetime | None:
    if parsed is None:
        return None
    try:
        return datetime(*parsed[:5], min(parsed.tm_sec, 59), tzinfo=UTC)
    except (ValueError, TypeError):
        return None


def _aware(moment: datetime) -> datetime | None:
    """UTC where there is no zone; None where the zone takes it out of the calendar."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment
