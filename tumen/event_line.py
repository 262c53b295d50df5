"""The English event line, written from the tags alone: it needs no translator.

VISIT · Sergei Shoigu (Russia) and Kim Jong Un (DPRK) · Pyongyang · 13 September · per KCNA
ARMS · DPRK to Russia · 5 million shells · September 2023 · alleged by the United States
"""

import calendar

from tumen.messages import Actor, Mention, Quantity

SIDES = {"russia": "Russia", "dprk": "DPRK"}
MOST_ACTORS = 4
_ONE_WAY = ("arms", "troops", "technology", "energy", "trade", "labour", "finance")
_OF_PEOPLE = ("visit", "diplomacy", "military", "treaty")  # elsewhere an official of one side is who speaks of it, not who does it
_BETWEEN = (
    "military",
    "treaty",
    "sanctions",
    "incident",
)  # "SANCTIONS · Russia to DPRK" would say who sanctions whom
_STANCES = {"alleged": "alleged", "denied": "DENIED", "planned": "planned", "negated": "did not happen"}


def event_line(mention: Mention) -> str:
    """One line for people: event, who or which way, how much, where, when, stance and source; what is not known is left out."""
    parts: list[str | None] = [mention.event.upper(), _who(mention)]
    if mention.quantity is not None:
        parts.append(_quantity(mention.quantity))
    parts.append(mention.place)
    parts.append(_date(mention.when.date) if mention.when is not None and mention.when.date is not None else None)
    parts.append(_stance(mention))
    return " · ".join(part for part in parts if part)


def _who(mention: Mention) -> str:
    people = [actor for actor in mention.actors if actor.kind == "person" and actor.side]
    if mention.event in _ONE_WAY and mention.direction in ("to_russia", "to_dprk"):
        return "DPRK to Russia" if mention.direction == "to_russia" else "Russia to DPRK"
    if people and (mention.event in _OF_PEOPLE or {"russia", "dprk"} <= {actor.side for actor in people}):
        return _listed([_named(actor) for actor in people[:MOST_ACTORS]])
    others = [actor for actor in mention.actors if actor.kind == "organisation" and actor.side]
    if others:
        return _listed([_named(actor) for actor in others[:MOST_ACTORS]])
    if mention.direction in ("to_russia", "to_dprk") and mention.event not in _BETWEEN:
        return "DPRK to Russia" if mention.direction == "to_russia" else "Russia to DPRK"
    return "Russia and DPRK"


def _named(actor: Actor) -> str:
    return f"{actor.name} ({SIDES[actor.side]})" if actor.side else actor.name


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


_UNITS = {"t": "tonnes", "d": "days", "h": "hours", "y": "years", "mi": "miles", "ha": "hectares"}
_LONG_WORD = 4  # letters: what is shorter is no counted thing but a particle beside the number
_MANY = 100


def _quantity(quantity: Quantity) -> str | None:
    """How much, in English.  A thing that has no English is quoted where it is one plain word beside a large number, else left out."""
    number, thing = quantity.number, quantity.thing or _UNITS.get(quantity.unit or "", quantity.unit)
    if thing is None and quantity.item is not None:
        if number < _MANY or not quantity.item.isalpha() or len(quantity.item) < _LONG_WORD:
            return None
        thing = f"“{quantity.item}”"
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            written = f"{number / size:.2f}".rstrip("0").rstrip(".") + f" {word}"
            break
    else:
        written = f"{number:,.0f}" if number == int(number) else f"{number:,.2f}".rstrip("0")
    if thing == "%":
        return f"{written}%"
    return f"{written} {thing}" if thing else written


def _date(partial: str) -> str | None:
    """13 September 2024, September 2024, 13 September, 2024."""
    year: str | None
    if partial.startswith("--"):
        year, rest = None, partial[2:].split("-")
    else:
        year, *rest = partial.split("-")
    month = calendar.month_name[int(rest[0])] if rest else None
    day = str(int(rest[1])) if len(rest) > 1 else None
    return " ".join(part for part in (day, month, year) if part) or None


def _stance(mention: Mention) -> str | None:
    says = _speaker(mention)
    if mention.stance == "asserted":
        return f"per {says}" if says else None
    word = _STANCES[mention.stance]
    if not says:
        return word
    return f"{word} by {says}" if mention.stance in ("alleged", "denied") else f"{word}, per {says}"


def _speaker(mention: Mention) -> str | None:
    """Who says so, in English where the watch knows the name, else as written and in quotes unless it is plainly Latin."""
    if mention.speaker is not None:
        name = mention.speaker.name
        common = mention.speaker.kind == "organisation" and name.split()[-1].islower()  # "Russian foreign ministry"
        return f"the {name}" if common or name.startswith("United ") else name
    says = " ".join(mention.says.split()) if mention.says else ""
    if not says:
        return None
    return says if says.isascii() else f"“{says}”"
