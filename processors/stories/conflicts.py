"""Sources that disagree on a date or a number: a fact about the story, kept and shown, never settled here."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from processors.stories.dates import gap, parts
from processors.stories.matching import alike
from processors.stories.model import Part
from processors.stories.timing import ON_A_DAY
from tumen.messages import Claim, Conflict, EventType, Mention, Quantity


class _Said(NamedTuple):
    """One article's word on one fact."""

    value: str
    who: str
    key: str


def conflicts(story: Sequence[Part]) -> tuple[Conflict, ...]:
    """What independent origins among these parts disagree about.  Copies have no word of their own."""
    own = [part for part in story if not part.copy_]
    found = []
    for event in dict.fromkeys(_main(part).event for part in own):
        of_event = [part for part in own if _main(part).event == event]
        found += [*_dates(event, of_event), *_numbers(event, of_event)]
    return tuple(found)


def words(conflict: Conflict) -> str:
    """``Sources disagree on the date (visit): 13 September (RIA), 14 September (Yonhap)``."""
    claims = ", ".join(f"{claim.value} ({', '.join(claim.by)})" for claim in conflict.claims)
    return f"Sources disagree on the {conflict.about} ({conflict.event}): {claims}"


def _main(part: Part) -> Mention:
    return part.mentions[0]


def _dates(event: EventType, story: Iterable[Part]) -> Iterable[Conflict]:
    """Days that cannot be the same one.  A month says nothing against a day in it, nor does a plan against what came of it; a claim
    speaks of whatever period it likes.
    """
    if event not in ON_A_DAY:
        return ()
    said = []
    done = [part for part in story if _main(part).stance != "planned"]
    for part in done or story:
        when = _main(part).when
        known = parts(when.date) if when else None
        if when and when.date and known and known.day is not None:
            said.append(_Said(when.date, part.outlet, part.origin_key))
    return _conflict("date", event, said, lambda one, other: _day_gap(one.value, other.value) == 0)


def _day_gap(one: str, other: str) -> int:
    first, second = parts(one), parts(other)
    assert first is not None
    assert second is not None
    return gap(first, second)


def _numbers(event: EventType, story: Sequence[Part]) -> Iterable[Conflict]:
    """Different numbers of the same thing.  An article that gives both numbers shows that they count different things."""
    told = [(part, _main(part).quantity) for part in story]
    apart: dict[str, _Said] = {}
    for (one, first), (other, second) in combinations(told, 2):
        if first and second and _same_thing(first, second) and not _gives(other, first.number) and not _gives(one, second.number):
            apart[one.article.article_id] = _Said(first.text, one.outlet, one.origin_key)
            apart[other.article.article_id] = _Said(second.text, other.outlet, other.origin_key)
    numbers = {said.value: quantity.number for part, quantity in told if quantity and (said := apart.get(part.article.article_id))}
    return _conflict("number", event, list(apart.values()), lambda one, other: alike(numbers[one.value], numbers[other.value]))


def _gives(part: Part, number: float) -> bool:
    return any(alike(number, other) for other in part.signature.numbers)


def _same_thing(one: Quantity, other: Quantity) -> bool:
    """Same unit, and the same item unless a unit alone says what is counted."""
    if one.unit != other.unit:
        return False
    return one.unit is not None or (one.item or "").casefold() == (other.item or "").casefold() != ""


def _conflict(
    about: Literal["date", "number"], event: EventType, said: Sequence[_Said], same: Callable[[_Said, _Said], bool]
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
