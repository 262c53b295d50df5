"""When were these: the part of the score that comes from dates.

An event has its own date (`when`), an article the day it was published, and one that carries neither at least the day it came in, unless
it was found in a backlog.  Events on a day (a visit) are told apart by their own dates; a claim ("since March, 8,000 boxes") is known by
when it was made, whatever period it speaks of.
"""

from collections.abc import Iterator, Sequence

from processors.stories.dates import gap, parts, precise
from processors.stories.model import Signature
from tumen.messages import EventType

E = EventType

#: Events that happen on a day: another day is another one.
ON_A_DAY = frozenset({E.VISIT, E.DIPLOMACY, E.TREATY, E.MILITARY, E.TRANSPORT, E.INCIDENT, E.SOCIETY})

#: (up to so many days apart, points); beyond the last: another event.
SAME_DAY = ((0, 2.0), (1, 1.75), (2, 0.5), (7, -1.5))
REPORTED = ((3, 1.0), (7, 0.0), (14, -1.5))
PUBLISHED = ((1, 1.0), (3, 0.5), (7, -0.5), (14, -1.5))
AHEAD = ((1, 1.0), (14, 0.0), (30, -0.5))  # a plan and its execution are published days apart
SEEN = ((1, 0.75), (3, 0.25), (14, 0.0))
AGE = ((7, 0.0), (14, -1.0), (30, -2.5))
ANOTHER = -4.0
DOUBT = -1.5  # what dates may say at most against two reports of one claim


def timing(new: Signature, known: Signature) -> tuple[float, str]:
    """Points, and what they are for: ``(1.75, "2024-09-13/--09-14")``."""
    found = list(_readings(new, known))
    if new.event in ON_A_DAY or known.event in ON_A_DAY:
        return next((reading for reading in found if reading[0]), (0.0, ""))
    points, saw = max(found, default=(0.0, ""))
    return max(points, DOUBT), saw


def age(new: Signature, story: Sequence[Signature]) -> tuple[float, str]:
    """What speaks against a story whose first report is long past: what goes on for weeks is many stories, each with its news."""
    first = next((signature.published for signature in story if signature.published), None)
    one, other = parts(new.published), parts(first)
    if first is None or one is None or other is None or any(new.when == known.when and _is_day(new.when) for known in story):
        return 0.0, ""
    return _points(AGE, gap(one, other)), f"first published {first}"


def _is_day(partial: str | None) -> bool:
    known = parts(partial)
    return known is not None and known.day is not None


def _readings(new: Signature, known: Signature) -> Iterator[tuple[float, str]]:
    """The surest first."""
    one, other = parts(new.when), parts(known.when)
    new_out, known_out = parts(new.published), parts(known.published)
    if one and other:
        days, saw = gap(one, other), f"{new.when}/{known.when}"
        if precise(one, other) == "day":
            yield _points(SAME_DAY, days), saw
            return
        yield (ANOTHER if days > 7 else -1.0 if days else 0.0), saw
    if new_out and known_out:
        steps = AHEAD if (new.stance == "planned") != (known.stance == "planned") else PUBLISHED
        points = _points(steps, gap(new_out, known_out))
        vague = new_out.year is None or known_out.year is None or precise(new_out, known_out) != "day"
        yield points / 2 if vague and points > 0 else points, f"published {new.published}/{known.published}"
        return
    for when, stance, out in ((one, new.stance, known_out), (other, known.stance, new_out)):
        if when and out and when.day is not None and stance != "planned":
            yield _points(REPORTED, gap(when, out)), f"{new.when or known.when}, published {known.published or new.published}"
            return
    new_in, known_in = parts(new.published or new.seen), parts(known.published or known.seen)
    if new_in and known_in:
        yield max(-1.0, _points(SEEN, gap(new_in, known_in))), "came in together"


def _points(steps: tuple[tuple[int, float], ...], days: int) -> float:
    return next((points for most, points in steps if days <= most), ANOTHER)
