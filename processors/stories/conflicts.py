"""Sources that disagree on a date, on a number, or on whether it happened: a fact about the story, kept and shown, never settled here."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from processors.stories.dates import gap, parts
from processors.stories.matching import alike
from processors.stories.model import Part
from processors.stories.origins import key_of
from processors.stories.timing import ON_A_DAY
from tumen.messages import Claim, Conflict, EventType, Mention, Quantity

_Told = tuple[Part, list[Mention]]  # an article, and what it reports of one event


class _Said(NamedTuple):
    """One source's word on one fact."""

    value: str
    who: str
    key: str


def conflicts(story: Sequence[Part]) -> tuple[Conflict, ...]:
    """What independent origins among these parts, or those whom they quote, disagree about.  Copies have no word of their own."""
    own = [part for part in story if not part.copy_]
    found: list[Conflict] = []
    for event in dict.fromkeys(mention.event for part in own for mention in _news(part)):
        told = [(part, [mention for mention in _news(part) if mention.event == event]) for part in own]
        told = [(part, mentions) for part, mentions in told if mentions]
        found += [*_dates(event, told), *_numbers(event, told), *_stances(event, told)]
    return tuple(found)


def words(conflict: Conflict) -> str:
    """``Sources disagree on the date (visit): 13 September (RIA), 14 September (Yonhap)``."""
    claims = ", ".join(f"{claim.value} ({', '.join(claim.by)})" for claim in conflict.claims)
    about = "whether it happened" if conflict.about == "stance" else f"the {conflict.about}"
    return f"Sources disagree on {about} ({conflict.event}): {claims}"


def _news(part: Part) -> list[Mention]:
    """What an article reports, its main mention first."""
    return [mention for mention in part.mentions if mention.role == "news"]


def _dates(event: EventType, told: Sequence[_Told]) -> Iterable[Conflict]:
    """Days that cannot be the same one.  A month says nothing against a day in it, nor does a plan against what came of it; a claim
    speaks of whatever period it likes.
    """
    if event not in ON_A_DAY:
        return ()
    said = []
    done = [(part, mentions) for part, mentions in told if mentions[0].stance != "planned"]
    for part, mentions in done or told:
        day = next((mention.when.date for mention in mentions if mention.when and _is_day(mention.when.date)), None)
        if day is not None:
            said.append(_Said(day, part.outlet, part.origin_key))
    return _conflict("date", event, said, lambda one, other: _day_gap(one.value, other.value) == 0)


def _is_day(date: str | None) -> bool:
    known = parts(date)
    return known is not None and known.day is not None


def _day_gap(one: str, other: str) -> int:
    first, second = parts(one), parts(other)
    assert first is not None
    assert second is not None
    return gap(first, second)


def _numbers(event: EventType, told: Sequence[_Told]) -> Iterable[Conflict]:
    """Different numbers of the same thing.  An article that gives both numbers shows that they count different things."""
    counted = [(part, next((mention.quantity for mention in mentions if mention.quantity), None)) for part, mentions in told]
    apart: dict[str, _Said] = {}
    for (one, first), (other, second) in combinations(counted, 2):
        if first and second and _same_thing(first, second) and not _gives(other, first.number) and not _gives(one, second.number):
            apart[one.article.article_id] = _Said(first.text, one.outlet, one.origin_key)
            apart[other.article.article_id] = _Said(second.text, other.outlet, other.origin_key)
    numbers = {said.value: quantity.number for part, quantity in counted if quantity and (said := apart.get(part.article.article_id))}
    return _conflict("number", event, list(apart.values()), lambda one, other: alike(numbers[one.value], numbers[other.value]))


def _stances(event: EventType, told: Sequence[_Told]) -> Iterable[Conflict]:
    """Whether it happened: each article's first word on it.  Whoever is quoted is the source, else the article's origin.

    That something stopped (negated) contradicts nobody, unless it is of a day: a visit that was called off and one that took place.
    """
    said = [_said_by(mentions[0], part) for part, mentions in told if _speaks(mentions[0])]
    yes, no = ({one.key for one in said if (one.value in _NO) == denies} for denies in (False, True))
    return _conflict("stance", event, said, lambda one, other: one.value == other.value) if yes and no - yes else ()


_NO = ("denied", "negated")


def _speaks(mention: Mention) -> bool:
    return mention.stance in ("asserted", "alleged", "denied") or (mention.stance == "negated" and mention.event in ON_A_DAY)


def _said_by(mention: Mention, part: Part) -> _Said:
    """A speaker that the watch does not know is shown by the origin that quotes it."""
    if mention.speaker is not None:
        return _Said(mention.stance, mention.speaker.name, mention.speaker.qid or key_of(mention.speaker.name))
    if mention.says:
        return _Said(mention.stance, f"quoted by {part.outlet}", key_of(mention.says))
    return _Said(mention.stance, part.outlet, part.origin_key)


def _gives(part: Part, number: float) -> bool:
    return any(alike(number, other) for other in part.signature.numbers)


def _same_thing(one: Quantity, other: Quantity) -> bool:
    """Same unit, unless people are counted by what they are; then the same thing, in whatever language, or the same word for it."""
    if one.thing in _PEOPLE and other.thing in _PEOPLE:
        return True
    if {one.unit, other.unit} == {"people", None}:
        return (one.thing if one.unit is None else other.thing) in _PEOPLE
    if one.unit != other.unit:
        return False
    if one.unit is not None or (one.thing is not None and one.thing == other.thing):
        return True
    return one.thing == other.thing and (one.item or "").casefold() == (other.item or "").casefold() != ""


_PEOPLE = ("soldiers", "North Koreans", "people")  # those who are sent to a war are called any of these


def _conflict(
    about: Literal["date", "number", "stance"], event: EventType, said: Sequence[_Said], same: Callable[[_Said, _Said], bool]
) -> Iterable[Conflict]:
    """A conflict, if what was said falls into groups that no single origin holds."""
    groups: list[list[_Said]] = []
    for one in said:
        home = next((group for group in groups if same(group[0], one)), None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    if len(groups) > 1 and len({one.key for one in said}) > 1:
        yield Conflict(
            about=about,
            event=event,
            claims=tuple(Claim(value=group[0].value, by=tuple(dict.fromkeys(one.who for one in group))) for group in groups),
        )
