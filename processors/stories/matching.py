"""Is this the same event?  A small score of named parts, free of language; each part says what it saw.

Points for agreement, points off for contradiction; what one side does not know counts nothing.  A story is matched through the best of
its articles.  The weights were set by hand on labelled pages of one event in eleven languages, on their tags alone.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from processors.stories.dates import gap, parts, precise
from processors.stories.model import Profile, Signature
from tumen.messages import EventType

E = EventType

SAME = 3.5  # points from which two articles report one event

#: Events that are facets of one another: a visit brings talks and a treaty, a shipment its know-how.
FACETS = frozenset(
    frozenset(pair)
    for pair in (
        (E.VISIT, E.DIPLOMACY), (E.VISIT, E.TREATY), (E.VISIT, E.MILITARY), (E.VISIT, E.SOCIETY), (E.VISIT, E.TRANSPORT),
        (E.DIPLOMACY, E.TREATY), (E.DIPLOMACY, E.MILITARY), (E.DIPLOMACY, E.SANCTIONS), (E.MILITARY, E.TREATY),
        (E.ARMS, E.TECHNOLOGY), (E.ARMS, E.MILITARY), (E.ARMS, E.TRADE), (E.ARMS, E.SANCTIONS), (E.TROOPS, E.MILITARY),
        (E.TROOPS, E.LABOUR), (E.TECHNOLOGY, E.MILITARY), (E.SANCTIONS, E.FINANCE), (E.SANCTIONS, E.ENERGY), (E.SANCTIONS, E.TRADE),
        (E.SANCTIONS, E.LABOUR), (E.SANCTIONS, E.CYBER), (E.FINANCE, E.CYBER), (E.FINANCE, E.TRADE), (E.ENERGY, E.TRADE),
        (E.TRANSPORT, E.TRADE), (E.TRANSPORT, E.SOCIETY), (E.LABOUR, E.SOCIETY), (E.LABOUR, E.TRADE), (E.TRANSPORT, E.INCIDENT),
    )
)  # fmt: skip

#: Events that happen on a day and in a place: another day is another one.
ON_A_DAY = frozenset({E.VISIT, E.DIPLOMACY, E.TREATY, E.MILITARY, E.TRANSPORT, E.INCIDENT, E.SOCIETY})

#: Rarely in the news: that two reports are of such an event says more.
RARE = frozenset({E.TRANSPORT, E.SOCIETY, E.CYBER, E.ENERGY, E.LABOUR, E.FINANCE, E.INCIDENT, E.TRADE, E.TREATY})


class Point(NamedTuple):
    """One named part of a score, and what it saw."""

    name: str
    points: float
    saw: str = ""


class Score(NamedTuple):
    """The parts and their sum."""

    points: tuple[Point, ...]

    @property
    def total(self) -> float:
        return sum(point.points for point in self.points)

    def __str__(self) -> str:
        shown = ", ".join(f"{p.name} {p.points:+.1f}{f' ({p.saw})' if p.saw else ''}" for p in self.points if p.points)
        return f"{self.total:.1f} = {shown}"


VETO = -100.0


def facets(one: EventType, other: EventType) -> bool:
    """Whether one event may carry both types."""
    return one == other or frozenset((one, other)) in FACETS


def score_story(new: Signature, profile: Profile, leaders: Collection[str]) -> Score:
    """The best score of `new` against any article of the story."""
    return max((score(new, known, leaders) for known in profile.signatures), key=lambda found: found.total)


def score(new: Signature, known: Signature, leaders: Collection[str]) -> Score:
    """How far two signatures speak of one event.  `leaders`: keys of those who meet everybody, so that meeting them says little."""
    event = _event(new, known)
    if event.points <= VETO:
        return Score((event,))
    return Score(
        (
            event,
            _profile(new, known),
            _direction(new, known),
            _stance(new, known),
            *_persons(new, known, leaders),
            _others(new, known),
            _place(new, known),
            _dates(new, known),
            _numbers(new, known),
            _title(new, known),
        )
    )


def _event(new: Signature, known: Signature) -> Point:
    saw = new.event if new.event == known.event else f"{new.event}/{known.event}"
    if new.event == known.event:
        return Point("event", 2.0 if new.event in RARE else 1.5, saw)
    if facets(new.event, known.event) or (new.event in known.events and known.event in new.events):
        return Point("event", 0.75, saw)
    return Point("event", VETO, saw)


def _profile(new: Signature, known: Signature) -> Point:
    """What else the two articles report."""
    one, other = set(new.events) - {new.event}, set(known.events) - {known.event}
    shared = one & other
    return Point("also", 0.5 * len(shared) / len(one | other), ", ".join(sorted(shared))) if shared else Point("also", 0)


def _direction(new: Signature, known: Signature) -> Point:
    directions = {new.direction, known.direction}
    if directions == {"to_russia", "to_dprk"}:
        return Point("direction", -1.5, f"{new.direction}/{known.direction}")
    same = len(directions) == 1 and directions != {"none"}
    return Point("direction", 0.25 if same else 0.0, new.direction)


def _stance(new: Signature, known: Signature) -> Point:
    """Most reports assert or allege; a denial or a stop is news of its own."""
    if new.stance == known.stance:
        return Point("stance", 1.0 if new.stance in ("denied", "negated") else 0.0, new.stance)
    return Point("stance", -0.5 if {new.stance, known.stance} & {"denied", "negated"} else 0.0, f"{new.stance}/{known.stance}")


def _persons(new: Signature, known: Signature, leaders: Collection[str]) -> Iterable[Point]:
    """Per side: the same person, or another one.  Meeting a leader says little; another minister is another meeting."""
    for side in ("russia", "dprk", None):
        one = {key for who, key in new.persons if who == side}
        other = {key for who, key in known.persons if who == side}
        if not one or not other:
            continue
        shared = one & other
        if shared - set(leaders):
            yield Point("persons", 2.0, ", ".join(sorted(shared)))
        elif (one - set(leaders)) and (other - set(leaders)):
            yield Point("persons", -3.0, f"{', '.join(sorted(one))} / {', '.join(sorted(other))}")
        elif shared:
            yield Point("persons", 0.75, ", ".join(sorted(shared)))
        else:
            yield Point("persons", -1.5, f"{', '.join(sorted(one))} / {', '.join(sorted(other))}")


def _others(new: Signature, known: Signature) -> Point:
    shared = set(new.others) & set(known.others)
    return Point("third parties", 0.5 if shared else 0.0, ", ".join(sorted(shared)))


def _place(new: Signature, known: Signature) -> Point:
    if not new.place or not known.place:
        return Point("place", 0)
    if new.place.casefold() == known.place.casefold():
        return Point("place", 0.5, new.place)
    return Point("place", -3.5 if new.event in ON_A_DAY else -0.5, f"{new.place}/{known.place}")


def _dates(new: Signature, known: Signature) -> Point:
    """The event's own dates if both are known; else one's date against the other's publication; else the two publications."""
    one, other = parts(new.when), parts(known.when)
    new_out, known_out = parts(new.published), parts(known.published)
    if one and other:
        found = _whens(new, gap(one, other), precise(one, other), f"{new.when}/{known.when}")
        if found.points or precise(one, other) == "day":
            return found
    for when, stance, out, saw in ((one, new.stance, known_out, new.when), (other, known.stance, new_out, known.when)):
        if when and out and when.day is not None and stance != "planned" and not (new_out and known_out):
            return _reported(new, gap(when, out), f"{saw}, published {known.published or new.published}")
    if new_out and known_out and precise(new_out, known_out) == "day":
        return _published(gap(new_out, known_out), f"published {new.published}/{known.published}")
    return Point("dates", 0)


