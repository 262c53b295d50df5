"""Partial dates compared: how many days at least lie between two of them, as far as both are known.

``2024-09-13`` is a day, ``2023-09`` a month, ``2024`` a year, ``--09-13`` a day of an unknown year, ``--09`` a month of one.
"""

import calendar
from collections.abc import Iterator
from datetime import date
from typing import Literal, NamedTuple

Precision = Literal["day", "month", "year"]

LEAP = 2024  # stands for an unknown year: it has every day of the calendar


class Parts(NamedTuple):
    """A partial date taken apart; what is not known is None."""

    year: int | None
    month: int | None
    day: int | None

    @property
    def precision(self) -> Precision:
        return "year" if self.month is None else "month" if self.day is None else "day"


def parts(partial: str | None) -> Parts | None:
    """`partial` taken apart, or None if there is none or it is in no calendar (``2023-02-30``)."""
    if partial is None:
        return None
    yearless = partial.startswith("--")
    numbers = [int(number) for number in partial.removeprefix("--").split("-")]
    year, month, day = (*((None,) if yearless else ()), *numbers, None, None)[:3]
    found = Parts(year, month, day)
    try:
        _first(found, year or LEAP)
    except ValueError:
        return None
    return found


def gap(one: Parts, other: Parts) -> int:
    """The least number of days between a day that `one` may be and a day that `other` may be; 0 when one may be the other."""
    return min(
        max(0, other_first - one_last, one_first - other_last)
        for one_first, one_last in _spans(one, other)
        for other_first, other_last in _spans(other, one)
    )


def precise(one: Parts, other: Parts) -> Precision:
    """The coarser of the two precisions: what their agreement is worth."""
    order: tuple[Precision, ...] = ("day", "month", "year")
    return max(one.precision, other.precision, key=order.index)


def calendar_days(known: Parts) -> tuple[str, ...]:
    """The ``MM-DD`` under which a date is looked up: a day's own, three for a month, none for a year."""
    if known.month is None:
        return ()
    days = (known.day,) if known.day is not None else (5, 15, 25)
    return tuple(f"{known.month:02}-{day:02}" for day in days)


def _spans(known: Parts, other: Parts) -> Iterator[tuple[int, int]]:
    """First and last day that `known` may be, as ordinals.  An unknown year is the other's or one beside it (December meets January)."""
    if known.year is not None:
        years: tuple[int, ...] = (known.year,)
    else:
        base = other.year or LEAP
        years = (base - 1, base, base + 1) if other.year is not None or known.month in (1, 12) else (base,)
    for year in years:
        try:
            yield _first(known, year).toordinal(), _last(known, year).toordinal()
        except ValueError:  # 29 February of a year that has none
            yield date(year, 3, 1).toordinal(), date(year, 3, 1).toordinal()


def _first(known: Parts, year: int) -> date:
    return date(year, known.month or 1, known.day or 1)


def _last(known: Parts, year: int) -> date:
    month = known.month or 12
    return date(year, month, known.day or calendar.monthrange(year, month)[1])
