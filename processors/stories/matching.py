"""Is this the same event?  A small score of named parts, free of language; each part says what it saw.

Points for agreement, points off for contradiction; what one side does not know counts nothing.  A story is matched through the best of
its articles.  The weights were set by hand on labelled pages of one event in eleven languages, on their tags alone.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from processors.stories.model import Profile, Signature
from processors.stories.timing import age, timing
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

#: Events that happen in one city: another one is another event.
IN_A_CITY = frozenset({E.VISIT, E.DIPLOMACY, E.TREATY, E.MILITARY})

#: Rarely in the news: that two reports are of such an event says more.
RARE = frozenset({E.TRANSPORT, E.CYBER, E.ENERGY, E.LABOUR, E.FINANCE, E.INCIDENT, E.TRADE, E.TREATY})


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
CONTRADICTION = -2.5


def facets(one: EventType, other: EventType) -> bool:
    """Whether one event may carry both types."""
    return one == other or frozenset((one, other)) in FACETS


def score_story(new: Signature, profile: Profile, leaders: Collection[str]) -> Score:
    """The best score of `new` against any article of the story, less what the story's age says against it."""
    best = max((score(new, known, leaders) for known in completed(profile.signatures)), key=lambda found: found.total)
    return Score((*best.points, Point("age", *age(new, profile.signatures))))


def completed(signatures: Sequence[Signature]) -> Iterator[Signature]:
    """What an article leaves out its story knows: the city, the day and the people that its other articles name (the first to do so)."""
    place = next((s.place for s in signatures if s.place), None)
    when = next((s.when for s in signatures if s.when), None)
    named = {side: [p for s in signatures for p in s.persons if p[0] == side] for side in ("russia", "dprk")}
    for known in signatures:
        sides = {side for side, _ in known.persons}
        missing = [person for side, people in named.items() if side not in sides for person in people]
        yield known.model_copy(
            update={"place": known.place or place, "when": known.when or when, "persons": tuple(dict.fromkeys([*known.persons, *missing]))}
        )


def contradicts(found: Score) -> bool:
    """Another day, city or person: not this event, however alike the rest."""
    return any(point.points <= CONTRADICTION for point in found.points)


def unopposed(new: Signature, profile: Profile, best: Score) -> Point:
    """A report of the same kind, on the day of a story's first report, which nothing contradicts, is of that story.

    To open another for every vague report would tell its readers of one event as often as there are outlets.  Its day is that of the
    first report: else a story of something that goes on for weeks would take in everything said of it.
    """
    dated = new.event == profile.signatures[0].event and timing(new, profile.signatures[0])[0] > 0
    contradicted = any(point.points < -0.25 for point in best.points)
    return Point("unopposed", 0.75 if dated and not contradicted else 0.0)


def score(new: Signature, known: Signature, leaders: Collection[str]) -> Score:
    """How far two signatures speak of one event.  `leaders`: keys of those who meet everybody, so that meeting them says little."""
    event = _event(new, known)
    if event.points <= VETO:
        return Score((event,))
    found = Score(
        (
            event,
            _profile(new, known),
            _direction(new, known),
            _stance(new, known),
            *_persons(new, known, leaders),
            _others(new, known),
            _claimant(new, known),
            _place(new, known),
            Point("dates", *timing(new, known)),
            _numbers(new, known),
        )
    )
    # the same words about another minister or city are another event's: likeness says something only where nothing contradicts
    return found if contradicts(found) else Score((*found.points, _title(new, known)))


def _event(new: Signature, known: Signature) -> Point:
    saw = new.event if new.event == known.event else f"{new.event}/{known.event}"
    if new.event == known.event:
        return Point("event", 2.0 if new.event in RARE else 1.5, saw)
    if new.event in known.events and known.event in new.events:
        return Point("event", 1.25, saw)
    if facets(new.event, known.event):
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
    """Per side: the same person, or another one.  Meeting a leader says little; another minister is another meeting.

    Where nobody meets, people say less, and those who only speak about it nothing.
    """
    meeting = new.event in IN_A_CITY and known.event in IN_A_CITY
    speakers = frozenset() if meeting else frozenset((*new.claimants, *known.claimants))
    for side in ("russia", "dprk", None):
        one = {key for who, key in new.persons if who == side} - speakers
        other = {key for who, key in known.persons if who == side} - speakers
        if not one or not other:
            continue
        shared = one & other
        if shared:
            yield Point("persons", 0.75 if not meeting or shared <= set(leaders) else 2.0, ", ".join(sorted(shared)))
        elif meeting:
            strangers = not (one | other) & set(leaders)
            yield Point("persons", -3.0 if strangers else -1.5, f"{', '.join(sorted(one))} / {', '.join(sorted(other))}")


def _others(new: Signature, known: Signature) -> Point:
    """Who else is named.  States comment on everything, organisations on less."""
    states, shared = set(new.states) & set(known.states), set(new.others) & set(known.others)
    return Point("third parties", 0.5 if shared else 0.25 if states else 0.0, ", ".join(sorted(shared | states)))


def _claimant(new: Signature, known: Signature) -> Point:
    """Who says so.  A side and its officials speak with one voice, so that only its name is shared by them."""
    one, other = set(new.claimants), set(known.claimants)
    if not one or not other:
        return Point("says", 0)
    shared = one & other
    if not shared:
        return Point("says", -0.25, f"{', '.join(sorted(one))} / {', '.join(sorted(other))}")
    return Point("says", 0.25 if shared <= {"russia", "dprk"} else 0.5, ", ".join(sorted(shared)))


def _place(new: Signature, known: Signature) -> Point:
    if not new.place or not known.place:
        return Point("place", 0)
    if new.place.casefold() == known.place.casefold():
        return Point("place", 0.5, new.place)
    return Point("place", -4.0 if new.event in IN_A_CITY else 0.0, f"{new.place}/{known.place}")


def _numbers(new: Signature, known: Signature) -> Point:
    """A number that both give: the more digits it has, the less likely by chance.  One that both give in passing counts half."""
    points, saw = 0.0, []
    for number in new.numbers:
        other = next((other for other in known.numbers if alike(number, other)), None)
        if other is not None:
            points += _weight(number) if number == new.number or other == known.number else _weight(number) / 2
            saw.append(f"{number:g}")
    if not saw and new.number is not None and known.number is not None:
        return Point("numbers", -0.25, f"{new.number:g}/{known.number:g}")
    return Point("numbers", min(2.5, points), ", ".join(saw))


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