def _whens(new: Signature, days: int, precision: str, saw: str) -> Point:
    if precision == "day":
        points = 2.0 if days == 0 else 1.75 if days == 1 else 0.5 if days == 2 else -1.5 if days <= 7 else -4.0
        return Point("dates", points if new.event in ON_A_DAY else max(points, -1.5), saw)
    if days == 0:
        return Point("dates", 0.25 if precision == "month" else 0.0, saw)
    return Point("dates", -4.0 if new.event in ON_A_DAY and days > 7 else -1.0, saw)


def _reported(new: Signature, days: int, saw: str) -> Point:
    points = 1.0 if days <= 3 else 0.0 if days <= 7 else -1.5 if days <= 14 else -4.0
    return Point("dates", points if new.event in ON_A_DAY else max(points, -1.5), saw)


def _published(days: int, saw: str) -> Point:
    return Point("dates", 1.0 if days <= 1 else 0.5 if days <= 3 else -0.5 if days <= 7 else -1.5 if days <= 14 else -4.0, saw)


def _numbers(new: Signature, known: Signature) -> Point:
    """A number that both give: the more digits it has, the less likely by chance."""
    shared = [number for number in new.numbers if any(alike(number, other) for other in known.numbers)]
    return Point("numbers", min(2.5, sum(map(_weight, shared))), ", ".join(f"{number:g}" for number in shared))


def alike(one: float, other: float) -> bool:
    """The same number, give or take a rounding (2 %)."""
    return abs(one - other) <= 0.02 * max(abs(one), abs(other))


def _weight(number: float) -> float:
    digits = len(f"{number:.6g}".replace(".", "").split("e")[0].strip("-0"))
    return 0.25 if abs(number) < 10 else 0.75 if digits <= 1 else 2.0


def _title(new: Signature, known: Signature) -> Point:
    """The last resort: what the titles share, in one language or in English."""
    found = 0.0
    if new.language == known.language:
        found = _dice(new.words, known.words)
    if new.english and known.english:
        found = max(found, _dice(new.english, known.english))
    return Point("title", round(max(0.0, found - 0.25) * 3.0, 2), f"{found:.0%} alike")


def _dice(one: Collection[str], other: Collection[str]) -> float:
    return 2 * len(set(one) & set(other)) / (len(one) + len(other)) if one and other else 0.0
